"""Kernel ridge classifiers that forget a group in closed form."""

from functools import cached_property
from threading import local
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri, dtrtrs

_MANY = 4  # samples of a class, over the features
_KEPT = 16  # classes of a model in memory, so that asking all in turn costs little
_KEPT_SAMPLES = 8192  # of these classes together, but for the last one: bounds memory


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return squared Euclidean distances, of shape (len(a), len(b))."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0.0)


def kernel_map(view: np.ndarray, n_landmarks: int, seed: int = 0) -> np.ndarray:
    """Return Nystroem features of the Gaussian kernel at the median distance.

    Parameters
    ----------
    view : ndarray of shape (n_samples, n_features)
        One view.
    n_landmarks : int
        Most landmarks.
    seed : int, default=0
        Seed of the choice of landmarks.

    Returns
    -------
    ndarray of shape (n_samples, at most n_landmarks)
        Features whose inner products approximate the kernel.
    """
    chosen = landmark_rows(len(view), n_landmarks, seed)
    return map_of(squared_distances(view, view[chosen]), chosen)


def landmark_rows(n_samples: int, n_landmarks: int, seed: int = 0) -> np.ndarray:
    """Draw the samples that are landmarks; all where there are not more."""
    if n_samples <= n_landmarks:
        return np.arange(n_samples)
    return np.random.default_rng(seed).choice(n_samples, n_landmarks, replace=False)


