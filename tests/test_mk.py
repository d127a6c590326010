"""`lastgood mk` under a real make: one variable per tool of the table, a target `warm`, and what a makefile says when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from pathlib import Path

import pytest

from tests.support.documents import ROOT
from tests.support.kept import all_records, own_lines
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")

MISSING = "lastgood is missing, or see above"
INCLUDE = f"include $(or $(shell lastgood mk),$(error {MISSING}))\n"
MAKEFILE = f"""{INCLUDE}
lint:
	$(DEMO_TOOL) --echo check .
other:
	$(OTHER_TOOL) --version
"""


def make(sandbox: Sandbox, *words: str, ordinary: bool = False) -> Result:
    """Run make, with lastgood on PATH, and say nothing of directories."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{sandbox.env['PATH']}"
    argv = ["make", "-s", "--no-print-directory", *words]
    return sandbox.run(as_ordinary_user(argv) if ordinary else argv, env={"PATH": path})


def table(sandbox: Sandbox, *lines: str) -> None:
    """Write the tools table of the project."""
    (sandbox.work / "pyproject.toml").write_text("\n".join(["[tool.lastgood.tools]", *lines, ""]), "utf-8")


@pytest.fixture
def project(demo: Index, sandbox: Sandbox) -> Sandbox:
    """Make a user in a project with a makefile and a table that names two tools of the index."""
    demo.publish(demo_tool("2.0"))
    demo.publish(demo_tool("1.0", name="other.tool"))
    table(sandbox, 'demo-tool = "<2"', '"other.tool" = "*"')
    (sandbox.work / "Makefile").write_text(MAKEFILE, "utf-8")
    return sandbox


def test_a_variable_per_tool(project: Sandbox) -> None:
    """`$(DEMO_TOOL)` is the tool of the table, in the version that the table says, and whatever follows is its arguments."""
    told = make(project, "lint", "other")
    assert (told.status, told.out, own_lines(told)) == (0, "check\n.\nother.tool 1.0\n", [])
    assert project.start_lines()[0].startswith("demo-tool 1.0 ")
    assert len(all_records(project)) == 2


def test_a_bare_make_makes_the_first_target_of_the_makefile(project: Sandbox) -> None:
    """The include comes first and brings a target of its own, which does not become what a bare `make` does."""
    told = make(project)
    assert (told.status, told.out) == (0, "check\n.\n"), told
    (project.work / "Makefile").write_text(f"first:\n\techo first\n{MAKEFILE}", "utf-8")
    assert make(project).out == "first\n"
    (project.work / "Makefile").write_text(f".DEFAULT_GOAL := other\n{MAKEFILE}", "utf-8")
    assert make(project).out == "other.tool 1.0\n"


def test_make_warm(project: Sandbox) -> None:
    """`make warm` fetches what the table names and starts nothing; then the tools run with the index off."""
    told = make(project, "warm")
    assert (told.status, told.out, project.starts()) == (0, "", 0), told
    assert {record.tool for record in all_records(project)} == {"demo-tool", "other.tool"}
    assert project.index is not None
    project.index.stop()
    told = make(project, "lint", "other")
    assert (told.status, told.out, told.err) == (0, "check\n.\nother.tool 1.0\n", "")


def test_a_file_named_warm_is_no_obstacle(project: Sandbox) -> None:
    """The target is no file."""
    (project.work / "warm").touch()
    assert make(project, "warm").status == 0
    assert len(all_records(project)) == 2


@pytest.mark.parametrize("own", ["warm: ; @echo mine", "warm:: ; @echo mine", ".PHONY: warm\nwarm: ; @echo mine"])
@pytest.mark.parametrize("first", [True, False])
def test_a_target_warm_of_the_makefiles_own_wins_in_silence(project: Sandbox, own: str, *, first: bool) -> None:
    """A project that has a target `warm` keeps it, wherever the include stands; `make lastgood-warm` fetches."""
    (project.work / "Makefile").write_text(f"{own}\n{INCLUDE}" if first else f"{INCLUDE}\n{own}\n", "utf-8")
    told = make(project, "--warn-undefined-variables", "warm")
    assert (told.status, told.out, told.err, all_records(project)) == (0, "mine\n", "", []), told
    assert make(project).out == "mine\n"
    assert make(project, "lastgood-warm").status == 0
    assert len(all_records(project)) == 2


