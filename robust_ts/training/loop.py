"""The one training loop: seeded shuffling, AdamW, one-cycle rate."""

import math
import time
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from robust_ts.chunks import read
from robust_ts.networks.embedding import embed
from robust_ts.training.objective import Objective, mean_loss
from robust_ts.training.samples import Samples, as_tensor
from robust_ts.training.team import Team

#: Share of the run in which the learning rate rises, and where it starts and ends relative
#: to its peak (one-cycle policy, Smith and Topin 2018; the values are PyTorch's defaults).
WARM_UP, START, END = 0.3, 1 / 25, 1 / 25e4

#: Automatic epochs: enough steps for a small set to converge, enough passes for a large one.
TARGET_STEPS, MIN_EPOCHS, MAX_EPOCHS = 1000, 20, 100


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    epochs : int
        Passes over the training set.
    batch_size : int
        Samples a step; batches are made equal, so none is tiny.
    learning_rate : float
        Peak rate of the one-cycle schedule.
    weight_decay : float
        Decoupled weight decay of AdamW.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    @classmethod
    def resolve(
        cls,
        n_samples: int,
        epochs: int | None,
        batch_size: int | None,
        learning_rate: float,
        weight_decay: float,
    ) -> "Schedule":
        """Fill in what was left to the library, from the size of the data.

        ``batch_size=None`` takes about an eighth of a small set, 64 at most; ``epochs=None``
        takes as many as make 1000 steps, between 20 and 100.
        """
        size = batch_size or int(min(64, max(8, n_samples // 8)))
        steps = n_batches(n_samples, size)
        auto = int(min(MAX_EPOCHS, max(MIN_EPOCHS, math.ceil(TARGET_STEPS / steps))))
        return cls(epochs or auto, size, learning_rate, weight_decay)

    def rate(self, progress: float) -> float:
        """Learning rate at ``progress`` in 0..1 of the run."""
        peak = self.learning_rate
        if progress < WARM_UP:
            return _cosine(START * peak, peak, progress / WARM_UP)
        return _cosine(peak, END * peak, (progress - WARM_UP) / (1 - WARM_UP))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def n_batches(n_samples: int, batch_size: int, n_processes: int = 1) -> int:
    """Count equal batches of at most ``batch_size``, no process's part of a single sample."""
    return max(1, min(math.ceil(n_samples / batch_size), n_samples // (2 * n_processes)))


class Trainer:
    """Train one network on one set, an epoch at a time.

    The caller iterates ``epochs()`` and may change ``targets``, ``subset`` and ``objective``
    between epochs. After each epoch ``losses`` holds, for every sample of the set, the loss
    that it had when its batch was last seen, without the weight of its class.

    Parameters
    ----------
    network : nn.Module
        Maps ``(n, c, *space)`` to logits; is moved to ``device``.
    X : Samples, or ndarray or Tensor of shape (n, c, *space)
        Training inputs; moved to ``device`` once where they fit there.
    y : Tensor of shape (n,)
        Class indices.
    schedule : Schedule
        Epochs, batches and rates.
    generator : torch.Generator
        CPU generator of the shuffling.
    device, dtype
        Where and in which precision to compute.
    class_weight : Tensor of shape (n_classes,), optional
        Weight of the loss by class of the current target.
    stage : str
        Name in the history.
    progress : bool
        Show a progress bar.
    augment : callable, optional
        Changes each batch of inputs before it is trained on.
    team : Team, optional
        The processes that train the network together. Each takes its part of every batch; all
        have the same ``losses`` after an epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        X: Samples | np.ndarray | Tensor,
        y: Tensor,
        schedule: Schedule,
        *,
        generator: torch.Generator,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        class_weight: Tensor | None = None,
        stage: str = "main",
        progress: bool = False,
        augment: Callable[[Tensor], Tensor] | None = None,
        team: Team | None = None,
    ) -> None:
        self.team = team or Team()
        self.network: nn.Module = network.to(device)
        self._module = self.team.module(self.network)
        self.X = X if isinstance(X, Samples) else Samples(X, device)
        self.targets = y.to(device)
        self.schedule, self.generator = schedule, generator
        self.device, self.dtype = device, dtype
        self.class_weight = None if class_weight is None else class_weight.to(device)
        self.stage, self.progress, self.augment = stage, progress, augment
        self.objective: Objective = mean_loss
        self.subset: Tensor | None = None
        self.losses = torch.full((len(X),), float("nan"), device=device)
        self.records: list[dict[str, Any]] = []
        self._optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )

    def epochs(self, last: int | None = None) -> Iterator[dict[str, Any]]:
        """Run the epochs that are left, up to number ``last``, yielding a record after each."""
        stop = self.schedule.epochs if last is None else min(last, self.schedule.epochs)
        first = len(self.records)
        bar = tqdm(range(first, stop), desc=self.stage, disable=not self.progress, leave=False)
        for epoch in bar:
            self.records.append(self._epoch(epoch))
            bar.set_postfix(loss=f"{self.records[-1]['loss']:.3f}")
            yield self.records[-1]

    def run(self, last: int | None = None) -> "Trainer":
        """Run the epochs that are left, up to number ``last``."""
        for _ in self.epochs(last):
            pass
        return self

    def evaluate_losses(self) -> Tensor:
        """Loss of every sample under its current target, in evaluation mode."""
        scores = torch.from_numpy(self.ask()).to(self.targets.device, torch.float32)
        return F.cross_entropy(scores, self.targets, reduction="none")

    def ask(
        self,
        rows: np.ndarray | None = None,
        *,
        scale: np.ndarray | float = 1.0,
        less: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """Ask the network as it is about training samples.

        Parameters
        ----------
        rows : ndarray of int, optional
            Which samples; all of them where None.
        scale, less : ndarray of shape (c, *space), default=1 and 0
            What to multiply each input by, and what to take from it then.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Logits as float64.
        """
        network = self.network.eval()
        factor, shift = (
            torch.as_tensor(value, dtype=torch.float32, device=self.device)
            for value in (scale, less)
        )

        def logits(some: np.ndarray) -> np.ndarray:
            return predict_batches(
                lambda x: network(factor * x - shift),
                self.X,
                device=self.device,
                dtype=self.dtype,
                rows=some,
            )

        rows = np.arange(len(self.X)) if rows is None else rows
        return self.team.answers(logits, rows)

    def about(self, X: Samples) -> "Trainer":
        """Give what asks the same network about other inputs of the same samples."""
        other = copy(self)
        other.X = X
        return other

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Return what the last layer of the network as it is is given for training samples.

        Each process asks its own copy of the network.

        Parameters
        ----------
        rows : ndarray of int
            Which samples.

        Returns
        -------
        ndarray of shape (n_rows, d)
            See `robust_ts.networks.embedding.embed`.
        """
        network = self.network.eval()
        return predict_batches(
            lambda x: embed(network, x), self.X, device=self.device, dtype=self.dtype, rows=rows
        )

    def _epoch(self, epoch: int) -> dict[str, Any]:
        start = time.perf_counter()
        self.network.train()
        n = len(self.X) if self.subset is None else len(self.subset)
        order = torch.randperm(n, generator=self.generator).to(self.device)
        if self.subset is not None:
            order = self.subset[order]
        batches = order.tensor_split(n_batches(n, self.schedule.batch_size, self.team.size))
        shares = [self.team.share(batch) for batch in batches]
        total = torch.zeros(2, device=self.device)
        for step, x in enumerate(self.X.batches(shares)):
            done = epoch + step / len(batches)
            rate = self.schedule.rate(done / self.schedule.epochs)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            total += self._step(batches[step], shares[step], x)
        self.losses = self.team.joined(self.losses, torch.cat(shares))
        self.team.agree(self.network)
        loss, correct = (self.team.total(total) / n).tolist()
        if not math.isfinite(loss):
            raise ValueError(
                f"Training diverged: in epoch {epoch + 1} of stage {self.stage!r} the loss is "
                f"{loss}, at a learning rate of {rate:.2g}. Lower learning_rate, which is "
                f"{self.schedule.learning_rate:g}, or look for extreme values in X."
            )
        return {
            "stage": self.stage,
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": correct,
            "learning_rate": rate,
            "n_samples": n,
            "seconds": time.perf_counter() - start,
        }

    def _step(self, batch: Tensor, index: Tensor, x: Tensor) -> Tensor:
        """Train on the part ``index`` of a batch, with inputs ``x``."""
        target = self.targets[index]
        if self.augment is not None:
            x = self.augment(x)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self._module(x)
        losses = F.cross_entropy(logits.float(), target, reduction="none")
        seen = losses.detach()
        if self.class_weight is not None:
            losses = losses * self.class_weight[target]
        self._optimizer.zero_grad(set_to_none=True)
        self.team.backward(self.team.loss(self.objective, losses, batch))
        self._optimizer.step()
        self.losses[index] = seen
        return torch.stack([seen.sum(), (logits.detach().argmax(1) == target).sum()])


def predict_batches(
    function: Callable[[Tensor], Tensor],
    X: Samples | np.ndarray | Tensor,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    batch_size: int = 256,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Apply a network or one of its methods to ``X`` in batches, without gradients.

    Of an array only one batch at a time is on the device, or read from disk. The module must be in
    evaluation mode.

    Parameters
    ----------
    function : callable
        Maps ``(n, c, *space)`` to ``(n, n_outputs)``.
    X : Samples, or ndarray or Tensor of shape (n, c, *space)
        Inputs.
    device, dtype
        Where and in which precision to compute.
    batch_size : int, default=256
        Samples a batch.
    rows : ndarray of int, optional
        Which samples to ask about; all of them where None.

    Returns
    -------
    ndarray of shape (n, n_outputs)
        Outputs as float64.
    """
    out: np.ndarray | None = None
    with torch.inference_mode():
        n = len(X) if rows is None else len(rows)
        for start in range(0, n, batch_size):
            part = slice(start, start + batch_size)
            which = part if rows is None else rows[part]
            batch = as_tensor(read(X, which) if isinstance(X, np.ndarray) else X[which]).to(device)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                values = function(batch).float().cpu().numpy()
            if out is None:
                out = np.empty((n, values.shape[1]))
            out[part] = values
    assert out is not None, "predict_batches needs at least one sample"
    return out
