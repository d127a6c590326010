"""Promise 5: an outage is not an answer, and a fallback is never silent.

Every case is a real fault of a real index, met by a run for which something good is kept and a newer release is on offer. In an
outage the last good runs, with its own status and output and one line that says what runs, how old it is, who failed and how; the
next run asks nobody; when the fault has gone the new release runs and nobody says a word. What the index does answer is reported
as uvx reports it, and nothing runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lastgood import request
from tests.support.kept import (
    all_records,
    expect_version,
    grow_old,
    keep,
    only_record,
    open_hosts,
    others_words,
    own_lines,
    retry_now,
    trip,
)
from tests.support.waiting import wait_for
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.index_faults import FaultKind, Where
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
PATIENCE = "1.9"
WORDS = ("--version", "--stderr", "own words", "--exit", "3")
AGED = "warning: running `demo-tool` 1.0, last checked 1h ago"
PORTAL = "answered with a web page, not an index (captive portal?)"
SECRET, USER = "s3cr3t-p4ss", "u53r-n4m3"


@dataclass(frozen=True)
class Fault:
    """A fault of the index: where it strikes, what lastgood says of it, and what the breaker remembers."""

    kind: FaultKind | int
    said: str
    reason: str
    on: Where = "all"
    project: str | None = None
    tls: bool = False

    @property
    def name(self) -> str:
        """The name of its test."""
        return f"{self.kind}-{self.on}"

    @property
    def behind_the_index(self) -> bool:
        """Whether it is the host of the files that fails."""
        return self.on in {"file", "metadata"}

    @property
    def hangs(self) -> bool:
        """Whether it is a matter of patience, so that uv goes on asking behind."""
        return str(self.kind).startswith("hang")


def refused(code: int, on: Where = "all") -> Fault:
    """Return a status that is an outage."""
    return Fault(code, f"answered with an error (HTTP {code})", f"HTTP {code}", on)


def unreachable(kind: FaultKind, reason: str, on: Where = "all", *, tls: bool = False) -> Fault:
    """Return a fault of the connection."""
    return Fault(kind, f"did not answer ({reason})", reason, on, tls=tls)


def portal(kind: FaultKind, on: Where = "all") -> Fault:
    """Return a page of somebody else's."""
    return Fault(kind, PORTAL, "web page instead of an index", on)


FAULTS = [
    unreachable("refuse", "connection refused"),
    unreachable("hang-before-headers", "timed out"),
    unreachable("hang-after-headers", "timed out", "page"),
    unreachable("reset", "connection reset"),
    unreachable("truncate", "answer cut short", "page"),
    unreachable("bad-certificate", "TLS handshake failed", tls=True),
    *(refused(code) for code in (500, 502, 503, 504, 429, 408)),
    refused(500, "metadata"),
    portal("login"),
    portal("redirect-login"),
    portal("redirect-404"),
    portal("garbage", "page"),
    portal("login", "metadata"),
    # a new release whose wheel cannot be had: the host of the files fails separately from the index
    unreachable("refuse", "connection refused", "file"),
    unreachable("hang-before-headers", "timed out", "file"),
    unreachable("reset", "connection reset", "file"),
    unreachable("truncate", "answer cut short", "file"),
    unreachable("cut", "answer cut short", "file"),
    refused(500, "file"),
    refused(503, "file"),
    portal("login", "file"),
    portal("redirect-404", "file"),
]


def demo_run(sandbox: Sandbox, *words: str, **env: str | None) -> Result:
    """Run `lastgood run WORDS… demo-tool` with words that show whose output and whose status it is."""
    return sandbox.lastgood("run", *words, "demo-tool", *WORDS, env=env)


def expect_ran(result: Result, version: str, *lines: str) -> None:
    """The tool ran in that version with its own status, stdout and stderr, and lastgood said exactly these lines."""
    seen = (result.status, result.out, others_words(result), own_lines(result))
    assert seen == (3, f"demo-tool {version}\n", "own words\n", list(lines)), result


def keep_old(sandbox: Sandbox, index: Index, patience: str = "60") -> None:
    """Keep 1.0, asked for an hour ago; 2.0 is published since.

    Patience is long, so that a busy machine cannot turn an answer into a lost wait; what is to be lost gets PATIENCE.
    """
    sandbox.env["LASTGOOD_PATIENCE"] = patience
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("2.0"))
    sandbox.clear_starts()
    index.clear_requests()


# --- outages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_an_outage_from_its_first_run_to_its_end(
    index_factory: IndexFactory, sandbox_factory: SandboxFactory, fault: Fault
) -> None:
    """First the last good runs and one line says why; then nobody is asked; at the end the new release runs without a word."""
    index = index_factory(split_files=fault.behind_the_index, tls=fault.tls)
    sandbox = sandbox_factory(index)
    keep_old(sandbox, index)
    if fault.hangs:
        sandbox.env["UV_HTTP_TIMEOUT"] = "1"  # uv names the host long before patience ends, however busy the machine is
    host = index.files_host if fault.behind_the_index else index.host
    index.fault(fault.kind, on=fault.on)

    expect_ran(demo_run(sandbox), "1.0", f"{AGED}: `{host}` {fault.said}")
    assert open_hosts(sandbox) == {host: fault.reason}
    if fault.hangs:
        sandbox.wait_for(
            lambda: sum(request.fault == fault.kind for request in index.requests()) >= 2, "uv to ask patiently, behind"
        )
    asked = index.connections()

    second = demo_run(sandbox)
    (line,) = own_lines(second)
    assert re.fullmatch(rf"{re.escape(AGED)}: `{host}` has been down since \d\d:\d\d \({fault.reason}\); next try in \d+s", line)
    expect_ran(second, "1.0", line)
    assert (index.connections(), sandbox.starts()) == (asked, 2)

    index.heal()
    sandbox.wait_quiet()
    retry_now(sandbox)
    expect_ran(demo_run(sandbox), "2.0")
    sandbox.wait_quiet()
    assert (open_hosts(sandbox), sandbox.starts()) == ({}, 3)


