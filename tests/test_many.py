"""Many processes at once: one of them asks the index, all of them run the tool."""

from __future__ import annotations

import os
import subprocess

import pytest

from lastgood import record as records
from tests.support.aging import HOUR, let_pass
from tests.support.kept import keep, own_lines
from tests.support.sandbox import Result, lastgood_script
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.index_faults import FaultKind
    from tests.support.sandbox import Sandbox

MANY = 32
DEMO = ("run", "demo-tool", "--version")
# 32 processes on two cores are slow for reasons of their own; what is counted here is not how long anyone waits
PATIENT = {"LASTGOOD_PATIENCE": "60"}


def run_many(sandbox: Sandbox, env: Mapping[str, str | None] | None = None) -> list[tuple[int, bytes, bytes]]:
    """Start 32 runs of the same words at once and return how each ended: status, output, errors."""
    pipe = subprocess.PIPE
    processes = [
        sandbox.popen([lastgood_script(), *DEMO], env=env, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL) for _ in range(MANY)
    ]
    ended = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        ended.append((process.returncode, out, err))
    sandbox.wait_quiet()
    return ended


def kept(sandbox: Sandbox) -> list[list[str]]:
    """Return the versions that each record of the home keeps; what the records name is all that the store holds."""
    home = str(sandbox.home)
    found = [record for identity in records.identities(home) if (record := records.load(home, identity)) is not None]
    stored = sorted(os.listdir(sandbox.home / "generations"))
    assert stored == sorted(generation.id for record in found for generation in record.generations)
    return [[generation.version for generation in record.generations] for record in found]


@pytest.mark.slow
def test_a_cold_tool_is_resolved_and_fetched_once(demo: Index, sandbox: Sandbox) -> None:
    """32 first runs at once: one page, one metadata and one file request; all run the tool, and one generation is kept."""
    ended = run_many(sandbox)
    assert [(status, out) for status, out, _ in ended] == [(0, b"demo-tool 1.0\n")] * MANY, ended
    assert (sandbox.starts(), kept(sandbox)) == (MANY, [["1.0"]])
    assert [len(demo.requests(kind)) for kind in ("page", "metadata", "file")] == [1, 1, 1]


@pytest.mark.slow
def test_a_stale_tool_is_resolved_once(demo: Index, sandbox: Sandbox) -> None:
    """32 stale runs at once: one of them asks, all run the new version, and one generation of it is kept."""
    assert sandbox.lastgood(*DEMO, env=PATIENT).status == 0
    sandbox.wait_quiet()
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("2.0"))
    demo.clear_requests()
    ended = run_many(sandbox, PATIENT)
    assert ended == [(0, b"demo-tool 2.0\n", b"")] * MANY
    assert (sandbox.starts(), kept(sandbox)) == (MANY + 1, [["2.0", "1.0"]])
    assert [len(demo.requests(kind)) for kind in ("page", "metadata", "file")] == [1, 1, 1]


@pytest.mark.slow
def test_an_outage_is_found_out_once(demo: Index, sandbox_factory: SandboxFactory) -> None:
    """32 stale runs at once while the index fails: all run the last good and say so, and the index hears from one of them."""
    attempts = []
    for many in (False, True):
        sandbox = sandbox_factory(demo)
        assert sandbox.lastgood(*DEMO, env=PATIENT).status == 0
        sandbox.wait_quiet()
        let_pass(sandbox.home, HOUR)
        demo.clear_requests()
        demo.fault(503, on="page")
        ended = run_many(sandbox, PATIENT) if many else [(0, b"", b"")]
        if not many:
            assert sandbox.lastgood(*DEMO, env=PATIENT).status == 0
            sandbox.wait_quiet()
        attempts.append(len(demo.requests()))
        demo.heal()
    assert [(status, out) for status, out, _ in ended] == [(0, b"demo-tool 1.0\n")] * MANY
    assert [
        err for _, _, err in ended if not err.startswith(b"lastgood: warning: running `demo-tool` 1.0, last checked 1h ago: ")
    ] == []
    assert [err for _, _, err in ended if err.count(b"\n") != 1] == []
    assert (sandbox.starts(), kept(sandbox)) == (MANY + 1, [["1.0"]])
    assert attempts[1] == attempts[0]


def run_two(demo: Index, sandbox: Sandbox, *words: str, fails: FaultKind | int | None = None) -> list[Result]:
    """Start a run that must ask, then one that waits for it on a terminal; only then let the index go on, to where it `fails`."""
    gate = sandbox.root / "gate"
    demo.clear_requests()
    demo.fault("trickle", on="page", gate=gate)
    first, once = [lastgood_script(), "run", *words, "demo-tool", "--version"], {"UV_HTTP_RETRIES": "0", "NO_COLOR": "1"}
    with sandbox.popen(first, env=once, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        sandbox.wait_for(lambda: demo.requests("page"), "the first run to ask")
        with sandbox.terminal(first, env=once) as waiting:
            waiting.read_until(b"another process is refreshing `demo-tool`; waiting for it\r\n")
            if fails is not None:
                demo.fault(fails, on="file")
            gate.touch()
            out, err = asking.communicate(timeout=60)
            status = waiting.wait()
    sandbox.wait_quiet()
    shown = waiting.seen.replace(b"\r\n", b"\n")
    return [Result(asking.returncode, out, err, 0.0), Result(status, b"", shown, 0.0)]


FAILURES: tuple[FaultKind | int, ...] = ("reset", 403)


@pytest.mark.parametrize("fails", FAILURES)
@pytest.mark.parametrize("words", [("--refresh",), ("--stale-max=1m",)], ids=["strict-latest", "stale-max"])
def test_who_waited_is_told_what_the_other_is_told(
    demo: Index, sandbox: Sandbox, words: tuple[str, ...], fails: FaultKind | int
) -> None:
    """Where nothing may stand in for a failure, it does not for a run that waited for another's refresh either."""
    keep(sandbox)
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("2.0"))
    sandbox.clear_starts()
    first, second = run_two(demo, sandbox, *words, fails=fails)
    assert (first.status != 0, second.status) == (True, first.status), (first, second)
    assert sandbox.starts() == 0, second
    assert own_lines(second)[1:] == own_lines(first)  # after the one that it waits


def test_who_waited_for_a_release_that_does_not_start(demo: Index, sandbox: Sandbox) -> None:
    """strict-latest is uvx, also for the second of two; where something may stand in, both say what they run, and why."""
    keep(sandbox)
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("2.0", broken="import"))
    strict = run_two(demo, sandbox, "--refresh")
    assert [result.status for result in strict] == [1, 1]
    assert ["the mode is `strict-latest`" in result.err for result in strict] == [True, True]
    demo.heal()
    (sandbox.root / "gate").unlink()
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("3.0", broken="import"))
    lenient = run_two(demo, sandbox, "--stale-max=1m")
    assert [(result.status, "3.0 was built but does not start" in result.err) for result in lenient] == [(0, True), (0, True)]
