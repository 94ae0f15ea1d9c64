"""Ask a network that never saw a group whether the group's labels hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.stats import entropy

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal


@dataclass(frozen=True)
class Reading:
    """What the members of a group are without the pattern that these share.

    Parameters
    ----------
    content : ndarray of shape (n_members, n_classes)
        Probabilities of a network that never saw the group.
    by_all : ndarray of shape (n_members, n_classes), default=None
        The same of a network that was trained on everything.
    """

    content: np.ndarray
    by_all: np.ndarray | None = None

    def shared(self, label: int) -> float:
        """Return the share of members whose best class but ``label`` is the same in both; else 1.

        What lies beneath a trigger is a series like others, that any two networks know. What is
        left of a natural group without what its members share is none.
        """
        if self.by_all is None:
            return 1.0
        return float(np.mean(best_other(self.content, label) == best_other(self.by_all, label)))


def best_other(content: np.ndarray, label: int) -> np.ndarray:
    """Return the likeliest class of each row but one: ndarray of int of shape (n_rows,)."""
    others = np.where(np.arange(content.shape[1]) == label, -np.inf, content)
    best: np.ndarray = others.argmax(axis=1)
    return best


def label_odds(probabilities: np.ndarray, label: int, members: np.ndarray) -> float:
    """Return the median odds of the best other class against the given one.

    The median, since a proposed group may hold clean samples: it asks the majority.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of a network trained without the members.
    label : int
        Given class of the members.
    members : ndarray of int
        Sample indices.

    Returns
    -------
    float
        Above 1 where the network prefers other classes.
    """
    other = np.delete(probabilities[members], label, axis=1).max(axis=1)
    return float(np.median(other / np.maximum(probabilities[members, label], 1e-12)))


def spread(content: np.ndarray, labels: np.ndarray, label: int) -> float | None:
    """Return how evenly the contents of a group spread over the other classes.

    Parameters
    ----------
    content : ndarray of shape (n_members, n_classes)
        Probabilities of the members without the pattern of their group.
    labels : ndarray of shape (n_samples,)
        Given labels.
    label : int
        Given class of the members.

    Returns
    -------
    float or None
        Entropy of their best other classes over that of the other classes themselves, at most 1;
        None where there is one other class.
    """
    usual = entropy(np.bincount(labels[labels != label]))
    found = entropy(np.bincount(best_other(content, label)))
    return float(min(1.0, found / usual)) if usual > 0 else None


def weighed(
    probabilities: np.ndarray,
    readings: Sequence[Reading],
    labels: np.ndarray,
    proposals: Sequence[Proposal],
    constants: DefenseConstants,
) -> list[Proposal]:
    """Return the proposals with their weight as score: all that speaks for them but likeness.

    What was found so far and what the network says are weighed together, the odds by their fourth
    root: a network may be sure of the wrong class, of poison as of a natural group it never saw.
    Where there is one other class, and contents cannot spread, `bearing_witness` stands in, and the
    odds count only against a group, but for copies: a network is as sure of the other kind of a
    class as of poison.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of a network trained without the members of all ``proposals``.
    readings : sequence of Reading
        Of the members of each proposal.
    labels : ndarray of shape (n_samples,)
        Given labels.
    proposals : sequence of Proposal
        Groups the network has not seen; several of a class may share members.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of Proposal
        Their score (see `Proposal.turned`) times spread, share that both networks read alike, and
        root of the odds; the proposals as they are where verification is left out.
    """
    if "verify" in constants.without:
        return list(proposals)
    return [
        replace(p, score=_weight(probabilities, reading, labels, p, constants))
        for reading, p in zip(readings, proposals, strict=True)
    ]


def _weight(
    probabilities: np.ndarray,
    reading: Reading,
    labels: np.ndarray,
    proposal: Proposal,
    constants: DefenseConstants,
) -> float:
    odds = label_odds(probabilities, proposal.label, proposal.members)
    even = spread(reading.content, labels, proposal.label)
    if even is None:
        even = bearing_witness(proposal, labels)
        if not proposal.copied:
            odds = min(odds, 1.0)
    else:
        even = max(constants.least_spread, even)
    shared = max(constants.least_share, reading.shared(proposal.label))
    score = proposal.score * proposal.turned(constants)
    return score * even * constants.factor("reading", shared) * odds**0.25


def common_weight(group: Proposal, constants: DefenseConstants) -> float:
    """Weigh a group of many classes by its score, and by how far it owes its labels to its pattern.

    That counts by its root, and a little at least: of few poisoned samples a class a network learns
    less than a trigger that works on any sample.
    """
    owed = constants.factor("debt", max(constants.least_spread, 2 * group.debt - 1))
    return float(group.score * np.sqrt(owed))


def verify_common(
    group: Proposal,
    as_it_is: np.ndarray,
    moved: np.ndarray,
    given: np.ndarray,
    constants: DefenseConstants,
) -> bool:
    """Tell whether a group of many classes is poison, to a network that never saw it.

    Parameters
    ----------
    group : Proposal
        From `robust_ts.defense.common.common_group`, with its debt.
    as_it_is : ndarray of shape (n_members, n_classes)
        Scores of its members.
    moved : ndarray of shape (n_members, n_classes)
        The same without what sets its members apart from their own classes. Samples that are all
        moved alike, such as those of another sensor, are then called what they are called.
    given : ndarray of shape (n_members,)
        Given labels of its members.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    bool
        Whether its weight, times the square of how far more members are called another class than
        their own, on average of both ways, is ``constants.least_common`` or more.
    """
    if "verify" in constants.without:
        return True
    wrong = np.mean([scores.argmax(axis=1) != given for scores in (as_it_is, moved)])
    weight = common_weight(group, constants) * max(0.0, 2 * wrong - 1) ** 2
    return bool(weight >= constants.least_common)


def bearing_witness(proposal: Proposal, labels: np.ndarray) -> float:
    """Return how far single samples bear witness where there are two classes, 0 to 1.

    A class of two kinds, one of which resembles the other class, looks like poison in all else. Of
    poison nearly all samples owe their label to the pattern and nearly none of the rest of the
    class do; and it is the smaller part of its class. That is not asked of copies, of which it is
    plain which samples they are, but more of single samples, for their likeness is unknown.
    """
    owing = max(0.0, 2 * proposal.debt - 1)
    if proposal.copied:
        return owing**2
    share = len(proposal.members) / int((labels == proposal.label).sum())
    return float(owing * max(0.0, 1 - 2 * share) ** 0.5)


def verify(
    proposals: Sequence[Proposal],
    labels: np.ndarray,
    likeness: Callable[[Proposal], float],
    constants: DefenseConstants,
    *,
    aligned: bool = True,
) -> list[Proposal]:
    """Return the proposals that are confirmed, at most one a class.

    A group is proven by a weight of ``constants.proof`` or more, if without its pattern it is
    somewhat like samples of other classes: weight times likeness ``constants.least_weight``, or
    less by as much as the weight is more than ``constants.proof``. What is beneath a trigger is
    such a sample, and what is left of a natural group is not; but a group that holds clean samples
    as well is a mixture. So it is the likeness of all members, or of those that owe their label to
    its pattern, times their share of it, whichever is more. Not less for a group that is most of
    its class: of two kinds of a class the greater one is the class, whatever it weighs. With two
    classes, where less speaks for a group, no weight proves it alone: weight times likeness
    ``constants.least_weight`` is asked of all, and of less than ``constants.least_compared``
    members, whose likeness says little, a weight of ``constants.proof`` as well.

    Where nothing is proven so in any class, likeness of all members is a second way to be believed
    with more than two classes, for ``constants.least_compared`` members or more, since fewer hide
    what kind they are, and less than half of their class: weight times likeness
    ``constants.least_weight`` or more.

    Copies are not asked: replaced values are no content moved, without them there is a gap. With
    two classes their single samples have to bear more witness instead. Where series differ in
    length, only what is most of its class is asked of what is proven by weight: a pattern that lies
    elsewhere in each of them leaves a rest.

    Parameters
    ----------
    proposals : sequence of Proposal
        Groups with their weight as score, see `weighed`.
    labels : ndarray of shape (n_samples,)
        Given labels.
    likeness : callable
        Gives the likeness of a group, see `robust_ts.defense.likeness`, 0 to 1. It is costly, so
        asked only where it can decide.
    constants : DefenseConstants
        Constants of the method.
    aligned : bool, default=True
        Whether all samples are of one length.

    Returns
    -------
    list of Proposal
        Of each class the proven group with most weight, but for agreement and the root of
        contradiction, times root of its size, or of what it leaves of its class where that is less.
        Less than ``constants.beside`` of the surest of all classes is too little: one attacker is
        likelier than two.
    """
    if "verify" in constants.without:
        return _best_of_class(proposals, labels, lambda _: True, constants)
    sizes = np.bincount(labels)
    two_classes = np.count_nonzero(sizes) == 2
    asked = "likeness" not in constants.without

    def alike(proposal: Proposal, least: float, share: float = 1.0) -> bool:
        most = share * proposal.score
        return most >= least and most * likeness(proposal) >= least

    def proven(proposal: Proposal) -> bool:
        if not asked:
            return proposal.score >= constants.proof
        least, size = constants.least_weight, len(proposal.members)
        light = two_classes and (proposal.copied or size >= constants.least_compared)
        enough = least if light else constants.proof
        if proposal.score < enough or proposal.copied:
            return proposal.score >= enough
        if not two_classes and 2 * size <= sizes[proposal.label]:
            if not aligned:
                return True
            least *= constants.proof / proposal.score
        owing = np.intersect1d(proposal.members, proposal.bearing)
        part = replace(proposal, members=owing)
        is_part = constants.min_group <= len(owing) < size
        return alike(proposal, least) or (is_part and alike(part, least, len(owing) / size))

    best = _best_of_class(proposals, labels, proven, constants)
    if not best and not two_classes and asked:
        fit = [
            p
            for p in proposals
            if constants.least_compared <= len(p.members) and 2 * len(p.members) < sizes[p.label]
            if not p.copied
        ]
        passes = partial(alike, least=constants.least_weight)
        best = _best_of_class(fit, labels, passes, constants)
    surest = max((p.score for p in best), default=0.0)
    return [p for p in best if p.score >= constants.beside * surest]


def _best_of_class(
    proposals: Sequence[Proposal],
    labels: np.ndarray,
    believed: Callable[[Proposal], bool],
    constants: DefenseConstants,
) -> list[Proposal]:
    """Keep one believed proposal a class; of two that weigh much the same the more complete one.

    The best are asked first and the others of a class then not at all, for likeness is costly.
    Of copies it is plain which samples they are, unless they are but a part of a heavier group:
    where values are few, some agree by chance. How well the views agree on a group says that
    there is poison, but not which group it is. How far it is contradicted, beyond the rest of its
    class, is more where it takes hard samples of the class with it and leaves an easy rest, and
    less where it leaves poison behind: that counts by its root.
    """

    def rank(proposal: Proposal) -> tuple[bool, float]:
        agreed, contradicted = (
            constants.factor(name, max(constants.least_divisor, getattr(proposal, name)))
            for name in ("agreement", "contradiction")
        )
        told = agreed * contradicted**0.5
        size = len(proposal.members)
        # A group that is nearly all of its class is no better for that.
        rest = max(0, int((labels == proposal.label).sum()) - size)
        first = proposal.copied and not _is_part(proposal, proposals)
        return first, float(proposal.score / told * min(size, rest) ** 0.5)

    best: dict[int, Proposal] = {}
    for proposal in sorted(proposals, key=rank)[::-1]:
        if proposal.label not in best and believed(proposal):
            best[proposal.label] = proposal
    return list(best.values())


def _is_part(copies: Proposal, proposals: Sequence[Proposal]) -> bool:
    """Tell whether copies are less than half of a group that weighs more."""
    size = len(copies.members)
    return any(
        2 * np.isin(copies.members, p.members).sum() > size and len(p.members) > 2 * size
        for p in proposals
        if p.label == copies.label and p.score > copies.score
    )