def test_a_host_that_does_not_come_back_is_asked_seldom(demo: Index, sandbox: Sandbox) -> None:
    """Each failed try doubles the time to the next, and the line names the first failure."""
    keep_old(sandbox, demo)
    demo.fault(503)
    waits = []
    for _ in range(3):
        retry_now(sandbox)
        expect_ran(demo_run(sandbox), "1.0", f"{AGED}: `{demo.host}` answered with an error (HTTP 503)")
        (path,) = (sandbox.home / "hosts").glob(f"*{demo.host.rpartition(':')[2]}")
        waits.append([line for line in path.read_text().splitlines() if line.startswith("wait")])
    assert waits == [["wait 30"], ["wait 60"], ["wait 120"]]


@pytest.mark.parametrize(("kind", "on"), [(503, "page"), ("reset", "page"), (500, "file"), (401, "page")])
def test_a_passing_failure_is_no_outage(demo: Index, sandbox: Sandbox, kind: FaultKind | int, on: Where) -> None:
    """What fails once and then works is tried once more: the new release runs, and nobody says a word."""
    keep_old(sandbox, demo)
    demo.fault(kind, on=on, times=1)
    expect_ran(demo_run(sandbox), "2.0")
    assert open_hosts(sandbox) == {}


@pytest.mark.no_proxy_trap
def test_a_proxy_that_is_down_is_an_outage(demo: Index, sandbox: Sandbox) -> None:
    """Who asks through a proxy that nobody listens on gets no answer."""
    keep_old(sandbox, demo)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = demo_run(sandbox, HTTP_PROXY=proxy, NO_PROXY="")
    expect_ran(result, "1.0", f"{AGED}: `{demo.host}` did not answer (connection refused)")
    assert demo.requests() == []


@pytest.mark.no_proxy_trap
def test_a_proxy_that_refuses_a_tunnel_is_named(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """Behind HTTPS_PROXY nobody has asked the index: it is the proxy that refused, first and while it is remembered."""
    index = index_factory(tls=True)
    sandbox = sandbox_factory(index)
    keep_old(sandbox, index)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = demo_run(sandbox, HTTPS_PROXY=proxy, NO_PROXY="")
    expect_ran(result, "1.0", f"{AGED}: `{index.host}` did not answer (the proxy refused the connection)")
    assert (open_hosts(sandbox), index.requests()) == ({index.host: "the proxy refused the connection"}, [])


@pytest.mark.parametrize(("words", "env"), [(("-q",), {}), ((), {"LASTGOOD_QUIET": "1"}), (("-qq",), {})])
def test_quiet_drops_the_line_and_nothing_else(demo: Index, sandbox: Sandbox, words: tuple[str, ...], env: dict[str, str]) -> None:
    """With `-q` or LASTGOOD_QUIET the last good runs as ever and lastgood says nothing, the first time and the next."""
    keep_old(sandbox, demo)
    demo.stop()
    for _ in range(2):
        expect_ran(demo_run(sandbox, *words, **env), "1.0")
    assert open_hosts(sandbox) == {demo.host: "connection refused"}


def test_quiet_never_drops_an_error(demo: Index, sandbox: Sandbox) -> None:
    """With nothing kept an outage ends the run, and `-q` leaves the line that says why."""
    demo.stop()
    result = demo_run(sandbox, "-q")
    assert (result.status != 0, result.out) == (True, "")
    assert own_lines(result) == [
        f"error: `{demo.host}` did not answer (connection refused) and no good `demo-tool` is kept for this request"
    ]


def test_no_line_when_all_is_well(demo: Index, sandbox: Sandbox) -> None:
    """The first run, a fresh one, a stale one without news and one with a new release: lastgood never speaks of itself."""
    assert own_lines(demo_run(sandbox)) == []
    expect_ran(demo_run(sandbox), "1.0")
    grow_old(sandbox, HOUR)
    expect_ran(demo_run(sandbox), "1.0")
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    expect_ran(demo_run(sandbox), "2.0")
    sandbox.wait_quiet()


# --- portals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("project", ["demo-tool", "demo-dep"])
def test_a_portal_that_poisons_uvs_cache(index: Index, sandbox: Sandbox, project: str) -> None:
    """A login page that may be cached keeps uvx from working long after it has gone; lastgood recovers with the network."""
    index.publish(demo_dep("1.0"))
    index.publish(demo_tool("1.0", requires=("demo-dep",)))
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("2.0", requires=("demo-dep",)))
    index.fault("login", on="page", project=project, max_age=3600)
    plain = sandbox.uvx("demo-tool", "--version")
    assert f"there are no versions of {project}" in plain.err
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0", f"{AGED}: `{index.host}` {PORTAL}")
    index.heal()
    index.clear_requests()
    assert (sandbox.uvx("demo-tool", "--version").err, index.requests(project=project)) == (plain.err, [])  # poisoned
    retry_now(sandbox)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_strict_latest_behind_a_portal_says_what_uvx_says(demo: Index, sandbox: Sandbox) -> None:
    """Finding out that it is a portal must not add uv's debugging words to the output."""
    keep_old(sandbox, demo)
    demo.fault("login")
    result = demo_run(sandbox, "--refresh")
    assert (result.status, "there are no versions of demo-tool" in result.err, "DEBUG" in result.err) == (1, True, False), result
    assert own_lines(result)[0] == f"error: `{demo.host}` {PORTAL}"
    assert sandbox.starts() == 0


