import json
from dataclasses import replace

import pytest
import torch
from sklearn.dummy import DummyClassifier

from robust_ts import cli
from robust_ts.attacks import IMAGE_TRIGGERS
from robust_ts.datasets import load_dataset
from robust_ts.evaluation import benchmark, summary
from robust_ts.evaluation.benchmark import CLEAN, Grid, read_rows, rows_of, run_grid
from robust_ts.evaluation.grids import GRIDS, IMAGE_GRIDS
from robust_ts.networks import space_axes_of

GRID = Grid(
    ("ItalyPowerDemand",),
    triggers=("patch", "sine"),
    rates=(0.0, 0.1),
    defenses=("undefended", "e2abl"),
    seeds=(0, 1),
)


@pytest.fixture
def constants(monkeypatch):
    """Replace the networks by constant predictions: only the bookkeeping is tested."""
    answers = {CLEAN: 1, "undefended": 0, "e2abl": 1}
    fits = []

    def make(defense, backbone, seed, settings):
        fits.append(defense)
        return DummyClassifier(strategy="constant", constant=answers[defense])

    monkeypatch.setattr(benchmark, "make_classifier", make)
    return fits


def test_grid_lists_references_unpoisoned_and_attacked_runs():
    runs = GRID.runs()
    assert len({run.key for run in runs}) == len(runs) == 2 + 2 + 2 * 2 * 2
    assert [run.defense for run in runs[:2]] == [CLEAN] * 2
    assert {run.defense for run in runs if run.rate == 0} == {CLEAN, "e2abl"}


