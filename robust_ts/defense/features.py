"""What is kept of each view: kernel features, whether or not the views fit in memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from robust_ts.chunks import chunk_rows, chunks
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.ridge import kernel_map, landmark_rows, map_of, squared_distances
from robust_ts.defense.views import (
    apply_scaling,
    feature_views,
    scaling,
    unscaled_views,
    usual_rows,
)

_MOST_VALUES = 1024  # bounds memory: a replaced tenth of a long series still shows in a hundred

#: Gives samples, by their indices, standardized and of one length.
Load = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ViewStream:
    """Views of samples that do not fit in memory: computed in parts, as often as asked for.

    Parameters
    ----------
    load : callable
        Gives samples by their indices, standardized and of one length.
    rows : ndarray of int of shape (n_samples,)
        The samples, ascending.
    seed : int
        Seed of the random filters.
    usual : ndarray of shape (at most 64, n_channels, *space)
        The samples that set the levels of the filters.
    n_samples : int
        Samples at first, before some were taken out.
    scalings : dict of str to (ndarray, ndarray or float)
        Names of the views, and what to center and scale them by.
    """

    load: Load
    rows: np.ndarray
    seed: int
    usual: np.ndarray
    n_samples: int
    scalings: dict[str, tuple[np.ndarray, np.ndarray | float]]

    @classmethod
    def of(cls, load: Load, rows: np.ndarray, seed: int = 0) -> "ViewStream":
        """Center and scale the views as those of as many samples as fit in memory, at random."""
        n = len(rows)
        usual = load(rows[usual_rows(n, seed)])
        some = np.random.default_rng(seed).choice(n, min(n, chunk_rows(usual)), replace=False)
        views = unscaled_views(load(rows[np.sort(some)]), seed, usual, n)
        finite = {name: view for name, view in views.items() if np.isfinite(view).all()}
        scalings = {name: scaling(name, view) for name, view in finite.items()}
        return cls(load, rows, seed, usual, n, scalings)

    def features(self, constants: DefenseConstants, seed: int) -> "Features":
        """Do what `features_of` does, in one pass over the samples."""
        n = len(self.rows)
        chosen = landmark_rows(n, constants.landmarks(n), seed)
        landmarks = dict(self._scaled(self.rows[chosen]))
        distances = {name: np.empty((n, len(chosen))) for name in landmarks if constants.sees(name)}
        values: list[np.ndarray] = []
        exact: list[np.ndarray] = []
        for part in chunks(self.usual, np.arange(n)):
            for name, view in self._scaled(self.rows[part]):
                if name in distances:
                    distances[name][part] = squared_distances(view, landmarks[name])
                if name == "raw":
                    values.append(project(view, constants.projection, seed))
                    exact.append(some_of(view))
        # One map at a time takes the place of its distances.
        maps = {name: map_of(distances.pop(name), chosen) for name in list(distances)}
        return Features(maps, np.concatenate(values), np.concatenate(exact))

    def _scaled(self, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        views = unscaled_views(self.load(rows), self.seed, self.usual, self.n_samples)
        for name, given in self.scalings.items():
            yield name, apply_scaling(views.pop(name), given)


#: Views of some samples, in memory or not.
Views = Mapping[str, np.ndarray] | ViewStream


def views_of(load: Load, rows: np.ndarray, seed: int = 0) -> Views:
    """Give the views of some samples: as arrays where a part holds all samples, else as a stream.

    Parameters
    ----------
    load : callable
        Gives samples by their indices, standardized and of one length.
    rows : ndarray of int of shape (n_samples,)
        The samples, ascending.
    seed : int, default=0
        Seed of the random filters.
    """
    if len(rows) <= chunk_rows(load(rows[:1])):
        return feature_views(load(rows), seed)
    return ViewStream.of(load, rows, seed)


@dataclass(frozen=True)
class Features:
    """What groups are sought and judged by.

    Parameters
    ----------
    maps : dict of str to ndarray of shape (n_samples, at most n_landmarks)
        Kernel features of every view that is used.
    values : ndarray of shape (n_samples, at most projection)
        Raw values, projected.
    exact : ndarray of shape (n_samples, at most 1024)
        Some of the raw values, equal where they were equal.
    """

    maps: dict[str, np.ndarray]
    values: np.ndarray
    exact: np.ndarray


def features_of(views: Views, constants: DefenseConstants, seed: int = 0) -> Features:
    """Reduce views to what groups are sought and judged by.

    Parameters
    ----------
    views : dict of str to ndarray of shape (n_samples, n_features), or ViewStream
        The views; ``"raw"`` must be there.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of landmarks and projection.

    Returns
    -------
    Features
    """
    if isinstance(views, ViewStream):
        return views.features(constants, seed)
    seen = {name: view for name, view in views.items() if constants.sees(name)}
    n_landmarks = constants.landmarks(len(views["raw"]))
    maps = {name: kernel_map(v, n_landmarks, seed) for name, v in seen.items()}
    raw = views["raw"]
    return Features(maps, project(raw, constants.projection, seed), some_of(raw))


def some_of(values: np.ndarray) -> np.ndarray:
    """Take at most 1024 of the values of each sample, evenly; equal ones stay equal."""
    return values[:, :: -(-values.shape[1] // _MOST_VALUES)].astype(np.float32)


def project(values: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Project to few dimensions at random; short series stay as they are."""
    if values.shape[1] <= dimensions:
        return values
    rng = np.random.default_rng(seed)
    return values @ rng.normal(size=(values.shape[1], dimensions)) / np.sqrt(dimensions)
