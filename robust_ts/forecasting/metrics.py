"""What a forecaster is worth: on untouched series, and when the attacker calls."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sktime.performance_metrics.forecasting import (
    mean_absolute_error,
    mean_absolute_scaled_error,
    mean_squared_error,
)

from robust_ts.forecasting.attacks import StaticTrigger, as_values


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from several origins, each with and without the trigger in sight.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_variables)
        What really followed.
    clean : ndarray of the same shape
        Forecasts from the untouched history.
    attacked : ndarray of the same shape or None
        Forecasts with the trigger in the last steps of the history.
    wanted : ndarray of shape (n_origins, target_length or less, n_variables) or None
        What the attacker wants.
    blank : ndarray of the shape of ``clean`` or None
        Forecasts with a trigger without shape in its place.
    variables : list of int or None
        Positions of the variables with the trigger, those of ``wanted``; None for all.
    """

    truth: np.ndarray
    clean: np.ndarray
    attacked: np.ndarray | None = None
    wanted: np.ndarray | None = None
    blank: np.ndarray | None = None
    variables: list[int] | None = None

    def of(self, forecasts: np.ndarray) -> np.ndarray:
        """Take the variables with the trigger."""
        return forecasts if self.variables is None else forecasts[..., self.variables]


def rolling_forecasts(
    forecaster: Any,
    y_train: Any,
    y_test: Any,
    trigger: StaticTrigger | None = None,
    *,
    horizon: int,
    n_origins: int = 10,
    refit: bool = False,
    variables: Sequence[Any] | None = None,
    blank: bool = True,
) -> Forecasts:
    """Forecast from several origins in the test part, as it is and with the trigger.

    Parameters
    ----------
    forecaster : forecaster
        Fitted on ``y_train`` for ``fh=1..horizon``; is not changed.
    y_train : Series or DataFrame
        What it was fitted on, poisoned or not.
    y_test : Series or DataFrame
        The untouched continuation.
    trigger : StaticTrigger, default=None
        Fitted on the attacked variables; None for no attack.
    horizon : int
        Steps ahead.
    n_origins : int, default=10
        Origins, evenly over the test part.
    refit : bool, default=False
        Fit a clone at every origin, for methods that cannot take up new data otherwise; else
        ``update(update_params=False)``.
    variables : sequence of column labels, default=None
        Attacked variables, as in :func:`poison_series`; None for all.
    blank : bool, default=True
        Forecast with a trigger without shape as well; a reference needs that.

    Returns
    -------
    Forecasts
        Truth, forecasts and wishes.
    """
    values = as_values(y_test)
    first = 1 + (0 if trigger is None else int(trigger.trigger_length) + trigger.context)
    last = len(values) - horizon
    if last < first:
        raise ValueError(
            f"y_test has {len(values)} steps, and {first + horizon} are needed for a horizon of "
            f"{horizon}. Give a longer test part."
        )
    origins = np.unique(np.linspace(first, last, n_origins).round().astype(int))

    def forecast(seen: np.ndarray) -> np.ndarray:
        return _forecast(forecaster, y_train, _like(y_test, seen), horizon, refit)

    truth = np.stack([values[o : o + horizon] for o in origins])
    clean = np.stack([forecast(values[:o]) for o in origins])
    if trigger is None:
        return Forecasts(truth, clean)
    columns = list(y_test.columns) if isinstance(y_test, pd.DataFrame) else [y_test.name]
    at = None if variables is None else [columns.index(v) for v in variables]
    some = slice(None) if at is None else at

    def stamped(stamp: Callable[[np.ndarray], np.ndarray], seen: np.ndarray) -> np.ndarray:
        out = np.array(seen, dtype=float)
        out[:, some] = stamp(seen[:, some])
        return out

    bad = [stamped(trigger.triggered, values[:o]) for o in origins]
    flat = [stamped(trigger.blanked, values[:o]) for o in origins] if blank else []
    wanted = [trigger.wanted(b[:, some], c[:, some]) for b, c in zip(bad, clean, strict=True)]
    return Forecasts(
        truth,
        clean,
        attacked=np.stack([forecast(b) for b in bad]),
        wanted=np.stack(wanted),
        blank=np.stack([forecast(f) for f in flat]) if flat else None,
        variables=at,
    )


