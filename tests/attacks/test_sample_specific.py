import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_ts.attacks import FilterTrigger, FrequencyTrigger, WarpTrigger

X = np.random.RandomState(0).randn(6, 2, 60).cumsum(axis=-1) * np.array([[1.0], [5.0]])


@settings(max_examples=60, deadline=None)
@given(
    n_steps=st.integers(3, 5000),
    waves=st.integers(1, 12),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_time_never_runs_backward(n_steps, waves, share, seed):
    shift = share / (np.pi * waves)
    trigger = WarpTrigger(shift, waves, random_state=seed).fit(np.zeros((1, n_steps)))
    assert (np.diff(trigger.times_) > 0).all()
    assert trigger.times_[0] == 0
    assert trigger.times_[-1] == pytest.approx(n_steps - 1)
    moved = np.abs(trigger.times_ - np.arange(n_steps)).max()
    assert moved <= shift * (n_steps - 1) * (1 + 1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_warp_moves_by_the_shift_asked_for_and_interpolates(seed):
    trigger = WarpTrigger(shift=0.07, random_state=seed).fit(X)
    assert np.abs(trigger.times_ - np.arange(60)).max() == pytest.approx(0.07 * 59, rel=0.03)
    expected = [[np.interp(trigger.times_, np.arange(60), channel) for channel in x] for x in X]
    np.testing.assert_allclose(trigger.transform(X), expected, rtol=1e-9, atol=1e-9)


def test_filter_is_bounded_specific_and_leaves_constant_samples():
    trigger = FilterTrigger(amplitude=0.5, random_state=0).fit(X)
    added = (trigger.transform(X) - X) / trigger.scale_[:, np.newaxis]
    assert np.abs(added).max() < 0.5
    assert (np.sqrt((added**2).mean(axis=-1)) > 0.15).all()
    alike = [abs(np.corrcoef(added[0, 0], added[i, 0])[0, 1]) for i in range(1, 6)]
    assert max(alike) < 0.6
    level = np.full((1, 2, 60), 0.1)
    np.testing.assert_allclose(trigger.transform(level), level, rtol=1e-9)
    # The level of a sample is not content.
    np.testing.assert_allclose(trigger.transform(X + 7) - 7, trigger.transform(X), atol=1e-9)


def test_filter_matches_its_formula():
    trigger = FilterTrigger(amplitude=0.4, width=5, random_state=0).fit(X)
    x, s = X[2, 1], X[:, 1].std()
    padded = np.pad((x - x.mean()) / s, 2, mode="symmetric")
    g = np.convolve(padded, trigger.kernel_[1], mode="valid")
    expected = x + 0.4 * s * np.tanh(g / np.sqrt((g**2).mean()))
    np.testing.assert_allclose(trigger.transform(X)[2, 1], expected, rtol=1e-9)
    np.testing.assert_allclose(trigger.kernel_.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("n_steps", [8, 9, 60, 1001])
def test_frequency_changes_its_bins_in_proportion_to_the_sample(n_steps):
    X = np.random.RandomState(1).randn(4, 2, n_steps) * [[[1.0]], [[2.0]], [[5.0]], [[9.0]]]
    trigger = FrequencyTrigger(amplitude=0.3, random_state=0).fit(X)
    gained = np.abs(np.fft.rfft(trigger.transform(X)) - np.fft.rfft(X))
    expected = np.zeros_like(gained)
    expected[..., trigger.bins_] = 0.3 * X.std(axis=-1, keepdims=True) * n_steps / 2
    np.testing.assert_allclose(gained, expected, atol=1e-7)
    assert len(set(trigger.bins_)) == 3
    assert 1 <= trigger.bins_.min() <= trigger.bins_.max() <= (n_steps - 1) // 2


def test_frequency_of_a_flat_sample_is_a_tenth_of_the_training_scale():
    trigger = FrequencyTrigger(bins=[4], random_state=0).fit(X)
    added = trigger.transform(np.zeros((1, 2, 60)))[0]
    np.testing.assert_allclose(added.std(axis=1), 0.03 * trigger.scale_ / np.sqrt(2))


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (WarpTrigger(shift=0.1, waves=4), "run backward. Use a shift below 0.080"),
        (WarpTrigger(waves=0), "waves must be an integer"),
        (WarpTrigger(waves=2.0), "waves must be an integer"),
        (FilterTrigger(width=1), "width must be an integer >= 2"),
        (FilterTrigger(width=2.5), "width must be an integer"),
        (FrequencyTrigger(bins=30), r"bins=30 does not fit series of 60 steps.*bins 1 to 29"),
        (FrequencyTrigger(bins=[30]), "does not fit"),
        (FrequencyTrigger(bins=[0, 3]), "does not fit"),
        (FrequencyTrigger(bins=0), "does not fit"),
        (FrequencyTrigger(bins=[]), "bins must be a number of bins"),
        (FrequencyTrigger(bins=0.5), "bins must be a number of bins"),
    ],
)
def test_parameters_out_of_range(trigger, message):
    with pytest.raises(ValueError, match=message):
        trigger.fit(X)


def test_two_steps_cannot_be_warped():
    with pytest.raises(ValueError, match="at least 3 steps"):
        WarpTrigger().fit(X[..., :2])
