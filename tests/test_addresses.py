"""Tools that come from an address, a repository or a wheel: the host that must answer is the address's own, and so is the blame."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import breaker, outage
from lastgood import record as records
from tests.support import repository
from tests.support.kept import expect_version, grow_old, keep, only_record, open_hosts, others_words, own_lines, retry_now, trip
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import IndexFactory
    from tests.support.index import Index
    from tests.support.index_faults import FaultKind
    from tests.support.sandbox import Result, Sandbox

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="not installed: git, which uv starts for these addresses")

HOUR = 3600.0
GERMAN = Path("/usr/share/locale/de/LC_MESSAGES/git.mo")


@pytest.fixture
def forge(index_factory: IndexFactory) -> Index:
    """Start a host of repositories and wheels, which is no index."""
    return index_factory()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make the repository of a tool that prints `one`."""
    return repository.make(tmp_path / "gitdemo")


def run(sandbox: Sandbox, address: str, *options: str, command: str = "gitdemo", **env: str) -> Result:
    """Run the tool of an address."""
    return sandbox.lastgood("run", *options, "--from", address, command, env=env)


def keep_from(sandbox: Sandbox, address: str, text: str = "one\n", command: str = "gitdemo") -> None:
    """Run the tool of an address once, without a word of lastgood's, and let an hour go by."""
    result = run(sandbox, address, command=command)
    assert (result.status, result.out, own_lines(result)) == (0, text, []), result
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)


def expect_ran(result: Result, line: str, text: str = "one\n", version: str = "`gitdemo` 1.0") -> None:
    """What was kept ran, uv said nothing, and lastgood said whose fault it is."""
    assert (result.status, result.out, others_words(result)) == (0, text, ""), result
    assert own_lines(result) == [f"warning: running {version}, last checked 1h ago: {line}"]


# --- git ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("refuse", "did not answer (no connection)"),
        ("hang-up", "did not answer (connection closed without an answer)"),
        (503, "answered with an error (HTTP 503)"),
        ("login", "answered with a web page, not an index (captive portal?)"),
        ("redirect-login", "answered with a web page, not an index (captive portal?)"),
    ],
)
def test_what_is_kept_stands_in_for_a_repository_that_cannot_be_had(
    demo: Index, forge: Index, place: Path, sandbox: Sandbox, fault: FaultKind | int, said: str
) -> None:
    """Whatever becomes of the host of a repository, what was built from it runs, and the next run asks nobody."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    forge.fault(fault)
    expect_ran(run(sandbox, address), f"`{forge.host}` {said}")
    assert list(open_hosts(sandbox)) == [forge.host]
    connections = forge.connections()
    assert "has been down since" in own_lines(run(sandbox, address))[0]
    assert forge.connections() == connections
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert demo.requests("page")


def test_a_silent_repository_is_blamed_and_not_the_index(demo: Index, forge: Index, place: Path, sandbox: Sandbox) -> None:
    """git waits longer than anyone has patience for: its host is the one that is remembered, and the index is asked."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    forge.fault("hang-before-headers")
    result = run(sandbox, address, LASTGOOD_PATIENCE="1s")
    assert (result.status, result.out) == (0, "one\n"), result
    (line,) = own_lines(result)
    assert f" `{forge.host}` " in line
    assert list(open_hosts(sandbox)) == [forge.host]
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    forge.heal()


def test_git_gives_up_a_silent_host_by_itself(forge: Index, place: Path, sandbox: Sandbox) -> None:
    """The refresh behind does not hang for as long as git would: whoever comes when the host is up again finds no lock."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    repository.commit(place, "two")
    forge.fault("hang-before-headers", times=1)  # of the short try: the patient one is answered
    assert run(sandbox, address, LASTGOOD_PATIENCE="1s").out == "one\n"
    sandbox.wait_quiet()
    assert (run(sandbox, address).out, open_hosts(sandbox)) == ("two\n", {})


def test_a_repository_needs_no_index_that_is_down(demo: Index, forge: Index, place: Path, sandbox: Sandbox) -> None:
    """A tool without dependencies is asked for although the index is known to be down, and its answer says nothing of the index."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    demo.stop()
    trip(sandbox, demo.host)
    repository.commit(place, "two")
    result = run(sandbox, address)
    assert (result.status, result.out, own_lines(result)) == (0, "two\n", []), result
    assert open_hosts(sandbox) == {demo.host: "connection refused"}


