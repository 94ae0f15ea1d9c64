"""From sktime's data frames to tracks and back."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sktime.datatypes import get_cutoff

from robust_ts.forecasting.windows import Track


def instances(frame: pd.DataFrame) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """Walk over the instances of a data frame: name and part with a flat time index."""
    if not isinstance(frame.index, pd.MultiIndex):
        yield (), frame
        return
    levels = list(range(frame.index.nlevels - 1))
    for name, part in frame.groupby(level=levels, sort=False):
        key = name if isinstance(name, tuple) else (name,)
        yield key, part.droplevel(levels)


def tracks_of(y: pd.DataFrame, X: pd.DataFrame | None) -> list[Track]:
    """Split a data frame into tracks: instance by instance, variable by variable.

    Parameters
    ----------
    y : DataFrame
        Series, with a flat index or with instances in the upper levels.
    X : DataFrame or None
        Exogenous variables over the same instances, for the same steps or more. Steps that are
        missing get the last known values.

    Returns
    -------
    list of Track
        In the order of the instances and columns.
    """
    parts = {} if X is None else dict(instances(X))
    tracks = []
    for name, part in instances(y):
        known = np.empty((len(part), 0))
        if X is not None:
            times = part.index
            ahead = parts[name].index
            known_frame = parts[name].reindex(times.append(ahead[ahead > times[-1]]))
            known = known_frame.ffill().bfill().to_numpy(dtype=float)
        tracks += [
            Track(part[column].to_numpy(dtype=float), known, (*name, column)) for column in part
        ]
    return tracks


def _check_regular(y: pd.DataFrame) -> None:
    """Refuse series with gaps or of mixed frequency: a window counts steps, not time."""
    seen: tuple[str, str] | None = None
    for name, part in instances(y):
        where = f" of instance {name}" if name else ""
        gap = _first_gap(part.index)
        if gap is not None:
            raise ValueError(
                f"y{where} is not regular in time: after {part.index[gap]} comes "
                f"{part.index[gap + 1]}. "
                "Windows count steps, so every step must be there and of the same length; "
                "resample or fill the gaps first, for example with y.asfreq(...).interpolate()."
            )
        frequency = _frequency(part.index)
        if pd.api.types.is_integer_dtype(part.index) and frequency != "1":
            raise ValueError(
                f"The index of y{where} goes in steps of {frequency}, the horizons of sktime in "
                "steps of 1. Use dates, or number the steps, as y.reset_index(drop=True) does."
            )
        if seen is not None and frequency != seen[1]:
            raise ValueError(
                f"y mixes frequencies: instance {seen[0]} has steps of {seen[1]!r}, instance "
                f"{name} of {frequency!r}. One network forecasts all instances step by step; "
                "resample them to one frequency, or fit a forecaster for each frequency."
            )
        seen = (str(name), frequency)


def check_data(y: pd.DataFrame, X: pd.DataFrame | None) -> None:
    """Refuse what windows cannot be cut from: gaps, mixed frequencies, infinite values.

    Raises
    ------
    ValueError
        Names the place, and what to do.
    """
    _check_regular(y)
    for frame, what in ((y, "y"), (X, "X")):
        if frame is None:
            continue
        for column in frame:
            infinite = np.flatnonzero(np.isinf(frame[column].to_numpy(dtype=float)))
            if len(infinite):
                raise ValueError(
                    f"{what} has an infinite value in {column!r} at {frame.index[infinite[0]]}. "
                    "Replace such values first."
                )


def _first_gap(index: pd.Index) -> int | None:
    """Position before the first irregular step, or None."""
    if isinstance(index, pd.DatetimeIndex):
        if len(index) < 3 or index.freq is not None or pd.infer_freq(index) is not None:
            return None
        steps = np.diff(index.asi8)
    elif isinstance(index, pd.PeriodIndex):
        steps = np.diff(index.asi8)
    else:
        steps = np.diff(index.to_numpy())
    usual = np.sort(steps)[len(steps) // 2] if len(steps) else 0
    odd = np.flatnonzero(steps != usual)
    return int(odd[0]) if len(odd) else None


def _frequency(index: pd.Index) -> str:
    """Name the step of a regular index: a frequency of pandas, or a number."""
    if isinstance(index, pd.PeriodIndex):
        return str(index.freqstr)
    if isinstance(index, pd.DatetimeIndex):
        known = index.freqstr if index.freq is not None or len(index) < 3 else pd.infer_freq(index)
        return str(known)
    return str(index[1] - index[0]) if len(index) > 1 else "1"


def ends_of(y: pd.DataFrame) -> list[pd.Index]:
    """Last time of each instance, as an index of length 1 that keeps the frequency."""
    return [get_cutoff(part, return_index=True) for _, part in instances(y)]


def as_frame(
    values: np.ndarray, y: pd.DataFrame, times: Sequence[pd.Index], columns: pd.Index
) -> pd.DataFrame:
    """Put forecasts of shape (n_tracks, n_times, n_outputs) into a data frame.

    Parameters
    ----------
    values : ndarray of shape (n_tracks, n_times, n_outputs)
        Tracks in the order of `tracks_of`.
    y : DataFrame
        The data that the tracks are of.
    times : sequence of Index of length n_times
        Forecast times of each instance.
    columns : Index of length n_variables * n_outputs
        Columns, variable by variable.

    Returns
    -------
    DataFrame
        Rows instance by instance, in order of time.
    """
    table = as_table(values, y).reshape(-1, len(columns))
    return pd.DataFrame(table, index=index_of(y, times), columns=columns)


def as_table(values: np.ndarray, y: pd.DataFrame) -> np.ndarray:
    """Turn (n_tracks, n_times, n_outputs) into rows: (n_rows, n_variables, n_outputs)."""
    n_variables, (n_times, n_outputs) = y.shape[1], values.shape[1:]
    shaped = values.reshape(-1, n_variables, n_times, n_outputs)
    return shaped.transpose(0, 2, 1, 3).reshape(-1, n_variables, n_outputs)


def index_of(y: pd.DataFrame, times: Sequence[pd.Index]) -> pd.Index:
    """Index of forecasts for some times of each instance, instance by instance."""
    if not isinstance(y.index, pd.MultiIndex):
        return times[0]
    names = [name for name, _ in instances(y)]
    tuples = [(*name, t) for name, own in zip(names, times, strict=True) for t in own]
    return pd.MultiIndex.from_tuples(tuples, names=y.index.names)
