"""What sktime asks of a forecaster, and what users do with one."""

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import ExpandingWindowSplitter, SlidingWindowSplitter
from sktime.transformations.series.difference import Differencer
from sktime.utils._testing.hierarchical import _make_hierarchical
from sktime.utils.estimator_checks import check_estimator

from robust_ts.forecasting import E2ABLForecaster, NeuralForecaster
from tests.forecasting._planted import walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

TINY = {"epochs": 1, "n_shapes": 4, "backbone_params": {"width": 8, "depth": 1}, "random_state": 0}


@pytest.mark.parametrize("forecaster", [NeuralForecaster, E2ABLForecaster])
def test_sktime_checks_pass_without_exclusions(forecaster):
    results = check_estimator(forecaster, raise_exceptions=False, verbose=False)
    assert len(results) > 300
    assert {name: r for name, r in results.items() if r != "PASSED"} == {}


def test_relative_and_absolute_horizons_agree():
    y = walks(120)
    relative = NeuralForecaster(**TINY).fit(y, fh=[1, 3]).predict()
    absolute = ForecastingHorizon(relative.index, is_relative=False)
    pd.testing.assert_frame_equal(NeuralForecaster(**TINY).fit(y, fh=absolute).predict(), relative)


def test_in_sample_forecasts_look_back_only():
    y = walks(80)
    fh = list(range(-79, 3))
    forecaster = NeuralForecaster(**TINY).fit(y, fh=fh)
    before = forecaster.predict()
    assert np.isfinite(before.to_numpy()).all()
    assert list(before.index[:80]) == list(y.index)
    changed = y.copy()
    changed.iloc[-1] += 100.0
    forecaster._cur_y, forecaster._fit_tracks = (
        changed,
        [t.with_values(changed[t.name[-1]].to_numpy()) for t in forecaster._fit_tracks],
    )
    after = forecaster.predict()
    # Only what comes after the changed step may know of it.
    pd.testing.assert_frame_equal(before.iloc[:80], after.iloc[:80])
    assert (after.iloc[80:] - before.iloc[80:]).abs().to_numpy().min() > 1


def test_quantiles_are_ordered_and_bracket_the_mean():
    forecaster = E2ABLForecaster(**TINY).fit(walks(150), fh=[1, 2, 3])
    quantiles = forecaster.predict_quantiles(alpha=[0.05, 0.5, 0.95])
    mean, spread = forecaster.predict(), forecaster.predict_var()
    for column in mean:
        low, middle, high = (quantiles[column][a] for a in (0.05, 0.5, 0.95))
        assert (low < middle).all()
        assert (middle < high).all()
        assert ((low < mean[column]) & (mean[column] < high)).all()
    assert (spread > 0).all().all()


def test_one_network_serves_a_hierarchy_with_different_ends():
    y = _make_hierarchical(
        (2, 2), min_timepoints=40, max_timepoints=50, same_cutoff=False, index_type="range"
    )
    predicted = NeuralForecaster(**TINY).fit(y, fh=[1, 2]).predict()
    for name, part in y.groupby(level=[0, 1]):
        end = part.index[-1][-1]
        assert list(predicted.loc[name].index) == [end + 1, end + 2]


def test_exogenous_variables_are_used():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300)})
    y = pd.DataFrame({"y": 3 * X["x"] + 0.1 * rng.normal(size=300)})
    settings = {"epochs": 40, "window_length": 4, "random_state": 0}
    errors = []
    for X_train, X_test in ((X[:280], X[280:281]), (None, None)):
        forecaster = NeuralForecaster(**settings).fit(y[:280], X=X_train, fh=[1])
        forecasts = []
        for t in range(280, 299):
            forecasts.append(forecaster.predict(X=X_test).to_numpy()[0, 0])
            X_new = None if X_train is None else X[t : t + 1]
            forecaster.update(y[t : t + 1], X=X_new, update_params=False)
            X_test = None if X_train is None else X[t + 1 : t + 2]
        errors.append(np.abs(np.array(forecasts) - y["y"][280:299]).mean())
    assert errors[0] < 0.6 * errors[1]


def test_what_is_missing_of_the_exogenous_future_is_the_last_known_value():
    y, X = walks(60), walks(62, 1, seed=2).rename(columns={"v0": "x"})
    forecaster = NeuralForecaster(**TINY).fit(y, X=X[:60], fh=[1, 2])
    still = X.copy()
    still.iloc[60:] = X.iloc[59]
    pd.testing.assert_frame_equal(forecaster.predict(), forecaster.predict(X=still[60:]))
    assert not forecaster.predict(X=X[60:]).equals(forecaster.predict())
    with pytest.raises(ValueError, match=r"The new data lack the columns \['x'\]"):
        forecaster.predict(X=X[60:].rename(columns={"x": "z"}))


