"""The process that uvx makes of a tool, the environment it runs in, and what uv keeps locked meanwhile."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import generations, surroundings
from lastgood import uv as lastgood_uv
from tests.support.interpreters import uv_binary
from tests.support.sandbox import lastgood_script
from tests.support.waiting import wait_for
from tests.support.wheels import demo_scripts, demo_tool, native_executable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

pytestmark = pytest.mark.contract


@pytest.fixture
def native(index: Index) -> None:
    """Publish a tool that no interpreter stands in front of."""
    if native_executable() is None:
        pytest.skip("no C compiler")
    index.publish(demo_scripts("1.0"))


def under_shell(sandbox: Sandbox, first: str, *words: str, **env: str | None) -> Result:
    """Run uvx behind a shell that does something to its own process first."""
    return sandbox.run(["sh", "-c", f"{first}; exec {shlex.join(['uvx', *words])}"], env=env)


def seen(result: Result) -> dict[str, list[str]]:
    """What the native tool shows of itself: the values of each key, in order."""
    assert result.status == 0, result.err
    found: dict[str, list[str]] = {}
    for line in result.out.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


# --- environment ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("demo")
def test_the_tool_gets_two_variables_and_no_more(sandbox: Sandbox) -> None:
    """uvx puts the environment in front of PATH and names itself in UV; every other variable is the user's, as it was."""
    given = sandbox.environment({"VIRTUAL_ENV": "/nowhere", "PYTHONPATH": "", "UV": "mine", "ODD": "a\nb=c", "EMPTY": ""})
    result = sandbox.run(["uvx", "--from", "demo-tool", "env", "-0"], env=given)
    got = dict(entry.split("=", 1) for entry in result.out.split("\0") if entry)
    programs = got["PATH"].split(":")[0]
    assert Path(programs, "demo-tool").exists()
    assert got == given | {"PATH": f"{programs}:{given['PATH']}", "UV": str(uv_binary())}


@pytest.mark.usefixtures("demo")
def test_without_a_path_the_tool_gets_the_environments_own(sandbox: Sandbox) -> None:
    """An unset PATH becomes the environment's directory, without a stray colon."""
    uvx = str(sandbox.bin / "uvx")
    python = surroundings_python(sandbox)
    result = sandbox.run(
        [uvx, "-p", python, "--from", "demo-tool", "python", "-c", "import os; print(os.environ['PATH'])"], env={"PATH": None}
    )
    assert result.status == 0, result.err
    assert (result.out.count(":"), result.out.endswith("/bin\n")) == (0, True)


def surroundings_python(sandbox: Sandbox) -> str:
    """Return the interpreter that uvx picks for this user."""
    return sandbox.run(["python3", "-c", "import sys; print(sys.executable)"]).out.strip()


@pytest.mark.usefixtures("demo")
def test_lastgood_is_told_what_the_tool_would_see(sandbox: Sandbox) -> None:
    """The materialise command reports UV and the limit of open files as the tool itself finds them."""
    environment = sandbox.environment()
    found = lastgood_uv.materialise(lastgood_uv.find(environment), [], "demo-tool", environment)
    tool = sandbox.uvx("demo-tool", "--dump").json()
    assert (found.prefix, found.uv, found.open_files) == (tool["prefix"], tool["env"]["UV"], tool["nofile"][0])
    assert sandbox.starts() == 1  # only the second one started it


@pytest.mark.usefixtures("native")
def test_the_limit_of_open_files_is_raised(sandbox: Sandbox) -> None:
    """uv raises the soft limit to the hard one, to 1048576 at most, and a tool under uvx has what uv has."""
    for hard in ("700", "600"):
        limits = seen(under_shell(sandbox, f"ulimit -Sn 256; ulimit -Hn {hard}", "--from", "demo-scripts", "demo-native", "--dump"))
        assert limits["nofile"] == [f"{hard} {hard}"]


