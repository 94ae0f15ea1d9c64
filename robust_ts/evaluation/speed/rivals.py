"""InceptionTime here against InceptionTime elsewhere: from arrays to a model, and back."""

import contextlib
import importlib
import importlib.metadata
import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from robust_ts import NeuralClassifier
from robust_ts.evaluation.speed.loop import build
from robust_ts.evaluation.speed.timing import RealData, Settings, page, paired_ratio, shown

_BATCH = 64


@dataclass(frozen=True)
class Task:
    """What is trained: series, epochs and where."""

    series: RealData
    epochs: int
    device: torch.device

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.series.y.max()) + 1


#: From a task: how to train, and how to predict with what was trained.
Pair = tuple[Callable[[], Any], Callable[[Any], np.ndarray]]


def ours(task: Task, precision: str = "float32") -> Pair:
    """Train with this library."""
    classifier = NeuralClassifier(
        "inception",
        epochs=task.epochs,
        batch_size=_BATCH,
        device=task.device,
        precision=precision,
        random_state=0,
    )
    X, y = task.series.X, task.series.y
    return (lambda: classifier.fit(X, y)), (lambda fitted: fitted.predict_proba(X))


def _tsai(task: Task) -> Pair:
    from robust_ts.networks.tsai import find_architecture

    architecture = find_architecture("InceptionTime")  # also mends torchvision on a CPU
    core = importlib.import_module("tsai.data.core")
    learner = importlib.import_module("tsai.learner")
    importlib.import_module("tsai.inference")  # gives learners get_X_preds
    X, y = task.series.X, task.series.y
    # fastai insists on a validation set and asks it after every epoch: two series.
    train = np.concatenate([np.arange(len(X)), [0, 1]])
    splits = (list(range(len(X))), [len(X), len(X) + 1])

    def fit() -> Any:
        loaders = core.get_ts_dls(
            X[train], y[train], splits=splits, bs=_BATCH, device=task.device, num_workers=0
        )
        model = architecture(X.shape[1], task.n_classes)
        made = learner.Learner(loaders, model.to(task.device), loss_func=nn.CrossEntropyLoss())
        with made.no_bar(), made.no_logging():
            made.fit_one_cycle(task.epochs, 1e-3)
        return made

    def predict(made: Any) -> np.ndarray:
        # One batch of all: beside numpy 2 tsai's loaders drop predictions of smaller ones.
        with made.no_bar():
            return made.get_X_preds(X, bs=len(X), with_decoded=False)[0].numpy()

    return fit, predict


def _sktime(task: Task) -> Pair:
    if task.device.type != "cpu":
        raise _SkippedError("computes on the CPU alone")
    module = importlib.import_module("sktime.classification.deep_learning.inceptiontime")
    kind = module.InceptionTimeClassifierTorch
    X, y = task.series.X, task.series.y

    def fit() -> Any:
        return kind(num_epochs=task.epochs, batch_size=_BATCH, random_state=0).fit(X, y)

    return fit, lambda fitted: fitted.predict_proba(X)


def _aeon(task: Task) -> Pair:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = importlib.import_module("tensorflow")
    deep = importlib.import_module("aeon.classification.deep_learning")
    cards = tensorflow.config.list_physical_devices("GPU")
    if task.device.type == "cpu":  # as many threads as torch has, and no card
        tensorflow.config.set_visible_devices([], "GPU")
        tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    elif not cards:
        raise _SkippedError("its TensorFlow sees no card")
    for card in cards:  # it would take all memory of a card otherwise
        tensorflow.config.experimental.set_memory_growth(card, True)
    X, y = task.series.X, task.series.y

    def fit() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            kind = deep.IndividualInceptionClassifier
            made = kind(n_epochs=task.epochs, batch_size=_BATCH, file_path=f"{folder}/")
            return made.fit(X, y)

    def predict(made: Any) -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar that has no switch
            return made.predict_proba(X)

    return fit, predict


def _skorch(task: Task) -> Pair:
    skorch = importlib.import_module("skorch")
    X, y = task.series.X.astype(np.float32), task.series.y.astype(np.int64)

    def fit() -> Any:
        return skorch.NeuralNetClassifier(
            build("inception", task.series, task.device),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            lr=1e-3,
            batch_size=_BATCH,
            max_epochs=task.epochs,
            train_split=None,
            iterator_train__shuffle=True,
            device=str(task.device),
            verbose=0,
        ).fit(X, y)

    return fit, lambda fitted: fitted.predict_proba(X)


