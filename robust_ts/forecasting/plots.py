"""Pictures of a forecast and of a report. Matplotlib is imported through one place only."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd

from robust_ts.evaluation.plots import CLEAN, NATURAL, POISONED, UNCERTAIN, _new_figure


def plot_stretches(report: Any, ax: Any = None) -> Any:
    """Draw the history of the first instance with its stretches shaded.

    Parameters
    ----------
    report : StretchReport
        The report of a fitted forecaster.
    ax : matplotlib Axes, default=None
        Where to draw; a new figure where None.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. Variables are drawn above each other, each in its own unit.
    """
    history, instance = report.history, ()
    if isinstance(history.index, pd.MultiIndex):
        first = history.index.droplevel(-1)[0]
        history, instance = history.loc[first], first
    if ax is None:
        ax = _new_figure(9.0, 1.2 + 1.3 * history.shape[1])[1]
    colors = {"poisoned": POISONED, "uncertain": UNCERTAIN}
    shown: set[str] = set()
    for level, column in enumerate(history.columns):
        values = history[column].to_numpy(dtype=float)
        unit = (values - values.mean()) / (4 * (values.std() or 1.0)) - level
        at = _positions(history.index)
        ax.plot(at, unit, color=CLEAN, linewidth=0.8)
        for row in report.rows:
            if row["variable"] != column or row["instance"] != instance:
                continue
            inside = slice(*history.index.slice_locs(row["start"], row["end"]))
            label = None if row["verdict"] in shown else row["verdict"]
            shown.add(row["verdict"])
            color = colors[row["verdict"]]
            ax.plot(at[inside], unit[inside], color=color, linewidth=1.8, label=label)
            ax.axvspan(at[inside][0], at[inside][-1], color=color, alpha=0.12, linewidth=0)
    ax.set_yticks(-np.arange(history.shape[1]), [str(c) for c in history.columns])
    ax.set(xlabel="time", title="History, and the stretches that look planted")
    if shown:
        ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


def plot_forecasts(
    past: pd.Series,
    truth: pd.Series,
    forecasts: Mapping[str, pd.Series],
    wanted: pd.Series | None = None,
    interval: pd.DataFrame | None = None,
    ax: Any = None,
) -> Any:
    """Draw what was seen, what followed, what was forecast and what the attacker wanted.

    Parameters
    ----------
    past, truth : Series
        Before and after the cutoff.
    forecasts : mapping of str to Series
        By name of the method; drawn in order, in three colors in turn.
    wanted : Series, default=None
        The attacker's future.
    interval : DataFrame with two columns, default=None
        Lower and upper end, shaded.
    ax : matplotlib Axes, default=None
        Where to draw; a new figure where None.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    if ax is None:
        ax = _new_figure(7.5, 3.6)[1]
    ax.plot(_positions(past.index), past.to_numpy(), color="black", linewidth=1, label="history")
    ax.plot(_positions(truth.index), truth.to_numpy(), "k:", linewidth=1.5, label="truth")
    if interval is not None:
        at = _positions(interval.index)
        low, high = (interval.iloc[:, k].to_numpy() for k in (0, 1))
        ax.fill_between(at, low, high, color=CLEAN, alpha=0.15, linewidth=0)
    colors = cycle((UNCERTAIN, CLEAN, NATURAL))
    for (name, forecast), color in zip(forecasts.items(), colors, strict=False):
        ax.plot(_positions(forecast.index), forecast.to_numpy(), color=color, lw=2, label=name)
    if wanted is not None:
        at = _positions(wanted.index)
        ax.plot(at, wanted.to_numpy(), color=POISONED, ls="--", label="attacker's wish")
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    if isinstance(past.index, (pd.DatetimeIndex, pd.PeriodIndex)):
        ax.tick_params(axis="x", rotation=25)
    return ax


def _positions(index: pd.Index) -> Any:
    """Give what an axis can show: periods as dates."""
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
