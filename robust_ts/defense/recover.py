"""Give confirmed poison its label back, and clean samples their place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robust_ts.chunks import chunks, read
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal


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


def mean_of_real(X: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Average over samples where they are not padded; NaN where all of them are.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        Samples, NaN where padded; read in parts.
    rows : ndarray of int, optional
        Which samples; all of them where None.

    Returns
    -------
    ndarray of shape (n_channels, *space), float32
        The mean.
    """
    count, total = np.zeros((2, *X.shape[1:]))
    for part in chunks(X, rows):
        values = read(X, part)
        real = ~np.isnan(values)
        count += real.sum(axis=0)
        total += np.where(real, values, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def pattern_of(
    X: np.ndarray, group: np.ndarray, assigned: np.ndarray, means: np.ndarray
) -> np.ndarray:
    """Return the common pattern of a group; without it the content of the members is seen.

    What sets the mean of a poisoned group apart from that of clean samples in the same mixture of
    classes is the trigger: exactly so for one that is added, and a replaced part becomes the mean.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        All samples; NaN where padded.
    group : ndarray of int
        Sample indices.
    assigned : ndarray of int
        Classes, in the mixture in which the group was drawn from them.
    means : ndarray of shape (n_classes, n_channels, *space)
        Mean of the samples of each class.

    Returns
    -------
    ndarray of shape (n_channels, *space), float32
        To be taken from every member.
    """
    real = ~np.isnan(means)
    shares = np.bincount(assigned, minlength=len(means)) / len(assigned)
    weights = shares.reshape(-1, *[1] * (means.ndim - 1)) * real
    usual = (weights * np.where(real, means, 0)).sum(axis=0) / np.maximum(
        weights.sum(axis=0), 1e-12
    )
    # Where no class has real steps there is nothing to compare with.
    usual = np.where(weights.any(axis=0), usual, np.nan)
    return np.nan_to_num(mean_of_real(X, group) - usual).astype(np.float32)


def recover(
    probabilities: np.ndarray,
    labels: np.ndarray,
    suspect: np.ndarray,
    doubtful: np.ndarray,
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
    doubtful : ndarray of bool of shape (n_samples,)
        Samples that get no other label: they may be clean, and without the group's pattern a clean
        sample looks like another class.
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
    relabelled = suspect & ~doubtful & sure & (predicted != labels)
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

    Returns
    -------
    ndarray of shape (n_samples,)
        0 (clean) to 1. A confirmed member's is the probability that its label is wrong; a member
        of a group that was not confirmed has 0.4 times the score of the group, or more where the
        network doubts its label, and stays below one half.
    """
    wrong = 1.0 - probabilities[np.arange(len(labels)), labels]
    suspicion = 0.1 * wrong
    for proposal in proposals:
        # A network that learned the trigger finds nothing wrong: only the score tells.
        below = 0.4 * proposal.score
        suspicion[proposal.members] = np.maximum(suspicion[proposal.members], below)
    for proposal in confirmed:
        suspicion[proposal.members] = wrong[proposal.members]
    return np.clip(suspicion, 0.0, 1.0)
