"""The image sets of `load_dataset`: digits (in scikit-learn), MNIST and CIFAR-10 (own files)."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from robust_ts._npz import KEYS, Split, read_npz

#: Share of the digits that is trained on. They come writer by writer: a cut in their order keeps
#: most writers on one side.
_DIGITS_TRAIN = 2 / 3


def load_digits() -> Split:
    """Load the 1797 gray 8 x 8 digits bundled in scikit-learn, the first two thirds to train on."""
    from sklearn import datasets

    X, y = datasets.load_digits(return_X_y=True)
    X = X.astype(np.float32).reshape(-1, 1, 8, 8)
    cut = round(_DIGITS_TRAIN * len(y))
    return X[:cut], y[:cut], X[cut:], y[cut:]


def load_mnist(file: Path) -> Split:
    """Read MNIST from a file with X_train, y_train, X_test and y_test."""
    arrays = read_npz(file, KEYS)
    X_train, X_test = arrays["X_train"], arrays["X_test"]
    if X_train.ndim != 3 or X_test.shape[1:] != X_train.shape[1:]:
        raise ValueError(
            f"{file} must hold gray images (n, height, width) of one size in X_train and X_test, "
            f"found {X_train.shape} and {X_test.shape}."
        )
    y_train, y_test = (arrays[k].astype(np.int64) for k in ("y_train", "y_test"))
    return X_train[:, np.newaxis], y_train, X_test[:, np.newaxis], y_test


def load_mnist_rows(file: Path) -> Split:
    """Read MNIST as series: the rows of an image are channels, its columns time steps."""
    X_train, y_train, X_test, y_test = load_mnist(file)
    return X_train[:, 0].astype(np.float32), y_train, X_test[:, 0].astype(np.float32), y_test


def load_cifar10(file: Path) -> Split:
    """Decode CIFAR-10 from JPEG bytes: image i is header + payload[offsets[i]:offsets[i + 1]]."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'CIFAR10 is stored as JPEG, which needs Pillow: pip install ".[images]" in '
            "the clone of robust_ts."
        ) from error
    arrays = read_npz(file, ("header", "payload", "offsets", "y_train", "y_test"))
    header, payload = arrays["header"].tobytes(), arrays["payload"].tobytes()
    offsets, n_train = arrays["offsets"].tolist(), len(arrays["y_train"])
    X = np.empty((n_train + len(arrays["y_test"]), 3, 32, 32), dtype=np.uint8)
    try:
        for i in range(len(X)):
            data = io.BytesIO(header + payload[offsets[i] : offsets[i + 1]])
            X[i] = np.asarray(Image.open(data, formats=["JPEG"]).convert("RGB")).transpose(2, 0, 1)
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(f"Cannot decode image {i} of {file}: {error}") from error
    y_train, y_test = (arrays[k].astype(np.int64) for k in ("y_train", "y_test"))
    return X[:n_train], y_train, X[n_train:], y_test


#: Sets that are read from the subfolder ``images`` of one's own folder: file and reader.
FILES: dict[str, tuple[str, Callable[[Path], Split]]] = {
    "MNIST": ("mnist.npz", load_mnist),
    "MNIST_rows": ("mnist.npz", load_mnist_rows),
    "CIFAR10": ("cifar10_jpeg_bytes.npz", load_cifar10),
}
