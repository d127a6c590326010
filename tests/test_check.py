"""The check: a release that installs but does not start is refused, once, and the last good keeps running.

The releases are broken for real: their modules raise or hang when they are imported, or their command fails. A file that such a
module appends to while it is imported tells how often it was tried; the counter of starts tells that the tool itself never ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lastgood import generations
from tests.support.interpreters import system_python
from tests.support.kept import all_records, expect_version, grow_old, keep, only_record, open_hosts, own_lines
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
BROKEN = "ImportError: this release of the demo tool is broken"
NOTED = "import os\nwith open(os.environ['DEMO_IMPORTS'], 'a') as file:\n    file.write('imported\\n')"


def demo_run(sandbox: Sandbox, *words: str, **env: str | None) -> Result:
    """Run `lastgood run WORDS… demo-tool --version`."""
    return sandbox.lastgood("run", *words, "demo-tool", "--version", env=env)


def broken_tool(version: str) -> Wheel:
    """Return a release that notes each import and then fails."""
    return demo_tool(version, broken="import", prelude=NOTED)


def imports(sandbox: Sandbox) -> int:
    """Return how often a broken release was imported."""
    path = sandbox.root / "imports"
    return len(path.read_text().splitlines()) if path.exists() else 0


def keep_old(sandbox: Sandbox, index: Index, *, age: float = HOUR) -> None:
    """Keep 1.0, asked for a while ago."""
    sandbox.env["DEMO_IMPORTS"] = str(sandbox.root / "imports")
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    grow_old(sandbox, age)
    sandbox.clear_starts()


def refused_line(version: str, reason: str, kept: str = "1.0") -> str:
    """Return what is said of a refused release."""
    return f"warning: `demo-tool` {version} was built but does not start ({reason}); keeping {kept}"


def test_a_broken_release_is_refused_once_and_reported_once(demo: Index, sandbox: Sandbox) -> None:
    """The old release runs, the new one is imported once, said so once, and not tried again at any later refresh."""
    keep_old(sandbox, demo)
    demo.publish(broken_tool("2.0"))
    expect_version(demo_run(sandbox), "1.0", refused_line("2.0", BROKEN))
    for _ in range(3):
        expect_version(demo_run(sandbox), "1.0")
        grow_old(sandbox, HOUR)
    assert (imports(sandbox), sandbox.starts(), open_hosts(sandbox)) == (1, 4, {})
    (refused,) = only_record(sandbox).refused
    assert (refused["version"], refused["error"], refused["by"]) == ("2.0", BROKEN, "check")


def test_the_next_release_is_tried_again(demo: Index, sandbox: Sandbox) -> None:
    """A new resolution is a new question: a broken one is refused anew, a good one runs and forgets the refusals."""
    keep_old(sandbox, demo)
    for version in ("2.0", "2.1"):
        demo.publish(broken_tool(version))
        expect_version(demo_run(sandbox), "1.0", refused_line(version, BROKEN))
        grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.2"))
    expect_version(demo_run(sandbox), "2.2")
    sandbox.wait_quiet()
    assert (imports(sandbox), only_record(sandbox).refused) == (2, [])


def test_a_refusal_behind_is_reported_by_the_next_run(demo: Index, sandbox: Sandbox) -> None:
    """Where nobody waited, the next run says it, once; the kept release runs both times."""
    keep_old(sandbox, demo)
    demo.publish(broken_tool("2.0"))
    expect_version(demo_run(sandbox, "--prefer-offline"), "1.0")
    sandbox.wait_quiet()
    expect_version(demo_run(sandbox, "--prefer-offline"), "1.0", refused_line("2.0", BROKEN))
    expect_version(demo_run(sandbox, "--prefer-offline"), "1.0")
    assert imports(sandbox) == 1


def test_a_refusal_behind_is_said_by_one_of_many(demo: Index, sandbox: Sandbox) -> None:
    """Of parallel runs one says what an earlier refresh found."""
    keep_old(sandbox, demo)
    demo.publish(broken_tool("2.0"))
    expect_version(demo_run(sandbox, "--prefer-offline"), "1.0")
    sandbox.wait_quiet()
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "lastgood", "run", "--prefer-offline", "demo-tool", "--version"]
    running = [sandbox.popen(command, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL) for _ in range(6)]
    said = [process.communicate(timeout=60)[1].decode() for process in running]
    assert sorted(said) == [""] * 5 + [f"lastgood: {refused_line('2.0', BROKEN)}\n"]


def test_a_refused_release_in_an_outage(demo: Index, sandbox: Sandbox) -> None:
    """Refused is refused: also when the index is down and uv's cache has the broken release, the good one runs."""
    keep_old(sandbox, demo)
    demo.publish(broken_tool("2.0"))
    demo_run(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    line = f"warning: running `demo-tool` 1.0, last checked 1h ago: `{demo.host}` did not answer (connection refused)"
    expect_version(demo_run(sandbox), "1.0", line)
    expect_version(demo_run(sandbox, "--offline"), "1.0")


def test_a_release_of_a_dependency_that_breaks_the_import(index: Index, sandbox: Sandbox) -> None:
    """The tool's version is the same and yet it does not start: the old environment runs, the broken one is refused."""
    index.publish(demo_tool("1.0", requires=("demo-dep>=1",)))
    index.publish(demo_dep("1.0"))
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_dep("1.1", broken=True))
    result = demo_run(sandbox)
    (line,) = own_lines(result)
    expect_version(result, "1.0", line)
    named = "with demo-dep 1.0 → 1.1: ImportError: cannot import name 'answer' from 'demo_dep' (lib/"
    assert line.startswith(f"warning: `demo-tool` 1.0 was built but does not start ({named}")
    grow_old(sandbox, HOUR)
    expect_version(demo_run(sandbox), "1.0")
    index.publish(demo_dep("1.2"))
    grow_old(sandbox, HOUR)
    expect_version(demo_run(sandbox), "1.0")
    sandbox.wait_quiet()
    assert [generation.dists["demo-dep"] for generation in only_record(sandbox).generations] == ["1.2", "1.0"]


