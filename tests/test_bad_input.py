"""Bad input: a mistake ends in one line that names it, exit status 2, and nothing written; never in a traceback.

What is wrong is named with the place where it stands (flag, variable, or file and key), the value, and what was expected. What uvx
itself would refuse is refused in uvx's own words: that is in the differential suite.
"""

from __future__ import annotations

import os
import re
import sys
import venv
from pathlib import Path

import pytest

import lastgood
from tests.support.kept import keep
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

MODES = "expected `prefer-latest`, `prefer-cache`, `strict-latest` or `strict-cache`"
DURATION = "expected seconds or a duration like `10m`"
CLASSES = "expected `unreachable`, `server-error`, `not-an-index`, `auth` or `not-found`"
NO_SPECIFIER = "pyproject.toml: `demo-tool` in [tool.lastgood.tools] is `{}`, which is no version specifier like `>=1.2,<2`"

FLAGS = {
    "an unknown mode": (["--mode", "latest"], f"invalid --mode `latest`: {MODES}; did you mean `strict-latest`?"),
    "a mode in capitals": (["--mode=STRICT-CACHE"], f"invalid --mode `STRICT-CACHE`: {MODES}; did you mean `strict-cache`?"),
    "an empty mode": (["--mode="], f"invalid --mode ``: {MODES}"),
    "a duration with an unknown unit": (["--max-age", "10x"], f"invalid --max-age `10x`: {DURATION}"),
    "a duration below zero": (["--patience=-1"], f"invalid --patience `-1`: {DURATION}"),
    "a duration that is no number": (["--stale-max", "nan"], f"invalid --stale-max `nan`: {DURATION}"),
    "a duration in powers of ten": (["--max-age", "1e5"], f"invalid --max-age `1e5`: {DURATION}"),
    "a duration with two points": (["--max-age", "1.2.3"], f"invalid --max-age `1.2.3`: {DURATION}"),
    "a duration with two units": (["--max-age", "1h30m"], f"invalid --max-age `1h30m`: {DURATION}"),
    "a duration in other digits": (["--max-age", "١٠m"], f"invalid --max-age `١٠m`: {DURATION}"),
    "an empty duration": (["--max-age="], f"invalid --max-age ``: {DURATION}"),
    "an unknown class": (["--fallback-on", "auth,foo"], f"invalid --fallback-on `foo`: {CLASSES}"),
    "a flag without its value": (["--max-age"], "a value is required for `--max-age`"),
    "a flag twice": (["--max-age", "1", "--max-age", "2"], "`--max-age` cannot be used twice"),
    "a switch with a value": (["--prefer-offline=yes"], "`--prefer-offline` takes no value"),
    "two modes": (
        ["--mode", "strict-cache", "--mode", "strict-cache"],
        "`--mode` cannot be used with `--mode`: both choose the mode",
    ),
    "two mode words": (
        ["--prefer-offline", "--mode", "strict-latest"],
        "`--mode` cannot be used with `--prefer-offline`: both choose the mode",
    ),
    "a mode word and one of uvx's": (
        ["--prefer-offline", "--refresh"],
        "`--prefer-offline` cannot be used with `--refresh`: both choose the mode",
    ),
    "a mode and --offline": (
        ["--mode=prefer-latest", "--offline"],
        "`--mode` cannot be used with `--offline`: both choose the mode",
    ),
}
NO_TOOL = {
    "for a duration": (["--max-age", "demo-tool"], f"invalid --max-age `demo-tool`: {DURATION}"),
    "for classes": (["-q", "--fallback-on", "demo-tool"], f"invalid --fallback-on `demo-tool`: {CLASSES}"),
    "for a date": (["--cooldown", "demo-tool", "--"], "invalid --cooldown `demo-tool`: expected a duration like `7d`, or a date"),
}
VARIABLES = {
    "an unknown mode": ("LASTGOOD_MODE", "offline", f"invalid LASTGOOD_MODE `offline`: {MODES}"),
    "a duration with an unknown unit": ("LASTGOOD_MAX_AGE", "10x", f"invalid LASTGOOD_MAX_AGE `10x`: {DURATION}"),
    "a blank duration": ("LASTGOOD_PATIENCE", " ", f"invalid LASTGOOD_PATIENCE ` `: {DURATION}"),
    "a duration below zero": ("LASTGOOD_STALE_MAX", "-5m", f"invalid LASTGOOD_STALE_MAX `-5m`: {DURATION}"),
    "an unknown class": (
        "LASTGOOD_FALLBACK_ON",
        "unreachabel",
        f"invalid LASTGOOD_FALLBACK_ON `unreachabel`: {CLASSES}; did you mean `unreachable`?",
    ),
    "a switch that is none": ("LASTGOOD_QUIET", "banana", "invalid LASTGOOD_QUIET `banana`: expected a switch like `1` or `0`"),
    "a value of two lines": ("LASTGOOD_MODE", "a\nb", f"invalid LASTGOOD_MODE `a\\nb`: {MODES}"),
    "a value that would paint the terminal": ("LASTGOOD_MODE", "\033[31mx", f"invalid LASTGOOD_MODE `\\x1b[31mx`: {MODES}"),
    "a value that is no text": ("LASTGOOD_MODE", "\udcff", f"invalid LASTGOOD_MODE `\\xff`: {MODES}"),
}
SECTIONS = {
    "an unknown mode": ('mode = "fast"', f"invalid `mode` in [tool.lastgood] of pyproject.toml `fast`: {MODES}"),
    "a malformed duration": ('max-age = "ten"', f"invalid `max-age` in [tool.lastgood] of pyproject.toml `ten`: {DURATION}"),
    "a duration below zero": ("patience = -1", f"invalid `patience` in [tool.lastgood] of pyproject.toml `-1`: {DURATION}"),
    "a mode that is no text": ("mode = 3", "pyproject.toml: invalid `mode` `3`: expected text"),
    "a switch for a duration": ("max-age = true", f"pyproject.toml: invalid `max-age` `true`: {DURATION}"),
    "a list for a duration": ("patience = [1]", f"pyproject.toml: invalid `patience` `[1]`: {DURATION}"),
    "a switch for a mode": ("mode = false", "pyproject.toml: invalid `mode` `false`: expected text"),
    "classes that are no list": ("fallback-on = 3", "pyproject.toml: invalid `fallback-on` `3`: expected a list of words"),
    "an unknown class": (
        'fallback-on = ["timeout"]',
        f"invalid `fallback-on` in [tool.lastgood] of pyproject.toml `timeout`: {CLASSES}",
    ),
    "an underscore in a key": (
        'max_age = "1h"',
        "pyproject.toml: unknown key `max_age` in [tool.lastgood]; did you mean `max-age`?",
    ),
    "a misspelt key": (
        'patiance = "1s"',
        "pyproject.toml: unknown key `patiance` in [tool.lastgood]; did you mean `patience`?",
    ),
    "a key like no other": ("zzz = 1", "pyproject.toml: unknown key `zzz` in [tool.lastgood]"),
    "a setting that no file may hold": ('home = "/"', "pyproject.toml: unknown key `home` in [tool.lastgood]"),
    "tools that are no table": ("tools = 3", "pyproject.toml: `tools` is no table"),
    "a tool that is a number": (
        "tools.x = 3",
        "pyproject.toml: invalid `x` in [tool.lastgood.tools]: expected a version specifier or a table",
    ),
    "a tool that is no requirement": ('tools.demo-tool = "the newest"', NO_SPECIFIER.format("the newest")),
    "a tool that is a bare version": ('tools.demo-tool = "1.2"', f"{NO_SPECIFIER.format('1.2')}; did you mean `==1.2`?"),
    "an unknown key of a tool": (
        'tools.demo-tool = { versoin = "==1.0" }',
        "pyproject.toml: unknown key `versoin` of `demo-tool` in [tool.lastgood.tools]; did you mean `version`?",
    ),
    "a tool from a path": (
        'tools.demo-tool = { from = "../elsewhere" }',
        "pyproject.toml: invalid `from` of `demo-tool` in [tool.lastgood.tools]: `../elsewhere` is not the name of a package",
    ),
    "a tool with a word": (
        'tools.demo-tool = { with = "demo-dep" }',
        "pyproject.toml: invalid `with` of `demo-tool` in [tool.lastgood.tools]: expected a list of words",
    ),
    "a tool with numbers": (
        "tools.demo-tool = { extras = [1] }",
        "pyproject.toml: invalid `extras` of `demo-tool` in [tool.lastgood.tools]: expected a list of words",
    ),
    "an interpreter that is a number": (
        "tools.demo-tool = { python = 3.12 }",
        "pyproject.toml: invalid `python` of `demo-tool` in [tool.lastgood.tools]: expected text",
    ),
    "a tool's own mode": (
        'tools.demo-tool = { mode = "fast" }',
        f"invalid `mode` in `demo-tool` in [tool.lastgood.tools] of pyproject.toml `fast`: {MODES}",
    ),
    "a tool whose name leads up": (
        'tools."../../etc" = "*"',
        "pyproject.toml: `../../etc` in [tool.lastgood.tools] is no name of a tool",
    ),
    "a tool whose name is a place": (
        'tools."/bin/sh" = "*"',
        "pyproject.toml: `/bin/sh` in [tool.lastgood.tools] is no name of a tool",
    ),
    "a tool whose name is empty": ('tools."" = "*"', "pyproject.toml: `` in [tool.lastgood.tools] is no name of a tool"),
    "a tool whose name is hidden": ('tools.".x" = "*"', "pyproject.toml: `.x` in [tool.lastgood.tools] is no name of a tool"),
}
BROKEN = {
    "a value that is missing": (b"a = 1\nb =\n", ":2:4: invalid TOML: invalid value"),
    "a table that is not closed": (b"[tool.lastgood\n", ":1:15: invalid TOML: expected ']' at the end of a table declaration"),
    "a key twice": (b"a = 1\na = 2\n", ":2:6: invalid TOML: cannot overwrite a value"),
    "an end within a list": (b"[tool.lastgood]\nmode = [1,\n", ":3:1: invalid TOML: invalid value\n"),
    "an end within a line": (b'a = 1\nb = "x', ":2:7: invalid TOML: unterminated string\n"),
    "an end within the first line": (b"abc", ":1:4: invalid TOML: expected '=' after a key in a key/value pair\n"),
    "bytes that are no text": (b"a = '\xff'\n", ":1:6: invalid TOML: it is not UTF-8"),
    "nothing but noise": (bytes(range(1, 256)), ":2:118: invalid TOML: it is not UTF-8"),
    "a nest without an end": (b"a = " + b"[" * 50_000, ": invalid TOML: "),
}
LEADING_UP = ("..", "../x", "demo-tool/../x", "a/../../b", "demo-tool\\..\\x", "../../x/..", "/../x")
PATH_TRICKS = (".", "/", "//", "~", "~/x", "-", "con:", "*", "%00", "./x", "/x/y", "demo-tool/x")


