"""A new user's world: everything that uv, lastgood and the demo tools read or write lies in one temporary directory.

    sandbox = Sandbox(tmp_path, index)                     # or the fixture `sandbox`
    result = sandbox.lastgood("run", "demo-tool", "--dump")
    assert (result.status, sandbox.starts()) == (0, 1)
    result.json()["cwd"]
    sandbox.env["LASTGOOD_MODE"] = "prefer-cache"          # a plain dict: edit it, or pass env={...} to one call (None removes)
    sandbox.wait_quiet()                                   # until no background refresh is left

The environment is built from nothing: no variable of the developer gets in. PATH holds `bin/` (uv and uvx, nothing else), the
directory of a real python3, and where POSIX utilities are. HTTP proxies lead into a trap (`guard.Trap`); `trap=False` leaves them
out, for tests about proxies or about the bare environment.

`close` (the fixture calls it) heals the index, waits for background processes, kills what is left, and fails the test if there
was anything left or if anyone walked into the trap. A test that leaves processes on purpose sets `leftovers_expected = True`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support.guard import Trap
from tests.support.interpreters import posix_directories, system_python, uv_binary
from tests.support.processes import Process, kill_all, processes_of
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.index import Index

T = TypeVar("T")
AMBIENT_PREFIXES = ("UV_", "PIP_", "SSL_")
AMBIENT_NAMES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Result:
    """How a process ended: `status` as subprocess gives it (minus the signal's number), what it wrote, how long it took."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def out(self) -> str:
        """Stdout as text."""
        return self.stdout.decode(errors="surrogateescape")

    @property
    def err(self) -> str:
        """Stderr as text."""
        return self.stderr.decode(errors="surrogateescape")

    def json(self) -> Any:  # JSON
        """Stdout as JSON, as `--dump` prints it."""
        return json.loads(self.stdout)


class Sandbox:
    """One user: directories, environment, and the means to run things in them."""

    def __init__(self, tmp_path: Path, index: Index | None, *, name: str = "sandbox", trap: bool = True) -> None:
        """Make the directories; `name` tells two users of one test apart."""
        self.root = tmp_path.resolve() / name
        self.index = index
        self.home = self.root / "lastgood"  # LASTGOOD_HOME; not created: lastgood does that
        self.user_home = self.root / "home"
        self.config_home = self.root / "config"
        self.uv_cache = self.root / "uv-cache"
        self.tool_dir = self.root / "uv-tools"
        self.bin = self.root / "bin"
        self.work = self.root / "work"
        self.tmp = self.root / "tmp"
        self.counter = self.root / "starts"
        self.leftovers_expected = False
        self.trap = Trap() if trap else None
        self._make_directories()
        self.env = self._environment()

    def _make_directories(self) -> None:
        for directory in (self.user_home, self.config_home, self.bin, self.work, self.tmp, self.root / "system-config" / "uv"):
            directory.mkdir(parents=True)
        # without a file here uv would go on to the machine's own /etc/uv/uv.toml
        (self.root / "system-config" / "uv" / "uv.toml").touch()
        for program in ("uv", "uvx"):
            (self.bin / program).symlink_to(uv_binary().with_name(program))

    def _environment(self) -> dict[str, str]:
        path = dict.fromkeys([self.bin, system_python().parent, *posix_directories()])
        env = {
            "PATH": os.pathsep.join(map(str, path)),
            "LANG": "C.UTF-8",
            "HOME": str(self.user_home),
            "TMPDIR": str(self.tmp),
            "XDG_CONFIG_HOME": str(self.config_home),
            "XDG_CONFIG_DIRS": str(self.root / "system-config"),
            "XDG_DATA_HOME": str(self.root / "data"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_STATE_HOME": str(self.root / "state"),
            "LASTGOOD_HOME": str(self.home),
            "UV_CACHE_DIR": str(self.uv_cache),
            "UV_TOOL_DIR": str(self.tool_dir),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_INTERNAL__TEST_NO_HTTP_RETRY_DELAY": "1",
            "DEMO_STARTS": str(self.counter),
        }
        if self.index is not None:
            env["UV_DEFAULT_INDEX"] = self.index.url
            if self.index.authority is not None:
                env["SSL_CERT_FILE"] = str(self.index.authority)
        return env | (self.trap.environment() if self.trap else {})

    def use_ambient_index(self) -> None:
        """Take over the developer's own index, certificate and proxy settings (for tests marked `online`)."""
        kept = {name: value for name, value in os.environ.items() if _is_ambient(name)}
        for name in ("UV_OFFLINE", "UV_NO_CACHE", "UV_PYTHON"):
            kept.pop(name, None)
        self.env = kept | self.env
        directory = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "uv")
        if directory.is_dir():
            shutil.copytree(directory, self.config_home / "uv")
        netrc = Path.home() / ".netrc"
        if netrc.exists():
            (self.user_home / ".netrc").symlink_to(netrc)
        self.env["XDG_CONFIG_DIRS"] = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg")  # the default of the XDG specification

    def environment(self, edits: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return the environment with some edits; None removes a variable."""
        merged: dict[str, str | None] = {**self.env, **(edits or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def run(
        self,
        argv: Sequence[str | bytes],
        *,
        input: bytes | None = None,  # noqa: A002  # as subprocess calls it
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run a program to its end, in a session of its own (no terminal); without `input` its stdin is empty.

        It counts as ended when its output is closed, too: a background process that holds stdout or stderr is a failure here.
        """
        began = time.monotonic()
        pipe = subprocess.PIPE
        stdin = subprocess.DEVNULL if input is None else pipe
        with self.popen(argv, env=env, cwd=cwd, stdin=stdin, stdout=pipe, stderr=pipe) as process:
            try:
                stdout, stderr = process.communicate(input, timeout)
            except subprocess.TimeoutExpired as error:
                self._give_up(process, argv, error)
        return Result(process.returncode, stdout, stderr, time.monotonic() - began)

    def popen(
        self,
        argv: Sequence[str | bytes],
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        **options: Any,  # whatever Popen takes
    ) -> subprocess.Popen[bytes]:
        """Start a program and leave the rest to the test; a session of its own unless `start_new_session=False`."""
        environment = self.environment(env)
        options.setdefault("start_new_session", True)
        return subprocess.Popen(self._found(argv, environment), env=environment, cwd=cwd or self.work, **options)

    def lastgood(self, *words: str | bytes, **options: Any) -> Result:  # those of `run`
        """Run `lastgood WORDS…`, the console script beside this interpreter."""
        return self.run([lastgood_script(), *words], **options)

    def uvx(self, *words: str | bytes, **options: Any) -> Result:  # those of `run`
        """Run `uvx WORDS…`."""
        return self.run(["uvx", *words], **options)

    def terminal(
        self,
        argv: Sequence[str | bytes],
        *,
        size: tuple[int, int] = (24, 80),
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
    ) -> Terminal:
        """Start a program on a terminal of its own; see `terminal.Terminal`."""
        environment = self.environment({"TERM": "xterm-256color", **(env or {})})
        return Terminal(self._found(argv, environment), env=environment, cwd=cwd or self.work, size=size)

    def pty(  # those of `run`, and the size
        self,
        argv: Sequence[str | bytes],
        *,
        input: bytes = b"",  # noqa: A002  # as subprocess calls it
        size: tuple[int, int] = (24, 80),
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run a program on a terminal (rows, columns) to its end; `stdout` is all that the terminal showed."""
        began = time.monotonic()
        with self.terminal(argv, size=size, env=env, cwd=cwd) as terminal:
            if input:
                terminal.type(input)
            status = terminal.wait(timeout)
            return Result(status, terminal.seen, b"", time.monotonic() - began)

    def starts(self) -> int:
        """Return how often demo tools have been started."""
        return len(self.start_lines())

    def start_lines(self) -> list[str]:
        """Return what the demo tools noted when they started: name, version, pid, arguments."""
        return self.counter.read_text("utf-8").splitlines() if self.counter.exists() else []

    def clear_starts(self) -> None:
        """Count from nought again."""
        self.counter.unlink(missing_ok=True)

    def wait_for(self, predicate: Callable[[], T], what: str, timeout: float = 20) -> T:
        """Poll until a condition holds; fail, naming it, when it takes too long."""
        return wait_for(predicate, what, timeout)

    def processes(self) -> list[Process]:
        """Return pid and command line of every process of this user."""
        return processes_of(self.root)

    def wait_quiet(self, timeout: float = 30) -> None:
        """Wait until this user has no process left: background refreshes have ended."""
        deadline = time.monotonic() + timeout
        while left := self.processes():
            if time.monotonic() > deadline:
                message = f"still running after {timeout} s: {left}"
                raise AssertionError(message)
            time.sleep(0.02)

    def close(self, grace: float = 10) -> None:
        """End this user's world; fail if it was not at rest."""
        if self.index is not None and self.index.running:
            self.index.heal()  # a refresh that hangs in a fault of the test may end now, one that hangs by itself is caught below
        left: list[Process] = []
        try:
            self.wait_quiet(0 if self.leftovers_expected else grace)
        except AssertionError:
            left = self.processes()
            kill_all(self.root)
        attempts = self._close_trap()
        problems = [f"process {pid} was still running: {command}" for pid, command in left if not self.leftovers_expected]
        problems += [f"somebody left loopback: {attempt}" for attempt in attempts]
        if problems:
            raise AssertionError("\n".join(problems))

    def _close_trap(self) -> list[str]:
        if self.trap is None:
            return []
        self.trap.close()
        return self.trap.attempts

    def _found(self, argv: Sequence[str | bytes], environment: Mapping[str, str]) -> list[str | bytes]:
        """Look the program up on the sandbox's PATH: Popen would take pytest's own."""
        program, *words = argv
        text = os.fsdecode(program)
        return [shutil.which(text, path=environment.get("PATH", "")) or text, *words]

    def _give_up(self, process: subprocess.Popen[bytes], argv: Sequence[str | bytes], error: subprocess.TimeoutExpired) -> None:
        running = process.poll() is None
        left = self.processes()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(self.root)
        reason = "it did not end" if running else "it has ended, but its output is held open"
        message = f"{argv!r}: {reason} within {error.timeout} s; processes {left}; stdout {error.stdout!r}; stderr {error.stderr!r}"
        raise AssertionError(message) from None


def _is_ambient(name: str) -> bool:
    return name.startswith(AMBIENT_PREFIXES) or name.upper() in AMBIENT_NAMES


def lastgood_script() -> str:
    """Return the console script of the environment that runs the tests."""
    return str(Path(sysconfig.get_path("scripts"), "lastgood"))
