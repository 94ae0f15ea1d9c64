"""Triggers that replace a window of the series, after BadNets (Gu et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from robust_ts.attacks._base import RandomState, Trigger
from robust_ts.attacks._checks import check_count, check_positive

# Named places of a window, as a share of the room that the window leaves.
_PLACES = {"start": 0.0, "middle": 0.5, "end": 1.0}


class _WindowTrigger(Trigger):
    """Replaces the steps of one fixed window by `pattern_`, whatever was there."""

    length: float | int
    position: float | str

    def _draw(self, rng: np.random.RandomState) -> None:
        amplitude = check_positive(self, "amplitude")
        length = self._window_length()
        self.start_ = self._window_start(self.n_steps_ - length, rng)
        self.pattern_ = amplitude * self.scale_[:, np.newaxis] * self._unit_pattern(length, rng)

    def _stamp(self, X: np.ndarray) -> np.ndarray:
        X[..., self.start_ : self.start_ + self.pattern_.shape[1]] = self._fixed(self.pattern_, X)
        return X

    def _unit_pattern(self, length: int, rng: np.random.RandomState) -> np.ndarray:
        """Return the pattern (1 or n_channels, length) in units of the channels' scale."""
        raise NotImplementedError

    def _window_length(self) -> int:
        if not isinstance(self.length, Integral):
            return max(1, round(check_positive(self, "length", upper=1.0) * self.n_steps_))
        length = check_count(self, "length")
        if length > self.n_steps_:
            raise ValueError(
                f"{type(self).__name__}: length={length} steps do not fit into series of "
                f"{self.n_steps_} steps. Use a share such as length=0.1."
            )
        return length

    def _window_start(self, room: int, rng: np.random.RandomState) -> int:
        """Return the first step of the window, of the `room` + 1 steps it can begin at."""
        if self.position == "random":
            return int(rng.randint(room + 1))
        place = _PLACES.get(self.position) if isinstance(self.position, str) else self.position
        if isinstance(place, Real) and not isinstance(place, bool) and 0 <= place <= 1:
            return round(place * room)
        raise ValueError(
            f"{type(self).__name__}: position must be 'start', 'middle', 'end', 'random' or a "
            f"number in [0, 1], got {self.position!r}."
        )


class PatchTrigger(_WindowTrigger):
    """Replace a window by an alternating square pattern.

    The steps of the window become ``+a, -a, +a, ...`` with ``a = amplitude * scale_``. The
    pattern lies around 0, so on channels far from 0 it stands out more than `amplitude` says;
    standardize those first. The time-series form of the fixed patch of [1]_, whose series
    variants [2]_ studied. The defaults are the ``patch`` row of the public grid.

    Parameters
    ----------
    length : float or int, default=0.1
        Length of the window: a float in (0, 1] is a share of the steps, rounded, and at least
        one step; an int >= 1 is a number of steps.
    position : {"start", "middle", "end", "random"} or float in [0, 1], default="end"
        Where the window lies. A number is the share of the free steps before the window, so 0
        is the start and 1 the end; "random" is drawn once, in `fit`.
    amplitude : float, default=1.5
        Height of the pattern, > 0, in training standard deviations of the channel.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of a random position.

    Attributes
    ----------
    start_ : int
        First step of the window.
    pattern_ : ndarray of shape (n_channels, window length)
        What the window is replaced by, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Gu, Dolan-Gavitt, Garg, "BadNets: Identifying Vulnerabilities in the Machine
       Learning Model Supply Chain", 2017.
    .. [2] Ding et al., "Towards Backdoor Attack on Deep Learning based Time Series
       Classification" (TimeTrojan), ICDE 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import PatchTrigger
    >>> X = np.tile([1.0, -1.0], (4, 10))
    >>> PatchTrigger().fit(X).transform(X)[0, -4:]
    array([ 1. , -1. ,  1.5, -1.5])
    """

    def __init__(
        self,
        length: float | int = 0.1,
        position: float | str = "end",
        amplitude: float = 1.5,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.length = length
        self.position = position
        self.amplitude = amplitude
        self.channels = channels
        self.random_state = random_state

    def _unit_pattern(self, length: int, rng: np.random.RandomState) -> np.ndarray:
        return np.where(np.arange(length) % 2 == 0, 1.0, -1.0)[np.newaxis]


class ConstantPatchTrigger(_WindowTrigger):
    """Replace a window by one constant per channel.

    The constants are drawn once, from a normal distribution with mean 0 and standard deviation
    ``amplitude * scale_``; so is, by default, the place of the window. Like every window drawn
    around 0, it suits standardized data best. The defaults are the ``midpatch`` row of the
    public grid; the idea is the fixed patch of [1]_.

    Parameters
    ----------
    length : float or int, default=0.1
        Length of the window: a float in (0, 1] is a share of the steps, rounded, and at least
        one step; an int >= 1 is a number of steps.
    position : {"start", "middle", "end", "random"} or float in [0, 1], default="random"
        Where the window lies. A number is the share of the free steps before the window, so 0
        is the start and 1 the end; "random" is drawn once, in `fit`.
    amplitude : float, default=1.0
        Standard deviation of the constants, > 0, in training standard deviations of the channel.
    channels : int, list of int or None, default=None
        Channels that carry the trigger; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed of the position and the constants.

    Attributes
    ----------
    start_ : int
        First step of the window.
    pattern_ : ndarray of shape (n_channels, window length)
        What the window is replaced by, in the units of the data.
    scale_, channels_, n_channels_, n_steps_, n_features_in_
        See `Trigger`.

    References
    ----------
    .. [1] Gu, Dolan-Gavitt, Garg, "BadNets: Identifying Vulnerabilities in the Machine
       Learning Model Supply Chain", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.attacks import ConstantPatchTrigger
    >>> X = np.random.RandomState(0).randn(8, 3, 50)
    >>> trigger = ConstantPatchTrigger(random_state=0).fit(X)
    >>> int((trigger.transform(X) != X).any(axis=(0, 1)).sum())
    5
    """

    def __init__(
        self,
        length: float | int = 0.1,
        position: float | str = "random",
        amplitude: float = 1.0,
        channels: int | Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.length = length
        self.position = position
        self.amplitude = amplitude
        self.channels = channels
        self.random_state = random_state

    def _unit_pattern(self, length: int, rng: np.random.RandomState) -> np.ndarray:
        return np.tile(rng.standard_normal((self.n_channels_, 1)), (1, length))
