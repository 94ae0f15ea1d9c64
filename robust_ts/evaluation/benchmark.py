"""The benchmark: every data set, attack, network, defense and seed of a grid, one row a run.

Rows are appended to a JSON-lines file as they finish, each with all that is needed to repeat
it; a run that is in the file already is not run again.
"""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from robust_ts import __version__
from robust_ts.attacks import TRIGGERS
from robust_ts.evaluation.experiment import Experiment, make_experiment
from robust_ts.evaluation.variants import VARIANT, variant_classifier

#: The attacks of the public grid, in its order.
GRID_TRIGGERS = tuple(TRIGGERS)[:6]

#: Ways of training: what is compared, by name.
DEFENSES = ("undefended", "abl", "e2abl-low-loss", "e2abl")

#: The clean-trained model, the reference for clean accuracy and for the natural rate.
CLEAN = "clean-trained"


def attack_of(mode: str) -> str:
    """Name what an attack of a mode wants of a test sample: clean and dirty label want the same."""
    return "all-to-all" if mode == "all-to-all" else "dirty"


@dataclass(frozen=True)
class Grid:
    """What to run: the product of all fields.

    Parameters
    ----------
    datasets, triggers, backbones, defenses : tuple of str
        Names; see `load_dataset`, `make_experiment` for triggers, `BACKBONES` and ``DEFENSES``.
        The first trigger fits the data where nothing is to be stamped.
    rates : tuple of float
        Poison rates. Rate 0 is run once for all triggers.
    modes : tuple of str
        ``"dirty"``, ``"clean"``, ``"all-to-all"``.
    seeds : tuple of int
        Each moves network, batches, trigger and the choice of poisoned samples.
    max_train : int, default=None
        Cap on the number of training samples.
    settings : dict
        Parameters of the classifiers by backbone.
    """

    datasets: tuple[str, ...]
    triggers: tuple[str, ...] = GRID_TRIGGERS
    rates: tuple[float, ...] = (0.0, 0.1)
    modes: tuple[str, ...] = ("dirty",)
    backbones: tuple[str, ...] = ("cnn",)
    defenses: tuple[str, ...] = DEFENSES
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def runs(self) -> list["Run"]:
        """List the runs, the references first."""
        base = list(product(self.datasets, self.backbones, self.seeds))
        references = [self._run(d, b, s, CLEAN, 0.0, "dirty", "none") for d, b, s in base]
        unpoisoned = [
            self._run(d, b, s, defense, 0.0, "dirty", "none")
            for (d, b, s), defense in product(base, self.defenses)
            if 0.0 in self.rates and defense != "undefended"
        ]
        attacked = [
            self._run(d, b, s, defense, rate, mode, trigger)
            for (d, b, s), rate, mode, trigger, defense in product(
                base, self.rates, self.modes, self.triggers, self.defenses
            )
            if rate > 0
        ]
        return [*references, *unpoisoned, *attacked]

    def natural(self) -> tuple[tuple[str, str], ...]:
        """List triggers and attacks, see `attack_of`, whose natural rate the references measure."""
        return tuple(product(self.triggers, dict.fromkeys(map(attack_of, self.modes))))

    def _run(self, d: str, b: str, s: int, defense: str, r: float, mode: str, t: str) -> "Run":
        return Run(d, t, r, mode, b, defense, s, self.max_train, self.settings.get(b, {}))


@dataclass(frozen=True)
class Run:
    """One fit of one classifier."""

    dataset: str
    trigger: str
    rate: float
    mode: str
    backbone: str
    defense: str
    seed: int
    max_train: int | None
    settings: dict[str, Any]

    @property
    def key(self) -> str:
        """Identify the run in a file of results."""
        return json.dumps(asdict(self), sort_keys=True)

    def experiment(self, unused: str = "noise") -> Experiment:
        """Load the data and attack them; ``unused`` names a trigger that fits the data."""
        attack = unused if self.trigger == "none" else self.trigger  # rate 0 stamps nothing
        return make_experiment(
            self.dataset,
            attack,
            rate=self.rate,
            mode=self.mode,
            max_train=self.max_train,
            seed=self.seed,
        )


def make_classifier(defense: str, backbone: str, seed: int, settings: dict[str, Any]) -> Any:
    """Build the classifier of a run.

    Parameters
    ----------
    defense : str
        One of ``DEFENSES``, ``CLEAN``, or a variant of the method such as
        ``"e2abl[without=verify]"``, see `robust_ts.evaluation.variants.variant_constants`.
    backbone, seed, settings
        Parameters of the classifier.

    Raises
    ------
    ValueError
        If there is no defense of that name.
    """
    from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier

    known: dict[str, tuple[Any, dict[str, Any]]] = {
        CLEAN: (NeuralClassifier, {}),
        "undefended": (NeuralClassifier, {}),
        "abl": (ABLClassifier, {}),
        "e2abl-low-loss": (E2ABLClassifier, {"isolation": "low-loss"}),
        "e2abl": (E2ABLClassifier, {}),
    }
    if defense.startswith(VARIANT):
        known[defense] = (variant_classifier(defense), {})
    if defense not in known:
        raise ValueError(f"Unknown defense {defense!r}; known: {', '.join(known)}.")
    cls, own = known[defense]
    return cls(backbone=backbone, random_state=seed, **own, **settings)


