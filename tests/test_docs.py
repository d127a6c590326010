"""The documentation is true: what README.md shows is run or read from the program, and what it names exists.

Tables come from the program (`tests.support.documents`), command blocks are executed, examples of configuration are loaded, and the
claims that can be tried on a loopback index are tried. What cannot be tried here (other tools, other systems) is not tested.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from identify.identify import tags_from_path

from lastgood import behind, breaker, hooks, paths, project, request, settings, surroundings
from lastgood.cli import app
from tests.support import documents
from tests.support.documents import ROOT, stand_in, timeless
from tests.support.kept import expect_version, grow_old, keep, own_lines
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

README = documents.README.read_text("utf-8")
DOCUMENTS = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}
PARTS = {name: part for text in DOCUMENTS.values() for name, part in documents.parts(text).items()}
WRITE = "run `python -m tests.support.documents`"
PASSED, TYPED = "All checks passed!", "Success: no issues found in 1 source file"
TABLE = {"ruff": ">=0.17,<0.18", "mypy": "==2.4.*"}


def blocks(language: str, text: str = README) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """Return what stands below a heading of the README, up to the next of the same rank."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README.md has no section {title!r}"
    return found[2]


def rows(title: str) -> list[list[str]]:
    """Return the rows of the table of a section, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def codes(text: str) -> list[str]:
    """Return what stands in back-ticks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def command_lines() -> list[str]:
    """Return every line of the documents that calls lastgood, in blocks and in running text."""
    found: list[str] = []
    for text in DOCUMENTS.values():
        in_blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        for line in (*"".join(in_blocks).splitlines(), *codes(text)):
            at = re.search(r"(?:^|[$&(:] ?|^\S+.* )(lastgood (?!was|cannot|itself|has|is|says)[a-z-].*)", line)
            if at is not None and not line.startswith("lastgood: "):
                found.append(re.split(r"\s+#|\s+\|\||\)", at[1])[0].strip())
    return sorted(set(found))


# --- what follows from the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", documents.TABLES)
def test_tables_are_the_programs_own(name: str) -> None:
    """Settings, modes, failure classes, commands, messages and layers stand in the documents as the program has them."""
    written = PARTS.get(name, "")
    assert timeless(written) == timeless(documents.TABLES[name]()), WRITE


def test_every_part_has_a_source() -> None:
    """No part of a document claims to come from the program without doing so, and none is forgotten."""
    assert set(PARTS) == {*documents.TABLES, "recording"}


def test_the_recording_can_be_played_again(index: Index, sandbox: Sandbox) -> None:
    """An outage day goes as the README shows it, but for times and for uv's own words about its failure."""

    def told(text: str) -> list[str]:
        lines = timeless(text).splitlines()
        return [line for line in lines if not line.startswith(("error: ", "  cause: "))]

    written = PARTS["recording"]
    assert told(written) == told(documents.record(sandbox, index)), WRITE
    uvx = written.partition("$ uvx ")[2].partition("$ ")[0]
    assert "error: " in uvx
    assert PASSED not in uvx


def test_help_names_every_setting(sandbox: Sandbox) -> None:
    """The real `lastgood run --help` names each flag and variable that the README lists, and the README each flag of the help."""
    told = sandbox.lastgood("run", "--help")
    assert told.status == 0
    listed = {word for row in rows("Configuration") if len(row) == 5 for word in codes(" ".join(row[1:3]))}
    assert listed
    assert [word for word in sorted(listed) if word not in told.out] == []
    flags = set(re.findall(r"^  (--[a-z-]+)", told.out, re.MULTILINE))
    assert {"--prefer-cache", "--prefer-offline"} <= flags
    assert [flag for flag in sorted(flags) if f"`{flag}`" not in README] == []


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_uses_words_that_exist(line: str) -> None:
    """Whatever the documents call lastgood with is a verb, and takes the options that they give it."""
    verb, *words = shlex.split(line)[1:]
    if verb in ("help", "--help", "--version"):
        assert all(word in app.VERBS or word.isupper() for word in words)
        return
    assert verb in app.VERBS
    words = [word for word in words if word not in ("…", "...")]
    if verb in ("run", "why"):
        if words:
            request.parse(words)  # raises Handover for an option that neither lastgood nor uvx knows
        return
    parser = app.Parser(prog=f"lastgood {verb}", add_help=False, allow_abbrev=False)
    module = importlib.import_module(f"lastgood.cli.{verb}")
    module.arguments(parser)
    if words:
        assert isinstance(parser.parse_args(words), argparse.Namespace)