@pytest.mark.parametrize(
    "phony",
    [
        ".PHONY: lint warm",
        ".PHONY: lint \\\n  warm",
        "GOALS = lint warm\n.PHONY: $(GOALS)",
        ".PHONY: warm\nwarm: export A = b",
        "warm := 1\n.PHONY: warm  # warm: see the README",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_phony_warm_without_a_rule_fetches(project: Sandbox, phony: str, *, first: bool) -> None:
    """A makefile that only lists `warm` among its phony targets has the one of lastgood, wherever the include stands."""
    lines = f"{phony}\nlint: ; @echo lint\n"
    (project.work / "Makefile").write_text(f"{lines}{INCLUDE}" if first else f"{INCLUDE}{lines}", "utf-8")
    told = make(project, "--warn-undefined-variables", "warm")
    assert (told.status, told.out, own_lines(told)[-1:]) == (0, "", ["kept `demo-tool` 1.0, `other.tool` 1.0"]), told
    assert make(project).out == "lint\n"


@pytest.mark.parametrize(
    "rule", ["warm: ## fetch (mode=all)\n\t@echo mine", "lint \\\n warm:\n\t@echo mine", "warm:\ninclude more.mk"]
)
def test_how_a_rule_for_warm_may_be_written(project: Sandbox, rule: str) -> None:
    """With a comment, among other targets; and a line `warm:` leaves the name to a rule that is read later."""
    (project.work / "more.mk").write_text("warm: ; @echo mine\n", "utf-8")
    (project.work / "Makefile").write_text(f"{INCLUDE}{rule}\n", "utf-8")
    told = make(project, "--warn-undefined-variables", "warm")
    assert (told.status, told.out, told.err) == (0, "mine\n", ""), told


def test_a_rule_for_warm_that_is_read_later(project: Sandbox) -> None:
    """A recipe in a file that is included afterwards wins, with the warning of make's that two recipes have."""
    (project.work / "more.mk").write_text("warm: ; @echo mine\n", "utf-8")
    (project.work / "Makefile").write_text(f"{INCLUDE}include more.mk\n", "utf-8")
    told = make(project, "warm")
    assert (told.status, told.out, told.err.count("warning:")) == (0, "mine\n", 2), told


def test_warm_among_the_targets_of_the_makefile(project: Sandbox) -> None:
    """What needs `warm` gets it, once; what the makefile adds to it comes first; a phony `warm` says whose it is."""
    targets = "all: one two\none two: warm\nwarm: before\nbefore: ; @echo before\n"
    (project.work / "Makefile").write_text(f"{INCLUDE}\n{targets}", "utf-8")
    told = make(project, "-j2", "all")
    assert (told.status, told.out, len(all_records(project))) == (0, "before\n", 2), told
    assert told.err.count("lastgood: kept `demo-tool` 1.0, `other.tool` 1.0") == 1, told
    (project.work / "Makefile").write_text(f"{INCLUDE}\n.PHONY: warm\nwarm: lastgood-warm\n", "utf-8")
    assert "lastgood: unchanged: `demo-tool` 1.0, `other.tool` 1.0" in make(project, "warm").err


def test_no_other_target_is_touched(project: Sandbox) -> None:
    """Targets of like names are what they are without the include, also where a rule catches all."""
    names = ["alarm", "farm", "war", "warn", "warmer", "swarm", "warms"]
    (project.work / "Makefile").write_text(f"{INCLUDE}\n%: ; @echo caught $@\n", "utf-8")
    told = make(project, *names)
    assert (told.status, told.out.splitlines()) == (0, [f"caught {name}" for name in names]), told
    (project.work / "Makefile").write_text(INCLUDE, "utf-8")
    told = make(project, "alarm")
    assert (told.status, "No rule to make target" in told.err) == (2, True), told


def test_two_makefiles_that_both_include(project: Sandbox) -> None:
    """A makefile that includes another one with the same line is told nothing of it."""
    (project.work / "more.mk").write_text(INCLUDE, "utf-8")
    (project.work / "Makefile").write_text(f"include more.mk\n{MAKEFILE}", "utf-8")
    told = make(project, "lint")
    assert (told.status, told.out, own_lines(told), "warning" in told.err) == (0, "check\n.\n", [], False), told


def test_the_next_make_sees_what_changed(project: Sandbox) -> None:
    """A version that changes, a tool that comes and a tool that goes in the table are seen by the next make."""
    assert make(project, "other").status == 0
    table(project, 'demo-tool = "==2.0"', 'third = { from = "demo-tool" }')
    (project.work / "Makefile").write_text(f"{INCLUDE}\nshow: ; @echo '$(THIRD)|$(OTHER_TOOL)'\nlint: ; $(DEMO_TOOL) --version\n")
    assert make(project, "show", "lint").out == "lastgood run third|\ndemo-tool 2.0\n"


def test_an_override_stays(project: Sandbox) -> None:
    """What the command line, the environment or the makefile itself says wins over the table."""
    assert make(project, "lint", "DEMO_TOOL=echo mine").out == "mine --echo check .\n"
    assert make(project, "lint", "LASTGOOD=echo another").out == "another run demo-tool --echo check .\n"
    project.env["DEMO_TOOL"] = "echo environment"
    assert make(project, "lint").out == "environment --echo check .\n"
    (project.work / "Makefile").write_text(f"DEMO_TOOL := echo makefile\n{MAKEFILE}", "utf-8")
    assert make(project, "lint").out == "makefile --echo check .\n"
    assert project.starts() == 0


def test_a_failing_tool_fails_its_target_once(project: Sandbox) -> None:
    """The status of the tool is what make reports, and the tool ran once."""
    (project.work / "Makefile").write_text(f"{INCLUDE}\nlint: ; $(DEMO_TOOL) --exit 7\n", "utf-8")
    told = make(project, "lint")
    assert (told.status, told.err.count("Error 7"), project.starts()) == (2, 1, 1)


def test_many_jobs(project: Sandbox) -> None:
    """Under `-j` every target runs its tool once, also on a cold home."""
    targets = "".join(f"t{number}: ; $(DEMO_TOOL) --echo {number}\n" for number in range(4))
    (project.work / "Makefile").write_text(f"{INCLUDE}\nall: t0 t1 t2 t3\n{targets}", "utf-8")
    told = make(project, "-j4")
    assert (told.status, sorted(told.out.split()), project.starts()) == (0, ["0", "1", "2", "3"], 4)


def test_a_makefile_below(project: Sandbox) -> None:
    """A makefile in another directory of the project has the same table, and does not disturb the first."""
    below = project.work / "below"
    below.mkdir()
    (below / "Makefile").write_text(MAKEFILE, "utf-8")
    (project.work / "Makefile").write_text(f"{MAKEFILE}\nall: other\n\t$(MAKE) -C below lint\n", "utf-8")
    told = make(project, "all")
    assert (told.status, told.out) == (0, "other.tool 1.0\ncheck\n.\n"), told


def test_without_lastgood(project: Sandbox) -> None:
    """Without lastgood make stops before it does anything, and says what is missing."""
    told = project.run(["make", "-s", "lint"])
    assert (told.status, told.out) == (2, "")
    assert told.err.splitlines()[-1] == f"Makefile:1: *** {MISSING}.  Stop."


def test_no_document_shows_a_line_that_says_less(project: Sandbox) -> None:
    """Wherever a user may copy the include from, it is the one that stops make without lastgood."""
    texts = [(ROOT / name).read_text("utf-8") for name in ("README.md", "CHANGELOG.md", "docs/call-sites.md")]
    texts.append(project.lastgood("mk", "--help").out)
    shown = [re.findall(r"include \$\([^`\n]*\)", text) for text in texts]
    assert shown == [[INCLUDE.rstrip()]] * len(texts)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("demo-tool = 1", "pyproject.toml: invalid `demo-tool` in [tool.lastgood.tools]"),
        ("demo-tool = { verison = '1' }", "pyproject.toml: unknown key `verison`"),
        ("demo-tool = ", "pyproject.toml:2:"),
    ],
)
@pytest.mark.parametrize("include", [INCLUDE, "include $(shell lastgood mk)\n"])
def test_a_wrong_table(project: Sandbox, line: str, said: str, include: str) -> None:
    """A table that cannot be used stops make with lastgood's one line, however it is included, and nothing is written."""
    table(project, line)
    (project.work / "Makefile").write_text(MAKEFILE.replace(INCLUDE, include), "utf-8")
    told = make(project, "lint")
    assert (told.status, told.out) == (2, "")
    (own,) = own_lines(told)
    assert own.startswith(f"error: {said}")
    (stop,) = told.err.splitlines()[1:]
    assert stop.endswith("/failed.mk:1: *** lastgood could not write its makefile, see above.  Stop.")
    assert not project.home.exists()


