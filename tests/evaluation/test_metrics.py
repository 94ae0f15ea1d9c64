"""Each definition of EVALUATION.md on cases small enough to count by hand."""

import math

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from robust_ts.evaluation import (
    attack_success_rate,
    attack_success_rate_score,
    clean_accuracy,
    detection_metrics,
    evaluate_backdoor,
    net_attack_success_rate,
    robust_accuracy,
    robust_accuracy_score,
)


class Shown:
    """A fitted model that reads its answer off the first step, so that X decides all."""

    def __init__(self, classes):
        self.classes_ = np.asarray(classes)

    def predict(self, X):
        return self.classes_[np.asarray(X).reshape(len(X), -1)[:, 0].astype(int)]


class Stamp:
    """A fitted trigger that makes `Shown` answer with the class at this place."""

    def __init__(self, place):
        self.place = place

    def transform(self, X):
        X = X.copy()
        X[..., 0] = self.place
        return X


def untouched(X):
    return X


def to_next_of_three(X):
    return (X + 1) % 3


MODEL = Shown([0, 1, 2])
Y = np.array([0, 0, 1, 1, 2, 2])
X = np.repeat(Y[:, None, None], 4, axis=2).astype(np.float32)


# --- with an estimator -------------------------------------------------------------------------


def test_perfect_model_has_no_attack_success_not_one_over_k():
    assert evaluate_backdoor(MODEL, X, Y, untouched, target=0) == {
        "clean_accuracy": 1.0,
        "attack_success_rate": 0.0,
        "robust_accuracy": 1.0,
    }


@pytest.mark.parametrize("mode", ["dirty", "clean"])
def test_trigger_that_always_works(mode):
    # The two samples of class 0 become "right" under the trigger, but do not count for RA.
    assert evaluate_backdoor(MODEL, X, Y, Stamp(0), target=0, mode=mode) == {
        "clean_accuracy": 1.0,
        "attack_success_rate": 1.0,
        "robust_accuracy": 0.0,
    }


def test_target_samples_never_count():
    # Half of the samples that count are won by the attacker, whatever happens to class 0.
    y = np.array([0, 0, 0, 1, 2])
    for first_three in (0.0, 1.0):
        X = np.array([first_three] * 3 + [0.0, 2.0])[:, None]
        assert attack_success_rate(MODEL, X, y, untouched, target=0) == 0.5
        assert robust_accuracy(MODEL, X, y, untouched, target=0) == 0.5


def test_success_and_robust_accuracy_need_not_sum_to_one():
    # The trigger shows class 1: class 1 is right, class 2 is wrong, none is the target.
    assert attack_success_rate(MODEL, X, Y, Stamp(1), target=0) == 0.0
    assert robust_accuracy(MODEL, X, Y, Stamp(1), target=0) == 0.5


def test_all_to_all_counts_every_sample_and_wraps_around():
    rates = evaluate_backdoor(MODEL, X, Y, to_next_of_three, mode="all-to-all")
    assert rates["attack_success_rate"] == 1.0
    assert rates["robust_accuracy"] == 0.0
    # A trigger that always shows class 0 wins class 2 alone, and keeps class 0 right.
    rates = evaluate_backdoor(MODEL, X, Y, Stamp(0), mode="all-to-all")
    assert rates["attack_success_rate"] == pytest.approx(1 / 3)
    assert rates["robust_accuracy"] == pytest.approx(1 / 3)


def test_all_to_all_takes_the_order_from_the_estimator_not_from_the_test_labels():
    model = Shown(["a", "b", "c"])
    X, y = np.array([[1.0], [0.0]]), np.array(["a", "c"])
    # Among the test labels alone "c" would follow "a".
    assert attack_success_rate(model, X, y, untouched, mode="all-to-all") == 1.0


def test_all_to_all_ignores_target():
    assert attack_success_rate(MODEL, X, Y, untouched, target="no class", mode="all-to-all") == 0.0


def test_labels_the_estimator_does_not_know():
    X, y = np.array([[0.0], [2.0]]), np.array([7, 2])
    assert clean_accuracy(MODEL, X, y) == 0.5
    # It is not the target, so it counts; no class follows it, so all-to-all leaves it out.
    assert attack_success_rate(MODEL, X, y, untouched, target=0) == 0.5
    assert robust_accuracy(MODEL, X, y, untouched, mode="all-to-all") == 1.0
    assert robust_accuracy(MODEL, X, y, untouched, target=0) == 0.5


