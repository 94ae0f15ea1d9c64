"""ResNet-18 of He et al. (2016) in its form for small images."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut, which is projected where the shape changes."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if c_in != c_out or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, c_out, h / stride, w / stride)``."""
        return torch.relu(self.convs(x) + self.shortcut(x))


class ResNet18(nn.Module):
    """Four groups of two residual blocks; the stem and the first group are the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(height, width)``.
    width : int, default=64
        Channels of the first group; each further group has twice those of the one before.

    Notes
    -----
    The paper's ResNet-18 with the stem that is usual for images of about 32 pixels: one 3x3
    convolution of stride 1 in place of 7x7 of stride 2, and no max-pooling.

    References
    ----------
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.
    """

    space_axes = 2

    def __init__(self, n_channels: int, space: Sequence[int], *, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}.")
        self.shallow = nn.Sequential(
            nn.Conv2d(n_channels, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            BasicBlock(width, width, 1),
            BasicBlock(width, width, 1),
        )
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.rest = nn.Sequential(
            *(
                block
                for c_in, c_out in pairwise(widths)
                for block in (BasicBlock(c_in, c_out, 2), BasicBlock(c_out, c_out, 1))
            )
        )
        self.shallow_channels, self.out_channels = width, widths[-1]

    def deep(self, z: Tensor, x: Tensor) -> Tensor:
        """Map shallow features ``z`` to the last feature map; ``x`` is not needed here."""
        return self.rest(z)
