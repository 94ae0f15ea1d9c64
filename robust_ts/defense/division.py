"""Divide a class by what a network that was trained on everything makes of its samples."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from robust_ts.defense.candidates import of_right_size
from robust_ts.defense.constants import DefenseConstants

_COMPONENTS = 3  # the trigger is among the largest differences within its class


class Learned(Protocol):
    """What a network that was trained on everything learned; samples are given by their indices."""

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Give what it makes of samples just before it decides, of shape (n_rows, n_features)."""
        ...

    def owing(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Tell which of the samples ``rows`` of a class owe their label to a group's pattern."""
        ...


@dataclass(frozen=True)
class LearnedOfPart:
    """What a network learned, of samples that are counted by their place among ``among``."""

    whole: Learned
    among: np.ndarray

    def points(self, rows: np.ndarray) -> np.ndarray:
        """See `Learned`."""
        return self.whole.points(self.among[rows])

    def owing(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `Learned`."""
        return self.whole.owing(label, self.among[group], self.among[rows])


def divisions(
    rows: np.ndarray,
    groups: Sequence[np.ndarray],
    points: np.ndarray,
    constants: DefenseConstants,
    n_samples: int,
    seed: int = 0,
) -> list[np.ndarray]:
    """Return the two kinds that an embedding knows of a class, and what groups settle on there.

    Parameters
    ----------
    rows : ndarray of int of shape (n_of_class,)
        All samples of the class.
    groups : sequence of ndarray of int
        Groups of the class that were found otherwise.
    points : ndarray of shape (n_of_class, n_features)
        What a network makes of the samples just before it decides.
    constants : DefenseConstants
        Constants of the method.
    n_samples : int
        All samples of all classes.
    seed : int, default=0
        Seed of `two_kinds`.

    Returns
    -------
    list of ndarray of int
        The kinds, and what they and the groups settle on, of the sizes that a group may have.
    """
    kind = two_kinds(points, seed)
    kinds = [kind, ~kind]
    redrawn = [settled(points, inside) for inside in (*(np.isin(rows, g) for g in groups), *kinds)]
    found = (rows[inside] for inside in (*kinds, *redrawn))
    return of_right_size(found, len(rows), n_samples, constants)


def two_kinds(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Split samples of a class into two kinds: a mixture of two normals in principal components.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        What a network makes of them just before it decides.
    seed : int, default=0
        Seed of the starts.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        One kind; none where there is nothing to tell them apart by.

    References
    ----------
    Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering",
    SafeAI 2019: poisoned and clean samples of a class reach their label by different features.
    """
    if not np.ptp(points, axis=0).any():
        return np.zeros(len(points), dtype=bool)
    n_components = min(_COMPONENTS, *points.shape)
    placed = PCA(n_components, random_state=seed).fit_transform(points)
    floor = 1e-6 * placed.var() + 1e-12  # equal points have no spread
    mixture = GaussianMixture(2, n_init=2, random_state=seed, reg_covar=floor)
    # Starts by k-means are not to be had while scikit-learn dispatches to other array types.
    with warnings.catch_warnings(), config_context(array_api_dispatch=False):
        warnings.simplefilter("ignore", ConvergenceWarning)  # few distinct points, or slow: no harm
        kinds: np.ndarray = mixture.fit_predict(placed) == 1
    return kinds


def settled(points: np.ndarray, inside: np.ndarray, n_steps: int = 5) -> np.ndarray:
    """Redraw a group until a linear discriminant between it and the rest of its class agrees.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        What a network makes of the samples of a class just before it decides.
    inside : ndarray of bool of shape (n_samples,)
        The group.
    n_steps : int, default=5
        Most steps.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        The new group; all or none where there is nothing between two kinds.
    """
    for _ in range(n_steps):
        if min(inside.sum(), (~inside).sum()) < 2:
            break
        new = alike(points, inside, ~inside)
        if np.array_equal(new, inside):
            break
        inside = new
    return inside


def redrawn(
    learned: Learned,
    label: int,
    group: np.ndarray,
    rows: np.ndarray,
    points: np.ndarray,
    fits: Callable[[list[np.ndarray]], list[np.ndarray]],
    n_steps: int,
) -> np.ndarray:
    """Draw a group anew by what owes its label to the group's pattern, until that rests.

    A group that is half clean has half a pattern, but only poison owes its label to it; of these
    samples alone the pattern is clearer, and more poison owes its label to it.

    Parameters
    ----------
    learned : Learned
        What a network that was trained on everything learned.
    label : int
        The class.
    group, rows : ndarray of int
        The group, and all samples of the class.
    points : ndarray of shape (n_of_class, n_features)
        What that network makes of these just before it decides.
    fits : callable
        Keeps those of some groups that have as many members as a group may have.
    n_steps : int
        Most steps.

    Returns
    -------
    ndarray of int
        What `settled` makes of the samples that owe their label, the last that fits.
    """
    for _ in range(n_steps):
        new = rows[settled(points, learned.owing(label, group, rows))]
        if not fits([new]) or np.array_equal(new, group):
            break
        group = new
    return group


def alike(points: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Tell which samples a linear discriminant puts on the side of some, and not of others.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        What a network makes of the samples of a class just before it decides.
    inside, outside : ndarray of bool of shape (n_samples,)
        The samples it is fitted on, two or more of both.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        True where a sample, fitted on or not, is with those inside.
    """
    known = inside | outside
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    answers: np.ndarray = model.fit(points[known], inside[known]).predict(points)
    return answers
