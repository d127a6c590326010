"""`lastgood report FILE.html`: one self-contained page, readable without scripts, with no address outside itself."""

import html
import os
import stat
import sys
import time

from lastgood import __version__, history, manage, messages, paths, record
from lastgood.cli import timeline
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from lastgood.record import Record

_WIDTH = 1000.0
_LEAST_SPAN = 1.0
_SLIM = 200.0
"""A last bar that is narrower than this takes the room of those before it for its name: it is what runs now."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #5a6472; --ground: #ffffff; --line: #d5dae1; --run: #2f6fab;
  --run2: #7fb0dd; --down: #d1495b; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --quiet: #9aa5b4; --ground: #14181d; --line: #343c47;
  --run: #5b9bd5; --run2: #2f5f8c; --down: #e5687a; --card: #1c2229; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .quiet { color: var(--quiet); font-size: .9rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 1rem 0; }
svg { width: 100%; height: 40px; display: block; }
.names { position: relative; height: 1.3rem; font-size: .8rem; line-height: 1.3rem; font-variant-numeric: tabular-nums; }
.names > div { position: absolute; height: 100%; overflow: hidden; display: flex; flex-wrap: wrap; align-content: flex-start; }
.names > div::before { content: ""; width: 1px; height: 100%; } /* a name without room goes below it, out of sight */
.names span { white-space: nowrap; padding-right: .6em; }
.names > .end { flex-direction: row-reverse; } .names > .end span { padding: 0 0 0 .6em; }
.names > .end span + span { padding: 0; margin-right: auto; }
ol { list-style: none; margin: .5rem 0 0; padding: 0; font-size: .92rem; }
ol > li { display: grid; grid-template-columns: 9.5rem 1fr; gap: 0 .75rem; padding: .15rem 0; border-top: 1px solid var(--line); }
ol > li > * { min-width: 0; overflow-wrap: anywhere; }
ol > li ul { grid-column: 2; margin: 0; padding: 0; list-style: none; color: var(--quiet); }
time { color: var(--quiet); font-variant-numeric: tabular-nums; } .bad { color: var(--down); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .3em; vertical-align: -.05em; }
.named { white-space: nowrap; }
@media (max-width: 40rem) { ol > li { grid-template-columns: 1fr; gap: 0; } ol > li > * { min-width: 0; overflow-wrap: anywhere; }
ol > li ul { grid-column: 1; } }
"""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("file", metavar="FILE", help="The page to write, for example report.html; `-` for standard output")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Write the page."""
    home = paths.home(environ)
    records = list(manage.all_records(home, refused=True))
    text = page(records, history.read(home), time.time())
    if given.file == "-":
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))  # as the page says of itself, whatever the terminal's is
        return 0
    try:
        _write(os.path.realpath(given.file), text)  # a link stays a link
    except OSError as error:
        raise LastgoodError(f"`{given.file}` cannot be written ({(error.strerror or str(error)).lower()})") from error
    messages.say("", f"wrote `{given.file}` ({messages.tools([one.tool for one in records])})", environ)
    return 0


def _write(path: str, text: str) -> None:
    """Replace a file whole; a pipe or a device is written to and stays what it is."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o666 & ~_umask()  # others may read it, as any page
        record.write(path, text, durable=False)
        os.chmod(path, mode)


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def page(records: "list[Record]", events: "list[dict[str, Any]]", now: float) -> str:
    """The whole page."""
    saved = timeline.saved(events)
    pairs = sorted(zip(records, timeline.asked_for(records), strict=True), key=lambda pair: pair[0].tool)
    sections = "".join(_section(one, wanted, timeline.of(one, events), now) for one, wanted in pairs)
    nothing = "" if records else "<p>Nothing is kept yet: run a tool with <code>lastgood run</code>.</p>"
    keys = "".join(
        f'<span class="named"><span class="key" style="background:var(--{name})"></span>{text}</span> &nbsp; '
        for name, text in (("run", "a generation runs"), ("run2", "the next one"), ("down", "its index is down"))
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>lastgood: what ran and what stood in</title><style>{_STYLE}</style></head><body>"
        "<h1>What ran, and what stood in</h1>"
        f'<p class="quiet">{messages.tools([one.tool for one in records])}, {messages.count(saved, "run")} saved from an outage; '
        f"written {messages.stamp(now)} by lastgood {__version__}</p><p class='quiet'>{keys}</p>{nothing}{sections}</body></html>\n"
    )


def _section(one: "Record", wanted: str, events: "list[dict[str, Any]]", now: float) -> str:
    current = one.generation()
    saved = timeline.saved(events)
    kept = messages.count(len(one.generations), "generation")
    items = "".join(_item(event) for event in reversed(timeline.grouped(events)))
    return (
        f"<section><h2>{_text(one.tool)} {_text(current.version if current else 'nothing')}</h2>"
        f'<p class="quiet">{_text(wanted)} · {kept} kept · {messages.count(saved, "run")} saved</p>'
        f"{_axis(one.tool, events, now)}<ol>{items}</ol></section>"
    )


