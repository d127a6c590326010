"""Promise 3, against everything else that happens to files, clocks, disks and processes: a good tool is never lost.

What is damaged is replaced by another file, never written in place: the files of a generation are hard links into uv's
cache, and what is damaged there no one can mend. Root is made an ordinary user (`support.privileges`) where permissions are
the disaster.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lastgood import record as records
from lastgood import upkeep
from tests.support.aging import DAY, HOUR, YEAR, let_pass
from tests.support.interpreters import another_python, system_python
from tests.support.kept import own_lines
from tests.support.privileges import NO_MOUNTS, NO_PERMISSIONS, Mounts, as_ordinary_user, mounts_allowed, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

DEMO = ("run", "demo-tool", "--version", "--exit", "7")
WAIT = ("run", "demo-tool", "--ready", "ready", "--sleep-until", "go", "--version", "--exit", "7")
STALE = {"LASTGOOD_MAX_AGE": "0"}
QUICK = {**STALE, "LASTGOOD_PATIENCE": "0.5"}
GARBAGE = bytes(range(256)) * 4

needs_mounts = pytest.mark.skipif(not mounts_allowed(), reason=NO_MOUNTS)
needs_permissions = pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)


def truncated(path: Path) -> None:
    """Keep the first half."""
    replace(path, path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    """Keep nothing but the name, as a crash of the machine does."""
    replace(path, b"")


def zeroed(path: Path) -> None:
    """Keep the size, lose the contents."""
    replace(path, bytes(path.stat().st_size))


def garbled(path: Path) -> None:
    """Put bytes there that mean nothing, in no encoding."""
    replace(path, GARBAGE)


def deleted(path: Path) -> None:
    """Remove it."""
    path.unlink()


def unreadable(path: Path) -> None:
    """Forbid everything."""
    if not path.is_symlink():
        path.chmod(0)


def made_a_directory(path: Path) -> None:
    """Put a directory there."""
    path.unlink()
    path.mkdir()


NOBODY_READS = (
    "RECORD",
    "REQUESTED",
    "INSTALLER",
    "WHEEL",
    ".pyc",
    ".bat",
    ".nu",
    ".fish",
    ".ps1",
    ".xsh",
    "activate",
    "activate_this.py",
)
DAMAGES = (truncated, emptied, zeroed, garbled, deleted, unreadable, made_a_directory)


def replace(path: Path, contents: bytes) -> None:
    """Put another file in a file's place, with the same mode and time: nothing but the contents tells."""
    found = path.stat()
    path.unlink()
    path.write_bytes(contents)
    path.chmod(found.st_mode & 0o777)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def set_up(index: Index, *, up: bool) -> None:
    """Let the index answer, or refuse."""
    index.start_again() if up else index.stop()


