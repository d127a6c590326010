"""`lastgood doctor`: what can be wrong is made wrong in a real home, found, told with a next step, and mended where that is safe.

What is looked at is what a person would see: the words on the terminal, or `--json` and the exit status.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lastgood import card as cards
from lastgood import doctor, probe, surroundings
from lastgood import record as records
from lastgood.patient import Patient
from tests.support.interpreters import uv_binary
from tests.support.kept import all_records, expect_version, keep, only_record, others_words, own_lines, trip
from tests.support.privileges import NO_MOUNTS, NO_PERMISSIONS, Mounts, as_ordinary_user, mounts_allowed, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

NAMES = (
    "uv home disk hard-links records environments contents cards leftovers settings index hosts installed launcher hooks"
).replace("hard-links", "hard links")
needs_mounts = pytest.mark.skipif(not mounts_allowed(), reason=NO_MOUNTS)
needs_permissions = pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to, and who wants none to be asked: uv's own default is not on loopback."""
    sandbox = sandbox_factory()
    sandbox.env["UV_OFFLINE"] = "1"
    return sandbox


class Examined:
    """What `doctor --json` found."""

    def __init__(self, result: Result) -> None:
        """Read it; anything else on either stream is a failure."""
        assert result.err == "", result
        data = json.loads(result.out)
        assert data["schema"] == 1
        self.status = result.status
        self.findings: list[dict[str, Any]] = data["findings"]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the findings of one check."""
        return [finding for finding in self.findings if finding["check"] == name]

    def only(self, name: str) -> dict[str, Any]:
        """Return the finding of a check that has one."""
        (found,) = self.of(name)
        return found

    def only_bad(self, name: str) -> dict[str, Any]:
        """Return the finding of a check that is not well where one is."""
        (found,) = [finding for finding in self.of(name) if finding["verdict"] != "ok"]
        return found

    def bad(self) -> list[tuple[str, str]]:
        """Return (check, verdict) of all that is not well."""
        return [(finding["check"], finding["verdict"]) for finding in self.findings if finding["verdict"] != "ok"]

    def left(self) -> list[str]:
        """Return the checks of the problems that are not mended; the exit status has to say the same."""
        found = [finding["check"] for finding in self.findings if finding["verdict"] == "problem" and not finding["mended"]]
        assert self.status == (1 if found else 0)
        return found


def examine(
    sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None, argv: Sequence[str] | None = None
) -> Examined:
    """Run `lastgood doctor --json WORDS…`."""
    return Examined(sandbox.run(argv or [lastgood_script(), "doctor", "--json", *words], env=env))


def kept_root(sandbox: Sandbox) -> Path:
    """Return the directory of the one kept environment."""
    return sandbox.home / "generations" / only_record(sandbox).current


def replace(path: Path, content: bytes) -> None:
    """Put another file in the place of one, so that what it was linked to stays as it is."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


# --- nothing is wrong -----------------------------------------------------------------------------------------------


def test_an_empty_home_is_well(alone: Sandbox) -> None:
    """Where nothing is kept yet nothing is wrong, the next step is named, and looking makes nothing."""
    found = examine(alone)
    assert (found.left(), found.bad()) == ([], [])
    assert found.only("records")["words"] == "nothing is kept yet"
    assert found.only("records")["step"] == "`lastgood warm TOOL` keeps one"
    assert not alone.home.exists()


def test_a_home_in_use_is_well(demo: Index, sandbox: Sandbox) -> None:
    """Every check looks at what is kept and finds it well; uv's cache and the store are as they were."""
    keep(sandbox)
    before = sorted(path for path in sandbox.root.rglob("*") if "__pycache__" not in path.parts)
    found = examine(sandbox, "--deep")
    assert (found.left(), found.bad()) == ([], [])
    words = {finding["check"]: finding["words"] for finding in found.findings}
    assert words["records"] == "1 tool kept"
    assert words["environments"] == "1 environment with interpreter and programs in place"
    assert words["cards"] == "1 launch card in use, as the records say"
    assert re.fullmatch(r"\d+ files compared with what was installed", words["contents"])
    assert words["hard links"] == f"possible from uv's cache `{sandbox.uv_cache}` to the store"
    assert words["index"].startswith(f"`{demo.url}` (`UV_DEFAULT_INDEX`): a JSON index, HTTP/1.1 in ")
    assert sorted(path for path in sandbox.root.rglob("*") if "__pycache__" not in path.parts) == before


def test_requests_are_counted_as_what_they_are(demo: Index, sandbox: Sandbox) -> None:
    """A tool that is kept for two requests is one tool."""
    demo.publish(demo_tool("1.0", name="other-tool"))
    assert sandbox.lastgood("warm", "demo-tool", "demo-tool>=1", "other-tool").status == 0
    assert examine(sandbox).only("records")["words"] == "3 requests of 2 tools kept"


def test_told_on_a_terminal_and_elsewhere(demo: Index, sandbox: Sandbox) -> None:
    """On 80 columns nothing is wider; colours are the terminal's only, and NO_COLOR takes them; a pipe gets one line a finding."""
    del demo
    keep(sandbox)
    screen = sandbox.pty([lastgood_script(), "doctor"], size=(40, 80))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen.out)
    assert (screen.status, max(map(len, plain.split("\r\n"))) <= 80, "\x1b[" in screen.out) == (0, True, True)
    assert "\x1b[3" not in sandbox.pty([lastgood_script(), "doctor"], env={"NO_COLOR": "1"}).out
    piped = sandbox.lastgood("doctor")
    assert (piped.status, "\x1b" in piped.out, piped.err) == (0, False, "")
    assert [line[9:23].strip() for line in piped.out.splitlines()[:4]] == ["uv", "home", "disk", "hard links"]
    assert piped.out.endswith("\n\nnothing is wrong\n")


# --- uv -------------------------------------------------------------------------------------------------------------


def test_which_uv(alone: Sandbox) -> None:
    """The uv that is used is named, with where it was found."""
    number = alone.run(["uv", "--version"]).out.split()[1]
    on_path = examine(alone).only("uv")["words"]
    assert on_path == f"{number} at `{alone.bin / 'uv'}` (on PATH)"
    named = examine(alone, env={"LASTGOOD_UV": str(uv_binary())}).only("uv")["words"]
    assert named == f"{number} at `{uv_binary()}` (named by `LASTGOOD_UV`)"
    (alone.bin / "uv").unlink()
    (alone.bin / "uvx").unlink()
    bundled = examine(alone).only("uv")["words"]
    assert re.fullmatch(rf"{number} at `.*` \(bundled: in the environment of lastgood\)", bundled)


