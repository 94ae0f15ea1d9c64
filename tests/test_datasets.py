"""Loading: the bundled sets offline, a user's folder, and what a wrong name is told."""

import socket
import subprocess
import sys

import numpy as np
import pytest

from robust_ts import datasets
from robust_ts.datasets import DatasetNotFoundError, list_datasets, load_dataset

SHAPES = {
    "ACSF1": ((100, 1, 1460), (100, 1, 1460), 10),
    "ArrowHead": ((36, 1, 251), (175, 1, 251), 3),
    "BasicMotions": ((40, 6, 100), (40, 6, 100), 4),
    "GunPoint": ((50, 1, 150), (150, 1, 150), 2),
    "ItalyPowerDemand": ((67, 1, 24), (1029, 1, 24), 2),
    "JapaneseVowels": ((270, 12, 29), (370, 12, 29), 9),
    "OSULeaf": ((200, 1, 427), (242, 1, 427), 6),
    "PLAID": ((537, 1, 1344), (537, 1, 1344), 11),
}


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("ROBUST_TS_DATA", raising=False)


@pytest.fixture
def calls(monkeypatch):
    """Cut the network, and collect every attempt to use it."""
    attempts = []

    def refuse(*args, **kwargs):
        attempts.append(args)
        raise OSError("no network in this test")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    return attempts


@pytest.fixture
def archive(monkeypatch):
    """Stand in for sktime's downloader: fails, and collects what it was asked for."""
    import sktime.datasets

    asked = []

    def fail(name, **kwargs):
        asked.append(name)
        raise RuntimeError("all mirrors failed.")

    monkeypatch.setattr(sktime.datasets, "load_UCR_UEA_dataset", fail)
    return asked


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "X_train": rng.normal(size=(4, 2, 5)),
        "y_train": np.array([0, 1, 0, 1]),
        "X_test": rng.normal(size=(3, 2, 5)),
        "y_test": np.array([1, 0, 1]),
    }


# --- bundled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_bundled_sets_load_offline(name, calls):
    X_train, y_train, X_test, y_test = load_dataset(name)
    train_shape, test_shape, n_classes = SHAPES[name]
    assert (X_train.shape, X_test.shape) == (train_shape, test_shape)
    assert X_train.dtype == X_test.dtype == np.float32
    assert (y_train.shape, y_test.shape) == (train_shape[:1], test_shape[:1])
    assert np.isfinite(X_train).all()
    assert np.isfinite(X_test).all()
    assert len(np.unique(y_train)) == n_classes
    assert set(y_test) <= set(y_train)
    assert y_train.dtype == np.int64
    np.testing.assert_array_equal(np.unique(y_train), np.arange(n_classes))
    assert not calls


def test_every_bundled_set_is_tested():
    assert set(SHAPES) == set(datasets.BUNDLED)
    assert list_datasets() == sorted([*SHAPES, "digits"])


def test_padding_is_zeros_at_the_end_and_cuts_nothing():
    from sktime.datasets import load_japanese_vowels

    X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
    lengths = set()
    for split, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
        nested, labels = load_japanese_vowels(split=split)
        lengths |= {len(series) for series in nested["dim_0"]}
        np.testing.assert_array_equal(y, labels.astype(int) - 1)
        for row in (0, 100, len(X) - 1):
            raw = nested.iloc[row, 3].to_numpy(dtype=np.float32)
            np.testing.assert_array_equal(X[row, 3, : len(raw)], raw)
            np.testing.assert_array_equal(X[row, :, len(raw) :], 0)
    assert (min(lengths), max(lengths)) == (7, X_train.shape[2])


def test_padding_reaches_the_longest_of_train_and_test():
    import pandas as pd

    short = pd.DataFrame({"dim_0": [pd.Series([1.0, 2.0])]}), np.array(["a"])
    long = pd.DataFrame({"dim_0": [pd.Series([3.0, 4.0, 5.0])]}), np.array(["b"])
    for first, second in ((short, long), (long, short)):
        X_train, _, X_test, _ = datasets._from_nested(first, second)
        padded = {tuple(X_train[0, 0]), tuple(X_test[0, 0])}
        assert padded == {(1.0, 2.0, 0.0), (3.0, 4.0, 5.0)}


