"""Tables of speed come out whole; what they say of the machine is not tested."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from robust_ts import cli
from robust_ts.evaluation.speed import Settings, defense, loop, measure, profile, rivals, scaling
from robust_ts.evaluation.speed.timing import paired_ratio

CPU = torch.device("cpu")
QUICK = Settings(CPU, quick=True, n_pairs=1, backbones=("cnn",), datasets=("JapaneseVowels",))


def rows_of(text):
    """Give the cells of the first Markdown table in a text, by the names of its columns."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, cells, strict=True)) for cells in body]


def test_pairs_are_measured_in_turn_after_a_warm_up():
    calls = []
    result = paired_ratio(lambda: calls.append("a"), lambda: calls.append("b"), 3)
    assert calls == ["a", "b"] * 4
    assert result["n_pairs"] == 3
    assert result["ratio_min"] <= result["ratio"] <= result["ratio_max"]


def test_a_comparison_ends_with_its_time_but_never_without_a_pair():
    calls = []
    result = paired_ratio(
        lambda: calls.append("a"), lambda: calls.append("b"), 3, limit=0.0, warm_up=False
    )
    assert calls == ["a", "b"]
    assert result["n_pairs"] == 1


def test_the_loop_is_compared_in_training_and_prediction():
    rows = rows_of(loop.table(QUICK))
    assert [(row["backbone"], row["work"]) for row in rows] == [
        ("cnn", "training"),
        ("cnn", "prediction"),
    ]
    assert all(float(row["ours, s"]) > 0 and float(row["ratio"]) > 0 for row in rows)


def test_bare_prediction_does_the_same_as_the_classifier():
    data = loop.data_for("cnn", QUICK)
    network = loop.build("cnn", data, CPU)
    bare = loop.bare_prediction(network, data, CPU)()
    assert bare.shape == (64, data.y.max() + 1)
    np.testing.assert_allclose(bare.sum(axis=1), 1, rtol=1e-5)
    again = loop.bare_prediction(loop.build("cnn", data, CPU), data, CPU)()
    np.testing.assert_array_equal(bare, again)


def test_networks_of_images_are_timed_on_images(monkeypatch, tmp_path):
    monkeypatch.setenv("ROBUST_TS_DATA", str(tmp_path))  # no larger set of images
    settings = replace(QUICK, backbones=("image_cnn", "cnn"), datasets=("digits",))
    images, *_, series = rows_of(loop.table(settings))
    assert images["samples"] == "digits, 64 images of 1 x 8 x 8"
    assert " 64 series of " in series["samples"]
    assert [row["backbone"] for row in rows_of(profile.table(settings))] == [
        *2 * ["image_cnn"],
        *2 * ["cnn"],
    ]
    rows = rows_of(defense.table(settings))
    assert [(row["backbone"], row["data"]) for row in rows] == [
        ("image_cnn", "clean"),
        ("image_cnn", "poisoned"),
    ]
    assert rows[0]["set"] == "digits, 1198 x 1 x 8 x 8"
    series_alone = replace(settings, backbones=("cnn",))
    assert "digits: not measured, no backbone for its samples" in defense.table(series_alone)


def test_a_rival_that_is_missing_or_fails_is_reported_and_the_others_are_measured(monkeypatch):
    def broken(task):
        raise TypeError("no such argument")

    def elsewhere(task):
        raise rivals._SkippedError("computes elsewhere")

    def same(task):
        return rivals.ours(task)

    table = {
        "absent": rivals.Rival(same, ("no-such-package",), "", {}),
        "broken": rivals.Rival(broken, ("torch",), "", {}),
        "elsewhere": rivals.Rival(elsewhere, ("torch",), "", {}),
        "ours": rivals.Rival(same, ("torch",), "in nothing", {"cpu": 2.0}),
    }
    monkeypatch.setattr(rivals, "RIVALS", table)
    text = rivals.table(QUICK)
    assert "absent: not measured, no-such-package not installed" in text
    assert "broken: FAILED, TypeError: no such argument" in text
    assert "elsewhere: not measured, computes elsewhere" in text
    assert f"ours {torch.__version__}: in nothing" in text
    rows = rows_of(text)
    assert [row["work"] for row in rows] == ["training", "prediction"]
    assert [row["goal"] for row in rows] == [">= 2.0", "-"]


