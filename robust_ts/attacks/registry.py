"""The triggers by name, as the benchmark grid and the command line call them."""

from __future__ import annotations

from difflib import get_close_matches

from robust_ts.attacks._base import RandomState, Trigger
from robust_ts.attacks.additive import BlendTrigger, NoiseTrigger, PowerlineTrigger, SineTrigger
from robust_ts.attacks.patches import ConstantPatchTrigger, PatchTrigger
from robust_ts.attacks.sample_specific import FilterTrigger, FrequencyTrigger, WarpTrigger

# Name -> class; the first six are the public grid, in its order.
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


def make_trigger(name: str, random_state: RandomState = None) -> Trigger:
    """Return a new, unfitted trigger by its name, with its default parameters.

    Parameters
    ----------
    name : str
        One of ``TRIGGERS``: the six of the public grid ("patch", "midpatch", "sine", "noise",
        "powerline", "blend"), "warp", "filter" or "frequency".
    random_state : int, RandomState instance or None, default=None
        Seed of what the trigger draws; "sine" and "powerline" draw nothing.

    Returns
    -------
    trigger : Trigger
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
    if name not in TRIGGERS:
        near = get_close_matches(str(name).lower(), TRIGGERS, n=3)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(
            f"make_trigger: there is no trigger {name!r}. {hint}The names are: "
            f"{', '.join(TRIGGERS)}."
        )
    return TRIGGERS[name](random_state=random_state)
