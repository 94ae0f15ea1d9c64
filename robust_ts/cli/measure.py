"""``robust-ts demo`` and ``robust-ts bench``: what the defense is worth."""

import argparse
import time
from dataclasses import replace
from typing import Any

#: What a grid is the product of, and the command line can narrow.
_AXES = ("datasets", "triggers", "rates", "modes", "backbones", "defenses", "seeds")


def add_commands(commands: Any) -> None:
    """Add the commands of this module to the parser."""
    demo = commands.add_parser(
        "demo",
        help="poison a real data set, train without a defense, with ABL and with E2ABL",
        description="Poison 10% of JapaneseVowels (bundled in sktime, no download), train without "
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
        "are kept in the rows file and not run again. 'speed' times networks, rivals and the "
        "defense instead, with the options of that group and --backbones and --datasets; "
        "'memory' fits on a generated file of --gigabytes; 'forecasting' measures the "
        "forecasters, with --defenses for methods and --triggers for attacks.",
    )
    bench.add_argument(
        "grid",
        help="smoke (minutes, bundled data); public, public-rivals, -one-percent, -networks, "
        "-all-to-all, -clean-label, -two-targets, -one-channel, -sample-specific; its "
        "halves development and check; held-out; full-size; full (for a card); images, "
        "images-badnets, -unpoisoned, -rates, -clean-label, -all-to-all, -cifar10, -headline, "
        "-card (both for a card); ablation, sensitivity, sensitivity-common; calibration; or "
        "speed, memory or forecasting",
    )
    bench.add_argument("--rows", help="results file, JSON lines (default: runs/GRID.jsonl)")
    bench.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    for name in _AXES:
        bench.add_argument(f"--{name}", help=f"restrict the grid's {name}: a,b,...")
    bench.add_argument("--gigabytes", type=float, default=4.0, help="memory: size of the file")
    bench.add_argument(
        "--path", default=".", help="memory: folder for the file, deleted at the end"
    )
    bench.add_argument("--tables-only", action="store_true", help="print the tables, run nothing")
    speed = bench.add_argument_group("speed")
    speed.add_argument(
        "--tables", help="loop, rivals, defense, scaling, profile, compile: a,b,... (default: all)"
    )
    speed.add_argument("--device", default="cpu", help="where to measure: cpu (default), cuda")
    speed.add_argument("--quick", action="store_true", help="tiny sizes: does everything run?")
    speed.add_argument("--pairs", type=int, help="most measured pairs of a comparison")
    speed.add_argument("--limit", type=float, help="seconds a comparison (default: 60; cuda: 15)")
    speed.add_argument(
        "--minutes", type=float, help="begin nothing after so long (default: no end; cuda: 9)"
    )
    speed.add_argument("--sizes", help="numbers of series for the table scaling: a,b,...")
    speed.add_argument("--figure", help="file for the picture of the table scaling")
    bench.set_defaults(run=_bench)


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
    from robust_ts.evaluation import benchmark, calibration, grids, summary

    if arguments.grid == "speed":
        _bench_speed(arguments)
        return
    if arguments.grid == "memory":
        from robust_ts.evaluation import memory

        chosen = arguments.defenses.split(",") if arguments.defenses else tuple(memory.BY_DEFENSE)
        print(memory.memory_table(arguments.gigabytes, arguments.path, chosen))
        return
    if arguments.grid == "forecasting":
        _bench_forecasting(arguments)
        return
    kinds = [
        (grids.GRIDS, benchmark.run_grid, summary.tables),
        (grids.STUDY_GRIDS, benchmark.run_grid, summary.one_line_each),
        (calibration.GRIDS, calibration.run_grid, calibration.tables),
    ]
    known = {name: (of[name], run, show) for of, run, show in kinds for name in of}
    if arguments.grid not in known:
        names = ", ".join([*known, "speed", "memory", "forecasting"])
        raise ValueError(f"Unknown grid {arguments.grid!r}; known: {names}.")
    grid, run_grid, show = known[arguments.grid]
    grid = _restricted(grid, arguments)
    rows = arguments.rows or f"runs/{arguments.grid}.jsonl"
    if not arguments.tables_only:
        run_grid(grid, rows, n_jobs=arguments.jobs)
    if not benchmark.rows_of(grid, rows):
        raise ValueError(
            f"There are no rows of {arguments.grid!r} in {rows}. Leave --tables-only out to run "
            "them, or name another file by --rows."
        )
    print(show(grid, rows))


def _bench_forecasting(arguments: argparse.Namespace) -> None:
    from robust_ts.forecasting import benchmark

    given = {
        "datasets": arguments.datasets,
        "methods": arguments.defenses,
        "attacks": arguments.triggers,
        "seeds": arguments.seeds,
    }
    chosen: dict[str, Any] = {
        name: tuple(int(part) if name == "seeds" else part for part in text.split(","))
        for name, text in given.items()
        if text is not None
    }
    runs = benchmark.list_runs(**chosen)
    path = arguments.rows or "runs/forecasting.jsonl"
    made = benchmark.rows_of if arguments.tables_only else benchmark.run_benchmark
    print(benchmark.tables(made(runs, path)))


def _bench_speed(arguments: argparse.Namespace) -> None:
    from robust_ts.evaluation.speed import TABLES, Settings, measure
    from robust_ts.training.device import resolve_device

    device = resolve_device(arguments.device)
    # All tables on a card are to fit into ten minutes.
    on_card = device.type == "cuda"
    limit = arguments.limit or (15.0 if on_card else 60.0)
    minutes = arguments.minutes or (9.0 if on_card else float("inf"))
    given: dict[str, Any] = {
        name: tuple(getattr(arguments, name).split(","))
        for name in ("backbones", "datasets")
        if getattr(arguments, name)
    }
    if arguments.sizes:
        given["sizes"] = tuple(sorted(int(size) for size in arguments.sizes.split(",")))
    pairs = arguments.pairs or (1 if arguments.quick else 5)
    settings = Settings(
        device,
        arguments.quick,
        pairs,
        limit,
        figure=arguments.figure,
        end=time.perf_counter() + 60 * minutes,
        **given,
    )
    names = arguments.tables.split(",") if arguments.tables else list(TABLES)
    for text in measure(names, settings):
        print(text, flush=True, end="\n\n")
