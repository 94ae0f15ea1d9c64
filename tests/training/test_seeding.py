"""One seed in, independent streams out, the global state left alone."""

import numpy as np
import pytest
import torch

from robust_ts.training import derive_seeds, isolated_rng

CPU = torch.device("cpu")


def test_the_global_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with isolated_rng(1, CPU) as generator:
        torch.rand(7)
        torch.rand(7, generator=generator)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_global_state_is_restored_after_an_error():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    def interrupted():
        with isolated_rng(1, CPU):
            torch.rand(7)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(torch.rand(3), expected)


def draw(seed):
    with isolated_rng(seed, CPU) as generator:
        return torch.rand(4), torch.randperm(50, generator=generator)


def test_a_seed_gives_the_same_stream_whatever_went_before():
    first = draw(3)
    torch.rand(11)
    second = draw(3)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, draw(4), strict=True))


def test_derived_seeds_repeat_and_differ():
    assert derive_seeds(7, 3) == derive_seeds(7, 3)
    assert len({*derive_seeds(7, 3), *derive_seeds(8, 3)}) == 6


def test_zero_is_a_seed_like_any_other():
    assert derive_seeds(0, 3) == derive_seeds(0, 3)
    derive_seeds(None, 1)  # draws from the global state, which a seed does not
    assert derive_seeds(0, 3) != derive_seeds(None, 3)
    assert derive_seeds(None, 3) != derive_seeds(None, 3)


def test_a_random_state_moves_on():
    state = np.random.RandomState(0)
    assert derive_seeds(state, 2) != derive_seeds(state, 2)
    assert derive_seeds(np.random.RandomState(0), 2) == derive_seeds(0, 2)


@pytest.mark.parametrize("bad", ["a", -1, 1.5])
def test_no_seed_is_an_error(bad):
    with pytest.raises(ValueError, match=r"[Ss]eed"):
        derive_seeds(bad, 1)


def test_no_card_that_nobody_restores_is_reseeded(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.mps, "manual_seed", seeded.append)
    with isolated_rng(3, CPU):
        first = torch.rand(2)
    assert not seeded
    assert torch.equal(first, torch.rand(2, generator=torch.Generator().manual_seed(3)))


@pytest.mark.gpu
def test_the_state_of_the_card_is_left_alone():
    card = torch.device("cuda")
    before = torch.cuda.get_rng_state(card)
    draws = []
    for seed in (1, 1, 2):
        with isolated_rng(seed, card):
            draws.append(torch.rand(3, device=card))
    assert torch.equal(torch.cuda.get_rng_state(card), before)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
