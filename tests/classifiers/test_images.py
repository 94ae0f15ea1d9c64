"""Images through the classifiers: shapes, errors, a user's own image network."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier
from robust_ts.datasets import list_datasets
from robust_ts.evaluation.experiment import make_experiment

H, W = 6, 9
every_estimator = pytest.mark.parametrize("cls", [NeuralClassifier, ABLClassifier, E2ABLClassifier])


def quick(cls, **params):
    given = {
        "backbone": "image_cnn",
        "backbone_params": {"filters": (6, 8)},
        "epochs": 4,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return cls(**{**given, **params})


@pytest.fixture
def bars():
    """Make images of a bright bar whose row is the class: float32 (n, 1, h, w)."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(60) % 3)
    X = rng.normal(size=(60, 1, H, W))
    X[np.arange(60), 0, 2 * y] += 3
    return X.astype(np.float32), y


@every_estimator
def test_it_learns_images_with_and_without_a_channel_axis(cls, bars):
    X, y = bars
    deep, flat = quick(cls, epochs=15).fit(X, y), quick(cls, epochs=15).fit(X[:, 0], y)
    assert deep.score(X, y) > 0.9
    assert deep.input_shape_ == flat.input_shape_ == (1, H, W)
    assert (deep.n_features_in_, flat.n_features_in_) == (1, H)
    expected = deep.predict_proba(X)
    for clf, given in ((deep, X[:, 0]), (flat, X), (flat, X[:, 0])):
        np.testing.assert_array_equal(clf.predict_proba(given), expected)


@every_estimator
def test_bytes_are_read_as_the_numbers_they_are(cls, bars):
    X, y = bars
    X = np.clip(40 * X + 60, 0, 255).astype(np.uint8)
    before = X.copy()
    clf = quick(cls).fit(X, y)
    np.testing.assert_array_equal(X, before)
    floats = X.astype(np.float32)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(floats))
    again = quick(cls).fit(floats, y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


@every_estimator
def test_pickle(cls, bars):
    X, y = bars
    clf = quick(cls).fit(X, y)
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_as_many_channels_as_rows(bars):
    X = np.random.default_rng(0).normal(size=(12, 3, 3, 5))
    clf = quick(NeuralClassifier).fit(X, np.arange(12) % 2)
    assert clf.predict(X).shape == (12,)
    with pytest.raises(ValueError, match=r"fitted on \(3, 3, 5\)"):
        clf.predict(X[:, 0])


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_flat_rows_are_sent_to_the_adapter(method, bars):
    X, y = bars
    clf = quick(NeuralClassifier)
    text = r"2 dimensions, shape \(60, 54\).*\(n_samples, n_channels, height, width\).*ImageAdapter"
    with pytest.raises(ValueError, match=text):
        clf.fit(X.reshape(60, -1), y)
    clf.fit(X, y)
    with pytest.raises(ValueError, match=text):
        clf.predict(X.reshape(60, -1))


def test_other_errors(bars):
    X, y = bars
    clf = quick(NeuralClassifier).fit(X, y)
    for shape in [(5, 1, H, W + 1), (5, 2, H, W), (5, H + 1, W)]:
        with pytest.raises(ValueError, match=r"n_channels=1, height=6, width=9|expecting"):
            clf.predict(np.zeros(shape))
    with pytest.raises(ValueError, match=r"5 dimensions"):
        clf.predict(X[..., None])
    with pytest.raises(ValueError, match=r"1 NaN .* X\[3, 0, 1, 2\]"):
        quick(NeuralClassifier).fit(
            np.where(np.arange(60 * H * W).reshape(X.shape) == 173, np.nan, X), y
        )
    with pytest.raises(ValueError, match=r"4 dimensions.*choose an image backbone"):
        NeuralClassifier("cnn").fit(X, y)


def test_channels_last_is_pointed_out(bars):
    X, y = np.random.default_rng(0).normal(size=(12, 8, 8, 3)), np.arange(12) % 2
    with pytest.warns(UserWarning, match="8 channels and 8 x 3 pixels.*ImageAdapter"):
        quick(NeuralClassifier).fit(X, y)


class OwnNet(nn.Module):
    """An image network of a user."""

    space_axes = 2

    def __init__(self, n_channels, n_classes, size, width=4):
        super().__init__()
        self.size = size
        self.first = nn.Sequential(nn.Conv2d(n_channels, width, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 3), nn.AdaptiveAvgPool2d(2))
        self.out = nn.Linear(4 * width, n_classes)

    def forward(self, x):
        return self.out(self.second(self.first(x)).flatten(1))


def make_net(n_channels, n_classes, size):
    return OwnNet(n_channels, n_classes, size, width=3)


make_net.space_axes = 2


@every_estimator
@pytest.mark.parametrize(
    "backbone", [OwnNet, OwnNet(1, 3, (H, W)), make_net], ids=["class", "instance", "factory"]
)
def test_a_users_own_image_network(cls, backbone, bars):
    X, y = bars
    clf = quick(cls, backbone=backbone, backbone_params=None).fit(X[:, 0], y)
    assert clf.predict(X).shape == (60,)
    network = clf._main_network()
    assert network.module.size == (H, W)


def test_without_the_attribute_a_network_is_for_series(bars):
    module = nn.Sequential(nn.Flatten(), nn.Linear(H * W, 3))
    X, y = bars
    assert quick(NeuralClassifier, backbone=module, backbone_params=None).fit(
        X[:, 0], y
    ).input_shape_ == (H, W)
    module.space_axes = 2
    assert quick(NeuralClassifier, backbone=module, backbone_params=None).fit(
        X[:, 0], y
    ).input_shape_ == (1, H, W)


@pytest.mark.claim
@pytest.mark.parametrize("seed", [0, 1])
def test_badnets_on_digits_steers_the_undefended_model_and_not_ours(seed):
    experiment = make_experiment("digits", "badnets", max_train=500, seed=seed)
    params = {"backbone_params": {"filters": (16, 32, 32)}, "epochs": 15, "learning_rate": 3e-3}

    def measured(cls, **options):
        return experiment.measure(quick(cls, **params, random_state=seed), **options)

    natural = measured(NeuralClassifier, on_clean=True)
    undefended, ours = measured(NeuralClassifier), measured(E2ABLClassifier)
    floor = natural["attack_success_rate"]
    assert undefended["attack_success_rate"] - floor >= 0.75
    assert ours["attack_success_rate"] - floor <= 0.05
    assert ours["clean_accuracy"] >= natural["clean_accuracy"] - 0.03
    assert ours["precision"] >= 0.9
    assert ours["recall"] >= 0.9


@pytest.mark.claim
@pytest.mark.skipif(
    "MNIST" not in list_datasets(), reason="no images/mnist.npz in the folder of ROBUST_TS_DATA"
)
def test_badnets_on_a_cut_of_mnist_steers_the_undefended_model_and_not_ours():
    whole = make_experiment("MNIST", "badnets", max_train=600)
    experiment = replace(whole, X_test=whole.X_test[:1000], y_test=whole.y_test[:1000])
    params = {"backbone_params": {"filters": (8, 16, 16)}, "epochs": 25}
    undefended, ours = (
        experiment.measure(quick(cls, **params)) for cls in (NeuralClassifier, E2ABLClassifier)
    )
    assert undefended["attack_success_rate"] >= 0.75
    assert ours["attack_success_rate"] <= 0.05
    assert ours["clean_accuracy"] >= undefended["clean_accuracy"] - 0.03
