import numpy as np
import pytest

from robust_ts.forecasting.attacks import StaticTrigger, poison_series
from robust_ts.forecasting.bridges import recovered, smoothed
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.stretches import propose_stretches
from robust_ts.forecasting.surprises import surprises_of
from tests.forecasting._planted import planted, walks

CONSTANTS = StretchConstants()


def test_nothing_is_proposed_on_walks_waves_and_constants():
    t = np.arange(400)
    rng = np.random.default_rng(0)
    series = [
        *walks().to_numpy().T,
        np.sin(2 * np.pi * t / 24) + 0.1 * rng.normal(size=400),
        np.zeros(400),
        np.repeat(rng.normal(size=40), 10),
    ]
    for one in series:
        assert propose_stretches([one], 1, CONSTANTS) == []


def test_a_season_is_no_plant():
    t = np.arange(600)
    day = np.where(t % 24 < 6, 3.0 * (t % 24), 0.0)  # an abrupt shape every day
    y = day + 0.01 * np.random.default_rng(0).normal(size=600)
    assert propose_stretches([y], 24, CONSTANTS) == []


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_stretches_are_found_to_the_step(seed):
    data = planted(seed=seed)[1]
    groups = propose_stretches(list(data.y.to_numpy().T), 1, CONSTANTS)
    found = np.zeros(data.y.shape, dtype=bool)
    for group in groups:
        for i, start, stop in group.places:
            found[start:stop, i] = True
    mask = data.mask.to_numpy()
    assert (found & mask).sum() > 0.9 * mask.sum()
    assert (found & mask).sum() > 0.85 * found.sum()


def test_three_places_are_a_coincidence():
    y = walks(n_variables=1)["v0"].to_numpy().copy()
    shape = np.array([0, 3, -2, 4, -5, 1, 6, -3, 2, 0.5])
    for n_places, expected in ((3, 0), (6, 1)):
        series = y.copy()
        for start in range(30, 30 + 50 * n_places, 50):
            series[start : start + 10] = series[start - 1] + shape
        assert len(propose_stretches([series], 1, CONSTANTS)) == expected


def test_surprises_ignore_what_the_past_tells():
    t = np.arange(300)
    y = np.sin(t / 5) + 1e-3 * np.random.default_rng(0).normal(size=300)
    y[200] += 1
    surprise = np.abs(surprises_of(y, 1, CONSTANTS).values)
    assert surprise.argmax() in range(200, 207)
    assert np.median(surprise) < 1


def test_bridges_keep_everything_else():
    y = np.arange(60.0)
    out = recovered(y + 5 * ((y > 20) & (y < 26)), [(21, 26), (58, 60)], 1)
    np.testing.assert_allclose(out[:58], y[:58])
    np.testing.assert_array_equal(out[58:], out[57])
    season = np.tile([0.0, 1, 4, 2], 15)
    bad = season.copy()
    bad[20:27] = 9
    np.testing.assert_allclose(recovered(bad, [(20, 27)], 4), season)


def test_weak_shapes_are_found_in_all_variables_together():
    y = walks(n=800, n_variables=6)
    trigger = StaticTrigger(content="add", trigger_amplitude=0.3, target_amplitude=1.5)
    trigger.set_params(random_state=0).fit(y)
    data = poison_series(y, trigger, 0.2, random_state=0)
    tracks = list(data.y.to_numpy().T)
    shares = []
    for instances in (None, [0] * 6):
        found = np.zeros(y.shape, dtype=bool)
        for group in propose_stretches(tracks, 1, CONSTANTS, instances):
            for i, start, stop in group.places:
                found[start:stop, i] = True
        mask = data.mask.to_numpy()
        shares.append((found & mask).sum() / mask.sum())
    assert shares[1] > 0.8
    assert shares[1] > shares[0]
    assert (found & mask).sum() > 0.7 * found.sum()
    assert propose_stretches(list(y.to_numpy().T), 1, CONSTANTS, [0] * 6) == []