class Saved:
    """A home as it was, to be put back after each disaster."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Copy the home."""
        self.home = sandbox.home
        self.copy = sandbox.root / "saved"
        shutil.copytree(self.home, self.copy, symlinks=True)

    def put_back(self) -> None:
        """Make the home what it was."""
        shutil.rmtree(self.home)
        shutil.copytree(self.copy, self.home, symlinks=True)

    def state(self) -> list[str]:
        """Return the files that are lastgood's own, outside the retained environments."""
        return [name for name in self.files() if not name.startswith("generations/")]

    def files(self) -> list[str]:
        """Return all files and links, relative to the home, sorted."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_symlink() or path.is_file())


@pytest.fixture
def lived_in(demo: Index, sandbox: Sandbox) -> Saved:
    """Make a home that has seen two good releases, a refused one whose notice still waits, and an outage that is over."""
    for version, broken in (("1.0", None), ("2.0", None), ("3.0", "import")):
        demo.publish(demo_tool(version, broken=broken))  # type: ignore[arg-type]
        behind = {"LASTGOOD_MODE": "prefer-cache"} if broken else {}
        assert sandbox.lastgood(*DEMO, env={**STALE, **behind}).status == 7
        sandbox.wait_quiet()
    demo.unpublish("demo-tool", "3.0")
    assert sandbox.lastgood(*DEMO, env={"LASTGOOD_MODE": "prefer-cache"}).status == 7  # writes the card, takes the notice
    (record,) = records.identities(str(sandbox.home))
    (sandbox.home / "notices" / record).write_text("a line that waits\n")
    name = demo.host.replace(":", "-")
    (sandbox.home / "hosts" / name).write_text(
        f"lastgood breaker 1\nhost {demo.host}\nsince 1000\nuntil 1030\nwait 30\nreason HTTP 503\n"
    )
    saved = Saved(sandbox)
    assert len(saved.state()) >= 6, saved.state()
    return saved


def run(sandbox: Sandbox, env: Mapping[str, str | None] | None = None) -> Result:
    """Run the demo tool as an ordinary user."""
    sandbox.clear_starts()
    return sandbox.run(as_ordinary_user([lastgood_script(), *DEMO]), env=env)


def assert_ran(result: Result, sandbox: Sandbox, *versions: str) -> None:
    """The tool ran, once, in one of these versions, with its own status; nothing but one-line notices was said."""
    expected = {f"demo-tool {version}\n" for version in versions}
    assert (result.status, result.out in expected, sandbox.starts()) == (7, True, 1), result
    noise = [
        line for line in result.err.splitlines() if not line.startswith(("lastgood: warning: ", "lastgood: hint: ", "Installed "))
    ]
    assert noise == [], result.err
    assert "internal error" not in result.err, result.err


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_permissions
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("age", [0.0, HOUR], ids=["fresh", "stale"])
def test_any_file_of_the_state_is_lost(
    demo: Index, sandbox: Sandbox, lived_in: Saved, damage: Callable[[Path], None], age: float
) -> None:
    """Whatever happens to a card, record, lock, notice, breaker or the history: the tool runs, index up or down."""
    for name in lived_in.state():
        for index_is_up in (False, True):
            lived_in.put_back()
            let_pass(sandbox.home, age)
            damage(sandbox.home / name)
            set_up(demo, up=index_is_up)
            assert_ran(run(sandbox), sandbox, "2.0")
            sandbox.wait_quiet()
    demo.start_again()


@pytest.mark.slow
@needs_permissions
@pytest.mark.parametrize("part", ["", "cards", "records", "hosts", "notices", "generations"])
def test_any_directory_of_the_state_is_lost(demo: Index, sandbox: Sandbox, lived_in: Saved, part: str) -> None:
    """Gone, a file, or forbidden: with the index up the tool runs; with it down, too, where its environment is there."""
    for index_is_up in (False, True):
        for damage in (shutil.rmtree, put_a_file, forbid):
            lived_in.put_back()
            let_pass(sandbox.home, HOUR)
            damage(sandbox.home / part)
            set_up(demo, up=index_is_up)
            result = run(sandbox)
            if part == "" and damage is put_a_file:
                assert (result.status, result.err.count("\n"), "it is a file" in result.err) == (2, 1, True), result
            elif index_is_up or part not in {"", "generations"}:
                assert_ran(result, sandbox, "2.0")
            else:
                assert result.status == 7 or "connection refused" in result.err.lower(), result  # uvx's own words
                assert "Traceback" not in result.err, result
            if (sandbox.home / part).exists():
                (sandbox.home / part).chmod(0o700)
            sandbox.wait_quiet()
            if sandbox.home.is_file():
                sandbox.home.unlink()
            sandbox.home.mkdir(exist_ok=True)
    demo.start_again()


def put_a_file(path: Path) -> None:
    """Put a file in a directory's place."""
    shutil.rmtree(path)
    path.write_text("not a directory")


def forbid(path: Path) -> None:
    """Forbid a directory to everyone."""
    path.chmod(0)


@pytest.mark.slow
@needs_permissions
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_any_file_of_the_kept_environment_is_damaged(
    demo: Index, sandbox: Sandbox, lived_in: Saved, damage: Callable[[Path], None]
) -> None:
    """What lastgood starts it looks at: a damaged program or interpreter is built again, or an older one runs.

    The tool's own modules it cannot check in the time of a hot run: there the tool starts, once, and what it says is its own.
    """
    current = next(
        name for name in lived_in.files() if name.startswith("generations/demo-tool-2.0") and name.endswith("/bin/demo-tool")
    )
    root = current.removesuffix("/bin/demo-tool")
    for name in [name for name in lived_in.files() if name.startswith(root) and not name.endswith(NOBODY_READS)]:
        for index_is_up in (False, True):
            lived_in.put_back()
            path = sandbox.home / name
            if damage in (truncated, emptied, zeroed, garbled) and path.is_symlink():
                continue  # links have no contents
            damage(path)
            set_up(demo, up=index_is_up)
            result = run(sandbox)
            unseen = name.endswith((".py", ".pyc")) or (name.endswith("pyvenv.cfg") and damage is not deleted)
            if unseen or (name == current and damage in (zeroed, unreadable)):
                assert (sandbox.starts() <= 1, "internal error" in result.err, "fastpath.py" in result.err) == (
                    True,
                    False,
                    False,
                ), (name, result)
            else:
                assert_ran(result, sandbox, *(["2.0"] if index_is_up else ["2.0", "1.0"]))
            sandbox.wait_quiet()
    demo.start_again()


