"""docs/commands.md and docs/json.md are true: every screen has its story, fits its terminal, and every field is there."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from lastgood.cli import app, mk, timeline
from tests.support import screens
from tests.support.documents import ROOT
from tests.support.kept import grow_old, keep
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

SHOWN = screens.screens(screens.DOCUMENT.read_text("utf-8"))
JSON = (ROOT / "docs" / "json.md").read_text("utf-8")
WRITE = "run `python -m tests.support.screens`"


def fields(after: str) -> set[str]:
    """Return the fields that the first table after some words lists."""
    table = JSON.partition(after)[2].partition("\n| ")[2].partition("\n\n")[0]
    return {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[0 if line[0] != "|" else 1])}


def test_every_screen_is_of_the_story() -> None:
    """The document shows all that the story takes and nothing else, and the story has every command."""
    taken = set(re.findall(r'user\.take\(\s*"([\w-]+)"', inspect.getsource(screens.play)))
    assert set(SHOWN) == taken, WRITE
    typed = {found for text in SHOWN.values() for found in re.findall(r"\blastgood (\w+)", text)}
    assert sorted({*app.VERBS} - typed - {"completion"}) == []


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_screen_fits_its_terminal(name: str) -> None:
    """No line is longer than the terminal is wide, nothing is empty, and nothing of the machine that took it is seen."""
    text = SHOWN[name]
    width = screens.WIDE if name in ("status-wide", "doctor-wide", "status-markdown") else screens.NARROW
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert text.startswith("$ ")
    assert text.count("\n") > 1
    assert re.findall(r"adax|127\.0\.0\.1|Traceback|internal error", text) == []


@pytest.mark.parametrize(("name", "words"), [("help", ["--help"]), ("help-warm", ["warm", "--help"])])
def test_the_help_that_is_shown_is_the_help(sandbox: Sandbox, name: str, words: list[str]) -> None:
    """A command or an option that came after the screen was taken is missed."""

    def unbroken(text: str) -> str:
        return " ".join(text.split())

    told = sandbox.lastgood(*words, env={"COLUMNS": str(screens.NARROW)}).out
    assert unbroken(SHOWN[name].partition("\n")[2]) == unbroken(told), WRITE


def test_the_makefile_that_is_shown_is_the_makefile() -> None:
    """What `lastgood mk` writes otherwise than when the screen was taken is missed; the terminal breaks its long lines."""
    command, _, shown = SHOWN["mk"].partition("\n")
    tools = re.findall(r" run (\S+)$", shown, re.MULTILINE)
    assert (command, len(tools)) == ('$ cat "$(lastgood mk)"', 3)
    assert "".join(shown.split()) == "".join(mk.text(tools).split()), WRITE


def test_the_fields_of_status_and_doctor(demo: Index, sandbox: Sandbox) -> None:
    """What is documented is there, and what is there is documented, with a host that is down and a failed refresh."""
    keep(sandbox)
    demo.fault(503)
    grow_old(sandbox, 3600.0)
    assert sandbox.lastgood("run", "demo-tool", "--version").status == 0
    sandbox.wait_quiet()
    found = json.loads(sandbox.lastgood("status", "--json").out)
    ((tool,), (host,)) = found["tools"], found["hosts"]
    assert set(found) == fields("## `lastgood status --json`")
    assert set(tool) == fields("Each of `tools`:")
    assert set(host) == fields("Each of `hosts`:")
    assert set(tool["last"]) == {"at", "outcome", "reason", "status", "class", "version"}
    examined: dict[str, Any] = json.loads(sandbox.lastgood("doctor", "--json").out)
    assert set(examined) == {"schema", "home", "findings"}
    assert {key for one in examined["findings"] for key in one} == fields("## `lastgood doctor --json`")
    assert (found["schema"], examined["schema"]) == (1, 1)


def test_the_events_of_history(demo: Index, sandbox: Sandbox) -> None:
    """Every event that a week leaves is documented with its fields, and every event that people are told of."""
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]*) \|", JSON.partition("## `lastgood history TOOL --json`")[2], re.MULTILINE
    )
    documented = {
        name: set(re.findall(r"`(\w+)`", told)) for names, told in rows for name in re.findall(r"`(\w+)`", names) if name != "event"
    }
    told = set(re.findall(r'^        "(\w+)": ', inspect.getsource(timeline.told), re.MULTILINE))
    assert set(documented) == told
    keep(sandbox)
    for step in ("broken", "down", "up", "rollback", "hold", "unhold"):
        grow_old(sandbox, 3600.0)
        if step == "broken":
            demo.publish(demo_tool("2.0", broken="import"))
        elif step == "down":
            demo.fault(503)
        elif step == "up":
            demo.heal()
            demo.publish(demo_tool("3.0"))
            assert sandbox.lastgood("warm", "demo-tool").status == 0
        else:
            assert sandbox.lastgood(step, "demo-tool").status == 0
        sandbox.lastgood("run", "demo-tool", "--version")
        sandbox.wait_quiet()
    events = [json.loads(line) for line in sandbox.lastgood("history", "demo-tool", "--json").out.splitlines()]
    assert {event["event"] for event in events} >= set(documented) - {"answer", "local"}
    for event in events:
        said = {key for key, value in event.items() if value} - {"at", "event", "record", "tool"}
        assert said <= documented[event["event"]], event
