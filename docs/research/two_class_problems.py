"""Run the attacks of the public grid on two classes of larger sets, 300 series at most.

python docs/research/two_class_problems.py FOLDER --rows docs/research/rows-2026-11-pairs.jsonl

writes the problems to FOLDER, a file each, and runs what is missing in the rows: ordinary training,
E2ABL and the clean-trained reference, one process, seed 0. With ``--tables-only`` it prints the
tables of the rows that there are. With ``--unseen`` it does so with other problems, chosen before
they were run; ``--defenses`` takes variants of the method as well.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robust_ts.datasets import DATA_VARIABLE, load_dataset
from robust_ts.evaluation.benchmark import Grid, run_grid
from robust_ts.evaluation.grids import SMALL
from robust_ts.evaluation.summary import tables

PAIRS = (
    *(("PenDigits", 0, 1), ("PenDigits", 8, 3), ("TwoPatterns", 0, 1)),
    *(("SyntheticControl", 0, 1), ("SyntheticControl", 2, 4)),
    *(("ElectricDevices", 1, 4), ("ElectricDevices", 3, 1), ("ECG5000", 0, 1)),
    *(("Crop", 0, 5), ("SpSwHAR_phone", 3, 4)),
)
MORE = "Italy217"

#: Written down before any was run, but for three attacks on JapaneseVowels (for a test).
UNSEEN = (
    *(("PenDigits", (2,), (7,)), ("TwoPatterns", (2,), (3,)), ("ElectricDevices", (0,), (2,))),
    *(("Crop", (10,), (15,)), ("SpSwHAR_phone", (0,), (1,))),
    ("JapaneseVowels", (0, 2, 4, 6, 8), (1, 3, 5, 7)),
    *(("TwoPatterns", (0, 1), (2, 3)), ("NATOPS", (0, 1, 2), (3, 4, 5))),
)


def problem(name: str, first: Sequence[int], second: Sequence[int]) -> str:
    """Name a problem: the set, and the classes of it that are one class and the other."""
    return "_".join([name, *("".join(map(str, classes)) for classes in (first, second))])


def write(folder: Path, name: str, first: Sequence[int], second: Sequence[int]) -> None:
    """Write two classes made of classes of a set, 1000 test series at most."""
    X, y, X_test, y_test = load_dataset(name)
    own, test = (np.isin(labels, (*first, *second)) for labels in (y, y_test))
    save(
        folder / problem(name, first, second),
        *(X[own], np.isin(y[own], second)),
        *(X_test[test][:1000], np.isin(y_test[test][:1000], second)),
    )


def write_more(folder: Path) -> None:
    """Write more of ItalyPowerDemand: 150 of its test series are training series."""
    X, y, X_test, y_test = load_dataset("ItalyPowerDemand")
    order = np.random.default_rng(0).permutation(len(y_test))
    added, left = order[:150], order[150:]
    X, y = np.concatenate([X, X_test[added]]), np.concatenate([y, y_test[added]])
    save(folder / MORE, X, y, X_test[left], y_test[left])


def save(file: Path, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> None:
    """Write one problem as `load_dataset` reads it."""
    np.savez(file, X_train=X, y_train=y.astype(int), X_test=X_test, y_test=y_test.astype(int))


def main() -> None:
    """Write the problems, run the grid, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument("--unseen", action="store_true")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.0, 0.1, 0.05])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--defenses", nargs="*", default=["undefended", "e2abl"])
    options = parser.parse_args()
    pairs = UNSEEN if options.unseen else [(name, (one,), (two,)) for name, one, two in PAIRS]
    names = [problem(*pair) for pair in pairs] + ([] if options.unseen else [MORE])
    grid = Grid(
        tuple(names),
        rates=tuple(options.rates),
        defenses=tuple(options.defenses),
        seeds=(0,),
        max_train=300,
        settings=SMALL,
    )
    if not options.tables_only:
        folder = options.folder / "timeseries"
        folder.mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            write(folder, *pair)
        if not options.unseen:
            write_more(folder)
        os.environ[DATA_VARIABLE] = str(options.folder)
        run_grid(grid, options.rows, n_jobs=options.jobs)
    print(tables(grid, options.rows))


if __name__ == "__main__":
    main()
