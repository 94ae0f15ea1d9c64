"""One call of ``fit``: its validated data, and how networks are built and trained on it."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

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

#: The networks that scout, for series and for images, and their learning rate. A tenth of the cost
#: of the usual backbones; all rules and constants were set with these.
SCOUTS = {1: ("cnn", (32, 64, 32)), 2: ("image_cnn", (16, 32, 32))}
SCOUT_RATE = 3e-3


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

    def of_scout(self) -> "FitJob":
        """Give the same job for the scout: a small network of its own, whatever the backbone.

        It is trained by one process, however many there are.
        """
        backbone, filters = SCOUTS[len(self.spec.space)]
        spec = replace(self.spec, backbone=backbone, params={"filters": filters}, tap=None)
        schedule = replace(self.schedule, learning_rate=SCOUT_RATE)
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
