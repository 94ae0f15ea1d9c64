"""What a robust autoregression did not foresee, and how it answers to a shape that is added."""

from dataclasses import dataclass

import numpy as np

from robust_ts.forecasting.constants import StretchConstants


@dataclass(frozen=True)
class Surprises:
    """What was not foreseen of a series.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        Errors of the autoregression in units of its usual error; 0 where there is too little past.
    response : ndarray of shape (n_lags,)
        What adding 1 to one step of the series adds to the surprise of that step and of the
        next ones.
    """

    values: np.ndarray
    response: np.ndarray

    def answers(self, n_steps: int) -> np.ndarray:
        """Surprises that each step of an added shape makes: ndarray (n_steps, n_steps)."""
        lags = np.arange(n_steps)[:, None] - np.arange(n_steps)
        known = (lags >= 0) & (lags < len(self.response))
        return np.where(known, self.response[np.clip(lags, 0, len(self.response) - 1)], 0.0)


def surprises_of(values: np.ndarray, season: int, constants: StretchConstants) -> Surprises:
    """Fit a robust autoregression to a series and tell its errors.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        A series.
    season : int
        Steps of a season, 1 for none; two seasons are looked back on.
    constants : StretchConstants
        Constants of the method.
    """
    lags = list(range(1, constants.order + 1))
    if season > 1:
        lags = sorted({*lags, season, season + 1, 2 * season})
    lags = [lag for lag in lags if lag <= len(values) // 4] or [1]
    first = lags[-1]
    past = _past(values, lags, np.arange(first, len(values)))
    last = past[:, 0]
    design = np.column_stack([past[:, 1:] - last[:, None], np.ones(len(last))])
    change = values[first:] - last
    weights = np.ones(len(change))
    error, usual, known = change, 1.0, np.zeros(len(lags))
    for _ in range(
        constants.robust_steps
    ):  # Huber's weights: planted steps must not fit themselves
        weighted = design * weights[:, None]
        gram = weighted.T @ design
        gram += (1e-8 * np.trace(gram) + 1e-300) * np.eye(len(gram))
        known = np.linalg.solve(gram, weighted.T @ change)
        error = change - design @ known
        usual = 1.4826 * float(np.median(np.abs(error)))
        usual = max(usual, 1e-9 * float(np.abs(values).max()), 1e-300)
        weights = 1 / np.maximum(1, np.abs(error) / (2 * usual))
    response = np.zeros(first + 1)
    response[0], response[1] = 1.0, known[:-1].sum() - 1.0
    for lag, weight in zip(lags[1:], known[:-1], strict=True):
        response[lag] -= weight
    early = _early(values, lags, season, known, constants)
    return Surprises(np.concatenate([early, error]) / usual, response / usual)


def _past(values: np.ndarray, lags: list[int], steps: np.ndarray) -> np.ndarray:
    return np.stack([values[steps - lag] for lag in lags], axis=1)


def _early(
    values: np.ndarray, lags: list[int], season: int, known: np.ndarray, constants: StretchConstants
) -> np.ndarray:
    """Errors before the first whole past: the next seasons stand in for those before.

    Without them whatever is planted in the first two seasons would stay unseen.
    """
    out = np.zeros(lags[-1])
    steps = np.arange(min(constants.order, lags[-1]), lags[-1])
    if len(steps) == 0 or steps[-1] + lags[-1] >= len(values):
        return out
    # A season and one step back becomes a season ahead, less one step.
    ahead = [
        lag if lag <= constants.order else (2 - lag if lag == season + 1 else -lag) for lag in lags
    ]
    past = _past(values, ahead, steps)
    design = np.column_stack([past[:, 1:] - past[:, :1], np.ones(len(steps))])
    out[steps] = values[steps] - past[:, 0] - design @ known
    return out
