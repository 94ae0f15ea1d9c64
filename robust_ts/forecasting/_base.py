"""What both forecasters share: sktime's contract, windows, prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sktime.forecasting.base import BaseForecaster
from torch import nn

from robust_ts.classifiers._base import BaseNeuralClassifier
from robust_ts.classifiers._job import FitJob, train_plain
from robust_ts.forecasting import frames
from robust_ts.forecasting.network import WindowMLP
from robust_ts.forecasting.shapes import Codebook, Mixture, fit_codebook
from robust_ts.forecasting.windows import Track, Windows, choose_window, cut_windows
from robust_ts.inputs import TrainingSet, channel_statistics
from robust_ts.networks import NetworkSpec
from robust_ts.training import (
    History,
    Samples,
    Schedule,
    derive_seeds,
    predict_batches,
    resolve_device,
    resolve_precision,
)

_PANDAS = ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"]


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves behind, all that a forecast needs.

    Parameters
    ----------
    network : nn.Module
        Scores of the shapes from the channels of a window.
    codebook : Codebook
        The shapes.
    history : History
        One record an epoch.
    tracks : list of Track
        The history that forecasts start from: as given, or with recovered stretches.
    """

    network: nn.Module
    codebook: Codebook
    history: History
    tracks: list[Track]


