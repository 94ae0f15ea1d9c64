"""Network architectures: pure modules from ``(batch, channels, *space)`` to logits.

No training and no numpy here. A backbone is one file and one line in ``BACKBONES``.
"""

import difflib
import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from robust_ts.networks import wrapped
from robust_ts.networks.cnn import CNN
from robust_ts.networks.image_cnn import ImageCNN
from robust_ts.networks.inception import InceptionTime
from robust_ts.networks.layers import Standardize
from robust_ts.networks.resnet import ResNet
from robust_ts.networks.resnet18 import ResNet18
from robust_ts.networks.two_head import ShallowBody, ShallowNetwork, SplitNetwork, TwoHeadNetwork
from robust_ts.networks.wide_resnet import WideResNet

#: Built-in backbones by name; the attribute ``space_axes`` says whether one is for series (1)
#: or for images (2).
BACKBONES: dict[str, Any] = {
    "cnn": CNN,
    "inception": InceptionTime,
    "resnet": ResNet,
    "image_cnn": ImageCNN,
    "wide_resnet": WideResNet,
    "resnet18": ResNet18,
}

__all__ = [
    "BACKBONES",
    "CNN",
    "ImageCNN",
    "InceptionTime",
    "NetworkSpec",
    "ResNet",
    "ResNet18",
    "ShallowNetwork",
    "SplitNetwork",
    "TwoHeadNetwork",
    "WideResNet",
    "check_backbone",
    "space_axes_of",
]


def check_backbone(backbone: Any, params: Any = None) -> None:
    """Raise a ValueError unless ``backbone`` is usable, and ``params`` keywords or None.

    The error names the nearest backbones.
    """
    if params is not None and not isinstance(params, Mapping):
        raise ValueError(
            "backbone_params must be None or a dict of keywords such as {'filters': (32, 64, 32)}, "
            f"got {params!r}."
        )
    if isinstance(backbone, str):
        if backbone in BACKBONES or backbone.startswith("tsai:"):
            return
        near = difflib.get_close_matches(backbone, BACKBONES, n=3, cutoff=0.3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"Unknown backbone {backbone!r}.{hint} Known: {', '.join(map(repr, BACKBONES))}, "
            "'tsai:<Architecture>', or an nn.Module class, instance or factory."
        )
    if not isinstance(backbone, nn.Module) and not callable(backbone):
        raise ValueError(
            f"backbone must be a name, an nn.Module or a factory, got {type(backbone).__name__}."
        )
    space_axes_of(backbone)


def space_axes_of(backbone: Any) -> int:
    """Say whether a backbone is for series (1) or for images (2).

    It is the backbone's attribute ``space_axes``, on a class, an instance or a factory; where it
    has none, the backbone is for series.

    Raises
    ------
    ValueError
        If the attribute is neither 1 nor 2.
    """
    kind = BACKBONES.get(backbone) if isinstance(backbone, str) else backbone
    while isinstance(kind, functools.partial) and not hasattr(kind, "space_axes"):
        kind = kind.func
    axes = getattr(kind, "space_axes", 1)
    if axes not in (1, 2):
        raise ValueError(
            f"space_axes of the backbone must be 1 (for series) or 2 (for images), got {axes!r}."
        )
    return int(axes)


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that determines a network's shape, and how to build it.

    Parameters
    ----------
    backbone : str, nn.Module, class or factory
        See ``BACKBONES``; ``"tsai:<Architecture>"`` takes any architecture of tsai.
    n_channels, n_classes : int
        Channels of the input and number of classes.
    space : tuple of int
        ``(n_timesteps,)`` or ``(height, width)``.
    params : dict
        Keywords of the backbone.
    tap : str, optional
        Layer of a user's module that the auxiliary head reads; chosen if None.
    padded : bool, default=False
        Whether series differ in length, so that the shorter ones end in steps of NaN.
    """

    backbone: Any
    n_channels: int
    n_classes: int
    space: tuple[int, ...]
    params: dict[str, Any] = field(default_factory=dict)
    tap: str | None = None
    padded: bool = False

    def main(self, mean: torch.Tensor, scale: torch.Tensor) -> nn.Module:
        """Build the main network; ``mean`` and ``scale`` of shape (n_channels,) standardize."""
        standardize = Standardize(mean, scale, padded=self.padded)
        if isinstance(self.backbone, str) and self.backbone in BACKBONES:
            return _channels_last(SplitNetwork(standardize, self._builtin(), self.n_classes))
        return _channels_last(wrapped.WrappedNetwork(standardize, self._module()[0]))

    def shallow(self, mean: torch.Tensor, scale: torch.Tensor) -> ShallowNetwork:
        """Build the trap: its own copy of the shallow part, with the auxiliary head."""
        standardize = Standardize(mean, scale, padded=self.padded)
        body: nn.Module
        if isinstance(self.backbone, str) and self.backbone in BACKBONES:
            backbone = self._builtin()
            body, width = ShallowBody(standardize, backbone), int(backbone.shallow_channels)
        else:
            module, tap, time_first = self._module()
            tap = wrapped.check_tap(module, self.n_channels, self.space, tap)
            body = wrapped.TappedBody(standardize, module, tap, time_first=time_first)
            width = wrapped.tap_width(body, self.n_channels, self.space)
        is_series = len(self.space) == 1
        return _channels_last(ShallowNetwork(body, width, is_series, self.n_classes))

    def _refuse_padding(self) -> None:
        if self.padded:
            raise ValueError(
                f"X holds series of unequal length, but backbone={self.backbone!r} takes no mask "
                "and would learn from the padding; use a built-in network of series ("
                f"{', '.join(repr(k) for k, v in BACKBONES.items() if _takes_mask(v))}), or bring "
                "the series to one length yourself."
            )

    def _builtin(self) -> Any:
        kind = BACKBONES[self.backbone]
        if self.tap is not None:
            raise ValueError(
                f"backbone_tap={self.tap!r} names a layer of a network of your own; "
                f"backbone={self.backbone!r} has its place for the auxiliary head. Leave it out."
            )
        if not _takes_mask(kind):
            self._refuse_padding()
        try:
            inspect.signature(kind).bind(self.n_channels, self.space, **self.params)
        except TypeError as error:
            known = list(inspect.signature(kind).parameters)[2:]
            raise ValueError(
                f"backbone_params do not fit backbone={self.backbone!r}: {error}. It takes {known}."
            ) from None
        return kind(self.n_channels, self.space, **self.params)

    def _module(self) -> tuple[nn.Module, str | None, bool]:
        self._refuse_padding()
        source, tap, time_first = self.backbone, self.tap, False
        if isinstance(source, str):
            from robust_ts.networks import tsai

            name = source.removeprefix("tsai:")
            source = tsai.find_architecture(name)
            if tap is None:
                tap, time_first = tsai.TAPS.get(name, (None, False))
        module = wrapped.make_module(
            source, self.n_channels, self.n_classes, self.space, self.params
        )
        wrapped.check_output(module, self.n_channels, self.n_classes, self.space)
        return module, tap, time_first


def _takes_mask(kind: Any) -> bool:
    return "mask" in inspect.signature(kind.deep).parameters


def _channels_last(network: Any) -> Any:
    """Store 4-D weights channels-last, the layout in which long kernels are fast."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
