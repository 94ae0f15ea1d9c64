"""Tell whether a group spreads as the other classes do, or as one class does."""

from collections.abc import Sequence

import numpy as np

from robust_ts.defense.ridge import LeaveGroupOut

_SCALES = (1.0, 0.75, 0.5)  # what a trigger may leave of the content; a blend leaves 0.7
_DIMENSIONS = 12  # discriminants beyond these add hardly anything, and bound the cost
_RIDGE = 0.02  # keeps directions without variation out of the discriminants


class Mixture:
    """Compare two accounts of a group of one class, in the discriminants of the other classes.

    A poisoned group is a draw from the other classes, all moved alike by the trigger: about its
    mean it spreads as their mixture does. A natural part of a class spreads as the class does.

    Parameters
    ----------
    models : sequence of LeaveGroupOut
        One a view; features and labels are taken from them.
    label : int
        The class.
    weights : ndarray of shape (n_views,)
        How much each view is worth as a witness.
    """

    def __init__(self, models: Sequence[LeaveGroupOut], label: int, weights: np.ndarray) -> None:
        self._model, self._label = models[0], label
        self._weights = weights / weights.sum()
        sizes = np.delete(models[0].moments[0], label)
        self._shares = sizes / sizes.sum()
        self._freedom = len(models[0].labels) - models[0].n_classes
        # Along the axes of the scatter within classes, where that is diagonal; all views at once,
        # filled up to the same number of features, which adds nothing.
        self._n_features = np.array([m.features.shape[1] for m in models], dtype=float)
        widest = models[int(self._n_features.argmax())].features.shape[1]
        self._own = np.zeros((len(models), len(models[0].rows[label]), widest))
        self._centers = np.zeros((len(models), len(sizes), widest))
        self._scatter = np.zeros((len(models), widest))
        for v, model in enumerate(models):
            values, axes = model.axes
            means = np.delete(model.moments[1], label, axis=0)
            own = model.features[model.rows[label]]
            self._own[v, :, : len(values)] = (own - own.mean(axis=0)) @ axes
            self._centers[v, :, : len(values)] = (means - self._shares @ means) @ axes
            self._scatter[v, : len(values)] = values

    def log_ratio(self, group: np.ndarray) -> float:
        """Return the mean log likelihood ratio of a member, mixture against one class, in nats.

        Parameters
        ----------
        group : ndarray of int
            Samples of the class, by their index; not all of them.

        Returns
        -------
        float
            Weighted mean over the views. Under the mixture, a member is a sample of one of the
            other classes, drawn by their sizes, about the group's mean, at the best of three
            scales. Under one class it varies about the group's mean as the rest of the class
            varies about its own.
        """
        inside = self._model.inside(self._label, group)
        own, centers, unused = self._discriminants(inside)
        members = own[:, inside] - own[:, inside].mean(axis=1, keepdims=True)
        rest = own[:, ~inside] - own[:, ~inside].mean(axis=1, keepdims=True)
        # Halfway to the pooled spread, which is the identity here: the rest may be small.
        unit = np.eye(own.shape[2])
        spread = (_turned(rest) @ rest / rest.shape[1] + (1 + unused[:, None]) * unit) / 2
        factor = np.linalg.cholesky(spread)
        alone = (np.linalg.solve(factor, _turned(members)) ** 2).sum(axis=1).mean(axis=1)
        diagonal = np.diagonal(factor, axis1=1, axis2=2)
        one_class = -0.5 * alone - np.log(diagonal).sum(axis=1)
        cross, squares = members @ _turned(centers), (centers**2).sum(axis=2)[:, None]
        norms = (members**2).sum(axis=2)[:, :, None]
        s = np.array(_SCALES)[:, None, None, None]
        nats = np.log(self._shares) - 0.5 * (norms - 2 * s * cross + s**2 * squares)
        mixture = np.logaddexp.reduce(nats, axis=3).mean(axis=2).max(axis=0)
        return float(self._weights @ (mixture - one_class))

    def _discriminants(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give samples and centers along what tells the other classes apart, and what is unused.

        The unit is the spread within all classes without the group, which would widen it.
        """
        spread = max(self._freedom - inside.sum(), 1) * self._unspread(inside)
        roots = np.sqrt(self._shares)
        between = roots[:, None] * (self._centers @ spread) * roots
        values, vectors = (m[..., -_DIMENSIONS:] for m in np.linalg.eigh(between))
        unused = values <= 1e-6 * np.maximum(values[:, -1:], 1e-12)
        scale = np.where(unused, 0.0, 1 / np.sqrt(np.where(unused, 1.0, values)))
        basis = spread @ (roots[:, None] * vectors * scale[:, None])
        return self._own @ basis, self._centers @ basis, unused

    def _unspread(self, inside: np.ndarray) -> np.ndarray:
        """Return the inverse scatter within classes, without the group, times the centers.

        What the group takes from the scatter has as few dimensions as members, so that the matrix
        inversion lemma (Woodbury) needs no more than these.
        """
        members = self._own[:, inside]
        size, n_rest = inside.sum(), (~inside).sum()
        # Without the group the mean of the class is another one: one more direction.
        shift = members.mean(axis=1, keepdims=True) * size / np.sqrt(n_rest)
        left = np.concatenate([members, shift], axis=1)
        trace = self._scatter.sum(axis=1) - (left**2).sum(axis=(1, 2))
        scatter = self._scatter + (_RIDGE * trace / self._n_features)[:, None]
        targets = _turned(self._centers)
        if size >= scatter.shape[1]:
            within = scatter[:, None] * np.eye(scatter.shape[1]) - _turned(left) @ left
            return np.linalg.solve(within, targets)
        scaled = left / scatter[:, None]
        inner = np.eye(size + 1) - scaled @ _turned(left)
        away: np.ndarray = targets / scatter[:, :, None]
        return away + _turned(scaled) @ np.linalg.solve(inner, left @ away)


def _turned(matrices: np.ndarray) -> np.ndarray:
    return matrices.swapaxes(1, 2)
