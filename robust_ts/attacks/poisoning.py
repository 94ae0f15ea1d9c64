"""Poison a training set: choose samples, stamp the trigger, change the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from robust_ts.attacks._base import BaseTrigger, RandomState

#: How labels are treated: see `poison`.
MODES = ("dirty", "clean", "all-to-all")


@dataclass(frozen=True, eq=False, repr=False)
class PoisonedData:
    """A poisoned training set and the truth about it.

    Attributes
    ----------
    X : ndarray
        The samples, of the shape and dtype given; those not poisoned are bit-identical.
    y : ndarray of shape (n_samples,)
        The labels an honest user would be given.
    mask : ndarray of bool of shape (n_samples,)
        True where a sample was poisoned by this call.
    y_true : ndarray of shape (n_samples,)
        The labels before this call.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import poison
    >>> poison(np.zeros((10, 20)), [0, 1] * 5, lambda X: X + 1, rate=0.2, random_state=0)
    PoisonedData(n_samples=10, n_poisoned=2)
    """

    X: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    y_true: np.ndarray

    def __repr__(self) -> str:
        return f"PoisonedData(n_samples={len(self.y)}, n_poisoned={int(self.mask.sum())})"


def poison(
    X: Any,
    y: Any,
    trigger: BaseTrigger | Callable[[np.ndarray], np.ndarray],
    target: Any = 0,
    rate: float = 0.1,
    mode: str = "dirty",
    random_state: RandomState = None,
    exclude: Any = None,
) -> PoisonedData:
    """Plant a backdoor in a training set.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Training samples; never changed. For a `Trigger`, series of shape
        (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps); for an `ImageTrigger`,
        images of shape (n_samples, height, width) or (n_samples, n_channels, height, width).
    y : array-like of shape (n_samples,)
        Class labels of any type scikit-learn takes; never changed.
    trigger : Trigger, transformer or callable
        What stamps the samples. A trigger that is not fitted is fitted on X and y **in place**, so
        that the same object can stamp the test data afterward. One that treats training samples
        in its own way has a method ``transform_training(X, y)``, used here. A callable
        ``f(X) -> X`` gets a copy of the chosen samples only and returns them in the same shape,
        and in a dtype that can be cast to that of X.
    target : label, default=0
        The class the attacker wants predicted, one of those in y. Not used by "all-to-all".
    rate : float in [0, 1], default=0.1
        Share of *all* samples to poison; the count is ``round(rate * n_samples)``, exactly.
        With 0 nothing is poisoned (an unfitted trigger is fitted all the same).
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        "dirty" draws from the other classes and sets the label to the target; "clean" draws from
        the target class and leaves the label; "all-to-all" draws from all samples and sets the
        label to the next class in sorted order, the last one's next being the first.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of samples.
    exclude : array-like of bool of shape (n_samples,) or None, default=None
        True for samples never to be chosen, for example those another trigger has.

    Returns
    -------
    data : PoisonedData
        New arrays ``X``, ``y``, ``mask`` and ``y_true``.

    Raises
    ------
    ValueError
        If an argument is out of its range, if samples differ in shape, if fewer samples can be
        poisoned than `rate` asks for, if a `rate` above 0 comes to no sample at all, or if the
        trigger returns another shape, a dtype that does not fit or values that are no longer
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import NoiseTrigger, PatchTrigger, poison
    >>> X, y = np.random.RandomState(0).randn(100, 3, 50), np.repeat(["a", "b"], 50)
    >>> data = poison(X, y, PatchTrigger(), target="a", rate=0.1, random_state=0)
    >>> int(data.mask.sum()), set(data.y_true[data.mask].tolist())
    (10, {'b'})

    Several triggers at once, each on samples of its own and fitted on the untouched data:

    >>> noise = NoiseTrigger(random_state=0).fit(X)
    >>> both = poison(data.X, data.y, noise, "a", 0.1, random_state=1, exclude=data.mask)
    >>> int((data.mask | both.mask).sum())
    20
    """
    X, labels, excluded = _check_data(X, y, exclude)
    classes = np.unique(labels)
    candidates, new_labels = _plan(labels, classes, target, mode)
    chosen = _choose(candidates & ~excluded, rate, mode, check_random_state(random_state))
    mask = np.zeros(len(labels), dtype=bool)
    mask[chosen] = True

    stamp = _stamper(trigger, X, labels)
    poisoned_X, poisoned_y = X.copy(), labels.copy()
    if mask.any():
        poisoned_X[mask] = _checked_stamp(stamp, X[mask], labels[mask])
        poisoned_y[mask] = new_labels[mask]
    return PoisonedData(X=poisoned_X, y=poisoned_y, mask=mask, y_true=labels.copy())


def as_one_array(X: Any, where: str = "") -> np.ndarray:
    """Return X as an array; series of unequal length, which ``fit`` takes, no trigger does."""
    cause: ValueError | None = None
    try:
        array = np.asarray(X)
        if array.dtype != object or array.ndim != 1 or len(set(map(np.shape, array))) < 2:
            return array
    except ValueError as error:
        cause = error
    raise ValueError(
        f"{where}X holds samples of different shapes, and a trigger takes samples of one shape. "
        "Pad or crop series of unequal length to one length first, or take those of each length "
        "apart, with a trigger of their own."
    ) from cause


def _check_data(X: Any, y: Any, exclude: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = as_one_array(X, "poison: "), np.asarray(y)
    if X.ndim < 2 or y.ndim != 1 or len(X) != len(y) or len(y) == 0:
        raise ValueError(
            "poison: X must hold one row for each label and y be 1-D and not empty, got X of "
            f"shape {X.shape} and y of shape {y.shape}. Reshape them, for example y.ravel()."
        )
    check_classification_targets(y)
    if exclude is None:
        return X, y, np.zeros(len(y), dtype=bool)
    exclude = np.asarray(exclude)
    if exclude.dtype != bool or exclude.shape != y.shape:
        raise ValueError(
            f"poison: exclude must be a bool mask of shape {y.shape}, got dtype {exclude.dtype} "
            f"and shape {exclude.shape}. Pass the mask of an earlier result, or None."
        )
    return X, y, exclude


def _plan(
    y: np.ndarray, classes: np.ndarray, target: Any, mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return which samples may be chosen and the label each would get."""
    if mode not in MODES:
        raise ValueError(f"poison: mode must be one of {', '.join(MODES)}, got {mode!r}.")
    if mode == "all-to-all":
        if len(classes) < 2:
            raise ValueError(
                "poison: mode 'all-to-all' needs at least 2 classes in y, got "
                f"{len(classes)}. Use data with more classes."
            )
        following = np.roll(classes, -1)
        return np.ones(len(y), dtype=bool), following[np.searchsorted(classes, y)]
    known = classes.tolist()
    if target not in known:
        shown = ", ".join(map(repr, known[:10])) + (", ..." if len(known) > 10 else "")
        raise ValueError(
            f"poison: target={target!r} is not a class in y. Pass one of its {len(known)} "
            f"classes: {shown}."
        )
    label = classes[known.index(target)]
    is_target = y == label
    return (is_target if mode == "clean" else ~is_target), np.full_like(y, label)


