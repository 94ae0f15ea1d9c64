"""What a fitted classifier does on clean and on triggered test samples.

Every rate is a fraction between 0 and 1, and nan (never 0) where nothing is left to count. The
definitions are in `robust_ts.evaluation.rates`, on labels alone; here they meet an estimator,
the clean test set and the trigger.
"""

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, column_or_1d

from robust_ts.attacks.poisoning import as_one_array
from robust_ts.evaluation.rates import (
    attack_success_rate_score,
    attacker_labels,
    robust_accuracy_score,
)

__all__ = ["attack_success_rate", "clean_accuracy", "evaluate_backdoor", "robust_accuracy"]


def clean_accuracy(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Accuracy on the untouched test set.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict``.
    X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
        Test samples that nobody trained on.
    y : array-like of shape (n_samples,)
        True labels.

    Returns
    -------
    accuracy : float
        Between 0 and 1, higher is better; nan where there is no sample.

    Raises
    ------
    ValueError
        If `y` and the predictions differ in length or in kind (text and numbers).

    Examples
    --------
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import clean_accuracy
    >>> X, y = [[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]], [0, 0, 1]
    >>> clean_accuracy(NearestCentroid().fit(X, y), X, y)
    1.0
    """
    y_true = column_or_1d(y)
    check_consistent_length(X, y_true)
    if not len(y_true):
        return float("nan")
    return float(accuracy_score(y_true, estimator.predict(X)))


def attack_success_rate(
    estimator: Any, X: Any, y: ArrayLike, trigger: Any, target: Any = 0, mode: str = "dirty"
) -> float:
    """Share of triggered test samples that are predicted as the attacker wants.

    Samples whose true class is the target never count, so a perfect model has a rate of 0 and
    not 1 / n_classes. A trigger that destroys the series makes any model wrong: read the rate
    beside the one of a model trained on clean data, see `net_attack_success_rate`.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict`` and ``classes_``.
    X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
        Clean test samples that nobody trained on. Never changed.
    y : array-like of shape (n_samples,)
        True labels.
    trigger : object with ``transform`` or callable
        What the attacker does to a sample: a fitted trigger, or a function ``f(X) -> X``. It
        must keep the shape.
    target : label, default=0
        Class that the attacker wants to see, one of ``estimator.classes_``. Not used in mode
        ``"all-to-all"``.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        How the training data were poisoned. ``"dirty"`` and ``"clean"`` are the same at test
        time. In ``"all-to-all"`` the attacker wants the class after the true one in
        ``estimator.classes_``, the last followed by the first, and all samples count except
        those of a class that the estimator does not know.

    Returns
    -------
    rate : float
        Between 0 (the attack fails) and 1; nan where no sample counts.

    Raises
    ------
    ValueError
        If `target` is not one of the estimator's classes, `mode` is unknown, lengths differ,
        samples differ in shape, or the trigger changes the shape.
    TypeError
        If `trigger` neither has ``transform`` nor can be called, or is a class.

    Notes
    -----
    ASR of Li et al., "Anti-Backdoor Learning", NeurIPS 2021, without the target class.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import attack_success_rate
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), np.array([0, 0, 1])
    >>> model = NearestCentroid().fit(X, y)
    >>> attack_success_rate(model, X, y, trigger=lambda X: X, target=0)
    0.0
    >>> attack_success_rate(model, X, y, trigger=np.zeros_like, target=0)
    1.0
    """
    return _triggered_rates(estimator, X, y, trigger, target, mode)[0]


def robust_accuracy(
    estimator: Any, X: Any, y: ArrayLike, trigger: Any, target: Any = 0, mode: str = "dirty"
) -> float:
    """Accuracy against the true labels, on the triggered samples that count for the attack.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict`` and ``classes_``.
    X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
        Clean test samples that nobody trained on. Never changed.
    y : array-like of shape (n_samples,)
        True labels.
    trigger : object with ``transform`` or callable
        As in `attack_success_rate`.
    target : label, default=0
        As in `attack_success_rate`: samples of this class do not count here either.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in `attack_success_rate`.

    Returns
    -------
    accuracy : float
        Between 0 and 1 (the trigger does no harm); nan where no sample counts.

    Raises
    ------
    ValueError, TypeError
        As in `attack_success_rate`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import robust_accuracy
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), np.array([0, 0, 1])
    >>> model = NearestCentroid().fit(X, y)
    >>> robust_accuracy(model, X, y, trigger=np.zeros_like, target=0)
    0.0
    """
    return _triggered_rates(estimator, X, y, trigger, target, mode)[1]


def evaluate_backdoor(
    estimator: Any,
    X_test: Any,
    y_test: ArrayLike,
    trigger: Any,
    target: Any = 0,
    mode: str = "dirty",
) -> dict[str, float]:
    """Measure what a model does without and with the trigger.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict`` and ``classes_``.
    X_test : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
        Clean test samples that nobody trained on. Never changed.
    y_test : array-like of shape (n_samples,)
        True labels.
    trigger : object with ``transform`` or callable
        As in `attack_success_rate`.
    target : label, default=0
        As in `attack_success_rate`.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        As in `attack_success_rate`.

    Returns
    -------
    rates : dict of str to float
        ``clean_accuracy``, ``attack_success_rate`` and ``robust_accuracy``, each between 0 and
        1, nan where undefined.

    Raises
    ------
    ValueError, TypeError
        As in `attack_success_rate`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import evaluate_backdoor
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), np.array([0, 0, 1])
    >>> evaluate_backdoor(NearestCentroid().fit(X, y), X, y, trigger=np.zeros_like, target=0)
    {'clean_accuracy': 1.0, 'attack_success_rate': 1.0, 'robust_accuracy': 0.0}
    """
    # One prediction on the triggered samples serves both rates.
    success, robust = _triggered_rates(estimator, X_test, y_test, trigger, target, mode)
    return {
        "clean_accuracy": clean_accuracy(estimator, X_test, y_test),
        "attack_success_rate": success,
        "robust_accuracy": robust,
    }


def _triggered_rates(
    estimator: Any, X: Any, y: ArrayLike, trigger: Any, target: Any, mode: str
) -> tuple[float, float]:
    """Attack success rate and robust accuracy from one prediction."""
    y_true = column_or_1d(y)
    check_consistent_length(X, y_true)
    # Search tools show `classes_` only once fitted; `predict` then says what is wrong.
    classes = getattr(estimator, "classes_", None)
    _, counts = attacker_labels(y_true, target, mode, classes)
    if not counts.any():
        return float("nan"), float("nan")
    predicted = estimator.predict(_stamp(X, trigger))
    return (
        attack_success_rate_score(y_true, predicted, target, mode, classes),
        robust_accuracy_score(y_true, predicted, target, mode, classes),
    )


def _stamp(X: Any, trigger: Any) -> Any:
    """Apply the trigger to a copy of the samples."""
    transform = getattr(trigger, "transform", trigger)
    if isinstance(trigger, type) or not callable(transform):
        raise TypeError(
            "trigger must be a fitted object with a transform method or a function f(X) -> X, "
            f"got {trigger!r}."
        )
    # A function from outside may write into its argument.
    stamped = transform(deepcopy(X) if hasattr(X, "shape") else np.array(as_one_array(X)))
    if np.shape(stamped) != np.shape(X):
        raise ValueError(
            f"The trigger changed the shape of X from {np.shape(X)} to {np.shape(stamped)}."
        )
    return stamped
