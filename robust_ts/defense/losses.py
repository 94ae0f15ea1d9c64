"""Losses of anti-backdoor learning: pure functions of per-sample losses."""

import torch
from torch import Tensor


def ascent_loss(losses: Tensor, gamma: float, per_sample: bool = True) -> Tensor:
    """Local gradient ascent: descend above ``gamma``, climb below it.

    Parameters
    ----------
    losses : Tensor of shape (n,)
        Per-sample cross-entropies.
    gamma : float
        The loss at which samples are held.
    per_sample : bool, default=True
        Take the sign for each sample, or once for the mean of the batch.

    Returns
    -------
    Tensor of shape ()
        ``mean(sign(l - gamma) * l)``.

    References
    ----------
    Li et al., "Anti-Backdoor Learning", NeurIPS 2021, Eq. 3.
    """
    values = losses if per_sample else losses.mean()
    return (torch.sign(values.detach() - gamma) * values).mean()


def flooding_loss(losses: Tensor, gamma: float, per_sample: bool = True) -> Tensor:
    """Flooding: ``|l - gamma| + gamma``, for each sample or for the mean of the batch.

    Parameters
    ----------
    losses : Tensor of shape (n,)
        Per-sample cross-entropies.
    gamma : float
        The flood level.
    per_sample : bool, default=True
        Flood each sample, or once the mean of the batch as published.

    References
    ----------
    Ishida et al., "Do we need zero training loss after achieving zero training error?",
    ICML 2020.
    """
    values = losses if per_sample else losses.mean()
    return ((values - gamma).abs() + gamma).mean()


def gradient_ascent_gap(losses: Tensor, isolated: Tensor, cap: float) -> Tensor:
    """Global gradient ascent: mean loss of the rest minus mean loss of the isolated samples.

    Parameters
    ----------
    losses : Tensor of shape (n,)
        Per-sample cross-entropies.
    isolated : Tensor of shape (n,), bool
        Which samples to unlearn; a group that is absent from the batch adds nothing.
    cap : float
        An isolated sample whose loss exceeds ``cap`` is left alone.

    References
    ----------
    Li et al., "Anti-Backdoor Learning", NeurIPS 2021, Eq. 4; the cap is ours.
    """
    rest = (~isolated).to(losses.dtype)
    climb = (isolated & (losses.detach() < cap)).to(losses.dtype)
    descend = (losses * rest).sum() / rest.sum().clamp(min=1)
    return descend - (losses * climb).sum() / isolated.sum().clamp(min=1)