def test_the_first_release_is_broken(index: Index, sandbox: Sandbox) -> None:
    """With nothing older uvx runs it as it is: its own failure, once, and a line that says what was found out before."""
    sandbox.env["DEMO_IMPORTS"] = str(sandbox.root / "imports")
    index.publish(broken_tool("1.0"))
    plain = sandbox.uvx("demo-tool", "--version")
    result = demo_run(sandbox)
    named = f"warning: `demo-tool` 1.0 was built but does not start ({BROKEN})"
    line = f"{named}; nothing older is kept for this request, running it as `uvx` would"
    assert (result.status, result.out, own_lines(result)) == (plain.status, "", [line])
    assert BROKEN in result.err
    again = demo_run(sandbox)
    assert (again.status, own_lines(again)) == (plain.status, [line])  # nothing else tells why it is not kept
    assert [record.generations for record in all_records(sandbox)] == [[]]
    index.publish(demo_tool("1.1"))
    expect_version(demo_run(sandbox), "1.1")


def test_the_first_release_that_a_request_gets_is_broken(demo: Index, sandbox: Sandbox) -> None:
    """What is kept for another request that satisfies this one runs, as in an outage; for one that it does not satisfy, nothing."""
    sandbox.env["DEMO_IMPORTS"] = str(sandbox.root / "imports")
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(broken_tool("2.0"))
    named = f"`demo-tool` 2.0 was built but does not start ({BROKEN})"
    for _ in range(2):
        result = sandbox.lastgood("run", "demo-tool@latest", "--version")
        line = f"warning: running `demo-tool` 1.0, last checked 1h ago: {named}; it was kept for `demo-tool`"
        expect_version(result, "1.0", line)
    line = f"warning: {named}; nothing older is kept for this request, running it as `uvx` would"
    for words in (("demo-tool>=2",), ("--refresh", "demo-tool@latest"), ("--offline", "demo-tool==2.0")):
        result = sandbox.lastgood("run", *words, "--version")
        assert (result.status, own_lines(result)) == (1, [line]), words


def test_what_ones_own_check_refuses_stands_in_for_nothing(demo: Index, sandbox: Sandbox) -> None:
    """The very environment that the table's `check` has just refused is not what another request kept before there was one."""
    del demo
    keep(sandbox)
    (sandbox.work / "lastgood.toml").write_text('[tools]\ndemo-tool = { check = ["demo-tool", "--exit", "3"] }\n')
    result = sandbox.lastgood("run", "demo-tool@latest", "--version")
    (line,) = own_lines(result)
    assert "1.0 was built but does not start (its `check` failed: exit status 3); nothing older is kept" in line


def test_strict_latest_runs_what_is_latest(demo: Index, sandbox: Sandbox) -> None:
    """strict-latest is uvx: the broken release fails as it does there, and what is kept stays kept."""
    keep_old(sandbox, demo, age=0)
    demo.publish(broken_tool("2.0"))
    plain = sandbox.uvx("--refresh", "demo-tool", "--version")
    named = f"warning: `demo-tool` 2.0 was built but does not start ({BROKEN})"
    for _ in range(2):
        result = demo_run(sandbox, "--refresh")
        line = f"{named}; the mode is `strict-latest`, running it as `uvx` would"
        assert (result.status, result.out, own_lines(result)) == (plain.status, "", [line])
    expect_version(demo_run(sandbox, "--offline"), "1.0")


