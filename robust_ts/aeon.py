"""The classifiers as aeon estimators: thin adapters that hold the scikit-learn ones.

Needs aeon, which this library does not install: ``pip install aeon``.
"""

from typing import Any

from aeon.classification import BaseClassifier

from robust_ts.adapting import HoldsEstimator, adapts, cheap_parameters
from robust_ts.classifiers.abl import ABLClassifier
from robust_ts.classifiers.e2abl import E2ABLClassifier
from robust_ts.classifiers.neural import NeuralClassifier

__all__ = ["ABLTimeSeriesClassifier", "E2ABLTimeSeriesClassifier", "NeuralTimeSeriesClassifier"]


class _CollectionClassifier(HoldsEstimator, BaseClassifier):
    """Base of the adapters: aeon's collections are what the scikit-learn estimators take."""

    _tags = {
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "algorithm_type": "deeplearning",
        "non_deterministic": True,
        "python_dependencies": "torch",
    }

    def __init__(self) -> None:  # abstract in aeon; `adapts` replaces it
        super().__init__()

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        return cheap_parameters()


@adapts(E2ABLClassifier, BaseClassifier)
class E2ABLTimeSeriesClassifier(_CollectionClassifier):
    """aeon classifier that trains clean on poisoned data and says what was poisoned.

    Holds a :class:`robust_ts.E2ABLClassifier`, which describes the method.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    estimator_ : E2ABLClassifier
        The fitted scikit-learn estimator; its fitted attributes are this object's too.
    report_ : PoisonReport
        Verdict, suspicion and recovered label of every training sample.

    Examples
    --------
    >>> from aeon.datasets import load_basic_motions
    >>> from robust_ts.aeon import E2ABLTimeSeriesClassifier
    >>> X, y = load_basic_motions(split="train")
    >>> clf = E2ABLTimeSeriesClassifier("cnn", backbone_params={"filters": (8, 8, 8)}, epochs=5,
    ...                                 random_state=0).fit(X, y)
    >>> clf.predict(X).shape
    (40,)
    """


@adapts(ABLClassifier, BaseClassifier)
class ABLTimeSeriesClassifier(_CollectionClassifier):
    """aeon classifier by Anti-Backdoor Learning, the baseline that E2ABL improves on.

    Holds a :class:`robust_ts.ABLClassifier`, which describes the method.

    Parameters
    ----------
    <parameters>
    """


@adapts(NeuralClassifier, BaseClassifier)
class NeuralTimeSeriesClassifier(_CollectionClassifier):
    """aeon classifier without a defense: it learns whatever the data holds.

    Holds a :class:`robust_ts.NeuralClassifier`.

    Parameters
    ----------
    <parameters>
    """
