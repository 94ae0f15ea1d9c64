"""What each stage and each constant of the method is worth.

Two levels. Proposals alone take seconds a run and no training: does the poisoned group of the
target class stand out from the best natural groups, and does it alarm? Whole fits with a small
network, as in the benchmark, show what a stage does to accuracy and attack success.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score
from threadpoolctl import threadpool_limits

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.propose import members_of, propose, worth_asking
from robust_ts.defense.views import feature_views
from robust_ts.evaluation import benchmark
from robust_ts.evaluation.benchmark import CLEAN, Grid, Run
from robust_ts.evaluation.experiment import Experiment
from robust_ts.evaluation.grids import SMALL
from robust_ts.evaluation.summary import add_references, overview
from robust_ts.evaluation.tables import markdown_table
from robust_ts.evaluation.variants import (
    ABLATION,
    FIT_SENSITIVITY,
    LATER_CONSTANTS,
    LATER_STAGES,
    SENSITIVITY,
    VARIANT,
    variant_constants,
)
from robust_ts.inputs import channel_statistics, standardize, stretch_padded

_SETS = (
    *("JapaneseVowels", "ItalyPowerDemand", "NATOPS", "MedicalImages", "PowerCons"),
    *("SyntheticControl", "Epilepsy"),
)
_PROPOSALS = Grid(
    _SETS, triggers=("patch", "sine", "blend"), backbones=("none",), max_train=300, defenses=()
)
_FITS = Grid(
    ("JapaneseVowels", "NATOPS"),
    triggers=("patch", "blend"),
    rates=(0.1,),
    max_train=300,
    defenses=(),
    settings={"cnn": {**SMALL["cnn"], "epochs": 40}},  # many fits: two fifths of the usual epochs
)

_AFTER = [f"{VARIANT}without={stage}]" for stage in LATER_STAGES]

#: Grids of proposals alone, without any network.
PROPOSALS = {
    # What is left out after the alarm changes no proposal: see the fits.
    "ablation": replace(_PROPOSALS, defenses=tuple(v for v in ABLATION if v not in _AFTER)),
    "sensitivity": replace(_PROPOSALS, defenses=SENSITIVITY),
}

#: Grids of whole fits.
FITS = {
    "ablation-fits": replace(_FITS, defenses=("undefended", *ABLATION)),
    "sensitivity-fits": replace(_FITS, defenses=("undefended", *FIT_SENSITIVITY)),
}

#: F1 against the poison from which a group counts as the poisoned one.
_FOUND = 0.5


def measure_proposals(run: Run) -> list[dict[str, Any]]:
    """Propose groups on attacked data and compare them with the poison.

    Parameters
    ----------
    run : Run
        ``defense`` names the variant; network and settings are not used.

    Returns
    -------
    list of dict
        One row: ``target_score`` and ``f1`` of the best group of the target class (nan without
        an attack), ``natural_score`` of the best other group, ``found`` (an alarmed group is the
        poison, F1 of 0.5 or more), ``false_alarms`` (other alarmed groups) and ``seconds``.
    """
    start = time.perf_counter()
    constants = variant_constants(run.defense)
    cell = replace(run, defense="").key
    experiment, _, labels = _cell(cell)
    proposals = _proposed(cell, proposing_constants(constants))
    mask, target = experiment.poisoned.mask, -1
    if mask.any():
        target = int(labels[mask][0])

    def fits(proposal: Proposal) -> float:
        found = members_of([proposal], len(mask))
        return float(f1_score(mask, found)) if proposal.label == target else 0.0

    own = next((p for p in proposals if p.label == target), None)
    raised = [fits(p) >= _FOUND for p in worth_asking(proposals, constants)]
    measured = {
        "target_score": float(own.score) if own else 0.0 if mask.any() else float("nan"),
        "f1": fits(own) if own else 0.0 if mask.any() else float("nan"),
        "natural_score": float(max((p.score for p in proposals if p is not own), default=0.0)),
        "found": any(raised),
        "false_alarms": raised.count(False),
        "seconds": time.perf_counter() - start,
    }
    return [{**benchmark.describe(run, experiment), **measured}]


def proposing_constants(constants: DefenseConstants) -> DefenseConstants:
    """Reset all that `propose` does not read, so that variants of an alarm share proposals.

    Parameters
    ----------
    constants : DefenseConstants
        Constants of a variant.

    Returns
    -------
    DefenseConstants
        The same, with the default of all that plays a part only later.
    """
    later: dict[str, Any] = {name: getattr(DefenseConstants(), name) for name in LATER_CONSTANTS}
    return replace(constants, **later, without=constants.without - set(LATER_STAGES))


@lru_cache(maxsize=1)
def _cell(key: str) -> tuple[Experiment, dict[str, np.ndarray], np.ndarray]:
    """Give an experiment, its views and labels; the variants of a cell follow each other."""
    run = Run(**json.loads(key))
    experiment = run.experiment()
    X = experiment.poisoned.X
    X = stretch_padded(standardize(X, *channel_statistics(X)))
    labels = np.unique(experiment.poisoned.y, return_inverse=True)[1]
    return experiment, feature_views(X, run.seed), labels


@lru_cache(maxsize=8)
def _proposed(key: str, constants: DefenseConstants) -> list[Proposal]:
    _, views, labels = _cell(key)
    with threadpool_limits(limits=1, user_api="blas"):
        return propose(views, labels, int(labels.max()) + 1, constants, Run(**json.loads(key)).seed)


def run_grid(grid: Grid, path: str | Path, *, n_jobs: int = 1, progress: bool = True) -> int:
    """Propose on every cell of a grid that is not in the file yet, and append the rows.

    Parameters
    ----------
    grid, path, n_jobs, progress
        As in `robust_ts.evaluation.benchmark.run_grid`.

    Returns
    -------
    int
        Number of runs done.
    """
    runs = [run for run in grid.runs() if run.defense != CLEAN]  # nothing is trained
    return benchmark.do_runs(runs, measure_proposals, path, n_jobs=n_jobs, progress=progress)


def tables(grid: Grid, path: str | Path) -> str:
    """Tabulate the proposals of a grid, one line a variant.

    Parameters
    ----------
    grid : Grid
        What was run.
    path : path
        Its results file.

    Returns
    -------
    str
        Markdown.
    """
    return proposals_table(benchmark.rows_of(grid, path), grid.defenses)


def fits_table(grid: Grid, path: str | Path) -> str:
    """Tabulate the fits of a grid, one line a variant; details would be too wide to read.

    Parameters
    ----------
    grid : Grid
        What was run.
    path : path
        Its results file.

    Returns
    -------
    str
        Markdown, as of `robust_ts.evaluation.summary.overview`.
    """
    return overview(add_references(benchmark.rows_of(grid, path)))


def proposals_table(rows: Iterable[dict[str, Any]], variants: Iterable[str]) -> str:
    """Tabulate rows of `measure_proposals`, one line a variant.

    Parameters
    ----------
    rows : iterable of dict
        The rows.
    variants : iterable of str
        The lines.

    Returns
    -------
    str
        Markdown. *AUC*: of the scores of the poisoned groups against the best natural groups of
        all cells; *clear*: poisoned groups (F1 of 0.5 or more) that score higher than every
        natural one. Both say what the scores are worth at any alarm.
    """
    frame = pd.DataFrame(list(rows))
    lines = []
    for variant in variants:
        part = frame[frame.defense == variant] if len(frame) else frame
        if part.empty:
            continue
        hit, rest = part[part.n_poisoned > 0], part[part.n_poisoned == 0]
        natural = part.natural_score.to_numpy()
        clear = (hit.target_score > natural.max()) & (hit.f1 >= _FOUND)
        truth = np.repeat([True, False], [len(hit), len(part)])
        scores = np.concatenate([hit.target_score, natural])
        area = roc_auc_score(truth, scores) if len(hit) else float("nan")
        lines.append(
            {
                "variant": "full method" if variant == "e2abl" else variant[6:-1],
                "attacks": len(hit),
                "found": int(hit.found.sum()),
                "wrong groups": int(hit.false_alarms.sum()),
                "unpoisoned": len(rest),
                "false alarms": int(rest.false_alarms.sum()),
                "score of poison": f"{hit.target_score.mean():.2f}",
                "F1": f"{hit.f1.mean():.2f}",
                "best natural, mean": f"{natural.mean():.2f}",
                "most": f"{natural.max():.2f}",
                "AUC": f"{area:.3f}",
                "clear": int(clear.sum()),
            }
        )
    return markdown_table(lines) if lines else "No rows."
