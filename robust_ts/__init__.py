"""Train time-series classifiers on data you do not fully trust.

Public names are imported on first use (PEP 562), so ``import robust_ts`` loads
neither torch nor sktime nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "E2ABLClassifier": "robust_ts.classifiers.e2abl",
    "ABLClassifier": "robust_ts.classifiers.abl",
    "NeuralClassifier": "robust_ts.classifiers.neural",
    "PoisonReport": "robust_ts.report",
}

__all__ = ["ABLClassifier", "E2ABLClassifier", "NeuralClassifier", "PoisonReport", "__version__"]

if TYPE_CHECKING:
    from robust_ts.classifiers.abl import ABLClassifier
    from robust_ts.classifiers.e2abl import E2ABLClassifier
    from robust_ts.classifiers.neural import NeuralClassifier
    from robust_ts.report import PoisonReport


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'robust_ts' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
