"""Real series for forecasting, from the folder that ROBUST_TS_DATA names."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from robust_ts._npz import read_npz
from robust_ts.datasets import DATA_VARIABLE, DatasetNotFoundError

_FILES = {
    "exchange-rate": "forecast_exchange_rate.npz",
    "national-illness": "forecast_national_illness.npz",
    "m4-hourly": "forecast_m4_hourly.npz",
}

#: Columns of the illness data: two rates and two counts of patients.
_ILLNESS = (0, 1, 2, 4)

#: Rows of the M4 series that were not used for tuning, 100 to 107.
_M4_HELD_OUT = slice(100, 108)


def load_series(name: str) -> pd.DataFrame:
    """Load the part of a real data set that the benchmark uses.

    Parameters
    ----------
    name : {"exchange-rate", "national-illness", "m4-hourly"}, or one with "-held-out" after it
        The last 1500 days of four currencies; 966 weeks of four series of the illness data; eight
        of the hourly M4 series of full length, 1008 hours. Held out are the other four
        currencies, the other three illness series, and eight other hourly series.

    Returns
    -------
    DataFrame of shape (n_timesteps, n_variables)
        With an integer index.

    Raises
    ------
    DatasetNotFoundError
        If the folder or the file is not there (a ``ValueError``).
    ValueError
        If the file cannot be read or lacks an array.
    """
    source = name.removesuffix("-held-out")
    held_out = source != name
    if source not in _FILES:
        raise DatasetNotFoundError(f"Unknown series {name!r}; known: {', '.join(_FILES)}.")
    root = os.environ.get(DATA_VARIABLE)
    file = Path(root or "").expanduser() / "forecasting" / _FILES[source]
    if not root or not file.is_file():
        raise DatasetNotFoundError(
            f"The series {name!r} is not here: {DATA_VARIABLE} must name a folder that holds "
            f"forecasting/{_FILES[source]} (arrays: see docs/forecasting.md)."
        )
    if source == "m4-hourly":
        arrays = read_npz(file, ("train", "test"))
        whole = np.isfinite(arrays["train"]).all(axis=1)
        both = np.concatenate([arrays["train"], arrays["test"]], axis=1)[whole]
        values = (both[_M4_HELD_OUT] if held_out else both[::30][:8]).T
    else:
        every = read_npz(file, ("values",))["values"]
        if source == "national-illness":
            rest = [i for i in range(every.shape[1]) if i not in _ILLNESS]
            values = every[:, rest if held_out else list(_ILLNESS)]
        else:
            values = every[-1500:, slice(4, 8) if held_out else slice(0, 4)]
    columns = [f"v{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values.astype(float), columns=columns)