def files_of(sandbox: Sandbox) -> list[str]:
    """Return every path in the sandbox: what was written shows."""
    return sorted(str(path.relative_to(sandbox.root)) for path in sandbox.root.rglob("*"))


def assert_one_line(sandbox: Sandbox, before: list[str], result: Result, expected: str) -> None:
    """One line with these words, exit status 2, nothing on stdout, nothing written, nothing started."""
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {expected}\n")
    assert files_of(sandbox) == before
    assert sandbox.starts() == 0


@pytest.mark.parametrize(("words", "said"), FLAGS.values(), ids=FLAGS)
def test_a_flag_with_a_bad_value(demo: Index, sandbox: Sandbox, words: list[str], said: str) -> None:
    """The flag, the value and what was expected, in one line."""
    before = files_of(sandbox)
    target = [] if len(words) == 1 and "value is required" in said else ["demo-tool"]
    assert_one_line(sandbox, before, sandbox.lastgood("run", *words, *target), said)
    assert demo.requests() == []


@pytest.mark.parametrize(("name", "value", "said"), VARIABLES.values(), ids=VARIABLES)
def test_a_variable_with_a_bad_value(demo: Index, sandbox: Sandbox, name: str, value: str, said: str) -> None:
    """The variable, the value with anything unprintable made visible, and what was expected."""
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool", env={name: value}), said)
    assert demo.requests() == []


