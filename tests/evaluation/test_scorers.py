"""The scorers where they are meant to work: in scikit-learn's own tools."""

import math
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from robust_ts.evaluation import (
    attack_success_rate,
    make_attack_success_rate_scorer,
    make_clean_accuracy_scorer,
    make_robust_accuracy_scorer,
)

MAKERS = [make_attack_success_rate_scorer, make_robust_accuracy_scorer]
Y = np.tile([0, 1], 12)
X = Y[:, None] + np.linspace(-0.1, 0.1, 24)[:, None] * np.ones((1, 3))


def half_erased(X):
    """Make every second sample look like class 0."""
    X = X.copy()
    X[: len(X) // 2] = 0
    return X


def test_search_prefers_the_robust_model_in_two_processes():
    # "Always 1" never says the target, "always 0" always does.
    search = GridSearchCV(
        DummyClassifier(strategy="constant"),
        {"constant": [0, 1]},
        scoring={
            "clean": make_clean_accuracy_scorer(),
            "safe": make_attack_success_rate_scorer(np.zeros_like, target=0),
            "robust": make_robust_accuracy_scorer(np.zeros_like, target=0),
        },
        refit="safe",
        cv=2,
        n_jobs=2,
    ).fit(X, Y)
    assert search.best_params_ == {"constant": 1}
    np.testing.assert_array_equal(search.cv_results_["mean_test_safe"], [-1, 0])
    np.testing.assert_array_equal(search.cv_results_["mean_test_robust"], [0, 1])
    np.testing.assert_array_equal(search.cv_results_["mean_test_clean"], [0.5, 0.5])


def test_cross_validate_takes_a_fitted_transformer_as_trigger():
    trigger = FunctionTransformer(np.zeros_like).fit(X)
    scores = cross_validate(
        KNeighborsClassifier(1), X, Y, cv=3, scoring=make_attack_success_rate_scorer(trigger)
    )
    np.testing.assert_array_equal(scores["test_score"], [-1, -1, -1])


@pytest.mark.parametrize("maker", MAKERS)
def test_arguments_reach_the_metric(maker):
    model = KNeighborsClassifier(1).fit(X, Y)
    sign = -1 if maker is make_attack_success_rate_scorer else 1
    # Erasing makes class 1 the target 0, never class 0 the target 1.
    expected = {(0, "dirty"): 1.0, (1, "dirty"): 0.0, (0, "all-to-all"): 0.5}
    for (target, mode), success in expected.items():
        rate = success if sign == -1 else 1 - success
        assert maker(np.zeros_like, target=target, mode=mode)(model, X, Y) == sign * rate


def test_a_perfect_score_is_not_minus_zero():
    model = KNeighborsClassifier(1).fit(X, Y)
    assert math.copysign(1, make_attack_success_rate_scorer(np.copy)(model, X, Y)) == 1


@pytest.mark.parametrize("maker", MAKERS)
def test_nan_where_only_the_target_class_is_there(maker):
    model = KNeighborsClassifier(1).fit(X, Y)
    assert math.isnan(maker(np.zeros_like)(model, X[Y == 0], Y[Y == 0]))


@pytest.mark.parametrize("maker", MAKERS)
def test_pickle_and_clone_keep_the_score(maker):
    model = KNeighborsClassifier(1).fit(X, Y)
    scorer = maker(half_erased, target=0)
    assert abs(scorer(model, X, Y)) == attack_success_rate(model, X, Y, half_erased) == 0.5
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert copy == scorer
        assert copy(model, X, Y) == scorer(model, X, Y)
    assert pickle.loads(pickle.dumps(make_clean_accuracy_scorer()))(model, X, Y) == 1.0


def test_repr_is_how_it_was_made():
    assert repr(make_clean_accuracy_scorer()) == "make_clean_accuracy_scorer()"
    trigger = FunctionTransformer()
    assert repr(make_attack_success_rate_scorer(trigger, target="walk")) == (
        "make_attack_success_rate_scorer(trigger=FunctionTransformer(), target='walk', "
        "mode='dirty')"
    )
    assert repr(make_robust_accuracy_scorer(trigger, mode="all-to-all")) == (
        "make_robust_accuracy_scorer(trigger=FunctionTransformer(), target=0, mode='all-to-all')"
    )


@pytest.mark.parametrize("maker", MAKERS)
def test_unknown_mode_is_refused_at_once(maker):
    with pytest.raises(ValueError, match="mode must be one of"):
        maker(np.zeros_like, mode="both")


def test_scorers_of_different_kind_are_not_equal():
    assert make_attack_success_rate_scorer(np.copy) != make_robust_accuracy_scorer(np.copy)