def test_reinstall_mends_what_no_run_looks_at(demo: Index, sandbox: Sandbox) -> None:
    """A module of the kept environment is damaged: `--reinstall` takes the environment from uv again, and checks it."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    (module,) = (sandbox.home / "generations").glob("*/lib/*/site-packages/demo_tool/cli.py")
    emptied(module)
    shutil.rmtree(module.parent / "__pycache__", ignore_errors=True)
    assert sandbox.lastgood(*DEMO).status == 1
    mended = sandbox.lastgood("run", "--reinstall", *DEMO[1:])
    assert (mended.status, mended.out) == (7, "demo-tool 1.0\n")
    sandbox.wait_quiet()
    demo.stop()
    assert_ran(run(sandbox), sandbox, "1.0")
    upkeep.collect(str(sandbox.home), young=0)
    assert len(os.listdir(sandbox.home / "generations")) == 1


# --- records that are not what they seem ----------------------------------------------------------------------------


FOREIGN = {
    "null": "null",
    "a list": "[]",
    "an empty table": "{}",
    "a number": "3",
    "a text": '"lastgood record"',
    "a deep list": "[" * 100_000 + "]" * 100_000,
    "an old friend": '{"is": "lastgood record", "format": 1}',
    "another format's name": '{"is": "something else", "format": 1}',
    "a format that is no number": '{"is": "lastgood record", "format": "one"}',
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_record_of_another_shape_is_set_aside_and_rebuilt(demo: Index, sandbox: Sandbox, what: str) -> None:
    """Valid JSON that is no record: the tool runs, the file is kept under a dated name, and a record stands there again."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    (path,) = (sandbox.home / "records").glob("*.json")
    path.write_text(FOREIGN[what])
    demo.stop()
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    assert "was unreadable; set aside as `" in result.err
    (aside,) = (sandbox.home / "records").glob("*.json.bad-*")
    assert aside.read_text() == FOREIGN[what]
    assert records.load(str(sandbox.home), path.stem) is not None, "the rebuilt record is written at once, not by the next refresh"
    sandbox.wait_quiet()
    demo.start_again()
    assert sandbox.lastgood("run", "--refresh", *DEMO[1:]).status == 7
    assert records.load(str(sandbox.home), path.stem) is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("generations", "none"),
        ("generations", [5]),
        ("asked", "soon"),
        ("current", None),
        ("hosts", [1]),
        ("id", "x"),
        ("last", 3),
        ("request", []),
    ],
    ids=str,
)
def test_a_record_with_a_field_of_another_type_is_rebuilt(demo: Index, sandbox: Sandbox, field: str, value: object) -> None:
    """A record that could not be true is no reason not to start the tool."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    (path,) = (sandbox.home / "records").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    demo.stop()
    assert_ran(run(sandbox), sandbox, "1.0")


def test_a_record_that_leads_out_of_the_store_is_not_followed(demo: Index, sandbox: Sandbox) -> None:
    """The name of a generation with a path in it starts nothing from there."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    (path,) = (sandbox.home / "records").glob("*.json")
    (kept,) = (sandbox.home / "generations").iterdir()
    shutil.copytree(kept, sandbox.root / "elsewhere", symlinks=True)
    path.write_text(path.read_text().replace(kept.name, "../../elsewhere"))
    demo.stop()
    result = sandbox.lastgood("run", "demo-tool", "--dump")
    assert (result.status, result.json()["prefix"]) == (0, str(kept.resolve()))


@pytest.mark.parametrize("index_is_up", [True, False])
def test_a_record_of_a_newer_format_is_left_alone(demo: Index, sandbox: Sandbox, *, index_is_up: bool) -> None:
    """A newer lastgood wrote it: this one says so, runs plain uvx, and changes no byte of it."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    (path,) = (sandbox.home / "records").glob("*.json")
    newer = json.dumps({"is": "lastgood record", "format": 2, "generations": "elsewhere"})
    path.write_text(newer)
    if not index_is_up:
        demo.stop()
    result = run(sandbox)
    assert "was written by a newer lastgood (format 2, this one reads 1)" in result.err
    assert (result.status == 7, sandbox.starts()) == (index_is_up, int(index_is_up)), result
    sandbox.wait_quiet()
    assert [one.name for one in (sandbox.home / "records").glob("*.json*")] == [path.name]
    assert path.read_text() == newer


# --- homes that cannot be used --------------------------------------------------------------------------------------


@needs_permissions
@pytest.mark.parametrize("index_is_up", [True, False])
@pytest.mark.parametrize("age", [0.0, HOUR], ids=["fresh", "stale"])
def test_a_home_that_may_not_be_written_serves_what_it_keeps(
    demo: Index, sandbox: Sandbox, age: float, *, index_is_up: bool
) -> None:
    """Every directory and file of the home is read-only: what is kept runs."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, age)
    if not index_is_up:
        demo.stop()
    for path in [sandbox.home, *sandbox.home.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)
    for _ in range(2):
        assert_ran(run(sandbox), sandbox, "1.0")
    sandbox.wait_quiet()
    for path in [sandbox.home, *sandbox.home.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o700)


