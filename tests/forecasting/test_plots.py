import pandas as pd

from robust_ts.forecasting.plots import plot_forecasts


def test_every_forecast_is_drawn_however_many():
    past, truth = pd.Series([0.0, 1.0]), pd.Series([2.0, 3.0], index=[2, 3])
    forecasts = {name: truth + i for i, name in enumerate("abcde")}
    ax = plot_forecasts(past, truth, forecasts)
    drawn = {line.get_label(): line for line in ax.lines}
    assert set(drawn) == {"history", "truth", *forecasts}
    assert len({drawn[name].get_color() for name in "abc"}) == 3
    for name, forecast in forecasts.items():
        assert drawn[name].get_ydata().tolist() == forecast.tolist()
