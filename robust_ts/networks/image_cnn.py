"""A small convolutional network for images."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from robust_ts.networks.layers import ConvBlock, clip_kernel


class ImageCNN(nn.Module):
    """Convolution blocks with 2x2 max-pooling between them; the first block is the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(height, width)``.
    filters : sequence of int, default=(32, 64, 128)
        Width of each block, two blocks at least.
    kernel : int, default=3
        Side of every kernel, clipped to the input.

    Notes
    -----
    For grey images and quick runs on a CPU; nobody's published network.
    """

    space_axes = 2

    def __init__(
        self,
        n_channels: int,
        space: Sequence[int],
        *,
        filters: Sequence[int] = (32, 64, 128),
        kernel: int = 3,
    ) -> None:
        super().__init__()
        if len(filters) < 2:
            raise ValueError(f"filters needs at least 2 entries, got {len(filters)}.")
        size = clip_kernel(kernel, space)
        self.shallow = ConvBlock(n_channels, filters[0], size)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(filters):
            # Rounding up leaves one pixel of one pixel.
            layers += [nn.MaxPool2d(2, ceil_mode=True), ConvBlock(c_in, c_out, size)]
        self.rest = nn.Sequential(*layers)
        self.shallow_channels, self.out_channels = filters[0], filters[-1]

    def deep(self, z: Tensor, x: Tensor) -> Tensor:
        """Map shallow features ``z`` to the last feature map; ``x`` is not needed here."""
        return self.rest(z)
