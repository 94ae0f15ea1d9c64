"""What every classifier here owes to scikit-learn and to its users.

To hold one more estimator to the contract, add it to ``ESTIMATORS``.
"""

import inspect
import io
import pickle
import unittest

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier
from robust_ts.classifiers._base import BaseNeuralClassifier
from robust_ts.evaluation import make_attack_success_rate_scorer

ESTIMATORS = [NeuralClassifier, ABLClassifier, E2ABLClassifier]

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)


def small(cls, **params):
    """Make a cheap estimator that learns ``make_waves``."""
    given = {
        "backbone_params": {"filters": (8, 16, 8)},
        "epochs": 12,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return cls("cnn", **{**given, **params})


def quick(cls, **params):
    """Make an estimator of which only the mechanics matter."""
    return small(cls, **{"epochs": 3, **params})


@parametrize_with_checks(
    [
        cls(
            "cnn",
            backbone_params={"filters": (16, 32), "kernels": (5, 3)},
            epochs=30,
            learning_rate=3e-3,
        )
        for cls in ESTIMATORS
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    """None may fail and none be skipped."""
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as skipped:
        pytest.fail(f"skipped: {skipped}")


# Composition


@every_estimator
def test_pipeline(cls, make_waves):
    X, y = make_waves()
    pipe = make_pipeline(FunctionTransformer(double), quick(cls)).fit(X, y)
    np.testing.assert_array_equal(
        pipe.predict_proba(X), quick(cls).fit(2 * X, y).predict_proba(2 * X)
    )


def double(X):
    return 2 * X


def push(X):
    """Trigger of the attack-success scorer: a raised tail."""
    X = X.copy()
    X[..., -4:] += 2
    return X


@every_estimator
def test_grid_search_scores_alike_in_one_and_two_processes(cls, make_waves):
    X, y = make_waves(noise=1.0)
    scoring = {
        "accuracy": "accuracy",
        "log_loss": "neg_log_loss",
        "attack": make_attack_success_rate_scorer(push, target=0),
    }
    results = [
        GridSearchCV(
            quick(cls),
            {"learning_rate": [1e-4, 1e-2]},
            scoring=scoring,
            refit="accuracy",
            cv=2,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, y)
        for n_jobs in (1, 2)
    ]
    one, two = (search.cv_results_ for search in results)
    for name in scoring:
        key = f"mean_test_{name}"
        assert np.isfinite(one[key]).all()
        np.testing.assert_allclose(one[key], two[key], rtol=1e-6)
    assert one["mean_test_log_loss"][0] != one["mean_test_log_loss"][1]
    assert (one["mean_test_attack"] <= 0).all()
    assert results[0].best_estimator_.score(X, y) == results[1].best_estimator_.score(X, y)


@every_estimator
def test_cross_validate(cls, make_waves):
    X, y = make_waves(90)
    scores = cross_validate(small(cls), X, y, cv=3, error_score="raise")["test_score"]
    assert (scores > 0.8).all()


@every_estimator
def test_calibrated_classifier(cls, make_waves):
    X, y = make_waves()
    calibrated = CalibratedClassifierCV(small(cls), cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.8


@every_estimator
def test_voting_classifier(cls, make_waves):
    X, y = make_waves()
    names = np.array(["a", "b", "c"])[y]
    members = [("one", quick(cls)), ("two", quick(cls, random_state=1))]
    voting = VotingClassifier(members, voting="soft").fit(X, names)
    mean = np.mean([m.predict_proba(X) for m in voting.estimators_], axis=0)
    np.testing.assert_allclose(voting.predict_proba(X), mean)
    assert set(voting.predict(X)) <= set(names)


# Parameters


@every_estimator
def test_clone_and_set_params(cls, make_waves):
    X, y = make_waves()
    fitted = quick(cls, class_weight="balanced").fit(X, y)
    copy = clone(fitted)
    assert not hasattr(copy, "classes_")
    assert repr(copy.get_params()) == repr(fitted.get_params())
    np.testing.assert_array_equal(copy.fit(X, y).predict_proba(X), fitted.predict_proba(X))
    fitted.set_params(epochs=2, backbone_params={"filters": (4, 4, 4)}).fit(X, y)
    assert fitted.network_ is not copy.network_
    assert sum(p.numel() for p in fitted.network_.parameters()) < sum(
        p.numel() for p in copy.network_.parameters()
    )
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        fitted.set_params(epoch=3)


@every_estimator
def test_the_signature_and_the_docstring_are_whole(cls):
    shared = set(inspect.signature(BaseNeuralClassifier).parameters)
    names = set(inspect.signature(cls).parameters)
    assert shared <= names
    assert names == set(cls().get_params())
    assert "shared" not in names
    sections = cls.__doc__.split("Attributes\n")
    assert [n for n in sorted(names) if f"    {n} : " not in sections[0]] == []
    assert [
        a for a in ("classes_", "network_", "history_", "device_") if a not in sections[1]
    ] == []
    assert "<shared" not in cls.__doc__
    assert all(p.default is not p.empty for p in inspect.signature(cls).parameters.values())


@every_estimator
def test_an_unknown_argument_is_a_type_error(cls):
    with pytest.raises(TypeError, match="epoch_count"):
        cls("cnn", epoch_count=3)


# Reproducibility


@every_estimator
def test_pickle_and_joblib_round_trips(cls, make_waves):
    X, y = make_waves()
    clf = quick(cls).fit(X, np.array(["a", "b", "c"])[y])
    expected = clf.predict_proba(X)
    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    for loaded in (pickle.loads(pickle.dumps(clf)), joblib.load(file)):
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        np.testing.assert_array_equal(loaded.predict(X), clf.predict(X))
        assert loaded.history_ == clf.history_


@every_estimator
@pytest.mark.parametrize("seed", [0, 7])
def test_same_seed_same_bits(cls, seed, make_waves):
    X, y = make_waves()
    first = quick(cls, random_state=seed).fit(X, y).predict_proba(X)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(quick(cls, random_state=seed).fit(X, y).predict_proba(X), first)
    assert np.abs(quick(cls, random_state=3).fit(X, y).predict_proba(X) - first).max() > 1e-4


@every_estimator
def test_fitting_leaves_the_global_generators_alone(cls, make_waves):
    X, y = make_waves()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    quick(cls).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@every_estimator
def test_refitting_starts_anew(cls, make_waves):
    X, y = make_waves()
    clf = quick(cls).fit(*make_waves(40, n_channels=2, n_classes=4, seed=5))
    np.testing.assert_array_equal(
        clf.fit(X, y).predict_proba(X), quick(cls).fit(X, y).predict_proba(X)
    )
    assert clf.predict_proba(X).shape == (60, 3)


# Data


@every_estimator
def test_label_sorted_input_is_as_good_as_shuffled_input(cls, make_waves):
    X, y = make_waves(120)
    X_test, y_test = make_waves(120, seed=1)
    order = np.argsort(y, kind="stable")
    shuffled = small(cls).fit(X, y).score(X_test, y_test)
    ordered = small(cls).fit(X[order], y[order]).score(X_test, y_test)
    assert shuffled > 0.9
    assert ordered > shuffled - 0.05


@every_estimator
@pytest.mark.parametrize(
    "labels",
    [
        np.array(["walk", "run", "rest"]),
        np.array(["walk", "run", "rest"], dtype=object),
        np.array([-5, 3, 100]),
        np.array([7.0, 2.0, 9.0]),
        np.array([200, 3, 17], dtype=np.uint8),
    ],
    ids=["str", "object", "int", "float", "uint8"],
)
def test_labels_of_any_kind(cls, labels, make_waves):
    X, y = make_waves()
    clf = quick(cls).fit(X, labels[y])
    assert list(clf.classes_) == sorted(labels)
    assert clf.predict(X).dtype == labels.dtype
    rank = np.argsort(np.argsort(labels))
    np.testing.assert_array_equal(clf.predict_proba(X), quick(cls).fit(X, rank[y]).predict_proba(X))
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[clf.predict_proba(X).argmax(1)])


@every_estimator
def test_two_classes_and_boolean_labels(cls, make_waves):
    X, y = make_waves(n_classes=2)
    clf = small(cls).fit(X, y == 1)
    assert clf.predict(X).dtype == bool
    assert clf.predict_proba(X).shape == (60, 2)
    assert clf.score(X, y == 1) > 0.9


@every_estimator
def test_a_class_with_one_sample(cls, make_waves):
    X, y = make_waves()
    y[11] = 17
    proba = quick(cls).fit(X, y).predict_proba(X)
    assert proba.shape == (60, 4)
    assert np.isfinite(proba).all()


@every_estimator
def test_sixty_classes(cls, make_waves):
    X, y = make_waves(180, n_classes=60, n_timesteps=16)
    proba = quick(cls).fit(X, y).predict_proba(X)
    assert proba.shape == (180, 60)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@every_estimator
def test_class_weight_moves_the_predictions(cls, make_waves):
    X, y = make_waves(90, noise=3.0)
    y[(y == 2) & (np.arange(90) % 4 != 0)] = 0
    shares = [
        quick(cls, epochs=6, class_weight=weight).fit(X, y).predict_proba(X)[:, 2].mean()
        for weight in (None, "balanced", {0: 1, 1: 1, 2: 20})
    ]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > shares[0] + 0.1


@every_estimator
def test_two_and_three_dimensions_are_the_same_for_one_channel(cls, make_waves):
    X, y = make_waves()
    flat, deep = quick(cls).fit(X[:, 0], y), quick(cls).fit(X, y)
    assert (flat.n_features_in_, deep.n_features_in_) == (24, 1)
    expected = flat.predict_proba(X[:, 0])
    for clf, given in ((deep, X), (deep, X[:, 0]), (flat, X)):
        np.testing.assert_array_equal(clf.predict_proba(given), expected)


@every_estimator
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_number_types(cls, dtype, make_waves):
    X, y = make_waves()
    X = np.round(10 * X).astype(dtype)
    expected = quick(cls).fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    np.testing.assert_array_equal(quick(cls).fit(X, y).predict_proba(X), expected)


@every_estimator
def test_the_input_is_neither_changed_nor_needs_to_be_writable(cls, make_waves):
    X, y = make_waves()
    X_before, y_before = X.copy(), y.copy()
    clf = quick(cls).fit(X, y)
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
    X.flags.writeable = y.flags.writeable = False
    np.testing.assert_array_equal(quick(cls).fit(X, y).predict_proba(X), expected)


@every_estimator
@pytest.mark.parametrize("kind", ["reversed", "strided", "fortran", "transposed"])
def test_memory_layout_does_not_matter(cls, kind, make_waves):
    X, y = make_waves(n_channels=2)
    views = {
        "reversed": X[::-1, :, ::-1].copy()[::-1, :, ::-1],
        "strided": np.repeat(X, 2, axis=2)[..., ::2],
        "fortran": np.asfortranarray(X),
        "transposed": X.transpose(2, 1, 0).copy().transpose(2, 1, 0),
    }
    view = views[kind]
    assert not view.flags.c_contiguous
    clf = quick(cls).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(view), clf.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(
        quick(cls).fit(view, y).predict_proba(view), clf.predict_proba(X), atol=1e-3
    )


# Interruption


@pytest.fixture
def interrupt(monkeypatch):
    """Raise KeyboardInterrupt at the given step of the optimizer."""

    def after(n_steps):
        step, count = torch.optim.AdamW.step, iter(range(n_steps))

        def interrupted(self, *args, **kwargs):
            if next(count, None) is None:
                raise KeyboardInterrupt
            return step(self, *args, **kwargs)

        monkeypatch.setattr(torch.optim.AdamW, "step", interrupted)

    return after


@every_estimator
@pytest.mark.parametrize("n_steps", [0, 5])
def test_an_interrupted_fit_leaves_no_half_fitted_estimator(cls, n_steps, make_waves, interrupt):
    X, y = make_waves()
    clf = quick(cls)
    before = dict(vars(clf))
    interrupt(n_steps)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert vars(clf) == before
    with pytest.raises(AttributeError):
        _ = clf.classes_


@every_estimator
def test_an_interrupted_refit_leaves_the_estimator_as_it_was(cls, make_waves, interrupt):
    X, y = make_waves()
    clf = quick(cls).fit(X, y)
    expected = clf.predict_proba(X)
    before = dict(vars(clf))
    interrupt(5)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*make_waves(40, n_channels=2, n_timesteps=12, n_classes=4))
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[k] is v for k, v in before.items())
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