@pytest.mark.parametrize(("text", "said"), SECTIONS.values(), ids=SECTIONS)
def test_a_project_with_a_bad_setting(demo: Index, sandbox: Sandbox, text: str, said: str) -> None:
    """The file, the key, the value and what was expected, whether the setting matters for this run or not."""
    (sandbox.work / "pyproject.toml").write_text(f"[tool.lastgood]\n{text}\n", "utf-8")
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool"), said)
    assert demo.requests() == []


def test_a_bad_setting_is_found_wherever_it_stands(demo: Index, sandbox: Sandbox) -> None:
    """In a lastgood.toml, in a directory further up, in the user's own file."""
    below = sandbox.work / "a" / "b"
    below.mkdir(parents=True)
    own = sandbox.config_home / "lastgood" / "lastgood.toml"
    own.parent.mkdir()
    suggestion = "unknown key `modus`; did you mean `mode`?"
    for path, shown in ((sandbox.work / "lastgood.toml", "lastgood.toml"), (own, str(own))):
        path.write_text('modus = "fast"\n', "utf-8")
        before = files_of(sandbox)
        assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool"), f"{shown}: {suggestion}")
        result = sandbox.lastgood("run", "demo-tool", cwd=below)
        assert (result.status, result.err.count("\n"), f"lastgood.toml: {suggestion}" in result.err) == (2, 1, True)
        path.unlink()
    assert demo.requests() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "lastgood.toml"])
