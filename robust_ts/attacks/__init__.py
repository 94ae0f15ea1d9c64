"""Backdoor attacks on time series and images: the triggers, and `poison` to plant one."""

from robust_ts.attacks._base import Trigger
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
from robust_ts.attacks.poisoning import PoisonedData, poison
from robust_ts.attacks.registry import IMAGE_TRIGGERS, TRIGGERS, make_trigger
from robust_ts.attacks.sample_specific import FilterTrigger, FrequencyTrigger, WarpTrigger

__all__ = [
    "IMAGE_TRIGGERS",
    "TRIGGERS",
    "BadNetsTrigger",
    "BlendTrigger",
    "ConstantPatchTrigger",
    "FilterTrigger",
    "FrequencyTrigger",
    "ImageBlendTrigger",
    "ImageSineTrigger",
    "ImageTrigger",
    "InputAwareTrigger",
    "LabelConsistentTrigger",
    "NoiseTrigger",
    "PatchTrigger",
    "PoisonedData",
    "PowerlineTrigger",
    "SineTrigger",
    "Trigger",
    "WaNetTrigger",
    "WarpTrigger",
    "WatermarkTrigger",
    "make_trigger",
    "poison",
]
