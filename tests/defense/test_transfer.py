from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.transfer import bearers, regrouped, steered_share, transferring
from tests.defense._groups import CONSTANTS, make_proposal


def test_the_steered_share_counts_what_goes_to_the_label() -> None:
    answers = np.array([[2.0, 1, 0], [0, 1, 2], [3, 1, 2], [1, 2, 0]])
    assert steered_share(answers, 0) == 0.5


def test_a_group_alarms_by_its_score_and_what_it_steers() -> None:
    faint, strong = make_proposal(0, [0], 0.1), make_proposal(1, [1], 0.5)
    loud = transferring([faint, strong], {0: 0.9, 1: 0.0}, CONSTANTS)
    assert [p.label for p in loud] == [0, 1]  # the strong one in spite of what it steers
    assert loud[0].score == pytest.approx(0.09)
    assert transferring([faint], {0: 0.5}, CONSTANTS) == []
    assert transferring([faint], {}, CONSTANTS) == []  # never asked about


def test_bearers_leave_their_class_without_the_pattern_and_stay_with_more() -> None:
    less = np.array([[0.1, 0.9, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0.3, 0.4, 0.3]])
    more = np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0.9, 0.1, 0]])
    # A poisoned sample, a hard one, one of the class, one that is unsure without the pattern.
    assert bearers(less, more, 0, CONSTANTS).tolist() == [True, False, False, False]


def blurred_group() -> tuple[np.ndarray, np.ndarray]:
    """Values of 60 samples of the class, the pattern on the first 20, and of 200 others."""
    values = np.random.default_rng(0).normal(size=(260, 8))
    values[:20, :3] += 4
    return np.arange(60), values


def test_a_clear_pattern_says_which_members_are_clean() -> None:
    rows, values = blurred_group()
    group = make_proposal(0, [*range(15), *range(30, 40)])
    new = regrouped(group, np.arange(10, 20), rows, values, CONSTANTS)
    assert new.members.tolist() == [*range(20), *range(30, 40)]
    assert set(range(20)) <= set(new.bearing.tolist())
    assert len(new.bearing) <= 22
    assert new.doubtful.tolist() == np.setdiff1d(new.members, new.bearing).tolist()


def test_without_a_clear_pattern_all_members_stay_suspect() -> None:
    rows, values = blurred_group()
    values[:, :3] = 0.0
    group = make_proposal(0, [*range(15), *range(30, 40)])
    new = regrouped(group, np.arange(10, 20), rows, values, CONSTANTS)
    assert new.members.tolist() == [*range(20), *range(30, 40)]
    assert new.bearing.tolist() == list(range(10, 20))
    assert not len(new.doubtful)
    everything = replace(group, members=rows)
    assert not len(regrouped(everything, np.arange(10), rows, values, CONSTANTS).doubtful)