@pytest.mark.usefixtures("native")
def test_the_limit_of_uv_run_is_not_uvxs(sandbox: Sandbox) -> None:
    """UV_RUN_RLIMIT_NOFILE is for `uv run`; a tool does not get it."""
    first = "ulimit -Sn 256; ulimit -Hn 700"
    limits = seen(under_shell(sandbox, first, "--from", "demo-scripts", "demo-native", "--dump", UV_RUN_RLIMIT_NOFILE="300"))
    assert limits["nofile"] == ["700 700"]


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("native")
def test_signals_reach_the_tool_as_they_were_except_sigpipe(sandbox: Sandbox) -> None:
    """SIGPIPE is back at its default, even where the caller ignores it; a SIGHUP that `nohup` ignores stays ignored."""
    command = ["--from", "demo-scripts", "demo-native", "--dump"]
    assert "ignored" not in seen(sandbox.uvx(*command))
    assert seen(under_shell(sandbox, "trap '' HUP PIPE", *command))["ignored"] == ["1"]


@pytest.mark.usefixtures("native")
def test_closed_descriptors_are_opened(sandbox: Sandbox) -> None:
    """A tool finds 0, 1 and 2 open, whatever its caller closed, and nothing else of uv's."""
    for closed in ("<&-", "2>&-", "<&- 2>&-"):
        assert seen(under_shell(sandbox, f"exec {closed}", "--from", "demo-scripts", "demo-native", "--dump"))["fd"] == [
            "0",
            "1",
            "2",
        ]


@pytest.mark.usefixtures("native")
def test_an_inherited_descriptor_reaches_the_tool(sandbox: Sandbox) -> None:
    """uv closes nothing that its caller left open: make's job server and lastgood's own pipe come through."""
    assert seen(under_shell(sandbox, "exec 7</dev/null", "--from", "demo-scripts", "demo-native", "--dump"))["fd"] == [
        "0",
        "1",
        "2",
        "7",
    ]


@pytest.mark.usefixtures("native", "demo")
def test_a_tool_is_called_by_its_name(sandbox: Sandbox) -> None:
    """argv[0] is the command as it was typed; a Python tool sees the script's path."""
    assert seen(sandbox.uvx("--from", "demo-scripts", "demo-native", "--dump", "a b"))["argv"] == ["demo-native", "--dump", "a b"]
    tool = sandbox.uvx("demo-tool", "--dump", "a b").json()
    assert (tool["argv0"], tool["argv"]) == (f"{tool['prefix']}/bin/demo-tool", ["--dump", "a b"])
    assert tool["orig_argv"] == [f"{tool['prefix']}/bin/python", tool["argv0"], "--dump", "a b"]


@pytest.mark.usefixtures("demo")
def test_exit_statuses_and_signals_pass_through(sandbox: Sandbox) -> None:
    """A tool's status is uvx's, modulo 256; a death by signal n is 128 + n."""
    for words, status in ((["--exit", "7"], 7), (["--exit", "300"], 44), (["--kill", "TERM"], 143), (["--kill", "KILL"], 137)):
        assert sandbox.uvx("demo-tool", *words).status == status


def test_twice_quiet_is_silent(demo: Index, sandbox: Sandbox) -> None:
    """`-q` keeps errors, `-qq` prints none: lastgood takes both away from the uv whose words it judges."""
    demo.stop()
    once, twice = sandbox.uvx("-q", "demo-tool"), sandbox.uvx("-qq", "demo-tool")
    assert "Connection refused" in once.err
    assert (twice.status, twice.out, twice.err) == (once.status, "", "")


# --- the environment on the disk ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("demo")
def test_an_environment_of_uvx_can_be_moved(sandbox: Sandbox) -> None:
    """It says that it is relocatable, lies in uv's cache under its real path, and its interpreter is an absolute link."""
    prefix = sandbox.uvx("demo-tool", "--dump").json()["prefix"]
    environment = generations.Environment(prefix)  # raises where it is not relocatable
    assert environment.dists == {"demo-tool": "1.0"}
    assert Path(prefix).is_relative_to(sandbox.uv_cache.resolve())
    assert os.path.realpath(prefix) == prefix
    assert Path(prefix, "bin", "python").readlink().is_absolute()
    written = [path for path in Path(prefix).rglob("*") if path.is_file() and not path.is_symlink() and path.suffix != ".pyc"]
    assert written
    assert [path for path in written if prefix.encode() in path.read_bytes()] == []