def test_every_option_that_is_named_exists() -> None:
    """Each option in the running text of the README is lastgood's, uvx's, or one of the programs that call lastgood."""
    others = {"--no-install", "--install-only", "-R", "--notest", "--skip-env-install"}  # nox's and tox's
    known = {*request.every_option(), *settings.FLAGS, "--prefer-offline", "--prefer-cache", *others}
    for verb in sorted({*app.VERBS} - {"run"}):
        parser = argparse.ArgumentParser(add_help=False)
        importlib.import_module(f"lastgood.cli.{verb}").arguments(parser)
        known |= {name for action in parser._actions for name in action.option_strings}  # noqa: SLF001
    named = {word.partition("=")[0] for text in codes(README) for word in text.split() if re.match(r"--?[A-Za-z]", word)}
    assert sorted(named - known - {"--frobnicate", "--from.", "--force-exclude"}) == []


# --- modes and configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "mode", "max_age"),
    [
        (["ruff"], "prefer-latest", "10m  (default)"),
        (["ruff==0.17.5"], "prefer-cache", "1d  (an exact pin)"),
        (["ruff@0.17.5"], "prefer-cache", "1d  (an exact pin)"),
        (["ruff@latest"], "prefer-latest", "0  (`@latest`)"),
    ],
)
def test_pins_and_latest(sandbox: Sandbox, words: list[str], mode: str, max_age: str) -> None:
    """What the README says of exact pins and of `@latest` is what `why` says of them."""
    told = sandbox.lastgood("why", *words).out
    assert re.search(rf"^ +mode +{mode} ", told, re.MULTILINE)
    assert re.search(rf"^ +max-age +{re.escape(max_age)}$", told, re.MULTILINE)


def test_the_example_shows_every_key_and_is_valid(sandbox: Sandbox) -> None:
    """The example loads, names every key that a file may hold, and uses every key that a tool may have; each is explained."""
    (example,) = blocks("toml")
    (sandbox.work / "pyproject.toml").write_text(example, "utf-8")
    read = project.load([str(sandbox.work / "pyproject.toml")], "", {}, {})
    assert {one.key for one in settings.SETTINGS if one.key and "pyproject.toml" in read.where(one.name)} == {
        one.key for one in settings.SETTINGS if one.key
    }
    own = [*project._ENTRY_TEXTS, *project._ENTRY_LISTS]  # noqa: SLF001  # the keys are declared there
    explained = [key for row in rows("The tools table") for key in codes(row[0])]
    assert sorted(explained) == sorted(own)
    used = {key for value in re.findall(r"\{(.*)\}", example) for key in re.findall(r"([\w-]+) = ", value)}
    assert used >= set(own)


def test_the_example_runs(index: Index, sandbox: Sandbox) -> None:
    """A tool of the example runs with the example's own settings: uv understands the cooldown, the check passes."""
    index.publish(stand_in("black", "26.1.0", "black, 26.1.0"))
    (example,) = blocks("toml")
    (sandbox.work / "pyproject.toml").write_text(example, "utf-8")
    told = sandbox.lastgood("run", "black")
    assert (told.status, told.out, own_lines(told)) == (0, "black, 26.1.0\n", [])