@pytest.mark.parametrize("kind", ["cut", "login"])
def test_a_bad_wheel_among_many_good_answers(index: Index, sandbox: Sandbox, kind: FaultKind) -> None:
    """However much else uv asked for, the file that was not what it should be is found out."""
    names = [f"lib-{number}" for number in range(6)]
    for name in names:
        index.publish(demo_tool("1.0", name=name))
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    grow_old(sandbox, HOUR)
    index.publish(demo_tool("2.0", requires=names))
    index.fault(kind, on="file", project=names[3])
    result = sandbox.lastgood("run", "demo-tool", "--version")
    (line,) = own_lines(result)
    expect_version(result, "1.0", line)
    assert line.startswith(f"{AGED}: `{index.host}` ")


# --- slow, but alive ------------------------------------------------------------------------------------------------


def test_an_index_that_trickles(demo: Index, sandbox: Sandbox) -> None:
    """The last good runs when patience ends; the refresh goes on behind, and the next run has the new release."""
    keep_old(sandbox, demo, PATIENCE)
    demo.fault("trickle", on="page", interval=0.004)
    line = f"{AGED}: no answer from `{demo.host}` within {PATIENCE}s; still refreshing in the background"
    expect_ran(demo_run(sandbox), "1.0", line)
    sandbox.wait_quiet()
    demo.clear_requests()
    expect_ran(demo_run(sandbox), "2.0")
    assert (demo.requests(), open_hosts(sandbox)) == ([], {})


@pytest.mark.parametrize(("env", "waited"), [({}, "1.5"), ({"LASTGOOD_PATIENCE": "1.9"}, "1.9")])
def test_a_hook_waits_less(demo: Index, sandbox: Sandbox, env: dict[str, str], waited: str) -> None:
    """Under a hook runner patience is shorter by default, since a whole commit waits; what the user sets counts as it is."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    grow_old(sandbox, HOUR)
    demo.fault("trickle", on="page", interval=0.02)
    line = f"{AGED}: no answer from `{demo.host}` within {waited}s; still refreshing in the background"
    result = sandbox.lastgood("run", "demo-tool", "--version", env={"PRE_COMMIT": "1", **env})
    assert (result.out, own_lines(result)) == ("demo-tool 1.0\n", [line])


@pytest.mark.parametrize("kind", ["hang-before-headers", "hang-after-headers"])
def test_an_index_that_wakes_up(demo: Index, sandbox: Sandbox, kind: FaultKind) -> None:
    """Where the first, short question got no answer in time, a patient one behind does, and the next run has the new release."""
    keep_old(sandbox, demo)
    sandbox.env["UV_HTTP_TIMEOUT"] = "1"
    demo.fault(kind, on="page", times=1)
    expect_ran(demo_run(sandbox), "1.0", f"{AGED}: `{demo.host}` did not answer (timed out)")
    sandbox.wait_quiet()
    demo.clear_requests()
    expect_ran(demo_run(sandbox), "2.0")
    assert (demo.requests(), open_hosts(sandbox)) == ([], {})


def test_a_timeout_that_the_user_set_is_left_alone(demo: Index, sandbox: Sandbox) -> None:
    """The variables of uv win: patience ends the wait, not the question."""
    keep_old(sandbox, demo, PATIENCE)
    demo.fault("hang-before-headers", on="page")
    line = f"{AGED}: no answer from `{demo.host}` within {PATIENCE}s; still refreshing in the background"
    expect_ran(demo_run(sandbox, UV_HTTP_TIMEOUT="20"), "1.0", line)
    events = [json.loads(one) for one in sandbox.lastgood("history", "demo-tool", "--json").out.splitlines()]
    assert [(one["event"], one["version"], one.get("down", True)) for one in events[1:]] == [("fallback", "1.0", True)]
    demo.heal()


# --- answers --------------------------------------------------------------------------------------------------------


def page_status(code: int) -> Callable[[Index], None]:
    """Answer every page with a status."""
    return lambda index: index.fault(code, on="page")


def file_status(code: int) -> Callable[[Index], None]:
    """Answer every file with a status."""
    return lambda index: index.fault(code, on="file")


def withdraw(index: Index) -> None:
    """Withdraw the release that is pinned."""
    index.unpublish("demo-tool", "1.0")


def demand_too_much(index: Index) -> None:
    """Leave nothing but a release that nothing satisfies."""
    index.publish(demo_dep("1.0"))
    for version in ("1.0", "2.0"):
        index.unpublish("demo-tool", version)
    index.publish(demo_tool("3.0", requires=("demo-dep>=99",)))


def demand_the_unknown(index: Index) -> None:
    """Leave nothing but a release that needs a package nobody has."""
    for version in ("1.0", "2.0"):
        index.unpublish("demo-tool", version)
    index.publish(demo_tool("3.0", requires=("nobody-has-this",)))


def demand_another_python(index: Index) -> None:
    """Leave nothing but a release for a Python that does not exist."""
    for version in ("1.0", "2.0"):
        index.unpublish("demo-tool", version)
    index.publish(demo_tool("3.0", requires_python=">=4.99"))


def withdraw_all(index: Index) -> None:
    """Leave an empty page, which is what an index says of a project without releases."""
    for version in ("1.0", "2.0"):
        index.unpublish("demo-tool", version)


def alter_the_wheel(index: Index) -> None:
    """Serve a wheel that is not the one whose hash the page states."""
    index.fault("alter", on="file")


ANSWERS: dict[str, Callable[[Index], None]] = {
    "404": page_status(404),
    "410": page_status(410),
    "404-file": file_status(404),
    "unsatisfiable": demand_too_much,
    "unknown-dependency": demand_the_unknown,
    "no-python": demand_another_python,
    "no-releases": withdraw_all,
    "hash": alter_the_wheel,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_reported_as_uvx_reports_it(demo: Index, sandbox: Sandbox, name: str) -> None:
    """Status and every word are uvx's own; nothing runs though something good is kept, and no breaker opens."""
    keep_old(sandbox, demo)
    ANSWERS[name](demo)
    plain = sandbox.uvx("demo-tool", *WORDS)
    for _ in range(2):
        result = demo_run(sandbox)
        assert (result.status, result.out, result.err) == (plain.status, plain.out, plain.err)
    assert (plain.status != 0, sandbox.starts(), open_hosts(sandbox)) == (True, 0, {})


