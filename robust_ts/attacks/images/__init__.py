"""Backdoor triggers on images, one family a file."""

from robust_ts.attacks.images._base import ImageTrigger
from robust_ts.attacks.images.deforming import InputAwareTrigger, WaNetTrigger
from robust_ts.attacks.images.label_consistent import LabelConsistentTrigger
from robust_ts.attacks.images.patterns import (
    BadNetsTrigger,
    ImageBlendTrigger,
    ImageSineTrigger,
    WatermarkTrigger,
)

__all__ = [
    "BadNetsTrigger",
    "ImageBlendTrigger",
    "ImageSineTrigger",
    "ImageTrigger",
    "InputAwareTrigger",
    "LabelConsistentTrigger",
    "WaNetTrigger",
    "WatermarkTrigger",
]
