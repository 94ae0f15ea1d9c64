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
from robust_ts.defense.common import EVERY_CLASS
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.features import Load, Views, views_of
from robust_ts.defense.ledger import Ledger
from robust_ts.defense.likeness import likeness
from robust_ts.defense.patterns import pattern_of
from robust_ts.defense.propose import low_loss_groups, members_of, unsuspected
from robust_ts.defense.recover import Recovery, agreeing, recover, suspicion_of
from robust_ts.defense.verify import Reading, common_weight, verify, verify_common, weighed
from robust_ts.inputs import is_padded, standardize, stretch_padded
from robust_ts.networks import ShallowNetwork, TwoHeadNetwork
from robust_ts.report import PoisonReport
from robust_ts.training import History, Trainer, isolated_rng


@shares_parameters
class E2ABLClassifier(BaseNeuralClassifier):
    """Time-series classifier that trains clean on poisoned data and says what was poisoned.

    Groups of training samples to which the rest of the data would give another label are
    proposed as poison. A small network, the scout, is trained on everything, as if nothing were
    wrong, and asked what it learned from them: the pattern of a poisoned group, put on samples of
    other classes, carries its label over. Such groups are held out of a second scout; this one,
    which never saw them, decides whether it contradicts their labels and no longer follows their
    pattern. The main network, of the ``backbone``, is trained once: if
    nothing is proposed or nothing confirmed, on everything, which is ordinary training bit by bit;
    else without the confirmed groups, until after 0.4 times ``epochs`` it gives them their true
    labels back ("true class recovery") and goes on with these. A second classification head on a
    copy of its shallow layers, the trap, keeps the early losses.

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
        Loss of every sample under its given label, epoch by epoch, in both heads; nan where the
        main network was not trained on a sample under that label.
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
        trap, records = _train_trap(job, seeds[1], ledger, constants)
        # On one process, for all: so it does not matter how many there are.
        ways = job.ways()
        found, proposals, scouted = job.team.first(lambda: self._scout(ways, seeds, ledger))
        way = ways[found.way if found else 0]
        trainer, recovery = _train_main(way, seeds[0], found, ledger, constants)
        confirmed = found.confirmed if found else ()
        self.ledger_ = ledger
        self.report_ = _report(job, trainer, proposals, constants, confirmed, recovery)
        history = History([*records, *scouted, *trainer.records])
        return TwoHeadNetwork(trainer.network, trap), history

    def _scout(
        self, ways: Sequence[FitJob], seeds: list[int], ledger: Ledger
    ) -> tuple["_Found | None", Sequence[Proposal], list[dict[str, Any]]]:
        """Look for poison with the scout; return what is found, all proposals, and the history."""
        constants, records, lesson, way = self._constants, [], None, 0
        job = ways[0]
        on_all = job.of_scout(constants)
        without = job.of_scout(constants, constants.verify_share)
        if self.isolation == "groups":
            taught = _taught_all(on_all, seeds[0])
            records += taught.records
            proposed = _propose(on_all, taught, seeds[2], constants)
            proposals = [p for p in proposed if p.label != EVERY_CLASS]
            for everywhere in (p for p in proposed if p.label == EVERY_CLASS):
                means = class_means(job, ~members_of([everywhere], len(job.data.y)))
                learned = LearnedByAll(on_all, taught, means, constants, seeds[2])
                found, more = _asked_without_all(without, seeds[0], everywhere, learned, constants)
                records += more
                if found:
                    return found, proposals, records
            lessons = [
                Lesson.of(w.of_scout(constants), taught.about(w.X), proposals, seeds[2], constants)
                for w in ways
            ]
            alarming = [one.suspects(constants) for one in lessons]
            way = int(np.argmax([max((p.score for p in some), default=0.0) for some in alarming]))
            lesson, suspects = lessons[way], alarming[way]
            without = ways[way].of_scout(constants, constants.verify_share)
        else:
            proposals = low_loss_groups(ledger.losses("auxiliary")[-1], job.data.y, constants)
            suspects = proposals
        if not suspects:
            return None, proposals, records
        found, scout = _asked_without(without, seeds[0], suspects, lesson, constants)
        found = replace(found, way=way) if found else None
        return found, proposals, records + scout.records

    def _main_network(self) -> nn.Module:
        assert isinstance(self.network_, TwoHeadNetwork)
        return self.network_.main


def _train_trap(
    job: FitJob, seed: int, ledger: Ledger, constants: DefenseConstants
) -> tuple[ShallowNetwork, list[dict[str, Any]]]:
    """Train the shallow copy and its head on all data, briefly."""
    schedule = replace(job.schedule, epochs=job.share(constants.trap_share))
    with isolated_rng(seed, job.device) as generator:
        trap = job.spec.shallow(job.mean, job.scale)
        trainer = job.trainer(trap, generator, schedule=schedule, stage="auxiliary")
        for record in trainer.epochs():
            ledger.record("auxiliary", record["epoch"], trainer.losses.cpu().numpy())
    return trap, trainer.records


@dataclass(frozen=True)
class _Found:
    """What the scout made of the suspects.

    Parameters
    ----------
    confirmed : sequence of Proposal
        One group a class, each with all that belongs to it, or one of many classes.
    suspect : ndarray of bool of shape (n_samples,)
        Their members, but for those that come back.
    way : int
        In which of the `FitJob.ways` patterns are asked about.
    """

    confirmed: Sequence[Proposal]
    suspect: np.ndarray
    way: int = 0


def _taught_all(job: FitJob, seed: int) -> Trainer:
    """Train the scout on all data, as if nothing were wrong: it learns what poison teaches."""
    with isolated_rng(seed, job.device) as generator:
        return job.main_trainer(generator, stage="scout").run()


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
        learned = LearnedByAll(job, trainer, means, constants, seed)
    # Many small solves: a second BLAS thread makes them up to fifteen times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        return search(views, job.data.y, job.spec.n_classes, constants, seed, learned)


def _trained_without(job: FitJob, seed: int, held: np.ndarray) -> Trainer:
    """Train the scout without some samples."""
    with isolated_rng(seed, job.device) as generator:
        scout = job.main_trainer(generator, stage="scout")
        scout.subset = torch.from_numpy(np.flatnonzero(~held)).to(job.device)
        return scout.run()


def _asked_without_all(
    job: FitJob, seed: int, group: Proposal, learned: LearnedByAll, constants: DefenseConstants
) -> tuple[_Found | None, list[dict[str, Any]]]:
    """Verify a group of many classes by a scout trained without it; None where it is refuted.

    The second is the history of that scout, which is not trained where too little is owed.
    """
    group = replace(group, debt=learned.debt_of_all(group))
    if common_weight(group, constants) < constants.least_common:
        return None, []
    given, n = job.data.y, len(job.data.y)
    held = members_of([group], n)
    scout = _trained_without(job, seed, held)
    own = given[group.members]
    shift = pattern_of(job.data.X, group.members, own, learned.means)
    probabilities = _probabilities(scout, held)
    moved = scout.ask(group.members, less=shift)
    if not verify_common(group, probabilities[group.members], moved, own, constants):
        return None, scout.records
    suspect = held & ~agreeing(probabilities, given, held, constants)
    return (_Found([group], suspect) if suspect.any() else None), scout.records


def _asked_without(
    job: FitJob,
    seed: int,
    suspects: Sequence[Proposal],
    lesson: Lesson | None,
    constants: DefenseConstants,
) -> tuple[_Found | None, Trainer]:
    """Train the scout without the suspects, and verify them.

    The first is None where nothing is left of them.
    """
    given, n = job.data.y, len(job.data.y)
    held = members_of(suspects, n)
    scout = _trained_without(job, seed, held)
    probabilities = _probabilities(scout, held)
    left = suspects if lesson is None else lesson.unlearned(scout, constants)
    means = class_means(job, ~held)
    content = [_content(scout, job, p.members, p.label, means) for p in left]
    readings = [Reading(c) for c in content]
    if lesson is not None:
        taught = [_content(lesson.trainer, job, p.members, p.label, means) for p in left]
        readings = [Reading(*r) for r in zip(content, taught, strict=True)]
    weights = weighed(probabilities, readings, given, left, constants)
    confirmed = _confirmed(job, left, weights, constants, seed)
    if not confirmed:
        return None, scout
    if lesson is not None:
        confirmed = _completed(confirmed, lesson, given)
    suspect = members_of(confirmed, n)
    bearing = np.isin(np.arange(n), np.concatenate([p.bearing for p in confirmed]))
    sure = bearing | members_of([p for p in confirmed if p.copied], n)
    back = agreeing(probabilities, given, suspect, constants) & ~sure
    if lesson is not None:
        back &= ~lesson.same_kind(confirmed, back, given)
    suspect &= ~back
    return (_Found(confirmed, suspect) if suspect.any() else None), scout


def _train_main(
    job: FitJob, seed: int, found: _Found | None, ledger: Ledger, constants: DefenseConstants
) -> tuple[Trainer, Recovery | None]:
    """Train the main network: the undefended fit where nothing is found.

    Else without the suspects, until it is a network to be believed; then it reads their labels,
    and goes on with what was recovered.
    """
    with isolated_rng(seed, job.device) as generator:
        trainer = job.main_trainer(generator)

        def train(until: int, left_out: np.ndarray) -> None:
            for record in trainer.epochs(until):
                losses = trainer.losses.cpu().numpy().copy()
                losses[left_out] = np.nan  # not under the given label, or not trained on at all
                ledger.record("main", record["epoch"], losses)

        if found is None:
            train(job.schedule.epochs, np.zeros(len(job.data.y), dtype=bool))
            return trainer, None
        recovery = Recovery(job.data.y, ~found.suspect, np.zeros_like(found.suspect))
        until = job.share(constants.verify_share)
        means = class_means(job, ~found.suspect)
        while len(trainer.records) < job.schedule.epochs:
            trainer.targets = torch.from_numpy(recovery.labels).to(job.device)
            trainer.subset = torch.from_numpy(np.flatnonzero(recovery.keep)).to(job.device)
            train(until, found.suspect)
            until += constants.recover_every
            ledger.amend("main", found.suspect, _probabilities(trainer, found.suspect))
            beneath = np.zeros((len(job.data.y), job.spec.n_classes))
            for p in found.confirmed:
                group = p.members[found.suspect[p.members]]
                if len(group):
                    beneath[group] = _content(trainer, job, group, p.label, means)
            recovery = recover(beneath, job.data.y, found.suspect, constants)
    return trainer, recovery


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
    """Add what owes its label to the pattern of a group but was not found.

    Hard clean samples of its class may owe theirs as well, but lie with the rest of the class.
    """
    whole = [replace(p, members=np.union1d(p.members, p.joining)) for p in confirmed]
    added = members_of(whole, len(given)) & ~members_of(confirmed, len(given))
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
    # Without all that was held out too little is left, and not what another class is like.
    trusted = unsuspected(proposals, len(given), job.spec.n_classes)

    def alike(proposal: Proposal) -> float:
        others = np.flatnonzero(trusted & (given != proposal.label))
        return likeness(load, proposal.members, others, constants, seed)

    with threadpool_limits(limits=1, user_api="blas"):
        return verify(weights, given, alike, constants, aligned=not is_padded(job.data.X))


def _report(
    job: FitJob,
    trainer: Trainer,
    proposals: Sequence[Proposal],
    constants: DefenseConstants,
    confirmed: Sequence[Proposal] = (),
    recovery: Recovery | None = None,
) -> PoisonReport:
    """Put what was found into the user's labels."""
    given, n = job.data.y, len(job.data.y)
    probabilities = softmax(trainer.ask(), axis=1)
    suspicion = suspicion_of(probabilities, given, proposals, confirmed, constants)
    verdicts = np.full(n, "clean", dtype="<U9")
    recovered = np.full(n, None, dtype=object)
    if recovery is not None:
        left_out = members_of(confirmed, n) & ~recovery.keep
        verdicts[left_out] = "uncertain"
        verdicts[recovery.relabelled | (left_out & (suspicion >= 0.5))] = "poisoned"
        recovered[recovery.relabelled] = job.data.classes[recovery.labels[recovery.relabelled]]
    return PoisonReport(
        given_labels=job.data.classes[given],
        suspicion=suspicion,
        verdicts=verdicts,
        recovered_labels=recovered,
    )
