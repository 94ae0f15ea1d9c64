"""Search for motifs that recur more often than chance allows, in one track or in all at once.

Pure functions over arrays, used by ``robust_ts.forecasting.stretches``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
class Candidates:
    """Abrupt windows: where they are, and how they look in each view.

    Parameters
    ----------
    track : ndarray of shape (n_candidates,), int
        Which of ``members`` a window is of.
    start : ndarray of shape (n_candidates,), int
        Its first step.
    shapes : dict of str to ndarray of shape (n_candidates, n_tracks * motif)
        Of length one; the tracks that are looked at together stand one after the other.
    members : list of list of int
        The tracks that are looked at together: one, or all of an instance.
    levels : tuple of float
        Correlations that count as alike.
    """

    track: np.ndarray
    start: np.ndarray
    shapes: dict[str, np.ndarray]
    members: list[list[int]]
    levels: tuple[float, ...]

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Give track and first step of some candidates: ndarray of shape (n, 2)."""
        at = [(i, self.start[r]) for r in rows for i in self.members[self.track[r]]]
        return np.array(at, dtype=int).reshape(-1, 2)


def abrupt_windows(
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    members: list[list[int]],
    constants: StretchConstants,
) -> Candidates:
    """Collect the windows whose steps were foreseen badly, the most abrupt ones first.

    Parameters
    ----------
    tracks, surprises, taken : sequence of ndarray of shape (n_timesteps,)
        The series, their innovations, and the steps that are not searched.
    members : list of list of int
        Tracks that are looked at together; all of the same length, and as many in each list.
    constants : StretchConstants
        Constants of the method.
    """
    width = constants.motif
    sliding = np.lib.stride_tricks.sliding_window_view
    where, energy = [], []
    views: dict[str, list[np.ndarray]] = {"change": [], "surprise": []}
    for number, together in enumerate(members):
        if len(tracks[together[0]]) < 2 * width:
            continue
        looks = [looks_of(tracks[i], surprises[i]) for i in together]
        clipped = [np.clip(surprises[i], -constants.clip, constants.clip) for i in together]
        size = sliding(np.mean(np.square(clipped), axis=0), width).mean(axis=1)
        free = free_windows([taken[i] for i in together], width)
        starts = np.flatnonzero((size > constants.abrupt) & free)
        steps = starts[:, None] + np.arange(width)
        where.append(np.column_stack([np.full(len(starts), number), starts]))
        energy.append(size[starts])
        for name, rows in views.items():
            rows.append(np.concatenate([look[name][steps] for look in looks], axis=1))
    levels = constants.likeness if len(members[0]) == 1 else constants.joint_likeness
    if not where:
        return Candidates(np.empty(0, int), np.empty(0, int), {}, members, levels)
    order = np.argsort(-np.concatenate(energy), kind="stable")[: constants.max_windows]
    place = np.concatenate(where)[order]
    shapes = {name: unit(np.concatenate(part)[order]) for name, part in views.items()}
    return Candidates(place[:, 0], place[:, 1], shapes, members, levels)