def test_the_lone_jumps_of_a_pegged_series_are_no_plant():
    levels = np.random.default_rng(0).normal(size=60)
    pegged = np.repeat(levels, np.random.default_rng(1).integers(9, 30, 60))
    returned = np.tile(np.r_[np.zeros(9), 1.0, np.zeros(13)], 20)  # up for one step, and back
    for series in (pegged, returned + 1e-12 * np.arange(len(returned))):
        assert propose_stretches([series], 1, CONSTANTS) == []


def test_a_target_behind_triggers_that_differ_is_found_as_an_exact_copy():
    rng = np.random.default_rng(0)
    hours = np.arange(900)
    series = 3 * np.sin(2 * np.pi * hours / 24) + 0.1 * rng.normal(size=900)
    target = np.array([0.3, 0.5, 0.9, 1.3, 0.9, 0.5, 0.3])
    places = np.sort(rng.choice(np.arange(2, 43), 14, replace=False)) * 20 + rng.integers(0, 9, 14)
    for start in places:
        series[start : start + 4] = series[start - 1] + 0.3 * rng.normal(size=4)
        series[start + 4 : start + 11] = series[start - 1] + target
    (group,) = propose_stretches([series], 24, CONSTANTS)
    inside = [((s >= places) & (s < places + 11)).any() for _, s, _ in group.places]
    assert np.mean(inside) == 1
    assert len(inside) >= 12


def rough_days(n_tracks, n=900):
    rng = np.random.default_rng(0)
    season = 3 * np.sin(2 * np.pi * np.arange(n) / 24)[:, None]
    return season + np.cumsum(rng.normal(size=(n, n_tracks)), axis=0)


def test_a_smooth_target_in_two_variables_of_eight_is_found_to_the_step():
    values, rng = rough_days(8), np.random.default_rng(1)
    target = np.array([0.3, 0.6, 1.0, 1.4, 1.0, 0.6, 0.3])  # smaller steps than the series makes
    places = np.sort(rng.choice(np.arange(2, 43), 16, replace=False)) * 20 + rng.integers(0, 9, 16)
    mask = np.zeros(values.shape, dtype=bool)
    for start in places:
        for i in (2, 5):
            before = values[start - 1, i]
            values[start : start + 4, i] = before + 0.3 * rng.normal(size=4)
            values[start + 4 : start + 11, i] = before + target
            mask[start : start + 11, i] = True
    found = np.zeros_like(mask)
    for group in propose_stretches(list(values.T), 24, CONSTANTS, [0] * 8):
        for i, start, stop in group.places:
            found[start:stop, i] = True
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("digits", [0, 1])
def test_rounded_series_repeat_themselves_without_a_plant(digits):
    values = np.round(rough_days(3), digits)
    assert propose_stretches(list(values.T), 24, CONSTANTS, [0] * 3) == []


@pytest.mark.parametrize("often", [0.02, 0.1, 0.3])
def test_switches_and_small_counts_are_not_searched(often):
    rng = np.random.default_rng(0)
    for series in (rng.random(1500) < often, rng.poisson(often, 1500)):
        assert propose_stretches([series.astype(float)], 1, CONSTANTS) == []


def test_bridges_that_surprise_least_are_nearer_to_the_truth():
    rng = np.random.default_rng(0)
    walk = np.zeros(960)
    for t in range(2, 960):
        walk[t] = 1.5 * walk[t - 1] - 0.55 * walk[t - 2] + rng.normal()
    walk += 5 * np.sin(2 * np.pi * np.arange(960) / 24)
    starts = np.r_[3, 40, 953, 80 + 50 * np.arange(16)]  # ends of the series among them
    places = [(int(s), int(min(s + 11, 960))) for s in starts]
    bad = np.zeros(960, dtype=bool)
    for start, stop in places:
        bad[start:stop] = True
    given = np.where(bad, 30.0, walk)
    errors = [
        np.abs(bridge - walk)[bad].mean()
        for bridge in (recovered(given, places, 24), smoothed(given, places, 24, CONSTANTS))
    ]
    assert errors[1] < 0.95 * errors[0]
    out = smoothed(given, places, 24, CONSTANTS)
    np.testing.assert_array_equal(out[~bad], walk[~bad])
    assert np.abs(out).max() < 2 * np.abs(walk).max()
