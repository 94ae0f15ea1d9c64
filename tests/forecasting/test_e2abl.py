"""The defense finds what was planted, leaves the rest alone, and forecasts without it."""

import numpy as np
import pytest
import torch

from robust_ts.forecasting import (
    E2ABLForecaster,
    NeuralForecaster,
    StaticTrigger,
    evaluate_forecasts,
    poison_series,
)
from robust_ts.forecasting.metrics import rolling_forecasts
from tests.forecasting._planted import SETTINGS, planted, walks, waves

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


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_stretches_are_reported_and_the_attack_is_gone(seed):
    y = waves(seed=seed)
    train, test = y[:600], y[600:]
    trigger = StaticTrigger(trigger_amplitude=0.5, target_amplitude=3, random_state=seed)
    data = poison_series(train, trigger.fit(train), 0.25, random_state=seed)
    settings = {**SETTINGS, "window_length": 24, "sp": 12, "epochs": 20, "random_state": seed}
    reference = NeuralForecaster(**settings).fit(train, fh=range(1, 8))
    known = rolling_forecasts(reference, train, test, trigger, horizon=7)
    effects, errors = [], []
    for cls in (NeuralForecaster, E2ABLForecaster):
        forecaster = cls(**settings).fit(data.y, fh=range(1, 8))
        rates = evaluate_forecasts(
            forecaster, data.y, test, trigger, horizon=7, reference=known, y_clean=train
        )
        effects.append(rates["attack_effect"])
        errors.append(rates["clean_mae"])
    assert effects[0] > 0.2
    assert abs(effects[1]) < 0.1 * effects[0]
    assert errors[1] < 1.02 * errors[0]
    frame = forecaster.report_.to_frame()
    assert set(frame["verdict"]) == {"poisoned"}
    found = np.zeros(data.mask.shape, dtype=bool)
    for row in forecaster.report_.rows:
        found[row["start"] : row["end"] + 1, list(y.columns).index(row["variable"])] = True
    mask = data.mask.to_numpy()
    assert (found & mask).sum() > 0.8 * max(mask.sum(), found.sum())
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
