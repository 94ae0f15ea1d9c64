"""Where to compute and in which precision."""

from typing import Any

import torch
from torch import Tensor


def resolve_device(device: Any) -> torch.device:
    """Turn the ``device`` parameter into a device that is there.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    ValueError
        If the device has no such name or is not present on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here ({str(error).splitlines()[0]}); "
            "use 'auto', 'cpu', 'cuda' or 'mps'."
        ) from None
    return resolved


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Turn the ``precision`` parameter into the dtype of the forward pass.

    Parameters
    ----------
    precision : {"auto", "float32", "bf16"}
        ``"auto"`` is bf16 on CUDA cards that have it, float32 elsewhere.
    device : torch.device
        The resolved device.

    Raises
    ------
    ValueError
        If ``precision`` is none of these.
    """
    if precision not in ("auto", "float32", "bf16"):
        raise ValueError(f"precision must be 'auto', 'float32' or 'bf16', got {precision!r}.")
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if precision == "bf16" or (precision == "auto" and has_bf16):
        return torch.bfloat16
    return torch.float32


def pinned(values: Tensor, device: torch.device) -> Tensor:
    """Put CPU values where a card can fetch them by itself; elsewhere they stay as they are."""
    return values.pin_memory() if device.type == "cuda" else values


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Send CPU values to a device without waiting for it to have done what it was given."""
    return pinned(values, device).to(device, non_blocking=True)
