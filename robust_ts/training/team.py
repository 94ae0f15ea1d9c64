"""The processes that train one network together: one, or as many as torchrun has started."""

import atexit
import contextlib
import inspect
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from robust_ts.training.objective import Objective, mean_loss

T = TypeVar("T")

#: How long processes wait for the one that proposes, which may take long on large sets.
_PATIENCE = timedelta(hours=12)

_alone = ContextVar("alone", default=False)


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Let every process that torchrun started fit on its own inside this block.

    Examples
    --------
    >>> from robust_ts.training import one_process
    >>> with one_process():
    ...     pass  # each process fits another estimator
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


class Team:
    """One process: what it is given is the whole, what it finds is final.

    The methods say where processes would have to share or agree.
    """

    rank, size = 0, 1

    def device(self, device: torch.device) -> torch.device:
        """Give the device of this process."""
        return device

    def module(self, network: nn.Module) -> nn.Module:
        """Give what is called in training in place of the network, whose weights it trains."""
        return network

    def share(self, index: Tensor) -> Tensor:
        """Give this process's part of a batch."""
        return index

    def loss(self, objective: Objective, losses: Tensor, batch: Tensor) -> Tensor:
        """Give what to differentiate, from the losses of this process's part of a batch."""
        return objective(losses, batch)

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients."""
        loss.backward()

    def total(self, values: Tensor) -> Tensor:
        """Sum over processes."""
        return values

    def joined(self, values: Tensor, own: Tensor) -> Tensor:
        """Join per-sample values, of which each process knows those at its ``own`` indices."""
        return values

    def agree(self, network: nn.Module) -> None:
        """Bring the statistics of normalization together."""

    def first(self, make: Callable[[], T]) -> T:
        """Decide once, for all."""
        return make()

    def each(self, value: T) -> list[T]:
        """Give the value of every process."""
        return [value]

    def answers(self, ask: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Ask about some samples; the same answers for all."""
        return ask(rows)


class FabricTeam(Team):
    """Processes that torchrun has started, brought together by Lightning Fabric.

    Each takes its part of every batch. The sum of what they differentiate is the objective of the
    whole batch, so that the result is that of one process but for the order of summation and for
    batch normalization, which looks at a process's own part.

    Parameters
    ----------
    device : torch.device
        CUDA or CPU; each process takes the card of its local rank.

    Raises
    ------
    ValueError
        If Lightning Fabric is not installed, or cannot train on the device.
    """

    def __init__(self, device: torch.device) -> None:
        try:
            from lightning_fabric import Fabric
            from lightning_fabric.strategies import DDPStrategy
        except ImportError as error:
            raise ValueError(
                "torchrun has started several processes, and training them together needs "
                f'Lightning Fabric ({error}): pip install ".[distributed]" in the clone. To let '
                "each fit on its own, fit inside robust_ts.training.one_process()."
            ) from None
        if device.type not in ("cpu", "cuda"):
            raise ValueError(
                f"Several processes train together on CUDA cards or the CPU, not on "
                f"{device.type!r}; give device='cpu' or start one process."
            )
        n_local = int(os.environ["LOCAL_WORLD_SIZE"])
        # Buffers are joined once an epoch, see `agree`. The name is that of torch 2.13 and newer.
        known = inspect.signature(nn.parallel.DistributedDataParallel.__init__).parameters
        new = "forward_sync_buffers"
        options: dict[str, Any] = {new if new in known else "broadcast_buffers": False}
        # Static: a part of the network that is never asked, as behind a tap, is left alone.
        strategy = DDPStrategy(timeout=_PATIENCE, static_graph=True, **options)
        self._fabric = Fabric(
            accelerator=device.type,
            devices=n_local,
            num_nodes=int(os.environ["WORLD_SIZE"]) // n_local,
            strategy=strategy,
        )
        ours = not torch.distributed.is_initialized()
        self._fabric.launch()
        if ours:
            # Threads that still hold tensors while the interpreter ends would abort the process.
            atexit.register(_part)
        self.rank, self.size = self._fabric.global_rank, self._fabric.world_size

    def device(self, device: torch.device) -> torch.device:
        """Give the card of the local rank."""
        return self._fabric.device

    def module(self, network: nn.Module) -> nn.Module:
        """Give the network as a module whose gradients are averaged over processes."""
        return self._fabric.setup_module(network, move_to_device=False)

    def share(self, index: Tensor) -> Tensor:
        """Give this process's part of a batch; parts differ by one sample at most."""
        return index.tensor_split(self.size)[self.rank]

    def loss(self, objective: Objective, losses: Tensor, batch: Tensor) -> Tensor:
        """Give what to differentiate, so that the mean over processes is that of the batch."""
        if objective is mean_loss:
            return losses.sum() * (self.size / len(batch))
        # Other objectives may look at the batch as a whole: those of others come as constants.
        places = self.share(torch.arange(len(batch), device=losses.device))
        known = losses.new_zeros(len(batch)).index_copy(0, places, losses.detach())
        return objective(self.total(known).index_copy(0, places, losses), batch) * self.size

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients, averaged over processes."""
        self._fabric.backward(loss)

    def total(self, values: Tensor) -> Tensor:
        """Sum over processes."""
        out: Any = self._fabric.all_reduce(values.clone(), reduce_op="sum")
        return out

    def joined(self, values: Tensor, own: Tensor) -> Tensor:
        """Join per-sample values, of which each process knows those at its ``own`` indices."""
        known = torch.zeros((2, len(values)), device=values.device)
        known[0, own], known[1, own] = values[own], 1.0
        known = self.total(known)
        return torch.where(known[1] > 0, known[0], values)

    def agree(self, network: nn.Module) -> None:
        """Average the running statistics of normalization, which each saw of its own part."""
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(self.total(buffer) / self.size)

    def first(self, make: Callable[[], T]) -> T:
        """Decide on the first process, and tell the others."""
        out: Any = self._fabric.broadcast(make() if self.rank == 0 else None)
        return out

    def each(self, value: T) -> list[T]:
        """Give the value of every process."""
        gathered: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    def answers(self, ask: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Ask each process about a part of the samples, and give all answers to all."""
        own = np.array_split(rows, self.size)[self.rank]
        parts = self.each(ask(own) if len(own) else None)
        return np.concatenate([part for part in parts if part is not None])


def _part() -> None:
    """Leave the other processes."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def current_team(device: torch.device) -> Team:
    """Give the team that this process is part of: alone unless torchrun started several.

    Parameters
    ----------
    device : torch.device
        What is to be trained on.

    Raises
    ------
    ValueError
        If there are several processes that cannot train together.
    """
    # A worker of joblib inherits the variables, but is none of the processes.
    worker = multiprocessing.current_process().name != "MainProcess"
    launched = torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()
    if _alone.get() or worker or not launched or int(os.environ["WORLD_SIZE"]) == 1:
        return Team()
    return FabricTeam(device)