def test_no_uv_and_a_uv_that_does_not_run(alone: Sandbox) -> None:
    """A uv that is not there, and one that is there and does not work, are problems; everything else is still looked at."""
    missing = examine(alone, env={"LASTGOOD_UV": "/nowhere/uv"})
    assert (missing.left(), missing.only("uv")["words"]) == (["uv"], "`LASTGOOD_UV` is `/nowhere/uv`, which is no program")
    assert missing.only("home")["verdict"] == "ok"
    broken = alone.bin / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    found = examine(alone, env={"LASTGOOD_UV": str(broken)})
    assert (found.left(), found.only("uv")["words"]) == (["uv"], f"`{broken}` (LASTGOOD_UV) does not run")


@pytest.mark.parametrize("line", ["mytool 1.2.3", "true (GNU coreutils) 9.1", "--version", "Python 3.11.2"])
def test_a_uv_that_is_another_program(sandbox: Sandbox, demo: Index, line: str) -> None:
    """What answers to `--version` as something else does is a problem, in the words of a run, and is asked nothing more."""
    asked = sandbox.root / "asked"
    other = sandbox.bin / "other"
    other.write_text(f"#!/bin/sh\necho \"$*\" >>'{asked}'\necho '{line}'\n", "utf-8")
    other.chmod(0o755)
    found = examine(sandbox, env={"LASTGOOD_UV": str(other), "UV_DEFAULT_INDEX": None})
    told = found.only("uv")
    assert (found.left(), told["words"]) == (["uv"], f"`{other}` (LASTGOOD_UV) is no uv: it says `{line}` of its version")
    assert told["step"] == "set it to the path of uv, or unset it"
    assert (found.of("hard links"), set(asked.read_text("utf-8").splitlines())) == ([], {"--version"})
    assert demo.requests() == []
    (sandbox.bin / "uv").unlink()
    (sandbox.bin / "uv").symlink_to(other)
    on_path = examine(sandbox).only("uv")
    assert on_path["words"] == f"`{sandbox.bin / 'uv'}` (PATH) is no uv: it says `{line}` of its version"
    assert on_path["step"] == "install uv, or set `LASTGOOD_UV` to its path"


def test_an_old_uv(alone: Sandbox) -> None:
    """A uv older than lastgood is made for is a warning; how old that is comes from the package's own metadata."""
    old = alone.bin / "old"
    old.write_text("#!/bin/sh\necho uv 0.1.2\n")
    old.chmod(0o755)
    found = examine(alone, env={"LASTGOOD_UV": str(old)}).only("uv")
    assert (found["verdict"], " is older than 0.9, " in found["words"]) == ("warning", True)


# --- home, disk, links ----------------------------------------------------------------------------------------------


def test_a_home_that_may_not_be_trusted(alone: Sandbox) -> None:
    """A home that others may write to, or that is a file, is a problem that doctor leaves to its owner."""
    alone.home.mkdir(mode=0o777)
    alone.home.chmod(0o777)
    open_home = examine(alone, "--fix")
    assert (open_home.left(), open_home.only("home")["step"]) == (["home"], f"chmod go-w {alone.home}")
    alone.home.rmdir()
    alone.home.touch()
    assert examine(alone).only("home")["step"] == "set `LASTGOOD_HOME` to a directory"
    assert [examine(alone).of(name) for name in ("records", "cards")] == [[], []]  # nothing is known of what is kept


@needs_permissions
def test_a_home_that_cannot_be_written(demo: Index, sandbox: Sandbox) -> None:
    """A part of the home that is read-only is named with the command that helps."""
    del demo
    keep(sandbox)
    (sandbox.home / "records").chmod(0o500)
    found = examine(sandbox, argv=as_ordinary_user([lastgood_script(), "doctor", "--json"]))
    (sandbox.home / "records").chmod(0o700)
    assert found.left() == ["home"]
    assert found.only("home")["words"] == f"`{sandbox.home}/records` is not writable: what is kept runs, nothing new is kept"


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
//server/share /mnt/my\\040files cifs rw 0 0
tmpfs /home/local tmpfs rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/data", "nfs4"),
        ("/homes/me", "ext4"),
        ("/home/local/x", "xfs"),
        ("/mnt/my files/x", "cifs"),
        ("/proc", "proc"),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    """The longest mount point above a path tells, of two at one place the later; a name alone is no mount point."""
    assert doctor.file_system(path, MOUNTS) == kind


def test_the_file_system_without_a_table() -> None:
    """Where nothing tells, nothing is said."""
    assert doctor.file_system("/home", "") == ""


@needs_mounts
def test_a_small_disk_of_its_own(demo: Index, sandbox: Sandbox) -> None:
    """A home on a disk that is nearly full is a problem; that links from uv's cache cannot lead there costs space, and is told."""
    del demo
    sandbox.home.mkdir(mode=0o700)
    with Mounts(sandbox, f"mount -t tmpfs -o size=8m,mode=700 none {sandbox.home}") as there:
        assert sandbox.run(there.enter([lastgood_script(), "run", "demo-tool", "--version"])).status == 0
        found = examine(sandbox, argv=there.enter([lastgood_script(), "doctor", "--json"]))
        assert (found.left(), found.bad()) == (["disk"], [("disk", "problem"), ("hard links", "warning")])
        assert re.fullmatch(r".* left on a local disk \(`tmpfs`\): nothing new can be kept", found.only("disk")["words"])
        assert "(invalid cross-device link): kept environments are copies" in found.only("hard links")["words"]


# --- records and cards ----------------------------------------------------------------------------------------------


def test_a_damaged_record_is_rebuilt(demo: Index, sandbox: Sandbox) -> None:
    """A damaged record is set aside and rebuilt from what is kept, without asking anybody; afterwards nothing is wrong."""
    keep(sandbox)
    record = only_record(sandbox)
    path = Path(records.file_of(str(sandbox.home), record.id))
    path.write_text(path.read_text()[:100])
    assert examine(sandbox).left() == ["records"]
    demo.clear_requests()
    found = examine(sandbox, "--fix", env={"UV_OFFLINE": "1"})
    assert found.left() == []
    assert re.fullmatch(
        rf"set aside as `{record.id}.json.bad-\d+T\d+` and rebuilt: `demo-tool` 1.0", found.of("records")[0]["mended"]
    )
    assert (only_record(sandbox).current, demo.requests()) == (record.current, [])
    assert examine(sandbox).bad() == []
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"is": "lastgood record", ', "no JSON from line 1, column 27 on"),
        ('{"is": "lastgood record"}', "it has no `format`"),
        ('{"is": "lastgood record", "format": []}', "a field of it is not what it should be"),
        ("[]", "a field of it is not what it should be"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"is": "something else"}', "not a record"),
    ],
)
def test_why_a_record_is_damaged(alone: Sandbox, text: str, reason: str) -> None:
    """It is told in words."""
    (alone.home / "records").mkdir(parents=True, mode=0o700)
    (alone.home / "records" / "tool-000000000000-000000.json").write_text(text)
    assert examine(alone).of("records")[0]["words"] == f"`tool-000000000000-000000` is damaged ({reason})"


