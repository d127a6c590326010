"""Every command works and says something useful wherever it is called.

On an empty home, with a damaged record, with 10,000 records, with the index down, and piped into `head`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from lastgood import record as records
from lastgood.cli import app
from tests.support.kept import grow_old, keep, only_record
from tests.support.sandbox import lastgood_script
from tests.support.wheels import Wheel, demo_tool

if TYPE_CHECKING:
    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

MANY = 10_000
WORDS = {
    "run": ("demo-tool", "--version"),
    "warm": ("demo-tool",),
    "why": ("demo-tool",),
    "history": ("demo-tool",),
    "report": ("report.html",),
    "rollback": ("demo-tool",),
    "hold": ("demo-tool",),
    "unhold": ("demo-tool",),
    "shim": ("status",),
    "add": ("black",),
    "remove": ("black",),
    "completion": ("bash",),
}
"""What each command is called with; one that is not listed needs nothing."""
COMMANDS = [(verb, *WORDS.get(verb, ())) for verb in app.VERBS]


def expect_sense(result: Result, words: tuple[str, ...], *, silent: bool = False) -> None:
    """A command ended with a status that means something and said something, and nothing of how it is made came out."""
    assert result.status in (0, 1, 2), (words, result)
    assert result.out or result.err or silent, (words, result)
    for trace in ("Traceback", "internal error", "BrokenPipe", "Exception ignored"):
        assert trace not in result.err, (words, result)
    assert result.status == 0 or "lastgood: " in result.err or result.out, (words, result)


def in_turn(sandbox: Sandbox) -> None:
    """Call every command, one after the other."""
    (sandbox.work / "lastgood.toml").touch()
    for words in COMMANDS:
        expect_sense(sandbox.lastgood(*words), words)
    sandbox.wait_quiet()


def test_on_an_empty_home(demo: Index, sandbox: Sandbox) -> None:
    """Each command that finds nothing kept says so; and each, called first of all, is the first that ever ran."""
    del demo
    (sandbox.work / "lastgood.toml").touch()
    for number, words in enumerate(COMMANDS):
        if words[0] not in ("run", "warm"):
            home = str(sandbox.root / f"empty{number}")
            expect_sense(sandbox.lastgood(*words, env={"LASTGOOD_HOME": home}), words)
    in_turn(sandbox)


def test_with_a_damaged_record(demo: Index, sandbox: Sandbox) -> None:
    """A damaged record makes no command fail without a word; `run` and `doctor --fix` get it right again."""
    del demo
    keep(sandbox)
    path = records.file_of(str(sandbox.home), only_record(sandbox).id)
    for words in COMMANDS:
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"is": "lastgood record", "format": 1')
        expect_sense(sandbox.lastgood(*words), words)
    sandbox.wait_quiet()


def test_where_output_has_few_letters(demo: Index, sandbox: Sandbox) -> None:
    """An encoding that has no bars and arrows gets plain letters in their place, one for one."""
    del demo
    sandbox.env["PYTHONIOENCODING"] = "ascii"
    (sandbox.work / ".pre-commit-config.yaml").write_text(
        "repos: [{repo: local, hooks: [{id: x, entry: npx x, language: system}]}]", "utf-8"
    )
    keep(sandbox)
    in_turn(sandbox)
    grow_old(sandbox, 3600.0)
    assert "##### 1h" in sandbox.lastgood("status").out
    assert any(line.split()[:1] == [">"] for line in sandbox.lastgood("doctor").out.splitlines())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="not on this system: /dev/full")
def test_where_nothing_can_be_written(demo: Index, sandbox: Sandbox) -> None:
    """A standard output that takes nothing, such as a file on a full disk, is one line and status 1; with none, nothing is said."""
    del demo
    keep(sandbox)
    (sandbox.work / "lastgood.toml").touch()
    full = "lastgood: error: standard output cannot be written (no space left on device)\n"
    for words in COMMANDS[1:]:
        usual = sandbox.lastgood(*words)
        told = sandbox.run(["sh", "-c", '"$@" > /dev/full', "sh", lastgood_script(), *words])
        expect_sense(told, words, silent=True)
        assert not usual.out or told.status == 1, (words, told)
        assert not usual.out or told.err == full, (words, told)
        told = sandbox.run(["sh", "-c", '"$@" >&-', "sh", lastgood_script(), *words])
        assert (told.status in (0, 1, 2), [line for line in told.err.splitlines() if not line.startswith("lastgood: ")]) == (
            True,
            [],
        )
    told = sandbox.run(["sh", "-c", '"$@" > /dev/full', "sh", lastgood_script(), "completion", "bash"])  # more than is buffered
    assert (told.status, told.err) == (1, full), told
    for words in (("status",), ("doctor",), ("doctor", "--json"), ("gc",), ("--help",), ("--version",), ("status", "--help")):
        told = sandbox.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", lastgood_script(), *words])
        assert (told.status, told.out, told.err) == (0, "", ""), (words, told)
        if words != ("gc",):
            told = sandbox.run(["sh", "-c", '"$@" > /dev/full', "sh", lastgood_script(), *words])
            assert (told.status, told.err) == (1, full), (words, told)
    sandbox.wait_quiet()


def test_with_the_index_down(demo: Index, sandbox: Sandbox) -> None:
    """While the index is down every command but those that refresh goes on as ever, and those say what is kept."""
    keep(sandbox)
    demo.stop()
    in_turn(sandbox)
    demo.start_again()


@pytest.fixture
def crowded(demo: Index, sandbox: Sandbox) -> Sandbox:
    """Make a user who keeps very many tools: one for real, the others as records that differ in their names."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    text = records.text_of(record)
    slug = record.id.rsplit("-", 2)[0]
    for number in range(MANY - 1):
        name = f"{slug}{number}-{number:012x}-000000"
        other = text.replace(f'"{record.id}"', f'"{name}"').replace('"tool": "demo-tool"', f'"tool": "demo-tool{number}"')
        (sandbox.home / "records" / f"{name}.json").write_text(other)
    return sandbox


