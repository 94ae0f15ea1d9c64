"""Which stretches of history look planted, in the user's own dates and names."""

import numpy as np
import pandas as pd
import pytest

from robust_ts.forecasting import E2ABLForecaster, StaticTrigger, poison_series
from tests.forecasting._planted import SETTINGS, planted, walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.mark.parametrize("kind", ["periods", "dates", "numbers"])
def test_stretches_have_the_dates_of_the_history(kind):
    data = planted()[1]
    n = len(data.y)
    index = {
        "periods": data.y.index,
        "dates": pd.date_range("2020-01-01", periods=n),
        "numbers": pd.RangeIndex(n),
    }[kind]
    report = E2ABLForecaster(**SETTINGS).fit(data.y.set_axis(index), fh=[1]).report_
    frame = report.to_frame()
    for column in data.y:
        rows = frame[frame["variable"] == column]
        assert len(rows) > 0
        found = pd.Series(False, index=index)
        for row in rows.itertuples():
            found.loc[row.start : row.end] = True
            assert row.n_steps == len(found.loc[row.start : row.end])
        assert (found.to_numpy() & data.mask[column].to_numpy()).sum() > 0.9 * found.sum()
    first = frame["start"].min()
    shown = str(first.date()) if kind == "dates" else str(first)
    assert f"first {shown} to " in report.summary()


def test_stretches_of_a_panel_name_their_instance():
    clean, bad = walks(seed=3), planted()[1].y
    y = pd.concat({"clean": clean, "bad": bad}, names=["store", "day"])
    forecaster = E2ABLForecaster(**SETTINGS).fit(y, fh=[1])
    assert set(forecaster.report_.to_frame()["instance"]) == {"bad"}
    ax = forecaster.report_.plot()
    assert len(ax.patches) == 0  # the first instance is the clean one
    again = E2ABLForecaster(**SETTINGS).fit(y.loc[["bad", "clean"]].sort_index(), fh=[1])
    assert len(again.report_.plot().patches) == len(again.report_.rows) > 0


def test_what_an_update_brings_is_searched_where_it_refits():
    y = walks(500)
    trigger = StaticTrigger(trigger_amplitude=0.4, random_state=0).fit(y)
    late = poison_series(y[250:], trigger, 0.4, random_state=0)
    forecaster = E2ABLForecaster(**SETTINGS).fit(y[:250], fh=[1])
    assert not forecaster.report_.is_poisoned
    forecaster.update(late.y, update_params=False)
    assert not forecaster.report_.is_poisoned
    forecaster.update(late.y, update_params=True)
    assert forecaster.report_.is_poisoned
    assert forecaster.report_.to_frame()["start"].min() >= y.index[250]


def test_an_unpoisoned_history_has_an_empty_frame_and_a_plain_picture():
    report = E2ABLForecaster(**SETTINGS).fit(walks(), fh=[1]).report_
    frame = report.to_frame()
    assert list(frame.columns[:4]) == ["instance", "variable", "start", "end"]
    assert len(frame) == 0
    ax = report.plot()
    assert len(ax.lines) == 2
    assert ax.get_legend() is None
    assert np.all([line.get_color() == ax.lines[0].get_color() for line in ax.lines])
