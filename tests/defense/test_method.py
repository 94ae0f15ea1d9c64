"""The stages of the defense on synthetic arrays with a known answer."""

import numpy as np
import pytest

from robust_ts.defense.candidates import two_means
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.propose import Proposal, alarms, members_of, propose
from robust_ts.defense.recover import recover, suspicion_of
from robust_ts.defense.ridge import LeaveGroupOut, kernel_map
from robust_ts.defense.statistics import cohesion, diversity, moved_odds
from robust_ts.defense.verify import label_odds, verify
from robust_ts.defense.views import feature_views

CONSTANTS = DefenseConstants()
N_CLASSES = 4


def _series(seed: int = 0, n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sines, one frequency a class, random phase within a quarter turn."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % N_CLASSES
    t = np.linspace(0, 2 * np.pi, 40)
    phase = rng.uniform(0, np.pi / 2, size=(n, 1))
    X = np.sin((y[:, None] + 1) * t + phase) + 0.2 * rng.normal(size=(n, 40))
    return X[:, None, :].astype(np.float32), y


def _poisoned(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = _series(seed)
    rng = np.random.default_rng(seed + 1)
    chosen = rng.choice(np.flatnonzero(y != 0), 18, replace=False)
    X, y = X.copy(), y.copy()
    X[chosen] += 0.5 * rng.normal(size=(1, 1, X.shape[2])).astype(np.float32)
    y[chosen] = 0
    mask = np.zeros(len(X), dtype=bool)
    mask[chosen] = True
    return X, y, mask


def _proposal(label: int, members: list[int], score: float = 0.9) -> Proposal:
    return Proposal(label, np.array(members), 0.9, 1.0, 1.0, score)


@pytest.mark.parametrize("seed", [0, 1])
def test_poisoned_group_is_proposed_first_and_alarms(seed: int) -> None:
    X, y, mask = _poisoned(seed)
    proposals = propose(feature_views(X), y, N_CLASSES, CONSTANTS)
    best = alarms(proposals, CONSTANTS)[0]
    assert best.label == 0
    found = members_of([best], len(X))
    assert (found & mask).sum() >= 0.9 * mask.sum()
    assert (found & ~mask).sum() <= 0.2 * found.sum()


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_data_raise_no_alarm(seed: int) -> None:
    X, y = _series(seed)
    assert alarms(propose(feature_views(X), y, N_CLASSES, CONSTANTS), CONSTANTS) == []


def test_natural_subpopulation_raises_no_alarm() -> None:
    X, y = _series()
    part = np.flatnonzero(y == 1)[:18]
    X[part] = X[np.flatnonzero(y == 2)[:18]] + 0.5  # a part of class 1 that resembles class 2 only
    assert alarms(propose(feature_views(X), y, N_CLASSES, CONSTANTS), CONSTANTS) == []


def test_inputs_are_not_changed_and_seeds_repeat() -> None:
    X, y, _ = _poisoned()
    views = feature_views(X, 3)
    copies = {k: v.copy() for k, v in views.items()}
    one = propose(views, y, N_CLASSES, CONSTANTS, seed=5)
    two = propose(feature_views(X, 3), y, N_CLASSES, CONSTANTS, seed=5)
    assert all(np.array_equal(views[k], copies[k]) for k in views)
    assert [p.score for p in one] == [p.score for p in two]


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


def test_kernel_map_reproduces_the_kernel_where_all_samples_are_landmarks() -> None:
    view = np.random.default_rng(0).normal(size=(25, 3))
    mapped = kernel_map(view, 50)
    gram = mapped @ mapped.T
    np.testing.assert_allclose(np.diag(gram), 1.0, atol=1e-6)
    assert kernel_map(view, 10).shape[1] <= 10


def test_diversity_is_high_for_a_spread_group_and_zero_for_one_neighbor() -> None:
    assert diversity(np.array([1, 2, 3, 1, 2, 3]), 4) == pytest.approx(1.0)
    assert diversity(np.array([1, 1, 1, 1]), 4) == 0.0
    assert diversity(np.array([1, 1]), 2) == 1.0


def test_cohesion_sees_a_shared_pattern_and_not_chance() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 20))
    group, others = np.arange(20), np.arange(20, 200)
    assert cohesion(values, group, others) < 0.4
    values[group] += 2 * np.sign(np.arange(20) % 2 - 0.5)
    assert cohesion(values, group, others) > 0.85


