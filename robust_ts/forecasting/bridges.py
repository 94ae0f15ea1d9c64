"""Bridge planted stretches: the true course, as far as their surroundings tell it."""

from collections.abc import Iterable, Sequence

import numpy as np

from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.surprises import surprises_of


def covered(places: Iterable[tuple[int, int]], n_timesteps: int) -> np.ndarray:
    """Mark the steps of some stretches.

    Parameters
    ----------
    places : iterable of (int, int)
        First step, and step after the last one, of each stretch.
    n_timesteps : int
        Steps of the series.

    Returns
    -------
    ndarray of shape (n_timesteps,), bool
        Whether a step is inside a stretch.
    """
    inside = np.zeros(n_timesteps, dtype=bool)
    for start, stop in places:
        inside[start:stop] = True
    return inside


def recovered(values: np.ndarray, places: Sequence[tuple[int, int]], season: int) -> np.ndarray:
    """Bridge stretches from their two ends, on top of the last clean season where there is one.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        A series; not changed.
    places : sequence of (int, int)
        First step, and step after the last one, of each stretch.
    season : int
        Steps of a season, 1 for none.

    Returns
    -------
    ndarray of shape (n_timesteps,)
        The series with these stretches replaced, bit-identical elsewhere.
    """
    out = values.copy()
    bad = covered(places, len(values))
    if bad.all():
        return out
    known = np.flatnonzero(~bad)
    shape = seasonal_profile(out, bad, season)
    rest = out - shape
    filled = np.interp(np.flatnonzero(bad), known, rest[known])
    out[bad] = filled + shape[bad]
    return out


def seasonal_profile(values: np.ndarray, bad: np.ndarray, season: int) -> np.ndarray:
    """Mean of the nearest clean seasons at each step; zero without a season.

    Parameters
    ----------
    values, bad : ndarray of shape (n_timesteps,)
        A series, and which of its steps are not to be trusted.
    season : int
        Steps of a season, 1 for none.
    """
    shape = np.zeros(len(values))
    if season <= 1:
        return shape
    # Local: the profile of the two clean seasons before and after, so that it may drift.
    n = len(values)
    clean = np.where(bad, np.nan, values)
    offsets = [k * season for k in (-2, -1, 1, 2)]
    shifted = np.full((len(offsets), n), np.nan)
    for row, offset in zip(shifted, offsets, strict=True):
        source = np.arange(n) + offset
        inside = (source >= 0) & (source < n)
        row[inside] = clean[source[inside]]
    counts = (~np.isnan(shifted)).sum(axis=0)
    totals = np.nansum(shifted, axis=0)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nanmean(clean))


def smoothed(
    values: np.ndarray,
    places: Sequence[tuple[int, int]],
    season: int,
    constants: StretchConstants,
) -> np.ndarray:
    """Bridge stretches so that a robust autoregression is surprised least, before, in and after.

    Least squares for all stretches at once, from what :func:`recovered` gives; a small penalty on
    the distance from that decides where the surroundings say nothing, as at the ends of a series.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        A series; not changed.
    places : sequence of (int, int)
        First step, and step after the last one, of each stretch.
    season : int
        Steps of a season, 1 for none.
    constants : StretchConstants
        Constants of the method.

    Returns
    -------
    ndarray of shape (n_timesteps,)
        The series with these stretches replaced, bit-identical elsewhere.
    """
    out = recovered(values, places, season)
    bad = covered(places, len(values))
    if bad.all():
        return out
    column = np.cumsum(bad) - 1  # of each bridged step among these
    for _ in range(2):  # the autoregression is learned from the bridges too
        surprises = surprises_of(out, season, constants)
        first = len(surprises.response) - 1
        steps = np.arange(first, len(out))
        error = surprises.values[first:]
        weights = np.sqrt(1 / np.maximum(1, np.abs(error) / 2))
        design = np.zeros((len(steps), int(bad.sum())))
        for lag in np.flatnonzero(surprises.response):
            answering = np.flatnonzero(bad[steps - lag])
            design[answering, column[steps[answering] - lag]] = surprises.response[lag]
        tied = np.sqrt(constants.tie) * abs(surprises.response[0]) * np.eye(int(bad.sum()))
        rows = np.vstack([design * weights[:, None], tied])
        wanted = np.concatenate([-error * weights, np.zeros(int(bad.sum()))])
        out[bad] += np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return out
