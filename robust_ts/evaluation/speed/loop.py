"""Our loop against the shortest one that can be written by hand, and against a compiled one."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_ts import NeuralClassifier
from robust_ts.evaluation.speed.timing import (
    Series,
    Settings,
    page,
    paired_ratio,
    seconds_of,
    shown,
)
from robust_ts.networks import NetworkSpec
from robust_ts.training import Schedule, Trainer, as_tensor, isolated_rng
from robust_ts.training.loop import n_batches

_BATCH, _PREDICTION_BATCH = 64, 256


def series_of(settings: Settings) -> Series:
    """Give the series of the tables of networks: enough for a second or two an epoch."""
    if settings.quick:
        return Series.load(64, 24)
    return Series.load(8192 if settings.device.type == "cuda" else 1024)


def build(backbone: str, series: Series, device: torch.device) -> nn.Module:
    """Build a network for some series, with the same weights at every call."""
    _, n_channels, n_timesteps = series.X.shape
    spec = NetworkSpec(backbone, n_channels, int(series.y.max()) + 1, (n_timesteps,))
    with isolated_rng(0, torch.device("cpu")):
        return spec.main(torch.zeros(n_channels), torch.ones(n_channels)).to(device)


def table(settings: Settings) -> str:
    """Measure training and prediction of each backbone against bare loops, as a table."""
    series, rows = series_of(settings), []
    notes: list[str] = []
    for backbone in settings.affordable(settings.backbones, notes):
        for work, compare in (("training", _training), ("prediction", _prediction)):
            result = compare(backbone, series, settings)
            row = {"backbone": backbone, "work": work, **shown(result, "ours", "bare torch")}
            rows.append({**row, "ours, series/s": f"{len(series.X) / result['seconds']:.0f}"})
    return page(f"{series.name}; one epoch at batch {_BATCH}, one prediction", rows, notes)


def _training(backbone: str, series: Series, settings: Settings) -> dict[str, float]:
    X, y = series.tensors(settings.device)
    trainer = Trainer(
        build(backbone, series, settings.device),
        X,
        y,
        Schedule(10_000, _BATCH, 1e-3, 1e-4),
        generator=torch.Generator().manual_seed(0),
        device=settings.device,
    )
    return paired_ratio(
        lambda: trainer.run(len(trainer.records) + 1),
        bare_epoch(build(backbone, series, settings.device), X, y),
        settings.n_pairs,
        device=settings.device,
        limit=settings.limit,
    )


def _prediction(backbone: str, series: Series, settings: Settings) -> dict[str, float]:
    classifier = NeuralClassifier(
        backbone, epochs=1, device=settings.device, precision="float32", random_state=0
    ).fit(series.X[:64], series.y[:64])
    return paired_ratio(
        lambda: classifier.predict_proba(series.X),
        bare_prediction(classifier.network_, series, settings.device),
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
    network: nn.Module, series: Series, device: torch.device
) -> Callable[[], object]:
    """Give the shortest prediction one can write by hand, from an array to an array."""
    network.eval()

    def predict() -> object:
        with torch.inference_mode():
            batches = as_tensor(series.X).split(_PREDICTION_BATCH)
            return torch.cat([network(b.to(device)).softmax(1).cpu() for b in batches]).numpy()

    return predict


def compile_table(settings: Settings) -> str:
    """Measure what ``torch.compile`` gains a bare training loop, its first epoch included."""
    series, rows = series_of(settings), []
    notes: list[str] = []
    X, y = series.tensors(settings.device)
    for backbone in settings.affordable(settings.backbones, notes):
        eager = bare_epoch(build(backbone, series, settings.device), X, y)
        network = build(backbone, series, settings.device).train()
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
        row = {"backbone": backbone, "first epoch, s": f"{first:.1f}"}
        row |= shown(result, "compiled epoch", "eager epoch")
        rows.append({**row, "pays after, epochs": pays})
    return page(f"{series.name}; the bare loop, batch {_BATCH}", rows, notes)
