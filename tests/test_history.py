"""`lastgood history` and `lastgood report`: what happened to a tool, told as lines and drawn as one page.

What really happens is made to happen with the real uv; what takes days is written into the events.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
import time
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from lastgood import record as records
from lastgood.record import Generation, Record
from tests.support.kept import grow_old, keep, only_record, own_lines, retry_now
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
VOID = ("meta",)
"""Elements that are never closed."""
needs_permissions = pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)


def test_an_outage_is_told_as_one_whoever_may_fall_back(demo: Index, sandbox: Sandbox) -> None:
    """Where `fallback-on` leaves its class out the run fails as uvx does; the history has the host, and when it answers again."""
    keep(sandbox)
    grow_old(sandbox, 3600)
    env = {"LASTGOOD_FALLBACK_ON": "server-error"}
    port = demo.host
    demo.stop()
    assert sandbox.lastgood("run", "demo-tool", "--version", env=env).status != 0
    told = sandbox.lastgood("history", "demo-tool").out
    assert f"{port} did not answer: connection refused" in told
    assert "answered without a release" not in told
    demo.start_again()
    retry_now(sandbox)
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert f"{port} answers again" in sandbox.lastgood("history", "demo-tool").out


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


def enter(sandbox: Sandbox, tool: str = "demo-tool", *, ago: float = 0.0, specifier: str = "", name: str = "") -> Record:
    """Keep 1.0 of a tool without building it: a record, and a place in the store."""
    record = Record(f"{tool}-{'0' * 12}-000000", {"package": tool, "specifier": specifier}, name or tool)
    record.asked = time.time() - ago
    record.hosts = ["index.example:443"]
    record.current = f"{tool}-1.0-00000000"
    fields = {"version": "1.0", "dists": {}, "digest": "", "python": "3.13.1", "base": (0, 0), "uv": "", "open_files": False}
    commands = {record.tool: ("search", "", 0)}  # found on PATH: there is no program in the store
    record.generations = [Generation(id=record.current, source="", kept=record.asked, commands=commands, **fields)]
    (sandbox.home / "generations" / record.current / "bin").mkdir(parents=True)
    (sandbox.home / "records").mkdir(exist_ok=True)
    records.save(str(sandbox.home), record)
    return record


def happen(sandbox: Sandbox, record: Record, *events: tuple[float, str, dict[str, Any]]) -> None:
    """Enter events of a record: how many seconds ago, what, and more about it."""
    now = time.time()
    with (sandbox.home / "events.jsonl").open("a", encoding="utf-8") as file:
        for ago, event, fields in events:
            file.write(json.dumps({"at": now - ago, "event": event, "record": record.id, "tool": record.tool, **fields}) + "\n")


def told(sandbox: Sandbox, tool: str = "demo-tool") -> list[str]:
    """Return what `lastgood history` tells, line by line, the heading and the points in time left out."""
    result = sandbox.lastgood("history", tool)
    assert (result.status, result.err) == (0, ""), result
    _, *lines = result.out.splitlines()
    assert all(re.match(r"  \d{4}-\d\d-\d\d \d\d:\d\d  | {22}", line) for line in lines), lines
    return [line[20:] for line in lines]


def events_of(sandbox: Sandbox, tool: str = "demo-tool") -> list[dict[str, Any]]:
    """Return what `lastgood history --json` tells."""
    result = sandbox.lastgood("history", "--json", tool)
    assert (result.status, result.err) == (0, ""), result
    return [json.loads(line) for line in result.out.splitlines()]


# --- history --------------------------------------------------------------------------------------------------------


def test_generations_refusals_and_what_people_did(index: Index, sandbox: Sandbox) -> None:
    """Oldest first: each version that is good with what moved in its closure, a refusal with its error, rollback, hold, unhold."""
    for version in ("1.0", "2.0"):
        index.publish(demo_dep(version))
        index.publish(demo_tool(version, requires=(f"demo-dep=={version}",)))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    index.publish(demo_tool("3.0", broken="import"))
    for words in (("warm",), ("hold",), ("rollback",), ("unhold",)):
        assert sandbox.lastgood(*words, "demo-tool").status == 0
    assert told(sandbox) == [
        "1.0 is good",
        "2.0 is good, after 1.0",
        "  demo-dep 1.0 → 2.0",
        "  demo-tool 1.0 → 2.0",
        "3.0 refused: ImportError: this release of the demo tool is broken",
        "  demo-dep 2.0 → nothing",
        "  demo-tool 2.0 → 3.0",
        "2.0 held",
        "rolled back to 1.0 from 2.0",
        "  demo-dep 2.0 → 1.0",
        "  demo-tool 2.0 → 1.0",
        "1.0 let go",
    ]
    assert sandbox.lastgood("history", "demo-tool").out.splitlines()[0] == "demo-tool  any version  now 1.0"
    events = events_of(sandbox)
    assert [(event["event"], event["version"]) for event in events] == [
        ("new", "1.0"),
        ("new", "2.0"),
        ("refused", "3.0"),
        ("hold", "2.0"),
        ("rollback", "1.0"),
        ("unhold", "1.0"),
    ]
    assert (events[1]["before"], events[1]["changes"]) == ("1.0", ["demo-dep 1.0 → 2.0", "demo-tool 1.0 → 2.0"])
    assert {event["record"] for event in events} == {only_record(sandbox).id}
    assert sorted(events, key=lambda event: float(event["at"])) == events


def test_an_outage_and_its_end(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """The outage with its reason, each run in which something stood in, and the recovery; no credentials of the index."""
    index = index_factory(auth=("somebody", "hunter2"))
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index)
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.fault(503)
    for _ in range(3):
        sandbox.lastgood("run", "demo-tool")
        sandbox.wait_quiet()
    index.heal()
    retry_now(sandbox)
    sandbox.lastgood("run", "demo-tool")
    sandbox.wait_quiet()
    first, *lines, last = told(sandbox)
    assert (first, last) == ("1.0 is good", f"{index.host} answers again (down: HTTP 503)")
    assert f"{index.host} answered with an error: HTTP 503" in lines
    events = events_of(sandbox)
    assert Counter(event["event"] for event in events) == {"new": 1, "outage": 1, "fallback": 3, "recovered": 1}
    assert "hunter2" not in json.dumps(events)
    assert "somebody" not in json.dumps(events)


def test_an_outage_that_another_tool_met(demo: Index, sandbox: Sandbox) -> None:
    """The outages of a tool's hosts are part of its history, and of its page, whichever tool was the one that asked."""
    keep(sandbox)
    keep(sandbox, "demo-tool>=1")
    grow_old(sandbox, HOUR)
    demo.stop()
    for target in ("demo-tool", "demo-tool>=1"):
        sandbox.lastgood("run", target)
        sandbox.wait_quiet()
    demo.start_again()
    retry_now(sandbox)
    sandbox.lastgood("run", "demo-tool")
    sandbox.wait_quiet()
    lines = told(sandbox, "demo-tool>=1")
    assert lines[-1] == f"{demo.host} answers again (down: connection refused)"
    assert f"{demo.host} did not answer: connection refused" in lines
    assert len([rect for rect in written(sandbox).rects if rect.fill == "down"]) == 2


