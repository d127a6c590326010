"""A bad release at nine in the morning, whole: what runs, what is said, and what comes of the next release.

One release does not import, another starts and is of no use; then what people do about it: roll back, hold, let go.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.kept import expect_version, grow_old, keep, only_record, own_lines
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
ERROR = "ImportError: this release of the demo tool is broken"


def later(sandbox: Sandbox) -> Result:
    """Run the tool after an hour, and let what goes on behind end."""
    grow_old(sandbox, HOUR)
    result = sandbox.lastgood("run", "demo-tool", "--version")
    sandbox.wait_quiet()
    return result


def status(sandbox: Sandbox) -> dict[str, Any]:
    """Return what `lastgood status --json` says of the tool."""
    (row,) = json.loads(sandbox.lastgood("status", "--json").out)["tools"]
    assert isinstance(row, dict)
    return row


def state(sandbox: Sandbox) -> tuple[str, str, str]:
    """Return what is kept, in what state, and what an outage would run."""
    row = status(sandbox)
    return row["version"], row["state"], row["outage_runs"]


def started(sandbox: Sandbox) -> list[str]:
    """Return the versions that were started, in order."""
    return [line.split()[1] for line in sandbox.start_lines()]


def expect_said(result: Result, line: str, status: int = 0) -> None:
    """A command ended with that status, and with that line as all it said."""
    assert (result.status, result.out, result.err) == (status, "", f"lastgood: {line}\n")


def keep_all(sandbox: Sandbox, index: Index, *versions: str) -> None:
    """Publish and keep one version after the other."""
    for version in versions:
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert only_record(sandbox).generations[0].version == versions[-1]


def untouched(sandbox: Sandbox) -> dict[str, tuple[int, bytes]]:
    """Return every file of the home but the locks, and when each was written."""
    files = [path for path in sandbox.home.rglob("*") if path.is_file() and path.suffix not in (".lock", ".write")]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


# --- the two stories ------------------------------------------------------------------------------------------------


def test_a_release_that_does_not_import(demo: Index, sandbox: Sandbox) -> None:
    """It is refused and reported once, never started; the old one keeps running in silence until the next release is good."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="import"))
    expect_version(later(sandbox), "1.0", f"warning: `demo-tool` 2.0 was built but does not start ({ERROR}); keeping 1.0")
    assert state(sandbox) == ("1.0", "refused", "1.0")
    for _ in range(3):
        demo.clear_requests()
        expect_version(later(sandbox), "1.0")
        assert demo.requests("page")
        assert state(sandbox) == ("1.0", "refused", "1.0")
    assert [(one["version"], one["error"], one["by"]) for one in status(sandbox)["refused"]] == [("2.0", ERROR, "check")]
    told = sandbox.lastgood("history", "demo-tool").out
    assert told.count(f"2.0 refused: {ERROR}") == 1
    demo.publish(demo_tool("3.0"))
    expect_version(later(sandbox), "3.0")
    assert state(sandbox) == ("3.0", "fresh", "3.0")
    assert status(sandbox)["refused"] == []
    assert started(sandbox) == ["1.0"] * 5 + ["3.0"]


def test_a_release_that_misbehaves(demo: Index, sandbox: Sandbox) -> None:
    """One command, with no network, brings the old one back at once; the bad one stays away until a newer one comes."""
    keep(sandbox)
    demo.publish(demo_tool("2.0", broken="behaviour"))
    result = later(sandbox)
    assert (result.status, result.err) == (70, "demo-tool 2.0: this release is broken\n")
    demo.stop()
    stays = "2.0 stays kept back until a newer release is good"
    expect_said(sandbox.lastgood("rollback", "demo-tool"), f"`demo-tool` is now 1.0 (was 2.0); {stays}")
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert state(sandbox) == ("1.0", "refused", "1.0")
    demo.start_again()
    demo.clear_requests()
    for number in range(3):
        expect_version(later(sandbox), "1.0")
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        assert len(demo.requests("page")) == 2 * (number + 1)
        assert state(sandbox) == ("1.0", "refused", "1.0")
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    demo.publish(demo_tool("3.0"))
    expect_version(later(sandbox), "3.0")
    assert started(sandbox) == ["1.0", "2.0", *["1.0"] * 5, "3.0"]
    assert sandbox.lastgood("history", "demo-tool").out.count("rolled back to 1.0 from 2.0") == 1


