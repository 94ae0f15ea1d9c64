"""Where inputs are, and that it changes nothing."""

import numpy as np
import pytest
import torch

from robust_ts.training import Samples, samples

CPU = torch.device("cpu")


@pytest.fixture(params=["memory", "disk", "int16 on disk"])
def stored(request, tmp_path):
    """Give the same numbers from different places."""
    X = np.random.default_rng(0).integers(-50, 50, size=(20, 2, 6)).astype(np.float32)
    if request.param == "memory":
        return X, Samples(X, CPU)
    np.save(tmp_path / "X.npy", X.astype("int16") if "int16" in request.param else X)
    return X, Samples(np.load(tmp_path / "X.npy", mmap_mode="r"), CPU)


def test_batches_follow_the_order(stored):
    X, given = stored
    indices = torch.randperm(20)[:17].tensor_split(4)
    seen = list(given.batches(indices))
    assert len(seen) == 4
    for index, x in zip(indices, seen, strict=True):
        assert x.dtype is torch.float32
        np.testing.assert_array_equal(x.numpy(), X[index.numpy()])


def test_samples_are_given_by_slices_and_indices(stored):
    X, given = stored
    assert len(given) == 20
    for rows in (slice(3, 9), slice(None), np.array([7, 7, 0, 19])):
        np.testing.assert_array_equal(given[rows].numpy(), X[rows])


def test_a_batch_is_read_while_another_is_trained_on(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", np.zeros((20, 1, 4), np.float32))
    given, read = Samples(np.load(tmp_path / "X.npy", mmap_mode="r"), CPU), []

    def spy(X, rows):
        read.append(len(rows))
        return np.zeros((len(rows), 1, 4), np.float32)

    monkeypatch.setattr(samples, "read", spy)
    batches = given.batches(torch.arange(20).tensor_split(4))
    next(batches)
    batches.close()  # waits for what is under way, and reads no more
    assert read == [5, 5]


def test_an_error_of_reading_reaches_the_caller(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", np.zeros((20, 1, 4), np.float32))
    given = Samples(np.load(tmp_path / "X.npy", mmap_mode="r"), CPU)

    def broken(X, rows):
        raise OSError("disk is gone")

    monkeypatch.setattr(samples, "read", broken)
    with pytest.raises(OSError, match="disk is gone"):
        list(given.batches(torch.arange(20).tensor_split(4)))


def test_an_array_in_memory_is_not_copied():
    X = np.zeros((4, 1, 3), np.float32)
    assert np.shares_memory(Samples(X, CPU)[:].numpy(), X)
