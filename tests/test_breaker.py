"""The breaker: the memory, shared by all processes, that a host is down.

Its arithmetic on explicit times, then what it is for: parallel runs in an outage pay one patience together, the next ones
none, and one process at a time finds out whether the outage is over. Time is not measured anywhere: the index counts who asked it.
"""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lastgood import breaker
from tests.support.kept import breaker_files, expect_version, grow_old, keep, open_hosts, own_lines, retry_now, trip
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOST = "index.example:443"
NOW = 1_800_000_000.0
HOUR = 3600.0
PATIENCE = "1.9"


# --- its arithmetic -------------------------------------------------------------------------------------------------


def test_closed_open_half_open_closed(tmp_path: Path) -> None:
    """A failure opens it for 30 s; then it is known but no longer open; an answer forgets it."""
    home = str(tmp_path)
    assert (breaker.read(home, HOST), breaker.first_open(home, [HOST], NOW)) == (None, None)
    breaker.trip(home, HOST, "connection refused", NOW)
    for age, is_open in ((0.0, True), (29.9, True), (30.0, False), (1e6, False)):
        found = breaker.first_open(home, ["other.example:443", HOST], NOW + age)
        assert (found is not None) == is_open, age
    known = breaker.first_known(home, ["other.example:443", HOST])
    assert known is not None
    assert (known.host, known.reason, known.since, known.until) == (HOST, "connection refused", NOW, NOW + 30)
    (ended,) = breaker.close(home, ["other.example:443", HOST])
    assert (ended.host, ended.since) == (HOST, NOW)
    assert (breaker.first_known(home, [HOST]), breaker.close(home, [HOST])) == (None, [])


def test_each_failed_try_doubles_the_wait_up_to_five_minutes(tmp_path: Path) -> None:
    """30 s, 60, 120, 240, then 300 for ever; since when it is down stays; after an answer it begins anew."""
    home, now = str(tmp_path), NOW
    waits = []
    for _ in range(6):
        found = breaker.trip(home, HOST, "timed out", now)
        waits.append(found.wait)
        assert (found.since, found.until) == (NOW, now + found.wait)
        now = found.until
    assert waits == [30, 60, 120, 240, 300, 300]
    breaker.close(home, [HOST])
    again = breaker.trip(home, HOST, "timed out", now)
    assert (again.since, again.wait) == (now, 30)


def test_failures_while_it_is_open_are_one_outage(tmp_path: Path) -> None:
    """Eight processes that fail together do not wait eight times as long."""
    home = str(tmp_path)
    first = breaker.trip(home, HOST, "connection refused", NOW)
    for step in range(1, 8):
        later = breaker.trip(home, HOST, "timed out", NOW + step)
        assert (later.until, later.wait, later.reason) == (first.until, 30, "connection refused")


def test_one_try_is_one_failure_however_often_it_is_told(tmp_path: Path) -> None:
    """A silent host is down when patience ends, and again when uv gives up half a minute later: the wait is not doubled."""
    home = str(tmp_path)
    breaker.trip(home, HOST, "no answer in time", NOW)
    again = breaker.trip(home, HOST, "timed out", NOW + 31, began=NOW - 3)
    assert (again.since, again.until, again.wait, again.reason) == (NOW, NOW + 61, 30, "timed out")
    assert breaker.trip(home, HOST, "timed out", NOW + 62, began=NOW + 61).wait == 60


@pytest.mark.parametrize("back", [301.0, 3600.0, 400 * 86400.0])
def test_a_clock_that_was_set_back_opens_nothing(tmp_path: Path, back: float) -> None:
    """A time of the next try that is further off than any wait comes from another clock: the host may be asked."""
    home = str(tmp_path)
    breaker.trip(home, HOST, "timed out", NOW)
    assert breaker.first_open(home, [HOST], NOW - back) is None
    found = breaker.trip(home, HOST, "timed out", NOW - back)
    assert found.since == NOW - back
    assert found.is_open(NOW - back)


