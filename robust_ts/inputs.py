"""Arrays and labels from a user, validated once, here, with the errors a user reads."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, validate_data

from robust_ts.chunks import chunks, is_on_disk, read

#: What the axes of an input are called, by their number, for series and image networks.
AXES = {1: ("n_channels", "n_timesteps"), 2: ("n_channels", "height", "width")}


@dataclass(frozen=True)
class TrainingSet:
    """Validated training data.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space), float32
        Never written to: it may share memory with the user's array. Series of unequal length
        are padded at the end with NaN; nothing else here is NaN. An array that is mapped from a
        file stays there, of any numeric dtype: `robust_ts.chunks.read` gives float32.
    y : ndarray of shape (n_samples,), int64
        Class indices into ``classes``.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    """

    X: np.ndarray
    y: np.ndarray
    classes: np.ndarray


def check_training_set(estimator: Any, X: Any, y: Any, *, space_axes: int = 1) -> TrainingSet:
    """Validate what a user gave to ``fit``.

    Parameters
    ----------
    estimator : estimator
        Receives ``n_features_in_`` and, for DataFrames, ``feature_names_in_``.
    X : array-like of shape (n, t) or (n, c, t); for images (n, h, w) or (n, c, h, w)
        Numbers, all finite. Series of unequal length come as a list of arrays of shape (c, t_i)
        or (t_i,). An array mapped from a file is neither copied nor converted.
    y : array-like of shape (n,)
        Labels of at least two classes.
    space_axes : {1, 2}, default=1
        1 for series networks, 2 for image networks.

    Raises
    ------
    ValueError
        With the reason, the place and the remedy.
    """
    _check_lengths(X, y)
    X, padded = _pad_if_ragged(X, space_axes)
    _check_numbers(X)
    kind = _kind(X)
    X, y = validate_data(estimator, X, y, dtype=kind, allow_nd=True, ensure_all_finite=False)
    try:
        check_classification_targets(y)
        classes, encoded = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"y holds labels of more than one type, which have no order ({error}); give integers, "
            "texts or booleans only."
        ) from None
    X = _check_array(X, space_axes, estimator, padded)
    if space_axes == 2 and X.shape[-1] in (1, 3, 4) and X.shape[1] > 4:
        warnings.warn(
            f"X is read as images of {X.shape[1]} channels and {X.shape[2]} x {X.shape[3]} pixels. "
            "If its channels are last, bring them first with robust_ts.images.ImageAdapter.",
            UserWarning,
            stacklevel=4,
        )
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only ({classes.tolist()[0]!r}): {type(estimator).__name__} needs "
            "samples of at least two classes."
        )
    return TrainingSet(X, encoded.astype(np.int64), classes)


def check_prediction_input(
    estimator: Any,
    X: Any,
    input_shape: Sequence[int],
    *,
    space_axes: int = 1,
    any_length: bool = False,
) -> np.ndarray:
    """Validate what a user gave to ``predict``: as at fit, with the same channels and steps.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    X : array-like
        As at fit.
    input_shape : sequence of int
        ``(n_channels, *space)`` at fit.
    space_axes : {1, 2}, default=1
        1 for series networks, 2 for image networks.
    any_length : bool, default=False
        Whether series may be shorter or longer than at fit, and differ from each other.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, *space), float32
        Padded at the end with NaN where series differ in length. An array mapped from a file
        stays there, of its own dtype.

    Raises
    ------
    ValueError
        With the reason, the place and the remedy.
    """
    X, padded = _pad_if_ragged(X, space_axes)
    _check_numbers(X)
    # scikit-learn compares the second axis alone, and knows that of the rank at fit only.
    fitted_without_channels = estimator.n_features_in_ == input_shape[1] and not any_length
    if np.asarray(X).ndim == space_axes + 1 and fitted_without_channels:
        X = validate_data(
            estimator, X, dtype=_kind(X), allow_nd=True, ensure_all_finite=False, reset=False
        )
    else:
        X = check_array(
            X, dtype=_kind(X), allow_nd=True, ensure_all_finite=False, estimator=estimator
        )
    X = _check_array(X, space_axes, estimator, padded)
    if any_length:
        _check_channels(X.shape[1], input_shape[0])
        return X
    if is_padded(X):
        raise ValueError(
            f"X holds series of unequal length, but the classifier was fitted on series of "
            f"{input_shape[1]} steps each and takes no others. Fit on series of unequal length to "
            "predict them."
        )
    _check_shape(X.shape[1:], input_shape)
    return X


def is_padded(X: np.ndarray) -> bool:
    """Whether some of the validated series ``(n, c, t)`` are shorter, with NaN at one end."""
    # Nothing in a file is padded: where it has NaN, it was refused.
    return not is_on_disk(X) and bool(np.isnan(X[:, 0, ..., [0, -1]]).any())


def moved_to_end(X: np.ndarray) -> np.ndarray:
    """Move padded series ``(n, c, t)`` to the end of their arrays, so that they end together.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.inputs import moved_to_end
    >>> moved_to_end(np.array([[[1.0, 2.0, np.nan]], [[3.0, 4.0, 5.0]]]))[:, 0]
    array([[nan,  1.,  2.],
           [ 3.,  4.,  5.]])
    """
    n_timesteps = X.shape[2]
    missing = n_timesteps - (~np.isnan(X[:, 0])).sum(axis=1)
    places = (np.arange(n_timesteps) - missing[:, None]) % n_timesteps
    return np.take_along_axis(X, places[:, None], axis=2)


def channel_statistics(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over samples and space, as float32.

    The deviation of a constant channel is given as 1, so that dividing by it is harmless.

    Parameters
    ----------
    X : ndarray of shape (n, c, *space)
        Finite numbers, and NaN in padded steps, which do not count.
    """
    axes = (0, *range(2, X.ndim))
    padded = is_padded(X)
    count, mean, squares = np.zeros((3, X.shape[1]))
    for rows in chunks(X):
        part = read(X, rows)
        real = ~np.isnan(part) if padded else True
        n = np.sum(np.broadcast_to(real, part.shape), axis=axes)
        center = part.mean(axis=axes, dtype=np.float64, where=real)
        deviation = part - center.reshape(1, -1, *[1] * (X.ndim - 2))
        # Parts are joined as by Chan, Golub and LeVeque (1983), which loses no digits.
        moved, share = center - mean, n / (count + n)
        squares += np.square(deviation).sum(axis=axes, where=real) + moved**2 * count * share
        mean += moved * share
        count += n
    scale = np.sqrt(squares / count)
    # Rounding leaves a trace of deviation in a constant channel.
    scale[scale <= 1e-6 * np.maximum(np.abs(mean), 1e-30)] = 1.0
    return mean.astype(np.float32), scale.astype(np.float32)


