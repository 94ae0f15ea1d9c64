"""The trainer and batched prediction."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robust_ts.training import History, Schedule, Trainer, as_tensor, predict_batches

CPU = torch.device("cpu")
N = 30


def make_trainer(epochs=6, seed=0, batch_size=8, **options):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    data = torch.Generator().manual_seed(1)
    X, y = torch.randn(N, 2, 10, generator=data), torch.arange(N) % 3
    return Trainer(
        network,
        X,
        y,
        Schedule(epochs, batch_size, 3e-2, 1e-4),
        generator=torch.Generator().manual_seed(seed),
        device=CPU,
        **options,
    )


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


def test_training_lowers_the_loss_and_records_every_epoch():
    trainer = make_trainer(epochs=20, stage="trap").run()
    records = trainer.records
    assert [r["epoch"] for r in records] == list(range(1, 21))
    assert {r["stage"] for r in records} == {"trap"}
    assert records[-1]["loss"] < records[0]["loss"] / 2
    assert records[-1]["accuracy"] > 0.9
    assert records[-1]["learning_rate"] < records[5]["learning_rate"]
    assert all(r["n_samples"] == N and r["seconds"] > 0 for r in records)


def test_epochs_can_be_run_in_parts():
    whole = make_trainer().run()
    parts = make_trainer()
    parts.run(2)
    assert len(parts.records) == 2
    assert [r["epoch"] for r in parts.epochs(4)] == [3, 4]
    parts.run(100)
    assert len(parts.records) == 6
    assert list(parts.epochs()) == []
    assert torch.equal(weights(parts), weights(whole))


def test_same_seed_same_weights_and_another_seed_others():
    assert torch.equal(weights(make_trainer().run()), weights(make_trainer().run()))
    assert not torch.equal(weights(make_trainer().run()), weights(make_trainer(seed=1).run()))


def test_batches_are_shuffled_anew_every_epoch():
    trainer = make_trainer(epochs=2)
    seen = []
    trainer.objective = lambda losses, index: seen.append(index.clone()) or losses.mean()
    trainer.run()
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert len(seen) == 8
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(N))
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(N))


def test_a_subset_alone_is_trained_on_and_recorded():
    trainer = make_trainer()
    trainer.subset = torch.tensor([3, 5, 8, 13, 21])
    seen = []
    trainer.objective = lambda losses, index: seen.extend(index.tolist()) or losses.mean()
    trainer.run(1)
    assert sorted(seen) == [3, 5, 8, 13, 21]
    assert trainer.records[0]["n_samples"] == 5
    assert torch.nonzero(~trainer.losses.isnan()).flatten().tolist() == [3, 5, 8, 13, 21]
    trainer.subset = None
    trainer.run(2)
    assert not trainer.losses.isnan().any()


def test_a_loss_that_is_no_number_ends_training_with_a_remedy():
    trainer = make_trainer(epochs=3, stage="auxiliary")
    trainer.run(1)
    with torch.no_grad():
        trainer.network[0].weight.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"in epoch 2 of stage 'auxiliary'.*learning_rate"):
        trainer.run()


def test_losses_are_those_of_each_sample_when_its_batch_was_seen():
    trainer = make_trainer()
    seen = torch.full((N,), float("nan"))

    def objective(losses, index):
        seen[index] = losses.detach()
        return losses.mean()

    trainer.objective = objective
    trainer.run(2)
    assert torch.equal(trainer.losses, seen)
    assert trainer.records[-1]["loss"] == pytest.approx(seen.mean().item(), rel=1e-5)


def test_changed_targets_are_what_is_learned():
    trainer = make_trainer(epochs=30)
    trainer.run(5)
    trainer.targets = (torch.arange(N) + 1) % 3
    trainer.run()
    trainer.network.eval()
    predicted = predict_batches(trainer.network, trainer.X, device=CPU).argmax(1)
    assert (predicted == trainer.targets.numpy()).mean() > 0.9
    expected = F.cross_entropy(trainer.network(trainer.X[:]), trainer.targets, reduction="none")
    torch.testing.assert_close(trainer.evaluate_losses(), expected.detach())


def test_the_objective_is_what_is_minimized():
    trainer = make_trainer(epochs=20)
    before = trainer.evaluate_losses().mean()
    trainer.objective = lambda losses, index: -losses.mean()
    trainer.run()
    assert trainer.evaluate_losses().mean() > before + 1


def test_class_weight_multiplies_the_loss_of_a_class_but_the_losses_kept_are_without_it():
    weight = torch.tensor([1.0, 10.0, 0.0])
    plain = make_trainer(epochs=1, batch_size=N).run()
    weighted = make_trainer(epochs=1, batch_size=N, class_weight=weight)
    given = {}
    weighted.objective = lambda losses, index: (
        given.update(zip(index.tolist(), losses.tolist(), strict=True)) or losses.mean()
    )
    weighted.run()
    assert torch.equal(weighted.losses, plain.losses)  # of one batch, before any step
    torch.testing.assert_close(
        torch.tensor([given[i] for i in range(N)]), plain.losses * weight[plain.targets]
    )
    assert not torch.equal(weights(weighted), weights(plain))


def test_a_class_of_weight_zero_is_not_learned():
    trainer = make_trainer(epochs=40, class_weight=torch.tensor([1.0, 1.0, 0.0])).run()
    trainer.network.eval()
    assert 2 not in predict_batches(trainer.network, trainer.X, device=CPU).argmax(1)


def test_bf16_trains():
    trainer = make_trainer(epochs=20, dtype=torch.bfloat16).run()
    assert trainer.records[-1]["accuracy"] > 0.9
    assert all(p.dtype is torch.float32 for p in trainer.network.parameters())


def test_progress_is_shown_only_when_asked(capsys):
    make_trainer(epochs=1).run()
    assert capsys.readouterr().err == ""
    make_trainer(epochs=1, progress=True, stage="isolation").run()
    assert "isolation" in capsys.readouterr().err


@pytest.mark.parametrize("batch_size", [1, 7, 30, 1000])
def test_prediction_in_batches_equals_that_of_the_whole(batch_size):
    trainer = make_trainer(epochs=1).run()
    network = trainer.network.eval()
    with torch.inference_mode():
        whole = network(trainer.X[:]).double().numpy()
    out = predict_batches(network, trainer.X[:].numpy(), device=CPU, batch_size=batch_size)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, whole, rtol=1e-5, atol=1e-6)


def test_prediction_takes_one_batch_at_a_time_without_gradients():
    sizes = []

    def function(x):
        sizes.append(len(x))
        assert torch.is_inference_mode_enabled()
        return x

    predict_batches(function, np.zeros((70, 3), np.float32), device=CPU, batch_size=32)
    assert sizes == [32, 32, 6]


def test_read_only_and_reversed_arrays_become_tensors():
    X = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.shares_memory(as_tensor(X).numpy(), X)
    locked = X.copy()
    locked.flags.writeable = False
    assert not np.shares_memory(as_tensor(locked).numpy(), locked)
    np.testing.assert_array_equal(as_tensor(X[::-1]).numpy(), X[::-1])


def test_history_is_a_list_that_gives_a_frame():
    history = History(make_trainer(epochs=3).run().records)
    frame = history.to_frame()
    assert len(history) == len(frame) == 3
    assert list(frame["epoch"]) == [1, 2, 3]
    assert {"stage", "loss", "accuracy", "learning_rate", "seconds"} <= set(frame)
