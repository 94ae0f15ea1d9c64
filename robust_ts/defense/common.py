"""One pattern in samples of many classes: what an attack on all of them leaves behind.

Where every class is to become another one, the poison of a class is drawn from one class alone. So
it spreads over nothing, and looks like a natural part of its class that borders on another. What it
has in common with the poison of all other classes gives it away: the trigger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.stats import rankdata

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.witnesses import Witnesses

#: Label of a group whose members are of many classes.
EVERY_CLASS = -1
_STEPS = 8  # all classes wait for each other: most settle in five


def common_group(
    values: np.ndarray,
    labels: np.ndarray,
    witnesses: Witnesses,
    starts: Sequence[np.ndarray],
    constants: DefenseConstants,
) -> Proposal | None:
    """Return the samples of many classes that are contradicted and share one pattern.

    At first all samples that the rest of the data call another class are of the group, and one
    group of each class that is called so as a whole. A ridge in the values tells members from
    others: what it learned in all *other* classes says which samples of a class bear the pattern.
    Those with positive scores that the rest of the data, without the group, call another class are
    the next group, or the upper of two kinds of these, until that rests. Of natural groups, which
    share nothing, little is left.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Raw values, projected.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    witnesses : Witnesses
        What the rest of the data say; they know these classes.
    starts : sequence of ndarray of int
        Groups of single classes to start from.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    Proposal or None
        Of label ``EVERY_CLASS``, with `common_cohesion` as cohesion, and that times `one_source` as
        score: the group with the highest score, of any ridge strength, halved or not; the last one
        where it does not rest. None where that is less than ``constants.least_common``, or where
        members become fewer than ``constants.least_compared``, or of less than half of all classes.
    """
    n_classes = witnesses.alone.shape[2]
    means = np.zeros((n_classes, values.shape[1]))
    for label in np.unique(labels):
        means[label] = values[labels == label].mean(axis=0)
    called = np.einsum("v,vij->ij", witnesses.weights, witnesses.alone).argmax(axis=1)
    start = called != labels
    start[np.concatenate([np.array([], dtype=int), *starts])] = True
    doubts = _Doubts(witnesses, labels, {})

    def settled(strength: float, halved: bool) -> Proposal | None:
        inside = start
        for step in range(_STEPS + 1):
            members = np.flatnonzero(inside)
            n_within = len(np.unique(labels[members]))
            if len(members) < constants.least_compared or 2 * n_within < n_classes:
                return None
            doubted, source = doubts.about(inside)
            # What is left of each sample if it came from where the rest of the data say.
            contents = values - means[source]
            scores = common_scores(contents, labels, inside, n_classes, strength)
            bar = _halfway(scores[doubted]) if halved else 0.0
            bearing = doubted & (scores > max(0.0, bar))
            if step == _STEPS or np.array_equal(bearing, inside):
                break
            inside = bearing
        cohesion = common_cohesion(scores, labels, inside)
        score = cohesion * one_source(source, labels, inside)
        found = Proposal(EVERY_CLASS, members, 1.0, 1.0, 1.0, 1.0, cohesion, score)
        return replace(found, sources=source[members])

    # Halving clears up what is half natural, and takes half of what is pure.
    ways = product(constants.ridge, (False, True))
    found = [p for p in (settled(*way) for way in ways) if p]
    fit = [p for p in found if p.score >= constants.least_common]
    return max(fit, key=lambda p: p.score, default=None)


@dataclass(frozen=True)
class _Doubts:
    """What the rest of the data say of each class without a group; the same is asked once."""

    witnesses: Witnesses
    labels: np.ndarray
    known: dict[tuple[int, bytes], tuple[np.ndarray, np.ndarray]]

    def about(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tell which samples are called another class, and the likeliest of the others of each."""
        doubted, source = np.zeros((2, len(inside)), dtype=int)
        for label in np.unique(self.labels):
            own = self.labels == label
            doubted[own], source[own] = self._within(label, np.flatnonzero(own & inside))
        return doubted > 0, source

    def _within(self, label: int, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = (label, group.tobytes())
        if key not in self.known:
            by_view = self.witnesses.without(label, group)
            scores = np.einsum("v,vij->ij", self.witnesses.weights, by_view)
            other = np.where(np.arange(scores.shape[1]) == label, -np.inf, scores)
            self.known[key] = other.max(axis=1) > scores[:, label], other.argmax(axis=1)
        return self.known[key]


def common_scores(
    values: np.ndarray, labels: np.ndarray, inside: np.ndarray, n_classes: int, strength: float
) -> np.ndarray:
    """Score how much each sample bears a pattern that a ridge learned in all other classes.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Values without what is known of their content.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    inside : ndarray of bool of shape (n_samples,)
        The group; it weighs as much as the rest.
    n_classes : int
        Number of classes.
    strength : float
        Strength of the ridge, relative to the mean variance of the values.

    Returns
    -------
    ndarray of shape (n_samples,)
        Positive on the side of the group; -1 in a class without which no group is left.
    """
    bias = np.full((len(values), 1), np.sqrt((values**2).mean(axis=0).sum()))
    values = np.concatenate([values, bias], axis=1)
    sides = (inside, ~inside)
    gram_of = [values[side].T @ values[side] for side in sides]
    sum_of = [values[side].sum(axis=0) for side in sides]
    scores = np.full(len(values), -1.0)
    for label in range(n_classes):
        own = labels == label
        left = [int((side & ~own).sum()) for side in sides]
        if not own.any() or min(left) == 0:
            continue
        parts = [values[side & own] for side in sides]
        gram = sum((g - p.T @ p) / n for g, p, n in zip(gram_of, parts, left, strict=True))
        gram += strength * np.trace(gram) / len(gram) * np.eye(len(gram))
        one, rest = ((s - p.sum(axis=0)) / n for s, p, n in zip(sum_of, parts, left, strict=True))
        scores[own] = values[own] @ np.linalg.solve(gram, (one - rest) / 2)
    return scores


def _halfway(scores: np.ndarray) -> float:
    """Split scores in two where that leaves the least variance within (Otsu 1979)."""
    ordered = np.sort(scores)
    n = len(ordered)
    if n < 2:
        return 0.0
    below = np.arange(1, n)
    total = np.cumsum(ordered)
    apart = total[:-1] / below - (total[-1] - total[:-1]) / (n - below)
    cut = int(np.argmax(below * (n - below) * apart**2))
    return float(ordered[cut : cut + 2].mean())


def common_cohesion(scores: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> float:
    """Tell how well what was learned in other classes separates a group from the rest.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        From `common_scores`.
    labels : ndarray of shape (n_samples,)
        Given labels.
    inside : ndarray of bool of shape (n_samples,)
        The group.

    Returns
    -------
    float
        Area under the ROC curve within each class, averaged over the members, mapped to 0 (chance)
        .. 1.
    """
    area, counted = 0.0, 0
    for label in np.unique(labels[inside]):
        own = labels == label
        size, rest = int((own & inside).sum()), int((own & ~inside).sum())
        if rest:
            ranks = rankdata(scores[own])[inside[own]]
            area += (ranks.sum() - size * (size + 1) / 2) / rest
            counted += size
    return max(0.0, 2 * area / counted - 1) if counted else 0.0


def one_source(source: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> float:
    """Tell how far the members of a class all come from one other class.

    An attack moves each class to one other. Natural groups border on several.

    Parameters
    ----------
    source : ndarray of shape (n_samples,)
        The class that each sample may be of.
    labels : ndarray of shape (n_samples,)
        Given labels.
    inside : ndarray of bool of shape (n_samples,)
        The group.

    Returns
    -------
    float
        Share of pairs of members of one class that are of one source, less what is expected if
        sources were drawn as the samples of other classes are, over the rest; 0 where there is no
        pair.
    """
    sizes = np.bincount(labels)
    found, chance, n_pairs = 0.0, 0.0, 0.0
    for label in np.unique(labels[inside]):
        counts = np.bincount(source[inside & (labels == label)])
        pairs = counts.sum() * (counts.sum() - 1)
        others = np.delete(sizes, label)
        found += (counts * (counts - 1)).sum()
        chance += pairs * ((others / others.sum()) ** 2).sum()
        n_pairs += pairs
    return float(max(0.0, (found - chance) / (n_pairs - chance))) if n_pairs > chance else 0.0
