"""What every classifier here shares: parameters, validation, fitting safely, prediction."""

import copy
import inspect
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted
from torch import nn

from robust_ts.classifiers._job import FitJob
from robust_ts.inputs import (
    TrainingSet,
    channel_statistics,
    check_prediction_input,
    check_training_set,
    is_padded,
)
from robust_ts.networks import NetworkSpec, check_backbone, space_axes_of
from robust_ts.training import (
    History,
    Samples,
    Schedule,
    Team,
    check_augment,
    current_team,
    derive_seeds,
    predict_batches,
    resolve_device,
    resolve_precision,
)

SHARED_PARAMETERS = """backbone : str, nn.Module, class or factory, default="inception"
        ``"cnn"``, ``"inception"``, ``"resnet"``, ``"tsai:<Architecture>"`` for series;
        ``"image_cnn"``, ``"wide_resnet"``, ``"resnet18"`` for images; or any ``nn.Module``: a
        class or factory ``f(n_channels, n_classes, n_timesteps)``, or an instance, which is
        cloned and never trained in place. One with the attribute ``space_axes = 2`` is for
        images and is called as ``f(n_channels, n_classes, (height, width))``.
    backbone_params : dict, default=None
        Keywords of the backbone, for example ``{"filters": (32, 64, 32)}``.
    backbone_tap : str, default=None
        Layer of a user's module that the auxiliary head of `E2ABLClassifier` reads; chosen where
        None. Built-in networks take none.
    epochs : int, default=None
        Passes over the training set; None adapts to its size (about 1000 steps, between 20
        and 100 passes).
    batch_size : int, default=None
        Samples a step; None takes an eighth of a small set, 64 at most.
    learning_rate : float, default=1e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default=1e-4
        Decoupled weight decay of AdamW.
    augment : str, default=None
        For image networks: random changes of every batch in training, any of ``"crop"`` (shift
        by up to an eighth), ``"flip"`` (left and right) and ``"cutout"`` (blank a square), joined
        by ``+``, such as ``"crop+flip"``.
    class_weight : dict, "balanced" or None, default=None
        Weight of the loss by class, as in scikit-learn.
    device : str, default="auto"
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``; resolved in fit to ``device_``.
    precision : {"auto", "float32", "bf16"}, default="auto"
        ``"auto"`` is bf16 on cards that have it and float32 elsewhere.
    random_state : int, RandomState instance or None, default=None
        Moves the initial weights and the batches. 0 is a seed like any other.
    verbose : int, default=0
        1 shows a progress bar."""

SHARED_ATTRIBUTES = """classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Second axis of X at fit: channels, or for input without a channel axis time steps or
        image height.
    input_shape_ : tuple of int
        ``(n_channels, n_timesteps)`` or ``(n_channels, height, width)`` at fit; of series of
        unequal length, of the longest.
    unequal_length_ : bool
        Whether the series at fit differed in length: then ``predict`` takes any length.
    network_ : nn.Module
        The fitted network, in evaluation mode; it takes raw input and standardizes inside.
    history_ : History
        One record an epoch; ``history_.to_frame()`` gives a DataFrame.
    device_ : torch.device
        Where the network was fitted and predicts."""

_C = TypeVar("_C", bound=type)


def shares_parameters(cls: _C) -> _C:
    """Complete an estimator's signature and docstring with what all of them share.

    So that the shared parameters stand in one place, an estimator lists only its own and
    passes ``**shared`` on; scikit-learn, ``help`` and the docs see the whole signature.
    """
    base = inspect.signature(BaseNeuralClassifier.__init__).parameters
    own = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    if "shared" in own:
        merged = {**base, **{k: p for k, p in own.items() if k != "shared"}}
        cls.__init__.__signature__ = inspect.Signature(list(merged.values()))  # type: ignore[misc]
    if cls.__doc__:
        cls.__doc__ = cls.__doc__.replace("<shared parameters>", SHARED_PARAMETERS).replace(
            "<shared attributes>", SHARED_ATTRIBUTES
        )
    return cls


