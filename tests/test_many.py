"""Many processes at once: one of them asks the index, all of them run the tool."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from lastgood import record as records
from tests.support.aging import HOUR, let_pass
from tests.support.kept import keep, own_lines
from tests.support.sandbox import Result, lastgood_script
from tests.support.wheels import demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


ONCE = {"UV_HTTP_RETRIES": "0", "NO_COLOR": "1"}


def run_two(
    demo: Index,
    sandbox: Sandbox,
    first: Sequence[str],
    second: Sequence[str] = (),
    *,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Start a run, then one (of the same words, or `second`) that waits for it on a terminal.

    The first one's own uv begins once the second waits, after `before`; the second hears of its end after `after`.
    """
    gate, slow = sandbox.root / "gate", sandbox.root / "slow"
    gate.unlink(missing_ok=True)
    slow.mkdir(exist_ok=True)
    demo.clear_requests()
    for name in ("uv", "uvx"):
        wait = f'case "$*" in *--from=*) touch {slow}/asking; while [ ! -e {gate} ]; do sleep 0.02; done;; esac'
        wait += f"\n[ ! -e {slow}/dies ] || kill -9 $$"
        (slow / name).write_text(f'#!/bin/sh\n{wait}\nexec {sandbox.bin}/{name} "$@"\n', "utf-8")
        (slow / name).chmod(0o755)
    (slow / "asking").unlink(missing_ok=True)
    begin = [lastgood_script(), "run"]
    through = {**ONCE, "LASTGOOD_UV": str(slow / "uv")}
    with sandbox.popen([*begin, *first, *DEMO[1:]], env=through, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        sandbox.wait_for((slow / "asking").exists, "the first run to ask")
        with sandbox.terminal([*begin, *(second or first), *DEMO[1:]], env=ONCE) as waiting:
            waiting.read_until(b"another process is refreshing `demo-tool`; waiting for it\r\n")
            before()
            os.kill(waiting.process.pid, signal.SIGSTOP)
            gate.touch()
            out, err = asking.communicate(timeout=60)
            after()
            os.kill(waiting.process.pid, signal.SIGCONT)
            status = waiting.wait()
    sandbox.wait_quiet()
    return [Result(asking.returncode, out, err, 0.0), Result(status, b"", waiting.seen.replace(b"\r\n", b"\n"), 0.0)]


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
    demo.fault(fails, on="file")
    first, second = run_two(demo, sandbox, words)
    assert (first.status != 0, second.status) == (True, first.status), (first, second)
    assert sandbox.starts() == 0, second
    assert own_lines(second)[1:] == own_lines(first)  # after the one that it waits


def test_who_waited_for_a_release_that_does_not_start(demo: Index, sandbox: Sandbox) -> None:
    """strict-latest is uvx, also for the second of two; where something may stand in, both say what they run, and why."""
    keep(sandbox)
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("2.0", broken="import"))
    strict = run_two(demo, sandbox, ["--refresh"])
    assert [result.status for result in strict] == [1, 1]
    assert ["the mode is `strict-latest`" in result.err for result in strict] == [True, True]
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("3.0", broken="import"))
    lenient = run_two(demo, sandbox, ["--stale-max=1m"])
    assert [(result.status, "3.0 was built but does not start" in result.err) for result in lenient] == [(0, True), (0, True)]


def test_no_later_failure_takes_back_what_was_waited_for(demo: Index, sandbox: Sandbox) -> None:
    """Whoever waited for a first run starts what that kept, also where a third run has met an outage meanwhile."""

    def fail_again() -> None:
        demo.fault("reset")
        assert sandbox.lastgood("run", "--refresh", *DEMO[1:], env=ONCE).status == 2

    first, second = run_two(demo, sandbox, [], after=fail_again)
    assert (first.out, second.status) == ("demo-tool 1.0\n", 0)
    assert second.err.endswith("waiting for it\ndemo-tool 1.0\n")


def test_what_uvs_cache_gave_another_is_no_answer(demo: Index, sandbox: Sandbox) -> None:
    """The first run took what uv's cache had; the second asks, and runs the newest, or says itself that something stands in."""
    assert sandbox.uvx("demo-tool", "--version").status == 0
    demo.publish(demo_tool("2.0"))
    first, second = run_two(demo, sandbox, ["--offline"], ["--max-age=1h"])
    assert (first.out, second.err.endswith("demo-tool 2.0\n")) == ("demo-tool 1.0\n", True)


@pytest.mark.parametrize("word", ["--max-age=1h", "--refresh"])
def test_what_stood_in_for_another_does_not_in_silence(demo: Index, sandbox: Sandbox, word: str) -> None:
    """In an outage with nothing kept both say that uv's cache stands in; strict-latest ends in uv's own error."""
    assert sandbox.uvx("demo-tool", "--version").status == 0
    demo.fault(503)
    first, second = run_two(demo, sandbox, [], [word])
    assert (first.out, "from uv's cache" in first.err) == ("demo-tool 1.0\n", True)
    lenient = word != "--refresh"
    assert (second.status, "from uv's cache" in second.err) == (0 if lenient else 2, lenient), second
    assert ("demo-tool 1.0\n" in second.err) == lenient


def test_who_may_not_ask_is_not_told_what_the_index_said(demo: Index, sandbox: Sandbox) -> None:
    """`--offline` takes uv's cache, as it does for uvx, whatever another run has met."""
    assert sandbox.uvx("demo-tool", "--version").status == 0
    demo.fault(503)
    first, second = run_two(demo, sandbox, ["--refresh"], ["--offline"])
    assert (first.status, second.status, second.err.endswith("demo-tool 1.0\n")) == (2, 0, True), (first, second)


def test_who_asks_for_news_is_not_told_what_uvs_cache_had(demo: Index, sandbox: Sandbox) -> None:
    """`--refresh` asks the index itself where the other's uv was content with a page that it had."""
    demo.set_max_age(600)
    keep(sandbox)
    let_pass(sandbox.home, HOUR)
    demo.publish(demo_tool("2.0"))
    first, second = run_two(demo, sandbox, ["--stale-max=1m"], ["--refresh"])
    assert (first.out, second.err.endswith("demo-tool 2.0\n")) == ("demo-tool 1.0\n", True), (first, second)


def test_what_went_wrong_here_is_not_what_another_is_told(demo: Index, sandbox: Sandbox) -> None:
    """Where the first run's uv was killed, the second one asks, and keeps what it gets."""
    demo.fault("reset")
    assert sandbox.lastgood(*DEMO, env=ONCE).status == 2

    def end_uv() -> None:
        demo.heal()
        for path in (sandbox.home / "hosts").iterdir():
            path.unlink()
        (sandbox.root / "slow" / "dies").touch()

    first, second = run_two(demo, sandbox, [], before=end_uv)
    assert (second.status, kept(sandbox)) == (0, [["1.0"]]), (first, second)
