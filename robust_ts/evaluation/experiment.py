"""One attack on one data set, and what a classifier makes of it."""

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from robust_ts.attacks import ImageTrigger, PoisonedData, Trigger, make_trigger, poison
from robust_ts.datasets import DATA_VARIABLE, load_dataset
from robust_ts.evaluation.detection import detection_metrics
from robust_ts.evaluation.metrics import evaluate_backdoor


@dataclass(frozen=True)
class Experiment:
    """A data set, an attack on its training part, and the untouched test part.

    Parameters
    ----------
    X_train, y_train : ndarray
        Clean training data.
    X_test, y_test : ndarray
        Clean test data.
    trigger : Trigger or ImageTrigger
        Fitted on the clean training data.
    poisoned : PoisonedData
        The attacked training data.
    target : label
        The attacker's class.
    mode : str
        ``"dirty"``, ``"clean"`` or ``"all-to-all"``.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    trigger: Trigger | ImageTrigger
    poisoned: PoisonedData
    target: Any
    mode: str

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
        rates = evaluate_backdoor(
            estimator, self.X_test, self.y_test, self.trigger, self.target, self.mode
        )
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
        training data.
    rate : float, default=0.1
        Share of all training samples that is poisoned; 0 for no attack.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in :func:`robust_ts.attacks.poison`.
    target : label, default=0
        The attacker's class.
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
    stamp = make_trigger(trigger, random_state=seed).fit(X_train, y_train)
    poisoned = poison(
        X_train, y_train, stamp, target=target, rate=rate, mode=mode, random_state=seed
    )
    return Experiment(X_train, y_train, X_test, y_test, stamp, poisoned, target, mode)


@lru_cache(maxsize=1)
def _loaded(name: str, folder: str | None) -> tuple[np.ndarray, ...]:
    """Load a set once for all runs in a row: to decode CIFAR-10 takes longer than many a fit."""
    return load_dataset(name)