@needs_permissions
@pytest.mark.parametrize("index_is_up", [True, False])
def test_a_home_that_may_not_be_written_is_named(demo: Index, sandbox: Sandbox, *, index_is_up: bool) -> None:
    """Every line says that the home is not writable, and not which of its files could not be locked."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("1.0", name="other-tool"))
    if not index_is_up:
        demo.stop()
    paths = [path for path in (sandbox.home, *sandbox.home.rglob("*")) if not path.is_symlink()]
    for path in paths:
        path.chmod(path.stat().st_mode & 0o555)
    trouble = f"`{sandbox.home}` is not writable"
    stale = f"warning: running `demo-tool` 1.0, last checked 1h ago: the index could not be asked ({trouble})"
    first = f"warning: {trouble}; running through `uvx` without keeping `other-tool`"
    change = f"error: {trouble}; make it writable, or set `LASTGOOD_HOME` to a directory that you can write to"
    said = {"run demo-tool": stale, "run other-tool": first}
    said |= dict.fromkeys(("warm demo-tool", "warm other-tool", "hold demo-tool", "rollback demo-tool"), change)
    results = {words: sandbox.run(as_ordinary_user([lastgood_script(), *words.split()])) for words in said}
    for path in paths:
        path.chmod(path.stat().st_mode | 0o700)
    assert {words: own_lines(result) for words, result in results.items()} == {words: [line] for words, line in said.items()}


@needs_mounts
@pytest.mark.parametrize("index_is_up", [True, False])
@pytest.mark.parametrize("age", [0.0, HOUR], ids=["fresh", "stale"])
def test_a_home_on_a_read_only_mount_serves_what_it_keeps(demo: Index, sandbox: Sandbox, age: float, *, index_is_up: bool) -> None:
    """The file system refuses every write, root's too: what is kept runs."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, age)
    if not index_is_up:
        demo.stop()
    home = sandbox.home
    with Mounts(sandbox, f"mount --bind '{home}' '{home}' && mount -o remount,ro,bind '{home}'") as there:
        for _ in range(2):
            sandbox.clear_starts()
            assert_ran(sandbox.run(there.enter([lastgood_script(), *DEMO])), sandbox, "1.0")
        other = sandbox.run(
            there.enter([lastgood_script(), "run", "--from", "demo-tool", *DEMO[1:]]), env={"LASTGOOD_MAX_AGE": "5"}
        )
        assert (other.status == 7 or not index_is_up, "Traceback" in other.err) == (True, False), other
        wait_for_mounts_only(sandbox)


@needs_permissions
@pytest.mark.usefixtures("demo")
def test_a_home_that_cannot_be_made_is_no_reason_not_to_run(sandbox: Sandbox) -> None:
    """A first run in a directory that cannot be written: plain uvx, and one line that says so."""
    forbidden = sandbox.root / "forbidden"
    forbidden.mkdir(mode=0o500)
    result = run(sandbox, {"LASTGOOD_HOME": str(forbidden / "home")})
    assert_ran(result, sandbox, "1.0")
    said = [line for line in result.err.splitlines() if line.startswith("lastgood: ")]
    trouble = f"`{forbidden}/home` is not writable (permission denied)"
    assert said == [f"lastgood: warning: {trouble}; running through `uvx` without keeping `demo-tool`"]