@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_toml(demo: Index, sandbox: Sandbox, name: str, content: bytes, said: str) -> None:
    """The file, and where the parser can tell, line and column."""
    (sandbox.work / name).write_bytes(content)
    before = files_of(sandbox)
    result = sandbox.lastgood("run", "demo-tool")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result.err
    assert result.err.startswith(f"lastgood: error: {name}{said}")
    assert files_of(sandbox) == before
    assert demo.requests() == []


def test_a_mistake_that_is_made_later_is_seen(demo: Index, sandbox: Sandbox) -> None:
    """A fresh record does not hide that a file has become invalid; once it is put right, the tool runs again."""
    keep(sandbox)
    sandbox.clear_starts()
    path = sandbox.work / "pyproject.toml"
    path.write_text("[tool.lastgood]\nmode = \n", "utf-8")
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool"), "pyproject.toml:2:8: invalid TOML: invalid value")
    path.write_text('[tool.lastgood]\nmode = "prefer-cache"\n', "utf-8")
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
    assert len(demo.requests("file")) == 1


def test_a_file_of_another_program_does_no_harm(demo: Index, sandbox: Sandbox) -> None:
    """Sections that are none of lastgood's are not looked at, whatever they say."""
    (sandbox.work / "pyproject.toml").write_text('[tool]\nlastgod = 1\n[tool.ruff]\nmode = "fast"\n', "utf-8")
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
    assert len(demo.requests("file")) == 1


@pytest.mark.parametrize("kind", ["directory", "pipe"])
@pytest.mark.parametrize("name", ["pyproject.toml", "lastgood.toml", "the user's own"])
def test_a_configuration_that_is_no_file(demo: Index, sandbox: Sandbox, name: str, kind: str) -> None:
    """A directory, or a pipe that nobody writes to, says nothing and hides nothing further up: uvx would not read it either."""
    below = sandbox.work / "below"
    path = sandbox.config_home / "lastgood" / "lastgood.toml" if name == "the user's own" else below / name
    for place in {below, path.parent}:
        place.mkdir()
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    (sandbox.work / "lastgood.toml").write_text('mode = "prefer-cache"\n', "utf-8")
    for _ in range(2):
        result = sandbox.lastgood("run", "demo-tool", "--version", cwd=below, timeout=60)
        assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result
    assert len(demo.requests("file")) == 1
    explained = sandbox.lastgood("why", "demo-tool", cwd=below, timeout=60).out
    assert re.search(r"mode +prefer-cache  \(`mode` in .*lastgood.toml:1\)", explained), explained
    assert sandbox.lastgood("doctor", cwd=below, timeout=60).status in {0, 1}


