"""Samples of a class that hold the very same values: nature does not repeat itself to the bit."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from robust_ts.defense.candidates import largest_group
from robust_ts.defense.constants import DefenseConstants

_LEAST_PLACES = 2  # one value may be shared by chance where values are counts
_MOST_GROUPS = 2  # of a class: each costs as much as any other group that is looked at


@dataclass(frozen=True)
class Copies:
    """Samples of a class that hold the very same values.

    Parameters
    ----------
    members : ndarray of int
        Sample indices.
    n_values : int
        Different values in which all of them agree.
    """

    members: np.ndarray
    n_values: int


def copied_groups(
    values: np.ndarray, labels: np.ndarray, n_classes: int, constants: DefenseConstants
) -> list[list[Copies]]:
    """Return groups of each class whose members agree exactly in several values.

    A trigger that replaces a part of its samples leaves the same numbers in all of them, and in no
    sample of another class. What is the same in other classes as well, such as padding, is left
    out. A group is no verdict: copies of one recording are found as well.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_values)
        Values of the samples, in the same places.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    n_classes : int
        Number of classes.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of list of Copies
        For each class two groups at most, of the sizes that a group may have: those that agree in
        most places.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.defense.constants import DefenseConstants
    >>> from robust_ts.defense.copies import copied_groups
    >>> X = np.random.default_rng(0).normal(size=(40, 20))
    >>> X[[1, 5, 7, 9], 15:] = 0.25
    >>> X[[1, 5, 7, 9], 18:] = -0.5
    >>> copied_groups(X, np.arange(40) % 2, 2, DefenseConstants())
    [[], [Copies(members=array([1, 5, 7, 9]), n_values=2)]]
    """
    least, n = constants.min_group, len(labels)
    sizes = np.bincount(labels, minlength=n_classes)
    largest = np.array([largest_group(size, n, constants) for size in sizes])
    # What a group agrees in, one value a place.
    shared: list[dict[bytes, list[float]]] = [defaultdict(list) for _ in range(n_classes)]
    for column in values.T:
        ordered = np.sort(column)
        if not (ordered[least - 1 :] == ordered[: n - least + 1]).any():
            continue
        known, kind = np.unique(column, return_inverse=True)
        counts = np.bincount(kind * n_classes + labels, minlength=len(known) * n_classes)
        counts = counts.reshape(-1, n_classes)
        elsewhere = counts.sum(axis=1, keepdims=True) - counts
        right = (counts >= least) & (counts <= largest) & (elsewhere < least)
        for k, label in np.argwhere(right):
            members = np.flatnonzero((kind == k) & (labels == label))
            shared[label][members.tobytes()].append(float(known[k]))
    return [
        [
            Copies(np.frombuffer(key, np.intp), len(set(held)))
            for key, held in sorted(own.items(), key=lambda item: -len(item[1]))[:_MOST_GROUPS]
            if len(held) >= _LEAST_PLACES
        ]
        for own in shared
    ]