def interval_coverage(
    forecaster: Any, y_test: Any, *, horizon: int, n_origins: int = 10, coverage: float = 0.8
) -> float:
    """Share of what followed that lies inside the predicted intervals.

    Parameters
    ----------
    forecaster : forecaster
        Fitted on what comes before ``y_test``; is not changed.
    y_test : Series or DataFrame
        The continuation.
    horizon, n_origins
        As in :func:`rolling_forecasts`.
    coverage : float, default=0.8
        Share that the intervals promise.
    """
    values = as_values(y_test)
    origins = np.unique(np.linspace(1, len(values) - horizon, n_origins).round().astype(int))
    inside = []
    for o in origins:
        model = _copied(forecaster).update(_like(y_test, values[:o]), update_params=False)
        bounds = model.predict_interval(fh=list(range(1, horizon + 1)), coverage=coverage)
        low, high = (bounds.xs(side, axis=1, level=2).to_numpy() for side in ("lower", "upper"))
        truth = values[o : o + horizon]
        inside.append((low <= truth) & (truth <= high))
    return float(np.mean(inside))


def _copied(forecaster: Any) -> Any:
    """Copy a fitted forecaster."""
    # deepcopy would share what sktime keeps in a DataFrame: one forecaster for each variable.
    return pickle.loads(pickle.dumps(forecaster))


def _like(y: Any, values: np.ndarray) -> Any:
    """Put the first values of a series into its own container."""
    part = y.iloc[: len(values)]
    if isinstance(y, pd.DataFrame):
        return pd.DataFrame(values, index=part.index, columns=y.columns)
    return pd.Series(values[:, 0], index=part.index, name=y.name)


def _forecast(forecaster: Any, y_train: Any, seen: Any, horizon: int, refit: bool) -> np.ndarray:
    fh = list(range(1, horizon + 1))
    if refit:
        model = forecaster.clone().fit(pd.concat([y_train, seen]), fh=fh)
    else:
        model = _copied(forecaster).update(seen, update_params=False)
    return as_values(model.predict(fh=fh))