def test_a_clock_a_little_back_keeps_it_open_no_longer_than_the_longest_wait(tmp_path: Path) -> None:
    """Whatever the clock did, nobody waits longer than five minutes for the next try."""
    home = str(tmp_path)
    breaker.trip(home, HOST, "timed out", NOW)
    for back in range(0, 1000, 50):
        found = breaker.first_open(home, [HOST], NOW - back)
        assert found is None or found.until - (NOW - back) <= breaker.LONGEST_WAIT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "lastgood breaker 2\nhost index.example:443\nsince 0\nuntil 99999999999\nwait 30\nreason x\n",
        "lastgood breaker 1\nhost index.example:443\nsince 0\n",
        "lastgood breaker 1\nhost index.example:443\nsince 0\nuntil soon\nwait 30\nreason x\n",
        "lastgood breaker 1\nhost index.example:443\nsince nan\nuntil nan\nwait nan\nreason x\n",
        "lastgood breaker 1\nhost index.example:443\nsince 0\nuntil inf\nwait inf\nreason x\n",
        "\0" * 200,
    ],
)
def test_a_damaged_breaker_is_closed(tmp_path: Path, text: str) -> None:
    """What cannot be read, or cannot be true, never keeps anybody from asking, and the next failure writes it anew."""
    home = str(tmp_path)
    breaker.trip(home, HOST, "timed out", NOW)
    (path,) = (tmp_path / "hosts").iterdir()
    path.write_text(text)
    assert breaker.first_open(home, [HOST], NOW) is None
    found = breaker.trip(home, HOST, "timed out", NOW)
    assert (found.is_open(NOW), 30 <= found.wait <= breaker.LONGEST_WAIT) == (True, True)
    assert breaker.first_open(home, [HOST], NOW) is not None


def test_hosts_do_not_answer_for_each_other(tmp_path: Path) -> None:
    """Each host and port has its own, however long the names are and however much they have in common."""
    home = str(tmp_path)
    common = "a-rather-long-domain-123456789012.d.packages.eu-central-1.hosting.example"
    hosts = [
        "a.example:443",
        "a.example:8443",
        "a.example-443:80",
        f"{common}:443",
        f"{common}:444",
        f"x.{common}:443",
        f"{common}.org:443",
    ]
    for number, host in enumerate(hosts):
        breaker.trip(home, host, f"reason {number}", NOW)
    found = [breaker.read(home, host) for host in hosts]
    assert [(one.host, one.reason) if one else None for one in found] == [(host, f"reason {n}") for n, host in enumerate(hosts)]
    breaker.close(home, hosts[3:4])
    assert [breaker.read(home, host) is None for host in hosts] == [n == 3 for n in range(len(hosts))]


def test_a_reason_of_several_lines_stays_one_field(tmp_path: Path) -> None:
    """Words that come from elsewhere cannot forge a field."""
    home = str(tmp_path)
    breaker.trip(home, HOST, "timed out\nuntil 99999999999", NOW)
    found = breaker.read(home, HOST)
    assert found is not None
    assert found.until == NOW + 30


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("index.example:443", "index.example"),
        ("index.example:80", "index.example"),
        ("index.example:8080", "index.example:8080"),
        ("[::1]:443", "[::1]"),
        ("demo-tool-0123456789ab-012345", ""),
    ],
)
def test_a_host_in_words(host: str, words: str) -> None:
    """The usual ports are left out; a request whose index is not known by name has no host to show."""
    assert breaker.shown(host) == words


# --- what it is for -------------------------------------------------------------------------------------------------


def keep_tools(sandbox: Sandbox, index: Index, *names: str) -> None:
    """Keep 1.0 of each tool, asked for an hour ago; 2.0 is published since; a run waits two seconds for it."""
    sandbox.env["LASTGOOD_PATIENCE"] = PATIENCE
    for name in names:
        index.publish(demo_tool("1.0", name=name))
        assert sandbox.lastgood("run", name, "--version").out == f"{name} 1.0\n"
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)
    for name in names:
        index.publish(demo_tool("2.0", name=name))
    index.clear_requests()


