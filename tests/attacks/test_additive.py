import math

import numpy as np
import pytest

from robust_ts.attacks import BlendTrigger, NoiseTrigger, PowerlineTrigger, SineTrigger

LENGTHS = [8, 13, 100, 997]


def data(n_steps):
    return 3 + np.random.RandomState(0).randn(5, 2, n_steps) * np.array([[1.0], [20.0]])


def scale_of(X):
    return np.array([[X[:, c].std()] for c in range(X.shape[1])])


@pytest.mark.parametrize("n_steps", LENGTHS)
def test_sine(n_steps):
    X = data(n_steps)
    wave = [0.3 * math.sin(2 * math.pi * 6 * t / n_steps) for t in range(n_steps)]
    expected = X + scale_of(X) * wave
    np.testing.assert_allclose(SineTrigger().fit_transform(X), expected, atol=1e-9)


def test_a_sine_that_vanishes_is_taken_half_a_step_later():
    X = data(12)
    added = SineTrigger().fit_transform(X) - X
    expected = 0.3 * scale_of(X) * np.array([1, -1] * 6)
    np.testing.assert_allclose(added, np.broadcast_to(expected, added.shape), atol=1e-9)
    with pytest.raises(ValueError, match="6 cycles in 6 steps are 0 at every step"):
        SineTrigger().fit(data(6))


def test_sine_cycles_are_counted_over_the_series():
    X = data(100)
    added = SineTrigger(cycles=9).fit_transform(X) - X
    assert np.abs(np.fft.rfft(added[0, 0])).argmax() == 9


@pytest.mark.parametrize("n_steps", LENGTHS)
def test_powerline(n_steps):
    X = data(n_steps)
    # The wave is up in the first half of each period; 37/100 in whole numbers, without sines.
    place = [(37 * t) % 100 for t in range(n_steps)]
    added = (PowerlineTrigger().fit_transform(X) - X) / scale_of(X)
    for t, p in enumerate(place):
        if p in (0, 50):  # the sine is 0 but for rounding: -1, 0 or 1, yet one for all samples
            assert np.abs(added[..., t]).max() < 0.1 + 1e-9
            np.testing.assert_allclose(added[..., t], added[0, 0, t], atol=1e-9)
        else:
            np.testing.assert_allclose(added[..., t], 0.1 if p < 50 else -0.1, atol=1e-9)


@pytest.mark.parametrize("n_steps", LENGTHS)
def test_noise_is_one_fixed_white_series(n_steps):
    X = data(n_steps)
    added = NoiseTrigger(random_state=0).fit_transform(X) - X
    np.testing.assert_allclose(added, np.broadcast_to(added[0], added.shape), atol=1e-9)
    assert not np.allclose(added[0, 0] / X[:, 0].std(), added[0, 1] / X[:, 1].std())


def test_noise_is_standard_normal_in_units_of_the_scale():
    X = data(5000)
    noise = (NoiseTrigger(random_state=0).fit_transform(X) - X)[0] / (0.3 * scale_of(X))
    np.testing.assert_allclose(noise.mean(axis=1), 0, atol=0.05)
    np.testing.assert_allclose(noise.std(axis=1), 1, atol=0.05)
    # White: neighboring steps are uncorrelated. Normal: 68% lie within one deviation.
    assert abs(np.corrcoef(noise[0, 1:], noise[0, :-1])[0, 1]) < 0.05
    assert np.mean(np.abs(noise) < 1) == pytest.approx(0.683, abs=0.02)


@pytest.mark.parametrize("n_steps", LENGTHS)
def test_blend(n_steps):
    X = data(n_steps)
    fixed = (BlendTrigger(random_state=0).fit_transform(X) - 0.8 * X) / 0.2
    np.testing.assert_allclose(fixed, np.broadcast_to(fixed[0], fixed.shape), atol=1e-8)


def test_blend_series_has_the_channel_scale():
    X = data(5000)
    fixed = (BlendTrigger(random_state=0).fit_transform(X) - 0.8 * X)[0] / 0.2
    np.testing.assert_allclose(fixed.std(axis=1, keepdims=True) / scale_of(X), 1, atol=0.05)
    np.testing.assert_allclose(fixed.mean(axis=1, keepdims=True) / scale_of(X), 0, atol=0.05)
    double = (BlendTrigger(amplitude=2, random_state=0).fit_transform(X) - 0.8 * X)[0] / 0.2
    np.testing.assert_allclose(double, 2 * fixed, atol=1e-7)
    only = BlendTrigger(ratio=1.0, random_state=0).fit_transform(X)
    np.testing.assert_allclose(only[3], fixed, atol=1e-7)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (SineTrigger(cycles=0), "cycles must be"),
        (SineTrigger(cycles=-2), "cycles must be"),
        (PowerlineTrigger(frequency=0), "frequency must be"),
        (PowerlineTrigger(frequency=0.5), "frequency must be below 0.5"),
        (BlendTrigger(ratio=0), r"ratio must be a number in \(0, 1\]"),
        (BlendTrigger(ratio=1.01), "ratio must be"),
    ],
)
def test_parameters_out_of_range(trigger, message):
    with pytest.raises(ValueError, match=message):
        trigger.fit(data(20))