def describe(run: Run, experiment: Experiment) -> dict[str, Any]:
    """Say what a row is about: the run, its data and the software."""
    return {
        **asdict(run),
        "n_train": len(experiment.y_train),
        "n_classes": len(np.unique(experiment.y_train)),
        "n_poisoned": int(experiment.poisoned.mask.sum()),
        "robust_ts": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, for runs side by side; also as a decorator."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def execute(
    run: Run, natural: Sequence[tuple[str, str]] = ((GRID_TRIGGERS[0], "dirty"),)
) -> list[dict[str, Any]]:
    """Do one run.

    Parameters
    ----------
    run : Run
        What to run.
    natural : sequence of tuple of str
        For the clean-trained reference: the triggers and attacks whose natural rate is measured,
        see `Grid.natural`.

    Returns
    -------
    list of dict
        One row; for the reference one row a natural rate.
    """
    # Beside a card there is but one run.
    with nullcontext() if torch.cuda.is_available() else one_thread():
        return _measure(run, natural)


def _measure(run: Run, natural: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    experiment = run.experiment(natural[0][0])
    classifier = make_classifier(run.defense, run.backbone, run.seed, run.settings)
    about = describe(run, experiment)
    measured = experiment.measure(classifier)
    about["device"] = _device_name(classifier)
    if run.defense != CLEAN:
        if run.trigger == "none":
            measured = {
                k: measured[k] for k in measured if "rate" not in k or k.startswith("false")
            }
        return [{**about, **measured}]
    rows = []
    for name, attack in natural:
        stamped = make_experiment(
            run.dataset, name, rate=0.0, max_train=run.max_train, seed=run.seed
        )
        rates = stamped.rates(classifier, attack)
        rows.append({**about, **measured, **rates, "natural_of": name, "natural_attack": attack})
    return rows


def _device_name(classifier: Any) -> str:
    """Name the card that a classifier was fitted on, or the kind of device."""
    device = getattr(classifier, "device_", torch.device("cpu"))
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of a results file; a line cut short by an interruption is left out."""
    rows = []
    if Path(path).exists():
        for line in Path(path).read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


@contextmanager
def open_rows(path: str | Path) -> Iterator[Callable[[Iterable[dict[str, Any]]], None]]:
    """Open a results file, made where missing, and give what appends rows to it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("a+b") as file:
        # A line cut short must not swallow the next one.
        if file.tell() and Path(path).read_bytes()[-1:] != b"\n":
            file.write(b"\n")

        def append(rows: Iterable[dict[str, Any]]) -> None:
            file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
            file.flush()

        yield append


def rows_of(grid: Grid, path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of a results file that belong to a grid."""
    wanted = {run.key for run in grid.runs()}
    return [row for row in read_rows(path) if _key(row) in wanted]


def _key(row: dict[str, Any]) -> str:
    return Run(**{name: row[name] for name in Run.__dataclass_fields__}).key


#: What tells a row from the others of its run: which natural rate it holds, if any.
_Part = tuple[str | None, str]


def _part(row: dict[str, Any]) -> _Part:
    return row.get("natural_of"), row.get("natural_attack", "dirty")


def run_grid(grid: Grid, path: str | Path, *, n_jobs: int = 1, progress: bool = True) -> int:
    """Do the runs of a grid that are not in the file yet, and append their rows.

    Parameters
    ----------
    grid : Grid
        What to run.
    path : path
        Results file, JSON lines; made where missing.
    n_jobs : int, default=1
        Processes of one thread each.
    progress : bool, default=True
        Show a bar with the time left.

    Returns
    -------
    int
        Number of runs done.
    """
    natural = grid.natural()
    work = partial(execute, natural=natural)
    return do_runs(grid.runs(), work, path, natural=natural, n_jobs=n_jobs, progress=progress)


def do_runs(
    runs: Iterable[Run],
    work: Callable[[Run], list[dict[str, Any]]],
    path: str | Path,
    *,
    natural: Sequence[tuple[str, str]] = (),
    n_jobs: int = 1,
    progress: bool = True,
) -> int:
    """Do the runs that are not in the file yet, and append their rows.

    Parameters
    ----------
    runs : iterable of Run
        What to do.
    work : callable
        Does a run and returns its rows, which hold all fields of the run.
    path, n_jobs, progress
        As in `run_grid`.
    natural : sequence of tuple of str
        The natural rates that references must have, as in `execute`: one that lacks some, for
        it was run for another grid, is fitted again and the rows that lacked are appended.

    Returns
    -------
    int
        Number of runs done.
    """
    done = {(_key(row), _part(row)) for row in read_rows(path)}

    def is_done(run: Run) -> bool:
        wanted: Sequence[_Part] = (run.defense == CLEAN and natural) or [(None, "dirty")]
        return all((run.key, part) in done for part in wanted)

    todo = [run for run in runs if not is_done(run)]
    with open_rows(path) as append:
        for rows in tqdm(_results(todo, work, n_jobs), total=len(todo), disable=not progress):
            append(row for row in rows if (_key(row), _part(row)) not in done)
    return len(todo)


def _results(
    todo: Sequence[Run], work: Callable[[Run], list[dict[str, Any]]], n_jobs: int
) -> Iterator[list[dict[str, Any]]]:
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered")(delayed(work)(run) for run in todo)
