import numpy as np
import pytest

from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.copies import exact_copies, moving_windows

CONSTANTS = StretchConstants().exact()
SHAPE = np.array([0.2, 0.5, 0.1, -0.4, -0.1, 0.3])  # changes, smaller than those of the walk


def walk_with_copies(n_places, *, seed=0):
    rng = np.random.default_rng(seed)
    change = rng.normal(size=600)
    starts = np.sort(rng.choice(np.arange(2, 58), n_places, replace=False)) * 10
    for start in starts:
        change[start : start + 6] = SHAPE
    return np.cumsum(change), starts


def search(tracks):
    taken = [np.zeros(len(t), dtype=bool) for t in tracks]
    members = [[i] for i in range(len(tracks))]
    return exact_copies(tracks, taken, members, tracks, 1, CONSTANTS)


def test_exact_copies_are_found_at_all_places_and_nowhere_else():
    walk, starts = walk_with_copies(8)
    group = search([walk_with_copies(0, seed=1)[0], walk])
    np.testing.assert_array_equal(group.places, [[1, s, s + 6] for s in starts])
    assert group.recurrence == pytest.approx(1 - 1 / 8)
    assert group.cohesion == 1.0


def test_too_few_copies_and_noisy_ones_are_none():
    assert search([walk_with_copies(3)[0]]) is None
    walk, _ = walk_with_copies(8)
    assert search([walk + 0.05 * np.random.default_rng(2).normal(size=600)]) is None


def test_as_many_copies_upside_down_explain_them():
    walk, starts = walk_with_copies(8)
    change = np.diff(walk, prepend=0.0)
    for start in starts[::2]:
        change[start : start + 6] *= -1
    assert search([np.cumsum(change)]).recurrence == 0.0


def test_windows_that_stand_still_or_were_taken_are_no_candidates():
    walk, _ = walk_with_copies(0)
    still = np.zeros(600)
    taken = [np.arange(600) >= 100, np.zeros(600, dtype=bool)]
    found = moving_windows([walk, still], taken, [[0], [1]], CONSTANTS)
    assert set(found.track) == {0}
    assert found.start.max() + CONSTANTS.motif <= 100
    assert found.start.min() >= 1