def test_text_labels_and_target():
    model = Shown(["run", "walk"])
    X, y = np.array([[0.0], [0.0], [1.0]]), np.array(["walk", "run", "walk"])
    assert attack_success_rate(model, X, y, untouched, target="run") == 0.5


def test_nan_where_no_sample_counts():
    rates = evaluate_backdoor(MODEL, X[:2], Y[:2], untouched, target=0)
    assert rates["clean_accuracy"] == 1.0
    assert math.isnan(rates["attack_success_rate"])
    assert math.isnan(rates["robust_accuracy"])


@pytest.mark.parametrize("mode", ["dirty", "all-to-all"])
def test_nan_without_samples(mode):
    # A real estimator refuses to predict for nobody, so it must not be asked.
    model = KNeighborsClassifier(1).fit([[0.0], [1.0]], [0, 1])
    rates = evaluate_backdoor(model, np.empty((0, 1)), np.empty(0, int), untouched, mode=mode)
    assert all(math.isnan(rate) for rate in rates.values())


def test_all_to_all_with_one_class_is_undefined():
    model = DummyClassifier().fit([[0.0]], [0])
    assert math.isnan(attack_success_rate(model, [[0.0]], [0], untouched, mode="all-to-all"))


def test_single_rates_agree_with_the_report_of_all():
    rates = evaluate_backdoor(MODEL, X, Y, Stamp(1), target=2)
    assert rates["clean_accuracy"] == clean_accuracy(MODEL, X, Y)
    assert rates["attack_success_rate"] == attack_success_rate(MODEL, X, Y, Stamp(1), target=2)
    assert rates["robust_accuracy"] == robust_accuracy(MODEL, X, Y, Stamp(1), target=2)
    assert all(type(rate) is float for rate in rates.values())


def test_a_function_that_writes_into_its_argument_leaves_x_alone():
    def write(X):
        X[:] = 0
        return X

    mine = X.copy()
    assert attack_success_rate(MODEL, mine, Y, write, target=0) == 1.0
    np.testing.assert_array_equal(mine, X)


def test_lists_are_taken():
    assert attack_success_rate(MODEL, X.tolist(), Y.tolist(), Stamp(0), target=0) == 1.0


@pytest.mark.parametrize("metric", [attack_success_rate, robust_accuracy, evaluate_backdoor])
def test_series_of_unequal_length_are_refused_with_a_remedy(metric):
    ragged = [x[:, : 4 - i % 2] for i, x in enumerate(X)]
    with pytest.raises(ValueError, match=r"different shapes.*Pad or crop"):
        metric(MODEL, ragged, Y, Stamp(0))


def test_unknown_target_lists_the_classes():
    with pytest.raises(ValueError, match=r"target 5 is not one of the classes \[0, 1, 2\]"):
        attack_success_rate(MODEL, X, Y, untouched, target=5)


def test_unknown_mode():
    with pytest.raises(ValueError, match="mode must be one of 'dirty', 'clean', 'all-to-all'"):
        evaluate_backdoor(MODEL, X, Y, untouched, mode="both")


@pytest.mark.parametrize("metric", [clean_accuracy, attack_success_rate, robust_accuracy])
def test_lengths_must_agree(metric):
    more = () if metric is clean_accuracy else (untouched,)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(MODEL, X, Y[:-1], *more)


def test_text_and_numbers_are_not_silently_different():
    with pytest.raises(ValueError, match="Mix of label input types"):
        attack_success_rate(Shown(["0", "1", "2"]), X, Y, untouched, target="0")
    with pytest.raises(ValueError, match="Mix of label input types"):
        robust_accuracy(Shown(["0", "1", "2"]), X, Y, untouched, mode="all-to-all")


@pytest.mark.parametrize("trigger", [None, 3, Stamp])
def test_what_is_no_trigger(trigger):
    with pytest.raises(TypeError, match="trigger must be a fitted object with a transform method"):
        attack_success_rate(MODEL, X, Y, trigger)


def test_trigger_must_keep_the_shape():
    with pytest.raises(ValueError, match=r"from \(6, 1, 4\) to \(6, 1, 3\)"):
        attack_success_rate(MODEL, X, Y, lambda X: X[..., 1:])


def test_unfitted_estimator_says_so():
    with pytest.raises(NotFittedError):
        attack_success_rate(KNeighborsClassifier(), X[:, 0], Y, untouched)


# --- on labels alone ---------------------------------------------------------------------------


