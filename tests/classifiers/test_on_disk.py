"""Arrays mapped from a file are fitted and predicted like others, without being read as a whole."""

import numpy as np
import pytest

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier, chunks
from robust_ts.defense.constants import DefenseConstants
from tests.defense._groups import poisoned_series

every_estimator = pytest.mark.parametrize("cls", [NeuralClassifier, ABLClassifier, E2ABLClassifier])


def small(cls):
    return cls(
        "cnn",
        backbone_params={"filters": (8, 16, 8)},
        epochs=10,
        learning_rate=1e-2,
        random_state=0,
        device="cpu",
    )


def on_disk(path, X):
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


@every_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mapped_array_gives_what_an_array_gives(cls, dtype, tmp_path):
    X, y, _ = poisoned_series()
    mapped = on_disk(tmp_path, X.astype(dtype))
    usual, clf = small(cls).fit(X, y), small(cls).fit(mapped, y)
    np.testing.assert_array_equal(clf.predict_proba(mapped), usual.predict_proba(X))
    assert [r["loss"] for r in clf.history_] == [r["loss"] for r in usual.history_]
    if cls is E2ABLClassifier:
        assert usual.report_.is_poisoned.any()  # so that recovery was needed too
        np.testing.assert_array_equal(clf.report_.suspicion, usual.report_.suspicion)
        np.testing.assert_array_equal(clf.report_.verdicts, usual.report_.verdicts)


@every_estimator
def test_no_part_that_is_read_is_large(cls, tmp_path, monkeypatch):
    X, y, mask = poisoned_series()
    mapped = on_disk(tmp_path, X)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 32 * X[:1].nbytes)
    largest = []

    def spy(array, rows, read=chunks.read):
        part = read(array, rows)
        if array.shape == X.shape:
            largest.append(len(part))
        return part

    from robust_ts import inputs
    from robust_ts.classifiers import _lesson, e2abl
    from robust_ts.defense import patterns
    from robust_ts.training import loop, samples

    for module in (inputs, e2abl, _lesson, patterns, loop, samples):
        monkeypatch.setattr(module, "read", spy)
    # The batch of prediction is one of many samples in any real set.
    monkeypatch.setitem(loop.predict_batches.__kwdefaults__, "batch_size", 32)
    clf = small(cls).fit(mapped, y)
    clf.predict(mapped)
    assert 0 < max(largest) <= max(DefenseConstants().landmarks(len(X)), 32)
    if cls is E2ABLClassifier:
        assert (clf.report_.is_poisoned == mask).mean() > 0.95


@every_estimator
def test_errors_name_the_place_beyond_the_first_part(cls, tmp_path, monkeypatch):
    X, y, _ = poisoned_series()
    X[100, 0, 7], X[150, 0, 1] = np.nan, np.inf
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 32 * X[:1].nbytes)
    with pytest.raises(ValueError, match=r"2 values .* 1 NaN and 1 inf, .* X\[100, 0, 7\]"):
        small(cls).fit(on_disk(tmp_path, X), y)


def test_numbers_beyond_float32_are_found_on_disk(tmp_path):
    X, y, _ = poisoned_series()
    X = X.astype(float)
    X[3, 0, 2] = 1e300
    with pytest.raises(ValueError, match=r"0 NaN and 1 inf, the first at X\[3, 0, 2\]"):
        small(NeuralClassifier).fit(on_disk(tmp_path, X), y)