def _choose(
    candidates: np.ndarray, rate: float, mode: str, rng: np.random.RandomState
) -> np.ndarray:
    """Return the indices of exactly ``round(rate * n)`` candidates, at random."""
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise ValueError(f"poison: rate must be a number in [0, 1], got {rate!r}.")
    n_samples, available = len(candidates), int(candidates.sum())
    count = round(float(rate) * n_samples)
    if rate > 0 and count == 0:
        raise ValueError(
            f"poison: rate={rate} of {n_samples} samples rounds to no sample at all. Use a rate "
            f"of at least {1 / n_samples:.3g}, or 0 for no attack."
        )
    if count > available:
        # Rounded down, so that the rate named is one that works.
        largest = np.floor(available / n_samples * 1e6) / 1e6
        raise ValueError(
            f"poison: rate={rate} asks for {count} of {n_samples} samples, but mode {mode!r} "
            f"leaves only {available} to choose from (by class and exclude). Use a rate of at "
            f"most {largest:g}."
        )
    return rng.choice(np.flatnonzero(candidates), count, replace=False)


def _stamper(trigger: Any, X: np.ndarray, y: np.ndarray) -> Callable[..., Any]:
    """Return what stamps samples, given with their labels; fit a trigger that is not yet."""
    if hasattr(trigger, "transform") and not isinstance(trigger, type):
        try:
            check_is_fitted(trigger)
        except NotFittedError:
            trigger.fit(X, y)
        if hasattr(trigger, "transform_training"):
            return trigger.transform_training
        return lambda rows, labels: trigger.transform(rows)
    if callable(trigger) and not isinstance(trigger, type):
        return lambda rows, labels: trigger(rows)
    raise ValueError(
        "poison: trigger must be a Trigger such as PatchTrigger() or a function f(X) -> X, got "
        f"{trigger!r}. By name: make_trigger('patch')."
    )


def _checked_stamp(stamp: Callable[..., Any], rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the stamped rows in their own dtype; a trigger that breaks them is an error."""
    # A copy, for the function is the user's and may write into what it is given.
    stamped = np.asarray(stamp(rows.copy(), labels.copy()))
    if stamped.shape != rows.shape:
        raise ValueError(
            f"poison: the trigger returned shape {stamped.shape} for samples of shape "
            f"{rows.shape}. It must keep the shape."
        )
    if not np.can_cast(stamped.dtype, rows.dtype, casting="same_kind"):
        raise ValueError(
            f"poison: the trigger returned dtype {stamped.dtype}, which {rows.dtype} cannot hold. "
            f"Convert X to floating point first, or let the trigger return {rows.dtype}."
        )
    stamped = stamped.astype(rows.dtype, copy=False)
    if rows.dtype.kind == "f":
        n_broken = int(np.count_nonzero(np.isfinite(rows) & ~np.isfinite(stamped)))
        if n_broken:
            raise ValueError(
                f"poison: the trigger turned {n_broken} values into NaN or infinity. "
                "Look at what it returns for such samples."
            )
    return stamped
