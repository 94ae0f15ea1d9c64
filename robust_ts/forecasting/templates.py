"""Complete a group of stretches: its extent, who takes part, and where else it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robust_ts.forecasting.bridges import covered, recovered
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.extents import (
    Copies,
    added_extent,
    anchored_start,
    changes_of,
    exact_extent,
    median_surprise,
    rows_at,
)
from robust_ts.forecasting.surprises import Surprises, surprises_of


@dataclass(frozen=True)
class Template:
    """What the copies of a shape have in common.

    Parameters
    ----------
    shapes : list of ndarray of shape (width,)
        One for each track: changes or surprises.
    exact : bool
        Whether these are changes, the same at every place, or surprises, with noise.
    """

    shapes: list[np.ndarray]
    exact: bool

    @property
    def width(self) -> int:
        """Steps of the template."""
        return len(self.shapes[0])

    def mirrored(self, sign: int, order: int) -> "Template":
        """Turn it upside down, backwards, or both."""
        return replace(self, shapes=[sign * shape[::order] for shape in self.shapes])

    def fits(self, views: Sequence[np.ndarray], constants: StretchConstants) -> np.ndarray:
        """Tell how well it fits at each step of the tracks, 0 where it is out of question.

        Changes: the share of steps and tracks that agree, if most do. Surprises: the correlation
        over all tracks, where the factor that fits best is nearer to one than to none or two.
        """
        sliding = np.lib.stride_tricks.sliding_window_view
        seen = np.concatenate([sliding(view, self.width) for view in views], axis=1)
        shape = np.concatenate(self.shapes)
        if self.exact:
            close = np.abs(seen - shape) < constants.alike
            share = close.mean(axis=1)
            return np.where(share > 0.5, share, 0.0)
        dot, energy = seen @ shape, max(float(shape @ shape), 1e-300)
        likeness = dot / np.sqrt(np.maximum((seen**2).sum(axis=1) * energy, 1e-300))
        return np.where(np.abs(dot / energy - 1) < constants.near_one, likeness, 0.0)

    def by_chance(
        self, views: Sequence[np.ndarray], free: np.ndarray, constants: StretchConstants
    ) -> float:
        """Tell how well its mirror images fit at best, where it may stand."""
        down, back, turned = (
            float(self.mirrored(*turn).fits(views, constants)[free].max())
            for turn in ((-1, 1), (1, -1), (-1, -1))
        )
        # A shape that is its own mirror image fills one of the two backward fits itself.
        return max(down, min(back, turned))


def completed(
    copies: Copies,
    tracks: Sequence[np.ndarray],
    surprises: Sequence[Surprises],
    taken: Sequence[np.ndarray],
    season: int,
    constants: StretchConstants,
) -> np.ndarray:
    """Complete an event: its extent, the tracks that take part, and further moments.

    Parameters
    ----------
    copies : Copies
        All tracks of an instance, and the moments at which a motif was found.
    tracks, surprises, taken : sequence
        Values, surprises, and steps that are not searched, of every track.
    season : int
        Steps of a season, 1 for none.
    constants : StretchConstants
        Constants of the method.

    Returns
    -------
    ndarray of shape (n_places, 3), int
        Track, first step, and step after the last one, of each place; empty where too few of the
        copies have a shape in common.
    """
    nothing = np.empty((0, 3), dtype=int)
    moments, event = copies.moments, None
    for _ in range(constants.rounds):
        event = _Event.of(replace(copies, moments=moments), tracks, surprises, constants)
        if event is None:
            return nothing
        found = event.moments_in(tracks, surprises, taken, season, constants)
        if len(found) < constants.min_places:
            return nothing
        if np.array_equal(found, moments):
            break
        moments = found
    assert event is not None
    places = [
        (i, max(0, m + event.start), min(len(tracks[i]), m + event.stop))
        for i in event.copies.tracks
        for m in moments
    ]
    return np.array([p for p in places if p[1] < p[2]], dtype=int).reshape(-1, 3)


@dataclass(frozen=True)
class _Event:
    """Copies, from where to where they go, and which steps of them are compared."""

    copies: Copies
    start: int
    stop: int
    compared: range
    exact: bool

    @classmethod
    def of(
        cls,
        copies: Copies,
        tracks: Sequence[np.ndarray],
        surprises: Sequence[Surprises],
        constants: StretchConstants,
    ) -> "_Event | None":
        """Lay the copies over each other; None where they share nothing."""
        steps = range(-constants.max_reach, constants.motif + constants.max_reach)
        exact, part = exact_extent(copies, tracks, steps, constants)
        if part:
            agreeing = Copies(part, copies.moments)
            start = anchored_start(agreeing, tracks, exact[0], constants)
            return cls(agreeing, start, exact[1], range(*exact), True)
        added, part = added_extent(copies, surprises, steps, constants)
        if not part:
            return None
        # An added shape echoes in the surprises for as long as the autoregression looks back.
        compared = range(added[0], added[1] + constants.order)
        return cls(Copies(part, copies.moments), *added, compared, False)

    def template(
        self,
        moments: np.ndarray,
        views: Sequence[np.ndarray],
        surprises: Sequence[Surprises],
        constants: StretchConstants,
    ) -> Template:
        """Make the template of some of the moments."""
        if self.exact:
            shapes = [np.nanmedian(rows_at(v, moments, self.compared), axis=0) for v in views]
            return Template([np.nan_to_num(shape) for shape in shapes], True)
        shapes, echo = [], constants.order
        for i in self.copies.tracks:
            middle, _, answers = median_surprise(surprises[i], moments, self.compared)
            design = answers[:, : len(self.compared) - echo]
            shape = design @ np.linalg.lstsq(design, middle, rcond=None)[0]
            shapes.append(np.clip(shape, -constants.clip, constants.clip))
        return Template(shapes, False)

    def moments_in(
        self,
        tracks: Sequence[np.ndarray],
        surprises: Sequence[Surprises],
        taken: Sequence[np.ndarray],
        season: int,
        constants: StretchConstants,
    ) -> np.ndarray:
        """Find all moments: known ones that fit the others, and further ones."""
        members, moments = self.copies.tracks, self.copies.moments
        n = min(len(tracks[i]) for i in members)
        known = [(max(0, m + self.start), min(n, m + self.stop)) for m in moments]
        # Bridged, or what is known echoes in the surprises of the next season.
        rest = [recovered(tracks[i], known, season)[:n] for i in members]
        if self.exact:
            given = [_in_usual_steps(tracks[i][:n]) for i in members]
            left = [_in_usual_steps(values) for values in rest]
        else:
            limits = -constants.clip, constants.clip
            given = [np.clip(surprises[i].values[:n], *limits) for i in members]
            left = [np.clip(surprises_of(v, season, constants).values, *limits) for v in rest]
        whole = self.template(moments, given, surprises, constants)
        # A copy may hang over an end of the series.
        width = whole.width
        left = [np.pad(values, width) for values in left]
        most_taken = np.mean([taken[i][:n] for i in members], axis=0) >= 0.5
        around = np.pad(most_taken | covered(known, n), width)
        free = np.asarray(~np.lib.stride_tricks.sliding_window_view(around, width).any(axis=1))
        chance = whole.by_chance(left, free, constants) if free.any() else 0.0
        kept = []
        for m in moments:
            one = self.template(moments[moments != m], given, surprises, constants)
            seen = [np.nan_to_num(rows_at(v, np.array([m]), self.compared))[0] for v in given]
            if one.fits(seen, constants)[0] > chance:
                kept.append(int(m))
        fits = whole.fits(left, constants)
        hits = np.flatnonzero(free & (fits > chance))
        for hit in hits[np.argsort(-fits[hits], kind="stable")]:
            m = int(hit) - width - self.compared.start
            if all(abs(m - other) >= max(self.stop - self.start, width) for other in kept):
                kept.append(m)
        return np.array(sorted(kept), dtype=int)


def _in_usual_steps(values: np.ndarray) -> np.ndarray:
    """Express a series by its changes, in units of the usual one."""
    change = changes_of(values)
    return change / (float(np.median(np.abs(change - np.median(change)))) + 1e-12)
