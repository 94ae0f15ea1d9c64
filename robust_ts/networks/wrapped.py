"""Any ``nn.Module`` as a backbone: cloned, tapped at a shallow layer, never trained in place."""

import contextlib
import copy
import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class _Reached(Exception):
    """Raised by the tap to stop a forward pass once the shallow features are there."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


def make_module(
    source: Any, n_channels: int, n_classes: int, space: Sequence[int], params: dict[str, Any]
) -> nn.Module:
    """Build a module from an instance (cloned), a class or a factory.

    A class or factory is called as ``f(n_channels, n_classes, n_timesteps)``, for images with
    ``(height, width)`` in place of the last, or with the keywords ``c_in``, ``c_out``,
    ``seq_len`` where it has these (the convention of tsai).
    """
    if isinstance(source, nn.Module):
        if params:
            raise ValueError(
                "backbone_params has no effect on a module instance; pass a class or a factory."
            )
        return copy.deepcopy(source).cpu()  # tried there; the trainer moves it
    length = space[0] if len(space) == 1 else tuple(space)
    names = inspect.signature(source).parameters
    if "c_in" in names and "c_out" in names:
        keywords: dict[str, Any] = {"c_in": n_channels, "c_out": n_classes}
        if "seq_len" in names:
            keywords["seq_len"] = length
        build = functools.partial(source, **keywords)
    else:
        build = functools.partial(source, n_channels, n_classes, length)
    try:
        # Only the call is checked: what goes wrong inside is the factory's own error.
        inspect.signature(build).bind(**params)
    except TypeError as error:
        raise ValueError(
            f"The backbone factory {source!r} could not be called with backbone_params={params!r}: "
            f"{error}."
        ) from None
    module = build(**params)
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"The backbone factory {source!r} must return an nn.Module, got "
            f"{type(module).__name__}."
        )
    return module.cpu()


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate without gradients; each submodule's own mode is restored afterwards."""
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m, mode in modes.items():
            m.training = mode


def _example(n_channels: int, space: Sequence[int]) -> Tensor:
    """Two deterministic samples for a dry run."""
    return torch.linspace(-1, 1, 2 * n_channels * _product(space)).view(2, n_channels, *space)


def _product(sizes: Sequence[int]) -> int:
    return int(torch.Size(sizes).numel())


def check_output(module: nn.Module, n_channels: int, n_classes: int, space: Sequence[int]) -> None:
    """Raise a readable error unless ``module`` maps two samples to ``(2, n_classes)`` logits."""
    with _evaluating(module):
        try:
            out = module(_example(n_channels, space))
        except Exception as error:
            raise ValueError(
                f"The backbone {type(module).__name__} failed on input of shape "
                f"{(2, n_channels, *space)}: {error}"
            ) from error
    if not isinstance(out, Tensor) or out.shape != (2, n_classes):
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(
            f"The backbone {type(module).__name__} must map (n, {n_channels}, "
            f"{', '.join(map(str, space))}) to logits (n, {n_classes}); for n=2 it gave {got}."
        )


def choose_tap(module: nn.Module, n_channels: int, space: Sequence[int]) -> str:
    """Name the first composite layer that has seen all computation before it.

    Modules are watched in the order in which they finish. The first one that has children,
    keeps at least one axis besides batch and channels and contains every leaf that ran so far
    is a whole first block; a later branch of it does not qualify (a first branch that is itself
    composite does: name the tap then). A flat list of leaves has no such block: then it is the
    first leaf after the first weights, one that gives vectors where no layer keeps an axis
    besides batch and channels.
    """
    finished: list[tuple[str, nn.Module, Any]] = []
    handles = [
        m.register_forward_hook(lambda m, a, out, name=name: finished.append((name, m, out)))
        for name, m in module.named_modules()
        if name
    ]
    try:
        with _evaluating(module):
            module(_example(n_channels, space))
    finally:
        for handle in handles:
            handle.remove()
    counts: dict[str, int] = {}
    for name, _, _ in finished:
        counts[name] = counts.get(name, 0) + 1
    ran: set[nn.Module] = set()
    fallback: str | None = None
    vector: str | None = None
    seen_weights = False
    for name, m, out in finished:
        is_leaf = next(m.children(), None) is None
        once = isinstance(out, Tensor) and counts[name] == 1
        usable = once and out.ndim >= 3
        if is_leaf:
            ran.add(m)
            if usable and seen_weights:
                fallback = fallback or name
            elif once and out.ndim == 2 and seen_weights:
                vector = vector or name
            seen_weights |= any(True for _ in m.parameters(recurse=False))
        elif usable and seen_weights and ran <= set(m.modules()):
            return name
    chosen = fallback or vector
    if chosen is None:
        raise ValueError(
            f"No layer of {type(module).__name__} gives a feature map to tap; name one with "
            "backbone_tap (a name from module.named_modules())."
        )
    return chosen


