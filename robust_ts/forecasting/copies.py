"""Search for exact copies: the same changes, step by step, at moments that chance cannot explain.

A shape that was put into a series in the place of its own values is the same to the last digit
wherever it stands, however smooth it is. Pure functions over arrays, used by
``robust_ts.forecasting.stretches``.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import KDTree

from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.motifs import (
    Candidates,
    StretchGroup,
    diversity_of,
    effective_steps,
    free_windows,
    moments_of,
    usual_changes,
)


def moving_windows(
    tracks: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    members: list[list[int]],
    constants: StretchConstants,
) -> Candidates:
    """Collect the changes in all windows in which something moves, over several steps.

    Parameters
    ----------
    tracks, taken : sequence of ndarray of shape (n_timesteps,)
        The series, and the steps that are not searched.
    members : list of list of int
        Tracks that are looked at together; all of the same length, and as many in each list.
    constants : StretchConstants
        Constants of the method.
    """
    width = constants.motif
    sliding = np.lib.stride_tricks.sliding_window_view
    where, changes = [], []
    for number, together in enumerate(members):
        if len(tracks[together[0]]) < 2 * width:
            continue
        looks = [sliding(usual_changes(tracks[i]), width) for i in together]
        rows = np.concatenate(looks, axis=1)
        moving = effective_steps(rows, width) >= constants.least_steps
        moving &= np.abs(rows).max(axis=1) > constants.alike
        moving &= free_windows([taken[i] for i in together], width)
        moving[0] = False  # the first step of a track has no change
        starts = np.flatnonzero(moving)
        where.append(np.column_stack([np.full(len(starts), number), starts]))
        changes.append(rows[starts])
    if not where:
        return Candidates(np.empty(0, int), np.empty(0, int), {}, members, ())
    place = np.concatenate(where)
    shapes = {"change": np.concatenate(changes)}
    return Candidates(place[:, 0], place[:, 1], shapes, members, ())


def exact_copies(
    tracks: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    members: list[list[int]],
    rests: Sequence[np.ndarray],
    season: int,
    constants: StretchConstants,
) -> StretchGroup | None:
    """Return the changes that recur exactly at most moments.

    Parameters
    ----------
    tracks, taken, members
        As in `moving_windows`.
    rests : sequence of ndarray of shape (n_timesteps,)
        The series without their season.
    season : int
        Steps of a season, 1 for none.
    constants : StretchConstants
        Constants of the method, those of `StretchConstants.exact`.

    Returns
    -------
    StretchGroup or None
        None where nothing recurs at ``min_places`` moments or more.
    """
    candidates = moving_windows(tracks, taken, members, constants)
    if len(candidates.start) < constants.min_places:
        return None
    shapes = candidates.shapes["change"]
    tree = KDTree(shapes, metric="chebyshev")
    backward = shapes.reshape(len(shapes), -1, constants.motif)[:, :, ::-1].reshape(shapes.shape)
    found = _most_frequent(shapes, tree, candidates, constants)
    count = _moments(found, candidates, constants)
    if count < constants.min_places:
        return None
    # As for other motifs: one that is its own mirror image fills one backward count itself.
    mirrored = [
        _moments(_most_frequent(s, tree, candidates, constants), candidates, constants)
        for s in (-shapes, backward, -backward)
    ]
    recurrence = 1 - max(mirrored[0], min(mirrored[1:]), 1) / count
    at = candidates.places(found)
    diverse = diversity_of(at, rests, season, constants)
    places = np.column_stack([at, at[:, 1] + constants.motif])
    return StretchGroup(places, recurrence, diverse, 1.0, recurrence * diverse)


def _most_frequent(
    shapes: np.ndarray, tree: KDTree, candidates: Candidates, constants: StretchConstants
) -> np.ndarray:
    """Return the candidates that equal the shape that recurs at most moments."""
    counts = tree.query_radius(shapes, constants.exact_within, count_only=True)
    likely = np.argsort(-counts, kind="stable")[: constants.seeds]
    hits = tree.query_radius(shapes[likely], constants.exact_within)
    best: np.ndarray = max(hits, key=lambda rows: _moments(rows, candidates, constants))
    return np.sort(best)


def _moments(rows: np.ndarray, candidates: Candidates, constants: StretchConstants) -> int:
    return len(moments_of(candidates.start[rows], constants.motif))
