"""Measure a model under attack, and a defense against the truth, by one set of definitions."""

from robust_ts.evaluation.detection import detection_metrics
from robust_ts.evaluation.metrics import (
    attack_success_rate,
    clean_accuracy,
    evaluate_backdoor,
    robust_accuracy,
)
from robust_ts.evaluation.rates import (
    attack_success_rate_score,
    net_attack_success_rate,
    robust_accuracy_score,
)
from robust_ts.evaluation.scorers import (
    make_attack_success_rate_scorer,
    make_clean_accuracy_scorer,
    make_robust_accuracy_scorer,
)

__all__ = [
    "attack_success_rate",
    "attack_success_rate_score",
    "clean_accuracy",
    "detection_metrics",
    "evaluate_backdoor",
    "make_attack_success_rate_scorer",
    "make_clean_accuracy_scorer",
    "make_robust_accuracy_scorer",
    "net_attack_success_rate",
    "robust_accuracy",
    "robust_accuracy_score",
]
