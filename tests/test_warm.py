"""`lastgood warm`: several refreshes at once, everything that is recorded, what is shown meanwhile, and every way in which it ends.

The index holds the questions for as long as a test looks at what waits for them. What `warm` does for hooks is in test_hooks.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import generations, locks
from lastgood import record as records
from tests.support.kept import all_records, expect_version, grow_old, keep, only_record, others_words, own_lines, trip
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import Result, lastgood_script
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import IndexFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox
    from tests.support.wheels import Broken

HOUR = 3600.0
TWO = ("demo-tool", "other-tool")
BOTH_KEPT = "kept `demo-tool` 1.0, `other-tool` 1.0"
QUIET = {"LASTGOOD_QUIET": "1"}
HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"  # the cursor
IMPORT_ERROR = "ImportError: this release of the demo tool is broken"
needs_proc = pytest.mark.skipif("not os.path.exists('/proc/self/status')", reason="which signals wait is seen in /proc (Linux)")


@pytest.fixture
def two(demo: Index) -> Index:
    """Publish other-tool 1.0 beside demo-tool 1.0."""
    demo.publish(demo_tool("1.0", name="other-tool"))
    return demo


def publish(index: Index, version: str, broken: Broken | None = None) -> None:
    """Publish a release of both tools."""
    for name in TWO:
        index.publish(demo_tool(version, name=name, broken=broken))


def new_directory(sandbox: Sandbox, name: str, **files: str) -> Path:
    """Make a directory outside the one that commands run in, with some files: `lastgood_toml` is lastgood.toml."""
    place = sandbox.root / name
    place.mkdir(parents=True)
    for file, text in files.items():
        (place / file.replace("_", ".")).write_text(text, "utf-8")
    return place


def keep_both(sandbox: Sandbox) -> None:
    """Keep both tools, and wait for what goes on behind."""
    assert sandbox.lastgood("warm", *TWO).status == 0
    sandbox.wait_quiet()


@contextlib.contextmanager
def held(sandbox: Sandbox, index: Index, *words: str, project: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a `warm` whose questions (about one project, if one is given) the index does not answer before the end."""
    index.clear_requests()
    index.fault("hang-before-headers", on="page", project=project)
    pipe = subprocess.PIPE
    with sandbox.popen([lastgood_script(), "warm", *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            index.heal()


def ended(process: subprocess.Popen[bytes]) -> Result:
    """Wait for the end; what the process wrote."""
    out, err = process.communicate(timeout=60)
    return Result(process.returncode, out, err, 0)


def state(sandbox: Sandbox) -> dict[str, bytes]:
    """Return every record and card, byte for byte."""
    files = [path for part in ("records", "cards") for path in (sandbox.home / part).iterdir() if path.suffix != ".lock"]
    return {str(path): path.read_bytes() for path in files}


def staged(sandbox: Sandbox) -> list[str]:
    """Return the staging directories in the store."""
    return [name for name in os.listdir(sandbox.home / "generations") if name.startswith(".")]


def versions(sandbox: Sandbox) -> dict[str, str]:
    """Return which version of each tool runs."""
    return {record.tool: one.version for record in all_records(sandbox) if (one := record.generation()) is not None}


def worker(sandbox: Sandbox, tool: str) -> int:
    """Return the process that refreshes a tool: the parent of its uv."""
    wanted = f"--from={tool} "
    found = sandbox.wait_for(lambda: [pid for pid, command in sandbox.processes() if wanted in command], f"the uv of {tool}")
    # what uv starts has uv's own command line for a moment, until it becomes another program
    (own,) = {parent for pid in found if (parent := parent_of(pid)) is not None and parent not in found}
    return own


def parent_of(pid: int) -> int | None:
    """Return a process's parent; None where the process has ended."""
    told = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=False).stdout.strip()
    return int(told) if told else None


def checks(sandbox: Sandbox) -> list[str]:
    """Return the checks of new releases that are under way."""
    return [command for _, command in sandbox.processes() if "import_module" in command]


def screen(seen: bytes) -> list[str]:
    """Return the lines that a terminal still shows after all this; colours and blank lines left out."""
    lines, row, column = [""], 0, 0
    for code, letter, end, text in re.findall(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", seen.decode()):
        if letter == "A":
            row = max(0, row - int(code or 1))
        elif letter == "K":
            lines[row] = "" if code == "2" else lines[row][:column]
        elif end == "\r":
            column = 0
        elif end == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines if line.strip()]


# --- several at once ------------------------------------------------------------------------------------------------


def test_several_tools_are_asked_for_at_once(two: Index, sandbox: Sandbox) -> None:
    """Both questions wait at the index at the same time, and both tools are kept when it answers."""
    with held(sandbox, two, *TWO) as process:
        assert {request.project for request in two.wait_for_requests(2, "page")} == set(TWO)
        two.heal()
        result = ended(process)
    assert (result.status, result.out, own_lines(result)[-1]) == (0, "", BOTH_KEPT), result
    assert (versions(sandbox), sandbox.starts()) == (dict.fromkeys(TWO, "1.0"), 0)


def test_one_after_the_other(two: Index, sandbox: Sandbox) -> None:
    """With `-j 1` the second tool is neither shown nor asked for until the first is done."""
    two.fault("hang-before-headers", on="page", project="demo-tool")
    with sandbox.terminal([lastgood_script(), "warm", "-j", "1", *TWO]) as terminal:
        terminal.read_until(b"0:00:01")  # all that begins has been drawn several times by now
        assert (b"other-tool" in terminal.seen, two.requests(project="other-tool")) == (False, [])
        two.heal()
        assert terminal.wait() == 0, terminal.seen
    asked = [request.project for request in two.requests()]
    assert (set(asked), asked == sorted(asked, key=str)) == (set(TWO), True), asked


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("hooks", "table", "runs"),
    [
        (["uvx --from demo-tool demo-tool"], '"demo-tool" = ">=1"', ["--from demo-tool demo-tool", "demo-tool"]),
        (
            ["lastgood run --from demo-tool demo-tool", "lastgood run --from demo-tool demo-more"],
            "",
            ["--from demo-tool demo-tool", "--from demo-tool demo-more"],
        ),
    ],
    ids=["a hook and the table", "two commands of a package"],
)
def test_two_uses_of_one_record_ask_once(
    two: Index, sandbox: Sandbox, hooks: list[str], table: str, runs: list[str], *, several: bool
) -> None:
    """What leads to one record is refreshed once, alone or among others; every use of it starts from its card afterwards."""
    two.publish(demo_tool("1.5", extra_commands=("demo-more",)))
    lines = [f"  - {{id: h{number}, name: h, language: system, entry: {hook}}}\n" for number, hook in enumerate(hooks)]
    (sandbox.work / ".pre-commit-config.yaml").write_text("repos:\n- repo: local\n  hooks:\n" + "".join(lines), "utf-8")
    other = '"other-tool" = ">=1"\n' if several else ""
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\n{table}\n{other}", "utf-8")
    result = sandbox.lastgood("warm")
    others = ", `other-tool` 1.0" if several else ""
    assert (result.status, own_lines(result)[-1]) == (0, "kept `demo-tool` 1.5" + others), result
    assert (len(two.requests("page", "demo-tool")), len(all_records(sandbox))) == (1, 1 + several)
    two.stop()
    for run in runs:
        assert "card         found, nothing it depends on has changed" in sandbox.lastgood("why", *run.split()).out
        expect_version(sandbox.lastgood("run", *run.split(), "--version"), "1.5")