@pytest.mark.parametrize(
    "words", ["demo-tool==9", "demo-tool@9", "demo-tool>=9", "--with demo-dep==9 demo-tool", "nobody-has-this"]
)
def test_a_request_that_nothing_satisfies_is_uvxs_to_refuse(demo: Index, sandbox: Sandbox, words: str) -> None:
    """No such version, no such package: nothing kept stands in for another request, and the words are uvx's."""
    keep_old(sandbox, demo)
    demo.publish(demo_dep("1.0"))
    plain = sandbox.uvx(*words.split(), *WORDS)
    result = sandbox.lastgood("run", *words.split(), *WORDS)
    assert (result.status, result.out, result.err) == (plain.status, plain.out, plain.err)
    assert (plain.status != 0, sandbox.starts(), open_hosts(sandbox)) == (True, 0, {})


def test_a_pinned_release_that_was_withdrawn(demo: Index, sandbox: Sandbox) -> None:
    """A run that waits for the index reports what it says; one that does not runs what is kept."""
    keep(sandbox, "demo-tool==1.0")
    grow_old(sandbox, 48 * HOUR)
    withdraw(demo)
    plain = sandbox.uvx("demo-tool==1.0", "--version")
    expect_version(sandbox.lastgood("run", "demo-tool==1.0", "--version"), "1.0")
    sandbox.wait_quiet()
    grow_old(sandbox, 48 * HOUR)
    result = sandbox.lastgood("run", "--mode=prefer-latest", "demo-tool==1.0", "--version")
    assert (result.status, result.out, result.err) == (plain.status, plain.out, plain.err)


@pytest.mark.parametrize(("code", "on"), [(401, "page"), (403, "page"), (407, "page"), (403, "file")])
def test_refused_credentials_are_an_answer_with_a_hint(demo: Index, sandbox: Sandbox, code: int, on: Where) -> None:
    """The words and status are those of uvx, one hint that names what is kept and the setting, no start, no breaker."""
    keep_old(sandbox, demo)
    demo.fault(code, on=on)
    plain = sandbox.uvx("demo-tool", *WORDS)
    hint = (
        f"hint: `{demo.host}` refused the credentials ({code}), which is an answer; `demo-tool` 1.0 is kept: "
        'set `fallback-on = ["unreachable", "server-error", "not-an-index", "auth"]` in [tool.lastgood], '
        "or run with `--prefer-offline`"
    )
    for words in ((), ("--refresh",)):
        result = demo_run(sandbox, *words)
        assert (result.status, result.out, others_words(result), own_lines(result)) == (plain.status, "", plain.err, [hint])
    assert (plain.status != 0, sandbox.starts(), open_hosts(sandbox)) == (True, 0, {})
    expect_ran(demo_run(sandbox, "--prefer-offline"), "1.0")
    sandbox.wait_quiet()


@pytest.mark.parametrize("code", [401, 403, 407])
def test_refused_credentials_can_be_an_outage(demo: Index, sandbox: Sandbox, code: int) -> None:
    """With "auth" in `fallback-on` the last good stands in, with a line."""
    (sandbox.work / "lastgood.toml").write_text('fallback-on = ["unreachable", "auth"]\n')
    keep_old(sandbox, demo)
    demo.fault(code, on="page")
    expect_ran(demo_run(sandbox), "1.0", f"{AGED}: `{demo.host}` answered with an error (HTTP {code})")


@pytest.mark.parametrize(
    ("classes", "kind"), [("unreachable", 503), ("server-error", "refuse"), ("unreachable,server-error", "login")]
)
def test_a_class_that_is_not_to_be_fallen_back_on_is_reported(
    demo: Index, sandbox: Sandbox, classes: str, kind: FaultKind | int
) -> None:
    """`fallback-on` names the outages that something kept may stand in for; the others end as they do under uvx."""
    keep_old(sandbox, demo)
    demo.fault(kind)
    plain = sandbox.uvx("demo-tool", *WORDS)
    result = demo_run(sandbox, "--fallback-on", classes)
    assert (result.status, result.out, sandbox.starts()) == (plain.status, "", 0)
    assert others_words(result).splitlines()[-1:] == plain.err.splitlines()[-1:]


# --- failures of this machine ---------------------------------------------------------------------------------------


def unusable_cache(sandbox: Sandbox) -> Iterator[str]:
    """Let a file stand where uv's cache should be."""
    shutil.rmtree(sandbox.uv_cache)
    sandbox.uv_cache.write_text("no directory")
    yield "uv cannot use its cache"


def no_uv(sandbox: Sandbox) -> Iterator[str]:
    """Let LASTGOOD_UV name a program that does not exist."""
    sandbox.env["LASTGOOD_UV"] = str(sandbox.root / "no-uv")
    yield f"`LASTGOOD_UV` is `{sandbox.root / 'no-uv'}`, which is no program"


