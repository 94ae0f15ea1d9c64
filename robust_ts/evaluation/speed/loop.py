"""Our loop against the shortest one that can be written by hand, and against a compiled one."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_ts import NeuralClassifier
from robust_ts.evaluation.speed.timing import (
    RealData,
    Settings,
    page,
    paired_ratio,
    seconds_of,
    shown,
)
from robust_ts.networks import NetworkSpec, space_axes_of
from robust_ts.training import Schedule, Trainer, as_tensor, isolated_rng
from robust_ts.training.loop import n_batches

_BATCH, _PREDICTION_BATCH = 64, 256


def data_for(backbone: str, settings: Settings) -> RealData:
    """Give the samples of the tables of networks: enough for a second or two an epoch."""
    axes = space_axes_of(backbone)
    if settings.quick:
        return RealData.load(64, 24, axes)
    return RealData.load(8192 if settings.device.type == "cuda" else 1024, None, axes)


def build(backbone: str, data: RealData, device: torch.device) -> nn.Module:
    """Build a network for some samples, with the same weights at every call."""
    _, n_channels, *space = data.X.shape
    spec = NetworkSpec(backbone, n_channels, int(data.y.max()) + 1, tuple(space))
    with isolated_rng(0, torch.device("cpu")):
        return spec.main(torch.zeros(n_channels), torch.ones(n_channels)).to(device)


def table(settings: Settings) -> str:
    """Measure training and prediction of each backbone against bare loops, as a table."""
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    for backbone in settings.affordable(settings.backbones, notes):
        data = data_for(backbone, settings)
        for work, compare in (("training", _training), ("prediction", _prediction)):
            result = compare(backbone, data, settings)
            row = {"samples": data.name, "backbone": backbone, "work": work}
            row |= shown(result, "ours", "bare torch")
            rows.append({**row, "ours, samples/s": f"{len(data.X) / result['seconds']:.0f}"})
    return page(f"One epoch at batch {_BATCH}, one prediction", rows, notes)


def _training(backbone: str, data: RealData, settings: Settings) -> dict[str, float]:
    X, y = data.tensors(settings.device)
    trainer = Trainer(
        build(backbone, data, settings.device),
        X,
        y,
        Schedule(10_000, _BATCH, 1e-3, 1e-4),
        generator=torch.Generator().manual_seed(0),
        device=settings.device,
    )
    return paired_ratio(
        lambda: trainer.run(len(trainer.records) + 1),
        bare_epoch(build(backbone, data, settings.device), X, y),
        settings.n_pairs,
        device=settings.device,
        limit=settings.limit,
    )


def _prediction(backbone: str, data: RealData, settings: Settings) -> dict[str, float]:
    classifier = NeuralClassifier(
        backbone, epochs=1, device=settings.device, precision="float32", random_state=0
    ).fit(data.X[:64], data.y[:64])
    return paired_ratio(
        lambda: classifier.predict_proba(data.X),
        bare_prediction(classifier.network_, data, settings.device),
        settings.n_pairs,
        device=settings.device,
        limit=settings.limit,
    )


def bare_epoch(
    network: Callable[[Tensor], Tensor], X: Tensor, y: Tensor, parameters: Any = None
) -> Callable[[], None]:
    """Give the shortest epoch one can write by hand, with the same batches and optimizer.

    Parameters
    ----------
    network : callable
        Module, or a compiled one with the ``parameters`` of the module.
    X, y : Tensor
        Series and labels on the device.
    """
    if parameters is None:
        assert isinstance(network, nn.Module)
        parameters = network.train().parameters()
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-4, fused=True)

    def epoch() -> None:
        order = torch.randperm(len(X)).to(X.device)
        for index in order.tensor_split(n_batches(len(X), _BATCH)):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(X[index]), y[index]).backward()
            optimizer.step()

    return epoch


def bare_prediction(
    network: nn.Module, data: RealData, device: torch.device
) -> Callable[[], object]:
    """Give the shortest prediction one can write by hand, from an array to an array."""
    network.eval()

    def predict() -> object:
        with torch.inference_mode():
            batches = as_tensor(data.X).split(_PREDICTION_BATCH)
            return torch.cat([network(b.to(device)).softmax(1).cpu() for b in batches]).numpy()

    return predict


def compile_table(settings: Settings) -> str:
    """Measure what ``torch.compile`` gains a bare training loop, its first epoch included."""
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    for backbone in settings.affordable(settings.backbones, notes):
        data = data_for(backbone, settings)
        X, y = data.tensors(settings.device)
        eager = bare_epoch(build(backbone, data, settings.device), X, y)
        network = build(backbone, data, settings.device).train()
        compiled = bare_epoch(torch.compile(network), X, y, network.parameters())
        eager()
        first = seconds_of(compiled, settings.device)
        result = paired_ratio(
            compiled,
            eager,
            settings.n_pairs,
            device=settings.device,
            limit=settings.limit,
            warm_up=False,
        )
        gain = (1 - result["ratio"]) * result["reference_seconds"]
        pays = f"{(first - result['reference_seconds']) / gain:.0f}" if gain > 0 else "never"
        row = {"samples": data.name, "backbone": backbone, "first epoch, s": f"{first:.1f}"}
        row |= shown(result, "compiled epoch", "eager epoch")
        rows.append({**row, "pays after, epochs": pays})
    return page(f"The bare loop, batch {_BATCH}", rows, notes)