@pytest.mark.parametrize("tools", [TWO[:1], TWO], ids=["one", "two"])
def test_a_new_release_is_compiled_behind(two: Index, sandbox: Sandbox, tools: tuple[str, ...]) -> None:
    """Every module of what was kept is byte-compiled once things are quiet, also those that no check has imported."""
    assert sandbox.lastgood("warm", *tools).status == 0
    sandbox.wait_quiet()
    places = [sandbox.home / "generations" / record.current for record in all_records(sandbox)]
    compiled = [len(list(place.glob("lib/*/site-packages/*_tool/__pycache__/__main__.*.pyc"))) for place in places]
    assert (compiled, len(two.requests("file"))) == ([1] * len(tools), len(tools))


def test_what_is_kept_is_tidied_where_it_lacks_the_command(demo: Index, sandbox: Sandbox) -> None:
    """The release is kept all the same, so it is byte-compiled and measured like any other."""
    del demo
    assert sandbox.lastgood("warm", "--from", "demo-tool", "no-such-command").status == 1
    sandbox.wait_quiet()
    current = only_record(sandbox).current
    assert list((sandbox.home / "generations" / current).glob("lib/*/site-packages/*_tool/__pycache__/__main__.*.pyc"))
    assert generations.size(str(sandbox.home), current)


def test_a_record_of_a_newer_lastgood_is_told(two: Index, sandbox: Sandbox) -> None:
    """One line says why nothing is done about it, alone or among others, and no byte of it changes."""
    keep(sandbox)
    (path,) = (sandbox.home / "records").glob("demo-tool-*.json")
    path.write_text(path.read_text("utf-8").replace('"format": 1', '"format": 2'), "utf-8")
    before = path.read_bytes()
    for tools in (TWO, TWO[:1]):
        result = sandbox.lastgood("warm", *tools)
        assert "newer lastgood" in own_lines(result)[-1], result
        assert ("Traceback" in result.err, path.read_bytes()) == (False, before), result
    assert two.requests("file", "other-tool")
    asked = sandbox.lastgood("warm", "--check", "demo-tool")
    assert (asked.status, "so plain `uvx` runs: update lastgood" in asked.out) == (1, True), asked
    assert own_lines(asked) == ["error: `demo-tool` would not run with no network"]


# --- what is said ---------------------------------------------------------------------------------------------------


def test_a_log_gets_a_line_as_each_tool_ends(two: Index, sandbox: Sandbox) -> None:
    """The first line comes while the index still holds the other tool's question; the summary keeps the order of the words."""
    with held(sandbox, two, *TWO, project="demo-tool") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"lastgood: kept `other-tool` 1.0 (1 of 2)\n"
        two.heal()
        result = ended(process)
    assert (result.status, own_lines(result)) == (0, ["kept `demo-tool` 1.0 (2 of 2)", BOTH_KEPT]), result


def test_a_terminal_gets_bars_that_go(two: Index, sandbox: Sandbox) -> None:
    """A bar for all and one for each while they wait; at the end the summary alone, below a cursor that is there again."""
    two.fault("hang-before-headers", on="page")
    with sandbox.terminal([lastgood_script(), "warm", *TWO]) as terminal:
        for awaited in (b"0 of 2", b"demo-tool", b"other-tool"):
            terminal.read_until(awaited)
        shown = screen(terminal.seen)
        two.heal()
        assert terminal.wait() == 0
    assert any("warming" in line for line in shown), shown
    assert screen(terminal.seen) == [f"lastgood: {BOTH_KEPT}"]
    assert 0 <= terminal.seen.rfind(HIDDEN) < terminal.seen.rfind(SHOWN)


@pytest.mark.parametrize("tools", [TWO[:1], TWO], ids=["one", "two"])
@pytest.mark.parametrize("where", ["pipe", "terminal"])
def test_quiet_says_nothing(two: Index, sandbox: Sandbox, tools: tuple[str, ...], where: str) -> None:
    """With LASTGOOD_QUIET what can be kept is kept without a word, in a log and on a terminal."""
    del two
    argv = [lastgood_script(), "warm", *tools]
    result = sandbox.pty(argv, env=QUIET) if where == "terminal" else sandbox.run(argv, env=QUIET)
    assert (result.status, result.out, result.err, versions(sandbox)) == (0, "", "", dict.fromkeys(tools, "1.0"))


def test_quiet_about_a_failure_that_something_stands_in_for(demo: Index, sandbox: Sandbox) -> None:
    """A warning that is not said takes uv's words with it: alone they would explain nothing."""
    keep(sandbox)
    demo.fault(503)
    result = sandbox.lastgood("warm", "demo-tool", env=QUIET)
    assert (result.status, result.out, result.err) == (0, "", "")


