"""Promise 2: the tool is started at most once. No formatter runs twice, no deploy runs twice.

Every kind of run is tried with a tool that invites a second try: it changes a file, writes what looks like uv's words about an
index that is down, and fails. The counter file tells how often it started; the changed file, how often it got that far. Where uvx
would not have started it, it does not start at all.
"""

from __future__ import annotations

import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import lastgood
from tests.support.kept import grow_old, keep, trip
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_dep, demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

    Preparation = Callable[[Index, Sandbox], "Situation"]

HOUR = 3600.0
TEMPTING = "error: Failed to fetch: `http://127.0.0.1:9/simple/x/`: error sending request for url: tcp connect error"
FAILING = ("--format", "{file}", "--stderr", TEMPTING, "--exit", "2")
OURS = str(Path(lastgood.__file__).parent)  # stands in every traceback of lastgood's
MODULES = sorted(path.stem for path in Path(lastgood.__file__).parent.glob("[a-z]*.py"))
UNUSED_BY_RUN = ("shim", "hooks", "manage", "nox", "tox")


@dataclass(frozen=True)
class Situation:
    """What a run finds: `words` and `env` of the run, and whether the tool starts."""

    words: Sequence[str] = ("demo-tool",)
    env: Mapping[str, str | None] = field(default_factory=dict)
    starts: bool = True


SITUATIONS: dict[str, Preparation] = {}


def situation(function: Preparation) -> Preparation:
    """Enter a preparation into the table, under its name."""
    SITUATIONS[function.__name__.replace("_", " ")] = function
    return function


# --- the index answers ----------------------------------------------------------------------------------------------


@situation
def nothing_kept(_index: Index, _sandbox: Sandbox) -> Situation:
    """A first run."""
    return Situation()


@situation
def fresh(_index: Index, sandbox: Sandbox) -> Situation:
    """The hot path."""
    keep(sandbox)
    return Situation()