class BaseShapeForecaster(BaseForecaster):
    """Base of the forecasters: a subclass implements ``_train``.

    ``_train(tracks, seeds)`` returns a :class:`Fitted`, and may set further attributes that end
    in an underscore.
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["The robust_ts developers"],
        "python_dependencies": ["torch", "scikit-learn"],
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "capability:insample": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": True,
        "capability:missing_values": False,
        "capability:categorical_in_X": False,
        "capability:update": True,
        "y_inner_mtype": _PANDAS,
        "X_inner_mtype": _PANDAS,
        "requires-fh-in-fit": True,
        "X-y-must-have-same-index": True,
        "enforce_index_type": None,
        "capability:non_contiguous_X": True,
    }

    def __init__(
        self,
        window_length: int | None = None,
        sp: int = 1,
        n_shapes: int = 32,
        backbone: Any = None,
        backbone_params: dict[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        device: Any = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.window_length = window_length
        self.sp = sp
        self.n_shapes = n_shapes
        self.backbone = backbone
        self.backbone_params = backbone_params
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        super().__init__()

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: Any) -> Any:
        self._check_parameters()
        frames.check_data(y, X)
        self._cur_y, self._cur_X = y, X
        tracks = frames.tracks_of(y, X)
        relative = np.asarray(fh.to_relative(self.cutoff)).astype(int)
        shortest = min(len(track.values) for track in tracks)
        self.spec_ = choose_window(
            self.window_length, int(self.sp), shortest, max(1, int(relative.max()))
        )
        self.window_length_ = self.spec_.lookback
        self.device_ = resolve_device(self.device)
        fitted = self._train(tracks, derive_seeds(self.random_state, 3))
        self.network_ = fitted.network.eval()
        self.codebook_, self.history_ = fitted.codebook, fitted.history
        self._fit_tracks = fitted.tracks
        self._typical = [self.spec_.typical(track.values) for track in fitted.tracks]
        return self

    def _train(self, tracks: list[Track], seeds: list[int]) -> Fitted:
        raise NotImplementedError

    def _train_plain(self, tracks: list[Track], seeds: list[int]) -> Fitted:
        """Train on the history as given: the undefended fit."""
        windows = cut_windows(tracks, self.spec_)
        codebook = fit_codebook(windows.future, self.n_shapes, seeds[1])
        job = self._job(windows, codebook)
        network, history = train_plain(job, seeds[0])
        return Fitted(network, codebook, history, tracks)

    def _check_parameters(self) -> None:
        for name, low in (("sp", 1), ("n_shapes", 2), ("window_length", 1)):
            value = getattr(self, name)
            if name == "window_length" and value is None:
                continue
            ok = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not ok or value < low:
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
        # The training parameters are those of the classifiers, and so are their checks.
        proxy = BaseNeuralClassifier(
            WindowMLP if self.backbone is None else self.backbone,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )
        proxy._check_parameters()

    def _job(self, windows: Windows, codebook: Codebook) -> FitJob:
        """Put windows and their shapes into a job of the library's training loop."""
        labels, n_classes = codebook.assign(windows.future), len(codebook.centers)
        mean, scale = (torch.from_numpy(a) for a in channel_statistics(windows.inputs))
        spec = NetworkSpec(
            WindowMLP if self.backbone is None else self.backbone,
            windows.inputs.shape[1],
            n_classes,
            windows.inputs.shape[2:],
            dict(self.backbone_params or {}),
        )
        return FitJob(
            data=TrainingSet(windows.inputs, labels, np.arange(n_classes)),
            spec=spec,
            schedule=Schedule.resolve(
                len(labels), self.epochs, self.batch_size, self.learning_rate, self.weight_decay
            ),
            X=Samples(windows.inputs, self.device_),
            y=torch.from_numpy(labels).to(self.device_),
            mean=mean,
            scale=scale,
            class_weight=None,
            device=self.device_,
            dtype=resolve_precision(self.precision, self.device_),
            progress=bool(self.verbose),
        )

    def _mixture(self, network: nn.Module, codebook: Codebook, windows: Windows) -> Mixture:
        """Ask a network for the distribution of the futures of some windows."""
        scores = predict_batches(
            network.to(self.device_).eval(),
            windows.inputs,
            device=self.device_,
            dtype=resolve_precision(self.precision, self.device_),
        )
        return Mixture(softmax(scores, axis=1), codebook, windows.naive, windows.scale)

    def _forecast(
        self, fh: Any, X: pd.DataFrame | None
    ) -> tuple[Mixture, np.ndarray, list[pd.Index]]:
        """Forecast every track at ``fh``.

        Returns
        -------
        mixture : Mixture
            Distribution for one window a (track, time), tracks first.
        step : ndarray of shape (n_times,)
            Which step of the window's horizon each time is.
        times : list of Index
            Absolute forecast times of each instance.
        """
        relative = np.asarray(fh.to_relative(self.cutoff)).astype(int)
        if relative.max() > self.spec_.horizon:
            raise ValueError(
                f"fh reaches {relative.max()} steps ahead of the cutoff, the forecaster was fitted "
                f"for {self.spec_.horizon}. Fit it with the longer horizon."
            )
        tracks = self._current_tracks(X)
        # Out of sample all steps share the window that ends at the cutoff; in sample each step is
        # forecast from the window that ends right before it.
        step = np.where(relative > 0, relative - 1, 0)
        known = [len(track.values) for track in tracks]
        origins = [np.where(relative > 0, n, np.maximum(n - 1 + relative, 0)) for n in known]
        windows = cut_windows(tracks, self.spec_, origins, typical=self._typical)
        times = self._times(fh)
        return self._mixture(self.network_, self.codebook_, windows), step, times

    def _times(self, fh: Any) -> list[pd.Index]:
        """Absolute forecast times of each instance, counted from its own end."""
        if not isinstance(self._cur_y.index, pd.MultiIndex):
            return [fh.to_absolute_index(self.cutoff)]
        ends = frames.ends_of(self._cur_y)
        if not fh.is_relative and len({end[0] for end in ends}) > 1:
            raise ValueError(
                "The instances end at different times, so an absolute fh means another number of "
                "steps for each. Use a relative fh, which counts from each instance's own end."
            )
        relative = fh.to_relative(self.cutoff)
        return [relative.to_absolute_index(end) for end in ends]

    def _current_tracks(self, X: pd.DataFrame | None) -> list[Track]:
        """History up to the cutoff, with what was recovered at fit, and all known X."""
        y = self._cur_y
        y = y[y.index.get_level_values(-1) <= self.cutoff[0]]
        known_X = self._cur_X if X is None else _joined(self._cur_X, X)
        tracks = frames.tracks_of(y, known_X if self._cur_X is not None else None)
        out = []
        for track, fitted in zip(tracks, self._fit_tracks, strict=True):
            n = min(len(track.values), len(fitted.values))
            values = np.concatenate([fitted.values[:n], track.values[n:]])
            out.append(track.with_values(values))
        return out

    def _at_steps(self, values: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Pick each time's own step: (n_tracks * n_times, horizon) to (n_tracks, n_times)."""
        n_tracks = len(values) // len(step)
        return values[np.arange(len(values)), np.tile(step, n_tracks)].reshape(n_tracks, len(step))

    def _predict(self, fh: Any, X: pd.DataFrame | None) -> pd.DataFrame:
        mixture, step, times = self._forecast(fh, X)
        values = self._at_steps(mixture.mean(), step)[..., None]
        return frames.as_frame(values, self._cur_y, times, self._cur_y.columns)

    def _predict_quantiles(
        self, fh: Any, X: pd.DataFrame | None, alpha: Sequence[float]
    ) -> pd.DataFrame:
        mixture, step, times = self._forecast(fh, X)
        values = np.stack([self._at_steps(mixture.quantile(a), step) for a in alpha], axis=-1)
        columns = pd.MultiIndex.from_product([self._get_varnames(), alpha])
        return frames.as_frame(values, self._cur_y, times, columns)

    def _predict_var(
        self, fh: Any, X: pd.DataFrame | None = None, cov: bool = False
    ) -> pd.DataFrame:
        mixture, step, times = self._forecast(fh, X)
        values = self._at_steps(mixture.variance(), step)[..., None]
        return frames.as_frame(values, self._cur_y, times, pd.Index(self._get_varnames()))

    @classmethod
    def _has_implementation_of(cls, method: str) -> bool:
        """Say what sktime may build on: without skpro there is no distribution to return."""
        known = method != "_predict_proba" or find_spec("skpro") is not None
        return bool(known and super()._has_implementation_of(method))

    def _predict_proba(self, fh: Any, X: pd.DataFrame | None, marginal: bool = True) -> Any:
        if find_spec("skpro") is None:  # sktime's own normal distribution, with a warning
            return super()._predict_proba(fh=fh, X=X, marginal=marginal)
        from robust_ts.forecasting.distributions import NormalMixtures

        mixture, step, times = self._forecast(fh, X)
        weights, means, spreads = (
            frames.as_table(part, self._cur_y) for part in mixture.at_steps(step)
        )
        index = frames.index_of(self._cur_y, times)
        return NormalMixtures(weights, means, spreads, index, self._get_varnames())

    def _update(
        self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True
    ) -> Any:
        self._cur_y = _joined(self._cur_y, y)
        if X is not None:
            self._cur_X = _joined(self._cur_X, X)
        if update_params:
            self._fit(self._cur_y, self._cur_X, self._fh)
        else:
            frames.check_data(self._cur_y, self._cur_X)
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Give two cheap sets of parameters for sktime's checks."""
        small = {"epochs": 1, "batch_size": 256, "n_shapes": 4, "random_state": 0}
        return [
            {**small, "backbone_params": {"width": 8, "depth": 1}},
            {
                **small,
                "window_length": 4,
                "backbone": "cnn",
                "backbone_params": {"filters": (4, 4), "kernels": (3, 3)},
            },
        ]


def _joined(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Put new rows after, or over, the old ones; instances keep their order."""
    if old is None:
        return new
    missing = [column for column in old if column not in new]
    if missing:
        raise ValueError(f"The new data lack the columns {missing}, which the old ones have.")
    return new.combine_first(old)[list(old.columns)]
