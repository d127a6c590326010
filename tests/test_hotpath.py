"""Promise 4: no network, no lock, no uv on the hot path; two small files read, then `exec`.

Seen from outside where the platform can tell (`strace`), else at the index and in what the interpreter says that it imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.kept import expect_version, grow_old, keep, own_lines, trip
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
# What a hot run may import beyond what the interpreter itself does: free, or measured to cost next to nothing.
FREE = {"os", "sys", "time", "zlib", "fcntl", "errno", "_signal", "resource"}
HOT = {
    "lastgood",
    "lastgood.__main__",
    "lastgood.breaker",
    "lastgood.card",
    "lastgood.errors",
    "lastgood.fastpath",
    "lastgood.launch",
    "lastgood.messages",
    "lastgood.notices",
    "lastgood.paths",
    "lastgood.policy",
    "lastgood.request",
    "lastgood.scene",
    "lastgood.settings",
    "lastgood.surroundings",
}
# What no run that waits for uvx may import before it starts it.
SLOW = {
    "argparse",
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "filelock",
    "functools",
    "httpx",
    "json",
    "pathlib",
    "re",
    "shlex",
    "subprocess",
    "tomllib",
    "typing",
    "lastgood.identity",
    "lastgood.mistakes",
    "lastgood.record",
    "lastgood.run",
}
CALLS = ("execve", "clone", "clone3", "fork", "vfork", "flock", "fcntl", "socket", "connect", "sendto", "open", "openat", "creat")
CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)")


@cache
def can_trace() -> bool:
    """Whether strace exists and may trace here; containers forbid it at times."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0


needs_strace = pytest.mark.skipif("not can_trace()", reason="needs strace and the permission to use it (Linux)")


@dataclass(frozen=True)
class Call:
    """One system call of a traced run."""

    name: str
    arguments: str
    failed: bool

    @property
    def path(self) -> str:
        """The file that it names."""
        return self.arguments.partition('"')[2].partition('"')[0]


def trace(sandbox: Sandbox, *words: str) -> tuple[list[Call], Result]:
    """Run `lastgood WORDS…` and return its system calls, those of its children and of the tool included."""
    log = sandbox.root / "trace"
    wanted = "trace=" + ",".join(f"?{name}" for name in CALLS)
    command = [str(shutil.which("strace")), "-f", "-q", "-s", "4096", "-o", str(log), "-e", wanted, lastgood_script(), *words]
    result = sandbox.run(command)
    found = [CALL.match(line) for line in log.read_text("utf-8", "surrogateescape").splitlines()]
    return [Call(one["name"], one["arguments"], one["result"].startswith("-")) for one in found if one], result


def before_the_tool(calls: list[Call]) -> list[Call]:
    """Return what happened until the tool was started: up to the second exec."""
    second = [number for number, call in enumerate(calls) if call.name == "execve"][1]
    return calls[: second + 1]


def state_read(sandbox: Sandbox, calls: list[Call]) -> list[str]:
    """Return the files of the home that were opened for reading, relative to it."""
    home = f"{sandbox.home}/"
    opened = [call for call in calls if call.name.startswith("open") and not call.failed and call.path.startswith(home)]
    return [call.path.removeprefix(home) for call in opened if "O_RDONLY" in call.arguments and "O_DIRECTORY" not in call.arguments]


def imported(sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None) -> set[str]:
    """Return what a run imports, up to the tool, that the bare interpreter does not."""

    def listed(*command: str) -> set[str]:
        result = sandbox.run([sys.executable, "-X", "importtime", *command], env=env)
        rows = [line.rpartition("|")[2].strip() for line in result.err.splitlines() if line.startswith("import time:")]
        return set(rows) - {"imported package"}

    return listed(lastgood_script(), *words) - listed("-c", "pass")