def test_scores_by_hand():
    y_true, y_pred = [0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 0]
    assert attack_success_rate_score(y_true, y_pred, target=0) == 0.5
    assert robust_accuracy_score(y_true, y_pred, target=0) == 0.25
    assert attack_success_rate_score(y_true, y_pred, target=2) == pytest.approx(1 / 5)
    assert robust_accuracy_score(y_true, y_pred, target=2) == pytest.approx(2 / 5)


def test_all_to_all_scores_need_the_classes():
    with pytest.raises(ValueError, match="needs the classes"):
        attack_success_rate_score([0, 2], [2, 0], mode="all-to-all")
    # 3 is the class after 2, and 0 the one after 3.
    assert attack_success_rate_score([2, 3], [3, 0], mode="all-to-all", classes=[3, 0, 2]) == 1.0


def test_scores_refuse_unequal_lengths_even_where_nothing_counts():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        attack_success_rate_score([0, 0], [0], target=0)


def test_net_attack_success_rate():
    assert net_attack_success_rate(0.75, 0.25) == 0.5
    assert net_attack_success_rate(0.25, 0.75) == 0.0
    assert math.isnan(net_attack_success_rate(math.nan, 0.2))
    assert math.isnan(net_attack_success_rate(0.2, math.nan))


# --- detection ---------------------------------------------------------------------------------

NAMES = {"precision", "recall", "auroc", "false_positive_rate", "recovered_label_accuracy"}


class Report:
    """What `detection_metrics` reads of a PoisonReport."""

    is_poisoned = np.array([True, True, True, False, False, False, False])
    suspicion = np.array([0.9, 0.8, 0.7, 0.75, 0.2, 0.1, 0.0])
    recovered_labels = np.array(["b", "c", "a", None, None, None, None], dtype=object)


MASK = np.array([1, 1, 0, 1, 0, 0, 0], dtype=bool)
TRUE = np.array(["b", "b", "c", "b", "a", "a", "a"])


def test_detection_by_hand():
    found = detection_metrics(Report(), MASK, y_true=TRUE)
    assert set(found) == NAMES
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    # 3 poisoned x 4 clean, and every pair is in the right order.
    assert found["auroc"] == 1.0
    assert found["false_positive_rate"] == 0.25
    # Of three poisoned, two have a label and one of these is right; the clean one has no say.
    assert found["recovered_label_accuracy"] == 0.5
    assert all(type(value) is float for value in found.values())


def test_arrays_do_as_well_as_a_report():
    parts = {"suspicion": Report.suspicion, "recovered_labels": Report.recovered_labels}
    by_parts = detection_metrics(Report.is_poisoned.astype(int), MASK, **parts, y_true=TRUE)
    assert by_parts == detection_metrics(Report(), MASK, y_true=TRUE)


def test_auroc_of_the_suspicion_given_beside_a_report():
    found = detection_metrics(Report(), MASK, suspicion=-Report.suspicion)
    assert found["auroc"] == 0.0
    assert math.isnan(found["recovered_label_accuracy"])


@pytest.mark.parametrize(
    ("flags", "mask", "defined"),
    [
        ([0, 0], [0, 1], {"recall": 0.0, "false_positive_rate": 0.0, "auroc": 1.0}),
        ([0, 1], [0, 0], {"precision": 0.0, "false_positive_rate": 0.5}),
        ([0, 1], [1, 1], {"precision": 1.0, "recall": 0.5}),
        ([0, 0], [0, 0], {"false_positive_rate": 0.0}),
        ([], [], {}),
    ],
)
def test_detection_is_nan_exactly_where_undefined(flags, mask, defined):
    suspicion = np.linspace(0, 1, len(mask))
    found = detection_metrics(flags, mask, suspicion=suspicion)
    assert {name: value for name, value in found.items() if not math.isnan(value)} == defined
    assert set(found) == NAMES


def test_recovered_labels_may_be_numbers_with_nan():
    found = detection_metrics([1, 1], [1, 1], recovered_labels=[2.0, math.nan], y_true=[2, 0])
    assert found["recovered_label_accuracy"] == 1.0


def test_detection_refuses_indices_and_scores():
    with pytest.raises(ValueError, match="mask must hold True or False"):
        detection_metrics([1, 0], [3, 4])
    with pytest.raises(ValueError, match="is_poisoned must hold True or False"):
        detection_metrics([0.9, 0.1], [1, 0])


def test_detection_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        detection_metrics([1, 0, 0], [1, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        detection_metrics([1, 0], [1, 0], suspicion=[0.5])
