"""Saving and loading: the same predictions and report, no code, clear words about bad files."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier, io
from robust_ts.io import load, save

ESTIMATORS = [NeuralClassifier, ABLClassifier, E2ABLClassifier]
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)


def quick(cls, **params):
    given = {
        "backbone": "cnn",
        "backbone_params": {"filters": (8, 8), "kernels": (5, 3)},
        "epochs": 3,
        "random_state": 0,
    }
    return cls(**{**given, **params})


@pytest.fixture
def fitted(make_waves, tmp_path):
    """A saved E2ABL classifier, its data and its file."""
    X, y = make_waves()
    clf = quick(E2ABLClassifier).fit(X, np.array(["a", "b", "c"])[y])
    path = tmp_path / "model.safetensors"
    save(clf, path)
    return clf, X, path


def test_a_model_of_series_of_unequal_length_still_takes_any_length(make_waves, tmp_path):
    X, y = make_waves()
    short = [x[:, : X.shape[2] - i % 3] for i, x in enumerate(X)]
    clf = quick(E2ABLClassifier).fit(short, y)
    path = tmp_path / "model.safetensors"
    save(clf, path)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.predict_proba(short), clf.predict_proba(short))
    assert np.isfinite(loaded.predict_proba([X[0][:, :9]])).all()


def content_of(path):
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["robust_ts"]), tensors


def rewrite(path, content, tensors):
    path.write_bytes(to_bytes(tensors, {"robust_ts": json.dumps(content)}))


def same_state(loaded, clf):
    ours, theirs = loaded.network_.state_dict(), clf.network_.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


# The same as before


@every_estimator
@pytest.mark.parametrize("kind", ["series", "images"])
def test_everything_is_as_before(cls, kind, make_waves, tmp_path):
    X, y = make_waves()
    params = {"class_weight": {0: 1, 1: 2.5, 2: np.float64(1)}, "device": torch.device("cpu")}
    if kind == "images":
        X = X.reshape(60, 4, 6)
        params |= {"backbone": "image_cnn", "backbone_params": {"filters": (4, 8)}}
    clf = quick(cls, **params).fit(X, y)
    save(clf, tmp_path / "model")
    state = torch.get_rng_state()
    loaded = load(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), state)
    assert type(loaded) is cls
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), clf.predict(X))
    assert same_state(loaded, clf)
    assert loaded.get_params() == clf.get_params()
    assert vars(loaded).keys() == vars(clf).keys()
    assert loaded.history_ == clf.history_
    assert type(loaded.history_) is type(clf.history_)
    assert loaded.input_shape_ == clf.input_shape_
    assert not loaded.network_.training
    np.testing.assert_array_equal(clone(loaded).fit(X, y).predict_proba(X), clf.predict_proba(X))


def test_report_and_ledger_are_as_before(fitted, tmp_path):
    import pandas as pd

    clf, X, path = fitted
    report = clf.report_
    # The few epochs of a test find nothing: put in what a real report holds.
    report.verdicts[:2], report.recovered_labels[0] = "poisoned", np.str_("c")
    save(clf, path)
    loaded = load(path)
    pd.testing.assert_frame_equal(loaded.report_.to_frame(), report.to_frame())
    assert loaded.report_.summary() == report.summary()
    assert [type(v) for v in loaded.report_.recovered_labels[:2]] == [np.str_, type(None)]
    for head in ("main", "auxiliary"):
        np.testing.assert_array_equal(loaded.ledger_.losses(head), clf.ledger_.losses(head))
    np.testing.assert_array_equal(loaded.predict(X), clf.predict(X))


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["walk", "läuft", "rest"]),
        np.array(["walk", "run", "rest"], dtype=object),
        np.array([-5, 3, 100]),
        np.array([7.5, 2.25, 9.0]).round(),
        np.array([200, 3, 17], dtype=np.uint16),
        np.array([False, True, True]),
    ],
    ids=["str", "object", "int", "float", "uint16", "bool"],
)
def test_labels_of_any_kind(labels, make_waves, tmp_path):
    X, y = make_waves()
    clf = quick(NeuralClassifier).fit(X, labels[y])
    save(clf, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.classes_.dtype == clf.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(X), clf.predict(X))


def test_names_of_columns_are_kept(make_waves, tmp_path):
    import pandas as pd

    X, y = make_waves()
    frame = pd.DataFrame(X[:, 0], columns=[f"t{i}" for i in range(24)])
    clf = quick(NeuralClassifier).fit(frame, y)
    save(clf, tmp_path / "model")
    assert list(load(tmp_path / "model").feature_names_in_) == list(frame.columns)


def test_another_process_loads_it(fitted, tmp_path):
    clf, X, path = fitted
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy as np; from robust_ts.io import load; "
        "np.save(sys.argv[3], load(sys.argv[1]).predict_proba(np.load(sys.argv[2])))"
    )
    names = [str(path), str(tmp_path / "X.npy"), str(tmp_path / "P.npy")]
    subprocess.run([sys.executable, "-c", code, *names], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "P.npy"), clf.predict_proba(X))


# Networks of the user's own


class Net(nn.Module):
    def __init__(self, n_channels, n_classes, n_timesteps, width=4):
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(n_channels, width, 3), nn.BatchNorm1d(width))
        self.out = nn.Linear(width, n_classes)
        self.tied = nn.Linear(width, n_classes)
        self.tied.weight = self.out.weight

    def forward(self, x):
        z = self.first(x).mean(2)
        return self.out(z) + self.tied(z)


def make_net(n_channels, n_classes, n_timesteps):
    return Net(n_channels, n_classes, n_timesteps, width=5)


@pytest.mark.parametrize("cls", [NeuralClassifier, E2ABLClassifier])
@pytest.mark.parametrize(
    "backbone", [Net, make_net, Net(1, 3, 24)], ids=["class", "factory", "instance"]
)
def test_a_network_of_the_users_own_is_given_to_load(cls, backbone, make_waves, tmp_path):
    X, y = make_waves()
    clf = quick(cls, backbone=backbone, backbone_params=None).fit(X, y)
    save(clf, tmp_path / "model")
    loaded = load(tmp_path / "model", backbone=backbone)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    with pytest.raises(ValueError, match=r"user's own, (Net|make_net), .*load\(path, backbone="):
        load(tmp_path / "model")
    with pytest.raises(ValueError, match="do not fit the network"):
        load(tmp_path / "model", backbone=lambda c, k, t: Net(c, k, t, width=9))


def test_a_named_backbone_needs_none(fitted):
    with pytest.raises(ValueError, match="saved with the backbone 'cnn'; leave backbone out"):
        load(fitted[2], backbone=Net)


# What cannot be saved


def test_only_fitted_classifiers_of_the_library_are_saved(make_waves, tmp_path):
    X, y = make_waves()
    path = tmp_path / "model"
    with pytest.raises(NotFittedError):
        save(quick(NeuralClassifier), path)
    pipe = make_pipeline(FunctionTransformer(), quick(NeuralClassifier)).fit(X, y)
    with pytest.raises(ValueError, match=r"got Pipeline\. Of a pipeline"):
        save(pipe, path)
    clf = quick(NeuralClassifier, random_state=np.random.RandomState(0)).fit(X, y)
    with pytest.raises(ValueError, match="random_state holds a RandomState"):
        save(clf, path)
    assert list(tmp_path.iterdir()) == []
    save(clf.set_params(random_state=1), path)


def test_a_failed_save_leaves_the_old_file(fitted, monkeypatch):
    clf, _, path = fitted
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(io.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(clf, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with pytest.raises(FileNotFoundError):
        save(clf, path.parent / "nowhere" / "model")


# What cannot be loaded


def test_loading_unpickles_nothing(fitted, monkeypatch):
    clf, X, path = fitted

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
    ):
        monkeypatch.setattr(module, name, refuse)
    np.testing.assert_array_equal(load(path).predict_proba(X), clf.predict_proba(X))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not in the safetensors format"),
        (b"these are not weights", "not in the safetensors format"),
        (pickle.dumps(Bomb()), "not in the safetensors format"),
        (to_bytes({"w": torch.zeros(2)}), "not one of robust_ts.io.save"),
        (to_bytes({"w": torch.zeros(2)}, {"robust_ts": "{"}), "is damaged"),
        (to_bytes({"w": torch.zeros(2)}, {"robust_ts": "[" * 100_000}), "is damaged"),
        (to_bytes({"w": torch.zeros(2)}, {"robust_ts": "[1]"}), "is damaged"),
        (to_bytes({"w": torch.zeros(2)}, {"robust_ts": '{"format": 1}'}), "is damaged"),
        (to_bytes({"w": torch.zeros(2)}, {"robust_ts": '{"format": "x"}'}), "is damaged"),
    ],
)
def test_foreign_files(data, text, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"{path.name}.*{text}"):
        load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "model")


def test_a_file_cut_short(fitted):
    path = fitted[2]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged: it is not in the safetensors format"):
        load(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c.update(format=io.FORMAT + 1), "Install a newer robust_ts"),
        (lambda c: c.update(estimator="os.system"), "damaged"),
        (lambda c: c.update(params=[]), "damaged"),
        (lambda c: c["params"].update(new=1), "other parameters"),
        (lambda c: c["params"].update(epochs=-1), "epochs must be"),
        (lambda c: c["params"].update(backbone="cnnn"), "Did you mean 'cnn'"),
        (lambda c: c["params"].update(seed={"type": "eval", "value": "1"}), "damaged"),
        (lambda c: c["attributes"].update(predict=1), "no fitted attributes"),
        (lambda c: c["attributes"].update(__class__=1), "no fitted attributes"),
        (lambda c: c["attributes"].update(classes_=3), "classes_ is 3"),
        (
            lambda c: c["attributes"].update(classes_={"type": "array", "value": ["O", [1]]}),
            "dtype",
        ),
        (lambda c: c["attributes"].update(input_shape_="x"), "input_shape_ is 'x'"),
        (lambda c: c["attributes"].update(device_="cpu"), "device_ is 'cpu'"),
        (lambda c: c["attributes"].pop("classes_"), "classes_"),
        (lambda c: c.update(two_heads=False), "do not fit the network"),
    ],
)
def test_changed_files(fitted, change, text):
    path = fitted[2]
    content, tensors = content_of(path)
    change(content)
    rewrite(path, content, tensors)
    with pytest.raises(ValueError, match=text):
        load(path)


def test_weights_that_are_missing(fitted):
    path = fitted[2]
    content, tensors = content_of(path)
    del tensors["network.main.head.linear.bias"]
    rewrite(path, content, tensors)
    with pytest.raises(ValueError, match="do not fit the network"):
        load(path)


def test_a_model_of_a_missing_card_loads_on_the_cpu(fitted):
    clf, X, path = fitted
    content, tensors = content_of(path)
    content["attributes"]["device_"]["value"] = "cuda:77"
    rewrite(path, content, tensors)
    loaded = load(path)
    assert loaded.device_.type == "cpu"
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_a_report_of_many_labels_stays_small(make_waves, tmp_path):
    X, y = make_waves()
    clf = quick(E2ABLClassifier).fit(X, y)
    clf.report_.verdicts[:] = "poisoned"
    clf.report_.recovered_labels[:] = list(clf.classes_[(y + 1) % 3])
    save(clf, tmp_path / "model")
    _, tensors = content_of(tmp_path / "model")
    assert len([key for key in tensors if key.startswith("array")]) < 20
    recovered = load(tmp_path / "model").report_.recovered_labels
    assert {type(label) for label in recovered} == {np.int64}
    np.testing.assert_array_equal(recovered, clf.report_.recovered_labels)
