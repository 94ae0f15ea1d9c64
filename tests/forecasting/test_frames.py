"""Every index that sktime knows, and those that windows cannot be cut from."""

import numpy as np
import pandas as pd
import pytest

from robust_ts.forecasting import E2ABLForecaster, NeuralForecaster
from tests.forecasting._planted import walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

TINY = {"epochs": 1, "n_shapes": 4, "backbone_params": {"width": 8, "depth": 1}, "random_state": 0}
N = 60
#: Name, index of the history, and the two times after it.
INDEXES = {
    "range": (pd.RangeIndex(5, 5 + N), [5 + N, 6 + N]),
    "int": (pd.Index(np.arange(-3, N - 3)), [N - 3, N - 2]),
    "days": (pd.date_range("2020-01-01", periods=N), ["2020-03-01", "2020-03-02"]),
    "business days": (
        pd.date_range("2020-01-01", periods=N, freq="B"),
        ["2020-03-25", "2020-03-26"],
    ),
    "hours": (
        pd.date_range("2020-01-01", periods=N, freq="h"),
        ["2020-01-03 12:00", "2020-01-03 13:00"],
    ),
    "month starts": (
        pd.date_range("2020-01-01", periods=N, freq="MS"),
        ["2025-01-01", "2025-02-01"],
    ),
    "days as periods": (
        pd.period_range("2020-01-01", periods=N, freq="D"),
        ["2020-03-01", "2020-03-02"],
    ),
    "quarters as periods": (
        pd.period_range("2020Q1", periods=N, freq="Q"),
        ["2035Q1", "2035Q2"],
    ),
}


@pytest.mark.parametrize("cls", [NeuralForecaster, E2ABLForecaster])
@pytest.mark.parametrize("name", INDEXES)
def test_every_index_goes_on_where_it_ended(name, cls):
    index, after = INDEXES[name]
    y = walks(N).set_axis(index)
    forecaster = cls(**TINY).fit(y, fh=[1, 2])
    predicted = forecaster.predict()
    expected = index.append(type(index)(after, **_freq(index))) if _freq(index) else after
    assert list(predicted.index) == list(expected)[-2:]
    assert list(forecaster.predict_interval().index) == list(predicted.index)
    # What is forecast depends on the values alone.
    counted = cls(**TINY).fit(walks(N).reset_index(drop=True), fh=[1, 2]).predict()
    np.testing.assert_array_equal(predicted.to_numpy(), counted.to_numpy())


def _freq(index):
    if isinstance(index, pd.PeriodIndex):
        return {"freq": index.freq}
    return {"dtype": index.dtype} if isinstance(index, pd.DatetimeIndex) else {}


def panel(*indexes):
    return pd.concat(
        {f"i{k}": walks(len(index), 1).set_axis(index) for k, index in enumerate(indexes)},
        names=["instance", "time"],
    )


def days(n, start="2020-01-01", freq="D"):
    return pd.date_range(start, periods=n, freq=freq)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (walks(50).set_axis(days(51).delete(20)), "after 2020-01-20 .*comes 2020-01-22"),
        (walks(50).set_axis(pd.Index(np.arange(51)).delete(20)), "after 19 comes 21"),
        (walks(50).set_axis(pd.RangeIndex(0, 100, 2)), "steps of 2, the horizons of sktime in"),
        (
            walks(50).set_axis(days(30).append(days(20, "2020-02-02", "W"))),
            "not regular in time: after 2020-01-30",
        ),
        (panel(days(40), days(41).delete(7)), r"of instance \('i1',\) is not regular in time"),
        (panel(days(40), days(40, freq="h")), "instance .'i0',. has steps of 'D', .*of 'h'"),
        (panel(days(40), days(40, freq="B")), "mixes frequencies"),
        (panel(days(40, freq="W-SUN"), days(40, freq="W-WED")), "of 'W-SUN', .*of 'W-WED'"),
    ],
    ids=["days", "numbers", "twos", "mixed", "panel", "mixed panel", "business days", "weeks"],
)
def test_gaps_and_mixed_frequencies_are_named(y, text):
    with pytest.raises(ValueError, match=text):
        NeuralForecaster(**TINY).fit(y, fh=[1])


def test_a_gap_that_an_update_leaves_is_named():
    y = walks(60).set_axis(days(60))
    for update_params in (False, True):
        forecaster = NeuralForecaster(**TINY).fit(y[:50], fh=[1])
        with pytest.raises(ValueError, match=r"after 2020-02-19 .*comes 2020-02-23"):
            forecaster.update(y[53:], update_params=update_params)


@pytest.mark.parametrize("what", ["y", "X"])
def test_infinite_and_missing_values_are_named(what):
    frames = {"y": walks(60).set_axis(days(60)), "X": walks(60, seed=1).set_axis(days(60))}
    frames[what] = frames[what].copy()
    frames[what].iloc[5, 1] = np.inf
    with pytest.raises(ValueError, match=f"{what} has an infinite value in 'v1' at 2020-01-06"):
        NeuralForecaster(**TINY).fit(**frames, fh=[1])
    frames[what].iloc[5, 1] = np.nan
    with pytest.raises(ValueError, match="missing"):
        NeuralForecaster(**TINY).fit(**frames, fh=[1])
