"""Tell whether a group, without what its members share, looks like samples of other classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robust_ts.chunks import chunk_rows
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import capped
from robust_ts.defense.features import Load
from robust_ts.defense.patterns import LEFT_OF_CONTENT
from robust_ts.defense.ridge import squared_distances
from robust_ts.defense.views import unscaled_views

_REFERENCE, _DRAWS = 300, 32  # bound the cost
_AT_ONCE = 256  # samples whose views are in memory
_FARTHEST = 8.0  # standard deviations: one odd value is no more than that


def likeness(
    load: Load,
    members: np.ndarray,
    others: np.ndarray,
    constants: DefenseConstants,
    seed: int = 0,
) -> float:
    """Return how well a group passes for samples of other classes that share a pattern.

    Poison is that, drawn by the attacker: moved back to where those samples lie it is one more
    draw of them, in every view. A natural part of a class varies in its own way about its center.
    So the members are moved to the center of clean samples of other classes, and compared with
    them by the maximum mean discrepancy (Gaussian kernel, [1]_); what it is by chance is seen in
    draws of the clean samples themselves, which are moved there in the same way.

    Parameters
    ----------
    load : callable
        Gives samples by their indices, standardized and of one length.
    members : ndarray of int
        The group.
    others : ndarray of int
        Samples of other classes, without those that are likeliest to be poison.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of the draws and of the filters of the views.

    Returns
    -------
    float
        ``1 / (1 + z**2)``, with ``z`` how many standard deviations the group is farther away than
        draws are, summed over the views: the most that chance can reach (Cantelli's inequality). 1
        where it is nearer, or where there are too few samples to compare with.

    References
    ----------
    .. [1] Gretton, Borgwardt, Rasch, Schoelkopf and Smola, "A kernel two-sample test", Journal of
       Machine Learning Research 13, 2012, equation 3.
    """
    rng = np.random.default_rng(seed)
    room = chunk_rows(load(members[:1]))
    others = capped(others, min(_REFERENCE, room), rng)
    members = capped(members, min(constants.most_compared, room, len(others) // 2), rng)
    size = len(members)
    if size < 2:
        return 1.0
    X, group, none = load(others), load(members), np.empty(0, dtype=int)
    center = np.median(X, axis=0)

    def moved(samples: np.ndarray, scale: float = 1.0) -> np.ndarray:
        return ((samples - np.median(samples, axis=0)) / scale + center).astype(np.float32)

    parts = [(moved(group, scale), none) for scale in LEFT_OF_CONTENT]
    draws = [rng.choice(len(X), size, replace=False) for _ in range(_DRAWS)]
    parts += [(moved(X[drawn]), drawn) for drawn in draws]
    compare = _Comparison.of(X, constants, seed)
    distances = np.array([d for batch in _batches(parts) for d in compare.distances(batch)])
    found, usual = distances[: len(LEFT_OF_CONTENT)].min(), distances[len(LEFT_OF_CONTENT) :]
    z = max(0.0, found - usual.mean()) / max(float(usual.std(ddof=1)), 1e-12)
    return float(1 / (1 + z**2))


#: Samples to compare with a reference, and which of the reference these are, if any.
_Part = tuple[np.ndarray, np.ndarray]


def _batches(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Join parts of few samples, for views are computed faster of many at a time."""
    size = max(1, _AT_ONCE // max(len(samples) for samples, _ in parts))
    for start in range(0, len(parts), size):
        yield list(parts[start : start + size])


@dataclass(frozen=True)
class _Comparison:
    """Compares samples with those of a reference, in every view of both."""

    usual: np.ndarray  # set the levels of the filters
    n_samples: int
    seed: int
    views: dict[str, "_View"]

    @classmethod
    def of(cls, X: np.ndarray, constants: DefenseConstants, seed: int) -> "_Comparison":
        usual, n = X[:64], len(X)
        seen = {
            name: _View.of(view.astype(np.float64))
            for name, view in unscaled_views(X, seed, usual, n).items()
            if constants.sees(name) and np.isfinite(view).all()
        }
        return cls(usual, n, seed, seen)

    def distances(self, parts: Sequence[_Part]) -> np.ndarray:
        """Sum the squared discrepancies of each part over the views, but for a common summand.

        What a part has of the reference is not compared with itself.
        """
        samples = np.concatenate([samples for samples, _ in parts])
        views = unscaled_views(samples, self.seed, self.usual, self.n_samples)
        ends = np.cumsum([len(samples) for samples, _ in parts])[:-1]
        weights = np.ones((len(parts), self.n_samples))
        for i, (_, drawn) in enumerate(parts):
            weights[i, drawn] = 0
        weights /= weights.sum(axis=1, keepdims=True)
        total = np.zeros(len(parts))
        for name, view in self.views.items():
            total += view.distances(views.pop(name), ends, weights)
        return total


@dataclass(frozen=True)
class _View:
    """One view of the reference, with the unit of its distances."""

    points: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    width: float

    @classmethod
    def of(cls, view: np.ndarray) -> "_View":
        mean, deviation = view.mean(axis=0), view.std(axis=0)
        scale = deviation + 1e-2 * deviation.max() + 1e-12
        points = _limited(view, mean, scale)
        between = squared_distances(points, points)
        apart = between[between > 1e-12]
        return cls(points, mean, scale, float(np.median(apart)) if len(apart) else 1.0)

    def distances(self, view: np.ndarray, ends: np.ndarray, weights: np.ndarray) -> list[float]:
        points = _limited(view, self.mean, self.scale)
        across = np.exp(-squared_distances(points, self.points) / self.width)
        out = []
        for own, others, w in zip(
            np.split(points, ends), np.split(across, ends), weights, strict=True
        ):
            n = len(own)
            within = np.exp(-squared_distances(own, own) / self.width)
            alike = (within.sum() - np.trace(within)) / (n * (n - 1))
            out.append(float(alike - 2 * (others @ w).mean()))
        return out


def _limited(view: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Center and scale a view; no value is farther than some deviations away."""
    out: np.ndarray = np.clip((view - mean) / scale, -_FARTHEST, _FARTHEST)
    return out
