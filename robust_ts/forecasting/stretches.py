"""Find stretches of history that look planted: one abrupt motif that recurs almost exactly.

Poison in a history is a pattern, and after it the future that the attacker wants. Both are one
fixed shape at several places, whatever the series was doing there. Natural series have abrupt
events too, but these differ from each other; and whatever recurs by nature recurs about as often
upside down or backwards by chance, which gives a null without any clean data.

Pure functions over arrays; the order in which they are called stands in
``robust_ts.forecasting.e2abl``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robust_ts.forecasting.constants import StretchConstants


@dataclass(frozen=True)
class StretchGroup:
    """Places where one motif stands, with the evidence that it was planted.

    Parameters
    ----------
    places : ndarray of shape (n_places, 3), int
        Track, first step, and step after the last one, of each place.
    recurrence : float
        1 less the chance count over the count: 0 where the motif recurs no more often than by
        chance, towards 1 where chance cannot explain it.
    diversity : float
        One less the mean correlation of the steps before the motif, or less the concentration on
        one time of season. A natural event comes in its own circumstances, a planted one anywhere.
    cohesion : float
        Mean correlation of the places with their common motif.
    score : float
        Product of the three, 0 to 1.
    """

    places: np.ndarray
    recurrence: float
    diversity: float
    cohesion: float
    score: float


@dataclass(frozen=True)
class _Candidates:
    """Abrupt windows of all tracks: where they are, and how they look in one view."""

    track: np.ndarray
    start: np.ndarray
    shapes: dict[str, np.ndarray]


def innovations(values: np.ndarray, season: int, constants: StretchConstants) -> np.ndarray:
    """Tell what a robust autoregression did not foresee, in units of its usual error.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps,)
        A series.
    season : int
        Steps of a season, 1 for none; two seasons are looked back on.
    constants : StretchConstants
        Constants of the method.

    Returns
    -------
    ndarray of shape (n_timesteps,)
        0 where there is too little past.
    """
    lags = list(range(1, constants.order + 1))
    if season > 1:
        lags = sorted({*lags, season, season + 1, 2 * season})
    lags = [lag for lag in lags if lag <= len(values) // 4] or [1]
    first = lags[-1]
    past = np.stack([values[first - lag : len(values) - lag] for lag in lags], axis=1)
    last = past[:, 0]
    design = np.column_stack([past[:, 1:] - last[:, None], np.ones(len(last))])
    change = values[first:] - last
    weights = np.ones(len(change))
    error, usual = change, 1.0
    for _ in range(
        constants.robust_steps
    ):  # Huber's weights: planted steps must not fit themselves
        weighted = design * weights[:, None]
        gram = weighted.T @ design
        gram += (1e-8 * np.trace(gram) + 1e-300) * np.eye(len(gram))
        error = change - design @ np.linalg.solve(gram, weighted.T @ change)
        usual = 1.4826 * float(np.median(np.abs(error)))
        usual = max(usual, 1e-9 * float(np.abs(values).max()), 1e-300)
        weights = 1 / np.maximum(1, np.abs(error) / (2 * usual))
    return np.concatenate([np.zeros(first), error / usual])


def propose_stretches(
    tracks: Sequence[np.ndarray], season: int, constants: StretchConstants
) -> list[StretchGroup]:
    """Return groups of stretches that look planted, best first.

    Parameters
    ----------
    tracks : sequence of ndarray of shape (n_timesteps,)
        The series.
    season : int
        Steps of a season, 1 for none.
    constants : StretchConstants
        Constants of the method.

    Returns
    -------
    list of StretchGroup
        Those that alarm, at most ``max_groups``.
    """
    tracks = [np.asarray(t, dtype=float) for t in tracks]
    surprises = [innovations(t, season, constants) for t in tracks]
    taken = [np.zeros(len(t), dtype=bool) for t in tracks]
    groups: list[StretchGroup] = []
    while len(groups) < constants.max_groups:
        candidates = _abrupt_windows(tracks, surprises, taken, constants)
        best = None
        for view in candidates.shapes:
            found = _best_motif(candidates, view, tracks, season, constants)
            if found is not None and (best is None or found.score > best.score):
                best = found
        if best is None or best.score < constants.alarm:
            break
        at = _companions(best.places[:, :2], tracks, surprises, taken, constants)
        places = _extended(at, surprises, tracks, constants)
        groups.append(replace(best, places=places))
        for track, start, stop in places:
            taken[track][max(0, start - 1) : stop + 1] = True  # the step out belongs to the motif
    return sorted(groups, key=lambda g: -g.score)


def _abrupt_windows(
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    constants: StretchConstants,
) -> _Candidates:
    """Collect the windows whose steps were foreseen badly, the most abrupt ones first."""
    width = constants.motif
    where, energy = [], []
    views: dict[str, list[np.ndarray]] = {"change": [], "surprise": []}
    for i, (values, surprise, used) in enumerate(zip(tracks, surprises, taken, strict=True)):
        if len(values) < 2 * width:
            continue
        looks = _looks(values, surprise)
        size = np.clip(surprise, -constants.clip, constants.clip) ** 2
        size = np.lib.stride_tricks.sliding_window_view(size, width).mean(axis=1)
        free = ~np.lib.stride_tricks.sliding_window_view(used, width).any(axis=1)
        starts = np.flatnonzero((size > constants.abrupt) & free)
        steps = starts[:, None] + np.arange(width)
        where.append(np.column_stack([np.full(len(starts), i), starts]))
        energy.append(size[starts])
        for name, look in looks.items():
            views[name].append(look[steps])
    if not where:
        return _Candidates(np.empty(0, int), np.empty(0, int), {})
    order = np.argsort(-np.concatenate(energy), kind="stable")[: constants.max_windows]
    place = np.concatenate(where)[order]
    shapes = {name: _unit(np.concatenate(part)[order]) for name, part in views.items()}
    return _Candidates(place[:, 0], place[:, 1], shapes)


def _looks(values: np.ndarray, surprise: np.ndarray) -> dict[str, np.ndarray]:
    """Two views of a track: its changes, exact for a copy, and its surprises, exact for a sum.

    Compressed, so that one jump alone is not the whole shape, but without a ceiling at which
    different shapes look the same.
    """
    change = np.diff(values, prepend=values[:1])
    usual = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    usual = usual if usual > 1e-9 * np.abs(values).max() else float(change.std()) or 1.0
    return {"change": np.arcsinh(change / usual), "surprise": np.arcsinh(surprise)}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _best_motif(
    candidates: _Candidates,
    view: str,
    tracks: Sequence[np.ndarray],
    season: int,
    constants: StretchConstants,
) -> StretchGroup | None:
    """Return the best group in one view, over all levels of likeness and several motifs."""
    shapes = candidates.shapes[view]
    if len(shapes) < constants.min_places:
        return None
    near = _near(candidates, np.arange(len(shapes)), constants)
    alike = np.where(near, 0.0, shapes @ shapes.T)
    backward = np.where(near, 0.0, shapes @ shapes[:, ::-1].T)
    best: StretchGroup | None = None
    for level in constants.likeness:
        mirrored = [_largest(sign * backward, level, candidates, constants)[1] for sign in (1, -1)]
        # A motif that is its own mirror image fills one of the two backward counts itself.
        chance = max(_largest(-alike, level, candidates, constants)[1], min(mirrored), 1)
        left = alike.copy()
        for _ in range(constants.motifs):
            seed, count = _largest(left, level, candidates, constants)
            recurrence = 1 - chance / count
            if count < constants.min_places or recurrence < constants.alarm:
                break
            members = np.append(_thinned(left[seed], level, candidates, constants), seed)
            motif = _unit(shapes[members].mean(axis=0, keepdims=True))[0]
            grown = _thinned(shapes @ motif, 1 - 2 * (1 - level), candidates, constants)
            cohesion = max(0.0, float((shapes[grown] @ motif).mean()))
            at = np.column_stack([candidates.track[grown], candidates.start[grown]])
            diverse = _diversity(at, tracks, season, constants)
            score = recurrence * diverse * cohesion
            if best is None or score > best.score:
                places = np.column_stack([at, at[:, 1] + constants.motif])
                best = StretchGroup(places, recurrence, diverse, cohesion, score)
            used = _near(candidates, members, constants).any(axis=0)
            left[used], left[:, used] = 0.0, 0.0
    return best


def _near(candidates: _Candidates, rows: np.ndarray, constants: StretchConstants) -> np.ndarray:
    """Whether candidates overlap some of them: ndarray of shape (len(rows), n_candidates)."""
    same = candidates.track[rows][:, None] == candidates.track
    return same & (np.abs(candidates.start[rows][:, None] - candidates.start) < constants.motif)


def _largest(
    likeness: np.ndarray, level: float, candidates: _Candidates, constants: StretchConstants
) -> tuple[int, int]:
    """Return the window with most likenesses, and at how many moments these are (with it).

    One event in several tracks is one moment: what happens everywhere at once recurs not.
    """
    raw = (likeness >= level).sum(axis=1)
    seeds = np.argsort(-raw, kind="stable")[: constants.seeds]
    counts = []
    for seed in seeds:
        starts = candidates.start[np.append(np.flatnonzero(likeness[seed] >= level), seed)]
        counts.append(len(_moments(starts, constants.motif)))
    return int(seeds[int(np.argmax(counts))]), max(counts)


def _moments(starts: np.ndarray, width: int) -> list[int]:
    """Reduce first steps to those that do not overlap, from the earliest on."""
    moments: list[int] = []
    for start in np.unique(starts):
        if not moments or start >= moments[-1] + width:
            moments.append(int(start))
    return moments


def _thinned(
    likeness: np.ndarray, level: float, candidates: _Candidates, constants: StretchConstants
) -> np.ndarray:
    """Return the candidates at or above a level, the best one of each place."""
    hits = np.flatnonzero(likeness >= level)
    kept: list[int] = []
    for j in hits[np.argsort(-likeness[hits], kind="stable")]:
        clash = candidates.track[kept] == candidates.track[j]
        if not (
            clash & (np.abs(candidates.start[kept] - candidates.start[j]) < constants.motif)
        ).any():
            kept.append(int(j))
    return np.array(kept, dtype=int)


def _diversity(
    at: np.ndarray, tracks: Sequence[np.ndarray], season: int, constants: StretchConstants
) -> float:
    """How little the places have in common: what came before them, and the time of season."""
    moments = np.array(_moments(at[:, 1], constants.motif))
    together = float(np.abs(np.exp(2j * np.pi * moments / season).mean())) if season > 1 else 0.0
    seasonal = float(np.clip(1 - (together - len(moments) ** -0.5), 0.0, 1.0))
    length = 2 * constants.motif
    # Up to two steps before the seed: its first step may lie inside the stretch already.
    steps = np.arange(-length - 2, -2)
    total, n_pairs, sizes = 0.0, 0, []
    for i in np.unique(at[:, 0]):  # other tracks at the same time say nothing: they move together
        starts = at[(at[:, 0] == i) & (at[:, 1] >= length + 2), 1]
        if len(starts) < 2:
            continue
        before = tracks[i][starts[:, None] + steps]
        before = _unit(before - before.mean(axis=1, keepdims=True))
        total += float((before.sum(axis=0) ** 2).sum() - (before**2).sum())
        n_pairs += len(starts) * (len(starts) - 1)
        sizes.append(len(starts))
    if not n_pairs:
        return seasonal
    # Few places correlate by chance, by about one over the root of their number.
    before_all = float(np.clip(1 - (total / n_pairs - np.mean(sizes) ** -0.5), 0.0, 1.0))
    return min(seasonal, before_all)


def _extended(
    at: np.ndarray,
    surprises: Sequence[np.ndarray],
    tracks: Sequence[np.ndarray],
    constants: StretchConstants,
) -> np.ndarray:
    """Widen each place as long as the steps beside it agree with each other, track by track."""
    reach: dict[int, tuple[int, int]] = {}
    for i in np.unique(at[:, 0]):
        starts = at[at[:, 0] == i, 1]
        if len(starts) < 3:
            continue
        views = list(_looks(tracks[i], surprises[i]).values())
        before = after = 0
        while before < constants.max_reach and _agree(views, starts - before - 1):
            before += 1
        while after < constants.max_reach and _agree(views, starts + constants.motif + after):
            after += 1
        reach[int(i)] = (before, after)
    usual = tuple(int(np.median([r[k] for r in reach.values()])) if reach else 0 for k in (0, 1))
    places = []
    for i, start in at:
        before, after = reach.get(int(i), usual)
        stop = min(len(tracks[i]), start + constants.motif + after)
        places.append((i, max(0, start - before), stop))
    return np.array(sorted(places), dtype=int)


def _companions(
    at: np.ndarray,
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    constants: StretchConstants,
) -> np.ndarray:
    """Add the tracks that repeat a motif of their own at the same moments.

    A trigger on several variables is planted in all of them at once; each has its own shape, and
    knowing the moments makes fewer repeats enough.
    """
    width = constants.motif
    moments = _moments(at[:, 1], width)
    added = [at]
    for i, values in enumerate(tracks):
        views = list(_looks(values, surprises[i]).values())
        own = at[at[:, 0] == i, 1]
        best = np.empty(0, dtype=int)
        # The seed may hang over an end of the stretch, where the tracks have nothing in common.
        for shift in range(-width // 2, width // 2 + 1):
            starts = np.array(moments) + shift
            inside = (starts >= 0) & (starts + width <= len(values))
            free = [
                j and not taken[i][m : m + width].any() for j, m in zip(inside, starts, strict=True)
            ]
            starts = starts[np.array(free, dtype=bool)]
            if len(starts) < constants.min_places:
                continue
            steps = starts[:, None] + np.arange(width)
            for view in views:
                shapes = _unit(view[steps])
                middle = _unit(np.median(shapes, axis=0, keepdims=True))[0]
                fits = starts[shapes @ middle >= constants.companion]
                if len(fits) >= max(constants.min_places, len(starts) / 2, len(best) + 1):
                    best = fits
        new = [m for m in best if (np.abs(own - m) >= width).all()]
        if len(new) > len(best) / 2:
            added.append(np.column_stack([np.full(len(new), i), new]))
    joined = np.concatenate(added)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]


def _agree(views: Sequence[np.ndarray], steps: np.ndarray) -> bool:
    """Whether the same abrupt thing happened at all these steps, in one view at least."""
    for view in views:
        inside = steps[(steps >= 0) & (steps < len(view))]
        if len(inside) < 3:
            return False
        values = view[inside]
        middle = np.median(values)
        spread = float(np.median(np.abs(values - middle)))
        usual = float(np.median(np.abs(view - np.median(view)))) + 1e-12
        if spread < 0.1 * max(usual, abs(middle)):
            return True
    return False