def test_nothing_to_run(sandbox: Sandbox) -> None:
    """An empty argument list."""
    before = files_of(sandbox)
    for words in ((), ("--",)):
        said = "no tool is named; run `lastgood run TOOL`, or `lastgood run --help`"
        assert_one_line(sandbox, before, sandbox.lastgood("run", *words), said)


@pytest.mark.parametrize(("words", "said"), NO_TOOL.values(), ids=NO_TOOL)
def test_a_tool_where_a_value_belongs(demo: Index, sandbox: Sandbox, words: list[str], said: str) -> None:
    """Where a flag has taken the tool for its value, the flag is named; uvx would only say that it has no command."""
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", *words), said)
    assert demo.requests() == []


@pytest.mark.parametrize("words", [(), ("--",)])
def test_nothing_to_explain(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """`why` without a tool is the same mistake as `run` without one."""
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("why", *words), "no tool is named; run `lastgood why TOOL`")


@pytest.mark.parametrize("name", LEADING_UP)
@pytest.mark.parametrize("before_it", [(), ("--from",)], ids=["tool", "from"])
def test_a_tool_name_that_leads_up(demo: Index, sandbox: Sandbox, name: str, before_it: tuple[str, ...]) -> None:
    """Where nothing is that uvx could run, one line says so; uvx has two, writes its cache and says `--with`."""
    before = files_of(sandbox)
    after_it = ("demo-tool",) if before_it else ()
    expected = f"`{name}` is no name of a package, and no Python project is there; name a package, or a path to a project"
    for verb in ("run", "why"):
        assert_one_line(sandbox, before, sandbox.lastgood(verb, *before_it, name, *after_it), expected)
    assert sandbox.uvx(*before_it, name, *after_it).status != 0
    assert demo.requests("file") == []


@pytest.mark.parametrize("name", PATH_TRICKS)
def test_a_tool_name_that_is_a_path(demo: Index, sandbox: Sandbox, name: str) -> None:
    """What is wrong with it is said by uvx, in its words and with its status; lastgood makes no file of that name, nowhere."""
    theirs = sandbox.uvx(name)
    before = files_of(sandbox)
    ours = sandbox.lastgood("run", name)
    assert (ours.status, ours.out, ours.err) == (theirs.status, theirs.out, theirs.err)
    assert ours.status != 0
    assert [path for path in files_of(sandbox) if path not in before and not path.startswith("uv-cache")] == []
    assert (sandbox.starts(), demo.requests("file")) == (0, [])


@pytest.mark.parametrize("name", ["../x", "..", "demo-tool/../x", "demo-tool\\..\\x", "~", "*", "%00", ".x"])
def test_what_can_be_no_name_is_not_refreshed(demo: Index, sandbox: Sandbox, name: str) -> None:
    """A sign, or a path that leads up to nothing, is of no use to `warm`, whatever else is named; `rollback` says the same."""
    before = files_of(sandbox)
    for verb in (["warm", "demo-tool"], ["warm"], ["warm", "--check"], ["rollback"], ["status"]):
        assert_one_line(sandbox, before, sandbox.lastgood(*verb, name), f"`{name}` is no name of a tool")
    assert demo.requests() == []


@pytest.mark.parametrize("words", ["python3.12", "demo-tool; python_version > '3'", ".", "./x", "/x/y", "../project"])
def test_what_is_a_name_and_cannot_be_kept_is_no_mistake(demo: Index, sandbox: Sandbox, words: str) -> None:
    """Nor is a path that uvx may be able to run: it could not be done, exit status 1, and the reason."""
    project = sandbox.work.parent / "project"
    project.mkdir()
    (project / "setup.py").touch()
    result = sandbox.lastgood("warm", words)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"lastgood: error: `{words}` cannot be kept: ")
    assert demo.requests() == []


