"""Architectures of tsai as backbones, imported only when one is asked for."""

import difflib
import importlib
import re
from pathlib import Path
from typing import Any

import torch

#: Shallow layers of tsai's best-known networks, and whether they give (n, time, channels).
TAPS: dict[str, tuple[str, bool]] = {
    "InceptionTime": ("inceptionblock.inception.0", False),
    "InceptionTimePlus": ("backbone.0.inception.0", False),
    "ResNet": ("resblock1", False),
    "ResNetPlus": ("backbone.0", False),
    "FCN": ("convblock1", False),
    "FCNPlus": ("backbone.convblock1", False),
    "XceptionTime": ("block.xception.0", False),
    "XceptionTimePlus": ("backbone.xception.0", False),
    "LSTM_FCN": ("convblock1", False),
    "GRU_FCN": ("convblock1", False),
    "MLSTM_FCN": ("convblock1", False),
    "TST": ("encoder.layers.0", True),
    "TSTPlus": ("backbone.encoder.layers.0", True),
    "TSiTPlus": ("backbone.encoder.encoder.0", True),
}

#: Files of ``tsai.models`` that hold parts and tools.
_NOT_ARCHITECTURES = {
    "all",
    "explainability",
    "layers",
    "misc",
    "multimodal",
    "positional_encoders",
    "utils",
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
    """Return the tsai class or factory called ``name``.

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
            f"backbone='tsai:{name}' needs tsai: pip install \".[tsai]\" in the clone of robust_ts."
        ) from error
    _mend_torchvision()
    homes = _architectures(models.__path__[0])
    if name not in homes:
        near = difflib.get_close_matches(name, homes, n=3, cutoff=0.3)
        raise ValueError(f"tsai has no architecture {name!r}; the nearest names are {near}.")
    return getattr(importlib.import_module(f"tsai.models.{homes[name]}"), name)


def _architectures(folder: str) -> dict[str, str]:
    """Map what tsai's model files export to their modules; read, for imports take seconds."""
    homes: dict[str, str] = {}
    for path in sorted(Path(folder).glob("*.py")):
        if path.stem in _NOT_ARCHITECTURES:
            continue
        exported = re.search(r"__all__ = \[(.*?)\]", path.read_text(encoding="utf-8"), re.DOTALL)
        if exported:
            homes.update(dict.fromkeys(re.findall(r"\w+", exported[1]), path.stem))
    return homes
