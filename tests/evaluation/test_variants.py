from dataclasses import fields, replace

import pytest

from robust_ts import E2ABLClassifier, cli
from robust_ts.defense.constants import STAGES, DefenseConstants
from robust_ts.evaluation.grids import STUDY_GRIDS
from robust_ts.evaluation.variants import (
    ABLATION,
    SENSITIVITY,
    neighbors,
    variant_classifier,
    variant_constants,
)

DEFAULT = DefenseConstants()


def test_every_stage_has_a_variant_and_the_first_is_the_method():
    read = [variant_constants(name) for name in ABLATION]
    assert read[0] == DEFAULT
    assert [constants.without for constants in read[1:]] == [{stage} for stage in STAGES]


@pytest.mark.parametrize("name", SENSITIVITY[1:])
def test_sensitivity_moves_one_constant_and_keeps_its_kind(name):
    constants = variant_constants(name)
    moved = [
        f.name for f in fields(DEFAULT) if getattr(constants, f.name) != getattr(DEFAULT, f.name)
    ]
    assert len(moved) == 1
    assert type(getattr(constants, moved[0])) is type(getattr(DEFAULT, moved[0]))


def test_shares_stay_below_one_and_others_double():
    low, high = (variant_constants(v).verify_share for v in neighbors("verify_share"))
    assert 0 < low < DEFAULT.verify_share < high < 1
    halved, doubled = (variant_constants(v).ridge for v in neighbors("ridge"))
    assert halved == tuple(v / 2 for v in DEFAULT.ridge)
    assert doubled == tuple(2 * v for v in DEFAULT.ridge)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e2abl[least_weights=1]", "Unknown variant"),
        ("e2abl[least_weight]", "Unknown variant"),
        ("e2abl[least_weight=0.1", "Unknown variant"),
        ("e2abl[least_weight=high]", "high"),
        ("e2abl[without=views]", "Unknown stages"),
    ],
)
def test_names_that_say_nothing_are_refused(name, text):
    with pytest.raises(ValueError, match=text):
        variant_constants(name)


def test_variant_is_the_estimator_with_other_constants():
    cls = variant_classifier("e2abl[least_weight=0.01;without=verify/recover]")
    assert cls._constants.least_weight == 0.01
    assert cls._constants.without == {"verify", "recover"}
    assert cls("cnn", epochs=3).get_params() == E2ABLClassifier("cnn", epochs=3).get_params()
    assert E2ABLClassifier._constants == DEFAULT


@pytest.mark.parametrize("name", STUDY_GRIDS)
def test_every_variant_of_a_study_can_be_read(name):
    methods = [v for v in STUDY_GRIDS[name].defenses if v != "undefended"]
    assert len({variant_constants(v) for v in methods}) == len(methods) >= 3


def test_a_study_prints_a_line_for_each_variant(tmp_path, monkeypatch, capsys):
    small = replace(
        STUDY_GRIDS["ablation"],
        datasets=("ItalyPowerDemand",),
        triggers=("patch",),
        rates=(0.1,),
        defenses=("undefended", "e2abl", "e2abl[without=verify]"),
        settings={"cnn": {"epochs": 2, "backbone_params": {"filters": [4, 4, 4]}}},
    )
    monkeypatch.setitem(STUDY_GRIDS, "ablation", small)
    assert cli.main(["bench", "ablation", "--rows", str(tmp_path / "rows.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3  # a header, and no details of each run
    assert [line.split("|")[3].strip() for line in lines[2:]] == sorted(small.defenses)
