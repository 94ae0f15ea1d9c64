"""What each process of `test_team` does; run by torchrun with a folder as its argument."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier
from robust_ts.training import one_process
from tests.defense._groups import poisoned_series


class Plain(nn.Module):
    """A network without batch normalization, which looks at a process's own part of a batch."""

    def __init__(self, n_channels, n_classes, n_timesteps):
        super().__init__()
        self.first = nn.Conv1d(n_channels, 16, 7, padding=3)
        self.second = nn.Conv1d(16, 16, 5, padding=2)
        self.head = nn.Linear(16 * 4, n_classes)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(nn.functional.adaptive_avg_pool1d(x, 4).flatten(1))


def estimators():
    """Give estimators that are told apart by what processes must share or agree on."""
    usual = {"epochs": 12, "batch_size": 21, "learning_rate": 3e-3, "device": "cpu"}
    cnn = {"backbone": "cnn", "backbone_params": {"filters": (8, 16, 8)}}
    return {
        "neural": NeuralClassifier(Plain, random_state=0, **usual),
        "abl": ABLClassifier(
            Plain, random_state=0, isolation="flooding", per_sample=False, **usual
        ),
        "e2abl": E2ABLClassifier(Plain, random_state=0, **{**usual, "epochs": 20}),
        # Long enough that no verdict of the two networks is on the edge.
        "cnn": E2ABLClassifier(**cnn, random_state=0, **{**usual, "epochs": 40}),
    }


def fitted(name, clf):
    """Fit, and give what is to be compared."""
    X, y, _ = poisoned_series()
    clf.fit(X, y)
    out = {"probabilities": clf.predict_proba(X), "losses": [r["loss"] for r in clf.history_]}
    if hasattr(clf, "report_"):
        out["suspicion"] = clf.report_.suspicion
        out["poisoned"] = clf.report_.is_poisoned
        out["ledger"] = clf.ledger_.losses("main")
    if hasattr(clf, "isolated_indices_"):
        out["isolated"] = clf.isolated_indices_
    return {f"{name}.{key}": np.asarray(value) for key, value in out.items()}


def main(folder):
    """Fit every estimator together with the other processes, and some alone."""
    found = {}
    for name, clf in estimators().items():
        found |= fitted(name, clf)
    found |= fitted("unseeded", NeuralClassifier(Plain, epochs=2, device="cpu"))
    with one_process():
        found |= fitted("alone", estimators()["neural"])
    X, y, _ = poisoned_series()
    rank = int(os.environ["RANK"])
    try:
        NeuralClassifier(Plain, epochs=1, device="cpu").fit(X[rank:], y[rank:])
    except ValueError as error:
        found["refused"] = np.array(str(error))
    np.savez(Path(folder, f"rank{rank}.npz"), **found)


if __name__ == "__main__":
    main(sys.argv[1])
