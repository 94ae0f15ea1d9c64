"""Load real data sets as arrays: those bundled in sktime, your own folder, the archive.

A data set is looked for in three places, in this order:

1. the eight sets bundled in sktime (offline, the same data on every machine);
2. the folder named by the environment variable ``ROBUST_TS_DATA``, as ``NAME.npz`` in it or in
   its subfolder ``timeseries`` (offline);
3. the UCR/UEA archive, through sktime's downloader, which keeps what it has downloaded.

Three names stand for images: ``digits``, bundled in scikit-learn, and ``MNIST`` and ``CIFAR10``,
read from the subfolder ``images`` of the folder named by ``ROBUST_TS_DATA``. ``MNIST_rows`` are
the images of ``MNIST`` as series: rows are channels, columns time steps.
"""

import contextlib
import difflib
import importlib.util
import os
import warnings
from pathlib import Path

import numpy as np

from robust_ts import _image_sets
from robust_ts._npz import KEYS, Split, read_npz

__all__ = ["DatasetNotFoundError", "list_datasets", "load_dataset"]

DATA_VARIABLE = "ROBUST_TS_DATA"

# Classification only: sktime bundles regression and forecasting files beside these.
BUNDLED = (
    "ACSF1",
    "ArrowHead",
    "BasicMotions",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
    "PLAID",
)

#: What tables call a set of which the file holds something else than the original.
TITLES = {"CIFAR10": "CIFAR-10 (JPEG)"}


class DatasetNotFoundError(ValueError):
    """No place that was searched has a data set of this name."""


def load_dataset(name: str, *, download_if_missing: bool = True) -> Split:
    """Load a data set with its official split into training and test series.

    The sets bundled in sktime come first, even where ``ROBUST_TS_DATA`` has a file of the same
    name, so that a bundled name means the same data for everyone; no network is used for them,
    nor for a file in that folder.

    Parameters
    ----------
    name : str
        Name in the UCR/UEA archive, such as ``"JapaneseVowels"``, or of a file in the folder
        named by ``ROBUST_TS_DATA``, without ``.npz``. Upper and lower case differ. ``"digits"``,
        ``"MNIST"`` and ``"CIFAR10"`` are images, ``"MNIST_rows"`` the former as series of 28
        channels (rows) and 28 time steps (columns).
    download_if_missing : bool, default=True
        Ask sktime to download a set that is found neither bundled nor in the folder. With
        ``False`` the network is never touched.

    Returns
    -------
    X_train : ndarray of shape (n_train, n_channels, n_timesteps), float32
        Training series. Series of unequal length (JapaneseVowels, PLAID) are padded with zeros
        at the end, up to the longest series of training and test set together, so nothing is
        cut. Values missing in a downloaded set stay NaN; bundled sets have none. Of the sets of
        images (n_train, n_channels, height, width): ``"digits"`` float32 from 0 to 16, split in
        the order given, for it has no official split; ``"MNIST"`` and ``"CIFAR10"`` uint8.
    y_train : ndarray of shape (n_train,)
        Integers 0 .. k-1, in the order of the source's labels (numbers by size, words by the
        alphabet), so that class 0 means the same wherever a set comes from. Integer labels of a
        file in ``ROBUST_TS_DATA`` are kept as they are.
    X_test : ndarray of shape (n_test, n_channels, n_timesteps), float32
        Test series, padded like `X_train`.
    y_test : ndarray of shape (n_test,)
        Labels of the test series.

    Raises
    ------
    DatasetNotFoundError
        If no place has the set (a ``ValueError``); says what was tried, the nearest names that
        are available, and what to do.
    ImportError
        If ``"CIFAR10"``, which is kept as JPEG, is asked for and Pillow is not installed.
    ValueError
        If a file in ``ROBUST_TS_DATA`` cannot be read, lacks an array or has the wrong shapes,
        or if `name` is not a plain name.

    Notes
    -----
    Sources: the UCR archive (Dau et al. 2018) and the UEA archive (Bagnall et al. 2018).

    Examples
    --------
    >>> from robust_ts.datasets import load_dataset
    >>> X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
    >>> X_train.shape, X_test.shape
    ((270, 12, 29), (370, 12, 29))
    >>> int(y_train.min()), int(y_train.max())
    (0, 8)
    """
    # A name becomes part of a path and of a URL: no folders in it.
    if not isinstance(name, str) or not name.strip(".") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"name must be the plain name of a data set, got {name!r}.")
    if name == "digits":
        return _image_sets.load_digits()
    if name in _image_sets.FILES:
        return _load_images(name)
    folder = _bundled().get(name)
    if folder is not None:
        return _load_bundled(folder)
    file = _own_files().get(name)
    if file is not None:
        return _load_npz(file)
    if not download_if_missing:
        raise DatasetNotFoundError(_not_found(name, "the archive was not asked"))
    return _download(name)


def list_datasets() -> list[str]:
    """List the data sets that load without a network.

    Returns
    -------
    names : list of str
        The sets bundled in sktime and scikit-learn and those in the folder named by
        ``ROBUST_TS_DATA``, sorted, each once.

    Examples
    --------
    >>> from robust_ts.datasets import list_datasets
    >>> "ItalyPowerDemand" in list_datasets()
    True
    """
    images = [name for name in _image_sets.FILES if _image_file(name) is not None]
    return sorted({*_bundled(), *_own_files(), "digits", *images})


def _bundled() -> dict[str, Path]:
    """Map each bundled set that this installation of sktime really has to its folder."""
    # Found, not imported: importing sktime takes a second.
    spec = importlib.util.find_spec("sktime")
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent / "datasets" / "data"
    return {name: root / name for name in BUNDLED if (root / name / f"{name}_TRAIN.ts").is_file()}


