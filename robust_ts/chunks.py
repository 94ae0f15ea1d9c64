"""Arrays that need not fit in memory: told from others, and read a part at a time."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Size of a part as float32. Small beside any memory, large beside the cost of a call.
CHUNK_BYTES = 64 * 2**20


def is_on_disk(X: Any) -> bool:
    """Whether an array, or what it is a view of, is mapped from a file.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from robust_ts.chunks import is_on_disk
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     X = np.memmap(file.name, np.float32, "w+", shape=(3, 1, 4))
    ...     is_on_disk(X), is_on_disk(np.asarray(X)[:2]), is_on_disk(X + 1)
    (True, True, False)
    """
    return isinstance(_base(X), mmap.mmap)


def _base(X: Any) -> Any:
    """Give what holds the memory of an array."""
    while isinstance(X, np.ndarray):
        X = X.base
    return X


def chunk_rows(X: np.ndarray) -> int:
    """Give how many samples of ``X`` make a part: a multiple of 256 where samples are small."""
    rows = max(1, CHUNK_BYTES // (4 * max(1, X[:1].size)))
    return rows - rows % 256 if rows > 256 else rows


def chunks(X: np.ndarray, rows: np.ndarray | None = None) -> Iterator[Any]:
    """Split samples into parts of at most ``CHUNK_BYTES``.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        The array, of which only the shape is looked at.
    rows : ndarray of int, optional
        Samples to go through; all of them where None.

    Yields
    ------
    slice, or ndarray of int where ``rows`` are given
        What to give to `read`.
    """
    size = chunk_rows(X)
    for start in range(0, len(X) if rows is None else len(rows), size):
        part = slice(start, start + size)
        yield part if rows is None else rows[part]


def read(X: np.ndarray, rows: Any) -> np.ndarray:
    """Read samples as float32, from disk in the order in which they lie there.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Any numbers.
    rows : slice or ndarray of int
        Which samples.

    Returns
    -------
    ndarray of shape (n_rows, ...), float32
        A view of ``X`` where it can be one.
    """
    if isinstance(rows, slice):
        return np.asarray(X[rows], dtype=np.float32)
    order = np.argsort(rows, kind="stable")
    _announce(X, rows[order])
    out = np.empty((len(rows), *X.shape[1:]), dtype=np.float32)
    out[order] = X[rows[order]]
    return out


def _announce(X: np.ndarray, rows: np.ndarray) -> None:
    """Tell the system which samples of a file come next, where it can be told.

    It then reads these at once and no more: a page that is missed would bring its surroundings,
    up to megabytes of samples that nobody asked for.
    """
    base = _base(X)
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_WILLNEED") and X.flags.c_contiguous:
        for start, length in _pages(base, X, rows):
            base.madvise(mmap.MADV_WILLNEED, start, length)


def _pages(base: mmap.mmap, X: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Give where samples, in order, are in the mapped memory: first byte of a page, and length."""
    offset = X.ctypes.data - np.frombuffer(base, dtype=np.uint8).ctypes.data
    size = X[:1].nbytes
    first = offset + rows.astype(np.int64) * size
    page = first - first % mmap.PAGESIZE
    # One call for the samples that begin in a page, and no more: of a longer stretch the system
    # would read the beginning alone.
    last = np.flatnonzero(np.diff(page, append=-1))
    yield from zip(page[last].tolist(), (first[last] + size - page[last]).tolist(), strict=True)
