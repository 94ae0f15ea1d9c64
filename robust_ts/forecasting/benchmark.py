"""The benchmark of the forecasters: real series, attacks, rivals, seeds; one row a run.

``robust-ts bench forecasting`` runs it; finished runs are kept in the rows file and not run again.
"""

import json
import platform
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from robust_ts import __version__
from robust_ts.evaluation.benchmark import one_thread, open_rows, read_rows
from robust_ts.forecasting.attacks import PoisonedSeries, StaticTrigger, poison_series
from robust_ts.forecasting.generated import GeneratedTrigger
from robust_ts.forecasting.metrics import (
    Forecasts,
    forecast_metrics,
    interval_coverage,
    rolling_forecasts,
)
from robust_ts.forecasting.series import load_series
from robust_ts.forecasting.tables import ATTACKS, METHODS, tables

__all__ = ["ATTACKS", "METHODS", "ForecastRun", "execute", "list_runs", "run_benchmark", "tables"]

#: Share of the steps that trigger and target cover.
RATE = 0.2

#: The budget of BackTime's paper, of the attack of that name: 3% of the steps begin one of 11
#: steps, in 30% of the variables. Not among the attacks that are run unasked.
BACKTIME, BACKTIME_RATE, BACKTIME_VARIABLES = "backtime", 0.33, 0.3


@dataclass(frozen=True)
class Setting:
    """How a series is forecast: the same for all methods."""

    lookback: int
    horizon: int
    season: int
    n_test: int


#: Of series cut to what one core can do: the last 1500 days of four currencies, four series of the
#: illness data, and eight of the hourly series of full length.
SETTINGS = {
    "exchange-rate": Setting(24, 8, 1, 200),
    "national-illness": Setting(36, 12, 1, 150),
    "m4-hourly": Setting(48, 12, 24, 120),
}

#: The data that the constants of the defense were set on. Of the same sources, never used for that:
TUNED = tuple(SETTINGS)
HELD_OUT = tuple(f"{name}-held-out" for name in TUNED)
SETTINGS.update({h: SETTINGS[t] for h, t in zip(HELD_OUT, TUNED, strict=True)})


@dataclass(frozen=True)
class ForecastRun:
    """One fit of one method."""

    dataset: str
    attack: str
    method: str
    seed: int
    epochs: int = 20
    n_origins: int = 10

    @property
    def key(self) -> str:
        """Identify the run in a file of results."""
        return json.dumps(asdict(self), sort_keys=True)


def make_trigger(attack: str, seed: int, lookback: int) -> StaticTrigger:
    """Build the trigger of an attack.

    Raises
    ------
    ValueError
        If there is no attack of that name.
    """
    if attack in ("none", "static"):
        return StaticTrigger(random_state=seed)
    if attack in ("generated", BACKTIME):
        return GeneratedTrigger(lookback=lookback, random_state=seed)
    if attack == "added":
        return StaticTrigger(
            content="add", trigger_amplitude=0.4, target_amplitude=2.0, random_state=seed
        )
    raise ValueError(f"Unknown attack {attack!r}; known: {', '.join(ATTACKS)}, {BACKTIME}.")


def make_forecaster(method: str, setting: Setting, seed: int, epochs: int) -> tuple[Any, bool]:
    """Build a forecaster, and say whether it has to be fitted again at every origin.

    Raises
    ------
    ValueError
        If there is no method of that name.
    """
    from robust_ts.forecasting import E2ABLForecaster, NeuralForecaster

    ours: dict[str, Any] = {
        "window_length": setting.lookback,
        "sp": setting.season,
        "epochs": epochs,
        "random_state": seed,
    }
    if method == "undefended":
        return NeuralForecaster(**ours), False
    if method == "e2abl":
        return E2ABLForecaster(**ours), False
    if method == "boosting":
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
        from sktime.transformations.series.difference import Differencer

        trees = HistGradientBoostingRegressor(max_iter=30, random_state=seed)
        reduction = make_reduction(trees, window_length=setting.lookback)
        if setting.season > 1:  # such series keep their level; differences did worse
            return reduction, False
        # Trees cannot leave the range of levels they were fitted on; changes they can forecast.
        steps = [("difference", Differencer()), ("trees", reduction)]
        return TransformedTargetForecaster(steps), True
    if method == "ets":
        from sktime.forecasting.exp_smoothing import ExponentialSmoothing

        seasonal: dict[str, Any] = {"seasonal": "add", "sp": setting.season}
        return ExponentialSmoothing(**(seasonal if setting.season > 1 else {})), True
    raise ValueError(f"Unknown method {method!r}; known: {', '.join(METHODS)}.")


