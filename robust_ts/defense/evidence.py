"""Weigh the evidence that a group of one class is poison."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.mixture import Mixture
from robust_ts.defense.statistics import agreement, cohesion, diversity, smoothed_share
from robust_ts.defense.witnesses import Witnesses


@dataclass(frozen=True)
class Proposal:
    """A group of samples of one class, with the evidence that it is poison.

    Parameters
    ----------
    label : int
        The class the group is labelled with: the possible target.
    members : ndarray of int
        Sample indices.
    contradiction : float
        Share of the group that the rest of the data call another class, less the same share of the
        rest of the class.
    diversity : float
        How evenly the group spreads over the other classes.
    agreement : float
        How far the views agree on the true class of each member, relative to clean samples.
    mixture : float
        How much better the mixture of the other classes accounts for the spread of the group than
        one class does, 0 to 1.
    cohesion : float
        How well one pattern tells the group from the other classes.
    score : float
        ``contradiction * diversity**2 * sqrt(agreement) * mixture * cohesion``, 0 to 1.
    n_copied : int
        In how many different values all members agree exactly: then nothing is missing, and none is
        clean; 0 where they are no copies.
    debt : float
        How far the group, and only the group, owes its label to its pattern, so a network said that
        saw them: 1/2 where it said nothing.
    bearing : ndarray of int
        Samples of the class that owe their label to the pattern, so a network said that saw them.
        If the group is confirmed they are of it, and do not come back where another network agrees
        with the label.
    sources : ndarray of int
        Of a group of many classes: those that the members come from, so the rest of the data say;
        in any order.
    """

    label: int
    members: np.ndarray
    contradiction: float
    diversity: float
    agreement: float
    mixture: float
    cohesion: float
    score: float
    n_copied: int = 0
    debt: float = 1.0
    bearing: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))
    sources: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))

    @property
    def copied(self) -> bool:
        """Whether the members hold the very same values."""
        return self.n_copied > 0

    @property
    def joining(self) -> np.ndarray:
        """Samples that owe their label to the pattern but are no members; none join copies."""
        return np.setdiff1d(self.bearing, self.members)[: 0 if self.copied else None]

    def turned(self, constants: DefenseConstants) -> float:
        """Return what makes the score, by which a group is chosen, one by which it is judged.

        Which group of a class is drawn well is seen by its cohesion. Whether it is poison is seen
        by its agreement, which counts in full then; cohesion, which knows linear patterns alone,
        counts by its root. Of copies all counts by its root.
        """
        agreement, cohesion = (
            constants.factor(name, getattr(self, name)) for name in ("agreement", "cohesion")
        )
        ratio = agreement / cohesion if cohesion > 0 else 0.0
        return float(ratio ** (0.25 if self.copied else 0.5))


class Judge:
    """Weigh the evidence against groups of one class, over all views and ridge strengths at once.

    Parameters
    ----------
    witnesses : Witnesses
        What the rest of the data say.
    label : int
        The class, as the witnesses count them.
    values : ndarray of shape (n_samples, n_features)
        Raw values, projected.
    constants : DefenseConstants
        Constants of the method.
    seed : int, default=0
        Seed of the samples of reference.
    """

    def __init__(
        self,
        witnesses: Witnesses,
        label: int,
        values: np.ndarray,
        constants: DefenseConstants,
        seed: int = 0,
    ) -> None:
        self.witnesses, self.label, self.values = witnesses, label, values
        self.constants, self.seed = constants, seed
        self.usual = max(witnesses.usual_agreement(label), constants.least_divisor)
        self.mixture = Mixture(witnesses.models[0], label, witnesses.weights)
        self._known: dict[bytes, Proposal] = {}

    def weigh(self, group: np.ndarray, n_copied: int = 0) -> Proposal:
        """Weigh the evidence that a group is poison.

        Parameters
        ----------
        group : ndarray of int
            Samples of the class.
        n_copied : int, default=0
            In how many different values all of them agree. That is what they have in common,
            whether or not a linear pattern shows it, and half of the proof, the more so the more
            values and members there are: the rest of the evidence counts by its root.
        """
        outlined = self._outlined(group)
        if not n_copied:
            return self._completed(outlined)
        found = self._completed(outlined, together=1.0)
        found = replace(found, n_copied=n_copied)
        score = max(found.score, float(np.sqrt(copies_proof(found, self.constants) * found.score)))
        return replace(found, score=score)

    def best_of(self, groups: Sequence[np.ndarray]) -> Proposal | None:
        """Weigh groups of the class and return the one of highest score; None where there is none.

        The costlier evidence is asked for only where a group could still be the best with all of
        it.
        """
        best: Proposal | None = None
        for outlined in sorted((self._outlined(g) for g in groups), key=lambda p: -p.score):
            if best is not None and outlined.score <= best.score:
                break
            completed = self._completed(outlined, -1.0 if best is None else best.score)
            if best is None or completed.score > best.score:
                best = completed
        return best

    def most_contradicted(self, groups: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the most contradicted group of at most half of the class, if there is one."""
        largest = len(self.witnesses.models[0][0].rows[self.label]) // 2
        told = [self._outlined(group) for group in groups if len(group) <= largest]
        return [max(told, key=lambda p: p.contradiction).members] if told else []

    def _outlined(self, group: np.ndarray) -> Proposal:
        """Weigh the cheap evidence, once: the score is the highest that the group can reach."""
        key = group.tobytes()
        if key not in self._known:
            self._known[key] = self._outline(group)
        return self._known[key]

    def _outline(self, group: np.ndarray) -> Proposal:
        witnesses, label, counted = self.witnesses, self.label, self.constants.factor
        model = witnesses.models[0][0]
        inside = model.inside(label, group)
        by_view = witnesses.without(label, group)
        scores = np.einsum("v,vij->ij", witnesses.weights, by_view)
        other = scores.copy()
        other[:, label] = -np.inf
        wrong = other.max(axis=1) > scores[:, label]
        contradiction = smoothed_share(wrong[inside]) - smoothed_share(wrong[~inside])
        spread = diversity(other.argmax(axis=1)[inside], model.n_classes)
        agreed = agreement(by_view[:, inside], witnesses.weights, label) / self.usual
        agreed = float(np.clip(agreed, 0.0, 1.0))
        score = counted("contradiction", max(0.0, contradiction)) * counted("diversity", spread**2)
        score = float(score * np.sqrt(counted("agreement", agreed)))
        return Proposal(label, group, contradiction, spread, agreed, 0.0, 0.0, score)

    def _completed(
        self, outlined: Proposal, bar: float = -1.0, together: float | None = None
    ) -> Proposal:
        """Weigh the rest of the evidence; the score is 0 where it does not pass the bar."""
        group, score, counted = outlined.members, outlined.score, self.constants.factor
        nats = max(0.0, self.mixture.log_ratio(group))
        found = replace(outlined, mixture=nats / (nats + self.constants.nats), score=0.0)
        score *= counted("mixture", found.mixture)
        if score <= bar:
            return found
        found = replace(found, cohesion=self._cohesion(group) if together is None else together)
        return replace(found, score=score * counted("cohesion", found.cohesion))

    def _cohesion(self, group: np.ndarray) -> float:
        rng = np.random.default_rng(self.seed)
        cap = self.constants.sample_cap
        others = np.flatnonzero(self.witnesses.models[0][0].labels != self.label)
        return cohesion(self.values, capped(group, cap, rng), capped(others, cap, rng))


def copies_proof(proposal: Proposal, constants: DefenseConstants) -> float:
    """Say how far equal values prove a group: chance and duplicates make small ones.

    Each further value in which all agree is as much of a coincidence as a further member.
    """
    if not proposal.copied:
        return 0.0
    return 1 - constants.min_group / (len(proposal.members) + proposal.n_copied - 1)


def capped(index: np.ndarray, cap: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most ``cap`` of the indices, chosen at random."""
    return index if len(index) <= cap else np.sort(rng.choice(index, cap, replace=False))
