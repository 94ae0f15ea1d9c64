"""Groups within a class at which "contradicted by the rest of the data" comes to rest."""

from collections.abc import Sequence

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.ridge import LeaveGroupOut


def candidates(
    models: Sequence[Sequence[LeaveGroupOut]],
    label: int,
    starts: Sequence[np.ndarray],
    constants: DefenseConstants,
) -> list[np.ndarray]:
    """Return the groups at which "contradicted by the rest" comes to rest.

    Parameters
    ----------
    models : sequence of sequence of LeaveGroupOut
        For each ridge strength, one model a view.
    label : int
        The class.
    starts : sequence of ndarray of int
        Starting groups; the empty one is plain leave-one-out.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of ndarray of int
        Distinct groups with at least ``min_group`` members inside and outside.
    """
    found: dict[bytes, np.ndarray] = {}
    rows = models[0][0].rows[label]
    for level in models:
        for views in [[m] for m in level] + [list(level)]:
            known: dict[bytes, np.ndarray] = {}  # one step from each group, computed once
            for start in starts:
                group = start
                for _ in range(constants.max_steps):
                    key = group.tobytes()
                    if key in known:
                        settled = np.array_equal(known[key], group)
                        group = known[key]
                        if settled:
                            break
                        continue
                    score = np.mean([m.scores(label, group) for m in views], axis=0)
                    known[key] = rows[score.argmax(axis=1) != label]
                    group = known[key]
                    if not len(group) or len(group) == len(rows):
                        break
                if constants.min_group <= len(group) <= len(rows) - constants.min_group:
                    found[group.tobytes()] = group
    return list(found.values())


def two_means(points: np.ndarray, n_steps: int = 12) -> np.ndarray:
    """Split points in two by 2-means, started along their first principal component.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        Points.
    n_steps : int, default=12
        Most steps.

    Returns
    -------
    ndarray of bool of shape (n_points,)
        Which side each point is on.
    """
    centered = points - points.mean(axis=0)
    axis = np.linalg.eigh(centered.T @ centered)[1][:, -1]
    position = centered @ axis
    side = position > np.median(position)
    for _ in range(n_steps):
        if side.all() or not side.any():
            break
        one, two = points[side].mean(axis=0), points[~side].mean(axis=0)
        new = ((points - one) ** 2).sum(axis=1) < ((points - two) ** 2).sum(axis=1)
        if np.array_equal(new, side):
            break
        side = new
    return side