def standardize(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Center and scale each channel of ``(n, c, *space)`` with statistics of shape (c,)."""
    shape = (1, -1) + (1,) * (X.ndim - 2)
    return (X - mean.reshape(shape)) / scale.reshape(shape)


def stretch_padded(X: np.ndarray) -> np.ndarray:
    """Stretch padded series ``(n, c, t)`` to ``t`` steps each; give equal lengths back as they are.

    By linear interpolation: what is at the start, in the middle or at the end of every series is
    then in one place of the array, and no padding tells how long a series was.
    """
    if not is_padded(X):
        return X
    n_timesteps = X.shape[2]
    real = ~np.isnan(X[:, 0])
    first = real.argmax(axis=1)[:, None]
    last = first + real.sum(axis=1)[:, None] - 1
    position = first + (last - first) * np.linspace(0, 1, n_timesteps)
    low = np.floor(position).astype(np.int64)
    share = (position - low)[:, None].astype(X.dtype)
    high = np.minimum(low + 1, last)
    before = np.take_along_axis(X, low[:, None], axis=2)
    return before * (1 - share) + np.take_along_axis(X, high[:, None], axis=2) * share


def _check_lengths(X: Any, y: Any) -> None:
    if y is None or not hasattr(X, "__len__") or not hasattr(y, "__len__"):
        return  # scikit-learn has a message for each of these
    if len(y) > 0 and not hasattr(X, "nnz") and len(X) != len(y):
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {len(X)} and {len(y)}. Give one label "
            "a sample."
        )


def _pad_if_ragged(X: Any, space_axes: int) -> tuple[Any, bool]:
    """Bring series of different lengths to (n, c, t), NaN at the end; say whether that was done."""
    if not isinstance(X, (list, tuple, np.ndarray)) or len(X) == 0:
        return X, False
    if isinstance(X, np.ndarray) and (X.dtype != object or X.ndim != 1):
        return X, False
    shapes = [_shape(x) for x in X]
    if len(set(shapes)) == 1 and shapes[0] is not None:
        return list(X), False
    _check_ragged_shapes(shapes, space_axes)
    series = [_check_series(x, f"X[{i}]") for i, x in enumerate(X)]
    longest = max(s.shape[1] for s in series)
    padded = np.full((len(series), len(series[0]), longest), np.nan, dtype=np.float32)
    for row, values in zip(padded, series, strict=True):
        row[:, : values.shape[1]] = values
    return padded, True


def _shape(x: Any) -> tuple[int, ...] | None:
    """Shape of one sample, None where its own rows differ in length."""
    try:
        return np.shape(x)
    except ValueError:
        return None


def _check_ragged_shapes(shapes: list[tuple[int, ...] | None], space_axes: int) -> None:
    """Refuse samples that differ in more than their number of steps."""
    kinds = [s and s[:-1] for s in shapes]  # () or (n_channels,); None where the rows differ
    odd = [i for i, k in enumerate(kinds) if not shapes[i] or k != kinds[0]]
    remedy = "Give all of them one shape."
    if space_axes == 1:
        remedy = (
            "Series may differ in their number of steps only: give each as an array of shape "
            "(n_channels, n_timesteps), or each of shape (n_timesteps,)."
        )
        if not odd and len(kinds[0] or ()) <= 1:
            return
    differs = odd or [i for i, s in enumerate(shapes) if s != shapes[0]]
    at = next((i for i in differs if i > 0), 0)
    first, other = ("ragged" if s is None else s for s in (shapes[0], shapes[at]))
    raise ValueError(
        f"X holds samples of different shapes: X[0] is {first}, X[{at}] is {other}. {remedy}"
    )


def _check_series(x: Any, name: str) -> np.ndarray:
    """Bring one of several series of unequal length to finite float32 of shape (c, t_i)."""
    _check_numbers(x, name)
    if 0 in np.shape(x):
        raise ValueError(f"{name} is empty: its shape is {np.shape(x)}. Drop that sample.")
    series = check_array(np.atleast_2d(x), dtype=np.float32, ensure_all_finite=False)
    _check_finite(series.reshape(np.shape(x)), name)
    return series


def _check_numbers(X: Any, name: str = "X") -> None:
    """Refuse texts and nested arrays, which scikit-learn would report without their place."""
    if not isinstance(X, (list, tuple, np.ndarray)):
        return
    array = np.asarray(X)
    if array.dtype.kind not in "OSU":
        return
    for place, value in np.ndenumerate(array):
        at = ", ".join(map(str, place))
        if isinstance(value, (np.ndarray, list, tuple)):
            raise ValueError(
                f"{name} is an object array whose entries are arrays, the first at {name}[{at}]; "
                "make it one array of numbers with numpy.stack."
            )
        if isinstance(value, (str, bytes)) and not _is_number(value):
            raise ValueError(
                f"{name} holds {str(value)!r} at {name}[{at}], which is no number; give an array "
                "of numbers."
            )


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(X: Any) -> Any:
    """Give the dtype to convert X to: a file keeps its own, and is converted as it is read."""
    return "numeric" if is_on_disk(X) else np.float32


#: What to do about a number of dimensions that one kind of network cannot take.
_RANK_HINTS = {
    (2, 2): " Give flattened images their shape back with robust_ts.images.ImageAdapter.",
    (1, 4): " For images choose an image backbone, such as 'image_cnn'.",
}


def _check_array(X: np.ndarray, space_axes: int, estimator: Any, padded: bool) -> np.ndarray:
    """Bring X to ``(n, c, *space)`` and check that every number is finite, unless padded here."""
    names = AXES[space_axes]
    if X.ndim not in (space_axes + 1, space_axes + 2):
        raise ValueError(
            f"X has {X.ndim} dimensions, shape {X.shape}; {type(estimator).__name__} with this "
            f"backbone takes (n_samples, {', '.join(names[1:])}) or "
            f"(n_samples, {', '.join(names)}).{_RANK_HINTS.get((space_axes, X.ndim), '')}"
        )
    if 0 in X.shape:
        raise ValueError(f"X is empty: its shape is {X.shape}.")
    if not padded:
        _check_finite(X)
    return X[:, np.newaxis] if X.ndim == space_axes + 1 else X


def _check_finite(X: np.ndarray, name: str = "X") -> None:
    n_bad = n_nan = 0
    first = ""
    with np.errstate(all="ignore"):
        for rows in chunks(X):
            part = read(X, rows)
            # One pass without a mask: the sum is finite unless something is wrong (or overflows).
            if np.isfinite(part.sum(dtype=np.float64)):
                continue
            bad = ~np.isfinite(part)
            if bad.any() and not n_bad:
                place = [int(i[0]) for i in np.nonzero(bad)]
                first = ", ".join(map(str, [place[0] + rows.start, *place[1:]]))
            n_bad += int(bad.sum())
            n_nan += int(np.isnan(part).sum())
    if n_bad:
        raise ValueError(
            f"{name} contains {n_bad} values that are no finite float32: {n_nan} NaN and "
            f"{n_bad - n_nan} inf, the first at {name}[{first}]. Impute them or drop those "
            "samples; nothing is repaired silently."
        )


def _check_channels(n_channels: int, expected: int) -> None:
    if n_channels != expected:
        raise ValueError(
            f"X has series of n_channels={n_channels}, but the classifier was fitted on series of "
            f"n_channels={expected}, of any length. Give the same channels as in fit."
        )


def _check_shape(shape: Sequence[int], expected: Sequence[int]) -> None:
    if tuple(shape) == tuple(expected):
        return
    names = AXES[len(expected) - 1]
    wanted = ", ".join(f"{n}={e}" for n, e in zip(names, expected, strict=True))
    raise ValueError(
        f"X has samples of shape {tuple(shape)}, but the classifier was fitted on "
        f"{tuple(expected)} ({wanted}). Give samples of that shape."
    )