def test_the_summary_and_the_status(two: Index, sandbox: Sandbox) -> None:
    """What is kept, what is unchanged, then each failure behind uv's own words; 1, since one of them has nothing good."""
    two.publish(demo_tool("1.0", name="failing-tool"))
    keep(sandbox)
    assert sandbox.lastgood("warm", "failing-tool").status == 0
    two.fault(503, project="failing-tool")
    result = sandbox.lastgood("warm", "missing-tool", "failing-tool", *TWO)
    assert (result.status, result.out) == (1, ""), result
    said, summary, failures = result.err.partition("lastgood: kept `other-tool` 1.0; unchanged: `demo-tool` 1.0\n")
    assert (len(said.splitlines()), summary != "") == (4, True), result
    words, error, rest = failures.partition("lastgood: error: `missing-tool` was not refreshed (")
    assert ("missing-tool was not found" in words, error != "", "503" in words) == (True, True, False), result
    assert rest.splitlines()[0].endswith("); no good `missing-tool` is kept")
    words, warning, rest = rest.partition("lastgood: warning: `failing-tool` was not refreshed (HTTP 503")
    assert ("503 Service Unavailable" in words, warning != "") == (True, True), result
    assert rest.endswith("); `failing-tool` 1.0 stays\n")


def test_waiting_for_another_refresh_is_told(demo: Index, sandbox: Sandbox) -> None:
    """Whoever warms what another process refreshes, as behind a run of a moment ago, waits: a terminal is told, a log is not."""
    del demo
    keep(sandbox)
    other = locks.claim(records.lock_of(str(sandbox.home), only_record(sandbox).id))
    words = [lastgood_script(), "warm", "demo-tool"]
    with sandbox.popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as log, sandbox.terminal(words) as terminal:
        terminal.read_until(b"lastgood: another process is refreshing `demo-tool`; waiting for it\r\n")
        other.release()
        assert terminal.wait() == 0
        assert terminal.seen.endswith(b"lastgood: unchanged: `demo-tool` 1.0\r\n")
        out, err = log.communicate()
    assert (log.returncode, out, err) == (0, b"", b"lastgood: unchanged: `demo-tool` 1.0\n")


def test_what_was_found_before_an_interrupt_is_told(two: Index, sandbox: Sandbox) -> None:
    """Ctrl-C while one tool hangs: what became of the others is said all the same, a refusal above all."""
    keep(sandbox)
    two.publish(demo_tool("2.0", broken="import"))
    two.fault("hang-before-headers", project="other-tool")
    with sandbox.terminal([lastgood_script(), "warm", *TWO]) as terminal:
        terminal.read_until(b"1 of 2")
        terminal.type(b"\x03")
        terminal.wait()
        assert f"was not refreshed (2.0 does not start: {IMPORT_ERROR}); `demo-tool` 1.0 stays".encode() in terminal.seen
    two.heal()


def unmeasured(sandbox: Sandbox) -> list[str]:
    """Return the names of generations whose size nobody has left beside them."""
    return [path.name for path in (sandbox.home / "generations").iterdir() if not (path / "lastgood.size").exists()]


def test_what_was_kept_before_an_interrupt_is_tidied(two: Index, sandbox: Sandbox) -> None:
    """Ctrl-C while one tool hangs: what was kept by then is byte-compiled and measured all the same."""
    two.fault("hang-before-headers", project="other-tool")
    with sandbox.terminal([lastgood_script(), "warm", *TWO]) as terminal:
        terminal.read_until(b"1 of 2")
        terminal.type(b"\x03")
        terminal.wait()
    two.heal()
    sandbox.wait_quiet()
    assert versions(sandbox) == {"demo-tool": "1.0"}
    assert unmeasured(sandbox) == []


