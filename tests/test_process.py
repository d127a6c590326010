"""Promise 1, seen from inside the tool: the process is what uvx would have made it.

Each test runs in every way that a tool can be started, plain uvx among them, so that what is asserted is what uvx does:

    uvx     plain uvx
    cold    lastgood with nothing kept: uvx builds, lastgood keeps and starts
    hot     lastgood with a fresh record: two small files and exec
    stale   lastgood with a record that has aged: a refresh goes on behind while the tool starts
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
from typing import Any

import pytest

from tests.support.index import Index
from tests.support.sandbox import Sandbox, lastgood_script
from tests.support.wheels import demo_scripts, demo_tool, native_executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.sandbox import Result
    from tests.support.terminal import Terminal

WAYS = ("uvx", "cold", "hot", "stale")
HUNDRED_MB = 100_000_000
WAITING = ("--ready", "{ready}", "--sleep-until", "{go}")


class Way:
    """One way to start a tool, in the world that all tests of this file share."""

    def __init__(self, name: str, sandbox: Sandbox, place: Path) -> None:
        """Take a place for this test's files; a cold start has a home of its own there."""
        self.name = name
        self.sandbox = sandbox
        self.ready, self.go, self.note = place / "ready", place / "go", place / "note"
        self.env: dict[str, str | None] = {}
        if name == "cold":
            self.env["LASTGOOD_HOME"] = str(place / "lastgood")
        if name == "stale":
            self.env["LASTGOOD_MAX_AGE"] = "0"

    @property
    def is_uvx(self) -> bool:
        """Whether this is plain uvx."""
        return self.name == "uvx"

    def argv(self, *words: str | bytes) -> list[str | bytes]:
        """Return the command line: `{ready}` and `{go}` become files of this test."""
        places = {"{ready}": str(self.ready), "{go}": str(self.go), "{note}": str(self.note)}
        start: list[str | bytes] = ["uvx"] if self.is_uvx else [lastgood_script(), "run"]
        return start + [places.get(word, word) if isinstance(word, str) else word for word in words]

    def run(self, *words: str | bytes, **options: Any) -> Result:
        """Run to the end."""
        env = {**self.env, **options.pop("env", {})}
        return self.sandbox.run(self.argv(*words), env=env, **options)

    def popen(self, *words: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        """Start, and leave the rest to the test."""
        env = {**self.env, **options.pop("env", {})}
        return self.sandbox.popen(self.argv(*words), env=env, **options)

    def started(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start demo-tool with these words and wait until it waits for `go`."""
        process = self.popen("demo-tool", *words, *WAITING, **options)
        self.sandbox.wait_for(self.ready.exists, "the tool to be ready")
        return process

    def shell(self, script: str, *words: str | bytes, **options: Any) -> Result:
        """Run a shell script in which `"$@"` is the command line."""
        env = {**self.env, **options.pop("env", {})}
        return self.sandbox.run(["sh", "-c", script, "sh", *self.argv(*words)], env=env, **options)

    def terminal(self, *words: str, before: tuple[str, ...] = ()) -> Terminal:
        """Start on a terminal, perhaps behind other words."""
        return self.sandbox.terminal([*before, *self.argv(*words)], size=(33, 99), env=self.env)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One user for all tests here, who keeps what the hot and stale ways start."""
    root = tmp_path_factory.mktemp("process")
    with Index.start(root) as index:
        index.publish(demo_tool("1.0"))
        index.publish(demo_scripts("1.0"))
        sandbox = Sandbox(root, index)
        for words in (["demo-tool"], ["--from", "demo-tool", "true"], ["--from", "demo-scripts", "true"]):
            assert sandbox.lastgood("run", *words).status == 0
        yield sandbox
        sandbox.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, machine: Sandbox, tmp_path: Path) -> Iterator[Way]:
    """Every way in which a tool can be started; a process that a test leaves behind is caught at its end."""
    assert machine.index is not None
    yield Way(request.param, machine, tmp_path)
    machine.wait_quiet()


@pytest.fixture(params=WAYS[1:])
def own_way(request: pytest.FixtureRequest, machine: Sandbox, tmp_path: Path) -> Iterator[Way]:
    """Every way but plain uvx."""
    yield Way(request.param, machine, tmp_path)
    machine.wait_quiet()


def shown(status: int) -> int:
    """Return a status as a shell shows it: uvx exits with 128 + n where its tool died of signal n, an exec'd tool dies itself."""
    return 128 - status if status < 0 else status


def children_of_this_process() -> str:
    """Return Python code that says whether the process has children, zombies included."""
    return "import os\ntry:\n print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError:\n print('none')"


# --- standard streams -----------------------------------------------------------------------------------------------


def test_stdin_is_a_pipe(way: Way) -> None:
    """All that was piped in is the tool's; nobody before it has read any."""
    found = way.run("demo-tool", "--cat", input=b"line one\n\0\xff\n")
    assert (found.status, found.stdout) == (0, b"line one\n\0\xff\n")


def test_stdin_is_a_file(way: Way, tmp_path: Path) -> None:
    """The tool reads on where the file stands."""
    file = tmp_path / "input"
    file.write_bytes(b"header\nbody\n")
    found = way.shell('exec 0<"$FILE"; read -r line; "$@"', "demo-tool", "--dump", "--cat", env={"FILE": str(file)})
    assert b'"0": "file"' in found.stdout
    assert found.status == 0


def test_stdin_is_at_its_end(way: Way) -> None:
    """A tool that reads an empty stdin gets the end of it at once."""
    found = way.run("demo-tool", "--cat", "--exit", "3")
    assert (found.status, found.stdout) == (3, b"")


@pytest.mark.parametrize("closed", ["0", "1", "2", "01", "02", "12", "012"])
def test_closed_standard_streams_are_opened_on_nothing(way: Way, closed: str) -> None:
    """No file that the tool opens can become its stdin, stdout or stderr."""
    code = "import os, sys; open(sys.argv[1], 'w').write(repr([os.fstat(n).st_mode >> 12 for n in range(3)]))"
    script = 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed)
    found = way.shell(script, "--from", "demo-tool", "python", "-c", code, "{note}")
    device, pipe = 2, 1
    expected = [device if str(number) in closed or number == 0 else pipe for number in range(3)]
    assert (found.status, way.note.read_text("utf-8")) == (0, repr(expected))


