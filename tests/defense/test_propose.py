import numpy as np
import pytest

from robust_ts.defense import propose as module
from robust_ts.defense.propose import alarms, alarms_in_turn, members_of, propose
from robust_ts.defense.views import feature_views
from tests.defense._groups import CONSTANTS, N_CLASSES, clean_series, make_proposal, poisoned_series


@pytest.mark.parametrize("seed", [0, 1])
def test_poisoned_group_is_proposed_first_and_alarms(seed: int) -> None:
    X, y, mask = poisoned_series(seed)
    proposals = propose(feature_views(X), y, N_CLASSES, CONSTANTS)
    best = alarms(proposals, CONSTANTS)[0]
    assert best.label == 0
    found = members_of([best], len(X))
    assert (found & mask).sum() >= 0.9 * mask.sum()
    assert (found & ~mask).sum() <= 0.2 * found.sum()


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_data_raise_no_alarm(seed: int) -> None:
    X, y = clean_series(seed)
    assert alarms(propose(feature_views(X), y, N_CLASSES, CONSTANTS), CONSTANTS) == []


def test_natural_subpopulation_raises_no_alarm() -> None:
    X, y = clean_series()
    part = np.flatnonzero(y == 1)[:18]
    X[part] = X[np.flatnonzero(y == 2)[:18]] + 0.5  # a part of class 1 that resembles class 2 only
    assert alarms(propose(feature_views(X), y, N_CLASSES, CONSTANTS), CONSTANTS) == []


def test_inputs_are_not_changed_and_seeds_repeat() -> None:
    X, y, _ = poisoned_series()
    views = feature_views(X, 3)
    copies = {k: v.copy() for k, v in views.items()}
    one = propose(views, y, N_CLASSES, CONSTANTS, seed=5)
    two = propose(feature_views(X, 3), y, N_CLASSES, CONSTANTS, seed=5)
    assert all(np.array_equal(views[k], copies[k]) for k in views)
    assert [p.score for p in one] == [p.score for p in two]


def test_only_high_scores_alarm_best_first() -> None:
    level = CONSTANTS.alarm
    mixed = [make_proposal(0, [0], level - 0.01), make_proposal(1, [1], level)]
    assert [p.label for p in alarms(mixed, CONSTANTS)] == [1]
    many = [make_proposal(k, [k], level + 0.01 * k) for k in range(4)]
    assert [p.label for p in alarms(many, CONSTANTS)] == [3, 2, 1, 0]


def test_a_faint_group_alarms_only_where_it_leads_all_other_classes() -> None:
    usual = [make_proposal(k, [k], 0.02) for k in range(1, 5)]
    assert [p.label for p in alarms([make_proposal(0, [0], 0.15), *usual], CONSTANTS)] == [0]
    assert alarms([make_proposal(0, [0], 0.07), *usual], CONSTANTS) == []
    assert (
        alarms([make_proposal(0, [0], 0.15), make_proposal(5, [5], 0.1), *usual], CONSTANTS) == []
    )
    assert alarms([make_proposal(0, [0], 0.15), *usual[:2]], CONSTANTS) == []  # too few to compare


def test_an_alarm_that_another_group_caused_is_dropped(monkeypatch) -> None:
    y = np.repeat([0, 1, 2], 10)
    strong, mirrored = make_proposal(0, [0, 1], 0.8), make_proposal(1, [10, 11], 0.5)
    other = make_proposal(2, [28, 29], 0.4)
    asked = []

    def again(views, labels, *rest):
        asked.append(np.bincount(labels).tolist())
        if asked[-1] == [8, 10, 10]:  # without the strong group the mirrored one is silent
            return [make_proposal(2, [26, 27], 0.4), make_proposal(1, [8, 9], 0.01)]
        return [make_proposal(0, [0, 1, 2], 0.7)]  # without the last one, the strong group grows

    monkeypatch.setattr(module, "propose", again)
    views = {"raw": np.zeros((30, 2))}
    found = alarms_in_turn([strong, mirrored, other], views, y, 3, CONSTANTS)
    assert [(p.label, p.members.tolist()) for p in found] == [(0, [0, 1, 2]), (2, [28, 29])]
    assert asked == [[8, 10, 10], [10, 10, 8]]
    assert alarms_in_turn([strong], views, y, 3, CONSTANTS) == [strong]
    assert alarms_in_turn([], views, y, 3, CONSTANTS) == []


def test_a_stronger_group_that_the_other_one_caused_is_dropped(monkeypatch) -> None:
    y = np.repeat([0, 1], 10)
    mirrored, poison = make_proposal(1, [10, 11], 0.6), make_proposal(0, [0, 1], 0.5)

    def again(views, labels, *rest):
        without_mirrored = (labels == 1).sum() == 8
        return [make_proposal(0, [0, 1], 0.5)] if without_mirrored else []

    monkeypatch.setattr(module, "propose", again)
    views = {"raw": np.zeros((20, 2))}
    found = alarms_in_turn([mirrored, poison], views, y, 2, CONSTANTS)
    assert [p.label for p in found] == [0]