def forecast_metrics(
    forecasts: Forecasts, y_train: Any, *, sp: int = 1, reference: Forecasts | None = None
) -> dict[str, float]:
    """Measure forecasts, averaged over origins and variables.

    Parameters
    ----------
    forecasts : Forecasts
        Of the forecaster that is measured.
    y_train : Series or DataFrame
        Clean training part; gives the standard deviations and the scale of MASE.
    sp : int, default=1
        Season of MASE.
    reference : Forecasts, default=None
        Of the same forecaster trained on the clean history, at the same origins: its forecasts
        with a trigger without shape are what the attacker wants to displace.

    Returns
    -------
    dict of str to float
        ``clean_mae`` and ``clean_rmse`` (in standard deviations of each variable),
        ``clean_mase``; with a trigger, of the attacked variables, ``attacked_mae_target``
        (distance to what the attacker wants; small is bad), ``attacked_mae_truth``,
        ``attacked_mase``; with a reference
        ``attack_effect``: how far the forecast with the trigger in sight lies from the
        reference's with a blank in its place towards the attacker's, 0 not at all, 1 all the way.
        The reference itself has a natural effect: a trigger is also a disturbance. Besides
        ``trigger_response``, the same from the forecaster's own forecast of the untouched history:
        what the reference has of it, too, is natural, and how two forecasters that saw other data
        differ anyway is not in it.
    """
    train = as_values(y_train)
    scale = train.std(axis=0)
    unit = np.where(scale > 0, scale, 1.0)
    out = {
        "clean_mae": _each(mean_absolute_error, forecasts.truth / unit, forecasts.clean / unit),
        "clean_rmse": _each(mean_squared_error, forecasts.truth / unit, forecasts.clean / unit)
        ** 0.5,
        "clean_mase": _mase(forecasts.truth, forecasts.clean, train, sp),
    }
    if forecasts.attacked is None or forecasts.wanted is None:
        return out
    length, of = forecasts.wanted.shape[1], forecasts.of
    unit, truth, attacked = of(unit), of(forecasts.truth), of(forecasts.attacked)
    ours = attacked[:, :length] / unit
    wish = forecasts.wanted / unit
    out["attacked_mae_target"] = _each(mean_absolute_error, wish, ours)
    out["attacked_mae_truth"] = _each(mean_absolute_error, truth / unit, attacked / unit)
    out["attacked_mase"] = _mase(truth, attacked, of(train), sp)
    if reference is not None and reference.wanted is not None:
        assert reference.blank is not None
        base, wish = of(reference.blank)[:, :length] / unit, reference.wanted / unit
        room = float(((wish - base) ** 2).sum())
        starts = {
            "attack_effect": base,
            "trigger_response": of(forecasts.clean)[:, :length] / unit,
        }
        for name, start in starts.items():
            moved = float(((ours - start) * (wish - base)).sum())
            out[name] = moved / room if room > 0 else float("nan")
    return out


def evaluate_forecasts(
    forecaster: Any,
    y_train: Any,
    y_test: Any,
    trigger: StaticTrigger | None = None,
    *,
    horizon: int,
    n_origins: int = 10,
    refit: bool = False,
    sp: int = 1,
    reference: Forecasts | None = None,
    y_clean: Any = None,
    variables: Sequence[Any] | None = None,
) -> dict[str, float]:
    """Measure a fitted forecaster on untouched and on triggered histories.

    Parameters
    ----------
    forecaster, y_train, y_test, trigger, horizon, n_origins, refit, variables
        As in :func:`rolling_forecasts`.
    sp, reference
        As in :func:`forecast_metrics`.
    y_clean : Series or DataFrame, default=None
        Training part before it was poisoned, for the units; None takes ``y_train``.

    Returns
    -------
    dict of str to float
        As :func:`forecast_metrics`.

    Examples
    --------
    >>> from robust_ts.forecasting import evaluate_forecasts
    >>> from sktime.datasets import load_airline
    >>> from sktime.forecasting.naive import NaiveForecaster
    >>> y = load_airline()
    >>> forecaster = NaiveForecaster(sp=12).fit(y[:108], fh=[1, 2, 3])
    >>> rates = evaluate_forecasts(forecaster, y[:108], y[108:], horizon=3, sp=12)
    >>> round(rates["clean_mase"], 1)
    1.2
    """
    forecasts = rolling_forecasts(
        forecaster,
        y_train,
        y_test,
        trigger,
        horizon=horizon,
        n_origins=n_origins,
        refit=refit,
        variables=variables,
    )
    units = y_train if y_clean is None else y_clean
    return forecast_metrics(forecasts, units, sp=sp, reference=reference)


def _each(metric: Any, truth: np.ndarray, forecast: np.ndarray) -> float:
    """Apply one of sktime's metrics to all origins, steps and variables."""
    n_variables = truth.shape[-1]
    return float(metric(truth.reshape(-1, n_variables), forecast.reshape(-1, n_variables)))


def _mase(truth: np.ndarray, forecast: np.ndarray, train: np.ndarray, sp: int) -> float:
    n_variables = truth.shape[-1]
    shaped = truth.reshape(-1, n_variables), forecast.reshape(-1, n_variables)
    return float(mean_absolute_scaled_error(*shaped, y_train=train, sp=sp))
