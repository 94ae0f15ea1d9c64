"""Residual network for series of Wang, Yan and Oates (2017)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_ts.networks.layers import BatchNorm, Chain, ConvBlock, clip_kernel


class ResidualBlock(nn.Module):
    """Three convolutions and a shortcut, which is projected where the width changes."""

    def __init__(self, c_in: int, c_out: int, kernels: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        last = len(kernels) - 1
        self.convs = Chain(
            *(
                ConvBlock(c_in if i == 0 else c_out, c_out, k, activate=i < last)
                for i, k in enumerate(kernels)
            )
        )
        self.shortcut: nn.Module = (
            ConvBlock(c_in, c_out, (1, 1), activate=False) if c_in != c_out else BatchNorm(c_out)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, c_out, h, w)``."""
        return torch.relu(self.convs(x, mask) + self.shortcut(x, mask))


class ResNet(nn.Module):
    """Three residual blocks; the first is the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(n_timesteps,)`` or ``(height, width)``.
    filters : sequence of int, default=(64, 128, 128)
        Width of each block.
    kernels : sequence of int, default=(8, 5, 3)
        Kernel lengths within a block, clipped to the input.

    References
    ----------
    Wang, Yan and Oates, "Time series classification from scratch with deep neural
    networks: a strong baseline", IJCNN 2017.
    """

    space_axes = 1

    def __init__(
        self,
        n_channels: int,
        space: Sequence[int],
        *,
        filters: Sequence[int] = (64, 128, 128),
        kernels: Sequence[int] = (8, 5, 3),
    ) -> None:
        super().__init__()
        if len(filters) < 2:
            raise ValueError(f"filters needs at least 2 entries, got {len(filters)}.")
        sizes = [clip_kernel(k, space) for k in kernels]
        widths = [n_channels, *filters]
        blocks = [ResidualBlock(widths[i], widths[i + 1], sizes) for i in range(len(filters))]
        self.shallow = blocks[0]
        self.rest = Chain(*blocks[1:])
        self.shallow_channels, self.out_channels = filters[0], filters[-1]

    def deep(self, z: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map shallow features ``z`` to the last feature map; ``x`` is not needed here."""
        return self.rest(z, mask)
