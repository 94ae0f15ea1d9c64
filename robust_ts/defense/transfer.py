"""Ask a network that was trained on everything what it learned from a group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.statistics import cohesion, pattern_scores


def steered_share(answers: np.ndarray, label: int) -> float:
    """Return the share of samples that a network takes for ``label``.

    Parameters
    ----------
    answers : ndarray of shape (n_samples, n_classes)
        For samples of other classes that bear the pattern of a group.
    label : int
        Class of the group.
    """
    return float((answers.argmax(axis=1) == label).mean())


def transferring(
    proposals: Sequence[Proposal], shares: Mapping[int, float], constants: DefenseConstants
) -> list[Proposal]:
    """Return the proposals whose pattern carries their label over to other samples.

    A backdoor does so: whatever bears the trigger is called the target. The pattern of a natural
    part of a class, put on other contents, hardly does.

    Parameters
    ----------
    proposals : sequence of Proposal
        At most one a class.
    shares : mapping of int to float
        By label, the `steered_share` of a network that saw the group, or how much more it is than
        that of one that did not.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of Proposal
        Those of which score times share is ``constants.alarm`` or more; their new score.
    """
    weighed = [
        replace(
            p,
            score=p.score * constants.factor("transfer", max(constants.blurred, shares[p.label])),
        )
        for p in proposals
        if p.label in shares
    ]
    return [p for p in weighed if p.score >= constants.alarm]


def bearers(
    less: np.ndarray, more: np.ndarray, label: int, constants: DefenseConstants
) -> np.ndarray:
    """Tell which samples of a class owe their label to a pattern.

    Parameters
    ----------
    less, more : ndarray of shape (n_samples, n_classes)
        Probabilities when the pattern is taken from them, and when it is added once more.
    label : int
        The class.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Samples that become another class for sure without the pattern, and are of their own with
        twice as much of it: a hard sample leaves its class as well, but whichever way it is moved.
    """
    other = np.delete(less, label, axis=1).max(axis=1)
    return (other >= constants.recover_probability) & (more.argmax(axis=1) == label)


def regrouped(
    proposal: Proposal,
    owing: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    constants: DefenseConstants,
) -> Proposal:
    """Join a group with the samples that owe their label to its pattern.

    Parameters
    ----------
    proposal : Proposal
        The group.
    owing : ndarray of int
        The samples, of the same class; `bearers`.
    rows : ndarray of int of shape (n_of_class,)
        All samples of the class, ascending.
    values : ndarray of shape (n_of_class + n_others, n_features)
        Raw values, or a projection of them, of these and of samples of other classes.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    Proposal
        Where one linear pattern tells ``owing`` from other classes clearly, it says of every member
        whether it bears it; else it is only known of ``owing``.
    """
    members = np.union1d(proposal.members, owing)
    inside = np.isin(rows, members)
    group, asked = np.searchsorted(rows, owing), np.searchsorted(rows, np.setdiff1d(members, owing))
    rest, others = np.flatnonzero(~inside), np.arange(len(rows), len(values))
    if cohesion(values, group, others) < constants.clear_pattern or not len(rest):
        return replace(proposal, members=members, bearing=owing)
    scores = pattern_scores(values, [group, rest, others], asked)
    scores = np.concatenate([scores[: len(group)], scores[len(scores) - len(asked) :]])
    bearing = np.sort(rows[np.concatenate([group, asked])[scores > -constants.doubt]])
    return replace(
        proposal, members=members, bearing=bearing, doubtful=np.setdiff1d(members, bearing)
    )
