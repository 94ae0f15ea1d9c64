"""What distinguishes a poisoned group from a natural part of its class."""

import numpy as np
from scipy.stats import rankdata


def smoothed_share(flags: np.ndarray) -> float:
    """Return the share of true flags with one success and one failure added.

    Small groups then cannot reach an extreme share by luck.
    """
    return float((flags.sum() + 1) / (len(flags) + 2))


def diversity(classes: np.ndarray, n_classes: int) -> float:
    """Return how evenly a group spreads over the other classes, 0 to 1.

    Poison is drawn from all other classes; a natural sub-population borders on one or two.

    Parameters
    ----------
    classes : ndarray of shape (n_members,)
        Best other class of each member.
    n_classes : int
        Number of classes.

    Returns
    -------
    float
        Entropy over that of an even spread over all other classes.
    """
    if n_classes < 3:
        return 1.0
    shares = np.bincount(classes, minlength=n_classes) / len(classes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() / np.log(n_classes - 1))


def agreement(scores: np.ndarray, weights: np.ndarray, label: int) -> float:
    """Return how far views agree on the best other class of each sample, beyond chance.

    A poisoned sample has a true class, on which looks at different parts of it agree. A natural
    sub-population has none among the other classes: each view finds another neighbor.

    Parameters
    ----------
    scores : ndarray of shape (n_views, n_members, n_classes)
        Scores of each view.
    weights : ndarray of shape (n_views,)
        Weight of each view.
    label : int
        The given class, which is not voted for.

    Returns
    -------
    float
        Weighted share of pairs of views that agree, less the share expected if their votes were
        independent; near 0 where all members go to one class.
    """
    n_classes = scores.shape[2]
    votes = np.where(np.arange(n_classes) == label, -np.inf, scores).argmax(axis=2)
    one_hot = np.eye(n_classes)[votes] * weights[:, None, None]
    shares = one_hot.mean(axis=1)
    alike = (one_hot.sum(axis=0) ** 2).sum(axis=1).mean() - (weights**2).sum()
    chance = (shares.sum(axis=0) ** 2).sum() - (shares**2).sum()
    return float((alike - chance) / max(weights.sum() ** 2 - (weights**2).sum(), 1e-12))


def pattern_scores(values: np.ndarray, group: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Score how much each sample bears the linear pattern of a group, leaving itself out.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Raw values or a projection of them.
    group, others : ndarray of int
        The group, and what it is held against; both weigh the same.

    Returns
    -------
    ndarray of shape (n_of_group + n_others,)
        Scores of a ridge without the sample itself, positive on the side of the group.
    """
    sizes = [len(group), len(others)]
    weights = np.repeat([1 / size for size in sizes], sizes)
    target = np.repeat([0.5, -0.5], sizes)
    part = values[np.concatenate([group, others])]
    bias = np.full((len(part), 1), np.sqrt((part**2).sum(axis=1).mean()))
    part = np.concatenate([part, bias], axis=1)
    gram = (part * weights[:, None]).T @ part
    gram += 1e-2 * np.trace(gram) / len(gram) * np.eye(len(gram))
    half = np.linalg.solve(gram, part.T)
    fitted = part @ (half @ (weights * target))
    leverage = weights * np.einsum("ij,ji->i", part, half)
    alone: np.ndarray = (fitted - leverage * target) / np.maximum(1 - leverage, 1e-3)
    return alone


def cohesion(values: np.ndarray, group: np.ndarray, others: np.ndarray) -> float:
    """Tell how well one linear pattern separates a group from samples of other classes.

    A trigger is one pattern on many contents. The hard samples of a noisy class have nothing in
    common but being hard.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Raw values or a projection of them.
    group, others : ndarray of int
        Indices.

    Returns
    -------
    float
        Area under the ROC curve of `pattern_scores`, with one success and one failure added as in
        `smoothed_share`, mapped to 0 (chance) .. 1.
    """
    size = len(group)
    ranks = rankdata(pattern_scores(values, group, others))
    area = (ranks[:size].sum() - size * (size + 1) / 2) / (size * len(others))
    smoothed = (area * size + 1) / (size + 2)
    return float(max(0.0, 2 * smoothed - 1))
