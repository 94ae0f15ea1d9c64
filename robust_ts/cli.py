"""The command line: ``robust-ts demo`` and ``robust-ts bench``. Also ``python -m robust_ts``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from robust_ts import __version__

#: What a grid is the product of, and the command line can narrow.
_AXES = ("datasets", "triggers", "rates", "modes", "backbones", "defenses", "seeds")


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
    bench = commands.add_parser(
        "bench",
        help="measure defenses over a grid of data sets and attacks, or the speed of the loop",
        description="Run a grid of the benchmark and print its tables as Markdown. Finished runs "
        "are kept in the rows file and not run again. 'speed' times the training loop instead.",
    )
    bench.add_argument(
        "grid",
        help="smoke (minutes, bundled data), development, check, public; ablation, sensitivity "
        "(of the proposals alone), ablation-fits, sensitivity-fits; calibration; or speed",
    )
    bench.add_argument("--rows", help="results file, JSON lines (default: runs/GRID.jsonl)")
    bench.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    for name in _AXES:
        bench.add_argument(f"--{name}", help=f"restrict the grid's {name}: a,b,...")
    bench.add_argument("--tables-only", action="store_true", help="print the tables, run nothing")
    bench.set_defaults(run=_bench)
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


def _restricted(grid: Any, arguments: argparse.Namespace) -> Any:
    """Narrow a grid to what the command line names."""
    kinds = {"rates": float, "seeds": int}
    changes = {}
    for name in _AXES:
        text = getattr(arguments, name)
        if text is not None:
            changes[name] = tuple(kinds.get(name, str)(part) for part in text.split(","))
    return replace(grid, **changes)


def _bench(arguments: argparse.Namespace) -> None:
    from robust_ts.evaluation import ablation, benchmark, calibration, summary
    from robust_ts.evaluation.speed import speed_table

    if arguments.grid == "speed":
        print(speed_table())
        return
    kinds = [
        (benchmark.GRIDS, benchmark.run_grid, summary.tables),
        (ablation.FITS, benchmark.run_grid, ablation.fits_table),
        (ablation.PROPOSALS, ablation.run_grid, ablation.tables),
        (calibration.GRIDS, calibration.run_grid, calibration.tables),
    ]
    known = {name: (grids[name], run, show) for grids, run, show in kinds for name in grids}
    if arguments.grid not in known:
        raise ValueError(f"Unknown grid {arguments.grid!r}; known: {', '.join(known)}, speed.")
    grid, run_grid, show = known[arguments.grid]
    grid = _restricted(grid, arguments)
    rows = arguments.rows or f"runs/{arguments.grid}.jsonl"
    if not arguments.tables_only:
        run_grid(grid, rows, n_jobs=arguments.jobs)
    print(show(grid, rows))


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
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output had enough; nothing is left to say
        return 0
    # A user reads what is wrong with the input, not where in the code it showed.
    except (ValueError, OSError, ImportError) as error:
        print(f"robust-ts: error: {error}", file=sys.stderr)
        return 1
    return 0
