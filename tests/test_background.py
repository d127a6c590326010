"""What goes on behind: a session of its own that the tool, the terminal and the caller's pipes never notice.

The index holds the refresh for as long as a test looks at it. And where nothing goes on behind, because nothing is kept yet:
the first run shows uv's own progress, as uvx does.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lastgood import behind, locks, refresh, stale
from lastgood import record as records
from lastgood import scene as scenes
from tests.support.kept import expect_version, grow_old, keep, only_record, open_hosts, own_lines
from tests.support.sandbox import lastgood_script
from tests.support.waiting import wait_for
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

HOUR = 3600.0
BIG = 2_000_000  # bytes; uv says that it fetches a wheel from a million on
WAIT = ("--ready", "ready", "--sleep-until", "go")
needs_proc = pytest.mark.skipif("not os.path.exists('/proc/self/fd')", reason="what a process holds open is seen in /proc (Linux)")


@dataclass(frozen=True)
class Entry:
    """One line of `ps`."""

    pid: int
    parent: int
    group: int
    state: str


def all_processes() -> list[Entry]:
    """Return every process of this machine."""
    columns = ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat="]
    listing = subprocess.run(["ps", "-A", *columns], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [Entry(int(pid), int(parent), int(group), state) for pid, parent, group, state in rows]


def refreshing(sandbox: Sandbox) -> int:
    """Return the process of the refresh behind; wait until there is one."""

    def find() -> list[int]:
        return [
            pid for pid, command in sandbox.processes() if "lastgood" in command and " run " in command and "strace" not in command
        ]

    return sandbox.wait_for(lambda: find()[:1], "a refresh behind")[0]


def lock_file(sandbox: Sandbox) -> str:
    """Return the lock of the only record."""
    return f"{sandbox.home}/records/{only_record(sandbox).id}.lock"


@contextlib.contextmanager
def tool_with_a_refresh_behind(sandbox: Sandbox, index: Index) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a tool that runs while the refresh behind it is held by the index."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("2.0"))
    index.clear_requests()
    index.fault("hang-before-headers")
    command = [lastgood_script(), "run", "--prefer-offline", "demo-tool", *WAIT]
    pipe = subprocess.PIPE
    with sandbox.popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        sandbox.wait_for((sandbox.work / "ready").exists, "the tool to be ready")
        index.wait_for_requests(1)
        try:
            yield process
        finally:
            (sandbox.work / "go").touch()
            process.communicate(timeout=60)


def test_a_refresh_behind_is_no_part_of_the_tool(demo: Index, sandbox: Sandbox) -> None:
    """Another session, another group, not the tool's child; and the tool has no zombie to wait for."""
    with tool_with_a_refresh_behind(sandbox, demo) as tool:
        refresh = refreshing(sandbox)
        table = {entry.pid: entry for entry in all_processes()}
        assert [entry for entry in table.values() if entry.parent == tool.pid] == []
        assert (table[refresh].group, os.getsid(refresh)) != (table[tool.pid].group, os.getsid(tool.pid))
        assert os.getsid(refresh) != os.getsid(tool.pid)
        assert table[refresh].parent != tool.pid
        demo.heal()
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "--prefer-offline", "demo-tool", "--version"), "2.0")


@needs_proc
def test_a_refresh_behind_holds_nothing_of_the_callers(demo: Index, sandbox: Sandbox) -> None:
    """Its standard descriptors are nowhere, and none of the caller's pipes, files or terminals is open in it or in its uv."""
    with tool_with_a_refresh_behind(sandbox, demo) as tool:
        held = set(descriptors(tool.pid).values())
        for pid, _ in sandbox.processes():
            if pid == tool.pid:
                continue
            found = descriptors(pid)
            assert {found.get(number) for number in (0, 1, 2)} <= {
                "/dev/null",
                *(name for name in found.values() if name.startswith("pipe:")),
            }
            assert [
                name for name in found.values() if name in held and name != "/dev/null" and not is_the_homes(sandbox, name)
            ] == []
        refresh = descriptors(refreshing(sandbox))
        assert [refresh[number] for number in (0, 1, 2)] == ["/dev/null"] * 3
        demo.heal()


