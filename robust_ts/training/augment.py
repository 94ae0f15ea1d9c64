"""Random changes of image batches in training: whole batches on the device, seeded."""

from typing import Any

import torch
from torch import Tensor

from robust_ts.training.device import sent

#: What the parameter ``augment`` can name, joined by ``+``.
KINDS = ("crop", "flip", "cutout")

#: Largest shift of a crop, as a share of the side: 4 of 32 pixels, as is usual for CIFAR.
CROP = 1 / 8

#: Side of the cut-out square, as a share of the side: 16 of 32 pixels, the choice of DeVries and
#: Taylor (2017) for CIFAR-10.
CUTOUT = 1 / 2


def check_augment(augment: Any, space_axes: int) -> None:
    """Raise a ValueError unless ``augment`` is None or names kinds that fit the network.

    Parameters
    ----------
    augment : None or str
        The parameter of the classifiers.
    space_axes : {1, 2}
        1 for series networks, 2 for image networks.
    """
    if augment is None:
        return
    parts = augment.split("+") if isinstance(augment, str) else []
    if not parts or not set(parts) <= set(KINDS) or len(set(parts)) < len(parts):
        raise ValueError(
            f"augment must be None or name each of {', '.join(KINDS)} at most once, joined by '+', "
            f"such as 'crop+flip'; got {augment!r}."
        )
    if space_axes != 2:
        raise ValueError(
            f"augment={augment!r} is for images, and the backbone is for series. Leave augment out "
            "or choose an image backbone."
        )


class Augment:
    """Shift, mirror and cut out images at random, each image of a batch in its own way.

    Parameters
    ----------
    kinds : str
        Any of ``"crop"``, ``"flip"`` and ``"cutout"``, joined by ``+``. A crop shifts the image
        by up to an eighth of its side in both directions, its borders mirrored; a flip mirrors
        left and right with probability 1/2; a cut-out puts `fill` into a square of half the side
        around a random pixel.
    fill : Tensor of shape (n_channels,)
        Value of a cut-out square: the channel means, which are zero to the network.
    generator : torch.Generator
        CPU generator of what is drawn.

    References
    ----------
    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017.
    """

    def __init__(self, kinds: str, fill: Tensor, generator: torch.Generator) -> None:
        self.kinds = kinds.split("+")
        self._fill = fill.reshape(1, -1, 1, 1)
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        """Change a batch ``(n, c, h, w)``; ``x`` itself stays as it is."""
        if "crop" in self.kinds or "flip" in self.kinds:
            x = self._moved(x)
        return self._cut(x) if "cutout" in self.kinds else x

    def _moved(self, x: Tensor) -> Tensor:
        """Crop and flip by one gather."""
        n, _, height, width = x.shape
        rows = torch.arange(height, device=x.device).expand(n, height)
        columns = torch.arange(width, device=x.device).expand(n, width)
        if "crop" in self.kinds:
            rows = _mirrored(rows + self._shifts(n, height, x.device), height)
            columns = _mirrored(columns + self._shifts(n, width, x.device), width)
        if "flip" in self.kinds:
            flip = self._draw(2, n, x.device) == 1
            columns = torch.where(flip, width - 1 - columns, columns)
        samples = torch.arange(n, device=x.device).view(n, 1, 1)
        # Indices apart from one another put the channels last, the layout that is fast anyway.
        return x[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    def _cut(self, x: Tensor) -> Tensor:
        inside = []
        for axis in (2, 3):
            length = x.shape[axis]
            place = torch.arange(length, device=x.device) - self._draw(length, len(x), x.device)
            side = max(1, round(CUTOUT * length))
            # A square of even side has its center between two pixels.
            inside.append((place >= -(side // 2)) & (place < side - side // 2))
        square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        self._fill = self._fill.to(x)  # once; from then on it is there
        return torch.where(square, self._fill, x)

    def _shifts(self, n: int, length: int, device: torch.device) -> Tensor:
        largest = int(CROP * length)
        return self._draw(2 * largest + 1, n, device) - largest

    def _draw(self, high: int, n: int, device: torch.device) -> Tensor:
        return sent(torch.randint(high, (n, 1), generator=self.generator), device)


def _mirrored(index: Tensor, length: int) -> Tensor:
    """Fold indices beyond either end back into ``0 .. length - 1``, the end itself not repeated."""
    index = index.abs()
    return torch.where(index < length, index, 2 * (length - 1) - index)
