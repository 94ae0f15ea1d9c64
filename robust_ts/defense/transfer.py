"""Ask a network that was trained on everything what it learned from a group."""

import numpy as np

from robust_ts.defense.constants import DefenseConstants


def steered_share(answers: np.ndarray, label: int) -> float:
    """Return the share of samples that a network takes for ``label``.

    A backdoor steers whatever bears its trigger to the target. The pattern of a natural part of a
    class, put on other contents, does so less, or also in a network that never saw that part.

    Parameters
    ----------
    answers : ndarray of shape (n_samples, n_classes)
        For samples of other classes that bear the pattern of a group.
    label : int
        Class of the group.
    """
    return float((answers.argmax(axis=1) == label).mean())


def bearers(
    less: np.ndarray, more: np.ndarray, label: int | np.ndarray, constants: DefenseConstants
) -> np.ndarray:
    """Tell which samples owe their label to a pattern.

    Parameters
    ----------
    less, more : ndarray of shape (n_samples, n_classes)
        Probabilities when the pattern is taken from them, and when it is added once more (of
        copies, with what other samples hold in its place, and as they are).
    label : int, or ndarray of int of shape (n_samples,)
        The class, or that of each sample.
    constants : DefenseConstants
        Constants of the method.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Samples that become another class for sure without the pattern, and are of their own with
        twice as much of it: a hard sample leaves its class as well, but whichever way it is moved.
    """
    own = np.arange(less.shape[1]) == np.reshape(label, (-1, 1))
    other = np.where(own, -np.inf, less).max(axis=1)
    return (other >= constants.recover_probability) & (more.argmax(axis=1) == label)


def debt(owing: np.ndarray, inside: np.ndarray) -> float:
    """Return how far a group, and only the group, owes its label to its pattern.

    Parameters
    ----------
    owing : ndarray of bool of shape (n_of_class,)
        The `bearers` of the pattern.
    inside : ndarray of bool of shape (n_of_class,)
        The group.

    Returns
    -------
    float
        Share of the group that owes less share of the rest, mapped to 0 .. 1: one half where the
        network says nothing of single samples, below where the pattern is that of the class.
    """
    return float((1 + owing[inside].mean() - owing[~inside].mean()) / 2)


def unlearned_share(taught: float, untaught: float, debt: float) -> float:
    """Return what is left of the transfer in view of a network that never saw the group.

    A network that never saw poison has not learned its trigger. But some triggers steer any
    network, such as noise to the class that is called where nothing is known; then single samples
    have to tell it from the pattern of a natural part.

    Parameters
    ----------
    taught, untaught : float
        Share of samples that the pattern steers in a network that saw the group, and in one that
        did not.
    debt : float
        The `debt` of the group.

    Returns
    -------
    float
        The difference, or the first share times that of the group that owes its label to the
        pattern beyond the rest of its class, whichever is more.
    """
    return max(taught - untaught, taught * (2 * debt - 1))