def free_windows(taken: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Tell at which steps a window begins that most of the tracks have free.

    What one track alone gave away may still be sought in the others.
    """
    used = np.mean(taken, axis=0) >= 0.5
    return ~np.asarray(np.lib.stride_tricks.sliding_window_view(used, width).any(axis=1))


def looks_of(values: np.ndarray, surprise: np.ndarray) -> dict[str, np.ndarray]:
    """Two views of a track: its changes, exact for a copy, and its surprises, exact for a sum.

    Compressed, so that one jump alone is not the whole shape, but without a ceiling at which
    different shapes look the same.
    """
    return {"change": np.arcsinh(usual_changes(values)), "surprise": np.arcsinh(surprise)}


def usual_changes(values: np.ndarray) -> np.ndarray:
    """Give the changes of a track, in units of its usual change; zero at the first step."""
    change = np.diff(values, prepend=values[:1])
    usual = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    usual = usual if usual > 1e-9 * np.abs(values).max() else float(change.std()) or 1.0
    return change / usual


def moves_in_few_ways(values: np.ndarray, constants: StretchConstants) -> bool:
    """Tell whether half of the moves of a track are a few, as of a switch or of small counts."""
    change = usual_changes(values)
    moves = change[np.abs(change) > constants.alike]
    counts = np.unique(np.round(moves / constants.exact_within), return_counts=True)[1]
    most = np.sort(counts)[::-1][: constants.few_ways]
    return bool(2 * most.sum() >= len(moves))


def unit(rows: np.ndarray) -> np.ndarray:
    """Give rows the length one, zeros excepted."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def best_motif(
    candidates: Candidates,
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
    reversed_ = shapes.reshape(len(shapes), -1, constants.motif)[:, :, ::-1]
    backward = np.where(near, 0.0, shapes @ reversed_.reshape(shapes.shape).T)
    best: StretchGroup | None = None
    for level in candidates.levels:
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
            motif = unit(shapes[members].mean(axis=0, keepdims=True))[0]
            used = _near(candidates, members, constants).any(axis=0)
            left[used], left[:, used] = 0.0, 0.0
            if effective_steps(motif[None], constants.motif)[0] < constants.least_steps:
                continue
            grown = _thinned(shapes @ motif, 1 - 2 * (1 - level), candidates, constants)
            cohesion = max(0.0, float((shapes[grown] @ motif).mean()))
            at = candidates.places(grown)
            diverse = diversity_of(at, tracks, season, constants)
            score = recurrence * diverse * cohesion
            if best is None or score > best.score:
                places = np.column_stack([at, at[:, 1] + constants.motif])
                best = StretchGroup(places, recurrence, diverse, cohesion, score)
    return best


def effective_steps(motifs: np.ndarray, width: int) -> np.ndarray:
    """Over how many steps each motif is spread: 1 for a lone jump, 2 for a jump and its return."""
    energy = (motifs.reshape(len(motifs), -1, width) ** 2).sum(axis=1)
    spread: np.ndarray = energy.sum(axis=1) ** 2 / np.maximum((energy**2).sum(axis=1), 1e-300)
    return spread


def _near(candidates: Candidates, rows: np.ndarray, constants: StretchConstants) -> np.ndarray:
    """Whether candidates overlap some of them: ndarray of shape (len(rows), n_candidates)."""
    same = candidates.track[rows][:, None] == candidates.track
    return same & (np.abs(candidates.start[rows][:, None] - candidates.start) < constants.motif)


def _largest(
    likeness: np.ndarray, level: float, candidates: Candidates, constants: StretchConstants
) -> tuple[int, int]:
    """Return the window with most likenesses, and at how many moments these are (with it).

    One event in several tracks is one moment: what happens everywhere at once recurs not.
    """
    raw = (likeness >= level).sum(axis=1)
    seeds = np.argsort(-raw, kind="stable")[: constants.seeds]
    counts = []
    for seed in seeds:
        starts = candidates.start[np.append(np.flatnonzero(likeness[seed] >= level), seed)]
        counts.append(len(moments_of(starts, constants.motif)))
    return int(seeds[int(np.argmax(counts))]), max(counts)


def moments_of(starts: np.ndarray, width: int) -> list[int]:
    """Reduce first steps to those that do not overlap, from the earliest on."""
    moments: list[int] = []
    for start in np.unique(starts):
        if not moments or start >= moments[-1] + width:
            moments.append(int(start))
    return moments


def _thinned(
    likeness: np.ndarray, level: float, candidates: Candidates, constants: StretchConstants
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


def diversity_of(
    at: np.ndarray, tracks: Sequence[np.ndarray], season: int, constants: StretchConstants
) -> float:
    """How little the places have in common: what came before them, and the time of season."""
    moments = np.array(moments_of(at[:, 1], constants.motif))
    seasonal = _irregularity(moments, season, constants)
    length = 2 * constants.motif
    # A few steps before the motif: its first step may lie inside the stretch already.
    steps = np.arange(-length - constants.margin, -constants.margin)
    total, n_pairs, sizes = 0.0, 0, []
    for i in np.unique(at[:, 0]):  # other tracks at the same time say nothing: they move together
        starts = at[(at[:, 0] == i) & (at[:, 1] >= -steps[0]), 1]
        if len(starts) < 2:
            continue
        before = tracks[i][starts[:, None] + steps]
        before = unit(before - before.mean(axis=1, keepdims=True))
        total += float((before.sum(axis=0) ** 2).sum() - (before**2).sum())
        n_pairs += len(starts) * (len(starts) - 1)
        sizes.append(len(starts))
    if not n_pairs:
        return seasonal
    # Few places correlate by chance, by about one over the root of their number.
    before_all = float(np.clip(1 - (total / n_pairs - np.mean(sizes) ** -0.5), 0.0, 1.0))
    return min(seasonal, before_all)


def _irregularity(moments: np.ndarray, season: int, constants: StretchConstants) -> float:
    """How little the moments keep to one time of the season, or to any period at all.

    The concentration on a phase, less what as many random moments reach by chance: the root of
    1 / n at the known season, that of log(periods) / n at the best of many periods.
    """
    n, span = len(moments), int(moments[-1] - moments[0])
    known = [season / k for k in (1, 2)] if season > 1 else []  # a thing may come twice a day
    unknown = np.arange(constants.motif, span // 4 + 1)
    worst = 0.0
    for periods, chance in ((np.array(known), n**-0.5), (unknown, _by_chance(len(unknown), n))):
        if len(periods):
            turns = np.exp(2j * np.pi * moments / periods[:, None]).mean(axis=1)
            worst = max(worst, float(np.abs(turns).max()) - chance)
    return float(np.clip(1 - worst, 0.0, 1.0))


def _by_chance(n_periods: int, n: int) -> float:
    return float(np.sqrt(np.log(max(2, n_periods)) / n))
