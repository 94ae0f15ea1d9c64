"""Clocks, settings and data that all tables of speed share."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch

from robust_ts.datasets import DatasetNotFoundError, load_dataset
from robust_ts.evaluation.tables import markdown_table
from robust_ts.training import as_tensor

#: Sets that the networks are timed on, by axes of space: the first that is there. The last one of
#: each is bundled, in sktime and in scikit-learn.
SETS = {1: ("SpSwHAR_phone", "JapaneseVowels"), 2: ("CIFAR10", "digits")}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Settings:
    """What the tables of speed are to measure, and for how long.

    Parameters
    ----------
    device : torch.device
        Where both sides compute.
    quick : bool, default=False
        Tiny sizes that only show that everything runs.
    n_pairs : int, default=5
        Most measured pairs of a comparison.
    limit : float, default=60
        Seconds after which a comparison ends with the pairs it has, at least one.
    backbones : tuple of str
        Networks to measure, of series or of images.
    datasets : tuple of str
        Real sets on which the cost of the defense is measured.
    sizes : tuple of int, optional
        Numbers of series for the growth of the cost; by ``quick`` where None.
    figure : str, optional
        File for the picture of the growth of the cost.
    end : float, default=inf
        Reading of ``time.perf_counter`` after which nothing further is begun.
    """

    device: torch.device
    quick: bool = False
    n_pairs: int = 5
    limit: float = 60.0
    backbones: tuple[str, ...] = ("cnn", "inception", "resnet")
    datasets: tuple[str, ...] = ("JapaneseVowels", "SwedishLeaf")
    sizes: tuple[int, ...] | None = None
    figure: str | None = None
    end: float = float("inf")

    def affordable(self, items: Iterable[_T], left_out: list[str]) -> Iterator[_T]:
        """Give items as long as there is time, and note those that are left out."""
        for item in items:
            if time.perf_counter() < self.end:
                yield item
            else:
                name = item if isinstance(item, str) else ", ".join(map(str, cast(Any, item)))
                left_out.append(f"- left out, the time was up: {name}")


@dataclass(frozen=True)
class RealData:
    """Real samples, repeated up to the wanted number: their values do not change the time."""

    name: str
    X: np.ndarray
    y: np.ndarray

    @classmethod
    def load(cls, n_samples: int, longest: int | None = None, space_axes: int = 1) -> "RealData":
        """Take the first of `SETS` that is there.

        Parameters
        ----------
        n_samples : int
            Samples wanted.
        longest : int, optional
            Steps, or pixels of a row, after which samples are cut.
        space_axes : {1, 2}, default=1
            Series or images.
        """
        for name in SETS[space_axes]:
            try:
                X, y, _, _ = load_dataset(name, download_if_missing=False)
            except DatasetNotFoundError:
                continue
            rows = np.arange(n_samples) % len(X)
            rng = np.random.default_rng(0)
            order = rng.permutation(len(X))  # some sets are sorted by label
            which = order[rows]
            X, y = X[which][..., :longest].astype(np.float32), y[which]
            kind, shape = ("series", "images")[space_axes - 1], " x ".join(map(str, X.shape[1:]))
            return cls(f"{name}, {n_samples} {kind} of {shape}", X, y)
        raise DatasetNotFoundError(f"None of {SETS[space_axes]} is there; set ROBUST_TS_DATA.")

    def tensors(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Give samples and labels on a device."""
        return as_tensor(self.X).to(device), torch.from_numpy(self.y).long().to(device)


def synchronize(device: torch.device) -> None:
    """Wait until a card has done what it was given; nothing elsewhere."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Time one call, from an idle device to an idle device."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def paired_ratio(
    ours: Callable[[], object],
    reference: Callable[[], object],
    n_pairs: int = 5,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    limit: float = float("inf"),
    warm_up: bool = True,
) -> dict[str, float]:
    """Time two calls in turn, A B A B, after one unmeasured run of each.

    Parameters
    ----------
    ours, reference : callable
        The work to compare.
    n_pairs : int, default=5
        Most measured pairs.
    device : torch.device, default=cpu
        Device that is waited for before a clock is read.
    limit : float, default=inf
        Seconds after which no further pair is begun.
    warm_up : bool, default=True
        Run both once before; without, the caller has done so.

    Returns
    -------
    dict of str to float
        ``seconds`` and ``reference_seconds`` (medians), ``ratio`` (median), ``ratio_min`` and
        ``ratio_max`` over the pairs, and ``n_pairs`` measured.
    """
    start = time.perf_counter()
    if warm_up:
        ours()
        reference()
    measured: list[tuple[float, float]] = []
    while not measured or (len(measured) < n_pairs and time.perf_counter() - start < limit):
        measured.append((seconds_of(ours, device), seconds_of(reference, device)))
    pairs = np.array(measured)
    ratios = pairs[:, 0] / pairs[:, 1]
    return {
        "seconds": float(np.median(pairs[:, 0])),
        "reference_seconds": float(np.median(pairs[:, 1])),
        "ratio": float(np.median(ratios)),
        "ratio_min": float(ratios.min()),
        "ratio_max": float(ratios.max()),
        "n_pairs": len(pairs),
    }


def page(head: str, rows: Sequence[Mapping[str, object]], notes: Sequence[str] = ()) -> str:
    """Put a line on what was measured, the table and notes under each other."""
    return "\n\n".join(filter(None, [head, markdown_table(rows) if rows else "", "\n".join(notes)]))


def shown(result: Mapping[str, float], ours: str, reference: str) -> dict[str, Any]:
    """Name the parts of a `paired_ratio` as the columns of a table."""
    return {
        f"{ours}, s": f"{result['seconds']:.3g}",
        f"{reference}, s": f"{result['reference_seconds']:.3g}",
        "ratio": f"{result['ratio']:.3f}",
        "spread": f"{result['ratio_min']:.3f} .. {result['ratio_max']:.3f}",
        "pairs": int(result["n_pairs"]),
    }


def environment(device: torch.device) -> str:
    """Say what is measured on: device, threads and version of torch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, float32 with TF32"
    return (
        f"CPU ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} thread(s) of "
        f"torch, torch {torch.__version__}, float32"
    )