def test_a_directory_in_the_place_of_a_record(alone: Sandbox) -> None:
    """No permission would help: it has to be moved away."""
    path = alone.home / "records" / "tool-000000000000-000000.json"
    path.mkdir(parents=True, mode=0o700)
    found = examine(alone).of("records")[0]
    assert found["words"] == "`tool-000000000000-000000` cannot be read (is a directory)"
    assert found["step"] == f"move `{path}` elsewhere; the next run makes the record anew"


def test_a_record_that_is_gone_is_rebuilt(demo: Index, sandbox: Sandbox) -> None:
    """What generations say of a record that is gone is enough to make it again; `status` knows the tool again."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    Path(records.file_of(str(sandbox.home), record.id)).unlink()
    assert sandbox.lastgood("status").out.startswith("nothing is kept yet")
    found = examine(sandbox, "--fix")
    assert (found.bad(), found.of("records")[0]["mended"]) == ([("records", "warning")], "rebuilt: `demo-tool` 1.0")
    assert (only_record(sandbox).current, examine(sandbox).bad()) == (record.current, [])


def test_commands_know_what_a_damaged_record_keeps(demo: Index, sandbox: Sandbox) -> None:
    """A damaged record hides nothing from people: what it would be rebuilt as is listed, held and gone back to."""
    demo.publish(demo_tool("2.0"))
    for version in ("1.0", "2.0"):
        keep(sandbox, f"demo-tool@{version}", version=version)
    keep(sandbox, version="2.0")
    for path in (sandbox.home / "records").glob("*.json"):
        path.write_text('{"is": "lastgood record", "format": 1')
    assert sandbox.lastgood("status").out.count("demo-tool") == 3
    assert own_lines(sandbox.lastgood("hold", "demo-tool"))[0].startswith("`demo-tool` 2.0 is held")
    assert sandbox.lastgood("history", "demo-tool").status == 0


def test_very_many_of_one_kind(alone: Sandbox) -> None:
    """Of one check no more than ten findings fill the screen, the rest is counted right there; `--json` has all."""
    (alone.home / "records").mkdir(parents=True, mode=0o700)
    for number in range(30):
        (alone.home / "records" / f"tool{number}-{number:012x}-000000.json").write_text("{")
    lines = [line for line in alone.lastgood("doctor").out.splitlines() if line.startswith("problem")]
    assert (len(lines), lines[-1].split(maxsplit=2)[2]) == (11, "and 20 more; `lastgood doctor --json` has them all")
    assert len(examine(alone).of("records")) == 30


def test_a_record_of_a_newer_lastgood_is_left_alone(demo: Index, sandbox: Sandbox) -> None:
    """What a newer lastgood wrote is told and not touched, not even by `--fix`."""
    del demo
    keep(sandbox)
    path = Path(records.file_of(str(sandbox.home), only_record(sandbox).id))
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    before = path.read_bytes()
    found = examine(sandbox, "--fix")
    assert (found.left(), found.of("records")[0]["verdict"], path.read_bytes()) == ([], "warning", before)
    assert "(format 99, this one reads 1)" in found.of("records")[0]["words"]


def test_a_record_from_the_future(demo: Index, sandbox: Sandbox) -> None:
    """A clock that was set back is told."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    record.asked = time.time() + 7200
    records.save(str(sandbox.home), record)
    assert re.match(r"`demo-tool` was last checked [12]h from now", examine(sandbox).of("records")[0]["words"])


def test_a_card_that_disagrees_with_its_record(demo: Index, sandbox: Sandbox) -> None:
    """A card that a run would believe but that says something else than the record is a problem; `--fix` derives it anew."""
    del demo
    keep(sandbox)
    (path,) = (sandbox.home / "cards").iterdir()
    right = path.read_text("utf-8", "surrogateescape")
    told = []
    for field, value in (("version", "9.9"), ("generation", "demo-tool-9.9-00000000"), ("asked", 1.0)):
        card = cards.read(right)
        setattr(card, field, value)
        path.write_text(cards.write(card), "utf-8", "surrogateescape")
        found = examine(sandbox, "--fix", env={"UV_OFFLINE": "1"}).only("cards")
        assert (found["verdict"], found["mended"]) == ("problem", "wrote it anew: `demo-tool` 1.0")
        assert path.read_text("utf-8", "surrogateescape") == right
        told.append(found["words"].removeprefix("the launch card of `demo-tool` disagrees with its record about the "))
    assert told == ["version", "environment", "time of the last check"]


def test_a_damaged_card(demo: Index, sandbox: Sandbox) -> None:
    """A damaged card is no problem, since the next run writes it anew; `--fix` removes it."""
    del demo
    keep(sandbox)
    (path,) = (sandbox.home / "cards").iterdir()
    path.write_bytes(b"\xff\x00garbage")
    assert examine(sandbox, "--fix").bad() == [("cards", "warning")]
    assert not path.exists()


# --- kept environments ----------------------------------------------------------------------------------------------


def lose_it(root: Path) -> str:
    """Remove the whole environment."""
    shutil.rmtree(root)
    return "the kept environment is gone"


def lose_interpreter(root: Path) -> str:
    """Let bin/python lead nowhere, as after an upgrade of the system."""
    (root / "bin" / "python").unlink()
    (root / "bin" / "python").symlink_to("/nowhere/python3")
    return "the interpreter of the kept environment is gone (/nowhere/python3)"


def change_interpreter(root: Path) -> str:
    """Let bin/python lead to another file."""
    target = root.parent.parent.parent / "python-copy"
    shutil.copy2(os.path.realpath(root / "bin" / "python"), target)
    os.utime(target, (1, 1))
    (root / "bin" / "python").unlink()
    (root / "bin" / "python").symlink_to(target)
    return f"the interpreter of the kept environment has changed ({target})"