@pytest.mark.usefixtures("demo")
def test_a_moved_copy_runs_on_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """A clone under another name, with uv's cache gone, is its own prefix."""
    prefix = sandbox.uvx("demo-tool", "--dump").json()["prefix"]
    copy = tmp_path / "clone"
    subprocess.run(["cp", "-al", prefix, copy], check=True)
    assert sandbox.run(["uv", "cache", "clean"]).status == 0
    assert sandbox.run([str(copy / "bin" / "demo-tool"), "--dump"]).json()["prefix"] == str(copy)


@pytest.mark.usefixtures("demo")
def test_a_script_starts_with_the_shell(sandbox: Sandbox) -> None:
    """lastgood starts the interpreter itself where it knows the header that uv writes, and what follows has a known size."""
    prefix = sandbox.uvx("demo-tool", "--dump").json()["prefix"]
    script = Path(prefix, "bin", "demo-tool")
    header = script.read_bytes().splitlines()[:2]
    assert header == [b"#!/bin/sh", b"""'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@\""""]
    found = generations.command(prefix, "demo-tool", searched=False)
    assert found is not None
    assert (found.launch, found.file, found.entry) == ("python", "bin/demo-tool", "demo_tool.cli:main")
    assert stat.S_IMODE(script.stat().st_mode) & 0o111


@pytest.mark.usefixtures("native")
def test_scripts_of_a_wheel_are_rewritten_or_left(sandbox: Sandbox) -> None:
    """`#!python` becomes the same shell header; a shell script and a binary stay what they are."""
    environment = sandbox.environment()
    prefix = lastgood_uv.materialise(lastgood_uv.find(environment), [], "demo-scripts", environment).prefix
    kinds = {
        name: found.launch
        for name in ("demo-py", "demo-sh", "demo-native")
        if (found := generations.command(prefix, name, searched=False))
    }
    assert kinds == {"demo-py": "python", "demo-sh": "exec", "demo-native": "exec"}


def test_no_package_can_take_the_interpreters_place(index: Index, sandbox: Sandbox) -> None:
    """A script called `python` is refused, so `bin/python` of an environment is always its interpreter."""
    index.publish(demo_tool("1.0", extra_commands=("python",)))
    result = sandbox.uvx("demo-tool")
    assert result.status != 0
    assert "reserved" in result.err
    assert sandbox.starts() == 0


def test_commands_that_nobody_provides_are_uvxs_to_explain(demo: Index, sandbox: Sandbox) -> None:
    """Without `--from` nothing starts; with it, PATH is searched after the environment."""
    demo.publish(demo_tool("1.0", name="library", command="other"))
    result = sandbox.uvx("library")
    assert (result.status, sandbox.starts()) == (1, 0)
    assert "other" in result.err
    assert sandbox.uvx("--from", "library", "echo", "found").out == "found\n"
    missing = sandbox.uvx("--from", "library", "no-such-command")
    assert missing.status == 1
    assert "no-such-command" in missing.err


# --- locks and installed tools --------------------------------------------------------------------------------------


def pruning(sandbox: Sandbox) -> Result:
    """Try to prune uv's cache, with little patience."""
    return sandbox.run(["uv", "cache", "prune"], env={"UV_LOCK_TIMEOUT": "1"})


@pytest.mark.usefixtures("demo")
def test_the_cache_is_locked_while_a_tool_lives(sandbox: Sandbox) -> None:
    """`uv cache prune` cannot take an environment away from a process that uvx started."""
    started, done = sandbox.work / "started", sandbox.work / "done"
    process = sandbox.popen(["uvx", "demo-tool", "--ready", str(started), "--sleep-until", str(done)])
    wait_for(started.exists, "the tool to start")
    assert "waiting for lock" in pruning(sandbox).err
    done.touch()
    assert process.wait(30) == 0
    assert pruning(sandbox).status == 0


