"""Forecasting with a history that may be poisoned: sktime forecasters, attacks, metrics.

Public names are imported on first use, so the attacks do not need sktime.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_LAZY = {
    "E2ABLForecaster": "robust_ts.forecasting.e2abl",
    "NeuralForecaster": "robust_ts.forecasting.neural",
    "StretchReport": "robust_ts.forecasting.report",
    "StaticTrigger": "robust_ts.forecasting.attacks",
    "GeneratedTrigger": "robust_ts.forecasting.generated",
    "PoisonedSeries": "robust_ts.forecasting.attacks",
    "poison_series": "robust_ts.forecasting.attacks",
    "evaluate_forecasts": "robust_ts.forecasting.metrics",
}

__all__ = [
    "E2ABLForecaster",
    "GeneratedTrigger",
    "NeuralForecaster",
    "PoisonedSeries",
    "StaticTrigger",
    "StretchReport",
    "evaluate_forecasts",
    "poison_series",
]

if TYPE_CHECKING:
    from robust_ts.forecasting.attacks import PoisonedSeries, StaticTrigger, poison_series
    from robust_ts.forecasting.e2abl import E2ABLForecaster
    from robust_ts.forecasting.generated import GeneratedTrigger
    from robust_ts.forecasting.metrics import evaluate_forecasts
    from robust_ts.forecasting.neural import NeuralForecaster
    from robust_ts.forecasting.report import StretchReport


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'robust_ts.forecasting' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