def test_the_users_own_check(demo: Index, sandbox: Sandbox) -> None:
    """`check` in the tools table refuses a release that starts and yet does not work, in the words of that command."""
    (sandbox.work / "lastgood.toml").write_text('[tools]\ndemo-tool = { check = ["demo-tool", "--version"] }\n')
    keep_old(sandbox, demo)
    demo.publish(demo_tool("2.0", broken="behaviour"))
    expect_version(demo_run(sandbox), "1.0", refused_line("2.0", "its `check` failed: demo-tool 2.0: this release is broken"))
    grow_old(sandbox, HOUR)
    expect_version(demo_run(sandbox), "1.0")
    assert [line.split()[1] for line in sandbox.start_lines()] == ["2.0", "1.0", "1.0"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["no-such-command"], "no-such-command: No such file or directory"),
        (["sh", "-c", "exit 3"], "exit status 3"),
        (["sh", "-c", "echo first; echo; echo last words >&2; exit 1"], "last words"),
        (["demo-tool", "--exit", "9"], "exit status 9"),
    ],
)
def test_how_a_check_of_the_users_fails(demo: Index, sandbox: Sandbox, command: list[str], reason: str) -> None:
    """Its last words are the reason, or its exit status, or that there is no such command."""
    keep_old(sandbox, demo)
    words = ", ".join(f'"{word}"' for word in command)
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\ndemo-tool = {{ check = [{words}] }}\n")
    demo.publish(demo_tool("2.0"))
    expect_version(demo_run(sandbox), "1.0", refused_line("2.0", f"its `check` failed: {reason}"))


def test_a_check_finds_the_tool_of_the_new_environment(demo: Index, sandbox: Sandbox) -> None:
    """The command of a check comes from the release that is checked, with no input and no terminal."""
    seen = sandbox.root / "seen"
    check = f'["sh", "-c", "demo-tool --version > {seen}; demo-tool --cat >> {seen}; test ! -t 0 && test ! -t 1"]'
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\ndemo-tool = {{ check = {check} }}\n")
    keep_old(sandbox, demo)
    demo.publish(demo_tool("2.0"))
    expect_version(demo_run(sandbox), "2.0")
    assert seen.read_text() == "demo-tool 2.0\n"


@pytest.mark.parametrize("words", ["--from demo-tool no-such-command", "Demo_Tool", "--from demo-dep demo-dep", "demo-dep"])
def test_a_command_that_the_package_does_not_provide(demo: Index, sandbox: Sandbox, words: str) -> None:
    """That is no broken release: uvx's own message and status, both times, and nothing is said or refused."""
    demo.publish(demo_dep("1.0"))
    plain = sandbox.uvx(*words.split())
    for _ in range(2):
        result = sandbox.lastgood("run", *words.split())
        assert (result.status, result.out) == (plain.status, plain.out)
        assert result.err.endswith(plain.err.partition("ms\n")[2])
        assert own_lines(result) == []
    sandbox.wait_quiet()
    assert [record.refused for record in all_records(sandbox) if record.refused] == []


@pytest.mark.parametrize("given", [False, True])
def test_a_command_that_a_new_release_no_longer_provides(
    demo: Index,
    sandbox: Sandbox,
    given: bool,  # noqa: FBT001  # whether `--from` is
) -> None:
    """That is a release in which the tool does not start: it is refused, and the kept one is not lost by it, nor in an outage."""
    keep_old(sandbox, demo)
    demo.publish(demo_tool("2.0", command="renamed"))
    words = ("--from", "demo-tool", "demo-tool", "--version") if given else ("demo-tool", "--version")
    sandbox.uvx(*words)
    plain = sandbox.uvx(*words)
    assert "renamed" in plain.err
    keep_line = refused_line("2.0", "it does not provide `demo-tool` any more")
    expect_version(sandbox.lastgood("run", *words), "1.0", keep_line)
    expect_version(sandbox.lastgood("run", "--offline", *words), "1.0")
    result = sandbox.lastgood("run", "--refresh", *words)
    assert (result.status, result.out, result.err.endswith(plain.err)) == (plain.status, "", True)


@pytest.mark.leaves_processes
def test_an_import_that_hangs_does_not_hold_the_run(demo: Index, sandbox: Sandbox) -> None:
    """The release is still being checked when patience ends: the last good runs, now and the next time."""
    keep_old(sandbox, demo)
    demo.publish(demo_tool("2.0", broken="hang"))
    for _ in range(2):
        result = demo_run(sandbox, "--patience", "1")
        assert (result.status, result.out, len(own_lines(result))) == (0, "demo-tool 1.0\n", 1), result
    assert [process for process in sandbox.processes() if "importlib" in process[1]]


