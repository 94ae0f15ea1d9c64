"""What the library costs in time: pairs measured in turn in one process, ratios reported."""

from collections.abc import Callable, Iterator, Sequence

from robust_ts.evaluation.speed import defense, loop, profile, rivals, scaling
from robust_ts.evaluation.speed.timing import Settings, environment, paired_ratio

__all__ = ["TABLES", "Settings", "measure", "paired_ratio"]

#: Tables by name: title, and what measures and formats one.
TABLES: dict[str, tuple[str, Callable[[Settings], str]]] = {
    "loop": ("The loop against a bare torch loop", loop.table),
    "rivals": ("InceptionTime against other libraries", rivals.table),
    "defense": ("What the defense costs", defense.table),
    "profile": ("Where the time goes", profile.table),
    "scaling": ("How the cost of the defense grows", scaling.table),
    "compile": ("torch.compile", loop.compile_table),
}


def measure(names: Sequence[str], settings: Settings) -> Iterator[str]:
    """Measure tables one by one.

    Parameters
    ----------
    names : sequence of str
        Keys of `TABLES`.
    settings : Settings
        What to measure, and for how long.

    Yields
    ------
    str
        What is measured on, then each table as Markdown as soon as it is there.

    Raises
    ------
    ValueError
        If a name is unknown; before anything is measured.
    """
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        raise ValueError(f"Unknown tables {unknown}; known: {', '.join(TABLES)}.")
    yield environment(settings.device)
    for name in names:
        title, table = TABLES[name]
        yield f"## {title}\n\n{table(settings)}"