@situation
def stale_and_unchanged(_index: Index, sandbox: Sandbox) -> Situation:
    """A refresh that finds what is kept."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    return Situation()


@situation
def stale_and_a_new_release(index: Index, sandbox: Sandbox) -> Situation:
    """A refresh that finds a release."""
    stale_and_unchanged(index, sandbox)
    index.publish(demo_tool("2.0"))
    return Situation()


@situation
def stale_and_not_waited_for(index: Index, sandbox: Sandbox) -> Situation:
    """The tool runs while a refresh goes on behind."""
    stale_and_a_new_release(index, sandbox)
    return Situation(("--prefer-offline", "demo-tool"))


@situation
def asked_for_anew(index: Index, sandbox: Sandbox) -> Situation:
    """strict-latest with a new release."""
    stale_and_a_new_release(index, sandbox)
    return Situation(("--refresh", "demo-tool"))


@situation
def a_release_that_is_refused(index: Index, sandbox: Sandbox) -> Situation:
    """The new release does not start; the one that is kept does."""
    stale_and_unchanged(index, sandbox)
    index.publish(demo_tool("2.0", broken="import"))
    return Situation()


@situation
def a_dependency_that_is_refused(index: Index, sandbox: Sandbox) -> Situation:
    """The tool stays, its dependency breaks it."""
    index.publish(demo_dep("1.0"))
    index.publish(demo_tool("1.1", requires=["demo-dep"]))
    keep(sandbox, version="1.1")
    grow_old(sandbox, HOUR)
    index.publish(demo_dep("1.1", broken=True))
    return Situation()


@situation
def a_command_that_another_package_provides(_index: Index, _sandbox: Sandbox) -> Situation:
    """`--from`."""
    return Situation(("--from", "demo-tool==1.0", "demo-tool"))


@situation
def an_answer_instead_of_a_release(index: Index, sandbox: Sandbox) -> Situation:
    """The release that is kept was withdrawn: uvx would not start it, and says so."""
    stale_and_unchanged(index, sandbox)
    index.unpublish("demo-tool", "1.0")
    return Situation(starts=False)


@situation
def no_such_version(_index: Index, _sandbox: Sandbox) -> Situation:
    """Nothing fits."""
    return Situation(("demo-tool==9",), starts=False)


@situation
def refused_credentials(index: Index, sandbox: Sandbox) -> Situation:
    """401 is an answer."""
    stale_and_unchanged(index, sandbox)
    index.fault(401)
    return Situation(starts=False)


# --- the index does not answer --------------------------------------------------------------------------------------


@situation
def an_outage(index: Index, sandbox: Sandbox) -> Situation:
    """Connection refused, and a last good."""
    stale_and_unchanged(index, sandbox)
    index.stop()
    return Situation()


@situation
def an_outage_of_the_wheel(index: Index, sandbox: Sandbox) -> Situation:
    """The page names a release that cannot be had."""
    stale_and_a_new_release(index, sandbox)
    index.fault(503, on="file")
    return Situation()


@situation
def a_portal(index: Index, sandbox: Sandbox) -> Situation:
    """A login page where the index should be: the second try and the look at the addresses happen before the start."""
    stale_and_unchanged(index, sandbox)
    index.fault("login")
    return Situation()


@situation
def lost_patience(index: Index, sandbox: Sandbox) -> Situation:
    """An index that takes the request and says nothing; the refresh goes on behind the tool."""
    stale_and_unchanged(index, sandbox)
    index.fault("hang-before-headers", times=1)
    return Situation(env={"LASTGOOD_PATIENCE": "0.2"})


@situation
def an_open_breaker(index: Index, sandbox: Sandbox) -> Situation:
    """It is known that nobody answers."""
    stale_and_unchanged(index, sandbox)
    trip(sandbox, index.host)
    return Situation()


@situation
def an_outage_and_another_request_that_fits(index: Index, sandbox: Sandbox) -> Situation:
    """The second rung of the ladder."""
    keep(sandbox, "demo-tool==1.0")
    index.stop()
    return Situation()


@situation
def an_outage_and_what_uv_has_cached(index: Index, sandbox: Sandbox) -> Situation:
    """The third rung."""
    assert sandbox.uvx("demo-tool").status == 0
    sandbox.clear_starts()
    index.set_max_age(None)
    index.stop()
    return Situation()


@situation
def an_outage_and_nothing_at_all(index: Index, _sandbox: Sandbox) -> Situation:
    """The error of uvx itself."""
    index.stop()
    return Situation(starts=False)


@situation
def an_outage_and_no_fallback_wanted(index: Index, sandbox: Sandbox) -> Situation:
    """strict-latest is uvx."""
    an_outage(index, sandbox)
    return Situation(("--mode", "strict-latest", "demo-tool"), starts=False)


@situation
def offline_and_kept(index: Index, sandbox: Sandbox) -> Situation:
    """strict-cache."""
    an_outage(index, sandbox)
    return Situation(("--offline", "demo-tool"))


@situation
def offline_and_nothing_kept(_index: Index, _sandbox: Sandbox) -> Situation:
    """strict-cache with nothing."""
    return Situation(("--offline", "demo-tool"), starts=False)


# --- plain uvx's ----------------------------------------------------------------------------------------------------


@situation
def handed_over(_index: Index, _sandbox: Sandbox) -> Situation:
    """Words that are plain uvx's."""
    return Situation(("--no-cache", "demo-tool"))


@situation
def handed_over_after_a_look(_index: Index, sandbox: Sandbox) -> Situation:
    """An installed tool."""
    assert sandbox.run(["uv", "tool", "install", "demo-tool"], env={"UV_TOOL_BIN_DIR": str(sandbox.tmp)}).status == 0
    return Situation()


@situation
def handed_over_and_failing(_index: Index, _sandbox: Sandbox) -> Situation:
    """Words that uvx refuses."""
    return Situation(("--no-such-option", "demo-tool"), starts=False)


@situation
def a_first_release_that_is_refused(index: Index, _sandbox: Sandbox) -> Situation:
    """It passes no check, so it runs as uvx runs it, and fails before it counts a start."""
    index.publish(demo_tool("2.0", broken="import"))
    return Situation(starts=False)


# --- trouble of lastgood's own --------------------------------------------------------------------------------------


