"""What a network that was trained on all data learned from groups of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from robust_ts.chunks import chunk_rows, read
from robust_ts.classifiers._job import FitJob
from robust_ts.defense.candidates import largest_group
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.division import alike
from robust_ts.defense.evidence import Proposal, capped
from robust_ts.defense.patterns import (
    LEFT_OF_CONTENT,
    Stamp,
    content_of,
    mean_of_real,
    pattern_of,
    replaced,
    stamp_of,
)
from robust_ts.defense.propose import least_to_alarm, unsuspected, worth_asking
from robust_ts.defense.transfer import bearers, debt, steered_share, unlearned_share
from robust_ts.training import Trainer

_FILLS = 8  # samples of each class: their mean answer is steady, and a scout is soon asked


@dataclass(frozen=True)
class LearnedByAll:
    """What the network that was trained on all data learned, see `robust_ts.defense.division`."""

    job: FitJob
    trainer: Trainer
    means: np.ndarray
    constants: DefenseConstants
    seed: int

    @property
    def two_classes(self) -> bool:
        """Whether single samples have to bear witness."""
        return self.job.spec.n_classes == 2

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Give what it makes of samples just before it decides."""
        return self.trainer.embed(rows)

    def owing(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Tell which samples of a class owe their label to a group's pattern.

        With two classes as if it were added or blended in, whichever tells the group from the rest.
        """
        X, given = self.job.data.X, self.job.data.y
        pattern = pattern_of(X, group, given[given != label], self.means)
        more = softmax(self.trainer.ask(rows, less=-pattern), axis=1)
        mean = mean_of_real(X, group)

        def owing_if(left: float) -> np.ndarray:
            content = content_of(pattern, mean, left)
            less = self.trainer.ask(rows, scale=content.scale, less=content.less)
            return bearers(softmax(less, axis=1), more, label, self.constants)

        blended = self.two_classes and "blends" not in self.constants.without
        ways = LEFT_OF_CONTENT if blended else LEFT_OF_CONTENT[:1]
        answers = [owing_if(left) for left in ways]
        inside = np.isin(rows, group)
        return max(answers, key=lambda owing: debt(owing, inside))

    def debt_of_all(self, group: Proposal) -> float:
        """Tell how far a group of many classes, and only it, owes its labels to what it shares."""
        X, given = self.job.data.X, self.job.data.y
        rows = np.arange(len(given))
        pattern = pattern_of(X, group.members, group.sources, self.means)
        less, more = (softmax(self.trainer.ask(rows, less=p), axis=1) for p in (pattern, -pattern))
        owing = bearers(less, more, given, self.constants)
        return debt(owing, np.isin(rows, group.members))

    def owing_copies(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Tell the same of a group of copies: with what other samples hold where they agree.

        To take their pattern away leaves a gap like no sample's.
        """
        X, given = self.job.data.X, self.job.data.y
        rng, cap = np.random.default_rng(self.seed), min(self.constants.sample_cap, chunk_rows(X))
        both = (capped(r, cap, rng) for r in (group, np.flatnonzero(given != label)))
        gone = replaced(*(read(X, r) for r in both))
        outside = ~np.isin(np.arange(len(given)), group)
        answers = []
        for k in np.unique(given[outside]):
            for fill in read(X, capped(np.flatnonzero(outside & (given == k)), _FILLS, rng)):
                taken = gone & ~np.isnan(fill)
                less = np.where(taken, -fill, 0).astype(np.float32)
                answers.append(softmax(self.trainer.ask(rows, scale=~taken, less=less), axis=1))
        as_they_are = softmax(self.trainer.ask(rows), axis=1)
        return bearers(np.mean(answers, axis=0), as_they_are, label, self.constants)


@dataclass(frozen=True)
class Taught:
    """What the network that was trained on all data learned from one group.

    Parameters
    ----------
    proposal : Proposal
        The group, with its debt and the samples of its class that are bearing.
    others : ndarray of int
        Samples of other classes.
    stamp : Stamp
        What makes these bear the pattern of the group.
    share : float
        Share of these that the network then takes for the class of the group.
    """

    proposal: Proposal
    others: np.ndarray
    stamp: Stamp
    share: float

    def weigh(self, share: float, constants: DefenseConstants) -> Proposal:
        """Weigh the evidence with the share of other samples that the pattern steers."""
        factor = constants.factor("transfer", max(constants.least_share, share))
        factor *= constants.factor("debt", self.proposal.debt)
        return replace(self.proposal, score=self.proposal.score * factor)

    def unlearned(self, trainer: Trainer, constants: DefenseConstants) -> float:
        """Return what is left of the share in view of a network that never saw the group."""
        debt = 0.5 if "debt" in constants.without else self.proposal.debt
        return unlearned_share(self.share, self.steered(trainer), debt)

    def steered(self, trainer: Trainer) -> float:
        """Return the share of other samples that a network takes for the group's class."""
        answers = trainer.ask(self.others, scale=self.stamp.scale, less=self.stamp.less)
        return steered_share(answers, self.proposal.label)


@dataclass(frozen=True)
class Lesson:
    """What the network that was trained on all data learned from the groups that are suspected.

    Parameters
    ----------
    trainer : Trainer
        Asks that network.
    taught : sequence of Taught
        The groups that alarm, likeliest first; several of a class may share members.
    """

    trainer: Trainer
    taught: Sequence[Taught]

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
        asked = worth_asking(proposals, constants)
        clean = unsuspected(asked[::-1], len(job.data.y), job.spec.n_classes)
        means = class_means(job, clean) if asked else np.empty(0)
        learned = LearnedByAll(job, trainer, means, constants, seed)
        known = [_taught(learned, proposal, clean, seed) for proposal in asked]
        alarming = _together([t for t in known if t is not None], job.data.y, constants)
        return cls(trainer, alarming)

    def suspects(self, constants: DefenseConstants) -> list[Proposal]:
        """Return the groups that alarm, with the score that they now have."""
        return [t.weigh(t.share, constants) for t in self.taught]

    def unlearned(self, trainer: Trainer, constants: DefenseConstants) -> list[Proposal]:
        """Return them with the score that is left in view of a network that never saw them."""
        return [t.weigh(t.unlearned(trainer, constants), constants) for t in self.taught]

    def same_kind(
        self, confirmed: Sequence[Proposal], doubtful: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Tell which doubtful members the network takes for what the others of their group are.

        Poison with the content of its class owes its label to no pattern, and any network agrees
        with its label; yet it bears the trigger and would teach it.

        Parameters
        ----------
        confirmed : sequence of Proposal
            One a class.
        doubtful : ndarray of bool of shape (n_samples,)
            Members that may be clean.
        labels : ndarray of shape (n_samples,)
            Given labels.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
            Doubtful members on the side of the group and not of the rest of their class.
        """
        same = np.zeros_like(doubtful)
        for proposal in confirmed:
            own = np.flatnonzero(labels == proposal.label)
            member = np.isin(own, proposal.members)
            asked = member & doubtful[own]
            sure = member & ~asked
            if asked.any() and min(sure.sum(), (~member).sum()) > 1:
                same[own] = asked & alike(self.trainer.embed(own), sure, ~member)
        return same


def _together(
    taught: Sequence[Taught], labels: np.ndarray, constants: DefenseConstants
) -> list[Taught]:
    """Take the groups that alarm, as long as those of a class leave enough of it for training.

    Beside a sure group, one of another class with too little of its weight would not be believed:
    without it the network that judges would only know less of that class.
    """
    weights = [t.weigh(t.share, constants).score for t in taught]
    held = np.zeros(len(labels), dtype=bool)
    kept: list[int] = []
    bar = least_to_alarm(weights, constants)
    for i in np.argsort(weights)[::-1].tolist():
        proposal = taught[i].proposal
        own = labels == proposal.label
        wider = held & own
        wider[proposal.members] = True
        if weights[i] < bar:
            break
        is_beside = kept and taught[kept[0]].proposal.label != proposal.label
        if is_beside and weights[i] < constants.beside * weights[kept[0]]:
            continue
        if wider.sum() <= largest_group(int(own.sum()), len(labels), constants):
            held |= wider
            kept.append(i)
    return [taught[i] for i in kept]


def _taught(
    learned: LearnedByAll, proposal: Proposal, clean: np.ndarray, seed: int
) -> Taught | None:
    """Ask a network about a group; None where there is nothing to put its pattern on."""
    given, X, label = learned.job.data.y, learned.job.data.X, proposal.label
    rng, cap = np.random.default_rng(seed), min(learned.constants.sample_cap, chunk_rows(X))
    rows = (proposal.members, np.flatnonzero(clean & (given != label)))
    group, others = (capped(r, cap, rng) for r in rows)
    if not len(others):
        return None
    stamp = stamp_of(read(X, group), read(X, others))
    own = np.flatnonzero(given == label)
    ask = learned.owing_copies if proposal.copied and learned.two_classes else learned.owing
    owing, inside = ask(label, proposal.members, own), np.isin(own, proposal.members)
    proposal = replace(proposal, bearing=own[owing], debt=debt(owing, inside))
    found = Taught(proposal, others, stamp, 0.0)
    return replace(found, share=found.steered(learned.trainer))


def class_means(job: FitJob, samples: np.ndarray) -> np.ndarray:
    """Mean of the given samples of each class; of shape (n_classes, n_channels, *space)."""
    rows = [np.flatnonzero(samples & (job.data.y == k)) for k in range(job.spec.n_classes)]
    # A class without samples gets the mean of all.
    rows = [own if len(own) else np.flatnonzero(samples) for own in rows]
    return np.stack([mean_of_real(job.data.X, own) for own in rows])