def cut_program(root: Path) -> str:
    """Cut the program."""
    replace(root / "bin" / "demo-tool", b"#!/bin/sh\n")
    return "the kept program is not what it was"


def test_a_kept_environment_that_cannot_run(demo: Index, sandbox: Sandbox) -> None:
    """What is kept and could not start is a problem; `--fix` builds it again, by itself, so that afterwards it runs."""
    del demo
    keep(sandbox)
    for damage in (lose_it, lose_interpreter, change_interpreter, cut_program):
        words = f"what is kept of `demo-tool` 1.0 cannot run: {damage(kept_root(sandbox))}"
        found = examine(sandbox, "--fix")
        told = found.of("environments")[0]
        assert (found.left(), told["verdict"], told["words"], told["mended"]) == (
            [],
            "problem",
            words,
            "built `demo-tool` 1.0 again",
        )
        expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "1.0")
    assert examine(sandbox, "--deep").left() == []


def test_files_that_are_not_what_was_installed(demo: Index, sandbox: Sandbox) -> None:
    """`--deep` finds a file that was changed in place, which changes uv's cache as well; `--fix` takes fresh downloads."""
    keep(sandbox)
    (program,) = kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/program.py")
    with program.open("ab") as file:
        file.write(b"\n# something else\n")
    assert examine(sandbox).bad() == []
    found = examine(sandbox, "--deep")
    words = "`demo-tool` 1.0: 1 file not as installed (`demo_tool/program.py`)"
    assert (found.left(), found.of("contents")[0]["words"]) == (["contents"], words)
    demo.clear_requests()
    assert examine(sandbox, "--deep", "--fix").of("contents")[0]["mended"] == "built `demo-tool` 1.0 again"
    assert len(demo.requests("file")) == 1
    assert examine(sandbox, "--deep").bad() == []
    assert not list((sandbox.home / "generations").glob(".*"))
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


def test_mending_while_the_index_is_down_loses_nothing(demo: Index, sandbox: Sandbox) -> None:
    """What cannot be built again stays as it is, runs as it did, and doctor says why it was not mended."""
    keep(sandbox)
    (program,) = kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/program.py")
    replace(program, program.read_bytes() + b"\n# something else\n")
    demo.stop()
    found = examine(sandbox, "--deep", "--fix")
    demo.start_again()
    assert sorted(found.left()) == ["contents", "index"]
    assert found.of("contents")[0]["refused"] == "it could not be built again (connection refused)"
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "1.0")
    assert examine(sandbox, "--deep", "--fix").left() == []


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_mended_is_never_what_was_refused(demo: Index, sandbox: Sandbox, *, deep: bool) -> None:
    """The newest release does not start: what was kept is built again in its own version, and stays what runs."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="import"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    if deep:
        (program,) = kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/program.py")
        replace(program, program.read_bytes() + b"\n# something else\n")
    else:
        lose_interpreter(kept_root(sandbox))
    found = examine(sandbox, "--fix", *(["--deep"] if deep else []))
    told = found.of("contents" if deep else "environments")[0]
    assert (found.left(), told["mended"]) == ([], "built `demo-tool` 1.0 again")
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "1.0")
    assert examine(sandbox, "--deep").left() == []


def test_what_is_mended_is_never_what_was_sent_back(demo: Index, sandbox: Sandbox) -> None:
    """After a rollback the version that it led to is built again, and the one that was sent back stays away."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    lose_interpreter(kept_root(sandbox))
    found = examine(sandbox, "--fix")
    assert (found.left(), found.of("environments")[0]["mended"]) == ([], "built `demo-tool` 1.0 again")
    for words in ((), ("--refresh",)):
        assert sandbox.lastgood("run", *words, "demo-tool", "--version").out == "demo-tool 1.0\n"


def test_what_cannot_be_built_again_is_not_given_up(demo: Index, sandbox: Sandbox) -> None:
    """The index has lost the version that is kept and refused another: all is as it was, and doctor says why."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="import"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    (program,) = kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/program.py")
    replace(program, program.read_bytes() + b"\n# something else\n")
    demo.unpublish("demo-tool", "1.0")
    before = only_record(sandbox)
    found = examine(sandbox, "--deep", "--fix")
    assert (found.left(), found.of("contents")[0]["refused"]) == (
        ["contents"],
        "it could not be built again (no release fits the request)",
    )
    assert found.of("contents")[0]["step"] == "`lastgood warm demo-tool` shows all that uv says"
    after = only_record(sandbox)
    assert [(one.id, one.digest) for one in after.generations] == [(one.id, one.digest) for one in before.generations]
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "1.0")


@pytest.mark.parametrize("deep", [False, True])
def test_why_uv_could_not_build_it_again_and_what_to_do_then(demo: Index, sandbox: Sandbox, *, deep: bool) -> None:
    """The line has uv's own error, and the step is not what has just failed."""
    del demo
    keep(sandbox)
    python = sandbox.root / "named" / "python"
    python.parent.mkdir()
    python.symlink_to(os.path.realpath(kept_root(sandbox) / "bin" / "python"))
    named = {"UV_PYTHON": str(python)}
    for words in (("demo-tool==1.0",), ("--with", "demo-tool", "demo-tool==1.0")):
        assert sandbox.lastgood("run", *words, "--version", env=named).status == 0
    sandbox.wait_quiet()
    python.unlink()
    check = ("--deep",) if deep else ()
    for record in all_records(sandbox):
        root = sandbox.home / "generations" / record.current
        if record.request["specifier"]:
            (program,) = root.glob("lib/python*/site-packages/demo_tool/program.py")
            replace(program, program.read_bytes() + b"\n# something else\n") if deep else lose_interpreter(root)
    found = [one for one in examine(sandbox, "--fix", *check, env=named).findings if one["refused"]]
    why = f"it could not be built again (uv refused the request: No interpreter found at path `{python}`)"
    assert [one["refused"] for one in found] == [why, why]
    everything = "shows all that uv says"
    steps = {f"`lastgood warm demo-tool==1.0` {everything}", f"`lastgood warm --with=demo-tool demo-tool==1.0` {everything}"}
    assert {one["step"] for one in found} == steps
    told = " ".join(sandbox.lastgood("doctor", "--fix", *check, env=named).out.split())
    assert all(f"not mended: {why} → {step}" in told for step in steps), told
    for step in steps:
        command = step.split("`")[1]
        warmed = sandbox.lastgood(*command.split()[1:], env=named)
        assert f"error: No interpreter found at path `{python}`" in others_words(warmed), warmed


