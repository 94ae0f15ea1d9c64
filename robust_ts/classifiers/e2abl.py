"""End-to-end anti-backdoor learning: the product."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from threadpoolctl import threadpool_limits
from torch import nn

from robust_ts.chunks import read
from robust_ts.classifiers._base import BaseNeuralClassifier, shares_parameters
from robust_ts.classifiers._job import FitJob
from robust_ts.classifiers._lesson import LearnedByAll, Lesson, class_means
from robust_ts.defense.blocks import search
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.features import Load, Views, views_of
from robust_ts.defense.ledger import Ledger
from robust_ts.defense.likeness import likeness
from robust_ts.defense.patterns import pattern_of
from robust_ts.defense.propose import low_loss_groups, members_of
from robust_ts.defense.recover import Recovery, agreeing, recover, suspicion_of
from robust_ts.defense.verify import Reading, verify, weighed
from robust_ts.inputs import standardize, stretch_padded
from robust_ts.networks import ShallowNetwork, TwoHeadNetwork
from robust_ts.report import PoisonReport
from robust_ts.training import History, Trainer, isolated_rng


@shares_parameters
class E2ABLClassifier(BaseNeuralClassifier):
    """Time-series classifier that trains clean on poisoned data and says what was poisoned.

    Groups of training samples to which the rest of the data would give another label are
    proposed as poison. A network is trained on everything, as if nothing were wrong, and asked
    what it learned from them: the pattern of a poisoned group, put on samples of other classes,
    carries its label over. Such groups are held out of a second network; after 0.4 times
    ``epochs`` this one, which never saw them, decides whether it contradicts their labels and no
    longer follows their pattern. Confirmed groups get their true labels back ("true class
    recovery") and join the training under these, for another ``epochs``. If nothing is proposed
    or nothing confirmed, the result is the first network, that of ordinary training, bit by bit.
    A second classification head on a copy of the shallow layers, the trap, keeps the early losses.

    Parameters
    ----------
    isolation : {"groups", "low-loss"}, default="groups"
        How suspects are proposed: groups by the counterfactual above, or the samples of lowest
        loss in the trap (our reconstruction of the published rule, for comparison).
    <shared parameters>

    Attributes
    ----------
    report_ : PoisonReport
        Verdict, suspicion and recovered label of every training sample.
    ledger_ : Ledger
        Loss of every sample under its given label, epoch by epoch, in both heads.
    <shared attributes>

    Notes
    -----
    After Jiang, Ma, Erfani, Li and Bailey, "End-to-End Anti-Backdoor Learning on Images and
    Time Series", arXiv 2401.03215, 2024. The paper's layers, losses and constants are not
    public: the idea of a shallow second head and of true class recovery is theirs, the rules
    are ours.

    Examples
    --------
    >>> from robust_ts import E2ABLClassifier
    >>> from robust_ts.attacks import PatchTrigger, poison
    >>> from robust_ts.datasets import load_dataset
    >>> X, y, X_test, y_test = load_dataset("JapaneseVowels")
    >>> data = poison(X, y, PatchTrigger(random_state=0), target=0, rate=0.1, random_state=0)
    >>> clf = E2ABLClassifier("cnn", backbone_params={"filters": (32, 32, 32)}, epochs=30,
    ...                       random_state=0).fit(data.X, data.y)
    >>> bool((clf.report_.is_poisoned == data.mask).mean() > 0.95)
    True
    """

    _constants = DefenseConstants()  # the ablation overrides this, users need not

    def __init__(
        self, backbone: Any = "inception", *, isolation: str = "groups", **shared: Any
    ) -> None:
        super().__init__(backbone, **shared)
        self.isolation = isolation

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.isolation not in ("groups", "low-loss"):
            raise ValueError(f"isolation must be 'groups' or 'low-loss', got {self.isolation!r}.")

    def _train(self, job: FitJob, seeds: list[int]) -> tuple[nn.Module, History]:
        constants = self._constants
        ledger = Ledger(job.data.y)
        trap, history = _train_trap(job, seeds[1], ledger, constants)
        plain = lesson = None
        if self.isolation == "groups":
            plain = _train_all(job, seeds[0], ledger)
            proposals = _propose(job, plain.trainer, seeds[2], constants)
            lesson = Lesson.of(job, plain.trainer, proposals, seeds[2], constants)
            suspects = lesson.suspects(constants)
        else:
            proposals = low_loss_groups(ledger.losses("auxiliary")[-1], job.data.y, constants)
            suspects = proposals
        own = Ledger(job.data.y)
        outcome = None
        if suspects:
            outcome = _train_without(job, seeds[0], suspects, lesson, own, constants)
        if outcome is None:
            outcome = plain or _train_all(job, seeds[0], ledger)
        else:
            ledger.replace("main", own)
        self.ledger_ = ledger
        self.report_ = _report(job, outcome, proposals, constants)
        trainer = outcome.trainer
        return TwoHeadNetwork(trainer.network, trap), History([*history, *trainer.records])

    def _main_network(self) -> nn.Module:
        assert isinstance(self.network_, TwoHeadNetwork)
        return self.network_.main


def _train_trap(
    job: FitJob, seed: int, ledger: Ledger, constants: DefenseConstants
) -> tuple[ShallowNetwork, History]:
    """Train the shallow copy and its head on all data, briefly."""
    schedule = replace(job.schedule, epochs=_share_of(job, constants.trap_share))
    with isolated_rng(seed, job.device) as generator:
        trap = job.spec.shallow(job.mean, job.scale)
        trainer = job.trainer(trap, generator, schedule=schedule, stage="auxiliary")
        for record in trainer.epochs():
            ledger.record("auxiliary", record["epoch"], trainer.losses.cpu().numpy())
    return trap, History(trainer.records)


def _share_of(job: FitJob, share: float) -> int:
    """Count the epochs of a part of a fit."""
    return max(1, round(share * job.schedule.epochs))


@dataclass(frozen=True)
class _Outcome:
    """What training of the main network came to."""

    trainer: Trainer
    confirmed: Sequence[Proposal] = ()
    recovery: Recovery | None = None


def _train_all(job: FitJob, seed: int, ledger: Ledger) -> _Outcome:
    """Train the main network on all data: the undefended fit, with the ledger kept."""
    with isolated_rng(seed, job.device) as generator:
        trainer = job.main_trainer(generator)
        for record in trainer.epochs():
            ledger.record("main", record["epoch"], trainer.losses.cpu().numpy())
    return _Outcome(trainer)


def _loader(job: FitJob) -> Load:
    """Give what reads training samples, standardized and of one length."""
    mean, scale = job.mean.numpy(), job.scale.numpy()
    return lambda rows: stretch_padded(standardize(read(job.data.X, rows), mean, scale))


def _propose(
    job: FitJob, trainer: Trainer, seed: int, constants: DefenseConstants
) -> list[Proposal]:
    """Return groups that may be poison, at most a few a class."""
    load = _loader(job)

    def views(rows: np.ndarray) -> Views:
        return views_of(load, rows, seed)

    learned = None
    if "embedding" not in constants.without:
        means = class_means(job, np.ones(len(job.data.y), dtype=bool))
        learned = LearnedByAll(job, trainer, means, constants)
    # Many small solves: a second BLAS thread makes them up to fifteen times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        return job.team.first(
            lambda: search(views, job.data.y, job.spec.n_classes, constants, seed, learned)
        )


def _train_without(
    job: FitJob,
    seed: int,
    suspects: Sequence[Proposal],
    lesson: Lesson | None,
    ledger: Ledger,
    constants: DefenseConstants,
) -> _Outcome | None:
    """Train the main network without the suspects, verify them, and recover their labels.

    Returns None where the network confirms none of them.
    """
    given, n = job.data.y, len(job.data.y)
    held = members_of(suspects, n)
    # A short schedule of its own: in the middle of a long one the rate is highest, and a network
    # that still moves says one thing now and another an epoch later.
    short = replace(job.schedule, epochs=_share_of(job, constants.verify_share))
    with isolated_rng(seed, job.device) as generator:
        trainer = job.main_trainer(generator, short)

        def train(until: int, labels: np.ndarray, keep: np.ndarray) -> None:
            trainer.targets = torch.from_numpy(labels).to(job.device)
            trainer.subset = torch.from_numpy(np.flatnonzero(keep)).to(job.device)
            for record in trainer.epochs(until):
                losses = trainer.losses.cpu().numpy().copy()
                losses[held] = np.nan  # not under the given label, or not trained on at all
                ledger.record("main", record["epoch"], losses)

        train(trainer.last_epoch, given, ~held)
        probabilities = _probabilities(trainer, held)
        ledger.amend("main", held, probabilities)
        left = suspects if lesson is None else lesson.unlearned(trainer, constants)
        means = class_means(job, ~held)
        content = [_content(trainer, job, p.members, p.label, means) for p in left]
        readings = [Reading(c) for c in content]
        if lesson is not None:
            taught = [_content(lesson.trainer, job, p.members, p.label, means) for p in left]
            readings = [Reading(*r) for r in zip(content, taught, strict=True)]
        weights = weighed(probabilities, readings, given, left, constants)
        confirmed = _confirmed(job, left, weights, constants, seed)
        if not confirmed:
            return None
        if lesson is not None:
            confirmed = _completed(confirmed, lesson, given)
        suspect = members_of(confirmed, n)
        held |= suspect
        bearing = np.isin(np.arange(n), np.concatenate([p.bearing for p in confirmed]))
        sure = bearing | members_of([p for p in confirmed if p.copied], n)
        back = agreeing(probabilities, given, suspect, constants) & ~sure
        if lesson is not None:
            back &= ~lesson.same_kind(confirmed, back, given)
        suspect &= ~back
        means = class_means(job, ~suspect)  # what was refuted counts again
        beneath = np.zeros_like(probabilities)
        # What joins now has to be learned from the start: a whole fit follows.
        trainer.go_on(job.schedule)
        while True:
            for p in confirmed:
                group = p.members[suspect[p.members]]
                if len(group):
                    beneath[group] = _content(trainer, job, group, p.label, means)
            recovery = recover(beneath, given, suspect, constants)
            done = len(trainer.records)
            if done == trainer.last_epoch:
                break
            train(done + constants.recover_every, recovery.labels, recovery.keep)
            ledger.amend("main", held, _probabilities(trainer, held))
    return _Outcome(trainer, confirmed, recovery)


def _probabilities(trainer: Trainer, samples: np.ndarray) -> np.ndarray:
    """Ask the network about some training samples; rows of the others are zero."""
    index = np.flatnonzero(samples)
    answers = softmax(trainer.ask(index), axis=1)
    out = np.zeros((len(samples), answers.shape[1]))
    out[index] = answers
    return out


def _content(
    trainer: Trainer, job: FitJob, group: np.ndarray, label: int, means: np.ndarray
) -> np.ndarray:
    """Ask the network about members of a group without the pattern that they share."""
    others = job.data.y[job.data.y != label]
    # First as if drawn from all other classes alike, then from those that were recognized.
    assigned = others
    for _ in range(2):
        pattern = pattern_of(job.data.X, group, assigned, means)
        content: np.ndarray = softmax(trainer.ask(group, less=pattern), axis=1)
        assigned = content.argmax(axis=1)
    return content


def _completed(confirmed: Sequence[Proposal], lesson: Lesson, given: np.ndarray) -> list[Proposal]:
    """Add what owes its label to the pattern of a group but was not found."""
    n = len(given)
    whole = [
        p if p.copied else replace(p, members=np.union1d(p.members, p.bearing)) for p in confirmed
    ]
    if len(np.unique(given)) > 2:
        return whole
    added = members_of(whole, n) & ~members_of(confirmed, n)
    # Where there is one other class to go to, hard clean samples owe theirs as well; they lie with
    # the rest of their class.
    strangers = added & ~lesson.same_kind(whole, added, given)
    return [replace(p, members=p.members[~strangers[p.members]]) for p in whole]


def _confirmed(
    job: FitJob,
    proposals: Sequence[Proposal],
    weights: Sequence[Proposal],
    constants: DefenseConstants,
    seed: int,
) -> list[Proposal]:
    """Verify groups; where that is asked, compare them with samples of other classes."""
    load, given = _loader(job), job.data.y
    # Of the others only the likeliest group of each class is left out: without all that was held
    # out too little is left, and not what another class is like.
    likeliest = list({p.label: p for p in sorted(proposals, key=lambda p: p.score)}.values())
    trusted = ~members_of(likeliest, len(given))

    def alike(proposal: Proposal) -> float:
        others = np.flatnonzero(trusted & (given != proposal.label))
        return likeness(load, proposal.members, others, constants, seed)

    with threadpool_limits(limits=1, user_api="blas"):
        return job.team.first(lambda: verify(weights, given, alike, constants))


def _report(
    job: FitJob, outcome: _Outcome, proposals: Sequence[Proposal], constants: DefenseConstants
) -> PoisonReport:
    """Put what was found into the user's labels."""
    given, n = job.data.y, len(job.data.y)
    probabilities = softmax(outcome.trainer.ask(), axis=1)
    suspicion = suspicion_of(probabilities, given, proposals, outcome.confirmed, constants)
    verdicts = np.full(n, "clean", dtype="<U9")
    recovered = np.full(n, None, dtype=object)
    if outcome.recovery is not None:
        relabelled = outcome.recovery.relabelled
        left_out = members_of(outcome.confirmed, n) & ~outcome.recovery.keep
        verdicts[left_out] = "uncertain"
        verdicts[relabelled | (left_out & (suspicion >= 0.5))] = "poisoned"
        recovered[relabelled] = job.data.classes[outcome.recovery.labels[relabelled]]
    return PoisonReport(
        given_labels=job.data.classes[given],
        suspicion=suspicion,
        verdicts=verdicts,
        recovered_labels=recovered,
    )
