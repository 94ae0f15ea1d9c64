"""What the defense costs: a whole fit of E2ABL against the same fit without it."""

from typing import Any

import numpy as np

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.attacks import BadNetsTrigger, PatchTrigger, poison
from robust_ts.datasets import DatasetNotFoundError, load_dataset
from robust_ts.evaluation.speed.timing import Settings, page, paired_ratio, shown
from robust_ts.networks import space_axes_of

DATA = ("clean", "poisoned")


def goal(n_samples: int) -> float:
    """Give the most a fit may cost over the undefended one: more on tiny sets."""
    return 1.1 if n_samples >= 500 else 1.3


def table(settings: Settings) -> str:
    """Measure E2ABL over the undefended classifier, with the automatic schedule of both."""
    rows: list[dict[str, Any]] = []
    notes = []
    for name in settings.datasets:
        try:
            X, y, _, _ = load_dataset(name, download_if_missing=False)
        except DatasetNotFoundError:
            notes.append(f"- {name}: not measured, it is neither bundled nor in ROBUST_TS_DATA")
            continue
        fitting = [b for b in settings.backbones if space_axes_of(b) == X.ndim - 2]
        if not fitting:
            notes.append(f"- {name}: not measured, no backbone for its samples was asked for")
        works = [(name, backbone, data) for backbone in fitting for data in DATA]
        rows += [_cost(*work, X, y, settings) for work in settings.affordable(works, notes)]
    head = (
        "Whole fits, automatic schedule; poisoned: patch trigger, of images BadNets, 10%, dirty "
        "label, target 0"
    )
    return page(head, rows, notes)


def _cost(
    name: str, backbone: str, data: str, X: np.ndarray, y: np.ndarray, settings: Settings
) -> dict[str, Any]:
    if data == "poisoned":
        trigger = (PatchTrigger if X.ndim == 3 else BadNetsTrigger)(random_state=0)
        poisoned = poison(X, y, trigger, target=0, rate=0.1, mode="dirty", random_state=0)
        X, y = poisoned.X, poisoned.y
    shared: dict[str, Any] = {"device": settings.device, "random_state": 0}
    if settings.quick:
        shared["epochs"] = 2
    defended, plain = E2ABLClassifier(backbone, **shared), NeuralClassifier(backbone, **shared)
    # One short fit warms up memory and threads; a whole one more would cost minutes.
    NeuralClassifier(backbone, **{**shared, "epochs": 1}).fit(X, y)
    result = paired_ratio(
        lambda: defended.fit(X, y),
        lambda: plain.fit(X, y),
        settings.n_pairs,
        device=settings.device,
        limit=settings.limit,
        warm_up=False,
    )
    return {
        "set": f"{name}, {' x '.join(map(str, X.shape))}",
        "backbone": backbone,
        "data": data,
        **shown(result, "E2ABL", "plain"),
        "goal": f"<= {goal(len(y))}",
        "flagged": int(defended.report_.is_poisoned.sum()),
    }
