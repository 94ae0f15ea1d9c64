"""Seek groups in one block of samples after the other, so that memory does not grow with them."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from robust_ts.defense.common import EVERY_CLASS
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.division import Learned, LearnedOfPart
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.features import Views
from robust_ts.defense.propose import propose


def search(
    views_of: Callable[[np.ndarray], Views],
    labels: np.ndarray,
    n_classes: int,
    constants: DefenseConstants,
    seed: int = 0,
    learned: Learned | None = None,
) -> list[Proposal]:
    """Propose a group a class, or a few where a network is asked.

    More samples than ``constants.block`` are split at random into blocks, every class alike, which
    are searched on their own; the best groups of a class in all blocks together are its group, with
    their mean evidence.

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
    learned : Learned, optional
        What a network that was trained on everything learned.

    Returns
    -------
    list of Proposal
        Best first; at most one a class if there are several blocks.
    """
    proposed: list[list[Proposal]] = []
    for rows in split(labels, constants.block, seed):
        part = None if learned is None else LearnedOfPart(learned, rows)
        found = propose(views_of(rows), labels[rows], n_classes, constants, seed, part)
        proposed.append([_placed(p, rows) for p in found])
    if len(proposed) == 1:
        return proposed[0]
    best = [list({p.label: p for p in reversed(block)}.values()) for block in proposed]
    every = (EVERY_CLASS, *range(n_classes))
    parts = [[p for block in best for p in block if p.label == k] for k in every]
    return sorted((_joined(p) for p in parts if p), key=lambda p: -p.score)


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
    return replace(proposal, members=rows[proposal.members])


def _joined(parts: Sequence[Proposal]) -> Proposal:
    """Make one group of those of several blocks, with their mean evidence."""
    groups = ("members", "bearing", "sources")
    joined: dict[str, Any] = {
        name: np.sort(np.concatenate([getattr(p, name) for p in parts])) for name in groups
    }
    joined["n_copied"] = min(p.n_copied for p in parts)
    for name in (f.name for f in fields(Proposal) if f.name not in ("label", *joined)):
        joined[name] = float(np.mean([getattr(p, name) for p in parts]))
    return replace(parts[0], **joined)