def test_with_very_many_records_and_piped_into_head(crowded: Sandbox) -> None:
    """With 10,000 records every command ends, and ends quietly when its reader has seen enough."""
    (crowded.work / "lastgood.toml").touch()
    for words in COMMANDS:
        line = '{ "$@"; echo "status $?" >&2; } | head -n 1'
        result = crowded.run(["sh", "-c", line, "sh", lastgood_script(), *words], timeout=120)
        *err, status = result.err.splitlines()
        assert status in ("status 0", "status 1", "status 2", "status 141"), (words, result)
        assert not [line for line in err if not line.startswith("lastgood: ")], (words, result)
        assert len(result.out.splitlines()) <= 1
    crowded.wait_quiet()
    found = json.loads(crowded.lastgood("doctor", "--json").out)["findings"]
    assert next(one["words"] for one in found if one["check"] == "records") == f"{MANY} tools kept"


@pytest.mark.parametrize("verb", ["hold", "status", "run"])
def test_interrupted_while_it_is_still_loaded(sandbox_factory: SandboxFactory, verb: str) -> None:
    """It ends in silence and by the signal itself, as an interrupted program does, however early that comes."""
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        name in ('lastgood.cli.app', 'lastgood.fastpath') and os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from lastgood.__main__ import launch\n"
        "launch()\n"
    )
    result = sandbox_factory().run([sys.executable, "-c", code, verb, "demo-tool"])
    assert (result.status, result.out, result.err) == (-signal.SIGINT, "", "")


ADDRESS = "https://user:SECRET@host.example/p?token=SECRET"
NAMED = {
    "a package beside the tool": ("add", "ruff", "--with", f"git+{ADDRESS}"),
    "a package of another kind": ("add", "ruff", "--from", f"-e {ADDRESS}"),
    "a version to add": ("add", f"ruff>={ADDRESS}"),
    "a tool to remove": ("remove", ADDRESS),
    "a word too many": ("warm", "--all", f"ruff @ {ADDRESS}"),
    "a tool of status": ("status", f"ruff>={ADDRESS}"),
    "a tool of history": ("history", ADDRESS),
    "an unknown command": (ADDRESS,),
    "an unknown option": ("status", f"--{ADDRESS}"),
}
ENTRIES = {
    "a version": f'version = "{ADDRESS}"',
    "a source": f'from = "./{ADDRESS} x"',
    "extras": f'extras = ["{ADDRESS}"]',
    "a mode": f'mode = "{ADDRESS}"',
}