def run_all(sandbox: Sandbox, names: list[str]) -> list[Result]:
    """Run every tool at once, a process each."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: sandbox.lastgood("run", name, "--version"), names))


def assert_all_ran(results: list[Result], names: list[str], version: str = "1.0") -> None:
    """Every tool ran in that version, and each process said one line, or none where it is the newest."""
    assert [(result.status, result.out) for result in results] == [(0, f"{name} {version}\n") for name in names], results
    assert [len(own_lines(result)) for result in results] == [1 if version == "1.0" else 0] * len(names), results


def test_eight_at_once_ask_once_and_the_next_eight_not_at_all(demo: Index, sandbox: Sandbox) -> None:
    """Parallel runs of one tool in an outage put one question together, a short one and a patient one behind it; then none."""
    keep_tools(sandbox, demo, "demo-tool")
    demo.fault("hang-before-headers")
    names = ["demo-tool"] * 8
    assert_all_ran(run_all(sandbox, names), names)
    demo.wait_for_requests(2)
    assert_all_ran(run_all(sandbox, names), names)
    assert (len(demo.requests()), sandbox.starts()) == (2, 1 + 16)
    demo.heal()


def test_eight_hooks_of_several_tools_pay_together(demo: Index, sandbox: Sandbox) -> None:
    """Different tools of one index ask at most once each, at the same time; the next commit asks nothing."""
    tools = ["demo-tool", "other-tool"]
    keep_tools(sandbox, demo, *tools)
    demo.fault(503)
    names = tools * 4
    assert_all_ran(run_all(sandbox, names), names)
    asked = demo.requests("page")
    assert len(asked) <= 2 * len(tools)  # a server error is tried once more
    connections = demo.connections()
    assert_all_ran(run_all(sandbox, names), names)
    assert demo.connections() == connections
    assert list(open_hosts(sandbox)) == [demo.host]


def test_one_tool_learns_what_another_met(demo: Index, sandbox: Sandbox) -> None:
    """The breaker is the host's, not the tool's."""
    keep_tools(sandbox, demo, "demo-tool", "other-tool")
    demo.stop()
    assert "did not answer (connection refused)" in sandbox.lastgood("run", "demo-tool").err
    assert "has been down since" in sandbox.lastgood("run", "other-tool").err


def test_half_open_and_one_process_tries(demo: Index, sandbox: Sandbox) -> None:
    """When the time of the next try has come one process of all tools asks; the others run at once, as if it were open."""
    tools = ["demo-tool", "other-tool"]
    keep_tools(sandbox, demo, *tools)
    trip(sandbox, demo.host)
    retry_now(sandbox)
    demo.fault("hang-before-headers")
    sandbox.env["UV_HTTP_TIMEOUT"] = "1"  # uv names the host before patience ends, however busy the machine is
    names = tools * 4
    results = run_all(sandbox, names)
    assert_all_ran(results, names)
    assert sum("did not answer (timed out)" in result.err for result in results) == 1, results
    assert sum("has been down since" in result.err for result in results) == 7, results
    demo.wait_for_requests(2)
    assert len(demo.requests()) == 2  # short, then patient, by the same process
    demo.heal()


def test_a_silent_refresh_is_one_failure(demo: Index, sandbox: Sandbox) -> None:
    """The run that waited opens the breaker; the refresh behind it, which gives up when that time is over, counts no second one."""
    keep_tools(sandbox, demo, "demo-tool")
    demo.fault("hang-before-headers")
    assert_all_ran(run_all(sandbox, ["demo-tool"]), ["demo-tool"])
    demo.wait_for_requests(2)  # short, then patient
    (path,) = breaker_files(sandbox)
    found = breaker.read(str(sandbox.home), demo.host)
    assert found is not None
    assert found.wait == 30
    # as if half a minute had gone by since it was opened
    text = path.read_text("utf-8").replace(f"until {found.until:.3f}", f"until {found.since + 0.001:.3f}")
    path.write_text(text.replace("wait 30", "wait 0.001"), "utf-8")
    demo.stop()
    sandbox.wait_quiet()
    after = breaker.read(str(sandbox.home), demo.host)
    assert after is not None
    assert (after.since, after.wait) == (found.since, 0.001)
    assert after.until > found.since + 0.001


def test_half_open_and_the_one_that_tries_succeeds(demo: Index, sandbox: Sandbox) -> None:
    """The first answer closes the breaker for everybody: the new releases run, without a word."""
    tools = ["demo-tool", "other-tool"]
    keep_tools(sandbox, demo, *tools)
    trip(sandbox, demo.host)
    retry_now(sandbox)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    assert open_hosts(sandbox) == {}
    results = run_all(sandbox, tools)
    assert_all_ran(results, tools, "2.0")


def test_half_open_and_who_prefers_the_cache_says_nothing(demo: Index, sandbox: Sandbox) -> None:
    """A run that would not have waited has nothing to say, whether another process is trying or not; one refresh goes on behind."""
    tools = ["demo-tool", "other-tool"]
    sandbox.env["LASTGOOD_MODE"] = "prefer-cache"
    keep_tools(sandbox, demo, *tools)
    trip(sandbox, demo.host)
    retry_now(sandbox)
    demo.fault("hang-before-headers")
    results = run_all(sandbox, tools * 2)
    assert [(result.status, result.err) for result in results] == [(0, "")] * 4
    demo.wait_for_requests(1)
    demo.heal()
    sandbox.wait_quiet()
    assert len({request.project for request in demo.requests("page") if request.fault}) == 1


@pytest.mark.leaves_processes
def test_a_process_that_dies_while_it_tries_leaves_the_next_try_to_others(demo: Index, sandbox: Sandbox) -> None:
    """After kill -9 of the one that tries, and whoever comes next tries: no lock and no half-open breaker is left."""
    keep_tools(sandbox, demo, "demo-tool")
    trip(sandbox, demo.host)
    retry_now(sandbox)
    demo.fault("hang-before-headers")
    sandbox.env["LASTGOOD_PATIENCE"] = "60"
    with sandbox.popen([lastgood_script(), "run", "demo-tool"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        demo.wait_for_requests(1)
        for pid, _ in sandbox.processes():
            subprocess.run(["kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)
        assert process.wait(20) != 0
    sandbox.wait_quiet()
    demo.heal()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    assert open_hosts(sandbox) == {}


def test_nothing_good_and_an_open_breaker_is_ignored(demo: Index, sandbox: Sandbox) -> None:
    """A breaker may shorten a wait, never cause a failure: with nothing kept the index is asked, and its answer closes it."""
    trip(sandbox, demo.host)
    sandbox.home.chmod(0o700)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert open_hosts(sandbox) == {}


def test_a_clock_set_back_by_an_hour_asks_again(demo: Index, sandbox: Sandbox) -> None:
    """A breaker that was opened in what is now the future does not keep anybody from asking."""
    keep_tools(sandbox, demo, "demo-tool")
    breaker.trip(str(sandbox.home), demo.host, "timed out", time.time() + HOUR)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    assert breaker_files(sandbox) == []


def test_a_home_that_never_failed_has_no_breaker(demo: Index, sandbox: Sandbox) -> None:
    """Nothing is written for a host that answers."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    keep(sandbox)
    assert (breaker_files(sandbox), len(demo.requests("page"))) == ([], 2)


