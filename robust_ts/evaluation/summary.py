"""From the rows of a benchmark to its tables."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robust_ts.datasets import TITLES
from robust_ts.evaluation.benchmark import CLEAN, Grid, attack_of, rows_of
from robust_ts.evaluation.tables import markdown_table

#: An attack counts where the undefended model's net rate is at least this.
ATTACKED = 0.5

_PLACE = ["dataset", "backbone", "seed"]
_CELL = ["dataset", "backbone", "trigger", "rate", "mode"]


def add_references(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Put the clean-trained model's accuracy and natural rate beside every run.

    Parameters
    ----------
    rows : iterable of dict
        Rows of `run_grid`.

    Returns
    -------
    DataFrame
        One line a run, with ``clean_trained_accuracy``, ``natural_rate``, ``net_rate``,
        ``cost`` (time of fit over the undefended one's on the same data) and ``attacked``.
    """
    # Rows of before the rates of all-to-all were measured do not say which rate theirs is.
    frame = pd.DataFrame({"natural_attack": "dirty", **row} for row in rows)
    reference = frame[frame.defense == CLEAN]
    accuracy = reference.groupby(_PLACE).clean_accuracy.first().rename("clean_trained_accuracy")
    stamped = [*_PLACE, "trigger", "natural_attack"]
    natural = (
        reference.rename(columns={"attack_success_rate": "natural_rate"})
        .drop(columns="trigger")
        .rename(columns={"natural_of": "trigger"})[[*stamped, "natural_rate"]]
    )
    runs = frame[frame.defense != CLEAN].drop(columns="natural_of", errors="ignore")
    runs["natural_attack"] = runs["mode"].map(attack_of)
    runs = runs.join(accuracy, on=_PLACE).merge(natural, on=stamped, how="left")
    runs["net_rate"] = (runs.attack_success_rate - runs.natural_rate).clip(lower=0)
    plain = runs[runs.defense == "undefended"].set_index([*_CELL, "seed"])
    keys = pd.MultiIndex.from_frame(runs[[*_CELL, "seed"]])
    runs["attacked"] = (plain.net_rate >= ATTACKED).reindex(keys).fillna(False).to_numpy(bool)
    undefended = plain.seconds.reindex(keys).to_numpy()
    unpoisoned = reference.groupby(_PLACE).seconds.first()
    untouched = unpoisoned.reindex(pd.MultiIndex.from_frame(runs[_PLACE])).to_numpy()
    runs["cost"] = runs.seconds.to_numpy() / np.where(runs.rate > 0, undefended, untouched)
    return runs


def tables(grid: Grid, path: str | Path) -> str:
    """Tabulate the rows of a grid: the defenses, the unpoisoned sets, and every attack.

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
    runs = add_references(rows_of(grid, path))
    parts = [overview(runs)]
    if (runs.rate == 0).any():
        parts.append(unpoisoned(runs, grid.defenses))
    return "\n\n".join([*parts, details(runs, grid.defenses)])


def one_line_each(grid: Grid, path: str | Path) -> str:
    """Tabulate the rows of a grid, one line a defense: details of many would be too wide to read.

    Parameters
    ----------
    grid, path
        As in `tables`.

    Returns
    -------
    str
        Markdown, see `overview`.
    """
    return overview(add_references(rows_of(grid, path)))


def overview(runs: pd.DataFrame) -> str:
    """Tabulate the defenses: one line for each mode, rate and defense.

    Parameters
    ----------
    runs : DataFrame
        From `add_references`.

    Returns
    -------
    str
        Markdown. Accuracies over all runs, attack rates over attacked ones (where the
        undefended model's net rate is at least 50%); seconds of fit and cost are medians.
    """
    lines = []
    for (mode, rate, defense), part in runs.groupby(["mode", "rate", "defense"], sort=True):
        hit = part[part.attacked]
        loss = 100 * (part.clean_trained_accuracy - part.clean_accuracy)
        flagged = part.get("false_positive_rate", pd.Series(dtype=float))
        lines.append(
            {
                "mode": mode,
                "rate %": 100 * rate,
                "training": defense,
                "runs": len(part),
                "attacked": len(hit),
                "CA %": 100 * part.clean_accuracy.mean(),
                "CA below clean-trained": loss.mean(),
                "net ASR %": 100 * hit.net_rate.mean(),
                "worst net ASR %": 100 * hit.net_rate.max(),
                "rows > 5%": int((hit.net_rate > 0.05).sum()),
                "recall %": 100 * hit.get("recall", pd.Series(dtype=float)).mean(),
                "precision %": 100 * hit.get("precision", pd.Series(dtype=float)).mean(),
                "false positives %": 100 * flagged.mean(),
                "seconds": part.seconds.median(),
                "cost": part.cost.median(),
            }
        )
    return markdown_table(lines)


def unpoisoned(runs: pd.DataFrame, defenses: Iterable[str]) -> str:
    """Tabulate what the defenses do where there is no attack, mean over seeds.

    Parameters
    ----------
    runs : DataFrame
        From `add_references`.
    defenses : iterable of str
        The columns; the undefended model of clean data is the clean-trained one.

    Returns
    -------
    str
        Markdown, one line for each data set and backbone, with the share of samples flagged.
    """
    runs = runs[runs.rate == 0]
    flags = runs.get("false_positive_rate", pd.Series(index=runs.index, dtype=float))
    judging = set(runs.defense[flags.notna()])  # the others report nothing
    lines = []
    for (dataset, backbone), part in runs.groupby(_PLACE[:2], sort=True):
        line: dict[str, Any] = {
            "unpoisoned": TITLES.get(dataset, dataset),
            "backbone": backbone,
            "seeds": part.seed.nunique(),
            "CA undefended": _spread(part.groupby("seed").clean_trained_accuracy.first()),
        }
        for defense in defenses:
            own = part.defense == defense
            if defense != "undefended":
                line[f"CA {defense}"] = _spread(part.clean_accuracy[own])
            if defense in judging:
                line[f"flagged {defense} %"] = f"{100 * flags[part.index][own].mean():.2f}"
        lines.append(line)
    return markdown_table(lines)


def details(runs: pd.DataFrame, defenses: Iterable[str]) -> str:
    """Tabulate every attack: net rate and accuracy of each defense, mean over seeds.

    Parameters
    ----------
    runs : DataFrame
        From `add_references`.
    defenses : iterable of str
        The columns.

    Returns
    -------
    str
        Markdown, one line for each data set, backbone, mode, rate and trigger.
    """
    lines = []
    for cell, part in runs[runs.rate > 0].groupby(_CELL, sort=True):
        line: dict[str, Any] = dict(zip(_CELL, cell, strict=True))
        line["dataset"] = TITLES.get(line["dataset"], line["dataset"])
        line["rate"] = f"{100 * line['rate']:g}%"
        line["seeds"] = part.seed.nunique()
        line["natural"] = 100 * part.natural_rate.mean()
        line["CA clean"] = 100 * part.clean_trained_accuracy.mean()
        for defense in defenses:
            own = part[part.defense == defense]
            line[f"CA {defense}"] = _spread(own.clean_accuracy)
            line[f"ASR {defense}"] = _spread(own.attack_success_rate)
        lines.append(line)
    return markdown_table(lines) if lines else "No attacked runs."


def _spread(values: pd.Series) -> str:
    """Mean and standard deviation in percent."""
    if values.empty:
        return "-"
    mean = 100 * float(values.mean())
    return f"{mean:.1f} ± {100 * float(np.std(values)):.1f}" if len(values) > 1 else f"{mean:.1f}"