def _own_files() -> dict[str, Path]:
    """Map each name in the folder of ``ROBUST_TS_DATA`` to its file."""
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        return {}
    # Later folders win: the documented layout is the subfolder.
    folders = (Path(root).expanduser(), Path(root).expanduser() / "timeseries")
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.npz"))}


def _image_file(name: str) -> Path | None:
    """Find the file of a set of images in the folder of ``ROBUST_TS_DATA``."""
    root = os.environ.get(DATA_VARIABLE)
    file = Path(root or "").expanduser() / "images" / _image_sets.FILES[name][0]
    return file if root and file.is_file() else None


def _load_images(name: str) -> Split:
    file = _image_file(name)
    wanted, read = _image_sets.FILES[name]
    if file is None:
        root = os.environ.get(DATA_VARIABLE)
        raise DatasetNotFoundError(
            f"{name} is not bundled and not downloaded. Put {wanted} into a folder named images "
            f"and name the folder above it in {DATA_VARIABLE}"
            + (f" (now {root}, which has no images/{wanted})." if root else " (not set).")
        )
    return read(file)


def _load_bundled(folder: Path) -> Split:
    # The file reader, not load_UCR_UEA_dataset: it has no way to reach the network.
    from sktime.datasets import load_from_tsfile

    files = [str(folder / f"{folder.name}_{split}.ts") for split in ("TRAIN", "TEST")]
    return _from_nested(*(load_from_tsfile(f, return_data_type="nested_univ") for f in files))


def _download(name: str) -> Split:
    try:
        from sktime.datasets import load_UCR_UEA_dataset

        with warnings.catch_warnings():
            # sktime warns once for each mirror that fails; the error below says it all.
            warnings.simplefilter("ignore")
            parts = [
                load_UCR_UEA_dataset(name, split=split, return_type="nested_univ")
                for split in ("train", "test")
            ]
        return _from_nested(*parts)
    # The downloader raises whatever its mirrors and readers raise.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise DatasetNotFoundError(_not_found(name, f"failed with {reason}")) from error


def _from_nested(train: tuple, test: tuple) -> Split:
    """Turn two of sktime's nested data frames and their labels into padded arrays."""
    (nested_train, y_train), (nested_test, y_test) = train, test
    cells_train, cells_test = nested_train.to_numpy(), nested_test.to_numpy()
    longest = max(len(cell) for cells in (cells_train, cells_test) for cell in cells.flat)
    X_train, X_test = _pad(cells_train, longest), _pad(cells_test, longest)
    y_train, y_test = _as_integers(np.asarray(y_train), np.asarray(y_test))
    return X_train, y_train, X_test, y_test


def _as_integers(y_train: np.ndarray, y_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn the labels of both splits into 0 .. k-1: numbers by size, words by the alphabet."""
    labels = np.concatenate([y_train, y_test])
    # Words stay as they are and sort by the alphabet.
    with contextlib.suppress(ValueError):
        labels = labels.astype(float)
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return codes[: len(y_train)], codes[len(y_train) :]


def _pad(cells: np.ndarray, length: int) -> np.ndarray:
    """Fill (n, c) cells of series into a (n, c, length) array, zeros at the end."""
    X = np.zeros((*cells.shape, length), dtype=np.float32)
    for index, series in np.ndenumerate(cells):
        X[index][: len(series)] = series.to_numpy()
    return X


def _load_npz(file: Path) -> Split:
    arrays = read_npz(file, KEYS)
    _check_shapes(file, arrays)
    X_train, X_test = (np.asarray(arrays[key], dtype=np.float32) for key in ("X_train", "X_test"))
    y_train, y_test = arrays["y_train"], arrays["y_test"]
    if not all(np.issubdtype(y.dtype, np.integer) for y in (y_train, y_test)):
        y_train, y_test = _as_integers(y_train, y_test)
    return X_train, y_train, X_test, y_test


def _check_shapes(file: Path, arrays: dict[str, np.ndarray]) -> None:
    shapes = {key: value.shape for key, value in arrays.items()}
    ok = (
        len(shapes["X_train"]) == len(shapes["X_test"]) == 3
        and shapes["X_train"][1:] == shapes["X_test"][1:]
        and all(shapes[f"y_{part}"] == shapes[f"X_{part}"][:1] for part in ("train", "test"))
        and all(np.issubdtype(arrays[key].dtype, np.number) for key in ("X_train", "X_test"))
    )
    if not ok:
        found = ", ".join(f"{key} {value.dtype}{value.shape}" for key, value in arrays.items())
        raise ValueError(
            f"{file} must hold numeric X of shape (n, channels, timesteps) and y of shape (n,), "
            f"channels and timesteps the same in train and test; found {found}."
        )


def _not_found(name: str, archive: str) -> str:
    """Say what was tried, what is near, and what to do."""
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        own = f"{DATA_VARIABLE} (not set)"
    elif not Path(root).expanduser().is_dir():
        own = f"{DATA_VARIABLE}={root} (no such folder)"
    else:
        own = f"{DATA_VARIABLE}={root} ({len(_own_files())} sets)"
    available = list_datasets()
    lower = {known.lower(): known for known in available}
    near = [lower[match] for match in difflib.get_close_matches(name.lower(), lower)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"No data set {name!r} found.{hint} Tried: the sets bundled in sktime; {own}; the UCR/UEA "
        f"archive through sktime ({archive}). Available offline: {', '.join(available)}. Choose "
        f"one of these, or put {name}.npz with {', '.join(KEYS)} into a folder and name that "
        f"folder in {DATA_VARIABLE}, or try again with a network connection."
    )
