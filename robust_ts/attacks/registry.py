"""The triggers by name, as the benchmark grid and the command line call them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from robust_ts.attacks._base import BaseTrigger, RandomState, Trigger
from robust_ts.attacks.additive import BlendTrigger, NoiseTrigger, PowerlineTrigger, SineTrigger
from robust_ts.attacks.images import (
    BadNetsTrigger,
    ImageBlendTrigger,
    ImageSineTrigger,
    ImageTrigger,
    InputAwareTrigger,
    LabelConsistentTrigger,
    WaNetTrigger,
    WatermarkTrigger,
)
from robust_ts.attacks.patches import ConstantPatchTrigger, PatchTrigger
from robust_ts.attacks.sample_specific import FilterTrigger, FrequencyTrigger, WarpTrigger

# For series. Name -> class; the first six are the public grid, in its order.
TRIGGERS: dict[str, type[Trigger]] = {
    "patch": PatchTrigger,
    "midpatch": ConstantPatchTrigger,
    "sine": SineTrigger,
    "noise": NoiseTrigger,
    "powerline": PowerlineTrigger,
    "blend": BlendTrigger,
    "warp": WarpTrigger,
    "filter": FilterTrigger,
    "frequency": FrequencyTrigger,
}


# For images. Name -> class, or a class with some parameters set.
IMAGE_TRIGGERS: dict[str, Callable[..., ImageTrigger]] = {
    "badnets": BadNetsTrigger,
    "checkerboard": partial(BadNetsTrigger, pattern="checkerboard"),
    "image_blend": ImageBlendTrigger,
    "image_sine": ImageSineTrigger,
    "watermark": WatermarkTrigger,
    "wanet": WaNetTrigger,
    "input_aware": InputAwareTrigger,
    "label_consistent": LabelConsistentTrigger,
}


def make_trigger(name: str, random_state: RandomState = None) -> BaseTrigger:
    """Return a new, unfitted trigger by its name, with its default parameters.

    Parameters
    ----------
    name : str
        For series one of ``TRIGGERS``: the six of the public grid ("patch", "midpatch", "sine",
        "noise", "powerline", "blend"), "warp", "filter" or "frequency". For images one of
        ``IMAGE_TRIGGERS``: "badnets", "checkerboard", "image_blend", "image_sine", "watermark",
        "wanet", "input_aware" or "label_consistent".
    random_state : int, RandomState instance or None, default=None
        Seed of what the trigger draws; some draw nothing.

    Returns
    -------
    trigger : Trigger or ImageTrigger
        An unfitted trigger; change its parameters with ``set_params``.

    Raises
    ------
    ValueError
        If there is no trigger of that name. The message lists the nearest names.

    Examples
    --------
    >>> from robust_ts.attacks import make_trigger
    >>> make_trigger("noise", random_state=0).set_params(channels=[1])
    NoiseTrigger(channels=[1], random_state=0)
    """
    known: dict[str, Callable[..., BaseTrigger]] = {**TRIGGERS, **IMAGE_TRIGGERS}
    if name not in known:
        near = get_close_matches(str(name).lower(), known, n=3)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(
            f"make_trigger: there is no trigger {name!r}. {hint}The names are: {', '.join(known)}."
        )
    return known[name](random_state=random_state)
