"""Fill the pages of docs/ with the tables of the rows that are kept: python docs/make_tables.py.

A page says what it shows in a comment, ``<!-- tables 0,2: public --seeds 0 --rows FILE -->``:
numbers of the tables that ``robust-ts bench public --seeds 0 --rows FILE`` prints. What stands
between it and ``<!-- end -->`` is replaced. With --check nothing is written and pages that are
not as they should be are an error.
"""

import argparse
import contextlib
import io
import re
import sys
from functools import cache
from pathlib import Path

from robust_ts.cli import main as command

BLOCK = re.compile(r"(<!-- tables ([\d,-]+): (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


@cache
def printed(arguments: str) -> list[str]:
    """Return the tables that the command prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        failed = command(["bench", *arguments.split(), "--tables-only"])
    if failed:
        raise SystemExit(f"robust-ts bench {arguments}: failed")
    return out.getvalue().strip().split("\n\n")


def filled(block: re.Match[str]) -> str:
    """Return a block with its tables."""
    head, numbers, arguments, end = block.groups()
    tables = [printed(arguments)[int(number)] for number in numbers.split(",")]
    return "\n\n".join([head.rstrip(), *tables, end])


def main() -> None:
    """Fill or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where one differs"
    )
    check = parser.parse_args().check
    stale = []
    for page in sorted(Path("docs").glob("*.md")):
        text = page.read_text()
        new = BLOCK.sub(filled, text)
        if new != text:
            stale.append(page.name)
            if not check:
                page.write_text(new)
    print(("Not as the rows are: " if check else "Filled: ") + (", ".join(stale) or "none"))
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
