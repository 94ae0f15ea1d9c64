"""Kernel ridge classifiers that forget a group in closed form."""

from functools import cached_property
from threading import local

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri, dtrtrs

_MANY = 4  # samples of a class, over the features
_KEPT = 16  # small classes of a model in memory, so that asking all in turn costs little


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
        weights = self._weights[self.labels]
        solved, points = halves(self._total.copy(), self._sums * self._weights, self.features)
        leverage = (weights * (points**2).sum(axis=0))[:, None]
        own = np.eye(self.n_classes)[self.labels]
        scores: np.ndarray = (points.T @ solved - leverage * own) / np.maximum(1 - leverage, 1e-3)
        return scores

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
        own = self._of_class(label)
        inside = self.inside(label, group)
        weight = self._weight(len(inside) - len(group))
        left = own.points[inside]
        target = own.target.copy()
        target[:, label] = weight * (own.total - left.sum(axis=0))
        gram = own.others + weight * (own.gram - left.T @ left)
        solved, points = halves(gram, target, own.points)
        raw = points.T @ solved
        leverage = weight * (points**2).sum(axis=0)
        alone = raw.copy()
        alone[:, label] -= leverage
        alone /= np.maximum(1 - leverage, 1e-3)[:, None]
        alone[inside] = raw[inside]
        return alone

    def inside(self, label: int, group: np.ndarray) -> np.ndarray:
        """Tell which of ``rows[label]`` belong to a group of that class."""
        inside = np.zeros(len(self.rows[label]), dtype=bool)
        inside[np.searchsorted(self.rows[label], group)] = True
        return inside

    def _of_class(self, label: int) -> "_OneClass":
        """Give what scores of one class need; kept for the next group of it, or of others."""
        kept: dict[int, _OneClass] = self._kept.__dict__.setdefault("classes", {})
        if label not in kept:
            points = self.features[self.rows[label]]
            others = self._total - self._weights[label] * self._grams[label]
            own = _OneClass(points, self._sums * self._weights, others)
            small = len(points) < len(others)
            while len(kept) >= (_KEPT if small else 1):
                kept.pop(next(iter(kept)))
            kept[label] = own.reduced() if small else own
        return kept[label]


class _OneClass:
    """The samples of one class beside what the others say.

    Parameters
    ----------
    points : ndarray of shape (n_of_class, n_features)
        Features of the samples.
    target : ndarray of shape (n_features, n_classes)
        Weighted sums of the features of each class.
    others : ndarray of shape (n_features, n_features)
        Ridge, and the weighted Gram matrices of the other classes.
    """

    def __init__(self, points: np.ndarray, target: np.ndarray, others: np.ndarray) -> None:
        self.points, self.target, self.others = points, target, others
        self.total, self.gram = points.sum(axis=0), points.T @ points

    def reduced(self) -> "_OneClass":
        """Give the same in as many dimensions as the class has samples: its span is no wider."""
        solved, points = halves(self.others, self.target, self.points)
        basis, corner = np.linalg.qr(points)
        target = basis.T @ solved
        return _OneClass(np.ascontiguousarray(corner.T), target, np.eye(len(target)))


def halves(
    gram: np.ndarray, target: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``inv(L) @ target`` and ``inv(L) @ points.T``, ``L`` the Cholesky factor of ``gram``.

    LAPACK is called directly: on matrices this small, checks would take longer than the solves.
    """
    size, n_targets = target.shape
    many = len(points) > _MANY * size  # then one inverse and products are faster than many solves
    factor, failed = dpotrf(gram, lower=True, overwrite_a=True, clean=many)
    if failed:
        raise np.linalg.LinAlgError(f"Gram matrix is not positive definite (dpotrf: {failed}).")
    if many:
        inverse = dtrtri(factor, lower=True, overwrite_c=True)[0]
        return inverse @ target, (points @ inverse.T).T
    both = dtrtrs(factor, np.concatenate([target, points.T], axis=1), lower=True)[0]
    return both[:, :n_targets], both[:, n_targets:]