def is_the_homes(sandbox: Sandbox, name: str) -> bool:
    """Whether a file is one of lastgood's own: its locks."""
    return name.startswith(str(sandbox.home))


def descriptors(pid: int) -> dict[int, str]:
    """Return what a process holds open."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(entry.name)] = str(entry.readlink())
    return found


def test_the_pipe_ends_with_the_tool(demo: Index, sandbox: Sandbox) -> None:
    """A hook runner waits for the end of its pipes: they end with the tool, while the refresh behind goes on in silence."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    demo.fault("hang-before-headers")
    expect_version(sandbox.lastgood("run", "--prefer-offline", "demo-tool", "--version"), "1.0")  # `run` reads to the end
    demo.wait_for_requests(1)
    assert refreshing(sandbox)
    demo.heal()


def test_the_terminal_shows_the_tool_only(demo: Index, sandbox: Sandbox) -> None:
    """What is built behind writes nothing on the terminal, survives its end and Ctrl-C, and the next run has the new release."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0", padding=2_000_000))
    demo.clear_requests()
    demo.fault("hang-before-headers", on="page")
    with sandbox.terminal([lastgood_script(), "run", "--prefer-offline", "demo-tool", "--version", *WAIT]) as terminal:
        terminal.read_until(b"demo-tool 1.0")
        demo.wait_for_requests(1)
        terminal.type(b"\x03")
        assert terminal.wait() != 0
        assert terminal.seen.replace(b"^C", b"").startswith(b"demo-tool 1.0\r\nTraceback"), terminal.seen
        assert b"lastgood" not in terminal.seen.partition(b"Traceback")[0]
    assert refreshing(sandbox)
    demo.heal()
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "--prefer-offline", "demo-tool", "--version"), "2.0")


@pytest.mark.leaves_processes
def test_no_lock_outlives_a_refresh_that_is_killed(demo: Index, sandbox: Sandbox) -> None:
    """After kill -9 of the refresh, with what it started: nothing is locked any more, and the next run refreshes."""
    with tool_with_a_refresh_behind(sandbox, demo) as tool:
        assert locks.is_held(lock_file(sandbox))
        os.killpg(os.getpgid(refreshing(sandbox)), signal.SIGKILL)
        sandbox.wait_for(lambda: not locks.is_held(lock_file(sandbox)), "the lock to be free")
        sandbox.wait_for(lambda: [pid for pid, _ in sandbox.processes() if pid != tool.pid] == [], "uv to be gone, too")
        demo.heal()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


@pytest.mark.leaves_processes
def test_a_refresh_behind_that_takes_too_long_ends_with_all_it_started(demo: Index, sandbox: Sandbox) -> None:
    """When its time is up (ten minutes; here the signal comes early) nothing is left of it, and the tool runs on."""
    assert behind.LONGEST == 600
    with tool_with_a_refresh_behind(sandbox, demo) as tool:
        os.kill(refreshing(sandbox), signal.SIGALRM)
        sandbox.wait_for(lambda: [pid for pid, _ in sandbox.processes() if pid != tool.pid] == [], "the refresh to be gone")
        assert tool.poll() is None
        demo.heal()
    assert tool.returncode == 0


def test_one_refresh_goes_on_behind_however_many_ask_for_it(demo: Index, sandbox: Sandbox) -> None:
    """While one is held by the index, other runs start no second one."""
    with tool_with_a_refresh_behind(sandbox, demo):
        for _ in range(4):
            expect_version(sandbox.lastgood("run", "--prefer-offline", "demo-tool", "--version"), "1.0")
        assert len([request for request in demo.requests() if request.fault]) == 1
        demo.heal()


def test_what_is_done_after_a_first_run_is_done_behind(demo: Index, sandbox: Sandbox) -> None:
    """The first run ends with its tool; byte-compiling comes after it, and leaves no process and no zombie."""
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    sandbox.wait_quiet()
    assert list((sandbox.home / "generations").glob("*/lib/*/site-packages/demo_tool/__pycache__/*.pyc"))
    assert len(demo.requests("file")) == 1


# --- the first run shows what uvx shows -----------------------------------------------------------------------------

ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def settled(seen: bytes) -> list[str]:
    """Return the lines that remain on a terminal: escapes applied as far as uv uses them, times and sizes left out."""
    text = ESCAPE.sub(b"", seen).decode().replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [
        re.sub(r"in [0-9.]+m?s", "in no time", line)
        for line in lines
        if re.match(r" *(Installed|Downloaded|Built|demo-tool)", line)
    ]


def test_the_first_run_shows_uvs_progress_on_a_terminal(demo: Index, sandbox_factory: SandboxFactory) -> None:
    """Bars that move and go, and the same lines at the end as under uvx."""
    demo.publish(demo_tool("2.0", padding=6_000_000))
    ours, theirs = sandbox_factory(demo), sandbox_factory(demo)
    seen = ours.pty([lastgood_script(), "run", "demo-tool", "--version"]).stdout
    plain = theirs.pty(["uvx", "demo-tool", "--version"]).stdout
    ours.wait_quiet()
    assert settled(seen) == settled(plain)
    assert settled(seen)[-1] == "demo-tool 2.0"
    kinds = [{match[-1:] for match in ESCAPE.findall(output)} for output in (seen, plain)]
    assert kinds[0] == kinds[1] != set()
    assert b"lastgood" not in seen


def test_the_first_run_shows_uvs_progress_on_a_pipe(demo: Index, sandbox_factory: SandboxFactory) -> None:
    """Where stderr is no terminal the same lines come, and nothing else."""
    demo.publish(demo_tool("2.0", padding=6_000_000))
    ours, theirs = sandbox_factory(demo), sandbox_factory(demo)
    result = ours.lastgood("run", "demo-tool", "--version")
    plain = theirs.uvx("demo-tool", "--version")
    ours.wait_quiet()
    assert [re.sub(r"in [0-9.]+m?s", "", output) for output in (result.err, plain.err)] == [
        re.sub(r"in [0-9.]+m?s", "", plain.err)
    ] * 2
    assert (result.out, own_lines(result), "Installed 1 package" in plain.err) == (plain.out, [], True)


@pytest.mark.parametrize("words", [("-q",), ("--no-progress",)])
def test_the_first_run_is_as_quiet_as_uvx(demo: Index, sandbox_factory: SandboxFactory, words: tuple[str, ...]) -> None:
    """Words that take uv's progress away take it away here, too."""
    ours, theirs = sandbox_factory(demo), sandbox_factory(demo)
    seen = ours.pty([lastgood_script(), "run", *words, "demo-tool", "--version"]).stdout
    plain = theirs.pty(["uvx", *words, "demo-tool", "--version"]).stdout
    ours.wait_quiet()
    assert settled(seen) == settled(plain)