def test_moved_odds_tell_which_class_was_shifted() -> None:
    rng = np.random.default_rng(0)
    own = 0.3 * rng.normal(size=(60, 4))
    other = 3 * rng.normal(size=(60, 4)) + 8
    poison = 3 * rng.normal(size=(15, 4)) - 8  # as wide as the other class, elsewhere
    natural = 0.3 * rng.normal(size=(15, 4)) + 4  # as narrow as its own class, elsewhere
    rows = np.arange(135)
    for group, expected in ((poison, True), (natural, False)):
        values = np.concatenate([own, other, group])
        assert (moved_odds(values, rows[120:], rows[:60], rows[60:120]) > 1) is expected


def test_verify_needs_majority_and_confidence() -> None:
    y = np.zeros(8, dtype=int)
    P = np.tile([0.9, 0.05, 0.05], (8, 1))
    P[:4] = [0.04, 0.76, 0.2]
    P[4:6] = [0.45, 0.5, 0.05]
    groups = [_proposal(0, [0, 1, 2, 3]), _proposal(0, [4, 5]), _proposal(0, [3, 4, 6, 7])]
    assert [list(p.members) for p in verify(P, y, groups, CONSTANTS)] == [[0, 1, 2, 3]]
    assert label_odds(P, 0, np.arange(4)) == pytest.approx(19.0)


def test_recover_relabels_readmits_and_leaves_out() -> None:
    y = np.array([0, 0, 0, 1])
    P = np.array([[0.05, 0.95, 0], [0.95, 0.05, 0], [0.3, 0.4, 0.3], [0.99, 0.01, 0]])
    suspect = np.array([True, True, True, False])
    result = recover(P, y, suspect, CONSTANTS)
    assert result.labels.tolist() == [1, 0, 0, 1]
    assert result.keep.tolist() == [True, True, False, True]
    assert result.relabelled.tolist() == [True, False, False, False]


def test_no_suspects_change_nothing() -> None:
    y = np.array([0, 1, 1])
    result = recover(np.full((3, 2), 0.5), y, np.zeros(3, dtype=bool), CONSTANTS)
    assert result.keep.all()
    assert np.array_equal(result.labels, y)


def test_suspicion_is_high_only_for_confirmed_members() -> None:
    y = np.zeros(6, dtype=int)
    P = np.tile([0.02, 0.98], (6, 1))
    confirmed, proposed = _proposal(0, [0, 1]), _proposal(0, [2, 3])
    suspicion = suspicion_of(P, y, [confirmed, proposed], [confirmed])
    assert (suspicion[:2] > 0.9).all()
    assert (suspicion[2:] < 0.5).all()
    assert ((suspicion >= 0) & (suspicion <= 1)).all()


def test_two_means_separates_two_clouds() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 3)), rng.normal(size=(10, 3)) + 9])
    side = two_means(points)
    assert len({bool(s) for s in side[:20]}) == 1
    assert side[0] != side[25]


def test_alarm_by_level_or_by_lead_over_the_other_classes() -> None:
    faint = [_proposal(0, [0], 0.45), _proposal(1, [1], 0.2), _proposal(2, [2], 0.1)]
    assert [p.label for p in alarms(faint, CONSTANTS)] == [0]
    close = [_proposal(0, [0], 0.4), _proposal(1, [1], 0.3), _proposal(2, [2], 0.1)]
    assert alarms(close, CONSTANTS) == []
    assert alarms(faint[:2], CONSTANTS) == []  # one other class is no null
    many = [_proposal(k, [k], 0.9) for k in range(4)]
    assert len(alarms(many, CONSTANTS)) == CONSTANTS.max_trials


@pytest.mark.parametrize("shape", [(12, 1, 8), (12, 3, 5), (12, 1, 2), (12, 3, 9, 9)])
def test_views_are_finite_for_short_series_and_images(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for view in feature_views(X).values():
        assert view.shape[0] == len(X)
        assert np.isfinite(view).all()