def contents(home: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything in the home."""
    found = {str(path): path.lstat() for path in home.rglob("*")}
    return {path: (status.st_size, status.st_mtime_ns) for path, status in found.items() if "__pycache__" not in path}


def configure(sandbox: Sandbox) -> None:
    """Write every kind of configuration file, so that there is one to be read."""
    (sandbox.work / "pyproject.toml").write_text('[tool.lastgood]\nmax-age = "1h"\n')
    user = sandbox.config_home / "lastgood" / "lastgood.toml"
    user.parent.mkdir()
    user.write_text('patience = "2s"\n')
    uvs = sandbox.config_home / "uv" / "uv.toml"
    uvs.parent.mkdir()
    uvs.write_text('link-mode = "copy"\n')


@needs_strace
@pytest.mark.parametrize(
    "words", [("demo-tool",), ("demo-tool==1.0",), ("--from", "demo-tool>=1", "demo-tool"), ("--offline", "demo-tool")]
)
def test_a_hot_run_is_two_execs_and_two_files(demo: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """No socket, no process, no exclusive lock: a card is read, and lastgood becomes the tool."""
    configure(sandbox)
    keep(sandbox, *(word for word in words if word != "--offline"))
    sandbox.lastgood("run", *words)  # these very words once: the card
    demo.clear_requests()
    calls, result = trace(sandbox, "run", *words, "--version")
    expect_version(result, "1.0")
    hot = before_the_tool(calls)
    assert [call.path for call in calls if call.name == "execve"][1:] == [
        f"{sandbox.home}/generations/{generation(sandbox)}/bin/python"
    ]
    assert [call.name for call in hot if call.name in {"socket", "connect", "sendto", "clone", "clone3", "fork", "vfork"}] == []
    assert [call.arguments.partition(", ")[2] for call in hot if call.name == "flock"] == ["LOCK_SH|LOCK_NB"]
    assert [path.partition("/")[0] for path in state_read(sandbox, hot)] == ["cards"]
    assert [call.path for call in hot if call.name.startswith("open") and call.path.endswith(".toml")] == []
    assert demo.connections() == 0


def generation(sandbox: Sandbox) -> str:
    """Return the only generation of the home."""
    (found,) = os.listdir(sandbox.home / "generations")
    return found


@needs_strace
def test_a_run_while_the_breaker_is_open_reads_two_files(demo: Index, sandbox: Sandbox) -> None:
    """The card and the memory that the host is down; still no network, no process and no exclusive lock."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    trip(sandbox, demo.host)
    calls, result = trace(sandbox, "run", "demo-tool", "--version")
    expect_version(result, "1.0", *own_lines(result))
    hot = before_the_tool(calls)
    assert [call.name for call in calls].count("execve") == 2
    assert [path.partition("/")[0] for path in state_read(sandbox, hot)] == ["cards", "hosts"]
    assert [call.name for call in hot if call.name in {"socket", "connect", "clone", "clone3", "fork", "vfork"}] == []
    assert [call for call in hot if call.name == "flock" and "LOCK_EX" in call.arguments] == []


def test_a_hot_run_imports_next_to_nothing(demo: Index, sandbox: Sandbox) -> None:
    """Nothing beyond the free modules and lastgood's own hot ones; no parser of TOML, JSON or arguments."""
    configure(sandbox)
    keep(sandbox)
    sandbox.lastgood("run", "demo-tool")
    found = imported(sandbox, "run", "demo-tool")
    assert "lastgood.fastpath" in found
    assert found - FREE - HOT == set()
    grow_old(sandbox, 2 * HOUR)
    trip(sandbox, demo.host)
    assert imported(sandbox, "run", "demo-tool") - FREE - HOT == set()


def test_a_stale_run_imports_no_slow_module_before_it_asks(demo: Index, sandbox: Sandbox) -> None:
    """Whoever waits for uvx waits for these first: `contextlib` with all that it needs takes 4 ms, the story of other runs 1 ms."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    found = imported(sandbox, "run", "demo-tool")
    assert demo.requests("page") != []
    assert "lastgood.stale" in found
    assert found & SLOW == set()


def test_a_hot_run_needs_neither_index_nor_uv_nor_its_cache(demo: Index, sandbox: Sandbox) -> None:
    """With all three of them gone the tool runs, and nothing in the home changes."""
    keep(sandbox)
    demo.stop()
    shutil.rmtree(sandbox.uv_cache)
    for name in ("uv", "uvx"):
        (sandbox.bin / name).unlink()
    before = contents(sandbox.home)
    for _ in range(2):
        expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert (contents(sandbox.home), sandbox.uv_cache.exists()) == (before, False)


def touch_the_project(sandbox: Sandbox) -> None:
    """Write the project's file again, with the same words."""
    path = sandbox.work / "pyproject.toml"
    path.write_text(path.read_text())


def change_the_project(sandbox: Sandbox) -> None:
    """Change a setting in the project's file."""
    (sandbox.work / "pyproject.toml").write_text('[tool.lastgood]\nmax-age = "2h"\n')


def come_nearer(sandbox: Sandbox) -> None:
    """Let a file of lastgood's own appear in the directory."""
    (sandbox.work / "lastgood.toml").write_text('max-age = "3h"\n')


def configure_the_user(sandbox: Sandbox) -> None:
    """Let the user's own file appear."""
    path = sandbox.config_home / "lastgood" / "lastgood.toml"
    path.parent.mkdir()
    path.write_text('max-age = "4h"\n')


def touch_the_record(sandbox: Sandbox) -> None:
    """Write the record again, as another command would."""
    (path,) = (sandbox.home / "records").glob("*.json")
    os.utime(path)


def lose_the_cards(sandbox: Sandbox) -> None:
    """Delete what may be deleted at any time."""
    shutil.rmtree(sandbox.home / "cards")
    (sandbox.home / "cards").mkdir()


CHANGES = (touch_the_project, change_the_project, come_nearer, configure_the_user, touch_the_record, lose_the_cards)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_stamp_that_differs_sends_the_run_the_slow_way_once(
    demo: Index, sandbox: Sandbox, change: Callable[[Sandbox], None]
) -> None:
    """A file that decided something has changed: the next run reads it, without asking the index; the one after it is hot again."""
    (sandbox.work / "pyproject.toml").write_text('[tool.lastgood]\nmax-age = "1h"\n')
    keep(sandbox)
    change(sandbox)
    demo.clear_requests()
    assert "lastgood.run" in imported(sandbox, "run", "demo-tool")
    assert imported(sandbox, "run", "demo-tool") - FREE - HOT == set()
    assert demo.connections() == 0


def test_what_a_changed_setting_says_counts_at_once(demo: Index, sandbox: Sandbox) -> None:
    """The very next run obeys the file that was edited."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    (sandbox.work / "lastgood.toml").write_text('max-age = "2h"\n')
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    (sandbox.work / "lastgood.toml").write_text('max-age = "1m"\n')
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


@pytest.mark.parametrize("name", ["LASTGOOD_MAX_AGE", "LASTGOOD_PATIENCE", "UV_PRERELEASE", "UV_INDEX_STRATEGY"])
def test_a_variable_that_decides_has_a_card_of_its_own(demo: Index, sandbox: Sandbox, name: str) -> None:
    """With another value the card of the old one is not taken; with the old value it is."""
    keep(sandbox)
    value = {"UV_PRERELEASE": "allow", "UV_INDEX_STRATEGY": "unsafe-best-match"}.get(name, "17m")
    assert "lastgood.run" in imported(sandbox, "run", "demo-tool", env={name: value})
    sandbox.wait_quiet()
    demo.clear_requests()
    for env in ({name: value}, {}):
        assert "lastgood.run" not in imported(sandbox, "run", "demo-tool", env=env)
    assert demo.connections() == 0
