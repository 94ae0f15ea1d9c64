"""What the adapters to other libraries' classifiers share: a constructor and a docstring each."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from robust_ts.classifiers._base import BaseNeuralClassifier

_C = TypeVar("_C", bound=type)


class HoldsEstimator:
    """Mixin of an adapter: the scikit-learn estimator inside does the work.

    A subclass has ``_wrapped``, the class of the estimator, and a function ``_series`` that turns
    the other library's data into the estimator's. Fitted attributes of the estimator
    (``network_``, ``history_``, ``report_``, ...) are this object's too.
    """

    _wrapped: type[BaseNeuralClassifier]

    @staticmethod
    def _series(X: Any) -> Any:
        return X

    def _fit(self, X: Any, y: Any) -> Any:
        parameters = self.get_params(deep=False)
        self.estimator_ = self._wrapped(**parameters).fit(self._series(X), y)
        return self

    def _predict(self, X: Any) -> Any:
        return self.estimator_.predict(self._series(X))

    def _predict_proba(self, X: Any) -> Any:
        return self.estimator_.predict_proba(self._series(X))

    def __getattr__(self, name: str) -> Any:
        """Look for fitted attributes in the scikit-learn estimator."""
        if name.endswith("_") and not name.startswith("_") and "estimator_" in self.__dict__:
            return getattr(self.estimator_, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def adapts(wrapped: type[BaseNeuralClassifier], base: type) -> Callable[[_C], _C]:
    """Give a class the signature and the documented parameters of a scikit-learn estimator.

    Parameters
    ----------
    wrapped : type
        The scikit-learn estimator.
    base : type
        The other library's base class, whose constructor takes no parameters.

    Returns
    -------
    callable
        Decorator of an adapter, whose docstring has ``<parameters>`` where these belong.
    """
    signature = inspect.signature(wrapped.__init__)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        for name, value in list(given.arguments.items())[1:]:
            setattr(self, name, value)
        base.__init__(self)  # type: ignore[misc]

    __init__.__signature__ = signature  # type: ignore[attr-defined]

    def decorate(cls: _C) -> _C:
        documented = (inspect.getdoc(wrapped) or "").split("Parameters\n----------\n")[1]
        parameters = documented.split("\n\nAttributes\n")[0]
        cls.__doc__ = inspect.cleandoc(cls.__doc__ or "").replace("<parameters>", parameters)
        cls.__init__ = __init__  # type: ignore[misc]
        cls._wrapped = wrapped  # type: ignore[attr-defined]
        return cls

    return decorate


def cheap_parameters() -> list[dict[str, Any]]:
    """Parameters of cheap instances, for the other library's checks."""
    cnn = {"filters": (4, 4), "kernels": (5, 3)}
    inception = {"depth": 2, "filters": 2, "bottleneck": 2, "kernels": (5, 3)}
    return [
        {"backbone": "cnn", "backbone_params": cnn, "epochs": 2},
        {
            "backbone": "inception",
            "backbone_params": inception,
            "epochs": 1,
            "batch_size": 16,
            "class_weight": "balanced",
        },
    ]
