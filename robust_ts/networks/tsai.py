"""Architectures of tsai as backbones, imported only when one is asked for."""

import difflib
import importlib
import pkgutil
from typing import Any

import torch

#: Shallow layers of tsai's best-known networks, and whether they give (n, time, channels).
TAPS: dict[str, tuple[str, bool]] = {
    "InceptionTime": ("inceptionblock.inception.0", False),
    "InceptionTimePlus": ("backbone.inceptionblock.inception.0", False),
    "ResNet": ("resblock1", False),
    "ResNetPlus": ("backbone.resblock1", False),
    "FCN": ("convblock1", False),
    "FCNPlus": ("backbone.convblock1", False),
    "XceptionTime": ("block.xception.0", False),
    "TST": ("encoder.layers.0", True),
}


def _mend_torchvision() -> None:
    """Declare two operators that torchvision needs where it has no compiled extension.

    Beside a CPU build of torch the published torchvision cannot load its operators and its
    import raises, which would take most of tsai with it.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEEP.append(library)  # the declaration lasts only as long as this object
        importlib.import_module("torchvision")
    except ImportError:
        return


_KEEP: list[Any] = []


def find_architecture(name: str) -> Any:
    """Return the tsai class called ``name``.

    Raises
    ------
    ImportError
        If tsai is not installed.
    ValueError
        If tsai has no architecture of that name; the message lists the nearest.
    """
    try:
        import tsai.models as models
    except ImportError as error:
        raise ImportError(
            f"backbone='tsai:{name}' needs tsai: pip install 'robust_ts[tsai]'."
        ) from error
    _mend_torchvision()
    modules = [m.name for m in pkgutil.iter_modules(models.__path__)]
    # Most architectures live in a module of their own name, variants in their parent's.
    likely = [m for m in (name, name.removesuffix("Plus") + "Plus") if m in modules]
    likely += [m for m in modules if m not in likely and name.lower().startswith(m.lower()[:4])]
    for candidate in likely:
        found = getattr(importlib.import_module(f"tsai.models.{candidate}"), name, None)
        if isinstance(found, type):
            return found
    near = difflib.get_close_matches(name, modules, n=3, cutoff=0.3)
    raise ValueError(f"tsai has no architecture {name!r}; the nearest names are {near}.")