class _SkippedError(Exception):
    """Says why a rival is not measured here."""


@dataclass(frozen=True)
class Rival:
    """Another library.

    Parameters
    ----------
    make : callable
        Gives its training and its prediction.
    needs : tuple of str
        Packages that must be installed.
    unlike : str
        In what its work differs from ours.
    goals : dict of str to float
        How many times faster training here is to be, by kind of device.
    """

    make: Callable[[Task], Pair]
    needs: tuple[str, ...]
    unlike: str
    goals: dict[str, float]


RIVALS = {
    "tsai": Rival(
        _tsai,
        ("tsai",),
        "odd kernels 39, 19, 9 and conv1d; fastai's Learner with one-cycle Adam, two series to "
        "validate on an epoch; predicts in one batch",
        {"cpu": 2.0, "cuda": 3.0},
    ),
    "sktime": Rival(
        _sktime,
        ("sktime",),
        "InceptionTimeClassifierTorch: conv1d, Adam at a constant rate, torch's DataLoader without "
        "shuffling, predicts at the batch of training",
        {"cpu": 2.5},
    ),
    "aeon": Rival(
        _aeon,
        ("aeon", "tensorflow"),
        "IndividualInceptionClassifier on TensorFlow: builds and traces a graph a fit, saves the "
        "best model to disk after an epoch, Adam",
        {},
    ),
    "skorch": Rival(
        _skorch,
        ("skorch",),
        "this library's own network in skorch's loop: AdamW at a constant rate, torch's DataLoader",
        {},
    ),
}


def _missing(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return package != "tensorflow" or _missing("tensorflow-cpu")
    return False


def table(settings: Settings) -> str:
    """Measure every rival that is installed; say of the others why they are not measured."""
    n = 64 if settings.quick else (2048 if settings.device.type == "cuda" else 1024)
    series = RealData.load(n, 24 if settings.quick else None)
    task = Task(series, 1 if settings.quick else 3, settings.device)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for name in settings.affordable(RIVALS, notes):
        rival = RIVALS[name]
        missing = [p for p in rival.needs if _missing(p)]
        if missing:
            notes.append(f"- {name}: not measured, {' and '.join(missing)} not installed")
            continue
        try:
            rows += _compare(name, rival, task, settings)
            notes.append(f"- {name} {importlib.metadata.version(rival.needs[0])}: {rival.unlike}")
        except _SkippedError as reason:
            notes.append(f"- {name}: not measured, {reason}")
        except Exception as error:  # another library's: reported, and the others are measured
            notes.append(f"- {name}: FAILED, {type(error).__name__}: {str(error)[:200]}")
    head = (
        f"{series.name}; InceptionTime of depth 6 with 32 filters, {task.epochs} epoch(s) at batch "
        f"{_BATCH}, one network; ratio: the rival's time over ours"
    )
    return page(head, rows, notes)


def _compare(name: str, rival: Rival, task: Task, settings: Settings) -> list[dict[str, Any]]:
    fit, predict = rival.make(task)
    precisions = ["float32"]
    if task.device.type == "cuda" and torch.cuda.is_bf16_supported():
        precisions.append("bf16")  # what this library takes by itself on such a card
    rows = []
    for precision in precisions:
        our_fit, our_predict = ours(task, precision)
        theirs, mine = fit(), our_fit()
        if len(predict(theirs)) != len(task.series.X):
            raise ValueError(f"{name} gave {len(predict(theirs))} predictions")
        works: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
            ("training", fit, our_fit),
            ("prediction", partial(predict, theirs), partial(our_predict, mine)),
        ]
        for work, their_work, our_work in works:
            result = paired_ratio(
                their_work,
                our_work,
                settings.n_pairs,
                device=task.device,
                limit=settings.limit,
                warm_up=work == "prediction",
            )
            goal = rival.goals.get(task.device.type) if work == "training" else None
            row = {"rival": name, "work": work, "ours in": precision}
            row |= shown(result, "rival", "ours")
            speed = len(task.series.X) * (task.epochs if work == "training" else 1)
            row["ours, series/s"] = f"{speed / result['reference_seconds']:.0f}"
            rows.append({**row, "goal": "-" if goal is None else f">= {goal}"})
    return rows
