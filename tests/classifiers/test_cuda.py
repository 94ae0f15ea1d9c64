"""What only a card can show; the same code runs on the CPU in all other tests."""

import pickle

import numpy as np
import pytest
import torch

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.attacks import PatchTrigger, poison
from robust_ts.training import Augment, Samples, Schedule, Trainer

pytestmark = pytest.mark.gpu
CARD = torch.device("cuda")
SMALL = {"backbone_params": {"filters": (8, 16, 8)}, "epochs": 20, "learning_rate": 1e-2}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_fit_on_a_card_learns_what_one_on_the_cpu_learns(make_waves, precision):
    X, y = make_waves(120, n_channels=2)
    for device in ("cpu", "cuda"):
        clf = NeuralClassifier(
            "cnn", **SMALL, device=device, precision=precision, random_state=0
        ).fit(X[:90], y[:90])
        assert clf.device_.type == device
        assert clf.score(X[90:], y[90:]) > 0.8


def test_a_model_of_a_card_is_stored_for_any_machine(make_waves):
    X, y = make_waves(60)
    clf = NeuralClassifier("cnn", **SMALL, device="cuda", random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(clf))
    assert {p.device.type for p in clf.network_.parameters()} == {"cuda"}
    assert {p.device.type for p in loaded.network_.parameters()} == {loaded.device_.type}
    np.testing.assert_allclose(loaded.predict_proba(X), clf.predict_proba(X), atol=1e-6)


def test_samples_on_the_card_and_those_that_are_fetched_are_the_same(monkeypatch):
    X = np.random.default_rng(0).normal(size=(20, 2, 9)).astype(np.float32)
    indices = torch.randperm(20).to(CARD).split(6)
    resident = [x.cpu() for x in Samples(X, CARD).batches(indices)]
    monkeypatch.setattr("robust_ts.training.samples.RESIDENT_SHARE", 0.0)
    fetched = [x.cpu() for x in Samples(X, CARD).batches(indices)]
    for one, other in zip(resident, fetched, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kinds", [None, "crop+flip+cutout"])
def test_no_step_waits_for_the_card(monkeypatch, kinds):
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3)
    )
    trainer = Trainer(
        network,
        torch.randn(64, 3, 8, 8),
        torch.arange(64) % 3,
        Schedule(2, 16, 1e-3, 1e-4),
        generator=generator,
        device=CARD,
        dtype=torch.bfloat16,
        augment=kinds and Augment(kinds, torch.zeros(3), generator),
    )
    trainer.run(1)  # what is set up once may wait
    step = trainer._step

    def watched(*given):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(*given)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(trainer, "_step", watched)
    trainer.run()


def test_poison_is_found_on_a_card(make_waves):
    X, y = make_waves(240, n_channels=2)
    data = poison(X, y, PatchTrigger(random_state=0), target=0, rate=0.1, random_state=0)
    clf = E2ABLClassifier("cnn", **SMALL, device="cuda", random_state=0).fit(data.X, data.y)
    assert (clf.report_.is_poisoned == data.mask).mean() > 0.95
