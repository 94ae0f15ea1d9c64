"""The classifiers at home in aeon; needs ``pip install aeon``, which CI does not do."""

import inspect

import numpy as np
import pytest

pytest.importorskip("aeon")

from aeon.classification.compose import ClassifierPipeline
from aeon.testing.estimator_checking import check_estimator
from aeon.transformations.collection import Normalizer
from sklearn.model_selection import GridSearchCV

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier
from robust_ts.aeon import (
    ABLTimeSeriesClassifier,
    E2ABLTimeSeriesClassifier,
    NeuralTimeSeriesClassifier,
)
from tests._small import small

PAIRS = {
    E2ABLTimeSeriesClassifier: E2ABLClassifier,
    ABLTimeSeriesClassifier: ABLClassifier,
    NeuralTimeSeriesClassifier: NeuralClassifier,
}
every_classifier = pytest.mark.parametrize("cls", PAIRS)


@every_classifier
@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_aeon_pass(cls):
    results = check_estimator(cls, raise_exceptions=False, verbose=False)
    assert {name: r for name, r in results.items() if r != "PASSED"} == {}
    assert len(results) > 30


@every_classifier
def test_the_parameters_and_predictions_are_those_of_the_wrapped_estimator(cls, make_waves):
    ours = inspect.signature(cls.__init__).parameters
    assert list(ours) == list(inspect.signature(PAIRS[cls].__init__).parameters)
    X, y = make_waves(n_channels=2)
    unequal = [x[:, : 12 + i % 13] for i, x in enumerate(X)]
    for given in (X, unequal):
        inner, clf = small(PAIRS[cls]).fit(given, y), small(cls).fit(given, y)
        np.testing.assert_array_equal(clf.predict_proba(given), inner.predict_proba(given))
        np.testing.assert_array_equal(clf.predict(given), inner.predict(given))


def test_in_a_pipeline_and_a_search(make_waves):
    X, y = make_waves(n_channels=2)
    pipeline = ClassifierPipeline(Normalizer(), small(E2ABLTimeSeriesClassifier)).fit(X, y)
    assert pipeline.score(X, y) > 0.6
    grid = {"learning_rate": [1e-5, 1e-2]}
    search = GridSearchCV(small(E2ABLTimeSeriesClassifier), grid, cv=2, error_score="raise")
    assert search.fit(X, y).best_params_ == {"learning_rate": 1e-2}
    assert len(search.best_estimator_.report_.to_frame()) == len(y)
