"""Promise 3, against sudden death: whatever is killed, at whatever instant, the last good still runs and the next refresh works.

Two ways to choose the instant: by the work (just before the n-th change that lastgood makes to the disk, `support.effects`)
and by the clock (a random part of the time that the whole takes, from the moment its processes are seen). Everything is
random from a fixed seed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from functools import cache

import pytest

from lastgood import card as cards
from lastgood import record as records
from lastgood import upkeep
from tests.support.effects import Effects
from tests.support.sandbox import lastgood_script
from tests.support.wheels import Wheel, demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

SEED = 20260821
ROUNDS = 10
DEMO = ("run", "demo-tool", "--version")
STALE = {"LASTGOOD_MAX_AGE": "0"}
BEHIND = {**STALE, "LASTGOOD_MODE": "prefer-cache"}
CHANGES = 72  # at least as many as a refresh to a new version makes; what is beyond its end is an instant after it
SECONDS = 0.3  # about as long as one takes


@cache
def release(number: int) -> Wheel:
    """Release number n of the demo tool."""
    return demo_tool(f"{number}.0")


def assert_readable(home: Path) -> None:
    """Every record and card in the home is whole, and what they name stands."""
    for identity in records.identities(str(home)):
        record = records.load(str(home), identity)
        assert record is not None
        assert record.usable(str(home)) is not None or not record.generations
    for path in (home / "cards").glob("*") if home.exists() else []:
        if not path.name.endswith(".new"):
            cards.read(path.read_text("utf-8", "surrogateescape"))


def assert_no_leftovers(home: Path) -> None:
    """After a collection the store holds what the records name, and nothing lies about."""
    upkeep.collect(str(home), young=0)
    found = [records.load(str(home), identity) for identity in records.identities(str(home))]
    named = {generation.id for record in found if record is not None for generation in record.generations}
    assert set(os.listdir(home / "generations")) == named
    assert [path.name for path in home.rglob("*.new")] == []


def assert_serves_an_outage(sandbox: Sandbox, index: Index, versions: set[str]) -> Result:
    """With the index down the tool runs, in one of the versions that were good, once, and nothing but notices is said."""
    index.stop()
    sandbox.clear_starts()
    result = sandbox.lastgood(*DEMO, env=STALE)
    assert (result.status, result.out in versions, sandbox.starts()) == (0, True, 1), result
    assert all(line.startswith("lastgood: warning: ") for line in result.err.splitlines()), result.err
    assert_readable(sandbox.home)
    index.start_again()
    return result


def assert_refreshes(sandbox: Sandbox, version: str) -> None:
    """With the index back a refresh brings the new version, and a clean home."""
    result = sandbox.lastgood("run", "--refresh", *DEMO[1:])
    assert (result.status, result.out) == (0, version), result
    sandbox.wait_quiet()
    assert_readable(sandbox.home)
    assert_no_leftovers(sandbox.home)


def group_behind(sandbox: Sandbox, foreground: int) -> int | None:
    """Return the process group of the refresh that goes on behind, where there is one."""
    for pid, command in sandbox.processes():
        try:
            group = os.getpgid(pid)
        except ProcessLookupError:
            continue
        if "lastgood" in command and " run " in command and group != foreground:
            return group
    return None


def kill_group(group: int) -> None:
    """Kill -9 a process group, if it still exists."""
    if group < 0:
        return
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def let_pass(seconds: float) -> None:
    """Let a random part of the work happen: the instant is the test's input, nothing waits on it."""
    time.sleep(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_a_refresh_behind_killed_before_any_of_its_changes(demo: Index, sandbox: Sandbox, part: int) -> None:
    """Killed with its group before a random change to the disk: an outage runs old or new, and the next refresh works."""
    chance = random.Random(SEED + part)  # noqa: S311  # no secret
    effects = Effects(sandbox, "behind")
    assert sandbox.lastgood(*DEMO).out == "demo-tool 1.0\n"
    sandbox.wait_quiet()
    for number in range(2, 2 + ROUNDS):
        demo.publish(release(number))
        old, new = f"demo-tool {number - 1}.0\n", f"demo-tool {number}.0\n"
        wanted = chance.randint(1, CHANGES)
        result = sandbox.lastgood(*DEMO, env={**BEHIND, **effects.kill_before(wanted)})
        assert (result.status, result.out, result.err) == (0, old, "")
        sandbox.wait_quiet()
        after = assert_serves_an_outage(sandbox, demo, {old, new})
        assert len(effects.seen()) <= wanted, after
        assert_refreshes(sandbox, new)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_refresh_behind_killed_at_any_time(demo: Index, sandbox: Sandbox, part: int) -> None:
    """Killed with its group (uv, too) after a random time: an outage runs old or new, and the next refresh works."""
    chance = random.Random(SEED - part)  # noqa: S311  # no secret
    assert sandbox.lastgood(*DEMO).out == "demo-tool 1.0\n"
    sandbox.wait_quiet()
    for number in range(2, 2 + ROUNDS):
        demo.publish(release(number))
        process = sandbox.popen([lastgood_script(), *DEMO], env=BEHIND, stdout=subprocess.DEVNULL)
        group = wait_for_group(sandbox, process)
        let_pass(chance.uniform(0, SECONDS))
        kill_group(group)
        assert process.wait(20) == 0
        sandbox.wait_quiet()
        assert_serves_an_outage(sandbox, demo, {f"demo-tool {number - 1}.0\n", f"demo-tool {number}.0\n"})
        assert_refreshes(sandbox, f"demo-tool {number}.0\n")


@pytest.mark.slow
def test_a_first_run_killed_before_any_of_its_changes(demo: Index, sandbox_factory: SandboxFactory) -> None:
    """Killed before it started the tool, it leaves a home that the next run can use, in an outage or not."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    for wanted in chance.sample(range(1, CHANGES), ROUNDS):
        sandbox = sandbox_factory(demo)
        effects = Effects(sandbox, "foreground")
        result = sandbox.lastgood(*DEMO, env=effects.kill_before(wanted))
        assert (result.status, sandbox.starts()) in ((-signal.SIGKILL, 0), (0, 1)), result
        sandbox.wait_quiet()
        assert_readable(sandbox.home)
        assert_says_or_serves(sandbox, demo)
        assert_refreshes(sandbox, "demo-tool 1.0\n")


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_first_run_killed_at_any_time(demo: Index, sandbox_factory: SandboxFactory, *, whole_group: bool) -> None:
    """Killed alone or with uv, it leaves no process behind, and a home that the next run can use, in an outage or not."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    for _ in range(ROUNDS // 2):
        sandbox = sandbox_factory(demo)
        process = sandbox.popen([lastgood_script(), *DEMO], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        let_pass(chance.uniform(0, SECONDS))
        kill_group(process.pid) if whole_group else process.kill()
        assert process.wait(20) in (-signal.SIGKILL, 0)
        sandbox.wait_quiet()
        assert_readable(sandbox.home)
        assert_says_or_serves(sandbox, demo)
        assert_refreshes(sandbox, "demo-tool 1.0\n")


def test_a_refresh_killed_while_uv_works_lets_the_next_one_in(demo: Index, sandbox: Sandbox) -> None:
    """Uv waits for an index that hangs; killed there, the refresh holds no lock and leaves no uv behind."""
    assert sandbox.lastgood(*DEMO).status == 0
    sandbox.wait_quiet()
    demo.publish(release(2))
    demo.clear_requests()
    demo.fault("hang-before-headers", on="page")
    process = sandbox.popen([lastgood_script(), *DEMO], env=BEHIND, stdout=subprocess.DEVNULL)
    group = wait_for_group(sandbox, process)
    demo.wait_for_requests()
    kill_group(group)
    assert process.wait(20) == 0
    sandbox.wait_quiet()
    demo.heal()
    assert_refreshes(sandbox, "demo-tool 2.0\n")


def assert_says_or_serves(sandbox: Sandbox, index: Index) -> None:
    """With the index down, what was kept runs; where nothing was, uvx's own error and a hint stand there, and no traceback."""
    kept = any(not name.startswith(".") for name in listed(sandbox.home / "generations"))
    if kept:
        assert_serves_an_outage(sandbox, index, {"demo-tool 1.0\n"})
        return
    index.stop()
    sandbox.clear_starts()
    result = sandbox.lastgood(*DEMO)
    index.start_again()
    assert result.status == 0 or "did not answer" in result.err, result
    assert (sandbox.starts(), "Traceback" in result.err) == (1 if result.status == 0 else 0, False), result


def listed(directory: Path) -> list[str]:
    """Return the names in a directory; none where there is none."""
    return os.listdir(directory) if directory.is_dir() else []


def wait_for_group(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> int:
    """Wait until the refresh behind is seen and return its process group; -1 where it was over before it was seen."""
    return (
        sandbox.wait_for(
            lambda: group_behind(sandbox, process.pid) or (-1 if process.poll() is not None and not sandbox.processes() else None),
            "the refresh behind",
        )
        or -1
    )


@pytest.mark.leaves_processes  # the check of a refresh that was killed ends by itself, but only after its two minutes
def test_a_staging_directory_is_a_leftover_once_nobody_holds_it(demo: Index, sandbox: Sandbox) -> None:
    """Gc in the middle of another's refresh leaves what that one is making; when it is dead, it goes."""
    demo.publish(demo_tool("1.0", broken="hang"))
    process = sandbox.popen([lastgood_script(), *DEMO], stdout=subprocess.DEVNULL)
    generations = sandbox.home / "generations"
    made = sandbox.wait_for(
        lambda: [name for name in listed(generations) if name.startswith(".staging-")], "the staged environment"
    )
    compiled = ".staging-*/lib/*/site-packages/demo_tool/__pycache__/cli*.pyc"  # the last that it writes before it hangs
    sandbox.wait_for(lambda: list(generations.glob(compiled)), "its check")
    upkeep.collect(str(sandbox.home), young=0)
    assert listed(generations) == made
    upkeep.collect(str(sandbox.home))
    kill_group(process.pid)
    process.wait(20)
    upkeep.collect(str(sandbox.home))
    assert listed(generations) == made, "it may still be filled by someone: it is young"
    upkeep.collect(str(sandbox.home), young=0)
    assert listed(generations) == []
