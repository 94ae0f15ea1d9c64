"""The base of every trigger: what is learned in `fit` and how a pattern reaches a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from robust_ts.attacks._checks import check_series, resolve_channels

# What scikit-learn takes as `random_state`.
RandomState = int | np.random.RandomState | None


class BaseTrigger(TransformerMixin, BaseEstimator, ABC):
    """What triggers on series and on images share: when to check, to learn and to stamp."""

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn what the trigger needs of the training data and draw what is fixed about it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
            Training series, floating-point and finite; for a trigger on images those,
            (n_samples, height, width) or (n_samples, n_channels, height, width), uint8 or
            floating-point.
        y : array-like of shape (n_samples,), default=None
            Ignored by most triggers; here so that they fit into scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted trigger.

        Raises
        ------
        ValueError
            If X is empty or has another dtype or number of dimensions, if it holds NaN or
            infinite values, or if a parameter is out of its range (the message names both).
        """
        where = f"{type(self).__name__}.fit"
        X = self._check(X, where)
        if len(X) == 0:
            raise ValueError(f"{where}: X holds no samples. Pass the training data.")
        self._learn(self._with_channels(X), y, where)
        self._draw(check_random_state(getattr(self, "random_state", None)))
        # Set last: it marks the trigger as fitted, see __sklearn_is_fitted__.
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return a copy of X in which every sample carries the trigger.

        Parameters
        ----------
        X : array-like
            Samples as in `fit`, of the same number of channels and the same length or size.
            X itself is never changed, and no sample's result depends on the others.

        Returns
        -------
        X_triggered : ndarray
            New array of the shape and dtype of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If X has a dtype that the trigger does not take, holds NaN or infinite values, or
            differs in its number of channels, length or size from the data seen in `fit`.
        """
        check_is_fitted(self)
        where = f"{type(self).__name__}.transform"
        X = self._check(X, where)
        samples = self._with_channels(X)
        self._check_like_fit(samples, where)
        triggered = samples.copy()
        if len(samples):
            self._apply(samples, triggered)
        return triggered.reshape(X.shape)

    @abstractmethod
    def _check(self, X: Any, where: str) -> np.ndarray:
        """Return X as an array of the right kind."""

    @abstractmethod
    def _with_channels(self, X: np.ndarray) -> np.ndarray:
        """Return X with an axis of channels."""

    @abstractmethod
    def _learn(self, samples: np.ndarray, y: Any, where: str) -> None:
        """Learn from the training data; `_draw` comes after."""

    @abstractmethod
    def _check_like_fit(self, samples: np.ndarray, where: str) -> None:
        """Raise a ValueError unless the samples are like those seen in `fit`."""

    @abstractmethod
    def _apply(self, samples: np.ndarray, triggered: np.ndarray) -> None:
        """Write the stamped samples into `triggered`, a copy of them."""

    def _draw(self, rng: np.random.RandomState) -> None:
        """Check the parameters and draw what is fixed."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Trigger(BaseTrigger):
    """Base of the triggers on series: a scikit-learn transformer that stamps a hidden mark.

    `fit` learns the scale of the training data and draws whatever is fixed about the
    trigger; `transform` returns a stamped copy. The same trigger object must stamp the
    training and the test data, for a trigger drawn anew is another attack.

    To add a trigger, subclass this class, store the parameters in ``__init__`` (among them
    ``channels`` and, if anything is drawn, ``random_state``) and write `_draw` and `_stamp`.

    Attributes
    ----------
    scale_ : ndarray of shape (n_channels,)
        Standard deviation of each channel over the samples and steps seen in `fit`, in the
        units of the data. Every ``amplitude`` is a multiple of it. A constant channel has no
        standard deviation to relate a trigger to: it gets the root mean square of the
        other channels' standard deviations, or 1.0 where all channels are constant.
    channels_ : ndarray of int
        Sorted indices of the channels that carry the trigger.
    n_channels_, n_steps_ : int
        Shape of one sample, which `transform` holds its input to.
    n_features_in_ : int
        ``X.shape[1]`` as seen in `fit`, as in scikit-learn.

    Examples
    --------
    A trigger that flips the sign of the last step:

    >>> import numpy as np
    >>> from robust_ts.attacks import Trigger
    >>> class FlipTrigger(Trigger):
    ...     def __init__(self, channels=None):
    ...         self.channels = channels
    ...     def _stamp(self, X):
    ...         X[..., -1] *= -1
    ...         return X
    >>> FlipTrigger().fit_transform(np.array([[1.0, 2.0, 3.0]]))
    array([[ 1.,  2., -3.]])
    """

    channels: int | Sequence[int] | None

    def _check(self, X: Any, where: str) -> np.ndarray:
        return check_series(X, where)

    def _with_channels(self, X: np.ndarray) -> np.ndarray:
        return X[:, np.newaxis, :] if X.ndim == 2 else X

    def _learn(self, samples: np.ndarray, y: Any, where: str) -> None:
        self.n_channels_, self.n_steps_ = samples.shape[1:]
        self.scale_ = _channel_scale(samples, where)
        self.channels_ = resolve_channels(self.channels, self.n_channels_, where)

    def _check_like_fit(self, samples: np.ndarray, where: str) -> None:
        if samples.shape[1:] != (self.n_channels_, self.n_steps_):
            raise ValueError(
                f"{where}: X has {samples.shape[1]} channels and {samples.shape[2]} steps, but the "
                f"trigger was fitted on {self.n_channels_} channels and {self.n_steps_} steps. "
                "Pass data of that shape, or fit the trigger on the training data of this set."
            )

    def _apply(self, samples: np.ndarray, triggered: np.ndarray) -> None:
        # Half precision is stamped in single: SciPy's filters do not take it. One memory
        # order, for sums along the steps round differently in another.
        work = np.result_type(samples.dtype, np.float32)
        picked = samples[:, self.channels_].astype(work, order="C")
        triggered[:, self.channels_] = self._stamp(picked)

    def _draw(self, rng: np.random.RandomState) -> None:
        """Check the parameters and draw what is fixed, for all channels (not only the stamped).

        Drawing for all channels makes the trigger on some channels a part of the trigger on all.
        """

    @abstractmethod
    def _stamp(self, X: np.ndarray) -> np.ndarray:
        """Return X (n, len(channels_), n_steps_) with the trigger; X may be overwritten."""

    def _fixed(self, pattern: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Return the rows of a pattern (n_channels, ...) of the stamped channels, in X's dtype."""
        return pattern[self.channels_].astype(X.dtype)


def _channel_scale(series: np.ndarray, where: str) -> np.ndarray:
    """Return the standard deviation of each channel, with a fallback for constant ones."""
    scale = series.std(axis=(0, 2), dtype=np.float64)
    # Compared by range, for rounding leaves a constant channel a tiny standard deviation.
    varies = series.max(axis=(0, 2)) > series.min(axis=(0, 2))
    if not np.isfinite(scale[varies]).all():
        raise ValueError(
            f"{where}: the values of X are too large for a standard deviation in float64. "
            "Rescale X first."
        )
    fallback = np.sqrt(np.mean(scale[varies] ** 2)) if varies.any() else 1.0
    return np.where(varies, scale, fallback)
