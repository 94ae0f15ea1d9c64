"""Parameters and fitted attributes as JSON and tensors, and back: a short fixed list of types."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from robust_ts.defense.ledger import Ledger
from robust_ts.report import PoisonReport
from robust_ts.training import History

#: Records of fitted attributes: built from their fields, by name.
RECORDS: dict[str, Any] = {cls.__name__: cls for cls in (PoisonReport, Ledger)}

# Kinds of arrays that all versions of safetensors hold as tensors.
_TENSOR_DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")
_LISTED_DTYPE = re.compile(r"[<>|=]?[biufU]\d+")


class Writer:
    """Turn values into JSON; long arrays become tensors beside it."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors

    def encode(self, value: Any, where: str) -> Any:
        """Encode ``value``; ``where`` names it in errors."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list:
            return [self.encode(v, where) for v in value]
        if isinstance(value, np.ndarray):
            return self._encode_array(value, where)
        kind, plain = self._encode_object(value, where)
        return {"type": kind, "value": plain}

    def _encode_object(self, value: Any, where: str) -> tuple[str, Any]:
        if type(value) is tuple:
            return "tuple", self.encode(list(value), where)
        if type(value) is dict:
            return "dict", [[self.encode(x, where) for x in pair] for pair in value.items()]
        if isinstance(value, np.generic):
            return "scalar", _listed(np.asarray(value), where)
        if isinstance(value, torch.device):
            return "device", str(value)
        if type(value) is History:
            return "History", self.encode(list(value), where)
        if RECORDS.get(type(value).__name__) is type(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return type(value).__name__, self.encode(fields, where)
        raise ValueError(
            f"{where} holds a {type(value).__name__}, which a file of this kind cannot hold. "
            "Set it to a number, a text, or a list, tuple or dict of these before saving."
        )

    def _encode_array(self, value: np.ndarray, where: str) -> dict[str, Any]:
        if value.dtype.name in _TENSOR_DTYPES and value.dtype.isnative:
            name = f"array.{len(self.tensors)}"
            self.tensors[name] = torch.from_numpy(np.array(value, order="C"))
            return {"type": "tensor", "value": name}
        if value.dtype == object and value.ndim == 1:
            return {"type": "objects", "value": self.encode(list(value), where)}
        return {"type": "array", "value": _listed(value, where)}


def _listed(value: np.ndarray, where: str) -> list[Any]:
    """Dtype and values of an array as JSON."""
    if not _LISTED_DTYPE.fullmatch(value.dtype.str):
        raise ValueError(f"{where} has the dtype {value.dtype}, which cannot be saved.")
    return [value.dtype.str, value.tolist()]


class Reader:
    """Turn JSON back into values; nothing but what is named here can come of it."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors
        self.kinds: dict[str, Callable[[Any], Any]] = {
            "tuple": lambda v: tuple(self.decode(v)),
            "dict": lambda v: {self.decode(key): self.decode(x) for key, x in v},
            "scalar": lambda v: _unlisted(v)[()],
            "device": torch.device,
            "History": lambda v: History(self.decode(v)),
            "tensor": lambda v: self.tensors[v].numpy().copy(),
            "objects": self._objects,
            "array": _unlisted,
        }

    def decode(self, value: Any) -> Any:
        """Decode what `Writer` has encoded."""
        if isinstance(value, list):
            return [self.decode(v) for v in value]
        if not isinstance(value, dict):
            return value
        kind, plain = value["type"], value["value"]
        if kind in RECORDS:
            return RECORDS[kind](**self.decode(plain))
        return self.kinds[kind](plain)

    def _objects(self, values: list[Any]) -> np.ndarray:
        out = np.empty(len(values), dtype=object)
        out[:] = self.decode(values)
        return out


def _unlisted(given: list[Any]) -> np.ndarray:
    """Array from what `_listed` has made of it."""
    dtype, values = given
    if not _LISTED_DTYPE.fullmatch(dtype):
        raise ValueError(f"an array has the dtype {dtype!r}")
    return np.array(values, dtype=dtype)