@pytest.mark.parametrize("words", NAMED.values(), ids=NAMED)
def test_credentials_on_the_command_line_are_not_repeated(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """What is wrong with an address, or with a word in its place, is told without its credentials."""
    (sandbox.work / "lastgood.toml").touch()
    result = sandbox.lastgood(*words)
    expect_sense(result, words)
    assert "SECRET" not in result.out + result.err, result


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_credentials_in_a_table_are_not_repeated(sandbox: Sandbox, entry: str) -> None:
    """What is wrong with an entry that holds an address is told without its credentials, to people and to programs."""
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\nruff = {{ {entry} }}\n", "utf-8")
    for words in (("run", "ruff"), ("why", "ruff"), ("status",), ("doctor",), ("doctor", "--json")):
        result = sandbox.lastgood(*words)
        expect_sense(result, words)
        assert "host.example/p" in result.out + result.err, result
        assert "SECRET" not in result.out + result.err, result


@pytest.mark.parametrize("colour", [None, "1"])
def test_what_a_package_says_cannot_paint_the_terminal(index: Index, sandbox: Sandbox, colour: str | None) -> None:
    """The error of a release that does not start is told with its escape sequences made visible, on both streams."""
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    source = "raise ImportError('\\x1b]0;title\\x07\\x1b[31mred')\n"
    index.publish(Wheel("demo-tool", "2.0", modules={"demo_bad.py": source}, entry_points={"demo-tool": "demo_bad:main"}))
    grow_old(sandbox, 3600)
    asked: list[tuple[str, ...]] = [("warm", "demo-tool"), ("history", "demo-tool"), ("why", "demo-tool"), ("status",), ("doctor",)]
    said = ""
    for words in (*asked, ("status", "--markdown"), ("report", "-"), ("warm", "--check", "demo-tool")):
        result = sandbox.lastgood(*words, env={"FORCE_COLOR": colour})
        expect_sense(result, words)
        assert "\x1b]" not in result.out + result.err, result
        assert "\x07" not in result.out + result.err, result
        said += result.out
    assert said.count("\\x1b]0;title\\x07\\x1b[31mred") >= 3


@pytest.mark.parametrize("traced", [None, "1"])
def test_a_bug_of_any_command_is_one_line(sandbox: Sandbox, traced: str | None) -> None:
    """It is named, with how to see the traceback, which is there only for who asks; exit status 1."""
    code = (
        "import sys\n"
        "class Bug:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'lastgood.cli.gc':\n"
        "            raise KeyError('x')\n"
        "sys.meta_path.insert(0, Bug())\n"
        "from lastgood.__main__ import launch\n"
        "launch()\n"
    )
    result = sandbox.run([sys.executable, "-c", code, "gc"], env={"LASTGOOD_INTERNAL__TRACE": traced})
    said = "lastgood: error: internal error (KeyError: 'x'); set `LASTGOOD_INTERNAL__TRACE=1` for details\n"
    assert (result.status, result.out, result.err.endswith(said)) == (1, "", True), result
    assert ("Traceback" in result.err, result.err.count("lastgood: ")) == (traced is not None, 1), result


@pytest.mark.parametrize("verb", ["history", "hold", "unhold", "rollback", "warm", "doctor"])
def test_a_working_directory_that_is_gone(index: Index, sandbox: Sandbox, verb: str) -> None:
    """What needs no directory works; what needs one says that it is gone, and what to do."""
    for version in ("1.0", "1.1"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    words = [verb] if verb == "doctor" else [verb, "demo-tool"]
    result = sandbox.run(["sh", "-c", script, "sh", lastgood_script(), *words])
    if verb in ("warm", "doctor"):
        said = "lastgood: error: the working directory is gone; change to one that is there\n"
        assert (result.status, result.err) == (1, said)
    else:
        assert (result.status, "error" in result.err) == (0, False), result
