"""One call of ``fit``: its validated data, and how networks are built and trained on it."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from robust_ts.defense.constants import DefenseConstants
from robust_ts.inputs import TrainingSet
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
        schedule: Schedule | None = None,
        *,
        stage: str = "main",
    ) -> Trainer:
        """Build the main network and its trainer; call inside ``isolated_rng``."""
        network = self.spec.main(self.mean, self.scale)
        return self.trainer(network, generator, schedule=schedule, stage=stage)

    def of_scout(self, constants: DefenseConstants) -> "FitJob":
        """Give the same job for the scout: a small network of its own, whatever the backbone.

        It is trained by one process, however many there are.
        """
        is_series = len(self.spec.space) == 1
        backbone = "cnn" if is_series else "image_cnn"
        filters = constants.scout_filters if is_series else constants.scout_image_filters
        spec = replace(self.spec, backbone=backbone, params={"filters": filters}, tap=None)
        schedule = replace(self.schedule, learning_rate=constants.scout_rate)
        return replace(self, spec=spec, schedule=schedule, team=Team())

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
