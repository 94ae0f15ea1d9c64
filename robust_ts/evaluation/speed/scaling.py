"""How the cost of each stage of the defense grows with the number and the length of series."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from robust_ts import E2ABLClassifier
from robust_ts.attacks import PatchTrigger, poison
from robust_ts.classifiers._lesson import Lesson
from robust_ts.classifiers.e2abl import _propose, _report
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.evaluation.plots import _new_figure
from robust_ts.evaluation.speed.timing import Settings, seconds_of
from robust_ts.evaluation.tables import markdown_table

#: Stages in the order in which a fit runs them.
STAGES = ("trap epoch", "main epoch", "scout epoch", "proposals", "lesson", "report")
#: Sizes of the two sweeps.
NUMBERS = {"quick": (60, 120), "whole": (1000, 3000, 10_000, 30_000, 100_000)}
LENGTHS = {"quick": (16, 32), "whole": (32, 128, 512, 1024, 2048, 4096)}

_LENGTH, _SAMPLES, _CLASSES, _BACKBONE = 64, 1000, 5, "cnn"


def generate(n_samples: int, n_timesteps: int) -> tuple[np.ndarray, np.ndarray]:
    """Make noisy waves of one frequency a class, of any phase, a tenth of them poisoned.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, n_timesteps), float32
        Series.
    y : ndarray of shape (n_samples,)
        Labels.
    """
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % _CLASSES
    angle = (y[:, None] + 1) * np.linspace(0, 1, n_timesteps) + rng.random((n_samples, 1))
    noise = rng.normal(scale=0.5, size=(n_samples, n_timesteps))
    X = (np.sin(2 * np.pi * angle) + noise).astype(np.float32)[:, None]
    trigger = PatchTrigger(random_state=0)
    poisoned = poison(X, y, trigger, target=0, rate=0.1, mode="dirty", random_state=0)
    return poisoned.X, poisoned.y


def stage_seconds(X: np.ndarray, y: np.ndarray, device: torch.device) -> dict[str, float]:
    """Time each stage of one fit."""
    classifier = E2ABLClassifier(_BACKBONE, device=device, precision="float32", random_state=0)
    job, constants = classifier._prepare(X, y), DefenseConstants()
    generator = torch.Generator().manual_seed(0)
    trap = job.trainer(job.spec.shallow(job.mean, job.scale), generator)
    main, scouting = job.main_trainer(generator), job.of_scout(constants)
    scout = scouting.main_trainer(generator)
    proposals: list[Proposal] = []
    works: dict[str, Callable[[], object]] = {
        "trap epoch": lambda: trap.run(1),
        "main epoch": lambda: main.run(1),
        "scout epoch": lambda: scout.run(1),
        "proposals": lambda: proposals.extend(_propose(scouting, scout, 0, constants)),
        "lesson": lambda: Lesson.of(scouting, scout, proposals, 0, constants),
        "report": lambda: _report(job, main, proposals, constants),
    }
    return {stage: seconds_of(works[stage], device) for stage in STAGES}


def slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Fit the exponent of a cost: 1 is linear, less is a fixed part that still shows.

    Parameters
    ----------
    sizes, seconds : sequence of float
        At least two of each.

    Returns
    -------
    float
        Slope of the least-squares line through the logarithms; nan for a single size.
    """
    if len(sizes) < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def grow(
    sizes: Sequence[int], cost: Callable[[int], dict[str, float]], limit: float
) -> tuple[dict[int, dict[str, float]], str]:
    """Measure a cost at growing sizes, as far as the time allows.

    Parameters
    ----------
    sizes : sequence of int
        Ascending.
    cost : callable
        Gives the seconds of each stage at a size.
    limit : float
        Seconds. A size but the first is left out if, from the one before and linear growth, it
        would not end before.

    Returns
    -------
    measured : dict of int to dict
        What ``cost`` gave, by size.
    note : str
        What was left out and why; empty where nothing was.
    """
    start, last = time.perf_counter(), 0.0
    measured: dict[int, dict[str, float]] = {}
    for position, size in enumerate(sizes):
        expected = last * size / sizes[position - 1] if position else 0.0
        if position and time.perf_counter() - start + expected > limit:
            left = ", ".join(map(str, sizes[position:]))
            note = f"Left out: {left} ({size}: about {expected:.0f} s, all: {limit:.0f} s at most)."
            return measured, note
        begin = time.perf_counter()
        measured[size] = cost(size)
        last = time.perf_counter() - begin
    return measured, ""


def table(settings: Settings) -> str:
    """Measure all stages against the number and the length of series; draw them if asked to."""
    kind = "quick" if settings.quick else "whole"
    numbers, lengths = settings.sizes or NUMBERS[kind], LENGTHS[kind]
    fixed = min(_SAMPLES, max(numbers))
    stage_seconds(*generate(min(60, fixed), 16), settings.device)  # warm up
    # The limit is that of one comparison of the other tables; these are two sweeps of stages.
    limit = max(0.0, min(15 * settings.limit, settings.end - time.perf_counter()))
    sweeps = {
        f"n, T = {_LENGTH}": grow(
            numbers, lambda n: stage_seconds(*generate(n, _LENGTH), settings.device), 0.7 * limit
        ),
        f"T, n = {fixed}": grow(
            lengths, lambda t: stage_seconds(*generate(fixed, t), settings.device), 0.3 * limit
        ),
    }
    if settings.figure:
        draw({name: measured for name, (measured, _) in sweeps.items()}, settings.figure)
    parts = [
        f"Generated series (waves with noise, one channel, {_CLASSES} classes, a tenth poisoned); "
        f"backbone {_BACKBONE}; seconds of one run"
    ]
    for name, (measured, note) in sweeps.items():
        parts.append("\n\n".join(filter(None, [growth_table(name, measured), note])))
    return "\n\n".join(parts)


def growth_table(name: str, measured: dict[int, dict[str, float]]) -> str:
    """Show seconds by size, then the slope over all sizes and between the last two."""
    rows: list[dict[str, Any]] = [
        {name: f"{size:,}", **{c: f"{cost[c]:.3g}" for c in STAGES}}
        for size, cost in measured.items()
    ]
    sizes = list(measured)
    for label, part in (("slope", sizes), ("slope, last two", sizes[-2:])):
        slopes = {c: f"{slope(part, [measured[s][c] for s in part]):.2f}" for c in STAGES}
        rows.append({name: label, **slopes})
    return markdown_table(rows)


def draw(sweeps: dict[str, dict[int, dict[str, float]]], path: str) -> None:
    """Draw seconds against size, both logarithmic, one panel a sweep."""
    figure, axes = _new_figure(9, 3.8, columns=len(sweeps))
    for ax, (name, measured) in zip(axes, sweeps.items(), strict=True):
        sizes = list(measured)
        for stage, marker in zip(STAGES, "osv^Dx", strict=True):
            seconds = [measured[size][stage] for size in sizes]
            ax.loglog(
                sizes, seconds, marker=marker, label=f"{stage} (slope {slope(sizes, seconds):.2f})"
            )
        first = [measured[sizes[0]][stage] for stage in STAGES]
        low = min(first)
        ax.loglog(sizes, [low * s / sizes[0] for s in sizes], "k:", label="linear")
        ax.set(xlabel=f"{name} (generated series)", ylabel="seconds")
        ax.set_ylim(top=20 * ax.get_ylim()[1])  # room for the legend
        ax.legend(frameon=False, fontsize="x-small", loc="upper left")
    figure.savefig(path, dpi=150)
