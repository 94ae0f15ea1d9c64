"""One attack on one data set, and what a classifier makes of it."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from robust_ts.attacks import ImageTrigger, PoisonedData, Trigger, make_trigger, poison
from robust_ts.datasets import DATA_VARIABLE, load_dataset
from robust_ts.evaluation.detection import detection_metrics
from robust_ts.evaluation.metrics import evaluate_backdoor


@dataclass(frozen=True)
class Attack:
    """What an attacker stamps, and the class that it is to bring.

    Parameters
    ----------
    trigger : Trigger or ImageTrigger
        Fitted on the clean training data.
    target : label
        The attacker's class.
    """

    trigger: Trigger | ImageTrigger
    target: Any


@dataclass(frozen=True)
class Experiment:
    """A data set, the attacks on its training part, and the untouched test part.

    Parameters
    ----------
    X_train, y_train : ndarray
        Clean training data.
    X_test, y_test : ndarray
        Clean test data.
    attacks : sequence of Attack
        One, or several with a target each.
    poisoned : PoisonedData
        The attacked training data.
    mode : str
        ``"dirty"``, ``"clean"`` or ``"all-to-all"``.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    attacks: Sequence[Attack]
    poisoned: PoisonedData
    mode: str

    @property
    def trigger(self) -> Trigger | ImageTrigger:
        """Trigger of the first attack."""
        return self.attacks[0].trigger

    @property
    def target(self) -> Any:
        """Target of the first attack."""
        return self.attacks[0].target

    def rates(self, estimator: Any, mode: str | None = None) -> dict[str, float]:
        """Measure a fitted classifier on the test part.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        mode : str, default=None
            As in `evaluate_backdoor`; default: that of the experiment.

        Returns
        -------
        dict of str to float
            As of `evaluate_backdoor`; of several attacks the mean.
        """
        each = [
            evaluate_backdoor(
                estimator, self.X_test, self.y_test, a.trigger, a.target, mode or self.mode
            )
            for a in self.attacks
        ]
        return {name: float(np.mean([rates[name] for rates in each])) for name in each[0]}

    def measure(self, estimator: Any, *, on_clean: bool = False) -> dict[str, float]:
        """Fit ``estimator`` on the attacked data and measure it.

        Parameters
        ----------
        estimator : classifier
            Is fitted in place.
        on_clean : bool, default=False
            Fit on the clean training data instead: the reference for the natural rate.

        Returns
        -------
        dict of str to float
            ``clean_accuracy``, ``attack_success_rate``, ``robust_accuracy``, ``seconds`` of
            fit and, where the estimator has a ``report_``, the detection metrics.
        """
        start = time.perf_counter()
        if on_clean:
            estimator.fit(self.X_train, self.y_train)
        else:
            estimator.fit(self.poisoned.X, self.poisoned.y)
        seconds = time.perf_counter() - start
        rates = self.rates(estimator)
        if hasattr(estimator, "report_") and not on_clean:
            found = detection_metrics(
                estimator.report_, self.poisoned.mask, y_true=self.poisoned.y_true
            )
            rates = {**rates, **found}
        return {**rates, "seconds": seconds}


def make_experiment(
    dataset: str,
    trigger: str,
    *,
    rate: float = 0.1,
    mode: str = "dirty",
    target: Any = 0,
    max_train: int | None = None,
    seed: int = 0,
) -> Experiment:
    """Load a data set and attack its training part.

    Parameters
    ----------
    dataset : str
        See :func:`robust_ts.datasets.load_dataset`.
    trigger : str
        See :data:`robust_ts.attacks.TRIGGERS` and ``IMAGE_TRIGGERS``; it is fitted on the clean
        training data. ``"noise@0"`` stamps channel 0 alone; ``"noise+patch"`` are two attacks,
        each on samples of its own, the second one with the class after `target` as its target.
    rate : float, default=0.1
        Share of all training samples that is poisoned, by all attacks together; 0 for no attack.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in :func:`robust_ts.attacks.poison`.
    target : label, default=0
        The attacker's class; with several attacks that of the first.
    max_train : int, default=None
        Train on a seeded random subset of at most this size.
    seed : int, default=0
        Moves the trigger, the choice of poisoned samples and the subset.

    Returns
    -------
    Experiment
        Ready to ``measure`` any number of classifiers.
    """
    X_train, y_train, X_test, y_test = _loaded(dataset, os.environ.get(DATA_VARIABLE))
    if max_train is not None and len(y_train) > max_train:
        keep = np.sort(np.random.default_rng(seed).permutation(len(y_train))[:max_train])
        X_train, y_train = X_train[keep], y_train[keep]
    attacks, poisoned = _attacked(X_train, y_train, trigger.split("+"), rate, mode, target, seed)
    return Experiment(X_train, y_train, X_test, y_test, attacks, poisoned, mode)


def _attacked(
    X: np.ndarray,
    y: np.ndarray,
    triggers: Sequence[str],
    rate: float,
    mode: str,
    target: Any,
    seed: int,
) -> tuple[list[Attack], PoisonedData]:
    """Plant the attacks one after the other, each on samples that no other has."""
    classes = np.unique(y).tolist()
    attacks: list[Attack] = []
    data = PoisonedData(X, y, np.zeros(len(y), dtype=bool), y)
    for i, name in enumerate(triggers):
        stamp = _trigger(name, seed + i).fit(X, y)
        own = classes[(classes.index(target) + i) % len(classes)] if i else target
        attacks.append(Attack(stamp, own))
        share = rate / len(triggers)
        more = poison(data.X, data.y, stamp, own, share, mode, seed + i, exclude=data.mask)
        data = PoisonedData(more.X, more.y, data.mask | more.mask, y)
    return attacks, data


def _trigger(name: str, seed: int) -> Trigger | ImageTrigger:
    """Make a trigger by its name, with the one channel that it may be limited to."""
    name, _, channel = name.partition("@")
    trigger: Any = make_trigger(name, random_state=seed)
    return trigger.set_params(channels=[int(channel)]) if channel else trigger


@lru_cache(maxsize=1)
def _loaded(name: str, folder: str | None) -> tuple[np.ndarray, ...]:
    """Load a set once for all runs in a row: to decode CIFAR-10 takes longer than many a fit."""
    return load_dataset(name)
