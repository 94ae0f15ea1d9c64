"""Wide residual network of Zagoruyko and Komodakis (2016)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PreActivationBlock(nn.Module):
    """Normalize, rectify, convolve, twice; the shortcut is projected where the shape changes."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        same = c_in == c_out and stride == 1
        self.shortcut = None if same else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, c_out, h / stride, w / stride)``."""
        z = torch.relu(self.norm1(x))
        # A projection sees the activated input, the identity the raw one.
        residual = x if self.shortcut is None else self.shortcut(z)
        return residual + self.conv2(torch.relu(self.norm2(self.conv1(z))))


class WideResNet(nn.Module):
    """WRN-depth-widen for images; the first convolution and group are the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(height, width)``.
    depth : int, default=16
        Layers, ``6 n + 4`` with ``n`` blocks in each of the three groups.
    widen : int, default=1
        Widening factor: the groups have ``16, 32, 64`` channels times this.

    Notes
    -----
    Without dropout, and with PyTorch's own initial weights.

    References
    ----------
    Zagoruyko and Komodakis, "Wide residual networks", BMVC 2016.
    """

    space_axes = 2

    def __init__(
        self, n_channels: int, space: Sequence[int], *, depth: int = 16, widen: int = 1
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth must be 10, 16, 22, 28, ... (6 n + 4), got {depth}.")
        if widen < 1:
            raise ValueError(f"widen must be at least 1, got {widen}.")
        n_blocks, widths = (depth - 4) // 6, [16 * widen, 32 * widen, 64 * widen]
        self.shallow = nn.Sequential(
            nn.Conv2d(n_channels, 16, 3, 1, 1, bias=False), *_group(16, widths[0], 1, n_blocks)
        )
        self.rest = nn.Sequential(
            *_group(widths[0], widths[1], 2, n_blocks),
            *_group(widths[1], widths[2], 2, n_blocks),
            nn.BatchNorm2d(widths[2]),
            nn.ReLU(),
        )
        self.shallow_channels, self.out_channels = widths[0], widths[2]

    def deep(self, z: Tensor, x: Tensor) -> Tensor:
        """Map shallow features ``z`` to the last feature map; ``x`` is not needed here."""
        return self.rest(z)


def _group(c_in: int, c_out: int, stride: int, n_blocks: int) -> list[nn.Module]:
    """Blocks of one width, of which the first changes the shape."""
    rest = [PreActivationBlock(c_out, c_out, 1) for _ in range(n_blocks - 1)]
    return [PreActivationBlock(c_in, c_out, stride), *rest]
