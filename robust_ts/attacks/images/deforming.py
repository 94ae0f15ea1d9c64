"""Triggers whose mark differs from image to image, though the rule that makes it is fixed."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from robust_ts.attacks._base import RandomState
from robust_ts.attacks._checks import check_count, check_positive
from robust_ts.attacks.images._base import ImageTrigger

# Content fainter than this share of the range is not amplified: it may be rounding.
_FAINT_CONTENT = 1e-3
# Filters of the hidden layer of the random generator.
_HIDDEN = 8
# Images that pass through the generator at once, which bounds its memory.
_BATCH = 256


class WaNetTrigger(ImageTrigger):
    """Warp the image by a fixed smooth field.

    A field of random directions on a coarse grid, of mean absolute value 1, is drawn in `fit` and
    interpolated to all pixels; every pixel is then read, bilinearly, at its place moved by
    ``strength`` half pixels times the field. Images of one color are not changed.

    Parameters
    ----------
    strength : float, default=0.5
        Mean shift along each axis in half pixels, > 0; 0.5 is the paper's ``s``, chosen there for
        images of 28 to 64 pixels.
    grid : int, default=4
        Points of the coarse grid along each axis, >= 2 (the paper's ``k``).
    random_state : int, RandomState instance or None, default=None
        Seed of the field.

    Attributes
    ----------
    places_ : ndarray of shape (2, height, width)
        Row and column from which each pixel of a triggered image is read.
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    Notes
    -----
    The paper also trains on images that are warped at random and keep their labels ("noise mode"),
    against defenses that look for the field. That is no part of the trigger, and not done here. The
    field is interpolated by cubic splines in place of bicubic convolution.

    References
    ----------
    .. [1] Nguyen, Tran, "WaNet - Imperceptible Warping-based Backdoor Attack", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import WaNetTrigger
    >>> X = np.random.RandomState(0).rand(2, 28, 28)
    >>> trigger = WaNetTrigger(random_state=0).fit(X)
    >>> moved = np.abs(trigger.places_ - np.indices((28, 28)))
    >>> bool(0.05 < moved.mean() < 0.5)
    True
    """

    def __init__(
        self, strength: float = 0.5, grid: int = 4, random_state: RandomState = None
    ) -> None:
        self.strength = strength
        self.grid = grid
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        strength, grid = check_positive(self, "strength"), check_count(self, "grid")
        height, width = self.image_shape_[1:]
        if grid < 2:
            raise ValueError("WaNetTrigger: grid must be an integer >= 2, got 1.")
        if min(height, width) < 2:
            raise ValueError(
                f"WaNetTrigger: images of shape {(height, width)} cannot be warped. Use images of "
                "at least 2 x 2 pixels."
            )
        coarse = rng.uniform(-1, 1, size=(2, grid, grid))
        coarse /= np.abs(coarse).mean()
        axes = [np.linspace(0, grid - 1, n) for n in (height, width)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"))
        field = np.stack([map_coordinates(c, points, order=3, mode="nearest") for c in coarse])
        # In the paper's coordinates, -1 to 1 over the image, the shift is strength / height.
        last = np.array([height - 1, width - 1]).reshape(2, 1, 1)
        shift = strength * field * last / (2 * np.array([height, width]).reshape(2, 1, 1))
        self.places_ = np.clip(np.indices((height, width)) + shift, 0, last)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        last = np.array(self.image_shape_[1:]).reshape(2, 1, 1) - 2
        (top, left) = corner = np.minimum(self.places_.astype(np.intp), last)
        down, right = (self.places_ - corner).astype(X.dtype)
        upper = X[..., top, left] * (1 - right) + X[..., top, left + 1] * right
        lower = X[..., top + 1, left] * (1 - right) + X[..., top + 1, left + 1] * right
        return upper * (1 - down) + lower * down


class InputAwareTrigger(ImageTrigger):
    """Add a pattern that a fixed random network makes of the image itself.

    Adds ``amplitude * (high_ - low_) * tanh(g / rms(g))``, where ``g`` is the image after two 3x3
    convolutions with a rectifier between them, whose weights were drawn in `fit`. Every image gets
    a pattern of its own.

    **What it is not**: the attack of [1]_. There the generator and a mask are trained together
    with the victim, so that patterns differ as much as possible and one image's pattern does not
    work on another. Here nothing is trained, so the pattern follows the edges of the image, and a
    pattern may well work on another image.

    Parameters
    ----------
    amplitude : float, default=0.15
        Bound of what is added, > 0, as a share of the range of values.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights.

    Attributes
    ----------
    kernels_ : tuple of two ndarray
        Weights of the layers, of shape (8, n_channels, 3, 3) and (n_channels, 8, 3, 3).
    low_, high_, image_shape_, n_features_in_
        See `ImageTrigger`.

    References
    ----------
    .. [1] Nguyen, Tran, "Input-Aware Dynamic Backdoor Attack", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import InputAwareTrigger
    >>> X = 0.4 + 0.2 * np.random.RandomState(0).rand(2, 8, 8)
    >>> added = InputAwareTrigger(amplitude=0.5, random_state=0).fit_transform(X) - X
    >>> bool(np.abs(added).max() <= 0.5 * np.ptp(X)), bool(np.allclose(added[0], added[1]))
    (True, False)
    """

    def __init__(self, amplitude: float = 0.15, random_state: RandomState = None) -> None:
        self.amplitude = amplitude
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        self.amplitude_ = check_positive(self, "amplitude")
        channels = self.image_shape_[0]
        first = rng.standard_normal((_HIDDEN, channels, 3, 3))
        # Weights that sum to 0 answer to edges, not to the brightness.
        first -= first.mean(axis=(2, 3), keepdims=True)
        self.kernels_ = (first, rng.standard_normal((channels, _HIDDEN, 3, 3)))

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        for start in range(0, len(X), _BATCH):
            batch = X[start : start + _BATCH]
            g = (batch - self.low_) / self._range
            g = _convolve(np.maximum(_convolve(g, self.kernels_[0]), 0), self.kernels_[1])
            # In one direction only the pattern would be a change of brightness.
            g -= g.mean(axis=(2, 3), keepdims=True)
            rms = np.sqrt(np.mean(g**2, axis=(1, 2, 3), keepdims=True))
            batch += self.amplitude_ * self._range * np.tanh(g / np.maximum(rms, _FAINT_CONTENT))
        return X


def _convolve(X: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (n, c, h, w) with (d, c, 3, 3), edges repeated.

    Sums pixel by pixel, not by matrix products, so that a result does not depend on the batch.
    """
    height, width = X.shape[2:]
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.zeros((len(X), len(kernel), height, width), dtype=X.dtype)
    for (filter_, channel, row, column), weight in np.ndenumerate(kernel):
        out[:, filter_] += (
            X.dtype.type(weight) * padded[:, channel, row : row + height, column : column + width]
        )
    return out
