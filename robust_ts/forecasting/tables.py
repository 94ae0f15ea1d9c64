"""Tables of the forecasting benchmark, in Markdown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from robust_ts.evaluation.tables import markdown_table

#: Ways of forecasting, by name; the first is what the others are held against.
METHODS = ("undefended", "e2abl", "boosting", "ets")

#: Attacks by name.
ATTACKS = ("none", "static", "generated", "added")

#: Columns that say nothing where there is no attack.
_OF_ATTACKS = (
    "attacked MASE",
    "MAE to target",
    "effect %",
    "natural %",
    "net %",
    "by trigger %",
)


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Put rows into Markdown: a line a data set, attack and method, means over the seeds."""
    frame = pd.DataFrame(rows)
    others = sorted({*frame.attack} - {*ATTACKS})
    for name, order in (("method", METHODS), ("attack", (*ATTACKS, *others))):
        frame = frame.sort_values(name, key=lambda c, o=order: c.map(o.index), kind="stable")
    frame = frame.sort_values("dataset", kind="stable")
    # A forecast that the trigger drives away from the target is not attacked the less for it.
    natural = np.maximum(0.0, frame.reference_attack_effect)
    frame["net"] = np.maximum(0.0, frame.attack_effect - natural)
    for name in ("trigger_response", "reference_trigger_response"):
        if name not in frame:  # rows of before it was measured
            frame[name] = np.nan
    excess = frame.trigger_response - frame.reference_trigger_response
    frame["net_response"] = np.maximum(0.0, excess)
    measured = bool(frame.net_response.notna().any())
    base = frame[frame.method == METHODS[0]].set_index(["dataset", "attack", "seed"])
    lines = []
    for (dataset, attack, method), part in frame.groupby(
        ["dataset", "attack", "method"], sort=False
    ):
        line = {
            "data": dataset,
            "attack": attack,
            "method": method,
            "MASE": _spread(part.clean_mase),
            "attacked MASE": _number(part.attacked_mase),
            "MAE to target": _number(part.attacked_mae_target),
            "effect %": _number(100 * part.attack_effect, 0),
            "natural %": _number(100 * part.reference_attack_effect, 0),
            "net %": _number(100 * part.net, 0),
        }
        if measured:
            line["by trigger %"] = _known(100 * part.net_response)
        for name in ("precision", "recall"):
            line[f"{name} %"] = _known(100 * part[name]) if name in part else "-"
        line["s"] = _number(part.seconds, 1)
        if attack == "none":
            line.update({name: "-" for name in line if name in _OF_ATTACKS})
        lines.append(line)
    return "\n\n".join([markdown_table(lines), _verdict(frame, base)])


def _verdict(frame: pd.DataFrame, base: pd.DataFrame) -> str:
    """Say how much of the undefended network's net effect is left, and what it costs."""
    lines = []
    ours = frame[frame.method == "e2abl"]
    for (dataset, attack), part in ours.groupby(["dataset", "attack"], sort=False):
        keys = [(dataset, attack, s) for s in part.seed if (dataset, attack, s) in base.index]
        if not keys:
            continue
        plain = base.loc[keys]
        cost = {
            name: part[f"clean_{name.lower()}"].mean() / plain[f"clean_{name.lower()}"].mean() - 1
            for name in ("MASE", "MAE", "RMSE")
        }
        before, after = plain.net.mean(), part.net.mean()
        cut = f"{1 - after / before:.0%}" if attack != "none" and before >= 0.05 else "-"
        line = {
            "data": dataset,
            "attack": attack,
            "net effect undefended %": f"{100 * before:.0f}" if attack != "none" else "-",
            "E2ABL %": f"{100 * after:.0f}" if attack != "none" else "-",
            "cut": cut,
        }
        if frame.net_response.notna().any():
            for name, rows in (("by trigger %", plain), ("E2ABL, by trigger %", part)):
                line[name] = _known(100 * rows.net_response) if attack != "none" else "-"
        line.update({f"clean {name}": f"{change:+.1%}" for name, change in cost.items()})
        lines.append(line)
    return markdown_table(lines) if lines else "No runs of e2abl."


def _known(values: Any) -> str:
    """Mean of the values that are known, or a dash."""
    known = values.dropna()
    return _number(known, 0) if len(known) else "-"


def _number(values: Any, digits: int = 2) -> str:
    return f"{float(np.mean(values)):.{digits}f}"


def _spread(values: Any) -> str:
    return f"{float(np.mean(values)):.2f} ± {float(np.std(values)):.2f}"