def _rate(attack: str) -> float:
    return {"none": 0.0, BACKTIME: BACKTIME_RATE}.get(attack, RATE)


@lru_cache(maxsize=4)
def _attacked(dataset: str, attack: str, seed: int) -> tuple[StaticTrigger, PoisonedSeries]:
    """Trigger and poisoned history of a run; the same for all methods."""
    setting = SETTINGS[dataset]
    train = load_series(dataset)[: -setting.n_test]
    variables = list(train)
    if attack == BACKTIME:
        count = max(1, round(BACKTIME_VARIABLES * len(variables)))
        drawn = np.random.default_rng(seed).choice(len(variables), count, replace=False)
        variables = [variables[i] for i in sorted(drawn)]
    trigger = make_trigger(attack, seed, setting.lookback).fit(train[variables])
    data = poison_series(train, trigger, _rate(attack), variables=variables, random_state=seed)
    return trigger, data


@lru_cache(maxsize=4)
def _trained_clean(dataset: str, method: str, seed: int, epochs: int) -> tuple[Any, bool]:
    """Forecaster fitted on the clean history; the same for all attacks."""
    setting = SETTINGS[dataset]
    forecaster, refit = make_forecaster(method, setting, seed, epochs)
    train = load_series(dataset)[: -setting.n_test]
    return forecaster.fit(train, fh=list(range(1, setting.horizon + 1))), refit


@lru_cache(maxsize=8)
def _reference(dataset: str, attack: str, method: str, run: ForecastRun) -> Forecasts:
    """Forecasts of the same method trained on the clean history."""
    setting = SETTINGS[dataset]
    y = load_series(dataset)
    train, test = y[: -setting.n_test], y[-setting.n_test :]
    forecaster, refit = _trained_clean(dataset, method, run.seed, run.epochs)
    trigger, data = _attacked(dataset, attack, run.seed)
    return rolling_forecasts(
        forecaster,
        train,
        test,
        trigger,
        horizon=setting.horizon,
        n_origins=run.n_origins,
        refit=refit,
        variables=data.variables,
    )


