"""Several processes train as one does; `_together` is what each of them runs."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from robust_ts.training.loop import n_batches
from robust_ts.training.team import FabricTeam, Team, current_team, one_process
from tests.training import _together

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Give what two processes found, each of its own."""
    pytest.importorskip("lightning_fabric", reason="needs robust_ts[distributed]")
    folder = tmp_path_factory.mktemp("together")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*launch, "-m", "tests.training._together", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [dict(np.load(folder / f"rank{rank}.npz")) for rank in range(2)]


def test_all_processes_end_with_the_same(ranks):
    first, second = ranks
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    assert "unseeded.probabilities" in first


@pytest.mark.parametrize("name", ["neural", "abl", "e2abl"])
def test_two_processes_find_what_one_finds(name, ranks):
    one = _together.fitted(name, _together.estimators()[name])
    for key, values in one.items():
        np.testing.assert_allclose(ranks[0][key], values, atol=1e-4, err_msg=key)
    if name == "e2abl":
        assert one["e2abl.poisoned"].any()


def test_batch_normalization_sees_parts_and_changes_little(ranks):
    one = _together.fitted("cnn", _together.estimators()["cnn"])
    np.testing.assert_array_equal(ranks[0]["cnn.poisoned"], one["cnn.poisoned"])
    difference = np.abs(ranks[0]["cnn.probabilities"] - one["cnn.probabilities"])
    assert 0 < difference.mean() < 0.05


def test_a_process_that_is_let_alone_fits_as_one_does(ranks):
    one = _together.fitted("alone", _together.estimators()["neural"])
    for found in ranks:
        np.testing.assert_array_equal(found["alone.probabilities"], one["alone.probabilities"])


def test_different_data_are_refused_on_every_process(ranks):
    for found in ranks:
        assert "2 processes were given different data" in str(found["refused"])
        assert "(160, 1, 40), (159, 1, 40)" in str(found["refused"])


# Who is in a team


@pytest.fixture
def launched(monkeypatch):
    """Let this process look as if torchrun had started it."""
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_there_is_no_team():
    assert type(current_team(CPU)) is Team


def test_one_process_alone_is_no_team(launched, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert type(current_team(CPU)) is Team


def test_a_block_can_be_left_out(launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with one_process():
        assert type(current_team(CPU)) is Team
    with pytest.raises(ValueError, match="distributed"):
        current_team(CPU)


def test_workers_of_joblib_are_in_no_team(launched, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_name", "LokyProcess-1")
    assert type(current_team(CPU)) is Team


def test_what_is_missing_is_said(launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(ValueError, match=r'pip install "\.\[distributed\]".*one_process'):
        FabricTeam(CPU)


def test_devices_without_an_engine_are_refused(launched):
    pytest.importorskip("lightning_fabric", reason="needs robust_ts[distributed]")
    with pytest.raises(ValueError, match=r"not on 'mps'"):
        FabricTeam(torch.device("mps"))


def test_no_process_gets_a_batch_of_one():
    for n in range(8, 60):
        for batch_size in (1, 3, 7, 100):
            parts = torch.arange(n).tensor_split(n_batches(n, batch_size, 4))
            assert min(len(share) for part in parts for share in part.tensor_split(4)) >= 2
