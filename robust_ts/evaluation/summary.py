"""From the rows of a benchmark to its tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robust_ts.datasets import TITLES
from robust_ts.evaluation.benchmark import CLEAN, Grid, attack_of, rows_of
from robust_ts.evaluation.tables import markdown_table

#: An attack counts where the undefended model's net rate is at least this.
ATTACKED = 0.5

#: What a report is measured by, over attacked runs: column of the table, column of the rows.
_DETECTION = {
    "recall %": "recall",
    "precision %": "precision",
    "labels right %": "recovered_label_accuracy",
}

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
        One line a run, with ``clean_trained_accuracy``, ``natural_rate``, ``net_rate``, ``above``
        (net rate less the undefended one's on the same data), ``cost`` (time of fit over the
        undefended one's), ``attacked``, and ``classes`` (two or more).
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
    runs["above"] = runs.net_rate - plain.net_rate.reindex(keys).to_numpy()
    runs["classes"] = np.where(runs.n_classes == 2, "two", "more")
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
    if runs.classes[runs.attacked].nunique() > 1:
        parts.append(overview(runs[runs.attacked], ["classes"]))
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


def overview(runs: pd.DataFrame, by: Sequence[str] = ()) -> str:
    """Tabulate the defenses: one line for each backbone, mode, rate and defense.

    Parameters
    ----------
    runs : DataFrame
        From `add_references`.
    by : sequence of str, default=()
        Columns to group by besides.

    Returns
    -------
    str
        Markdown. Accuracies over all runs, attack rates over attacked ones (where the
        undefended model's net rate is at least 50%), with the standard deviation of the means of
        single seeds; seconds of fit and cost are medians.
    """
    by = [*by, *(["backbone"] if runs.backbone.nunique() > 1 else [])]
    lines = []
    for cell, part in runs.groupby([*by, "mode", "rate", "defense"], sort=True):
        *names, mode, rate, defense = cell
        hit = part[part.attacked]
        loss = 100 * (part.clean_trained_accuracy - part.clean_accuracy)
        found = {
            name: 100 * hit.get(column, pd.Series(dtype=float)).mean()
            for name, column in _DETECTION.items()
        }
        flagged = part.get("false_positive_rate", pd.Series(dtype=float))
        net = hit.groupby("seed").net_rate.mean()
        lines.append(
            {
                **dict(zip(by, names, strict=True)),
                "mode": mode,
                "rate %": 100 * rate,
                "training": defense,
                "runs": len(part),
                "attacked": len(hit),
                "CA %": 100 * part.clean_accuracy.mean(),
                "CA below clean-trained": loss.mean(),
                "net ASR %": 100 * hit.net_rate.mean(),
                "over seeds": 100 * float(np.std(net)) if len(net) > 1 else float("nan"),
                "worst net ASR %": 100 * hit.net_rate.max(),
                "rows > 5%": int((hit.net_rate > 0.05).sum()),
                "most above undefended": 100 * part.above.max(),
                **found,
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
                share = 100 * flags[part.index][own].mean()
                line[f"flagged {defense} %"] = "-" if np.isnan(share) else f"{share:.2f}"
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
