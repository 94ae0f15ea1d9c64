"""What the triggers ask of their input and parameters, with the errors a user reads."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_series(X: Any, where: str) -> np.ndarray:
    """Return X as a float array (n, t) or (n, c, t) that holds only finite values."""
    X = np.asarray(X)
    if X.dtype.kind in "iub":
        raise ValueError(
            f"{where}: X has integer dtype {X.dtype}, and rounding would destroy the trigger. "
            "Convert it first, for example with X.astype('float32')."
        )
    if X.dtype.kind != "f":
        raise ValueError(
            f"{where}: X must be a floating-point array, got dtype {X.dtype}. "
            "Convert it first, for example with numpy.asarray(X, dtype='float32')."
        )
    if X.ndim not in (2, 3) or 0 in X.shape[1:]:
        raise ValueError(
            f"{where}: X must have the shape (n_samples, n_timesteps) or "
            f"(n_samples, n_channels, n_timesteps), none of the last ones 0, got {X.shape}. "
            "Reshape it, for example a single series with X.reshape(1, -1)."
        )
    _check_finite(X, where)
    return X


def check_images(X: Any, where: str) -> np.ndarray:
    """Return X as an array (n, h, w) or (n, c, h, w), uint8 or of finite floats."""
    X = np.asarray(X)
    if X.dtype != np.uint8 and X.dtype.kind != "f":
        raise ValueError(
            f"{where}: X must be uint8 or floating-point images, got dtype {X.dtype}. Convert "
            "them first, for example with X.astype('uint8') where the values are 0 to 255."
        )
    if X.ndim not in (3, 4) or 0 in X.shape[1:]:
        raise ValueError(
            f"{where}: X must have the shape (n_samples, height, width) or "
            f"(n_samples, n_channels, height, width), none of the last ones 0, got {X.shape}. "
            "robust_ts.images.ImageAdapter brings other layouts into this one."
        )
    if X.dtype.kind == "f":
        _check_finite(X, where)
    return X


def _check_finite(X: np.ndarray, where: str) -> None:
    n_bad = X.size - int(np.count_nonzero(np.isfinite(X)))
    if n_bad:
        raise ValueError(
            f"{where}: X has {n_bad} NaN or infinite values among {X.size}. "
            "Impute them or drop those samples first."
        )


def check_positive(owner: object, name: str, upper: float = np.inf) -> float:
    """Return the parameter as a float, which must lie in (0, upper] and be finite."""
    value = getattr(owner, name)
    if isinstance(value, Real) and not isinstance(value, (bool, np.bool_)):
        number = float(value)
        if 0 < number <= upper and np.isfinite(number):
            return number
    allowed = "a positive number" if np.isinf(upper) else f"a number in (0, {upper:g}]"
    raise ValueError(f"{type(owner).__name__}: {name} must be {allowed}, got {value!r}.")


def check_count(owner: object, name: str) -> int:
    """Return the parameter as an int, which must be at least 1."""
    value = getattr(owner, name)
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise ValueError(f"{type(owner).__name__}: {name} must be an integer >= 1, got {value!r}.")


def resolve_channels(
    channels: int | Sequence[int] | None, n_channels: int, where: str
) -> np.ndarray:
    """Return the sorted channel indices that `channels` stands for, None meaning all."""
    if channels is None:
        return np.arange(n_channels)
    picked = np.atleast_1d(np.asarray(channels))
    if picked.ndim != 1 or picked.size == 0 or picked.dtype.kind not in "iu":
        raise ValueError(
            f"{where}: channels must be None (all channels) or a non-empty list of channel "
            f"indices, got {channels!r}."
        )
    if picked.min() < -n_channels or picked.max() >= n_channels:
        raise ValueError(
            f"{where}: channels={channels!r} names a channel that is not there: X has "
            f"{n_channels} channels. Use indices from 0 to {n_channels - 1}."
        )
    return np.unique(picked.astype(np.intp) % n_channels)
