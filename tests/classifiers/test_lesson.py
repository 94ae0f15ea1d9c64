"""What the network that was trained on everything says of groups, right ones and wrong ones."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.classifiers import e2abl
from robust_ts.classifiers._lesson import LearnedByAll, Lesson, Taught, _taught, _together
from robust_ts.classifiers.e2abl import _completed
from robust_ts.defense.constants import DefenseConstants
from tests.defense._groups import clean_series, make_proposal, poisoned_series

SETTINGS = {
    "backbone": "cnn",
    "backbone_params": {"filters": (16, 16, 16)},
    "epochs": 50,
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
    return X, y, mask, np.sort(np.concatenate([bad[:14], good[:6]]))


def test_the_network_says_what_a_group_taught_it(monkeypatch, blurred) -> None:
    X, y, mask, group = blurred
    ours, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.3)])
    (taught,) = lesson.taught
    assert taught.share >= 0.7
    # As if exactly the poison owed its label, 14 of the group and 4 of the rest of the class.
    rest = (y == 0).sum() - len(group)
    assert taught.proposal.debt == pytest.approx((1 + 14 / 20 - 4 / rest) / 2, abs=0.1)
    assert mask[taught.proposal.bearing].mean() >= 0.9
    assert (y[taught.proposal.bearing] == 0).all()
    assert not ours.report_.is_poisoned[~mask].any()
    # Four poisoned samples were not in the group: what owes its label to its pattern joins it.
    assert ours.report_.is_poisoned[mask].sum() > mask[group].sum()


def test_a_group_of_copies_is_complete_and_pure(monkeypatch, blurred) -> None:
    X, y, mask, group = blurred
    one = make_proposal(0, np.flatnonzero(mask)[:14].tolist(), 0.3)
    other = make_proposal(0, group.tolist(), 0.3)
    X = clean_series()[0]
    X[np.union1d(np.flatnonzero(mask), group), :, :8] = 3.0
    held = []
    for proposal in (one, other):
        ours, _ = fit_with(monkeypatch, X, y, [replace(proposal, n_copied=1)])
        held.append(np.flatnonzero(ours.report_.verdicts != "clean"))
    # Nothing joins, though four others owe their label to the pattern, and nothing comes back.
    assert held[0].tolist() == one.members.tolist()
    assert held[1].tolist() == group.tolist()


def test_the_groups_of_a_class_are_judged_by_one_network(monkeypatch, blurred) -> None:
    X, y, mask, group = blurred
    sharp = np.flatnonzero(mask)
    several = [make_proposal(0, members.tolist(), 0.3) for members in (group, sharp)]
    ours, lesson = fit_with(monkeypatch, X, y, several)
    assert len(lesson.taught) == 2
    weights = [t.weigh(t.share, e2abl.DefenseConstants()).score for t in lesson.taught]
    assert weights == sorted(weights, reverse=True)
    np.testing.assert_array_equal(ours.report_.is_poisoned, mask)  # what is not of it came back


def test_what_is_held_out_leaves_enough_of_the_class(monkeypatch, blurred) -> None:
    X, y, mask, _ = blurred
    bad, good = np.flatnonzero(mask), np.flatnonzero(~mask & (y == 0))
    several = [make_proposal(0, members.tolist(), 0.3) for members in (bad, good)]
    _, lesson = fit_with(monkeypatch, X, y, several)
    assert len(lesson.taught) == 1


def test_a_faint_group_beside_a_sure_one_of_another_class_is_not_held_out() -> None:
    y, constants = np.repeat([0, 1, 2], 30), DefenseConstants()
    groups = [(0, [0, 1, 2], 1.0), (0, [5, 6, 7], 0.05), (1, [30, 31, 32], 0.11)]
    faint = (2, [60, 61, 62], 0.09)

    def held(*several):
        taught = [Taught(make_proposal(*one), np.empty(0, int), None, 1.0) for one in several]
        return [t.proposal.label for t in _together(taught, y, constants)]

    assert held(*groups, faint) == [0, 1, 0]  # of its own class a faint one may be the purer one
    assert held(*groups[1:], faint) == [1, 2, 0]
    # What leaves too little of its class is not held out, and nothing is measured by it.
    assert held((0, list(range(28)), 1.0), faint) == [2]


def test_what_the_rest_of_the_class_teaches_as_well_is_no_poison(monkeypatch) -> None:
    X, y = clean_series()
    group = np.flatnonzero(y == 0)[:12].tolist()
    left = []
    monkeypatch.setattr(e2abl, "weighed", lambda P, r, y, p, C: left.extend(p) or [])
    ours, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group, 0.1)])
    (taught,) = lesson.taught
    assert taught.share >= 0.7  # the class's own pattern steers
    assert left[0].score <= 0.03  # and it steers the network that never saw the group
    assert not ours.report_.is_poisoned.any()
    plain = NeuralClassifier(**SETTINGS).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(X))


def test_poison_with_the_content_of_its_class_does_not_come_back(monkeypatch, blurred) -> None:
    X, y, mask, _ = blurred
    bad, good = np.flatnonzero(mask), np.flatnonzero(~mask & (y == 0))
    group = np.sort(np.concatenate([bad, good[:6]]))
    _, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.3)])
    proposal = lesson.taught[0].proposal
    doubtful = np.isin(np.arange(len(y)), [*bad[:9], *good[:6]])
    same = lesson.same_kind([proposal], doubtful, y)
    # Whatever another network says of them, this one knows them by the trigger.
    assert same[bad[:9]].mean() > 0.5
    assert not same[good[:6]].any()
    assert not same[~doubtful].any()
    # With nobody left to compare with, nothing is said.
    assert not lesson.same_kind([proposal], np.isin(np.arange(len(y)), group), y).any()


def test_what_is_too_faint_is_not_even_asked_about(monkeypatch, blurred) -> None:
    X, y, _, group = blurred
    _, lesson = fit_with(monkeypatch, X, y, [make_proposal(0, group.tolist(), 0.01)])
    assert not lesson.taught


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_owes_its_label_joins_a_group_only_as_its_kind(n_classes):
    given = np.concatenate([np.zeros(6, dtype=int), np.arange(1, n_classes)])
    group = replace(make_proposal(0, [0, 1]), bearing=np.array([1, 2, 3]))
    kind = SimpleNamespace(same_kind=lambda whole, added, y: added & (np.arange(len(y)) == 2))
    (whole,) = _completed([group], kind, given)
    assert whole.members.tolist() == [0, 1, 2]
    (copies,) = _completed([replace(group, n_copied=1)], kind, given)
    assert copies.members.tolist() == [0, 1]


class Reader:
    """Calls what bears the trigger class 0, so that a gap in its place too; else it reads on."""

    def __init__(self, X: np.ndarray, gap: float) -> None:
        self.X, self.gap = X, gap

    def ask(self, rows, scale=1.0, less=0.0):
        x = scale * self.X[rows] - less
        window = x[:, 0, :2].mean(axis=1)
        fooled = (window > 4) | (np.abs(window - self.gap) < 1e-3)
        low = fooled | (np.nanmean(x[:, 0, 2:], axis=1) < 0)
        return np.where(low[:, None], [5.0, -5], [-5, 5])


def copies_of(n_classes):
    """Series whose sign tells class 0 from others; six of class 1 are copies in a window."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % n_classes
    X = (np.where(y == 0, -1, 1)[:, None, None] + 0.1 * rng.normal(size=(60, 1, 8))).astype("f4")
    X[np.flatnonzero(y == 0)[:2], :, 7] = np.nan  # padded
    given, group = y.copy(), np.flatnonzero(y == 1)[:6]
    X[group, :, :2], given[group] = 5.0, 0
    means = np.stack([np.nanmean(X[given == k], axis=0) for k in range(n_classes)])
    gap = float(X[given != 0, :, :2].mean())
    job = SimpleNamespace(
        data=SimpleNamespace(X=X, y=given), spec=SimpleNamespace(n_classes=n_classes)
    )
    return LearnedByAll(job, Reader(X, gap), means, DefenseConstants(), 0), group


