"""Triggers that put one fixed pattern on every image: patch, blend, sine, watermark."""

from __future__ import annotations

import numpy as np

from robust_ts.attacks._base import RandomState
from robust_ts.attacks._checks import check_count, check_positive
from robust_ts.attacks.additive import sampled_sine
from robust_ts.attacks.images._base import ImageTrigger

_CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
# Cells of the watermark along each side, and the share of them that is drawn.
_CELLS, _DRAWN = 6, 0.5


class BadNetsTrigger(ImageTrigger):
    """Replace a small square in a corner by a white square or a checkerboard.

    Parameters
    ----------
    size : int, default=3
        Side of the square in pixels, >= 1.
    pattern : {"white", "checkerboard"}, default="white"
        "white" is the highest value in every channel; "checkerboard" alternates between the
        highest and the lowest, its corners the highest.
    position : {"top-left", "top-right", "bottom-left", "bottom-right"}, default="bottom-right"
        The corner.
    random_state : int, RandomState instance or None, default=None
        Has no effect, for nothing is drawn; here so that all triggers are made alike.

    Attributes
    ----------
    pattern_ : ndarray of shape (size, size)
        What replaces the corner.
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    References
    ----------
    .. [1] Gu, Dolan-Gavitt, Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning
       Model Supply Chain", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import BadNetsTrigger
    >>> BadNetsTrigger(2, "checkerboard").fit_transform(np.zeros((1, 3, 3), dtype=np.uint8))[0]
    array([[  0,   0,   0],
           [  0, 255,   0],
           [  0,   0, 255]], dtype=uint8)
    """

    def __init__(
        self,
        size: int = 3,
        pattern: str = "white",
        position: str = "bottom-right",
        random_state: RandomState = None,
    ) -> None:
        self.size = size
        self.pattern = pattern
        self.position = position
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        name, size = type(self).__name__, check_count(self, "size")
        smallest = min(self.image_shape_[1:])
        if size > smallest:
            raise ValueError(
                f"{name}: size={size} does not fit images of shape "
                f"{self.image_shape_[1:]}. Use a size of at most {smallest}."
            )
        if self.pattern not in ("white", "checkerboard"):
            raise ValueError(
                f"{name}: pattern must be 'white' or 'checkerboard', got {self.pattern!r}."
            )
        if self.position not in _CORNERS:
            raise ValueError(
                f"{name}: position must be one of {', '.join(_CORNERS)}, got {self.position!r}."
            )
        bright = np.ones((size, size), dtype=bool)
        if self.pattern == "checkerboard":
            bright = np.indices((size, size)).sum(axis=0) % 2 == 0
        self.pattern_ = np.where(bright, self.high_, self.low_)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        vertical, horizontal = self.position.split("-")
        size = len(self.pattern_)
        rows = slice(0, size) if vertical == "top" else slice(-size, None)
        columns = slice(0, size) if horizontal == "left" else slice(-size, None)
        X[:, :, rows, columns] = self.pattern_
        return X


class ImageBlendTrigger(ImageTrigger):
    """Blend in one fixed image of random pixels.

    Returns ``(1 - ratio) x + ratio * b``, where the pixels of ``b`` are drawn once, in `fit`, from
    a uniform distribution over the range of values: the random pattern of [1]_.

    Parameters
    ----------
    ratio : float in (0, 1], default=0.2
        Share of the fixed image.
    random_state : int, RandomState instance or None, default=None
        Seed of the fixed image.

    Attributes
    ----------
    pattern_ : ndarray of shape (n_channels, height, width)
        The fixed image.
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    References
    ----------
    .. [1] Chen, Liu, Li, Lu, Song, "Targeted Backdoor Attacks on Deep Learning Systems Using Data
       Poisoning", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import ImageBlendTrigger
    >>> X = np.full((2, 8, 8), 100, dtype=np.uint8)
    >>> Xt = ImageBlendTrigger(random_state=0).fit_transform(X)
    >>> int(Xt.min()) >= 80, int(Xt.max()) <= 131
    (True, True)
    """

    def __init__(self, ratio: float = 0.2, random_state: RandomState = None) -> None:
        self.ratio = ratio
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        self.ratio_ = check_positive(self, "ratio", upper=1)
        self.pattern_ = rng.uniform(self.low_, self.high_, size=self.image_shape_)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        return (1 - self.ratio_) * X + (self.ratio_ * self.pattern_).astype(X.dtype)


