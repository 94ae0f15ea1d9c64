from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from robust_ts.defense.ridge import LeaveGroupOut, _OneClass, kernel_map


def by_training_again(
    features: np.ndarray, labels: np.ndarray, strength: float, label: int, group: np.ndarray
) -> np.ndarray:
    """Score samples of a class by classifiers that were fitted without the group, and each other
    sample without itself, at the weight that it has without the group alone."""
    n, n_classes = len(labels), labels.max() + 1
    counts = np.bincount(labels)
    counts[label] -= len(group)
    weights = n / (n_classes * np.maximum(counts, 1))[labels]
    own = np.flatnonzero(labels == label)
    scores = np.empty((len(own), n_classes))
    for i, sample in enumerate(own):
        left_out = group if sample in group else np.append(group, sample)
        rest = np.setdiff1d(np.arange(n), left_out)
        P, Y = features[rest], np.eye(n_classes)[labels[rest]]
        weighted = (P * weights[rest][:, None]).T
        gram = weighted @ P + strength * n / 10 * np.eye(features.shape[1])
        scores[i] = features[sample] @ np.linalg.solve(gram, weighted @ Y)
    return scores


@pytest.mark.parametrize("size", [0, 1, 4, 8, 12, 18, 20])
@pytest.mark.parametrize("n_features", [4, 6, 30])  # samples of a class: many, more, and fewer
def test_leave_group_out_equals_training_without_the_group(n_features: int, size: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = rng.normal(size=(60, n_features)) + 0.5 * np.eye(3, n_features)[labels]
    group = np.sort(rng.choice(np.flatnonzero(labels == 1), size, replace=False))
    scores = LeaveGroupOut(features, labels, 3, 0.1).scores(1, group)
    assert scores.dtype == float
    expected = by_training_again(features, labels, 0.1, 1, group)
    np.testing.assert_allclose(scores, expected, atol=1e-4 if n_features == 4 else 1e-12)


def test_leave_one_out_equals_training_without_the_sample() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(30, 6)), np.arange(30) % 3
    alone = LeaveGroupOut(features, labels, 3, 0.1).leave_one_out()
    for label in range(3):
        expected = by_training_again(features, labels, 0.1, label, np.array([], dtype=int))
        np.testing.assert_allclose(alone[labels == label], expected, atol=1e-12)


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
        return made(*args)

    made = _OneClass.of_few
    monkeypatch.setattr(_OneClass, "of_few", together)

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


@pytest.mark.parametrize(("size", "dtype"), [(20, np.float32), (10, np.float64)])
def test_what_is_kept_of_classes_is_bounded(
    size: int, dtype: type[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robust_ts.defense.ridge._KEPT_SAMPLES", 2 * size)
    rng, labels = np.random.default_rng(6), np.arange(3 * size) % 3
    model = LeaveGroupOut(rng.normal(size=(len(labels), 4)), labels, 3, 0.1)
    for label in range(3):
        assert model._of_class(label).points.dtype == dtype
    assert list(model._kept.classes) == [1, 2]
    monkeypatch.setattr("robust_ts.defense.ridge._KEPT_SAMPLES", size - 1)
    model._of_class(0)
    assert list(model._kept.classes) == [0]
