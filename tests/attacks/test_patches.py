import numpy as np
import pytest

from robust_ts.attacks import ConstantPatchTrigger, PatchTrigger

X = np.random.RandomState(0).randn(6, 2, 40) * np.array([[1.0], [5.0]])


@pytest.mark.parametrize("n_steps", [8, 9, 14, 15, 25, 100, 999, 5000])
def test_patch_is_the_last_tenth_alternating(n_steps):
    X = np.random.RandomState(1).randn(5, 3, n_steps)
    expected = X.copy()
    for c in range(3):
        s = X[:, c, :].std()
        for i in range(max(1, round(n_steps / 10))):
            step = n_steps - max(1, round(n_steps / 10)) + i
            expected[:, c, step] = 1.5 * s * (-1) ** i
    np.testing.assert_allclose(PatchTrigger().fit_transform(X), expected, rtol=1e-12)


@pytest.mark.parametrize("n_steps", [8, 25, 100, 999])
def test_midpatch_is_one_window_of_a_tenth_of_one_constant_a_channel(n_steps):
    X = np.random.RandomState(1).randn(5, 3, n_steps)
    Xt = ConstantPatchTrigger(random_state=2).fit_transform(X)
    changed = np.flatnonzero((Xt != X).any(axis=(0, 1)))
    length = max(1, round(n_steps / 10))
    np.testing.assert_array_equal(changed, np.arange(changed[0], changed[0] + length))
    window = Xt[..., changed]
    assert (window == window[:1, :, :1]).all()
    assert len(np.unique(window)) == 3


def test_midpatch_constants_are_normal_with_the_channel_scale_and_places_uniform():
    rng = np.random.RandomState(0)
    triggers = [ConstantPatchTrigger(random_state=rng).fit(X) for _ in range(800)]
    constants = np.array([t.pattern_[:, 0] / t.scale_ for t in triggers])
    np.testing.assert_allclose(constants.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(constants.std(axis=0), 1, atol=0.12)
    # Every place from the first to the last possible one occurs.
    assert {t.start_ for t in triggers} == set(range(40 - 4 + 1))


@pytest.mark.parametrize(
    ("position", "start"),
    [
        ("start", 0),
        ("middle", 18),
        ("end", 36),
        (0, 0),
        (0.25, 9),
        (1.0, 36),
        (np.float32(0.5), 18),
    ],
)
def test_positions(position, start):
    trigger = PatchTrigger(position=position).fit(X)
    changed = np.flatnonzero((trigger.transform(X) != X).any(axis=(0, 1)))
    np.testing.assert_array_equal(changed, np.arange(start, start + 4))


def test_random_position_is_seeded():
    starts = [PatchTrigger(position="random", random_state=i).fit(X).start_ for i in range(20)]
    again = [PatchTrigger(position="random", random_state=i).fit(X).start_ for i in range(20)]
    assert starts == again
    assert len(set(starts)) > 5


@pytest.mark.parametrize(
    ("length", "n_steps"), [(1, 1), (7, 7), (40, 40), (1.0, 40), (0.5, 20), (1e-6, 1)]
)
def test_lengths(length, n_steps):
    assert PatchTrigger(length=length).fit(X).pattern_.shape == (2, n_steps)


@pytest.mark.parametrize("length", [0, -1, 0.0, 1.5, np.nan, True, "0.1", None])
@pytest.mark.parametrize("trigger", [PatchTrigger(), ConstantPatchTrigger()])
def test_bad_lengths(trigger, length):
    with pytest.raises(ValueError, match="length must be"):
        trigger.set_params(length=length).fit(X)


def test_a_window_longer_than_the_series():
    with pytest.raises(ValueError, match="length=41 steps do not fit into series of 40 steps"):
        PatchTrigger(length=41).fit(X)


@pytest.mark.parametrize("position", ["left", -0.1, 1.1, np.nan, None, True])
def test_bad_positions(position):
    with pytest.raises(ValueError, match="position must be 'start'"):
        PatchTrigger(position=position).fit(X)