def test_a_hundred_megabytes_go_through(way: Way) -> None:
    """Both pipes at once, every byte in its place."""
    block = hashlib.sha256(b"lastgood").digest() * 3125
    sent = block * (HUNDRED_MB // len(block))
    found = way.run("demo-tool", "--cat", input=sent, timeout=120)
    assert (found.status, len(found.stdout), found.stdout == sent) == (0, HUNDRED_MB, True)


def test_both_streams_are_the_tools_own(way: Way) -> None:
    """What it writes to stdout and stderr arrives there, and nothing is added to stdout."""
    found = way.run("demo-tool", "--echo", "to stdout")
    complaint = way.run("demo-tool", "--stderr", "to stderr", "--exit", "4")
    assert (found.stdout, complaint.stdout, complaint.status) == (b"to stdout\n", b"", 4)
    assert complaint.stderr.endswith(b"to stderr\n")


# --- a terminal -----------------------------------------------------------------------------------------------------


def test_a_terminal_is_passed_on(way: Way) -> None:
    """All three streams are the terminal, of the size that it has."""
    with way.terminal("--from", "demo-tool", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all; stty size") as terminal:
        assert terminal.wait() == 0
    assert terminal.seen.endswith(b"all\r\n33 99\r\n")


def test_keys_reach_the_tool(way: Way) -> None:
    """A line that is typed, and Ctrl-D as the end of all lines."""
    with way.terminal("demo-tool", *WAITING, "--cat") as terminal:
        way.sandbox.wait_for(way.ready.exists, "the tool to be ready")
        way.go.touch()
        terminal.type(b"hello\r")
        terminal.read_until(b"hello\r\nhello\r\n")  # the echo, and the tool
        terminal.type(b"\x04")
        assert terminal.wait() == 0


def test_ctrl_c_reaches_a_tool_that_handles_it(way: Way) -> None:
    """Its own status is the one that counts."""
    with way.terminal("demo-tool", "--on-signal", "INT", "41", *WAITING) as terminal:
        way.sandbox.wait_for(way.ready.exists, "the tool to be ready")
        terminal.type(b"\x03")
        assert terminal.wait() == 41


def test_ctrl_c_ends_a_tool_that_does_not(way: Way) -> None:
    """It dies of the signal, as a shell shows it."""
    with way.terminal("--from", "demo-tool", "sh", "-c", "echo there; exec sleep 60") as terminal:
        terminal.read_until(b"there")
        terminal.type(b"\x03")
        assert shown(terminal.wait()) == 128 + signal.SIGINT


def test_ctrl_z_stops_the_tool_and_fg_lets_it_go_on(way: Way) -> None:
    """Job control works as with any program: the shell gets its terminal back, and the tool its own later."""
    script = 'set -m; "$@"; echo "stopped $?"; fg >/dev/null; echo "ended $?"'
    words = ("demo-tool", *WAITING, "--exit", "5")
    with way.terminal(*words, before=("sh", "-c", script, "sh")) as terminal:
        way.sandbox.wait_for(way.ready.exists, "the tool to be ready")
        terminal.type(b"\x1a")
        terminal.read_until(f"stopped {128 + signal.SIGTSTP}".encode())
        way.go.touch()
        terminal.read_until(b"ended 5")
        assert terminal.wait() == 0


# --- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1", "USR2", "QUIT"])
def test_a_signal_reaches_a_tool_that_handles_it(way: Way, name: str) -> None:
    """It is sent to the process that was started, which is all that a service manager knows."""
    process = way.started("--on-signal", name, "41")
    process.send_signal(signal.Signals["SIG" + name])
    assert process.wait(20) == 41


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1"])
def test_a_signal_ends_a_tool_that_does_not(own_way: Way, name: str) -> None:
    """It hits the tool itself at any moment, and nothing is left; uvx may die before it can forward, and leave its tool."""
    number = signal.Signals["SIG" + name]
    process = own_way.popen("--from", "demo-tool", "sh", "-c", 'echo "$$" > "$0"; exec sleep 60', "{ready}")
    own_way.sandbox.wait_for(own_way.ready.exists, "the tool to be ready")
    process.send_signal(number)
    assert process.wait(20) == -number


@pytest.mark.parametrize("name", ["KILL", "TERM", "ABRT", "SEGV", "PIPE"])
def test_death_by_a_signal_shows_in_the_status(way: Way, name: str) -> None:
    """To a shell it looks as under uvx; to whoever waits for the process itself it is the real thing."""
    number = signal.Signals["SIG" + name]
    found = way.run("demo-tool", "--kill", name)
    assert shown(found.status) == 128 + number
    assert way.is_uvx or found.status == -number


def test_kill_leaves_no_tool_behind(own_way: Way) -> None:
    """SIGKILL hits the tool itself: there is nobody in between who could die alone."""
    process = own_way.started()
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    own_way.sandbox.wait_quiet()


def test_a_tool_whose_reader_goes_away_ends_silently(way: Way) -> None:
    """`lastgood run tool | head -1`: SIGPIPE has its default effect, although the interpreter that started the tool ignores it."""
    found = way.shell('{ "$@"; echo "$?" > "$NOTE"; } | head -n 1', "--from", "demo-tool", "yes", env={"NOTE": str(way.note)})
    assert (found.status, found.stdout) == (0, b"y\n")
    assert way.note.read_text("utf-8") == f"{128 + signal.SIGPIPE}\n"
    assert b"roken pipe" not in found.stderr


def test_ignored_and_blocked_signals_are_inherited(way: Way) -> None:
    """What nohup, a background job or a service manager set up stays set up, and nothing else is ignored or blocked."""
    if native_executable() is None:
        pytest.skip("this machine has no C compiler, and a Python tool hides what it inherited")
    ignored = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)
    blocked = (signal.SIGUSR2, signal.SIGTERM)

    def prepare() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)

    words = ("--from", "demo-scripts", "demo-native", "--dump")
    with way.popen(*words, stdout=subprocess.PIPE, preexec_fn=prepare) as process:
        lines = process.communicate(timeout=60)[0].decode().splitlines()
    assert {one for one in lines if one.startswith(("ignored", "blocked"))} == {
        *(f"ignored {number:d}" for number in ignored),
        *(f"blocked {number:d}" for number in blocked),
    }


