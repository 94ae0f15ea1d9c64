import numpy as np
import pytest

from robust_ts.forecasting.bridges import recovered
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.stretches import innovations, propose_stretches
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
    surprise = np.abs(innovations(y, 1, CONSTANTS))
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