def locked_cache(sandbox: Sandbox) -> Iterator[str]:
    """Hold uv's own lock for longer than uv waits for it."""
    sandbox.env |= {"UV_LOCK_TIMEOUT": "1", "LASTGOOD_PATIENCE": "20"}
    with (sandbox.uv_cache / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield "uv could not lock its cache"


def invalid_configuration(sandbox: Sandbox) -> Iterator[str]:
    """Break uv's own configuration file."""
    path = sandbox.config_home / "uv" / "uv.toml"
    path.parent.mkdir()
    path.write_text("resolution = [\n")
    yield "a configuration file of uv's is invalid"


LOCAL = (unusable_cache, no_uv, locked_cache, invalid_configuration)


@pytest.mark.parametrize("arrange", LOCAL, ids=lambda arrange: arrange.__name__)
def test_a_failure_of_this_machine_is_nobodys_outage(
    demo: Index, sandbox: Sandbox, arrange: Callable[[Sandbox], Iterator[str]]
) -> None:
    """The last good runs in the prefer modes and the line says what is wrong here; the breaker is left alone."""
    keep_old(sandbox, demo)
    arranged = arrange(sandbox)
    reason = next(arranged)
    for _ in range(2):
        expect_ran(demo_run(sandbox), "1.0", f"{AGED}: the index could not be asked ({reason})")
    if arrange is not invalid_configuration:  # which makes it a request of its own, for which nothing is kept
        expect_ran(demo_run(sandbox, "--prefer-offline"), "1.0")
    sandbox.wait_quiet()
    assert (open_hosts(sandbox), demo.requests()) == ({}, [])
    next(arranged, None)


def test_a_failure_of_this_machine_under_strict_latest_is_uvxs(demo: Index, sandbox: Sandbox) -> None:
    """strict-latest has no fallback for this either: uvx says what is wrong."""
    keep_old(sandbox, demo)
    next(unusable_cache(sandbox))
    plain = sandbox.uvx("--refresh", "demo-tool", *WORDS)
    result = demo_run(sandbox, "--refresh")
    assert (result.status, result.out, others_words(result), sandbox.starts()) == (plain.status, "", plain.err, 0)


# --- credentials ----------------------------------------------------------------------------------------------------


def secrets_in(sandbox: Sandbox, *results: Result) -> list[str]:
    """Return every file of the home, and every output, that shows a credential."""
    found = [str(result) for result in results if SECRET in str(result) or USER in str(result)]
    for place, _, names in os.walk(sandbox.home):
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            if SECRET.encode() in data or USER.encode() in data or SECRET in path or USER in path:
                found.append(path)
    return found


def in_the_variable(sandbox: Sandbox, index: Index) -> list[str]:
    """Name the index, with credentials, in a variable."""
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials
    return []


def on_the_command_line(sandbox: Sandbox, index: Index) -> list[str]:
    """Name the index, with credentials, in an option."""
    sandbox.env.pop("UV_DEFAULT_INDEX")
    return ["--default-index", index.url_with_credentials]


def in_uvs_configuration(sandbox: Sandbox, index: Index) -> list[str]:
    """Name the index, with credentials, in uv's configuration file."""
    sandbox.env.pop("UV_DEFAULT_INDEX")
    path = sandbox.config_home / "uv" / "uv.toml"
    path.parent.mkdir()
    path.write_text(f'[[index]]\nurl = "{index.url_with_credentials}"\ndefault = true\n')
    return []


def by_the_name_of_the_index(sandbox: Sandbox, index: Index) -> list[str]:
    """Give the credentials of a named index in variables of their own."""
    name = f"private={index.url}"
    sandbox.env |= {"UV_DEFAULT_INDEX": name, "UV_INDEX_PRIVATE_USERNAME": USER, "UV_INDEX_PRIVATE_PASSWORD": SECRET}
    return []


@pytest.mark.parametrize(
    "arrange",
    [in_the_variable, on_the_command_line, in_uvs_configuration, by_the_name_of_the_index],
    ids=lambda arrange: arrange.__name__,
)
def test_credentials_are_neither_kept_nor_printed(
    index_factory: IndexFactory, sandbox_factory: SandboxFactory, arrange: Callable[[Sandbox, Index], list[str]]
) -> None:
    """After a first run, a refresh, an outage, its second run, a refusal and an answer, no file and no line shows them."""
    index = index_factory(auth=(USER, SECRET))
    sandbox = sandbox_factory(index)
    words = arrange(sandbox, index)
    index.publish(demo_tool("1.0"))
    results = [demo_run(sandbox, *words)]
    sandbox.wait_quiet()
    index.publish(demo_tool("2.0"))
    grow_old(sandbox, HOUR)
    results.append(demo_run(sandbox, *words))
    assert [result.out for result in results] == ["demo-tool 1.0\n", "demo-tool 2.0\n"]
    for fault in (503, "refuse", 403, "login", 404) if arrange is in_the_variable else (503, 403):
        retry_now(sandbox)
        grow_old(sandbox, HOUR)
        index.fault(fault)
        results += [demo_run(sandbox, *words), demo_run(sandbox, *words), demo_run(sandbox, *words, "--refresh")]
        index.heal()
    results.append(sandbox.lastgood("status"))
    results.append(sandbox.lastgood("status", "--json"))
    sandbox.wait_quiet()
    assert any(index.host in result.err for result in results)
    assert secrets_in(sandbox, *results) == []


@pytest.mark.parametrize("name", ["demo-tool @ ", ""])
def test_credentials_of_a_direct_address_are_neither_kept_nor_printed(
    index_factory: IndexFactory, sandbox_factory: SandboxFactory, name: str
) -> None:
    """A target that is an address with a token in it leaves the token nowhere, and runs in an outage all the same."""
    index = index_factory()
    sandbox = sandbox_factory(index)
    wheel = index.publish(demo_tool("1.0"))
    target = f"{name}http://{USER}:{SECRET}@{index.host}/files/{wheel.filename}"
    results = [sandbox.lastgood("run", target, "--version")]
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)
    index.stop()
    results.append(sandbox.lastgood("run", target, "--version"))
    assert [result.out for result in results] == ["demo-tool 1.0\n"] * 2
    assert own_lines(results[1]) == [f"{AGED}: `{index.host}` did not answer (connection refused)"]
    sandbox.wait_quiet()
    assert secrets_in(sandbox, *results) == []


