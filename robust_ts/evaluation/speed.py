"""What the library costs in time: pairs measured in turn in one process, ratios reported."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from robust_ts.evaluation.tables import markdown_table
from robust_ts.networks import NetworkSpec
from robust_ts.training import Schedule, Trainer
from robust_ts.training.loop import n_batches


def paired_ratio(
    ours: Callable[[], object], reference: Callable[[], object], n_pairs: int = 5
) -> dict[str, float]:
    """Time two calls in turn, A B A B, after one unmeasured run of each.

    Parameters
    ----------
    ours, reference : callable
        The work to compare.
    n_pairs : int, default=5
        Number of measured pairs.

    Returns
    -------
    dict of str to float
        ``seconds`` and ``reference_seconds`` (medians), and ``ratio``, ``ratio_min``,
        ``ratio_max`` over the pairs.
    """
    ours()
    reference()
    pairs = np.array([[_seconds(ours), _seconds(reference)] for _ in range(n_pairs)])
    ratios = pairs[:, 0] / pairs[:, 1]
    return {
        "seconds": float(np.median(pairs[:, 0])),
        "reference_seconds": float(np.median(pairs[:, 1])),
        "ratio": float(np.median(ratios)),
        "ratio_min": float(ratios.min()),
        "ratio_max": float(ratios.max()),
    }


def speed_table(backbones: Sequence[str] = ("cnn", "inception", "resnet")) -> str:
    """Measure the overhead of the training loop for each backbone, as a Markdown table."""
    rows = [loop_overhead(backbone) for backbone in backbones]
    return markdown_table(
        [
            {
                "backbone": row["backbone"],
                "ours, s": f"{row['seconds']:.2f}",
                "bare torch loop, s": f"{row['reference_seconds']:.2f}",
                "ratio": f"{row['ratio']:.3f}",
                "spread": f"{row['ratio_min']:.3f} .. {row['ratio_max']:.3f}",
            }
            for row in rows
        ]
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def loop_overhead(
    backbone: str, shape: tuple[int, int, int] = (1024, 6, 100), n_pairs: int = 5
) -> dict[str, Any]:
    """Compare our training loop with a bare torch loop over the same network and batches.

    Parameters
    ----------
    backbone : str
        Name of a built-in backbone.
    shape : tuple of int, default=(1024, 6, 100)
        ``(n_samples, n_channels, n_timesteps)`` of the generated series.
    n_pairs : int, default=5
        Measured pairs of one epoch each.

    Returns
    -------
    dict
        The result of :func:`paired_ratio` with the name of the backbone.
    """
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(shape, generator=generator)
    y = torch.randint(5, (shape[0],), generator=generator)
    spec = NetworkSpec(backbone, shape[1], 5, (shape[2],))
    zeros, ones = torch.zeros(shape[1]), torch.ones(shape[1])
    schedule = Schedule(10_000, 64, 1e-3, 1e-4)
    trainer = Trainer(
        spec.main(zeros, ones), X, y, schedule, generator=generator, device=torch.device("cpu")
    )
    bare = _bare_epoch(spec.main(zeros, ones), X, y, schedule.batch_size)
    result = paired_ratio(lambda: trainer.run(len(trainer.records) + 1), bare, n_pairs)
    return {"backbone": backbone, **result}


def _bare_epoch(
    network: torch.nn.Module, X: torch.Tensor, y: torch.Tensor, batch_size: int
) -> Callable[[], None]:
    """Give the shortest epoch one can write by hand, with the same batches and optimizer."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)

    def epoch() -> None:
        network.train()
        for index in torch.randperm(len(X)).tensor_split(n_batches(len(X), batch_size)):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(X[index]), y[index]).backward()
            optimizer.step()

    return epoch
