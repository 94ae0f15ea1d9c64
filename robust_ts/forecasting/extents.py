"""How far a planted shape goes, and which tracks take part, from its copies laid over each other.

A motif of fixed length tells that something was planted, and when. A shape that was *added* leaves
the same surprises each time, a shape that *replaced* the series the same changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.surprises import Surprises

#: A median needs as many.
FEWEST = 3


@dataclass(frozen=True)
class Copies:
    """One event: the tracks that share it, and the moments at which it happened.

    Parameters
    ----------
    tracks : list of int
        Tracks of one instance.
    moments : ndarray of shape (n_moments,), int
        First steps, sorted.
    seen_in : list of int, default=None
        Tracks in which it was found; None for all.
    """

    tracks: list[int]
    moments: np.ndarray
    seen_in: list[int] | None = None

    def sees(self) -> np.ndarray:
        """Tell which of the tracks it was found in: ndarray of bool of shape (n_tracks,)."""
        return np.isin(self.tracks, self.tracks if self.seen_in is None else self.seen_in)


def added_extent(
    copies: Copies, surprises: Sequence[Surprises], steps: range, constants: StretchConstants
) -> tuple[tuple[int, int], list[int]]:
    """Say between which steps a shape was added, and to which tracks.

    The median surprise of the copies is explained by a shape of any form between two steps, by
    least squares through the autoregression's response; start and end are those of the smallest
    Bayesian information criterion over all tracks. A track takes part where the shape lowers its
    own criterion.

    Parameters
    ----------
    copies : Copies
        Tracks that are asked, and moments.
    surprises : sequence of Surprises
        Of every track.
    steps : range
        Where to look, relative to the moments.
    constants : StretchConstants
        Constants of the method.

    Returns
    -------
    extent : (int, int)
        First step, and step after the last one, relative to the moments; the same step twice for
        nothing.
    part : list of int
        Tracks that take part.
    """
    width = len(steps)
    seen = [median_surprise(surprises[i], copies.moments, steps) for i in copies.tracks]
    gains = np.full((len(seen), width + 1, width + 1), -np.inf)
    for gain, (middle, error, answers) in zip(gains, seen, strict=True):
        target, design = middle / error, answers / error[:, None]
        for start in range(width):
            # One factorization for each start: columns are added from left to right.
            basis, _ = np.linalg.qr(
                design[:, start : start + constants.motif + constants.max_reach]
            )
            explained = np.cumsum((basis.T @ target) ** 2)
            stops = np.arange(start + 1, start + 1 + len(explained))
            gain[start, stops] = explained - np.log(width) * (stops - start)
    total = np.maximum(gains, 0.0).sum(axis=0)  # each track decides whether it takes part
    start, stop = (int(k) for k in np.unravel_index(int(total.argmax()), total.shape))
    if total[start, stop] <= 0:
        return (0, 0), []
    part = [i for i, gain in zip(copies.tracks, gains[:, start, stop], strict=True) if gain > 0]
    return (start + steps.start, stop + steps.start), part


def median_surprise(
    surprises: Surprises, moments: np.ndarray, steps: range
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median over the copies, its standard error, and the response, at some steps."""
    rows = rows_at(surprises.values, moments, steps)
    rows[:, np.isnan(rows).all(axis=0)] = 0.0
    middle = np.nanmedian(rows, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(rows - middle), axis=0)
    number = np.maximum(1, (~np.isnan(rows)).sum(axis=0))
    # Surprises have about unit size; a median is less sharp than a mean by pi / 2.
    error = np.maximum(spread, 1.0) * np.sqrt(np.pi / 2 / number)
    return middle, error, surprises.answers(len(steps))


def rows_at(values: np.ndarray, moments: np.ndarray, steps: range) -> np.ndarray:
    """Values around each moment, nan outside: ndarray of shape (n_moments, len(steps))."""
    at = moments[:, None] + np.arange(steps.start, steps.stop)
    inside = (at >= 0) & (at < len(values))
    return np.where(inside, values[np.clip(at, 0, len(values) - 1)], np.nan)


def exact_extent(
    copies: Copies, tracks: Sequence[np.ndarray], steps: range, constants: StretchConstants
) -> tuple[tuple[int, int], list[int]]:
    """Say between which steps the changes of the copies agree.

    In half at least of the tracks in which they were found.

    Parameters
    ----------
    copies : Copies
        Tracks that take part, and moments.
    tracks : sequence of ndarray of shape (n_timesteps,)
        The series.
    steps : range
        Where to look, relative to the moments.
    constants : StretchConstants
        Constants of the method; the run begins or ends within the motif, and is half as long.

    Returns
    -------
    extent : (int, int)
        The longest such run; the same step twice for none.
    part : list of int
        Tracks that agree at most of these steps.
    """
    agree = np.array(
        [_spread(tracks[i], copies.moments, steps) < constants.alike for i in copies.tracks]
    )
    most = agree[copies.sees()].mean(axis=0) >= 0.5
    edges = np.flatnonzero(np.diff(np.r_[0, most, 0].astype(int)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    # The motif hangs over an end of the stretch at most.
    runs = [r for r in runs if r[0] + steps.start < constants.motif and r[1] + steps.start > 0]
    start, stop = max(runs, key=lambda r: r[1] - r[0], default=(0, 0))
    if stop - start < constants.motif // 2:
        return (0, 0), []
    held = agree[:, start:stop].mean(axis=1) > 0.5
    part = [i for i, yes in zip(copies.tracks, held, strict=True) if yes]
    return (start + steps.start, stop + steps.start), part


def anchored_start(
    copies: Copies, tracks: Sequence[np.ndarray], first: int, constants: StretchConstants
) -> int:
    """Say where a stretch begins whose first steps differ from place to place.

    What follows such a trigger is put on the value before it: from there on the copies have moved
    by the same amount.

    Parameters
    ----------
    copies : Copies
        Tracks that take part, and moments.
    tracks : sequence of ndarray of shape (n_timesteps,)
        The series.
    first : int
        Step of the first change that agrees, relative to the moments.
    constants : StretchConstants
        Constants of the method.
    """
    spreads: dict[int, float] = {}
    for at in (first - 1, first):  # the first equal change may lead to what follows, or be in it
        for back in range(2, constants.max_reach + 1):
            each = [
                _spread(tracks[i], copies.moments, range(at, at + 1), back)[0]
                for i in copies.tracks
            ]
            start = at - back + 1
            spreads[start] = min(spreads.get(start, np.inf), float(np.median(each)))
    nearest = min(spreads, key=lambda start: spreads[start])
    return nearest if spreads[nearest] < constants.alike else first


def _spread(values: np.ndarray, moments: np.ndarray, steps: range, back: int = 1) -> np.ndarray:
    """Tell how much changes over ``back`` steps differ between the moments, in usual ones."""
    change = changes_of(values)
    usual = float(np.median(np.abs(change - np.median(change))))
    rows = rows_at(values, moments, steps) - rows_at(values, moments - back, steps)
    rows[:, (~np.isnan(rows)).sum(axis=0) < FEWEST] = np.inf
    middle = np.nanmedian(rows, axis=0)
    with np.errstate(invalid="ignore"):  # infinite where nothing is known
        spread = np.nanmedian(np.abs(rows - middle), axis=0)
    # That a series which mostly stands still stood still says nothing.
    known = np.isfinite(middle) & ((usual > 0) | (middle != 0))
    return np.where(known, spread / (usual + 1e-12), np.inf)


def changes_of(values: np.ndarray) -> np.ndarray:
    """Change from the step before; 0 at the first one."""
    return np.diff(values, prepend=values[:1])
