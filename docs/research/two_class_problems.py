"""Run the attacks of the public grid on two classes of larger sets, 300 series at most.

python docs/research/two_class_problems.py FOLDER --rows docs/research/rows-2026-11-pairs.jsonl

writes the problems to FOLDER, a file each, and runs what is missing in the rows: ordinary training,
E2ABL and the clean-trained reference, one process, seed 0. With ``--tables-only`` it prints the
tables of the rows that there are.
"""

import argparse
import os
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


def write(folder: Path) -> None:
    """Write the pairs, 1000 test series at most, and more of ItalyPowerDemand."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, first, second in PAIRS:
        X, y, X_test, y_test = load_dataset(name)
        own, test = np.isin(y, (first, second)), np.isin(y_test, (first, second))
        save(
            folder / f"{name}_{first}_{second}",
            *(X[own], y[own] == second, X_test[test][:1000], y_test[test][:1000] == second),
        )
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
    options = parser.parse_args()
    names = (*(f"{name}_{first}_{second}" for name, first, second in PAIRS), MORE)
    grid = Grid(
        names,
        rates=(0.0, 0.1, 0.05),
        defenses=("undefended", "e2abl"),
        seeds=(0,),
        max_train=300,
        settings=SMALL,
    )
    if not options.tables_only:
        write(options.folder / "timeseries")
        os.environ[DATA_VARIABLE] = str(options.folder)
        run_grid(grid, options.rows)
    print(tables(grid, options.rows))


if __name__ == "__main__":
    main()