def test_finished_runs_are_not_run_again(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    assert run_grid(GRID, path, progress=False) == len(constants) == 12
    lines = path.read_text().splitlines()
    # An interruption in the middle of a line costs that run alone.
    path.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    assert run_grid(GRID, path, progress=False) == 1
    assert len(read_rows(path)) == len(lines)
    assert run_grid(GRID, path, progress=False) == 0


def test_a_run_leaves_the_threads_of_torch_alone(constants, tmp_path, monkeypatch):
    used, make = set(), benchmark.make_classifier

    def counted(*args):
        used.add(torch.get_num_threads())
        return make(*args)

    monkeypatch.setattr(benchmark, "make_classifier", counted)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run_grid(replace(GRID, seeds=(0,)), tmp_path / "rows.jsonl", progress=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert used == {1}


def test_rows_hold_what_repeats_them(constants, tmp_path):
    run_grid(GRID, tmp_path / "rows.jsonl", progress=False)
    row = read_rows(tmp_path / "rows.jsonl")[-1]
    assert {"dataset", "trigger", "rate", "seed", "settings", "torch", "n_poisoned"} <= set(row)
    assert json.dumps(row)


def test_summary_compares_with_the_reference_of_the_same_seed(constants, tmp_path):
    run_grid(GRID, tmp_path / "rows.jsonl", progress=False)
    runs = summary.add_references(read_rows(tmp_path / "rows.jsonl"))
    undefended = runs[runs.defense == "undefended"]
    # Always class 0: every triggered sample of the other class goes to the target.
    assert (undefended.attack_success_rate == 1).all()
    assert (undefended.natural_rate == 0).all()
    assert undefended.attacked.all()
    assert (runs[runs.defense == "e2abl"].net_rate.dropna() == 0).all()
    assert runs.cost.notna().all()
    table = summary.overview(runs)
    assert "| undefended |    4 |        4 |" in table
    assert "e2abl" in summary.details(runs, GRID.defenses)


def test_overview_tells_networks_classes_and_seeds_apart(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_grid(GRID, path, progress=False)
    rows = read_rows(path)
    other = [{**row, "backbone": "resnet", "dataset": "NATOPS", "n_classes": 6} for row in rows]
    hit = [{**r, "attack_success_rate": 0.9} if r["seed"] and r["rate"] else r for r in rows]
    runs = summary.add_references([*hit, *other])
    assert set(runs.classes[runs.backbone == "resnet"]) == {"more"}
    assert set(runs.classes[runs.backbone == "cnn"]) == {"two"}
    assert "| backbone | mode " in summary.overview(runs).splitlines()[0]
    assert "backbone" not in summary.overview(runs[runs.backbone == "cnn"])
    split = summary.overview(runs[runs.attacked], ["classes"])
    assert split.startswith("| classes | backbone |")
    assert "| two " in split
    assert "| more " in split
    # Two seeds at 100 and 90%: the deviation of their means is 5 points.
    undefended = runs[(runs.defense == "undefended") & (runs.backbone == "cnn")]
    assert "95.0 |        5.0 |" in summary.overview(undefended)
    ours = runs[(runs.defense == "e2abl") & (runs.seed == 0)]
    assert ours.above.dropna().eq(-1).all()
    assert (undefended.above == 0).all()
    assert "most above undefended" in split


def test_summary_without_attacks_says_so(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_grid(replace(GRID, rates=(0.0,)), path, progress=False)
    runs = summary.add_references(read_rows(path))
    assert "e2abl" in summary.overview(runs)
    assert summary.details(runs, GRID.defenses) == "No attacked runs."


def test_command_prints_the_tables(constants, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(GRIDS, "smoke", GRID)
    assert cli.main(["bench", "smoke", "--rows", str(tmp_path / "rows.jsonl")]) == 0
    assert "net ASR %" in capsys.readouterr().out
    assert cli.main(["bench", "smok"]) == 1
    assert "known: smoke" in capsys.readouterr().err


def test_command_narrows_the_grid(constants, tmp_path, monkeypatch):
    monkeypatch.setitem(GRIDS, "smoke", GRID)
    path = tmp_path / "rows.jsonl"
    narrow = ["--rates", "0.1", "--seeds", "1", "--triggers", "sine", "--defenses", "e2abl"]
    assert cli.main(["bench", "smoke", "--rows", str(path), *narrow]) == 0
    runs = {(row["defense"], row["rate"], row["seed"], row["trigger"]) for row in read_rows(path)}
    assert runs == {(CLEAN, 0.0, 1, "none"), ("e2abl", 0.1, 1, "sine")}


def test_tables_hold_the_runs_of_the_grid_alone(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_grid(GRID, path, progress=False)
    part = replace(GRID, seeds=(1,), triggers=("sine",), defenses=("e2abl",))
    found = {(row["defense"], row["seed"]) for row in rows_of(part, path)}
    assert found == {(CLEAN, 1), ("e2abl", 1)}


def test_a_reference_is_completed_for_another_grid(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_grid(replace(GRID, triggers=("patch",)), path, progress=False)
    before = read_rows(path)
    constants.clear()
    run_grid(GRID, path, progress=False)
    assert constants.count(CLEAN) == 2  # one a seed, for the rate of the sine
    rows = read_rows(path)
    assert rows[: len(before)] == before
    natural = [(r["seed"], r["natural_of"]) for r in rows if r["defense"] == CLEAN]
    assert sorted(natural) == [(s, t) for s in (0, 1) for t in ("patch", "sine")]
    assert summary.add_references(rows).query("rate > 0").natural_rate.notna().all()
    assert run_grid(GRID, path, progress=False) == 0


def test_all_to_all_has_a_natural_rate_of_its_own(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    grid = replace(GRID, triggers=("sine",), seeds=(0,), modes=("dirty", "clean", "all-to-all"))
    run_grid(grid, path, progress=False)
    runs = summary.add_references(read_rows(path)).query("defense == 'undefended'")
    natural = runs.set_index("mode").natural_rate
    # The clean-trained one always says 1: the next class of all samples of class 0.
    assert natural["all-to-all"] == (load_dataset("ItalyPowerDemand")[3] == 0).mean()
    assert natural["dirty"] == natural["clean"] == 0
    # Rows of before say nothing of the attack and are of the dirty label.
    old = [{k: v for k, v in r.items() if k != "natural_attack"} for r in read_rows(path)]
    old = [r for r in old if r["mode"] == "dirty"][:1] + [r for r in old if r["defense"] != CLEAN]
    assert summary.add_references(old).query("mode == 'dirty'").natural_rate.dropna().eq(0).all()


def test_tables_show_small_rates_seconds_and_unpoisoned_sets(constants, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_grid(replace(GRID, rates=(0.0, 0.045)), path, progress=False)
    rows = [{**row, "dataset": "CIFAR10"} for row in read_rows(path)]
    runs = summary.add_references(rows)
    assert "| CIFAR-10 (JPEG) | cnn      | patch   | 4.5% |" in summary.details(runs, GRID.defenses)
    header, _, line = summary.unpoisoned(runs, GRID.defenses).splitlines()
    assert header.startswith("| unpoisoned      | backbone | seeds | CA undefended | CA e2abl")
    assert line.startswith("| CIFAR-10 (JPEG) | cnn      |     2 |")
    assert "flagged" not in header  # constant predictions report nothing
    flagged = runs.assign(false_positive_rate=0.25)
    assert (
        summary.unpoisoned(flagged, GRID.defenses).splitlines()[-1].endswith("| 25.00           |")
    )
    assert "| seconds | cost |" in summary.overview(runs)


def test_the_public_grid_is_its_two_halves():
    halves = [*GRIDS["development"].runs(), *GRIDS["check"].runs()]
    assert {run.key for run in GRIDS["public"].runs()} == {run.key for run in halves}
    for name, grid in GRIDS.items():
        if name.startswith("public-"):
            assert set(grid.datasets) <= set(GRIDS["public"].datasets), name
            assert set(grid.backbones) <= set(grid.settings), name


def test_the_grids_of_images_attack_images(constants, tmp_path):
    for name, grid in IMAGE_GRIDS.items():
        assert set(grid.triggers) <= set(IMAGE_TRIGGERS), name
        assert all(space_axes_of(backbone) == 2 for backbone in grid.backbones), name
        assert set(grid.backbones) <= set(grid.settings), name
    attacks = {trigger for grid in IMAGE_GRIDS.values() for trigger in grid.triggers}
    assert attacks == set(IMAGE_TRIGGERS)
    digits = replace(
        IMAGE_GRIDS["images"], datasets=("digits",), seeds=(0,), defenses=("undefended", "e2abl")
    )
    run_grid(digits, tmp_path / "rows.jsonl", progress=False)
    rows = read_rows(tmp_path / "rows.jsonl")
    n = len(digits.triggers)
    assert len(rows) == n + 2 * n  # natural rates, attacked
    assert {row["natural_of"] for row in rows if row["defense"] == CLEAN} == set(digits.triggers)
    assert all(row["n_poisoned"] == round(0.1 * row["n_train"]) for row in rows if row["rate"])
    assert {row["device"] for row in rows} == {"cpu"}


def test_the_headline_runs_on_a_small_cut_of_other_images(tmp_path):
    grid = IMAGE_GRIDS["images-headline"]
    assert grid.datasets == ("CIFAR10",)
    assert grid.max_train is None
    settings = {"wide_resnet": {**grid.settings["wide_resnet"], "epochs": 2}}
    cut = replace(grid, datasets=("digits",), seeds=(0,), max_train=64, settings=settings)
    assert run_grid(cut, tmp_path / "rows.jsonl", progress=False) == 4
    assert "| wide_resnet | badnets | 10%  | dirty |" in summary.tables(
        cut, tmp_path / "rows.jsonl"
    )


def test_every_named_defense_can_be_built():
    for defense in (CLEAN, *benchmark.DEFENSES):
        assert hasattr(benchmark.make_classifier(defense, "cnn", 0, {}), "fit")
    with pytest.raises(ValueError, match="Unknown defense 'none'"):
        benchmark.make_classifier("none", "cnn", 0, {})
