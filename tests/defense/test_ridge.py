from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from robust_ts.defense.ridge import LeaveGroupOut, _OneClass, halves, kernel_map


def test_leave_group_out_equals_training_without_the_group() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 6)), np.arange(30) % 3
    group = np.array([0, 3, 9])
    model = LeaveGroupOut(features, labels, 3, 0.1)
    rest = np.setdiff1d(np.arange(30), group)
    weights = 30 / (3 * np.bincount(labels[rest]))[labels[rest]]
    P = features[rest]
    gram = (P * weights[:, None]).T @ P + 0.1 * 30 / 10 * np.eye(6)
    beta = np.linalg.solve(gram, (P * weights[:, None]).T @ np.eye(3)[labels[rest]])
    inside = np.isin(model.rows[0], group)
    np.testing.assert_allclose(model.scores(0, group)[inside], features[group] @ beta, atol=1e-10)


def test_leave_one_out_equals_training_without_the_sample() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(30, 6)), np.arange(30) % 3
    model = LeaveGroupOut(features, labels, 3, 0.1)
    alone = model.scores(1, np.array([], dtype=int))[0]
    weights = np.delete(np.ones(30), 1)  # equal classes: all weights are one before the sample goes
    P, Y = np.delete(features, 1, axis=0), np.delete(np.eye(3)[labels], 1, axis=0)
    gram = (P * weights[:, None]).T @ P + 0.1 * 30 / 10 * np.eye(6)
    np.testing.assert_allclose(alone, features[1] @ np.linalg.solve(gram, P.T @ Y), atol=1e-10)


@pytest.mark.parametrize("n_points", [3, 50])  # as many solves as points, or one inverse
def test_halves_are_solved_for_few_and_for_many_points(n_points: int) -> None:
    rng = np.random.default_rng(3)
    root, target, points = (rng.normal(size=s) for s in ((5, 5), (5, 2), (n_points, 5)))
    gram = root @ root.T + np.eye(5)
    solved, white = halves(gram.copy(), target, points)
    np.testing.assert_allclose(white.T @ solved, points @ np.linalg.solve(gram, target))
    np.testing.assert_allclose(white.T @ white, points @ np.linalg.solve(gram, points.T))


def test_kernel_map_reproduces_the_kernel_where_all_samples_are_landmarks() -> None:
    view = np.random.default_rng(0).normal(size=(25, 3))
    mapped = kernel_map(view, 50)
    gram = mapped @ mapped.T
    np.testing.assert_allclose(np.diag(gram), 1.0, atol=1e-6)
    assert kernel_map(view, 10).shape[1] <= 10


def test_moments_and_scatter_are_those_of_the_classes() -> None:
    rng = np.random.default_rng(2)
    features, labels = rng.normal(size=(30, 4)), np.sort(np.arange(30) % 3)
    model = LeaveGroupOut(features, labels, 3, 0.1)
    sizes, means = model.moments
    assert sizes.tolist() == [10, 10, 10]
    np.testing.assert_allclose(means[1], features[labels == 1].mean(axis=0))
    values, axes = model.axes
    scatter = sum(9 * np.cov(features[labels == k], rowvar=False) for k in range(3))
    np.testing.assert_allclose((axes * values) @ axes.T, scatter)


def test_threads_that_ask_about_different_classes_do_not_disturb_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(60, 6)), np.arange(60) % 3
    groups = {k: np.flatnonzero(labels == k)[:4] for k in range(3)}
    expected = {k: LeaveGroupOut(features, labels, 3, 0.1).scores(k, g) for k, g in groups.items()}
    model = LeaveGroupOut(features, labels, 3, 0.1)
    every = Barrier(3, timeout=10)

    def together(*args: np.ndarray) -> _OneClass:  # all three prepare their class at once
        every.wait()
        return _OneClass(*args)

    monkeypatch.setattr("robust_ts.defense.ridge._OneClass", together)
    monkeypatch.setattr(_OneClass, "reduced", lambda own: own)

    def ask(label: int) -> np.ndarray:
        model.scores(label, groups[label])
        every.wait()
        return model.scores(label, groups[label])  # of what was kept: nothing is prepared again

    with ThreadPoolExecutor(3) as pool:
        for label, scores in enumerate(pool.map(ask, range(3))):
            np.testing.assert_allclose(scores, expected[label])


@pytest.mark.parametrize("size", [3, 20])  # fewer samples a class than features, or more
def test_scores_do_not_depend_on_which_classes_were_asked_before(size: int) -> None:
    rng, n_classes = np.random.default_rng(5), 20  # more than are kept
    labels = np.arange(n_classes * size) % n_classes
    features = rng.normal(size=(len(labels), 6))
    model = LeaveGroupOut(features, labels, n_classes, 0.1)
    for label in [*range(n_classes), *range(n_classes)[::-1]]:
        group = np.flatnonzero(labels == label)[:2]
        alone = LeaveGroupOut(features, labels, n_classes, 0.1).scores(label, group)
        np.testing.assert_array_equal(model.scores(label, group), alone)
