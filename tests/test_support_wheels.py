"""The wheels that tests build are real: uv installs them, and they do what they say."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.wheels import Broken, Wheel, demo_dep, demo_scripts, demo_tool, native_executable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Sandbox


def test_a_wheel_is_the_same_bytes_every_time_and_its_record_names_every_member() -> None:
    """Two builds agree, and RECORD lists what is in the archive, with sizes."""
    first, second = demo_tool("1.0", padding=10_000), demo_tool("1.0", padding=10_000)
    assert first.contents == second.contents
    with zipfile.ZipFile(io.BytesIO(first.contents)) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("demo_tool-1.0.dist-info/RECORD").decode())))
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    assert [row[0] for row in rows] == list(sizes)
    assert all(int(size) == sizes[name] for name, _, size in rows[:-1])


def test_a_demo_tool_counts_its_start_and_does_as_it_is_told(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """Words are carried out in order, bytes that are no UTF-8 survive, each start is one line in the counter."""
    target = tmp_path / "formatted"
    result = sandbox.uvx(
        "demo-tool", "--version", "--format", str(target), "--stderr", "oops", "--echo", b"\xff", "b", env={"LC_ALL": "C"}
    )
    assert (result.status, result.stdout) == (0, b"demo-tool 1.0\n\xff\nb\n")
    assert result.stderr.endswith(b"oops\n")
    dumped = sandbox.uvx("demo-tool", "--dump", b"\xff").json()
    assert [os.fsencode(word) for word in dumped["argv"]] == [b"--dump", b"\xff"]
    assert (dumped["cwd"], dumped["fds"].keys() >= {"0", "1", "2"}) == (str(sandbox.work), True)
    assert (target.read_text("utf-8"), sandbox.starts()) == ("formatted\n", 2)
    assert sandbox.uvx("demo-tool", "--write", "100000", "--exit", "7").stdout == b"x" * 100_000
    assert sandbox.uvx("demo-tool", "--cat", input=b"y" * 200_000).stdout == b"y" * 200_000
    assert sandbox.uvx("demo-tool", "--kill", "TERM").status == 128 + signal.SIGTERM
    assert demo.requests("file", "demo-tool")[0].status == 200


def test_a_demo_tool_waits_for_its_file_and_hears_signals(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """`--ready` and `--sleep-until` make a tool that is surely running; `--on-signal` ends it with a status."""
    ready, go = tmp_path / "ready", tmp_path / "go"
    sandbox.uvx("demo-tool")
    process = sandbox.popen(["uvx", "demo-tool", "--on-signal", "TERM", "5", "--ready", str(ready), "--sleep-until", str(go)])
    sandbox.wait_for(ready.exists, "the tool to be ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 5
    assert demo.requests("other") == []


@pytest.mark.parametrize(("broken", "status", "starts"), [("import", 1, 0), ("behaviour", 70, 1)])
def test_a_broken_release_installs_and_fails(index: Index, sandbox: Sandbox, broken: Broken, status: int, starts: int) -> None:
    """One raises ImportError before its start is counted, the other starts and is of no use."""
    index.publish(demo_tool("2.0", broken=broken))
    result = sandbox.uvx("demo-tool", "--version")
    assert (result.status, result.stdout, sandbox.starts()) == (status, b"", starts)
    assert ("ImportError" in result.err) == (broken == "import")


def test_a_dependency_can_break_the_tool(index: Index, sandbox: Sandbox) -> None:
    """With demo-dep 1.0 the tool runs, with 1.1 its import fails."""
    for wheel in (demo_tool("1.0", requires=("demo-dep>=1",)), demo_dep("1.0"), demo_dep("1.1", broken=True)):
        index.publish(wheel)
    assert sandbox.uvx("demo-tool").status == 1
    assert sandbox.uvx("--with", "demo-dep==1.0", "demo-tool").status == 0


def test_script_tools_run(index: Index, sandbox: Sandbox) -> None:
    """A sh script, a `#!python` script and, with a compiler, a native program, all counted."""
    index.publish(demo_scripts("1.0"))
    outputs = [sandbox.uvx("--from", "demo-scripts", tool, "x").out for tool in ("demo-sh", "demo-py")]
    assert outputs == ["demo-sh 1.0\nx\n", ""]
    if native_executable() is not None:
        assert "argv --dump" in sandbox.uvx("--from", "demo-scripts", "demo-native", "--dump").out.splitlines()
    assert sandbox.starts() == 2 + (native_executable() is not None)


def test_extras_and_python_versions_reach_the_metadata() -> None:
    """What the builder is told stands in METADATA."""
    wheel = Wheel("a_b", "1", requires=("x",), extras={"more": ("y>1",)}, requires_python=">=3.9")
    lines = wheel.metadata.decode().splitlines()
    assert lines[3:] == [
        "Requires-Python: >=3.9",
        "Requires-Dist: x",
        "Provides-Extra: more",
        "Requires-Dist: y>1 ; extra == 'more'",
    ]
    assert (wheel.project, wheel.filename) == ("a-b", "a_b-1-py3-none-any.whl")


def test_the_demo_program_runs_without_being_installed(tmp_path: Path) -> None:
    """The modules of a demo tool need nothing but the standard library."""
    for path, content in demo_tool("1.0").modules.items():
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run([sys.executable, "-S", "-m", "demo_tool", "--dump"], cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout)["version"] == "1.0"
