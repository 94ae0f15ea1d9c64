"""What the rest of the data say of a class: one classifier a view, each able to forget a group."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.ridge import LeaveGroupOut
from robust_ts.defense.statistics import agreement


@dataclass(frozen=True)
class Witnesses:
    """Leave-group-out classifiers on every view, at every ridge strength.

    Parameters
    ----------
    models : list of list of LeaveGroupOut
        For each ridge strength, one model a view.
    weights : ndarray of shape (n_views,)
        How much each view is worth as a witness; they sum to the number of views.
    alone : ndarray of shape (n_views, n_samples, n_classes)
        Scores of each sample without itself, summed over the strengths.
    """

    models: list[list[LeaveGroupOut]]
    weights: np.ndarray
    alone: np.ndarray

    @classmethod
    def of(
        cls, maps: list[np.ndarray], labels: np.ndarray, n_classes: int, constants: DefenseConstants
    ) -> "Witnesses":
        """Build the witnesses from kernel features, one array a view.

        A view is weighted by the log odds of its leave-one-out accuracy, as a weak learner in
        SAMME (Zhu et al. 2009): one that cannot tell the classes contradicts every group.
        """
        models = [
            [LeaveGroupOut(m, labels, n_classes, strength) for m in maps]
            for strength in constants.ridge
        ]
        alone = np.sum([[m.leave_one_out() for m in level] for level in models], axis=0)
        right = np.clip((alone.argmax(axis=2) == labels).mean(axis=1), 0.01, 0.99)
        weights = np.maximum(np.log(right / (1 - right) * max(n_classes - 1, 1)), 1e-3)
        if "weights" in constants.without:
            weights = np.ones(len(maps))
        return cls(models, weights / weights.sum() * len(maps), alone)

    def without(self, label: int, group: np.ndarray) -> np.ndarray:
        """Score the samples of a class without ``group``; (n_views, n_of_class, n_classes)."""
        return np.sum([[m.scores(label, group) for m in level] for level in self.models], axis=0)

    def usual_agreement(self, label: int) -> float:
        """Return how far the views agree on the samples of all other classes."""
        labels = self.models[0][0].labels
        return agreement(self.alone[:, labels != label], self.weights, label)

    def explained(self, group: np.ndarray, assigned: np.ndarray) -> float:
        """Return how much of a group's variation the classes assigned to it explain.

        A poisoned group is samples of other classes, all moved alike: about their common mean they
        vary as clean samples of those classes do. The classes nearest to the members of a natural
        group say little of how these differ.

        Parameters
        ----------
        group : ndarray of int
            Sample indices.
        assigned : ndarray of int of the same shape
            Class of each member, as the rest of the data see it.

        Returns
        -------
        float
            Share of the variance about the group's mean that the means of the assigned classes
            explain, over the share they explain of clean samples in the same mixture of classes;
            the upper quartile over the views, for a trigger leaves some of them
            intact, clipped to 0 .. 1.
        """
        classes, index = np.unique(assigned, return_inverse=True)
        shares = np.bincount(index) / len(index)
        ratios = []
        for model in self.models[0]:
            samples = [model.features[model.rows[c]] for c in classes]
            means = np.stack([s.mean(axis=0) for s in samples])
            centers = means - shares @ means
            between = shares @ (centers**2).sum(axis=1)
            within = shares @ [s.var(axis=0).sum() for s in samples]
            own = model.features[group] - model.features[group].mean(axis=0)
            left = ((own - centers[index]) ** 2).sum() / max((own**2).sum(), 1e-12)
            # 0.05: where classes explain hardly anything, the ratio tells nothing.
            ratios.append((1 - left) / max(between / max(between + within, 1e-12), 0.05))
        return float(np.clip(np.quantile(ratios, 0.75), 0.0, 1.0))


def refined_labels(
    points: np.ndarray, labels: np.ndarray, label: int, n_parts: int, seed: int = 0
) -> np.ndarray:
    """Split every class but one into clusters, so that few classes have something to spread over.

    Poison is drawn from all of a class, a natural part of a class borders on one side of another.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        Kernel features.
    labels : ndarray of shape (n_samples,)
        Given labels.
    label : int
        The class that stays whole; it becomes 0.
    n_parts : int
        Most clusters a class; a cluster has six samples or more on average.
    seed : int, default=0
        Seed of the clusters.

    Returns
    -------
    ndarray of shape (n_samples,)
        Labels ``0, 1, ...``.
    """
    refined = np.zeros(len(labels), dtype=np.int64)
    following = 1
    for other in np.unique(labels[labels != label]):
        rows = np.flatnonzero(labels == other)
        parts = min(n_parts, max(1, len(rows) // 6))
        found = KMeans(parts, n_init=4, random_state=seed).fit_predict(points[rows])
        refined[rows] = following + found
        following += parts
    return refined