@situation
def a_home_that_is_a_file(_index: Index, sandbox: Sandbox) -> Situation:
    """A mistake of the user's."""
    sandbox.home.write_text("a file", "utf-8")
    return Situation(starts=False)


@situation
def a_home_that_others_may_write(_index: Index, sandbox: Sandbox) -> Situation:
    """It is not trusted."""
    keep(sandbox)
    sandbox.home.chmod(0o777)
    return Situation()


@situation
def a_kept_program_that_is_cut(_index: Index, sandbox: Sandbox) -> Situation:
    """The launch is refused, the environment is built again."""
    keep(sandbox)
    (program,) = sandbox.home.glob("generations/*/bin/demo-tool")
    program.unlink()
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    return Situation()


@situation
def a_kept_environment_that_is_gone(_index: Index, sandbox: Sandbox) -> Situation:
    """It is built again."""
    keep(sandbox)
    shutil.rmtree(sandbox.home / "generations")
    return Situation()


@situation
def a_record_that_is_garbled(_index: Index, sandbox: Sandbox) -> Situation:
    """It is set aside and rebuilt, and the card no longer fits."""
    keep(sandbox)
    (record,) = sandbox.home.glob("records/*.json")
    record.write_text('{"is": ', "utf-8")
    return Situation()


@situation
def a_card_that_is_garbled(_index: Index, sandbox: Sandbox) -> Situation:
    """It is written anew."""
    keep(sandbox)
    for card in sandbox.home.glob("cards/*"):
        card.write_bytes(b"\xff" * 100)
    return Situation()


@situation
def a_record_of_a_newer_format(_index: Index, sandbox: Sandbox) -> Situation:
    """It is left alone, and plain uvx runs."""
    keep(sandbox)
    (record,) = sandbox.home.glob("records/*.json")
    record.write_text(record.read_text("utf-8").replace('"format": 1', '"format": 99'), "utf-8")
    return Situation()


@situation
def a_setting_that_is_wrong(_index: Index, sandbox: Sandbox) -> Situation:
    """A mistake of the user's."""
    keep(sandbox)
    return Situation(env={"LASTGOOD_MODE": "no-such-mode"}, starts=False)


@situation
def no_uv_where_it_is_needed(_index: Index, sandbox: Sandbox) -> Situation:
    """A stale run whose refresh finds no uv: what is kept needs none."""
    keep(sandbox)
    return Situation(env={"LASTGOOD_UV": str(sandbox.root / "none"), "LASTGOOD_MAX_AGE": "0"})


@situation
def no_uv_at_all(_index: Index, sandbox: Sandbox) -> Situation:
    """Nothing kept, and nobody to ask."""
    return Situation(env={"LASTGOOD_UV": str(sandbox.root / "none")}, starts=False)


@pytest.mark.parametrize("prepare", SITUATIONS.values(), ids=SITUATIONS)
def test_a_failing_tool_starts_once_or_not_at_all(demo: Index, sandbox: Sandbox, prepare: Preparation) -> None:
    """Whatever the run finds, and whatever the tool says when it fails, it is started once; not at all where uvx would not."""
    found = prepare(demo, sandbox)
    sandbox.clear_starts()
    file = sandbox.work / "formatted"
    result = sandbox.lastgood("run", *found.words, *(word.replace("{file}", str(file)) for word in FAILING), env=found.env)
    demo.heal()
    sandbox.wait_quiet()
    expected = (1, "formatted\n", True) if found.starts else (0, "", False)
    changed = file.read_text("utf-8") if file.exists() else ""
    assert (sandbox.starts(), changed, TEMPTING in result.err) == expected, result.err
    assert result.status == 2 if found.starts else result.status in {1, 2}
    assert OURS not in result.err


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "INT", "PIPE"])
@pytest.mark.parametrize("prepare", [nothing_kept, fresh, stale_and_unchanged, an_outage])
def test_a_tool_that_dies_is_not_started_again(demo: Index, sandbox: Sandbox, prepare: Preparation, name: str) -> None:
    """Death by a signal is the tool's own end."""
    found = prepare(demo, sandbox)
    sandbox.clear_starts()
    result = sandbox.lastgood("run", *found.words, "--kill", name)
    sandbox.wait_quiet()
    assert (result.status, sandbox.starts()) == (-signal.Signals["SIG" + name], 1)