class BaseNeuralClassifier(ClassifierMixin, BaseEstimator):
    """Base of the classifiers: a subclass implements ``_train``.

    ``_train(job, seeds)`` returns the fitted network and the history, and may set further
    attributes that end in an underscore.
    """

    def __init__(
        self,
        backbone: Any = "inception",
        *,
        backbone_params: dict[str, Any] | None = None,
        backbone_tap: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        augment: str | None = None,
        class_weight: Any = None,
        device: Any = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.backbone_params = backbone_params
        self.backbone_tap = backbone_tap
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.augment = augment
        self.class_weight = class_weight
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Any:
        """Train on ``X`` and ``y``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_channels, n_timesteps)
            Series; finite numbers, never changed. Series of unequal length come as a list of
            arrays of shape (n_channels, n_timesteps_i) or (n_timesteps_i,); the networks
            ignore the padding that brings them together. With an image backbone (n_samples,
            height, width) or (n_samples, n_channels, height, width). An array mapped from a file,
            such as ``numpy.load(path, mmap_mode="r")``, is read batch by batch and never held in
            memory as a whole.
        y : array-like of shape (n_samples,)
            Labels: integers, strings or booleans, of two classes or more.

        Returns
        -------
        self : object
            The fitted estimator. If fit is interrupted or fails, the estimator is as before.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used; the message says what, where and what
            to do.
        """
        before = self.__dict__.copy()
        try:
            job = self._prepare(X, y)
            seeds = derive_seeds(self.random_state, 3)
            network, history = self._train(job, job.team.first(lambda: seeds))
            self.network_ = network.eval()
            self.history_ = history
            self.classes_ = job.data.classes
            self.input_shape_ = tuple(job.data.X.shape[1:])
            self.unequal_length_ = job.spec.padded
            self.device_ = job.device
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _train(self, job: FitJob, seeds: list[int]) -> tuple[nn.Module, History]:
        raise NotImplementedError

    def _prepare(self, X: Any, y: Any) -> FitJob:
        self._check_parameters()
        team = current_team(resolve_device(self.device))
        device = team.device(resolve_device(self.device))
        data = check_training_set(self, X, y, space_axes=space_axes_of(self.backbone))
        _check_team(team, data)
        mean, scale = (torch.from_numpy(a) for a in channel_statistics(data.X))
        weight = None
        if self.class_weight is not None:
            labels = data.classes[data.y]
            values = compute_class_weight(self.class_weight, classes=data.classes, y=labels)
            weight = torch.as_tensor(values, dtype=torch.float32, device=device)
        return FitJob(
            data=data,
            spec=self._network_spec(data.X.shape[1:], len(data.classes), is_padded(data.X)),
            schedule=Schedule.resolve(
                len(data.y), self.epochs, self.batch_size, self.learning_rate, self.weight_decay
            ),
            X=Samples(data.X, device),
            y=torch.from_numpy(data.y).to(device),
            mean=mean,
            scale=scale,
            class_weight=weight,
            device=device,
            dtype=resolve_precision(self.precision, device),
            progress=bool(self.verbose),
            augment=self.augment,
            team=team,
        )

    def _network_spec(
        self, input_shape: Sequence[int], n_classes: int, padded: bool = False
    ) -> NetworkSpec:
        """Say what determines the networks for samples of shape ``(n_channels, *space)``."""
        return NetworkSpec(
            self.backbone,
            input_shape[0],
            n_classes,
            tuple(input_shape[1:]),
            dict(self.backbone_params or {}),
            self.backbone_tap,
            padded=padded,
        )

    def _check_parameters(self) -> None:
        check_backbone(self.backbone, self.backbone_params)
        check_augment(self.augment, space_axes_of(self.backbone))
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            ok = value is None or (isinstance(value, (int, np.integer)) and value >= 1)
            if not ok or isinstance(value, bool):
                raise ValueError(f"{name} must be None or an integer of at least 1, got {value!r}.")
        for name, low in (("learning_rate", "> 0"), ("weight_decay", ">= 0")):
            value = getattr(self, name)
            if not is_number(value) or value < 0 or (low == "> 0" and value == 0):
                raise ValueError(f"{name} must be a number {low}, got {value!r}.")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of the shape used in fit
            Series or images. After a fit on series of unequal length: of any length, shorter or
            longer than any at fit.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; rows sum to 1.
        """
        check_is_fitted(self)
        X = check_prediction_input(
            self,
            X,
            self.input_shape_,
            space_axes=len(self.input_shape_) - 1,
            any_length=self.unequal_length_,
        )
        network = self._main_network().to(self.device_).eval()
        dtype = resolve_precision(self.precision, self.device_)
        logits = predict_batches(network, X, device=self.device_, dtype=dtype)
        # In float64, so that a row's probabilities do not depend on its batch beyond 1e-7.
        return softmax(logits, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of the shape used in fit
            Series or images. After a fit on series of unequal length: of any length, shorter or
            longer than any at fit.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels from ``classes_``.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _main_network(self) -> nn.Module:
        return self.network_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = space_axes_of(self.backbone) == 1
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Give a state that loads anywhere: the network is stored on the CPU."""
        state: dict[str, Any] = super().__getstate__()
        if "network_" in state and state["device_"].type != "cpu":
            state = {**state, "network_": copy.deepcopy(state["network_"]).cpu()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore on the fitted device where it is there, on the CPU elsewhere."""
        super().__setstate__(state)
        if "device_" in self.__dict__:
            try:
                self.device_ = resolve_device(self.device_)
            except ValueError:
                self.device_ = torch.device("cpu")
            self.network_.to(self.device_)


def _check_team(team: Team, data: TrainingSet) -> None:
    """Refuse other data on one process than on another, which would make them wait forever."""
    if team.size == 1:
        return
    given = team.each((data.X.shape, zlib.crc32(data.y.tobytes())))
    if len(set(given)) > 1:
        shapes = [shape for shape, _ in given]
        raise ValueError(
            f"The {team.size} processes were given different data: X of shapes {shapes}, or other "
            "labels. Give all of them the same; each takes its part of every batch itself. To fit "
            "another estimator on each, fit inside robust_ts.training.one_process()."
        )
    if len(data.y) < 2 * team.size:
        raise ValueError(
            f"X has {len(data.y)} samples, too few for {team.size} processes: each needs two a "
            "batch. Start fewer."
        )


def is_number(value: Any) -> bool:
    """Whether a parameter is a finite real number."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return bool(real and np.isfinite(value))