def test_precedence(sandbox: Sandbox) -> None:
    """Default, user file, project file, the tool's own entry, variable, flag: each wins over those before it."""
    assert "default, user file, project file, the tool's own entry in the tools table, environment variable, flag." in README

    def patience(*words: str) -> str:
        found = re.search(r"^ +patience +(.*)$", sandbox.lastgood("why", *words, "ruff").out, re.MULTILINE)
        assert found is not None
        return found[1]

    said = [patience()]
    user = sandbox.config_home / "lastgood" / "lastgood.toml"
    user.parent.mkdir()
    user.write_text('patience = "4s"\n')
    said.append(patience())
    own = sandbox.work / "pyproject.toml"
    own.write_text('[tool.lastgood]\npatience = "5s"\n')
    said.append(patience())
    own.write_text('[tool.lastgood]\npatience = "5s"\n[tool.lastgood.tools]\nruff = { patience = "6s" }\n')
    said.append(patience())
    sandbox.env["LASTGOOD_PATIENCE"] = "7s"
    said.append(patience())
    said.append(patience("--patience", "8s"))
    assert [one.split()[0] for one in said] == ["3s", "4s", "5s", "6s", "7s", "8s"]


def test_durations() -> None:
    """Every duration that the README gives as an example is one."""
    given = [word for word in codes(section("Configuration")) if re.fullmatch(r"[\d.]+[smhdw]?|inf", word)]
    assert {"90", "2.5", "10m", "1h", "7d", "2w", "inf"} <= set(given)
    assert all(settings.duration(word, "README.md") > 0 for word in given)


# --- what is handed over, where state lives, how it ends ------------------------------------------------------------


@pytest.mark.parametrize(("words", "reason"), [(codes(row[0])[0], row[1]) for row in rows("Handed to plain uvx")])
def test_what_is_handed_over(sandbox: Sandbox, words: str, reason: str) -> None:
    """Each row of the table is what `why` says of those words."""
    assert sandbox.lastgood("why", *shlex.split(words)).out == f"decision   plain uvx, untouched: {reason}\n"


@pytest.mark.parametrize("variable", ["UV_NO_CACHE", "UV_ENV_FILE"])
def test_variables_that_hand_over(sandbox: Sandbox, variable: str) -> None:
    """The variables that the README names hand a run over to plain uvx."""
    assert f"`{variable}`" in section("Handed to plain uvx")
    assert sandbox.lastgood("why", "ruff", env={variable: "1"}).out.startswith("decision   plain uvx, untouched: ")


def test_installed_tools_are_uvxs(sandbox: Sandbox) -> None:
    """A tool that `uv tool install` has is handed to plain uvx, which prefers it."""
    receipt = sandbox.tool_dir / "ruff" / "uv-receipt.toml"
    receipt.parent.mkdir(parents=True)
    receipt.write_text("[tool]\n")
    told = sandbox.lastgood("why", "ruff").out
    assert told.startswith("decision   plain uvx, untouched: ")
    assert "`uv tool install`" in told


