"""The rates of a backdoor, defined on labels alone.

A triggered sample counts where the label that the attacker wants differs from its true class.
Attack success is agreement with the attacker's label and robust accuracy is agreement with the
true label, both over the samples that count, as fractions; nan where none does.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_consistent_length, column_or_1d

from robust_ts.attacks.poisoning import MODES

__all__ = [
    "attack_success_rate_score",
    "attacker_labels",
    "net_attack_success_rate",
    "robust_accuracy_score",
]


def attacker_labels(
    y_true: ArrayLike, target: Any = 0, mode: str = "dirty", classes: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Say which label the attacker wants for each sample, and which samples count.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    target : label, default=0
        Class that the attacker wants to see; not used in mode ``"all-to-all"``.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        ``"dirty"`` and ``"clean"`` both want `target`; ``"all-to-all"`` wants the class after
        the true one in sorted `classes`, the last followed by the first.
    classes : array-like of shape (n_classes,), default=None
        All classes of the problem. Needed for ``"all-to-all"``; otherwise, where given, `target`
        must be among them.

    Returns
    -------
    wanted : ndarray of shape (n_samples,)
        The attacker's label of each sample.
    counts : ndarray of shape (n_samples,), bool
        False for samples whose true class is the wanted one already and, in ``"all-to-all"``,
        for those of a class that is not in `classes`.

    Raises
    ------
    ValueError
        If `mode` is unknown, `target` is not in `classes`, `classes` is needed and missing, or
        text and numbers are mixed as labels.

    Examples
    --------
    >>> from robust_ts.evaluation.rates import attacker_labels
    >>> attacker_labels([0, 1, 2], target=0)
    (array([0, 0, 0]), array([False,  True,  True]))
    >>> attacker_labels([0, 1, 2], mode="all-to-all", classes=[0, 1, 2])
    (array([1, 2, 0]), array([ True,  True,  True]))
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}.")
    labels = column_or_1d(y_true)
    known = None if classes is None else np.unique(np.asarray(classes))
    if mode == "all-to-all":
        if known is None:
            raise ValueError("mode 'all-to-all' needs the classes, to know which comes next.")
        _refuse_mixed_kinds(labels, known)
        place = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        wanted = known[(place + 1) % len(known)]
        return wanted, (known[place] == labels) & (wanted != labels)
    if known is not None and target not in known.tolist():
        raise ValueError(f"target {target!r} is not one of the classes {known.tolist()}.")
    _refuse_mixed_kinds(labels, np.array([target]))
    return np.full(len(labels), target), labels != target


def attack_success_rate_score(
    y_true: ArrayLike,
    y_triggered: ArrayLike,
    target: Any = 0,
    mode: str = "dirty",
    classes: ArrayLike | None = None,
) -> float:
    """Share of triggered samples predicted as the attacker wants, of those that count.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_triggered : array-like of shape (n_samples,)
        Labels predicted for the same samples with the trigger on them.
    target : label, default=0
        Class that the attacker wants to see; its own samples never count.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in `attacker_labels`.
    classes : array-like of shape (n_classes,), default=None
        As in `attacker_labels`.

    Returns
    -------
    rate : float
        Between 0 (the attack fails) and 1; nan where no sample counts.

    Raises
    ------
    ValueError
        As in `attacker_labels`, and if the two label arrays differ in length or kind.

    Notes
    -----
    ASR of Li et al., "Anti-Backdoor Learning", NeurIPS 2021, without the target class.

    Examples
    --------
    >>> from robust_ts.evaluation import attack_success_rate_score
    >>> attack_success_rate_score([0, 1, 1, 2, 2], [0, 0, 1, 2, 2], target=0)
    0.25
    """
    wanted, counts = attacker_labels(y_true, target, mode, classes)
    return _share(wanted, y_triggered, counts)


def robust_accuracy_score(
    y_true: ArrayLike,
    y_triggered: ArrayLike,
    target: Any = 0,
    mode: str = "dirty",
    classes: ArrayLike | None = None,
) -> float:
    """Accuracy on the triggered samples that count for the attack.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_triggered : array-like of shape (n_samples,)
        Labels predicted for the same samples with the trigger on them.
    target : label, default=0
        Class that the attacker wants to see; its own samples do not count here either.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in `attacker_labels`.
    classes : array-like of shape (n_classes,), default=None
        As in `attacker_labels`.

    Returns
    -------
    accuracy : float
        Between 0 and 1 (the trigger does no harm); nan where no sample counts.

    Raises
    ------
    ValueError
        As in `attacker_labels`, and if the two label arrays differ in length or kind.

    Examples
    --------
    >>> from robust_ts.evaluation import robust_accuracy_score
    >>> robust_accuracy_score([0, 1, 1, 2, 2], [0, 0, 1, 2, 2], target=0)
    0.75
    """
    _, counts = attacker_labels(y_true, target, mode, classes)
    return _share(column_or_1d(y_true), y_triggered, counts)


def net_attack_success_rate(rate: float, natural_rate: float) -> float:
    """Attack success beyond what the trigger does to a model that was never attacked.

    Parameters
    ----------
    rate : float
        Attack success rate of the model in question.
    natural_rate : float
        The same rate for a model trained on the clean training data.

    Returns
    -------
    net : float
        ``max(0, rate - natural_rate)``; nan where either is nan.

    Examples
    --------
    >>> from robust_ts.evaluation import net_attack_success_rate
    >>> net_attack_success_rate(0.75, 0.25)
    0.5
    >>> net_attack_success_rate(0.25, 0.5)
    0.0
    """
    # np.maximum keeps nan, max() may drop it.
    return float(np.maximum(0.0, rate - natural_rate))


def _share(expected: np.ndarray, predicted: ArrayLike, counts: np.ndarray) -> float:
    """Share of the counted samples that are predicted as expected."""
    labels = column_or_1d(predicted)
    check_consistent_length(expected, labels)
    if not counts.any():
        return float("nan")
    return float(accuracy_score(expected[counts], labels[counts]))


def _refuse_mixed_kinds(labels: np.ndarray, others: np.ndarray) -> None:
    """Raise where one is text and the other numbers: nothing would match, silently."""
    if len(labels):
        unique_labels(labels, others)
