"""The classifiers at home in sktime: its own checks, its data forms, its tools."""

import inspect
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.base import load
from sktime.benchmarking.classification import ClassificationBenchmark
from sktime.classification.compose import ClassifierPipeline
from sktime.classification.dummy import DummyClassifier
from sktime.classification.ensemble import BaggingClassifier, WeightedEnsembleClassifier
from sktime.classification.model_evaluation import evaluate
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.datatypes import check_is_mtype, convert
from sktime.exceptions import NotFittedError
from sktime.transformations.compose import FitInTransform
from sktime.transformations.panel.padder import PaddingTransformer
from sktime.transformations.panel.truncation import TruncationTransformer
from sktime.transformations.series.exponent import ExponentTransformer
from sktime.transformations.series.impute import Imputer
from sktime.utils.estimator_checks import check_estimator

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier
from robust_ts.attacks import PatchTrigger
from robust_ts.evaluation import evaluate_backdoor
from robust_ts.sktime import (
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
plain = partial(small, NeuralTimeSeriesClassifier)
NAMES = np.array(["rest", "run", "walk"])
GRID = {"learning_rate": [1e-5, 1e-2]}


@pytest.fixture
def equal(make_waves):
    """Series (60, 2, 24) and their labels, texts."""
    X, y = make_waves(n_channels=2)
    return X, NAMES[y]


@pytest.fixture
def unequal(equal):
    """The same as DataFrames (time, channels) of 12 to 24 steps."""
    X, y = equal
    return [pd.DataFrame(x[:, : 12 + i % 13].T) for i, x in enumerate(X)], y


@every_classifier
@pytest.mark.filterwarnings("ignore:With two classes E2ABL judges no sample")
def test_all_checks_of_sktime_pass(cls):
    skipped = [t for t in cls.get_class_tags() if t.startswith("tests:skip")]
    assert all(not cls.get_class_tag(t) for t in skipped)
    results = check_estimator(cls, raise_exceptions=True, verbose=False)
    assert len(results) > 200
    assert set(results.values()) == {"PASSED"}


# The adapter


@every_classifier
def test_the_signature_and_the_parameters_are_those_of_the_wrapped_estimator(cls):
    theirs = inspect.signature(PAIRS[cls].__init__).parameters
    ours = inspect.signature(cls.__init__).parameters
    assert list(ours.items()) == list(theirs.items())
    assert all(f"\n{n} : " in cls.__doc__ for n in theirs if n != "self")
    assert "<" not in cls.__doc__.split("Examples")[0].replace("tsai:<Architecture>", "")
    assert small(cls, epochs=7).get_params()["epochs"] == 7
    with pytest.raises(TypeError, match="'epoch'"):
        cls("cnn", epoch=3)


@every_classifier
def test_predictions_and_fitted_attributes_are_those_of_the_wrapped_estimator(cls, equal):
    X, y = equal
    inner, clf = small(PAIRS[cls]).fit(X, y), small(cls).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), inner.predict_proba(X))
    np.testing.assert_array_equal(clf.predict(X), inner.predict(X))
    assert clf.network_ is clf.estimator_.network_
    assert len(clf.history_) == len(inner.history_)
    assert list(clf.classes_) == list(NAMES)


def test_the_report_is_within_reach(equal, unequal):
    for X, y in (equal, unequal):
        clf = small(E2ABLTimeSeriesClassifier).fit(X, y)
        assert list(clf.report_.to_frame()["given_label"]) == list(y)
        assert clf.report_ is clf.estimator_.report_
        assert pickle.loads(pickle.dumps(clf)).report_.summary() == clf.report_.summary()


@every_classifier
def test_nothing_fitted_before_fit(cls, equal):
    clf = small(cls)
    for name in ("report_", "network_", "estimator_", "no_such_thing"):
        with pytest.raises(AttributeError, match=f"{cls.__name__}' object has no attribute"):
            getattr(clf, name)
    with pytest.raises(NotFittedError, match="not been fitted"):
        clf.predict(equal[0])


# What it can do, as its tags say


def test_the_tags_claim_what_is_tested_here():
    expected = {
        "capability:multivariate": True,  # `equal` has two channels
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "capability:predict_proba": True,
        "capability:class_weight": True,
        "capability:multioutput": False,
        "capability:random_state": True,
    }
    for cls in PAIRS:
        assert {name: cls.get_class_tag(name) for name in expected} == expected


def test_one_column_of_labels_after_the_other(equal):
    X, y = equal
    both = pd.DataFrame({"first": y, "second": y[::-1]})
    predicted = small(E2ABLTimeSeriesClassifier).fit(X, both).predict(X)
    assert list(predicted.columns) == ["first", "second"]
    for name in both:
        alone = small(E2ABLTimeSeriesClassifier).fit(X, both[name].to_numpy()).predict(X)
        assert (predicted[name] == alone).all()


