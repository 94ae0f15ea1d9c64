"""Convolution blocks on ``(batch, channels, height, width)``; a series has height 1.

Series run as 2-D networks in channels-last memory because that path is two to three
times faster than ``conv1d`` for long kernels, and is the same code as for images.

Series of different lengths are padded at the end. Then a boolean ``mask`` of shape
``(n, 1, 1, t)``, true at real steps, goes with them: every layer keeps padded steps at zero, so a
convolution sees after the end of a series what it sees before its start, and normalization and
pooling look at real steps alone. Without padding the mask is None and nothing differs.
"""

from collections.abc import Sequence

import torch
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
        x = x if self.pad is None else F.pad(x, self.pad)
        weight, padding = self.conv.weight, self.conv.padding
        if x.shape[1] == 1 and x.device.type == "cpu":
            # One channel leaves the layout open, for which torch takes the other one, several times
            # as slow. A second channel of zeros settles it, and changes no sum.
            x, weight = (F.pad(v, (0, 0, 0, 0, 0, 1)) for v in (x, weight))
            x = x.contiguous(memory_format=torch.channels_last)
        out = F.conv2d(x, weight, padding=padding)
        return out.contiguous(memory_format=torch.channels_last)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization whose statistics, and whose output, know real steps alone."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c, h, w)`` to the same shape; padded steps become zero."""
        if mask is None:
            return super().forward(x)
        steps = x.movedim(1, -1)  # (n, h, w, c)
        rows = steps.reshape(-1, x.shape[1])
        real = mask.flatten().nonzero().squeeze(1)
        normal = super().forward(rows.index_select(0, real))
        filled = normal.new_zeros(rows.shape).index_copy(0, real, normal)
        return filled.view(steps.shape).movedim(-1, 1)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take the real steps as rows (m, c) too; torch knows them from ``BatchNorm1d``."""
        if input.ndim != 2:
            super()._check_input_dim(input)


class Chain(nn.Sequential):
    """Blocks one after the other, each of which is given the mask."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c, h, w)`` through all blocks."""
        for block in self:
            x = block(x, mask)
        return x


class ConvBlock(nn.Sequential):
    """Convolution, batch normalization and, unless ``activate=False``, ReLU."""

    def __init__(
        self, c_in: int, c_out: int, kernel: tuple[int, int], *, activate: bool = True
    ) -> None:
        layers: list[nn.Module] = [SameConv(c_in, c_out, kernel), BatchNorm(c_out)]
        super().__init__(*layers, *([nn.ReLU()] if activate else []))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``(n, c_in, h, w)`` to ``(n, c_out, h, w)``."""
        x = self[1](self[0](x), mask)
        return self[2](x) if len(self) == 3 else x


class Standardize(nn.Module):
    """Per-channel standardization with fixed statistics, kept with the weights.

    Where ``padded``, raw series may end in steps of NaN, which become zero; ``mask`` marks the
    others. It is told and not found out, for looking would make a GPU wait at every step.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, *, padded: bool = False) -> None:
        super().__init__()
        self.padded = padded
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("scale", scale.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Center and scale ``(n, c, *space)``, channel by channel."""
        shape = (1, -1) + (1,) * (x.ndim - 2)
        z = (x - self.mean.view(shape)) / self.scale.view(shape)
        return z.nan_to_num(0.0) if self.padded else z

    def mask(self, x: Tensor) -> Tensor | None:
        """Mark the real steps of raw series, ``(n, 1, 1, t)``; None where none can be padded."""
        return ~as_planes(x[:, :1]).isnan() if self.padded else None
