import numpy as np
import pytest

from robust_ts.defense.transfer import bearers, debt, steered_share, unlearned_share
from tests.defense._groups import CONSTANTS


def test_the_steered_share_counts_what_goes_to_the_label() -> None:
    answers = np.array([[2.0, 1, 0], [0, 1, 2], [3, 1, 2], [1, 2, 0]])
    assert steered_share(answers, 0) == 0.5


def test_bearers_leave_their_class_without_the_pattern_and_stay_with_more() -> None:
    less = np.array([[0.1, 0.9, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0.3, 0.4, 0.3]])
    more = np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0.9, 0.1, 0]])
    # A poisoned sample, a hard one, one of the class, one that is unsure without the pattern.
    assert bearers(less, more, 0, CONSTANTS).tolist() == [True, False, False, False]


def test_a_debt_is_that_of_the_group_alone() -> None:
    inside = np.arange(10) < 4
    assert debt(inside, inside) == 1.0
    assert debt(~inside, inside) == 0.0
    assert debt(np.zeros(10, dtype=bool), inside) == 0.5  # nothing is known of single samples
    assert debt(np.ones(10, dtype=bool), inside) == 0.5  # the pattern is that of the class
    half = inside & (np.arange(10) % 2 == 0)
    assert debt(half, inside) == 0.75


def test_what_is_left_of_the_transfer_is_what_only_the_group_can_have_taught() -> None:
    assert unlearned_share(0.9, 0.1, debt=0.5) == pytest.approx(0.8)
    assert unlearned_share(0.9, 0.9, debt=0.5) == 0  # any network follows, and nothing is known
    # A trigger that steers any network, in samples that owe it their label, and part of a class.
    assert unlearned_share(1.0, 1.0, debt=0.95) == pytest.approx(0.9)
    assert unlearned_share(0.9, 0.9, debt=0.6) == pytest.approx(0.18)
