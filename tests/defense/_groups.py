"""Small series with a known poisoned group, for the tests of the method."""

import numpy as np

from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal

CONSTANTS = DefenseConstants()
N_CLASSES = 4


def clean_series(seed: int = 0, n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sines, one frequency a class, random phase within a quarter turn."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % N_CLASSES
    t = np.linspace(0, 2 * np.pi, 40)
    phase = rng.uniform(0, np.pi / 2, size=(n, 1))
    X = np.sin((y[:, None] + 1) * t + phase) + 0.2 * rng.normal(size=(n, 40))
    return X[:, None, :].astype(np.float32), y


def poisoned_series(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = clean_series(seed)
    rng = np.random.default_rng(seed + 1)
    chosen = rng.choice(np.flatnonzero(y != 0), 18, replace=False)
    X, y = X.copy(), y.copy()
    X[chosen] += 0.5 * rng.normal(size=(1, 1, X.shape[2])).astype(np.float32)
    y[chosen] = 0
    mask = np.zeros(len(X), dtype=bool)
    mask[chosen] = True
    return X, y, mask


def make_proposal(label: int, members: list[int], score: float = 0.9) -> Proposal:
    return Proposal(label, np.array(members), 0.9, 1.0, 1.0, 1.0, 1.0, score)


class Knowing:
    """What a network that learned the trigger would say."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.embedded = np.random.default_rng(0).normal(size=(len(mask), 8)) + 4 * mask[:, None]

    def points(self, rows: np.ndarray) -> np.ndarray:
        return self.embedded[rows]

    def owing(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self.mask[rows]


class Clearing(Knowing):
    """The more poison a group holds, the more owes its label to its pattern: twice as much."""

    def owing(self, label: int, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        poison = rows[self.mask[rows]]
        return np.isin(rows, poison[: 2 * self.mask[group].sum()])
