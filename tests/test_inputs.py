"""Bad input gives a ValueError that says what, where and what to do."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from robust_ts import NeuralClassifier, chunks
from robust_ts.inputs import (
    channel_statistics,
    check_training_set,
    is_padded,
    moved_to_end,
    standardize,
    stretch_padded,
)

N, C, T = 24, 2, 12


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, C, T)).astype(np.float32), np.arange(N) % 3


def classifier(**params):
    params = {"backbone": "cnn", "backbone_params": SMALL, "epochs": 1, **params}
    return NeuralClassifier(**params, random_state=0)


SMALL = {"filters": (4, 4), "kernels": (3, 3)}


def refused(text, X, y, **params):
    clf = classifier(**params)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=text):
        clf.fit(X, y)
    assert vars(clf) == before


# Values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_inf_are_counted_and_located(data, dtype):
    X, y = data[0].astype(dtype), data[1]
    X[3, 1, 5] = X[7] = np.nan
    X[20, 0, 1] = np.inf
    X[20, 0, 2] = -np.inf
    text = rf"{2 * T + 3} values .* {2 * T + 1} NaN and 2 inf, the first at X\[3, 1, 5\]. Impute"
    refused(text, X, y)
    clf = classifier().fit(*data)
    with pytest.raises(ValueError, match=text):
        clf.predict(X)


def test_nan_is_located_in_two_dimensional_input(data):
    X = data[0][:, 0].copy()
    X[4, 9] = np.nan
    refused(r"1 values .* the first at X\[4, 9\]", X, data[1])


@pytest.mark.filterwarnings("ignore:overflow")
def test_numbers_too_large_for_float32_are_refused(data):
    X = data[0].astype(float)
    X[2, 1, 3] = 1e300
    refused(r"1 values that are no finite float32.*X\[2, 1, 3\]", X, data[1])


def test_large_finite_numbers_are_no_mistake(data):
    X = np.sign(data[0]) * np.float32(3e38)
    assert np.isfinite(classifier().fit(X, data[1]).predict_proba(X)).all()


def test_texts_are_refused_with_their_place(data):
    X = data[0].astype(object)
    X[5, 1, 2] = "high"
    refused(r"holds 'high' at X\[5, 1, 2\].*give an array of numbers", X, data[1])


def test_none_counts_as_nan(data):
    X = data[0].astype(object)
    X[5, 1, 2] = None
    refused(r"1 NaN .* X\[5, 1, 2\]", X, data[1])


def test_objects_that_are_numbers_are_accepted(data):
    X, y = data
    expected = classifier().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(classifier().fit(X.astype(object), y).predict_proba(X), expected)


def test_complex_numbers_are_refused(data):
    refused("[Cc]omplex", data[0] + 1j, data[1])


# Shapes


@pytest.mark.parametrize("shape", [(N,), (N, C, T, 1), (N, 1, C, T, 1)])
def test_wrong_rank(shape):
    refused(
        r"Expected 2D array, got 1D|dimensions, shape .*\(n_samples, n_channels, n_timesteps\)",
        np.zeros(shape, np.float32),
        np.arange(N) % 3,
    )


def ragged_objects(lengths):
    X = np.empty(len(lengths), dtype=object)
    for i, length in enumerate(lengths):
        X[i] = np.zeros(length)
    return X


@pytest.mark.parametrize(
    ("X", "text"),
    [
        ([np.zeros((2, 4)), np.zeros((1, 5))], r"X\[0\] is \(2, 4\), X\[1\] is \(1, 5\)"),
        ([np.zeros((2, 4)), np.zeros((1, 4))], r"X\[1\] is \(1, 4\).*number of steps only: give"),
        ([np.zeros((1, 4)), np.zeros(5)], r"X\[0\] is \(1, 4\), X\[1\] is \(5,\)"),
        ([[[1, 2], [1, 2]], [[1, 2], [1]]], r"X\[1\] is ragged"),
        ([[[1, 2], [1]], [[1, 2], [1, 2]]], r"X\[0\] is ragged, X\[1\] is \(2, 2\)"),
        ([[[1, 2], [1]]] * 2, r"X\[0\] is ragged, X\[1\] is ragged"),
        ([[[1, 2], [1]]], r"X\[0\] is ragged"),
        ([[1, 2], 3], r"X\[0\] is \(2,\), X\[1\] is \(\)"),
        ([np.zeros((1, 2, 3)), np.zeros((1, 2, 4))], r"X\[1\] is \(1, 2, 4\)"),
        ([np.zeros((2, 4)), np.zeros((2, 0))], r"X\[1\] is empty: its shape is \(2, 0\)"),
        ([[1, 2, 3], ["1", "high"]], r"X\[1\] holds 'high' at X\[1\]\[1\]"),
        ([[1, 2, 3], [np.nan, np.inf]], r"X\[1\] .* 1 NaN and 1 inf, the first at X\[1\]\[0\]"),
        ([[1, 2, 3], [1, None]], r"1 NaN and 0 inf, the first at X\[1\]\[1\]"),
        (
            [np.ones((2, 3)), np.full((2, 2), 1e300)],
            r"X\[1\] .* 4 inf, the first at X\[1\]\[0, 0\]",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_ragged_and_nested_series_that_are_refused(X, text):
    refused(text, X, np.arange(len(X)) % 2)
    clf = classifier().fit(np.random.default_rng(0).normal(size=(8, 5)), np.arange(8) % 2)
    with pytest.raises(ValueError, match=text):
        clf.predict(X)


def test_padding_is_for_series_of_unequal_length_and_not_given_by_the_user(data):
    X = data[0].copy()
    X[3, :, 8:] = np.nan
    refused(r"8 NaN and 0 inf, the first at X\[3, 0, 8\]. Impute", X, data[1])
    clf = classifier().fit([x[:, : 8 + i % 5] for i, x in enumerate(data[0])], data[1])
    with pytest.raises(ValueError, match=r"8 NaN and 0 inf, the first at X\[3, 0, 8\]"):
        clf.predict(X)


def test_images_of_different_sizes_are_refused():
    X = [np.zeros((4, 4)), np.zeros((4, 5))]
    with pytest.raises(ValueError, match=r"X\[1\] is \(4, 5\). Give all of them one shape"):
        check_training_set(classifier(), X, [0, 1], space_axes=2)


@pytest.mark.parametrize("listed", [False, True])
def test_lengths_that_differ(data, listed):
    X, y = data
    refused(f"{N} and {N - 1}. Give one label", X.tolist() if listed else X, y[:-1])


@pytest.mark.parametrize("shape", [(0, C, T), (0, T)])
def test_zero_samples(data, shape):
    refused(r"0 sample\(s\)", np.zeros(shape), np.zeros(0))
    clf = classifier().fit(*data)
    with pytest.raises(ValueError, match=r"0 sample\(s\)|shape"):
        clf.predict(np.zeros(shape))


@pytest.mark.parametrize("shape", [(N, C, 0), (N, 0, T), (N, 0)])
def test_zero_steps_or_channels(shape):
    refused(r"empty|0 feature\(s\)", np.zeros(shape), np.arange(N) % 3)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize(
    "shape", [(5, C, T + 1), (5, C, 1), (5, C + 1, T), (5, 1, T), (5, T), (5, T, C)]
)
def test_other_channels_or_steps_at_predict(data, method, shape):
    clf = classifier().fit(*data)
    with pytest.raises(ValueError, match=rf"fitted on \({C}, {T}\) \(n_channels={C}, n_timesteps"):
        getattr(clf, method)(np.zeros(shape))


@pytest.mark.parametrize("shape", [(5, T + 1), (5, 1, T + 1), (5, 2, T), (5, T, 1)])
def test_other_steps_at_predict_after_two_dimensional_fit(data, shape):
    clf = classifier().fit(data[0][:, 0], data[1])
    text = rf"X has {T + 1} features, but NeuralClassifier is expecting {T}|fitted on \(1, {T}\)"
    with pytest.raises(ValueError, match=text):
        clf.predict(np.zeros(shape))


def test_one_channel_may_be_given_with_or_without_its_axis(data):
    X, y = data[0][:, :1], data[1]
    flat = classifier().fit(X[:, 0], y)
    deep = classifier().fit(X, y)
    expected = flat.predict_proba(X[:, 0])
    for given, clf in ((X, flat), (X, deep), (X[:, 0], deep)):
        np.testing.assert_array_equal(clf.predict_proba(given), expected)


# Labels


@pytest.mark.parametrize("label", [0, "walk", True])
def test_one_class_only(data, label):
    text = rf"one class only \({re.escape(repr(label))}\).*at least two classes"
    refused(text, data[0], np.array([label] * N))


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (None, "y to be passed"),
        (np.linspace(0, 1, N), "[Uu]nknown label type: continuous"),
        (np.eye(N)[:, :3], "1d array"),
        (np.where(np.arange(N) == 2, np.nan, 1.0), "NaN"),
        (np.array(["a", None] * (N // 2), dtype=object), "more than one type|label type"),
        (np.array(["a", 1, None] * (N // 3), dtype=object), "more than one type|label type"),
    ],
)
def test_bad_labels(data, y, text):
    refused(text, data[0], y)


# Parameters


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"backbone": "inceptoin"}, "Unknown backbone 'inceptoin'. Did you mean 'inception'"),
        ({"backbone": 3}, "must be a name, an nn.Module or a factory, got int"),
        ({"backbone_params": {"filter": 3}}, r"It takes \['filters', 'kernels'\]"),
        ({"backbone_params": {"filters": (4,)}}, "same length"),
        ({"epochs": 0}, "epochs must be None or an integer of at least 1, got 0"),
        ({"epochs": -3}, "epochs must be .* got -3"),
        ({"epochs": 2.5}, "epochs must be .* got 2.5"),
        ({"epochs": True}, "epochs must be .* got True"),
        ({"epochs": "ten"}, "epochs must be .* got 'ten'"),
        ({"batch_size": 0}, "batch_size must be None or an integer of at least 1, got 0"),
        ({"learning_rate": 0}, "learning_rate must be a number > 0, got 0"),
        ({"learning_rate": np.nan}, "learning_rate must be a number > 0, got nan"),
        ({"learning_rate": "fast"}, "learning_rate must be a number > 0, got 'fast'"),
        ({"learning_rate": None}, "learning_rate must be a number > 0, got None"),
        ({"weight_decay": -1e-3}, "weight_decay must be a number >= 0, got -0.001"),
        ({"weight_decay": np.inf}, "weight_decay must be a number >= 0, got inf"),
        ({"device": "gpu"}, "device='gpu' cannot be used here"),
        ({"precision": "fp16"}, "precision must be 'auto', 'float32' or 'bf16', got 'fp16'"),
        ({"class_weight": "even"}, "class_weight"),
        ({"class_weight": {9: 1.0}}, "class_weight"),
    ],
)
def test_bad_parameters(data, params, text):
    refused(text, *data, **params)


def test_a_module_that_does_not_fit_the_data(data):
    module = nn.Sequential(nn.Flatten(), nn.Linear(C * T, 7))
    refused(rf"\(n, {C}, {T}\) to logits \(n, 3\)", *data, backbone=module, backbone_params=None)


# What is accepted


def test_training_set_is_brought_to_one_form(data):
    X, y = data
    labels = np.array(["c", "a", "b"])[y]
    clf = classifier()
    checked = check_training_set(clf, X.tolist(), labels.tolist())
    assert checked.X.dtype == np.float32
    assert checked.X.shape == (N, C, T)
    assert list(checked.classes) == ["a", "b", "c"]
    assert (checked.classes[checked.y] == labels).all()
    assert clf.n_features_in_ == C
    assert check_training_set(clf, X[:, 0], y).X.shape == (N, 1, T)


@pytest.mark.parametrize("shape", [(N, 5, T), (N, C, 5, T)])
def test_image_networks_take_height_and_width(shape):
    X, y = np.zeros(shape), np.arange(N) % 3
    channels = C if len(shape) == 4 else 1
    assert check_training_set(classifier(), X, y, space_axes=2).X.shape == (N, channels, 5, T)
    with pytest.raises(ValueError, match=r"\(n_samples, n_channels, height, width\)"):
        check_training_set(classifier(), X.reshape(N, -1), y, space_axes=2)


def test_tensors_and_frames_are_accepted(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    expected = classifier().fit(X, y).predict(X)
    tensors = torch.from_numpy(X), torch.from_numpy(y)
    np.testing.assert_array_equal(classifier().fit(*tensors).predict(tensors[0]), expected)
    frame = pandas.DataFrame(X[:, 0], columns=[f"t{i}" for i in range(T)])
    clf = classifier().fit(frame, pandas.Series(y))
    assert list(clf.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(clf.predict(frame), classifier().fit(X[:, 0], y).predict(X[:, 0]))


def cut(X, lengths):
    return [x[..., :t] for x, t in zip(X, lengths, strict=True)]


@pytest.mark.parametrize("kind", ["list", "tuple", "objects", "tensors", "nested lists", "float64"])
def test_series_of_unequal_length_are_padded_once(data, kind):
    X, y = data
    lengths = 1 + np.arange(N) % T
    series = cut(X, lengths)
    objects = np.empty(N, dtype=object)
    objects[:] = series
    given = {
        "list": series,
        "tuple": tuple(series),
        "objects": objects,
        "tensors": [torch.from_numpy(s) for s in series],
        "nested lists": [s.tolist() for s in series],
        "float64": [s.astype(float) for s in series],
    }[kind]
    clf = classifier()
    checked = check_training_set(clf, given, y)
    assert checked.X.shape == (N, C, T)
    assert checked.X.dtype == np.float32
    assert clf.n_features_in_ == C
    padding = np.arange(T) >= lengths[:, None, None]
    np.testing.assert_array_equal(checked.X, np.where(padding, np.nan, X).astype(np.float32))


@pytest.mark.parametrize("kind", [list, ragged_objects])
def test_unequal_series_of_one_channel_need_no_channel_axis(kind):
    X = [[1, 2, 3], [4.5, 5]] if kind is list else ragged_objects([3, 2])
    assert check_training_set(classifier(), X, [0, 1]).X.shape == (2, 1, 3)


def test_a_list_or_object_array_of_equal_lengths_is_an_array(data):
    X, y = data
    objects = np.empty(N, dtype=object)
    objects[:] = list(X)
    for given in (list(X), X.tolist(), objects):
        np.testing.assert_array_equal(check_training_set(classifier(), given, y).X, X)


def test_channel_statistics_count_real_steps_only(data):
    X = data[0] + np.float32([[5], [-3]])
    lengths = 1 + np.arange(N) % T
    padded = check_training_set(classifier(), cut(X, lengths), data[1]).X
    mean, scale = channel_statistics(padded)
    real = np.concatenate(cut(X, lengths), axis=1)
    np.testing.assert_allclose(mean, real.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(scale, real.std(axis=1), rtol=1e-6)
    Z = standardize(padded, mean, scale)
    assert abs(Z[~np.isnan(padded)].mean()) < 1e-6


def test_series_are_stretched_to_one_length(data):
    X, y = data
    lengths = 1 + np.arange(N) % T
    series = cut(X, lengths)
    stretched = stretch_padded(check_training_set(classifier(), series, y).X)
    assert stretched.dtype == np.float32
    assert stretched.shape == (len(series), C, max(x.shape[1] for x in series))
    for given, row in zip(series, stretched, strict=True):
        steps = np.linspace(0, given.shape[1] - 1, row.shape[1])
        expected = [np.interp(steps, np.arange(given.shape[1]), channel) for channel in given]
        np.testing.assert_allclose(row, expected, atol=1e-5)
    assert stretch_padded(X) is X


def test_series_moved_to_the_end_of_their_arrays_are_the_same_series(data):
    series = cut(data[0], 1 + np.arange(N) % T)
    padded = check_training_set(classifier(), series, data[1]).X
    moved = moved_to_end(padded)
    for given, row in zip(series, moved, strict=True):
        n_missing = row.shape[1] - given.shape[1]
        assert np.isnan(row[:, :n_missing]).all()
        np.testing.assert_array_equal(row[:, n_missing:], given)
    assert is_padded(padded)
    assert is_padded(moved)
    np.testing.assert_array_equal(stretch_padded(moved), stretch_padded(padded))


def test_channel_statistics():
    rng = np.random.default_rng(0)
    X = rng.normal([[3], [-1000], [0]], [[2], [0.5], [1]], size=(50, 3, 40)).astype(np.float32)
    X[:, 2] = 7
    mean, scale = channel_statistics(X)
    assert mean.dtype == scale.dtype == np.float32
    np.testing.assert_allclose(mean, X.mean((0, 2), dtype=float), rtol=1e-6)
    np.testing.assert_allclose(scale[:2], X[:, :2].std((0, 2), dtype=float), rtol=1e-4)
    assert scale[2] == 1


def test_channel_statistics_in_parts_are_those_of_the_whole(data, monkeypatch):
    X = data[0] + np.float32([[5], [-3000]])
    lengths = 1 + np.arange(N) % T
    for given in (X, check_training_set(classifier(), cut(X, lengths), data[1]).X):
        whole = channel_statistics(given)
        with monkeypatch.context() as patch:
            patch.setattr(chunks, "CHUNK_BYTES", 7 * given[:1].nbytes)
            parts = channel_statistics(given)
        np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_mapped_array_stays_where_it_is(dtype, data, tmp_path):
    X, y = (10 * data[0]).astype(dtype), data[1]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for given, shape in ((mapped, X.shape), (mapped[:, 0], (N, 1, T))):
        checked = check_training_set(classifier(), given, y).X
        assert np.shares_memory(checked, mapped)
        assert checked.dtype == dtype
        assert checked.shape == shape
    clf = classifier().fit(mapped, y)
    np.testing.assert_array_equal(clf.predict(mapped), clf.predict(X))
    with pytest.raises(ValueError, match="samples of shape"):
        clf.predict(mapped[..., 1:])