@pytest.mark.parametrize("sign", [",", ";", "'", '"', " "])
def test_a_sign_in_a_credential_ends_nothing(index_factory: IndexFactory, sandbox_factory: SandboxFactory, sign: str) -> None:
    """A comma, a semicolon or a quote may stand in a password as it is: what follows is hidden, too."""
    index = index_factory(auth=(f"some{sign}{USER}", f"pass{sign}{SECRET}"))
    sandbox = sandbox_factory(index)
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials
    index.publish(demo_tool("1.0"))
    results = [sandbox.lastgood("run", "demo-tool", "--version")]
    sandbox.wait_quiet()
    expect_version(results[0], "1.0")
    index.fault(503)
    grow_old(sandbox, HOUR)
    named = ("--default-index", index.url_with_credentials, "demo-tool")
    asked = [["warm", *named], ["warm"], ["why", *named], ["doctor"], ["doctor", "--json"], ["status", "--json"], ["report", "-"]]
    results += [sandbox.lastgood(*words) for words in asked]
    sandbox.wait_quiet()
    assert index.host in "".join(result.out for result in results)
    assert secrets_in(sandbox, *results) == []
    assert [host for record in all_records(sandbox) for host in record.hosts] == [index.host]


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
@pytest.mark.parametrize(
    ("user", "password"),
    [
        (f"{USER} {USER}", f"{SECRET} {SECRET}"),
        (USER, f"80 {SECRET}"),  # where an address ended at a blank, this would be a port
        (f"{USER}\t{USER}", f"{SECRET}\t{SECRET}"),
        (USER, f" {SECRET} \t,{SECRET} "),
        (USER, f'80" {SECRET}"'),
    ],
)
def test_a_blank_in_a_variable_that_holds_one_address(
    index_factory: IndexFactory, sandbox_factory: SandboxFactory, variable: str, user: str, password: str
) -> None:
    """It is part of a name or a password, as uv takes it: no part of either is kept or shown, and the host is known."""
    index = index_factory(auth=(user.replace("\t", ""), password.replace("\t", "")))  # uv drops a tab
    sandbox = sandbox_factory(index)
    del sandbox.env["UV_DEFAULT_INDEX"]
    sandbox.env[variable] = f"{index.scheme}://{user}:{password}@{index.host}/simple/"
    index.publish(demo_tool("1.0"))
    results = [sandbox.lastgood("run", "demo-tool", "--version"), sandbox.lastgood("doctor", "--json")]
    sandbox.wait_quiet()
    expect_version(results[0], "1.0")
    assert [one["words"].partition(": ")[0] for one in results[1].json()["findings"] if one["check"] == "index"] == [
        f"`{index.url}` (`{variable}`)"
    ]
    assert "other credentials" not in results[1].out
    index.fault(503)
    grow_old(sandbox, HOUR)
    asked = ["run demo-tool", "warm --all", "why demo-tool", "history demo-tool", "doctor", "status --json", "report -"]
    results += [sandbox.lastgood(*words.split()) for words in asked]
    sandbox.wait_quiet()
    assert secrets_in(sandbox, *results) == []
    record = only_record(sandbox)
    assert (record.hosts, record.configured, dict(record.request["variables"])[variable]) == ([index.host], [index.host], index.url)
    assert [file for file in record.request["files"] if file.startswith("place:")] == []


def by_an_option(name: str, variable: str) -> Callable[[Sandbox, str, str], list[str]]:
    """Name an index in an option, and without credentials in the variable for the commands that take no such option."""

    def arrange(sandbox: Sandbox, url: str, public: str) -> list[str]:
        sandbox.env[variable] = public
        return [f"{name}={url}"]

    return arrange


def by_a_line_of_uvs_configuration(line: str) -> Callable[[Sandbox, str, str], list[str]]:
    """Name an index in uv's configuration file; the line says where in it."""

    def arrange(sandbox: Sandbox, url: str, _: str) -> list[str]:
        path = sandbox.config_home / "uv" / "uv.toml"
        path.parent.mkdir()
        path.write_text(line.replace("URL", f"'{url}'"))
        return []

    return arrange


ONE_ADDRESS = {
    "--default-index": by_an_option("--default-index", "UV_DEFAULT_INDEX"),
    "--index-url": by_an_option("--index-url", "UV_INDEX_URL"),
    "[[index]]": by_a_line_of_uvs_configuration("[[index]]\nurl = URL\ndefault = true\n"),
    "index-url": by_a_line_of_uvs_configuration("index-url = URL\n"),
}