@pytest.mark.parametrize("words", [["--exit", "0"], []])
def test_a_tool_that_succeeds_starts_once_a_run(demo: Index, sandbox: Sandbox, words: list[str]) -> None:
    """Three runs, three starts: cold, hot and stale."""
    for _ in range(2):
        assert sandbox.lastgood("run", "demo-tool", *words).status == 0
    grow_old(sandbox, HOUR)
    assert sandbox.lastgood("run", "demo-tool", *words).status == 0
    sandbox.wait_quiet()
    assert (sandbox.starts(), len(demo.requests("file"))) == (3, 1)


def test_the_check_of_a_release_does_not_start_it(demo: Index, sandbox: Sandbox) -> None:
    """A release that does harm when it is started is imported and looked at, never called: the user's run is the first start."""
    keep(sandbox)
    sandbox.clear_starts()
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0", broken="behaviour"))
    assert sandbox.lastgood("run", "demo-tool").status == 70
    sandbox.wait_quiet()
    (start,) = sandbox.start_lines()
    assert start.startswith("demo-tool 2.0 ")


def test_no_command_but_run_starts_a_tool(demo: Index, sandbox: Sandbox) -> None:
    """Neither `warm` nor `why`, `status`, `rollback` and `gc`."""
    for words in (["warm", "demo-tool"], ["why", "demo-tool"], ["status"], ["gc"]):
        assert sandbox.lastgood(*words).status == 0
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    sandbox.wait_quiet()
    assert sandbox.starts() == 0


def test_two_runs_at_once_start_the_tool_twice(demo: Index, sandbox: Sandbox) -> None:
    """One that waits for the other's refresh starts its own tool, once."""
    demo.set_max_age(600)
    runs = [sandbox.popen([lastgood_script(), "run", "demo-tool", "--exit", str(number)]) for number in (3, 4, 5)]
    assert [run.wait(60) for run in runs] == [3, 4, 5]
    sandbox.wait_quiet()
    assert sandbox.starts() == 3


def test_the_tool_beside_lastgood_starts_once(demo: Index, sandbox: Sandbox) -> None:
    """The last rung of the ladder: uv itself is a tool in the environment that lastgood runs in."""
    demo.stop()
    result = sandbox.lastgood("run", "uv", "--version")
    assert (result.status, result.out.count("uv "), result.out.count("\n")) == (0, 1, 1), result.err


# --- a bug in lastgood ----------------------------------------------------------------------------------------------


def broken_copy(place: Path, module: str) -> dict[str, str]:
    """Copy lastgood and put a bug into one of its modules; return the variables that lead an interpreter to the copy."""
    shutil.copytree(Path(lastgood.__file__).parent, place / "lastgood", ignore=shutil.ignore_patterns("__pycache__"))
    with (place / "lastgood" / f"{module}.py").open("a", encoding="utf-8") as file:
        file.write('\n\nraise RuntimeError("a bug")\n')
    return {"PYTHONPATH": str(place)}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in UNUSED_BY_RUN and not name.startswith("_")])
def test_a_bug_in_any_module_does_not_stop_the_tool(demo: Index, sandbox: Sandbox, tmp_path: Path, module: str) -> None:
    """With one line instead of a traceback, plain uvx runs the tool, once, in the directory that was meant."""
    demo.clear_requests()
    (sandbox.work / "below").mkdir()
    env = broken_copy(tmp_path / "site", module)
    command = [sys.executable, "-m", "lastgood", "run", "--directory", "below", "demo-tool", "--dump"]
    result = sandbox.run(command, env=env)
    sandbox.wait_quiet()
    assert (result.status, sandbox.starts()) == (0, 1), result.err
    assert result.json()["cwd"] == str(sandbox.work / "below")
    assert "Traceback" not in result.err
    said = [line for line in result.err.splitlines() if line.startswith("lastgood: ")]
    assert len(said) <= 1
    assert all(line.startswith("lastgood: warning: ") for line in said)
