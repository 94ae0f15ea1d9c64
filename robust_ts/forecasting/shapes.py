"""A codebook of futures: the classes of the network, and the distribution they make."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.cluster import KMeans

#: Least spread of a shape relative to the spread of all futures: no shape is exact.
LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class Codebook:
    """Typical shapes of the future, relative to a naive forecast and in units of the window.

    Parameters
    ----------
    centers : ndarray of shape (n_shapes, horizon)
        Mean of the futures of each shape.
    spreads : ndarray of shape (n_shapes, horizon)
        Their standard deviation.
    """

    centers: np.ndarray
    spreads: np.ndarray

    def assign(self, futures: np.ndarray) -> np.ndarray:
        """Name the nearest shape of each future: ndarray of shape (n,), int64."""
        squares = (self.centers**2).sum(axis=1) - 2 * futures @ self.centers.T
        return squares.argmin(axis=1).astype(np.int64)


def fit_codebook(futures: np.ndarray, n_shapes: int, seed: int) -> Codebook:
    """Cluster futures into shapes.

    Parameters
    ----------
    futures : ndarray of shape (n_windows, horizon)
        Relative futures.
    n_shapes : int
        Most shapes; fewer where there are few windows (eight a shape) or few distinct futures.
    seed : int
        Seed of k-means.

    Returns
    -------
    Codebook
        Shapes that occur.
    """
    distinct = len(np.unique(futures, axis=0))
    k = int(max(1, min(n_shapes, max(2, len(futures) // 8), distinct)))
    labels = KMeans(k, n_init=1, random_state=seed % 2**32).fit(futures).labels_
    groups = [futures[labels == j] for j in np.unique(labels)]
    least = LEAST_SPREAD * futures.std(axis=0) + 1e-12
    return Codebook(
        centers=np.stack([g.mean(axis=0) for g in groups]),
        spreads=np.stack([np.maximum(g.std(axis=0), least) for g in groups]),
    )


@dataclass(frozen=True)
class Mixture:
    """Forecast distribution: for each window and step a mixture of normals, one a shape.

    Parameters
    ----------
    weights : ndarray of shape (n_windows, n_shapes)
        Probabilities of the shapes.
    codebook : Codebook
        The shapes.
    naive : ndarray of shape (n_windows, horizon)
        What shapes are relative to.
    scale : ndarray of shape (n_windows,)
        Unit of the shapes.
    """

    weights: np.ndarray
    codebook: Codebook
    naive: np.ndarray
    scale: np.ndarray

    def mean(self) -> np.ndarray:
        """Mean forecast: ndarray of shape (n_windows, horizon)."""
        return self.naive + self.scale[:, None] * (self.weights @ self.codebook.centers)

    def variance(self) -> np.ndarray:
        """Variance of the forecast: ndarray of shape (n_windows, horizon)."""
        centers, spreads = self.codebook.centers, self.codebook.spreads
        first = self.weights @ centers
        second = self.weights @ (centers**2 + spreads**2)
        return self.scale[:, None] ** 2 * np.maximum(second - first**2, 0.0)

    def quantile(self, level: float, n_steps: int = 40) -> np.ndarray:
        """Quantile of the forecast, by bisection: ndarray of shape (n_windows, horizon)."""
        reach = ndtri(max(level, 1 - level)) + 1
        low = (self.codebook.centers - reach * self.codebook.spreads).min(axis=0)
        high = (self.codebook.centers + reach * self.codebook.spreads).max(axis=0)
        low, high = (np.broadcast_to(b, self.naive.shape).copy() for b in (low, high))
        for _ in range(n_steps):
            middle = (low + high) / 2
            z = (middle[:, None] - self.codebook.centers) / self.codebook.spreads
            below = np.einsum("nk,nkh->nh", self.weights, ndtr(z)) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return self.naive + self.scale[:, None] * (low + high) / 2