def test_no_table_is_no_error(project: Sandbox) -> None:
    """A project without a table has no variables, and its makefile works."""
    (project.work / "pyproject.toml").unlink()
    (project.work / "Makefile").write_text(f"{INCLUDE}\nall: ; @echo '[$(DEMO_TOOL)]'\n", "utf-8")
    told = make(project)
    assert (told.status, told.out, told.err) == (0, "[]\n", "")


def test_a_home_with_blanks(project: Sandbox) -> None:
    """A home whose path has blanks, as macOS has it, can be included."""
    project.env["LASTGOOD_HOME"] = str(project.root / "Application Support" / "last good")
    told = make(project)
    assert (told.status, told.out) == (0, "check\n.\n"), told


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
@pytest.mark.parametrize("place", ["work", "home"])
def test_a_directory_whose_name_is_no_text(project: Sandbox, place: str, locale: dict[str, str]) -> None:
    """A project, or a home, in a directory whose name is not UTF-8: the makefile is written, named byte for byte and included."""
    project.env |= locale
    if place == "work":
        project.work = project.work.rename(project.root / os.fsdecode(b"caf\xe9"))
    else:
        project.env["LASTGOOD_HOME"] = str(project.root / os.fsdecode(b"caf\xe9") / "lastgood")
    told = make(project)
    assert (told.status, told.out, own_lines(told)) == (0, "check\n.\n", []), told
    (named,) = project.run([lastgood_script(), "mk"]).stdout.splitlines()
    home = os.fsencode(project.env["LASTGOOD_HOME"])
    assert (os.path.dirname(named), os.path.isfile(named)) == (home + b"/mk", True)
    assert os.listdir(home + b"/mk") == [os.path.basename(named)]


