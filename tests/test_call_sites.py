"""Every block of docs/call-sites.md is run: against the sandbox's own index, or, where a runner has to come from somewhere, online.

The tool of the page is ruff. On loopback a stand-in of that name is served; online it is the real one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from configparser import RawConfigParser
from pathlib import Path

import pytest

from tests.support.documents import README, ROOT, stand_in
from tests.support.interpreters import posix_directories, system_python
from tests.support.kept import all_records, grow_old, own_lines
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

PAGE = (ROOT / "docs" / "call-sites.md").read_text("utf-8")
PASSED = "All checks passed!"
# the file that each block of a runner is, and the words that start its task `lint` through lastgood
RUNNERS = {
    "just": ("justfile", ["--from", "rust-just", "just"]),
    "poethepoet": ("pyproject.toml", ["--from", "poethepoet", "poe"]),
    "duty": ("duties.py", ["duty"]),
    "invoke": ("tasks.py", ["invoke"]),
}
TESTED = {"", "make", *RUNNERS, "cron", "A systemd timer", "An MCP client"}


def sections() -> dict[str, list[str]]:
    """Return the blocks below each heading of the page; those before the first heading of a call site below ""."""
    _, *parts = re.split(r"^##? (.*)\n", PAGE, flags=re.MULTILINE)
    texts = {"" if title == "Call sites" else title: text for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return {title: re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) for title, text in texts.items()}


BLOCKS = sections()


@pytest.fixture
def project(index: Index, sandbox: Sandbox) -> Sandbox:
    """Make a user with the project of the page in `~/project`, lastgood in `~/.local/bin`, and an index that has a ruff."""
    index.publish(stand_in("ruff", "0.17.5", PASSED))
    return at_home(sandbox)


def at_home(sandbox: Sandbox) -> Sandbox:
    """Lay out what the page takes for granted."""
    place = sandbox.user_home / "project"
    (place / "src").mkdir(parents=True)
    (place / "src" / "a.py").write_text("A = 1\n", "utf-8")
    (place / "pyproject.toml").write_text(BLOCKS[""][0], "utf-8")
    programs = sandbox.user_home / ".local" / "bin"
    programs.mkdir(parents=True)
    (programs / "lastgood").symlink_to(Path(sysconfig.get_path("scripts"), "lastgood"))
    sandbox.env["PATH"] = f"{programs}{os.pathsep}{sandbox.env['PATH']}"
    sandbox.work = place
    return sandbox


def an_hour_later_it_is_down(sandbox: Sandbox) -> None:
    """Let what is kept be old, and the index refuse connections."""
    assert sandbox.index is not None
    sandbox.wait_quiet()
    grow_old(sandbox, 3600)
    sandbox.index.fault("refuse")


def test_no_block_is_left_out() -> None:
    """Each section of the page has a test here, and each has the blocks that it runs."""
    assert set(BLOCKS) == TESTED
    counts = {title: len(found) for title, found in BLOCKS.items()}
    assert counts == dict.fromkeys(TESTED, 1) | {"A systemd timer": 2, "An MCP client": 2}
    assert PAGE.count("\n```") == 2 * sum(counts.values())


def test_the_readme_leads_to_the_page_and_back() -> None:
    """The page is linked from the README's call sites, names no machine, and its own link leads to them."""
    assert "(docs/call-sites.md)" in README.read_text("utf-8").partition("\n## Call sites\n")[2].partition("\n## ")[0]
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links == ["../README.md#call-sites"]
    assert re.findall(r"(?<![\w~.%h])/(?:home|root|Users|work|opt|usr|tmp)/\S*|https?://\S*", PAGE) == []


# --- make -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")
def test_make(project: Sandbox) -> None:
    """A bare `make` lints, `make warm` fetches, an override wins, and an outage changes nothing but one line."""
    (project.work / "Makefile").write_text(BLOCKS["make"][0], "utf-8")
    told = project.run(["make", "-s", "warm"])
    assert (told.status, told.out, len(all_records(project))) == (0, "", 1), told
    an_hour_later_it_is_down(project)
    told = project.run(["make", "-s"])
    assert (told.status, told.out, len(own_lines(told))) == (0, f"{PASSED}\n", 1), told
    assert project.run(["make", "-s", "lint", "RUFF=echo"]).out == "check src\n"
    assert project.run(["make", "-s", "lint"], env={"RUFF": "echo"}).out == "check src\n"


# --- runners from the package index ---------------------------------------------------------------------------------


@pytest.mark.online
@pytest.mark.parametrize("name", RUNNERS)
def test_a_runner(online_sandbox: Sandbox, name: str) -> None:
    """The runner, started as the page says, lints with the real ruff of the table, and fetches with its task `warm`."""
    sandbox = at_home(online_sandbox)
    file, words = RUNNERS[name]
    with (sandbox.work / file).open("a", encoding="utf-8") as target:
        target.write(BLOCKS[name][0])
    assert f"`lastgood run {' '.join(words)} lint`" in " ".join(PAGE.split())
    told = sandbox.lastgood("run", *words, "warm", timeout=120)
    assert told.status == 0, told
    assert {record.tool for record in all_records(sandbox)} == {"ruff", words[-1]}
    told = sandbox.lastgood("run", *words, "lint")
    assert told.status == 0, told
    (sandbox.work / "src" / "a.py").write_text("import os\n", "utf-8")
    failed = sandbox.lastgood("run", *words, "lint")
    assert failed.status != 0
    assert "F401" in failed.out + failed.err
    sandbox.wait_quiet()


