import numpy as np
import pytest

from robust_ts.defense.ridge import kernel_map
from robust_ts.defense.witnesses import Witnesses, refined_labels
from tests.defense._groups import CONSTANTS, N_CLASSES, clean_series


def witnesses_of(X: np.ndarray, y: np.ndarray) -> Witnesses:
    rng = np.random.default_rng(0)
    views = [X.reshape(len(X), -1).astype(float), rng.normal(size=(len(X), 5))]
    return Witnesses.of([kernel_map(v, 64) for v in views], y, N_CLASSES, CONSTANTS)


def test_a_view_that_knows_the_classes_weighs_more_than_noise() -> None:
    witnesses = witnesses_of(*clean_series())
    assert witnesses.weights[0] > 3 * witnesses.weights[1]
    assert witnesses.weights.sum() == pytest.approx(2)


def test_without_sums_the_ridge_strengths() -> None:
    X, y = clean_series()
    witnesses = witnesses_of(X, y)
    group = np.flatnonzero(y == 1)[:5]
    by_view = witnesses.without(1, group)
    parts = [level[0].scores(1, group) for level in witnesses.models]
    np.testing.assert_allclose(by_view[0], np.sum(parts, axis=0))


def test_refined_labels_keep_one_class_whole_and_split_the_others() -> None:
    points = np.random.default_rng(0).normal(size=(60, 3))
    labels = np.repeat([0, 1, 2], 20)
    refined = refined_labels(points, labels, 1, 2)
    assert set(refined[labels == 1]) == {0}
    assert len(set(refined)) == 5
    assert not set(refined[labels == 0]) & set(refined[labels == 2])
    few = refined_labels(points[:28], np.repeat([0, 1], [20, 8]), 0, 4)
    assert len(set(few)) == 2  # eight samples are one cluster
