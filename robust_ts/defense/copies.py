"""Samples of a class that hold the very same values: nature does not repeat itself to the bit."""

from collections import Counter

import numpy as np

from robust_ts.defense.candidates import largest_group
from robust_ts.defense.constants import DefenseConstants

_LEAST_VALUES = 2  # one value may be shared by chance where values are counts
_MOST_GROUPS = 2  # of a class: each costs as much as any other group that is looked at


def copied_groups(
    values: np.ndarray, labels: np.ndarray, label: int, constants: DefenseConstants
) -> list[np.ndarray]:
    """Return groups of one class whose members agree exactly in several values.

    A trigger that replaces a part of its samples leaves the same numbers in all of them, and in no
    sample of another class. What is the same in other classes as well, such as padding, is left
    out. A group is no verdict: copies of one recording are found as well.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_values)
        Values of the samples, in the same places.
    labels : ndarray of shape (n_samples,)
        Given labels.
    label : int
        The class.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of ndarray of int
        Two groups at most, of the sizes that a group may have: those that agree in most values.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.defense.constants import DefenseConstants
    >>> from robust_ts.defense.copies import copied_groups
    >>> X = np.random.default_rng(0).normal(size=(40, 20))
    >>> X[[1, 5, 7, 9], 15:] = 0.25
    >>> copied_groups(X, np.arange(40) % 2, 1, DefenseConstants())
    [array([1, 5, 7, 9])]
    """
    rows = np.flatnonzero(labels == label)
    least = constants.min_group
    largest = largest_group(len(rows), len(labels), constants)
    if largest < least:
        return []
    own = values[rows]
    ordered = np.sort(own, axis=0)
    repeating = (ordered[least - 1 :] == ordered[: len(ordered) - least + 1]).any(axis=0)
    others = labels != label
    shared: Counter[bytes] = Counter()
    for column in np.flatnonzero(repeating):
        found, place, counts = np.unique(own[:, column], return_inverse=True, return_counts=True)
        right = (counts >= least) & (counts <= largest)
        elsewhere = values[others, column]
        for k in np.flatnonzero(right):
            if (elsewhere == found[k]).sum() < least:
                shared[np.packbits(place == k).tobytes()] += 1
    most = [key for key, n in shared.most_common(_MOST_GROUPS) if n >= _LEAST_VALUES]
    inside = (np.unpackbits(np.frombuffer(key, np.uint8), count=len(rows)) for key in most)
    return [rows[mask.astype(bool)] for mask in inside]
