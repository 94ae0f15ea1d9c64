"""Arrays from ``.npz`` files: the one place that opens them."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

#: Training and test part of a data set, and the names of its arrays in a file.
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
KEYS = ("X_train", "y_train", "X_test", "y_test")


def read_npz(file: Path, keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays that are named, or all.

    Raises
    ------
    ValueError
        If the file cannot be read, holds pickled objects, or lacks an array.
    """
    try:
        # Pickled arrays would run code on load.
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it is a single array, as numpy.save writes it; use numpy.savez")
        with archive:
            wanted = archive.files if keys is None else keys
            missing = [key for key in wanted if key not in archive]
            arrays = {key: archive[key] for key in wanted if key not in missing}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"Cannot read {file} as a data set: {error}") from error
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}; it needs {', '.join(wanted)}.")
    return arrays