def test_a_new_release_is_built_in_silence(demo: Index, sandbox: Sandbox) -> None:
    """A refresh with something kept shows nothing on success, not even on a terminal."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0", padding=2_000_000))
    seen = sandbox.pty([lastgood_script(), "run", "demo-tool", "--version"]).stdout
    sandbox.wait_quiet()
    assert seen == b"demo-tool 2.0\r\n"


def test_the_modules_door_is_the_same_program(demo: Index, sandbox: Sandbox) -> None:
    """`python -m lastgood` goes the same way, refresh behind included."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    command = [sys.executable, "-m", "lastgood", "run", "--prefer-cache", "demo-tool", "--version"]
    expect_version(sandbox.run(command), "1.0")
    sandbox.wait_quiet()
    expect_version(sandbox.run(command), "2.0")


def test_the_lock_is_free_as_soon_as_the_new_release_runs(demo: Index, sandbox: Sandbox) -> None:
    """Byte-compiling and cleaning up go on without it: a next run, a hold or a rollback need not wait for them."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    release = demo_tool("2.0")
    slow = "value = [\n" + "    [1, 2, 3],\n" * 60_000 + "]\n"
    demo.publish(replace(release, modules={**release.modules, **{f"demo_tool/slow{number}.py": slow for number in range(8)}}))
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    assert not locks.is_held(records.lock_of(str(sandbox.home), only_record(sandbox).id))
    sandbox.wait_quiet()
    place = sandbox.home / "generations" / only_record(sandbox).current
    assert len(list(place.glob("lib/*/site-packages/demo_tool/__pycache__/slow*.pyc"))) == 8


def test_a_slow_check_is_nobodys_outage(demo: Index, sandbox: Sandbox) -> None:
    """The index has answered: the last good runs when patience ends, and no breaker opens."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    gate = sandbox.root / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    demo.publish(demo_tool("2.0", prelude=wait))
    result = sandbox.lastgood("run", "--patience", "1.5", "demo-tool", "--version")
    line = "warning: running `demo-tool` 1.0, last checked 1h ago: 2.0 is still being checked in the background"
    expect_version(result, "1.0", line)
    assert open_hosts(sandbox) == {}
    gate.touch()
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_a_long_fetch_is_nobodys_outage(demo: Index, sandbox: Sandbox) -> None:
    """A new release that takes longer to fetch than patience lasts: the last good runs and says so, and no breaker opens."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    demo.publish(demo_tool("2.0", padding=BIG))
    gate = sandbox.root / "gate"
    demo.fault("trickle", on="file", interval=0.05, gate=gate)
    line = "warning: running `demo-tool` 1.0, last checked 1h ago: a new release is still being fetched in the background"
    for _ in range(2):  # the second finds that another process is fetching
        expect_version(sandbox.lastgood("run", "--patience", "2", "demo-tool", "--version"), "1.0", line)
    assert (open_hosts(sandbox), len(demo.requests("page"))) == ({}, 1)
    gate.touch()
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_a_slow_check_after_a_long_fetch(demo: Index, sandbox: Sandbox) -> None:
    """Whoever comes during the check learns that it is one, although the fetch before it was noted, too."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    gate, checking = sandbox.root / "gate", sandbox.root / "checking"
    wait = f"import os, time\nopen({str(checking)!r}, 'w').close()\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    demo.publish(demo_tool("2.0", padding=BIG, prelude=wait))
    fetched = sandbox.root / "fetched"
    demo.fault("trickle", on="file", interval=0.05, gate=fetched)
    said = "warning: running `demo-tool` 1.0, last checked 1h ago: {} in the background"
    result = sandbox.lastgood("run", "--patience", "2", "demo-tool", "--version")
    expect_version(result, "1.0", said.format("a new release is still being fetched"))
    fetched.touch()
    wait_for(checking.exists, "the check")
    result = sandbox.lastgood("run", "--patience", "1", "demo-tool", "--version")
    expect_version(result, "1.0", said.format("a new release is still being checked"))
    gate.touch()
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def keep_two(demo: Index, sandbox: Sandbox) -> None:
    """Keep 1.0 and then 2.0, which is stale now."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    grow_old(sandbox, HOUR)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)


def test_who_waits_for_another_obeys_fallback_on(demo: Index, sandbox: Sandbox) -> None:
    """Where nothing may stand in for an index that does not answer, a second process waits for the first as long as that waits."""
    sandbox.env |= {"LASTGOOD_FALLBACK_ON": "server-error", "LASTGOOD_PATIENCE": "1.5"}
    words = [lastgood_script(), "run", "demo-tool", "--version"]
    keep(sandbox)
    lenient = {"LASTGOOD_FALLBACK_ON": "unreachable"}
    assert sandbox.lastgood(*words[1:], env=lenient).status == 0
    grow_old(sandbox, HOUR)
    demo.fault("hang-before-headers", on="page")
    demo.clear_requests()
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    first = sandbox.popen(words, **pipes)
    demo.wait_for_requests(1, "page")
    second = sandbox.popen(words, **pipes)
    third = sandbox.lastgood(*words[1:], env=lenient)  # began later, waits as long, and gives up
    assert (third.out, len(own_lines(third))) == ("demo-tool 1.0\n", 1)
    demo.publish(demo_tool("1.1"))  # whoever gave up before has started 1.0 by now
    demo.heal()
    assert [one.communicate()[0] for one in (first, second)] == [b"demo-tool 1.1\n"] * 2
    sandbox.wait_quiet()


def test_a_note_of_an_answer_ends_with_its_holder(sandbox: Sandbox) -> None:
    """Who takes the lock next has not been answered yet, whichever way it takes it."""
    path = str(sandbox.root / "lock")
    for take in (lambda: locks.hold(path, 1.0), lambda: locks.claim(path)):
        with locks.claim(path):
            for note in (behind.FETCHING, behind.BUILT):
                locks.note_answer(path, note)
                at, kind = locks.answer(path)
                assert (at > 0, kind) == (True, note)
        with take():
            assert locks.answer(path) == (0.0, "")


def test_a_rollback_is_not_the_end_of_a_refresh(demo: Index, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for another's refresh and finds the record changed meanwhile looks at everything anew."""
    keep_two(demo, sandbox)
    monkeypatch.chdir(sandbox.work)
    scene = scenes.look(["demo-tool"], dict(sandbox.env))
    card = scene.card = scenes.find_card(scene)
    assert card is not None
    with locks.claim(records.lock_of(str(sandbox.home), card.record)):
        assert sandbox.lastgood("rollback", "demo-tool").status == 0
        assert stale.run(scene, card, stale.lean_job(scene, card), wait=True) == stale.STORY