@pytest.mark.parametrize("seed", [0, 5])
def test_the_seed_decides(seed, equal):
    one, two, other = (
        plain(random_state=s).fit(*equal).predict_proba(equal[0]) for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-4


def test_class_weight_moves_the_predictions(equal):
    X, y = equal
    X = X + np.random.default_rng(0).normal(scale=3, size=X.shape)
    shares = [
        plain(epochs=4, class_weight=w).fit(X, y).predict_proba(X)[:, 2].mean()
        for w in (None, {"rest": 1, "run": 1, "walk": 20})
    ]
    assert shares[1] > shares[0] + 0.1


@pytest.mark.parametrize("mtype", ["numpy3D", "pd-multiindex", "nested_univ", "df-list"])
def test_every_form_of_a_panel_is_the_same_data(mtype, equal):
    X, y = equal
    panel = convert(X, "numpy3D", mtype, as_scitype="Panel")
    assert check_is_mtype(panel, mtype, "Panel")
    clf = plain().fit(panel, y)
    np.testing.assert_array_equal(clf.predict_proba(panel), plain().fit(X, y).predict_proba(X))


def test_a_flat_array_is_one_channel(equal):
    X, y = equal
    expected = plain().fit(X[:, :1], y).predict_proba(X[:, :1])
    np.testing.assert_array_equal(plain().fit(X[:, 0], y).predict_proba(X[:, 0]), expected)


@every_classifier
@pytest.mark.parametrize("mtype", ["pd-multiindex", "nested_univ", "df-list"])
def test_every_form_of_series_of_unequal_length(cls, mtype, unequal):
    frames, y = unequal
    panel = convert(frames, "df-list", mtype, as_scitype="Panel")
    arrays = [f.to_numpy().T for f in frames]
    inner, clf = small(PAIRS[cls]).fit(arrays, y), small(cls).fit(panel, y)
    assert clf.unequal_length_
    np.testing.assert_array_equal(clf.predict_proba(panel), inner.predict_proba(arrays))
    assert clf.score(panel, y) > 0.9


# Bad input


def test_missing_values_are_an_error_of_sktime(equal):
    X, y = equal
    X_bad = X.copy()
    X_bad[3, 1, 5] = np.nan
    with pytest.raises(ValueError, match="cannot handle missing values"):
        plain().fit(X_bad, y)
    with pytest.raises(ValueError, match="cannot handle missing values"):
        plain().fit(X, y).predict(X_bad)


@pytest.mark.parametrize(
    "imputer",
    [Imputer(method="ffill"), FitInTransform(Imputer(method="linear"))],
    ids=["ffill", "linear"],
)
def test_missing_values_are_imputed_before(imputer, equal):
    X, y = equal
    X = X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    X[:, :, 0] = 0.0  # nothing to fill the first step from
    clf = (imputer * small(E2ABLTimeSeriesClassifier)).fit(X, y)
    assert clf.get_tag("capability:missing_values")
    assert clf.score(X[:20], y[:20]) > 0.6  # of another number of series than at fit


def test_other_channels_or_steps_than_at_fit(equal, unequal):
    X, y = equal
    clf = plain().fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on \(2, 24\)"):
        clf.predict(X[:, :1])
    with pytest.raises(ValueError, match=r"fitted on \(2, 24\)"):
        clf.predict(X[:, :, :20])
    with pytest.raises(ValueError, match="fitted on series of 24 steps each and takes no others"):
        clf.predict(unequal[0])
    clf.fit(*unequal)
    assert clf.predict(X[:, :, :5]).shape == (60,)
    with pytest.raises(ValueError, match=r"n_channels=1, but .* fitted on series of n_channels=2"):
        clf.predict([frame[[0]] for frame in unequal[0]])


def test_data_that_are_no_panel(equal):
    X, y = equal
    with pytest.raises(TypeError, match="must be in an sktime compatible format"):
        plain().fit(["a series", "another"], y[:2])
    with pytest.raises(ValueError, match="Mismatch in number of cases"):
        plain().fit(X, y[:-1])


def test_bad_parameters_are_named(equal):
    with pytest.raises(ValueError, match="epochs must be None or an integer of at least 1, got 0"):
        plain(epochs=0).fit(*equal)
    with pytest.raises(ValueError, match="Unknown backbone 'cn'"):
        plain().set_params(backbone="cn").fit(*equal)


def test_one_class_only_is_a_warning_of_sktime(equal):
    X, _ = equal
    with pytest.warns(UserWarning, match="single label"):
        clf = small(E2ABLTimeSeriesClassifier).fit(X, np.full(60, "walk"))
    assert set(clf.predict(X)) == {"walk"}
    with pytest.raises(AttributeError, match="report_"):
        _ = clf.report_


# sktime's tools


@pytest.mark.parametrize(
    "transformer",
    [
        ExponentTransformer(0.5),
        PaddingTransformer(pad_length=30),
        TruncationTransformer(),
        StandardScaler(),
    ],
    ids=lambda t: type(t).__name__,
)
def test_in_a_pipeline_after_a_transformer(transformer, equal, unequal):
    X, y = equal
    for given in (np.abs(X), [f.abs() for f in unequal[0]]):
        clf = (transformer * small(E2ABLTimeSeriesClassifier)).fit(given, y)
        assert isinstance(clf, ClassifierPipeline)
        assert clf.score(given, y) > 0.6
        assert clf.classifier_.report_.suspicion.shape == (60,)


def test_a_pipeline_does_what_its_parts_do(equal):
    X, y = equal
    clf = (ExponentTransformer(2, offset=0) * plain()).fit(X, y)
    expected = plain().fit(X**2, y).predict_proba(X**2)
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-5)


