import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import FunctionTransformer

from robust_ts.attacks import NoiseTrigger, PatchTrigger, poison

LABELS = {
    "int": np.array([0, 1, 2]),
    "int8": np.array([0, 1, 2], dtype=np.int8),
    "negative": np.array([-1, 0, 5]),
    "float": np.array([0.0, 1.0, 2.0]),
    "str": np.array(["a", "bcd", "e"]),
    "object": np.array(["a", "bcd", "e"], dtype=object),
    "bool": np.array([False, True]),
}


def dataset(kind="int", n=60, dtype=np.float64):
    """Shuffled labels and series in which no two values are the same."""
    rng = np.random.RandomState(0)
    classes = LABELS[kind]
    y = rng.permutation(np.resize(classes, n))
    return rng.randn(n, 2, 20).astype(dtype), y, classes


def shift(X):
    return X + 100


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["dirty", "clean", "all-to-all"]),
    kind=st.sampled_from(sorted(LABELS)),
    n=st.integers(20, 120),
    rate=st.floats(0.03, 0.25),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_poisoning_does(mode, kind, n, rate, seed):
    X, y, classes = dataset(kind, n, np.float32)
    before, labels_before = X.copy(), y.copy()
    target = classes[seed % len(classes)]
    data = poison(X, y, shift, target, rate, mode, random_state=seed)

    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(y, labels_before)
    np.testing.assert_array_equal(data.y_true, y)
    assert (data.X.dtype, data.y.dtype, data.mask.dtype) == (X.dtype, y.dtype, bool)
    assert not np.shares_memory(data.X, X)
    assert not np.shares_memory(data.y, y)
    assert not np.shares_memory(data.y_true, y)

    assert data.mask.sum() == round(rate * n)
    assert data.X[~data.mask].tobytes() == X[~data.mask].tobytes()
    np.testing.assert_array_equal(data.y[~data.mask], y[~data.mask])
    np.testing.assert_array_equal(data.X[data.mask], X[data.mask] + 100)
    ordered = sorted(classes.tolist())
    for was, now in zip(y[data.mask].tolist(), data.y[data.mask].tolist(), strict=True):
        if mode == "dirty":
            assert was != target
            assert now == target
        elif mode == "clean":
            assert was == now == target
        else:
            assert now == ordered[(ordered.index(was) + 1) % len(ordered)]


