"""Results as Markdown tables."""

from collections.abc import Mapping, Sequence


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Format rows as a Markdown table, aligned so that it reads well in a terminal too.

    Parameters
    ----------
    rows : sequence of mapping
        One mapping from column name to cell a row; floats are shown with one decimal, nan as
        a dash. The columns are those of the first row.

    Returns
    -------
    str
        The table without a trailing newline.

    Examples
    --------
    >>> from robust_ts.evaluation.tables import markdown_table
    >>> rows = [{"method": "none", "ASR %": 97.25}, {"method": "E2ABL", "ASR %": 0.0}]
    >>> print(markdown_table(rows))
    | method | ASR % |
    |--------|------:|
    | none   |  97.2 |
    | E2ABL  |   0.0 |
    """
    columns = list(rows[0])
    cells = [[_show(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(c), *(len(line[i]) for line in cells)) for i, c in enumerate(columns)]
    numeric = [all(isinstance(row.get(column), (int, float)) for row in rows) for column in columns]

    def line(values: Sequence[str]) -> str:
        padded = (
            v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True)
        )
        return "| " + " | ".join(padded) + " |"

    rule = "|".join(
        "-" * (w + 1) + (":" if n else "-") for w, n in zip(widths, numeric, strict=True)
    )
    return "\n".join([line(columns), f"|{rule}|", *map(line, cells)])


def _show(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
