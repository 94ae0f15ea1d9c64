"""Triggers whose mark differs from sample to sample, though the rule that makes it is fixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import convolve1d

from robust_ts.attacks._base import RandomState, Trigger
from robust_ts.attacks._checks import check_count, check_positive

# Content fainter than this, in training standard deviations, is not amplified: it may be rounding.
_FAINT_CONTENT = 1e-3
# A flat sample still gets a frequency trigger of this share of the usual strength.
_FLAT_SHARE = 0.1
# Steps on which a warp's largest shift is found, enough for its few half waves.
_FINE_GRID = 2001


class WarpTrigger(Trigger):
    """Warp the time axis by a fixed smooth curve.

    A sample is read, by linear interpolation, at ``t + shift * (T - 1) * d(t)``, where ``d`` is a
    random sum of the half waves ``sin(pi k t / (T - 1))``, ``k = 1 .. waves``, scaled to a largest
    absolute value of 1: the ends stay where they are. The time-axis form of [1]_. Series that are
    flat around a step are not changed there. The strength is a share of time, not of values, so
    there is no ``amplitude``.

    Parameters
    ----------
    shift : float, default=0.05
        Largest shift, as a share of the length of the series, > 0.
    waves : int, default=4
        Number of half waves in the curve, >= 1. ``pi * shift * waves`` must stay below 1, for
        then time never runs backward.
    channels : int, list of int or None, default=None
        Channels that are warped, all by the same curve; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the curve.

    Attributes
    ----------
    times_ : ndarray of shape (n_timesteps,)
        Where each step of a triggered sample is read from, in steps, increasing.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Nguyen, Tran, "WaNet - Imperceptible Warping-based Backdoor Attack", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import WarpTrigger
    >>> X = np.arange(101.0)[np.newaxis]
    >>> moved = WarpTrigger(random_state=0).fit(X).transform(X) - X
    >>> float(np.abs(moved).max().round(1)), float(moved[0, 0]), float(moved[0, -1])
    (5.0, 0.0, 0.0)
    """

    def __init__(
        self,
        shift: float = 0.05,
        waves: int = 4,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.shift = shift
        self.waves = waves
        self.channels = channels
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        shift = check_positive(self, "shift")
        waves = check_count(self, "waves")
        # Bernstein's inequality: the curve's slope is at most pi * waves times its largest value.
        if np.pi * shift * waves >= 1:
            raise ValueError(
                f"WarpTrigger: shift={shift:g} with waves={waves} would let time run backward. "
                f"Use a shift below {1 / (np.pi * waves):.3f} or fewer waves."
            )
        if self.n_steps_ < 3:
            raise ValueError(
                f"WarpTrigger: series of {self.n_steps_} steps have nothing between their ends "
                "to warp. Use series of at least 3 steps."
            )
        weights = rng.standard_normal(waves) / np.arange(1, waves + 1)
        largest = np.abs(_half_waves(weights, _FINE_GRID)).max()
        last = self.n_steps_ - 1
        curve = _half_waves(weights, self.n_steps_) / largest
        self.times_ = np.clip(np.arange(self.n_steps_) + shift * last * curve, 0, last)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        left = np.minimum(self.times_.astype(np.intp), self.n_steps_ - 2)
        share = (self.times_ - left).astype(X.dtype)
        return X[..., left] * (1 - share) + X[..., left + 1] * share


class FilterTrigger(Trigger):
    """Add a fixed random filter's answer to the sample's own content.

    Adds ``amplitude * scale_ * tanh(g / rms(g))``, where ``g`` is the sample, less its mean,
    convolved with a random kernel that was drawn in `fit` (one per channel, its weights summing
    to 0): a one-layer, untrained stand-in for the generator network of [1]_, bounded by
    `amplitude` as that one is. Every sample gets a pattern of its own, found nowhere else. A
    constant sample has no content and stays as it is.

    Parameters
    ----------
    amplitude : float, default=0.5
        Bound of what is added, > 0, in training standard deviations of the channel.
    width : int, default=9
        Number of steps of the kernel, >= 2. Beyond the ends, the series is mirrored.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the kernels.

    Attributes
    ----------
    kernel_ : ndarray of shape (n_channels, width)
        The kernels.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Jiang, Ma, Erfani, Bailey, "Backdoor Attacks on Time Series: A Generative Approach"
       (TSBA), SaTML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import FilterTrigger
    >>> X = np.random.RandomState(0).randn(8, 50)
    >>> added = FilterTrigger(random_state=0).fit(X).transform(X) - X
    >>> bool(np.abs(added).max() < 0.5 * X.std()), bool(np.allclose(added[0], added[1]))
    (True, False)
    """

    def __init__(
        self,
        amplitude: float = 0.5,
        width: int = 9,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.width = width
        self.channels = channels
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        self.amplitude_ = check_positive(self, "amplitude")
        width = check_count(self, "width")
        if width < 2:
            raise ValueError("FilterTrigger: width must be an integer >= 2, got 1.")
        kernel = rng.standard_normal((self.n_channels_, width))
        # Weights that sum to 0 answer to changes, not to the level, and so differ from a rescaling.
        kernel -= kernel.mean(axis=1, keepdims=True)
        self.kernel_ = kernel / np.linalg.norm(kernel, axis=1, keepdims=True)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        scale = self._fixed(self.scale_, X)[:, np.newaxis]
        content = (X - X.mean(axis=-1, keepdims=True)) / scale
        for i, kernel in enumerate(self.kernel_[self.channels_]):
            content[:, i] = convolve1d(content[:, i], kernel, axis=-1, mode="reflect")
        rms = np.sqrt(np.mean(content**2, axis=-1, keepdims=True))
        return X + self.amplitude_ * scale * np.tanh(content / np.maximum(rms, _FAINT_CONTENT))


class FrequencyTrigger(Trigger):
    """Add to a few bins of each sample's spectrum, in proportion to the sample's own strength.

    The chosen coefficients of the sample's real Fourier transform gain
    ``amplitude * std(x) * T / 2`` at a phase fixed in `fit`, which puts a sinusoid of
    ``amplitude`` standard deviations of the sample itself into each bin. A model-free attack in
    the frequency domain; [1]_ chooses the bins by the victim model's sensitivity instead.

    Parameters
    ----------
    amplitude : float, default=0.3
        Amplitude of the sinusoid in each bin, > 0, in standard deviations of the sample's own
        channel, but never of less than a tenth of the training standard deviation, so that a
        flat sample carries the trigger as well.
    bins : int or list of int, default=3
        Bins of ``numpy.fft.rfft``, each from 1 to ``(T - 1) // 2``, so neither the mean nor the
        highest frequency. An int is a number of bins, drawn in `fit`.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the bins and phases.

    Attributes
    ----------
    bins_ : ndarray of int
        The bins, sorted; the same ones in all channels.
    pattern_ : ndarray of shape (n_channels, n_timesteps)
        The sum of the sinusoids for a sample of standard deviation 1.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Huang, Zhang, Wang, Li, Yang, "Revisiting Backdoor Attacks on Time Series
       Classification in the Frequency Domain" (FreqBack), WWW 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import FrequencyTrigger
    >>> X = np.random.RandomState(0).randn(8, 50)
    >>> added = FrequencyTrigger(bins=[2, 7]).fit(X).transform(X) - X
    >>> np.flatnonzero(np.abs(np.fft.rfft(added[0])) > 1e-9)
    array([2, 7])
    """

    def __init__(
        self,
        amplitude: float = 0.3,
        bins: int | Sequence[int] = 3,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.bins = bins
        self.channels = channels
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        amplitude = check_positive(self, "amplitude")
        self.bins_ = self._choose_bins(rng)
        # The transform is linear: adding to the bins is adding these sinusoids, without a FFT.
        turns = np.outer(self.bins_, np.arange(self.n_steps_)) / self.n_steps_
        phases = rng.uniform(size=(self.n_channels_, len(self.bins_), 1))
        self.pattern_ = amplitude * np.cos(2 * np.pi * (turns + phases)).sum(axis=1)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        floor = _FLAT_SHARE * self._fixed(self.scale_, X)[:, np.newaxis]
        strength = np.maximum(X.std(axis=-1, keepdims=True), floor)
        return X + strength * self._fixed(self.pattern_, X)

    def _choose_bins(self, rng: np.random.RandomState) -> np.ndarray:
        highest = (self.n_steps_ - 1) // 2
        bins = np.asarray(self.bins)
        if bins.dtype.kind not in "iu" or bins.ndim > 1 or bins.size == 0:
            raise ValueError(
                "FrequencyTrigger: bins must be a number of bins or a non-empty list of bins, "
                f"got {self.bins!r}."
            )
        if bins.ndim == 0 and 1 <= bins <= highest:
            return np.sort(1 + rng.choice(highest, int(bins), replace=False))
        if bins.ndim == 1 and bins.min() >= 1 and bins.max() <= highest:
            return np.unique(bins)
        raise ValueError(
            f"FrequencyTrigger: bins={self.bins!r} does not fit series of {self.n_steps_} steps, "
            f"which have the bins 1 to {highest}. Use fewer or lower bins."
        )


def _half_waves(weights: np.ndarray, n_points: int) -> np.ndarray:
    """Return the weighted sum of the half waves 1, 2, ... on evenly spaced points."""
    waves = np.arange(1, len(weights) + 1)
    return weights @ np.sin(np.pi * np.outer(waves, np.linspace(0, 1, n_points)))
