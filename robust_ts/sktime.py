"""The classifiers as sktime estimators: thin adapters that hold the scikit-learn ones."""

from typing import Any

import numpy as np
from sktime.classification.base import BaseClassifier

from robust_ts.adapting import HoldsEstimator, adapts, cheap_parameters
from robust_ts.classifiers.abl import ABLClassifier
from robust_ts.classifiers.e2abl import E2ABLClassifier
from robust_ts.classifiers.neural import NeuralClassifier

__all__ = ["ABLTimeSeriesClassifier", "E2ABLTimeSeriesClassifier", "NeuralTimeSeriesClassifier"]


class _SeriesClassifier(HoldsEstimator, BaseClassifier):
    """Base of the adapters: data in sktime's forms in, the scikit-learn estimator inside."""

    _tags = {
        "authors": ["robust_ts developers"],
        "maintainers": ["robust_ts developers"],
        "python_dependencies": "torch",
        # Arrays pass as they are; whatever else sktime knows becomes a list of DataFrames,
        # which holds series of unequal length.
        "X_inner_mtype": ["df-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "capability:predict_proba": True,
        "capability:class_weight": True,
        # sktime fits one classifier for each column of y.
        "capability:multioutput": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    @staticmethod
    def _series(X: Any) -> Any:
        """Turn a list of DataFrames (time, channels) into arrays (channels, time)."""
        return X if isinstance(X, np.ndarray) else [frame.to_numpy().T for frame in X]

    def __sklearn_tags__(self) -> Any:
        """Describe this classifier to scikit-learn's own tools, which need that since 1.8."""
        return self._wrapped().__sklearn_tags__()

    def reset(self) -> "_SeriesClassifier":
        """Reset to the state after the constructor, as sktime does at the start of each fit."""
        # scikit-learn's searches and pipelines leave this on an estimator for the time of its
        # fit, since 1.9, and fail where it is gone afterwards.
        context = self.__dict__.get("_parent_callback_ctx")
        super().reset()
        if context is not None:
            self._parent_callback_ctx = context
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return parameters of cheap instances, for sktime's tests.

        Parameters
        ----------
        parameter_set : str, default="default"
            There is one set of parameters for all tests.

        Returns
        -------
        list of dict
            Keywords of the constructor.
        """
        return cheap_parameters()


@adapts(E2ABLClassifier, BaseClassifier)
class E2ABLTimeSeriesClassifier(_SeriesClassifier):
    """sktime classifier that trains clean on poisoned data and says what was poisoned.

    Holds a :class:`robust_ts.E2ABLClassifier`, which describes the method; takes every panel that
    sktime knows, of one or more channels and of equal or unequal length.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    estimator_ : E2ABLClassifier
        The fitted scikit-learn estimator; its fitted attributes are this object's too.
    report_ : PoisonReport
        Verdict, suspicion and recovered label of every training sample.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.

    See Also
    --------
    robust_ts.E2ABLClassifier : The scikit-learn estimator.

    Examples
    --------
    >>> from robust_ts.sktime import E2ABLTimeSeriesClassifier
    >>> from sktime.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(split="train", return_type="df-list")  # 7 to 26 steps
    >>> X, y = X[::5], y[::5]
    >>> clf = E2ABLTimeSeriesClassifier("cnn", backbone_params={"filters": (8, 8, 8)}, epochs=5,
    ...                                 random_state=0).fit(X, y)
    >>> clf.predict(X).shape
    (54,)
    >>> clf.report_.to_frame().shape
    (54, 4)
    """


@adapts(ABLClassifier, BaseClassifier)
class ABLTimeSeriesClassifier(_SeriesClassifier):
    """sktime classifier by Anti-Backdoor Learning, the baseline that E2ABL improves on.

    Holds a :class:`robust_ts.ABLClassifier`, which describes the method; takes every panel that
    sktime knows, of one or more channels and of equal or unequal length.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    estimator_ : ABLClassifier
        The fitted scikit-learn estimator; its fitted attributes are this object's too.
    isolated_indices_ : ndarray of shape (n_isolated,)
        Training samples that were isolated, in input order.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.

    See Also
    --------
    robust_ts.ABLClassifier : The scikit-learn estimator.

    Examples
    --------
    >>> from robust_ts.sktime import ABLTimeSeriesClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train")
    >>> clf = ABLTimeSeriesClassifier("cnn", backbone_params={"filters": (8, 8, 8)}, epochs=5,
    ...                               random_state=0).fit(X, y)
    >>> clf.predict(X).shape
    (20,)
    """


@adapts(NeuralClassifier, BaseClassifier)
class NeuralTimeSeriesClassifier(_SeriesClassifier):
    """sktime classifier without a defense: it learns whatever the data holds.

    Holds a :class:`robust_ts.NeuralClassifier`; takes every panel that sktime knows, of one or
    more channels and of equal or unequal length.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    estimator_ : NeuralClassifier
        The fitted scikit-learn estimator; its fitted attributes are this object's too.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.

    See Also
    --------
    robust_ts.NeuralClassifier : The scikit-learn estimator.

    Examples
    --------
    >>> from robust_ts.sktime import NeuralTimeSeriesClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train")
    >>> clf = NeuralTimeSeriesClassifier("cnn", backbone_params={"filters": (8, 8, 8)}, epochs=5,
    ...                                  random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape
    (20, 2)
    """
