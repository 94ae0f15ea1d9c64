"""Fixtures of all tests: one seed for all global state, small synthetic series."""

import random

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    """Seed every global generator, so that a test does the same alone and in the whole run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def pytest_collection_modifyitems(items):
    """Skip what needs a card where there is none; the same code runs on the CPU in other tests."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA card on this machine"))


@pytest.fixture
def make_waves():
    """Make ``(X, y)``: noisy sines whose frequency is the class, shuffled, float32."""

    def make(n=60, n_channels=1, n_timesteps=24, n_classes=3, noise=0.3, seed=0):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.arange(n) % n_classes)
        time = np.arange(n_timesteps) / n_timesteps
        phase = rng.uniform(0, 1, size=(n, n_channels, 1))
        X = np.sin(2 * np.pi * ((1 + 2 * y)[:, None, None] * time + phase))
        X += noise * rng.normal(size=X.shape)
        return X.astype(np.float32), y

    return make
