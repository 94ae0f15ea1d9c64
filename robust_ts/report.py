"""What the defense found in the training data: the answer that the user came for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

VERDICTS = ("clean", "uncertain", "poisoned")


@dataclass(frozen=True, eq=False, repr=False)  # == of arrays has no one answer
class PoisonReport:
    """Verdict, suspicion and recovered label of every training sample, in input order.

    Parameters
    ----------
    given_labels : ndarray of shape (n_samples,)
        Labels as they were given to ``fit``.
    suspicion : ndarray of shape (n_samples,)
        Between 0 (clean) and 1 (poisoned).
    verdicts : ndarray of shape (n_samples,)
        ``"clean"``, ``"poisoned"`` or ``"uncertain"``.
    recovered_labels : ndarray of shape (n_samples,), object
        The true label where one was recovered, None elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts import PoisonReport
    >>> report = PoisonReport(
    ...     given_labels=np.array(["a", "a", "b"]), suspicion=np.array([0.0, 0.97, 0.1]),
    ...     verdicts=np.array(["clean", "poisoned", "clean"]),
    ...     recovered_labels=np.array([None, "b", None], dtype=object))
    >>> report
    PoisonReport(n_samples=3, n_poisoned=1, n_uncertain=0)
    >>> report.clean_indices
    array([0, 2])
    >>> print(report.summary())
    1 of 3 training samples (33.3%) look poisoned.
      class 'a': 1 of 2 samples, mean suspicion 0.97; true labels: 'b' x 1
    1 of 1 poisoned samples got a label back. 0 samples are uncertain.
    """

    given_labels: np.ndarray
    suspicion: np.ndarray
    verdicts: np.ndarray
    recovered_labels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.given_labels)
        for name in ("suspicion", "verdicts", "recovered_labels"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name} must have shape ({n},), got {getattr(self, name).shape}.")
        if not set(np.unique(self.verdicts)) <= set(VERDICTS):
            raise ValueError(f"verdicts must be among {VERDICTS}.")

    def __repr__(self) -> str:
        return (
            f"PoisonReport(n_samples={len(self.verdicts)}, "
            f"n_poisoned={int(self.is_poisoned.sum())}, n_uncertain={self._n_uncertain})"
        )

    @property
    def _n_uncertain(self) -> int:
        return int((self.verdicts == "uncertain").sum())

    @property
    def is_poisoned(self) -> np.ndarray:
        """Flag the samples with verdict ``"poisoned"``: ndarray of shape (n_samples,), bool."""
        return self.verdicts == "poisoned"

    @property
    def clean_indices(self) -> np.ndarray:
        """Indices of the samples with verdict ``"clean"``, ascending."""
        return np.flatnonzero(self.verdicts == "clean")

    def to_frame(self) -> Any:
        """Return a pandas DataFrame in input order.

        Returns
        -------
        DataFrame of shape (n_samples, 4)
            Columns ``given_label``, ``recovered_label`` (missing where none), ``suspicion``
            and ``verdict``.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "given_label": self.given_labels,
                "recovered_label": pd.Series(self.recovered_labels, dtype=object),
                "suspicion": self.suspicion,
                "verdict": self.verdicts,
            }
        )

    def summary(self) -> str:
        """Tell in a few lines whether there is an attack, on which class, and how sure.

        Returns
        -------
        str
            Plain text without a trailing newline.
        """
        n, flagged = len(self.given_labels), self.is_poisoned
        n_uncertain = self._n_uncertain
        if not flagged.any():
            text = f"No attack found: none of {n} training samples looks poisoned"
            return text + (f", {n_uncertain} are uncertain." if n_uncertain else ".")
        lines = [f"{flagged.sum()} of {n} training samples ({flagged.mean():.1%}) look poisoned."]
        for label in np.unique(self.given_labels[flagged]):
            members = self.given_labels == label
            hit = members & flagged
            lines.append(
                f"  class {_show(label)}: {hit.sum()} of {members.sum()} samples, mean suspicion "
                f"{self.suspicion[hit].mean():.2f}; true labels: {self._recovered(hit)}"
            )
        n_back = sum(label is not None for label in self.recovered_labels[flagged])
        lines.append(
            f"{n_back} of {flagged.sum()} poisoned samples got a label back. "
            f"{n_uncertain} samples are uncertain."
        )
        return "\n".join(lines)

    def _recovered(self, samples: np.ndarray) -> str:
        labels = [label for label in self.recovered_labels[samples] if label is not None]
        if not labels:
            return "not recovered"
        values, counts = np.unique(np.array(labels), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return ", ".join(f"{_show(values[i])} x {counts[i]}" for i in order)

    def plot(self, ax: Any = None) -> Any:
        """Draw the suspicion of all samples, class by class.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure where None.

        Returns
        -------
        matplotlib Axes
            Call ``.figure.savefig(path)`` to keep it.
        """
        from robust_ts.evaluation.plots import plot_suspicion

        return plot_suspicion(self, ax)


def _show(label: Any) -> str:
    """Show a label without NumPy's type around it."""
    return repr(label.item() if isinstance(label, np.generic) else label)