def test_a_path_that_leads_up_to_a_project(sandbox: Sandbox) -> None:
    """A project, or a file that uv may be able to read, goes to uvx as it is; from where `--directory` leads, too."""
    below = sandbox.work / "a place" / "below"
    below.mkdir(parents=True)
    (sandbox.work / "x.whl").touch()
    for place, words in ((below, [".."]), (sandbox.work, ["--directory", "a place/below", ".."])):
        (below.parent / "setup.py").touch()
        ours, theirs = sandbox.lastgood("run", *words, cwd=place), sandbox.uvx(*words, cwd=place)
        assert (ours.status, ours.out, ours.err) == (theirs.status, theirs.out, theirs.err)
        assert "setup.py" in ours.err
        (below.parent / "setup.py").unlink()
        refused = sandbox.lastgood("run", *words, cwd=place)
        assert (refused.status, refused.err.count("\n"), "no Python project is there" in refused.err) == (2, 1, True), refused
    for file in ("../../x.whl", "../../x.whl#sha256=0"):
        assert sandbox.lastgood("run", file, cwd=below).err == sandbox.uvx(file, cwd=below).err


@pytest.mark.parametrize(
    "source",
    [
        "../{}[x]",
        "../{}; python_version > '3'",
        "../{}[x] ; python_version > '3'",
        "${{PLACE}}/../{}",
        "../${{WHEEL}}",
        "../{} ",
        "nowhere/../../{}",
    ],
)
def test_a_path_that_says_more_than_a_path(sandbox: Sandbox, source: str) -> None:
    """Extras, a marker, a variable, blanks, and what only uv's reading of `..` finds: uvx runs it, and so does lastgood."""
    wheel = demo_tool("1.0").write(sandbox.root).name
    sandbox.env |= {"PLACE": str(sandbox.work), "WHEEL": wheel}
    named = source.format(wheel)
    for words in (("--from", named, "demo-tool"), (named,)):
        theirs, ours = sandbox.uvx(*words, "--version"), sandbox.lastgood("run", *words, "--version")
        assert (theirs.status, theirs.out) == (0, "demo-tool 1.0\n"), theirs
        assert (ours.status, ours.out) == (0, "demo-tool 1.0\n"), ours
    warmed = sandbox.lastgood("warm", named)
    assert (warmed.status, "cannot be kept" in warmed.err) == (1, True), warmed


@pytest.mark.parametrize("name", ["..", "../x", "/", "a/b", "demo tool", ""])
def test_a_name_that_no_state_may_have(sandbox: Sandbox, name: str) -> None:
    """The commands that people use refuse it, too, in one line."""
    before = files_of(sandbox)
    result = sandbox.lastgood("warm", name)
    assert (result.status in {1, 2}, result.out, result.err.count("\n")) == (True, "", 1), result.err
    assert result.err.startswith("lastgood: error: ")
    assert files_of(sandbox) == before


@pytest.mark.parametrize("verb", ["rollback", "hold", "unhold", "history", "status"])
def test_a_name_that_nothing_can_be_kept_under(sandbox: Sandbox, verb: str) -> None:
    """The commands about what is kept say that it is no name, and advise nothing that could not work either."""
    before = files_of(sandbox)
    for name in ("../../x", "/etc/x", "a/b", ".", "..", "~", "demo-tool\\..\\x", " ", ""):
        assert_one_line(sandbox, before, sandbox.lastgood(verb, name), f"`{name}` is no name of a tool")
    for name in ("demo-tool", "git+https://index.example/demo-tool", "_demo"):
        assert "is no name of a tool" not in sandbox.lastgood(verb, name).err