@pytest.mark.parametrize("words", [("warm", "demo-tool"), ("warm", *TWO), ("gc",)], ids=" ".join)
def test_what_was_left_untidy_is_tidied(two: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """Whoever kept it was killed before that: a `warm` that finds it unchanged byte-compiles and measures it, and so does `gc`."""
    del two
    keep(sandbox)
    (place,) = (sandbox.home / "generations").iterdir()
    (place / "lastgood.size").unlink()
    for compiled in list(place.rglob("*.pyc")):
        compiled.unlink()
    assert sandbox.lastgood(*words).status == 0
    sandbox.wait_quiet()
    assert unmeasured(sandbox) == []
    assert list(place.rglob("*.pyc"))


def test_a_tool_that_uv_has_installed_need_not_be_kept(two: Index, sandbox: Sandbox) -> None:
    """uvx runs that one, with no network: a line says so, and nothing has failed."""
    del two
    assert sandbox.run(["uv", "tool", "install", "demo-tool"]).status == 0
    result = sandbox.lastgood("warm", *TWO)
    reason = "`demo-tool` is installed with `uv tool install`, which uvx prefers"
    assert own_lines(result) == [f"`demo-tool` is left to plain `uvx`: {reason}", "kept `other-tool` 1.0"]
    assert result.status == 0


def test_the_same_outage_is_explained_once(two: Index, sandbox: Sandbox) -> None:
    """uv's own words stand before the first tool that it kept from being refreshed, each tool has its line."""
    keep(sandbox)
    sandbox.lastgood("run", "other-tool", "--version")
    sandbox.wait_quiet()
    two.stop()
    result = sandbox.lastgood("warm", *TWO)
    assert [line.split()[1] for line in own_lines(result) if "was not refreshed" in line] == ["`demo-tool`", "`other-tool`"]
    assert result.err.count("error: ") == 1, result


def test_a_request_that_cannot_be_kept_is_named_whole(two: Index, sandbox: Sandbox) -> None:
    """What is kept of the same tool for another request is not denied."""
    del two
    keep(sandbox)
    for words, why in ((">=99", "no release fits the request"), ("==", "uv cannot read the request")):
        result = sandbox.lastgood("warm", f"demo-tool{words}")
        said = f"error: `demo-tool{words}` was not refreshed ({why}); no good `demo-tool {words}` is kept"
        assert own_lines(result)[-1] == said


@pytest.mark.parametrize("address", ["git+http://127.0.0.1:9/tools/demo.git", "http://127.0.0.1:9/demo_tool-1.0-py3-none-any.whl"])
def test_an_address_without_a_name_is_told_once(sandbox: Sandbox, address: str) -> None:
    """Where nothing of it is kept, what is missing is called as the file or the repository is, with its options."""
    result = sandbox.lastgood("warm", "--with", "lxml", address)
    line = own_lines(result)[-1]
    assert (result.status, line.startswith(f"error: `{address}` was not refreshed (")) == (1, True), result
    assert line.endswith(f"); no good `{address.rpartition('/')[2]} --with=lxml` is kept"), result


def test_a_host_that_is_known_to_be_down_is_asked_briefly(demo: Index, sandbox: Sandbox) -> None:
    """Whoever warms asks anew, but waits no longer than a run would, however silent the index is."""
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    keep(sandbox)
    demo.fault("hang-before-headers")
    trip(sandbox, demo.host)
    demo.clear_requests()
    result = sandbox.lastgood("warm", "demo-tool")
    assert own_lines(result) == ["warning: `demo-tool` was not refreshed (timed out); `demo-tool` 1.0 stays"]
    assert (result.status, len(demo.requests("page"))) == (0, 1)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_a_release_that_does_not_start(two: Index, sandbox: Sandbox, *, kept: bool, several: bool) -> None:
    """It is refused: a warning and 0 where an older one stays, an error and 1 where nothing does."""
    if kept:
        keep(sandbox)
    else:
        two.unpublish("demo-tool", "1.0")
    two.publish(demo_tool("2.0", broken="import"))
    result = sandbox.lastgood("warm", *(TWO if several else TWO[:1]))
    level, after = ("warning", "`demo-tool` 1.0 stays") if kept else ("error", "no good `demo-tool` is kept")
    assert result.status == (0 if kept else 1), result
    said = f"{level}: `demo-tool` was not refreshed (2.0 does not start: {IMPORT_ERROR}); {after}"
    assert own_lines(result)[-1] == said
    again = sandbox.lastgood("warm", *(TWO if several else TWO[:1]))  # it has not become any better
    assert (again.status, own_lines(again)[-1]) == (result.status, said)
    assert sandbox.starts() == kept


def test_a_refresh_without_network_is_no_answer_of_the_index(demo: Index, sandbox: Sandbox) -> None:
    """With UV_OFFLINE nobody is asked, so what is kept is as old as it was."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    asked = only_record(sandbox).asked
    sandbox.lastgood("warm", "demo-tool", env={"UV_OFFLINE": "1"})
    assert (demo.connections(), only_record(sandbox).asked) == (0, asked)


# --- everything that is recorded ------------------------------------------------------------------------------------


def test_all_asks_for_each_record_as_it_was_last_used(demo: Index, sandbox: Sandbox) -> None:
    """From where it was used, with its table and its words: runs there have the new releases without asking; no tool starts."""
    demo.publish(demo_dep("1.0"))
    outer = new_directory(sandbox, "outer")
    uses = [
        (new_directory(sandbox, "table", lastgood_toml='[tools]\ndemo-tool = "<3"\n'), "demo-tool", "2.0"),
        (new_directory(sandbox, "words"), "--with demo-dep demo-tool", "4.0"),
        (new_directory(sandbox, "file", needs_txt="demo-dep\n"), "--with-requirements needs.txt demo-tool", "4.0"),
        (outer, "--directory inner demo-tool", "3.0"),
    ]
    new_directory(sandbox, "outer/inner", lastgood_toml='[tools]\ndemo-tool = "<4"\n')
    for place, words, _ in uses:
        expect_version(sandbox.lastgood("run", *words.split(), "--version", cwd=place), "1.0")
    sandbox.wait_quiet()
    for version in ("2.0", "3.0", "4.0"):
        demo.publish(demo_tool(version))
    demo.publish(demo_dep("2.0"))
    result = sandbox.lastgood("warm", "--all", cwd=new_directory(sandbox, "elsewhere"))
    assert (result.status, sandbox.starts(), len(all_records(sandbox))) == (0, len(uses), len(uses)), result
    sandbox.wait_quiet()
    demo.clear_requests()
    for place, words, version in uses:
        expect_version(sandbox.lastgood("run", *words.split(), "--version", cwd=place), version)
    assert demo.connections() == 0
    assert [record.generations[0].dists.get("demo-dep", "") for record in all_records(sandbox)].count("2.0") == 2


def break_record(sandbox: Sandbox, _there: Path) -> None:
    """Damage the record of demo-tool, and what its generations know of how it was asked for."""
    (path,) = (sandbox.home / "records").glob("demo-tool-*.json")
    path.write_text("{}", "utf-8")
    for choices in (sandbox.home / "generations").glob("demo-tool-*/lastgood.choices"):
        choices.unlink()


def pin(_sandbox: Sandbox, there: Path) -> None:
    """Let the table of the directory ask for something else."""
    (there / "lastgood.toml").write_text('[tools]\ndemo-tool = "<5"\n', "utf-8")


OTHERWISE = "other settings hold now (%s)"


@pytest.mark.parametrize(
    ("variables", "change", "reason"),
    [
        (
            {},
            lambda _, there: shutil.rmtree(there),
            "the directory that it was used in cannot be entered (no such file or directory)",
        ),
        ({}, pin, OTHERWISE % "version: there any, here <5"),
        ({}, break_record, "the words that led to it are not known until it runs again"),
        ({"UV_INDEX": "{url}"}, None, OTHERWISE % "variable: UV_INDEX there {url}, here not set"),
        ({"UV_DEFAULT_INDEX": "{bare}"}, None, OTHERWISE % "variable: UV_DEFAULT_INDEX there {bare}, here {url}"),
        ({"UV_EXCLUDE_NEWER": "2030-01-01"}, None, OTHERWISE % "variable: UV_EXCLUDE_NEWER there 2030-01-01, here not set"),
    ],
    ids=["directory gone", "table changed", "record damaged", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXCLUDE_NEWER"],
)
def test_all_leaves_alone_what_its_words_do_not_lead_to(
    two: Index,
    sandbox: Sandbox,
    variables: dict[str, str],
    change: Callable[[Sandbox, Path], None] | None,
    reason: str,
) -> None:
    """A warning names it, in what it differs and what stays; nobody is asked about it; the others are refreshed, and it is 0."""
    there = new_directory(sandbox, "there")
    addresses = {"url": two.url, "bare": two.url.removesuffix("/")}
    env = {name: value.format(**addresses) for name, value in variables.items()}
    assert sandbox.lastgood("warm", "other-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version", cwd=there, env=env), "1.0")
    sandbox.wait_quiet()
    if change is not None:
        change(sandbox, there)
    publish(two, "2.0")
    two.clear_requests()
    before = {path: text for path, text in state(sandbox).items() if "/demo-tool-" in path}
    result = sandbox.lastgood("warm", "--all")
    named = f"`demo-tool` was not refreshed ({reason.format(**addresses)}); `demo-tool` 1.0 stays"
    assert (result.status, own_lines(result)) == (0, ["kept `other-tool` 2.0", f"warning: {named}"]), result
    assert {path: text for path, text in state(sandbox).items() if "/demo-tool-" in path} == before
    assert (two.requests(project="demo-tool"), bool(two.requests(project="other-tool"))) == ([], True)


def test_all_keeps_no_credential(two: Index, sandbox: Sandbox, index_factory: IndexFactory) -> None:
    """Words with a password in them are written down nowhere; the record is told to stay, and the others are refreshed."""
    private = index_factory(auth=("user", "Pa55-w0rd"))
    private.publish(demo_tool("1.0"))
    keep(sandbox, "--default-index", private.url_with_credentials, "demo-tool")
    assert sandbox.lastgood("warm", "other-tool").status == 0
    publish(two, "2.0")
    result = sandbox.lastgood("warm", "--all")
    kept, told = own_lines(result)
    assert (result.status, kept) == (0, "kept `other-tool` 2.0"), result
    assert re.fullmatch(r"warning: `demo-tool` was not refreshed \(.+\); `demo-tool` 1\.0 stays", told), told
    sandbox.wait_quiet()
    files = [path for path in sandbox.home.rglob("*") if path.is_file()]
    assert [path for path in files if b"Pa55-w0rd" in path.read_bytes()] == []
    assert {record.tool: record.words for record in all_records(sandbox)} == {"demo-tool": [], "other-tool": ["other-tool"]}


def test_all_says_that_a_credential_is_the_reason(demo: Index, sandbox: Sandbox) -> None:
    """Running it again would not help, since its words are never written down."""
    keep(sandbox, "--index", demo.url.replace("//", "//user:Pa55-w0rd@"), "demo-tool")
    (told,) = own_lines(sandbox.lastgood("warm", "--all"))
    assert ("credential" in told, "until it runs again" in told) == (True, False), told


@pytest.mark.parametrize("word", ["--refresh", "--reinstall", "--offline"])
def test_all_does_not_repeat_what_was_meant_for_one_run(demo: Index, sandbox: Sandbox, word: str) -> None:
    """Words that chose how one run asks are no part of the record: it is checked, refreshed and found unchanged like any other."""
    assert sandbox.uvx("demo-tool", "--version").status == 0
    keep(sandbox, word, "demo-tool")
    assert sandbox.lastgood("warm", "--all", "--check").out.split()[:3] == ["demo-tool", "kept", "1.0"]
    demo.publish(demo_tool("2.0"))
    said = [own_lines(sandbox.lastgood("warm", "--all")) for _ in range(2)]
    assert said == [["kept `demo-tool` 2.0"], ["unchanged: `demo-tool` 2.0"]]


def test_all_with_nothing_kept(demo: Index, sandbox: Sandbox) -> None:
    """There is nothing to do, which is no failure; no home is made for it."""
    result = sandbox.lastgood("warm", "--all")
    assert (result.status, result.out, own_lines(result)) == (0, "", ["nothing is kept yet"])
    assert (demo.connections(), sandbox.home.exists()) == (0, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--all demo-tool", "`--all` cannot be used with `demo-tool`; it refreshes everything that is recorded"),
        ("--jobs 0 demo-tool", "invalid --jobs `0`: expected a whole number from 1"),
        ("-j many demo-tool", "invalid --jobs `many`: expected a whole number from 1"),
        ("--all --from demo-tool", "`--all` cannot be used with `--from`"),
        ("--all --with demo-dep", "`--all` cannot be used with `--with`"),
        ("--words '", "invalid --words `'`: no closing quotation"),
    ],
)
def test_words_that_make_no_sense(demo: Index, sandbox: Sandbox, words: str, said: str) -> None:
    """One line says what is wrong; nobody is asked and nothing is made."""
    result = sandbox.lastgood("warm", *words.split())
    assert (result.status, result.out, len(result.err.splitlines())) == (2, "", 1), result
    assert own_lines(result)[0].startswith(f"error: {said}"), result
    assert (demo.connections(), sandbox.home.exists()) == (0, False)


@pytest.mark.parametrize(
    ("words", "advised"),
    [
        (["--from", "demo-dep", "-w", "x", "-p", "3.11", "demo-dep"], "--from=demo-dep --with=x --python=3.11 demo-dep"),
        (["demo-tool@2", "x @ https://ada:s3cret@h/x-1.zip"], "demo-tool@2 'x @ https://h/x-1.zip'"),
        (["--words", "env A=b lastgood run demo-tool>=1 --version"], "'--words=env A=b lastgood run demo-tool>=1 --version'"),
    ],
)
def test_what_is_advised_where_something_is_missing(sandbox: Sandbox, words: list[str], advised: str) -> None:
    """The command that would keep just what was asked about, without credentials."""
    result = sandbox.lastgood("warm", "--check", *words)
    (line,) = own_lines(result)
    assert (result.status, line.partition("; ")[2]) == (1, f"run `lastgood warm {advised}` while the index is up"), result
    assert "s3cret" not in result.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["python3.12"], "python3.12"),
        (["./tool"], "./tool"),
        (["--words", "lastgood run --no-cache demo-tool"], "demo-tool"),
    ],
)
def test_what_plain_uvx_runs_is_not_advised_to_be_warmed(demo: Index, sandbox: Sandbox, words: list[str], named: str) -> None:
    """Nothing can be kept of it, so `warm` would not help: `--check` says only that it would not run."""
    del demo
    (sandbox.work / "tool").mkdir()
    result = sandbox.lastgood("warm", "--check", *words)
    assert (result.status, own_lines(result)) == (1, [f"error: `{named}` would not run with no network"]), result
    assert result.out.startswith(f"{named}  nothing     plain `uvx` runs: "), result


def test_what_is_advised_for_all(demo: Index, sandbox: Sandbox) -> None:
    """`--all` is part of the command that `--all --check` advises."""
    keep(sandbox)
    demo.stop()
    shutil.rmtree(sandbox.home / "generations")
    shutil.rmtree(sandbox.uv_cache)
    result = sandbox.lastgood("warm", "--all", "--check")
    line = "error: `demo-tool` would not run with no network; run `lastgood warm --all` while the index is up"
    assert (result.status, own_lines(result)) == (1, [line]), result


def test_what_a_call_site_leaves_to_plain_uvx(demo: Index, sandbox: Sandbox) -> None:
    """Where another program runs what nothing is kept of, one line says so, and that is no failure; what is named must be kept."""
    (sandbox.work / "a.txt").write_text("-r b.txt\n", "utf-8")
    line = "lastgood run --with-requirements a.txt demo-tool"
    result = sandbox.lastgood("warm", "--words", line, "--words", "demo-tool --version")
    plain = f"`{line}` is left to plain `uvx`: `a.txt` names other files"
    assert (result.status, own_lines(result)) == (0, [plain, "kept `demo-tool` 1.0"]), result
    assert sandbox.lastgood("warm", "./local").status == 1
    assert demo.requests("page", "demo-tool")


def test_all_checked(two: Index, sandbox: Sandbox) -> None:
    """`--all --check` says for each record where its runs would start from, and asks nobody; 1 where one's words lead nowhere."""
    there = new_directory(sandbox, "there", lastgood_toml='[tools]\ndemo-tool = "==1.0"\n')
    assert sandbox.lastgood("warm", "other-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version", cwd=there), "1.0")
    sandbox.wait_quiet()
    publish(two, "2.0")
    two.clear_requests()
    before = state(sandbox)
    result = sandbox.lastgood("warm", "--all", "--check")
    kept = "kept        1.0 is kept, last checked"
    assert (result.status, own_lines(result)) == (0, []), result
    assert [line.rpartition(" ")[0].rpartition(" ")[0] for line in result.out.splitlines()] == [
        f"demo-tool   {kept}",
        f"other-tool  {kept}",
    ]
    shutil.rmtree(there)
    result = sandbox.lastgood("warm", "--all", "--check")
    gone = "demo-tool   nothing     it is kept, but the directory that it was used in cannot be entered (no such file or directory)"
    assert (result.status, result.out.splitlines()[0]) == (1, gone), result
    assert (two.connections(), state(sandbox), sandbox.starts()) == (0, before, 1)


