"""One call of ``fit``: its validated data, and how networks are built and trained on it."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from robust_ts.defense.constants import DefenseConstants
from robust_ts.inputs import TrainingSet, is_padded, moved_to_end
from robust_ts.networks import NetworkSpec
from robust_ts.training import (
    Augment,
    History,
    Samples,
    Schedule,
    Team,
    Trainer,
    isolated_rng,
)


@dataclass(frozen=True)
class FitJob:
    """One call of ``fit``: validated data, and how to build and train on it."""

    data: TrainingSet
    spec: NetworkSpec
    schedule: Schedule
    X: Samples
    y: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor
    class_weight: torch.Tensor | None
    device: torch.device
    dtype: torch.dtype
    progress: bool
    augment: str | None = None
    team: Team = field(default_factory=Team)

    def main_trainer(
        self,
        generator: torch.Generator,
        *,
        stage: str = "main",
    ) -> Trainer:
        """Build the main network and its trainer; call inside ``isolated_rng``."""
        return self.trainer(self.spec.main(self.mean, self.scale), generator, stage=stage)

    def share(self, share: float) -> int:
        """Count the epochs of a part of the fit."""
        return max(1, round(share * self.schedule.epochs))

    def of_scout(self, constants: DefenseConstants, share: float = 1.0) -> "FitJob":
        """Give the same job for the scout: a small network of its own, whatever the backbone.

        It is trained by one process, however many there are, on a schedule of its own: in the
        middle of a long one the rate is highest, and a network that still moves says one thing now
        and another an epoch later. Its length is a share of what the library would choose by
        itself, for it is the data that is asked about, and at most that of the fit.
        """
        is_series = len(self.spec.space) == 1
        backbone = "cnn" if is_series else "image_cnn"
        filters = constants.scout_filters if is_series else constants.scout_image_filters
        spec = replace(self.spec, backbone=backbone, params={"filters": filters}, tap=None)
        main = replace(self.schedule, learning_rate=constants.scout_rate)
        usual = Schedule.resolve(len(self.data.y), None, main.batch_size, main.learning_rate, 0.0)
        epochs = min(main.epochs, max(1, round(share * usual.epochs)))
        schedule = replace(main, epochs=epochs)
        return replace(self, spec=spec, schedule=schedule, team=Team())

    def ways(self) -> "list[FitJob]":
        """Give the same job with series of unequal length beginning, and ending, together.

        Networks that know a mask say the same of both. What is at the end of every series is in one
        place of the array in the second only, and patterns are asked about place by place.
        """
        if not is_padded(self.data.X):
            return [self]
        X = moved_to_end(self.data.X)
        return [self, replace(self, data=replace(self.data, X=X), X=Samples(X, self.device))]

    def trainer(
        self,
        network: nn.Module,
        generator: torch.Generator,
        *,
        schedule: Schedule | None = None,
        stage: str = "main",
    ) -> Trainer:
        """Build a trainer of ``network`` on the data of this job."""
        return Trainer(
            network,
            self.X,
            self.y,
            schedule or self.schedule,
            generator=generator,
            device=self.device,
            dtype=self.dtype,
            class_weight=self.class_weight,
            stage=stage,
            progress=self.progress and self.team.rank == 0,
            augment=self._augment(generator) if self.augment else None,
            team=self.team,
        )

    def _augment(self, generator: torch.Generator) -> Augment:
        assert self.augment is not None
        if self.team.size > 1:  # parts of a batch differ in size, and shuffling must not
            seed = generator.initial_seed() + 1 + self.team.rank
            generator = torch.Generator().manual_seed(seed)
        return Augment(self.augment, self.mean, generator)


def train_plain(job: FitJob, seed: int) -> tuple[nn.Module, History]:
    """Train the main network on the data as given: the undefended fit."""
    with isolated_rng(seed, job.device) as generator:
        trainer = job.main_trainer(generator).run()
    return trainer.network, History(trainer.records)