def test_a_repository_whose_tool_has_dependencies_needs_the_index(
    index: Index, forge: Index, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Its dependencies come from there: while the index is known to be down nobody waits for it."""
    index.publish(demo_dep("1.0"))
    address = forge.publish_repository("gitdemo", repository.make(tmp_path / "needy", requires=["demo-dep"]))
    keep_from(sandbox, address)
    trip(sandbox, index.host)
    forge.clear_requests()
    result = run(sandbox, address)
    assert (result.out, f"`{index.host}` has been down since" in result.err) == ("one\n", True), result
    assert forge.requests() == []
    retry_now(sandbox)
    result = run(sandbox, address)
    sandbox.wait_quiet()
    assert (result.out, own_lines(result), open_hosts(sandbox)) == ("one\n", [], {}), result


def test_the_index_is_blamed_where_it_was_the_index(index: Index, forge: Index, tmp_path: Path, sandbox: Sandbox) -> None:
    """What a build needs comes from the index: the host of the repository, which uv names first, has answered."""
    place = repository.make(tmp_path / "built", needs=["demo-dep"])
    index.publish(demo_dep("1.0"))
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    repository.commit(place, "two")
    shutil.rmtree(sandbox.uv_cache)
    index.stop()
    expect_ran(run(sandbox, address), f"`{index.host}` did not answer (connection refused)")
    assert list(open_hosts(sandbox)) == [index.host]


def test_a_branch_that_is_not_there_is_an_answer(forge: Index, place: Path, sandbox: Sandbox) -> None:
    """The repository was read, and has no such branch: uvx says so, although git says the same of a login page."""
    repository.git(place, "branch", "next")
    repository.git(place, "update-server-info")
    address = forge.publish_repository("gitdemo", place) + "@next"
    keep_from(sandbox, address)
    repository.git(place, "branch", "-D", "next")
    repository.git(place, "update-server-info")
    shutil.rmtree(sandbox.uv_cache)
    result = run(sandbox, address)
    assert (result.status, result.out, own_lines(result), open_hosts(sandbox)) == (1, "", [], {}), result
    assert "find remote ref" in result.err


@pytest.mark.parametrize("fault", [401, 403])
def test_a_repository_that_refuses_the_credentials_has_answered(forge: Index, place: Path, sandbox: Sandbox, fault: int) -> None:
    """uvx's own words, the hint that names the host, and no breaker; where `fallback-on` names it, what is kept runs."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    forge.fault(fault)
    result = run(sandbox, address)
    assert (result.status, result.out, open_hosts(sandbox)) == (1, "", {}), result
    assert f"hint: `{forge.host}` refused the credentials ({fault})" in own_lines(result)[0]
    expect_ran(run(sandbox, address, "--fallback-on=auth"), f"`{forge.host}` answered with an error (HTTP {fault})")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("git@forge.example: Permission denied (publickey).", ("answer", "auth", "ssh key")),
        ("error: cannot open .git/FETCH_HEAD: Permission denied", ("local", "local", "permission denied")),
        ("ssh: connect to host forge.example port 22: Connection timed out", ("outage", "unreachable", "timed out")),
        (
            "kex_exchange_identification: Connection closed by remote host",
            ("outage", "unreachable", "connection closed without an answer"),
        ),
        ("ERROR: Repository not found.", ("answer", "not-found", "git failed")),
    ],
)
def test_what_ssh_says_of_a_repository(source: str, said: tuple[str, str, str]) -> None:
    """What needs a server to be provoked: a refused key is no trouble of this machine's, and the host is named with ssh's port."""
    found = outage.judge(
        "error: Failed to resolve `--with` requirement\n  cause: Git operation failed\n"
        "  cause: process didn't exit successfully: `git fetch 'ssh://git@forge.example/x.git' '+HEAD:refs/remotes/origin/HEAD'`"
        f" (exit status: 128)\n         --- stderr\n         {source}\n         fatal: Could not read from remote repository.\n"
    )
    assert (found.verdict, found.kind, found.reason) == said
    assert found.host in {"forge.example:22", ""}
    assert breaker.shown("forge.example:22") == "forge.example"


@pytest.mark.skipif(not GERMAN.exists(), reason="not installed: the German words of git, whose translation is what this is about")
def test_the_users_language_hides_nothing_and_stays_the_users(demo: Index, forge: Index, place: Path, sandbox: Sandbox) -> None:
    """git is asked in English when its words are judged; what uvx itself says, and the tool, have the user's language."""
    del demo
    address = forge.publish_repository("gitdemo", place)
    sandbox.env["LANGUAGE"] = "de"
    keep_from(sandbox, address)
    forge.fault(401)
    result = run(sandbox, address)
    assert "refused the credentials (401)" in own_lines(result)[0]
    assert "Schwerwiegend: " in others_words(result), result
    assert sandbox.lastgood("run", "demo-tool", "--dump").json()["env"]["LANGUAGE"] == "de"