@pytest.mark.parametrize("deep", [False, True])
def test_what_an_outage_keeps_from_being_mended_waits_for_its_end(demo: Index, sandbox: Sandbox, *, deep: bool) -> None:
    """The reason is that of the outage, and the step says when the same is worth another try."""
    keep(sandbox)
    (program,) = kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/program.py")
    replace(program, program.read_bytes() + b"\n# something else\n") if deep else lose_interpreter(kept_root(sandbox))
    shutil.rmtree(sandbox.uv_cache)
    demo.stop()
    check = ("--deep",) if deep else ()
    (found,) = [one for one in examine(sandbox, "--fix", *check).findings if one["refused"]]
    assert found["refused"] == "it could not be built again (connection refused)"
    assert found["step"] == f"`lastgood doctor {'--deep ' if deep else ''}--fix` once the index answers"


def test_mending_costs_no_older_generation(demo: Index, sandbox: Sandbox) -> None:
    """What cannot run is not counted among those that are kept: the oldest of three stays."""
    keep(sandbox)
    for version in ("2.0", "3.0"):
        demo.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    lose_interpreter(kept_root(sandbox))
    assert examine(sandbox, "--fix").left() == []
    assert [one.version for one in only_record(sandbox).generations] == ["3.0", "2.0", "1.0"]


def test_what_was_asked_for_is_asked_for_again(sandbox: Sandbox, demo: Index) -> None:
    """Options, extras and a command of another name than its package are asked for again as they were."""
    demo.publish(demo_dep("1.0"))
    demo.publish(demo_tool("1.5", name="other-tool", command="other", extras={"more": ("demo-dep",)}))
    words = ("--from", "other-tool[more]>=1", "--with", "demo-tool", "other")
    expect_version_of = sandbox.lastgood("run", *words, "--version")
    assert (expect_version_of.status, expect_version_of.out) == (0, "other-tool 1.5\n")
    sandbox.wait_quiet()
    before = only_record(sandbox)
    lose_it(kept_root(sandbox))
    assert examine(sandbox, "--fix").left() == []
    after = only_record(sandbox)
    assert (after.id, after.current != before.current) == (before.id, True)
    assert after.generations[0].dists == before.generations[0].dists
    assert sandbox.lastgood("run", "--offline", *words, "--version").out == "other-tool 1.5\n"


def test_what_is_held_is_not_replaced(demo: Index, sandbox: Sandbox) -> None:
    """A hold is the user's word: doctor says that it is in the way."""
    del demo
    keep(sandbox)
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    cut_program(kept_root(sandbox))
    found = examine(sandbox, "--fix")
    told = found.of("environments")[0]
    assert (found.left(), told["refused"]) == (["environments"], "`demo-tool` is held")
    assert told["step"].startswith("after `lastgood unhold demo-tool`, `lastgood doctor --fix`")
    words = " ".join(sandbox.lastgood("doctor", "--fix").out.split())
    assert f"not mended: {told['refused']} → {told['step']}" in words


def test_the_record_that_ails_is_named(demo: Index, sandbox: Sandbox) -> None:
    """Of two requests for one tool the one that ails is told from the other, and what is advised acts on that one, held or not."""
    keep(sandbox, "demo-tool==1.0")
    keep(sandbox)
    for held in ((), ("hold", "unhold")):
        for words in held[:1]:
            assert sandbox.lastgood(words, "demo-tool==1.0").status == 0
        (ails,) = [one for one in all_records(sandbox) if one.request["specifier"]]
        cut_program(sandbox.home / "generations" / ails.current)
        told = examine(sandbox).only_bad("environments")
        assert told["words"].startswith("what is kept of `demo-tool ==1.0` 1.0 cannot run: ")
        unheld = "`lastgood doctor --fix`, or `lastgood warm demo-tool==1.0`, builds it again"
        first = "after `lastgood unhold demo-tool==1.0`, `lastgood doctor --fix` builds it again"
        assert told["step"] == (f"{first}; `lastgood warm demo-tool==1.0` does so while it is held" if held else unheld)
        assert sandbox.lastgood("warm", "demo-tool==1.0").status == 0
        assert examine(sandbox).bad() == []
        assert [one.held for one in all_records(sandbox) if one.request["specifier"]] == [bool(held)]
    assert demo.requests("page")


def test_a_record_that_no_words_name_is_not_warmed_by_name(demo: Index, sandbox: Sandbox) -> None:
    """What was asked for with options is another request than its tool's name: nothing is advised that would build that one."""
    demo.publish(demo_dep("1.0"))
    keep(sandbox, "--with", "demo-dep", "demo-tool")
    keep(sandbox)
    (ails,) = [one for one in all_records(sandbox) if one.request["options"]]
    (program,) = (sandbox.home / "generations" / ails.current).glob("lib/python*/site-packages/demo_tool/program.py")
    replace(program, program.read_bytes() + b"\n# something else\n")
    cut_program(sandbox.home / "generations" / ails.current)
    told = examine(sandbox).only_bad("environments")
    assert told["words"].startswith("what is kept of `demo-tool --with=demo-dep` 1.0 cannot run: ")
    assert told["step"] == "`lastgood doctor --fix` builds it again"
    ails.held = True
    records.save(str(sandbox.home), ails)
    found = examine(sandbox, "--deep")
    assert found.only_bad("environments")["step"] == "the next run where it is used builds it again"
    told = found.only_bad("contents")
    assert told["words"].startswith("`demo-tool --with=demo-dep` 1.0: 2 files not as installed")
    assert told["step"] == "once it is held no more, `lastgood doctor --deep --fix` builds it again, from fresh downloads"
    assert sandbox.lastgood("run", "--with", "demo-dep", "demo-tool", "--version").out == "demo-tool 1.0\n"
    sandbox.wait_quiet()
    assert examine(sandbox).bad() == []


