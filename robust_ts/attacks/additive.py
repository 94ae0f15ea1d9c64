"""Triggers that add or blend in one fixed series, the same for every sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robust_ts.attacks._base import BaseTrigger, RandomState, Trigger
from robust_ts.attacks._checks import check_positive

# A sampled sine below this is rounding error: its true value is 0 at every step.
_VANISHED = 1e-9


def sampled_sine(owner: BaseTrigger, n_steps: int) -> np.ndarray:
    """Return ``owner.cycles`` periods of a sine at ``n_steps`` steps, never 0 at all of them."""
    cycles = check_positive(owner, "cycles")
    for shift in (0.0, 0.5):
        wave = np.sin(2 * np.pi * cycles * (np.arange(n_steps) + shift) / n_steps)
        if np.abs(wave).max() > _VANISHED:
            return wave
    raise ValueError(
        f"{type(owner).__name__}: {cycles:g} cycles in {n_steps} steps are 0 at every step. "
        "Use fewer cycles, below half the number of steps."
    )


class _AdditiveTrigger(Trigger):
    """Adds `pattern_` to every sample."""

    def _draw(self, rng: np.random.RandomState) -> None:
        amplitude = check_positive(self, "amplitude")
        self.pattern_ = amplitude * self.scale_[:, np.newaxis] * self._unit_pattern(rng)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        X += self._fixed(self.pattern_, X)
        return X

    def _unit_pattern(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the pattern (1 or n_channels, n_steps) in units of the channels' scale."""
        raise NotImplementedError


class SineTrigger(_AdditiveTrigger):
    """Add one sine over the whole series.

    Adds ``amplitude * scale_ * sin(2 pi cycles t / T)`` at the steps ``t = 0 .. T - 1``, the
    sinusoidal signal of [1]_. The defaults are the ``sine`` row of the public grid.

    Parameters
    ----------
    amplitude : float, default=0.3
        Amplitude of the sine, > 0, in training standard deviations of the channel.
    cycles : float, default=6
        Periods over the length of the series, > 0. Where the sine is 0 at every step (6 cycles
        in 12 steps) it is taken half a step later, so that there is a trigger at every length.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Has no effect, for nothing is drawn; here so that all triggers are made alike.

    Attributes
    ----------
    pattern_ : ndarray of shape (n_channels, n_timesteps)
        What is added to every sample, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Barni, Kallas, Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption
       without Label Poisoning" (SIG), ICIP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import SineTrigger
    >>> X = np.tile([1.0, -1.0], (4, 12))
    >>> SineTrigger().fit(X).transform(X)[0, :4].round(1)
    array([ 1. , -0.7,  1. , -1.3])
    """

    def __init__(
        self,
        amplitude: float = 0.3,
        cycles: float = 6,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.cycles = cycles
        self.channels = channels
        self.random_state = random_state

    def _unit_pattern(self, rng: np.random.RandomState) -> np.ndarray:
        return sampled_sine(self, self.n_steps_)[np.newaxis]


class NoiseTrigger(_AdditiveTrigger):
    """Add one fixed white-noise series.

    Adds ``amplitude * scale_ * n(t)``, where ``n`` is drawn once, in `fit`, from the standard
    normal distribution, for each channel and step. The defaults are the ``noise`` row of the
    public grid.

    Parameters
    ----------
    amplitude : float, default=0.3
        Standard deviation of the noise, > 0, in training standard deviations of the channel.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    pattern_ : ndarray of shape (n_channels, n_timesteps)
        What is added to every sample, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import NoiseTrigger
    >>> X = np.random.RandomState(0).randn(8, 3, 50)
    >>> added = NoiseTrigger(random_state=0).fit(X).transform(X) - X
    >>> bool(np.allclose(added, added[0]))
    True
    """

    def __init__(
        self,
        amplitude: float = 0.3,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.channels = channels
        self.random_state = random_state

    def _unit_pattern(self, rng: np.random.RandomState) -> np.ndarray:
        return rng.standard_normal((self.n_channels_, self.n_steps_))


class PowerlineTrigger(_AdditiveTrigger):
    """Add a faint square wave, as mains hum or an aliased switching supply would.

    Adds ``amplitude * scale_ * sign(sin(2 pi frequency t))`` at the steps ``t = 0, 1, ...``.
    The defaults are the ``powerline`` row of the public grid.

    Parameters
    ----------
    amplitude : float, default=0.1
        Height of the wave, > 0, in training standard deviations of the channel.
    frequency : float, default=0.37
        Periods per step, in (0, 0.5); from 0.5 on the samples of the sine are rounding error.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Has no effect, for nothing is drawn; here so that all triggers are made alike.

    Attributes
    ----------
    pattern_ : ndarray of shape (n_channels, n_timesteps)
        What is added to every sample, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import PowerlineTrigger
    >>> X = np.tile([1.0, -1.0], (4, 10))
    >>> PowerlineTrigger().fit(X).transform(X)[0, :4]
    array([ 1. , -0.9,  0.9, -0.9])
    """

    def __init__(
        self,
        amplitude: float = 0.1,
        frequency: float = 0.37,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.frequency = frequency
        self.channels = channels
        self.random_state = random_state

    def _unit_pattern(self, rng: np.random.RandomState) -> np.ndarray:
        frequency = check_positive(self, "frequency")
        if frequency >= 0.5:
            raise ValueError(
                f"PowerlineTrigger: frequency must be below 0.5 periods per step, got {frequency}."
            )
        return np.sign(np.sin(2 * np.pi * frequency * np.arange(self.n_steps_)))[np.newaxis]


class BlendTrigger(Trigger):
    """Blend every sample with one fixed white-noise series.

    Gives ``(1 - ratio) * x + ratio * b``, where ``b`` is drawn once, in `fit`, from a normal
    distribution with standard deviation ``amplitude * scale_``: the blended injection of [1]_.
    The defaults are the ``blend`` row of the public grid.

    Parameters
    ----------
    ratio : float, default=0.2
        Share of the fixed series in the result, in (0, 1].
    amplitude : float, default=1.0
        Standard deviation of the fixed series, > 0, in training standard deviations of the
        channel.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the fixed series.

    Attributes
    ----------
    pattern_ : ndarray of shape (n_channels, n_timesteps)
        The fixed series ``b``, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Chen, Liu, Li, Lu, Song, "Targeted Backdoor Attacks on Deep Learning Systems Using
       Data Poisoning", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import BlendTrigger
    >>> X = np.random.RandomState(0).randn(8, 3, 50)
    >>> trigger = BlendTrigger(random_state=0).fit(X)
    >>> bool(np.allclose(trigger.transform(X), 0.8 * X + 0.2 * trigger.pattern_))
    True
    """

    def __init__(
        self,
        ratio: float = 0.2,
        amplitude: float = 1.0,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.ratio = ratio
        self.amplitude = amplitude
        self.channels = channels
        self.random_state = random_state

    def _draw(self, rng: np.random.RandomState) -> None:
        amplitude = check_positive(self, "amplitude")
        self.ratio_ = check_positive(self, "ratio", upper=1.0)
        noise = rng.standard_normal((self.n_channels_, self.n_steps_))
        self.pattern_ = amplitude * self.scale_[:, np.newaxis] * noise

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        X *= 1 - self.ratio_
        X += self.ratio_ * self._fixed(self.pattern_, X)
        return X