def _item(event: "dict[str, Any]") -> str:
    changes = "".join(f"<li>{_text(change)}</li>" for change in event.get("changes", []))
    bad = ' class="bad"' if event["event"] in ("refused", "outage") else ""
    listed = f"<ul>{changes}</ul>" if changes else ""
    return f"<li><time>{messages.stamp(float(event['at']))}</time><span{bad}>{_text(timeline.told(event))}</span>{listed}</li>"


def _axis(tool: str, events: "list[dict[str, Any]]", now: float) -> str:
    """Generations on a time axis with their versions, outages shaded."""
    first = min((float(event["at"]) for event in events), default=now)
    start, span = first, max(now - first, _LEAST_SPAN)

    def at(when: float) -> float:
        return round((when - start) / span * _WIDTH, 1)

    running = [event for event in events if event["event"] in ("new", "rollback")]
    names = [_text(str(event.get("version", ""))) for event in running]
    starts = [at(float(event["at"])) for event in running]
    marks = []
    for index, (left, right) in enumerate(zip(starts, [*starts[1:], _WIDTH], strict=False)):
        x, width, colour = min(left, _WIDTH - 2.0), max(round(right - left, 1), 2.0), "run" if index % 2 == 0 else "run2"
        bar = f'<rect x="{x}" y="12" width="{width}" height="16" rx="3" fill="var(--{colour})">'
        marks.append(f"{bar}<title>{names[index]}</title></rect>")
    for since, until in outages(events, now):
        left, width = min(at(since), _WIDTH - 2.0), max(round(at(until) - at(since), 1), 2.0)
        marks.append(f'<rect x="{left}" y="4" width="{width}" height="32" fill="var(--down)" fill-opacity=".35"></rect>')
    above, below = _names(names, starts)
    return (
        f'{above}<svg viewBox="0 0 {_WIDTH:g} 40" preserveAspectRatio="none" role="img" '
        f'aria-label="{_text(tool)}: generations over time">'
        f'<line x1="0" y1="38" x2="{_WIDTH:g}" y2="38" stroke="var(--line)"></line>{"".join(marks)}</svg>{below}'
        f'<p class="quiet" style="display:flex;justify-content:space-between"><span>{messages.stamp(start)}</span>'
        f"<span>{messages.stamp(now)}</span></p>"
    )


def _names(names: "list[str]", starts: "list[float]") -> "tuple[str, str]":
    """The names of the bars: of each second one above the axis, of the others below it, so that each has the next bar's room, too.

    What does not fit is not shown, which the width of the window decides. The list below the axis has them all.
    """
    rows: tuple[list[str], list[str]] = ([], [])
    for left, right, bars in _rooms(starts):
        side = ' class="end"' if bars[0] == len(starts) - 1 and _is_slim(starts) else ""
        where = f"left:{left / _WIDTH:.2%};width:{(right - left) / _WIDTH:.2%}"
        spans = "".join(f"<span>{names[bar]}</span>" for bar in bars)
        rows[bars[0] % 2].append(f'<div{side} style="{where}">{spans}</div>')
    above, below = (f'<div class="names" aria-hidden="true">{"".join(row)}</div>' if row else "" for row in rows)
    return above, below


def _rooms(starts: "list[float]") -> "list[tuple[float, float, list[int]]]":
    """Where names may stand, and of which bars: from each bar to the next but one, which is the next of its row."""
    ends = [*starts[2:], _WIDTH, _WIDTH]
    rooms = [(left, right, [bar]) for bar, (left, right) in enumerate(zip(starts, ends, strict=False))]
    if not _is_slim(starts):
        return rooms
    last, before = len(starts) - 1, len(starts) - 3
    if before >= 0 and _WIDTH - starts[before] >= _SLIM:  # room for the last at the right, and perhaps for the other at the left
        return [*rooms[:before], rooms[before + 1], (starts[before], _WIDTH, [last, before])]
    least = max((start for start in starts if _WIDTH - start >= _SLIM), default=0.0)
    in_its_row = range(before, -1, -2)
    cut = [(left, min(right, least) if bar[0] in in_its_row else right, bar) for left, right, bar in rooms[:last]]
    return [*(room for room in cut if room[0] < room[1]), (least, _WIDTH, [last])]


def _is_slim(starts: "list[float]") -> bool:
    return bool(starts) and _WIDTH - starts[-1] < _SLIM


def outages(events: "list[dict[str, Any]]", now: float) -> "list[tuple[float, float]]":
    """When the index was down: from the first failure to the recovery, or to now."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for event in events:
        if event["event"] == "outage" and since is None:
            since = float(event["at"])
        elif event["event"] in ("recovered", "new") and since is not None:
            found.append((since, float(event["at"])))
            since = None
    if since is not None:
        found.append((since, now))
    return found


def _text(words: str) -> str:
    return html.escape(messages.shown(words))