def test_many_of_a_kind_are_one_line(alone: Sandbox) -> None:
    """Runs of the same event are told once with their number, as far as nothing else came between; what matters is never merged."""
    record = enter(alone, ago=99 * HOUR)
    down = {"reason": "timed out", "host": "index.example:8443"}
    happen(alone, record, *[(50 - number, "fallback", {"version": "1.0"}) for number in range(12)])
    happen(alone, record, (30, "outage", down), (29, "outage", down), (28, "outage", down | {"reason": "HTTP 503"}))
    happen(alone, record, (20, "fallback", {"version": "1.0"}), (19, "fallback", {"version": "2.0"}))
    happen(alone, record, *[(10 - number, "refused", {"version": "3.0", "reason": "no"}) for number in range(2)])
    assert told(alone) == [
        "1.0 is good",
        "1.0 stood in (12 times)",
        "index.example:8443 did not answer: timed out (2 times)",
        "index.example:8443 answered with an error: HTTP 503",
        "1.0 stood in",
        "2.0 stood in",
        "3.0 refused: no",
        "3.0 refused: no",
    ]
    assert len(events_of(alone)) == 20


def test_a_host_is_told_as_people_read_it(alone: Sandbox) -> None:
    """The usual port is left out, as in `status` and in what a run says."""
    record = enter(alone)
    happen(alone, record, (0, "outage", {"host": "index.example:443", "reason": "timed out"}))
    assert told(alone)[-1] == "index.example did not answer: timed out"


