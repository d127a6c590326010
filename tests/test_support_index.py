"""The test index serves like a real one, and fails exactly as it is told, seen with uv's own eyes."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.index import Index
from tests.support.index_process import ROOT
from tests.support.waiting import wait_for
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index_faults import FaultKind, Where
    from tests.support.sandbox import Sandbox

FAULTS: list[tuple[FaultKind | int, Where, str]] = [
    ("refuse", "all", "Connection refused"),
    ("reset", "page", "error sending request for url ("),
    ("hang-before-headers", "page", "operation timed out"),
    ("hang-after-headers", "metadata", "operation timed out"),
    ("truncate", "file", "end of file before message length reached"),
    ("login", "page", "there are no versions of"),
    ("redirect-login", "page", "there are no versions of"),
    ("redirect-404", "page", "was not found in the package registry"),
    ("garbage", "page", "unexpected JSON"),
    ("alter", "file", "Hash mismatch for"),
    ("cut", "file", "Failed to download"),
    (500, "page", "HTTP status server error (500"),
    (429, "file", "HTTP status client error (429"),
    (401, "page", "lack of valid authentication credentials"),
    (403, "page", "403 Forbidden"),
    (404, "metadata", "HTTP status client error (404"),
    (407, "page", "HTTP status client error (407"),
]


@pytest.mark.parametrize(("kind", "on", "words"), FAULTS)
def test_uv_meets_the_fault_and_recovers_when_it_is_healed(
    demo: Index, sandbox: Sandbox, kind: FaultKind | int, on: Where, words: str
) -> None:
    """The tool does not start during the fault, uv names it, and after `heal` all is well."""
    sandbox.env |= {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0", "UV_NO_WRAP": "1"}
    demo.fault(kind, on=on)
    failed = sandbox.uvx("demo-tool", "--version")
    assert failed.status in {1, 2}
    assert words in failed.err
    assert sandbox.starts() == 0
    demo.heal()
    assert sandbox.uvx("demo-tool", "--version").out == "demo-tool 1.0\n"


def test_both_forms_of_the_simple_api_are_negotiated(demo: Index) -> None:
    """HTML for a browser, JSON for who asks; each with its own validator."""
    html, json = _get(demo.url + "demo-tool/"), _get(demo.url + "demo-tool/", Accept="application/vnd.pypi.simple.v1+json")
    assert (html[1]["Content-Type"], json[1]["Content-Type"]) == ("text/html", "application/vnd.pypi.simple.v1+json")
    assert b"data-core-metadata" in html[2]
    assert html[1]["ETag"] != json[1]["ETag"]
    assert _get(demo.url + "demo-tool/", **{"If-None-Match": str(html[1]["ETag"])})[0] == 304
    assert html[1]["Cache-Control"] is None
    demo.set_max_age(600)
    assert _get(demo.url + "Demo_Tool")[1]["Cache-Control"] == "max-age=600, public"


def test_ranges_are_served(demo: Index) -> None:
    """First bytes, last bytes, and a range outside of the file."""
    wheel = demo.publish(demo_tool("1.1"))
    url = f"http://{demo.files_host}/files/{wheel.filename}"
    assert _get(url, Range="bytes=0-3")[::2] == (206, b"PK\x03\x04")
    assert _get(url, Range="bytes=-22")[2] == wheel.contents[-22:]
    assert _get(url, Range="bytes=99999999-")[0] == 416


def test_max_age_spares_the_index(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """Within the page's max-age uv asks nothing; without it, it asks each time."""
    index = index_factory(max_age=600)
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index)
    sandbox.uvx("demo-tool")
    index.clear_requests()
    sandbox.uvx("demo-tool")
    assert (index.requests(), index.connections()) == ([], 0)


def test_releases_come_and_go(demo: Index, sandbox: Sandbox) -> None:
    """A published release is taken, a yanked or withdrawn one is not."""
    sandbox.env["UV_NO_WRAP"] = "1"
    demo.publish(demo_tool("1.1"))
    demo.publish(demo_tool("1.2"))
    assert sandbox.uvx("demo-tool", "--version").out == "demo-tool 1.2\n"
    demo.unpublish("demo-tool", "1.2")
    assert sandbox.uvx("demo-tool", "--version").out == "demo-tool 1.1\n"
    demo.yank("Demo_Tool", "1.1")
    assert sandbox.uvx("demo-tool", "--version").out == "demo-tool 1.0\n"


def test_metadata_can_be_left_to_range_requests(index: Index, sandbox: Sandbox) -> None:
    """An index without core metadata: uv reads it out of the wheel."""
    index.publish(demo_tool("1.0"), core_metadata=False)
    assert sandbox.uvx("demo-tool").status == 0
    assert index.requests("metadata") == []
    assert 206 in {request.status for request in index.requests("file")}