@one_thread()
def execute(run: ForecastRun) -> dict[str, Any]:
    """Do one run: fit on the attacked history, forecast with and without the trigger.

    Returns
    -------
    dict
        What repeats the run, the metrics, the same metrics of the method trained on the clean
        history (``reference_...``), and for E2ABL the detection.
    """
    setting = SETTINGS[run.dataset]
    y = load_series(run.dataset)
    train, test = y[: -setting.n_test], y[-setting.n_test :]
    trigger, data = _attacked(run.dataset, run.attack, run.seed)
    reference = _reference(run.dataset, run.attack, run.method, run)
    forecaster, refit = make_forecaster(run.method, setting, run.seed, run.epochs)
    start = time.perf_counter()
    forecaster.fit(data.y, fh=list(range(1, setting.horizon + 1)))
    seconds = time.perf_counter() - start
    forecasts = rolling_forecasts(
        forecaster,
        data.y,
        test,
        trigger,
        horizon=setting.horizon,
        n_origins=run.n_origins,
        refit=refit,
        variables=data.variables,
        blank=False,
    )
    ours = forecast_metrics(forecasts, train, sp=setting.season, reference=reference)
    clean = forecast_metrics(reference, train, sp=setting.season, reference=reference)
    row = {
        **asdict(run),
        "rate": _rate(run.attack),
        "n_steps": len(train),
        "n_variables": train.shape[1],
        "n_stretches": len(data.stretches),
        **ours,
        **{f"reference_{name}": value for name, value in clean.items()},
        "seconds": seconds,
        "robust_ts": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    if run.attack == "none" and run.method in METHODS[:2]:
        row["coverage_80"] = interval_coverage(
            forecaster, test, horizon=setting.horizon, n_origins=run.n_origins
        )
    if hasattr(forecaster, "report_"):
        row.update(_detection(forecaster.report_, data))
    return row


def _detection(report: Any, data: PoisonedSeries) -> dict[str, float]:
    """Precision and recall over the steps of the history; nan where nothing can be counted."""
    found = pd.DataFrame(False, index=data.mask.index, columns=data.mask.columns)
    for row in report.rows:
        if row["verdict"] == "poisoned":
            found.loc[row["start"] : row["end"], row["variable"]] = True
    both = float((found & data.mask).to_numpy().sum())
    n_found, n_true = float(found.to_numpy().sum()), float(data.mask.to_numpy().sum())
    return {
        "precision": both / n_found if n_found else float("nan"),
        "recall": both / n_true if n_true else float("nan"),
        "found_share": n_found / found.size,
    }


def list_runs(
    datasets: Sequence[str] = TUNED,
    attacks: Sequence[str] = ATTACKS,
    methods: Sequence[str] = METHODS,
    seeds: Sequence[int] = (0, 1, 2),
    epochs: int = 20,
) -> list[ForecastRun]:
    """List the runs.

    Raises
    ------
    ValueError
        If there is no data set, attack or method of a name.
    """
    for given, known, what in (
        (datasets, SETTINGS, "data set"),
        (attacks, (*ATTACKS, BACKTIME), "attack"),
        (methods, METHODS, "method"),
    ):
        for name in given:
            if name not in known:
                raise ValueError(f"Unknown {what} {name!r}; known: {', '.join(known)}.")
    return [
        ForecastRun(d, a, m, s, epochs)
        for d in datasets
        for s in seeds
        for a in attacks
        for m in methods
    ]


def run_benchmark(
    runs: Sequence[ForecastRun], path: str | Path, *, progress: bool = True
) -> list[dict[str, Any]]:
    """Do the runs that are not in the file yet, append their rows, and return all rows of the runs.

    Parameters
    ----------
    runs : sequence of ForecastRun
        What to run.
    path : path
        Results file, JSON lines; made where missing.
    progress : bool, default=True
        Show a bar with the time left.
    """
    runs = _runnable(runs)
    done = {_key(row) for row in read_rows(path)}
    with open_rows(path) as append:
        for run in tqdm([r for r in runs if r.key not in done], disable=not progress):
            append([execute(run)])
    wanted = {run.key for run in runs}
    return [row for row in read_rows(path) if _key(row) in wanted]


def rows_of(runs: Sequence[ForecastRun], path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of some runs, whatever their epochs and origins.

    Parameters
    ----------
    runs : sequence of ForecastRun
        Which data sets, attacks, methods and seeds are wanted.
    path : path
        Results file, JSON lines.

    Raises
    ------
    ValueError
        If there are none.
    """
    wanted = {(run.dataset, run.attack, run.method, run.seed) for run in runs}
    every = read_rows(path)
    rows = [r for r in every if (r["dataset"], r["attack"], r["method"], r["seed"]) in wanted]
    if not rows:
        raise ValueError(f"{path} has no row of these runs, of {len(every)} rows.")
    return rows


def _runnable(runs: Sequence[ForecastRun]) -> list[ForecastRun]:
    """Leave out, with a warning, what lacks its library."""
    if find_spec("statsmodels") is not None or all(run.method != "ets" for run in runs):
        return list(runs)
    warnings.warn(
        "The method 'ets' is skipped: it needs statsmodels: pip install \".[bench]\" in "
        "the clone of robust_ts.",
        stacklevel=3,
    )
    return [run for run in runs if run.method != "ets"]


def _key(row: dict[str, Any]) -> str:
    return ForecastRun(**{name: row[name] for name in ForecastRun.__dataclass_fields__}).key