def test_exogenous_variables_of_a_panel_are_each_instances_own():
    y, X = (pd.concat({"a": f(0), "b": f(1)}, names=["store", "day"]) for f in (_y, _x))
    seen, ahead = X[X.index.isin(y.index)], X[~X.index.isin(y.index)]
    forecaster = NeuralForecaster(**TINY).fit(y, X=seen, fh=[1, 2])
    before = forecaster.predict(X=ahead)
    assert list(before.index) == list(ahead.index)
    assert list(forecaster.predict_quantiles(X=ahead, alpha=[0.5]).index) == list(ahead.index)
    moved = ahead.copy()
    moved.loc["b"] += 100.0
    after = forecaster.predict(X=moved)
    pd.testing.assert_frame_equal(before.loc[["a"]], after.loc[["a"]])
    assert (before.loc["b"] != after.loc["b"]).to_numpy().all()


def _y(seed):
    return walks(60, 1, seed)


def _x(seed):
    return walks(62, 1, seed + 10).rename(columns={"v0": "x"})


def test_update_moves_the_forecast_and_refits_if_asked():
    y = walks(160)
    forecaster = NeuralForecaster(**TINY).fit(y[:150], fh=[1])
    network = forecaster.network_
    forecaster.update(y[150:], update_params=False)
    assert forecaster.network_ is network
    assert forecaster.predict().index[0] == y.index[-1] + 1
    forecaster.update(y[150:], update_params=True)
    assert forecaster.network_ is not network


def test_pipeline_search_and_evaluation():
    y = load_airline()
    pipeline = TransformedTargetForecaster(
        [("difference", Differencer()), ("forecast", E2ABLForecaster(**TINY))]
    )
    assert len(pipeline.fit(y, fh=[1, 2]).predict()) == 2
    splitter = ExpandingWindowSplitter(fh=[1, 2], initial_window=120, step_length=22)
    for cls in (NeuralForecaster, E2ABLForecaster):
        grid = {"window_length": [6, 12]}
        search = ForecastingGridSearchCV(cls(**TINY), cv=splitter, param_grid=grid)
        assert search.fit(y, fh=[1, 2]).best_params_["window_length"] in (6, 12)
        assert len(search.cv_results_) == 2
        assert len(search.predict()) == 2
    assert not search.best_forecaster_.report_.is_poisoned
    sliding = SlidingWindowSplitter(fh=[1, 2], window_length=100, step_length=22)
    for cv in (splitter, sliding):
        for forecaster in (E2ABLForecaster(**TINY), _trees()):
            scores = evaluate(forecaster, cv=cv, y=y, error_score="raise")
            assert np.isfinite(scores.filter(like="test_").to_numpy(dtype=float)).all()


def _trees():
    from sklearn.tree import DecisionTreeRegressor

    return make_reduction(DecisionTreeRegressor(max_depth=3), window_length=12)


def test_forecasts_beat_the_naive_one_where_there_is_something_to_learn():
    t = np.arange(400)
    y = pd.DataFrame(
        {"y": np.sin(2 * np.pi * t / 11) + 0.05 * np.random.default_rng(0).normal(size=400)}
    )
    forecaster = NeuralForecaster(epochs=40, random_state=0).fit(y[:380], fh=range(1, 9))
    error = np.abs(forecaster.predict()["y"] - y["y"][380:388]).mean()
    assert error < 0.2 * np.abs(y["y"][379] - y["y"][380:388]).mean()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda y: (y[y.index != y.index[50]], {}), "not regular in time: after 2020-02-19"),
        (lambda y: (y[:10], {"window_length": 12}), "The history is too short: 10 steps"),
        (lambda y: (y[:20], {"sp": 24}), "too few for sp=24"),
        (lambda y: (y, {"sp": 7, "window_length": 7}), "must be above sp=7"),
        (lambda y: (y, {"n_shapes": 1}), "n_shapes must be an integer of at least 2"),
        (lambda y: (y, {"epochs": 0}), "epochs must be"),
        (lambda y: (y, {"backbone": "resnett"}), "Did you mean 'resnet'"),
    ],
)
def test_bad_input_says_what_and_where(make, text):
    y, parameters = make(walks(100))
    with pytest.raises(ValueError, match=text):
        NeuralForecaster(**{**TINY, **parameters}).fit(y, fh=[1, 2])


def test_mixed_frequencies_missing_values_and_a_missing_horizon_are_errors():
    y = walks(60)
    with pytest.raises(ValueError, match="fh"):
        NeuralForecaster(**TINY).fit(y)
    with pytest.raises(ValueError, match="different forecasting horizon"):
        NeuralForecaster(**TINY).fit(y, fh=[1, 2]).predict(fh=[1, 3])
    days = pd.date_range("2020-01-01", periods=30).append(
        pd.date_range("2020-02-01", periods=30, freq="W")
    )
    with pytest.raises(ValueError, match="not regular in time"):
        NeuralForecaster(**TINY).fit(y.set_axis(days), fh=[1])
    y.iloc[5, 0] = np.nan
    with pytest.raises(ValueError, match="missing"):
        NeuralForecaster(**TINY).fit(y, fh=[1])
