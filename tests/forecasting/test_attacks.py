import numpy as np
import pandas as pd
import pytest

from robust_ts.forecasting import GeneratedTrigger, StaticTrigger, poison_series
from tests.forecasting._planted import walks


@pytest.mark.parametrize("content", ["replace", "add"])
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_untouched_steps_are_bit_identical_and_the_rate_is_kept(content, rate):
    y = walks()
    trigger = StaticTrigger(content=content, random_state=0)
    data = poison_series(y, trigger, rate, variables=["v1"], random_state=1)
    mask = data.mask.to_numpy()
    assert data.y_true.equals(y)
    assert (data.y.to_numpy()[~mask] == y.to_numpy()[~mask]).all()
    assert not mask[:, 0].any()
    assert abs(mask[:, 1].mean() - rate) < 11 / 400
    assert (np.diff(data.stretches["first"]) >= 11 + 8).all()


def test_the_target_stands_on_the_last_value_before_the_trigger():
    y = walks()
    trigger = StaticTrigger(target="up-and-down", random_state=0).fit(y)
    data = poison_series(y, trigger, 0.2, random_state=0)
    values = data.y.to_numpy()
    for first in data.stretches["first"]:
        anchor = y.to_numpy()[first - 1]
        np.testing.assert_allclose(values[first : first + 4], anchor + trigger.trigger_)
        np.testing.assert_allclose(values[first + 4 : first + 11], anchor + trigger.target_)


def test_a_series_comes_back_as_a_series_in_its_precision():
    y = walks()["v0"].astype("float32")
    data = poison_series(y, StaticTrigger(random_state=0), 0.2, random_state=0)
    assert isinstance(data.y, pd.Series)
    assert data.y.dtype == np.float32
    assert data.y.name == "v0"


def test_rate_zero_changes_nothing_and_seeds_repeat():
    y = walks()
    assert poison_series(y, StaticTrigger(random_state=0), 0.0).y.equals(y)
    one, two = (poison_series(y, StaticTrigger(random_state=3), 0.2, random_state=4) for _ in "ab")
    assert one.y.equals(two.y)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda y: poison_series(y, StaticTrigger(), 0.9), "Use a rate of at most"),
        (lambda y: poison_series(y, StaticTrigger(), 0.001), "less than one stretch"),
        (lambda y: poison_series(y, StaticTrigger(), 1.5), "must be a number in"),
        (lambda y: poison_series(y, StaticTrigger(), 0.1, variables=["w"]), "no variable"),
        (
            lambda y: poison_series(y, StaticTrigger().fit(y), 0.1, variables=["v0"]),
            "fitted on 2 variables, 1 are attacked",
        ),
        (lambda y: StaticTrigger(target="hat").fit(y), "Unknown target 'hat'"),
        (lambda y: StaticTrigger(content="mix").fit(y), "content must be"),
        (lambda y: StaticTrigger().fit(y.mask(y > y.iloc[3, 0]).to_numpy()), "NaN"),
        (lambda y: StaticTrigger().fit(np.full((9, 1), np.inf)), "infinite"),
        (lambda y: StaticTrigger(trigger_amplitude=np.nan).fit(y), "trigger_amplitude must be"),
        (lambda y: StaticTrigger(target_amplitude="1").fit(y), "target_amplitude must be"),
        (lambda y: GeneratedTrigger(trigger_amplitude=None).fit(y), "trigger_amplitude must be"),
        (lambda y: poison_series(y.to_numpy().tolist(), StaticTrigger(), 0.1), "pandas"),
        (lambda y: poison_series(pd.concat({"a": y}), StaticTrigger(), 0.1), "one by one"),
        (lambda y: poison_series(y.mask(y > y.iloc[3, 0]), StaticTrigger(), 0.1), "NaN"),
        (lambda y: GeneratedTrigger().fit(y[:12]), "needs"),
    ],
)
def test_bad_input_says_what_to_do(call, text):
    with pytest.raises(ValueError, match=text):
        call(walks())


def test_the_largest_rate_that_the_error_names_works():
    y = walks(120)
    with pytest.raises(ValueError, match="at most") as error:
        poison_series(y, StaticTrigger(random_state=0), 0.9)
    rate = float(str(error.value).rsplit("at most ", 1)[1].rstrip("."))
    assert poison_series(y, StaticTrigger(random_state=0), rate, random_state=0).mask.any().all()


def test_a_generated_trigger_keeps_its_budget_and_fits_its_surroundings():
    y = walks()
    trigger = GeneratedTrigger(trigger_amplitude=0.3, n_rounds=1, n_steps=40, random_state=0)
    data = poison_series(y, trigger, 0.2, random_state=0)
    values, before = data.y.to_numpy(), y.to_numpy()
    shapes = []
    for first in data.stretches["first"]:
        shape = (values[first : first + 4] - before[first - 1]) / trigger.scale_
        assert np.abs(shape).max() <= 0.3
        shapes.append(shape)
    assert np.std(shapes, axis=0).max() > 1e-4  # not the same everywhere


def test_a_generated_trigger_is_planted_where_forecasting_is_hard():
    y = walks()
    y.iloc[200:300] += 5 * np.random.default_rng(1).normal(size=(100, 2))
    trigger = GeneratedTrigger(n_rounds=0, n_steps=60, random_state=0)
    data = poison_series(y, trigger, 0.03, random_state=0)
    assert data.stretches["first"].between(180, 300).all()