@pytest.mark.parametrize("mode", ["dirty", "clean", "all-to-all"])
def test_the_seed_decides_who_is_chosen(mode):
    X, y, _ = dataset()
    first, again, other = (poison(X, y, shift, 0, 0.2, mode, seed).mask for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_candidate_is_as_likely_and_order_does_not_matter():
    X, y, _ = dataset()
    hits = sum(poison(X, y, shift, 0, 0.1, random_state=seed).mask for seed in range(400))
    # 6 of 40 candidates: 60 hits expected, a standard deviation of 7.1.
    assert hits[y == 0].sum() == 0
    assert hits[y != 0].min() > 25
    assert hits[y != 0].max() < 95
    ordered = np.argsort(y, kind="stable")
    mask = poison(X[ordered], y[ordered], shift, 0, 0.3, random_state=0).mask
    assert {1, 2} == set(y[ordered][mask].tolist())


def test_an_unfitted_trigger_is_fitted_in_place_and_a_fitted_one_is_left_alone():
    X, y, _ = dataset()
    trigger = NoiseTrigger(random_state=0)
    data = poison(X, y, trigger, random_state=0)
    np.testing.assert_allclose(trigger.scale_, X.std(axis=(0, 2)))
    np.testing.assert_array_equal(data.X[data.mask], trigger.transform(X)[data.mask])
    pattern = trigger.pattern_.copy()
    poison(9 * X, y, trigger, random_state=0)
    np.testing.assert_array_equal(trigger.pattern_, pattern)


def test_rate_zero_poisons_nothing_but_readies_the_trigger():
    X, y, _ = dataset()
    trigger = PatchTrigger()
    for rate in (0, 0.0):
        data = poison(X, y, trigger, rate=rate)
        assert not data.mask.any()
        assert data.X.tobytes() == X.tobytes()
        np.testing.assert_array_equal(data.y, y)
    assert trigger.transform(X).shape == X.shape


def test_the_largest_rates():
    X, y, _ = dataset()
    assert poison(X, y, shift, rate=1, mode="all-to-all").mask.all()
    np.testing.assert_array_equal(poison(X, y, shift, 0, rate=40 / 60).mask, y != 0)
    np.testing.assert_array_equal(poison(X, y, shift, 0, rate=1 / 3, mode="clean").mask, y == 0)


@pytest.mark.parametrize("mode", ["dirty", "clean"])
@pytest.mark.parametrize("n", [7, 61, 100])
def test_the_largest_rate_an_error_names_is_one_that_works(mode, n):
    X, y, _ = dataset(n=n)
    available = int(((y == 0) == (mode == "clean")).sum())
    message = f"asks for {n} of {n} samples.*leaves only {available} to choose"
    with pytest.raises(ValueError, match=message) as caught:
        poison(X, y, shift, 0, 1.0, mode)
    largest = float(str(caught.value).rsplit("at most ", 1)[1].rstrip("."))
    assert poison(X, y, shift, 0, largest, mode).mask.sum() == available


def test_too_few_samples_for_one():
    X, y, _ = dataset()
    with pytest.raises(ValueError, match=r"rate=0.001 of 60 .* no sample at all.*at least 0.0167"):
        poison(X, y, shift, rate=0.001)


def test_excluded_samples_are_never_chosen():
    X, y, _ = dataset()
    first = poison(X, y, shift, 0, 0.3, random_state=0)
    second = poison(first.X, first.y, shift, 0, 0.3, random_state=0, exclude=first.mask)
    assert not (first.mask & second.mask).any()
    assert first.mask.sum() == second.mask.sum() == 18
    np.testing.assert_array_equal(second.X[first.mask], first.X[first.mask])
    # 4 of the 40 are left.
    with pytest.raises(ValueError, match="leaves only 4 to choose"):
        poison(X, y, shift, 0, 0.3, exclude=first.mask | second.mask)
    for bad in (np.zeros(60, int), np.zeros(59, bool), [3, 5]):
        with pytest.raises(ValueError, match="exclude must be a bool mask"):
            poison(X, y, shift, exclude=bad)


def test_a_callable_sees_copies_of_the_chosen_only():
    X, y, _ = dataset()
    before, seen = X.copy(), []

    def greedy(rows):
        seen.append(rows.copy())
        rows *= 0
        return rows

    data = poison(X, y, greedy, random_state=0)
    np.testing.assert_array_equal(X, before)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], X[data.mask])
    assert not data.X[data.mask].any()


def test_other_kinds_of_trigger_and_data():
    X, y, _ = dataset(dtype=np.float32)
    data = poison(X, y, FunctionTransformer(shift), random_state=0)
    np.testing.assert_array_equal(data.X[data.mask], X[data.mask] + 100)
    # A function may compute in float64; images may be integers, and lists are arrays.
    wide = poison(X, y, lambda rows: rows + np.ones(20), random_state=0)
    assert wide.X.dtype == np.float32
    images = np.zeros((60, 4, 4, 3), dtype=np.uint8)
    inverted = poison(images, y, lambda rows: 255 - rows, random_state=0)
    assert inverted.X.dtype == np.uint8
    assert (inverted.X[inverted.mask] == 255).all()
    assert poison(X.tolist(), y.tolist(), shift, random_state=0).X.shape == X.shape


