"""The defense finds what was planted, leaves the rest alone, and forecasts without it."""

import numpy as np
import pytest
import torch

from robust_ts.forecasting import E2ABLForecaster, NeuralForecaster, evaluate_forecasts
from robust_ts.forecasting.metrics import forecast_metrics, rolling_forecasts
from tests.forecasting._planted import SETTINGS, planted, walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def test_without_a_find_the_result_is_that_of_the_undefended_network():
    y = walks()
    plain = NeuralForecaster(**SETTINGS).fit(y, fh=[1, 2, 3])
    ours = E2ABLForecaster(**SETTINGS).fit(y, fh=[1, 2, 3])
    assert not ours.report_.is_poisoned
    assert ours.report_.summary().startswith("No attack found")
    assert ours.predict().equals(plain.predict())
    weights = zip(ours.network_.parameters(), plain.network_.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_a_group_that_the_network_foresaw_falls_back_to_the_undefended_one(monkeypatch):
    data = planted()[1]
    monkeypatch.setattr(
        E2ABLForecaster,
        "_verify",
        lambda self, trainer, codebook, tracks, bridged, groups, constants: [
            _refuted(group) for group in groups
        ],
    )
    ours = E2ABLForecaster(**SETTINGS).fit(data.y, fh=[1, 2, 3])
    plain = NeuralForecaster(**SETTINGS).fit(data.y, fh=[1, 2, 3])
    assert set(ours.report_.to_frame()["verdict"]) == {"uncertain"}
    assert (ours.report_.to_frame()["suspicion"] < 0.5).all()
    assert ours.predict().equals(plain.predict())


def _refuted(group):
    from robust_ts.forecasting.e2abl import _Verdict

    return _Verdict(False, np.zeros(len(group.places)))


def test_planted_stretches_are_reported_and_the_attack_is_gone():
    trigger, data = planted(target_amplitude=3.0)
    settings = {**SETTINGS, "epochs": 20, "n_shapes": 16}
    fh, test = range(1, 8), walks(460)[400:]
    reference = NeuralForecaster(**settings).fit(data.y_true, fh=fh)
    known = rolling_forecasts(reference, data.y_true, test, trigger, horizon=7)
    natural = forecast_metrics(known, data.y_true, reference=known)["attack_effect"]
    net = {}
    for cls in (NeuralForecaster, E2ABLForecaster):
        forecaster = cls(**settings).fit(data.y, fh=fh)
        net[cls] = evaluate_forecasts(
            forecaster, data.y, test, trigger, horizon=7, reference=known
        )["attack_effect"] - max(0.0, natural)
    assert net[NeuralForecaster] > 0.2
    assert net[E2ABLForecaster] < 0.1 * net[NeuralForecaster]
    frame = forecaster.report_.to_frame()
    found = {(row.variable, row.start) for row in frame.itertuples() if row.verdict == "poisoned"}
    true = {(v, start) for v in data.variables for start in data.stretches["start"]}
    near = [min(abs((s - t).n) for w, t in true if w == v) <= 2 for v, s in found]
    assert np.mean(near) > 0.9
    assert len(found) > 0.8 * len(true)
    assert f"{len(frame)} stretches look planted" in forecaster.report_.summary()


def test_the_history_of_the_user_is_not_changed():
    data = planted()[1]
    before = data.y.copy()
    E2ABLForecaster(**SETTINGS).fit(data.y, fh=[1]).predict()
    assert data.y.equals(before)


def test_the_report_draws_its_history():
    data = planted()[1]
    forecaster = E2ABLForecaster(**SETTINGS).fit(data.y, fh=[1])
    ax = forecaster.report_.plot()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["v0", "v1"]
    n_drawn = len(ax.patches)
    assert n_drawn == len(forecaster.report_.rows) > 0