def test_events_are_bounded_and_generations_are_put_back(demo: Index, sandbox: Sandbox) -> None:
    """The file of events is cut when it is big; what is kept is still told, once and in its place, when its own event has gone."""
    del demo
    keep(sandbox)
    (at,) = [event["at"] for event in events_of(sandbox)]
    path, older = sandbox.home / "events.jsonl", sandbox.home / "events.jsonl.old"
    filler = json.dumps({"at": at, "event": "fallback", "record": "another", "version": "x" * 500}) + "\n"
    expected = ["1.0 is good"]
    for verb, line in (("hold", "1.0 held"), ("unhold", "1.0 let go"), ("hold", "1.0 held")):
        with path.open("a") as file:
            file.write(filler * 2000)
        assert sandbox.lastgood(verb, "demo-tool").status == 0
        assert path.stat().st_size < 1000
        assert older.stat().st_size < 1_200_000
        expected = [*expected, line]
        if len(expected) == 4:
            del expected[1]  # what stood before the file that was cut last
        assert told(sandbox) == expected
    assert '"new"' not in older.read_text() + path.read_text()
    assert events_of(sandbox)[0]["at"] == pytest.approx(at, abs=5)


def test_whose_history(alone: Sandbox) -> None:
    """Where no record is the one that a run here would use, all of that tool are told, each under a heading of its own."""
    enter(alone, "other")
    enter(alone, specifier=">=1")
    record = enter(alone, "demo-tool-next", specifier="<3", name="demo-tool")
    happen(alone, record, (0, "hold", {"version": "1.0"}))
    lines = alone.lastgood("history", "demo-tool").out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["demo-tool  >=1  now 1.0", "demo-tool  <3  now 1.0"]
    assert [line[20:] for line in lines if line.startswith(" ")] == ["1.0 is good", "1.0 is good", "1.0 held"]


