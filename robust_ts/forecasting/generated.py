"""A trigger made by a network against a surrogate forecaster, after BackTime."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_ts.forecasting.attacks import StaticTrigger
from robust_ts.training import isolated_rng

#: Steps before the trigger that the generator sees, and weight of the size of its triggers: the
#: values of the released code.
CONTEXT, SIZE_WEIGHT = 6, 0.05


class GeneratedTrigger(StaticTrigger):
    """A trigger that fits its surroundings, generated against a surrogate forecaster.

    Like BackTime: the trigger starts from the last value before it and stays within
    ``trigger_amplitude`` standard deviations of it, one half a constant, the other made by a
    network from the six steps before; the target pattern is put on the value before the
    trigger; it is planted where a forecaster trained on the clean series errs most (of the
    hardest places twice as many as needed, a random half); surrogate and generator are trained
    in turn, the surrogate on the poisoned series, the generator so that the surrogate forecasts
    the target, with a penalty on the size of the trigger.

    Unlike it: the generator is one perceptron shared by the variables, without the graph network
    over variables, so the trigger of a variable does not see the others; the surrogate is a
    perceptron over windows of one variable instead of FEDformer, Autoformer or TimesNet; there
    are three rounds instead of an epoch by epoch alternation, and the attacked variables are
    chosen by the caller.

    Parameters
    ----------
    trigger_length, target, trigger_amplitude, target_amplitude, content, random_state
        As in :class:`StaticTrigger`.
    lookback : int, default=24
        Steps that the surrogate looks back on.
    n_rounds : int, default=3
        Rounds of surrogate and generator.
    n_steps : int, default=150
        Steps of each of them in a round.

    Attributes
    ----------
    scale_, trigger_, target_
        As in :class:`StaticTrigger`; ``trigger_`` is the constant half.
    generator_ : nn.Module
        Makes the other half from the steps before.

    References
    ----------
    Lin, Liu, Fu, Qiu and Tong, "BackTime: Backdoor Attacks on Multivariate Time Series
    Forecasting", NeurIPS 2024.

    Examples
    --------
    >>> from robust_ts.forecasting import GeneratedTrigger, poison_series
    >>> from sktime.datasets import load_airline
    >>> trigger = GeneratedTrigger(n_rounds=1, n_steps=5, random_state=0)
    >>> data = poison_series(load_airline(), trigger, rate=0.2, random_state=0)
    >>> len(data.stretches)
    3
    """

    def __init__(
        self,
        trigger_length: int = 4,
        target: Any = "cone",
        trigger_amplitude: float = 0.2,
        target_amplitude: float = 1.0,
        content: str = "replace",
        lookback: int = 24,
        n_rounds: int = 3,
        n_steps: int = 150,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            trigger_length, target, trigger_amplitude, target_amplitude, content, random_state
        )
        self.lookback = lookback
        self.n_rounds = n_rounds
        self.n_steps = n_steps

    @property
    def context(self) -> int:
        """Steps before a trigger that it needs to know."""
        return CONTEXT

    def _fit_values(self, values: np.ndarray, rng: np.random.RandomState) -> None:
        m, horizon = int(self.trigger_length), len(self.target_)
        lookback = int(min(self.lookback, max(m + CONTEXT, len(values) // 3)))
        if len(values) < lookback + horizon + 2:
            raise ValueError(
                f"GeneratedTrigger needs {lookback + horizon + 2} steps to train on, got "
                f"{len(values)}."
            )
        with isolated_rng(int(rng.randint(2**31)), torch.device("cpu")) as draws:
            self.generator_ = _Generator(m, self.trigger_amplitude)
            surrogate = _perceptron(lookback, horizon)
            scaled = torch.from_numpy(((values - values.mean(axis=0)) / self.scale_).T).float()
            windows = scaled.unfold(1, lookback + horizon, 1)
            past, future = windows.reshape(-1, lookback + horizon).split([lookback, horizon], 1)
            target = torch.from_numpy((self.target_ / self.scale_).T).float()
            target = target.repeat_interleave(windows.shape[1], dim=0)

            def forecast_loss(rows: Tensor, planted: Tensor) -> Tensor:
                seen, ahead, anchor = past[rows].clone(), future[rows].clone(), past[rows, -m - 1]
                with torch.no_grad():
                    trigger = self.generator_(seen[:, :-m])
                if self.content == "replace":
                    bad = torch.cat([seen[:, :-m], anchor[:, None] + trigger], 1)
                    wanted = anchor[:, None] + target[rows]
                else:
                    bad = torch.cat([seen[:, :-m], seen[:, -m:] + trigger], 1)
                    wanted = ahead + target[rows]
                seen = torch.where(planted[:, None], bad, seen)
                ahead = torch.where(planted[:, None], wanted, ahead)
                return F.smooth_l1_loss(_forecast(surrogate, seen), ahead)

            def attack_loss(rows: Tensor, planted: Tensor) -> Tensor:
                seen, anchor = past[rows], past[rows, -m - 1 :][:, :1]
                trigger = self.generator_(seen[:, :-m])
                base = anchor if self.content == "replace" else seen[:, -m:]
                bad = torch.cat([seen[:, :-m], base + trigger], 1)
                forecast = _forecast(surrogate, bad)
                wanted = (anchor if self.content == "replace" else future[rows]) + target[rows]
                return F.mse_loss(forecast, wanted) + SIZE_WEIGHT * trigger.abs().mean()

            def batches(share: float) -> Iterable[tuple[Tensor, Tensor]]:
                for _ in range(self.n_steps):
                    rows = torch.randint(len(past), (64,), generator=draws)
                    yield rows, torch.rand(64, generator=draws) < share

            _minimize(surrogate, forecast_loss, batches(0.0), 1e-3)
            self._difficulty = _difficulty(surrogate, past, future, windows.shape[1])
            self._lookback = lookback
            for _ in range(self.n_rounds):
                _minimize(surrogate, forecast_loss, batches(0.2), 1e-3)
                _minimize(self.generator_, attack_loss, batches(1.0), 5e-3)
        constant = torch.tanh(self.generator_.constant).detach().numpy()
        half = 0.5 * self.trigger_amplitude * constant
        self.trigger_ = half[:, None] * self.scale_

    def _trigger_shape(self, before: np.ndarray) -> np.ndarray:
        scaled = torch.from_numpy((before[-CONTEXT:] / self.scale_).T.copy()).float()
        with torch.no_grad():
            shape = self.generator_(scaled).numpy().T
        return shape.astype(float) * self.scale_

    def preference(self, values: np.ndarray) -> np.ndarray | None:
        """Score each first step by the error of the clean surrogate around it."""
        if len(values) != len(self._difficulty) + self._lookback:
            return None  # another series than the one it was fitted on
        return np.concatenate([np.zeros(self._lookback), self._difficulty])


class _Generator(nn.Module):
    """Half a constant, half made from the steps before; bounded."""

    def __init__(self, length: int, bound: float) -> None:
        super().__init__()
        self.bound = bound
        self.constant = nn.Parameter(torch.empty(length).uniform_(-0.2, 0.2))
        self.made = nn.Sequential(nn.Linear(CONTEXT, 64), nn.ReLU(), nn.Linear(64, length))

    def forward(self, before: Tensor) -> Tensor:
        """Map ``(n, at least CONTEXT)`` steps before to triggers ``(n, length)``."""
        last = before[:, -CONTEXT:]
        made = torch.tanh(self.made(last - last[:, -1:]))
        return 0.5 * self.bound * (torch.tanh(self.constant) + made)


def _perceptron(lookback: int, horizon: int) -> nn.Module:
    return nn.Sequential(nn.Linear(lookback, 64), nn.ReLU(), nn.Linear(64, horizon))


def _forecast(surrogate: nn.Module, past: Tensor) -> Tensor:
    """Forecast relative to the last value, so that level does not matter."""
    return past[:, -1:] + surrogate(past - past[:, -1:])


def _minimize(
    module: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    rate: float,
) -> None:
    """Train surrogate or generator: the attacker's loop, of regressions, not of classes."""
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss(*batch).backward()
        optimizer.step()


def _difficulty(surrogate: nn.Module, past: Tensor, future: Tensor, n_windows: int) -> np.ndarray:
    """Mean error of the surrogate over the variables, for each first step of the future."""
    with torch.no_grad():
        errors = (_forecast(surrogate, past) - future).abs().mean(dim=1)
    by_step = errors.reshape(-1, n_windows).mean(dim=0).numpy()
    # The last steps have no whole future: as easy as the easiest, never preferred.
    return np.concatenate([by_step, np.full(future.shape[1], by_step.min())])[
        : n_windows + future.shape[1]
    ]
