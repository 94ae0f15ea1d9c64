"""Ask a network that never saw a group whether the group's labels hold."""

from collections.abc import Sequence

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal


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


def verify(
    probabilities: np.ndarray,
    labels: np.ndarray,
    proposals: Sequence[Proposal],
    constants: DefenseConstants,
) -> list[Proposal]:
    """Return the proposals that the network confirms as a whole.

    What the proposal says and what the network says are weighed together: a group that just
    alarms needs odds of ``constants.odds``, one that scores twice as much half of them, and any the
    majority.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of a network trained without the members of all ``proposals``.
    labels : ndarray of shape (n_samples,)
        Given labels.
    proposals : sequence of Proposal
        Groups the network has not seen.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    list of Proposal
        Those whose median odds of the best other class are high enough for their score.
    """
    if "verify" in constants.without:
        return list(proposals)
    return [
        p
        for p in proposals
        if (labels[p.members] == p.label).all()
        and label_odds(probabilities, p.label, np.setdiff1d(p.members, p.doubtful))
        * min(p.score / constants.alarm, constants.odds)
        >= constants.odds
    ]
