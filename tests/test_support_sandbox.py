"""A sandbox is a world of its own, and notices what a test leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.guard import take_caught
from tests.support.interpreters import another_python, interpreters, system_python, version_of
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index

WAIT = ["--ready", "ready", "--sleep-until", "go"]


def test_nothing_of_the_developer_gets_in(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is built from nothing, and every path in it lies in the sandbox, but for PATH and the programs."""
    monkeypatch.setenv("UV_PYTHON", "3.9")
    seen = sandbox.run(["env"]).out
    assert "UV_PYTHON=" not in seen
    places = [value for name, value in sandbox.env.items() if value.startswith("/") and name != "PATH"]
    assert all(value.startswith(str(sandbox.root)) for value in places)
    assert sandbox.uvx("--version").out.startswith("uvx ")


def test_two_sandboxes_know_nothing_of_each_other(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """Processes and starts are counted per user."""
    other = Sandbox(tmp_path, demo, name="other")
    process = sandbox.popen(["uvx", "demo-tool", *WAIT])
    sandbox.wait_for((sandbox.work / "ready").exists, "the tool to be ready")
    assert (len(sandbox.processes()) >= 1, other.processes(), other.starts()) == (True, [], 0)
    (sandbox.work / "go").touch()
    assert process.wait(20) == 0
    sandbox.wait_quiet()
    other.close()


def test_a_process_that_is_left_fails_the_test_and_is_killed(demo: Index, tmp_path: Path) -> None:
    """Unless the test said that it is expected."""
    for expected in (False, True):
        sandbox = Sandbox(tmp_path, demo, name=f"left-{expected}")
        sandbox.leftovers_expected = expected
        process = sandbox.popen(["uvx", "demo-tool", *WAIT], stderr=subprocess.DEVNULL)
        sandbox.wait_for((sandbox.work / "ready").exists, "the tool to be ready")
        if expected:
            sandbox.close(grace=0.1)
        else:
            with pytest.raises(AssertionError, match="was still running"):
                sandbox.close(grace=0.1)
        process.wait(20)
        sandbox.wait_quiet()


def test_output_that_is_held_open_is_named(sandbox: Sandbox) -> None:
    """A background process that keeps stdout fails `run`, which would otherwise wait for it."""
    with pytest.raises(AssertionError, match="its output is held open"):
        sandbox.run(["sh", "-c", "sleep 60 & exit 0"], timeout=0.5)
    sandbox.wait_quiet()


def test_a_terminal_is_a_terminal(sandbox: Sandbox) -> None:
    """Its size is as asked, all three streams are on it, and Ctrl-C arrives."""
    shown = sandbox.pty(["sh", "-c", "stty size; test -t 0 && test -t 1 && test -t 2 && echo yes; exit 3"], size=(33, 99))
    assert (shown.status, shown.stdout) == (3, b"33 99\r\nyes\r\n")
    with sandbox.terminal(["sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done"]) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x03")
        assert (terminal.wait(), b"caught" in terminal.seen) == (4, True)


def test_the_trap_catches_who_leaves_loopback(tmp_path: Path) -> None:
    """Uv asks the proxy for anything that is not loopback; the sandbox fails at its end."""
    sandbox = Sandbox(tmp_path, None)
    sandbox.env |= {"UV_DEFAULT_INDEX": "http://index.example/simple/", "UV_HTTP_RETRIES": "0"}
    assert sandbox.uvx("demo-tool").status != 0
    with pytest.raises(AssertionError, match=r"left loopback: .*index\.example"):
        sandbox.close()


def test_this_process_may_not_leave_loopback_either() -> None:
    """Names are not looked up and addresses not connected to; loopback is free."""
    with pytest.raises(PermissionError, match="must not leave loopback"):
        socket.getaddrinfo("index.example", 80)
    with socket.socket() as sock, pytest.raises(PermissionError, match="must not leave loopback"):
        sock.connect(("192.0.2.1", 80))
    assert len(take_caught()) == 2
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5):
        pass


@pytest.mark.no_proxy_trap
def test_a_test_can_do_without_the_trap(sandbox: Sandbox) -> None:
    """The marker leaves the proxy variables out."""
    assert not [name for name in sandbox.env if name.upper().endswith("PROXY")]


def test_interpreters_are_real() -> None:
    """None is a shim or a virtual environment, and each is of the version that it is listed under."""
    assert version_of(system_python()) is not None
    assert all("{}.{}".format(*(version_of(path) or ())) == name for name, path in interpreters().items())
    assert another_python() != system_python()
    assert version_of(system_python().with_name("no-such-python")) is None


@pytest.mark.online
def test_an_online_sandbox_has_the_configured_index(online_sandbox: Sandbox) -> None:
    """A real tool from the real index, in a home that is temporary."""
    assert online_sandbox.uvx("ruff", "--version", timeout=120).out.startswith("ruff ")
    assert online_sandbox.env["HOME"] != os.environ.get("HOME", sys.prefix)
