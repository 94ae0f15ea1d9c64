import subprocess
import sys

import pytest

from robust_ts import __version__, cli


def test_version_and_help_come_without_torch():
    code = (
        "import sys; from robust_ts import cli\n"
        "try: cli.main(['demo', '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--output" in done.stdout
    run = [sys.executable, "-m", "robust_ts", "--version"]
    assert __version__ in subprocess.run(run, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", ["train", "scan", "predict", "poison", "demo", "bench"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: robust-ts {command}" in capsys.readouterr().out


def test_usage_errors_exit_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["demonstrate"])
    assert stop.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--trigger", "pach"], "'patch'"),
        (["--backbone", "resnett"], "'resnet'"),
        (["--epochs", "0"], "epochs must be"),
    ],
)
def test_bad_options_give_one_line_and_no_traceback(arguments, text, capsys, tmp_path):
    assert cli.main(["demo", "--output", str(tmp_path), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("robust-ts: error:")
    assert text in error
    assert "Traceback" not in error


def test_interruption_exits_with_130(monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("robust_ts.evaluation.demo.run_demo", interrupt)
    assert cli.main(["demo"]) == 130
