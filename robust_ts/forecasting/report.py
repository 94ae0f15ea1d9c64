"""What the defense found in the history: the stretches that look planted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("instance", "variable", "start", "end", "n_steps", "motif", "suspicion", "verdict")


@dataclass(frozen=True)
class StretchReport:
    """Stretches of history that look planted, in order of variable and time.

    Parameters
    ----------
    rows : list of dict
        One record a stretch, with the keys of ``COLUMNS``.
    n_steps : int
        Steps of the whole history, over all variables and instances.
    history : DataFrame
        The history, for the plot.

    Examples
    --------
    >>> import pandas as pd
    >>> from robust_ts.forecasting.report import StretchReport
    >>> row = {"instance": (), "variable": "y", "start": 10, "end": 20, "n_steps": 11, "motif": 0,
    ...        "suspicion": 0.99, "verdict": "poisoned"}
    >>> print(StretchReport([row], 100, pd.DataFrame({"y": range(100)})).summary())
    1 stretch looks planted, 11 of 100 steps (11.0%).
      motif 0: 1 stretch of 11 steps in 'y', mean suspicion 0.99; first 10 to 20
    """

    rows: list[dict[str, Any]]
    n_steps: int
    history: Any = field(repr=False, default=None)

    @property
    def is_poisoned(self) -> bool:
        """Whether any stretch has the verdict ``"poisoned"``."""
        return any(row["verdict"] == "poisoned" for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a stretch.

        Returns
        -------
        DataFrame
            Columns ``instance`` (empty for a single series), ``variable``, ``start`` and ``end``
            (index labels, both inside the stretch), ``n_steps``, ``motif`` (stretches of one
            number bear the same shape), ``suspicion`` (0 clean .. 1 planted) and ``verdict``
            (``"poisoned"``, or ``"uncertain"`` where it recurs but the network foresaw it).
        """
        return pd.DataFrame.from_records(self.rows, columns=list(COLUMNS))

    def summary(self) -> str:
        """Tell in a few lines whether there is an attack, where, and how sure.

        Returns
        -------
        str
            Plain text without a trailing newline.
        """
        planted = [row for row in self.rows if row["verdict"] == "poisoned"]
        n_uncertain = len(self.rows) - len(planted)
        rest = f"{_count(n_uncertain)} uncertain." if n_uncertain else ""
        if not planted:
            text = "No attack found: no stretch of the history looks planted."
            return f"{text} {rest}".rstrip()
        steps = sum(row["n_steps"] for row in planted)
        lines = [
            f"{_count(len(planted), 'looks', 'look')} planted, {steps} of {self.n_steps} steps "
            f"({steps / self.n_steps:.1%})."
        ]
        for motif in sorted({row["motif"] for row in planted}):
            members = [row for row in planted if row["motif"] == motif]
            where = sorted({str(v) for v in ((repr(r["variable"])) for r in members)})
            length = int(np.median([row["n_steps"] for row in members]))
            sure = float(np.mean([row["suspicion"] for row in members]))
            first = min(members, key=lambda row: row["start"])
            lines.append(
                f"  motif {motif}: {_count(len(members))} of {length} steps in "
                f"{', '.join(where)}, mean suspicion {sure:.2f}; first {_label(first['start'])} to "
                f"{_label(first['end'])}"
            )
        return "\n".join([*lines, rest] if rest else lines)

    def plot(self, ax: Any = None) -> Any:
        """Draw the history of one instance with its stretches shaded.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure where None.

        Returns
        -------
        matplotlib Axes
            Call ``.figure.savefig(path)`` to keep it.
        """
        from robust_ts.forecasting.plots import plot_stretches

        return plot_stretches(self, ax)


def _count(n: int, one: str = "", many: str = "") -> str:
    noun = "stretch" if n == 1 else "stretches"
    verb = one if n == 1 else many
    return f"{n} {noun} {verb}".rstrip()


def _label(value: Any) -> str:
    """Show an index label: dates without an empty time of day."""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return str(value)
