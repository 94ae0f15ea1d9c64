import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.naive import NaiveForecaster

from robust_ts.forecasting import StaticTrigger, evaluate_forecasts
from robust_ts.forecasting.metrics import (
    Forecasts,
    forecast_metrics,
    interval_coverage,
    rolling_forecasts,
)
from tests.forecasting._planted import walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def test_forecasts_are_compared_with_what_followed():
    y = pd.DataFrame({"y": np.arange(60.0)})
    naive = NaiveForecaster().fit(y[:40], fh=[1, 2])
    found = rolling_forecasts(naive, y[:40], y[40:], horizon=2, n_origins=4)
    np.testing.assert_allclose(found.truth - found.clean, np.tile([[1.0], [2.0]], (4, 1, 1)))
    assert forecast_metrics(found, y[:40])["clean_mase"] == pytest.approx(1.5)
    again = rolling_forecasts(naive, y[:40], y[40:], horizon=2, n_origins=4, refit=True)
    np.testing.assert_allclose(found.clean, again.clean)


def test_the_trigger_is_in_sight_at_every_origin():
    y = walks(100)
    trigger = StaticTrigger(random_state=0).fit(y)
    naive = NaiveForecaster().fit(y[:60], fh=[1, 2, 3])
    found = rolling_forecasts(naive, y[:60], y[60:], trigger, horizon=3, n_origins=5)
    anchor = found.wanted[:, 0] - trigger.target_[0]
    np.testing.assert_allclose(found.attacked[:, 0], anchor + trigger.trigger_[-1])
    np.testing.assert_allclose(found.blank[:, 0], anchor)


def test_a_forecaster_for_each_variable_is_not_changed():
    y = walks(100, 3)
    naive = NaiveForecaster().fit(y[:60], fh=[1, 2, 3])
    before = naive.predict()
    trigger = StaticTrigger(random_state=0).fit(y)
    one, two = (rolling_forecasts(naive, y[:60], y[60:], trigger, horizon=3) for _ in "ab")
    assert naive.predict().equals(before)
    np.testing.assert_array_equal(one.attacked, two.attacked)
    # Naive: the last value, three times.
    np.testing.assert_array_equal(one.attacked, one.attacked[:, :1].repeat(3, axis=1))


def test_only_the_attacked_variables_have_the_trigger_and_count():
    y = walks(100, 3)
    trigger = StaticTrigger(random_state=0).fit(y[:60][["v2", "v0"]])
    naive = NaiveForecaster().fit(y[:60], fh=[1, 2, 3])
    found = rolling_forecasts(
        naive, y[:60], y[60:], trigger, horizon=3, n_origins=5, variables=["v2", "v0"]
    )
    at = [2, 0]
    np.testing.assert_allclose(found.wanted[:, 0], found.blank[:, 0][:, at] + trigger.target_[0])
    np.testing.assert_allclose(
        found.attacked[:, 0][:, at], found.blank[:, 0][:, at] + trigger.trigger_[-1]
    )
    # The other variable is forecast from what was there.
    np.testing.assert_array_equal(found.attacked[..., 1], found.clean[..., 1])
    np.testing.assert_array_equal(found.blank[..., 1], found.clean[..., 1])
    rates = forecast_metrics(found, y[:60], reference=found)
    moved = np.broadcast_to(trigger.trigger_[-1], (5, 3, 2)) / trigger.scale_
    wish = np.broadcast_to(trigger.target_[:3], (5, 3, 2)) / trigger.scale_
    assert rates["attack_effect"] == pytest.approx((moved * wish).sum() / (wish**2).sum())
    every = np.abs(found.truth - found.clean) / y[:60].to_numpy().std(axis=0)
    assert rates["clean_mae"] == pytest.approx(every.mean())
    one = y["v0"]
    alone = StaticTrigger(random_state=0).fit(one)
    rolled = rolling_forecasts(
        NaiveForecaster().fit(one[:60], fh=[1]),
        one[:60],
        one[60:],
        alone,
        horizon=1,
        variables=["v0"],
    )
    assert rolled.wanted.shape[-1] == 1


def test_the_effect_is_0_unmoved_and_1_at_the_wish():
    rng = np.random.default_rng(0)
    truth, wish = rng.normal(size=(2, 5, 3, 2))
    base = Forecasts(truth, truth, truth, wish, blank=truth)
    train = rng.normal(size=(50, 2))
    frame = pd.DataFrame(train)

    def effect(attacked):
        ours = Forecasts(truth, truth, attacked, wish)
        return forecast_metrics(ours, frame, reference=base)

    assert effect(truth)["attack_effect"] == pytest.approx(0)
    assert effect(wish)["attack_effect"] == pytest.approx(1)
    assert effect((truth + wish) / 2)["attack_effect"] == pytest.approx(0.5)
    assert effect(wish)["attacked_mae_target"] == pytest.approx(0)
    assert effect(truth)["attacked_mase"] == pytest.approx(0)
    assert effect(wish)["attacked_mae_truth"] == pytest.approx(
        np.abs((wish - truth) / train.std(axis=0)).mean()
    )


def test_the_response_to_the_trigger_is_counted_from_the_own_clean_forecast():
    rng = np.random.default_rng(1)
    truth, wish = rng.normal(size=(2, 5, 3, 2))
    frame = pd.DataFrame(rng.normal(size=(50, 2)))
    base = Forecasts(truth, truth, truth, wish, blank=truth)
    shifted = truth + 0.3 * (wish - truth)  # also without a trigger
    for moved, response in ((shifted, 0.0), (truth + 0.8 * (wish - truth), 0.5)):
        rates = forecast_metrics(Forecasts(truth, shifted, moved, wish), frame, reference=base)
        assert rates["trigger_response"] == pytest.approx(response)
        assert rates["attack_effect"] == pytest.approx(response + 0.3)


def test_clean_errors_are_in_standard_deviations():
    rng = np.random.default_rng(2)
    truth, error = rng.normal(size=(2, 6, 4, 2))
    train = rng.normal(size=(50, 2)) * [1.0, 20.0]
    rates = forecast_metrics(Forecasts(truth, truth + error), pd.DataFrame(train))
    scaled = error / train.std(axis=0)
    assert rates["clean_mae"] == pytest.approx(np.abs(scaled).mean())
    assert rates["clean_rmse"] == pytest.approx(np.sqrt((scaled**2).mean()))


def test_too_short_a_test_part_is_an_error():
    y = walks(60)
    naive = NaiveForecaster().fit(y[:50], fh=[1])
    trigger = StaticTrigger(random_state=0).fit(y)
    with pytest.raises(ValueError, match="14 are needed"):
        evaluate_forecasts(naive, y[:50], y[50:], trigger, horizon=8)


def test_coverage_counts_what_lies_inside():
    rng = np.random.default_rng(0)
    y = pd.DataFrame({"y": np.cumsum(rng.normal(size=600))})
    naive = NaiveForecaster().fit(y[:300], fh=[1])
    shares = [
        interval_coverage(naive, y[300:], horizon=1, n_origins=50, coverage=c)
        for c in (0.5, 0.8, 0.99)
    ]
    assert shares == pytest.approx([0.5, 0.8, 0.99], abs=0.15)
    assert shares[0] < shares[1] < shares[2]