def test_no_uv_anywhere(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither on PATH nor beside lastgood: one line that says what to do."""
    venv.create(tmp_path / "bare", symlinks=True)
    for name in ("uv", "uvx"):
        (sandbox.bin / name).unlink()
    env = {"PYTHONPATH": str(Path(lastgood.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    before = files_of(sandbox)
    for words in (["demo-tool"], ["--isolated"], ["--no-cache", "demo-tool"]):
        result = sandbox.run([str(tmp_path / "bare" / "bin" / "python"), "-m", "lastgood", "run", *words], env=env)
        assert_one_line(sandbox, before, result, "`uv` was not found on PATH; install uv or set `LASTGOOD_UV` to its path")
    assert demo.requests() == []


@pytest.mark.parametrize("words", [["demo-tool"], ["--no-cache", "demo-tool"]])
def test_a_uv_that_is_none(demo: Index, sandbox: Sandbox, words: list[str]) -> None:
    """What LASTGOOD_UV names has to be a program; nothing else is taken instead."""
    for value in (sandbox.root / "none", sandbox.work, sandbox.config_home):
        before = files_of(sandbox)
        said = f"`LASTGOOD_UV` is `{value}`, which is no program; set it to the path of uv, or unset it"
        assert_one_line(sandbox, before, sandbox.lastgood("run", *words, env={"LASTGOOD_UV": str(value)}), said)
    assert demo.requests() == []


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_a_uv_that_is_another_program(demo: Index, sandbox: Sandbox, program: str) -> None:
    """What succeeds without a word whatever it is told would look like a tool that ran; what fails so, like nothing at all."""
    said = f"`{program}` (LASTGOOD_UV) is no uv: it ended without starting anything"
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool", env={"LASTGOOD_UV": program}), said)
    demo.publish(demo_tool("1.0", name="other-tool"))
    assert sandbox.lastgood("run", "other-tool").status == 0
    sandbox.wait_quiet()
    sandbox.clear_starts()
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "demo-tool", env={"LASTGOOD_UV": program}), said)


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/echo"])
def test_a_uv_that_is_another_program_where_plain_uvx_runs(demo: Index, sandbox: Sandbox, program: str) -> None:
    """A hook or a step of CI may not pass without having run anything; a uv that is one runs the same words."""
    wheel = f"./{demo_tool('1.0').write(sandbox.work).name}"
    said = f"`{program}` (LASTGOOD_UV) is no uv: it ended without starting anything"
    before = files_of(sandbox)
    for words in ([wheel, "--version"], ["--no-cache", "demo-tool", "--version"], ["--help"]):
        assert_one_line(sandbox, before, sandbox.lastgood("run", "--prefer-cache", *words, env={"LASTGOOD_UV": program}), said)
    assert demo.requests() == []
    result = sandbox.lastgood("run", wheel, "--version", env={"LASTGOOD_UV": str(sandbox.bin / "uv")})
    assert (result.status, result.out, result.err.count("lastgood")) == (0, "demo-tool 1.0\n", 0), result


def test_a_uv_that_has_become_another_program(demo: Index, sandbox: Sandbox) -> None:
    """What is kept runs without it; where nothing may stand in for the index, one line says what is wrong."""
    keep(sandbox)
    broken = {"LASTGOOD_UV": "/bin/false"}
    said = "`/bin/false` (LASTGOOD_UV) is no uv: it ended without starting anything"
    result = sandbox.lastgood("run", "--refresh", "demo-tool", env=broken)
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {said}\n")
    result = sandbox.lastgood("run", "--max-age=0", "demo-tool", "--version", env=broken)
    assert (result.status, result.out) == (0, "demo-tool 1.0\n")
    assert result.err.startswith("lastgood: warning: running `demo-tool` 1.0, ")
    assert result.err.endswith(f": the index could not be asked ({said})\n")
    sandbox.wait_quiet()


@pytest.mark.parametrize("below", [False, True])
def test_a_home_that_is_a_file(demo: Index, sandbox: Sandbox, below: bool) -> None:  # noqa: FBT001  # a column of the table
    """Or that would lie below one."""
    sandbox.home.write_text("not a directory", "utf-8")
    before = files_of(sandbox)
    home = sandbox.home / "below" if below else sandbox.home
    reason = f"{'a part of the path is' if below else 'it is'} a file; set `LASTGOOD_HOME` to a directory"
    result = sandbox.lastgood("run", "demo-tool", env={"LASTGOOD_HOME": str(home)})
    assert_one_line(sandbox, before, result, f"`{home}` cannot be the home of lastgood: {reason}")
    assert (sandbox.home.read_text("utf-8"), demo.requests()) == ("not a directory", [])


def test_mistakes_are_told_even_where_silence_is_asked_for(demo: Index, sandbox: Sandbox) -> None:
    """LASTGOOD_QUIET drops warnings; an error stays."""
    before = files_of(sandbox)
    result = sandbox.lastgood("run", "--mode", "x", "demo-tool", env={"LASTGOOD_QUIET": "1"})
    assert_one_line(sandbox, before, result, f"invalid --mode `x`: {MODES}")
    assert demo.requests() == []


@pytest.mark.parametrize("python_option", ["-I", "-O", "-X utf8=0"])
def test_a_mistake_is_one_line_under_any_interpreter_option(sandbox: Sandbox, python_option: str) -> None:
    """The exit status and the line do not depend on how lastgood's own interpreter was started."""
    before = files_of(sandbox)
    command = [sys.executable, *python_option.split(), "-m", "lastgood", "run", "--mode", "ü", "demo-tool"]
    env = {"LANG": None, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
    result = sandbox.run(command, env=env)
    assert_one_line(sandbox, before, result, f"invalid --mode `ü`: {MODES}")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('cooldown = "zz"', "invalid `cooldown` in lastgood.toml `zz`: expected a duration like `7d`, or a date"),
        ('cooldown = "90"', "invalid `cooldown` in lastgood.toml `90`: expected a duration like `7d`, or a date"),
        ('[tools]\nx = { with = ["!!"] }', "lastgood.toml: `!!` in `with` of `x` in [tools] is not the name of a package"),
        ('[tools]\nx = { extras = ["!!"] }', "lastgood.toml: `!!` in `extras` of `x` in [tools] is not the name of an extra"),
        ("[tools]\nx = { check = [] }", "lastgood.toml: `check` of `x` in [tools] is empty; leave it out"),
        ('[tools]\nx = { from = "" }', "lastgood.toml: `from` of `x` in [tools] is empty; leave it out"),
        (
            '[tools]\nx = { from = "y@latest", version = ">1" }',
            "lastgood.toml: `x` in [tools] has a `version`, and `from` asks for the latest",
        ),
        ('[tools]\nRuff = "*"\nruff = "*"', "lastgood.toml: `Ruff` and `ruff` in [tools] are the same tool"),
    ],
)
def test_what_would_only_fail_in_uv(sandbox: Sandbox, table: str, said: str) -> None:
    """What cannot be meant is told with file and key before uv is asked, and nothing is written."""
    (sandbox.work / "lastgood.toml").write_text(table + "\n", "utf-8")
    before = files_of(sandbox)
    assert_one_line(sandbox, before, sandbox.lastgood("run", "x"), said)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("max-age", "10x", DURATION), ("mode", "prefer-lates", f"{MODES}; did you mean `prefer-latest`?")],
)
def test_a_bad_setting_of_any_tool_of_the_table(demo: Index, sandbox: Sandbox, key: str, value: str, expected: str) -> None:
    """Every command that reads the table names file and key, whichever tool the entry is about."""
    keep(sandbox)
    said = f"invalid `{key}` in `demo-tool` in [tool.lastgood.tools] of pyproject.toml `{value}`: {expected}"
    (sandbox.work / "pyproject.toml").write_text(f'[tool.lastgood.tools]\ndemo-tool = {{ {key} = "{value}" }}\n', "utf-8")
    for words in (("run", "other-tool"), ("why", "other-tool"), ("status",), ("mk",), ("add", "ruff")):
        result = sandbox.lastgood(*words)
        assert (result.status, result.err) == (2, f"lastgood: error: {said}\n"), result
        assert f"{value} " not in result.out, result
    result = sandbox.lastgood("doctor")
    assert (result.status, said in result.out) == (1, True), result
