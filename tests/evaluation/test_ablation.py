from dataclasses import replace

import pytest

from robust_ts import cli
from robust_ts.defense.constants import DefenseConstants
from robust_ts.evaluation import ablation
from robust_ts.evaluation.benchmark import Grid, read_rows
from robust_ts.evaluation.variants import variant_constants

GRID = Grid(
    ("ItalyPowerDemand",),
    triggers=("sine",),
    backbones=("none",),
    defenses=("e2abl", "e2abl[alarm=0]", "e2abl[without=refinement]"),
)


def row(defense="e2abl", n_poisoned=10, target=0.5, natural=0.1, f1=0.9, found=True, wrong=0):
    return {
        "defense": defense,
        "n_poisoned": n_poisoned,
        "target_score": target,
        "natural_score": natural,
        "f1": f1,
        "found": found,
        "false_alarms": wrong,
    }


def test_command_measures_proposals_once_and_prints_a_line_a_variant(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(ablation.PROPOSALS, "ablation", GRID)
    path = tmp_path / "rows.jsonl"
    arguments = ["bench", "ablation", "--rows", str(path)]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| full method " in printed
    assert "| without=refinement " in printed
    lines = path.read_text()
    assert cli.main(arguments) == 0
    assert path.read_text() == lines
    rows = {(r["defense"], r["rate"]): r for r in read_rows(path)}
    assert len(rows) == 6  # no reference is trained
    attacked, open_ = rows["e2abl", 0.1], rows["e2abl[alarm=0]", 0.1]
    assert attacked["target_score"] > attacked["natural_score"]
    assert attacked["f1"] >= 0.5
    # Of the same groups more alarm, nothing else differs.
    assert open_["target_score"] == attacked["target_score"]
    assert open_["found"]
    assert rows["e2abl[alarm=0]", 0.0]["false_alarms"] > 0
    assert rows["e2abl[without=refinement]", 0.1]["target_score"] != attacked["target_score"]


def test_table_counts_what_was_found_and_what_stands_clear():
    rows = [
        row(),
        row(target=0.3, natural=0.35, found=False, wrong=1),
        row(n_poisoned=0, target=float("nan"), natural=0.2, f1=float("nan"), found=False),
        row("other"),
    ]
    table = ablation.proposals_table(rows, ["e2abl"])
    cells = [cell.strip() for cell in table.splitlines()[-1].split("|")[1:-1]]
    # attacks, found, wrong groups, unpoisoned, false alarms, ..., AUC of .5 .3 / .1 .35 .2, clear
    assert cells[:6] == ["full method", "2", "1", "1", "1", "0"]
    assert cells[6:] == ["0.40", "0.90", "0.22", "0.35", "0.833", "1"]
    assert ablation.proposals_table([], ["e2abl"]) == "No rows."


def test_variants_share_proposals_only_where_these_are_the_same():
    same = ablation.proposing_constants
    assert same(variant_constants("e2abl[alarm=0.1]")) == DefenseConstants()
    assert same(variant_constants("e2abl[without=transfer]")) == DefenseConstants()
    raw = variant_constants("e2abl[without=raw/regroup]")
    assert same(raw) == replace(DefenseConstants(), without=frozenset({"raw"}))


@pytest.mark.parametrize("name", [*ablation.PROPOSALS, *ablation.FITS])
def test_every_variant_of_a_study_can_be_read(name):
    grid = {**ablation.PROPOSALS, **ablation.FITS}[name]
    methods = [v for v in grid.defenses if v != "undefended"]
    assert len({variant_constants(v) for v in methods}) == len(methods) > 5
