from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.likeness import likeness
from tests.defense._groups import CONSTANTS

N, T = 60, 32


def waves(n, rng, frequency=1.0):
    """Make waves of one frequency with phases and heights of their own."""
    t = np.arange(T) / T
    phase, height = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(0.5, 1.5, (n, 1))
    waves = height * np.sin(2 * np.pi * frequency * t + phase)
    return (waves + 0.1 * rng.normal(size=(n, T)))[:, None].astype(np.float32)


def of(X, members, y, seed=0):
    others = np.flatnonzero((y == 1) & ~np.isin(np.arange(len(y)), members))
    return likeness(lambda rows: X[rows], members, others, CONSTANTS, seed)


@pytest.fixture
def drawn():
    """Series of class 0 and of class 1, and 12 of class 1 that say class 0."""
    rng = np.random.default_rng(0)
    X = np.concatenate([waves(N, rng, 3), waves(N, rng), waves(12, rng)])
    return X, np.repeat([0, 1, 0], [N, N, 12]), np.arange(2 * N, 2 * N + 12)


@pytest.mark.parametrize("added", ["pattern", "blend"])
def test_what_is_drawn_from_another_class_passes_for_it(drawn, added):
    X, y, members = drawn
    trigger = np.sign(np.sin(np.arange(T)))
    X[members] = X[members] + trigger if added == "pattern" else 0.85 * X[members] + trigger
    assert of(X, members, y) > 0.3


def test_what_varies_in_its_own_way_does_not(drawn):
    X, y, members = drawn
    X[members] = waves(12, np.random.default_rng(1), 2) + X[y == 1].mean(axis=0)
    assert of(X, members, y) < 0.02


def test_a_narrow_group_is_no_draw(drawn):
    X, y, members = drawn
    X[members] = X[members[:1]] + 0.3 * (X[members] - X[members[:1]])
    assert of(X, members, y) < 0.1


def test_it_repeats_itself_and_looks_at_these_samples_alone(drawn):
    X, y, members = drawn
    before = of(X, members, y)
    X[np.setdiff1d(np.flatnonzero(y == 0), members)] = 100.0
    assert of(X, members, y) == before


def test_nothing_is_said_where_there_is_nothing_to_compare_with(drawn):
    X, y, members = drawn
    assert of(X, members, np.zeros_like(y)) == 1
    assert of(X, members[:1], y) == 1


def test_large_groups_are_looked_at_in_part(drawn):
    X, y, members = drawn
    seen = []
    rows = lambda index: seen.append(len(index)) or X[index]  # noqa: E731
    few = replace(CONSTANTS, most_compared=8)
    likeness(rows, members, np.flatnonzero(y == 1), few)
    assert seen == [1, N, 8]


def test_images_and_constant_samples_are_compared_as_well():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1, 8, 8)).astype(np.float32)
    y, members = np.repeat([0, 1], 20), np.arange(6)
    assert of(X, members, y) > 0.3
    assert of(np.cumsum(X, axis=-1) * (y == 1)[:, None, None, None] + X, members, y) < 0.1
    assert of(np.zeros((40, 1, 12), np.float32), members, y) == 1
