"""Give confirmed poison its label back, and clean samples their place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal, copies_proof


@dataclass(frozen=True)
class Recovery:
    """What to train on next.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Labels to train with.
    keep : ndarray of bool of shape (n_samples,)
        Samples to train on.
    relabelled : ndarray of bool of shape (n_samples,)
        Samples whose label was recovered.
    """

    labels: np.ndarray
    keep: np.ndarray
    relabelled: np.ndarray


def agreeing(
    probabilities: np.ndarray, labels: np.ndarray, suspect: np.ndarray, constants: DefenseConstants
) -> np.ndarray:
    """Return the suspects to which the network gives their given label, and is sure of it.

    Asked once, at verification: then the network has seen no suspect and hardly any trigger.
    Later it may have learned the trigger from poison that was missed, and would agree with poison.

    Parameters
    ----------
    probabilities, labels, suspect, constants
        As in `recover`.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Suspects to be trained on as they are.
    """
    if "recover" in constants.without:
        return np.zeros_like(suspect)
    given = probabilities[np.arange(len(labels)), labels]
    return suspect & (given >= constants.recover_probability)


def recover(
    probabilities: np.ndarray,
    labels: np.ndarray,
    suspect: np.ndarray,
    constants: DefenseConstants,
) -> Recovery:
    """Relabel the suspects of which the network is sure, and leave the others out.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of the main network, trained without the suspects' given labels, for the suspects without
        their common pattern.
    labels : ndarray of shape (n_samples,)
        Given labels.
    suspect : ndarray of bool of shape (n_samples,)
        Members of confirmed groups that did not agree.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    Recovery
        Labels and samples for the next epochs; samples that are no suspects keep both.
    """
    if "recover" in constants.without:
        return Recovery(labels, ~suspect, np.zeros_like(suspect))
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1) >= constants.recover_probability
    relabelled = suspect & sure & (predicted != labels)
    return Recovery(
        labels=np.where(relabelled, predicted, labels),
        keep=~suspect | relabelled,
        relabelled=relabelled,
    )


def suspicion_of(
    probabilities: np.ndarray,
    labels: np.ndarray,
    proposals: Sequence[Proposal],
    confirmed: Sequence[Proposal],
    constants: DefenseConstants,
) -> np.ndarray:
    """Return how likely each sample is poison.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of the final main network.
    labels : ndarray of shape (n_samples,)
        Given labels.
    proposals, confirmed : sequence of Proposal
        All proposals, and those that were verified.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    ndarray of shape (n_samples,)
        0 (clean) to 1. A confirmed member's is the probability that its label is wrong, or how sure
        its group is by its equal values where that is more; a member of a group that was not
        confirmed has ``constants.doubt_of_group`` times the score of the group, and all have
        ``constants.doubt_of_network`` times the probability of other labels where that is more.
    """
    wrong = 1.0 - probabilities[np.arange(len(labels)), labels]
    suspicion = constants.doubt_of_network * wrong
    for proposal in proposals:
        # A network that learned the trigger finds nothing wrong: only the score tells.
        below = constants.doubt_of_group * proposal.score
        suspicion[proposal.members] = np.maximum(suspicion[proposal.members], below)
    for proposal in confirmed:
        sure = copies_proof(proposal, constants)
        suspicion[proposal.members] = np.maximum(wrong[proposal.members], sure)
    return np.clip(suspicion, 0.0, 1.0)