def map_of(distances: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return Nystroem features from squared distances.

    Parameters
    ----------
    distances : ndarray of shape (n_samples, n_landmarks)
        Of the samples to the landmarks.
    chosen : ndarray of int of shape (n_landmarks,)
        Which samples the landmarks are.

    Returns
    -------
    ndarray of shape (n_samples, at most n_landmarks)
        Features whose inner products approximate the kernel.
    """
    positive = distances[distances > 1e-9]
    gamma = 1.0 / float(np.median(positive)) if positive.size else 1.0
    values, vectors = np.linalg.eigh(np.exp(-gamma * distances[chosen]))
    kept = values > 1e-8 * values[-1]
    return np.exp(-gamma * distances) @ (vectors[:, kept] / np.sqrt(values[kept]))


class LeaveGroupOut:
    """Class-balanced ridge classifier on fixed features, without any one group of a class.

    When a group leaves, the rest of its class keeps the weight of a class: otherwise every group
    of a small class beside a large one would lose its label.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Kernel features.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    n_classes : int
        Number of classes.
    strength : float
        Ridge strength relative to ``n_samples / 10``.
    """

    def __init__(
        self, features: np.ndarray, labels: np.ndarray, n_classes: int, strength: float
    ) -> None:
        self.features, self.labels, self.n_classes = features, labels, n_classes
        self.rows = [np.flatnonzero(labels == k) for k in range(n_classes)]
        self._grams = [features[r].T @ features[r] for r in self.rows]
        self._sums = np.stack([features[r].sum(axis=0) for r in self.rows], axis=1)
        self._weights = np.array([self._weight(len(r)) for r in self.rows])
        self._total = sum(w * g for w, g in zip(self._weights, self._grams, strict=True))
        self._total = self._total + strength * len(labels) / 10 * np.eye(features.shape[1])
        self._kept = local()  # what each thread needs of the classes that it is at

    def _weight(self, size: int) -> float:
        return len(self.labels) / (self.n_classes * max(size, 1))

    @cached_property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Size of each class and mean, of shape (n_classes,) and (n_classes, n_features)."""
        sizes = np.array([len(r) for r in self.rows], dtype=float)
        return sizes, self._sums.T / np.maximum(sizes, 1.0)[:, None]

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors (columns) of the scatter within all classes."""
        sizes, means = self.moments
        values, vectors = np.linalg.eigh(sum(self._grams) - (means.T * sizes) @ means)
        return np.maximum(values, 0.0), vectors

    def leave_one_out(self) -> np.ndarray:
        """Score every sample by the classifier without it; of shape (n_samples, n_classes)."""
        inverse = _inverse_factor(self._total)
        points = self.features @ inverse.T
        scores: np.ndarray = points @ (inverse @ (self._sums * self._weights))
        leverage = self._weights[self.labels] * (points**2).sum(axis=1)
        return _alone(scores, leverage, (np.arange(len(scores)), self.labels))

    def scores(self, label: int, group: np.ndarray) -> np.ndarray:
        """Score the samples of one class by the classifier without ``group``.

        Samples of the class outside the group leave themselves out, so that both are judged by
        others only.

        Parameters
        ----------
        label : int
            The class.
        group : ndarray of int
            Indices of samples of this class; may be empty.

        Returns
        -------
        ndarray of shape (n_samples_of_class, n_classes)
            Scores in the order of ``rows[label]``.
        """
        inside = self.inside(label, group)
        scores, leverage = self._of_class(label).fitted(
            label, inside, self._weight(len(inside) - len(group))
        )
        together = scores[inside]
        scores = _alone(scores, leverage, (slice(None), label))
        scores[inside] = together
        return scores

    def inside(self, label: int, group: np.ndarray) -> np.ndarray:
        """Tell which of ``rows[label]`` belong to a group of that class."""
        inside = np.zeros(len(self.rows[label]), dtype=bool)
        inside[np.searchsorted(self.rows[label], group)] = True
        return inside

    def _of_class(self, label: int) -> "_OneClass":
        """Give what scores of one class need; kept for the next group of it, or of others."""
        kept: dict[int, _OneClass] = self._kept.__dict__.setdefault("classes", {})
        if label not in kept:
            gram, points = self._grams[label], self.features[self.rows[label]]
            target, others = self._sums * self._weights, self._total - self._weights[label] * gram
            is_many = len(points) > _MANY * len(gram)
            made = (_OneClass.of_many if is_many else _OneClass.of_few)(
                points, gram, target, others
            )
            while kept and (
                len(kept) >= _KEPT
                or sum(len(k.points) for k in kept.values()) + len(points) > _KEPT_SAMPLES
            ):
                kept.pop(next(iter(kept)))
            kept[label] = made
        return kept[label]


class _OneClass:
    """The samples of one class beside what the others say.

    In the axes in which the Gram matrix of the others is the identity and that of the class is
    diagonal, what a group takes from it, or what is left, has as few dimensions as samples.

    Parameters
    ----------
    points : ndarray of shape (n_of_class, n_axes)
        The samples along these axes.
    gram : ndarray of shape (n_axes,)
        Diagonal of the Gram matrix of the class.
    target : ndarray of shape (n_axes, n_classes)
        Weighted sums of the features of each class.
    """

    def __init__(self, points: np.ndarray, gram: np.ndarray, target: np.ndarray) -> None:
        self.points, self.gram, self.target = points, gram, target
        self.squares, self.total = points**2, points.sum(axis=0, dtype=float)

    @classmethod
    def of_few(
        cls, points: np.ndarray, gram: np.ndarray, target: np.ndarray, others: np.ndarray
    ) -> "_OneClass":
        """Find the axes: no more than samples.

        Parameters
        ----------
        points : ndarray of shape (n_of_class, n_features)
            Features of the samples.
        gram, others : ndarray of shape (n_features, n_features)
            Their Gram matrix; and the ridge and the weighted Gram matrices of the other classes.
        target : ndarray of shape (n_features, n_classes)
            Weighted sums of the features of each class.
        """
        # LAPACK is called directly: on matrices this small, checks take longer than the solves.
        both = np.concatenate([points.T, target], axis=1)
        turned = dtrtrs(_factor(others), both, lower=True)[0]
        left, spread, axes = np.linalg.svd(turned[:, : len(points)].T, full_matrices=False)
        return cls(left * spread, spread**2, axes @ turned[:, len(points) :])

    @classmethod
    def of_many(
        cls, points: np.ndarray, gram: np.ndarray, target: np.ndarray, others: np.ndarray
    ) -> "_OneClass":
        """Find them by the Gram matrix alone: the samples in single precision, in half the time."""
        inverse = _inverse_factor(others)
        spread, axes = np.linalg.eigh(inverse @ gram @ inverse.T)
        turned = points.astype(np.float32) @ (inverse.T @ axes).astype(np.float32)
        return cls(turned, np.maximum(spread, 0.0), axes.T @ (inverse @ target))

    def fitted(
        self, label: int, inside: np.ndarray, weight: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a ridge without some samples says of all, and the leverage of each.

        Parameters
        ----------
        label : int
            The class.
        inside : ndarray of bool of shape (n_of_class,)
            The samples to do without.
        weight : float
            Weight of each of the rest.

        Returns
        -------
        scores : ndarray of shape (n_of_class, n_classes)
        leverage : ndarray of shape (n_of_class,)
            Of each sample as if it were of the rest.
        """
        goes = 2 * inside.sum() <= len(inside)
        few = self.points[inside if goes else ~inside]
        total = few.sum(axis=0, dtype=float)
        target = self.target.copy()
        target[:, label] = weight * (self.total - total if goes else total)
        base, sign, half = self._inverse(few, goes, weight)
        solved = base[:, None] * target + sign * (half.T @ (half @ target))
        points = self.points
        base, half, solved = (p.astype(points.dtype, copy=False) for p in (base, half, solved))
        halves = points @ half.T
        leverage = self.squares @ base + sign * np.einsum("ij,ij->i", halves, halves)
        scores = (points @ solved).astype(float, copy=False)
        return scores, weight * leverage.astype(float, copy=False)

    def _inverse(
        self, few: np.ndarray, goes: bool, weight: float
    ) -> tuple[np.ndarray, int, np.ndarray]:
        """Invert the Gram matrix of the rest and the others.

        Parameters
        ----------
        few : ndarray of shape (n_few, n_axes)
            The samples to do without, or the rest.
        goes : bool
            Whether they are those to do without.
        weight : float
            Weight of each of the rest.

        Returns
        -------
        base : ndarray of shape (n_axes,)
        sign : int
        half : ndarray of shape (at most n_axes, n_axes)
            The inverse is ``diag(base) + sign * half.T @ half``.
        """
        unit = np.ones_like(self.gram)
        if len(few) >= len(unit):
            own = (few.T @ few).astype(float, copy=False)
            inner = np.diag(self.gram) - own if goes else own
            return 0 * unit, 1, _inverse_factor(np.diag(unit) + weight * inner)
        base = 1 / (1 + weight * self.gram) if goes else unit
        few = few.astype(float, copy=False)
        if not len(few):
            return base, 1, few
        # The matrix inversion lemma (Woodbury).
        sign, scaled = (1, few * base) if goes else (-1, few)
        inner = -sign * (scaled @ few.T)
        inner.flat[:: len(few) + 1] += 1 / weight
        return base, sign, dtrtrs(_factor(inner), scaled, lower=True)[0]


def _alone(scores: np.ndarray, leverage: np.ndarray, own: tuple[Any, Any]) -> np.ndarray:
    """Turn what a ridge says of samples into what it would say without each, in place."""
    scores[own] -= leverage
    scores /= np.maximum(1 - leverage, 1e-3)[:, None]
    return scores


def _factor(gram: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor, lower, of a matrix."""
    factor, failed = dpotrf(gram, lower=True, clean=True)
    if failed:
        raise np.linalg.LinAlgError(f"Gram matrix is not positive definite (dpotrf: {failed}).")
    return factor


def _inverse_factor(gram: np.ndarray) -> np.ndarray:
    """Return the inverse of the Cholesky factor of a matrix."""
    inverse: np.ndarray = dtrtri(_factor(gram), lower=True, overwrite_c=True)[0]
    return inverse
