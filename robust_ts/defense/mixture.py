"""Tell whether a group spreads as the other classes do, or as one class does."""

from collections.abc import Sequence

import numpy as np

from robust_ts.defense.ridge import LeaveGroupOut, halves

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
        self._views = [_View(model, label) for model in models]
        self._weights = weights / weights.sum()
        self._model, self._label = models[0], label

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
        return float(self._weights @ [view.log_ratio(inside) for view in self._views])


class _View:
    """One view of a class: its samples, and what is known of the others."""

    def __init__(self, model: LeaveGroupOut, label: int) -> None:
        sizes, means, scatters = (np.delete(m, label, axis=0) for m in model.moments())
        self.own = model.features[model.rows[label]]
        self.shares = sizes / sizes.sum()
        self.centers = means - self.shares @ means
        self.scatter = scatters.sum(axis=0)
        self.freedom = len(model.labels) - model.n_classes

    def log_ratio(self, inside: np.ndarray) -> float:
        own, centers = self._discriminants(inside)
        members = own[inside] - own[inside].mean(axis=0)
        rest = own[~inside] - own[~inside].mean(axis=0)
        # Halfway to the pooled spread, which is the identity here: the rest may be small.
        spread = (rest.T @ rest / len(rest) + np.eye(rest.shape[1])) / 2
        alone = np.einsum("ij,jk,ik->i", members, np.linalg.inv(spread), members)
        one_class = -0.5 * (alone.mean() + np.linalg.slogdet(spread)[1])
        cross, squares = members @ centers.T, (centers**2).sum(axis=1)
        norms = (members**2).sum(axis=1)[:, None]
        s = np.array(_SCALES)[:, None, None]
        nats = np.log(self.shares) - 0.5 * (norms - 2 * s * cross + s**2 * squares)
        return float(np.logaddexp.reduce(nats, axis=2).mean(axis=1).max() - one_class)

    def _discriminants(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give samples and centers along what tells the other classes apart.

        The unit is the spread within all classes without the group, which would widen it.
        """
        rest = self.own[~inside] - self.own[~inside].mean(axis=0)
        within = self.scatter + rest.T @ rest
        within[np.diag_indices_from(within)] += _RIDGE * np.trace(within) / len(within)
        freedom = np.sqrt(max(self.freedom - inside.sum(), 1))
        centers, own = (w * freedom for w in halves(within, self.centers.T, self.own))
        between = centers * np.sqrt(self.shares)
        values, vectors = np.linalg.eigh(between.T @ between)
        kept = np.flatnonzero(values > 1e-6 * max(values[-1], 1e-12))[-_DIMENSIONS:]
        basis = between @ vectors[:, kept] / np.sqrt(values[kept])
        return own.T @ basis, centers.T @ basis