def childless(popen: Callable[..., subprocess.Popen[bytes]], *words: Any) -> tuple[int, str, str]:
    """Run as under a parent that ignores SIGCHLD, as some supervisors do: the kernel takes away the ends of children."""

    def prepare() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    with popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=prepare) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("words", [(), ("--prefer-offline",), ("--offline",)], ids=" ".join)
def test_a_parent_that_ignores_the_ends_of_children(own_way: Way, words: tuple[str, ...]) -> None:
    """Where SIGCHLD is ignored uvx starts nothing; here the tool runs, and ignores it as whatever that parent starts does."""
    if native_executable() is None:
        pytest.skip("this machine has no C compiler, and a Python tool hides what it inherited")
    command = ("--from", "demo-scripts", "demo-native", "--dump")
    assert childless(own_way.sandbox.popen, ["uvx", *command])[:2] == (2, "")
    status, dump, said = childless(own_way.popen, *words, *command)
    ignored = [line for line in dump.splitlines() if line.startswith(("ignored", "blocked"))]
    assert (status, ignored, "internal error" in said) == (0, [f"ignored {signal.SIGCHLD:d}"], False), said


@pytest.mark.parametrize(
    "verb", ["warm demo-tool", "status", "warm --all --check", "doctor", "why demo-tool", "run -q --no-cache demo-tool --version"]
)
def test_verbs_below_a_parent_that_ignores_the_ends_of_children(machine: Sandbox, verb: str) -> None:
    """Every verb, and plain uvx where that runs, comes to the same as under any other parent."""
    argv = [lastgood_script(), *verb.split()]
    status, _, said = childless(machine.popen, argv)
    expected = machine.run(argv)
    assert (status, said) == (expected.status, expected.err)
    machine.wait_quiet()