def test_a_version_that_was_built_again(index: Index, sandbox: Sandbox) -> None:
    """What is kept anew of the same version came after nothing: it was built again, with what moved beside it."""
    index.publish(demo_tool("1.0", requires=("demo-dep",)))
    for version in ("1.0", "2.0"):
        index.publish(demo_dep(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert told(sandbox) == ["1.0 is good", "1.0 is good, built again", "  demo-dep 1.0 → 2.0"]


def test_whose_history_where_only_a_variable_differs(alone: Sandbox) -> None:
    """Two records that ask for the same version are told apart by what differs, in `history` and on the page."""
    enter(alone)
    record = enter(alone, "demo-tool-next", name="demo-tool")
    record.request |= {"package": "demo-tool", "variables": [["UV_PRERELEASE", "allow"]]}
    records.save(str(alone.home), record)
    heads = [line for line in alone.lastgood("history", "demo-tool").out.splitlines() if not line.startswith(" ")]
    assert heads == ["demo-tool  any version  now 1.0", "demo-tool  UV_PRERELEASE=allow  now 1.0"]
    assert [text.partition(" · ")[0] for text in written(alone).texts["p"] if " kept · " in text] == [
        "any version",
        "UV_PRERELEASE=allow",
    ]


@pytest.mark.parametrize("words", [("history",), ("history", "--json")])
def test_a_tool_that_nobody_knows(alone: Sandbox, words: tuple[str, ...]) -> None:
    """One line says that nothing of it is kept, and what would help; looking makes no home."""
    result = alone.lastgood(*words, "black")
    said = "lastgood: error: no good `black` is kept; run `lastgood warm black` while the index is up\n"
    assert (result.status, result.out, result.err, alone.home.exists()) == (1, "", said, False)


def test_a_tool_of_which_all_is_refused(index: Index, sandbox: Sandbox) -> None:
    """The refusal is its history, and a section of the page; also when the events have been cut."""
    index.publish(demo_tool("1.0", broken="import"))
    sandbox.lastgood("warm", "demo-tool")
    line = "1.0 refused: ImportError: this release of the demo tool is broken"
    for _ in range(2):
        assert told(sandbox) == [line]
        assert sandbox.lastgood("history", "demo-tool").out.startswith("demo-tool  any version  now nothing\n")
        assert [event["event"] for event in events_of(sandbox)] == ["refused"]
        texts = written(sandbox).texts
        assert ("demo-tool nothing" in texts["h2"], line in texts["span"]) == (True, True), texts
        (sandbox.home / "events.jsonl").unlink(missing_ok=True)


def test_the_page_keeps_together_what_belongs_together(alone: Sandbox) -> None:
    """No row of a grid stands between an event and what moved with it, and no name of the legend breaks in a narrow window."""
    enter(alone)
    page = alone.lastgood("report", "-").out
    assert "grid-template-columns: 9.5rem 1fr; gap: 0 .75rem;" in page
    assert ".named { white-space: nowrap; }" in page
    assert re.findall(r'<span class="named"><span [^>]*></span>([^<]*)</span>', page) == [
        "a generation runs",
        "the next one",
        "its index is down",
    ]


def test_a_rollback_while_a_release_is_fetched(alone: Sandbox) -> None:
    """What is kept then came after what somebody went back to, whatever ran when its refresh began."""
    record = enter(alone, ago=9 * HOUR)
    happen(alone, record, (80, "new", {"version": "1.2", "before": "1.0", "changes": ["demo-tool 1.0 → 1.2"]}))
    happen(alone, record, (60, "rollback", {"version": "1.0", "before": "1.2", "changes": []}))
    happen(alone, record, (40, "new", {"version": "1.3", "before": "1.2", "changes": ["demo-tool 1.2 → 1.3"]}))
    happen(alone, record, (20, "new", {"version": "1.4", "before": "1.3", "changes": ["demo-tool 1.3 → 1.4"]}))
    assert told(alone) == [
        "1.0 is good",
        "1.2 is good, after 1.0",
        "  demo-tool 1.0 → 1.2",
        "rolled back to 1.0 from 1.2",
        "1.3 is good, after 1.0",
        "1.4 is good, after 1.3",
        "  demo-tool 1.3 → 1.4",
    ]


def test_going_forward_again_is_no_rollback(index: Index, sandbox: Sandbox) -> None:
    """What `rollback --to` goes on to, after somebody went back, is told as that in `history` and on the page."""
    for version in ("1.0", "9.0", "10.0"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    for version in ("1.0", "10.0", "9.0"):
        assert sandbox.lastgood("rollback", "demo-tool", "--to", version).status == 0
    went = ["rolled back to 1.0 from 10.0", "moved to 10.0 from 1.0", "rolled back to 9.0 from 10.0"]
    assert [line for line in told(sandbox) if not line.startswith("  ") and "good" not in line] == went
    assert [line for line in written(sandbox).texts["span"] if line in went] == went[::-1]


def test_a_rollback_between_versions_that_nobody_can_compare(alone: Sandbox) -> None:
    """What is no version, or the same one built otherwise, is told as a rollback."""
    record = enter(alone, ago=HOUR)
    pairs = [("b", "a"), ("1.0", "1.0"), ("2.0", "")]
    happen(alone, record, *[(30, "rollback", {"version": version, "before": before}) for version, before in pairs])
    assert told(alone)[1:] == [f"rolled back to {version} from {before}" for version, before in pairs]


def test_lines_that_are_no_events(alone: Sandbox) -> None:
    """What somebody else wrote into the file of events is left out, by `history` and by `report`."""
    record = enter(alone)
    named = f'"record": "{record.id}"'
    lines = ["{", "[1]", '{"event": "hold"}', f'{{"event": "hold", {named}}}', f'{{"at": "noon", "event": "hold", {named}}}']
    lines += [f'{{"at": {at}, "event": "hold", {named}}}' for at in ("1e300", "-1e300", "NaN", "Infinity", "1" + "0" * 400)]
    (alone.home / "events.jsonl").write_text("\n".join(lines) + "\n")
    happen(alone, record, (0, "unhold", {"version": "1.0"}))
    assert told(alone) == ["1.0 is good", "1.0 let go"]
    assert written(alone).heads == ["demo-tool 1.0"]


@pytest.mark.parametrize("kind", ["new", "refused", "outage", "recovered", "answer", "local", "fallback", "rollback", "hold"])
def test_events_of_another_shape(alone: Sandbox, kind: str) -> None:
    """A line of which a field is not what it should be is left out, whatever stands there; the others are told."""
    record = enter(alone, ago=HOUR)
    whole = {"at": time.time(), "event": kind, "tool": record.tool, "record": record.id, "version": "9.9", "before": "8.8"}
    whole |= {"reason": "timed out", "host": "index.example:443", "changes": ["x"], "down": True, "since": 1.0}
    others: list[Any] = [None, True, 7, -1.5, "text", "\ud800", [], [1], [None], {}, {"a": 1}]
    wrong = [{**whole, name: other} for name in whole for other in others if not _may_be(name, other)]
    assert len(wrong) > 80
    lines = [json.dumps(event) for event in wrong]
    lines += [json.dumps(whole)[:-1] + f', "since": {text}}}' for text in ("1e999", "NaN")] + ["[" * 100_000]
    (alone.home / "events.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    happen(alone, record, (0, "unhold", {"version": "1.0", "times": [], "unknown": {"a": [None]}}))
    assert told(alone) == ["1.0 is good", "1.0 let go"]
    assert [event["event"] for event in events_of(alone)] == ["new", "unhold"]
    assert written(alone).heads == ["demo-tool 1.0"]
    status = alone.lastgood("status", "--json")
    assert (status.status, status.err) == (0, ""), status


def _may_be(name: str, value: object) -> bool:
    """Whether a field of an event may have this value."""
    if name in ("at", "since"):
        return value == 7
    kinds: dict[str, type | tuple[type, ...]] = {"down": bool, "changes": list}
    return isinstance(value, kinds.get(name, str)) and value not in ([1], [None], "\ud800")


# --- the page -------------------------------------------------------------------------------------------------------


class Rect:
    """A bar of the time axis: `x` and `width` in thousandths of it, its colour's name, its title."""

    def __init__(self, attributes: dict[str, str | None]) -> None:
        """Take what the element says."""
        self.x, self.width = (float(attributes[name] or "") for name in ("x", "width"))
        self.fill = (attributes["fill"] or "").removeprefix("var(--").removesuffix(")")
        self.title = ""


class Page(HTMLParser):
    """A page as a browser reads it: balanced, and nothing in it from elsewhere."""

    def __init__(self, text: str) -> None:
        """Read it whole."""
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.texts: dict[str, list[str]] = {}
        self.rects: list[Rect] = []
        self.labels: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    @property
    def heads(self) -> list[str]:
        """The headings of the tools."""
        return self.texts.get("h2", [])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element; none may lead elsewhere."""
        assert tag not in ("script", "link", "iframe", "object", "base", "img")
        for name, value in attrs:
            assert name not in ("src", "href", "xlink:href", "srcset"), (tag, name)
            assert not name.startswith("on"), (tag, name)
            assert not re.search(r"//|url\(|@import", value or ""), (tag, value)
        self.seen[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        if tag == "rect":
            self.rects.append(Rect(dict(attrs)))
        if tag == "svg":
            self.labels.append(dict(attrs)["aria-label"] or "")

    def handle_endtag(self, tag: str) -> None:
        """Leave the element that was entered last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text of each kind of element."""
        inside = self.open[-1] if self.open else ""
        if inside == "style":
            assert not re.search(r"//|url\(|@import", data)
        self.texts.setdefault(inside, []).append(data)
        if inside == "title" and "rect" in self.open:
            self.rects[-1].title = data


def written(sandbox: Sandbox) -> Page:
    """Return the page that `lastgood report` writes."""
    result = sandbox.lastgood("report", "report.html")
    assert (result.status, result.out, len(result.err.splitlines())) == (0, "", 1), result
    text = (sandbox.work / "report.html").read_text("utf-8")
    assert "://" not in text
    return Page(text)


def test_the_page_of_a_home_in_use(demo: Index, sandbox: Sandbox) -> None:
    """Every tool with its generations and its history, newest first; as many runs are saved as said that something stood in."""
    keep(sandbox)
    demo.publish(demo_tool("1.0", name="another-tool"))
    assert sandbox.lastgood("warm", "another-tool").status == 0
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    grow_old(sandbox, HOUR)
    demo.stop()
    ran = [sandbox.lastgood("run", target) for target in ("demo-tool", "demo-tool", "another-tool", "demo-tool>=1")]
    sandbox.wait_quiet()
    saved = sum("warning: running `" in result.err for result in ran)
    assert saved == 4
    page = written(sandbox)
    assert page.heads == ["another-tool 1.0", "demo-tool 2.0"]
    assert page.labels == ["another-tool: generations over time", "demo-tool: generations over time"]
    assert [rect.title for rect in page.rects if rect.title] == ["1.0", "1.0", "2.0"]
    said = " ".join(page.texts["p"])
    assert f"2 tools, {saved} runs saved from an outage; written " in said
    assert re.findall(r"\d generations? kept · \d runs? saved", said) == [
        "1 generation kept · 1 run saved",
        "2 generations kept · 3 runs saved",
    ]
    lines = [line for line in told(sandbox) if not line.startswith("  ")]
    assert page.texts["span"][-len(lines) :] == lines[::-1]
    assert page.seen["section"] == page.seen["svg"] == 2


def test_a_run_that_uvs_own_cache_saved_counts(demo: Index, sandbox: Sandbox) -> None:
    """A run is saved from whichever rung of the ladder it started: each that says so counts."""
    keep(sandbox)
    demo.stop()
    (notice,) = own_lines(sandbox.lastgood("run", "--prerelease=allow", "demo-tool"))
    assert notice.startswith("warning: running `demo-tool` 1.0 from uv's cache: ")
    sandbox.wait_quiet()
    assert "1 run saved from an outage" in " ".join(written(sandbox).texts["p"])


def test_the_time_axis(alone: Sandbox) -> None:
    """Each generation lasts until the next one came, an outage from its first failure to the recovery, or until now."""
    record = enter(alone, ago=100 * HOUR)
    down, up = {"host": "index.example:443", "reason": "timed out"}, {"host": "index.example:443", "record": ""}
    happen(
        alone,
        record,
        (100 * HOUR, "new", {"version": "1.0"}),
        (90 * HOUR, "outage", down),
        (80 * HOUR, "outage", down),
        (70 * HOUR, "recovered", up),
        (60 * HOUR, "new", {"version": "2.0"}),
        (50 * HOUR, "refused", {"version": "3.0", "reason": "no"}),
        (40 * HOUR, "outage", down),
        (30 * HOUR, "new", {"version": "4.0"}),
        (20 * HOUR, "rollback", {"version": "2.0"}),
        (10 * HOUR, "outage", down),
    )
    page = written(alone)
    drawn = [(rect.title, rect.fill, rect.x, rect.width) for rect in page.rects]
    expected = [
        ("1.0", "run", 0, 400),
        ("2.0", "run2", 400, 300),
        ("4.0", "run", 700, 100),
        ("2.0", "run2", 800, 200),
        ("", "down", 100, 200),
        ("", "down", 600, 100),
        ("", "down", 900, 100),
    ]
    assert [one[:2] for one in drawn] == [one[:2] for one in expected]
    assert [one[2:] for one in drawn] == [pytest.approx(one[2:], abs=1) for one in expected]


def rows_of_names(sandbox: Sandbox) -> list[list[tuple[float, float, str]]]:
    """Return what stands above and below the time axis of the only tool: from and to in percent, and names."""
    written(sandbox)
    text = (sandbox.work / "report.html").read_text("utf-8")
    rows = re.findall(r'<div class="names" aria-hidden="true">(.*?</div>)</div>', text)
    one = re.compile(r'<div[^>]* style="left:([0-9.]+)%;width:([0-9.]+)%"><span>(.*?)</span></div>')
    return [[(float(left), float(left) + float(width), names) for left, width, names in one.findall(row)] for row in rows]


@pytest.mark.parametrize("ago", [(100, 60, 30, 1), (100, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1), (100,), (100, 0), (100, 50, 20, 1)])
def test_versions_can_be_read_at_their_bars(alone: Sandbox, ago: tuple[int, ...]) -> None:
    """Each name has its bar's room or more, none another's, above and below the axis in turn; what runs now has room always."""
    record = enter(alone, ago=100 * HOUR)
    record.generations[0].version = f"{len(ago)}.0"
    records.save(str(alone.home), record)
    versions = [f"{number}.0" for number in range(1, len(ago) + 1)]
    happen(alone, record, *[(hours * HOUR, "new", {"version": version}) for hours, version in zip(ago, versions, strict=True)])
    rows = rows_of_names(alone)
    for row in rows:
        assert all(before[1] <= after[0] + 0.01 for before, after in itertools.pairwise(row)), row
        assert all(0 <= left < right <= 100.01 for left, right, _ in row), row
    shown = sorted((name for row in rows for *_, names in row for name in names.split("</span><span>")), key=float)
    assert shown == [version for version in versions if version in shown]
    ((left, right, _),) = [room for row in rows for room in row if room[2].split("</span>")[0] == versions[-1]]
    assert right == pytest.approx(100, abs=0.1)
    assert right - left >= 20
    if len(ago) < 5:
        assert shown == versions


def test_a_bar_of_this_minute_can_be_seen(alone: Sandbox) -> None:
    """What has just been kept has a bar at the end of the axis, not one behind it."""
    record = enter(alone)
    happen(alone, record, (HOUR, "outage", {"host": "index.example:443", "reason": "timed out"}))
    assert [rect.x + rect.width <= 1000 for rect in written(alone).rects] == [True, True]


def test_an_outage_of_this_minute_can_be_seen(alone: Sandbox) -> None:
    """What has just begun is drawn at the end of the axis, not behind it."""
    record = enter(alone, ago=99 * HOUR)
    happen(
        alone, record, (99 * HOUR, "new", {"version": "1.0"}), (0, "outage", {"host": "index.example:443", "reason": "timed out"})
    )
    (down,) = [rect for rect in written(alone).rects if rect.fill == "down"]
    assert (down.x >= 990, down.width > 0, down.x + down.width <= 1000) == (True, True, True)


def test_a_tool_has_no_history_from_before_it_was_there(alone: Sandbox) -> None:
    """What its host did before that is another tool's: the list and the axis begin with the tool itself."""
    earlier, later = enter(alone, "demo-tool", ago=99 * HOUR), enter(alone, "other-tool", ago=HOUR)
    down = {"host": "index.example:443", "reason": "timed out"}
    happen(alone, earlier, (72 * HOUR, "outage", down), (71 * HOUR, "recovered", down), (60, "outage", down))
    assert told(alone, "other-tool") == ["1.0 is good", "index.example did not answer: timed out"]
    assert len(told(alone)) == 4
    bars = [rect for rect in written(alone).rects if rect.title]
    assert [(rect.x, rect.width) for rect in bars] == [(0, 1000), (0, 1000)], later.id


@pytest.mark.parametrize("gone", [False, True])
def test_only_an_outage_is_something_to_be_saved_from(demo: Index, sandbox: Sandbox, *, gone: bool) -> None:
    """While a release is still being checked the kept one stands in, too, and the index is up: that is told, and not counted."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    gate = sandbox.root / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    demo.publish(demo_tool("2.0", prelude=wait))
    if gone:
        demo.stop()
    assert sandbox.lastgood("run", "--patience", "1.5", "demo-tool", "--version").out == "demo-tool 1.0\n"
    gate.touch()
    sandbox.wait_quiet()
    (fallback,) = [event for event in events_of(sandbox) if event["event"] == "fallback"]
    assert fallback.get("down", True) == gone
    assert f"{'1 run' if gone else '0 runs'} saved from an outage" in " ".join(written(sandbox).texts["p"])


def test_an_outage_is_told_before_what_stood_in_for_it(demo: Index, sandbox: Sandbox) -> None:
    """Of one run first the failure, then what ran instead, whichever of the two processes wrote it down first."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    for _ in range(2):
        assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
        sandbox.wait_quiet()
    assert told(sandbox) == ["1.0 is good", f"{demo.host} did not answer: connection refused", "1.0 stood in (2 times)"]
    now = time.time()
    path = sandbox.home / "events.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    rank = {"new": 0, "fallback": 1, "outage": 2}
    events.sort(key=lambda event: rank[event["event"]])
    path.write_text("".join(json.dumps(event | {"at": now + at / 10}) + "\n" for at, event in enumerate(events)))
    assert told(sandbox)[-2:] == [f"{demo.host} did not answer: connection refused", "1.0 stood in (2 times)"]


def test_a_page_on_standard_output(alone: Sandbox) -> None:
    """`-` is standard output, and no file: the page as it would be in one, whatever the terminal's encoding is."""
    record = enter(alone, specifier=">=1, \u2192")
    happen(alone, record, (1, "rollback", {"version": "1.0", "before": "2.0"}))
    result = alone.lastgood("report", "-", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert (result.status, result.err) == (0, "")
    assert Page(result.stdout.decode("utf-8")).heads == ["demo-tool 1.0"]
    assert "\u2192" in result.stdout.decode("utf-8")
    assert files(alone.work) == []


def test_other_peoples_words_are_no_markup(alone: Sandbox) -> None:
    """Names, specifiers, versions, reasons and changes come from elsewhere: on the page they are text, whatever is in them."""
    odd = "<b>&\"'</b><script>alert(1)</script>"
    record = enter(alone, ago=HOUR, specifier=odd, name=f"tool {odd}")
    record.generations[0].version = f"1.0{odd}"
    records.save(str(alone.home), record)
    happen(alone, record, (2, "new", {"version": f"2.0{odd}", "before": odd, "changes": [f"{odd} 1 → 2"]}))
    happen(alone, record, (1, "refused", {"version": "3.0", "reason": odd}), (0, "outage", {"host": f"{odd}:8443", "reason": odd}))
    page = written(alone)
    assert page.seen["b"] == 0
    assert page.heads == [f"tool {odd} 1.0{odd}"]
    assert page.labels == [f"tool {odd}: generations over time"]
    assert f"2.0{odd}" in [rect.title for rect in page.rects]
    assert page.texts["span"][-4:-1] == [
        f"{odd}:8443 did not answer: {odd}",
        f"3.0 refused: {odd}",
        f"2.0{odd} is good, after {odd}",
    ]
    assert f"{odd} 1 → 2" in page.texts["li"]
    assert [text for text in page.texts["p"] if text.startswith(odd)]


def test_the_page_of_an_empty_home(alone: Sandbox) -> None:
    """Where nothing is kept there is a page that says so, and still no home."""
    page = written(alone)
    assert (page.heads, page.rects) == ([], [])
    assert "Nothing is kept yet: run a tool with " in page.texts["p"]
    assert "0 tools, 0 runs saved" in " ".join(page.texts["p"])
    assert not alone.home.exists()


def expect_refusal(result: Result, name: str, reason: str) -> None:
    """The page could not be written: one line says so."""
    said = f"lastgood: error: `{name}` cannot be written ({reason})\n"
    assert (result.status, result.out, result.err) == (2, "", said)


def files(place: Path) -> list[str]:
    """Return what lies in a directory."""
    return sorted(os.listdir(place))


@needs_permissions
def test_a_page_that_cannot_be_written(alone: Sandbox) -> None:
    """A place that is not there, a directory, one that is not ours: one line, and nothing half-written stays behind."""
    (alone.work / "there").mkdir()
    expect_refusal(alone.lastgood("report", "gone/report.html"), "gone/report.html", "no such file or directory")
    expect_refusal(alone.lastgood("report", "there"), "there", "is a directory")
    assert (files(alone.work), files(alone.work / "there")) == (["there"], [])
    (alone.work / "there").chmod(0o555)
    argv = as_ordinary_user([lastgood_script(), "report", "there/report.html"])
    expect_refusal(alone.run(argv), "there/report.html", "permission denied")
    assert files(alone.work / "there") == []


def test_a_page_is_replaced_whole(alone: Sandbox) -> None:
    """The page of yesterday makes room by a rename: who still has it open, or a link to it, has it whole."""
    page, link = alone.work / "report.html", alone.work / "yesterday.html"
    page.write_text("yesterday")
    os.link(page, link)
    assert written(alone).seen["html"] == 1
    assert link.read_text() == "yesterday"
    assert files(alone.work) == ["report.html", "yesterday.html"]


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_page_keeps_its_permissions(alone: Sandbox, mode: int) -> None:
    """Whoever may not read the page of yesterday may not read that of today."""
    page = alone.work / "report.html"
    page.touch()
    page.chmod(mode)
    assert written(alone).seen["html"] == 1
    assert stat.S_IMODE(page.stat().st_mode) == mode


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(alone: Sandbox, there: bool) -> None:  # noqa: FBT001  # a column of the table
    """The page is written where a link leads, whether there is one already or not."""
    (alone.work / "pages").mkdir()
    page, link = alone.work / "pages" / "today.html", alone.work / "report.html"
    link.symlink_to("pages/today.html")
    if there:
        page.touch()
    assert written(alone).seen["html"] == 1
    assert (link.is_symlink(), page.is_symlink(), link.read_text("utf-8")) == (True, False, page.read_text("utf-8"))


def test_what_is_no_file_is_not_replaced(alone: Sandbox) -> None:
    """A pipe, as /dev/stdout may be, or a device like /dev/null, stays what it is: root would lose it for everybody."""
    pipe = alone.work / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    alone.lastgood("report", "pipe")
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_report_says_of_itself(alone: Sandbox) -> None:
    """One line on standard error names the file and how many tools are on it."""
    enter(alone)
    assert own_lines(alone.lastgood("report", "a.html")) == ["wrote `a.html` (1 tool)"]
    enter(alone, "other")
    assert own_lines(alone.lastgood("report", "b.html")) == ["wrote `b.html` (2 tools)"]
    enter(alone, "other-again", name="other", specifier=">=1")
    assert own_lines(alone.lastgood("report", "c.html")) == ["wrote `c.html` (3 requests of 2 tools)"]
    assert "3 requests of 2 tools, 0 runs saved" in (alone.work / "c.html").read_text("utf-8")
