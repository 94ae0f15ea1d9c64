"""Anti-Backdoor Learning (Li et al. 2021), the baseline that E2ABL improves on."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from robust_ts.classifiers._base import BaseNeuralClassifier, is_number, shares_parameters
from robust_ts.classifiers._job import FitJob
from robust_ts.defense.losses import ascent_loss, flooding_loss, gradient_ascent_gap
from robust_ts.training import History, isolated_rng
from robust_ts.training.objective import mean_loss


@shares_parameters
class ABLClassifier(BaseNeuralClassifier):
    """Anti-Backdoor Learning: isolate the samples of lowest loss, then unlearn them.

    The method assumes that poisoned samples are learned first. Early training holds every
    sample's loss near ``gamma``, so that only what is learned very fast falls below it; the
    lowest ``isolation_rate`` of the samples are isolated; training goes on without them, and
    at the end the network climbs the loss of the isolated ones while it descends that of the
    rest.

    Parameters
    ----------
    isolation : {"ascent", "flooding"}, default="ascent"
        Early loss: local gradient ascent ``sign(l - gamma) * l`` (Eq. 3 of the paper) or
        flooding ``|l - gamma| + gamma`` (Ishida et al. 2020).
    gamma : float, default=0.5
        Loss at which early training is held (the paper's value).
    per_sample : bool, default=True
        Apply the early loss to each sample, as the paper writes it, or to the mean of the
        batch, as its released code does.
    isolation_rate : float in (0, 1), default=0.01
        Share of the training set that is isolated (the paper's value).
    isolation_epochs : float in (0, 1), default=0.2
        Share of the epochs in the isolation stage (20 of 100 in the paper).
    unlearning_epochs : float in [0, 1), default=0.2
        Share of the epochs, at the end, in which the isolated samples are unlearned (20 of
        100 in the released code; the paper unlearns in all epochs after isolation).
    <shared parameters>

    Attributes
    ----------
    isolated_indices_ : ndarray of shape (n_isolated,)
        Training samples that were isolated, in input order.
    <shared attributes>

    Notes
    -----
    What the paper leaves open, and our choice: samples are ranked by the loss in evaluation
    mode at the end of the isolation stage; at least one sample is isolated; the one-cycle
    learning rate of this library runs over all stages instead of separate rates; the ascent
    on an isolated sample stops where its loss passes that of guessing, ``ln(n_classes)``,
    because the ascent of the paper has no bound and destroys the network where steps are
    many. The report of clean accuracy includes the target class.

    References
    ----------
    Li, Lyu, Koren, Lyu, Li and Ma, "Anti-Backdoor Learning: training clean models on
    poisoned data", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts import ABLClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 1, 32)); y = np.repeat(["flat", "wave"], 30)
    >>> X[30:] += 2 * np.sin(np.arange(32))
    >>> clf = ABLClassifier("cnn", backbone_params={"filters": (8, 16, 8)}, epochs=20,
    ...                     isolation_rate=0.05, random_state=0).fit(X, y)
    >>> len(clf.isolated_indices_)
    3
    """

    def __init__(
        self,
        backbone: Any = "inception",
        *,
        isolation: str = "ascent",
        gamma: float = 0.5,
        per_sample: bool = True,
        isolation_rate: float = 0.01,
        isolation_epochs: float = 0.2,
        unlearning_epochs: float = 0.2,
        **shared: Any,
    ) -> None:
        super().__init__(backbone, **shared)
        self.isolation = isolation
        self.gamma = gamma
        self.per_sample = per_sample
        self.isolation_rate = isolation_rate
        self.isolation_epochs = isolation_epochs
        self.unlearning_epochs = unlearning_epochs

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.isolation not in ("ascent", "flooding"):
            raise ValueError(f"isolation must be 'ascent' or 'flooding', got {self.isolation!r}.")
        for name in ("gamma", "isolation_rate", "isolation_epochs", "unlearning_epochs"):
            if not is_number(getattr(self, name)):
                raise ValueError(f"{name} must be a number, got {getattr(self, name)!r}.")
        if self.gamma <= 0:
            raise ValueError(f"gamma must be > 0, got {self.gamma!r}.")
        for name in ("isolation_rate", "isolation_epochs"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in (0, 1), got {getattr(self, name)!r}.")
        if not 0 <= self.unlearning_epochs <= 1 - self.isolation_epochs:
            raise ValueError(
                "unlearning_epochs must lie in [0, 1 - isolation_epochs], got "
                f"{self.unlearning_epochs!r} with isolation_epochs={self.isolation_epochs!r}."
            )

    def _train(self, job: FitJob, seeds: list[int]) -> tuple[nn.Module, History]:
        n, total = len(job.y), job.schedule.epochs
        isolate_until = max(1, round(self.isolation_epochs * total))
        unlearn_from = min(total, max(isolate_until, total - round(self.unlearning_epochs * total)))
        early = ascent_loss if self.isolation == "ascent" else flooding_loss
        with isolated_rng(seeds[0], job.device) as generator:
            trainer = job.main_trainer(generator)
            trainer.objective = lambda losses, index: early(losses, self.gamma, self.per_sample)
            trainer.run(isolate_until)
            order = torch.argsort(trainer.evaluate_losses(), stable=True)
            # Two samples at least go on training: a batch of one has no batch statistics.
            isolated = order[: max(1, min(round(self.isolation_rate * n), n - 2))]
            flags = torch.zeros(n, dtype=torch.bool, device=job.device)
            flags[isolated] = True
            trainer.objective = mean_loss
            trainer.subset = torch.nonzero(~flags).flatten()
            trainer.run(unlearn_from)
            trainer.subset = None
            cap = math.log(job.spec.n_classes)
            trainer.objective = lambda losses, index: gradient_ascent_gap(losses, flags[index], cap)
            trainer.run()
        self.isolated_indices_ = np.sort(isolated.cpu().numpy())
        return trainer.network, History(trainer.records)