@pytest.mark.usefixtures("demo")
def test_a_home_whose_name_has_a_line_break(sandbox: Sandbox) -> None:
    """Its paths are no lines of a card: plain uvx, nothing is made there, and one line says why."""
    place = sandbox.root / "line\nbreak"
    place.mkdir()
    result = run(sandbox, {"LASTGOOD_HOME": None, "XDG_DATA_HOME": None, "HOME": str(place)})
    assert_ran(result, sandbox, "1.0")
    (line,) = own_lines(result)
    trouble = "cannot be the home of lastgood: its name has a line break"
    assert line.endswith(f"/lastgood` {trouble}; running through `uvx` without keeping `demo-tool`"), line
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("age", [0.0, HOUR], ids=["fresh", "stale"])
@pytest.mark.usefixtures("demo")
def test_a_home_that_others_may_write_is_not_trusted(sandbox: Sandbox, age: float) -> None:
    """It names what gets executed: plain uvx, one line that says why, and nothing in it is touched."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, age)
    sandbox.home.chmod(0o777)
    saved = Saved(sandbox)
    before = saved.files()
    sandbox.clear_starts()
    result = sandbox.lastgood(*DEMO)
    assert_ran(result, sandbox, "1.0")
    assert "can be written by others: it names what gets executed" in result.err
    assert saved.files() == before


def test_a_home_of_another_user_is_not_trusted(demo: Index, sandbox: Sandbox) -> None:
    """It names what gets executed: plain uvx, and one line that says why."""
    if os.geteuid() == 0:
        assert sandbox.lastgood(*DEMO).status == 7
        sandbox.wait_quiet()
        os.chown(sandbox.home, 65534, 65534)
        home = sandbox.home
    else:
        home = Path("/")  # root's
    sandbox.clear_starts()
    result = sandbox.lastgood(*DEMO, env={"LASTGOOD_HOME": str(home)})
    assert_ran(result, sandbox, "1.0")
    assert f"`{home}` belongs to user " in result.err
    assert len(demo.requests("page")) >= 1


# --- disks ----------------------------------------------------------------------------------------------------------


@needs_mounts
def test_a_full_disk_keeps_the_last_good(demo: Index, sandbox: Sandbox) -> None:
    """No byte is left where the home is: what is kept runs, hot and stale; with space again, the new version comes."""
    sandbox.home.mkdir(mode=0o700)
    command = [lastgood_script(), *DEMO]
    with Mounts(sandbox, f"mount -t tmpfs -o size=2m,mode=0700 none '{sandbox.home}'") as there:
        sandbox.clear_starts()
        assert_ran(sandbox.run(there.enter(command)), sandbox, "1.0")
        assert_ran_in(sandbox, there, command, {**STALE, "LASTGOOD_MODE": "prefer-cache"}, "1.0")  # leaves its card
        demo.publish(demo_tool("2.0"))
        sandbox.run(there.enter(["sh", "-c", f"cat /dev/zero > '{sandbox.home}/ballast'"]))
        for mode in ("prefer-latest", "prefer-cache", "prefer-latest"):
            assert_ran_in(sandbox, there, command, {**STALE, "LASTGOOD_MODE": mode}, "1.0")
        told = sandbox.run(there.enter(command), env=STALE).err
        assert "running `demo-tool` 1.0, " in told
        assert ": 2.0 cannot be kept (no space left on device)\n" in told
        demo.stop()
        assert_ran_in(sandbox, there, command, STALE, "1.0")
        demo.start_again()
        left = sandbox.run(there.enter(["find", str(sandbox.home), "-name", ".staging-*", "-o", "-name", "*.new"])).out
        assert left == ""
        sandbox.run(there.enter(["rm", f"{sandbox.home}/ballast"]))
        assert sandbox.run(there.enter([lastgood_script(), "run", "--refresh", *DEMO[1:]])).out == "demo-tool 2.0\n"
        wait_for_mounts_only(sandbox)


@needs_mounts
def test_a_first_run_on_a_full_disk_runs_the_tool(demo: Index, sandbox: Sandbox) -> None:
    """Nothing can be kept: the tool runs through uvx, and one line says so."""
    sandbox.home.mkdir(mode=0o700)
    with Mounts(sandbox, f"mount -t tmpfs -o size=64k,mode=0700 none '{sandbox.home}'") as there:
        for _ in range(2):
            sandbox.clear_starts()
            result = sandbox.run(there.enter([lastgood_script(), *DEMO]))
            assert_ran(result, sandbox, "1.0")
            assert "no space left on device" in result.err.lower(), result
        wait_for_mounts_only(sandbox)
    assert demo.requests("file")


def assert_ran_in(sandbox: Sandbox, there: Mounts, command: list[str], env: dict[str, str], version: str) -> None:
    """The demo tool ran, among the mounts."""
    wait_for_mounts_only(sandbox)
    sandbox.clear_starts()
    assert_ran(sandbox.run(there.enter(command), env=env), sandbox, version)
    wait_for_mounts_only(sandbox)


def wait_for_mounts_only(sandbox: Sandbox) -> None:
    """Wait until nothing goes on behind."""
    sandbox.wait_for(
        lambda: not [one for one in sandbox.processes() if "read _ || :" not in one[1]], "the end of what goes on behind"
    )


def test_a_limit_on_the_size_of_files_keeps_the_last_good(demo: Index, sandbox: Sandbox) -> None:
    """Nobody may write a byte, uv neither: what is kept runs, hot and stale."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    demo.publish(demo_tool("2.0"))
    for env in ({}, STALE, {**STALE, "LASTGOOD_MODE": "prefer-cache"}):
        # the tool counts its starts in a file, too, so nothing counts here
        result = sandbox.run(
            ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", lastgood_script(), *DEMO], env={**env, "DEMO_STARTS": None}
        )
        assert (result.status, result.out, "Traceback" in result.err) == (7, "demo-tool 1.0\n", False), result
        sandbox.wait_quiet()


# --- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passes", "said"), [(-HOUR, "at an unknown time"), (YEAR, "365 days ago")], ids=["set back an hour", "a year ahead"]
)
def test_a_wrong_clock_makes_what_is_kept_stale(demo: Index, sandbox: Sandbox, passes: float, said: str) -> None:
    """A record from the future is not fresh for ever, and one of last year still stands in; the index is asked either way."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    demo.publish(demo_tool("2.0"))
    let_pass(sandbox.home, passes)
    demo.clear_requests()
    demo.fault(503)
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    assert f"running `demo-tool` 1.0, last checked {said}: " in result.err
    assert demo.requests()
    sandbox.wait_quiet()
    demo.heal()
    for breaker in (sandbox.home / "hosts").iterdir():
        breaker.unlink()
    assert_ran(run(sandbox), sandbox, "2.0")


@pytest.mark.parametrize("hours", [-1, 1, 24 * 365])
def test_a_clock_that_jumps_between_two_runs(demo: Index, sandbox: Sandbox, hours: int) -> None:
    """Lastgood, uv and the tool all see another time than the run before: the tool runs, and a refresh brings what is new."""
    shift = clock_shifter(sandbox)
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    demo.publish(demo_tool("2.0"))
    result = run(sandbox, shift(hours))
    assert_ran(result, sandbox, "2.0")
    sandbox.wait_quiet()
    demo.stop()
    assert_ran(run(sandbox, shift(hours)), sandbox, "2.0")
    assert_ran(run(sandbox), sandbox, "2.0")  # and back


def test_a_breaker_from_the_future_is_not_believed(demo: Index, sandbox: Sandbox) -> None:
    """It was opened before the clock was set back: the index is asked all the same."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, HOUR)
    soon = time.time() + DAY
    text = f"lastgood breaker 1\nhost {demo.host}\nsince {soon}\nuntil {soon + 30}\nwait 30\nreason HTTP 503\n"
    (sandbox.home / "hosts" / demo.host.replace(":", "-")).write_text(text)
    demo.publish(demo_tool("2.0"))
    assert_ran(run(sandbox), sandbox, "2.0")


