"""Epochs, batches and learning rates."""

import math

import pytest

from robust_ts.training import Schedule
from robust_ts.training.loop import MAX_EPOCHS, MIN_EPOCHS, TARGET_STEPS, n_batches


def resolve(n, epochs=None, batch_size=None):
    return Schedule.resolve(n, epochs, batch_size, 1e-3, 1e-4)


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs", "least", "most"),
    [
        (40, 8, 100, 500, 500),  # capped: 100 passes of 5 steps
        (270, 33, 100, 900, 1000),  # JapaneseVowels: 9 steps a pass
        (2_000, 64, 32, 1000, 1100),
        (40_000, 64, 20, 12_500, 12_500),  # 20 passes at least
    ],
)
def test_automatic_epochs_and_batches(n, batch_size, epochs, least, most):
    schedule = resolve(n)
    assert (schedule.batch_size, schedule.epochs) == (batch_size, epochs)
    assert least <= epochs * n_batches(n, batch_size) <= most
    assert MIN_EPOCHS <= epochs <= MAX_EPOCHS
    assert TARGET_STEPS == 1000


def test_what_the_user_gives_is_kept():
    schedule = Schedule.resolve(40, 7, 5, 0.3, 0.2)
    assert schedule == Schedule(7, 5, 0.3, 0.2)


def test_one_cycle_rises_to_the_peak_and_falls_to_nearly_nothing():
    schedule = Schedule(10, 8, 0.5, 0.0)
    assert schedule.rate(0) == pytest.approx(0.5 / 25)
    assert schedule.rate(0.3) == pytest.approx(0.5)
    assert schedule.rate(1) == pytest.approx(0.5 / 25e4)
    rates = [schedule.rate(i / 100) for i in range(101)]
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert max(rates) == pytest.approx(0.5)


def test_one_cycle_equals_that_of_torch():
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=101)
    schedule = Schedule(1, 1, 0.1, 0.0)
    for step in range(101):
        # torch puts the peak at step 29.3 of 100, half a step off ours at most
        assert theirs.get_last_lr()[0] == pytest.approx(schedule.rate(step / 100), abs=4e-3)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("n", [*range(2, 70), 270, 40_001])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8, 64])
def test_no_batch_is_of_one_sample_and_batches_are_equal(n, batch_size):
    import torch

    sizes = [len(b) for b in torch.arange(n).tensor_split(n_batches(n, batch_size))]
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == n
    assert max(sizes) <= max(batch_size, 3)


def test_number_of_batches():
    assert n_batches(64, 64) == 1
    assert n_batches(65, 64) == 2
    assert n_batches(1, 8) == 1
    assert n_batches(100, 8) == math.ceil(100 / 8)
