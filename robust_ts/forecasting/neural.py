"""The networks and the loop of this library as a forecaster, without a defense."""

from typing import TypeVar

from robust_ts.forecasting._base import BaseShapeForecaster, Fitted
from robust_ts.forecasting.windows import Track

PARAMETERS = """window_length : int, default=None
        Steps that a forecast looks back on; None takes twice the horizon or twice ``sp``, eight at
        least, and less where the history is short.
    sp : int, default=1
        Steps of a season. With 1 futures are told relative to the last value, above relative to
        the last season.
    n_shapes : int, default=32
        Most shapes of the future, the classes of the network; fewer for short histories.
    backbone : str, nn.Module, class or factory, default=None
        None takes a small perceptron over the window; or whatever the classifiers take:
        ``"cnn"``, ``"inception"``, ``"resnet"``, ``"tsai:<Architecture>"``, an ``nn.Module``.
    backbone_params : dict, default=None
        Keywords of the backbone, for example ``{"width": 64}``.
    epochs : int, default=None
        Passes over the windows; None adapts to their number (about 1000 steps, between 20 and 100
        passes).
    batch_size : int, default=None
        Windows a step; None takes an eighth of a small set, 64 at most.
    learning_rate : float, default=1e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default=1e-2
        Decoupled weight decay of AdamW.
    device : str, default="auto"
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``; resolved in fit to ``device_``.
    precision : {"auto", "float32", "bf16"}, default="auto"
        ``"auto"`` is bf16 on cards that have it and float32 elsewhere.
    random_state : int, RandomState instance or None, default=None
        Moves the initial weights, the batches and the codebook.
    verbose : int, default=0
        1 shows a progress bar."""

ATTRIBUTES = """codebook_ : Codebook
        The shapes of the future: means and spreads, relative to a naive forecast.
    network_ : nn.Module
        The fitted network, in evaluation mode.
    history_ : History
        One record an epoch; ``history_.to_frame()`` gives a DataFrame.
    window_length_ : int
        Steps that a forecast looks back on.
    device_ : torch.device
        Where the network was fitted and predicts."""

_C = TypeVar("_C", bound=type)


def documented(cls: _C) -> _C:
    """Fill what both forecasters share into a docstring, so that it stands in one place."""
    text = (cls.__doc__ or "").replace("<parameters>", PARAMETERS)
    cls.__doc__ = text.replace("<attributes>", ATTRIBUTES)
    return cls


@documented
class NeuralForecaster(BaseShapeForecaster):
    """Probabilistic forecaster without a defense: it learns whatever the history holds.

    One network serves all variables and instances. It sees a window, expressed by the window's
    own level and scale, and says which of a codebook of typical futures will come; these make a
    distribution for each step, whose mean is the forecast. The undefended reference for
    :class:`E2ABLForecaster`, and a fast forecaster for a history that is trusted.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    <attributes>

    Notes
    -----
    Each variable is forecast from its own past, and from exogenous variables, which enter as
    channels: their past and their future over the horizon; where ``predict`` is given less of
    their future, the last known value stands in. In sample, each step is forecast from
    the window right before it; before the first ``window_length_`` steps the first value stands in
    for what is missing.

    Examples
    --------
    >>> from robust_ts.forecasting import NeuralForecaster
    >>> from sktime.datasets import load_airline
    >>> y = load_airline()
    >>> forecaster = NeuralForecaster(sp=12, epochs=30, random_state=0)
    >>> y_pred = forecaster.fit(y, fh=[1, 2, 3]).predict()
    >>> len(y_pred)
    3
    """

    def _train(self, tracks: list[Track], seeds: list[int]) -> Fitted:
        return self._train_plain(tracks, seeds)