def test_importing_and_listing_need_no_sktime():
    code = (
        "import sys; from robust_ts.datasets import list_datasets; list_datasets();"
        "sys.exit(any(m.split('.')[0] in ('sktime', 'torch') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the user's folder -------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [".", "timeseries"])
def test_own_file(tmp_path, monkeypatch, arrays, calls, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    np.savez(tmp_path / folder / "Mine.npz", **arrays, note="not needed")
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    X_train, y_train, X_test, y_test = load_dataset("Mine")
    np.testing.assert_array_equal(X_train, arrays["X_train"].astype(np.float32))
    np.testing.assert_array_equal(X_test, arrays["X_test"].astype(np.float32))
    assert X_train.dtype == X_test.dtype == np.float32
    np.testing.assert_array_equal(y_train, arrays["y_train"])
    np.testing.assert_array_equal(y_test, arrays["y_test"])
    assert y_train.dtype == arrays["y_train"].dtype
    assert "Mine" in list_datasets()
    assert not calls


def test_bundled_wins_over_own_file(tmp_path, monkeypatch, arrays):
    np.savez(tmp_path / "GunPoint.npz", **arrays)
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    assert load_dataset("GunPoint")[0].shape == (50, 1, 150)
    assert list_datasets().count("GunPoint") == 1


def broken(arrays, **changed):
    return {key: value for key, value in {**arrays, **changed}.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "lacks y_test"),
        ({"X_train": np.ones((4, 5))}, "must hold numeric X of shape"),
        ({"X_test": np.ones((3, 2, 6))}, r"must hold numeric X .* X_test float64\(3, 2, 6\)"),
        ({"y_train": np.ones(3)}, "must hold numeric X of shape"),
        ({"X_test": np.full((3, 2, 5), "a")}, "must hold numeric X of shape"),
        ({"y_train": np.array([0, "a", None, 1], dtype=object)}, "Cannot read"),
    ],
)
def test_malformed_file_is_named(tmp_path, monkeypatch, arrays, change, message):
    np.savez(tmp_path / "Mine.npz", **broken(arrays, **change))
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"(?s)Mine.npz.*{message}|{message}.*Mine.npz"):
        load_dataset("Mine")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_file_that_is_no_archive(tmp_path, monkeypatch, content):
    (tmp_path / "Mine.npz").write_bytes(content)
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"Cannot read .*Mine\.npz as a data set"):
        load_dataset("Mine")


def test_plain_npy_under_the_name_of_an_archive(tmp_path, monkeypatch):
    with (tmp_path / "Mine.npz").open("wb") as file:
        np.save(file, np.ones(3))
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"Cannot read .*Mine\.npz as .* it is a single array"):
        load_dataset("Mine")


def test_a_damaged_array_is_named(tmp_path, monkeypatch, arrays):
    file = tmp_path / "Mine.npz"
    np.savez_compressed(file, **arrays)
    content = bytearray(file.read_bytes())
    content[60:90] = bytes(30)
    file.write_bytes(content)
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"Cannot read .*Mine\.npz as a data set"):
        load_dataset("Mine")


# --- the archive, and names that lead nowhere --------------------------------------------------


def test_unknown_name_says_what_was_tried_and_what_is_near(archive):
    with pytest.raises(DatasetNotFoundError) as caught:
        load_dataset("japanesevowel")
    text = str(caught.value)
    assert archive == ["japanesevowel"]
    assert "No data set 'japanesevowel' found. Did you mean JapaneseVowels?" in text
    assert "ROBUST_TS_DATA (not set)" in text
    assert "failed with RuntimeError: all mirrors failed" in text
    assert "PLAID" in text
    assert "japanesevowel.npz with X_train, y_train, X_test, y_test" in text


def test_nothing_near_gives_no_hint(archive):
    with pytest.raises(DatasetNotFoundError, match=r"No data set 'zzz' found\. Tried"):
        load_dataset("zzz")


def test_real_downloader_without_network_becomes_the_same_error(calls, tmp_path, monkeypatch):
    from sktime.datasets import _data_io

    # sktime keeps downloads beside its own code: not in a test.
    monkeypatch.setattr(_data_io, "MODULE", str(tmp_path))
    (tmp_path / "data").mkdir()
    with pytest.raises(DatasetNotFoundError, match=r"archive through sktime \(failed with"):
        load_dataset("NoSuchSet")
    assert calls


def test_download_can_be_forbidden(archive, calls):
    with pytest.raises(DatasetNotFoundError, match="the archive was not asked"):
        load_dataset("ECG200", download_if_missing=False)
    assert not archive
    assert not calls


def test_folder_that_is_not_there_is_said(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path / "gone"))
    with pytest.raises(DatasetNotFoundError, match=r"gone \(no such folder\)"):
        load_dataset("zzz")


def test_downloaded_set_is_padded_like_the_bundled(monkeypatch):
    import sktime.datasets

    def give(name, split, return_type):
        return sktime.datasets.load_japanese_vowels(split=split, return_type=return_type)

    monkeypatch.setattr(sktime.datasets, "load_UCR_UEA_dataset", give)
    for got, expected in zip(load_dataset("Other"), load_dataset("JapaneseVowels"), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["", "../GunPoint", "a/b", "a\\b", "..", "a\0", None, 3])
def test_a_name_is_no_path(name, archive):
    with pytest.raises(ValueError, match="plain name") as caught:
        load_dataset(name)
    assert not isinstance(caught.value, DatasetNotFoundError)
    assert not archive
