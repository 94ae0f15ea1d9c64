"""What holds for every trigger, at every length and number of channels."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from robust_ts.attacks import TRIGGERS, NoiseTrigger, PatchTrigger, Trigger, make_trigger

NAMES = sorted(TRIGGERS)
# Those whose default draws nothing: a seed cannot change them.
FIXED = {"patch", "sine", "powerline"}

lengths = st.one_of(st.integers(8, 64), st.integers(65, 5000))
shapes = st.tuples(st.integers(1, 4), st.integers(1, 12), lengths)
seeds = st.integers(0, 2**32 - 1)


def series(shape, seed=0, dtype=np.float64):
    """Random series whose channels differ in their scale and level."""
    rng = np.random.RandomState(seed)
    channels = np.arange(shape[1])[:, np.newaxis]
    return (rng.randn(*shape) * (1 + channels) + channels).astype(dtype)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(shape=shapes, dtype=st.sampled_from([np.float32, np.float64]), seed=seeds)
def test_every_shape_is_stamped_into_a_new_array_of_its_shape_and_dtype(name, shape, dtype, seed):
    X = series(shape, seed, dtype)
    before = X.copy()
    trigger = make_trigger(name, random_state=seed).fit(X)
    Xt = trigger.transform(X)
    assert Xt.shape == X.shape
    assert Xt.dtype == X.dtype
    assert not np.shares_memory(X, Xt)
    np.testing.assert_array_equal(X, before)
    assert np.isfinite(Xt).all()
    # No trigger may be a silent no-op on any sample and channel, however short the series.
    assert (Xt != X).any(axis=2).all()
    # A second use gives the same: transform holds no state.
    np.testing.assert_array_equal(trigger.transform(X), Xt)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(n_steps=lengths, seed=seeds)
def test_2d_and_3d_give_the_same(name, n_steps, seed):
    X = series((3, 1, n_steps), seed)
    from_3d = make_trigger(name, seed).fit_transform(X)
    from_2d = make_trigger(name, seed).fit_transform(X[:, 0])
    assert from_2d.shape == (3, n_steps)
    np.testing.assert_array_equal(from_2d, from_3d[:, 0])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(shape=shapes, seed=seeds)
def test_a_row_does_not_depend_on_the_others_nor_on_the_memory_order(name, shape, seed):
    X = series((5, *shape[1:]), seed, np.float32) + 100
    trigger = make_trigger(name, seed).fit(X)
    together = trigger.transform(X)
    np.testing.assert_array_equal(trigger.transform(X[3:4]), together[3:4])
    np.testing.assert_array_equal(trigger.transform(X[::-1]), together[::-1])
    np.testing.assert_array_equal(trigger.transform(np.asfortranarray(X)), together)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name):
    X = series((4, 3, 100))
    first, again, other = (make_trigger(name, seed).fit_transform(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (name in FIXED)


@pytest.mark.parametrize("name", NAMES)
def test_chosen_channels_alone_carry_the_same_trigger(name):
    X = series((4, 5, 40))
    everywhere = make_trigger(name, 0).fit_transform(X)
    some = make_trigger(name, 0).set_params(channels=[-1, 1]).fit(X)
    Xt = some.transform(X)
    np.testing.assert_array_equal(some.channels_, [1, 4])
    np.testing.assert_array_equal(Xt[:, [1, 4]], everywhere[:, [1, 4]])
    np.testing.assert_array_equal(Xt[:, [0, 2, 3]], X[:, [0, 2, 3]])


@pytest.mark.parametrize("name", NAMES)
def test_the_strength_follows_the_training_scale(name):
    X = series((6, 2, 50))
    X -= X.mean(axis=(0, 2), keepdims=True)
    once = make_trigger(name, 0).fit_transform(X)
    np.testing.assert_allclose(make_trigger(name, 0).fit_transform(7 * X), 7 * once, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_clone_params_and_pickle(name):
    X = series((4, 2, 30))
    trigger = make_trigger(name, 3).fit(X)
    copy = clone(trigger)
    assert copy.get_params() == trigger.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(X)
    Xt = trigger.transform(X)
    np.testing.assert_array_equal(copy.fit(X).transform(X), Xt)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(trigger)).transform(X), Xt)
    np.testing.assert_array_equal(make_pipeline(clone(trigger)).fit_transform(X), Xt)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_lists_and_no_samples_at_all(name):
    X = series((3, 2, 20), dtype=np.float16)
    trigger = make_trigger(name, 0).fit(X)
    Xt = trigger.transform(X)
    assert Xt.dtype == np.float16
    assert np.isfinite(Xt).all()
    assert trigger.transform(X[:0]).shape == (0, 2, 20)
    np.testing.assert_array_equal(
        trigger.transform(X.astype(np.float64).tolist()), trigger.transform(X.astype(np.float64))
    )


def test_the_scale_is_the_training_standard_deviation_of_each_channel():
    X = series((50, 3, 20), dtype=np.float32) + 1000
    trigger = PatchTrigger().fit(X)
    expected = [np.std(X[:, c].astype(np.float64).ravel()) for c in range(3)]
    np.testing.assert_allclose(trigger.scale_, expected, rtol=1e-6)
    # The test set's own scale plays no part.
    np.testing.assert_array_equal(
        trigger.transform(100 * X)[..., -2:], trigger.transform(X)[..., -2:]
    )


def test_a_constant_channel_takes_the_scale_of_the_others():
    X = series((50, 3, 20))
    X[:, 1] = 0.1
    scale = PatchTrigger().fit(X).scale_
    others = [X[:, 0].std(), X[:, 2].std()]
    np.testing.assert_allclose(scale[[0, 2]], others)
    assert scale[1] == pytest.approx(np.sqrt((others[0] ** 2 + others[1] ** 2) / 2))
    np.testing.assert_array_equal(PatchTrigger().fit(np.full((5, 2, 20), 0.1)).scale_, [1.0, 1.0])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"warp", "filter"}))
def test_a_flat_sample_carries_the_trigger_as_well(name):
    X = series((4, 2, 40))
    flat = np.zeros((1, 2, 40))
    Xt = make_trigger(name, 0).fit(X).transform(flat)
    assert (np.abs(Xt).max(axis=2) > 0.02).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.astype(int), r"integer dtype int64.*astype\('float32'\)"),
        (lambda X: X > 0, "integer dtype bool"),
        (lambda X: X.astype(object), "floating-point array, got dtype object"),
        (lambda X: X[0, 0], r"shape \(n_samples, n_timesteps\).*got \(20,\)"),
        (lambda X: X[..., :0], r"got \(4, 3, 0\)"),
        (lambda X: np.where(np.arange(20) < 2, np.nan, X), "24 NaN or infinite values among 240"),
        (lambda X: np.where(np.arange(20) < 1, -np.inf, X), "12 NaN or infinite"),
    ],
)
def test_bad_input_is_refused_in_fit_and_in_transform(change, message):
    X = series((4, 3, 20))
    with pytest.raises(ValueError, match=r"NoiseTrigger\.fit: .*" + message):
        NoiseTrigger().fit(change(X))
    with pytest.raises(ValueError, match=r"NoiseTrigger\.transform: .*" + message):
        NoiseTrigger().fit(X).transform(change(X))


def test_another_shape_than_in_fit_is_refused():
    trigger = NoiseTrigger().fit(series((4, 3, 20)))
    message = "X has {} channels and {} steps.*fitted on 3 channels and 20 steps"
    with pytest.raises(ValueError, match=message.format(2, 20)):
        trigger.transform(series((4, 2, 20)))
    with pytest.raises(ValueError, match=message.format(3, 21)):
        trigger.transform(series((4, 3, 21)))
    with pytest.raises(ValueError, match=message.format(1, 20)):
        trigger.transform(series((4, 1, 20))[:, 0])


def test_other_errors_of_fit():
    X = series((4, 3, 20))
    with pytest.raises(ValueError, match="no samples"):
        NoiseTrigger().fit(X[:0])
    with pytest.raises(ValueError, match="too large"), np.errstate(over="ignore"):
        NoiseTrigger().fit(X * 1e300)
    for channels in ([3], [-4]):
        with pytest.raises(ValueError, match=r"X has 3 channels\. Use indices from 0 to 2"):
            NoiseTrigger(channels=channels).fit(X)
    for channels in ([], [0.5], [True, False, True], "x", [[0, 1]]):
        with pytest.raises(ValueError, match="channels must be None"):
            NoiseTrigger(channels=channels).fit(X)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1", True, None])
def test_the_strength_must_be_positive(name, value):
    trigger = make_trigger(name)
    strength = "shift" if name == "warp" else "amplitude"
    with pytest.raises(ValueError, match=f"{type(trigger).__name__}: {strength} must be"):
        trigger.set_params(**{strength: value}).fit(series((4, 3, 20)))


def test_a_failed_fit_leaves_the_trigger_unfitted():
    trigger = NoiseTrigger(amplitude=-1)
    with pytest.raises(ValueError, match="amplitude"):
        trigger.fit(series((4, 3, 20)))
    with pytest.raises(NotFittedError):
        trigger.transform(series((4, 3, 20)))


def test_the_base_cannot_be_used_alone():
    with pytest.raises(TypeError, match="abstract"):
        Trigger()
