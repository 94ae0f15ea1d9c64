"""What the members of a group have in common: taken away, or put on other samples."""

import warnings
from dataclasses import dataclass

import numpy as np

from robust_ts.chunks import chunks, read

#: What a trigger may leave of the content: it is added, or blended in at the cost of some of it.
LEFT_OF_CONTENT = (1.0, 0.85)


def mean_of_real(X: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Average over samples where they are not padded; NaN where all of them are.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        Samples, NaN where padded; read in parts.
    rows : ndarray of int, optional
        Which samples; all of them where None.

    Returns
    -------
    ndarray of shape (n_channels, *space), float32
        The mean.
    """
    count, total = np.zeros((2, *X.shape[1:]))
    for part in chunks(X, rows):
        values = read(X, part)
        real = ~np.isnan(values)
        count += real.sum(axis=0)
        total += np.where(real, values, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def pattern_of(
    X: np.ndarray, group: np.ndarray, assigned: np.ndarray, means: np.ndarray
) -> np.ndarray:
    """Return the common pattern of a group; without it the content of the members is seen.

    What sets the mean of a poisoned group apart from that of clean samples in the same mixture of
    classes is the trigger: exactly so for one that is added, and a replaced part becomes the mean.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        All samples; NaN where padded.
    group : ndarray of int
        Sample indices.
    assigned : ndarray of int
        Classes, in the mixture in which the group was drawn from them.
    means : ndarray of shape (n_classes, n_channels, *space)
        Mean of the samples of each class.

    Returns
    -------
    ndarray of shape (n_channels, *space), float32
        To be taken from every member.
    """
    real = ~np.isnan(means)
    shares = np.bincount(assigned, minlength=len(means)) / len(assigned)
    weights = shares.reshape(-1, *[1] * (means.ndim - 1)) * real
    usual = (weights * np.where(real, means, 0)).sum(axis=0) / np.maximum(
        weights.sum(axis=0), 1e-12
    )
    # Where no class has real steps there is nothing to compare with.
    usual = np.where(weights.any(axis=0), usual, np.nan)
    return np.nan_to_num(mean_of_real(X, group) - usual).astype(np.float32)


@dataclass(frozen=True)
class Stamp:
    """What turns a sample into one that bears the pattern of a group: ``scale * x - less``.

    Parameters
    ----------
    scale, less : ndarray of shape (n_channels, *space), float32
        How much of each step is left, and what is taken from it then.
    """

    scale: np.ndarray
    less: np.ndarray


def stamp_of(group: np.ndarray, others: np.ndarray) -> Stamp:
    """Return what makes other samples look like a group, each with its own content.

    If the group is poison drawn from the others, this is the trigger: exactly so for one that is
    added, blended in, or that replaces a part, for each of these is an affine map of every step.
    Medians, and median deviations from them, for up to half of the group may be clean.

    Parameters
    ----------
    group, others : ndarray of shape (n_samples, n_channels, *space)
        Samples, NaN where padded.

    Returns
    -------
    Stamp
        Moves the median of the others to that of the group, and takes away what they vary more.
    """
    (center, spread), (usual, width), known = _compared(group, others)
    scale = np.minimum(1, spread / np.where(width > 0, width, np.inf))
    scale = np.where(known & (width > 0), scale, 1)
    less = np.where(known, scale * usual - center, 0)
    return Stamp(scale.astype(np.float32), less.astype(np.float32))


def content_of(pattern: np.ndarray, mean: np.ndarray, left: float) -> Stamp:
    """Return what turns members of a group into their contents: `stamp_of` the other way.

    Parameters
    ----------
    pattern : ndarray of shape (n_channels, *space)
        The common pattern, see `pattern_of`.
    mean : ndarray of shape (n_channels, *space)
        Mean of the group; NaN where all of it is padded.
    left : float
        What the trigger left of the content, above 0; 1 takes the pattern away and no more.

    Returns
    -------
    Stamp
        Moves the mean of the group to that of the content, and divides what varies by ``left``.
    """
    more = 1 / left - 1
    less = pattern + more * np.nan_to_num(mean)
    return Stamp(np.full_like(less, 1 + more, dtype=np.float32), less.astype(np.float32))


def replaced(group: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell where most members of a group hold one value that most other samples do not.

    There is no content left to be seen: to take a pattern away leaves a gap like no sample's.

    Parameters
    ----------
    group, others : ndarray of shape (n_samples, n_channels, *space)
        Samples, NaN where padded.

    Returns
    -------
    ndarray of bool of shape (n_channels, *space)
        Where that is so.
    """
    (center, spread), (usual, width), known = _compared(group, others)
    gone: np.ndarray = known & (spread == 0) & ((width > 0) | (center != usual))
    return gone


_Spread = tuple[np.ndarray, np.ndarray]


def _compared(group: np.ndarray, others: np.ndarray) -> tuple[_Spread, _Spread, np.ndarray]:
    """Give median and deviation of both, and where neither is padding: only there is compared."""
    ours, theirs = _median_and_deviation(group), _median_and_deviation(others)
    return ours, theirs, ~(np.isnan(ours[0]) | np.isnan(theirs[0]))


def _median_and_deviation(X: np.ndarray) -> _Spread:
    """Give median and median absolute deviation at each step; NaN where all samples are padded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's about steps where all is NaN
        median = np.nanmedian(X, axis=0)
        return median, np.nanmedian(np.abs(X - median), axis=0)
