"""What the network that was trained on everything says of groups, right ones and wrong ones."""

import numpy as np
import pytest

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.classifiers import e2abl
from robust_ts.classifiers._lesson import Lesson
from tests.defense._groups import clean_series, make_proposal, poisoned_series

SETTINGS = {
    "backbone": "cnn",
    "backbone_params": {"filters": (16, 16, 16)},
    "epochs": 30,
    "learning_rate": 5e-3,
    "random_state": 0,
}


def fit_with(monkeypatch, X, y, proposals):
    """Fit with these proposals in the place of what is found; give the classifier and lesson."""
    lessons = []

    class Watching:
        @staticmethod
        def of(*args):
            lessons.append(Lesson.of(*args))
            return lessons[-1]

    monkeypatch.setattr(e2abl, "search", lambda *args: proposals)
    monkeypatch.setattr(e2abl, "Lesson", Watching)
    return E2ABLClassifier(**SETTINGS).fit(X, y), lessons[0]


@pytest.fixture
def blurred():
    X, y, mask = poisoned_series()
    bad, good = np.flatnonzero(mask), np.flatnonzero(~mask & (y == 0))
    return X, y, mask, np.sort(np.concatenate([bad[:11], good[:6]]))


def test_a_blurred_group_is_drawn_sharp_and_completed(monkeypatch, blurred) -> None:
    X, y, mask, group = blurred
    ours, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.3)])
    assert lesson.taught[0] >= 0.7
    (suspect,) = lesson.suspects
    assert mask[suspect.bearing].mean() >= 0.9
    assert np.isin(np.flatnonzero(mask), suspect.bearing).mean() >= 0.8
    assert set(group.tolist()) <= set(suspect.members.tolist())
    assert not ours.report_.is_poisoned[~mask].any()
    assert ours.report_.is_poisoned[mask].mean() >= 0.8


def test_without_regrouping_it_stays_as_it_is(monkeypatch, blurred) -> None:
    X, y, _, group = blurred
    constants = e2abl.DefenseConstants(without=frozenset({"regroup"}))
    monkeypatch.setattr(E2ABLClassifier, "_constants", constants)
    _, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.3)])
    assert lesson.suspects[0].members.tolist() == group.tolist()


def test_what_the_rest_of_the_class_teaches_as_well_is_no_poison(monkeypatch) -> None:
    X, y = clean_series()
    group = np.flatnonzero(y == 0)[:12].tolist()
    left = []
    monkeypatch.setattr(e2abl, "verify", lambda P, labels, groups, C: left.append(groups) or groups)
    ours, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group, 0.1)])
    assert lesson.taught[0] >= 0.7  # the class's own pattern steers
    assert left == [[]]  # and it steers the network that never saw the group
    assert not ours.report_.is_poisoned.any()
    plain = NeuralClassifier(**SETTINGS).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(X))


def test_what_is_too_faint_is_not_even_asked_about(monkeypatch, blurred) -> None:
    X, y, _, group = blurred
    _, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.01)])
    assert not lesson.stamps