def test_every_times_and_project_limit_a_fault(demo: Index) -> None:
    """Every second request, twice; and another project is left alone."""
    demo.publish(demo_tool("1.0", name="other-tool"))
    demo.fault(503, project="Demo_Tool", every=2, times=2)
    statuses = [_get(demo.url + "demo-tool/")[0] for _ in range(6)]
    assert statuses == [200, 503, 200, 503, 200, 200]
    assert _get(demo.url + "other-tool/")[0] == 200


def test_a_status_can_name_the_time_to_come_back(demo: Index) -> None:
    """Retry-After goes with a status, Cache-Control with a login page."""
    demo.fault(429, retry_after=7, times=1)
    demo.fault("login", max_age=3600)
    assert _get(demo.url + "demo-tool/")[1]["Retry-After"] == "7"
    assert _get(demo.url + "demo-tool/")[1]["Cache-Control"] == "max-age=3600"


def test_stopped_it_refuses_and_comes_back_on_the_same_port(demo: Index) -> None:
    """`stop` outlasts `heal`; the port is the same afterwards."""
    url = demo.url + "demo-tool/"
    demo.stop()
    demo.heal()
    with pytest.raises(urllib.error.URLError, match="refused"):
        _get(url)
    demo.start_again()
    assert _get(url)[0] == 200