def clock_shifter(sandbox: Sandbox) -> Callable[[int], dict[str, str | None]]:
    """Return what makes the variables under which a process sees a clock that is some hours ahead; skip where there is no way."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux: another time is made with LD_PRELOAD")
    library = sandbox.root / "clock.so"
    source = Path(__file__).parent / "support" / "clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)  # our own source
    return lambda hours: {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(hours * 3600)}


# --- processes ------------------------------------------------------------------------------------------------------


def test_a_lock_holder_that_is_stopped_costs_a_stale_run_its_patience_at_most(demo: Index, sandbox: Sandbox) -> None:
    """Its refresh neither ends nor dies: the others run the last good and say so."""
    assert sandbox.lastgood(*DEMO, env=QUICK).status == 7
    sandbox.wait_quiet()
    demo.publish(demo_tool("2.0"))
    demo.fault("hang-before-headers", on="page")
    demo.clear_requests()
    assert sandbox.lastgood(*DEMO, env={**QUICK, "LASTGOOD_MODE": "prefer-cache"}).status == 7
    demo.wait_for_requests()
    stopped = stop_all(sandbox)
    for _ in range(2):
        result = run(sandbox, QUICK)
        assert_ran(result, sandbox, "1.0")
        assert "lastgood: warning: running `demo-tool` 1.0" in result.err
    demo.heal()
    go_on(stopped)
    sandbox.wait_quiet()
    assert sandbox.lastgood("run", "--refresh", *DEMO[1:]).out == "demo-tool 2.0\n"


def test_a_lock_holder_that_is_stopped_does_not_stop_a_first_run(demo: Index, sandbox: Sandbox) -> None:
    """Nothing is kept and the refresh of another process stands still: plain uvx, and one line that says so."""
    demo.fault("hang-before-headers", on="page")
    process = sandbox.popen([lastgood_script(), *DEMO], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    demo.wait_for_requests()
    stopped = stop_all(sandbox)
    demo.heal()
    sandbox.clear_starts()
    result = run(sandbox, {"LASTGOOD_PATIENCE": "0.5"})
    assert_ran(result, sandbox, "1.0")
    assert "without a sign of life; running plain `uvx`" in result.err
    go_on(stopped)
    assert process.wait(60) == 7
    sandbox.wait_quiet()


def stop_all(sandbox: Sandbox) -> list[int]:
    """Stop every process of the sandbox, as Ctrl-Z or a suspended container does."""
    pids = [pid for pid, _ in sandbox.processes()]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def go_on(pids: list[int]) -> None:
    """Let stopped processes go on."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("words", [("clean",), ("prune", "--ci"), ("prune",)], ids=" ".join)
