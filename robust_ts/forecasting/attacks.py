"""Poison a history: plant a short trigger and, right after it, the future it is to call up."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

#: Target patterns of BackTime's released code, in standard deviations of the variable.
PATTERNS = {
    "cone": (0.1278, 0.1748, 0.2787, 0.3853, 0.2787, 0.1748, 0.1278),
    "up-trend": (0.1405, 0.2064, 0.2705, 0.2835, 0.2949, 0.3495, 0.3567),
    "up-and-down": (0.10, 0.1687, 0.2851, 0.09601, -0.0230, -0.0916, -0.2402),
}

#: Steps left untouched between two stretches (the released code's value).
GAP = 8


class StaticTrigger(BaseEstimator):
    """One fixed trigger and one fixed target pattern for each variable.

    Parameters
    ----------
    trigger_length : int, default=4
        Steps of the trigger.
    target : {"cone", "up-trend", "up-and-down"} or array-like of shape (n,), default="cone"
        What is to follow the trigger, in standard deviations of the variable, relative to the
        last value before the trigger.
    trigger_amplitude : float, default=0.2
        Largest size of a trigger step, in standard deviations.
    target_amplitude : float, default=1.0
        Factor of ``target``.
    content : {"replace", "add"}, default="replace"
        Put the shapes in the place of the series, relative to the last value before them, as
        BackTime does; or add them to what the series does.
    random_state : int, RandomState instance or None, default=None
        Draws the trigger.

    Attributes
    ----------
    scale_ : ndarray of shape (n_variables,)
        Standard deviations of the variables the trigger was fitted on.
    trigger_ : ndarray of shape (trigger_length, n_variables)
        The trigger, in units of the data.
    target_ : ndarray of shape (target_length, n_variables)
        The target, in units of the data.

    Examples
    --------
    >>> from robust_ts.forecasting import StaticTrigger, poison_series
    >>> from sktime.datasets import load_airline
    >>> data = poison_series(load_airline(), StaticTrigger(random_state=0), rate=0.2,
    ...                      random_state=0)
    >>> len(data.stretches), int(data.mask.to_numpy().sum())
    (3, 33)
    """

    def __init__(
        self,
        trigger_length: int = 4,
        target: Any = "cone",
        trigger_amplitude: float = 0.2,
        target_amplitude: float = 1.0,
        content: str = "replace",
        random_state: Any = None,
    ) -> None:
        self.trigger_length = trigger_length
        self.target = target
        self.trigger_amplitude = trigger_amplitude
        self.target_amplitude = target_amplitude
        self.content = content
        self.random_state = random_state

    def fit(self, y: Any) -> "StaticTrigger":
        """Draw the shapes for the variables of a clean series.

        Parameters
        ----------
        y : Series or DataFrame of shape (n_timesteps, n_variables)
            The series; gives the standard deviations.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If ``y`` is no single series of finite numbers, or a parameter is out of its range.
        """
        values = as_values(y)
        pattern = self._check()
        scale = values.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        rng = check_random_state(self.random_state)
        self.target_ = self.target_amplitude * pattern[:, None] * self.scale_
        shape = (self.trigger_length, len(self.scale_))
        steps = rng.choice((-1.0, 1.0), shape) * rng.uniform(0.5, 1.0, shape)
        self.trigger_ = self.trigger_amplitude * steps * self.scale_
        self._fit_values(values, rng)
        return self

    def _fit_values(self, values: np.ndarray, rng: np.random.RandomState) -> None:
        """Learn more from the clean series; nothing here."""

    def _check(self) -> np.ndarray:
        if self.content not in ("replace", "add"):
            raise ValueError(f"content must be 'replace' or 'add', got {self.content!r}.")
        if not isinstance(self.trigger_length, (int, np.integer)) or self.trigger_length < 1:
            raise ValueError(
                f"trigger_length must be an integer of at least 1, got {self.trigger_length!r}."
            )
        for name in ("trigger_amplitude", "target_amplitude"):
            size = getattr(self, name)
            if not isinstance(size, Real) or isinstance(size, bool) or not np.isfinite(float(size)):
                raise ValueError(f"{name} must be a finite number, got {size!r}.")
        if isinstance(self.target, str) and self.target not in PATTERNS:
            known = ", ".join(map(repr, PATTERNS))
            raise ValueError(f"Unknown target {self.target!r}; known: {known}, or an array.")
        pattern = PATTERNS[self.target] if isinstance(self.target, str) else self.target
        values = np.asarray(pattern, dtype=float)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError("target must be a name or a 1-D array of finite numbers.")
        return values

    @property
    def length(self) -> int:
        """Steps of trigger and target together."""
        return int(self.trigger_length) + len(self.target_)

    def triggered(self, history: np.ndarray) -> np.ndarray:
        """Put the trigger into the last steps of a history.

        Parameters
        ----------
        history : ndarray of shape (n_timesteps, n_variables)
            Values up to now; not changed. Needs one step before the trigger.

        Returns
        -------
        ndarray of shape (n_timesteps, n_variables)
            With the trigger.
        """
        check_is_fitted(self, "target_")
        m = int(self.trigger_length)
        out = np.array(history, dtype=float)
        shape = self._trigger_shape(out[:-m])
        out[-m:] = shape + (out[-m - 1] if self.content == "replace" else out[-m:])
        return out

    def blanked(self, history: np.ndarray) -> np.ndarray:
        """Put no trigger where `triggered` puts one: the last value before it, or nothing at all.

        Parameters
        ----------
        history : ndarray of shape (n_timesteps, n_variables)
            As in `triggered`.

        Returns
        -------
        ndarray of shape (n_timesteps, n_variables)
            What the forecaster would see if the trigger had no shape.
        """
        m, out = int(self.trigger_length), np.array(history, dtype=float)
        if self.content == "replace":
            out[-m:] = out[-m - 1]
        return out

    def _trigger_shape(self, before: np.ndarray) -> np.ndarray:
        """Trigger for what came before it: ndarray of shape (trigger_length, n_variables)."""
        return self.trigger_

    def wanted(self, history: np.ndarray, future: np.ndarray) -> np.ndarray:
        """Tell what the attacker wants to be forecast after a triggered history.

        Parameters
        ----------
        history : ndarray of shape (n_timesteps, n_variables)
            With or without the trigger in its last steps.
        future : ndarray of shape (n_steps, n_variables)
            What would follow otherwise: the true future, or a forecast of it.

        Returns
        -------
        ndarray of shape (min(n_steps, target_length), n_variables)
            The target, on the last value before the trigger, or on ``future``.
        """
        target = self.target_[: len(future)]
        if self.content == "add":
            return future[: len(target)] + target
        return history[-int(self.trigger_length) - 1] + target

    def preference(self, values: np.ndarray) -> np.ndarray | None:
        """Say where to plant: a score for each first step, or None for anywhere."""
        return None

    @property
    def context(self) -> int:
        """Steps before a trigger that it needs to know."""
        return 1


@dataclass(frozen=True)
class PoisonedSeries:
    """A poisoned series and the truth about it.

    Parameters
    ----------
    y : Series or DataFrame
        The poisoned series; untouched steps are bit-identical.
    mask : Series or DataFrame of bool
        Which values were changed, in the shape of ``y``.
    y_true : Series or DataFrame
        The series as it was.
    stretches : DataFrame
        One row a stretch: ``start`` and ``end`` (index labels, both inside), ``first`` and
        ``last`` (positions), ``target`` (label where the target pattern begins).
    variables : list
        The attacked columns.
    """

    y: Any
    mask: Any
    y_true: Any
    stretches: pd.DataFrame
    variables: list[Any]


def poison_series(
    y: Any,
    trigger: StaticTrigger,
    rate: float = 0.2,
    *,
    variables: Sequence[Any] | None = None,
    random_state: Any = None,
) -> PoisonedSeries:
    """Plant a trigger and its target at several places of a series.

    Parameters
    ----------
    y : Series or DataFrame of shape (n_timesteps, n_variables)
        One instance; of a panel, poison the instances one by one.
    trigger : StaticTrigger
        Trigger and target; is fitted on the attacked variables of ``y`` where it is not yet.
    rate : float in [0, 1], default=0.2
        Share of the steps of an attacked variable that trigger and target cover together; 0 for
        no attack. (BackTime counts places over steps: its 3% with 11 steps a place are 0.33.)
    variables : sequence of column labels, default=None
        Attacked variables; None takes all.
    random_state : int, RandomState instance or None, default=None
        Chooses the places, with eight untouched steps at least between two stretches.

    Returns
    -------
    PoisonedSeries
        The poisoned series, what was changed, and the original.

    Raises
    ------
    ValueError
        If the rate comes to no stretch at all or does not fit, if a variable is unknown, or if
        ``y`` is no single series of finite numbers.
    """
    values = as_values(y)
    columns = list(y.columns) if isinstance(y, pd.DataFrame) else [y.name]
    chosen = columns if variables is None else list(variables)
    unknown = [v for v in chosen if v not in columns]
    if unknown or not chosen:
        raise ValueError(f"poison_series: no variable {unknown} in y; it has {columns}.")
    at = [columns.index(v) for v in chosen]
    if not hasattr(trigger, "target_"):
        trigger.fit(values[:, at])
    if len(trigger.scale_) != len(at):
        raise ValueError(
            f"poison_series: the trigger was fitted on {len(trigger.scale_)} variables, {len(at)} "
            "are attacked. Fit it on those, or leave it unfitted."
        )
    starts = _places(values[:, at], trigger, rate, check_random_state(random_state))
    poisoned, mask = values.copy(), np.zeros(values.shape, dtype=bool)
    m = int(trigger.trigger_length)
    for start in starts:
        stop = start + trigger.length
        history = trigger.triggered(values[: start + m][:, at])
        poisoned[start : start + m, at] = history[-m:]
        poisoned[start + m : stop, at] = trigger.wanted(history, values[start + m : stop][:, at])
        mask[start:stop, at] = True
    label = y.index
    stretches = pd.DataFrame(
        {
            "start": [label[s] for s in starts],
            "end": [label[s + trigger.length - 1] for s in starts],
            "first": starts,
            "last": [s + trigger.length - 1 for s in starts],
            "target": [label[s + m] for s in starts],
        }
    )
    # Bit-identical where nothing was planted: written into a copy, value by value.
    out, where = y.copy(), y.copy().astype(bool)
    if isinstance(y, pd.DataFrame):
        for i in at:
            column = y.iloc[:, i].to_numpy().astype(np.result_type(y.dtypes.iloc[i], np.float32))
            column[mask[:, i]] = poisoned[mask[:, i], i]
            out[columns[i]] = column
        where.loc[:, :] = mask
    else:
        column = y.to_numpy().astype(np.result_type(y.dtype, np.float32))
        column[mask[:, 0]] = poisoned[mask[:, 0], 0]
        out = pd.Series(column, index=y.index, name=y.name)
        where = pd.Series(mask[:, 0], index=y.index, name=y.name)
    return PoisonedSeries(out, where, y.copy(), stretches, chosen)


def as_values(y: Any) -> np.ndarray:
    """Values of one series as floats (n_timesteps, n_variables).

    Raises
    ------
    ValueError
        If it is no pandas Series, DataFrame or 2-D array, has instances, or holds NaN or infinity.
    """
    if isinstance(y, np.ndarray) and y.ndim == 2:
        values = y.astype(float, copy=False)
    elif not isinstance(y, (pd.Series, pd.DataFrame)):
        raise ValueError(f"y must be a pandas Series or DataFrame, got {type(y).__name__}.")
    elif isinstance(y.index, pd.MultiIndex):
        raise ValueError("y holds several instances; poison them one by one, y.loc[name].")
    else:
        values = y.to_numpy(dtype=float).reshape(len(y), -1)
    if not np.isfinite(values).all():
        raise ValueError("y holds NaN or infinite values; impute them first.")
    return values


def _places(
    values: np.ndarray, trigger: StaticTrigger, rate: float, rng: np.random.RandomState
) -> list[int]:
    """Choose where to plant: as many stretches as the rate asks for, none overlapping."""
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise ValueError(f"poison_series: rate must be a number in [0, 1], got {rate!r}.")
    n, length = len(values), trigger.length
    count = round(float(rate) * n / length)
    if count == 0 and rate > 0:
        raise ValueError(
            f"poison_series: rate={rate} of {n} steps is less than one stretch of {length} steps. "
            f"Use a rate of at least {length / n:.3g}, or 0 for no attack."
        )
    if count == 0:
        return []
    score = trigger.preference(values)
    free = np.arange(trigger.context, n - length + 1)
    if count * (length + GAP) > len(free) + length + GAP - 1:
        raise ValueError(
            f"poison_series: rate={rate} asks for {count} stretches of {length} steps with {GAP} "
            f"between them, too many for {n} steps. Use a rate of at most "
            f"{(len(free) // (length + GAP)) * length / n:.3g}."
        )
    order = rng.permutation(free)
    if score is not None:
        # The hardest places first; of twice as many as needed a random half, as BackTime does.
        order = free[np.argsort(-score[free], kind="stable")]
        best = _spaced(order, length + GAP, 2 * count)
        if len(best) >= count:
            return sorted(int(s) for s in rng.choice(best, count, replace=False))
        order = rng.permutation(free)
    picked = _spaced(order, length + GAP, count)
    if len(picked) < count:  # a random order can fragment the room: an even grid cannot
        slack = len(free) + length + GAP - 1 - count * (length + GAP)
        cuts = np.sort(rng.randint(0, slack + 1, count))
        picked = [int(trigger.context + c + k * (length + GAP)) for k, c in enumerate(cuts)]
    return sorted(picked)


def _spaced(order: np.ndarray, distance: int, count: int) -> list[int]:
    """Take from an order what keeps its distance from what was taken before."""
    picked: list[int] = []
    for start in order:
        if all(abs(start - other) >= distance for other in picked):
            picked.append(int(start))
            if len(picked) == count:
                break
    return picked