def test_a_check_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """What takes longer than its bound is killed with all that it started, and has no exit status."""
    started = tmp_path / "started"
    words = ["sh", "-c", f"sleep 600 & echo $! > {started}; echo waiting; wait"]
    assert generations.run_quietly(words, {"PATH": os.environ["PATH"]}, 0.5) == (None, "waiting\n")
    pid = int(started.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0) if not is_zombie(pid) else os.kill(2**22 + 1, 0)


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and waits for whoever adopted it."""
    listing = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.strip().startswith("Z")


def test_a_check_has_last_words_and_a_status(tmp_path: Path) -> None:
    """Output of both kinds, in order, and the exit status; a program that does not exist is told like any other failure."""
    environ = {"PATH": os.environ["PATH"]}
    assert generations.run_quietly(["sh", "-c", "echo out; echo err >&2; exit 4"], environ, 20) == (4, "out\nerr\n")
    status, said = generations.run_quietly([str(tmp_path / "nothing")], environ, 20)
    assert (status, said) == (127, f"{tmp_path / 'nothing'}: No such file or directory")
    assert generations.run_quietly([str(system_python()), "-c", "import os; os.kill(0, 9)"], environ, 20)[0] == -9


def test_a_program_that_closes_its_output_and_goes_on_is_stopped_in_time() -> None:
    """A check is bounded by its own end, not by the end of its output: one that only closes its pipe is stopped, too."""
    status, said = generations.run_quietly(["sh", "-c", "echo last words; exec >&- 2>&-; sleep 600"], {"PATH": os.defpath}, 0.5)
    assert status is None
    assert said == "last words\n"


def test_what_a_program_leaves_running_does_not_hold_up_its_result() -> None:
    """A check that leaves a background process with its output open ends when the check itself does."""
    status, said = generations.run_quietly(["sh", "-c", "sleep 5 & echo started; exit 4"], {"PATH": os.defpath}, 600.0)
    assert status == 4
    assert said == "started\n"


def test_a_check_that_was_corrected_is_asked_again(demo: Index, sandbox: Sandbox) -> None:
    """What only the user's own smoke test refused is looked at again when that reads otherwise, or is gone."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    table = sandbox.work / "lastgood.toml"
    table.write_text('[tools]\ndemo-tool = { check = ["demo-tool", "--exit", "3"] }\n')
    for _ in range(2):
        grow_old(sandbox, 3600.0)
        expect_version_only(sandbox, "1.0")
    (refused,) = only_record(sandbox).refused
    assert refused["error"] == "its `check` failed: exit status 3"
    table.write_text('[tools]\ndemo-tool = { check = ["demo-tool", "--version"] }\n')
    grow_old(sandbox, 3600.0)
    expect_version_only(sandbox, "2.0")


def expect_version_only(sandbox: Sandbox, version: str) -> None:
    """Expect the tool in that version, whatever is said beside it."""
    assert sandbox.lastgood("run", "demo-tool", "--version").out == f"demo-tool {version}\n"
    sandbox.wait_quiet()


def test_a_command_that_is_not_there_is_promised_by_nobody(demo: Index, sandbox: Sandbox) -> None:
    """`warm` fails and says what is missing; `warm --check`, `status` and `why` know that it would not run, as `run` does."""
    del demo
    (sandbox.work / "lastgood.toml").write_text('[tools]\nno-such-command = { from = "demo-tool" }\n')
    warmed = sandbox.lastgood("warm")
    reason = "demo-tool 1.0 provides no `no-such-command`"
    said = f"error: `no-such-command` was not refreshed ({reason}); no good `no-such-command` is kept"
    assert (warmed.status, own_lines(warmed)) == (1, [said]), warmed
    checked = sandbox.lastgood("warm", "--check")
    assert (checked.status, "1.0 is kept, but does not provide `no-such-command`" in checked.out) == (1, True), checked
    assert own_lines(checked) == ["error: `no-such-command` would not run with no network"]
    assert "provides no `no-such-command`" in sandbox.lastgood("why", "no-such-command").out
    (row,) = sandbox.lastgood("status", "--json").json()["tools"]
    assert row["outage_rung"] == "nothing", row
    result = sandbox.lastgood("run", "no-such-command")
    assert (result.status, result.out, sandbox.starts()) == (1, "", 0), result


def test_a_command_on_path_is_one(demo: Index, sandbox: Sandbox) -> None:
    """uvx looks for the command of a `--from` on PATH as well, beside the environment's."""
    del demo
    words = ("--from", "demo-tool", "sh", "-c", "command -v demo-tool")
    plain = sandbox.uvx(*words)
    assert plain.status == 0
    for _ in range(2):
        result = sandbox.lastgood("run", *words)
        assert (result.status, own_lines(result)) == (0, []), result
        assert result.out.endswith("/bin/demo-tool\n"), result
        sandbox.wait_quiet()
    assert "start what is kept" in sandbox.lastgood("why", *words).out