@pytest.mark.usefixtures("demo")
def test_the_cache_is_locked_while_lastgood_clones(sandbox: Sandbox) -> None:
    """What `use` does to an environment cannot meet a prune; afterwards the lock is gone."""
    tried: list[Result] = []
    use: Callable[[lastgood_uv.Result], None] = lambda _result: tried.append(pruning(sandbox))  # noqa: E731
    environment = sandbox.environment()
    found = lastgood_uv.materialise(lastgood_uv.find(environment), [], "demo-tool", environment, use=use)
    assert (found.status, "waiting for lock" in tried[0].err) == (0, True)
    assert pruning(sandbox).status == 0


@pytest.mark.parametrize("place", ["UV_TOOL_DIR", "XDG_DATA_HOME", "HOME"])
def test_an_installed_tool_is_preferred_and_found(demo: Index, sandbox: Sandbox, place: str) -> None:
    """uvx runs what `uv tool install` installed, without an index; lastgood knows where its receipt is, and never clones it."""
    for name in ("UV_TOOL_DIR", "XDG_DATA_HOME"):
        if name != place:
            sandbox.env.pop(name, None)
        if name == place:
            break
    installed = sandbox.run(["uv", "tool", "install", "demo-tool"])
    assert installed.status == 0, installed.err
    receipt = Path(surroundings.receipt(sandbox.environment(), "demo-tool"))
    assert receipt.is_file()
    demo.stop()
    prefix = sandbox.uvx("demo-tool", "--dump").json()["prefix"]
    assert Path(prefix) == receipt.parent
    with pytest.raises(generations.NotRetainable):
        generations.Environment(prefix)


def test_an_isolated_run_ignores_the_installed_tool(demo: Index, sandbox: Sandbox) -> None:
    """`--isolated`, another version and `@latest` ask the index."""
    sandbox.run(["uv", "tool", "install", "demo-tool"])
    demo.publish(demo_tool("1.1"))
    versions = [
        sandbox.uvx(*words, "--version").out.split()[-1]
        for words in (["demo-tool"], ["--isolated", "demo-tool"], ["demo-tool@latest"], ["demo-tool@1.1"])
    ]
    assert versions == ["1.0", "1.1", "1.1", "1.1"]


def test_a_login_page_poisons_uvs_cache_until_a_refresh(demo: Index, sandbox: Sandbox) -> None:
    """A portal's page is remembered for its max-age, so a suspect is looked at again with `--refresh-package`."""
    demo.fault("login", on="page", max_age=3600)
    assert "there are no versions of" in sandbox.uvx("demo-tool").err
    demo.heal()
    demo.clear_requests()
    assert "there are no versions of" in sandbox.uvx("demo-tool").err
    assert demo.requests() == []
    assert sandbox.uvx("--refresh-package=demo-tool", "demo-tool", "--version").out == "demo-tool 1.0\n"


@pytest.mark.usefixtures("native")
def test_lastgoods_own_exec_is_the_process_that_uvx_makes(sandbox: Sandbox) -> None:
    """Signals, descriptors and the limit of open files are what uvx gives, from the same caller."""
    first = "trap '' HUP PIPE; ulimit -Sn 256; ulimit -Hn 700; exec <&-"
    words = ["--from", "demo-scripts", "demo-native", "--dump"]
    there = seen(under_shell(sandbox, first, *words))
    sandbox.lastgood("run", *words)  # keeps it
    here = seen(sandbox.run(["sh", "-c", f"{first}; exec {shlex.join([lastgood_script(), 'run', *words])}"]))
    keys = ("argv", "cwd", "ignored", "nofile", "umask")
    assert {key: here[key] for key in keys} == {key: there[key] for key in keys}
    assert [fd for fd in here["fd"] if int(fd) < 10] == there[
        "fd"
    ]  # the generation's lock stands above those that scripts hand over
