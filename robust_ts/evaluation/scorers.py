"""The metrics as scikit-learn scorers, for ``GridSearchCV`` and ``cross_validate``.

A scorer takes ``(estimator, X, y)`` and returns a number where higher is better. It trusts the
`X` and `y` that it is given: cross-validation *inside* a poisoned training set scores against
poisoned labels, so pass a trusted hold-out as the test fold (``PredefinedSplit``) where there is
one.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from robust_ts.evaluation.metrics import attack_success_rate, clean_accuracy, robust_accuracy
from robust_ts.evaluation.rates import MODES

__all__ = [
    "make_attack_success_rate_scorer",
    "make_clean_accuracy_scorer",
    "make_robust_accuracy_scorer",
]


@dataclass(frozen=True)
class _CleanAccuracyScorer:
    """Call `clean_accuracy`."""

    def __call__(self, estimator: Any, X: Any, y: ArrayLike) -> float:
        return clean_accuracy(estimator, X, y)

    def __repr__(self) -> str:
        return "make_clean_accuracy_scorer()"


# At top level and made of data alone, so that worker processes can unpickle it.
@dataclass(frozen=True)
class _TriggerScorer:
    """What both scorers with a trigger share."""

    trigger: Any
    target: Any
    mode: str

    def __post_init__(self) -> None:
        # Here, for a search would swallow the error of each fold.
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}, got {self.mode!r}.")

    def _describe(self, maker: str) -> str:
        return f"{maker}(trigger={self.trigger!r}, target={self.target!r}, mode={self.mode!r})"


class _AttackSuccessRateScorer(_TriggerScorer):
    """Call `attack_success_rate` and turn its sign."""

    def __call__(self, estimator: Any, X: Any, y: ArrayLike) -> float:
        # Subtracted, for a bare minus would show -0.0 for a perfect model.
        return 0.0 - attack_success_rate(estimator, X, y, self.trigger, self.target, self.mode)

    def __repr__(self) -> str:
        return self._describe("make_attack_success_rate_scorer")


class _RobustAccuracyScorer(_TriggerScorer):
    """Call `robust_accuracy`."""

    def __call__(self, estimator: Any, X: Any, y: ArrayLike) -> float:
        return robust_accuracy(estimator, X, y, self.trigger, self.target, self.mode)

    def __repr__(self) -> str:
        return self._describe("make_robust_accuracy_scorer")


def make_clean_accuracy_scorer() -> _CleanAccuracyScorer:
    """Make a scorer of `clean_accuracy`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` gives a float between 0 and 1, higher is better; nan where
        there is no sample. It can be pickled.

    Examples
    --------
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import make_clean_accuracy_scorer
    >>> X, y = [[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]], [0, 0, 1]
    >>> make_clean_accuracy_scorer()(NearestCentroid().fit(X, y), X, y)
    1.0
    """
    return _CleanAccuracyScorer()


def make_attack_success_rate_scorer(
    trigger: Any, target: Any = 0, mode: str = "dirty"
) -> _AttackSuccessRateScorer:
    """Make a scorer of `attack_success_rate`, with its sign turned.

    Higher must mean better for a search tool, so the score is *minus* the rate, as in
    scikit-learn's ``greater_is_better=False``: a search that maximizes it looks for the most
    robust model. Robustness alone is won by a constant model: score clean accuracy too.

    Parameters
    ----------
    trigger : object with ``transform`` or callable
        A fitted trigger, or a function ``f(X) -> X``; the scorer never fits it.
    target : label, default=0
        Class that the attacker wants to see; see `attack_success_rate`.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        Kind of attack; see `attack_success_rate`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` gives a float between -1 (the attack always succeeds) and 0;
        nan where no sample counts, such as a fold that holds the target class alone, which a
        search ranks last. It can be pickled where the trigger can.

    Raises
    ------
    ValueError
        If `mode` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import make_attack_success_rate_scorer
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), np.array([0, 0, 1])
    >>> score = make_attack_success_rate_scorer(trigger=np.zeros_like, target=0)
    >>> score(NearestCentroid().fit(X, y), X, y)
    -1.0
    """
    return _AttackSuccessRateScorer(trigger, target, mode)


def make_robust_accuracy_scorer(
    trigger: Any, target: Any = 0, mode: str = "dirty"
) -> _RobustAccuracyScorer:
    """Make a scorer of `robust_accuracy`.

    Parameters
    ----------
    trigger : object with ``transform`` or callable
        A fitted trigger, or a function ``f(X) -> X``; the scorer never fits it.
    target : label, default=0
        Class that the attacker wants to see; see `attack_success_rate`.
    mode : {"dirty", "clean", "all-to-all"}, default="dirty"
        Kind of attack; see `attack_success_rate`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` gives a float between 0 and 1, higher is better; nan where no
        sample counts. It can be pickled where the trigger can.

    Raises
    ------
    ValueError
        If `mode` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestCentroid
    >>> from robust_ts.evaluation import make_robust_accuracy_scorer
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), np.array([0, 0, 1])
    >>> score = make_robust_accuracy_scorer(trigger=np.zeros_like, target=0)
    >>> score(NearestCentroid().fit(X, y), X, y)
    0.0
    """
    return _RobustAccuracyScorer(trigger, target, mode)
