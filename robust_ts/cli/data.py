"""The data a command is given: a file or the name of a data set."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robust_ts._npz import KEYS, read_npz

_SUFFIXES = (".npz", ".csv", ".ts")

HELP = (
    "an .npz file with X_train, y_train (and X_test, y_test) or X and y; a .csv file with one "
    "sample a row and a header; a .ts file of sktime; or the name of a data set, such as "
    "JapaneseVowels"
)


@dataclass(frozen=True)
class Data:
    """What a file or a data set holds; the test part and labels may be missing.

    Series of unequal length are a list of arrays of shape (n_channels, n_timesteps).
    """

    X: np.ndarray | list[np.ndarray]
    y: np.ndarray | None
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which data."""
    parser.add_argument("data", metavar="DATA", help=HELP)
    parser.add_argument(
        "--label", default="label", help="column of the labels in a .csv file (default: label)"
    )


def read_data(arguments: argparse.Namespace, *, labels: bool = True) -> Data:
    """Read what ``arguments`` name.

    Parameters
    ----------
    arguments : Namespace
        With ``data`` and ``label``.
    labels : bool, default=True
        Whether the command needs labels.

    Raises
    ------
    ValueError
        If the file does not hold what it should, or there is no data set of that name.
    FileNotFoundError
        If there is no such file.
    """
    source: str = arguments.data
    path = Path(source)
    if path.suffix not in _SUFFIXES:
        from robust_ts.datasets import load_dataset

        return Data(*load_dataset(source))
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {source}.")
    readers: dict[str, Any] = {".npz": _read_npz, ".ts": _read_ts}
    data = _read_csv(path, arguments.label) if path.suffix == ".csv" else readers[path.suffix](path)
    if labels and data.y is None:
        what = f"column {arguments.label!r}; name another with --label"
        raise ValueError(
            f"{source} holds no labels: it has no {what if path.suffix == '.csv' else 'array y'}."
        )
    return data


def _read_npz(path: Path) -> Data:
    arrays = read_npz(path)
    names = KEYS if "X_train" in arrays else ("X", "y")
    if names[0] not in arrays:
        raise ValueError(
            f"{path} needs an array X or X_train; it has {', '.join(arrays) or 'none'}."
        )
    return Data(*(arrays.get(name) for name in names))  # type: ignore[arg-type]


def _read_csv(path: Path, label: str) -> Data:
    import pandas as pd

    from robust_ts.inputs import _is_number

    try:
        frame = pd.read_csv(path)
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise ValueError(f"Cannot read {path}: {error}") from error
    if all(_is_number(name) for name in frame.columns):
        raise ValueError(
            f"{path} has no header: its first line is {', '.join(frame.columns[:5])}, ... Give "
            "the columns names, that of the labels 'label'."
        )
    y = frame.pop(label).to_numpy() if label in frame else None
    return Data(frame.to_numpy(), y)


def _read_ts(path: Path) -> Data:
    from sktime.datasets import load_from_tsfile

    try:
        nested, y = load_from_tsfile(str(path), return_data_type="nested_univ")
        X = [np.stack(channels).astype(np.float32) for channels in nested.to_numpy()]
    # The reader raises whatever the parsing of a line raises.
    except Exception as error:
        raise ValueError(f"Cannot read {path}: {type(error).__name__}: {error}") from error
    equal = len({series.shape for series in X}) == 1
    return Data(np.stack(X) if equal else X, np.asarray(y))