def test_the_home_holds_what_the_table_says(demo: Index, sandbox: Sandbox) -> None:
    """After runs, an outage and a makefile the home holds what the README lists, and nothing else."""
    keep(sandbox)
    grow_old(sandbox, 3600)
    demo.fault("refuse")
    expect_outage = sandbox.lastgood("run", "demo-tool")
    assert expect_outage.status == 0
    sandbox.lastgood("mk")
    sandbox.lastgood("shim", "install")
    sandbox.wait_quiet()
    listed = {codes(row[0])[0].rstrip("/") for row in rows("Where its state lives")}
    assert {path.name for path in sandbox.home.iterdir()} == listed


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Home and user file are where the README says, on Linux and on macOS."""
    told = section("Where its state lives") + section("Configuration")
    environ = {"HOME": "~"}
    monkeypatch.setattr(sys, "platform", "linux")
    assert f"`{paths.default_home(environ)}`" in told
    assert f"`{surroundings.user_config(environ)}`" in told
    monkeypatch.setattr(sys, "platform", "darwin")
    assert f"`{paths.default_home(environ)}`" in told


@pytest.mark.parametrize("where", [{}, {"LASTGOOD_HOME": None}, {"LASTGOOD_HOME": None, "XDG_DATA_HOME": None}])
def test_removal_leaves_nothing(demo: Index, sandbox: Sandbox, where: dict[str, None]) -> None:
    """The lines that remove everything do, wherever the home is, and the next run starts anew."""
    del demo
    for name in where:
        sandbox.env.pop(name)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    sandbox.wait_quiet()
    home = Path(paths.home(sandbox.env))
    assert home.is_dir()
    script = next(block for block in blocks("sh") if "rm -rf" in block)
    told = run_block(sandbox, script)
    assert told.status == 0
    assert not home.exists()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


def test_exit_statuses(demo: Index, sandbox: Sandbox) -> None:
    """The tool's own, a real signal, uvx's own, 2 for what cannot be used, 1 for what could not be done."""
    assert [row[0] for row in rows("Exit statuses")] == ["0 to 255", "uvx's", "2", "1"]
    assert sandbox.lastgood("run", "demo-tool", "--exit", "77").status == 77
    assert sandbox.lastgood("run", "demo-tool", "--kill", "TERM").status == -15
    missing = sandbox.lastgood("run", "no-such-tool")
    assert (missing.status, missing.err) == (1, sandbox.uvx("no-such-tool").err)
    for words, env in (
        (["run", "--mode", "newest", "demo-tool"], {}),
        (["run", "demo-tool"], {"LASTGOOD_MAX_AGE": "10x"}),
        (["run", "other-tool"], {"LASTGOOD_UV": str(sandbox.root / "nowhere")}),
        (["run", "demo-tool"], {"LASTGOOD_HOME": str(sandbox.counter)}),
        (["frobnicate"], {}),
    ):
        told = sandbox.lastgood(*words, env={**env})
        assert (told.status, len(told.err.splitlines())) == (2, 1), told
    demo.fault("refuse")
    assert sandbox.lastgood("warm", "other-tool").status == 1
    assert sandbox.lastgood("rollback", "other-tool").status == 1


# --- call sites and blocks ------------------------------------------------------------------------------------------


def run_block(sandbox: Sandbox, script: str) -> Result:
    """Run a block as a shell would, in a project of its own; the first command that fails ends it."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{sandbox.env['PATH']}"
    return sandbox.run(["sh", "-euc", script], env={"PATH": path}, timeout=120)


