"""The command line, ``robust-ts``. Also ``python -m robust_ts``."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from robust_ts import __version__
from robust_ts.cli import attack, measure, models


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robust-ts",
        description="Train classifiers on data you do not fully trust.",
        epilog="Exit codes: 0 done, 1 the data or an option cannot be used, 2 wrong usage, "
        "3 scan found poisoned samples, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"robust_ts {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for module in (models, attack, measure):
        module.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 the data or an option cannot be used, 3 ``scan`` found poisoned
        samples, 130 interrupted. Usage errors exit with 2 from the argument parser.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output had enough; nothing is left to say
        return 0
    # A user reads what is wrong with the input, not where in the code it showed.
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        print(f"robust-ts: error: {error or type(error).__name__}", file=sys.stderr)
        return 1


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"robust-ts: warning: {message}", file=sys.stderr)
