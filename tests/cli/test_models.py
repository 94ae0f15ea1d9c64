"""train, scan, predict and poison, from files to files."""

import io
import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier, cli
from robust_ts.attacks import make_trigger, poison
from robust_ts.io import load

SMALL = ["--backbone", "cnn", "--backbone-params", '{"filters": [8, 8], "kernels": [5, 3]}']
QUICK = [*SMALL, "--epochs", "3", "--learning-rate", "0.01", "--quiet"]


@pytest.fixture
def data(make_waves, tmp_path, monkeypatch):
    """Write series with a training and a test part, and work in their folder."""
    monkeypatch.chdir(tmp_path)
    X, y = make_waves()
    X_test, y_test = make_waves(30, seed=1)
    labels = np.array(["a", "b", "c"])
    arrays = {"X_train": X, "y_train": labels[y], "X_test": X_test, "y_test": labels[y_test]}
    np.savez("data.npz", **arrays)
    return arrays


def run(*arguments):
    return cli.main([str(a) for a in arguments])


@pytest.mark.parametrize(
    ("defense", "cls"),
    [("e2abl", E2ABLClassifier), ("abl", ABLClassifier), ("none", NeuralClassifier)],
)
def test_train_then_predict(data, defense, cls, capsys, tmp_path):
    assert run("train", "data.npz", "--defense", defense, "--seed", 3, *QUICK) == 0
    said = capsys.readouterr()
    loaded = load("model.safetensors")
    params = {"filters": [8, 8], "kernels": [5, 3]}
    clf = cls("cnn", backbone_params=params, epochs=3, learning_rate=0.01, random_state=3)
    expected = clf.fit(data["X_train"], data["y_train"]).predict(data["X_test"])
    assert type(loaded) is cls
    assert f"Accuracy on the 30 test samples: {(expected == data['y_test']).mean():.1%}" in said.out
    assert (tmp_path / "report.csv").exists() == (defense == "e2abl")
    assert run("predict", "model.safetensors", "data.npz") == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(table.columns) == ["sample", "prediction"]
    np.testing.assert_array_equal(table["prediction"], expected)


def test_the_report_is_that_of_the_classifier(data, capsys):
    assert run("train", "data.npz", "--model", "m", "--report", "r.csv", *QUICK) == 0
    report = load("m").report_
    written = pd.read_csv("r.csv")
    assert list(written.columns) == ["sample", *report.to_frame().columns]
    np.testing.assert_array_equal(written["verdict"], report.verdicts)
    np.testing.assert_allclose(written["suspicion"], report.suspicion)
    assert report.summary() in capsys.readouterr().out


def test_predictions_into_a_file_with_probabilities(data, monkeypatch, capsys):
    monkeypatch.setattr(cli.models, "_CHUNK", 7)
    run("train", "data.npz", *QUICK)
    capsys.readouterr()
    np.savez("new.npz", X=data["X_test"])
    assert (
        run("predict", "model.safetensors", "new.npz", "--probabilities", "--output", "p.csv") == 0
    )
    said = capsys.readouterr()
    assert said.out == ""
    assert "5/5" in said.err  # progress
    table = pd.read_csv("p.csv")
    expected = load("model.safetensors").predict_proba(data["X_test"])
    columns = [f"probability of {label}" for label in "abc"]
    np.testing.assert_allclose(table[columns], expected, atol=1e-7)


def test_scan_exits_with_3_where_it_finds_poison(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("poison", "JapaneseVowels", "--seed", 0) == 0
    assert "27 of 270 training samples are poisoned" in capsys.readouterr().out
    params = ["--backbone-params", '{"filters": [32, 32, 32]}', "--epochs", 30, "--quiet"]
    assert run("scan", "poisoned.npz", "--backbone", "cnn", *params) == 3
    assert "look poisoned" in capsys.readouterr().out
    mask = np.load("poisoned.npz")["is_poisoned"]
    found = (pd.read_csv("report.csv")["verdict"] == "poisoned").to_numpy()
    assert (found & mask).sum() > 0.9 * mask.sum()


def test_scan_exits_with_0_where_it_finds_nothing(data, capsys):
    assert run("scan", "data.npz", *QUICK) == 0
    assert "No attack found" in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "target"), [("dirty", "b"), ("clean", "c"), ("all-to-all", None)])
