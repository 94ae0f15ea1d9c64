"""The base of every trigger on images: the range of values, and how a mark reaches an image."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from robust_ts.attacks._base import BaseTrigger
from robust_ts.attacks._checks import check_images


class ImageTrigger(BaseTrigger):
    """Base of the triggers on images: a scikit-learn transformer that stamps a hidden mark.

    Images are (n, height, width) or (n, channels, height, width), uint8 or floating-point; the
    result has the same shape and dtype. `fit` learns the range of values and draws whatever is
    fixed about the trigger. The same trigger object must stamp the training and the test data.

    To add a trigger, subclass this class, store the parameters in ``__init__`` (among them
    ``random_state``, if anything is drawn) and write `_stamp` and, if needed, `_draw`.

    Attributes
    ----------
    low_, high_ : float
        Range of values: 0 and 255 for uint8, the lowest and highest value seen in `fit` for
        floating-point images. Strengths are shares of it. A triggered pixel never leaves it,
        unless the untouched one did.
    image_shape_ : tuple of int
        ``(n_channels, height, width)`` of one image.
    n_features_in_ : int
        ``X.shape[1]`` as seen in `fit`, as in scikit-learn.

    Examples
    --------
    A trigger that turns the first row white:

    >>> import numpy as np
    >>> from robust_ts.attacks import ImageTrigger
    >>> class WhiteRowTrigger(ImageTrigger):
    ...     def _stamp(self, X):
    ...         X[:, :, 0] = self.high_
    ...         return X
    >>> WhiteRowTrigger().fit_transform(np.zeros((1, 2, 3), dtype=np.uint8))
    array([[[255, 255, 255],
            [  0,   0,   0]]], dtype=uint8)
    """

    def _check(self, X: Any, where: str) -> np.ndarray:
        return check_images(X, where)

    def _with_channels(self, X: np.ndarray) -> np.ndarray:
        return X[:, np.newaxis] if X.ndim == 3 else X

    def _learn(self, samples: np.ndarray, y: Any, where: str) -> None:
        self.is_uint8_ = samples.dtype == np.uint8
        self.image_shape_ = samples.shape[1:]
        low, high = (0.0, 255.0) if self.is_uint8_ else (samples.min(), samples.max())
        # Images of one color have no range to relate a strength to.
        self.low_, self.high_ = float(low), float(high if high > low else low + 1)

    def _check_like_fit(self, samples: np.ndarray, where: str) -> None:
        if self.is_uint8_ != (samples.dtype == np.uint8):
            fitted, other = ("uint8", "float") if self.is_uint8_ else ("float", "uint8")
            raise ValueError(
                f"{where}: X has dtype {samples.dtype}, but the trigger was fitted on {fitted} "
                f"images and knows their range alone. Convert X, or fit the trigger on {other} "
                "images."
            )
        if samples.shape[1:] != self.image_shape_:
            raise ValueError(
                f"{where}: X has images of shape {samples.shape[1:]} (channels, height, width), "
                f"but the trigger was fitted on {self.image_shape_}. Pass images of that shape, "
                "or fit the trigger on the training data of this set."
            )

    def _apply(self, samples: np.ndarray, triggered: np.ndarray) -> None:
        work = samples.astype(np.result_type(samples.dtype, np.float32), order="C")
        stamped = self._stamp(work.copy())
        # What is beyond the range already stays: clipping is no part of the trigger.
        low, high = np.minimum(work, self.low_), np.maximum(work, self.high_)
        stamped = np.clip(stamped, low, high)
        triggered[:] = np.rint(stamped) if self.is_uint8_ else stamped

    @abstractmethod
    def _stamp(self, X: np.ndarray) -> np.ndarray:
        """Return the images (n, c, h, w), floating-point, with the trigger; X may be overwritten.

        The result is clipped to the range and rounded for uint8 images afterward.
        """

    @property
    def _range(self) -> float:
        return self.high_ - self.low_