@pytest.mark.parametrize("arrange", ONE_ADDRESS.values(), ids=ONE_ADDRESS)
@pytest.mark.parametrize(
    ("user", "password"),
    [
        (f"{USER} {USER}", f"{SECRET} {SECRET}"),
        (USER, f"80 {SECRET}"),  # where an address ended at a blank, this would be a port
        (USER, f'80" {SECRET}"'),
    ],
)
def test_a_blank_in_an_option_or_a_line_that_holds_one_address(
    index_factory: IndexFactory,
    sandbox_factory: SandboxFactory,
    arrange: Callable[[Sandbox, str, str], list[str]],
    user: str,
    password: str,
) -> None:
    """It is part of a name or a password there, too: no part of either is kept or shown, and the host is known."""
    index = index_factory(auth=(user, password))
    sandbox = sandbox_factory(index)
    del sandbox.env["UV_DEFAULT_INDEX"]
    words = arrange(sandbox, f"{index.scheme}://{user}:{password}@{index.host}/simple/", index.url)
    index.publish(demo_tool("1.0"))
    results = [sandbox.lastgood("run", *words, "demo-tool", "--version"), sandbox.lastgood("doctor", "--json")]
    sandbox.wait_quiet()
    expect_version(results[0], "1.0")
    found = [one for one in results[1].json()["findings"] if one["check"] == "index" and index.host in one["words"]]
    assert [one["words"].partition("` (")[0] for one in found] == [f"`{index.url}"]
    index.fault(503)
    grow_old(sandbox, HOUR)
    asked = [["run", *words, "demo-tool"], ["warm", *words, "demo-tool"], ["why", *words, "demo-tool"], ["history", "demo-tool"]]
    asked += [["warm", "--check", *words, "demo-tool"], ["run", *words, "demo-tool==3"]]
    calls = [["lastgood", "run", *words, "demo-tool"], ["lastgood", "run", *" ".join(words).split("=", 1), "demo-tool"]]
    asked += [*(["warm", f"--words={shlex.join(call)}"] for call in calls), ["warm", "--all"]]
    asked += [["doctor"], ["doctor", "--json"], ["status"], ["status", "--json"], ["report", "-"]]
    results += [sandbox.lastgood(*one) for one in asked]
    sandbox.wait_quiet()
    assert secrets_in(sandbox, *results) == []
    kept = next(record for record in all_records(sandbox) if record.generations)
    assert (kept.hosts, kept.configured) == ([index.host], [index.host])
    assert list(open_hosts(sandbox)) == [index.host]