def test_no_signal_is_ignored_or_blocked_by_itself(way: Way) -> None:
    """A tool starts with the defaults: what the interpreter before it changed is changed back."""
    if native_executable() is None:
        pytest.skip("this machine has no C compiler, and a Python tool hides what it inherited")
    lines = way.run("--from", "demo-scripts", "demo-native", "--dump").out.splitlines()
    assert lines[0] == "argv demo-native"
    assert [one for one in lines if one.startswith(("ignored", "blocked"))] == []


# --- exit statuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 2, 3, 64, 126, 127, 128, 130, 141, 255, 256, 300])
def test_an_exit_status_is_passed_on(way: Way, status: int) -> None:
    """Those that shells and uv itself have a use for among them."""
    assert way.run("demo-tool", "--exit", str(status)).status == status % 256


def test_every_exit_status_is_passed_on(machine: Sandbox) -> None:
    """From 0 to 255, one process each."""
    loop = 'n=$1; shift; while [ "$n" -lt 256 ]; do "$@" sh -c "exit $n"; echo "$n $?"; n=$((n + 2)); done'
    command = [lastgood_script(), "run", "--from", "demo-tool"]
    halves = [machine.popen(["sh", "-c", loop, "sh", first, *command], stdout=subprocess.PIPE) for first in "01"]
    lines = [entry for half in halves for entry in half.communicate(timeout=120)[0].decode().splitlines()]
    assert sorted(lines) == sorted(f"{status} {status}" for status in range(256))


# --- arguments and environment --------------------------------------------------------------------------------------


def test_arguments_that_are_no_text_arrive_as_they_are(way: Way) -> None:
    """Bytes that are no UTF-8, line breaks, blanks and nothing at all."""
    odd = [b"\xff\xfe", b"caf\xe9", b"a\nb", b" ", b"", b"\x01", "naïve 日本語".encode()]
    found = way.run("demo-tool", "--echo", *odd)
    assert (found.status, found.stdout) == (0, b"".join(word + b"\n" for word in odd))


