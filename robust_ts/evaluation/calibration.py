"""Whether a suspicion of 0.9 means that nine of ten such samples are poison."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.calibration import calibration_curve
from sklearn.utils.validation import check_consistent_length, column_or_1d

from robust_ts.evaluation import benchmark
from robust_ts.evaluation.benchmark import CLEAN, Grid, Run
from robust_ts.evaluation.grids import SMALL
from robust_ts.evaluation.tables import markdown_table

#: What the suspicion of the method is held against.
GRIDS = {
    "calibration": Grid(
        (
            *("JapaneseVowels", "ItalyPowerDemand", "NATOPS", "MedicalImages", "PowerCons"),
            *("SyntheticControl", "Epilepsy"),
        ),
        triggers=("patch", "sine", "blend"),
        defenses=("e2abl",),
        max_train=300,
        settings=SMALL,
    )
}


def reliability(
    suspicion: ArrayLike, mask: ArrayLike, n_bins: int = 10
) -> list[dict[str, float | int]]:
    """Compare stated with true shares of poison, bin by bin.

    Parameters
    ----------
    suspicion : array-like of shape (n_samples,)
        Between 0 and 1, of any number of reports together.
    mask : array-like of shape (n_samples,), bool
        True where a sample is poison.
    n_bins : int, default=10
        Bins of equal width.

    Returns
    -------
    list of dict
        For each bin that holds samples: its edges ``low`` and ``high``, ``samples``, mean
        ``suspicion`` and share of ``poison``, both between 0 and 1.

    Raises
    ------
    ValueError
        If lengths differ, or suspicion leaves 0 .. 1.

    Examples
    --------
    >>> from robust_ts.evaluation.calibration import reliability
    >>> for line in reliability([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 0], n_bins=2):
    ...     print(line["samples"], line["suspicion"], line["poison"])
    2 0.1 0.0
    2 0.9 0.5
    """
    stated, truth = column_or_1d(suspicion).astype(float), column_or_1d(mask).astype(bool)
    check_consistent_length(stated, truth)
    poison, mean = calibration_curve(truth, stated, n_bins=n_bins)
    edges = np.linspace(0, 1, n_bins + 1)
    # As calibration_curve bins them: a sample on an edge belongs to the bin below.
    counts = np.bincount(np.searchsorted(edges[1:-1], stated), minlength=n_bins)
    full = np.flatnonzero(counts)
    return [
        {
            "low": float(edges[b]),
            "high": float(edges[b + 1]),
            "samples": int(counts[b]),
            "suspicion": float(m),
            "poison": float(p),
        }
        for b, m, p in zip(full, mean, poison, strict=True)
    ]


def calibration_error(suspicion: ArrayLike, mask: ArrayLike, n_bins: int = 10) -> float:
    """Return the mean distance of stated from true shares of poison, weighted by samples.

    Parameters
    ----------
    suspicion, mask, n_bins
        As in `reliability`.

    Returns
    -------
    float
        Between 0 (calibrated) and 1.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015: the expected calibration error.
    """
    lines = reliability(suspicion, mask, n_bins)
    counts = [line["samples"] for line in lines]
    return float(np.average([abs(x["suspicion"] - x["poison"]) for x in lines], weights=counts))


@benchmark.one_thread()
def measure_suspicion(run: Run) -> list[dict[str, Any]]:
    """Fit the method on attacked data and keep the suspicion of every training sample.

    Parameters
    ----------
    run : Run
        What to run; its defense must have a report.

    Returns
    -------
    list of dict
        One row with what a row of the benchmark holds, the suspicions in thousandths and the
        indices of the poisoned samples.
    """
    experiment = run.experiment()
    classifier = benchmark.make_classifier(run.defense, run.backbone, run.seed, run.settings)
    measured = experiment.measure(classifier)
    samples = {
        "suspicion": np.rint(1000 * classifier.report_.suspicion).astype(int).tolist(),
        "poisoned": np.flatnonzero(experiment.poisoned.mask).tolist(),
    }
    return [{**benchmark.describe(run, experiment), **measured, **samples}]


def run_grid(grid: Grid, path: str | Path, *, n_jobs: int = 1, progress: bool = True) -> int:
    """Do the fits of a grid that are not in the file yet, and append their rows.

    Parameters
    ----------
    grid, path, n_jobs, progress
        As in `robust_ts.evaluation.benchmark.run_grid`.

    Returns
    -------
    int
        Number of runs done.
    """
    runs = [run for run in grid.runs() if run.defense != CLEAN]
    return benchmark.do_runs(runs, measure_suspicion, path, n_jobs=n_jobs, progress=progress)


def tables(grid: Grid, path: str | Path) -> str:
    """Tabulate stated and true shares of poison over all samples of a grid.

    Parameters
    ----------
    grid : Grid
        What was run.
    path : path
        Its results file.

    Returns
    -------
    str
        Markdown: a table for all runs, and one for those in which poison was called.
    """
    rows = [row for row in benchmark.rows_of(grid, path) if "suspicion" in row]
    if not rows:
        return "No rows."
    called = [row for row in rows if row["recall"] > 0 or row["false_positive_rate"] > 0]
    parts = []
    for title, chosen in (("All runs", rows), ("Runs that called something poison", called)):
        if chosen:
            parts += [f"{title}: {len(chosen)}", _table(chosen)]
    return "\n\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    stated = np.concatenate([row["suspicion"] for row in rows]) / 1000
    truth = np.concatenate([np.isin(np.arange(row["n_train"]), row["poisoned"]) for row in rows])
    lines = [
        {
            "suspicion from": f"{x['low']:.1f}",
            "to": f"{x['high']:.1f}",
            "samples": x["samples"],
            "mean suspicion": f"{x['suspicion']:.3f}",
            "share of poison": f"{x['poison']:.3f}",
        }
        for x in reliability(stated, truth)
    ]
    return f"{markdown_table(lines)}\n\nCalibration error: {calibration_error(stated, truth):.4f}"