def test_a_rival_that_loses_predictions_is_a_failure(monkeypatch):
    def loses(task):
        fit, predict = rivals.ours(task)
        return fit, lambda fitted: predict(fitted)[:-1]

    monkeypatch.setattr(rivals, "RIVALS", {"x": rivals.Rival(loses, ("torch",), "", {})})
    assert "FAILED, ValueError: x gave 63 predictions" in rivals.table(QUICK)


def test_the_defense_is_compared_on_clean_and_poisoned_data():
    settings = Settings(
        CPU, quick=True, n_pairs=1, backbones=("cnn",), datasets=("ItalyPowerDemand", "Nowhere")
    )
    text = defense.table(settings)
    rows = rows_of(text)
    assert [(row["data"], row["goal"]) for row in rows] == [
        ("clean", "<= 1.3"),
        ("poisoned", "<= 1.3"),
    ]
    assert rows[0]["set"] == "ItalyPowerDemand, 67 x 1 x 24"
    assert "Nowhere: not measured" in text


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_slope_is_the_exponent_of_the_cost(power):
    sizes = [10, 100, 1000]
    assert scaling.slope(sizes, [3 * n**power for n in sizes]) == pytest.approx(power)


def test_a_fixed_cost_flattens_the_slope_over_all_but_less_that_of_the_last_two():
    measured = {n: dict.fromkeys(scaling.STAGES, 50 + n) for n in (10, 100, 1000)}
    *_, whole, last = rows_of(scaling.growth_table("n", measured))
    assert 0 < float(whole["report"]) < float(last["report"]) < 1


def test_growth_stops_where_the_next_size_would_not_fit_and_says_so():
    tried = []
    measured, note = scaling.grow(
        (1, 10**12), lambda n: tried.append(sum(range(10**5))) or {"report": 1.0}, limit=1.0
    )
    assert list(measured) == [1]
    assert len(tried) == 1
    assert note.startswith("Left out: 1000000000000 (1000000000000: about ")


def test_what_does_not_fit_into_the_time_is_named():
    late = Settings(CPU, quick=True, datasets=("ItalyPowerDemand",), end=0.0)
    assert "- left out, the time was up: resnet" in loop.table(late)
    assert "- left out, the time was up: tsai" in rivals.table(late)
    text = defense.table(late)
    assert "- left out, the time was up: ItalyPowerDemand, cnn, poisoned" in text
    assert "|" not in text


def test_generated_series_are_poisoned_and_their_stages_all_cost_time(tmp_path):
    X, y = scaling.generate(60, 16)
    assert X.shape == (60, 1, 16)
    assert np.bincount(y)[0] == 60 // 5 + 6  # a tenth of all got the label 0
    cost = scaling.stage_seconds(X, y, CPU)
    assert set(cost) == set(scaling.STAGES)
    assert min(cost.values()) > 0
    path = tmp_path / "growth.png"
    scaling.draw({"n": {60: cost, 120: cost}, "T": {16: cost}}, str(path))
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_shares_of_operators_add_up_and_convolutions_lead():
    settings = Settings(CPU, quick=True, backbones=("cnn",))
    rows = rows_of(profile.table(settings))
    assert [row["work"] for row in rows] == ["training", "prediction"]
    for row in rows:
        parts = {name: float(row[name]) for name in [*profile.KINDS, "other"]}
        assert sum(parts.values()) == pytest.approx(100, abs=0.5)
        assert parts["convolution"] > 0


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten::cudnn_batch_norm_backward", "normalization"),
        ("aten::max_pool2d_with_indices", "pooling"),
        ("aten::copy_", "copies"),
        ("aten::mul", "other"),
    ],
)
def test_operators_are_sorted_by_name(operator, kind):
    assert profile.kind_of(operator) == kind


def test_unknown_tables_are_refused_before_anything_is_measured():
    with pytest.raises(ValueError, match=r"Unknown tables \['lop'\]; known: loop, rivals"):
        next(measure(["loop", "lop"], QUICK))


def test_the_command_prints_the_tables_that_are_asked_for(capsys):
    call = ["bench", "speed", "--tables", "loop,profile", "--quick", "--backbones", "cnn"]
    assert cli.main(call) == 0
    out = capsys.readouterr().out
    assert "## The loop against a bare torch loop" in out
    assert "## Where the time goes" in out
    assert "rivals" not in out
    assert cli.main(["bench", "speed", "--device", "nowhere"]) == 1
    assert "cannot be used here" in capsys.readouterr().err
