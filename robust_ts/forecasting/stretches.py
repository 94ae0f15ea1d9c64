"""Find stretches of history that look planted: one abrupt motif that recurs almost exactly.

Poison in a history is a pattern, and after it the future that the attacker wants. Both are one
fixed shape at several places, whatever the series was doing there. Natural series have abrupt
events too, but these differ from each other; and whatever recurs by nature recurs about as often
upside down or backwards by chance, which gives a null without any clean data.

Pure functions over arrays; the order in which they are called stands in
``robust_ts.forecasting.e2abl``.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from robust_ts.forecasting.bridges import recovered, seasonal_profile
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.motifs import (
    StretchGroup,
    abrupt_windows,
    best_motif,
    looks_of,
    moments_of,
    unit,
)


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
    tracks: Sequence[np.ndarray],
    season: int,
    constants: StretchConstants,
    instances: Sequence[Hashable] | None = None,
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
    instances : sequence, default=None
        Label of the instance of each track. The tracks of an instance are also searched together;
        None takes each track for itself.

    Returns
    -------
    list of StretchGroup
        Those that alarm, at most ``max_groups``.
    """
    tracks = [np.asarray(t, dtype=float) for t in tracks]
    surprises = [innovations(t, season, constants) for t in tracks]
    taken = [np.zeros(len(t), dtype=bool) for t in tracks]
    rests = [t - seasonal_profile(t, np.zeros(len(t), dtype=bool), season) for t in tracks]
    together = _together(tracks, instances)
    groups: list[StretchGroup] = []
    while len(groups) < constants.max_groups:
        best, found_by, joint = None, constants, False
        for members in (together, [[i] for i in range(len(tracks))]):
            for search in (constants, constants.exact()):
                if members and best is None:  # what all tracks say together is told first
                    best = _best_alarm(tracks, surprises, rests, taken, members, season, search)
                    found_by, joint = search, members is together
        if best is None:
            break
        if joint:
            at = best.places[:, :2]
            places = _joint_places(best, tracks, surprises, taken, found_by)
            for track, start in at:
                taken[track][start : start + found_by.motif] = True
            if not len(places):
                continue
        else:
            at = _companions(best.places[:, :2], tracks, surprises, taken, found_by)
            places = _extended(at, surprises, tracks, found_by)
        groups.append(replace(best, places=places))
        for track, start, stop in places:
            taken[track][max(0, start - 1) : stop + 1] = True  # the step out belongs to the motif
        for i in np.unique(places[:, 0]):  # what was planted echoes a season later
            every = [(a, b) for g in groups for j, a, b in g.places if j == i]
            bridged = recovered(tracks[i], every, season)
            surprises[i] = innovations(bridged, season, constants)
            rests[i] = bridged - seasonal_profile(
                bridged, np.zeros(len(bridged), dtype=bool), season
            )
    return sorted(groups, key=lambda g: -g.score)


def _together(
    tracks: Sequence[np.ndarray], instances: Sequence[Hashable] | None
) -> list[list[int]]:
    """List the tracks of each instance that has several; empty where none has."""
    by_name: dict[Hashable, list[int]] = {}
    for i, name in enumerate(instances or range(len(tracks))):
        by_name.setdefault(name, []).append(i)
    several = [members for members in by_name.values() if len(members) > 1]
    return several if len({len(members) for members in several}) == 1 else []


def _best_alarm(
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    rests: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    members: list[list[int]],
    season: int,
    constants: StretchConstants,
) -> StretchGroup | None:
    """Return the best group over both views, if it alarms."""
    candidates = abrupt_windows(tracks, surprises, taken, members, constants)
    found = [best_motif(candidates, v, rests, season, constants) for v in candidates.shapes]
    best = max((f for f in found if f is not None), key=lambda f: f.score, default=None)
    return best if best is not None and best.score >= constants.alarm else None


def _joint_places(
    group: StretchGroup,
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    constants: StretchConstants,
) -> np.ndarray:
    """Say which tracks take part in a group that was found in all together, and how far it goes.

    The copies of one track may be too noisy to be told alone; their median is not.
    """
    at, width, reach = group.places[:, :2], constants.motif, constants.max_reach
    noisy = group.cohesion < min(constants.likeness)
    part: list[int] = []
    for i in np.unique(at[:, 0]):
        steps = at[at[:, 0] == i, 1][:, None] + np.arange(width)
        for view in looks_of(tracks[i], surprises[i]).values():
            shapes = unit(view[steps])
            middle = unit(np.median(shapes, axis=0, keepdims=True))[0]
            if i not in part and np.median(shapes @ middle) >= constants.takes_part:
                part.append(int(i))
    part = part or [int(i) for i in np.unique(at[:, 0])]

    def planted(offset: int) -> bool:
        squares, exact = [], []
        for i in part:
            steps = at[at[:, 0] == i, 1] + offset
            steps = steps[(steps >= 0) & (steps < len(tracks[i]))]
            if len(steps) < constants.min_places:
                return False
            exact.append(_agree(list(looks_of(tracks[i], surprises[i]).values()), steps))
            look = looks_of(tracks[i], surprises[i])["surprise"]
            usual = 1.4826 * float(np.median(np.abs(look))) + 1e-12
            squares.append((np.median(look[steps]) / usual) ** 2 * len(steps) * 2 / np.pi)
        return bool(np.mean(squares) > constants.joint_evidence if noisy else np.mean(exact) > 0.5)

    before = after = 0
    while before < reach and planted(-before - 1):
        before += 1
    while after < reach and planted(width + after):
        after += 1
    places = [
        (i, max(0, start - before), min(len(tracks[i]), start + width + after))
        for i, start in at
        if i in part and not taken[i][start : start + width].any()
    ]
    return np.array(sorted(places), dtype=int).reshape(-1, 3)


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
        views = list(looks_of(tracks[i], surprises[i]).values())
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
    moments = moments_of(at[:, 1], width)
    added = [at]
    for i, values in enumerate(tracks):
        views = list(looks_of(values, surprises[i]).values())
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
                shapes = unit(view[steps])
                middle = unit(np.median(shapes, axis=0, keepdims=True))[0]
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
