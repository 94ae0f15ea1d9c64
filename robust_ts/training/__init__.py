"""Devices, seeding, the epoch loop and its history. Nothing here knows of backdoors."""

from robust_ts.training.augment import Augment, check_augment
from robust_ts.training.device import resolve_device, resolve_precision
from robust_ts.training.history import History
from robust_ts.training.loop import Schedule, Trainer, predict_batches
from robust_ts.training.samples import Samples, as_tensor
from robust_ts.training.seeding import derive_seeds, isolated_rng
from robust_ts.training.team import Team, current_team, one_process

__all__ = [
    "Augment",
    "History",
    "Samples",
    "Schedule",
    "Team",
    "Trainer",
    "as_tensor",
    "check_augment",
    "current_team",
    "derive_seeds",
    "isolated_rng",
    "one_process",
    "predict_batches",
    "resolve_device",
    "resolve_precision",
]
