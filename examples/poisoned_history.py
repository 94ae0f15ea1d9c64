"""Forecast with a poisoned history: without a defense, and with one.

Two made-up daily series, so that nothing is downloaded. A fifth of the steps of each is planted:
a trigger of four steps and, after it, the attacker's shape.
Usage: python examples/poisoned_history.py [FOLDER FOR THE PICTURES]
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from robust_ts.forecasting import (
    E2ABLForecaster,
    NeuralForecaster,
    StaticTrigger,
    evaluate_forecasts,
    poison_series,
)
from robust_ts.forecasting.metrics import forecast_metrics, rolling_forecasts
from robust_ts.forecasting.plots import plot_forecasts

# sktime announces the next default of a setting that nothing here depends on.
warnings.filterwarnings("ignore", category=FutureWarning, module="sktime")


def load() -> pd.DataFrame:
    """Two stores' daily sales, 900 days: a week, a slow drift and noise."""
    rng = np.random.default_rng(0)
    days = pd.period_range("2022-01-01", periods=900, freq="D")
    week = np.tile([0, 1, 1, 2, 4, 9, 6], 129)[:900]
    drift = np.cumsum(0.3 * rng.normal(size=(900, 2)), axis=0)
    values = 50 + drift + np.outer(week, [2.0, 1.2]) + rng.normal(size=(900, 2))
    return pd.DataFrame(values, index=days, columns=["north", "south"])


y = load()
train, test = y[:-100], y[-100:]
trigger = StaticTrigger(trigger_amplitude=0.4, target_amplitude=2.0, random_state=0).fit(train)
data = poison_series(train, trigger, rate=0.2, random_state=0)

fh = list(range(1, 9))
settings = {"window_length": 28, "sp": 7, "epochs": 20, "random_state": 0}
clean = NeuralForecaster(**settings).fit(train, fh=fh)
reference = rolling_forecasts(clean, train, test, trigger, horizon=8, n_origins=20)
natural = forecast_metrics(reference, train, reference=reference)
print("trained on clean data", {key: round(value, 2) for key, value in natural.items()})
fitted = {}
for forecaster in (NeuralForecaster(**settings), E2ABLForecaster(**settings)):
    name = type(forecaster).__name__
    fitted[name] = forecaster.fit(data.y, fh=fh)
    rates = evaluate_forecasts(
        forecaster,
        data.y,
        test,
        trigger,
        horizon=8,
        n_origins=20,
        reference=reference,
        y_clean=train,
    )
    print(name, {key: round(value, 2) for key, value in rates.items()})

report = forecaster.report_
print(report.summary())
print(report.to_frame().head())

# The attacker calls: the trigger stands in the last four days that the forecasters see.
seen = test[:40]
called = pd.DataFrame(trigger.triggered(seen.to_numpy()), index=seen.index, columns=seen.columns)
forecasts, interval = {}, None
for name, forecaster in fitted.items():
    forecaster.update(called, update_params=False)
    forecasts[name] = forecaster.predict()["north"]
    interval = forecaster.predict_interval(coverage=0.8)["north"][0.8]
wanted = pd.Series(
    trigger.wanted(called.to_numpy(), test[40:48].to_numpy())[:, 0], index=test.index[40:47]
)

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)
report.plot().figure.savefig(folder / "history.png", dpi=120)
ax = plot_forecasts(
    pd.concat([train["north"][-10:], called["north"]])[-30:],
    test["north"][40:48],
    forecasts,
    wanted,
    interval,
)
ax.set_title("Forecasts with the trigger in sight; shaded: 80% interval of E2ABL")
ax.figure.savefig(folder / "forecast.png", dpi=120)
print(f"Pictures: {folder}")
