import numpy as np
import pytest

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
