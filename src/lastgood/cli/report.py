"""`lastgood report FILE.html`: one self-contained page, readable without scripts, with no address outside itself."""

import html
import os
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
svg { width: 100%; height: 56px; display: block; margin: .5rem 0; }
ol { list-style: none; margin: .5rem 0 0; padding: 0; font-size: .92rem; }
ol > li { display: grid; grid-template-columns: 9.5rem 1fr; gap: .75rem; padding: .15rem 0; border-top: 1px solid var(--line); }
ol > li ul { grid-column: 2; margin: 0; padding: 0; list-style: none; color: var(--quiet); }
time { color: var(--quiet); font-variant-numeric: tabular-nums; } .bad { color: var(--down); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .3em; vertical-align: -.05em; }
@media (max-width: 40rem) { ol > li { grid-template-columns: 1fr; gap: 0; } ol > li ul { grid-column: 1; } }
"""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("file", metavar="FILE", help="The page to write, for example report.html")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Write the page."""
    home = paths.home(environ)
    records = list(manage.all_records(home))
    text = page(records, history.read(home), time.time())
    try:
        _write(given.file, text)
    except OSError as error:
        raise LastgoodError(f"`{given.file}` cannot be written ({(error.strerror or str(error)).lower()})") from error
    messages.say("", f"wrote `{given.file}` ({messages.count(len(records), 'tool')})", environ)
    return 0


def _write(path: str, text: str) -> None:
    """Replace a file whole; a pipe or a device is written to and stays what it is."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        record.write(path, text, durable=False)
        os.chmod(path, 0o666 & ~_umask())  # others may read it, as any page


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def page(records: "list[Record]", events: "list[dict[str, Any]]", now: float) -> str:
    """The whole page."""
    saved = sum(event["event"] == "fallback" for event in events)
    sections = "".join(_section(one, timeline.of(one, events), now) for one in sorted(records, key=lambda one: one.tool))
    nothing = "" if records else "<p>Nothing is kept yet: run a tool with <code>lastgood run</code>.</p>"
    keys = "".join(
        f'<span class="key" style="background:var(--{name})"></span>{text} &nbsp; '
        for name, text in (("run", "a generation runs"), ("run2", "the next one"), ("down", "its index is down"))
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>lastgood: what ran and what stood in</title><style>{_STYLE}</style></head><body>"
        "<h1>What ran, and what stood in</h1>"
        f'<p class="quiet">{messages.count(len(records), "tool")}, {messages.count(saved, "run")} saved from an outage; '
        f"written {messages.stamp(now)} by lastgood {__version__}</p><p class='quiet'>{keys}</p>{nothing}{sections}</body></html>\n"
    )


def _section(one: "Record", events: "list[dict[str, Any]]", now: float) -> str:
    current = one.generation()
    wanted = str(one.request.get("specifier") or "any version")
    saved = sum(event["event"] == "fallback" for event in events)
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
    """Generations on a time axis, outages shaded."""
    first = min((float(event["at"]) for event in events), default=now)
    start, span = first, max(now - first, _LEAST_SPAN)

    def at(when: float) -> float:
        return round((when - start) / span * _WIDTH, 1)

    marks = []
    running = [event for event in events if event["event"] in ("new", "rollback")]
    for index, event in enumerate(running):
        until = float(running[index + 1]["at"]) if index + 1 < len(running) else now
        left, width = at(float(event["at"])), max(at(until) - at(float(event["at"])), 2.0)
        colour = "run" if index % 2 == 0 else "run2"
        label = _text(str(event.get("version", "")))
        marks.append(
            f'<rect x="{left}" y="22" width="{width}" height="16" rx="3" fill="var(--{colour})"><title>{label}</title></rect>'
        )
    for since, until in outages(events, now):
        left, width = at(since), max(at(until) - at(since), 2.0)
        marks.append(f'<rect x="{left}" y="14" width="{width}" height="32" fill="var(--down)" fill-opacity=".35"></rect>')
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} 56" preserveAspectRatio="none" role="img" aria-label="{_text(tool)}: generations over time">'
        f'<line x1="0" y1="48" x2="{_WIDTH:g}" y2="48" stroke="var(--line)"></line>{"".join(marks)}</svg>'
        f'<p class="quiet" style="display:flex;justify-content:space-between"><span>{messages.stamp(start)}</span>'
        f"<span>{messages.stamp(now)}</span></p>"
    )


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
    return html.escape(words)