def test_the_bad_day_is_over_when_a_newer_release_is_good(demo: Index, sandbox: Sandbox) -> None:
    """After a rollback and a newer release that was taken, nothing is refused any more: status says fresh."""
    keep_all(sandbox, demo, "2.0")
    keep_all(sandbox, demo, "3.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    keep_all(sandbox, demo, "4.0")
    assert state(sandbox) == ("4.0", "fresh", "4.0")


def test_a_newer_release_that_is_bad_as_well(demo: Index, sandbox: Sandbox) -> None:
    """After a rollback a newer release that does not start is refused like any other, and the one rolled back to stays."""
    keep(sandbox)
    keep_all(sandbox, demo, "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    demo.publish(demo_tool("3.0", broken="import"))
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    expect_version(later(sandbox), "1.0", f"warning: `demo-tool` 3.0 was built but does not start ({ERROR}); keeping 1.0")
    assert state(sandbox) == ("1.0", "refused", "1.0")
    expect_version(later(sandbox), "1.0")


def test_a_bad_release_with_another_dependency(demo: Index, sandbox: Sandbox) -> None:
    """It is the release that was sent back: it stays away, too, when what it resolves to has changed since."""
    keep(sandbox)
    demo.publish(demo_dep("1.0"))
    demo.publish(demo_tool("2.0", requires=("demo-dep",)))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    demo.publish(demo_dep("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert state(sandbox) == ("1.0", "refused", "1.0")


# --- rollback -------------------------------------------------------------------------------------------------------


def test_rollback_to_a_version(index: Index, sandbox: Sandbox) -> None:
    """`--to` chooses among what is kept; a version that is not kept is told, with those that are, and nothing changes."""
    keep_all(sandbox, index, "1.0", "2.0", "3.0")
    sandbox.wait_quiet()
    before = untouched(sandbox)
    kept = "what is: `--to 2.0`, `--to 1.0`"
    expect_said(sandbox.lastgood("rollback", "demo-tool", "--to", "9.9"), f"error: no `demo-tool` 9.9 is kept; {kept}", 1)
    assert untouched(sandbox) == before
    index.clear_requests()
    stays = "3.0 stays kept back until a newer release is good"
    expect_said(sandbox.lastgood("rollback", "demo-tool", "--to", "1.0"), f"`demo-tool` is now 1.0 (was 3.0); {stays}")
    assert index.connections() == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    expect_version(later(sandbox), "1.0")
    assert index.requests("page")


def test_rolled_back_twice(index: Index, sandbox: Sandbox) -> None:
    """Each rollback goes one further back, and neither of the two that were left comes again."""
    keep_all(sandbox, index, "1.0", "2.0", "3.0")
    for version in ("2.0", "1.0"):
        assert sandbox.lastgood("rollback", "demo-tool").status == 0
        expect_version(sandbox.lastgood("run", "demo-tool", "--version"), version)
    expect_version(later(sandbox), "1.0")
    assert sorted(one["version"] for one in status(sandbox)["refused"]) == ["2.0", "3.0"]
    keep_all(sandbox, index, "4.0")


def test_nothing_to_go_back_to(demo: Index, sandbox: Sandbox) -> None:
    """With one version kept there is nothing older: one line, exit status 1, and nothing has changed."""
    del demo
    keep(sandbox)
    before = untouched(sandbox)
    expect_said(sandbox.lastgood("rollback", "demo-tool"), "error: nothing older than `demo-tool` 1.0 is kept", 1)
    assert untouched(sandbox) == before


def test_a_rollback_never_goes_forward(demo: Index, sandbox: Sandbox) -> None:
    """From the oldest there is nothing older to go back to: what was rolled back from must not come again that way."""
    keep(sandbox)
    keep_all(sandbox, demo, "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    sandbox.wait_quiet()
    before = untouched(sandbox)
    again = sandbox.lastgood("rollback", "demo-tool")
    assert (again.status, len(own_lines(again)), untouched(sandbox)) == (1, 1, before)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


def test_a_dependency_that_is_bad(index: Index, sandbox: Sandbox) -> None:
    """Where only a dependency moved, that resolution stays away, and the next is taken, whatever the tool's own version."""
    index.publish(demo_tool("1.0", requires=("demo-dep",)))

    def dependency() -> str:
        record = only_record(sandbox)
        current = record.generation()
        assert current is not None
        return current.dists["demo-dep"]

    for version in ("1.0", "2.0"):
        index.publish(demo_dep(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        assert dependency() == version
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    assert dependency() == "1.0"
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert dependency() == "1.0"
    index.publish(demo_dep("3.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert dependency() == "3.0"


def test_what_a_rollback_says_where_only_a_dependency_moved(index: Index, sandbox: Sandbox) -> None:
    """What runs now is not said to be kept back."""
    index.publish(demo_tool("1.0", requires=("demo-dep",)))
    for version in ("1.0", "2.0"):
        index.publish(demo_dep(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    (line,) = own_lines(sandbox.lastgood("rollback", "demo-tool"))
    assert line.startswith("`demo-tool` is now 1.0 ")
    assert "; 1.0 stays kept back" not in line


# --- hold and unhold ------------------------------------------------------------------------------------------------


def test_a_hold_survives_refreshes_until_it_is_let_go(demo: Index, sandbox: Sandbox) -> None:
    """Held, no run asks, and what `warm` finds is not taken; status says so; unheld, the next refresh moves on."""
    keep(sandbox)
    demo.clear_requests()
    held = "`demo-tool` 1.0 is held; `lastgood unhold demo-tool` lets it move again"
    expect_said(sandbox.lastgood("hold", "demo-tool"), held)
    assert demo.connections() == 0
    demo.publish(demo_tool("2.0"))
    for _ in range(2):
        expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
        demo.clear_requests()
        expect_version(later(sandbox), "1.0")
        assert demo.connections() == 0
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        assert demo.requests("page")
        assert state(sandbox) == ("1.0", "held", "1.0")
    expect_said(sandbox.lastgood("unhold", "demo-tool"), "`demo-tool` 1.0 may be replaced by the next refresh")
    assert state(sandbox)[1] == "fresh"
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    expect_version(later(sandbox), "2.0")


def test_what_is_said_again_changes_nothing(demo: Index, sandbox: Sandbox) -> None:
    """`hold` of what is held and `unhold` of what is not say so, write nothing, and are no events."""
    keep(sandbox)
    path = sandbox.home / "records" / f"{only_record(sandbox).id}.json"
    again = "lets it move again"
    for verb, first, second in (
        ("hold", "1.0 is held; `lastgood unhold demo-tool` " + again, "1.0 is already held; `lastgood unhold demo-tool` " + again),
        ("unhold", "1.0 may be replaced by the next refresh", "1.0 is not held; it may be replaced by the next refresh"),
    ):
        expect_said(sandbox.lastgood(verb, "demo-tool"), f"`demo-tool` {first}")
        before = path.stat().st_mtime_ns
        expect_said(sandbox.lastgood(verb, "demo-tool"), f"`demo-tool` {second}")
        assert path.stat().st_mtime_ns == before
    events = [line[20:] for line in sandbox.lastgood("history", "demo-tool").out.splitlines()[1:]]
    assert events == ["1.0 is good", "1.0 held", "1.0 let go"]
    path.write_text("{")
    assert sandbox.lastgood("unhold", "demo-tool").status == 0
    assert only_record(sandbox).generations != []


def test_a_refresh_of_what_is_held_says_what_it_would_take(demo: Index, sandbox: Sandbox) -> None:
    """As `lastgood hold --help` promises: nothing is taken, and the release that would be is named."""
    keep(sandbox)
    assert "say what they would take" in sandbox.lastgood("hold", "--help").out
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    demo.publish(demo_tool("2.0"))
    assert "2.0" in sandbox.lastgood("warm", "demo-tool").err


def test_unhold_also_forgets_a_rollback(demo: Index, sandbox: Sandbox) -> None:
    """After `unhold` the next refresh takes the newest release that is good, also the one that was rolled back from."""
    keep(sandbox)
    keep_all(sandbox, demo, "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert sandbox.lastgood("unhold", "demo-tool").status == 0
    assert (status(sandbox)["state"], status(sandbox)["refused"]) == ("fresh", [])
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    expect_version(later(sandbox), "2.0")


def test_unhold_after_two_rollbacks(demo: Index, sandbox: Sandbox) -> None:
    """Each version that was rolled back from is named."""
    keep(sandbox)
    keep_all(sandbox, demo, "2.0", "3.0")
    for _ in range(2):
        assert sandbox.lastgood("rollback", "demo-tool").status == 0
    said = "`demo-tool` 1.0 may be replaced by the next refresh, also by 3.0 and 2.0, which were rolled back from"
    expect_said(sandbox.lastgood("unhold", "demo-tool"), said)


def test_what_nobody_keeps(demo: Index, sandbox: Sandbox) -> None:
    """Each of the three says of a tool that is not kept what is wrong and what would help, in one line, and makes no home."""
    for verb in ("rollback", "hold", "unhold"):
        said = "error: no good `demo-tool` is kept; run `lastgood warm demo-tool` while the index is up"
        expect_said(sandbox.lastgood(verb, "demo-tool"), said, 1)
    assert (sandbox.home.exists(), demo.connections()) == (False, 0)


def test_a_rollback_is_over_once_something_newer_is_good(index: Index, sandbox: Sandbox) -> None:
    """The index decides again then: where it takes the newer release back, what uvx would run runs."""
    for version in ("2.0", "3.0"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    index.publish(demo_tool("4.0"))
    expect_version(sandbox.lastgood("run", "--refresh", "demo-tool", "--version"), "4.0")
    for gone, left in (("4.0", "3.0"), ("3.0", "2.0")):
        index.yank("demo-tool", gone)
        expect_version(sandbox.lastgood("run", "--refresh", "demo-tool", "--version"), left)
