"""Tables on a terminal, and the same as plain columns elsewhere: the only importer of rich."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def console() -> Console:
    """A console on standard output: colours where NO_COLOR, FORCE_COLOR and the terminal allow them."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def table(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]", styles: "Sequence[str]" = ()) -> None:
    """Print a table that fits the terminal: cells are cut with an ellipsis where they must be. Elsewhere nothing is cut."""
    out = console()
    if not out.is_terminal:
        _plain(columns, rows)
        return
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, no_wrap=True, overflow="ellipsis")
    for index, row in enumerate(rows):
        style = styles[index] if index < len(styles) else ""
        shown.add_row(*(Text(cell) for cell in row), style=style)
    out.print(shown)


def _plain(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> None:
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
