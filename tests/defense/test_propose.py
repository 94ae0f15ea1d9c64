from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.candidates import candidates
from robust_ts.defense.propose import (
    least_to_alarm,
    members_of,
    propose,
    unsuspected,
    worth_asking,
)
from robust_ts.defense.views import feature_views
from tests.defense._groups import (
    CONSTANTS,
    N_CLASSES,
    Clearing,
    Knowing,
    clean_series,
    make_proposal,
    poisoned_series,
)


@pytest.mark.parametrize("seed", [0, 1])
def test_poisoned_group_is_proposed_first_and_alarms(seed: int) -> None:
    X, y, mask = poisoned_series(seed)
    proposals = propose(feature_views(X), y, N_CLASSES, CONSTANTS)
    best = proposals[0]
    assert best.score >= 0.16
    assert best.label == 0
    found = members_of([best], len(X))
    assert (found & mask).sum() >= 0.9 * mask.sum()
    assert (found & ~mask).sum() <= 0.2 * found.sum()


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_data_hold_no_strong_group(seed: int) -> None:
    X, y = clean_series(seed)
    assert all(p.score < 0.16 for p in propose(feature_views(X), y, N_CLASSES, CONSTANTS))


def test_natural_subpopulation_is_no_strong_group() -> None:
    X, y = clean_series()
    part = np.flatnonzero(y == 1)[:18]
    X[part] = X[np.flatnonzero(y == 2)[:18]] + 0.5  # a part of class 1 that resembles class 2 only
    assert all(p.score < 0.16 for p in propose(feature_views(X), y, N_CLASSES, CONSTANTS))


def test_a_network_that_learned_the_trigger_draws_the_group_sharp() -> None:
    X, y, mask = poisoned_series()
    alone = propose(feature_views(X), y, N_CLASSES, CONSTANTS)
    found = propose(feature_views(X), y, N_CLASSES, CONSTANTS, learned=Knowing(mask))
    groups = [p.members.tolist() for p in found if p.label == 0]
    assert np.flatnonzero(mask).tolist() in groups
    assert len({tuple(g) for g in groups}) == len(groups) <= 7
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert sum(p.label == 0 for p in alone) == 1


def test_what_owes_its_label_is_a_group_where_the_embedding_knows_no_kinds() -> None:
    X, y, mask = poisoned_series()
    blind = Knowing(mask)
    blind.embedded[:] = 0
    found = propose(feature_views(X), y, N_CLASSES, CONSTANTS, learned=blind)
    assert np.flatnonzero(mask).tolist() in [p.members.tolist() for p in found]


@pytest.mark.parametrize(
    ("n_classes", "without", "n_poisoned", "whole"),
    [
        (2, set(), 18, True),
        (2, {"redraws"}, 18, False),
        (4, set(), 18, False),
        (2, set(), 9, False),
    ],
)
def test_with_two_classes_what_owes_its_label_is_asked_until_it_rests(
    monkeypatch: pytest.MonkeyPatch, n_classes, without, n_poisoned, whole
) -> None:
    X, y, mask = poisoned_series()
    mask[np.flatnonzero(mask)[n_poisoned:]] = False
    poison, labels = np.flatnonzero(mask), np.minimum(y, n_classes - 1)
    learned = Clearing(mask)

    def some(witnesses, label, *rest, **options):
        return [poison[:4]] if np.isin(poison, np.flatnonzero(labels == 0)).all() else []

    # Neither witnesses nor the embedding know the group.
    monkeypatch.setattr("robust_ts.defense.propose.candidates", some)
    monkeypatch.setattr("robust_ts.defense.propose.divisions", lambda *args: [])
    monkeypatch.setattr("robust_ts.defense.division.settled", lambda points, inside: inside)
    constants = replace(CONSTANTS, alarm=0.0, without=frozenset(without))
    found = propose(feature_views(X), labels, n_classes, constants, learned=learned)
    groups = [p.members.tolist() for p in found if p.label == 0]
    assert (poison.tolist() in groups) == whole
    assert poison[:8].tolist() in groups  # the first step


def test_inputs_are_not_changed_and_seeds_repeat() -> None:
    X, y, _ = poisoned_series()
    views = feature_views(X, 3)
    copies = {k: v.copy() for k, v in views.items()}
    one = propose(views, y, N_CLASSES, CONSTANTS, seed=5)
    two = propose(feature_views(X, 3), y, N_CLASSES, CONSTANTS, seed=5)
    assert all(np.array_equal(views[k], copies[k]) for k in views)
    assert [p.score for p in one] == [p.score for p in two]


def test_classes_are_searched_in_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = poisoned_series()
    found = []
    for threads in (1, 3):
        monkeypatch.setattr("torch.get_num_threads", lambda threads=threads: threads)
        found.append(propose(feature_views(X), y, N_CLASSES, CONSTANTS))
    for one, other in zip(*found, strict=True):
        assert (one.label, one.score) == (other.label, other.score)
        np.testing.assert_array_equal(one.members, other.members)


def test_where_none_reaches_the_alarm_the_heaviest_alone_may() -> None:
    alarm, least = CONSTANTS.alarm, CONSTANTS.least_weight
    between = (alarm + least) / 2
    assert least_to_alarm([alarm, between], CONSTANTS) == alarm
    assert least_to_alarm([least, between], CONSTANTS) == between
    assert least_to_alarm([least / 2], CONSTANTS) == least
    assert least_to_alarm([], CONSTANTS) == least
    light = [make_proposal(0, [0], least), make_proposal(1, [1], between)]
    assert [p.label for p in worth_asking(light, CONSTANTS)] == [1]


def test_groups_worth_asking_about_come_best_first() -> None:
    level = CONSTANTS.alarm
    mixed = [make_proposal(0, [0], level - 0.001), make_proposal(1, [1], level)]
    assert [p.label for p in worth_asking(mixed, CONSTANTS)] == [1]
    many = [make_proposal(k, [k], level + 0.01 * k) for k in range(4)]
    assert [p.label for p in worth_asking(many, CONSTANTS)] == [3, 2, 1, 0]


def test_a_group_is_compared_with_all_but_the_likeliest_group_of_each_class() -> None:
    light, heavy, other = (
        make_proposal(*p) for p in ((0, [0, 1], 0.2), (0, [1, 2], 0.6), (1, [5], 0.1))
    )
    proposals = [heavy, light, other]
    assert np.flatnonzero(~unsuspected(proposals, 8, 3)).tolist() == [1, 2, 5]
    assert np.flatnonzero(~unsuspected(proposals[::-1], 8, 3)).tolist() == [1, 2, 5]
    # Half of the other of two classes is no group to be left out.
    assert unsuspected(proposals, 8, 2).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_with_two_classes_views_are_not_asked_alone(
    n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, _ = poisoned_series()
    asked = []

    def spy(*args, each_view):
        asked.append(each_view)
        return candidates(*args, each_view=each_view)

    monkeypatch.setattr("robust_ts.defense.propose.candidates", spy)
    propose(feature_views(X), np.minimum(y, n_classes - 1), n_classes, CONSTANTS)
    assert set(asked) == {n_classes > 2}