@pytest.mark.parametrize("fault", ["refuse", "hang-before-headers"])
def test_a_repository_beside_a_tool_of_the_index(
    demo: Index, forge: Index, place: Path, sandbox: Sandbox, fault: FaultKind
) -> None:
    """`--with` a repository: its host is blamed for itself, and the tool alone is asked for."""
    words = ("--with", forge.publish_repository("gitdemo", place), "demo-tool")
    keep(sandbox, *words)
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    forge.fault(fault)
    result = sandbox.lastgood("run", *words, "--version", env={"LASTGOOD_PATIENCE": "1s"})
    assert (result.out, len(own_lines(result)), f"`{forge.host}`" in result.err) == ("demo-tool 1.0\n", 1, True), result
    assert list(open_hosts(sandbox)) == [forge.host]
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    forge.heal()


# --- wheels ---------------------------------------------------------------------------------------------------------


def publish_wheel(forge: Index, requires: Sequence[str] = ()) -> str:
    """Offer version 3.0 of the demo tool at an address of its own."""
    wheel = forge.publish(demo_tool("3.0", requires=requires))
    return f"http://{forge.host}/files/{wheel.filename}"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("refuse", "did not answer (connection refused)"),
        (503, "answered with an error (HTTP 503)"),
        ("login", "answered with a web page, not an index (captive portal?)"),
        ("hang-before-headers", "did not answer (timed out)"),
    ],
)
def test_what_is_kept_stands_in_for_a_wheel_that_cannot_be_had(
    demo: Index, forge: Index, sandbox: Sandbox, fault: FaultKind | int, said: str
) -> None:
    """A wheel at an address: its host is named and remembered, and tools of the index are asked for."""
    address = publish_wheel(forge)
    keep_from(sandbox, address, "demo-tool 3.0 ran\n", "demo-tool")
    forge.fault(fault)
    result = run(sandbox, address, command="demo-tool", UV_HTTP_TIMEOUT="1")
    expect_ran(result, f"`{forge.host}` {said}", "demo-tool 3.0 ran\n", "`demo-tool` 3.0")
    assert list(open_hosts(sandbox)) == [forge.host]
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert demo.requests("page")
    forge.heal()


def test_a_wheel_whose_host_nobody_names_in_time_is_blamed_itself(demo: Index, forge: Index, sandbox: Sandbox) -> None:
    """Where patience ends first, the host of the address is the one that has not answered."""
    address = publish_wheel(forge)
    keep_from(sandbox, address, "demo-tool 3.0 ran\n", "demo-tool")
    forge.fault("hang-before-headers")
    result = run(sandbox, address, command="demo-tool", UV_HTTP_TIMEOUT="20", LASTGOOD_PATIENCE="0.5")
    line = f"no answer from `{forge.host}` within 0.5s; still refreshing in the background"
    expect_ran(result, line, "demo-tool 3.0 ran\n", "`demo-tool` 3.0")
    assert list(open_hosts(sandbox)) == [forge.host]
    forge.heal()
    assert demo.requests() == []


def test_a_dependency_of_a_wheel_that_the_index_does_not_give(index: Index, forge: Index, sandbox: Sandbox) -> None:
    """The wheel's own host has answered: the index is blamed."""
    index.publish(demo_dep("1.0"))
    address = publish_wheel(forge, requires=["demo-dep"])
    keep_from(sandbox, address, "demo-tool 3.0 ran\n", "demo-tool")
    index.fault(503)
    result = run(sandbox, address, command="demo-tool")
    expect_ran(result, f"`{index.host}` answered with an error (HTTP 503)", "demo-tool 3.0 ran\n", "`demo-tool` 3.0")
    assert list(open_hosts(sandbox)) == [index.host]


# --- what commands say ----------------------------------------------------------------------------------------------


def test_status_names_the_host_of_the_address(demo: Index, forge: Index, place: Path, sandbox: Sandbox) -> None:
    """FROM is where the tool comes from: of an address its own host, of a name the index."""
    keep_from(sandbox, forge.publish_repository("gitdemo", place))
    keep(sandbox)
    rows = sandbox.lastgood("status", "--json").json()["tools"]
    assert {row["tool"]: row["index"] for row in rows} == {
        "gitdemo": forge.host,
        "demo-tool": demo.host,
    }


def test_a_record_of_before_forgets_that_the_index_was_named(demo: Index, forge: Index, place: Path, sandbox: Sandbox) -> None:
    """An earlier version wrote down the index as the host of every request: the next refresh puts it right."""
    address = forge.publish_repository("gitdemo", place)
    keep_from(sandbox, address)
    record = only_record(sandbox)
    record.hosts = record.configured = [demo.host]
    records.save(str(sandbox.home), record)
    assert run(sandbox, address, "--refresh").out == "one\n"
    sandbox.wait_quiet()
    after = only_record(sandbox)
    assert (after.hosts, after.configured) == ([forge.host], [forge.host])
