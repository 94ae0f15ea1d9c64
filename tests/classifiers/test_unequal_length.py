"""Series of unequal length in the scikit-learn estimators."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sktime.datasets import load_japanese_vowels
from torch import nn

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.classifiers._job import FitJob
from tests.classifiers.test_contract import every_estimator, quick, small


@pytest.fixture
def make_ragged(make_waves):
    """Make ``(list of (c, t_i) arrays, y)``; the class does not determine the length."""

    def make(n=60, shortest=12, longest=24, seed=0, **params):
        X, y = make_waves(n, n_timesteps=longest, seed=seed, **params)
        lengths = np.random.default_rng(seed).integers(shortest, longest + 1, n)
        lengths[0] = longest
        return [x[:, :t] for x, t in zip(X, lengths, strict=True)], y

    return make


def test_networks_say_the_same_of_series_that_end_together(make_ragged):
    X, y = make_ragged()
    for backbone in ("cnn", "inception", "resnet"):
        clf = NeuralClassifier(backbone, epochs=1, random_state=0).fit(X, y)
        begin, end = clf._prepare(X, y).ways()
        with torch.no_grad():
            answers = [clf.network_(torch.from_numpy(way.data.X)) for way in (begin, end)]
        torch.testing.assert_close(*answers)
    whole = np.stack([x[:, :12] for x in X])
    assert len(quick(NeuralClassifier)._prepare(whole, y).ways()) == 1


@every_estimator
def test_they_are_learned(cls, make_ragged):
    X, y = make_ragged(90)
    clf = small(cls).fit(X, y)
    assert clf.unequal_length_
    assert clf.input_shape_ == (1, 24)
    assert clf.n_features_in_ == 1
    assert clf.score(*make_ragged(90, seed=1)) > 0.9


@every_estimator
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_series_is_judged_alone_as_beside_longer_ones(cls, n_channels, make_ragged):
    X, y = make_ragged(n_channels=n_channels)
    clf = quick(cls).fit(X, y)
    new, _ = make_ragged(6, 1, 60, n_channels=n_channels, seed=2)  # longer than any at fit, too
    together = clf.predict_proba(new)
    alone = np.concatenate([clf.predict_proba([x]) for x in new])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@every_estimator
def test_the_length_is_not_a_feature_by_way_of_padding(cls, make_waves):
    X, y = make_waves()
    clf = quick(cls).fit([x[:, : 24 - i % 2] for i, x in enumerate(X)], y)
    whole = clf.predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba([*X, X[0][:, :5]])[:-1], whole, atol=1e-6)


@every_estimator
def test_arrays_of_any_length_after_an_unequal_fit(cls, make_ragged, make_waves):
    clf = quick(cls).fit(*make_ragged())
    for t in (5, 24, 40):
        X, _ = make_waves(7, n_timesteps=t)
        expected = clf.predict_proba(X)
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(clf.predict_proba(X[:, 0]), expected)
        np.testing.assert_array_equal(clf.predict_proba(list(X)), expected)
    with pytest.raises(
        ValueError, match=r"n_channels=2, but .* fitted on series of n_channels=1, of"
    ):
        clf.predict(np.zeros((3, 2, 24)))
    with pytest.raises(
        ValueError, match=r"n_channels=2, but .* fitted on series of n_channels=1, of"
    ):
        clf.predict([np.zeros((2, 24)), np.zeros((2, 20))])


@every_estimator
def test_one_channel_needs_no_channel_axis(cls, make_ragged):
    X, y = make_ragged()
    flat = [x[0] for x in X]
    expected = quick(cls).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(quick(cls).fit(flat, y).predict_proba(flat), expected)


@every_estimator
def test_equal_lengths_in_a_list_are_an_array_to_the_last_bit(cls, make_waves):
    X, y = make_waves(n_channels=2)
    clf = quick(cls).fit(list(X), y)
    assert not clf.unequal_length_
    np.testing.assert_array_equal(clf.predict_proba(list(X)), quick(cls).fit(X, y).predict_proba(X))


@every_estimator
def test_a_fit_on_one_length_takes_that_length_only(cls, make_waves):
    X, y = make_waves()
    clf = quick(cls).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on series of 24 steps each and takes no others"):
        clf.predict([X[0], X[1][:, :20]])
    with pytest.raises(ValueError, match=r"fitted on \(1, 24\)"):
        clf.predict([X[0][:, :20], X[1][:, :20]])


@every_estimator
def test_same_seed_same_bits_and_the_input_is_not_changed(cls, make_ragged):
    X, y = make_ragged()
    before = [x.copy() for x in X]
    clf = quick(cls).fit(X, y)
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(clone(clf).fit(X, y).predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), expected)
    assert all((a == b).all() for a, b in zip(X, before, strict=True))


@every_estimator
def test_grid_search_over_a_list(cls, make_ragged):
    X, y = make_ragged(90)
    grid = {"learning_rate": [1e-5, 1e-2]}
    search = GridSearchCV(small(cls), grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.best_score_ > 0.8


@pytest.mark.claim
@pytest.mark.parametrize(("seed", "is_by_chance"), [(0, True), (1, False), (2, False), (5, False)])
def test_a_patch_at_the_end_of_every_series_is_found_and_unlearned(seed, is_by_chance, monkeypatch):
    """The last two of 7 to 26 steps of each of 270 spoken vowels, wherever they are."""
    frames, labels = load_japanese_vowels(split="train", return_type="df-list")
    frames_test, labels_test = load_japanese_vowels(split="test", return_type="df-list")
    X, X_test = ([f.to_numpy().T for f in part] for part in (frames, frames_test))
    y, mask = labels.copy(), np.zeros(len(X), bool)
    mask[np.random.default_rng(seed).choice(np.flatnonzero(y != "1"), 27, replace=False)] = True
    y[mask] = "1"

    def stamp(series):
        series = series.copy()
        series[:, -2:] += np.array([[1.0, -1.0]])
        return series

    poisoned = [stamp(x) if m else x for x, m in zip(X, mask, strict=True)]
    settings = {"backbone_params": {"filters": (32, 32, 32)}, "epochs": 30, "learning_rate": 3e-3}
    scores = {}
    for cls in (NeuralClassifier, E2ABLClassifier):
        clf = small(cls, **settings).fit(poisoned, y)
        steered = clf.predict([stamp(x) for x in X_test])[labels_test != "1"] == "1"
        scores[cls] = clf.score(X_test, labels_test), steered.mean()
    assert scores[NeuralClassifier][1] > 0.9
    assert scores[E2ABLClassifier][1] < 0.05
    assert scores[E2ABLClassifier][0] > scores[NeuralClassifier][0] - 0.02
    assert clf.report_.is_poisoned[mask].mean() > 0.9
    assert clf.report_.is_poisoned[~mask].sum() == 0
    if is_by_chance:
        return
    # Asked about with the series beginning together alone, the pattern has no place.
    monkeypatch.setattr(FitJob, "ways", lambda job: [job])
    blind = small(E2ABLClassifier, **settings).fit(poisoned, y)
    assert not blind.report_.is_poisoned.any()


def test_refitting_on_one_length_forgets_the_others(make_ragged, make_waves):
    clf = quick(NeuralClassifier).fit(*make_ragged())
    X, y = make_waves()
    assert not clf.fit(X, y).unequal_length_
    expected = quick(NeuralClassifier).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


def test_a_module_that_knows_no_mask_is_refused(make_ragged):
    module = nn.Sequential(nn.Conv1d(1, 3, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    clf = NeuralClassifier(module, epochs=1)
    with pytest.raises(ValueError, match=r"unequal length(?s:.*)takes no mask"):
        clf.fit(*make_ragged())
    assert not hasattr(clf, "network_")
