"""The classifiers by the names that the command line gives them."""

from typing import Any

from robust_ts.classifiers.abl import ABLClassifier
from robust_ts.classifiers.e2abl import E2ABLClassifier
from robust_ts.classifiers.neural import NeuralClassifier

#: By the way of training: ``train --defense`` and the table of memory.
BY_DEFENSE: dict[str, Any] = {
    "none": NeuralClassifier,
    "abl": ABLClassifier,
    "e2abl": E2ABLClassifier,
}
