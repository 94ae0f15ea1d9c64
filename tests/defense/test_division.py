import numpy as np
import pytest

from robust_ts.defense.division import alike, divisions, redrawn, settled, two_kinds
from tests.defense._groups import CONSTANTS, Clearing, Knowing


def kinds(n: int = 80, few: int = 12, apart: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Features of a class, and which few of its samples reach their label otherwise."""
    rng = np.random.default_rng(0)
    inside = np.arange(n) < few
    points = rng.normal(size=(n, 10))
    points[inside, :2] += apart
    return points, inside


def same(one: np.ndarray, two: np.ndarray) -> bool:
    return np.array_equal(one, two) or np.array_equal(one, ~two)


def test_two_kinds_are_told_apart_and_seeds_repeat() -> None:
    points, inside = kinds()
    assert same(two_kinds(points), inside)
    np.testing.assert_array_equal(two_kinds(points, 3), two_kinds(points, 3))


@pytest.mark.parametrize("shape", [(6, 1), (4, 50), (6, 3)])
def test_few_or_equal_points_are_divided_somehow(shape) -> None:
    points = np.zeros(shape)
    assert two_kinds(points).shape == shape[:1]
    assert two_kinds(points + np.eye(*shape)).shape == shape[:1]


def test_a_blurred_and_incomplete_group_settles_on_its_kind() -> None:
    points, inside = kinds(apart=4.0)
    start = inside.copy()
    start[:4], start[20:26] = False, True
    assert (settled(points, start) == inside).mean() >= 0.95
    np.testing.assert_array_equal(settled(points, inside), inside)


def test_samples_left_out_of_the_fit_are_put_with_their_kind() -> None:
    points, inside = kinds()
    asked = np.isin(np.arange(80), [0, 1, 20, 21])
    answers = alike(points, inside & ~asked, ~inside & ~asked)
    np.testing.assert_array_equal(answers, inside)


def test_where_there_is_one_kind_no_small_group_stays() -> None:
    points, _ = kinds(apart=0.0)
    start = np.arange(80) < 8
    assert settled(points, start).sum() < 3


def test_a_group_without_rest_is_left_alone() -> None:
    points, _ = kinds()
    for start in (np.zeros(80, dtype=bool), np.ones(80, dtype=bool)):
        np.testing.assert_array_equal(settled(points, start), start)


def test_divisions_hold_the_kinds_and_what_settles_of_a_group() -> None:
    points, inside = kinds()
    rows = 2 * np.arange(80)  # every other sample is of the class
    blurred = rows[:20]
    found = [g.tolist() for g in divisions(rows, [blurred], points, CONSTANTS, 160)]
    assert rows[inside].tolist() in found
    largest = CONSTANTS.max_share * 160
    assert all(CONSTANTS.min_group <= len(g) <= largest for g in found)  # the other kind is not


@pytest.mark.parametrize(("n_steps", "found"), [(0, 3), (1, 6), (2, 12), (5, 12)])
def test_a_group_is_drawn_anew_until_what_owes_its_label_rests(n_steps, found, monkeypatch) -> None:
    monkeypatch.setattr("robust_ts.defense.division.settled", lambda points, inside: inside)
    points, inside = kinds()
    rows, learned = np.arange(80), Clearing(inside)
    part = np.r_[0:3, 40:64]

    def fits(groups):
        return [g for g in groups if 3 <= len(g) <= 77]

    group = redrawn(learned, 0, part, rows, points, fits, n_steps)
    assert inside[group].sum() == found
    assert inside[group].all() == (n_steps > 0)


def test_a_group_that_becomes_too_small_stays_as_it_was() -> None:
    points, _ = kinds()
    blind = Knowing(np.zeros(80, dtype=bool))
    group = redrawn(blind, 0, np.arange(20), np.arange(80), points, lambda g: [], 5)
    np.testing.assert_array_equal(group, np.arange(20))
