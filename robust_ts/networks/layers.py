"""Convolution blocks on ``(batch, channels, height, width)``; a series has height 1.

Series run as 2-D networks in channels-last memory because that path is two to three
times faster than ``conv1d`` for long kernels, and is the same code as for images.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def as_planes(x: Tensor) -> Tensor:
    """View a batch of series ``(n, c, t)`` as planes ``(n, c, 1, t)``; images pass unchanged."""
    return x.unsqueeze(2) if x.ndim == 3 else x


def clip_kernel(length: int, space: Sequence[int]) -> tuple[int, int]:
    """Kernel size for inputs of shape ``space``: 1 x length for series, square for images.

    A kernel longer than the input is clipped to it.
    """
    if len(space) == 1:
        return 1, min(length, space[0])
    return min(length, space[0]), min(length, space[1])


class SameConv(nn.Module):
    """Convolution whose output is as long as its input, for odd and even kernels.

    An even kernel sees one step more on the right than on the left, the convention of
    TensorFlow and of ``padding="same"`` in PyTorch.
    """

    def __init__(self, c_in: int, c_out: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        (kh, kw) = kernel
        even = kh % 2 == 0 or kw % 2 == 0
        # F.pad: left, right, top, bottom
        self.pad = ((kw - 1) // 2, kw // 2, (kh - 1) // 2, kh // 2) if even else None
        padding = (0, 0) if even else (kh // 2, kw // 2)
        self.conv = nn.Conv2d(c_in, c_out, kernel, padding=padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, c_out, h, w)``."""
        return self.conv(x if self.pad is None else F.pad(x, self.pad))


class ConvBlock(nn.Sequential):
    """Convolution, batch normalization and, unless ``activate=False``, ReLU."""

    def __init__(
        self, c_in: int, c_out: int, kernel: tuple[int, int], *, activate: bool = True
    ) -> None:
        layers: list[nn.Module] = [SameConv(c_in, c_out, kernel), nn.BatchNorm2d(c_out)]
        super().__init__(*layers, *([nn.ReLU()] if activate else []))


class Standardize(nn.Module):
    """Per-channel standardization with fixed statistics, kept with the weights."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("scale", scale.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Center and scale ``(n, c, *space)``, channel by channel."""
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return (x - self.mean.view(shape)) / self.scale.view(shape)