def test_a_hold_that_is_made_while_something_is_mended_stays(demo: Index, sandbox: Sandbox) -> None:
    """Who holds a tool while `--fix` builds it again keeps the hold: what is written last takes over what people changed."""
    del demo
    keep(sandbox)
    cut_program(kept_root(sandbox))
    before = only_record(sandbox).current
    history = sandbox.home / "events.jsonl"
    history.unlink()
    os.mkfifo(history)  # whoever notes an event waits here for a reader: `--fix` between its two writes of the record
    mending = sandbox.popen([lastgood_script(), "doctor", "--fix"], stdout=subprocess.DEVNULL)
    sandbox.wait_for(lambda: only_record(sandbox).current != before, "what was built again")
    holding = sandbox.popen([lastgood_script(), "hold", "demo-tool"], stderr=subprocess.DEVNULL)
    sandbox.wait_for(lambda: only_record(sandbox).held, "the hold")
    reader = os.open(history, os.O_RDONLY | os.O_NONBLOCK)
    history.unlink()
    assert (holding.wait(30), mending.wait(30)) == (0, 0)
    os.close(reader)
    assert (only_record(sandbox).held, len(only_record(sandbox).generations)) == (True, 1)
    assert examine(sandbox).bad() == []


def test_files_that_look_like_uvs_own_are_kept(index: Index, sandbox: Sandbox) -> None:
    """A package's own `.gitignore` is retained, as uvx would have it; only uv's own, at the root, are left out."""
    wheel = demo_tool("1.0")
    index.publish(type(wheel)(**{**vars(wheel), "modules": {**wheel.modules, "demo_tool/template/.gitignore": "*.pyc\n"}}))
    keep(sandbox)
    assert examine(sandbox, "--deep").bad() == []
    assert list(kept_root(sandbox).glob("lib/python*/site-packages/demo_tool/template/.gitignore"))


def test_leftovers(demo: Index, sandbox: Sandbox) -> None:
    """What a refresh left that died is told, and removed by `--fix`; what is being made is neither."""
    del demo
    keep(sandbox)
    old = sandbox.home / "generations" / ".staging-1-00000000-demo-tool"
    young = sandbox.home / "generations" / ".staging-2-00000000-demo-tool"
    for place in (old, young):
        place.mkdir()
        (place / "file").write_bytes(bytes(5000))
    os.utime(old, (1, 1))
    found = examine(sandbox)
    assert (found.bad(), found.only("leftovers")["words"]) == (
        [("leftovers", "warning")],
        "1 leftover of refreshes that ended early (5 KiB)",
    )
    assert examine(sandbox, "--fix").only("leftovers")["mended"] == "removed 1, freed 5 KiB"
    assert (old.exists(), young.exists()) == (False, True)


# --- indexes and hosts ----------------------------------------------------------------------------------------------


ANSWERS: list[tuple[Any, str]] = [
    (503, "HTTP 503"),
    (429, "HTTP 429"),
    ("login", "web page instead of an index"),
    ("redirect-login", "web page instead of an index"),
    ("redirect-404", "web page instead of an index"),
    ("garbage", "an answer that is no JSON"),
    ("reset", "no connection: [errno 104] connection reset by peer"),
    ("truncate", "answer cut short"),
    ("hang-before-headers", "timed out"),
    ("hang-after-headers", "timed out"),
    ("refuse", "connection refused"),
]


@pytest.mark.parametrize(("fault", "said"), ANSWERS, ids=[str(fault) for fault, _ in ANSWERS])
def test_an_index_that_does_not_answer_as_one(demo: Index, sandbox: Sandbox, fault: Any, said: str) -> None:
    """Whatever keeps uv from working with an index is told for what it is; an answer that begins as it should is good."""
    demo.fault(fault)
    found = probe.visit(demo.url + "demo-tool/", sandbox.env)
    assert (found.good, found.refused, found.said) == (False, False, said)
    demo.heal()
    found = probe.visit(demo.url + "demo-tool/", sandbox.env)
    assert (found.good, found.refused, found.said, found.protocol) == (True, False, "a JSON index", "HTTP/1.1")


@pytest.mark.parametrize("api", ["html", "json"])
def test_an_index_that_answers(index_factory: IndexFactory, sandbox: Sandbox, api: str) -> None:
    """Both forms of the simple API are known, on a project's page and on the list of all projects."""
    index = index_factory(api=api)
    index.publish(demo_tool("1.0"))
    found = [probe.visit(index.url + page, sandbox.env).said for page in ("demo-tool/", "")]
    assert found[0] == f"a{'n HTML' if api == 'html' else ' JSON'} index"
    assert found[1] in (found[0], "HTTP 404")


def test_what_is_made_of_an_answer(demo: Index, sandbox: Sandbox) -> None:
    """No answer is a problem; an answer that wants a login, or knows nothing of what is kept, is a warning."""
    keep(sandbox)
    for fault, verdict in ((503, "problem"), (401, "warning"), (404, "warning")):
        demo.fault(fault)
        found = examine(sandbox)
        demo.heal()
        assert (found.only("index")["verdict"], found.left()) == (verdict, ["index"] if verdict == "problem" else [])
        assert found.only("index")["words"].startswith(f"`{demo.url}` (`UV_DEFAULT_INDEX`): HTTP {fault}, HTTP/1.1 in ")


def test_an_address_that_is_no_index(demo: Index, sandbox: Sandbox) -> None:
    """With nothing kept there is no page to ask for but the index itself: one that is not there is a warning, and no failure.

    Some indexes have no list of projects, as this one: then the page of what is kept is what counts.
    """
    found = examine(sandbox)
    finding = found.only("index")
    assert (finding["verdict"], finding["step"], found.left()) == ("warning", "is the address right?", [])
    assert finding["words"].startswith(f"`{demo.url}` (`UV_DEFAULT_INDEX`): HTTP 404, HTTP/1.1 in ")
    assert finding["words"].endswith(" ms: it has no list of projects")
    keep(sandbox)
    assert examine(sandbox).only("index")["verdict"] == "ok"


def test_an_index_beside_the_default_one_need_not_have_what_is_kept(
    index_factory: IndexFactory, demo: Index, sandbox: Sandbox
) -> None:
    """An index that is asked beside uv's default one may lack what another index provided: its 404 is told, and is well."""
    settings = sandbox.config_home / "uv" / "uv.toml"
    settings.parent.mkdir()
    default = f'index-url = "{demo.url}"\n'
    settings.write_text(default)
    sandbox.env.pop("UV_DEFAULT_INDEX")
    keep(sandbox)
    beside = index_factory()
    for variable, value in (("UV_INDEX", beside.url), ("UV_INDEX", f"mine={beside.url}"), ("UV_EXTRA_INDEX_URL", beside.url)):
        found = examine(sandbox, env={variable: value})
        first, second = found.of("index")
        assert (first["verdict"], second["verdict"], found.left()) == ("ok", "ok", []), variable
        assert first["words"].startswith(f"`{beside.url}` (`{variable}`): HTTP 404, HTTP/1.1 in ")
    for line in (f'extra-index-url = ["{beside.url}"]', f'[[index]]\nurl = "{beside.url}"'):
        settings.write_text(default + line + "\n")
        assert [finding["verdict"] for finding in examine(sandbox).of("index")] == ["ok", "ok"], line
    for line in (f'index-url = "{beside.url}"', f'[[index]]\nurl = "{beside.url}"\ndefault = true'):
        settings.write_text(line + "\n")
        assert examine(sandbox).only("index")["step"] == "is the address right?", line