@pytest.mark.parametrize(
    "name", ["--index", "--extra-index-url", "--find-links", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"]
)
def test_a_blank_in_a_list_of_addresses(index_factory: IndexFactory, sandbox_factory: SandboxFactory, name: str) -> None:
    """Where uv ends the address at it, plain uvx runs, and what was meant to be a password is kept and shown no more than one."""
    index = index_factory()
    sandbox = sandbox_factory(index)
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    url = f"http://127.0.0.1:9 {SECRET}@{index.host}/simple/"
    words = [f"{name}={url}"] if name.startswith("--") else []
    sandbox.env |= {} if words else {name: url}
    asked = [["run", *words, "demo-tool", "--version"], ["why", *words, "demo-tool"], ["warm", *words, "demo-tool"]]
    results = [sandbox.lastgood(*one) for one in [*asked, ["warm", "--all"], ["status", "--json"], ["report", "-"]]]
    sandbox.wait_quiet()
    told = "a sign ends the address of an index: in a password a blank is written `%20`, a comma `%2C`"
    assert (told in results[1].out + results[1].err) == ("links" not in name.lower()), results[1]
    assert [str(result) for result in results if SECRET in "".join([result.out, *own_lines(result)])] == []
    assert secrets_in(sandbox) == []


@pytest.mark.parametrize(
    ("name", "value", "places", "kept"),
    [
        ("UV_DEFAULT_INDEX", "/a b,c", ["/a b,c"], "/a b,c"),
        ("UV_INDEX_URL", "http://u:80 p@h/x", [], "http://h/x"),
        ("UV_FIND_LINKS", "http://u:80 p@h/x,/a", ["/a"], "http://h/x,/a"),
        ("UV_FIND_LINKS", "/a b, /c", ["/a b", " /c"], "/a b, /c"),
        ("UV_EXTRA_INDEX_URL", "http://u:p\tp@h/x /a", ["/a"], "http://h/x /a"),
        ("UV_INDEX", "http://u:p@h/x /a\t/b", ["/a", "/b"], "http://h/x /a\t/b"),
        ("--default-index", "/a b,c", ["/a b,c"], "/a b,c"),
        ("--default-index", "name=http://u:80 p@h/x", [], "name=http://h/x"),
        ("--index-url", 'http://u:80" p"@h/x', [], "http://h/x"),
        ("--find-links", "http://u:80 p@h/x,/a b", ["/a b"], "http://h/x,/a%20b"),
        ("--extra-index-url", "http://u:p\tp@h/x /a", ["/a"], "http://h/x /a"),
        ("--index", "http://u:p@h/x /a\t/b", ["/a", "/b"], "http://h/x /a\t/b"),
        ("--constraints", "http://u:80 p@h/x", [], "http://h/x"),
    ],
)
def test_an_option_or_a_variable_is_taken_apart_as_uv_does_it(name: str, value: str, places: list[str], kept: str) -> None:
    """Some are lists with blanks between, two with commas, others hold one value: what is left of it is no place to look at."""
    words = request.Words()
    words.options = [(name, value, "resolve")] if name.startswith("--") else []
    environ = {} if words.options else {name: value}
    assert request.places_named(words, environ) == places
    assert [*request.options(words), *request.variables(environ)] == [(name, kept)]


@pytest.mark.parametrize(
    ("name", "value", "ends"),
    [
        ("UV_INDEX", "http://u:80 p@h", True),
        ("--index", "http://u:a b p@h/x http://h", True),
        ("--find-links", "http://u:80 p,p@h/x", True),
        ("--find-links", "http://u:80 p@h/x,./p@1", False),
        ("--find-links", "p@1,/p", False),
        ("--default-index", "http://u:80 p@h/x", False),
        ("UV_EXTRA_INDEX_URL", "http://u:p@h/x http://u:p@h/y /a@b", False),
    ],
)
def test_the_rest_of_a_password_in_a_list(name: str, value: str, *, ends: bool) -> None:
    """It is known by the `@` in what follows an address and is no address itself; a path in the list may have one further in."""
    words = request.Words()
    words.options = [(name, value, "resolve")] if name.startswith("--") else []
    assert request.ends_within_a_password(words, {} if words.options else {name: value}) == ends


@pytest.mark.parametrize("name", ["--constraints", "UV_CONSTRAINT"])
@pytest.mark.parametrize("password", [f"{SECRET} {SECRET}", f"80 {SECRET}"])
def test_an_address_in_the_place_of_a_file_is_uvxs(demo: Index, sandbox: Sandbox, name: str, password: str) -> None:
    """What plain uvx is left to do is told without any part of the address: a blank may have split its password."""
    value = f"http://{USER}:{password}@{demo.host}/simple/"
    words = [f"{name}={value}"] if name.startswith("--") else []
    sandbox.env |= {} if words else {name: value}
    results = [sandbox.lastgood(*verb, *words, "demo-tool") for verb in (["why"], ["warm"], ["warm", "--check"])]
    told = "an address stands in the place of a file"
    assert told in results[0].out + results[0].err, results
    assert secrets_in(sandbox, *results) == []


def test_a_configuration_file_with_a_blank_in_its_name(demo: Index, sandbox: Sandbox) -> None:
    """uv takes the variable for one path; so what is kept with it runs in an outage."""
    (sandbox.work / "my uv.toml").write_text('prerelease = "allow"\n')
    sandbox.env["UV_CONFIG_FILE"] = str(sandbox.work / "my uv.toml")
    keep(sandbox)
    demo.stop()
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "1.0")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a/x,https://u:p@b/y", "https://a/x,https://b/y"),
        ("https://a,https://u:p@b,https://u:p@c/y", "https://a,https://b,https://c/y"),
        ("https://u:p@a;https://u:p@b 'https://u:p,@c'", "https://a;https://b 'https://c'"),
        ("https://a/x?k=p;'p,https://u:p@b/y?k=p", "https://a/x~3104e0df,https://b/y~f7632aa8"),
        ("`https://u:p@h/x?k=p`, then", "`https://h/x~f7632aa8`, then"),
        ("'x @ https://u:p@h/x?k=p' y", "'x @ https://h/x~f7632aa8' y"),
        ("(https://u:p@h/x,p;p'p?k=p): no", "(https://h/x,p;p'p~f7632aa8): no"),
        ("https://u:p@h/x?k=p#sha256=1", "https://h/x~f7632aa8#sha256=1"),
        ('["https://h/x","u@h?"]', '["https://h/x","u@h?"]'),
        ('--index=https://u:p p"p@h/x y@z', "--index=https://h/x y@z"),
        ("'--index=https://u:80 p@h/x' https://u:80 p@h?", "'--index=https://h/x' https://h?"),
        ("--index http://h:80 x@1 a/b, http://h:80 x@git+http://h/x", "--index http://h:80 x@1 a/b, http://h:80 x@git+http://h/x"),
        ('["http://h:80", "u@h/x"]', '["http://h:80", "u@h/x"]'),
        ("https://h x@1, http://h:80 x@1", "https://h x@1, http://h:80 x@1"),
        ("https://h/x\nu@h?k=1\nhttps://h\nx@1", "https://h/x\nu@h?k=1\nhttps://h\nx@1"),
        ("is it `https://h/x`?", "is it `https://h/x`?"),
        (shlex.join(["--index=https://u:p'p@h/x?k=p'p", "y"]), "'--index=https://h/x~7ba0b787' y"),
    ],
)
def test_only_credentials_are_left_out(text: str, shown: str) -> None:
    """In a list, in a sentence, in quotes or in a file of many lines: what stands round an address stays."""
    assert request.without_credentials(text) == shown


def test_a_new_token_is_the_same_request(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """Credentials that rotate do not lose the last good."""
    index = index_factory(auth=(USER, SECRET))
    sandbox = sandbox_factory(index)
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    record = only_record(sandbox)
    sandbox.env["UV_DEFAULT_INDEX"] = index.url_with_credentials.replace(SECRET, "another")
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert [found.id for found in all_records(sandbox)] == [record.id]


# --- one fault at a time --------------------------------------------------------------------------------------------


def test_the_index_up_and_another_host_down(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """A host that this request does not need may be down: nobody says a word."""
    index, other = index_factory(), index_factory()
    sandbox = sandbox_factory(index)
    keep_old(sandbox, index)
    trip(sandbox, other.host)
    expect_ran(demo_run(sandbox), "2.0")
    assert open_hosts(sandbox) == {other.host: "connection refused"}


def test_an_extra_index_that_is_down(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """The host that failed is named, not the one that answered."""
    index, extra = index_factory(), index_factory()
    sandbox = sandbox_factory(index)
    sandbox.env["UV_INDEX"] = extra.url
    extra.publish(demo_dep("1.0"))
    keep_old(sandbox, index)
    extra.stop()
    expect_ran(demo_run(sandbox), "1.0", f"{AGED}: `{extra.host}` did not answer (connection refused)")
    assert open_hosts(sandbox) == {extra.host: "connection refused"}
    wait_for(lambda: not sandbox.processes(), "the refresh behind")
