"""ImageAdapter: every layout to one, and what an ambiguous one is told."""

import pickle
import subprocess
import sys
import unittest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.images import ImageAdapter

N, C, H, W = 4, 3, 5, 7


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(N, C, H, W)).astype(np.uint8)


# Rows of any length are images of height 1: the one setting that takes all of scikit-learn's data.
@parametrize_with_checks([ImageAdapter(shape=(1, -1))])
def test_checks_of_scikit_learn(estimator, check):
    """None may fail and none be skipped."""
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as skipped:
        pytest.fail(f"skipped: {skipped}")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
@pytest.mark.parametrize(
    ("params", "change"),
    [
        ({}, lambda X: X),
        ({}, lambda X: np.moveaxis(X, 1, -1)),
        ({"layout": "NHWC"}, lambda X: np.moveaxis(X, 1, -1)),
        ({"shape": (C, H, W)}, lambda X: X.reshape(N, -1)),
        ({"shape": (C, -1, W), "layout": "NCHW"}, lambda X: X.reshape(N, -1)),
        ({"shape": (H, W, C)}, lambda X: np.moveaxis(X, 1, -1).reshape(N, -1)),
        ({"shape": [H, W, -1], "layout": "NHWC"}, lambda X: np.moveaxis(X, 1, -1).reshape(N, -1)),
    ],
)
def test_every_color_layout_gives_the_same(images, dtype, params, change):
    given = change(images).astype(dtype)
    before = given.copy()
    adapter = ImageAdapter(**params).fit(given)
    out = adapter.transform(given)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert adapter.image_shape_ == (C, H, W)
    np.testing.assert_array_equal(out, images)
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(adapter.transform(given[:1]), images[:1])


@pytest.mark.parametrize(
    ("params", "change"),
    [
        ({}, lambda X: X),
        ({"layout": "NHWC"}, lambda X: X),
        ({}, lambda X: X[..., None]),
        ({}, lambda X: X[:, None]),
        ({"shape": (H, W)}, lambda X: X.reshape(N, -1)),
        ({"shape": (-1, W)}, lambda X: X.reshape(N, -1).tolist()),
    ],
)
def test_every_grey_layout_gives_the_same(images, params, change):
    grey = images[:, 0]
    out = ImageAdapter(**params).fit_transform(change(grey))
    np.testing.assert_array_equal(out, grey[:, None])


@pytest.mark.parametrize(
    ("shape", "params", "text"),
    [
        ((N, 3, 5, 3), {}, r"\(3, 5, 3\) could .* Pass layout='NCHW' .* or layout='NHWC'"),
        ((N, 5, 7, 6), {}, r"\(5, 7, 6\) could .* Pass layout='NCHW' .* or layout='NHWC'"),
        ((N, 45), {"shape": (3, 5, 3)}, "Pass layout='NCHW'"),
        ((N, 64), {}, r"rows of 64 numbers.*Pass shape=\(height, width\)"),
        ((N, 64), {"shape": (8, 9)}, r"do not fit shape=\(8, 9\) \(72 numbers\)"),
        ((N, 64), {"shape": (7, -1)}, r"do not fit shape=\(7, -1\)"),
        ((N, 64), {"shape": (-1, -1)}, "of which one may be -1"),
        ((N, 64), {"shape": (64,)}, "two or three positive integers"),
        ((N, 64), {"shape": (8.0, 8)}, "two or three positive integers"),
        ((N, 8, 8), {"shape": (8, 8)}, r"is for flattened images.*\(8, 8\)\. Leave shape out"),
        ((N, 2, 3, 8, 8), {}, "2 to 4 dimensions"),
        ((N, 8, 8), {"layout": "HWC"}, "layout must be one of auto, NHWC, NCHW, got 'HWC'"),
    ],
)
def test_what_cannot_be_told_is_an_error_that_says_what_to_pass(shape, params, text):
    with pytest.raises(ValueError, match=text):
        ImageAdapter(**params).fit(np.zeros(shape))


def test_other_images_than_in_fit_are_refused(images):
    adapter = ImageAdapter().fit(images)
    with pytest.raises(ValueError, match=r"shape \(3, 5, 8\), .* fitted on \(3, 5, 7\)"):
        adapter.transform(np.zeros((2, C, H, W + 1)))
    with pytest.raises(ValueError, match="expecting 3"):
        adapter.transform(np.moveaxis(images, 1, -1))
    with pytest.raises(NotFittedError):
        clone(adapter).transform(images)


def test_missing_values_are_refused(images):
    X = images.astype(float)
    X[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ImageAdapter().fit(X)


def test_pickle(images):
    adapter = pickle.loads(pickle.dumps(ImageAdapter().fit(images)))
    np.testing.assert_array_equal(adapter.transform(images), images)


def test_pipeline_on_digits():
    X, y = load_digits(return_X_y=True)
    network = {
        "backbone_params": {"filters": (16, 32, 32)},
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    defended = make_pipeline(
        ImageAdapter(shape=(8, 8)), E2ABLClassifier("image_cnn", epochs=12, **network)
    )
    defended.fit(X[:600], y[:600])
    assert defended.score(X[600:1200], y[600:1200]) > 0.85
    plain = make_pipeline(
        ImageAdapter(shape=(8, 8)), NeuralClassifier("image_cnn", epochs=4, **network)
    )
    assert cross_val_score(plain, X[:300], y[:300], cv=2, error_score="raise").min() > 0.5


def test_the_adapter_needs_no_torch():
    code = "import sys, robust_ts.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