def needs(*programs: str) -> None:
    """Skip where a program is neither in the environment of the tests nor on PATH."""
    place = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    missing = [program for program in programs if shutil.which(program, path=place) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture
def at_work(index: Index, sandbox: Sandbox) -> Sandbox:
    """Make a user in a project whose table names two tools that the index offers."""
    index.publish(stand_in("ruff", "0.17.5", PASSED))
    index.publish(stand_in("mypy", "2.4.0", TYPED))
    table = "".join(f'{name} = "{version}"\n' for name, version in TABLE.items())
    (sandbox.work / "pyproject.toml").write_text(f"[tool.lastgood.tools]\n{table}", "utf-8")
    return sandbox


def of_this_repository(block: str) -> bool:
    """Tell whether a block sets lastgood itself up, which needs this repository and not a user's project."""
    return any(line.startswith(("make ", "uvx --from . ", "uv tool install .")) for line in block.splitlines())


@pytest.mark.parametrize("script", [block for block in blocks("sh") if not of_this_repository(block)])
def test_shell_blocks_run(at_work: Sandbox, script: str) -> None:
    """Every other shell block of the README runs to its end, and says nothing of an error."""
    told = run_block(at_work, script)
    assert told.status == 0, told
    assert "internal error" not in told.err


def test_set_up_is_what_the_makefile_and_uv_do() -> None:
    """The set-up blocks hold the two commands of the Makefile, and the two of uv, and nothing that is not tested here."""
    lines = [re.split(r"\s+#", line)[0] for block in blocks("sh") if of_this_repository(block) for line in block.splitlines()]
    assert lines == ["make try", "make test", "uvx --from . lastgood run ruff check src", "uv tool install ."]
    planned = subprocess.run(
        ["make", "--no-print-directory", "-n", "try"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "lastgood run ruff check src" in planned
    assert planned.splitlines()[-1].endswith("lastgood status")
    planned = subprocess.run(
        ["make", "--no-print-directory", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "pytest" in planned.splitlines()[-1]


def copy_of_this_repository(place: Path) -> Path:
    """Return a copy as a clone would be, without the tests."""
    return Path(
        shutil.copytree(ROOT, place / "lastgood", ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "tests"))
    )


@pytest.mark.parametrize("python", ["old", "none"])
def test_set_up_with_a_python_that_will_not_do(sandbox: Sandbox, python: str) -> None:
    """One that is too old, or none at all: a line says what to name instead, and no environment is made."""
    old = sandbox.work / "old"
    old.write_text("#!/bin/sh\nexit 1  # as Python does where its version is compared\n", "utf-8")
    old.chmod(0o755)
    copy = copy_of_this_repository(sandbox.work)
    told = sandbox.run(["make", "-s", "test-quick", f"PYTHON={sandbox.work / python}"], cwd=copy)
    said = f"error: `{sandbox.work / python}` is no Python 3.11 or newer; name one, as in `make PYTHON=python3.11 test-quick`"
    assert (told.status, told.out, said in told.err.splitlines()) == (2, "", True), told
    assert not (copy / ".venv").exists()


@pytest.mark.online
@pytest.mark.slow
def test_set_up_with_make(online_sandbox: Sandbox) -> None:
    """From a copy of this repository, `make try` needs no uv: it lints with the real ruff and shows what is kept.

    An environment that an interpreter too old was taken for is made anew.
    """
    for program in ("uv", "uvx"):
        (online_sandbox.bin / program).unlink()
    copy = copy_of_this_repository(online_sandbox.work)
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python3").symlink_to("/bin/false")
    (copy / ".venv" / "bin" / "python").symlink_to("python3")
    # -i: what ruff thinks of the code is another test's concern
    told = online_sandbox.run(["make", "-s", "-i", "try", f"PYTHON={sys.executable}"], cwd=copy, timeout=300)
    assert re.search(r"^ruff +\d", told.out, re.MULTILINE), told
    assert own_lines(told) == []
    online_sandbox.wait_quiet()


@pytest.mark.online
@pytest.mark.slow
def test_set_up_with_uv_alone(online_sandbox: Sandbox) -> None:
    """From a copy of this repository, uv alone runs lastgood, which runs the real ruff; and installs it as a tool."""
    copy = copy_of_this_repository(online_sandbox.work)
    told = online_sandbox.run(["uvx", "--from", ".", "lastgood", "run", "ruff", "check", "src"], cwd=copy, timeout=300)
    plain = online_sandbox.run(["uvx", "ruff", "check", "src"], cwd=copy)
    assert (told.status, told.out) == (plain.status, plain.out), told.err
    assert own_lines(told) == []
    bin_ = online_sandbox.root / "tool-bin"
    told = online_sandbox.run(["uv", "tool", "install", "."], cwd=copy, timeout=300, env={"UV_TOOL_BIN_DIR": str(bin_)})
    assert told.status == 0, told.err
    assert online_sandbox.run([str(bin_ / "lastgood"), "--version"]).out.startswith("lastgood ")
    online_sandbox.wait_quiet()


def test_the_makefile_example(at_work: Sandbox) -> None:
    """The makefile runs the tool of the table, has a target `warm`, and says so where lastgood is missing."""
    (example,) = blocks("make")
    (at_work.work / "Makefile").write_text(example, "utf-8")
    told = run_block(at_work, "make -s lint && make -s warm")
    assert (told.status, told.out) == (0, f"{PASSED}\n"), told
    told_missing = at_work.run(["make", "-s", "lint"])
    assert told_missing.status == 2
    assert "lastgood is missing" in told_missing.err


def test_the_local_hook(at_work: Sandbox) -> None:
    """The local hook passes in a real repository under a real pre-commit."""
    needs("pre-commit", "git")
    example = next(block for block in blocks("yaml") if "repo: local" in block)
    (at_work.work / ".pre-commit-config.yaml").write_text(example, "utf-8")
    (at_work.work / "a.py").write_text("A = 1\n")
    told = run_block(at_work, "git init -q . && git add . && pre-commit run --all-files")
    assert told.status == 0, told
    assert re.search(r"ruff check\.+Passed", told.out)


def test_the_hook_repository(at_work: Sandbox) -> None:
    """Every id of the example is a hook of this repository, and pre-commit takes the example for valid."""
    example = next(block for block in blocks("yaml") if "repo: local" not in block)
    ids = re.findall(r"- id: ([\w-]+)", example)
    assert ids
    assert [one for one in ids if one not in hooks.BY_ID] == []
    needs("pre-commit")
    (at_work.work / ".pre-commit-config.yaml").write_text(example, "utf-8")
    told = run_block(at_work, "pre-commit validate-config .pre-commit-config.yaml")
    assert (told.status, told.out) == (0, ""), told


def test_the_nox_example(at_work: Sandbox) -> None:
    """Both sessions run under a real nox, each tool once."""
    needs("nox")
    assert at_work.index is not None
    at_work.index.publish(stand_in("types-requests", "2.33.0", "not a tool"))
    (example,) = blocks("python")
    (at_work.work / "noxfile.py").write_text(example, "utf-8")
    told = run_block(at_work, "nox -s lint types")
    assert told.status == 0, told
    assert [line for line in (told.out + told.err).splitlines() if line in (PASSED, TYPED)] == [PASSED, TYPED]


def test_the_tox_example(at_work: Sandbox) -> None:
    """The environment runs under a real tox, with no virtual environment."""
    needs("tox")
    if not entry_points(group="tox").select(name="lastgood"):
        pytest.skip("this lastgood was installed before it had a tox plugin")
    (example,) = blocks("ini")
    (at_work.work / "tox.ini").write_text(example, "utf-8")
    told = run_block(at_work, "tox run -e lint")
    assert told.status == 0, told
    assert PASSED in told.out
    assert not (at_work.work / ".tox" / "lint" / "bin").exists()


def test_the_mcp_entry(index: Index, sandbox: Sandbox) -> None:
    """An entry of an MCP client starts a server that gets its standard input untouched and has standard output to itself."""
    index.publish(demo_tool("1.0", name="my-server"))
    (example,) = blocks("json")
    entry = json.loads(example)
    assert entry["command"] == "lastgood"
    sent = b'{"jsonrpc": "2.0"}\n\x00\xff'
    told = sandbox.lastgood(*entry["args"], "--cat", input=sent)
    assert (told.status, told.stdout) == (0, sent)


def test_the_cron_lines(at_work: Sandbox) -> None:
    """What the cron lines run after their five fields works, the second one also while the index is down."""
    (example,) = blocks("cron")
    fetch, use = [line.split(None, 5)[5].replace("~/project", str(at_work.work)) for line in example.splitlines()]
    assert run_block(at_work, fetch).status == 0
    assert at_work.index is not None
    at_work.index.fault("refuse")
    told = run_block(at_work, use)
    assert (told.status, told.out) == (0, f"{PASSED}\n"), told


# --- claims ---------------------------------------------------------------------------------------------------------


def test_uvx_or_offline_runs_a_failing_tool_twice(demo: Index, sandbox: Sandbox) -> None:
    """`uvx X || uvx --offline X` starts a tool that fails a second time; lastgood starts it once."""
    del demo
    run_block(sandbox, "uvx demo-tool --exit 1 || uvx --offline demo-tool --exit 1 || true")
    assert sandbox.starts() == 2
    sandbox.clear_starts()
    sandbox.lastgood("run", "demo-tool", "--exit", "1")
    assert sandbox.starts() == 1


def test_after_a_cache_clean_only_what_is_kept_runs(demo: Index, sandbox: Sandbox) -> None:
    """In an outage after `uv cache clean` uvx fails with and without `--offline`, and lastgood runs."""
    keep(sandbox)
    sandbox.run(["uv", "cache", "clean"])
    grow_old(sandbox, 3600)
    demo.fault("refuse")
    assert run_block(sandbox, "uvx demo-tool || uvx --offline demo-tool").status != 0
    told = sandbox.lastgood("run", "demo-tool", "--version")
    assert (told.status, told.out) == (0, "demo-tool 1.0\n")


def test_a_broken_release_is_refused_in_the_readmes_words(demo: Index, sandbox: Sandbox) -> None:
    """A release whose module does not import stays away, in the words that the README shows for it."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="import"))
    grow_old(sandbox, 3600)
    told = sandbox.lastgood("run", "demo-tool", "--version")
    (line,) = own_lines(told)
    shown = re.search(r"lastgood: (warning: `black`.* does not start .*)", README)
    assert shown is not None

    def shape(text: str) -> str:
        return re.sub(r"\(.*\)", "(…)", text).replace("black", "demo-tool").replace("26.2.0", "2.0").replace("26.1.0", "1.0")

    assert (told.out, shape(line)) == ("demo-tool 1.0\n", shape(shown[1]))
    assert sandbox.uvx("demo-tool").status != 0


def test_first_run_needs_the_index(index: Index, sandbox: Sandbox) -> None:
    """With nothing kept, no cache and no index, the run ends as uvx's does, and says what would help."""
    index.fault("refuse")
    told = sandbox.lastgood("run", "demo-tool")
    assert told.status == sandbox.uvx("demo-tool").status
    assert any("lastgood warm demo-tool" in line for line in own_lines(told))


def test_prefer_cache_runs_a_new_version_one_call_later(demo: Index, sandbox: Sandbox) -> None:
    """In prefer-cache a stale run is the old version, and the run after it the new one."""
    sandbox.env["LASTGOOD_MODE"] = "prefer-cache"
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    grow_old(sandbox, 3600)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_a_home_that_others_can_write_to_is_not_used(demo: Index, sandbox: Sandbox) -> None:
    """Then plain uvx runs, one line says so, and nothing is written there; a home that lastgood makes is the user's alone."""
    del demo
    sandbox.home.mkdir()
    sandbox.home.chmod(0o777)
    told = sandbox.lastgood("run", "demo-tool", "--version")
    assert (told.status, told.out, len(own_lines(told))) == (0, "demo-tool 1.0\n", 1)
    assert list(sandbox.home.iterdir()) == []
    sandbox.home.rmdir()
    keep(sandbox)
    assert sandbox.home.stat().st_mode & 0o777 == 0o700


def test_waits_of_a_host_that_is_down() -> None:
    """The pauses that the README gives are the breaker's."""
    assert (breaker.FIRST_WAIT, breaker.LONGEST_WAIT, behind.LONGEST) == (30.0, 300.0, 600)
    assert "not asked for 30 seconds, then for twice as long each time, up to 5 minutes" in README
    assert "for at most 10 minutes" in section("Limits")


# --- the documents themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link names a file of this repository."""
    links = re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name])
    broken = [link for link in links if "://" not in link and not (ROOT / link.partition("#")[0]).exists()]
    assert broken == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_no_machine(name: str) -> None:
    """Addresses are those of examples, and no path is one of somebody's machine."""
    text = DOCUMENTS[name]
    hosts = {found.partition(":")[0] for found in re.findall(r"https?://([^/\s`)\"]+)", text)}
    assert [host for host in sorted(hosts) if not host.endswith(".example")] == []
    assert re.findall(r"(?<![\w~.])/(?:home|root|Users|work|opt|usr)/\S*", text) == []
    assert re.findall(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", text) == []


def test_contributing_names_targets_that_exist() -> None:
    """Each `make` target and nox session that CONTRIBUTING names is there."""
    text = DOCUMENTS["CONTRIBUTING.md"]
    targets = set(re.findall(r"`make ([a-z-]+)`", text))
    assert targets
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [target for target in sorted(targets) if f"\n{target}:" not in makefile] == []
    sessions = set(re.findall(r"`nox -s ([a-z]+)`", text))
    assert sessions
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    assert [session for session in sorted(sessions) if f"\ndef {session}(" not in noxfile] == []


def test_every_program_is_linted() -> None:
    """What the hooks of this repository know by its first line, `ruff check .` reads, too."""
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    programs = [name for name in known if not name.endswith((".py", ".pyi")) and "python" in tags_from_path(str(ROOT / name))]
    settings_of_ruff = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]
    assert settings_of_ruff["extend-include"] == programs == ["scripts/lastgood"]


def test_the_changelog_tells_users_what_is_new() -> None:
    """What is not released comes first, a line for each change, and no command is left unmentioned."""
    text = DOCUMENTS["CHANGELOG.md"]
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles[0] == "Unreleased"
    new = text.partition("## Unreleased")[2].partition("\n## ")[0]
    lines = [line for line in new.splitlines() if line.strip()]
    assert all(line.startswith("- ") for line in lines)
    assert [verb for verb in app.VERBS if f"`lastgood {verb}" not in text] == []