def test_the_files_host_fails_by_itself(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """Pages answer, the other port refuses."""
    index = index_factory(split_files=True)
    index.publish(demo_tool("1.0"))
    index.fault("refuse", on="file")
    assert index.files_host != index.host
    result = sandbox_factory(index).uvx("demo-tool")
    assert f"http://{index.files_host}/files/" in result.err
    assert [request.path_class for request in index.requests()] == ["page"]


def test_certificates_are_good_until_told_otherwise(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """The sandbox trusts the test authority; a bad certificate is refused."""
    index = index_factory(tls=True)
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index)
    index.fault("bad-certificate")
    assert "invalid peer certificate" in sandbox.uvx("demo-tool").err
    index.heal()
    assert sandbox.uvx("demo-tool").status == 0


def test_credentials_are_demanded(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """401 without, the tool with."""
    index = index_factory(auth=("user", "secret"))
    index.publish(demo_tool("1.0"))
    sandbox = sandbox_factory(index)
    assert "401" in sandbox.uvx("demo-tool").err
    assert sandbox.uvx("demo-tool", env={"UV_DEFAULT_INDEX": index.url_with_credentials}).status == 0


def test_a_held_connection_is_seen_and_let_go(demo: Index, sandbox: Sandbox) -> None:
    """The request is in the log while it hangs; `heal` drops it, and uv's next try succeeds."""
    demo.fault("trickle", on="page")
    process = sandbox.popen(["uvx", "demo-tool", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    held = demo.wait_for_requests(1, "page")[0]
    assert (held.project, held.fault, process.poll()) == ("demo-tool", "trickle", None)
    demo.heal()
    assert process.communicate(timeout=30)[0] == b"demo-tool 1.0\n"


@pytest.mark.parametrize("kind", ["trickle", "truncate"])
@pytest.mark.parametrize("path", ["/simple/demo-tool/", "/simple/Demo_Tool"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_connection_that_ends_after_the_answer_says_so(demo: Index, kind: FaultKind, path: str, method: str) -> None:
    """Whole answers too, a redirect's or a slow one: who is not told asks again on that connection, and is reset."""
    demo.fault(kind, interval=0.0)
    with contextlib.closing(http.client.HTTPConnection(demo.host, timeout=30)) as connection:
        connection.request(method, path)
        with connection.getresponse() as answer:
            assert answer.getheader("Connection") == "close"


def test_a_fault_that_cannot_be_is_refused(index: Index) -> None:
    """Mistakes in a test are errors, not faults that never strike."""
    with pytest.raises(ValueError, match="split_files"):
        index.fault("refuse", on="file")
    with pytest.raises(ValueError, match="tls"):
        index.fault("bad-certificate")
    with pytest.raises(ValueError, match="unknown fault"):
        index.fault("nonsense")  # type: ignore[arg-type]


def test_the_index_dies_with_its_parent(tmp_path: Path) -> None:
    """Even when the parent is killed without a chance to clean up."""
    code = (
        "import sys, pathlib, signal; from tests.support.index import Index; "
        "index = Index.start(pathlib.Path(sys.argv[1])); print(index.pid, flush=True); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    wait_for(lambda: not _alive(pid), "the index process to end")


def test_a_fork_of_the_tests_holds_nobody_up(tmp_path: Path) -> None:
    """They end while a process that they have forked, with all that they had open, lives on."""
    code = (
        "import os, pathlib, sys; from tests.support.index import Index; index = Index.start(pathlib.Path(sys.argv[1])); "
        "os.fork() or (sys.stdin.read(), os._exit(0)); index.close()"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdin=subprocess.PIPE) as parent:
        assert parent.wait(30) == 0


def test_an_answer_that_was_not_waited_for_is_nobody_elses(index: Index, index_factory: IndexFactory) -> None:
    """Interrupted while an index is started, the next one that is started is the one that is held."""
    template = _parent(index.pid)
    os.kill(template, signal.SIGSTOP)
    previous = signal.signal(signal.SIGALRM, _interrupt)
    try:
        with pytest.raises(_Interrupted):
            _start_when_interrupted(index_factory)
    finally:
        signal.signal(signal.SIGALRM, previous)
    if _alive(template):
        os.kill(template, signal.SIGCONT)
    other = index_factory()
    os.kill(other.pid, signal.SIGKILL)
    wait_for(lambda: not other.running, "the index process to end")
    assert (index.running, index.requests()) == (True, [])


def test_an_index_that_was_killed_is_noticed(index: Index, index_factory: IndexFactory) -> None:
    """It neither runs nor answers, its end can be asked for once more, and another one is none the worse."""
    other = index_factory()
    assert (index.running, other.running) == (True, True)
    os.kill(index.pid, signal.SIGKILL)
    wait_for(lambda: not index.running, "the index process to end")
    with pytest.raises(RuntimeError, match="has ended"):
        index.requests()
    index.close()
    assert (index.running, other.running, other.requests()) == (False, True, [])


def test_who_is_first_to_notice_an_end_takes_nothing_from_the_others(index: Index, index_factory: IndexFactory) -> None:
    """Threads that ask at once whether a killed index runs all hear no, and another index can be started and closed."""
    os.kill(index.pid, signal.SIGKILL)
    wait_for(lambda: not _alive(index.pid), "the index process to end")
    together = threading.Barrier(8)

    def ask() -> bool:
        together.wait(30)
        return index.running

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert answers == [False] * 8
    other = index_factory()
    assert (other.running, other.requests()) == (True, [])
    other.close()
    assert not _alive(other.pid)


def test_indexes_outlive_what_they_were_forked_from(index: Index, index_factory: IndexFactory) -> None:
    """When that was killed they serve on, new ones can be started, and each is closed like any other."""
    index.publish(demo_tool("1.0"))
    template = _parent(index.pid)
    os.kill(template, signal.SIGKILL)
    wait_for(lambda: not _alive(template), "the process that indexes are forked from to end")
    other = index_factory()
    assert (index.running, other.running, _parent(other.pid) != template) == (True, True, True)
    assert (_get(f"{index.url}demo-tool/")[0], _get(f"{other.url}demo-tool/")[0]) == (200, 404)
    index.close()
    wait_for(lambda: not _alive(index.pid), "the index process to end")
    assert (index.running, other.running, other.requests()[0].status) == (False, True, 404)
    other.close()
    assert not _alive(other.pid)


def test_an_index_has_nothing_of_another(index: Index, index_factory: IndexFactory) -> None:
    """Processes, ports, releases, faults, requests and credentials are each one's own, though one comes after the other."""
    index.publish(demo_tool("1.0"))
    index.fault(503)
    assert _get(f"{index.url}demo-tool/")[0] == 503
    other = index_factory()
    assert (other.pid != index.pid, other.host != index.host) == (True, True)
    assert (other.requests(), other.connections()) == ([], 0)
    assert _get(f"{other.url}demo-tool/")[0] == 404
    guarded = index_factory(auth=("user", "secret"))
    other.publish(demo_tool("1.0"))
    assert (_get(f"{guarded.url}demo-tool/")[0], _get(f"{other.url}demo-tool/")[0]) == (401, 200)


def test_a_closed_index_has_left_its_ports(index: Index) -> None:
    """When `close` returns nobody listens there any more."""
    host, _, port = index.host.partition(":")
    index.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5)


class _Interrupted(Exception):  # noqa: N818  # nothing is wrong
    pass


def _interrupt(*_: object) -> None:
    raise _Interrupted


def _start_when_interrupted(index_factory: IndexFactory) -> None:
    """Start an index, and be interrupted while it does not answer."""
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    index_factory()


def _parent(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a container may have no init that reaps orphans: a zombie has ended, too
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")


def _get(url: str, **headers: str) -> tuple[int, dict[str, str | None], bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as response:
            return response.status, _Headers(response.headers.items()), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _Headers(error.headers.items()), error.read()


class _Headers(dict[str, "str | None"]):
    def __missing__(self, name: str) -> None:
        return None
