"""Groups within a class at which "contradicted by the rest of the data" comes to rest."""

from collections.abc import Iterable, Sequence

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.witnesses import Witnesses


def candidates(
    witnesses: Witnesses,
    label: int,
    starts: Sequence[np.ndarray],
    constants: DefenseConstants,
    *,
    each_view: bool = True,
) -> list[np.ndarray]:
    """Return the groups at which "contradicted by the rest" comes to rest.

    Parameters
    ----------
    witnesses : Witnesses
        One classifier a view and ridge strength; those of a strength are asked all together.
    label : int
        The class.
    starts : sequence of ndarray of int
        Starting groups; the empty one is plain leave-one-out.
    constants : DefenseConstants
        Constants of the method.
    each_view : bool, default=True
        Whether each view is asked alone as well.

    Returns
    -------
    list of ndarray of int
        Groups with at least ``min_group`` members inside and outside and at most ``max_share`` of
        all samples; of groups that share more than ``same_group`` of their members, the first.
    """
    found: dict[bytes, np.ndarray] = {}
    rows = witnesses.models[0][0].rows[label]
    every = list(range(len(witnesses.weights)))
    n_samples = witnesses.alone.shape[1]
    largest = largest_group(len(rows), n_samples, constants)
    for level in witnesses.models:
        for views in [*([v] for v in every if each_view), every]:
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
                    score = sum(witnesses.weights[v] * level[v].scores(label, group) for v in views)
                    known[key] = rows[score.argmax(axis=1) != label]
                    group = known[key]
                    if not len(group) or len(group) == len(rows):
                        break
                if constants.min_group <= len(group) <= largest:
                    found[group.tobytes()] = group
    return _distinct(list(found.values()), rows, constants.same_group)


def largest_group(n_of_class: int, n_samples: int, constants: DefenseConstants) -> int:
    """Count the members that a group may have: a rest, and most of the data, must be left."""
    return min(n_of_class - constants.min_group, int(constants.max_share * n_samples))


def of_right_size(
    groups: Iterable[np.ndarray], n_of_class: int, n_samples: int, constants: DefenseConstants
) -> list[np.ndarray]:
    """Keep the groups of a class that have as many members as a group may have."""
    largest = largest_group(n_of_class, n_samples, constants)
    return [group for group in groups if constants.min_group <= len(group) <= largest]


def _distinct(groups: list[np.ndarray], rows: np.ndarray, same: float) -> list[np.ndarray]:
    """Keep the first of groups that are nearly the same (by the Jaccard index)."""
    inside = np.array([np.isin(rows, g) for g in groups], dtype=float).reshape(-1, len(rows))
    kept: list[int] = []
    for i, one in enumerate(inside):
        shared = inside[kept] @ one
        union = inside[kept].sum(axis=1) + one.sum() - shared
        if not (shared > same * union).any():
            kept.append(i)
    return [groups[i] for i in kept]


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
