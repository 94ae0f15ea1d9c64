"""The forecast distribution as an object of skpro, which sktime's ``predict_proba`` returns.

The only module that needs skpro; it is imported where a distribution is asked for.
"""

from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr
from skpro.distributions.base import BaseDistribution

from robust_ts.forecasting.shapes import mixture_quantile


class NormalMixtures(BaseDistribution):
    """A mixture of normals for each time and variable, each with weights of its own.

    Parameters
    ----------
    weights, means, spreads : array of shape (n_times, n_variables, n_components)
        Probability, mean and standard deviation of each component; of shape (n_components,) for a
        single value.
    index, columns : Index, default=None
        Times and variables; None for a single value.

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts.forecasting.distributions import NormalMixtures
    >>> two = NormalMixtures([0.5, 0.5], [-1.0, 1.0], [0.1, 0.1])
    >>> float(two.mean()), round(float(two.cdf(1.0)), 2)
    (0.0, 0.75)
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["The robust_ts developers"],
        "capabilities:exact": ["mean", "var", "pdf", "log_pdf", "cdf", "ppf"],
        "capabilities:approx": ["pdfnorm", "energy"],
        "distr:measuretype": "continuous",
        "distr:paramtype": "composite",
    }

    def __init__(
        self, weights: Any, means: Any, spreads: Any, index: Any = None, columns: Any = None
    ) -> None:
        self.weights = weights
        self.means = means
        self.spreads = spreads
        super().__init__(index=index, columns=columns)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.asarray(self.weights), np.asarray(self.means), np.asarray(self.spreads)

    def _mean(self) -> np.ndarray:
        weights, means, _ = self._parts()
        return (weights * means).sum(axis=-1)

    def _var(self) -> np.ndarray:
        weights, means, spreads = self._parts()
        around = means - self._mean()[..., None]
        return (weights * (around**2 + spreads**2)).sum(axis=-1)

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        weights, means, spreads = self._parts()
        z = (np.asarray(x)[..., None] - means) / spreads
        height = np.exp(-(z**2) / 2) / (spreads * np.sqrt(2 * np.pi))
        return (weights * height).sum(axis=-1)

    def _log_pdf(self, x: np.ndarray) -> np.ndarray:
        weights, means, spreads = self._parts()
        z = (np.asarray(x)[..., None] - means) / spreads
        with np.errstate(divide="ignore"):  # a component without weight says nothing
            each = np.log(weights) - z**2 / 2 - np.log(spreads * np.sqrt(2 * np.pi))
        return np.logaddexp.reduce(each, axis=-1)

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        weights, means, spreads = self._parts()
        return (weights * ndtr((np.asarray(x)[..., None] - means) / spreads)).sum(axis=-1)

    def _ppf(self, p: np.ndarray) -> np.ndarray:
        return mixture_quantile(*self._parts(), np.asarray(p))

    def _subset_param(
        self, val: Any, rowidx: Any, colidx: Any, coerce_scalar: bool = False
    ) -> np.ndarray:
        """Take rows and columns; the components, the last axis, stay together."""
        part = np.asarray(val)
        if colidx is not None:
            part = part[:, colidx]
        return part if rowidx is None else part[rowidx]

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Give an array and a single value, for skpro's checks."""
        rng = np.random.default_rng(0)
        weights = rng.dirichlet(np.ones(2), size=(3, 2))
        means, spreads = rng.normal(size=(3, 2, 2)), 1 + rng.random((3, 2, 2))
        array = {"weights": weights, "means": means, "spreads": spreads}
        one = {name: value[0, 0] for name, value in array.items()}
        return [{**array, "index": [1, 2, 5], "columns": ["a", "b"]}, one]
