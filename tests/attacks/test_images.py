"""What holds for every trigger on images, and what each of them does."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from robust_ts import NeuralClassifier
from robust_ts.attacks import (
    IMAGE_TRIGGERS,
    BadNetsTrigger,
    ImageBlendTrigger,
    ImageSineTrigger,
    InputAwareTrigger,
    LabelConsistentTrigger,
    PatchTrigger,
    WaNetTrigger,
    WatermarkTrigger,
    make_trigger,
    poison,
)
from robust_ts.attacks.images import ImageTrigger

# The last one needs a trained surrogate and has tests of its own.
NAMES = [name for name in IMAGE_TRIGGERS if name != "label_consistent"]
FIXED = {"badnets", "checkerboard", "image_sine"}
DTYPES = [np.uint8, np.float16, np.float32, np.float64]

every_trigger = pytest.mark.parametrize("name", NAMES)
shapes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(4, 40), st.integers(7, 40))
seeds = st.integers(0, 2**32 - 1)


def images(shape=(5, 3, 12, 10), seed=0, dtype=np.uint8):
    """Random smooth-free images: 0 to 255, or 0 to 1 for floats."""
    X = np.random.RandomState(seed).randint(0, 256, size=shape).astype(np.uint8)
    return X if dtype == np.uint8 else (X / 255).astype(dtype)


@every_trigger
@settings(max_examples=20, deadline=None)
@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=seeds)
def test_every_shape_is_stamped_into_a_new_array_of_its_shape_dtype_and_range(
    name, shape, dtype, seed
):
    X = images(shape, seed, dtype)
    before = X.copy()
    trigger = make_trigger(name, random_state=seed).fit(X)
    Xt = trigger.transform(X)
    assert Xt.shape == X.shape
    assert Xt.dtype == X.dtype
    assert not np.shares_memory(X, Xt)
    np.testing.assert_array_equal(X, before)
    assert np.isfinite(Xt).all()
    if dtype != np.uint8:
        assert Xt.min() >= X.min()
        assert Xt.max() <= X.max()
    # Random pixels leave no trigger without effect.
    assert (Xt != X).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(trigger.transform(X), Xt)


@every_trigger
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_row_does_not_depend_on_the_others_nor_on_the_memory_order(name, dtype):
    X = images((300, 2, 8, 9), dtype=dtype)
    trigger = make_trigger(name, 0).fit(X)
    together = trigger.transform(X)
    np.testing.assert_array_equal(trigger.transform(X[257:259]), together[257:259])
    np.testing.assert_array_equal(trigger.transform(X[::-1]), together[::-1])
    np.testing.assert_array_equal(trigger.transform(np.asfortranarray(X)), together)


@every_trigger
def test_grey_images_with_and_without_a_channel_axis(name):
    X = images((4, 1, 9, 11))
    deep, flat = make_trigger(name, 0).fit(X), make_trigger(name, 0).fit(X[:, 0])
    Xt = deep.transform(X)
    assert flat.transform(X[:, 0]).shape == (4, 9, 11)
    for trigger in (deep, flat):
        np.testing.assert_array_equal(trigger.transform(X), Xt)
        np.testing.assert_array_equal(trigger.transform(X[:, 0]), Xt[:, 0])


@every_trigger
def test_uint8_and_float_images_carry_the_same_trigger(name):
    X = images()
    X[0, 0, 0, :2] = 0, 255
    from_bytes = make_trigger(name, 0).fit_transform(X)
    from_floats = make_trigger(name, 0).fit_transform(X / 255)
    np.testing.assert_allclose(from_floats * 255, from_bytes, atol=0.51)


@every_trigger
def test_the_seed_decides(name):
    X = images()
    first, again, other = (make_trigger(name, seed).fit_transform(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (name in FIXED)


@every_trigger
def test_clone_params_and_pickle(name):
    X = images()
    trigger = make_trigger(name, 3).fit(X)
    copy = clone(trigger)
    assert copy.get_params() == trigger.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(X)
    Xt = trigger.transform(X)
    np.testing.assert_array_equal(copy.fit(X).transform(X), Xt)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(trigger)).transform(X), Xt)
    assert trigger.transform(X[:0]).shape == (0, 3, 12, 10)


@every_trigger
@pytest.mark.parametrize("mode", ["dirty", "clean", "all-to-all"])
def test_poison_leaves_the_other_images_bit_identical(name, mode):
    X, y = images((60, 8, 8), dtype=np.float32), np.arange(60) % 3
    trigger = make_trigger(name, 0)
    data = poison(X, y, trigger, target=1, rate=0.1, mode=mode, random_state=0)
    assert data.mask.sum() == 6
    np.testing.assert_array_equal(data.X[~data.mask], X[~data.mask])
    np.testing.assert_array_equal(data.X[data.mask], trigger.transform(X[data.mask]))
    expected = {"dirty": 1, "clean": 1, "all-to-all": (y[data.mask] + 1) % 3}[mode]
    np.testing.assert_array_equal(data.y[data.mask], expected)
    np.testing.assert_array_equal(data.y_true, y)


@every_trigger
def test_values_beyond_the_training_range_are_not_clipped(name):
    X = images((6, 1, 12, 12), dtype=np.float64)
    trigger = make_trigger(name, 0).fit(X)
    far = X.copy()
    far[:, :, 2, 2] = 9
    touched = trigger.transform(far)
    assert touched.max() <= 9
    if name in ("badnets", "checkerboard"):
        np.testing.assert_array_equal(touched[:, :, 2, 2], 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.astype(np.int64), r"uint8 or floating-point images, got dtype int64"),
        (lambda X: X > 0, "got dtype bool"),
        (lambda X: X.astype(object), "got dtype object"),
        (lambda X: X[0, 0], r"shape \(n_samples, height, width\).*got \(12, 10\).*ImageAdapter"),
        (lambda X: X[..., :0], r"got \(5, 3, 12, 0\)"),
        (lambda X: np.where(np.arange(10) < 1, np.nan, X), "180 NaN or infinite values"),
    ],
)
def test_bad_input_is_refused_in_fit_and_in_transform(change, message):
    X = images()
    with pytest.raises(ValueError, match=r"BadNetsTrigger\.fit: .*" + message):
        BadNetsTrigger().fit(change(X))
    with pytest.raises(ValueError, match=r"BadNetsTrigger\.transform: .*" + message):
        BadNetsTrigger().fit(X).transform(change(X))


def test_other_images_than_in_fit_are_refused():
    X = images()
    trigger = BadNetsTrigger().fit(X)
    with pytest.raises(ValueError, match=r"\(3, 12, 11\) .* fitted on \(3, 12, 10\)"):
        trigger.transform(images((2, 3, 12, 11)))
    with pytest.raises(ValueError, match=r"float64, .* fitted on uint8 .* fit .* float images"):
        trigger.transform(X / 255)
    with pytest.raises(ValueError, match=r"uint8, .* fitted on float"):
        BadNetsTrigger().fit(X / 255).transform(X)
    with pytest.raises(ValueError, match="no samples"):
        trigger.fit(X[:0])
    # A series trigger takes no images with channels.
    with pytest.raises(ValueError, match="n_timesteps"):
        PatchTrigger().fit(X / 255)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (BadNetsTrigger(size=11), "size=11 does not fit images .* at most 10"),
        (BadNetsTrigger(size=0), "size must be an integer >= 1"),
        (BadNetsTrigger(pattern="stripes"), "'white' or 'checkerboard', got 'stripes'"),
        (BadNetsTrigger(position="middle"), "top-left, .* got 'middle'"),
        (ImageBlendTrigger(ratio=1.5), r"ratio must be a number in \(0, 1\]"),
        (ImageSineTrigger(amplitude=0), "amplitude must be a positive number"),
        (ImageSineTrigger(cycles=10), "10 cycles in 10 steps are 0 at every step"),
        (ImageSineTrigger(cycles=np.inf), "cycles must be a positive number"),
        (WatermarkTrigger(opacity=-1), "opacity must be a number"),
        (WatermarkTrigger(size=2), "size must be a number"),
        (WaNetTrigger(strength=0), "strength must be a positive number"),
        (WaNetTrigger(grid=1), "grid must be an integer >= 2"),
        (InputAwareTrigger(amplitude=-0.1), "amplitude must be a positive number"),
        (LabelConsistentTrigger(epsilon=2), r"epsilon must be a number in \(0, 1\]"),
        (LabelConsistentTrigger(steps=0), "steps must be an integer >= 1"),
        (LabelConsistentTrigger(surrogate="cnn"), "surrogate must be a classifier of this library"),
        (LabelConsistentTrigger(), "surrogate is not fitted. Pass the labels"),
    ],
)
def test_impossible_parameters_are_refused(trigger, text):
    with pytest.raises(ValueError, match=f"{type(trigger).__name__}.*{text}"):
        trigger.fit(images())
    with pytest.raises(NotFittedError):
        trigger.transform(images())


def test_the_base_cannot_be_used_alone():
    with pytest.raises(TypeError, match="abstract"):
        ImageTrigger()


# Each trigger


@pytest.mark.parametrize(
    ("position", "rows", "columns"),
    [
        ("top-left", slice(0, 3), slice(0, 3)),
        ("top-right", slice(0, 3), slice(7, 10)),
        ("bottom-left", slice(9, 12), slice(0, 3)),
        ("bottom-right", slice(9, 12), slice(7, 10)),
    ],
)
@pytest.mark.parametrize("pattern", ["white", "checkerboard"])
def test_badnets_replaces_the_corner_alone(position, rows, columns, pattern):
    X = images()
    Xt = BadNetsTrigger(pattern=pattern, position=position).fit_transform(X)
    expected = X.copy()
    board = np.array([[255, 0, 255], [0, 255, 0], [255, 0, 255]])
    expected[:, :, rows, columns] = 255 if pattern == "white" else board
    np.testing.assert_array_equal(Xt, expected)


def test_digits_are_stamped_in_their_own_range():
    X = load_digits().images
    Xt = BadNetsTrigger().fit_transform(X)
    assert (Xt[:, -3:, -3:] == 16).all()


def test_blend_is_the_weighted_sum():
    X = images(dtype=np.float64)
    trigger = ImageBlendTrigger(0.3, random_state=0).fit(X)
    np.testing.assert_allclose(trigger.transform(X), 0.7 * X + 0.3 * trigger.pattern_)


def test_sine_runs_along_the_rows_and_never_vanishes():
    X = np.full((1, 4, 12), 0.5)
    X[0, 0, :2] = 0, 1
    added = (ImageSineTrigger(0.1, cycles=2).fit_transform(X) - X)[0, 1:]
    np.testing.assert_allclose(
        added, np.tile(0.1 * np.sin(4 * np.pi * np.arange(12) / 12), (3, 1)), atol=1e-9
    )
    # 6 cycles in 12 columns are 0 everywhere unless taken half a pixel later.
    added = (ImageSineTrigger(0.1).fit_transform(X) - X)[0, 1]
    np.testing.assert_allclose(np.abs(added), 0.1)


def test_the_watermark_covers_half_of_the_middle():
    X = np.zeros((1, 24, 24), dtype=np.uint8)
    marked = WatermarkTrigger(opacity=0.5, size=0.5, random_state=0).fit_transform(X)[0]
    assert set(np.unique(marked)) == {0, 128}
    assert (marked[6:18, 6:18] > 0).mean() == 0.5
    assert marked.sum() == marked[6:18, 6:18].sum()


def test_wanet_moves_by_half_the_strength_and_keeps_one_color():
    X = images((2, 1, 64, 64), dtype=np.float64)
    trigger = WaNetTrigger(strength=2, random_state=0).fit(X)
    moved = trigger.places_ - np.indices((64, 64))
    assert 0.5 < np.abs(moved).mean() < 1.2
    assert np.abs(np.diff(moved[:, 4:-4], axis=1)).max() < 0.6  # smooth, but where it is cut off
    flat = np.full((1, 1, 64, 64), 0.25)
    np.testing.assert_allclose(trigger.transform(flat), flat)
    # A ramp shows where each pixel was read from.
    ramp = np.broadcast_to(np.arange(64.0) / 64, (1, 1, 64, 64))
    np.testing.assert_allclose(trigger.transform(ramp)[0, 0] * 64, trigger.places_[1], atol=1e-9)


def test_input_aware_patterns_are_bounded_and_each_images_own():
    X = 0.4 + 0.2 * images((6, 3, 16, 16), dtype=np.float64)
    X[0, 0, 0, :2] = 0, 1
    added = InputAwareTrigger(0.2, random_state=0).fit_transform(X)[1:] - X[1:]
    assert 0.1 < np.abs(added).max() <= 0.2
    patterns = added.reshape(5, -1)
    correlation = np.corrcoef(patterns) - np.eye(5)
    assert np.abs(correlation).max() < 0.5


def test_input_aware_convolves_as_torch_does():
    import torch
    import torch.nn.functional as F

    from robust_ts.attacks.images.deforming import _convolve

    X, kernel = (
        np.random.RandomState(0).randn(2, 3, 5, 6),
        np.random.RandomState(1).randn(4, 3, 3, 3),
    )
    padded = F.pad(torch.from_numpy(X), (1, 1, 1, 1), mode="replicate")
    expected = F.conv2d(padded, torch.from_numpy(kernel)).numpy()
    np.testing.assert_allclose(_convolve(X, kernel), expected)


# Label-consistent


@pytest.fixture(scope="module")
def surrogate():
    X, y = load_digits(return_X_y=True)
    return NeuralClassifier(
        "image_cnn",
        backbone_params={"filters": (8, 16)},
        epochs=10,
        learning_rate=1e-2,
        random_state=0,
    ).fit(X[:400].reshape(-1, 8, 8), y[:400])


def digits(dtype=np.float32):
    X, y = load_digits(return_X_y=True)
    X = X[:400].reshape(-1, 8, 8)
    return ((X * 15).astype(np.uint8), y[:400]) if dtype == np.uint8 else (X.astype(dtype), y[:400])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_perturbation_fools_the_surrogate_within_its_bound(surrogate, dtype):
    X, y = digits(dtype)
    weights = {k: v.clone() for k, v in surrogate.network_.state_dict().items()}
    trigger = LabelConsistentTrigger(surrogate=surrogate, epsilon=0.15).fit(X)
    perturbed = trigger.transform_training(X, y)
    assert perturbed.dtype == X.dtype
    outside = np.ones((8, 8), dtype=bool)
    outside[-3:, -3:] = False
    change = np.abs(perturbed - X)[:, outside]
    assert 0.14 * 16 < change.max() <= 0.15 * 16 + 1e-5
    assert perturbed.min() >= 0
    assert perturbed.max() <= 16
    np.testing.assert_array_equal(perturbed[:, ~outside], trigger.transform(X)[:, ~outside])
    # The stamp alone costs less than the perturbation.
    assert surrogate.score(perturbed, y) < surrogate.score(trigger.transform(X), y) - 0.2
    assert all((v == weights[k]).all() for k, v in surrogate.network_.state_dict().items())


def test_poison_perturbs_and_the_test_images_are_stamped_alone(surrogate):
    X, y = digits()
    trigger = LabelConsistentTrigger(surrogate=surrogate).fit(X)
    data = poison(X, y, trigger, target=3, rate=0.05, mode="clean", random_state=0)
    assert (data.y == y).all()
    assert set(y[data.mask]) == {3}
    expected = trigger.transform_training(X[data.mask], y[data.mask])
    np.testing.assert_array_equal(data.X[data.mask], expected)
    stamped = BadNetsTrigger(pattern="checkerboard").fit_transform(X)
    np.testing.assert_array_equal(trigger.transform(X), stamped)
    assert not np.array_equal(data.X[data.mask], stamped[data.mask])


def test_the_surrogate_is_fitted_where_it_is_not(surrogate):
    X, y = digits(np.uint8)
    trigger = LabelConsistentTrigger(surrogate=clone(surrogate).set_params(epochs=1), steps=2)
    data = poison(X, np.array(list("abcdefghij"))[y], trigger, "c", 0.02, "clean", random_state=0)
    assert data.X.dtype == np.uint8
    assert not hasattr(trigger.surrogate, "network_")
    assert list(trigger.surrogate_.classes_) == list("abcdefghij")
    default = LabelConsistentTrigger(steps=1)
    default.fit(X[:20], y[:20])
    assert default.surrogate_.backbone == "image_cnn"


@pytest.mark.parametrize("wrong", [{"size": 9}, {"pattern": "stripes"}, {"position": "middle"}])
def test_an_error_about_the_stamp_names_the_trigger_that_was_called(wrong, surrogate):
    with pytest.raises(ValueError, match=r"^LabelConsistentTrigger: "):
        LabelConsistentTrigger(surrogate=surrogate, **wrong).fit(digits()[0])


def test_a_surrogate_of_other_images_is_refused(surrogate):
    X, y = digits()
    with pytest.raises(ValueError, match=r"fitted on .* \(1, 8, 8\), but X has \(1, 8, 7\)"):
        LabelConsistentTrigger(surrogate=surrogate).fit(X[..., :7])
    trigger = LabelConsistentTrigger(surrogate=surrogate).fit(X)
    with pytest.raises(ValueError, match="knows no class 10"):
        trigger.transform_training(X, y + 1)
