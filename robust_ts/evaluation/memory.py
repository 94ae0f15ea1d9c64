"""What the library costs in memory: fits on generated arrays larger than what they may take."""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robust_ts.chunks import chunks
from robust_ts.classifiers.names import BY_DEFENSE
from robust_ts.evaluation.tables import markdown_table

#: Shape of a generated series, 256 kB as float32, and number of classes.
SHAPE, N_CLASSES = (64, 1024), 8

#: A network so small that reading the data is a good part of the work.
SETTINGS: dict[str, Any] = {
    "backbone_params": {"filters": (4, 8), "kernels": (5, 3)},
    "epochs": 1,
    "batch_size": 128,
    "learning_rate": 1e-2,
    "device": "cpu",
    "random_state": 0,
}

#: Bytes of disk that are left free.
_RESERVE = 5e9
_STATUS = Path("/proc/self/status")


def memory_table(
    gigabytes: float, folder: str | Path = ".", defenses: Sequence[str] = tuple(BY_DEFENSE)
) -> str:
    """Fit and predict on a generated file, each estimator in turn, and tabulate peaks of memory.

    Counted is ``RssAnon`` of ``/proc/self/status``, twenty times a second: memory that the process
    holds for itself. Pages of the mapped file are not in it: they belong to the system's cache,
    which drops them when memory is needed.

    Parameters
    ----------
    gigabytes : float
        Size of the file as float32, in 1e9 bytes.
    folder : path, default="."
        Where the file is written; it is deleted at the end.
    defenses : sequence of str, default=("none", "abl", "e2abl")
        Which estimators.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    ValueError
        If the system does not tell ``RssAnon``, or the disk has no room for the file.
    """
    unknown = sorted(set(defenses) - set(BY_DEFENSE))
    if unknown:
        raise ValueError(f"Unknown defenses {unknown}; known: {', '.join(BY_DEFENSE)}.")
    if not _STATUS.exists():
        raise ValueError(f"bench memory reads {_STATUS}, which only Linux has.")
    free = shutil.disk_usage(folder).free
    if gigabytes * 1e9 > free - _RESERVE:
        raise ValueError(
            f"{folder} has {free / 1e9:.1f} GB free, and 5 GB are to stay so: {gigabytes} GB do "
            "not fit. Give a smaller --gigabytes or another --path."
        )
    n_samples = int(gigabytes * 1e9 / (4 * np.prod(SHAPE)))
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name, "X.npy")
        y, mask = write_set(path, n_samples)
        rows = [_measure(defense, path, y, mask) for defense in defenses]
    return markdown_table(rows)


def write_set(path: Path, n_samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Write noisy sines, one frequency a class; every tenth bears a trigger and says class 0.

    Parameters
    ----------
    path : Path
        The ``.npy`` file.
    n_samples : int
        Number of series.
    seed : int, default=0
        Seed of noise and trigger.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Labels.
    mask : ndarray of bool of shape (n_samples,)
        Which series are poisoned.
    """
    rng = np.random.default_rng(seed)
    time_ = np.linspace(0, 2 * np.pi, SHAPE[1], dtype=np.float32)
    waves = np.sin(4 * (np.arange(N_CLASSES, dtype=np.float32)[:, None] + 1) * time_)[:, None]
    trigger = rng.standard_normal(SHAPE, dtype=np.float32)
    y = rng.integers(N_CLASSES, size=n_samples)
    mask = (np.arange(n_samples) % 10 == 0) & (y != 0)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_samples, *SHAPE))
    for part in chunks(X):
        values = rng.standard_normal(X[part].shape, dtype=np.float32)
        values += waves[y[part]]
        values[mask[part]] += trigger
        X[part] = values
    X.flush()
    return np.where(mask, 0, y), mask


def _measure(defense: str, path: Path, y: np.ndarray, mask: np.ndarray) -> dict[str, str]:
    X = np.load(path, mmap_mode="r")
    estimator = BY_DEFENSE[defense]("cnn", **SETTINGS)
    before = anonymous_bytes()
    start = time.perf_counter()
    with peak_of_memory() as fit:
        estimator.fit(X, y)
    middle = time.perf_counter()
    with peak_of_memory() as predict:
        predicted = estimator.predict(X)
    stop = time.perf_counter()
    found = ""
    if hasattr(estimator, "report_"):
        hit = estimator.report_.is_poisoned
        found = f"{(hit & mask).sum()} of {mask.sum()}, {(hit & ~mask).sum()} others"
    return {
        "estimator": type(estimator).__name__,
        "file, GB": f"{X.nbytes / 1e9:.1f}",
        "series": f"{len(X)} x {SHAPE[0]} x {SHAPE[1]}",
        "before, GB": f"{before / 1e9:.2f}",
        "peak of fit, GB": f"{fit[0] / 1e9:.2f}",
        "peak of predict, GB": f"{predict[0] / 1e9:.2f}",
        "fit, s": f"{middle - start:.0f}",
        "predict, s": f"{stop - middle:.0f}",
        "accuracy on clean, %": f"{100 * (predicted == y)[~mask].mean():.1f}",
        "poison found": found,
    }


def anonymous_bytes() -> int:
    """Memory that this process holds for itself: ``RssAnon``, without pages of files."""
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "RssAnon":
            return 1024 * int(value.split()[0])
    raise ValueError(f"{_STATUS} has no RssAnon; Linux 4.5 or newer has.")


@contextlib.contextmanager
def peak_of_memory(every: float = 0.05) -> Iterator[list[int]]:
    """Watch ``anonymous_bytes`` in a thread; the list holds the highest once the block is left."""
    highest = [anonymous_bytes()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every):
            highest[0] = max(highest[0], anonymous_bytes())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield highest
    finally:
        done.set()
        thread.join()
        highest[0] = max(highest[0], anonymous_bytes())
