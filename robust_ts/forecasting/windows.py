"""Series cut into windows: what the network sees, and how its future is expressed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Track:
    """One variable of one instance, over time.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        The series.
    exogenous : ndarray of shape (n_timesteps or more, n_exogenous)
        Exogenous variables, from the same first step on; known further into the future where the
        forecast needs it.
    name : tuple
        Labels of the instance, then of the variable.
    """

    values: np.ndarray
    exogenous: np.ndarray
    name: tuple = ()

    def with_values(self, values: np.ndarray) -> "Track":
        """Return the same track with other values."""
        return replace(self, values=values)


@dataclass(frozen=True)
class WindowSpec:
    """How windows are cut and put into numbers.

    Each window is expressed by its own level and scale, so that one network serves series of
    different size: the lookback relative to its last value, the future relative to a naive
    forecast (the last value, or the last season where ``season`` is above 1).

    Parameters
    ----------
    lookback, horizon : int
        Steps that are seen, steps that are forecast.
    season : int, default=1
        Steps of a season.
    """

    lookback: int
    horizon: int
    season: int = 1

    def naive(self, past: np.ndarray) -> np.ndarray:
        """Forecast the last value or the last season: ndarray of shape (n, horizon)."""
        steps = np.arange(self.horizon) % self.season
        return past[:, past.shape[1] - self.season + steps]

    def scale(self, past: np.ndarray, typical: float) -> np.ndarray:
        """Give the unit of each window's future: ndarray of shape (n,).

        The spread of the window, or, with a season, how much one season differs from the next.
        ``typical`` keeps windows without any variation from dividing by nothing.
        """
        if self.season == 1:
            return past.std(axis=1) + typical
        return np.abs(self._seasonal(past)).mean(axis=1) + 0.1 * typical

    def typical(self, values: np.ndarray) -> float:
        """Mean absolute (seasonal) difference of a series; 1 for a constant one."""
        step = min(self.season, max(1, len(values) - 1))
        change = float(np.abs(values[step:] - values[:-step]).mean()) if len(values) > 1 else 0.0
        size = float(np.abs(values).max())
        return change if change > 1e-9 * size else max(size, 1.0)

    def channels(self, past: np.ndarray, typical: float) -> np.ndarray:
        """Express lookbacks (n, lookback) as channels: ndarray of shape (n, 1 or 2, lookback)."""
        spread = past.std(axis=1) + typical
        level = (past - past[:, -1:]) / spread[:, None]
        if self.season == 1:
            return level[:, None]
        change = self._seasonal(past) / self.scale(past, typical)[:, None]
        padded = np.pad(change, ((0, 0), (self.season, 0)))
        return np.stack([level, padded], axis=1)

    def _seasonal(self, past: np.ndarray) -> np.ndarray:
        return past[:, self.season :] - past[:, : -self.season]


def choose_window(asked: int | None, sp: int, n_timesteps: int, horizon: int) -> WindowSpec:
    """Choose the lookback and check that there are windows to learn from.

    Parameters
    ----------
    asked : int or None
        The lookback that was asked for; None takes twice the horizon or the season.
    sp : int
        Steps of a season.
    n_timesteps, horizon : int
        Steps of the shortest series, and to forecast.

    Raises
    ------
    ValueError
        If the series is too short for the lookback, or the lookback for the season.
    """
    lookback = int(asked) if asked is not None else max(2 * horizon, 2 * sp, 8)
    if asked is None:  # leave half of a short series to learn from
        lookback = min(lookback, max(1, (n_timesteps - horizon) // 2))
    if sp > 1 and lookback <= sp:
        reason = f"window_length={lookback} must be above sp={sp}: a season and one step more"
        if asked is not None:
            raise ValueError(f"{reason}. Use window_length={2 * sp}, or sp=1.")
        raise ValueError(
            f"The series has {n_timesteps} steps, too few for sp={sp} and a horizon of "
            f"{horizon}: {reason}. Give a longer history, or sp=1."
        )
    n_windows = n_timesteps - lookback - horizon + 1
    if n_windows < 2:
        raise ValueError(
            f"The history is too short: {n_timesteps} steps hold {max(0, n_windows)} windows "
            f"of window_length={lookback} and a horizon of {horizon}, at least 2 are needed. "
            f"Give {lookback + horizon + 1} steps or more, or a smaller window_length."
        )
    return WindowSpec(lookback, horizon, sp)


@dataclass(frozen=True)
class Windows:
    """Windows of many tracks, in the order of the tracks and of time.

    Parameters
    ----------
    inputs : ndarray of shape (n_windows, n_channels, lookback), float32
        What the network sees.
    naive : ndarray of shape (n_windows, horizon)
        Naive forecast in the units of the data.
    scale : ndarray of shape (n_windows,)
        Unit of the future.
    future : ndarray of shape (n_windows, horizon)
        Future relative to ``naive`` and ``scale``; empty where it is not known.
    track : ndarray of shape (n_windows,), int
        Which track a window is of.
    origin : ndarray of shape (n_windows,), int
        First step of the future.
    """

    inputs: np.ndarray
    naive: np.ndarray
    scale: np.ndarray
    track: np.ndarray
    origin: np.ndarray
    future: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


def cut_windows(
    tracks: Sequence[Track],
    spec: WindowSpec,
    origins: Sequence[np.ndarray] | None = None,
    *,
    typical: Sequence[float] | None = None,
    futures: Sequence[np.ndarray] | None = None,
) -> Windows:
    """Cut windows out of tracks.

    Parameters
    ----------
    tracks : sequence of Track
        The series.
    spec : WindowSpec
        How to cut.
    origins : sequence of ndarray of int, default=None
        For each track the first step of each future; None takes all whose future is known.
        Where a lookback would begin before the series, its first value is repeated.
    typical : sequence of float, default=None
        ``spec.typical`` of each track as it was at fit; None computes it.
    futures : sequence of ndarray of shape (n_timesteps,), default=None
        Values to take the futures from, where they are not those of the tracks.

    Returns
    -------
    Windows
        ``future`` is filled where all futures are known.
    """
    parts = []
    for i, track in enumerate(tracks):
        values, length = track.values, len(track.values)
        at = (
            np.arange(spec.lookback, length - spec.horizon + 1)
            if origins is None
            else np.asarray(origins[i], dtype=int)
        )
        steps = at[:, None] + np.arange(-spec.lookback, 0)
        past = values[np.clip(steps, 0, length - 1)]
        unit = spec.typical(values) if typical is None else typical[i]
        naive, scale = spec.naive(past), spec.scale(past, unit)
        source = values if futures is None else futures[i]
        known = len(at) == 0 or at.max() + spec.horizon <= len(source)
        ahead = at[:, None] + np.arange(spec.horizon)
        future = (source[ahead] - naive) / scale[:, None] if known else np.full(naive.shape, np.nan)
        inputs = np.concatenate(
            [spec.channels(past, unit), _exogenous_channels(track, steps, ahead)], axis=1
        )
        parts.append((inputs.astype(np.float32), naive, scale, np.full(len(at), i), at, future))
    return Windows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _exogenous_channels(track: Track, steps: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Give past and future of each exogenous variable as channels as long as the lookback."""
    n_known, n_columns = track.exogenous.shape
    n, lookback = steps.shape
    if n_columns == 0:
        return np.empty((n, 0, lookback))
    # The future is stretched or thinned to the length of the lookback: a channel has one length.
    stretched = ahead[:, np.linspace(0, ahead.shape[1] - 1, lookback).round().astype(int)]
    parts = [track.exogenous[np.clip(s, 0, n_known - 1)] for s in (steps, stretched)]
    return np.concatenate(parts, axis=2).transpose(0, 2, 1)
