"""Clean-label poison whose content is first made hard to learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from robust_ts.attacks._base import RandomState
from robust_ts.attacks._checks import check_count, check_positive
from robust_ts.attacks.images.patterns import BadNetsTrigger

# One step of the perturbation in units of epsilon / steps: enough to reach the bound and turn.
_STEP = 2.5
_BATCH = 256


class LabelConsistentTrigger(BadNetsTrigger):
    """Perturb training images against a surrogate model, then stamp the corner.

    For ``poison(..., mode="clean")``: images of the target class keep their label, but their
    content is first made hard to recognize by projected gradient ascent on the loss of a
    surrogate, so that a model learns the corner in its place. `transform`, which is for test
    images, stamps the corner alone; `transform_training`, which `poison` uses, does both.

    For clean-label poison **without** the perturbation use `BadNetsTrigger` in the same mode.

    Parameters
    ----------
    size, pattern, position
        As in `BadNetsTrigger`.
    epsilon : float, default=0.125
        Largest change of a pixel by the perturbation, > 0, as a share of the range of values;
        0.125 is about 32 of 255, the largest of the paper.
    steps : int, default=20
        Steps of the gradient ascent, >= 1.
    surrogate : NeuralClassifier, default=None
        The model that is attacked. One that is fitted is used as it is; one that is not is cloned
        and fitted on the X and y given to `fit`. None is ``NeuralClassifier("image_cnn")``.
    random_state : int, RandomState instance or None, default=None
        Seed of the surrogate where that is None; nothing else is drawn.

    Attributes
    ----------
    surrogate_ : NeuralClassifier
        The fitted surrogate.
    pattern_, low_, high_, image_shape_, n_features_in_
        See `BadNetsTrigger`.

    References
    ----------
    .. [1] Turner, Tsipras, Madry, "Label-Consistent Backdoor Attacks", 2019. There with 100 steps
       and an adversarially trained surrogate, or interpolation by a GAN in place of both.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from robust_ts import NeuralClassifier
    >>> from robust_ts.attacks import LabelConsistentTrigger, poison
    >>> X, y = load_digits(return_X_y=True)
    >>> images, y = X[:100].reshape(-1, 8, 8), y[:100]
    >>> surrogate = NeuralClassifier("image_cnn", backbone_params={"filters": (8, 8)}, epochs=2,
    ...                              random_state=0)
    >>> trigger = LabelConsistentTrigger(surrogate=surrogate).fit(images, y)
    >>> poison(images, y, trigger, target=0, rate=0.05, mode="clean", random_state=0)
    PoisonedData(n_samples=100, n_poisoned=5)
    """

    def __init__(
        self,
        size: int = 3,
        pattern: str = "checkerboard",
        position: str = "bottom-right",
        epsilon: float = 0.125,
        steps: int = 20,
        surrogate: Any = None,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(size, pattern, position, random_state)
        self.epsilon = epsilon
        self.steps = steps
        self.surrogate = surrogate

    def _learn(self, samples: np.ndarray, y: Any, where: str) -> None:
        super()._learn(samples, y, where)
        self.epsilon_ = check_positive(self, "epsilon", upper=1)
        self.steps_ = check_count(self, "steps")
        self.surrogate_ = self._fitted_surrogate(samples, y, where)

    def _fitted_surrogate(self, samples: np.ndarray, y: Any, where: str) -> Any:
        # Here, for the other triggers need no torch.
        from robust_ts.classifiers._base import BaseNeuralClassifier
        from robust_ts.classifiers.neural import NeuralClassifier

        surrogate = self.surrogate
        if surrogate is None:
            surrogate = NeuralClassifier("image_cnn", random_state=self.random_state)
        if not isinstance(surrogate, BaseNeuralClassifier):
            raise ValueError(
                "LabelConsistentTrigger: surrogate must be a classifier of this library, whose "
                f"gradients are there, got {type(surrogate).__name__}."
            )
        try:
            check_is_fitted(surrogate)
        except NotFittedError:
            if y is None:
                raise ValueError(
                    f"{where}: the surrogate is not fitted. Pass the labels, fit(X, y), or a "
                    "surrogate that is fitted."
                ) from None
            return clone(surrogate).fit(samples, y)
        self._check_surrogate_shape(surrogate, samples.shape[1:])
        return surrogate

    def _check_surrogate_shape(self, surrogate: Any, shape: tuple[int, ...]) -> None:
        if tuple(surrogate.input_shape_) != shape:
            raise ValueError(
                f"LabelConsistentTrigger: the surrogate was fitted on images of shape "
                f"{tuple(surrogate.input_shape_)}, but X has {shape} (channels, height, width)."
            )

    def transform_training(self, X: Any, y: Any) -> np.ndarray:
        """Return a copy of training images, perturbed and stamped.

        Parameters
        ----------
        X : array-like
            Images as in `fit`.
        y : array-like of shape (n_samples,)
            Their labels, from which the perturbation leads away; classes of the surrogate.

        Returns
        -------
        X_triggered : ndarray
            New array of the shape and dtype of X, within its range of values.
        """
        check_is_fitted(self)
        where = f"{type(self).__name__}.transform_training"
        X = self._check(X, where)
        samples = self._with_channels(X)
        self._check_like_fit(samples, where)
        y = np.asarray(y)
        unknown = np.setdiff1d(y, self.surrogate_.classes_)
        if len(unknown):
            raise ValueError(
                f"{where}: the surrogate knows no class {unknown.tolist()[0]!r}; its classes are "
                f"{self.surrogate_.classes_.tolist()[:10]}. Fit it on data that have it."
            )
        perturbed = np.empty(samples.shape, dtype=np.float32)
        codes = np.searchsorted(self.surrogate_.classes_, y)
        for start in range(0, len(X), _BATCH):
            part = slice(start, start + _BATCH)
            perturbed[part] = self._ascend(samples[part], codes[part])
        plain = np.rint(perturbed) if self.is_uint8_ else perturbed
        return self.transform(plain.astype(X.dtype).reshape(X.shape))

    def _ascend(self, images: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Climb the surrogate's loss within epsilon of the images and within their range."""
        import torch
        import torch.nn.functional as F

        network, device = self.surrogate_._main_network(), self.surrogate_.device_
        start = torch.from_numpy(images.astype(np.float32)).to(device)
        target = torch.from_numpy(codes).to(device)
        bound = self.epsilon_ * self._range
        low = torch.clamp(start - bound, min=self.low_)
        high = torch.clamp(start + bound, max=self.high_)
        moved = start.clone()
        for _ in range(self.steps_):
            moved.requires_grad_(True)
            loss = F.cross_entropy(network(moved).float(), target, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, moved)
            step = _STEP * bound / self.steps_ * gradient.sign()
            moved = torch.minimum(torch.maximum(moved.detach() + step, low), high)
        return moved.cpu().numpy()
