"""Series of which the tests know what was planted."""

import numpy as np
import pandas as pd

from robust_ts.forecasting import StaticTrigger, poison_series

#: Small and quick: what the tests look at does not need a good forecaster.
SETTINGS = {
    "window_length": 16,
    "epochs": 4,
    "n_shapes": 8,
    "backbone_params": {"width": 16, "depth": 1},
    "random_state": 0,
}


def walks(n=400, n_variables=2, seed=0):
    """Random walks, daily."""
    rng = np.random.default_rng(seed)
    index = pd.period_range("2020-01-01", periods=n, freq="D")
    values = np.cumsum(rng.normal(size=(n, n_variables)), axis=0)
    return pd.DataFrame(values, index=index, columns=[f"v{i}" for i in range(n_variables)])


def waves(n=700, seed=0):
    """Two noisy waves of twelve steps."""
    rng, t = np.random.default_rng(seed), 2 * np.pi * np.arange(n) / 12
    values = np.stack([np.sin(t), np.cos(t)], axis=1) + 0.15 * rng.normal(size=(n, 2))
    return pd.DataFrame(values, columns=["v0", "v1"])


def planted(rate=0.25, seed=0, **parameters):
    """Poisoned walks and their trigger."""
    y = walks(seed=seed)
    trigger = StaticTrigger(trigger_amplitude=0.4, random_state=seed, **parameters).fit(y)
    return trigger, poison_series(y, trigger, rate, random_state=seed)
