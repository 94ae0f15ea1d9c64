from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.common import (
    EVERY_CLASS,
    common_cohesion,
    common_scores,
    one_source,
)
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.propose import propose
from robust_ts.defense.verify import common_weight, verify_common
from robust_ts.defense.views import feature_views
from tests.defense._groups import CONSTANTS, N_CLASSES, clean_series, poisoned_series
from tests.defense.test_constants import leaving_out


def all_to_all(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series of which 24 are moved to the next class, with noise added."""
    X, y = clean_series(seed)
    rng = np.random.default_rng(seed + 1)
    mask = np.isin(np.arange(len(y)), rng.choice(len(y), 24, replace=False))
    X[mask] += 0.7 * rng.normal(size=(1, 1, X.shape[2])).astype(np.float32)
    y[mask] = (y[mask] + 1) % N_CLASSES
    return X, y, mask


def found(X: np.ndarray, y: np.ndarray, constants=CONSTANTS) -> Proposal | None:
    proposals = propose(feature_views(X), y, int(y.max()) + 1, constants)
    return next((p for p in proposals if p.label == EVERY_CLASS), None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_poison_of_every_class_is_found_by_what_it_shares(seed) -> None:
    X, y, mask = all_to_all(seed)
    group = found(X, y)
    assert group is not None
    assert group.label == EVERY_CLASS
    assert mask[group.members].all()
    assert len(group.members) >= 0.8 * mask.sum()
    assert group.score > 2 * CONSTANTS.least_common


def test_it_is_not_sought_with_two_classes_nor_where_it_is_left_out() -> None:
    X, y, _ = all_to_all()
    assert found(X, y) is not None
    assert found(X, y, leaving_out("common")) is None
    # With two classes there is but one source of either.
    assert found(X, y // 2) is None


def test_there_is_none_in_clean_data_nor_where_one_class_is_the_target() -> None:
    assert found(*clean_series()) is None
    assert found(*poisoned_series()[:2]) is None


def test_wrong_labels_alone_share_no_pattern() -> None:
    X, y = clean_series()
    wrong = np.random.default_rng(0).choice(len(y), 24, replace=False)
    y[wrong] = (y[wrong] + 1) % N_CLASSES
    assert found(X, y) is None


def test_a_pattern_is_sought_with_what_was_learned_in_other_classes() -> None:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(90, 5)), np.arange(90) % 3
    inside = np.arange(90) < 30
    values[inside, 0] += 6
    scores = common_scores(values, labels, inside, 3, 0.01)
    assert (scores[inside] > scores[~inside].max()).all()
    # Of a class nothing is known by what is learned in that class.
    values[:, 0] = np.where(inside & (labels == 0), 9.0, rng.normal(size=90))
    scores = common_scores(values, labels, inside, 3, 0.01)
    assert common_cohesion(scores, labels, inside & (labels == 0)) < 0.7
    only = common_scores(values, labels, inside & (labels == 0), 3, 0.01)
    assert (only[labels == 0] == -1).all()


def test_cohesion_is_the_area_within_each_class() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    inside = np.array([True, False, False, True, True, False, False])
    # Class 0: above both; class 1: above both, and above one of two.
    scores = np.array([0.0, -1, -2, 9.0, 6, 5, 7])
    assert common_cohesion(scores, labels, inside) == pytest.approx(2 * (1 + 1 + 0.5) / 3 - 1)
    assert common_cohesion(-scores, labels, inside) == 0.0


@pytest.mark.parametrize(
    ("source", "expected"),
    [([1, 1, 1, 1], 1.0), ([1, 1, 2, 2], 0.0), ([1, 1, 1, 2], 0.0), ([1, 2, 1, 2], 0.0)],
)
def test_members_of_a_class_come_from_one_other(source, expected) -> None:
    labels = np.repeat([0, 1, 2], 10)
    inside = np.arange(30) < 4
    sources = np.concatenate([source, np.zeros(26, dtype=int)])
    assert one_source(sources, labels, inside) == pytest.approx(expected, abs=1e-9)
    assert one_source(sources, labels, np.arange(30) < 1) == 0.0


@pytest.mark.parametrize(
    ("as_it_is", "moved", "score", "poison"),
    [
        (1.0, 1.0, 0.16, True),
        (1.0, 1.0, 0.14, False),
        (0.9, 0.9, 0.25, True),
        (0.6, 0.7, 1.0, False),
        # The trigger in place steers some of them.
        (0.75, 1.0, 0.8, True),
        # Without what they share they are what they are called: of another sensor.
        (1.0, 0.1, 1.0, False),
    ],
)
def test_a_network_that_never_saw_them_calls_them_another_class(
    as_it_is, moved, score, poison
) -> None:
    given = np.arange(20) % N_CLASSES
    group = Proposal(EVERY_CLASS, np.arange(20), 1.0, 1.0, 1.0, 1.0, 1.0, score)

    def answers(share: float) -> np.ndarray:
        called = np.where(np.arange(20) < round(20 * share), given + 1, given) % N_CLASSES
        return np.eye(N_CLASSES)[called]

    args = group, answers(as_it_is), answers(moved), given
    assert verify_common(*args, CONSTANTS) == poison
    assert verify_common(*args, leaving_out("verify"))
    # As hard samples do, that owe their labels to nothing they share.
    none_owed = replace(group, score=0.45, debt=0.5), *args[1:]
    assert not verify_common(*none_owed, CONSTANTS)


def test_what_is_owed_to_a_pattern_counts_by_its_root_and_a_little_at_least() -> None:
    group = Proposal(EVERY_CLASS, np.arange(20), 1.0, 1.0, 1.0, 1.0, 1.0, 0.8)
    by_debt = {d: common_weight(replace(group, debt=d), CONSTANTS) for d in (0.4, 0.5, 0.75, 1.0)}
    least = 0.8 * CONSTANTS.least_spread**0.5
    assert by_debt == pytest.approx({0.4: least, 0.5: least, 0.75: 0.8 * 0.5**0.5, 1.0: 0.8})
    assert common_weight(replace(group, debt=0.5), leaving_out("debt")) == pytest.approx(0.8)


def test_where_the_members_come_from_is_kept() -> None:
    X, y, _ = all_to_all()
    group = found(X, y)
    assert group is not None
    right = (y[group.members] - 1) % N_CLASSES
    assert (group.sources == right).mean() >= 0.9
