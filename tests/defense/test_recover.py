from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.recover import agreeing, recover, suspicion_of
from tests.defense._groups import CONSTANTS, make_proposal


def test_recover_relabels_the_sure_and_leaves_out_the_rest() -> None:
    y = np.array([0, 0, 0, 1])
    P = np.array([[0.05, 0.95, 0], [0.95, 0.05, 0], [0.3, 0.4, 0.3], [0.99, 0.01, 0]])
    suspect = np.array([True, True, True, False])
    result = recover(P, y, suspect, CONSTANTS)
    assert result.labels.tolist() == [1, 0, 0, 1]
    # A suspect that is given its label now may have got it from poison that was missed.
    assert result.keep.tolist() == [True, False, False, True]
    assert result.relabelled.tolist() == [True, False, False, False]


def test_suspects_agree_where_the_network_is_sure_of_the_given_label() -> None:
    y = np.array([0, 0, 0, 0])
    P = np.array([[0.95, 0.05], [0.45, 0.55], [0.05, 0.95], [0.95, 0.05]])
    suspect = np.array([True, True, True, False])
    assert agreeing(P, y, suspect, CONSTANTS).tolist() == [True, False, False, False]


def test_no_suspects_change_nothing() -> None:
    y = np.array([0, 1, 1])
    result = recover(np.full((3, 2), 0.5), y, np.zeros(3, dtype=bool), CONSTANTS)
    assert result.keep.all()
    assert np.array_equal(result.labels, y)


def test_suspicion_is_high_only_for_confirmed_members() -> None:
    y = np.zeros(6, dtype=int)
    P = np.tile([0.02, 0.98], (6, 1))
    confirmed, proposed = make_proposal(0, [0, 1]), make_proposal(0, [2, 3])
    suspicion = suspicion_of(P, y, [confirmed, proposed], [confirmed], CONSTANTS)
    assert (suspicion[:2] > 0.9).all()
    assert (suspicion[2:] < 0.5).all()
    assert ((suspicion >= 0) & (suspicion <= 1)).all()


def test_members_of_a_large_group_of_copies_are_suspect_whatever_the_network_says() -> None:
    y, P = np.zeros(9, dtype=int), np.tile([0.9, 0.1], (9, 1))
    group = make_proposal(0, list(range(6)))
    plain, copied = (
        suspicion_of(P, y, [p], [p], CONSTANTS) for p in (group, replace(group, n_copied=1))
    )
    assert plain[:6] == pytest.approx(0.1)
    assert copied[:6] == pytest.approx(0.5)  # half by chance, for six
    np.testing.assert_array_equal(copied[6:], plain[6:])


def test_unconfirmed_poison_that_the_network_learned_stays_suspect() -> None:
    y = np.zeros(6, dtype=int)
    P = np.tile([1.0, 0.0], (6, 1))
    P[5] = [0.5, 0.5]  # a hard clean sample
    suspicion = suspicion_of(P, y, [make_proposal(0, [0, 1, 2], score=0.25)], [], CONSTANTS)
    assert suspicion[:3].min() > suspicion[3:].max()
    assert suspicion.max() <= 0.1
