"""The command line: ``robust-ts demo``. Also ``python -m robust_ts``."""

import argparse
import sys
from collections.abc import Sequence

from robust_ts import __version__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robust-ts",
        description="Train time-series classifiers on data you do not fully trust.",
    )
    parser.add_argument("--version", action="version", version=f"robust_ts {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="poison a real data set, train without a defense, with ABL and with E2ABL",
        description="Poison 10%% of JapaneseVowels (bundled in sktime, no download), train without "
        "a defense, with ABL and with E2ABL, and show what each is worth.",
    )
    demo.add_argument("--output", default="demo_output", help="folder for the picture and the CSV")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--trigger", default="patch", help="name of a trigger (default: patch)")
    demo.add_argument("--backbone", default="inception", help="cnn, inception or resnet")
    demo.add_argument("--epochs", type=int, default=None, help="default: by the size of the data")
    demo.set_defaults(run=_demo)
    return parser


def _demo(arguments: argparse.Namespace) -> None:
    from robust_ts.evaluation.demo import run_demo

    run_demo(
        arguments.output,
        seed=arguments.seed,
        trigger=arguments.trigger,
        backbone=arguments.backbone,
        epochs=arguments.epochs,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 the data or an option cannot be used, 130 interrupted. Usage
        errors exit with 2 from the argument parser.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    # A user reads what is wrong with the input, not where in the code it showed.
    except (ValueError, OSError, ImportError) as error:
        print(f"robust-ts: error: {error}", file=sys.stderr)
        return 1
    return 0
