"""Networks cut in two: shallow | deep | main head, and a shallow auxiliary head beside it."""

from typing import Any, Protocol

from torch import Tensor, nn

from robust_ts.networks.heads import BinnedHead, GlobalAverageHead
from robust_ts.networks.layers import Standardize, as_planes


class Backbone(Protocol):
    """What a backbone offers; see CONTRIBUTING for the smallest example.

    ``shallow`` and ``deep`` of one that is to learn from series of unequal length also take a
    ``mask``, see :mod:`robust_ts.networks.layers`.
    """

    shallow: nn.Module
    shallow_channels: int
    out_channels: int

    def deep(self, z: Tensor, x: Tensor) -> Tensor:
        """Map shallow features and the input to the last feature map."""
        ...


def _given(mask: Tensor | None) -> dict[str, Any]:
    """Pass a mask on only where there is one: not every backbone takes one."""
    return {} if mask is None else {"mask": mask}


class SplitNetwork(nn.Module):
    """Standardization, backbone and main head; ``forward`` gives the main logits."""

    def __init__(self, scale: Standardize, backbone: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.scale, self.backbone = scale, backbone
        self.head = GlobalAverageHead(int(backbone.out_channels), n_classes)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map raw input ``(n, c, *space)`` to main logits ``(n, n_classes)``."""
        extra = _given(self.scale.mask(x))
        x = as_planes(self.scale(x))
        z = self.backbone.shallow(x, **extra)  # type: ignore[operator]
        return self.head(self.backbone.deep(z, x, **extra), **extra)  # type: ignore[operator]


class ShallowNetwork(nn.Module):
    """The trap: the shallow part of a split network and the auxiliary head on it.

    It holds its own copy of the shallow part, so that what it learns from poisoned samples
    never reaches the main network.
    """

    def __init__(
        self, body: nn.Module, shallow_channels: int, is_series: bool, n_classes: int
    ) -> None:
        super().__init__()
        self.body = body
        self.head = BinnedHead(shallow_channels, is_series, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map raw input ``(n, c, *space)`` to auxiliary logits ``(n, n_classes)``."""
        mask = self.body.scale.mask(x)  # type: ignore[operator, union-attr]
        return self.head(self.body(x), mask)


class ShallowBody(nn.Module):
    """Standardization and the shallow part of a backbone, nothing after it."""

    def __init__(self, scale: Standardize, backbone: nn.Module) -> None:
        super().__init__()
        self.scale = scale
        self.part: nn.Module = backbone.shallow  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Shallow feature map of raw input."""
        return self.part(as_planes(self.scale(x)), **_given(self.scale.mask(x)))


class TwoHeadNetwork(nn.Module):
    """A main network and the trap beside it; ``forward`` gives both logits, main head first."""

    main: nn.Module
    auxiliary: nn.Module

    def __init__(self, main: nn.Module, auxiliary: nn.Module) -> None:
        super().__init__()
        self.main, self.auxiliary = main, auxiliary

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map raw input to ``(main logits, auxiliary logits)``."""
        return self.main(x), self.auxiliary(x)
