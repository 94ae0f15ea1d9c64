"""How well a defense found the poison, against the mask that only the attacker knew."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score
from sklearn.utils.validation import check_consistent_length, column_or_1d

__all__ = ["detection_metrics"]


def detection_metrics(
    report: Any,
    mask: ArrayLike,
    *,
    suspicion: ArrayLike | None = None,
    recovered_labels: ArrayLike | None = None,
    y_true: ArrayLike | None = None,
) -> dict[str, float]:
    """Compare the verdict on each training sample with the truth.

    Parameters
    ----------
    report : PoisonReport or array-like of shape (n_samples,)
        An object with the attributes ``is_poisoned``, ``suspicion`` and ``recovered_labels``, or
        the verdicts alone: True where a sample was called poisoned.
    mask : array-like of shape (n_samples,), bool
        The truth: True where a sample is poisoned.
    suspicion : array-like of shape (n_samples,), default=None
        Suspicion of each sample, higher means more likely poisoned. Default: the report's.
    recovered_labels : array-like of shape (n_samples,), default=None
        Label recovered for each sample, None (or nan) where there is none. Default: the report's.
    y_true : array-like of shape (n_samples,), default=None
        Labels before the attack, needed for ``recovered_label_accuracy``.

    Returns
    -------
    metrics : dict of str to float
        Fractions between 0 and 1, nan where undefined:

        - ``precision``: poisoned among those called poisoned; nan where none was called so.
        - ``recall``: called poisoned among the poisoned; nan where none is poisoned.
        - ``auroc``: area under the ROC curve of `suspicion`; nan without it, or where all
          samples are poisoned or none is.
        - ``false_positive_rate``: called poisoned among the clean; nan where none is clean.
        - ``recovered_label_accuracy``: right labels among the poisoned samples that have a
          recovered label; nan where there is none, or without `y_true`.

    Raises
    ------
    ValueError
        If lengths differ, or verdicts or mask hold anything but true and false.

    Examples
    --------
    >>> from robust_ts.evaluation import detection_metrics
    >>> found = detection_metrics(
    ...     [True, True, False, False],
    ...     mask=[True, False, False, False],
    ...     suspicion=[0.9, 0.6, 0.2, 0.1],
    ...     recovered_labels=[2, 2, None, None],
    ...     y_true=[2, 0, 1, 1],
    ... )
    >>> found["precision"], found["recall"], found["auroc"], found["recovered_label_accuracy"]
    (0.5, 1.0, 1.0, 1.0)
    """
    flags = _as_bool(getattr(report, "is_poisoned", report), "is_poisoned")
    truth = _as_bool(mask, "mask")
    if suspicion is None:
        suspicion = getattr(report, "suspicion", None)
    if recovered_labels is None:
        recovered_labels = getattr(report, "recovered_labels", None)
    check_consistent_length(flags, truth, suspicion, recovered_labels, y_true)
    rates = {"precision": float("nan"), "recall": float("nan")}
    if len(truth):
        rates["precision"] = float(precision_score(truth, flags, zero_division=np.nan))
        rates["recall"] = float(recall_score(truth, flags, zero_division=np.nan))
    return rates | {
        "auroc": _auroc(truth, suspicion),
        "false_positive_rate": float("nan") if truth.all() else float(flags[~truth].mean()),
        "recovered_label_accuracy": _recovered_accuracy(truth, recovered_labels, y_true),
    }


def _as_bool(values: ArrayLike, name: str) -> np.ndarray:
    """Read truth values, also as 0 and 1, and refuse indices or scores in their place."""
    array = column_or_1d(values)
    if not np.isin(array, [False, True]).all():
        raise ValueError(f"{name} must hold True or False for each sample, got {array!r}.")
    return array.astype(bool)


def _auroc(truth: np.ndarray, suspicion: ArrayLike | None) -> float:
    # Also false for no sample at all: both are empty.
    if suspicion is None or truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, column_or_1d(suspicion)))


def _recovered_accuracy(
    truth: np.ndarray, recovered_labels: ArrayLike | None, y_true: ArrayLike | None
) -> float:
    if recovered_labels is None or y_true is None:
        return float("nan")
    recovered = np.asarray(recovered_labels, dtype=object)
    # Only nan differs from itself.
    has_label = np.array([label is not None and label == label for label in recovered], dtype=bool)
    judged = truth & has_label
    if not judged.any():
        return float("nan")
    # Back to a plain dtype: sklearn takes no labels of mixed objects.
    return float(accuracy_score(column_or_1d(y_true)[judged], np.array(recovered[judged].tolist())))
