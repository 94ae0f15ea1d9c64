import mmap

import numpy as np
import pytest

from robust_ts import chunks as module
from robust_ts.chunks import _base, _pages, chunk_rows, chunks, is_on_disk, read


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * 6 * 5)  # five samples of six numbers


def test_what_a_mapped_array_becomes_is_told_apart_from_copies(tmp_path):
    X = np.arange(24.0).reshape(4, 6)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert is_on_disk(mapped)
    assert is_on_disk(np.asarray(mapped)[1:, np.newaxis])
    assert not is_on_disk(mapped[[0, 2]])
    assert not is_on_disk(X[1:])
    assert not is_on_disk(X.tolist())


@pytest.mark.parametrize("n", [1, 5, 12])
def test_parts_cover_every_sample_once_and_none_is_large(n, small_chunks):
    X = np.arange(6.0 * n).reshape(n, 1, 6)
    parts = [read(X, rows) for rows in chunks(X)]
    assert max(map(len, parts)) <= 5
    np.testing.assert_array_equal(np.concatenate(parts), X)
    rows = np.random.default_rng(0).permutation(n)
    parts = [read(X, some) for some in chunks(X, rows)]
    assert max(map(len, parts)) <= 5
    np.testing.assert_array_equal(np.concatenate(parts), X[rows])


def test_a_part_has_a_sample_at_least_and_small_ones_come_in_whole_batches(monkeypatch):
    assert chunk_rows(np.zeros((9, 3))) % 256 == 0
    monkeypatch.setattr(module, "CHUNK_BYTES", 8)
    assert chunk_rows(np.zeros((9, 3))) == 1


def test_reading_gives_float32_and_a_view_where_it_can():
    X = np.arange(12, dtype=np.int16).reshape(4, 3)
    for rows in (slice(1, 3), np.array([3, 0, 0, 2])):
        part = read(X, rows)
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, X[rows])
    Y = X.astype(np.float32)
    assert np.shares_memory(read(Y, slice(0, 2)), Y)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_views_of_a_file_are_read_where_they_are(mode, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3, 500)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped, rows = np.load(tmp_path / "X.npy", mmap_mode=mode), np.array([30, 2, 5, 17])
    for part in (slice(None), slice(5, None), np.s_[:, :1], np.s_[:, np.newaxis], np.s_[::-1]):
        np.testing.assert_array_equal(read(mapped[part], rows), X[part][rows])
    for view, moved in ((mapped, 0), (mapped[5:], 5)):
        base = _base(view)
        for row, (start, length) in zip(rows, _pages(base, view, rows), strict=True):
            assert start % mmap.PAGESIZE == 0
            assert base[start : start + length].endswith(X[moved + row].tobytes())


@pytest.mark.parametrize("width", [1, 25, 700])
def test_every_page_is_announced_once_and_no_sample_left_out(width, tmp_path):
    X = np.zeros((3000, width))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    base, size = _base(mapped), X[0].nbytes
    offset = mapped.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
    rows = np.sort(np.random.default_rng(0).integers(0, 3000, 500)).astype(np.int32)
    found = list(_pages(base, mapped, rows))
    assert len({start for start, _ in found}) == len(found) <= len(set(rows))
    announced = {b // mmap.PAGESIZE for s, n in found for b in (*range(s, s + n, 512), s + n - 1)}
    held = [(offset + int(r) * size, offset + int(r) * size + size - 1) for r in rows]
    wanted = {page for a, b in held for page in range(a // mmap.PAGESIZE, b // mmap.PAGESIZE + 1)}
    assert announced == wanted
