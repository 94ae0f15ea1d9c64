"""Classification heads: what turns a feature map into one score per class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_ts.networks.layers import as_planes

#: Bins along each axis that the shallow head averages over. Global average pooling alone
#: cannot see *where* something happens, and is blind where position carries the class.
SERIES_BINS = (1, 4)
IMAGE_BINS = (2, 2)


class GlobalAverageHead(nn.Module):
    """Global average pooling and a linear layer: the main head."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, n_classes)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c, h, w)``, zero where padded, to logits ``(n, n_classes)``."""
        if mask is None:
            # Not the mean over the last two axes: its gradient comes in the other memory layout, in
            # which the layer before takes five times as long.
            return self.linear(z.movedim(1, -1).flatten(1, 2).mean(dim=1))
        return self.linear(z.sum(dim=(-2, -1)) / mask.sum(dim=(-2, -1)))


def binned_pool(z: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average in a few bins plus the global maximum: ``(n, c, *space)`` to ``(n, d)``."""
    z = as_planes(z)
    if mask is not None:
        means = (z.squeeze(2) @ _bins_of_real_steps(mask).to(z.dtype)).flatten(1)
        return torch.cat([means, z.masked_fill(~mask, -torch.inf).amax(dim=(-2, -1))], dim=1)
    bins = SERIES_BINS if z.shape[2] == 1 else IMAGE_BINS
    means = F.adaptive_avg_pool2d(z, bins).flatten(1)
    return torch.cat([means, z.amax(dim=(-2, -1))], dim=1)


def _bins_of_real_steps(mask: Tensor) -> Tensor:
    """Weights ``(n, t, bins)`` of adaptive average pooling over each series' own length."""
    n_bins = SERIES_BINS[1]
    length = mask.sum(dim=-1)  # (n, 1, 1)
    step = torch.arange(mask.shape[-1], device=mask.device)[:, None]
    bins = torch.arange(n_bins, device=mask.device)
    first, stop = length * bins // n_bins, -(-length * (bins + 1) // n_bins)
    return ((step >= first) & (step < stop)) / (stop - first)


class BinnedHead(nn.Module):
    """Binned pooling and a linear layer: the auxiliary head on the shallow features."""

    def __init__(self, n_channels: int, space_is_series: bool, n_classes: int) -> None:
        super().__init__()
        bins = SERIES_BINS if space_is_series else IMAGE_BINS
        self.linear = nn.Linear(n_channels * (bins[0] * bins[1] + 1), n_classes)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map a shallow map ``(n, c, *space)`` to logits ``(n, n_classes)``."""
        return self.linear(binned_pool(z, mask))
