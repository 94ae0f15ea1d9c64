"""Fully convolutional network of Wang, Yan and Oates (2017), for series and images."""

from collections.abc import Sequence

from torch import Tensor, nn

from robust_ts.networks.layers import Chain, ConvBlock, clip_kernel


class CNN(nn.Module):
    """Three convolution blocks; the first is the shallow part.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    space : sequence of int
        ``(n_timesteps,)`` or ``(height, width)``.
    filters : sequence of int, default=(128, 256, 128)
        Width of each block.
    kernels : sequence of int, default=(8, 5, 3)
        Kernel length of each block, clipped to the input.

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
        filters: Sequence[int] = (128, 256, 128),
        kernels: Sequence[int] = (8, 5, 3),
    ) -> None:
        super().__init__()
        if len(filters) != len(kernels) or len(filters) < 2:
            raise ValueError(
                f"filters and kernels need the same length of at least 2, got {len(filters)} "
                f"and {len(kernels)}."
            )
        widths = [n_channels, *filters]
        blocks = [
            ConvBlock(widths[i], widths[i + 1], clip_kernel(k, space))
            for i, k in enumerate(kernels)
        ]
        self.shallow = blocks[0]
        self.rest = Chain(*blocks[1:])
        self.shallow_channels, self.out_channels = filters[0], filters[-1]

    def deep(self, z: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map shallow features ``z`` to the last feature map; ``x`` is not needed here."""
        return self.rest(z, mask)
