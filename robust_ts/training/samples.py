"""Where the inputs of training are, and how a batch of them comes to the device."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from robust_ts.chunks import chunks, is_on_disk, read
from robust_ts.training.device import pinned, sent

#: Share of a card's free memory that the inputs may take; the network needs the rest.
RESIDENT_SHARE = 0.5


class Samples:
    """Inputs of a training set: on the device where they fit, else wherever they are.

    An array in memory is brought to the device once. One that does not fit there, or that is
    mapped from a file, stays where it is: each batch is read by a background thread while the one
    before it is trained on. Which it is changes no number.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n, c, *space)
        Inputs, never written to.
    device : torch.device
        Where batches are wanted.
    """

    def __init__(self, X: np.ndarray | Tensor, device: torch.device) -> None:
        self.device = device
        self._source = X
        self._resident: Tensor | None = None
        if isinstance(X, Tensor) or _fits(X, device):
            self._resident = _moved(X, device)
            self._source = self._resident

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, rows: slice | np.ndarray) -> Tensor:
        """Give some samples as a float32 tensor on the device."""
        if self._resident is None:
            assert isinstance(self._source, np.ndarray)
            return as_tensor(read(self._source, rows)).to(self.device)
        if isinstance(rows, np.ndarray):
            return self._resident[torch.from_numpy(rows).to(self.device)]
        return self._resident[rows]

    def batches(self, indices: Sequence[Tensor]) -> Iterator[Tensor]:
        """Give the inputs of one batch after the other, on the device.

        Parameters
        ----------
        indices : sequence of Tensor of int
            Samples of each batch, on the device.
        """
        if self._resident is not None:
            for index in indices:
                yield self._resident[index]
            return
        # One copy from the device, for each would make it wait.
        rows = torch.cat(list(indices)).cpu().split([len(index) for index in indices])
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, rows[0].numpy())
            for following in [*rows[1:], None]:
                x = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read, following.numpy())
                yield sent(x, self.device)

    def _read(self, rows: np.ndarray) -> Tensor:
        assert isinstance(self._source, np.ndarray)
        return pinned(torch.from_numpy(read(self._source, rows)), self.device)


def _fits(X: np.ndarray, device: torch.device) -> bool:
    """Whether an array is to be kept on the device as a whole."""
    if device.type == "cuda":
        return 4 * X.size <= RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]
    return not is_on_disk(X)


def _moved(X: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """Bring inputs to the device; from a file in parts, so that memory never holds all of them."""
    if isinstance(X, Tensor) or not is_on_disk(X):
        return as_tensor(X).to(device)
    out = torch.empty(X.shape, dtype=torch.float32, device=device)
    for part in chunks(X):
        out[part] = as_tensor(read(X, part)).to(device)
    return out


def as_tensor(X: np.ndarray | Tensor) -> Tensor:
    """Share memory with ``X`` where torch can; it has no read-only or reversed arrays."""
    if isinstance(X, np.ndarray) and (not X.flags.writeable or any(s < 0 for s in X.strides)):
        X = X.copy()
    return torch.as_tensor(X)
