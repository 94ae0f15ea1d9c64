"""InceptionTime of Ismail Fawaz et al. (2020)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_ts.networks.layers import BatchNorm, ConvBlock, SameConv, clip_kernel

#: Below any feature, and finite: times a gradient of zero it stays zero.
LOWEST = -1e30


class InceptionModule(nn.Module):
    """Bottleneck, parallel convolutions of several lengths and a max-pool branch."""

    def __init__(
        self, c_in: int, filters: int, bottleneck: int, kernels: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        narrow = bottleneck if c_in > 1 else 1
        self.bottleneck = SameConv(c_in, narrow, (1, 1)) if c_in > 1 else nn.Identity()
        self.convs = nn.ModuleList(SameConv(narrow, filters, k) for k in kernels)
        # A series (kernel height 1) is pooled along time alone.
        pool = (1 if all(k[0] == 1 for k in kernels) else 3, 3)
        padding = (pool[0] // 2, 1)
        self.pool = nn.Sequential(
            nn.MaxPool2d(pool, stride=1, padding=padding), SameConv(c_in, filters, (1, 1))
        )
        self.norm = BatchNorm(filters * (len(kernels) + 1))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, filters * (n_kernels + 1), h, w)``."""
        z = self.bottleneck(x)
        branches = [conv(z) for conv in self.convs]
        # The maximum must not see the zeros of padding; normalization makes them zeros again.
        seen = x if mask is None else x.masked_fill(~mask, LOWEST)
        return torch.relu(self.norm(torch.cat([*branches, self.pool(seen)], dim=1), mask))


class InceptionTime(nn.Module):
    """Six inception modules with a shortcut after every third; the first is the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(n_timesteps,)`` or ``(height, width)``.
    depth : int, default=6
        Number of inception modules, at least 2.
    filters : int, default=32
        Filters of each branch; a module has four branches.
    bottleneck : int, default=32
        Channels after the 1x1 bottleneck, which is left out for one input channel.
    kernels : sequence of int, default=(40, 20, 10)
        Kernel lengths, clipped to the input.

    Notes
    -----
    One network, not the published ensemble of five.

    References
    ----------
    Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series classification",
    Data Mining and Knowledge Discovery 34, 2020.
    """

    space_axes = 1

    def __init__(
        self,
        n_channels: int,
        space: Sequence[int],
        *,
        depth: int = 6,
        filters: int = 32,
        bottleneck: int = 32,
        kernels: Sequence[int] = (40, 20, 10),
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth must be at least 2, got {depth}.")
        sizes = [clip_kernel(k, space) for k in kernels]
        width = filters * (len(sizes) + 1)
        self.shallow = InceptionModule(n_channels, filters, bottleneck, sizes)
        self.modules_after = nn.ModuleList(
            InceptionModule(width, filters, bottleneck, sizes) for _ in range(depth - 1)
        )
        n_shortcuts = depth // 3
        self.shortcuts = nn.ModuleList(
            ConvBlock(n_channels if i == 0 else width, width, (1, 1), activate=False)
            for i in range(n_shortcuts)
        )
        self.shallow_channels = self.out_channels = width

    def deep(self, z: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map shallow features ``z`` and the input ``x`` to the last feature map."""
        residual = x
        for i, module in enumerate(self.modules_after, start=2):
            z = module(z, mask)
            if i % 3 == 0:
                z = residual = torch.relu(z + self.shortcuts[i // 3 - 1](residual, mask))
        return z
