import numpy as np
import pytest

from robust_ts.defense.copies import copied_groups
from robust_ts.defense.evidence import Judge
from robust_ts.defense.features import features_of
from robust_ts.defense.propose import propose
from robust_ts.defense.views import feature_views
from robust_ts.defense.witnesses import Witnesses
from tests.defense._groups import CONSTANTS, N_CLASSES, Knowing, clean_series, poisoned_series
from tests.defense.test_constants import leaving_out

GROUP = [2, 6, 10, 18, 22]
LABELS = np.arange(40) % 4


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 30))


def test_samples_that_agree_in_a_window_are_a_group(values) -> None:
    values[GROUP, 10:14] = [0.1, 0.2, 0.3, 0.4]
    (found,) = copied_groups(values, LABELS, 4, CONSTANTS)[2]
    assert found.members.tolist() == GROUP
    assert found.n_values == 4
    assert copied_groups(values, LABELS, 4, CONSTANTS)[1] == []


def test_a_value_that_happens_to_be_the_same_does_not_hide_the_group(values) -> None:
    values[GROUP, 10:14] = 0.5
    values[14, 11] = 0.5  # a clean sample of the class shares one of the four values
    first = copied_groups(values, LABELS, 4, CONSTANTS)[2][0]
    assert first.members.tolist() == GROUP
    assert first.n_values == 1


def test_what_other_classes_hold_as_well_is_no_group(values) -> None:
    values[GROUP, 10:14] = 0.0
    values[[1, 5, 8, 3], 10:14] = 0.0
    assert copied_groups(values, LABELS, 4, CONSTANTS)[2] == []


def test_too_few_too_many_or_a_single_value_are_no_group(values) -> None:
    values[GROUP, 10] = 0.5
    values[GROUP[:2], 20:25] = 0.5
    values[LABELS == 3, 5:9] = 0.5  # the whole class
    assert copied_groups(values, LABELS, 4, CONSTANTS) == [[]] * 4


def test_the_groups_that_agree_in_most_places_come_first(values) -> None:
    rows = np.flatnonzero(LABELS == 1)
    values[rows[:3], 0:3] = 0.5
    values[rows[5:8], 5:11] = 0.5
    values[rows[3:6], 12:14] = 0.5
    found = copied_groups(values, LABELS, 4, CONSTANTS)[1]
    assert [g.members.tolist() for g in found] == [rows[5:8].tolist(), rows[:3].tolist()]


def test_a_replaced_window_is_proposed_whatever_the_content() -> None:
    X, y = clean_series()
    mask = (y == 0) & (np.arange(len(y)) % 20 == 0)  # of their own class: nothing contradicts them
    X[mask, 0, 20:24] = np.float32(0.3)
    blind = Knowing(np.zeros_like(mask))
    blind.embedded[:] = 0

    def groups(constants):
        found = propose(feature_views(X), y, N_CLASSES, constants, learned=blind)
        return [p.members.tolist() for p in found if p.label == 0]

    assert np.flatnonzero(mask).tolist() in groups(CONSTANTS)
    assert np.flatnonzero(mask).tolist() not in groups(leaving_out("copies"))


def test_copies_that_are_found_otherwise_as_well_are_still_copies(monkeypatch) -> None:
    X, y, mask = poisoned_series()
    group = np.flatnonzero(mask)
    X[group, 0, 20:24] = np.float32(0.3)

    def exact(witnesses, label, *rest, **options):
        return [group] if np.isin(group, witnesses.models[0][0].rows[label]).all() else []

    monkeypatch.setattr("robust_ts.defense.propose.candidates", exact)
    found = propose(feature_views(X), y, N_CLASSES, CONSTANTS, learned=Knowing(mask))
    same = [p for p in found if np.array_equal(p.members, group)]
    assert [p.copied for p in same] == [True]


@pytest.mark.parametrize(("size", "n_values", "sure"), [(14, 1, 11 / 14), (14, 5, 5 / 6)])
def test_equal_values_are_half_of_the_proof_the_more_the_more_there_are(
    size, n_values, sure
) -> None:
    X, y, mask = poisoned_series()
    features = features_of(feature_views(X), CONSTANTS)
    witnesses = Witnesses.of(list(features.maps.values()), y, N_CLASSES, CONSTANTS)
    judge = Judge(witnesses, 0, features.values, CONSTANTS)
    group = np.flatnonzero(mask)[:size]
    plain, copied = judge.weigh(group), judge.weigh(group, n_values)
    assert 0 < plain.score < 1
    assert copied.copied
    assert not plain.copied
    # That no linear pattern may tell them apart says nothing: equal values are what they share.
    assert plain.cohesion < copied.cohesion == 1
    score = plain.score / plain.cohesion
    assert copied.score == pytest.approx(max(score, np.sqrt(sure * score)))
    assert copied.mixture == plain.mixture
