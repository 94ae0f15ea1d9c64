"""Propose groups of training samples that may be poison, and say which are worth verifying.

Every function is linear in the number of samples for a fixed number of classes. The order in
which the stages are called stands in ``robust_ts.classifiers.e2abl``.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from threading import Lock

import numpy as np
import torch

from robust_ts.defense.candidates import candidates, of_right_size, two_means
from robust_ts.defense.common import common_group
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.copies import Copies, copied_groups
from robust_ts.defense.division import Learned, divisions, redrawn
from robust_ts.defense.evidence import Judge, Proposal
from robust_ts.defense.features import Views, features_of
from robust_ts.defense.witnesses import Witnesses, refined_labels

#: Views of the whole sample from which the two-means starts are drawn.
WHOLE_VIEWS = ("raw", "local", "global")
_REDRAWS = 5  # as often as `settled` draws at most


def propose(
    views: Views,
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
    learned: Learned | None = None,
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
    learned : Learned, optional
        What a network that was trained on everything learned.

    Returns
    -------
    list of Proposal
        At most one a class; where a network is asked a few: what `divisions` gives, and what the
        samples that owe their label to the pattern of the likeliest settle on, with two classes of
        all that are likely, again and again (`redrawn`). And one of many classes, of label
        ``EVERY_CLASS``, where `common_group` finds it.
    """
    features = features_of(views, constants, seed)
    maps = list(features.maps.values())
    whole = [features.maps[name] for name in WHOLE_VIEWS if name in features.maps]
    n_parts = -(-constants.least_classes // (n_classes - 1))
    if "refinement" in constants.without:
        n_parts = 1
    # With two classes there is but one source of either, which says nothing of poison in both.
    in_common = n_classes > 2 and "common" not in constants.without
    shared = None
    if n_parts == 1 or in_common:
        shared = Witnesses.of(maps, labels, n_classes, constants)
    copied: list[list[Copies]] = [[]] * n_classes
    if "copies" not in constants.without:
        copied = copied_groups(features.exact, labels, n_classes, constants)
    pure = n_classes == 2 and "redraws" not in constants.without
    asking = Lock()  # one class at a time asks the network

    starts_in_common: list[np.ndarray] = []

    def of_class(label: int) -> list[Proposal]:
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2 * constants.min_group:
            return []
        witnesses, column = shared, label
        if witnesses is None or n_parts > 1:
            everything = np.concatenate(whole, axis=1)
            refined, column = refined_labels(everything, labels, label, n_parts, seed), 0
            n_refined = int(refined.max()) + 1
            witnesses = Witnesses.of(maps, refined, n_refined, constants)
        starts = [np.array([], dtype=int)]
        for points in whole:
            side = two_means(points[rows])
            starts += [rows[side], rows[~side]]
        judge = Judge(witnesses, column, features.values, constants, seed)
        # With two classes most of what rests in a single view is a kind of its class.
        groups = candidates(witnesses, column, starts, constants, each_view=n_classes > 2)
        best = judge.best_of(groups)
        starts_in_common.extend(judge.most_contradicted(groups))
        copies = [judge.weigh(c.members, c.n_values) for c in copied[label]]
        found = [*([best] if best else []), *copies]
        if learned is None:
            found = sorted(found, key=lambda p: -p.score)[:1]
        else:
            found = _asked(found, label, rows, learned, judge, len(labels), seed, asking, pure)
        return [replace(p, label=label) for p in found]

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        proposals = list(chain.from_iterable(pool.map(of_class, range(n_classes))))
    if shared is not None and in_common:
        found = common_group(features.values, labels, shared, starts_in_common, constants)
        proposals += [found] if found else []
    return sorted(proposals, key=lambda p: -p.score)


def _asked(
    found: list[Proposal],
    label: int,
    rows: np.ndarray,
    learned: Learned,
    judge: Judge,
    n_samples: int,
    seed: int,
    asking: Lock,
    pure: bool,
) -> list[Proposal]:
    """Add the groups that a network knows of a class to what was found.

    With two classes single samples have to bear witness, which they do of a pure group: what owes
    its label to the pattern of a group is asked again about its own pattern, until that rests.
    """
    constants = judge.constants
    fits = partial(of_right_size, n_of_class=len(rows), n_samples=n_samples, constants=constants)
    # Copies come last, and replace the same group where it was found otherwise as well.
    groups = {p.members.tobytes(): p for p in found}
    known = [p.members for p in found]

    def add(more: Sequence[np.ndarray]) -> None:
        for group in more:
            if group.tobytes() not in groups:
                groups[group.tobytes()] = judge.weigh(group)

    with asking:
        points = learned.points(rows)
        divided = divisions(rows, known, points, constants, n_samples, seed)
    add(divided)

    def redraw(some: Sequence[Proposal], n_steps: int) -> list[np.ndarray]:
        starts = [p.members for p in some if p.score >= constants.alarm]
        with asking:
            return [redrawn(learned, label, s, rows, points, fits, n_steps) for s in starts]

    add(redraw(sorted(groups.values(), key=lambda p: -p.score)[:1], 1))
    if pure:
        # Of a few samples that were drawn so it is no wonder that all of them owe their label.
        rested = redraw(list(groups.values()), _REDRAWS)
        add([group for group in rested if len(group) >= constants.least_compared])
    return list(groups.values())


def worth_asking(proposals: Sequence[Proposal], constants: DefenseConstants) -> list[Proposal]:
    """Return the proposals whose score is worth a look by the networks, best first."""
    ranked = sorted(proposals, key=lambda p: -p.score)
    bar = least_to_alarm([p.score for p in ranked], constants)
    return [p for p in ranked if p.score >= bar]


def least_to_alarm(weights: Sequence[float], constants: DefenseConstants) -> float:
    """Return the least weight that alarms: where no group reaches ``alarm``, the heaviest may.

    One light group held out costs the network that judges next to nothing; all the light groups of
    each class, held out together, leave it ignorant of what it has to judge.
    """
    heaviest = max(weights, default=0.0)
    return min(constants.alarm, max(heaviest, constants.least_weight))


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
        The lowest ``low_loss_share`` of all samples, one group a class; to be confirmed, each needs
        no more than the majority of a network that never saw it.

    References
    ----------
    Li et al., "Anti-Backdoor Learning", NeurIPS 2021, Section 4: isolation by low loss.
    """
    size = max(1, round(constants.low_loss_share * len(losses)))
    lowest = np.sort(np.argsort(losses, kind="stable")[:size])
    return [
        Proposal(int(k), lowest[labels[lowest] == k], 1.0, 1.0, 1.0, 1.0, 1.0, constants.proof)
        for k in np.unique(labels[lowest])
    ]


def members_of(proposals: Sequence[Proposal], n_samples: int) -> np.ndarray:
    """Return the members of all proposals as a mask of shape (n_samples,)."""
    mask = np.zeros(n_samples, dtype=bool)
    for proposal in proposals:
        mask[proposal.members] = True
    return mask


def unsuspected(proposals: Sequence[Proposal], n_samples: int, n_classes: int) -> np.ndarray:
    """Return what a group is compared with in other classes, as a mask of shape (n_samples,).

    The likeliest group of each class may be poison too. Not so with two classes: one attacker is
    likelier than two, and the likeliest group of the other class is often one of its kinds, without
    which the rest is not what that class is like.
    """
    if n_classes == 2:
        return np.ones(n_samples, dtype=bool)
    likeliest = {p.label: p for p in sorted(proposals, key=lambda p: p.score)}
    return ~members_of(list(likeliest.values()), n_samples)