def checked(sandbox: Sandbox) -> tuple[int, list[str], list[str]]:
    """Return the status of `warm --all --check`, what it printed, and what it said beside that."""
    result = sandbox.lastgood("warm", "--all", "--check")
    return (
        result.status,
        [re.sub(r"last checked [^,]+", "last checked …", line) for line in result.out.splitlines()],
        own_lines(result),
    )


def test_requests_are_called_alike_by_warm_and_its_check(two: Index, sandbox: Sandbox) -> None:
    """What tells two requests of one tool apart stands in both, extras as people write them."""
    two.publish(demo_dep("1.0"))
    table = '[tools]\nother-tool = { extras = ["x"] }\n'
    (sandbox.work / "lastgood.toml").write_text(table, "utf-8")
    words = ("--words=lastgood run demo-tool", "--words=lastgood run --with=demo-dep demo-tool", "other-tool")
    assert sandbox.lastgood("warm", *words).status == 0
    for asked in (words, ("--all",)):
        said = own_lines(sandbox.lastgood("warm", *asked))[-1]
        names = re.findall("`(.+?)` 1.0", said)
        assert sorted(names) == ["demo-tool", "demo-tool --with=demo-dep", "other-tool[x]"]
        shown = sandbox.lastgood("warm", "--check", *asked).out.splitlines()
        assert sorted(line.partition("  ")[0] for line in shown) == sorted(names)