@pytest.mark.parametrize(
    ("n_classes", "copied", "debt"), [(2, True, 1.0), (2, False, 0.5), (3, True, 0.5)]
)
def test_with_two_classes_copies_are_asked_with_what_others_hold(n_classes, copied, debt):
    learned, group = copies_of(n_classes)
    clean = ~np.isin(np.arange(60), group)
    proposal = replace(make_proposal(0, group.tolist()), n_copied=int(copied))
    taught = _taught(learned, proposal, clean, 0)
    assert taught.share == 1.0
    assert taught.proposal.debt == debt
    assert set(taught.proposal.bearing) == (set(group) if debt > 0.5 else set())


def test_copies_of_a_natural_kind_owe_nothing_to_what_they_share():
    learned, group = copies_of(2)
    X, given = learned.job.data.X, learned.job.data.y
    own = np.flatnonzero(given == 0)
    kind = np.setdiff1d(own, group)[4:12]
    X[kind, :, :2] = -3.0  # a sensor that is dead
    assert not np.isin(kind, own[learned.owing_copies(0, kind, own)]).any()


class Damped:
    """A network that knows a blended trigger by the damped content that it leaves."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def ask(self, rows, scale=1.0, less=0.0):
        x = (scale * self.X[rows] - less)[:, 0]
        low = (x.std(axis=1) < 0.9) | (x.mean(axis=1) < -1)
        return np.where(low[:, None], [5.0, -5], [-5, 5])


@pytest.mark.parametrize(
    ("n_classes", "without", "owing"), [(2, set(), 1.0), (2, {"blends"}, 0.0), (3, set(), 0.0)]
)
def test_with_two_classes_content_may_be_blended(n_classes, without, owing):
    y = np.repeat(np.arange(20) % n_classes, 2)
    content = np.random.default_rng(0).normal(size=(20, 1, 8))
    content = (content - content.mean(axis=2, keepdims=True)) / content.std(axis=2, keepdims=True)
    X = np.stack([content, -content], axis=1).reshape(40, 1, 8)  # no class has a mean
    X[y == 0] -= 3
    given, group = y.copy(), np.flatnonzero(y == 1)[:6]
    X[group], given[group] = 0.85 * X[group] + 0.15, 0
    means = np.stack([X[given == k].mean(axis=0) for k in range(n_classes)])
    job = SimpleNamespace(
        data=SimpleNamespace(X=X, y=given), spec=SimpleNamespace(n_classes=n_classes)
    )
    constants = DefenseConstants(without=frozenset(without))
    learned = LearnedByAll(job, Damped(X), means, constants, 0)
    own = np.flatnonzero(given == 0)
    inside = np.isin(own, group)
    answers = learned.owing(0, group, own)
    assert answers[inside].mean() == owing
    assert not answers[~inside].any()


@pytest.mark.parametrize(("learned_trigger", "debt"), [(True, 1.0), (False, 0.5)])
def test_a_network_owes_labels_to_a_trigger_or_knows_them_by_heart(learned_trigger, debt):
    y = np.arange(60) % 3
    X = np.repeat(3.0 * y, 8).reshape(60, 1, 8).astype("f4")
    group, given = np.arange(9), y.copy()
    X[group, :, :2] += 4
    given[group] = (y[group] + 1) % 3

    def ask(rows, less):
        x = (X[rows] - less)[:, 0]
        content = np.clip(np.round(x[:, 2:].mean(axis=1) / 3), 0, 2).astype(int)
        moved = x[:, :2].mean(axis=1) - x[:, 2:].mean(axis=1) > 2
        return 9 * np.eye(3)[(content + moved) % 3 if learned_trigger else given[rows]]

    means = np.stack([X[(y == k) & (np.arange(60) > 8)].mean(axis=0) for k in range(3)])
    job = SimpleNamespace(data=SimpleNamespace(X=X, y=given))
    learned = LearnedByAll(job, SimpleNamespace(ask=ask), means, DefenseConstants(), 0)
    everywhere = replace(make_proposal(-1, group.tolist()), sources=y[group])
    assert learned.debt_of_all(everywhere) == debt
