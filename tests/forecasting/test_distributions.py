"""``predict_proba``: the mixture itself, where skpro is there to hold it."""

import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.transformations.series.difference import Differencer
from sktime.transformations.series.exponent import ExponentTransformer
from sktime.utils._testing.hierarchical import _make_hierarchical

from robust_ts.forecasting import E2ABLForecaster, NeuralForecaster, _base
from tests.forecasting._planted import walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

TINY = {"epochs": 1, "n_shapes": 4, "backbone_params": {"width": 8, "depth": 1}, "random_state": 0}


@pytest.fixture
def mixtures():
    pytest.importorskip("skpro")
    from robust_ts.forecasting import distributions

    return distributions


def test_skpro_accepts_the_distribution(mixtures):
    from skpro.utils.estimator_checks import check_estimator

    results = check_estimator(mixtures.NormalMixtures, raise_exceptions=False, verbose=False)
    assert len(results) > 50
    assert {name: r for name, r in results.items() if r != "PASSED"} == {}


def test_a_mixture_of_one_is_a_normal_and_quantiles_undo_probabilities(mixtures):
    from scipy.stats import norm

    x = np.linspace(-2, 4, 7)[:, None]
    ones = np.ones((7, 1, 1))
    one = mixtures.NormalMixtures(ones, ones, 2 * ones, index=range(7), columns=["y"])
    for name in ("pdf", "cdf"):
        expected = getattr(norm(1, 2), name)(x)
        np.testing.assert_allclose(getattr(one, name)(x).to_numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(one.log_pdf(x).to_numpy(), norm(1, 2).logpdf(x), atol=1e-12)
    two = mixtures.NormalMixtures(*np.array([[0.3, 0.7], [-1.0, 2.0], [0.5, 1.0]]))
    assert float(two.mean()) == pytest.approx(1.1)
    assert float(two.var()) == pytest.approx(0.3 * 0.25 + 0.7 + 0.3 * 2.1**2 + 0.7 * 0.9**2)
    for level in (0.001, 0.3, 0.5, 0.99):
        assert float(two.cdf(two.ppf(level))) == pytest.approx(level, abs=1e-9)
    assert (two.ppf(0.0), two.ppf(1.0)) == (-np.inf, np.inf)


@pytest.mark.parametrize("cls", [NeuralForecaster, E2ABLForecaster])
@pytest.mark.parametrize("kind", ["one", "several", "in sample", "hierarchy"])
def test_the_distribution_has_the_mean_variance_and_quantiles_of_the_forecast(cls, kind, mixtures):
    y, fh = walks(100), [1, 2, 3]
    if kind == "one":
        y = y["v0"]
    if kind == "in sample":
        fh = [-5, 0, 2]
    if kind == "hierarchy":
        y = _make_hierarchical((2, 2), min_timepoints=40, max_timepoints=40, n_columns=2)
    forecaster = cls(**TINY).fit(y, fh=fh)
    distribution = forecaster.predict_proba()
    assert isinstance(distribution, mixtures.NormalMixtures)
    mean, variance = pd.DataFrame(forecaster.predict()), pd.DataFrame(forecaster.predict_var())
    assert distribution.index.equals(mean.index)
    np.testing.assert_allclose(distribution.mean().to_numpy(), mean.to_numpy())
    np.testing.assert_allclose(distribution.var().to_numpy(), variance.to_numpy())
    quantiles = forecaster.predict_quantiles(alpha=[0.1, 0.9])
    np.testing.assert_allclose(distribution.quantile([0.1, 0.9]), quantiles, rtol=1e-6)
    part = distribution.iloc[[1], [0]]
    np.testing.assert_allclose(part.mean().to_numpy(), mean.iloc[[1], [0]].to_numpy())


def test_it_is_more_than_a_normal_where_two_futures_are_likely(mixtures):
    # A coin decides at every tenth step whether the level doubles or falls to zero.
    rng = np.random.default_rng(0)
    y = pd.DataFrame({"y": np.repeat(rng.choice([0.0, 1.0], 80), 10)})
    y += 0.01 * rng.normal(size=y.shape)
    forecaster = NeuralForecaster(epochs=30, window_length=10, random_state=0).fit(y, fh=[1])
    distribution = forecaster.predict_proba()
    at = {x: float(distribution.pdf(np.array([[x]])).to_numpy()[0, 0]) for x in (0.0, 0.5, 1.0)}
    assert min(at[0.0], at[1.0]) > 3 * at[0.5]


@pytest.mark.parametrize("transformer", [Differencer(), ExponentTransformer(2, offset=100)])
def test_distributions_of_a_pipeline(transformer, mixtures):
    y = walks(100)[["v0"]]
    steps = [("before", transformer), ("forecast", NeuralForecaster(**TINY))]
    pipeline = TransformedTargetForecaster(steps).fit(y, fh=[1, 2])
    intervals = pipeline.predict_interval(coverage=0.8)
    assert (intervals["v0"][0.8]["lower"] < intervals["v0"][0.8]["upper"]).all()
    assert (np.asarray(pipeline.predict_var()) > 0).all()
    assert list(pipeline.predict_proba().index) == list(intervals.index)


def test_without_skpro_sktimes_normal_stands_in(monkeypatch):
    monkeypatch.setattr(_base, "find_spec", lambda name: None)
    forecaster = NeuralForecaster(**TINY).fit(walks(100), fh=[1, 2])
    distribution = forecaster.predict_proba()
    assert type(distribution).__name__ == "Normal"
    np.testing.assert_allclose(distribution.mean().to_numpy(), forecaster.predict().to_numpy())
