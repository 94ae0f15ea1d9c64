import numpy as np
import pytest

from robust_ts.forecasting.shapes import Codebook, Mixture, fit_codebook
from robust_ts.forecasting.windows import Track, WindowSpec, cut_windows


def test_the_mixture_has_the_moments_of_its_parts():
    rng = np.random.default_rng(0)
    book = Codebook(np.array([[-1.0], [2.0]]), np.array([[0.5], [1.0]]))
    mixture = Mixture(np.array([[0.3, 0.7]]), book, np.array([[10.0]]), np.array([2.0]))
    part = rng.random(200_000) < 0.3
    draws = 10 + 2 * np.where(part, rng.normal(-1, 0.5, part.size), rng.normal(2, 1, part.size))
    assert mixture.mean()[0, 0] == pytest.approx(draws.mean(), abs=0.03)
    assert mixture.variance()[0, 0] == pytest.approx(draws.var(), rel=0.03)
    for level in (0.01, 0.5, 0.9):
        assert mixture.quantile(level)[0, 0] == pytest.approx(np.quantile(draws, level), abs=0.06)


@pytest.mark.parametrize(("n", "expected"), [(400, 16), (40, 5), (3, 2)])
def test_a_codebook_is_no_larger_than_its_data_allow(n, expected):
    futures = np.random.default_rng(0).normal(size=(n, 4))
    assert len(fit_codebook(futures, 16, 0).centers) == expected
    assert len(fit_codebook(np.zeros((n, 4)), 16, 0).centers) == 1


@pytest.mark.parametrize("season", [1, 4])
def test_windows_do_not_depend_on_level_and_unit(season):
    values = np.cumsum(np.random.default_rng(0).normal(size=60))
    spec = WindowSpec(12, 3, season)
    none = np.empty((60, 0))
    one = cut_windows([Track(values, none)], spec)
    two = cut_windows([Track(1000 + 7 * values, none)], spec)
    assert len(one.origin) == 60 - 12 - 3 + 1
    np.testing.assert_allclose(one.inputs, two.inputs, atol=1e-4)
    np.testing.assert_allclose(one.future, two.future, atol=1e-8)
    back = one.naive + one.scale[:, None] * one.future
    np.testing.assert_allclose(back[5], values[17:20])


def test_exogenous_channels_hold_past_and_future():
    X = np.arange(40.0)[:, None]
    spec = WindowSpec(4, 4)
    windows = cut_windows([Track(np.zeros(30), X)], spec, [np.array([10, 30])])
    np.testing.assert_array_equal(windows.inputs[0, 1], [6, 7, 8, 9])
    np.testing.assert_array_equal(windows.inputs[1, 2], [30, 31, 32, 33])
