"""The networks and the loop of this library without a defense."""

from torch import nn

from robust_ts.classifiers._base import BaseNeuralClassifier, shares_parameters
from robust_ts.classifiers._job import FitJob, train_plain
from robust_ts.training import History


@shares_parameters
class NeuralClassifier(BaseNeuralClassifier):
    """Time-series classifier without a defense: it learns whatever the data holds.

    The undefended reference for :class:`E2ABLClassifier`, and a fast classifier for data
    that is trusted.

    Parameters
    ----------
    <shared parameters>

    Attributes
    ----------
    <shared attributes>

    Examples
    --------
    >>> import numpy as np
    >>> from robust_ts import NeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 1, 32)); y = np.repeat(["flat", "wave"], 30)
    >>> X[30:] += 2 * np.sin(np.arange(32))
    >>> clf = NeuralClassifier("cnn", backbone_params={"filters": (8, 16, 8)}, epochs=20,
    ...                        random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.9
    True
    """

    def _train(self, job: FitJob, seeds: list[int]) -> tuple[nn.Module, History]:
        return train_plain(job, seeds[0])
