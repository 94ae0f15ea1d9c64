"""What is minimized: a scalar of the per-sample losses of a batch."""

from collections.abc import Callable

from torch import Tensor

#: Maps (losses of a batch, its indices into the training set) to the scalar that is minimized.
Objective = Callable[[Tensor, Tensor], Tensor]


def mean_loss(losses: Tensor, index: Tensor) -> Tensor:
    """Average the per-sample losses: the objective of ordinary training."""
    return losses.mean()