@every_classifier
def test_grid_search_of_sktime(cls, equal, unequal):
    for X, y in (equal, unequal):
        search = TSCGridSearchCV(small(cls), GRID, cv=KFold(2), error_score="raise").fit(X, y)
        assert search.best_params_ == {"learning_rate": 1e-2}
        assert search.predict(X).shape == (60,)


def test_grid_search_of_sktime_over_a_pipeline(equal):
    X, y = equal
    grid = {f"classifier__{k}": v for k, v in GRID.items()}
    pipeline = ExponentTransformer(1) * small(E2ABLTimeSeriesClassifier)
    search = TSCGridSearchCV(pipeline, grid, cv=KFold(2), error_score="raise").fit(X, y)
    assert search.best_params_ == {"classifier__learning_rate": 1e-2}
    assert search.best_estimator_.classifier_.report_.suspicion.shape == (60,)


@every_classifier
def test_the_searches_and_pipelines_of_scikit_learn(cls, equal, unequal):
    X, y = equal
    for given in (X, unequal[0]):
        search = GridSearchCV(small(cls), GRID, cv=2, error_score="raise").fit(given, y)
        assert search.best_params_ == {"learning_rate": 1e-2}
        assert search.score(given, y) > 0.9
        assert not hasattr(search.best_estimator_, "_parent_callback_ctx")
    assert cross_val_score(small(cls), X, y, cv=2, error_score="raise").min() > 0.6
    assert make_pipeline(small(cls)).fit(X, y).score(X, y) > 0.9


def can_search_sktime(X, y):
    """Whether scikit-learn's search takes sktime's own estimators, which with 1.9 and 1.2 fails."""
    search = GridSearchCV(DummyClassifier(), {}, cv=2, scoring="accuracy", error_score="raise")
    try:
        search.fit(X, y)
    except AttributeError:
        return False
    return True


def test_scikit_learn_searches_a_pipeline_of_sktime_where_it_searches_any(equal):
    X, y = equal
    pipeline, grid = (
        ExponentTransformer(1) * plain(),
        {"classifier__epochs": [1, 12]},
    )
    search = GridSearchCV(pipeline, grid, cv=2, scoring="accuracy", error_score="raise")
    if can_search_sktime(X, y):
        assert search.fit(X, y).best_params_ == {"classifier__epochs": 12}
    else:
        with pytest.raises(AttributeError, match=r"__sklearn_tags__|_parent_callback_ctx"):
            search.fit(X, y)


@pytest.mark.filterwarnings("ignore:Data seen by .* has unequal length series")
def test_ensembles(equal, unequal):
    members = [
        ("one", plain()),
        ("two", small(E2ABLTimeSeriesClassifier, random_state=1)),
    ]
    for X, y in (equal, unequal):
        bagging = BaggingClassifier(plain(), n_estimators=2, random_state=0).fit(X, y)
        assert bagging.score(X, y) > 0.8
        voting = WeightedEnsembleClassifier(members, weights=[1, 3]).fit(X, y)
        parts = [m.predict_proba(X) for _, m in voting.classifiers_]
        np.testing.assert_allclose(voting.predict_proba(X), (parts[0] + 3 * parts[1]) / 4)


def test_evaluate(equal, unequal):
    for X, y in (equal, unequal):
        table = evaluate(small(E2ABLTimeSeriesClassifier), cv=KFold(2), X=X, y=y)
        assert (table["test_accuracy_score"] > 0.6).all()


def test_benchmark(equal, tmp_path):
    benchmark = ClassificationBenchmark()
    for cls in PAIRS:
        benchmark.add_estimator(small(cls))
    benchmark.add_task(lambda: equal, KFold(2), [accuracy_score])
    results = benchmark.run(tmp_path / "results.csv")
    assert set(results["model_id"]) == {cls.__name__ for cls in PAIRS}
    assert (results["accuracy_score_mean"] > 0.8).all()


@every_classifier
def test_save_and_load(cls, equal, unequal, tmp_path):
    for name, (X, y) in {"equal": equal, "unequal": unequal}.items():
        clf = small(cls).fit(X, y)
        clf.save(tmp_path / name)
        for loaded in (load(tmp_path / f"{name}.zip"), load(clf.save())):
            np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
            assert loaded.history_ == clf.history_


def test_attacks_are_measured_as_on_the_wrapped_estimator(equal):
    X, y = equal
    trigger = PatchTrigger(random_state=0).fit(X)
    ours, theirs = (
        evaluate_backdoor(small(c).fit(X, y), X, y, trigger, target="walk")
        for c in (NeuralTimeSeriesClassifier, NeuralClassifier)
    )
    assert ours == theirs