def _feature_map(output: Any) -> Any:
    """First tensor that a layer gave; a vector counts as a feature map of length one."""
    first = output[0] if isinstance(output, tuple) else output
    return first.unsqueeze(-1) if isinstance(first, Tensor) and first.ndim == 2 else first


class TappedBody(nn.Module):
    """The computation of ``module`` up to and including the layer ``tap``.

    Parameters
    ----------
    scale : nn.Module
        Standardization of raw input.
    module : nn.Module
        The whole network.
    tap : str
        A name from ``module.named_modules()``.
    time_first : bool, default=False
        True where the tapped layer gives ``(n, time, channels)``.
    """

    def __init__(
        self, scale: nn.Module, module: nn.Module, tap: str, *, time_first: bool = False
    ) -> None:
        super().__init__()
        self.scale, self.module = scale, module
        self.tap, self.time_first = tap, time_first

    def forward(self, x: Tensor) -> Tensor:
        """Shallow feature map ``(n, c, *space)`` of raw input."""
        return self.module_features(self.scale(x))

    def module_features(self, x: Tensor) -> Tensor:
        """Shallow feature map of standardized input."""

        def stop(_module: nn.Module, _args: Any, output: Any) -> None:
            raise _Reached(_feature_map(output))

        handle = self.module.get_submodule(self.tap).register_forward_hook(stop)
        try:
            self.module(x)
        except _Reached as reached:
            features = reached.features
            return features.transpose(1, 2) if self.time_first else features
        finally:
            handle.remove()
        raise RuntimeError(f"The tapped layer {self.tap!r} did not run.")


class WrappedNetwork(nn.Module):
    """Standardization and a whole user network; ``forward`` gives its logits."""

    def __init__(self, scale: nn.Module, module: nn.Module) -> None:
        super().__init__()
        self.scale, self.module = scale, module

    def forward(self, x: Tensor) -> Tensor:
        """Map raw input ``(n, c, *space)`` to logits ``(n, n_classes)``."""
        return self.module(self.scale(x))


def check_tap(module: nn.Module, n_channels: int, space: Sequence[int], tap: str | None) -> str:
    """Name the tapped layer: ``tap`` if it exists in ``module``, a chosen one if None.

    Raises
    ------
    ValueError
        If ``tap`` is no layer of ``module``.
    """
    if tap is None:
        return choose_tap(module, n_channels, space)
    known = [name for name, _ in module.named_modules() if name]
    if tap not in known:
        raise ValueError(
            f"backbone_tap={tap!r} is no layer of {type(module).__name__}; its layers begin with "
            f"{known[:12]}."
        )
    return tap


def tap_width(body: TappedBody, n_channels: int, space: Sequence[int]) -> int:
    """Count the channels that ``body`` gives.

    Raises
    ------
    ValueError
        If the tapped layer gives no feature map.
    """
    with _evaluating(body):
        features = body.module_features(_example(n_channels, space))
    if not isinstance(features, Tensor) or features.ndim < 3:
        raise ValueError(
            f"The layer {body.tap!r} gives no feature map (n, channels, time); tap another one."
        )
    return int(features.shape[1])
