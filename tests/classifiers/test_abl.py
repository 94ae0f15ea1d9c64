"""Anti-Backdoor Learning: its losses, what it isolates and what unlearning does."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from robust_ts import ABLClassifier
from robust_ts.defense.losses import ascent_loss, flooding_loss, gradient_ascent_gap

LOSSES = torch.tensor([0.1, 0.4, 0.6, 2.0])


def abl(**params):
    given = {
        "backbone_params": {"filters": (8, 16, 8)},
        "epochs": 10,
        "learning_rate": 1e-2,
        "random_state": 0,
        "device": "cpu",
    }
    return ABLClassifier("cnn", **{**given, **params})


def losses_of(clf, X, y):
    with torch.no_grad():
        logits = clf.network_(torch.from_numpy(X))
    return F.cross_entropy(logits, torch.from_numpy(y), reduction="none").numpy()


# Losses


@pytest.mark.parametrize(
    ("loss", "per_sample", "gamma", "expected", "gradient"),
    [
        (ascent_loss, True, 0.5, (-0.1 - 0.4 + 0.6 + 2.0) / 4, [-1, -1, 1, 1]),
        (ascent_loss, False, 0.5, 0.775, [1, 1, 1, 1]),
        (ascent_loss, False, 1.0, -0.775, [-1, -1, -1, -1]),
        (flooding_loss, True, 0.5, (0.4 + 0.1 + 0.1 + 1.5) / 4 + 0.5, [-1, -1, 1, 1]),
        (flooding_loss, False, 0.5, 0.775, [1, 1, 1, 1]),
        (flooding_loss, False, 1.0, 1.225, [-1, -1, -1, -1]),
    ],
)
def test_isolation_losses_by_hand(loss, per_sample, gamma, expected, gradient):
    losses = LOSSES.clone().requires_grad_()
    value = loss(losses, gamma, per_sample)
    assert value.item() == pytest.approx(expected)
    value.backward()
    torch.testing.assert_close(losses.grad, torch.tensor(gradient, dtype=torch.float32) / 4)


@pytest.mark.parametrize(
    ("isolated", "cap", "expected", "gradient"),
    [
        ([0, 0, 0, 1], 9.0, 1.1 / 3 - 2.0, [1 / 3, 1 / 3, 1 / 3, -1]),
        ([1, 0, 0, 1], 9.0, 0.5 - 1.05, [-1 / 2, 1 / 2, 1 / 2, -1 / 2]),
        ([1, 0, 0, 1], 1.5, 0.5 - 0.05, [-1 / 2, 1 / 2, 1 / 2, 0]),
        ([0, 0, 0, 0], 1.5, 0.775, [1 / 4] * 4),
        ([1, 1, 1, 1], 9.0, -0.775, [-1 / 4] * 4),
        ([1, 1, 1, 1], 0.0, 0.0, [0] * 4),
    ],
)
def test_unlearning_loss_by_hand(isolated, cap, expected, gradient):
    losses = LOSSES.clone().requires_grad_()
    value = gradient_ascent_gap(losses, torch.tensor(isolated, dtype=torch.bool), cap)
    assert value.item() == pytest.approx(expected)
    value.backward()
    torch.testing.assert_close(losses.grad, torch.tensor(gradient, dtype=torch.float32))


# Isolation


@pytest.mark.parametrize(("rate", "number"), [(0.01, 1), (0.05, 3), (0.1, 6), (0.5, 30)])
def test_the_number_isolated(make_waves, rate, number):
    clf = abl(isolation_rate=rate, epochs=2).fit(*make_waves(60))
    index = clf.isolated_indices_
    assert len(index) == len(set(index)) == number
    assert (np.diff(index) > 0).all()
    assert index[0] >= 0
    assert index[-1] < 60


def test_isolation_never_takes_every_sample(make_waves):
    clf = abl(isolation_rate=0.99, epochs=5).fit(*make_waves(24))
    assert len(clf.isolated_indices_) == 22
    assert all(math.isfinite(r["loss"]) for r in clf.history_)


@pytest.mark.parametrize("isolation", ["ascent", "flooding"])
@pytest.mark.parametrize("per_sample", [True, False])
def test_the_samples_of_lowest_loss_are_isolated(make_waves, isolation, per_sample):
    """All epochs but one are isolation, and none follows that moves the network much."""
    X, y = make_waves(60)
    options = {"isolation": isolation, "per_sample": per_sample, "isolation_rate": 0.1}
    clf = abl(isolation_epochs=0.999, unlearning_epochs=0.0, **options).fit(X, y)
    lowest = np.argsort(losses_of(clf, X, y), kind="stable")[:6]
    assert set(clf.isolated_indices_) == set(lowest)


@pytest.mark.parametrize("isolation", ["ascent", "flooding"])
def test_what_is_learned_first_is_isolated(make_waves, isolation):
    """Ten samples of each class carry noise alone: they are learned last."""
    X, y = make_waves(90, noise=0.1)
    hard = np.arange(30)
    X[hard] = np.random.default_rng(1).normal(size=X[hard].shape)
    clf = abl(isolation=isolation, isolation_rate=0.2, isolation_epochs=0.5, gamma=0.1).fit(X, y)
    assert np.isin(clf.isolated_indices_, hard).mean() < 0.1


def test_the_early_loss_is_held_near_gamma(make_waves):
    X, y = make_waves(60, noise=0.1)
    stages = {"isolation_epochs": 0.9, "unlearning_epochs": 0.0, "epochs": 40}
    held = abl(gamma=0.7, **stages).fit(X, y).history_[33]["loss"]
    free = abl(gamma=1e-6, **stages).fit(X, y).history_[33]["loss"]
    assert 0.4 < held < 1.0
    assert free < 0.2


def test_the_forms_of_isolation_differ(make_waves):
    X, y = make_waves(60)
    fits = [
        abl(isolation=isolation, per_sample=per_sample, gamma=0.9).fit(X, y).predict_proba(X)
        for isolation in ("ascent", "flooding")
        for per_sample in (True, False)
    ]
    # Ascent and flooding have the same gradient; per sample and per batch have not.
    np.testing.assert_allclose(fits[0], fits[2], atol=1e-4)
    assert np.abs(fits[0] - fits[1]).max() > 1e-3


# Unlearning


def test_unlearning_raises_the_loss_of_the_isolated_samples(make_waves):
    X, y = make_waves(60, noise=0.1)
    X[:6] += np.linspace(-4, 4, 24, dtype=np.float32)  # six samples with a shortcut
    y[:6] = 0
    options = {"isolation_rate": 0.1, "epochs": 30}
    plain = abl(unlearning_epochs=0.0, **options).fit(X, y)
    clf = abl(unlearning_epochs=0.5, **options).fit(X, y)
    np.testing.assert_array_equal(clf.isolated_indices_, plain.isolated_indices_)
    index = clf.isolated_indices_
    rest = np.setdiff1d(np.arange(60), index)
    assert losses_of(clf, X, y)[index].mean() > losses_of(plain, X, y)[index].mean() + 0.3
    assert losses_of(clf, X, y)[index].mean() < 5  # the ascent is bounded
    assert (clf.predict(X)[rest] == y[rest]).mean() > 0.8


def test_the_stages_have_the_epochs_and_samples_that_were_asked_for(make_waves):
    clf = abl(epochs=10, isolation_rate=0.1, isolation_epochs=0.3, unlearning_epochs=0.2)
    history = clf.fit(*make_waves(60)).history_
    assert [r["n_samples"] for r in history] == [60] * 3 + [54] * 5 + [60] * 2


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_few_epochs(make_waves, epochs):
    clf = abl(epochs=epochs).fit(*make_waves(30))
    assert len(clf.history_) == epochs
    assert len(clf.isolated_indices_) == 1


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"isolation": "fence"}, "isolation must be 'ascent' or 'flooding', got 'fence'"),
        ({"gamma": 0}, "gamma must be > 0, got 0"),
        ({"gamma": None}, "gamma must be a number, got None"),
        ({"gamma": math.nan}, "gamma must be a number, got nan"),
        ({"isolation_rate": 0}, r"isolation_rate must lie in \(0, 1\), got 0"),
        ({"isolation_rate": 1.0}, r"isolation_rate must lie in \(0, 1\), got 1.0"),
        ({"isolation_rate": "1%"}, "isolation_rate must be a number, got '1%'"),
        ({"isolation_epochs": 1}, r"isolation_epochs must lie in \(0, 1\), got 1"),
        ({"unlearning_epochs": -0.1}, r"unlearning_epochs must lie in .*, got -0.1"),
        ({"unlearning_epochs": 0.9}, "got 0.9 with isolation_epochs=0.2"),
        ({"epochs": 0}, "epochs must be None or an integer"),
    ],
)
def test_bad_parameters(make_waves, params, text):
    with pytest.raises(ValueError, match=text):
        abl(**params).fit(*make_waves(30))