def test_all_checked_knows_what_uv_has_installed(two: Index, sandbox: Sandbox) -> None:
    """uvx prefers an installed tool, whatever is kept: that would run; one of another version both pass by."""
    publish(two, "2.0")
    keep(sandbox, version="2.0")
    keep(sandbox, "demo-tool==2.0", version="2.0")
    assert sandbox.run(["uv", "tool", "install", "demo-tool==1.0"]).status == 0
    two.stop()
    installed = "1.0 is installed with `uv tool install`, which uvx prefers"
    status, lines, said = checked(sandbox)
    assert sorted(lines) == [
        f"demo-tool        installed   {installed}",
        "demo-tool ==2.0  kept        2.0 is kept, last checked …",
    ]
    assert (status, said) == (0, [])
    rows = {row["label"]: (row["outage_rung"], row["outage_runs"]) for row in sandbox.lastgood("status", "--json").json()["tools"]}
    assert rows == {"demo-tool": ("installed", "1.0"), "demo-tool ==2.0": ("kept", "2.0")}
    assert "  1.0 (installed)\n" in sandbox.lastgood("status").out
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
    shutil.rmtree(sandbox.uv_cache)
    for words in (("demo-tool==2.0",), ("demo-tool>1",), ("--refresh", "demo-tool==1.0")):
        result = sandbox.lastgood("run", *words, "--version")
        assert (result.status, result.out) == (0, f"demo-tool {'1.0' if '--refresh' in words else '2.0'}\n"), result
    assert sandbox.lastgood("warm", "--check", "demo-tool").status == 0


