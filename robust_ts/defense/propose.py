"""Propose groups of training samples that may be poison, and say which are worth verifying.

Every function is linear in the number of samples for a fixed number of classes. The order in
which the stages are called stands in ``robust_ts.classifiers.e2abl``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robust_ts.defense.candidates import candidates, two_means
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.ridge import LeaveGroupOut, kernel_map
from robust_ts.defense.statistics import (
    cohesion,
    diversity,
    purified,
    smoothed_share,
)


@dataclass(frozen=True)
class Proposal:
    """A group of samples of one class, with the evidence that it is poison.

    Parameters
    ----------
    label : int
        The class the group is labelled with: the possible target.
    members : ndarray of int
        Sample indices.
    contradiction : float
        Share of the group that the rest of the data call another class, less the same share of the
        rest of the class.
    diversity : float
        How evenly the group spreads over the other classes.
    cohesion : float
        How well one pattern tells the group from the other classes.
    score : float
        Product of the three, diversity squared, 0 to 1.
    """

    label: int
    members: np.ndarray
    contradiction: float
    diversity: float
    cohesion: float
    score: float


def propose(
    views: dict[str, np.ndarray],
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
) -> list[Proposal]:
    """Return the best group of each class, best first.

    Parameters
    ----------
    views : dict of str to ndarray of shape (n_samples, n_features)
        From `feature_views`; ``"raw"`` must be there.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    n_classes : int
        Number of classes.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of landmarks, projection and samples of reference.

    Returns
    -------
    list of Proposal
        At most one a class; none with two classes, where a hard part of a class and a poisoned
        one look alike: both are called the only other class there is.
    """
    if n_classes < 3:
        return []
    maps = [kernel_map(v, constants.n_landmarks, seed) for v in views.values()]
    models = [
        [LeaveGroupOut(m, labels, n_classes, strength) for m in maps]
        for strength in constants.ridge
    ]
    values = _project(views["raw"], constants.projection, seed)
    proposals = []
    for label in range(n_classes):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2 * constants.min_group:
            continue
        first = [np.array([], dtype=int)]
        for name in ("raw", "random"):
            if name in views:
                side = two_means(maps[list(views).index(name)][rows])
                first += [rows[side], rows[~side]]
        found = candidates(models, label, first, constants)
        best: Proposal | None = None
        for group in found:
            floor = best.score if best else -1.0
            new = score_group(group, label, models, labels, values, constants, seed, floor)
            best = new if best is None or new.score > best.score else best
        if best:
            proposals.append(_redrawn(best, labels, values, constants, seed))
    return sorted(proposals, key=lambda p: -p.score)


def score_group(
    group: np.ndarray,
    label: int,
    models: Sequence[Sequence[LeaveGroupOut]],
    labels: np.ndarray,
    values: np.ndarray,
    constants: DefenseConstants,
    seed: int = 0,
    floor: float = -1.0,
) -> Proposal:
    """Weigh the evidence that ``group`` is poison, over all views and strengths at once.

    Parameters
    ----------
    group : ndarray of int
        Samples of class ``label``.
    label : int
        The class.
    models : sequence of sequence of LeaveGroupOut
        For each ridge strength, one model a view.
    labels : ndarray of shape (n_samples,)
        Given labels.
    values : ndarray of shape (n_samples, n_features)
        Raw values, projected.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of the samples of reference.
    floor : float, default=-1
        A score to beat; where even full cohesion would not, cohesion is not computed and is 0.

    Returns
    -------
    Proposal
        The group with its score.
    """
    n_classes, rows = models[0][0].n_classes, models[0][0].rows[label]
    inside = np.isin(rows, group)
    scores = np.mean([m.scores(label, group) for level in models for m in level], axis=0)
    other = scores.copy()
    other[:, label] = -np.inf
    wrong = other.max(axis=1) > scores[:, label]
    contradiction = smoothed_share(wrong[inside]) - smoothed_share(wrong[~inside])
    spread = diversity(other.argmax(axis=1)[inside], n_classes)
    rng = np.random.default_rng(seed)
    others = _capped(np.flatnonzero(labels != label), constants.sample_cap, rng)
    if max(0.0, contradiction) * spread**2 <= floor:
        return Proposal(label, group, contradiction, spread, 0.0, 0.0)
    one = cohesion(values, _capped(group, constants.sample_cap, rng), others)
    score = max(0.0, contradiction) * spread**2 * one  # spread parts natural groups off best
    return Proposal(label, group, contradiction, spread, one, score)


def _redrawn(
    best: Proposal, labels: np.ndarray, values: np.ndarray, constants: DefenseConstants, seed: int
) -> Proposal:
    """Redraw a group along its own pattern, where that is clear; the evidence stays."""
    rows = np.flatnonzero(labels == best.label)
    others = _capped(
        np.flatnonzero(labels != best.label), constants.sample_cap, np.random.default_rng(seed)
    )
    if best.cohesion < constants.clear_pattern:
        return best
    group = purified(values, best.members, rows, others)
    shared = len(np.intersect1d(group, best.members)) / len(np.union1d(group, best.members))
    if shared < 0.5 or len(rows) - len(group) < constants.min_group:
        return best  # another group than the one the evidence is about
    return replace(best, members=group)


def alarms(proposals: Sequence[Proposal], constants: DefenseConstants) -> list[Proposal]:
    """Return the proposals worth verifying.

    Parameters
    ----------
    proposals : sequence of Proposal
        At most one a class.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of Proposal
        The alarming ones, best first, at most ``max_trials``.
    """
    ranked = sorted(proposals, key=lambda p: -p.score)
    return [p for p in ranked if p.score >= constants.alarm][: constants.max_trials]


def low_loss_groups(
    losses: np.ndarray, labels: np.ndarray, constants: DefenseConstants
) -> list[Proposal]:
    """Propose the samples of lowest loss, class by class: the published idea, for comparison.

    Parameters
    ----------
    losses : ndarray of shape (n_samples,)
        Early losses in the trap.
    labels : ndarray of shape (n_samples,)
        Given labels.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of Proposal
        The lowest ``low_loss_share`` of all samples, one group a class, with score 1.

    References
    ----------
    Li et al., "Anti-Backdoor Learning", NeurIPS 2021, Section 4: isolation by low loss.
    """
    size = max(1, round(constants.low_loss_share * len(losses)))
    lowest = np.sort(np.argsort(losses, kind="stable")[:size])
    return [
        Proposal(int(label), lowest[labels[lowest] == label], 1.0, 1.0, 1.0, 1.0)
        for label in np.unique(labels[lowest])
    ]


def members_of(proposals: Sequence[Proposal], n_samples: int) -> np.ndarray:
    """Return the members of all proposals as a mask of shape (n_samples,)."""
    mask = np.zeros(n_samples, dtype=bool)
    for proposal in proposals:
        mask[proposal.members] = True
    return mask


def _project(values: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Project to few dimensions at random; short series stay as they are."""
    if values.shape[1] <= dimensions:
        return values
    rng = np.random.default_rng(seed)
    return values @ rng.normal(size=(values.shape[1], dimensions)) / np.sqrt(dimensions)


def _capped(index: np.ndarray, cap: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most ``cap`` of the indices, chosen at random."""
    return index if len(index) <= cap else np.sort(rng.choice(index, cap, replace=False))
