"""The undefended classifier: that it learns, and what its attributes say."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from robust_ts import NeuralClassifier
from robust_ts.training import History, resolve_device

SMALL = {
    "cnn": {"filters": (8, 16, 8)},
    "resnet": {"filters": (8, 8)},
    "inception": {"filters": 4, "bottleneck": 4, "depth": 3},
}


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_every_backbone_learns(make_waves, backbone, n_channels):
    X, y = make_waves(60, n_channels)
    X_test, y_test = make_waves(60, n_channels, seed=1)
    clf = NeuralClassifier(
        backbone,
        backbone_params=SMALL[backbone],
        epochs=15,
        learning_rate=1e-2,
        random_state=0,
    ).fit(X, y)
    assert clf.score(X_test, y_test) > 0.9


def test_attributes(make_waves):
    X, y = make_waves(40, n_channels=2)
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=3).fit(X, y)
    assert clf.input_shape_ == (2, 24)
    assert clf.n_features_in_ == 2
    assert list(clf.classes_) == [0, 1, 2]
    assert isinstance(clf.network_, nn.Module)
    assert not clf.network_.training
    assert isinstance(clf.history_, History)
    assert [r["epoch"] for r in clf.history_] == [1, 2, 3]
    assert clf.device_ == resolve_device("auto")


def test_probabilities_are_those_of_the_network_on_raw_series(make_waves):
    X, y = make_waves(40, n_channels=2)
    X = 100 + 7 * X
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=3, device="cpu").fit(X, y)
    with torch.no_grad():
        expected = clf.network_(torch.from_numpy(X)).softmax(1).numpy()
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_array_equal(clf.predict(X), expected.argmax(1))


@pytest.mark.parametrize("n_timesteps", [1, 2, 5, 300])
@pytest.mark.parametrize("n_channels", [1, 12])
def test_lengths_and_channels(make_waves, n_timesteps, n_channels):
    X, y = make_waves(12, n_channels, n_timesteps)
    clf = NeuralClassifier(backbone_params={"filters": 2, "bottleneck": 2}, epochs=1)
    assert np.isfinite(clf.fit(X, y).predict_proba(X)).all()


def test_scale_and_offset_of_the_channels_do_not_matter(make_waves):
    X, y = make_waves(60, n_channels=2)
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=5, random_state=0)
    plain = clf.fit(X, y).predict_proba(X)
    factor, offset = np.array([1e4, 1e-4])[:, None], np.array([3e4, -1e-3])[:, None]
    moved = (X * factor + offset).astype(np.float32)
    np.testing.assert_allclose(clf.fit(moved, y).predict_proba(moved), plain, atol=0.05)


def test_a_module_instance_is_not_trained_in_place(make_waves):
    X, y = make_waves(40)
    module = nn.Sequential(nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 3))
    before = {k: v.clone() for k, v in module.state_dict().items()}
    clf = NeuralClassifier(module, epochs=30, learning_rate=1e-2).fit(X, y)
    assert clf.score(X, y) > 0.8
    assert clf.backbone is module
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8])
def test_any_number_type(make_waves, dtype):
    X, y = make_waves(40)
    X = np.round(40 * X + 128).astype(dtype)
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=2, random_state=0)
    expected = clf.fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), expected)


def test_bf16(make_waves):
    X, y = make_waves(60)
    clf = NeuralClassifier(
        "cnn", backbone_params=SMALL["cnn"], epochs=15, learning_rate=1e-2, precision="bf16"
    ).fit(X, y)
    assert clf.score(X, y) > 0.9
    assert all(p.dtype is torch.float32 for p in clf.network_.parameters())


def test_a_state_from_a_missing_device_loads_on_the_cpu(make_waves):
    X, y = make_waves(40)
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=1).fit(X, y)
    state = clf.__getstate__()
    loaded = NeuralClassifier.__new__(NeuralClassifier)
    loaded.__setstate__({**state, "device_": torch.device("cuda:77")})
    assert loaded.device_ == torch.device("cpu")
    np.testing.assert_allclose(loaded.predict_proba(X), clf.predict_proba(X), atol=1e-5)


def test_fitting_and_predicting_warn_of_nothing(make_waves):
    X, y = make_waves(40)
    X.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=1)
        clf.fit(X, y).predict(X)


@pytest.mark.parametrize("params", ["abc", 3, [("filters", (4, 4, 4))]])
def test_backbone_params_must_be_keywords(make_waves, params):
    with pytest.raises(ValueError, match="backbone_params must be None or a dict"):
        NeuralClassifier("cnn", backbone_params=params).fit(*make_waves(20))


def test_a_built_in_network_takes_no_tap(make_waves):
    with pytest.raises(ValueError, match="backbone_tap='first' names a layer of"):
        NeuralClassifier("cnn", backbone_tap="first").fit(*make_waves(20))


def test_a_fit_that_diverges_says_so(make_waves):
    clf = NeuralClassifier("cnn", backbone_params=SMALL["cnn"], epochs=3, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"diverged: .*Lower learning_rate, which is 1e\+30"):
        clf.fit(*make_waves(40))
    assert not hasattr(clf, "network_")