def test_an_environment_that_is_no_text_arrives_as_it_is(way: Way) -> None:
    """Values with bytes that are no UTF-8 and with line breaks."""
    env = {"ODD": "caf\udce9 \udcff", "LINES": "one\ntwo", "EMPTY": ""}
    found = way.run("--from", "demo-tool", "sh", "-c", 'printf "%s|" "$ODD" "$LINES" "${EMPTY-unset}"', env=env)
    assert (found.status, found.stdout) == (0, b"caf\xe9 \xff|one\ntwo||")


def test_a_directory_whose_name_is_no_text_is_as_good_as_any(way: Way, tmp_path: Path) -> None:
    """The tool runs where it was started."""
    place = tmp_path / "caf\udce9"
    place.mkdir()
    found = way.run("--from", "demo-tool", "pwd", cwd=place)
    assert (found.status, found.stdout) == (0, os.fsencode(place.resolve()) + b"\n")


LOCALES: list[dict[str, str]] = [
    {},
    {"LANG": "C"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LANG": "C", "LC_CTYPE": "C.UTF-8"},
    {"LC_CTYPE": "UTF-8"},  # as macOS has it, and ssh sends it along
    {"LC_CTYPE": "POSIX"},
    {"LC_CTYPE": ""},
    {"LC_CTYPE": "bogus", "LANG": "C.UTF-8"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_no_locale_is_made_up(way: Way, locale: dict[str, str]) -> None:
    """The interpreter that starts the tool sets LC_CTYPE for itself where the locale is C; the tool has what was there before."""
    found = way.run("--from", "demo-tool", "env", env={"LANG": None, **locale})
    seen = dict(entry.split("=", 1) for entry in found.out.splitlines() if entry.startswith(("LC_", "LANG")))
    assert (found.status, seen) == (0, locale)


def test_the_command_is_called_as_it_was_typed(way: Way) -> None:
    """argv[0] of a program that is none of Python's."""
    assert way.run("--from", "demo-tool", "sh", "-c", 'echo "$0"').stdout == b"sh\n"
    assert way.run("--from", "demo-tool", "/bin/sh", "-c", 'echo "$0"').stdout == b"/bin/sh\n"


# --- the process itself ---------------------------------------------------------------------------------------------


def test_the_tool_is_the_process_that_was_started(own_way: Way) -> None:
    """Same pid, same parent, same group and session: nobody stays in between."""
    with own_way.popen("demo-tool", "--dump", stdout=subprocess.PIPE) as process:
        seen = json.loads(process.communicate(timeout=60)[0])
    assert {name: seen[name] for name in ("pid", "ppid", "pgid", "sid")} == {
        "pid": process.pid,
        "ppid": os.getpid(),
        "pgid": process.pid,
        "sid": process.pid,
    }


def test_the_tool_has_no_children_that_it_did_not_start(own_way: Way) -> None:
    """Neither a zombie nor a refresh that goes on behind is the tool's to wait for."""
    found = own_way.run("--from", "demo-tool", "python", "-c", children_of_this_process())
    assert (found.status, found.stdout) == (0, b"none\n")


def test_open_descriptors_are_passed_on(way: Way) -> None:
    """Those from 3 on too, as a make jobserver or a service manager hands them over, and none is added among them."""
    reads, writes = os.pipe()
    with open(reads, "rb") as pipe, open(writes, "wb"):
        with way.popen("demo-tool", "--dump", stdout=subprocess.PIPE, pass_fds=(reads, writes)) as process:
            seen = json.loads(process.communicate(timeout=60)[0])["fds"]
        code = f"import os; os.write({writes}, b'through')"
        with way.popen("--from", "demo-tool", "python", "-c", code, pass_fds=(writes,)) as process:
            assert process.wait(60) == 0
        assert set(seen) == {"0", "1", "2", str(reads), str(writes)}
        assert pipe.read1() == b"through"


def test_one_lock_is_all_that_a_tool_holds_for_lastgood(own_way: Way) -> None:
    """A descriptor of its own environment, above those that scripts use; nothing of the refresh, the record or the index."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not tell what a process has open")
    found = own_way.run("--from", "demo-tool", "sh", "-c", "ls -l /proc/$$/fd")
    targets = [entry.split(" -> ")[1] for entry in found.out.splitlines() if " -> " in entry]
    held = [target for target in targets if target.startswith(str(own_way.sandbox.root.parent)) or "lastgood" in target]
    assert (len(targets), len(held)) == (4, 1)
    assert "/generations/" in held[0]


@pytest.mark.parametrize("limits", [(256, 4096), (1024, 1024), (4096, 4096), (50, 4096), (60, 60)])
def test_the_limit_of_open_files_is_what_uvx_leaves(way: Way, limits: tuple[int, int]) -> None:
    """The soft limit is raised for the tool, too."""

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    with way.popen("demo-tool", "--dump", stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=prepare) as process:
        out, err = process.communicate(timeout=60)
    assert json.loads(out)["nofile"] == [limits[1], limits[1]]
    assert b"lastgood" not in err


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_the_umask_is_inherited(way: Way, mask: int) -> None:
    """What the tool creates has the permissions that the user wants."""
    with way.popen("demo-tool", "--dump", stdout=subprocess.PIPE, preexec_fn=lambda: os.umask(mask)) as process:
        assert json.loads(process.communicate(timeout=60)[0])["umask"] == mask


def test_other_limits_and_the_priority_are_inherited(way: Way) -> None:
    """A limit of file sizes and a nice value reach the tool untouched."""

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**8, 10**9))
        os.nice(3)

    code = "import os, resource as r; print(r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_FSIZE), os.nice(0))"
    with way.popen("--from", "demo-tool", "python", "-c", code, stdout=subprocess.PIPE, preexec_fn=prepare) as process:
        out = process.communicate(timeout=60)[0].decode()
    assert out == f"(0, 0) ({10**8}, {10**9}) {os.nice(0) + 3}\n"


# --- while the index is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("start", ["uvx", "cold"])
def test_a_signal_while_the_index_is_silent_ends_everything(machine: Sandbox, tmp_path: Path, start: str, name: str) -> None:
    """Nobody waits for an index on behalf of someone who has gone: neither lastgood nor the uv that it started."""
    assert machine.index is not None
    number = signal.Signals["SIG" + name]
    way = Way(start, machine, tmp_path)
    way.env["UV_CACHE_DIR"] = str(machine.root / f"cache-{start}-{name}")
    machine.index.clear_requests()
    machine.index.fault("hang-before-headers")
    try:
        process = way.popen("demo-tool", stderr=subprocess.DEVNULL)
        machine.index.wait_for_requests(1)
        process.send_signal(number)
        assert shown(process.wait(20)) == 128 + number
        machine.wait_quiet()
    finally:
        machine.index.heal()
    assert not (tmp_path / "lastgood" / "generations").exists() or not list((tmp_path / "lastgood" / "generations").iterdir())


def test_a_signal_while_a_release_is_checked_ends_everything(machine: Sandbox, tmp_path: Path) -> None:
    """A release whose import never ends is taken down with the run that looks at it."""
    assert machine.index is not None
    prelude = "import os, pathlib\npathlib.Path(os.environ['SEEN']).touch()"
    machine.index.publish(demo_tool("1.0", name="hanging-tool", prelude=prelude, broken="hang"))
    way = Way("cold", machine, tmp_path)
    process = way.popen("hanging-tool", env={"SEEN": str(way.ready)}, stderr=subprocess.DEVNULL)
    machine.wait_for(way.ready.exists, "the check to hang")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    machine.wait_quiet()
    assert list((tmp_path / "lastgood" / "generations").iterdir()) == []


def test_a_refresh_behind_holds_neither_pipe_nor_terminal(machine: Sandbox, tmp_path: Path) -> None:
    """Whoever waits for the end of the tool's output is not kept waiting by the index."""
    assert machine.index is not None
    way = Way("stale", machine, tmp_path)
    way.env["LASTGOOD_MODE"] = "prefer-cache"
    machine.index.clear_requests()
    machine.index.fault("hang-before-headers")
    try:
        found = way.run("demo-tool", "--echo", "done")
        assert (found.status, found.stdout) == (0, b"done\n")
        with way.terminal("demo-tool") as terminal:
            assert terminal.wait() == 0
            assert b"demo-tool 1.0 ran" in terminal.seen
        machine.index.wait_for_requests(1)
        assert machine.processes() != []
    finally:
        machine.index.heal()
    machine.wait_quiet()