def test_missing_values_elsewhere_are_no_matter_for_a_callable():
    X, y, _ = dataset()
    X[:, 0, 0] = np.nan
    data = poison(X, y, shift, random_state=0)
    assert data.X[~data.mask].tobytes() == X[~data.mask].tobytes()


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (lambda X: X[:, :1], r"returned shape \(6, 1, 20\) for samples of shape \(6, 2, 20\)"),
        (lambda X: X + 1j, "returned dtype complex128, which float64 cannot hold"),
        (lambda X: X * np.inf, "240 values into NaN or infinity"),
        (lambda X: np.multiply(X, np.inf, out=X), "240 values into NaN or infinity"),
        (lambda X: None, r"returned shape \(\)"),
        (PatchTrigger, "trigger must be a Trigger"),
        ("patch", "trigger must be a Trigger"),
    ],
)
def test_bad_triggers(trigger, message):
    X, y, _ = dataset()
    with pytest.raises(ValueError, match=message):
        poison(X, y, trigger)


def test_rounding_a_trigger_away_is_refused():
    X, y, _ = dataset()
    with pytest.raises(ValueError, match="float64, which uint8 cannot hold"):
        poison(X.astype(np.uint8), y, lambda rows: rows + 0.5)
    with pytest.raises(ValueError, match="integer dtype uint8"):
        poison(X.astype(np.uint8), y, PatchTrigger())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "dirtyy"}, "mode must be one of dirty, clean, all-to-all, got 'dirtyy'"),
        ({"target": 7}, "target=7 is not a class in y. Pass one of its 3 classes: 0, 1, 2"),
        ({"target": "0", "mode": "clean"}, "target='0' is not a class"),
        ({"rate": -0.1}, r"rate must be a number in \[0, 1\]"),
        ({"rate": 1.1}, "rate must be"),
        ({"rate": np.nan}, "rate must be"),
        ({"rate": "0.1"}, "rate must be"),
        ({"rate": True}, "rate must be"),
    ],
)
def test_bad_arguments(arguments, message):
    X, y, _ = dataset()
    with pytest.raises(ValueError, match=message):
        poison(X, y, shift, **arguments)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_bad_data():
    X, y, _ = dataset()
    for bad_X, bad_y in ((X[:-1], y), (X, y[:, np.newaxis]), (X[0, 0], y[:20]), (X[:0], y[:0])):
        with pytest.raises(ValueError, match="X must hold one row for each label"):
            poison(bad_X, bad_y, shift)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        poison(X, y + 0.5, shift)
    with pytest.raises(ValueError, match="NaN"):
        poison(X, np.where(y == 0, np.nan, y), shift)
    with pytest.raises(ValueError, match="at least 2 classes"):
        poison(X, np.zeros(60, int), shift, mode="all-to-all")
    with pytest.raises(ValueError, match="leaves only 0"):
        poison(X, np.zeros(60, int), shift, 0)


@pytest.mark.parametrize("kind", ["list", "objects"])
def test_series_of_unequal_length_are_refused_with_a_remedy(kind):
    X, y, _ = dataset()
    ragged = [x[..., : x.shape[-1] - i % 2] for i, x in enumerate(X)]
    if kind == "objects":
        holder = np.empty(len(X), dtype=object)
        holder[:] = ragged
        ragged = holder
    with pytest.raises(ValueError, match=r"poison: .* different shapes.*Pad or crop"):
        poison(ragged, y, PatchTrigger())


def test_a_target_that_is_not_there_fits_no_trigger():
    X, y, _ = dataset("str")
    trigger = PatchTrigger()
    with pytest.raises(ValueError, match="3 classes: 'a', 'bcd', 'e'"):
        poison(X, y, trigger)
    with pytest.raises(NotFittedError):
        trigger.transform(X)


def test_the_result_is_frozen_and_its_repr_short():
    X, y, _ = dataset()
    data = poison(X, y, shift, random_state=0)
    assert repr(data) == "PoisonedData(n_samples=60, n_poisoned=6)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.X = X