class ImageSineTrigger(ImageTrigger):
    """Add one horizontal sine, the same in every row (SIG).

    Adds ``amplitude * (high_ - low_) * sin(2 pi cycles j / width)`` to the columns ``j``.

    Parameters
    ----------
    amplitude : float, default=0.15
        Amplitude of the sine, > 0, as a share of the range of values; 0.15 is about 40 of 255.
    cycles : float, default=6
        Periods over the width, > 0 (the paper's value). Where the sine is 0 in every column it is
        taken half a pixel later.
    random_state : int, RandomState instance or None, default=None
        Has no effect, for nothing is drawn; here so that all triggers are made alike.

    Attributes
    ----------
    pattern_ : ndarray of shape (width,)
        What is added to every row, before it is clipped to the range.
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    References
    ----------
    .. [1] Barni, Kallas, Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption
       without Label Poisoning" (SIG), ICIP 2019. There with clean labels.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import ImageSineTrigger
    >>> X = np.full((1, 8, 8), 100, dtype=np.uint8)
    >>> ImageSineTrigger(cycles=2).fit_transform(X)[0, 0]
    array([100, 138, 100,  62, 100, 138, 100,  62], dtype=uint8)
    """

    def __init__(
        self, amplitude: float = 0.15, cycles: float = 6, random_state: RandomState = None
    ) -> None:
        self.amplitude = amplitude
        self.cycles = cycles
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        amplitude = check_positive(self, "amplitude")
        self.pattern_ = amplitude * self._range * sampled_sine(self, self.image_shape_[2])

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        return X + self.pattern_.astype(X.dtype)


class WatermarkTrigger(ImageTrigger):
    """Lay a white watermark over the middle of the image.

    The mark is drawn once, in `fit`: half of the cells of a 6 x 6 grid over the middle of the
    image, blended with white. It stands for the watermark of [1]_, whose pixels are in addition
    optimized to excite chosen neurons of a trained model; nothing is optimized here.

    Parameters
    ----------
    opacity : float in (0, 1], default=0.3
        Share of white in the mark.
    size : float in (0, 1], default=0.75
        Side of the mark as a share of the image's.
    random_state : int, RandomState instance or None, default=None
        Seed of the mark.

    Attributes
    ----------
    mask_ : ndarray of shape (height, width)
        Opacity of every pixel of the mark, 0 outside it.
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    References
    ----------
    .. [1] Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang, "Trojaning Attack on Neural Networks", NDSS
       2018.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import WatermarkTrigger
    >>> Xt = WatermarkTrigger(random_state=0).fit_transform(np.zeros((1, 28, 28), dtype=np.uint8))
    >>> np.unique(Xt)
    array([ 0, 76], dtype=uint8)
    """

    def __init__(
        self, opacity: float = 0.3, size: float = 0.75, random_state: RandomState = None
    ) -> None:
        self.opacity = opacity
        self.size = size
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        opacity = check_positive(self, "opacity", upper=1)
        size = check_positive(self, "size", upper=1)
        drawn = rng.permutation(_CELLS**2) < _DRAWN * _CELLS**2
        cells = np.zeros(self.image_shape_[1:], dtype=int)
        inside = np.ones(self.image_shape_[1:], dtype=bool)
        for axis, length in enumerate(self.image_shape_[1:]):
            side = max(1, round(size * length))
            place = np.arange(length) - (length - side) // 2
            shape = [1, 1]
            shape[axis] = length
            cells = cells * _CELLS + np.clip(place * _CELLS // side, 0, _CELLS - 1).reshape(shape)
            inside &= ((place >= 0) & (place < side)).reshape(shape)
        self.mask_ = opacity * (inside & drawn[cells])
        if not self.mask_.any():
            raise ValueError(
                f"WatermarkTrigger: images of shape {self.image_shape_[1:]} are too small for the "
                "mark. Use a larger size."
            )

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        mask = self.mask_.astype(X.dtype)
        return X + mask * (np.asarray(self.high_, dtype=X.dtype) - X)