def test_poison_is_that_of_the_library(data, mode, target):
    named = [] if target is None else ["--target", target]
    options = ["--trigger", "noise", "--rate", "0.2", "--mode", mode, "--seed", "5"]
    assert run("poison", "data.npz", "--output", "out", *options, *named) == 0
    X, y = data["X_train"], data["y_train"]
    trigger = make_trigger("noise", random_state=5)
    expected = poison(X, y, trigger, target or "a", 0.2, mode, random_state=5)
    written = np.load("out")
    np.testing.assert_array_equal(written["X_train"], expected.X)
    np.testing.assert_array_equal(written["y_train"], expected.y)
    np.testing.assert_array_equal(written["is_poisoned"], expected.mask)
    np.testing.assert_array_equal(written["y_train_true"], y)
    np.testing.assert_array_equal(written["X_test"], data["X_test"])
    np.testing.assert_array_equal(written["X_test_triggered"], trigger.transform(data["X_test"]))


def test_poison_takes_integers(data):
    X, y = np.arange(240).reshape(10, 24), np.arange(10) % 2
    np.savez("integers.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    assert run("poison", "integers.npz", "--target", "1") == 0
    written = np.load("poisoned.npz")
    assert (written["X_train"] != X).any(axis=1).sum() == 1
    assert (written["X_test_triggered"] != X).any(axis=1).all()
    images = X.reshape(10, 4, 6).astype(np.uint8)
    np.savez("images.npz", X=images, y=y)
    assert run("poison", "images.npz", "--trigger", "badnets") == 0
    assert np.load("poisoned.npz")["X_train"].dtype == np.uint8


def test_images(data):
    X = np.random.default_rng(0).integers(0, 256, size=(24, 6, 8)).astype(np.uint8)
    np.savez("images.npz", X=X, y=np.arange(24) % 3)
    options = ["--backbone", "image_cnn", "--backbone-params", '{"filters": [4, 8]}']
    assert run("train", "images.npz", *options, "--epochs", 2, "--quiet") == 0
    assert run("predict", "model.safetensors", "images.npz", "--output", "p.csv") == 0
    assert len(pd.read_csv("p.csv")) == 24
    assert load("model.safetensors").input_shape_ == (1, 6, 8)


# Kinds of files


def test_csv(data, capsys):
    frame = pd.DataFrame(data["X_train"][:, 0], columns=[f"t{i}" for i in range(24)])
    frame.assign(label=data["y_train"]).to_csv("series.csv", index=False)
    frame.to_csv("new.csv", index=False)
    frame.assign(kind=data["y_train"]).to_csv("other.csv", index=False)
    assert run("train", "series.csv", *QUICK) == 0
    expected = load("model.safetensors").predict(data["X_train"])
    for name, extra in (("series.csv", []), ("new.csv", []), ("other.csv", ["--label", "kind"])):
        run("predict", "model.safetensors", name, "--output", "p.csv", *extra)
        np.testing.assert_array_equal(pd.read_csv("p.csv")["prediction"], expected)
    capsys.readouterr()
    assert run("scan", "new.csv", *QUICK) == 1
    assert "no column 'label'; name another with --label" in capsys.readouterr().err
    frame.to_csv("plain.csv", index=False, header=False)
    assert run("scan", "plain.csv", *QUICK) == 1
    assert "has no header" in capsys.readouterr().err


def write_ts(name, series, labels):
    head = "@problemName x\n@timeStamps false\n@missing false\n@univariate true\n"
    lines = [",".join(f"{v:.4f}" for v in row) for row in series]
    body = "\n".join(f"{a}:{b}" for a, b in zip(lines, labels, strict=True))
    with open(name, "w") as file:
        file.write(f"{head}@classLabel true a b c\n@data\n{body}\n")


def test_ts(data):
    write_ts("series.ts", data["X_train"][:, 0], data["y_train"])
    assert run("train", "series.ts", *QUICK) == 0
    loaded = load("model.safetensors")
    assert loaded.input_shape_ == (1, 24)
    assert not loaded.unequal_length_


def test_ts_of_unequal_length(data, capsys):
    series = [row[: 24 - i % 5] for i, row in enumerate(data["X_train"][:, 0].round(4))]
    write_ts("series.ts", series, data["y_train"])
    assert run("train", "series.ts", "--seed", 3, *QUICK) == 0
    loaded = load("model.safetensors")
    assert loaded.unequal_length_
    params = {"filters": [8, 8], "kernels": [5, 3]}
    clf = E2ABLClassifier("cnn", backbone_params=params, epochs=3, learning_rate=0.01)
    clf.set_params(random_state=3).fit(series, data["y_train"])
    np.testing.assert_array_equal(loaded.predict(series), clf.predict(series))
    # Another file, whose longest series is another.
    write_ts("new.ts", [row[:20] for row in series[:5]], data["y_train"][:5])
    assert run("predict", "model.safetensors", "new.ts", "--output", "p.csv") == 0
    expected = clf.predict([row[:20] for row in series[:5]])
    np.testing.assert_array_equal(pd.read_csv("p.csv")["prediction"], expected)
    # Of an .npz one shape is asked.
    capsys.readouterr()
    assert run("poison", "series.ts") == 0
    assert "padded with zeros to 24 steps" in capsys.readouterr().err
    written = np.load("poisoned.npz")
    untouched = written["X_train"][~written["is_poisoned"]]
    assert untouched.shape[1:] == (1, 24)
    kept = [s for s, bad in zip(series, written["is_poisoned"], strict=True) if not bad]
    for row, values in zip(untouched[:, 0], kept, strict=True):
        np.testing.assert_allclose(row[: len(values)], values, atol=1e-4)
        assert (row[len(values) :] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["train", "missing.npz"], "There is no file missing.npz"),
        (["train", "text.npz"], "Cannot read text.npz"),
        (["train", "array.npz"], "Cannot read array.npz .* it is a single array"),
        (["train", "text.csv"], "Cannot read text.csv|no column 'label'"),
        (["train", "text.ts"], "Cannot read text.ts"),
        (["train", "keys.npz"], "needs an array X or X_train; it has Z"),
        (["train", "unlabelled.npz"], "it has no array y"),
        (["train", "Japanesevowels"], "Did you mean JapaneseVowels"),
        (["train", "data.npz", "--model", "no/m"], "There is no folder no"),
        (["train", "data.npz", "--backbone", "cn"], "'cnn'"),
        (["train", "data.npz", "--epochs", "0"], "epochs must be"),
        (["train", "data.npz", "--device", "tpu9"], "device='tpu9'"),
        (["scan", "data.npz", "--report", "no/r.csv"], "There is no folder no"),
        (["predict", "missing.model", "data.npz"], "missing.model"),
        (["predict", "data.npz", "data.npz"], "no file of robust_ts.io.save"),
        (["poison", "data.npz", "--trigger", "pach"], "'patch'"),
        (["poison", "data.npz", "--target", "z"], "its labels are a, b, c"),
        (["poison", "data.npz", "--rate", "0.9"], "rate=0.9"),
        (["poison", "data.npz", "--mode", "dirt"], "mode must be one of dirty, clean, all-to-all"),
        (["poison", "unlabelled.npz"], "it has no array y"),
    ],
)
def test_errors_are_one_line_without_a_traceback(data, arguments, text, capsys, monkeypatch):
    monkeypatch.setattr("robust_ts.datasets._download", _no_archive)
    for name in ("text.npz", "text.csv", "text.ts"):
        with open(name, "w") as file:
            file.write("a,b\n1,2,3,4\n")
    np.save("array", data["X_train"])
    os.rename("array.npy", "array.npz")
    np.savez("keys.npz", Z=np.zeros(3))
    np.savez("unlabelled.npz", X=data["X_train"])
    assert run(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("robust-ts: error:")
    assert "Traceback" not in said
    assert re.search(text, said)


def _no_archive(name):
    from robust_ts import datasets

    raise datasets.DatasetNotFoundError(datasets._not_found(name, "not asked in tests"))


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_backbone_params_must_be_a_json_object(data, text, capsys):
    with pytest.raises(SystemExit) as stop:
        run("train", "data.npz", "--backbone-params", text)
    assert stop.value.code == 2
    assert "JSON" in capsys.readouterr().err


def test_warnings_are_one_line(data, capsys, monkeypatch):
    fit = E2ABLClassifier.fit

    def warn_and_fit(self, X, y):
        warnings.warn("Something to know.", UserWarning, stacklevel=2)
        return fit(self, X, y)

    monkeypatch.setattr(E2ABLClassifier, "fit", warn_and_fit)
    assert run("scan", "data.npz", *QUICK) == 0
    said = capsys.readouterr().err
    assert "robust-ts: warning: Something to know." in said
    assert "UserWarning" not in said


def test_training_shows_progress(data, capsys):
    assert run("scan", "data.npz", *QUICK[:-1]) == 0
    assert "main:" in capsys.readouterr().err
