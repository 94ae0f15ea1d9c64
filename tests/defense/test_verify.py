from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.verify import label_odds, verify
from tests.defense._groups import CONSTANTS, make_proposal


def test_a_group_that_just_alarms_needs_a_sure_majority() -> None:
    y = np.zeros(8, dtype=int)
    P = np.tile([0.9, 0.05, 0.05], (8, 1))
    P[:4] = [0.04, 0.76, 0.2]
    P[4:6] = [0.45, 0.5, 0.05]
    groups = [
        make_proposal(0, members, CONSTANTS.alarm)
        for members in ([0, 1, 2, 3], [4, 5], [3, 4, 6, 7])
    ]
    assert [list(p.members) for p in verify(P, y, groups, CONSTANTS)] == [[0, 1, 2, 3]]
    assert label_odds(P, 0, np.arange(4)) == pytest.approx(19.0)


def test_a_higher_score_needs_lower_odds_but_a_majority() -> None:
    y, P = np.zeros(4, dtype=int), np.tile([0.4, 0.6], (4, 1))
    needed = CONSTANTS.alarm * CONSTANTS.odds / 1.5
    just, short = (make_proposal(0, [0, 1], needed * f) for f in (1.01, 0.99))
    assert verify(P, y, [just, short], CONSTANTS) == [just]
    P[:] = [0.51, 0.49]
    assert verify(P, y, [make_proposal(0, [0, 1], 0.9)], CONSTANTS) == []


def test_doubtful_members_are_not_asked() -> None:
    y, P = np.zeros(4, dtype=int), np.tile([0.9, 0.1], (4, 1))
    P[0] = [0.01, 0.99]
    group = make_proposal(0, [0, 1, 2])
    assert verify(P, y, [group], CONSTANTS) == []
    sure = replace(group, doubtful=np.array([1, 2]))
    assert verify(P, y, [sure], CONSTANTS) == [sure]


def test_a_group_whose_labels_changed_is_not_confirmed() -> None:
    P = np.tile([0.01, 0.99], (4, 1))
    group = make_proposal(0, [0, 1], 0.9)
    assert verify(P, np.array([0, 1, 1, 1]), [group], CONSTANTS) == []
