import pandas as pd
import pytest

from robust_ts import cli
from robust_ts.evaluation.demo import run_demo


def test_demo_shows_a_table_and_leaves_a_picture_and_a_report(tmp_path):
    text = []
    rows = run_demo(tmp_path / "out", backbone="cnn", epochs=3, seed=1, say=text.append)
    assert [row["training"] for row in rows] == ["clean-trained", "undefended", "ABL", "E2ABL"]
    for row in rows:
        assert 0 <= row["CA %"] <= 100
        assert row["natural ASR %"] == rows[0]["ASR %"]
    shown = "\n".join(text)
    assert "| E2ABL" in shown
    assert "27 of them poisoned" in shown
    assert "Against the truth: precision" in shown
    assert (tmp_path / "out" / "defense.png").stat().st_size > 10_000
    report = pd.read_csv(tmp_path / "out" / "report.csv")
    assert list(report["sample"]) == list(range(270))
    assert {"given_label", "recovered_label", "suspicion", "verdict"} <= set(report.columns)


def test_command_writes_where_it_is_told(tmp_path, capsys):
    options = ["--backbone", "cnn", "--epochs", "2", "--trigger", "sine", "--seed", "3"]
    assert cli.main(["demo", "--output", str(tmp_path), *options]) == 0
    assert "trigger 'sine'" in capsys.readouterr().out
    assert (tmp_path / "report.csv").exists()


def test_unknown_trigger_is_refused_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="no trigger 'sin'"):
        run_demo(tmp_path, trigger="sin")
