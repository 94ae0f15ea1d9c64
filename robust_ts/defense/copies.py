"""Samples of a class that hold the very same values: nature does not repeat itself to the bit."""

from collections import Counter

import numpy as np

from robust_ts.defense.candidates import largest_group
from robust_ts.defense.constants import DefenseConstants

_LEAST_VALUES = 2  # one value may be shared by chance where values are counts
_MOST_GROUPS = 2  # of a class: each costs as much as any other group that is looked at


def copied_groups(
    values: np.ndarray, labels: np.ndarray, n_classes: int, constants: DefenseConstants
) -> list[list[np.ndarray]]:
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
    list of list of ndarray of int
        For each class two groups at most, of the sizes that a group may have: those that agree in
        most values.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.defense.constants import DefenseConstants
    >>> from robust_ts.defense.copies import copied_groups
    >>> X = np.random.default_rng(0).normal(size=(40, 20))
    >>> X[[1, 5, 7, 9], 15:] = 0.25
    >>> copied_groups(X, np.arange(40) % 2, 2, DefenseConstants())
    [[], [array([1, 5, 7, 9])]]
    """
    least, n = constants.min_group, len(labels)
    sizes = np.bincount(labels, minlength=n_classes)
    largest = np.array([largest_group(size, n, constants) for size in sizes])
    shared: list[Counter[bytes]] = [Counter() for _ in range(n_classes)]
    for column in values.T:
        ordered = np.sort(column)
        if not (ordered[least - 1 :] == ordered[: n - least + 1]).any():
            continue
        kind = np.unique(column, return_inverse=True)[1]
        counts = np.bincount(kind * n_classes + labels, minlength=(kind.max() + 1) * n_classes)
        counts = counts.reshape(-1, n_classes)
        elsewhere = counts.sum(axis=1, keepdims=True) - counts
        right = (counts >= least) & (counts <= largest) & (elsewhere < least)
        for k, label in np.argwhere(right):
            shared[label][np.flatnonzero((kind == k) & (labels == label)).tobytes()] += 1
    most = (found.most_common(_MOST_GROUPS) for found in shared)
    return [[np.frombuffer(key, np.intp) for key, m in own if m >= _LEAST_VALUES] for own in most]
