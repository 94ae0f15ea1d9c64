import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from robust_ts.defense.mixture import Mixture
from robust_ts.defense.ridge import LeaveGroupOut
from tests.defense._groups import N_CLASSES, clean_series, poisoned_series


def mixture_of(X: np.ndarray, y: np.ndarray, n_views: int = 1) -> Mixture:
    models = [LeaveGroupOut(X.reshape(len(X), -1).astype(float), y, N_CLASSES, 0.1)] * n_views
    return Mixture(models, 0, np.ones(n_views))


@pytest.mark.parametrize("seed", [0, 1])
def test_poison_spreads_as_the_other_classes_and_a_part_of_the_class_does_not(seed: int) -> None:
    X, y, mask = poisoned_series(seed)
    mixture = mixture_of(X, y)
    clean = np.flatnonzero((y == 0) & ~mask)
    assert mixture.log_ratio(np.flatnonzero(mask)) > 3
    assert mixture.log_ratio(clean[:18]) < 0
    # A tight part of the class, moved away from the rest, is still one class.
    X[clean[:18]] = X[clean[:1]] + 0.8 + 0.1 * X[clean[:18]]
    assert mixture_of(X, y).log_ratio(clean[:18]) < 0


def test_one_common_shift_of_the_group_changes_nothing() -> None:
    X, y, mask = poisoned_series()
    group = np.flatnonzero(mask)
    before = mixture_of(X, y).log_ratio(group)
    X[group] += np.random.default_rng(0).normal(size=X.shape[1:]).astype(np.float32)
    assert mixture_of(X, y).log_ratio(group) == pytest.approx(before, rel=1e-4)


def test_views_are_averaged_by_weight() -> None:
    X, y = clean_series()
    noise = np.random.default_rng(0).normal(size=(len(X), 5))
    models = [LeaveGroupOut(v, y, N_CLASSES, 0.1) for v in (X[:, 0].astype(float), noise)]
    group = np.flatnonzero(y == 0)[:10]
    one, two = (Mixture([m], 0, np.ones(1)).log_ratio(group) for m in models)
    both = Mixture(models, 0, np.array([3.0, 1.0])).log_ratio(group)
    assert both == pytest.approx(0.75 * one + 0.25 * two)


@pytest.mark.parametrize("size", [6, 20])  # fewer members than features, and more
def test_the_ratio_is_the_one_that_plain_formulas_give(size: int) -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(4), [40, 10, 20, 30])
    features = rng.normal(size=(100, 8)) + 2 * rng.normal(size=(4, 8))[labels]
    group, rest = np.arange(size), np.arange(size, 40)
    kept = np.delete(np.arange(100), group)
    means = np.stack([features[kept][labels[kept] == k].mean(axis=0) for k in range(4)])
    away = features[kept] - means[labels[kept]]
    within = away.T @ away
    within += 0.02 * np.trace(within) / 8 * np.eye(8)
    unit = np.linalg.inv(np.linalg.cholesky(within / (96 - size))).T
    shares = np.array([10, 20, 30]) / 60
    centers = (means[1:] - shares @ means[1:]) @ unit
    axes = np.linalg.eigh((centers.T * shares) @ centers)[1][:, -2:]  # three centers span a plane
    members, others = (
        (features[i] - features[i].mean(axis=0)) @ unit @ axes for i in (group, rest)
    )
    centers = centers @ axes
    alone = multivariate_normal(np.zeros(2), (np.cov(others.T, bias=True) + np.eye(2)) / 2)
    mixtures = [
        logsumexp(
            [
                np.log(p) + multivariate_normal(s * c).logpdf(members)
                for p, c in zip(shares, centers, strict=True)
            ],
            axis=0,
        ).mean()
        for s in (1.0, 0.75, 0.5)
    ]
    ratio = Mixture([LeaveGroupOut(features, labels, 4, 0.1)], 0, np.ones(1)).log_ratio(group)
    assert ratio == pytest.approx(max(mixtures) - alone.logpdf(members).mean())
