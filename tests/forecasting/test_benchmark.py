import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from sktime.forecasting.naive import NaiveForecaster

from robust_ts import cli
from robust_ts.datasets import DatasetNotFoundError
from robust_ts.evaluation.benchmark import read_rows
from robust_ts.forecasting import benchmark
from robust_ts.forecasting.benchmark import METHODS, Setting, list_runs, run_benchmark, tables
from robust_ts.forecasting.series import load_series
from tests.forecasting._planted import walks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture
def quick(monkeypatch):
    """Replace data and methods: only the bookkeeping is tested."""
    fits = []

    def make(method, setting, seed, epochs):
        fits.append(method)
        return NaiveForecaster(), False

    monkeypatch.setattr(benchmark, "make_forecaster", make)
    monkeypatch.setattr(benchmark, "load_series", lambda name: walks(200))
    monkeypatch.setattr(benchmark, "SETTINGS", {"walks": Setting(12, 7, 1, 60)})
    for cached in (benchmark._attacked, benchmark._reference, benchmark._trained_clean):
        cached.cache_clear()
    yield fits
    for cached in (benchmark._attacked, benchmark._reference, benchmark._trained_clean):
        cached.cache_clear()


def test_finished_runs_are_not_run_again_and_the_tables_hold_all(
    quick, tmp_path, capsys, monkeypatch
):
    runs = list_runs(("walks",), ("none", "static"), ("undefended", "e2abl"), (0, 1))
    runs = [replace(run, n_origins=2) for run in runs]
    path = tmp_path / "rows.jsonl"
    rows = run_benchmark(runs, path, progress=False)
    assert len(rows) == len(runs) == 8
    n_fits = len(quick)
    assert run_benchmark(runs, path, progress=False) == rows
    assert len(quick) == n_fits
    text = tables(rows)
    assert text.count("| walks") == 4 + 2
    assert json.loads(path.read_text().splitlines()[0])["n_stretches"] == 0
    for row in rows:  # the reference of an untouched history is itself
        assert row["trigger_response"] == row["reference_trigger_response"]
    old = [{k: v for k, v in row.items() if "trigger_response" not in k} for row in rows]
    assert "by trigger %" in text
    assert "by trigger %" not in tables(old)
    command = ["bench", "forecasting", "--rows", str(path), "--tables-only", "--datasets", "walks"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.strip() == text
    command[-1:] = ["walks", "--triggers", "static", "--seeds", "1"]
    assert cli.main(command) == 0
    few = capsys.readouterr().out.strip()
    part = [row for row in rows if (row["attack"], row["seed"]) == ("static", 1)]
    assert few == tables(part) != text
    monkeypatch.setitem(benchmark.SETTINGS, "ramps", benchmark.SETTINGS["walks"])
    command[-5:] = ["ramps"]
    assert cli.main(command) == 1
    assert "has no row of these runs, of 8 rows" in capsys.readouterr().err


def test_a_line_cut_short_costs_that_run_alone(quick, tmp_path):
    runs = list_runs(("walks",), ("none",), ("undefended", "e2abl"), (0, 1))
    runs = [replace(run, n_origins=2) for run in runs]
    path = tmp_path / "rows.jsonl"
    run_benchmark(runs[:2], path, progress=False)
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + second[:20])
    assert len(run_benchmark(runs, path, progress=False)) == len(read_rows(path)) == 4


def test_a_run_leaves_the_threads_of_torch_alone(quick, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run = replace(list_runs(("walks",), ("none",), ("undefended",), (0,))[0], n_origins=2)
        run_benchmark([run], tmp_path / "rows.jsonl", progress=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_attack_of_the_papers_budget_hits_a_third_of_the_variables(quick, tmp_path):
    runs = list_runs(("walks",), ("backtime",), ("undefended", "e2abl"), (0,))
    rows = run_benchmark(
        [replace(run, n_origins=2) for run in runs], tmp_path / "r", progress=False
    )
    data = benchmark._attacked("walks", "backtime", 0)[1]
    assert len(data.variables) == 1  # of two
    assert data.mask.to_numpy().mean() == pytest.approx(0.33 / 2, abs=0.05)
    assert rows[0]["rate"] == 0.33
    assert "| backtime |" in tables(rows)
    assert "backtime" not in {run.attack for run in list_runs(("walks",))}


def test_unknown_names_are_errors(capsys):
    with pytest.raises(ValueError, match="Unknown attack 'statc'; known: none, static"):
        list_runs(attacks=("statc",))
    assert cli.main(["bench", "forecasting", "--datasets", "weather"]) == 1
    assert "Unknown data set 'weather'" in capsys.readouterr().err


def test_every_method_and_attack_can_be_built():
    known = [m for m in METHODS if m != "ets" or find_spec("statsmodels")]
    for method in known:
        assert hasattr(benchmark.make_forecaster(method, Setting(8, 2, 1, 10), 0, 1)[0], "fit")
    for attack in benchmark.ATTACKS:
        assert hasattr(benchmark.make_trigger(attack, 0, 12), "triggered")


def test_a_rival_without_its_library_is_skipped_with_a_reason(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    runs = list_runs(("walks",), ("none",), ("undefended", "ets"), (0,))
    with pytest.warns(UserWarning, match=r"'ets' is skipped: it needs statsmodels.*\.\[bench\]"):
        rows = run_benchmark(runs, tmp_path / "rows.jsonl", progress=False)
    assert [row["method"] for row in rows] == ["undefended"]


def test_held_out_series_are_not_the_tuned_ones(tmp_path, monkeypatch):
    folder = tmp_path / "forecasting"
    folder.mkdir()
    rng = np.random.default_rng(0)
    np.savez(folder / "forecast_exchange_rate.npz", values=rng.normal(size=(1600, 8)))
    np.savez(folder / "forecast_national_illness.npz", values=rng.normal(size=(50, 7)))
    m4 = rng.normal(size=(250, 30))
    np.savez(folder / "forecast_m4_hourly.npz", train=m4[:, :20], test=m4[:, 20:])
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    for tuned, held_out in zip(benchmark.TUNED, benchmark.HELD_OUT, strict=True):
        known, new = load_series(tuned).iloc[0], load_series(held_out).iloc[0]
        assert len(known) > 0
        assert len(new) > 0
        assert not set(known) & set(new)


def test_a_file_of_series_that_lacks_an_array_is_named(tmp_path, monkeypatch):
    (tmp_path / "forecasting").mkdir()
    np.savez(tmp_path / "forecasting" / "forecast_m4_hourly.npz", train=np.zeros((3, 4)))
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"forecast_m4_hourly\.npz lacks test"):
        load_series("m4-hourly")


def test_a_missing_folder_is_named(monkeypatch):
    monkeypatch.delenv("ROBUST_TS_DATA", raising=False)
    with pytest.raises(DatasetNotFoundError, match="ROBUST_TS_DATA"):
        load_series("exchange-rate")
    with pytest.raises(DatasetNotFoundError, match="known: exchange-rate"):
        load_series("weather")