def test_every_index_that_is_named(index_factory: IndexFactory, demo: Index, sandbox: Sandbox) -> None:
    """Indexes come from variables, uv's files and records, are asked once each, and no password is ever shown or lost."""
    from_file, from_record = index_factory(), index_factory()
    (sandbox.config_home / "uv").mkdir()
    (sandbox.config_home / "uv" / "uv.toml").write_text(f'index-url = "{from_file.url}"\nextra-index-url = ["{demo.url}/"]\n')
    from_record.publish(demo_tool("1.0"))
    keep(sandbox, "--default-index", from_record.url, "demo-tool")
    found = examine(sandbox, env={"UV_INDEX": f"mine={demo.url_with_credentials} {demo.url}", "UV_DEFAULT_INDEX": None})
    words = [finding["words"] for finding in found.of("index")]
    assert [re.sub(r"\): .*", ")", line) for line in words] == [
        f"`{demo.url}` (`UV_INDEX`)",
        f"`{from_file.url}` (uv's configuration)",
        f"`{from_record.url}` (the record of `demo-tool`)",
    ]
    from_record.stop()
    assert [finding["verdict"] for finding in examine(sandbox).of("index")] == ["ok", "ok", "warning"]


def test_an_index_whose_name_nobody_knows(sandbox: Sandbox, demo: Index) -> None:
    """It is told as every other message tells it; and what runs meanwhile is told only where something would."""
    url = "http://" + ".".join(["a" * 60] * 5) + "/simple/"  # longer than a name may be: nobody is asked
    nowhere = {"UV_DEFAULT_INDEX": url, "NO_PROXY": "*", "no_proxy": "*"}
    found = examine(sandbox, env=nowhere).only("index")
    assert found["words"] == f"`{url}` (`UV_DEFAULT_INDEX`): DNS lookup failed"
    assert found["step"] == "nothing is kept that could run meanwhile: look at the address, and at the network"
    keep(sandbox)
    demo.fault("reset")
    found = examine(sandbox).only("index")
    assert found["words"] == f"`{demo.url}` (`UV_DEFAULT_INDEX`): connection reset"
    assert found["step"] == "what is kept runs meanwhile; `lastgood warm --check` says what that is"


def test_an_index_is_not_asked_offline(demo: Index, sandbox: Sandbox) -> None:
    """UV_OFFLINE is obeyed."""
    found = examine(sandbox, env={"UV_OFFLINE": "1"})
    assert (found.only("index")["words"], demo.connections()) == ("1 not asked: `UV_OFFLINE` is set", 0)


def test_uvs_own_default_index(sandbox_factory: SandboxFactory) -> None:
    """Where nothing names an index, the one that uv asks then is asked; uv says which. Nobody answers behind this proxy."""
    nobody = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    found = examine(sandbox_factory(trap=False), env=nobody).only("index")
    assert re.fullmatch(r"`https://[^`/]+/[^`]*` \(uv's default\): connection refused", found["words"]), found
    assert found["verdict"] == "problem"


