"""Where the time of a network goes: the share inside convolutions bounds what a loop can gain."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from robust_ts.evaluation.speed.loop import bare_epoch, bare_prediction, build, data_for
from robust_ts.evaluation.speed.timing import Settings, page

#: Parts of the names of torch's operators, first match first; what remains is "other".
KINDS = {
    "convolution": ("conv",),
    "normalization": ("norm",),
    "pooling": ("pool",),
    "activation": ("clamp_min", "threshold", "relu"),
    "copies": ("copy_", "cat", "fill", "index", "pad", "contiguous", "zero_"),
    "optimizer": ("adam", "Optimizer"),
}


def kind_of(operator: str) -> str:
    """Sort an operator of torch by its name."""
    return next((k for k, names in KINDS.items() if any(n in operator for n in names)), "other")


def table(settings: Settings) -> str:
    """Measure the share of each kind of operator in training and prediction, per backbone."""
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    for backbone in settings.affordable(settings.backbones, notes):
        data = data_for(backbone, settings)
        network = build(backbone, data, settings.device)
        works = {
            "training": bare_epoch(network, *data.tensors(settings.device)),
            "prediction": bare_prediction(network, data, settings.device),
        }
        for work, call in works.items():
            row = {"samples": data.name, "backbone": backbone, "work": work}
            rows.append({**row, **shares(call, settings.device)})
    return page("Percent of the time in operators, each without what it calls", rows, notes)


def shares(work: Any, device: torch.device) -> dict[str, float]:
    """Run some work twice and profile the second run.

    Returns
    -------
    dict of str to float
        Percent of the time of all operators, for each of `KINDS` and ``"other"``.
    """
    work()
    on_card = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]
    with profile(activities=activities) as recorded:
        work()
    spent = dict.fromkeys([*KINDS, "other"], 0.0)
    for event in recorded.key_averages():
        if on_card and event.device_type != torch.autograd.DeviceType.CPU:
            continue  # the kernels themselves: their time is also that of the operator
        own = event.self_device_time_total if on_card else event.self_cpu_time_total
        spent[kind_of(event.key)] += own
    total = sum(spent.values())
    return {name: 100 * value / total for name, value in spent.items()}
