"""Save fitted classifiers and load them again, without pickle: loading a file runs no code.

A file is one in the safetensors format: tensors (the weights and long arrays), and in its
metadata one JSON text (everything else). What the JSON may name is a short fixed list.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from sklearn.utils.validation import check_is_fitted
from torch import nn

from robust_ts import __version__
from robust_ts._codec import Reader, Writer
from robust_ts.classifiers._base import BaseNeuralClassifier
from robust_ts.classifiers.names import BY_DEFENSE
from robust_ts.networks import TwoHeadNetwork
from robust_ts.training import isolated_rng

__all__ = ["load", "save"]

#: Number of the format that is written; raised when an older library could not read it.
FORMAT = 1
_KEY = "robust_ts"

_ESTIMATORS: dict[str, Any] = {cls.__name__: cls for cls in BY_DEFENSE.values()}


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save a fitted classifier of this library.

    Parameters
    ----------
    estimator : NeuralClassifier, ABLClassifier or E2ABLClassifier
        Fitted. Of a pipeline, save the classifier alone.
    path : path
        File to write, usually ``NAME.safetensors``. A file of that name is replaced once the new
        one is whole; if saving fails, it is left as it was.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator is of another class, or a parameter or attribute holds an object that
        the file cannot hold (the message names it).
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from robust_ts import NeuralClassifier
    >>> from robust_ts.io import load, save
    >>> X, y = np.random.default_rng(0).normal(size=(20, 1, 16)), np.repeat(["a", "b"], 10)
    >>> clf = NeuralClassifier("cnn", backbone_params={"filters": (4, 4, 4)}, epochs=2,
    ...                        random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> save(clf, path)
    >>> bool((load(path).predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    name = type(estimator).__name__
    if _ESTIMATORS.get(name) is not type(estimator):
        raise ValueError(
            f"save takes a fitted {', '.join(_ESTIMATORS)}, got {name}. Of a pipeline or a search, "
            "save the fitted classifier in it."
        )
    check_is_fitted(estimator)
    tensors = {
        f"network.{key}": _as_tensor(value, key)
        for key, value in estimator.network_.state_dict().items()
    }
    params = dict(estimator.get_params(deep=False))
    own = None
    if not isinstance(params["backbone"], str):
        kind = params["backbone"]
        own = getattr(kind, "__qualname__", type(kind).__qualname__)
        params["backbone"] = None
    attributes = {
        key: value
        for key, value in vars(estimator).items()
        if key.endswith("_") and not key.startswith("_") and key != "network_"
    }
    writer = Writer(tensors)
    content = {
        "format": FORMAT,
        "library": __version__,
        "estimator": name,
        "own_backbone": own,
        "two_heads": isinstance(estimator.network_, TwoHeadNetwork),
        "params": {key: writer.encode(value, key) for key, value in params.items()},
        "attributes": {key: writer.encode(value, key) for key, value in attributes.items()},
    }
    _write(Path(path), to_bytes(tensors, {_KEY: json.dumps(content)}))


def load(path: str | os.PathLike[str], *, backbone: Any = None) -> Any:
    """Load a classifier that `save` has written.

    Parameters
    ----------
    path : path
        The file.
    backbone : nn.Module, class or factory, default=None
        For a classifier that was fitted with a network of your own: that network again, as it was
        given to the classifier. A file cannot hold code, so it holds the weights alone.

    Returns
    -------
    NeuralClassifier, ABLClassifier or E2ABLClassifier
        Fitted; it predicts the same. It is on the device of fit where that is there, on the CPU
        elsewhere.

    Raises
    ------
    ValueError
        If the file was not written by `save`, is damaged or is of a newer format, or if
        `backbone` is missing, not needed or another network than the one saved.
    OSError
        If the file cannot be read.

    Notes
    -----
    Loading runs no code from the file, whoever wrote it. A hostile file can still hold wrong
    weights, or sizes that exhaust the memory.

    Examples
    --------
    See `save`.
    """
    content, tensors = _read(Path(path))
    try:
        estimator_class = _ESTIMATORS[content["estimator"]]
        own, two_heads = content["own_backbone"], content["two_heads"]
        reader = Reader(tensors)
        params = {key: reader.decode(value) for key, value in content["params"].items()}
        attributes = {key: reader.decode(value) for key, value in content["attributes"].items()}
        _check_attributes(attributes)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if (own is None) != (backbone is None):
        raise ValueError(
            f"{path} was saved with the backbone {params['backbone']!r}; leave backbone out."
            if own is None
            else f"{path} was saved with a network of the user's own, {own}, whose code the file "
            "does not hold. Pass it: load(path, backbone=...), as it was given to the classifier."
        )
    if own is not None:
        params["backbone"] = backbone
    try:
        estimator: BaseNeuralClassifier = estimator_class(**params)
    except TypeError as error:
        raise ValueError(
            f"{path} was saved by robust_ts {content.get('library')} with other parameters than "
            f"robust_ts {__version__} has: {error}."
        ) from error
    network = _rebuild(estimator, attributes, two_heads, tensors, path)
    estimator.__setstate__({**vars(estimator), **attributes, "network_": network})
    return estimator


def _rebuild(
    estimator: BaseNeuralClassifier,
    attributes: dict[str, Any],
    two_heads: bool,
    tensors: dict[str, torch.Tensor],
    path: Any,
) -> nn.Module:
    """Build the network anew and give it the weights of the file."""
    shape = attributes["input_shape_"]
    mean, scale = torch.zeros(shape[0]), torch.ones(shape[0])
    prefix = "network."
    weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    try:
        estimator._check_parameters()
        spec = estimator._network_spec(
            shape, len(attributes["classes_"]), attributes["unequal_length_"]
        )
        with isolated_rng(0, torch.device("cpu")):
            network = spec.main(mean, scale)
            if two_heads:
                network = TwoHeadNetwork(network, spec.shallow(mean, scale))
        network.load_state_dict(weights)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"The weights in {path} do not fit the network: {str(error)[:500]}. Either the file is "
            "damaged, or backbone is not the network that was saved."
        ) from error
    return network.eval()


def _check_attributes(attributes: dict[str, Any]) -> None:
    """Refuse what a fitted classifier cannot be made of."""
    odd = [key for key in attributes if not key.endswith("_") or key.startswith("_")]
    if odd:
        raise ValueError(f"{odd} are no fitted attributes")
    shape, classes = attributes["input_shape_"], attributes["classes_"]
    if not isinstance(shape, tuple) or not all(isinstance(s, int) and s > 0 for s in shape):
        raise ValueError(f"input_shape_ is {shape!r}")
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or len(classes) < 2:
        raise ValueError(f"classes_ is {classes!r}")
    if not isinstance(attributes["unequal_length_"], bool):
        raise ValueError(f"unequal_length_ is {attributes['unequal_length_']!r}")
    if not isinstance(attributes["device_"], torch.device):
        raise ValueError(f"device_ is {attributes['device_']!r}")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the JSON and the tensors of a file of this library."""
    with path.open("rb"):
        pass  # says in the usual way that a file is missing or unreadable
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no file of robust_ts.io.save, or is damaged: it is not in the safetensors "
            f"format ({error})."
        ) from error
    if _KEY not in metadata:
        raise ValueError(
            f"{path} is a safetensors file, but not one of robust_ts.io.save: its metadata lack "
            f"{_KEY!r}."
        )
    try:
        content = json.loads(metadata[_KEY])
        version = content["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(version, int) or version < 1:
        raise _damaged(path, f"format is {version!r}")
    if version > FORMAT:
        raise ValueError(
            f"{path} has format {version}, of robust_ts {content.get('library')}; robust_ts "
            f"{__version__} reads formats up to {FORMAT}. Install a newer robust_ts."
        )
    return content, tensors


def _damaged(path: Any, reason: str) -> ValueError:
    return ValueError(f"{path} is damaged ({reason}). Save the classifier again.")


def _write(path: Path, data: bytes) -> None:
    """Write a file at once or not at all."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _as_tensor(value: Any, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"The network's state {name!r} is no tensor and cannot be saved.")
    # A copy: tensors that share memory, as tied weights do, are refused by the format.
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