@pytest.mark.parametrize("content", ["no-index = true\n", 'index-url = "{0}"\n', '[[index]]\nurl = "{0}"\ndefault = true\n'])
def test_settings_that_take_the_place_of_uvs_default(demo: Index, sandbox: Sandbox, content: str) -> None:
    """Then it is not asked: what the settings name is, or nobody. A project's own settings count for nobody, as under uvx."""
    settings = sandbox.config_home / "uv" / "uv.toml"
    settings.parent.mkdir()
    settings.write_text(content.format(demo.url))
    (sandbox.work / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    words = examine(sandbox, env={"UV_DEFAULT_INDEX": None}).only("index")["words"]
    if "no-index" in content:
        assert words == "none is named, and uv does not say which one it asks by default"
    else:
        assert words.startswith(f"`{demo.url}` (uv's configuration): ")


def test_hosts_that_are_down(demo: Index, sandbox: Sandbox) -> None:
    """A host whose breaker is open is told, with why and until when."""
    keep(sandbox)
    trip(sandbox, demo.host)
    found = examine(sandbox)
    assert found.bad() == [("hosts", "warning")]
    assert re.fullmatch(
        rf"`{demo.host}` has been down since \d\d:\d\d \(connection refused\); next try in \d+s", found.only("hosts")["words"]
    )


# --- what surrounds lastgood ----------------------------------------------------------------------------------------


def test_a_tool_that_uv_has_installed(demo: Index, sandbox: Sandbox) -> None:
    """A tool that `uv tool install` has shadows what is kept of it, and what the table asks for."""
    del demo
    keep(sandbox)
    assert sandbox.run(["uv", "tool", "install", "demo-tool"]).status == 0
    found = examine(sandbox)
    assert (found.bad(), found.only("installed")["step"]) == (
        [("installed", "warning")],
        "`uv tool uninstall demo-tool` lets lastgood keep it",
    )


def test_a_launcher_that_loads_too_much(alone: Sandbox) -> None:
    """A launcher that imports `re`, as some installers write it, is told; the one that ships is not."""
    assert examine(alone).only("launcher")["verdict"] == "ok"
    slow = alone.bin / "lastgood"
    slow.write_text(f"#!{sys.executable}\nimport re\nimport sys\nfrom lastgood.__main__ import main\nsys.exit(main())\n")
    slow.chmod(0o755)
    found = examine(alone, argv=[str(slow), "doctor", "--json"]).only("launcher")
    assert (found["verdict"], found["step"]) == ("warning", "reinstall with `uv tool install lastgood`")
    assert found["words"].startswith(f"`{slow}` is slow to start: it loads `re` (")
    as_module = examine(alone, argv=[sys.executable, "-m", "lastgood", "doctor", "--json"]).only("launcher")
    assert as_module["words"] == found["words"].partition(" (about")[0] + as_module["words"][as_module["words"].index(" (about") :]


def test_hooks_that_fetch_when_they_run(alone: Sandbox) -> None:
    """Hooks of this repository that ask an index at run time are named; those that go through lastgood are not."""
    (alone.work / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: local\n  hooks:\n"
        "  - {id: good, name: a, entry: lastgood run ruff, language: system}\n"
        "  - {id: bad, name: b, entry: /usr/bin/env A=b uvx ruff check, language: system}\n"
        "  - {id: worse, name: c, entry: \"bash -c 'npx prettier'\", language: system}\n"
    )
    found = examine(alone).of("hooks")
    assert [finding["words"].partition(", ")[0] for finding in found] == [
        "`bad` of .pre-commit-config.yaml starts `uvx`",
        "`worse` of .pre-commit-config.yaml starts `npx`",
    ]
    told = alone.lastgood("shim", "install", str(alone.root / "shim"))
    assert told.status == 0, told
    shimmed = {"PATH": f"{alone.root}/shim:{alone.env['PATH']}"}
    found = examine(alone, env=shimmed).of("hooks")
    assert [finding["words"].partition(", ")[0] for finding in found] == ["`worse` of .pre-commit-config.yaml starts `npx`"]
    (alone.work / ".pre-commit-config.yaml").write_text(
        "repos: [{repo: local, hooks: [{id: own, name: o, entry: uvx a, language: python, additional_dependencies: [uv]}]}]"
    )
    (finding,) = examine(alone, env=shimmed).of("hooks")
    assert finding["words"].partition(", ")[0] == "`own` of .pre-commit-config.yaml starts `uvx`"
    (alone.work / ".pre-commit-config.yaml").write_text("repos: [\n")
    assert examine(alone).left() == ["hooks"]


def test_the_uvx_that_a_hook_starts_is_the_one_it_names(alone: Sandbox) -> None:
    """A path leads past the shim that stands first on PATH, or to it, whatever stands there and whatever a hook installs."""
    assert alone.lastgood("shim", "install", str(alone.work / "shim")).status == 0
    (alone.work / "inner").mkdir()
    hooks = [
        {"id": "past", "entry": f"{alone.bin}/uvx ruff", "language": "system"},
        {"id": "all", "entry": f"sh -c '{alone.bin}/uv tool run ruff; true'", "language": "system"},
        {"id": "path", "entry": f"{alone.work}/shim/uvx ruff", "language": "system"},
        {"id": "relative", "entry": "shim/uvx ruff", "language": "python", "additional_dependencies": ["uv"]},
    ]
    (alone.work / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": hooks}]}), "utf-8")
    for path in (alone.env["PATH"], f"{alone.work}/shim:{alone.env['PATH']}"):
        result = alone.lastgood("doctor", "--json", env={"PATH": path}, cwd=alone.work / "inner")
        assert [(one["words"], one["step"]) for one in Examined(result).of("hooks")] == [
            (
                f"`{name}` of .pre-commit-config.yaml starts `{alone.bin}/{program}`, which fetches at run time",
                "start its entry with `lastgood run`",
            )
            for name, program in (("past", "uvx"), ("all", "uv tool run"))
        ]


def test_files_that_say_nothing_to_lastgood_are_not_named(alone: Sandbox) -> None:
    """Settings come from the files that have some, and from no other that lies on the way."""
    (alone.work / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n')
    assert examine(alone).only("settings")["words"] == "defaults: no file says anything"
    (alone.work.parent / "lastgood.toml").write_text('mode = "prefer-cache"\n')
    own = alone.config_home / "lastgood" / "lastgood.toml"
    own.parent.mkdir()
    own.write_text("")
    told = examine(alone).only("settings")["words"]
    (alone.work.parent / "lastgood.toml").unlink()
    assert told in {"from `../lastgood.toml`", f"from `{alone.work.parent}/lastgood.toml`"}


def test_settings_that_cannot_be_used(alone: Sandbox) -> None:
    """A wrong key in a project file is a problem, told as `run` tells it."""
    (alone.work / "pyproject.toml").write_text("[tool.lastgood]\nmax_age = '1h'\n")
    found = examine(alone)
    assert (found.left(), found.only("settings")["words"]) == (
        ["settings"],
        "pyproject.toml: unknown key `max_age` in [tool.lastgood]; did you mean `max-age`?",
    )


# --- cards of records that cannot be read ---------------------------------------------------------------------------


def spoil(sandbox: Sandbox, text: str) -> Path:
    """Write another text into the one record, and let its card believe that; the path of the card."""
    record = records.file_of(str(sandbox.home), only_record(sandbox).id)
    Path(record).write_text(text, "utf-8")
    (path,) = (sandbox.home / "cards").iterdir()
    card = cards.read(path.read_text("utf-8", "surrogateescape"))
    card.stamps = [surroundings.stamp(record) if stamp[0] == record else stamp for stamp in card.stamps]
    path.write_text(cards.write(card), "utf-8", "surrogateescape")
    return path


NEWER = '{"is": "lastgood record", "format": 2}'
UNREADABLE = {
    "a newer one": (NEWER, "written by a newer lastgood (format 2, this one reads 1)"),
    "a damaged one": ("{", "damaged (no JSON"),
}


@pytest.mark.parametrize(("text", "_"), UNREADABLE.values(), ids=UNREADABLE)
def test_the_card_of_a_record_that_cannot_be_read(demo: Index, sandbox: Sandbox, text: str, _: str) -> None:
    """Nothing is said of the card, since the record is told of; `--fix` mends what it can and leaves the card of a newer one."""
    del demo
    keep(sandbox)
    path = spoil(sandbox, text)
    found = examine(sandbox)
    assert (found.only("cards")["verdict"], path.exists()) == ("ok", True)
    assert [one for one in found.bad() if one[0] == "cards"] == []
    result = sandbox.lastgood("doctor", "--fix")
    assert (result.err, path.exists() or text != NEWER) == ("", True), result


@pytest.mark.parametrize(("text", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_becomes_unreadable_is_not_mended(demo: Index, sandbox: Sandbox, text: str, said: str) -> None:
    """A record that another process has spoiled since it was looked at: one line says why nothing was mended."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    (path,) = (sandbox.home / "cards").iterdir()
    path.write_text(path.read_text("utf-8", "surrogateescape").replace("version 1.0", "version 9.9"), "utf-8", "surrogateescape")
    (found,) = list(doctor.look_at_cards(Patient(sandbox.environment())))
    Path(records.file_of(str(sandbox.home), record.id)).write_text(text, "utf-8")
    doctor.mend(found)
    assert (found.verdict, found.mended, said.partition(" (")[0] in found.refused) == ("problem", "", True), found.refused
