"""What the motif search leaves open: where stretches end, who takes part, and further moments."""

from itertools import pairwise

import numpy as np
import pytest

from robust_ts.forecasting.attacks import StaticTrigger, poison_series
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.extents import Copies, added_extent, anchored_start, exact_extent
from robust_ts.forecasting.motifs import StretchGroup
from robust_ts.forecasting.stretches import _rescored, propose_stretches
from robust_ts.forecasting.surprises import surprises_of
from robust_ts.forecasting.templates import completed
from tests.forecasting._planted import walks

CONSTANTS = StretchConstants()
STEPS = range(-CONSTANTS.max_reach, CONSTANTS.motif + CONSTANTS.max_reach)


def hours(n=960, n_variables=6, seed=0):
    """Noisy days of 24 hours."""
    rng, t = np.random.default_rng(seed), 2 * np.pi * np.arange(n) / 24
    shifts = rng.uniform(0, 2 * np.pi, n_variables)
    return 3 * np.sin(t[:, None] + shifts) + 0.2 * rng.normal(size=(n, n_variables))


def places_of(n, count, rng):
    """First steps of stretches of eleven steps, eight at least between them."""
    room = n - count * 19
    return np.sort(rng.integers(5, room, count)) + 19 * np.arange(count)


def with_added(values, shape, starts):
    out = values.copy()
    for start in starts:
        out[start : start + len(shape)] += shape[: len(out) - start]
    return out


SHAPE = np.array([0.8, -0.7, 0.9, -0.6, 0.3, 0.4, 0.7, 0.9, 0.7, 0.4, 0.3])


def added_case(season=24, seed=0):
    """Hours or walks with an added shape in all tracks but the last."""
    rng = np.random.default_rng(seed)
    values = hours(seed=seed) if season > 1 else walks(960, 6, seed).to_numpy()
    starts = places_of(len(values), 16, rng)
    signs = np.r_[rng.choice((-1.0, 1.0), values.shape[1] - 1), 0.0]
    scale = 1.0 if season > 1 else 4.0
    poisoned = with_added(values, scale * SHAPE[:, None] * signs, starts)
    tracks = list(poisoned.T)
    return tracks, [surprises_of(t, season, CONSTANTS) for t in tracks], starts


@pytest.mark.parametrize("season", [1, 24])
def test_an_added_shape_is_measured_to_the_step_and_only_where_it_is(season):
    _tracks, surprises, starts = added_case(season)
    for shift in (-2, 0, 3):  # a motif may hang over either end
        copies = Copies(list(range(6)), starts + shift)
        extent, part = added_extent(copies, surprises, STEPS, CONSTANTS)
        assert extent == (-shift, 11 - shift)
        assert part == [0, 1, 2, 3, 4]


def test_moments_that_share_nothing_have_no_extent():
    values = hours()
    surprises = [surprises_of(t, 24, CONSTANTS) for t in values.T]
    moments = np.sort(np.random.default_rng(1).choice(np.arange(60, 900), 12, replace=False))
    copies = Copies(list(range(6)), moments)
    assert exact_extent(copies, list(values.T), STEPS, CONSTANTS) == ((0, 0), [])
    taken = [np.zeros(len(values), dtype=bool)] * 6
    assert not len(completed(copies, list(values.T), surprises, taken, 24, CONSTANTS))


@pytest.mark.parametrize("season", [1, 24])
def test_a_template_finds_the_moments_that_are_missing_and_drops_the_wrong_ones(season):
    tracks, surprises, starts = added_case(season)
    gap = next(s + 15 for s, t in pairwise(starts) if t - s > 40)
    known = np.sort(np.r_[starts[::2], gap])
    taken = [np.zeros(len(t), dtype=bool) for t in tracks]
    copies = Copies(list(range(6)), known)
    places = completed(copies, tracks, surprises, taken, season, CONSTANTS)
    found = np.unique(places[:, 1])
    assert gap not in found
    assert len(set(found) & set(starts)) >= 12  # half of what is missing, at least
    assert len(set(found) - set(starts)) == 0


def test_a_trigger_that_differs_everywhere_belongs_to_its_stretch():
    rng = np.random.default_rng(0)
    series = hours(n_variables=1)[:, 0]
    starts = places_of(len(series), 14, rng)
    for start in starts:
        series[start + 4 : start + 11] = series[start - 1] + SHAPE[4:]
        series[start : start + 4] = series[start - 1] + 0.3 * rng.normal(size=4)
    copies = Copies([0], starts + 2)
    exact, part = exact_extent(copies, [series], STEPS, CONSTANTS)
    assert (exact, part) == ((3, 9), [0])  # the six equal changes of seven equal values
    assert anchored_start(copies, [series], exact[0], CONSTANTS) == -2
    assert anchored_start(Copies([0], starts + 40), [series], 3, CONSTANTS) == 3


def test_standing_still_is_no_shape():
    pegged = np.repeat(np.random.default_rng(0).normal(size=12), 60)
    copies = Copies([0], np.arange(20, 700, 60))
    assert exact_extent(copies, [pegged], STEPS, CONSTANTS) == ((0, 0), [])


def test_the_first_two_seasons_are_searched_too():
    values = hours()
    surprise = surprises_of(values[:, 0], 24, CONSTANTS).values
    usual = np.abs(surprise[100:]).mean()
    assert 0.5 * usual < np.abs(surprise[6:48]).mean() < 2 * usual
    starts = np.r_[9, 33, places_of(800, 10, np.random.default_rng(0)) + 100]
    data = with_added(values, 2 * SHAPE[:, None], starts)
    groups = propose_stretches(list(data.T), 24, CONSTANTS, [0] * 6)
    found = {int(s) for group in groups for _, s, _ in group.places}
    assert found == {int(s) for s in starts}


def test_weak_shapes_are_found_to_the_step():
    y = walks(n=800, n_variables=6)
    trigger = StaticTrigger(content="add", trigger_amplitude=0.3, target_amplitude=1.5)
    trigger.set_params(random_state=0).fit(y)
    data = poison_series(y, trigger, 0.2, random_state=0)
    found = np.zeros(y.shape, dtype=bool)
    for group in propose_stretches(list(data.y.to_numpy().T), 1, CONSTANTS, [0] * 6):
        for i, start, stop in group.places:
            found[start:stop, i] = True
    mask = data.mask.to_numpy()
    assert (found & mask).sum() > 0.95 * max(found.sum(), mask.sum())


def test_a_group_is_judged_by_all_its_moments():
    rests = list(np.random.default_rng(0).normal(size=(2, 960)))
    every_day = 40 + 24 * np.arange(36)
    anywhere = places_of(900, 16, np.random.default_rng(1)) + 40
    for moments, planted in ((every_day, False), (anywhere, True)):
        places = np.array([(i, m, m + 11) for i in (0, 1) for m in moments])
        some = StretchGroup(places[::6], 0.8, 1.0, 1.0, 0.8)
        again = _rescored(some, places, rests, 1, CONSTANTS)
        assert (again.score >= CONSTANTS.alarm) == planted
        assert len(again.places) == len(places)
    assert _rescored(some, places[:0], rests, 1, CONSTANTS).score == 0