def test_the_cache_is_cleaned_while_a_tool_runs(demo: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """Uv does not wait for the tool, the tool does not notice, and afterwards it runs with the index down."""
    process = sandbox.popen([lastgood_script(), *WAIT], stdout=subprocess.PIPE)
    sandbox.wait_for((sandbox.work / "ready").exists, "the tool to be ready")
    assert sandbox.run(["uv", "cache", *words]).status == 0
    assert process.poll() is None
    (sandbox.work / "go").touch()
    assert process.communicate(timeout=20)[0] == b"demo-tool 1.0\n"
    assert process.returncode == 7
    sandbox.wait_quiet()
    demo.stop()
    let_pass(sandbox.home, HOUR)
    for _ in range(2):
        assert_ran(run(sandbox), sandbox, "1.0")


def test_gc_never_removes_what_runs(demo: Index, sandbox: Sandbox) -> None:
    """A tool that runs from a generation that no record names any more keeps it until it ends."""
    process = sandbox.popen([lastgood_script(), *WAIT], stdout=subprocess.PIPE)
    sandbox.wait_for((sandbox.work / "ready").exists, "the tool to be ready")
    (running,) = os.listdir(sandbox.home / "generations")
    for version in ("2.0", "3.0", "4.0"):
        demo.publish(demo_tool(version))
        assert sandbox.lastgood("run", "--refresh", *DEMO[1:]).out == f"demo-tool {version}\n"
    sandbox.wait_for(lambda: len(sandbox.processes()) == 1, "the end of what goes on behind")
    done = upkeep.collect(str(sandbox.home), young=0)
    assert (done.generations, done.running, running in os.listdir(sandbox.home / "generations")) == (0, 1, True)
    (sandbox.work / "go").touch()
    assert process.communicate(timeout=20)[0] == b"demo-tool 1.0\n"
    done = upkeep.collect(str(sandbox.home), young=0)
    assert (done.names, len(os.listdir(sandbox.home / "generations"))) == ([running], 3)
    demo.stop()
    assert_ran(run(sandbox), sandbox, "4.0")


def test_gc_never_removes_what_is_current_previous_or_held(demo: Index, sandbox: Sandbox) -> None:
    """After a rollback the older version is held: it, and what the record names beside it, outlive any number of collections."""
    for version in ("1.0", "2.0"):
        demo.publish(demo_tool(version))
        assert sandbox.lastgood("run", "--refresh", *DEMO[1:]).out == f"demo-tool {version}\n"
    sandbox.wait_quiet()
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    demo.publish(demo_tool("3.0"))
    for _ in range(2):
        upkeep.collect(str(sandbox.home), young=0)
        assert len(os.listdir(sandbox.home / "generations")) == 2
    demo.stop()
    assert_ran(run(sandbox), sandbox, "1.0")


# --- other machinery ------------------------------------------------------------------------------------------------


@pytest.mark.online
def test_another_uv_runs_what_this_one_kept(demo: Index, sandbox: Sandbox, online_sandbox: Sandbox) -> None:
    """A uv that reads none of this one's cache is installed in its place: what is kept runs with the index down."""
    older = online_sandbox.root / "older"
    assert online_sandbox.run(["uv", "pip", "install", "--target", str(older), "uv==0.9.0"], timeout=120).status == 0
    for first, second in ((None, older / "bin"), (older / "bin", None)):
        shutil.rmtree(sandbox.home, ignore_errors=True)
        shutil.rmtree(sandbox.uv_cache, ignore_errors=True)
        assert sandbox.lastgood(*DEMO, env=with_uv(sandbox, first)).status == 7
        sandbox.wait_quiet()
        let_pass(sandbox.home, HOUR)
        demo.stop()
        assert_ran(run(sandbox, with_uv(sandbox, second)), sandbox, "1.0")
        sandbox.wait_quiet()
        demo.start_again()
        assert sandbox.lastgood("run", "--refresh", *DEMO[1:], env=with_uv(sandbox, second)).status == 7
        sandbox.wait_quiet()


def with_uv(sandbox: Sandbox, directory: Path | None) -> dict[str, str | None]:
    """Return the variables under which the uv of a directory comes first."""
    path = sandbox.env["PATH"]
    return {"PATH": f"{directory}:{path}" if directory else path, "UV_TEST_NO_HTTP_RETRY_DELAY": "1"}


def test_a_cache_that_another_uv_made_unreadable_costs_nothing(demo: Index, sandbox: Sandbox) -> None:
    """An upgrade of uv starts with an empty cache, as far as it can see: what is kept runs with the index down."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    shutil.rmtree(sandbox.uv_cache)
    let_pass(sandbox.home, HOUR)
    demo.stop()
    assert sandbox.uvx("demo-tool", "--offline").status != 7
    assert_ran(run(sandbox), sandbox, "1.0")


class Interpreter:
    """A Python of the test's own, which can go away: the machine's, copied so far that it has another place."""

    def __init__(self, sandbox: Sandbox, name: str, original: Path) -> None:
        """Copy the program; its library stays where it is, behind a link."""
        self.root = sandbox.root / name
        script = "import os, sys, sysconfig; print(os.path.realpath(sys.executable), sysconfig.get_path('stdlib'))"
        program, library = sandbox.run([str(original), "-I", "-c", script]).out.split()
        self.program = self.root / "bin" / Path(program).name
        self.program.parent.mkdir(parents=True)
        shutil.copy(program, self.program)
        (self.program.parent / "python3").symlink_to(self.program.name)
        (self.root / "lib").mkdir()
        for entry in Path(library).parent.glob("libpython*"):
            (self.root / "lib" / entry.name).symlink_to(entry)
        (self.root / "lib" / Path(library).name).symlink_to(library)
        found = sandbox.run([str(self.program), "-I", "-c", "import sys; print(sys.prefix)"])
        if found.out.strip() != str(self.root):
            pytest.skip("the interpreter of this machine does not run from another place")

    def go(self) -> None:
        """Be gone."""
        shutil.rmtree(self.root)


@pytest.fixture
def leaving(sandbox: Sandbox) -> Interpreter:
    """Put an interpreter that can go away first on the PATH, and ask for its version only, as a person would."""
    made = Interpreter(sandbox, "leaving", system_python())
    sandbox.env["PATH"] = f"{made.program.parent}:{sandbox.env['PATH']}"
    sandbox.env["UV_PYTHON"] = made.program.name.removeprefix("python") or "3"
    return made


@pytest.mark.parametrize("age", [0.0, HOUR], ids=["fresh", "stale"])
def test_the_interpreter_is_gone_and_the_tool_is_built_again(
    demo: Index, sandbox: Sandbox, leaving: Interpreter, age: float
) -> None:
    """The Python of the kept environment was removed: one line says so, and the environment is made with the one that is left."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, age)
    leaving.go()
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    assert f"the interpreter of the kept environment is gone ({leaving.program}); building it again" in result.err
    sandbox.wait_quiet()
    demo.stop()
    after = run(sandbox)
    assert_ran(after, sandbox, "1.0")
    assert "interpreter" not in after.err


def test_the_interpreter_is_gone_and_the_index_is_down(demo: Index, sandbox: Sandbox, leaving: Interpreter) -> None:
    """What is kept cannot run, but uv has the release in its cache: the tool runs, with the Python that is left."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    let_pass(sandbox.home, HOUR)
    leaving.go()
    demo.stop()
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    assert "is gone" in result.err


def test_another_interpreter_in_the_same_place_is_noticed(demo: Index, sandbox: Sandbox, leaving: Interpreter) -> None:
    """An upgrade put another file under the same name: the environment is built again before it runs."""
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    os.utime(leaving.program, (1, 1))
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    assert "the interpreter of the kept environment has changed" in result.err
    sandbox.wait_quiet()
    assert run(sandbox).err == ""
    demo.stop()


def test_the_interpreter_that_path_led_to_is_gone(demo: Index, sandbox: Sandbox, leaving: Interpreter) -> None:
    """Nobody asked for a version, so it is another request now, which has no record: index up or down, the tool runs."""
    del sandbox.env["UV_PYTHON"]
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    leaving.go()
    demo.stop()
    result = run(sandbox)
    assert_ran(result, sandbox, "1.0")
    sandbox.wait_quiet()
    demo.start_again()
    assert sandbox.lastgood("run", "--refresh", *DEMO[1:]).status == 7


def test_a_record_of_another_interpreter_stands_in(demo: Index, sandbox: Sandbox) -> None:
    """The index is down and what is kept was made with another Python: it runs, and the line says so."""
    other = another_python()
    if other is None:
        pytest.skip("there is one interpreter on this machine")
    path = sandbox.env["PATH"]
    first = Interpreter(sandbox, "first", other)
    sandbox.env["PATH"] = f"{first.program.parent}:{path}"
    assert sandbox.lastgood(*DEMO).status == 7
    sandbox.wait_quiet()
    demo.stop()
    result = run(sandbox, {"PATH": path})
    assert_ran(result, sandbox, "1.0")
    assert "kept with Python " in result.err


def another_file_system(than: Path) -> Iterator[Path]:
    """Find a directory on another file system."""
    for candidate in (Path("/dev/shm"), Path(os.environ.get("XDG_RUNTIME_DIR") or "/run"), Path.home(), Path("/var/tmp")):  # noqa: S108
        if candidate.is_dir() and os.access(candidate, os.W_OK) and candidate.stat().st_dev != than.stat().st_dev:
            yield candidate


def test_a_home_on_another_file_system_than_the_cache(demo: Index, sandbox: Sandbox) -> None:
    """Links are impossible between them: the environment is copied, and survives the cache."""
    place = next(another_file_system(sandbox.root), None)
    if place is None:
        pytest.skip("this machine has one file system")
    with tempfile.TemporaryDirectory(dir=place) as directory:
        home = Path(directory, "home")
        sandbox.env["LASTGOOD_HOME"] = str(home)
        assert_survives_the_cache(demo, sandbox, home)


def test_an_environment_of_symbolic_links_is_copied(demo: Index, sandbox: Sandbox) -> None:
    """With UV_LINK_MODE=symlink every file of uv's environment is a link into its cache: what is kept holds the files."""
    sandbox.env["UV_LINK_MODE"] = "symlink"
    assert_survives_the_cache(demo, sandbox, sandbox.home, copied=False)


@needs_permissions
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to someone else")
def test_a_cache_of_another_user(demo: Index, sandbox: Sandbox) -> None:
    """The kernel refuses links to files that are someone else's: they are copied."""
    assert sandbox.uvx("demo-tool").status == 0
    for path in [sandbox.uv_cache, *sandbox.uv_cache.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o444))
        if path.is_file() and "archive-v0" not in path.parts:
            path.chmod(0o666)
    assert_survives_the_cache(demo, sandbox, sandbox.home)