# --- cron and systemd -----------------------------------------------------------------------------------------------


def cron(project: Sandbox, line: str) -> Result:
    """Run what a line runs, with the short environment that cron gives it."""
    found = re.fullmatch(r"(\S+ +){5}(.*)", line)
    assert found is not None
    assert "%" not in line  # a newline to cron
    short = os.pathsep.join(map(str, dict.fromkeys([*posix_directories(), system_python().parent])))
    return project.run(["sh", "-c", found[2]], env={"PATH": short, "SHELL": "sh", "LANG": None}, cwd=project.user_home)


def test_cron(project: Sandbox) -> None:
    """With cron's short environment the first line fetches; the second works with the index off, and no line of ours makes mail."""
    fetch, use = BLOCKS["cron"][0].splitlines()
    told = cron(project, fetch)
    assert (told.status, told.out, own_lines(told), len(all_records(project))) == (0, "", [], 1), told
    an_hour_later_it_is_down(project)
    told = cron(project, use)
    assert (told.status, told.out, told.err) == (0, f"{PASSED}\n", "")


def test_cron_in_the_readme(project: Sandbox) -> None:
    """The lines of the README find lastgood on cron's short PATH, too, and the second works with the index off."""
    fetch, use = re.findall(r"^[\d*].* cd ~/project .*$", README.read_text("utf-8"), re.MULTILINE)
    told = cron(project, fetch)
    assert (told.status, told.out, len(all_records(project))) == (0, "", 1), told
    an_hour_later_it_is_down(project)
    told = cron(project, use)
    assert (told.status, told.out, len(own_lines(told))) == (0, f"{PASSED}\n", 1), told


def test_the_systemd_timer(project: Sandbox) -> None:
    """The units are valid, the timer starts the service of its name, and the service fails only where nothing good is kept."""
    units = dict(re.findall(r"`~/\.config/systemd/user/([\w.-]+)`.*?```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert list(units) == ["lastgood-warm.service", "lastgood-warm.timer"]
    assert list(units.values()) == BLOCKS["A systemd timer"]
    place = project.config_home / "systemd" / "user"
    place.mkdir(parents=True)
    read = {}
    for name, text in units.items():
        (place / name).write_text(text, "utf-8")
        read[name] = RawConfigParser(interpolation=None, strict=True)
        read[name].optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells case apart
        read[name].read_string(text)
    timer, service = read["lastgood-warm.timer"], read["lastgood-warm.service"]["Service"]
    assert (timer["Install"]["WantedBy"], "Unit" in timer["Timer"]) == ("timers.target", False)
    if shutil.which("systemd-analyze") is not None:
        _verify(project, [str(place / name) for name in units], timer["Timer"]["OnCalendar"])
    words = [word.replace("%h", str(project.user_home)) for word in service["ExecStart"].split()]
    directory = Path(service["WorkingDirectory"].replace("%h", str(project.user_home)))
    told = project.run(words, cwd=directory)
    assert (told.status, told.out, [record.tool for record in all_records(project)]) == (0, "", ["ruff"]), told
    an_hour_later_it_is_down(project)
    told = project.run(words, cwd=directory)
    assert (told.status, len(own_lines(told)), len(all_records(project))) == (0, 1, 1), told
    assert "fails only where nothing good is kept" in " ".join(PAGE.split())
    shutil.rmtree(project.home)
    assert project.run(words, cwd=directory).status == 1


def _verify(sandbox: Sandbox, units: list[str], calendar: str) -> None:
    """Let systemd itself read the units and the calendar; it says nothing of units that are right."""
    told = sandbox.run(["systemd-analyze", "--user", "verify", *units], env={"XDG_RUNTIME_DIR": str(sandbox.tmp)})
    assert (told.status, told.out, told.err) == (0, "", "")
    assert sandbox.run(["systemd-analyze", "calendar", calendar]).status == 0


# --- MCP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS["An MCP client"], ids=["lastgood", "uvx"])
def test_an_mcp_client(project: Sandbox, block: str) -> None:
    """The entry starts the server itself, with its bytes untouched, also with the index off; a warm start asks nobody."""
    assert project.index is not None
    project.index.publish(demo_tool("1.0", name="my-server"))
    place = project.user_home / ".local" / "bin"
    assert project.lastgood("shim", "install", str(place)).status == 0
    ((name, entry),) = json.loads(block)["mcpServers"].items()
    argv = [entry["command"], *entry["args"]]
    assert name == argv[-1]
    assert project.run(argv).status == 0
    project.wait_quiet()
    project.index.clear_requests()
    sent = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}\r\n\x00\xff'
    with project.popen([*argv, "--cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, said = process.communicate(sent, timeout=60)
    assert (process.returncode, out, said) == (0, sent, b"")
    assert f" pid={process.pid} " in project.start_lines()[-1]
    assert project.index.connections() == 0
    project.index.stop()
    told = project.run([*argv, "--cat"], input=sent)
    assert (told.status, told.stdout, told.stderr) == (0, sent, b"")