def test_fractions_of_patience_are_rounded_up_for_uv(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv's timeouts are whole seconds: what answers within the patience of 1.5 s of a hook is no outage."""
    monkeypatch.chdir(sandbox.work)
    job = refresh.Job(scenes.look(["demo-tool"], dict(sandbox.env)))
    for patience, seconds in ((0.2, "1"), (1.0, "1"), (1.5, "2"), (3.0, "3"), (math.inf, "3600")):
        job.patience = patience
        given = refresh._timeouts(job)  # noqa: SLF001 (what uv gets is seen nowhere else)
        assert given is not None
        assert (given["UV_HTTP_TIMEOUT"], given["UV_HTTP_CONNECT_TIMEOUT"]) == (seconds, seconds)


@pytest.mark.parametrize("verb", ["rollback", "hold"])
def test_a_person_need_not_wait_for_a_refresh(demo: Index, sandbox: Sandbox, verb: str) -> None:
    """While a refresh behind waits for a silent index, `rollback` and `hold` are instant, and what it then brings respects them."""
    keep_two(demo, sandbox)
    if verb == "hold":
        demo.publish(demo_tool("3.0"))
    demo.fault("hang-before-headers", on="page")
    demo.clear_requests()
    assert sandbox.lastgood("run", "--patience", "0.5", "demo-tool", "--version").out == "demo-tool 2.0\n"
    demo.wait_for_requests(1, "page")
    assert locks.is_held(records.lock_of(str(sandbox.home), only_record(sandbox).id))
    done = sandbox.lastgood(verb, "demo-tool")
    assert done.status == 0, done
    assert locks.is_held(records.lock_of(str(sandbox.home), only_record(sandbox).id))
    demo.heal()
    sandbox.wait_quiet()
    record = only_record(sandbox)
    current = record.generation()
    assert current is not None
    assert (current.version, record.held, record.last["outcome"]) == (
        ("1.0", False, "unchanged") if verb == "rollback" else ("2.0", True, "unchanged")
    )
    wanted = "1.0" if verb == "rollback" else "2.0"
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), wanted)