def assert_survives_the_cache(index: Index, sandbox: Sandbox, home: Path, *, copied: bool = True) -> None:
    """What is kept consists of files, copies if that was the only way, and runs without uv's cache and without the index."""
    assert_ran(run(sandbox), sandbox, "1.0")
    sandbox.wait_quiet()
    (kept,) = (home / "generations").iterdir()
    files = [path for path in kept.rglob("*") if not path.is_dir()]
    links = {path.name for path in files if path.is_symlink()}
    assert all(name.startswith("python") for name in links), links
    assert not copied or {path.stat().st_nlink for path in files if not path.is_symlink()} == {1}
    shutil.rmtree(sandbox.uv_cache)
    let_pass(home, HOUR)
    index.stop()
    for _ in range(2):
        assert_ran(run(sandbox), sandbox, "1.0")
    sandbox.wait_quiet()


@needs_mounts
def test_a_full_disk_and_a_silent_index(demo: Index, sandbox: Sandbox) -> None:
    """Nothing can be written down and nobody answers: the last good runs after the patience, and says why."""
    sandbox.home.mkdir(mode=0o700)
    command = [lastgood_script(), *DEMO]
    with Mounts(sandbox, f"mount -t tmpfs -o size=2m,mode=0700 none '{sandbox.home}'") as there:
        assert sandbox.run(there.enter(command), env=QUICK).status == 7
        wait_for_mounts_only(sandbox)
        sandbox.run(there.enter(["sh", "-c", f"cat /dev/zero > '{sandbox.home}/ballast'"]))
        demo.fault("hang-before-headers")
        sandbox.clear_starts()
        result = sandbox.run(there.enter(command), env=QUICK)
        assert_ran(result, sandbox, "1.0")
        assert "no answer from" in result.err
        demo.heal()
        wait_for_mounts_only(sandbox)
