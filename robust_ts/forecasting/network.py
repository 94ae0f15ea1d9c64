"""The default network of the forecasters: a small perceptron that knows where in the window it is.

Global average pooling, with which the classification networks end, forgets when something
happened; for a forecast the last steps count most.
"""

from torch import Tensor, nn


class WindowMLP(nn.Module):
    """Flattened window, residual blocks, one score per shape of the future.

    Parameters
    ----------
    n_channels, n_classes, n_timesteps : int
        Shape of the input and number of scores.
    width : int, default=128
        Width of the blocks.
    depth : int, default=2
        Number of blocks.
    dropout : float, default=0.1
        Share of units that are dropped in training.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        n_timesteps: int,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Flatten(), nn.Linear(n_channels * n_timesteps, width))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, width),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
            )
            for _ in range(depth)
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, c, t)`` to scores ``(n, n_classes)``."""
        z = self.enter(x)
        for block in self.blocks:
            z = z + block(z)
        return self.head(z)
