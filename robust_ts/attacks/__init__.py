"""Backdoor attacks on time series: the triggers, and `poison` to plant one in a training set."""

from robust_ts.attacks._base import Trigger
from robust_ts.attacks.additive import BlendTrigger, NoiseTrigger, PowerlineTrigger, SineTrigger
from robust_ts.attacks.patches import ConstantPatchTrigger, PatchTrigger
from robust_ts.attacks.poisoning import PoisonedData, poison
from robust_ts.attacks.registry import TRIGGERS, make_trigger
from robust_ts.attacks.sample_specific import FilterTrigger, FrequencyTrigger, WarpTrigger

__all__ = [
    "TRIGGERS",
    "BlendTrigger",
    "ConstantPatchTrigger",
    "FilterTrigger",
    "FrequencyTrigger",
    "NoiseTrigger",
    "PatchTrigger",
    "PoisonedData",
    "PowerlineTrigger",
    "SineTrigger",
    "Trigger",
    "WarpTrigger",
    "make_trigger",
    "poison",
]
