"""What a network that was trained on all data learned from groups of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from robust_ts.chunks import chunk_rows, chunks, read
from robust_ts.classifiers._base import FitJob
from robust_ts.defense.candidates import largest_group
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal, capped
from robust_ts.defense.features import project
from robust_ts.defense.patterns import Stamp, mean_of_real, pattern_of, stamp_of
from robust_ts.defense.propose import members_of, worth_asking
from robust_ts.defense.transfer import bearers, regrouped, steered_share, transferring
from robust_ts.inputs import standardize, stretch_padded
from robust_ts.training import Trainer


@dataclass(frozen=True)
class Lesson:
    """What the network that was trained on all data learned from the groups.

    Parameters
    ----------
    suspects : sequence of Proposal
        Groups whose pattern carries their label over to other samples, drawn anew.
    stamps : dict of int to (ndarray of int, Stamp)
        By label, samples of other classes and what makes them bear the pattern of the group.
    taught : dict of int to float
        By label, the share of these that the network then takes for it.
    """

    suspects: Sequence[Proposal]
    stamps: dict[int, tuple[np.ndarray, Stamp]]
    taught: dict[int, float]

    @classmethod
    def of(
        cls,
        job: FitJob,
        trainer: Trainer,
        proposals: Sequence[Proposal],
        seed: int,
        constants: DefenseConstants,
    ) -> "Lesson":
        """Ask the network about the groups that are worth it."""
        given, X, asked = job.data.y, job.data.X, worth_asking(proposals, constants)
        clean, rng = ~members_of(asked, len(given)), np.random.default_rng(seed)
        cap = min(constants.sample_cap, chunk_rows(X))
        stamps = {}
        for p in asked:
            rows = (p.members, np.flatnonzero(clean & (given != p.label)))
            group, others = (capped(r, cap, rng) for r in rows)
            if len(others):
                stamps[p.label] = others, stamp_of(read(X, group), read(X, others))
        taught = {label: _steered(trainer, label, *stamp) for label, stamp in stamps.items()}
        chosen = [p for p in asked if transferring([p], taught, constants)]
        means = class_means(job, clean) if chosen else np.empty(0)
        suspects = []
        for p in chosen:
            # What hardly steers the network was not learned, and says nothing of single samples.
            learned = taught[p.label] >= constants.blurred and "regroup" not in constants.without
            others = stamps[p.label][0]
            drawn = _regrouped(job, trainer, p, means, others, constants, seed) if learned else p
            suspects += [drawn] if drawn is not None else []
        return cls(suspects, stamps, taught)

    def unlearned(self, trainer: Trainer, constants: DefenseConstants) -> list[Proposal]:
        """Return the suspects whose pattern steers a network only if it has seen them."""
        shares = {
            p.label: self.taught[p.label] - _steered(trainer, p.label, *self.stamps[p.label])
            for p in self.suspects
        }
        return transferring(self.suspects, shares, constants)


def _steered(trainer: Trainer, label: int, others: np.ndarray, stamp: Stamp) -> float:
    answers = trainer.ask(others, scale=stamp.scale, less=stamp.less)
    return steered_share(answers, label)


def _regrouped(
    job: FitJob,
    trainer: Trainer,
    p: Proposal,
    means: np.ndarray,
    others: np.ndarray,
    constants: DefenseConstants,
    seed: int,
) -> Proposal | None:
    """Draw a group anew by what the network says of its class with and without its pattern.

    Returns the group as it is where too few bear the pattern, None where more do than an attacker
    may have poisoned.
    """
    given = job.data.y
    rows = np.flatnonzero(given == p.label)
    largest = largest_group(len(rows), len(given), constants)
    group = np.empty(0, dtype=int)
    for step in range(constants.regroup_steps):
        drawn = group if step else p.members
        pattern = pattern_of(job.data.X, drawn, given[given != p.label], means)
        less, more = (softmax(trainer.ask(rows, less=s * pattern), axis=1) for s in (1, -1))
        found = rows[bearers(less, more, p.label, constants)]
        if len(found) <= len(group):  # a smaller group tells less of the pattern
            break
        if len(found) > largest:
            return None
        group = found
    if len(group) < constants.min_group:
        return p
    if len(np.union1d(p.members, group)) > largest:
        return None
    values = _values(job, np.concatenate([rows, others]), constants, seed)
    return regrouped(p, group, rows, values, constants)


def _values(job: FitJob, rows: np.ndarray, constants: DefenseConstants, seed: int) -> np.ndarray:
    """Give the values of some samples in which a linear pattern is sought."""
    mean, scale = job.mean.numpy(), job.scale.numpy()
    parts = []
    for part in chunks(job.data.X, rows):
        values = stretch_padded(standardize(read(job.data.X, part), mean, scale))
        values = values.reshape(len(part), -1).astype(np.float64)
        parts.append(project(values, constants.projection, seed))
    values = np.concatenate(parts)
    return values - values.mean(axis=0)


def class_means(job: FitJob, samples: np.ndarray) -> np.ndarray:
    """Mean of the given samples of each class; of shape (n_classes, n_channels, *space)."""
    rows = [np.flatnonzero(samples & (job.data.y == k)) for k in range(job.spec.n_classes)]
    # A class without samples gets the mean of all.
    rows = [own if len(own) else np.flatnonzero(samples) for own in rows]
    return np.stack([mean_of_real(job.data.X, own) for own in rows])
