"""Propose groups of training samples that may be poison, and say which are worth verifying.

Every function is linear in the number of samples for a fixed number of classes. The order in
which the stages are called stands in ``robust_ts.classifiers.e2abl``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from robust_ts.defense.candidates import candidates, two_means
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.features import Views, features_of, take
from robust_ts.defense.statistics import (
    agreement,
    cohesion,
    diversity,
    purified,
    smoothed_share,
)
from robust_ts.defense.witnesses import Witnesses, refined_labels

#: Views of the whole sample from which the two-means starts are drawn.
WHOLE_VIEWS = ("raw", "local", "global")


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
    agreement : float
        How far the views agree on the true class of each member, relative to clean samples.
    explained : float
        How much of the group's variation its true classes explain, relative to clean samples.
    cohesion : float
        How well one pattern tells the group from the other classes.
    score : float
        ``contradiction * diversity**2 * sqrt(agreement * explained) * cohesion``, 0 to 1.
    doubtful : ndarray of int
        Members that may be clean: they are held out, but get no other label.
    """

    label: int
    members: np.ndarray
    contradiction: float
    diversity: float
    agreement: float
    explained: float
    cohesion: float
    score: float
    doubtful: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))


def propose(
    views: Views,
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
) -> list[Proposal]:
    """Return the best group of each class, best first.

    Parameters
    ----------
    views : dict of str to ndarray of shape (n_samples, n_features), or ViewStream
        From `feature_views` or `views_of`; ``"raw"`` must be there.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    n_classes : int
        Number of classes.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of landmarks, projection, clusters and samples of reference.

    Returns
    -------
    list of Proposal
        At most one a class.
    """
    maps, values = features_of(views, constants, seed)
    whole = [maps[name] for name in WHOLE_VIEWS if name in maps]
    n_parts = -(-constants.least_classes // (n_classes - 1))
    if "refinement" in constants.without:
        n_parts = 1
    shared = None
    if n_parts == 1:
        shared = Witnesses.of(list(maps.values()), labels, n_classes, constants)
    proposals = []
    for label in range(n_classes):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2 * constants.min_group:
            continue
        witnesses, column = shared, label
        if witnesses is None:
            points = np.concatenate(whole, axis=1)
            refined, column = refined_labels(points, labels, label, n_parts, seed), 0
            n_refined = int(refined.max()) + 1
            witnesses = Witnesses.of(list(maps.values()), refined, n_refined, constants)
        starts = [np.array([], dtype=int)]
        for features in whole:
            side = two_means(features[rows])
            starts += [rows[side], rows[~side]]
        usual = witnesses.usual_agreement(column)
        best: Proposal | None = None
        for group in candidates(witnesses, column, starts, constants):
            new = score_group(group, witnesses, column, values, usual, constants, seed, best)
            best = new if best is None or new.score > best.score else best
        if best:
            best = replace(best, label=label)
            proposals.append(_redrawn(best, labels, values, constants, seed))
    return sorted(proposals, key=lambda p: -p.score)


def score_group(
    group: np.ndarray,
    witnesses: Witnesses,
    label: int,
    values: np.ndarray,
    usual: float,
    constants: DefenseConstants,
    seed: int = 0,
    best: Proposal | None = None,
) -> Proposal:
    """Weigh the evidence that ``group`` is poison, over all views and strengths at once.

    Parameters
    ----------
    group : ndarray of int
        Samples of class ``label``.
    witnesses : Witnesses
        What the rest of the data say.
    label : int
        The class, as the witnesses count them.
    values : ndarray of shape (n_samples, n_features)
        Raw values, projected.
    usual : float
        Agreement of the views on samples of other classes.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of the samples of reference.
    best : Proposal, optional
        One to beat; where even full cohesion would not, cohesion is not computed and is 0.

    Returns
    -------
    Proposal
        The group with its score.
    """
    model = witnesses.models[0][0]
    inside = np.isin(model.rows[label], group)
    by_view = witnesses.without(label, group)
    scores = np.einsum("v,vij->ij", witnesses.weights, by_view)
    other = scores.copy()
    other[:, label] = -np.inf
    wrong = other.max(axis=1) > scores[:, label]
    contradiction = smoothed_share(wrong[inside]) - smoothed_share(wrong[~inside])
    spread = diversity(other.argmax(axis=1)[inside], model.n_classes)
    # 0.05: where views hardly agree on clean samples, agreement tells nothing.
    agreed = agreement(by_view[:, inside], witnesses.weights, label) / max(usual, 0.05)
    agreed = float(np.clip(agreed, 0.0, 1.0))
    told = witnesses.explained(model.rows[label][inside], other.argmax(axis=1)[inside])
    # Spread parts natural groups off best; agreement and explained are two looks at one thing.
    counted = constants.factor
    score = counted("contradiction", max(0.0, contradiction)) * counted("diversity", spread**2)
    score = score * np.sqrt(counted("agreement", agreed) * counted("explained", told))
    if best is not None and score <= best.score:
        return Proposal(label, group, contradiction, spread, agreed, told, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    others = _capped(np.flatnonzero(model.labels != label), constants.sample_cap, rng)
    one = cohesion(values, _capped(group, constants.sample_cap, rng), others)
    return Proposal(
        label, group, contradiction, spread, agreed, told, one, score * counted("cohesion", one)
    )


def _redrawn(
    best: Proposal, labels: np.ndarray, values: np.ndarray, constants: DefenseConstants, seed: int
) -> Proposal:
    """Redraw a group along its own pattern, where that is clear; the evidence stays."""
    rows = np.flatnonzero(labels == best.label)
    others = _capped(
        np.flatnonzero(labels != best.label), constants.sample_cap, np.random.default_rng(seed)
    )
    if "redraw" in constants.without or best.cohesion < constants.clear_pattern:
        return best
    group, doubtful = purified(values, best.members, rows, others, constants.doubt)
    shared = len(np.intersect1d(group, best.members)) / len(np.union1d(group, best.members))
    if shared < 0.5 or len(rows) - len(group) < constants.min_group:
        return best  # another group than the one the evidence is about
    return replace(best, members=group, doubtful=doubtful)


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
        Those that score ``alarm`` or more, best first; if there is none, the best one if it scores
        ``lead`` times as much as any other class's.
    """
    ranked = sorted(proposals, key=lambda p: -p.score)
    loud = [p for p in ranked if p.score >= constants.alarm]
    if loud or len(ranked) <= constants.least_classes or "lead" in constants.without:
        return loud  # too few other classes to say what is usual
    leads = ranked[0].score >= constants.lead * ranked[1].score
    return ranked[:1] if leads and ranked[0].score >= constants.faint else []


def alarms_in_turn(
    proposals: Sequence[Proposal],
    views: Views,
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
) -> list[Proposal]:
    """Return the alarming proposals that do not owe their alarm to a stronger one.

    Poison in one class makes clean samples of another look wrongly labelled. So where several
    classes alarm, the best group is taken out of the data before the others are judged again.

    Parameters
    ----------
    proposals : sequence of Proposal
        From `propose` with the other arguments.
    views, labels, n_classes, constants, seed
        As in `propose`.

    Returns
    -------
    list of Proposal
        Best first, at most one a class.
    """
    found: list[Proposal] = []
    waiting = alarms(proposals, constants)
    while waiting:
        found.append(waiting[0])
        if len(waiting) == 1:
            break
        kept = np.flatnonzero(~members_of(found, len(labels)))
        part = take(views, kept)
        again = alarms(propose(part, labels[kept], n_classes, constants, seed), constants)
        taken = {p.label for p in found}
        waiting = [
            replace(p, members=kept[p.members], doubtful=kept[p.doubtful])
            for p in again
            if p.label not in taken
        ]
    return found


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
        Proposal(int(label), lowest[labels[lowest] == label], 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
        for label in np.unique(labels[lowest])
    ]


def members_of(proposals: Sequence[Proposal], n_samples: int) -> np.ndarray:
    """Return the members of all proposals as a mask of shape (n_samples,)."""
    mask = np.zeros(n_samples, dtype=bool)
    for proposal in proposals:
        mask[proposal.members] = True
    return mask


def _capped(index: np.ndarray, cap: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most ``cap`` of the indices, chosen at random."""
    return index if len(index) <= cap else np.sort(rng.choice(index, cap, replace=False))
