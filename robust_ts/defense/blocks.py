"""Seek groups in one block of samples after the other, so that memory does not grow with them."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.features import Views
from robust_ts.defense.propose import alarms_in_turn, propose


def search(
    views_of: Callable[[np.ndarray], Views],
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
) -> tuple[list[Proposal], list[Proposal]]:
    """Propose a group a class, and say which of them are worth verifying.

    More samples than ``constants.block`` are split at random into blocks, every class alike, which
    are searched on their own. A class is worth verifying where it is so in half of the blocks;
    then its best groups of all blocks together are.

    Parameters
    ----------
    views_of : callable
        Gives the views of samples by their indices.
    labels : ndarray of shape (n_samples,)
        Given labels ``0..n_classes - 1``.
    n_classes : int
        Number of classes.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of blocks, landmarks, projection, clusters and samples of reference.

    Returns
    -------
    proposals, suspects : list of Proposal
        Best first, at most one a class; the second are those worth verifying.
    """
    proposed: list[list[Proposal]] = []
    suspected: list[list[Proposal]] = []
    for rows in split(labels, constants.block, seed):
        views, own = views_of(rows), labels[rows]
        proposals = propose(views, own, n_classes, constants, seed)
        suspects = alarms_in_turn(proposals, views, own, n_classes, constants, seed)
        proposed.append([_placed(p, rows) for p in proposals])
        suspected.append([_placed(p, rows) for p in suspects])
    if len(proposed) == 1:
        return proposed[0], suspected[0]
    alarming = []
    for label in range(n_classes):
        found = [_of_class(s, label) for s in suspected]
        if 2 * sum(map(len, found)) >= len(found):
            # A block that is silent about a class which alarms in others has its best group there.
            parts = [s or _of_class(p, label) for s, p in zip(found, proposed, strict=True)]
            alarming.append(_joined([p for part in parts for p in part]))
    parts = [[p for block in proposed for p in _of_class(block, k)] for k in range(n_classes)]
    return _ranked([_joined(p) for p in parts if p]), _ranked(alarming)


def split(labels: np.ndarray, size: int, seed: int = 0) -> list[np.ndarray]:
    """Split samples at random into equal blocks of about ``size`` at most, every class alike."""
    n = len(labels)
    n_blocks = -(-n // size)
    if n_blocks == 1:
        return [np.arange(n)]
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(order[start::n_blocks]) for start in range(n_blocks)]


def _placed(proposal: Proposal, rows: np.ndarray) -> Proposal:
    """Give the members of a group their numbers among all samples."""
    return replace(proposal, members=rows[proposal.members], doubtful=rows[proposal.doubtful])


def _of_class(proposals: Sequence[Proposal], label: int) -> list[Proposal]:
    return [p for p in proposals if p.label == label]


def _joined(parts: Sequence[Proposal]) -> Proposal:
    """Make one group of those of several blocks, with their mean evidence."""
    evidence = {
        f.name: float(np.mean([getattr(p, f.name) for p in parts]))
        for f in fields(Proposal)
        if f.name not in ("label", "members", "doubtful")
    }
    members, doubtful = (
        np.sort(np.concatenate([getattr(p, name) for p in parts]))
        for name in ("members", "doubtful")
    )
    return Proposal(parts[0].label, members, doubtful=doubtful, **evidence)


def _ranked(proposals: Sequence[Proposal]) -> list[Proposal]:
    return sorted(proposals, key=lambda p: -p.score)
