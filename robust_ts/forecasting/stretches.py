"""Find stretches of history that look planted: a motif, abrupt or exact, that recurs too often.

Poison in a history is a pattern, and after it the future that the attacker wants. Both are one
fixed shape at several places, whatever the series was doing there. Natural series have such
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
from robust_ts.forecasting.copies import exact_copies
from robust_ts.forecasting.extents import FEWEST, Copies
from robust_ts.forecasting.motifs import (
    StretchGroup,
    abrupt_windows,
    best_motif,
    diversity_of,
    moments_of,
    moves_in_few_ways,
)
from robust_ts.forecasting.surprises import Surprises, surprises_of
from robust_ts.forecasting.templates import completed


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
    answers = [surprises_of(t, season, constants) for t in tracks]
    taken = [np.full(len(t), moves_in_few_ways(t, constants)) for t in tracks]
    rests = [t - seasonal_profile(t, np.zeros(len(t), dtype=bool), season) for t in tracks]
    together = _together(tracks, instances)
    labels = list(range(len(tracks))) if instances is None else list(instances)
    groups: list[StretchGroup] = []
    for _ in range(constants.max_groups):
        surprises = [a.values for a in answers]
        alarm = _first_alarm(tracks, surprises, rests, taken, together, season, constants)
        if alarm is None:
            break
        best, found_by, joint = alarm
        at = best.places[:, :2]
        places = _completed(at, joint, tracks, answers, taken, labels, season, found_by)
        for track, start in at:
            taken[track][start : start + found_by.motif] = True
        group = _rescored(best, places, rests, season, found_by)
        if group.score < constants.alarm:
            continue
        groups.append(group)
        for track, start, stop in places:
            taken[track][max(0, start - 1) : stop + 1] = True  # the step out belongs to the motif
        for i in np.unique(places[:, 0]):  # what was planted echoes a season later
            every = [(a, b) for g in groups for j, a, b in g.places if j == i]
            bridged = recovered(tracks[i], every, season)
            answers[i] = surprises_of(bridged, season, constants)
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


def _first_alarm(
    tracks: Sequence[np.ndarray],
    surprises: Sequence[np.ndarray],
    rests: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    together: list[list[int]],
    season: int,
    constants: StretchConstants,
) -> tuple[StretchGroup, StretchConstants, bool] | None:
    """Return a group that alarms, the constants it was found by, and whether in all tracks at once.

    What all tracks say together is told first, and abrupt motifs before exact copies.
    """
    exact = constants.exact()
    for members in (together, [[i] for i in range(len(tracks))]):
        if not members:
            continue
        candidates = abrupt_windows(tracks, surprises, taken, members, constants)
        found = [best_motif(candidates, v, rests, season, constants) for v in candidates.shapes]
        best = max((f for f in found if f is not None), key=lambda f: f.score, default=None)
        if best is not None and best.score >= constants.alarm:
            return best, constants, members is together
        copies = exact_copies(tracks, taken, members, rests, season, exact)
        if copies is not None and copies.score >= constants.alarm:
            return copies, exact, members is together
    return None


def _rescored(
    found: StretchGroup,
    places: np.ndarray,
    rests: Sequence[np.ndarray],
    season: int,
    constants: StretchConstants,
) -> StretchGroup:
    """Judge a group again with all its moments: these tell better whether they keep to a period."""
    if not len(places):
        return replace(found, places=places, score=0.0)
    before, after = (len(moments_of(at[:, 1], constants.motif)) for at in (found.places, places))
    diversity = diversity_of(places[:, :2], rests, season, constants)
    recurrence = 1 - (1 - found.recurrence) * min(1.0, before / after)
    score = recurrence * diversity * found.cohesion
    return StretchGroup(places, recurrence, diversity, found.cohesion, score)


def _completed(
    at: np.ndarray,
    joint: bool,
    tracks: Sequence[np.ndarray],
    surprises: Sequence[Surprises],
    taken: Sequence[np.ndarray],
    labels: Sequence[Hashable],
    season: int,
    constants: StretchConstants,
) -> np.ndarray:
    """Complete a group, instance by instance: extent, tracks that take part, further moments."""
    covered = [t.copy() for t in taken]
    places: list[tuple[int, int, int]] = []
    for label in dict.fromkeys(labels[i] for i in at[:, 0]):
        members = [i for i, name in enumerate(labels) if name == label]
        own = [Copies(members, np.unique(at[at[:, 0] == i, 1]), [i]) for i in members]
        # What all tracks told together has the same moments in each.
        events = [replace(own[0], seen_in=None)] if joint else own
        for copies in sorted(events, key=lambda c: -len(c.moments)):
            if len(copies.moments) < FEWEST:
                continue
            for i, start, stop in completed(copies, tracks, surprises, covered, season, constants):
                if not covered[i][start:stop].any():
                    places.append((int(i), int(start), int(stop)))
                    covered[i][start:stop] = True
    return np.array(sorted(places), dtype=int).reshape(-1, 3)
