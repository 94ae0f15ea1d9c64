import numpy as np
import pytest

from robust_ts.defense.verify import label_odds, verify
from tests.defense._groups import CONSTANTS, make_proposal


def test_verify_needs_majority_and_confidence() -> None:
    y = np.zeros(8, dtype=int)
    P = np.tile([0.9, 0.05, 0.05], (8, 1))
    P[:4] = [0.04, 0.76, 0.2]
    P[4:6] = [0.45, 0.5, 0.05]
    groups = [
        make_proposal(0, [0, 1, 2, 3]),
        make_proposal(0, [4, 5]),
        make_proposal(0, [3, 4, 6, 7]),
    ]
    assert [list(p.members) for p in verify(P, y, groups, CONSTANTS)] == [[0, 1, 2, 3]]
    assert label_odds(P, 0, np.arange(4)) == pytest.approx(19.0)