@pytest.mark.parametrize("name", ["a$home", "a#home", "a\thome", "100%"])
def test_a_home_that_make_cannot_name(project: Sandbox, name: str) -> None:
    """A home whose path means something else to make is refused in one line, which says what to set."""
    project.env["LASTGOOD_HOME"] = str(project.root / name)
    told = make(project)
    (own,) = own_lines(told)
    assert own.endswith(" is no name that make could include; set `LASTGOOD_HOME`")
    assert (told.status, told.out, (project.root / name).exists()) == (2, "", False)


@pytest.mark.parametrize("include", [INCLUDE, "include $(shell lastgood mk)\n"])
def test_a_home_that_is_a_file(project: Sandbox, include: str) -> None:
    """A home that cannot be one stops make with one line, however it is included."""
    (project.work / "Makefile").write_text(MAKEFILE.replace(INCLUDE, include), "utf-8")
    project.home.write_text("theirs")
    told = make(project)
    (own,) = own_lines(told)
    assert own.startswith(f"error: `{project.home}` cannot be the home of lastgood: it is a file")
    assert (told.status, told.out, project.home.read_text()) == (2, "", "theirs"), told


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_an_unwritable_home(project: Sandbox) -> None:
    """A home that cannot be written stops make with one line that names the file and the reason."""
    project.home.mkdir(mode=0o555)
    told = make(project, ordinary=True)
    project.home.chmod(0o755)
    (own,) = own_lines(told)
    assert own.startswith(f"error: `{project.home}/mk/")
    assert own.endswith("` cannot be written (permission denied); set `LASTGOOD_HOME` to a directory that you can write to")
    assert (told.status, list(project.home.iterdir())) == (2, [])


def test_a_home_that_others_can_write_to(project: Sandbox) -> None:
    """Make runs what it includes: a home that others can write to is not included from."""
    project.home.mkdir()
    project.home.chmod(0o777)
    told = make(project)
    assert (told.status, [line.partition(":")[0] for line in own_lines(told)]) == (2, ["error"])
    assert f"`{project.home}` can be written by others" in told.err
    assert told.out == ""


def test_a_lax_umask_does_not_spoil_the_home(project: Sandbox) -> None:
    """A home that `lastgood mk` makes is the user's alone: what runs afterwards is kept in it."""
    script = f'umask 002; PATH="{sysconfig.get_path("scripts")}:$PATH" make -s lint'
    told = project.run(["sh", "-c", script])
    assert (told.status, own_lines(told), len(all_records(project))) == (0, [], 1)
    assert project.home.stat().st_mode & 0o777 == 0o700
    assert Path(project.home, "mk").stat().st_mode & 0o777 == 0o700
