import sys
import time

import numpy as np
import pytest

from robust_ts.evaluation import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which is Linux's")


def test_the_table_counts_what_is_held_and_the_file_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "SHAPE", (2, 32))
    table = memory.memory_table(4e-5, tmp_path, ("none", "e2abl"))
    assert "NeuralClassifier" in table
    assert "156 x 2 x 32" in table
    assert "E2ABLClassifier" in table
    assert list(tmp_path.iterdir()) == []


def test_the_set_is_poisoned_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "SHAPE", (2, 32))
    y, mask = memory.write_set(tmp_path / "X.npy", 100)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert X.shape == (100, 2, 32)
    assert 0 < mask.sum() <= 10
    assert (y[mask] == 0).all()
    trigger = X[mask].mean(axis=0)
    assert (X[mask] * trigger).mean() > 3 * abs((X[~mask] * trigger).mean())


def test_the_peak_is_that_of_the_block():
    before = memory.anonymous_bytes()
    with memory.peak_of_memory(0.001) as peak:
        held = np.ones(40_000_000 // 8)
        time.sleep(0.05)
        del held
    assert peak[0] - before > 30_000_000
    with memory.peak_of_memory(0.001) as peak:
        pass
    assert peak[0] - before < 30_000_000


def test_what_cannot_be_measured_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Unknown defenses \['other'\]; known: none, abl, e2abl"):
        memory.memory_table(1, tmp_path, ("other",))
    with pytest.raises(ValueError, match=r"GB free, and 5 GB are to stay so"):
        memory.memory_table(1e6, tmp_path)
