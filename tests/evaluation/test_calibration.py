import numpy as np
import pytest
import torch

from robust_ts import cli
from robust_ts.evaluation import calibration
from robust_ts.evaluation.benchmark import Grid, read_rows
from robust_ts.evaluation.calibration import calibration_error, reliability


def test_reliability_of_samples_drawn_by_their_suspicion():
    rng = np.random.default_rng(0)
    suspicion = rng.uniform(size=20_000)
    mask = rng.uniform(size=20_000) < suspicion
    lines = reliability(suspicion, mask)
    assert [line["samples"] for line in lines] == np.histogram(suspicion, 10, (0, 1))[0].tolist()
    assert all(abs(line["suspicion"] - line["poison"]) < 0.05 for line in lines)
    assert calibration_error(suspicion, mask) < 0.02
    assert calibration_error(suspicion, ~mask) > 0.4


def test_empty_bins_are_left_out_and_edges_belong_below():
    lines = reliability([0.0, 0.1, 0.5, 1.0, 1.0], [0, 0, 1, 1, 0])
    assert [(line["low"], line["samples"], line["poison"]) for line in lines] == [
        (0.0, 2, 0.0),
        (0.4, 1, 1.0),
        (0.9, 2, 0.5),
    ]


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        reliability([0.5, 1.5], [0, 1])
    with pytest.raises(ValueError, match="inconsistent"):
        reliability([0.5], [0, 1])


def test_command_keeps_every_sample_and_prints_the_table(tmp_path, monkeypatch, capsys):
    small = {"cnn": {"backbone_params": {"filters": [8, 8, 8]}, "epochs": 5}}
    grid = Grid(("ItalyPowerDemand",), triggers=("sine",), defenses=("e2abl",), settings=small)
    monkeypatch.setitem(calibration.GRIDS, "calibration", grid)
    path = tmp_path / "rows.jsonl"
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert cli.main(["bench", "calibration", "--rows", str(path)]) == 0
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert "All runs: 2" in capsys.readouterr().out
    clean, attacked = read_rows(path)
    assert len(attacked["suspicion"]) == attacked["n_train"]
    assert len(attacked["poisoned"]) == attacked["n_poisoned"] > 0 == len(clean["poisoned"])
    assert cli.main(["bench", "calibration", "--rows", str(tmp_path / "0"), "--tables-only"]) != 0
    assert "no rows of 'calibration'" in capsys.readouterr().err