def test_the_network_is_forbidden_and_nobody_calls_that_unchanged(two: Index, sandbox: Sandbox) -> None:
    """Whether there is news is not known where nobody may be asked: a warning, and an error where nothing is kept."""
    keep(sandbox)
    publish(two, "2.0")
    offline = {"UV_OFFLINE": "1"}
    two.clear_requests()
    result = sandbox.lastgood("warm", "demo-tool", env=offline)
    why = "was not refreshed (`UV_OFFLINE` or `--offline` forbids to ask)"
    assert (result.status, own_lines(result)) == (0, [f"warning: `demo-tool` {why}; `demo-tool` 1.0 stays"]), result
    assert sandbox.lastgood("warm", "other-tool", env=offline).status == 1
    assert two.requests() == []


def test_a_command_of_a_shared_record_that_is_not_there(demo: Index, sandbox: Sandbox) -> None:
    """Each use of what is kept is looked at, whichever comes first; `--check` lists each command of a package."""
    table = '[tools]\ndemo-tool = "*"\nother = { from = "demo-tool" }\n'
    (sandbox.work / "lastgood.toml").write_text(table, "utf-8")
    demo.unpublish("demo-tool", "1.0")
    demo.publish(demo_tool("1.1", extra_commands=("other",)))
    warmed = sandbox.lastgood("warm")
    assert warmed.status == 0, warmed
    assert [line.split()[:2] for line in sandbox.lastgood("warm", "--check").out.splitlines()] == [
        ["demo-tool", "kept"],
        ["other", "kept"],
    ]
    demo.publish(demo_tool("1.2"))
    warmed = sandbox.lastgood("warm")
    assert (warmed.status, own_lines(warmed)[-1]) == (1, "error: demo-tool 1.2 provides no `other`"), warmed
    assert sandbox.lastgood("warm", "--check").status == 1


def test_all_checked_where_other_words_or_settings_hold(two: Index, sandbox: Sandbox) -> None:
    """What `warm --all` cannot refresh from here runs all the same where it is used: it is judged by itself, and that is 0."""
    keep(sandbox, "--index", two.url.replace("//", "//user:Pa55-w0rd@"), "demo-tool")
    assert sandbox.lastgood("run", "other-tool", "--version", env={"UV_EXCLUDE_NEWER": "2030-01-01"}).status == 0
    sandbox.wait_quiet()
    two.stop()
    hidden = "a credential stands in its words, which are never written down; refresh it where it is used"
    kept = "1.0 is kept, last checked …, though"
    rows = [
        f"demo-tool   kept        {kept} {hidden}",
        f"other-tool  kept        {kept} other settings hold now (variable: UV_EXCLUDE_NEWER there 2030-01-01, here not set)",
    ]
    assert checked(sandbox) == (0, rows, [])
    assert {row["outage_rung"] for row in sandbox.lastgood("status", "--json").json()["tools"]} == {"kept"}
    shutil.rmtree(next((sandbox.home / "generations").glob("demo-tool-*")))
    lost = "`demo-tool` may not run with no network, which nobody can say from here"
    assert checked(sandbox) == (1, [f"demo-tool   unknown     it is kept, but {hidden}", rows[1]], [f"error: {lost}"])


def test_all_checked_gives_no_age_to_what_the_index_did_not_answer_for(demo: Index, sandbox: Sandbox) -> None:
    """What stands in for a lost generation was last checked nobody knows when, also where other settings hold now."""
    there = {"UV_EXCLUDE_NEWER": "2030-01-01"}
    for version in ("1.0", "2.0"):
        demo.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool", env=there).status == 0
    sandbox.wait_quiet()
    demo.stop()
    shutil.rmtree(next((sandbox.home / "generations").glob("demo-tool-2.0-*")))
    (row,) = sandbox.lastgood("warm", "--all", "--check").out.splitlines()
    assert "1.0 is kept, last checked at an unknown time, though other settings hold now" in row
    assert "1.0 is kept, last checked at an unknown time\n" in sandbox.lastgood("warm", "--check", "demo-tool", env=there).out


def test_all_checked_gives_no_advice_that_cannot_help(demo: Index, sandbox: Sandbox) -> None:
    """A directory that is gone does not come back by `warm --all`."""
    there = new_directory(sandbox, "there")
    assert sandbox.lastgood("warm", "demo-tool", cwd=there).status == 0
    sandbox.wait_quiet()
    demo.stop()
    shutil.rmtree(there)
    status, _, said = checked(sandbox)
    assert (status, said) == (1, ["error: `demo-tool` would not run with no network"])


def test_all_behind_goes_to_where_each_was_used(demo: Index, sandbox: Sandbox) -> None:
    """`--all --behind` returns without a word, and refreshes what is not fresh with the table of its own directory."""
    there = new_directory(sandbox, "there", lastgood_toml='[tools]\ndemo-tool = "<3"\n')
    expect_version(sandbox.lastgood("run", "demo-tool", "--version", cwd=there), "1.0")
    sandbox.wait_quiet()
    for version in ("2.0", "3.0"):
        demo.publish(demo_tool(version))
    grow_old(sandbox, HOUR)
    result = sandbox.lastgood("warm", "--all", "--behind")
    assert (result.status, result.out, result.err) == (0, "", "")
    sandbox.wait_quiet()
    assert versions(sandbox) == {"demo-tool": "2.0"}


