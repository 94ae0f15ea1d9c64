"""Draw the curves of the page on sensitivity from the rows that are kept.

python docs/make_sensitivity_figure.py
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from robust_ts.defense.constants import DefenseConstants
from robust_ts.evaluation.benchmark import rows_of
from robust_ts.evaluation.grids import STUDY_GRIDS
from robust_ts.evaluation.summary import add_references
from robust_ts.evaluation.variants import VARIANT

HERE = Path(__file__).parent
ROWS = HERE / "research" / "rows-2026-11-sensitivity.jsonl"
LINES = {
    "net ASR, attacked": ("C3", "o"),
    "CA lost, poisoned": ("C0", "s"),
    "CA lost, unpoisoned": ("C2", "^"),
}
COLUMNS = 4


def measures(runs: pd.DataFrame) -> dict[str, float]:
    """Average one variant: net ASR and accuracy below the clean-trained model, in points."""
    lost = 100 * (runs.clean_trained_accuracy - runs.clean_accuracy)
    return {
        "net ASR, attacked": 100 * runs.net_rate[runs.attacked].mean(),
        "CA lost, poisoned": lost[runs.rate > 0].mean(),
        "CA lost, unpoisoned": lost[runs.rate == 0].mean(),
    }


def curves(runs: pd.DataFrame) -> dict[str, list[tuple[float, str, dict[str, float]]]]:
    """Give the curve of each constant: value over its default, label, measures."""
    base = measures(runs[runs.defense == "e2abl"])
    out: dict[str, list[tuple[float, str, dict[str, float]]]] = {}
    for name, part in runs.groupby("defense"):
        if not str(name).startswith(VARIANT):
            continue
        constant, _, text = str(name)[len(VARIANT) : -1].partition("=")
        default = getattr(DefenseConstants(), constant)
        first = default[0] if isinstance(default, tuple) else default
        usual = "/".join(map(str, default)) if isinstance(default, tuple) else f"{default:g}"
        curve = out.setdefault(constant, [(1.0, usual, base)])
        curve.append((float(text.split("/")[0]) / first, text, measures(part)))
    return {constant: sorted(curve, key=lambda at: at[0]) for constant, curve in out.items()}


def main() -> None:
    """Draw one panel a constant."""
    grid = replace(STUDY_GRIDS["sensitivity"], seeds=(0,))
    drawn = curves(add_references(rows_of(grid, ROWS)))
    rows = int(np.ceil(len(drawn) / COLUMNS))
    top = max(value for curve in drawn.values() for at in curve for value in at[2].values())
    figure = Figure(figsize=(3 * COLUMNS, 2.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (constant, curve) in enumerate(sorted(drawn.items()), start=1):
        ax = figure.add_subplot(rows, COLUMNS, place)
        for line, (color, marker) in LINES.items():
            ax.plot([at[2][line] for at in curve], color=color, marker=marker, label=line)
        ax.set_xticks(range(len(curve)), [at[1] for at in curve])
        ax.set_title(constant, fontsize=9)
        ax.set_ylim(-0.1 * top, 1.1 * top)
        ax.tick_params(labelsize=7)
        if place % COLUMNS == 1:
            ax.set_ylabel("points", fontsize=8)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower right", fontsize=9)
    figure.savefig(HERE / "images" / "sensitivity.png", dpi=110)


if __name__ == "__main__":
    main()
