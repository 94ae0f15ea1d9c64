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

    def quantile(self, level: float) -> np.ndarray:
        """Quantile of the forecast: ndarray of shape (n_windows, horizon)."""
        centers, spreads = (a.T for a in (self.codebook.centers, self.codebook.spreads))
        level_of_each = np.full(self.naive.shape, level)
        relative = mixture_quantile(self.weights[:, None], centers, spreads, level_of_each)
        return self.naive + self.scale[:, None] * relative

    def at_steps(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give the mixture of one step of each window, in the units of the data.

        Parameters
        ----------
        step : ndarray of shape (n_times,), int
            Step of the horizon for each time; windows are those of the tracks at these times.

        Returns
        -------
        weights, means, spreads : ndarray of shape (n_tracks, n_times, n_shapes)
            Probability, mean and standard deviation of each normal.
        """
        of_each = np.tile(step, len(self.naive) // len(step))
        base = self.naive[np.arange(len(of_each)), of_each]
        means, spreads = (
            self.scale[:, None] * part[:, of_each].T
            for part in (self.codebook.centers, self.codebook.spreads)
        )
        shape = (-1, len(step), self.weights.shape[1])
        parts = self.weights, base[:, None] + means, spreads
        return tuple(part.reshape(shape) for part in parts)  # type: ignore[return-value]


def mixture_quantile(
    weights: np.ndarray,
    means: np.ndarray,
    spreads: np.ndarray,
    level: np.ndarray,
    n_steps: int = 60,
) -> np.ndarray:
    """Quantiles of mixtures of normals, by bisection.

    Parameters
    ----------
    weights, means, spreads : ndarray of shape (..., n_components)
        The mixtures; broadcast.
    level : ndarray of shape (...)
        Levels in [0, 1].
    n_steps : int, default=60
        Halvings of the first bracket, from the least to the greatest quantile of a component.

    Returns
    -------
    ndarray of shape (...)
        Quantiles.
    """
    each = means + spreads * ndtri(level)[..., None]
    low, high = each.min(axis=-1), each.max(axis=-1)
    for _ in range(n_steps):
        middle = (low + high) / 2
        below = (weights * ndtr((middle[..., None] - means) / spreads)).sum(axis=-1) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
