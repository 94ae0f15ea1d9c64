"""The image sets: digits offline, MNIST and CIFAR-10 from one's own folder."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from robust_ts import datasets
from robust_ts.datasets import DatasetNotFoundError, list_datasets, load_dataset


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Name an empty folder, and refuse the network."""
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "_download", lambda name: pytest.fail("asked the network"))
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def mnist(**changes):
    rng = np.random.default_rng(0)
    arrays = {
        "X_train": rng.integers(0, 256, size=(6, 28, 28)).astype(np.uint8),
        "y_train": np.arange(6).astype(np.uint8),
        "X_test": rng.integers(0, 256, size=(3, 28, 28)).astype(np.uint8),
        "y_test": np.arange(3).astype(np.uint8),
    }
    return {**arrays, **changes}


def jpeg(color):
    file = io.BytesIO()
    Image.new("RGB", (32, 32), color).save(file, "JPEG", quality=90)
    return file.getvalue()


def cifar10(colors, n_train):
    """Images of one color each, with what all files begin with kept apart."""
    files = [jpeg(color) for color in colors]
    length = next(i for i in range(len(files[0])) if len({f[: i + 1] for f in files}) > 1)
    payload = b"".join(f[length:] for f in files)
    y = np.arange(len(colors)).astype(np.uint8)
    return {
        "header": np.frombuffer(files[0][:length], np.uint8),
        "payload": np.frombuffer(payload, np.uint8),
        "offsets": np.cumsum([0, *(len(f) - length for f in files)]).astype(np.int32),
        "y_train": y[:n_train],
        "y_test": y[n_train:],
    }


def test_digits_are_bundled(monkeypatch):
    monkeypatch.delenv("ROBUST_TS_DATA")
    X_train, y_train, X_test, y_test = load_dataset("digits")
    assert (X_train.shape, X_test.shape) == ((1198, 1, 8, 8), (599, 1, 8, 8))
    assert X_train.dtype == X_test.dtype == np.float32
    assert (X_train.min(), X_train.max()) == (0, 16)
    assert set(y_train) == set(y_test) == set(range(10))
    assert "digits" in list_datasets()


def test_mnist(folder):
    arrays = mnist()
    assert "MNIST" not in list_datasets()
    np.savez(folder / "mnist.npz", **arrays)
    assert "MNIST" in list_datasets()
    X_train, y_train, X_test, y_test = load_dataset("MNIST")
    assert X_train.dtype == np.uint8
    np.testing.assert_array_equal(X_train[:, 0], arrays["X_train"])
    np.testing.assert_array_equal(X_test[:, 0], arrays["X_test"])
    np.testing.assert_array_equal(y_train, arrays["y_train"])
    assert y_train.dtype == y_test.dtype == np.int64


def test_rows_of_mnist_are_series(folder):
    arrays = mnist()
    np.savez(folder / "mnist.npz", **arrays)
    assert "MNIST_rows" in list_datasets()
    X_train, y_train, X_test, _ = load_dataset("MNIST_rows")
    assert X_train.dtype == X_test.dtype == np.float32
    np.testing.assert_array_equal(X_train, arrays["X_train"])
    np.testing.assert_array_equal(y_train, arrays["y_train"])


def test_cifar10_is_decoded(folder):
    colors = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (128, 128, 128)]
    np.savez(folder / "cifar10_jpeg_bytes.npz", **cifar10(colors, 3))
    X_train, y_train, X_test, y_test = load_dataset("CIFAR10")
    assert (X_train.shape, X_test.shape) == ((3, 3, 32, 32), (1, 3, 32, 32))
    assert X_train.dtype == np.uint8
    # JPEG is lossy, but not for the order of the channels.
    np.testing.assert_allclose(X_train.mean(axis=(2, 3)), colors[:3], atol=8)
    np.testing.assert_allclose(X_test[0].mean(axis=(1, 2)), colors[3], atol=8)
    assert (y_train.tolist(), y_test.tolist()) == ([0, 1, 2], [3])


def test_cifar10_without_pillow(folder, monkeypatch):
    np.savez(folder / "cifar10_jpeg_bytes.npz", **cifar10([(0, 0, 0), (1, 2, 3)], 1))
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "PIL":
            raise ImportError("no PIL")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r'pip install "\.\[images\]"'):
        load_dataset("CIFAR10")


@pytest.mark.parametrize(("name", "file"), [("MNIST", "mnist"), ("CIFAR10", "cifar10_jpeg_bytes")])
def test_a_missing_file_is_said_where_to_put(name, file, folder, monkeypatch):
    with pytest.raises(DatasetNotFoundError, match=rf"{name} is not .*has no images/{file}\.npz"):
        load_dataset(name)
    monkeypatch.delenv("ROBUST_TS_DATA")
    with pytest.raises(DatasetNotFoundError, match=rf"Put {file}\.npz into .*\(not set\)"):
        load_dataset(name)


@pytest.mark.parametrize(
    ("name", "file", "content", "text"),
    [
        ("MNIST", "mnist.npz", {"X_train": np.zeros((1, 2, 2))}, "lacks y_train, X_test, y_test"),
        ("MNIST", "mnist.npz", mnist(X_test=np.zeros((3, 27, 28))), "gray images"),
        ("MNIST", "mnist.npz", mnist(y_test=np.array([{}])), "Cannot read"),
        (
            "CIFAR10",
            "cifar10_jpeg_bytes.npz",
            {**cifar10([(0, 0, 0), (1, 2, 3)], 1), "payload": np.zeros(10, np.uint8)},
            "Cannot decode image 0",
        ),
        (
            "CIFAR10",
            "cifar10_jpeg_bytes.npz",
            {**cifar10([(0, 0, 0), (1, 2, 3)], 1), "offsets": np.zeros(1, np.int32)},
            "Cannot decode image 0",
        ),
    ],
)
def test_damaged_files(name, file, content, text, folder):
    np.savez(folder / file, **content)
    with pytest.raises(ValueError, match=text):
        load_dataset(name)
