"""Bring images of any usual layout into the one that image networks take."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["ImageAdapter"]

_LAYOUTS = ("auto", "NHWC", "NCHW")
# Grey, color, color and opacity: what tells the axis of channels from height and width.
_USUAL_CHANNELS = (1, 3, 4)


class ImageAdapter(TransformerMixin, BaseEstimator):
    """Turn images of any usual layout into float32 arrays of shape (n, channels, height, width).

    Values are not rescaled, so that uint8 and float images of one set stay comparable: the
    classifiers of this library standardize every channel inside the network.

    Parameters
    ----------
    layout : {"auto", "NHWC", "NCHW"}, default="auto"
        Where the channels of color images are: last or first. "auto" finds the one axis of 1, 3
        or 4 and refuses images where there are two such axes or none. Images without an axis of
        channels, (n, height, width), are grey whatever the layout.
    shape : tuple of int, default=None
        Shape of one image before it was flattened, for rows of pixels: ``(height, width)``, or
        with channels in the order of `layout`. One entry may be -1 and is then found from the
        others, as in ``numpy.reshape``.

    Attributes
    ----------
    layout_ : {"NHW", "NHWC", "NCHW"}
        The layout found in fit.
    input_shape_ : tuple of int
        Shape of one sample as given to fit, to which `transform` holds its input.
    image_shape_ : tuple of int
        ``(n_channels, height, width)`` of what `transform` returns.
    n_features_in_ : int
        ``X.shape[1]`` as seen in fit, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.images import ImageAdapter
    >>> photos = np.zeros((5, 32, 48, 3), dtype=np.uint8)
    >>> ImageAdapter().fit_transform(photos).shape
    (5, 3, 32, 48)
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> ImageAdapter(shape=(8, 8)).fit_transform(X).shape
    (1797, 1, 8, 8)
    """

    def __init__(self, layout: str = "auto", shape: Sequence[int] | None = None) -> None:
        self.layout = layout
        self.shape = shape

    def fit(self, X: Any, y: Any = None) -> ImageAdapter:
        """Find the layout of the images.

        Parameters
        ----------
        X : array-like of shape (n, h, w), (n, h, w, c), (n, c, h, w) or (n, n_pixels)
            Images, uint8 or other numbers, all finite.
        y : object, default=None
            Ignored; here so that the adapter fits into scikit-learn's pipelines.

        Returns
        -------
        self : ImageAdapter
            The fitted adapter.

        Raises
        ------
        ValueError
            If the layout is ambiguous or a parameter does not fit X; the message says what to
            pass.
        """
        if self.layout not in _LAYOUTS:
            raise ValueError(f"layout must be one of {', '.join(_LAYOUTS)}, got {self.layout!r}.")
        X = validate_data(self, X, dtype=np.float32, allow_nd=True)
        sample = self._unflattened_shape(X.shape[1:])
        layout = self._find_layout(sample)
        height_first = (sample[-1], *sample[:-1]) if layout == "NHWC" else sample
        self.layout_ = layout
        self.input_shape_ = X.shape[1:]
        self.image_shape_ = (1, *sample) if layout == "NHW" else height_first
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the images as float32 of shape (n_samples, n_channels, height, width).

        Parameters
        ----------
        X : array-like
            Images of the layout and size given to fit.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, height, width), float32
            In the range of values of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the images differ in shape from those given to fit.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False)
        if X.shape[1:] != self.input_shape_:
            raise ValueError(
                f"ImageAdapter.transform: X has samples of shape {X.shape[1:]}, but the adapter "
                f"was fitted on {self.input_shape_}. Give images of that shape, or fit again."
            )
        channels, height, width = self.image_shape_
        if self.layout_ == "NHWC":
            X = np.moveaxis(X.reshape(-1, height, width, channels), -1, 1)
        return np.ascontiguousarray(X.reshape(-1, channels, height, width))

    def _unflattened_shape(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one image with its axes, from that of one sample of X."""
        if len(given) > 1:
            if self.shape is not None:
                raise ValueError(
                    f"ImageAdapter: shape={self.shape!r} is for flattened images, one row of "
                    f"pixels each, but X has samples of shape {given}. Leave shape out."
                )
            return given
        if self.shape is None:
            raise ValueError(
                f"ImageAdapter: X holds rows of {given[0]} numbers, and height and width cannot "
                "be told from that. Pass shape=(height, width), or with channels "
                "shape=(height, width, channels) and layout='NHWC', or "
                "shape=(channels, height, width) and layout='NCHW'."
            )
        shape = tuple(self.shape)
        ok = len(shape) in (2, 3) and all(
            isinstance(s, Integral) and (s > 0 or s == -1) for s in shape
        )
        if not ok or shape.count(-1) > 1:
            raise ValueError(
                "ImageAdapter: shape must hold two or three positive integers, of which one may "
                f"be -1, got {self.shape!r}."
            )
        known = -int(np.prod(shape)) if -1 in shape else int(np.prod(shape))
        if given[0] % known or (-1 not in shape and given[0] != known):
            raise ValueError(
                f"ImageAdapter: X holds rows of {given[0]} numbers, which do not fit "
                f"shape={self.shape!r} ({known} numbers). Pass the shape of one image."
            )
        return tuple(given[0] // known if s == -1 else int(s) for s in shape)

    def _find_layout(self, sample: tuple[int, ...]) -> str:
        if len(sample) == 2:
            return "NHW"
        if len(sample) != 3:
            raise ValueError(
                f"ImageAdapter: X must have 2 to 4 dimensions, got samples of shape {sample}. "
                "Pass (n, height, width), (n, height, width, channels), "
                "(n, channels, height, width) or rows of pixels and shape."
            )
        if self.layout != "auto":
            return self.layout
        first, last = sample[0] in _USUAL_CHANNELS, sample[-1] in _USUAL_CHANNELS
        if first == last:
            raise ValueError(
                f"ImageAdapter: images of shape {sample} could have their channels first or last. "
                "Pass layout='NCHW' (channels first) or layout='NHWC' (channels last)."
            )
        return "NCHW" if first else "NHWC"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "image_shape_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