def test_all_behind_makes_no_record_of_its_own(demo: Index, sandbox: Sandbox) -> None:
    """Under other settings the words lead to another record, which nobody has asked for: nothing is done."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    assert sandbox.lastgood("warm", "--all", "--behind", env={"UV_INDEX": demo.url}).status == 0
    sandbox.wait_quiet()
    assert (len(all_records(sandbox)), demo.connections()) == (1, 0)


# --- ended in the middle --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)], ids=["INT", "TERM"])
def test_ended_while_the_index_is_asked(two: Index, sandbox: Sandbox, number: int, status: int) -> None:
    """What was kept stays as it was, byte for byte; no process is left when it ends; the next one works."""
    keep_both(sandbox)
    publish(two, "2.0")
    before = state(sandbox)
    with held(sandbox, two, *TWO) as process:
        two.wait_for_requests(2, "page")
        process.send_signal(number)
        result = ended(process)
        assert (result.status, result.out, result.err, sandbox.processes()) == (status, "", "", [])
    assert (state(sandbox), staged(sandbox)) == (before, [])
    after = sandbox.lastgood("warm", *TWO)
    assert (after.status, own_lines(after)[-1]) == (0, "kept `demo-tool` 2.0, `other-tool` 2.0"), after


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)], ids=["INT", "TERM"])
def test_ended_while_new_releases_are_checked(two: Index, sandbox: Sandbox, number: int, status: int) -> None:
    """The checks end with it, and what they were about to let in is gone."""
    keep_both(sandbox)
    publish(two, "2.0", "hang")
    before = state(sandbox)
    process = sandbox.popen([lastgood_script(), "warm", *TWO], stderr=subprocess.DEVNULL)
    sandbox.wait_for(lambda: len(checks(sandbox)) == 2 and len(staged(sandbox)) == 2, "two checks", timeout=60)
    process.send_signal(number)
    assert (process.wait(60), sandbox.processes()) == (status, [])
    assert (state(sandbox), staged(sandbox)) == (before, [])


@pytest.mark.leaves_processes
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)], ids=["INT", "TERM"])
def test_a_signal_for_the_whole_group(index: Index, sandbox: Sandbox, number: int, status: int) -> None:
    """Ctrl-C, or a supervisor's end of a group, reaches workers twice: one that cleans up does so to the end, in silence."""
    for tool, count in zip(TWO, (1, 2000), strict=True):
        release = demo_tool("1.0", name=tool, broken="hang")
        files = {f"{tool.replace('-', '_')}/m{number}.py": "" for number in range(count)}
        index.publish(replace(release, modules={**release.modules, **files}))
    said = sandbox.root / "said"
    with said.open("wb") as stderr:
        process = sandbox.popen([lastgood_script(), "warm", *TWO], stderr=stderr)
    sandbox.wait_for(lambda: len(checks(sandbox)) == 2, "two checks", timeout=60)
    os.killpg(process.pid, number)
    assert (process.wait(60), sandbox.processes(), staged(sandbox), said.read_text("utf-8")) == (status, [], [], "")


@needs_proc
@pytest.mark.leaves_processes
def test_a_second_signal(two: Index, sandbox: Sandbox) -> None:
    """Whoever is impatient and asks again while one worker takes its time leaves none of the others behind."""
    with held(sandbox, two, *TWO) as process:
        two.wait_for_requests(2, "page")
        with stopped(sandbox, worker(sandbox, "demo-tool")) as slow:
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
                sandbox.wait_for(lambda: not waiting(process.pid) and waiting(slow), "the signal to be taken, and passed on")
        assert (process.wait(60), sandbox.processes()) == (-signal.SIGTERM, [])


@contextlib.contextmanager
def stopped(sandbox: Sandbox, pid: int) -> Iterator[int]:
    """Stop a process for a while; yield it once it stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        sandbox.wait_for(lambda: "State:\tT" in Path(f"/proc/{pid}/status").read_text("utf-8"), "the process to stop")
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def waiting(pid: int) -> bool:
    """Return whether a process has been sent SIGTERM and has not taken it yet; one that has died takes nothing any more."""
    found = re.search(r"State:\t(\w)[\s\S]*ShdPnd:\t(\w+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return found is not None and found[1] != "Z" and bool(int(found[2], 16) >> (signal.SIGTERM - 1) & 1)


def test_ctrl_c_gives_the_terminal_back(two: Index, sandbox: Sandbox) -> None:
    """The bars go, the cursor is there again, and nothing is left at the terminal."""
    two.fault("hang-before-headers", on="page")
    with sandbox.terminal([lastgood_script(), "warm", *TWO]) as terminal:
        two.wait_for_requests(2, "page")
        terminal.read_until(b"other-tool")
        terminal.type(b"\x03")
        assert (terminal.wait(), sandbox.processes()) == (130, [])
    assert [line for line in screen(terminal.seen) if line != "^C"] == []
    assert 0 <= terminal.seen.rfind(HIDDEN) < terminal.seen.rfind(SHOWN)


@pytest.mark.parametrize("kept", [False, True])
def test_a_worker_that_is_killed(two: Index, sandbox: Sandbox, *, kept: bool) -> None:
    """Its tool is told as failed and the other one is kept; 1 where nothing good is left, 0 where what was kept stays."""
    if kept:
        keep(sandbox)
    with held(sandbox, two, *TWO, project="demo-tool") as process:
        two.wait_for_requests(1, "page")
        os.kill(worker(sandbox, "demo-tool"), signal.SIGKILL)
        result = ended(process)
    reason = "the refresh ended without a word"
    level, after = ("warning", "`demo-tool` 1.0 stays") if kept else ("error", "no good `demo-tool` is kept")
    told = ["kept `other-tool` 1.0", f"{level}: `demo-tool` was not refreshed ({reason}); {after}"]
    assert (result.status, own_lines(result)[-2:], others_words(result)) == (0 if kept else 1, told, ""), result


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
@pytest.mark.parametrize("words", ["demo-tool", "demo-tool demo-tool==1.0"])
def test_a_home_that_cannot_be_written(demo: Index, sandbox: Sandbox, words: str) -> None:
    """One line names the home and the reason and says what to do; nobody is asked, and a run goes on as it does."""
    forbidden = sandbox.root / "forbidden"
    forbidden.mkdir(mode=0o500)
    sandbox.env["LASTGOOD_HOME"] = str(forbidden / "home")
    result = sandbox.run(as_ordinary_user([lastgood_script(), "warm", *words.split()]))
    step = "set `LASTGOOD_HOME` to a directory that you can write to"
    line = f"error: `{forbidden}/home` is not writable (permission denied); {step}"
    assert (result.status, result.out, own_lines(result), demo.requests()) == (2, "", [line], [])
    behind = sandbox.run(as_ordinary_user([lastgood_script(), "warm", "--behind", *words.split()]))
    assert (behind.status, behind.out, behind.err) == (0, "", "")
