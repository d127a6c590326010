"""Tables on a terminal, and the same as plain columns elsewhere; progress on a terminal. The only importer of rich."""

import os
import sys
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lastgood import differences, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from rich.progress import TaskID

_LEAST = 14
"""How many letters of a cell are left while there is another column that can give way."""
_ADDRESS = 18
"""How much of a direct address stands in the table whatever it costs: beside that, 80 columns have room for the mode."""


def console() -> Console:
    """A console on standard output: colours and bold where NO_COLOR, FORCE_COLOR and the terminal allow them."""
    return _Console(file=sys.stdout, highlight=False, soft_wrap=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let `app` end as for any other reader that has seen enough, with colours or without."""
        raise BrokenPipeError


def row(cells: "Sequence[str]", widths: "Sequence[int]", style: str = "") -> None:
    """Print one row whose last cell has no width of its own: it wraps on a terminal, below itself; elsewhere it is one line.

    `style` is that of the first cell.
    """
    cells = [messages.shown(cell) for cell in cells]
    out = console()
    if not out.is_terminal:
        fixed = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        sys.stdout.write("  ".join([*fixed, cells[-1]]).rstrip() + "\n")
        return
    shown = Table.grid(padding=(0, 2, 0, 0))
    for width in widths:
        shown.add_column(width=width, no_wrap=True)
    shown.add_column(overflow="fold")
    shown.add_row(Text(cells[0], style=style), *(Text(cell) for cell in cells[1:]))
    out.print(shown)


def table(
    columns: "Sequence[str]",
    rows: "Sequence[Sequence[str]]",
    styles: "Sequence[str]" = (),
    spare: "Sequence[int]" = (),
    yielding: "Sequence[int]" = (),
) -> None:
    """Print a table that fits the terminal; elsewhere nothing is cut.

    Where it would not fit, the columns at the places in `spare` are left out, the first of them first; then the first column is
    cut with an ellipsis, but not so far that nobody knows what a row is about: before that those in `yielding` are. `styles` has
    one style a row.
    """
    rows = [[messages.shown(cell) for cell in row] for row in rows]
    out = console()
    if not out.is_terminal:
        _plain(columns, rows)
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    kept = _that_fit(columns, rows, spare, out.width)
    widths = _widths({at: _width(columns, rows, at) for at in kept}, yielding, out.width)
    for at, width in widths.items():
        shown.add_column(columns[at], no_wrap=True, width=width)
    cut = zip(*(_cut([row[at] for row in rows], width) for at, width in widths.items()), strict=True)
    for index, row in enumerate(cut):
        style = styles[index] if index < len(styles) else ""
        shown.add_row(*(Text(cell, overflow="ellipsis") for cell in row), style=style)
    out.print(shown)


def with_short_addresses(
    columns: "Sequence[str]", rows: "Sequence[Sequence[str]]", specifiers: "Sequence[str]"
) -> "list[tuple[str, ...]]":
    """The rows with direct addresses in their first cells cut to what other columns leave, or they would go.

    `specifiers` has one a row, with the address where it has one. None is cut that would then look as another.
    """
    others = [max(map(len, column)) + 2 for column in zip(columns, *rows, strict=True)][1:]
    room = max(_ADDRESS, console().width - sum(others))
    cut = [_short_address(row[0], specifier, room) for row, specifier in zip(rows, specifiers, strict=True)]
    return [(short if cut.count(short) == 1 else row[0], *row[1:]) for short, row in zip(cut, rows, strict=True)]


def _short_address(label: str, specifier: str, room: int) -> str:
    """A label that fits, with the file's name for a direct address: ``ruff @ …ruff-1.0-…``."""
    if "://" not in specifier or len(label) <= room:
        return label
    before, address, after = label.partition(differences.address(specifier))
    short = f"{before}…{address.rstrip('/').rpartition('/')[2]}{after}"
    return short if len(short) <= room else short[: room - 1] + "…"


def _widths(wanted: "dict[int, int]", yielding: "Sequence[int]", room: int) -> "dict[int, int]":
    """The widths of columns, with less for the first, then for the `yielding` ones, then for the first again, until all fit."""
    found = dict(wanted)
    first = next(iter(wanted), 0)
    for narrowed, least in (([first], _LEAST), ([at for at in yielding if at in wanted], _LEAST), ([first], 1)):
        while sum(found.values()) + 2 * (len(found) - 1) > room:
            widest = max(narrowed, key=lambda at: found[at], default=None)
            if widest is None or found[widest] <= least:
                break
            found[widest] -= 1
    return found


def _cut(names: "Sequence[str]", room: int) -> "list[str]":
    """Names that fit: cut at the end, and in the middle where several would look the same."""
    cut = [name if len(name) <= room else name[: room - 1] + "…" for name in names]
    count = Counter(short for _, short in set(zip(names, cut, strict=True)))
    head = room // 2
    return [
        short if count[short] == 1 or len(name) <= room else f"{name[:head]}…{name[head + 1 - room :]}"
        for name, short in zip(names, cut, strict=True)
    ]


def _width(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]", at: int) -> int:
    return max(len(columns[at]), *(len(row[at]) for row in rows)) if rows else len(columns[at])


def _that_fit(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]", spare: "Sequence[int]", width: int) -> "list[int]":
    kept = list(range(len(columns)))
    for at in spare:
        if sum(_width(columns, rows, one) + 2 for one in kept) - 2 <= width:
            break
        kept.remove(at)
    return kept


def _plain(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> None:
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


class Bars:
    """A bar for several things that are done at once, and one for each that is under way; gone when all have ended.

    On standard error. It never draws by itself: a thread of its own would be copied into processes that are forked meanwhile.
    """

    def __init__(self, title: str, count: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
        self._shown = Progress(
            *columns,
            console=Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto"),
            transient=True,
            auto_refresh=False,
        )
        self._all = self._shown.add_task(title, total=count, note=f"0 of {count}")
        self._count = count
        self._ended = 0
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> "Self":
        self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.stop()

    def begin(self, index: int, name: str) -> None:
        """Add a bar for the thing at `index`."""
        self._tasks[index] = self._shown.add_task(name, total=None, note="")

    def end(self, index: int) -> None:
        """Take it away again."""
        self._ended += 1
        self._shown.remove_task(self._tasks.pop(index))
        self._shown.update(self._all, completed=self._ended, note=f"{self._ended} of {self._count}")

    def draw(self) -> None:
        """Draw what has changed."""
        self._shown.refresh()