# --- only outages, and only those that may be stood in for ------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "fault", "said"), [("not-found", 404, "answered: "), ("auth", 401, "answered with an error (HTTP 401)")]
)
def test_an_answer_that_something_may_stand_in_for_opens_nothing(
    demo: Index, sandbox: Sandbox, kinds: str, fault: int, said: str
) -> None:
    """Who lets the last good stand in for an answer has not made it an outage: the host did answer, and other tools ask it."""
    demo.publish(demo_tool("1.0", name="other-tool"))
    keep(sandbox)
    keep_other = sandbox.lastgood("run", "other-tool", "--version")
    assert keep_other.status == 0
    grow_old(sandbox, HOUR)
    demo.fault(fault, on="page", project="demo-tool")
    demo.publish(demo_tool("2.0", name="other-tool"))
    result = sandbox.lastgood("run", "--fallback-on", kinds, "demo-tool", "--version")
    assert (result.out, open_hosts(sandbox)) == ("demo-tool 1.0\n", {})
    assert f"`{demo.host}` {said}" in own_lines(result)[0], result
    assert sandbox.lastgood("run", "other-tool", "--version").out == "other-tool 2.0\n"


def test_a_host_that_nothing_may_stand_in_for_is_up_again_once_it_answers(
    index_factory: IndexFactory, sandbox_factory: SandboxFactory
) -> None:
    """Its breaker opens for those who may fall back, and closes with the first refresh that succeeds."""
    index = index_factory(split_files=True)
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index=index)
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("2.0"))
    index.fault(503, on="file")
    words = ("run", "--fallback-on", "unreachable", "demo-tool", "--version")
    env = {"UV_HTTP_RETRIES": "0"}
    assert (sandbox.lastgood(*words, env=env).status != 0, list(open_hosts(sandbox))) == (True, [index.files_host])
    sandbox.wait_quiet()
    index.heal()
    expect_version(sandbox.lastgood("run", "--refresh", "demo-tool", "--version"), "2.0")
    sandbox.wait_quiet()
    assert open_hosts(sandbox) == {}


@pytest.mark.parametrize("kinds", ["server-error", "not-an-index,auth"])
def test_an_open_breaker_of_another_class_is_no_reason(demo: Index, sandbox: Sandbox, kinds: str) -> None:
    """Where nothing may stand in for the class of failure that opened it, the index is asked as if it were closed."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.stop()
    words = ("run", "--fallback-on", kinds, "demo-tool", "--version")
    before = sandbox.lastgood(*words)
    trip(sandbox, demo.host)
    after = sandbox.lastgood(*words)
    assert (before.status, before.out, own_lines(before)) == (after.status, "", own_lines(after)), after
    assert before.status != 0
    sandbox.wait_quiet()
    again = sandbox.lastgood(*words)
    assert (again.status, again.out) == (before.status, ""), again
