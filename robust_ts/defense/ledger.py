"""What each head said of each training sample, epoch by epoch."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Ledger:
    """Record of per-sample losses under the given labels.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        The given labels, ``0..n_classes - 1``.

    Attributes
    ----------
    epochs : dict of str to list of int
        Epochs recorded for each head.
    rows : dict of str to list of ndarray of shape (n_samples,)
        Losses at these epochs; nan where a sample was not trained on under its given label.
    """

    labels: np.ndarray = field(repr=False)
    epochs: dict[str, list[int]] = field(default_factory=dict)
    rows: dict[str, list[np.ndarray]] = field(default_factory=dict, repr=False)

    def record(self, head: str, epoch: int, losses: np.ndarray) -> None:
        """Add the losses of all samples in ``head`` at ``epoch``.

        Parameters
        ----------
        head : {"auxiliary", "main"}
            The head.
        epoch : int
            Number of epochs trained so far.
        losses : ndarray of shape (n_samples,)
            Cross-entropy under the given labels, without weights of classes.
        """
        if losses.shape != self.labels.shape:
            raise ValueError(f"losses have shape {losses.shape}, labels {self.labels.shape}.")
        self.epochs.setdefault(head, []).append(epoch)
        self.rows.setdefault(head, []).append(np.array(losses, dtype=np.float32))

    def amend(self, head: str, samples: np.ndarray, probabilities: np.ndarray) -> None:
        """Fill in the last epoch of ``head`` for samples that were asked but not trained on.

        Parameters
        ----------
        head : str
            The head.
        samples : ndarray of shape (n_samples,), bool
            Which samples.
        probabilities : ndarray of shape (n_samples, n_classes)
            What the head says; only the rows of ``samples`` are read.
        """
        given = probabilities[samples, self.labels[samples]]
        self.rows[head][-1][samples] = -np.log(np.maximum(given, 1e-12))

    def losses(self, head: str) -> np.ndarray:
        """Give the losses of ``head``: ndarray of shape (n_epochs, n_samples)."""
        return np.stack(self.rows[head])
