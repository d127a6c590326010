"""`lastgood gc`: what nobody names or needs goes, what runs, is held, or ran before stays, whatever is asked for."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from lastgood import generations, upkeep
from lastgood import record as records
from lastgood.record import Generation, Record
from tests.support.aging import HOUR
from tests.support.effects import Effects
from tests.support.kept import expect_version, grow_old, keep, only_record, own_lines
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


def a_record(*ages: float, current: int = 0) -> Record:
    """Return a record of generations that are so many days old, newest first, called `0`, `1` and so on."""
    made = Record("demo-tool-0-0", {}, "demo-tool")
    for number, age in enumerate(ages):
        fields = {"version": str(number), "dists": {}, "digest": "", "python": "", "base": (0, 0), "uv": "", "open_files": False}
        made.generations.append(Generation(id=str(number), source="", kept=NOW - age * DAY, commands={}, **fields))
    made.current = str(current)
    return made


@pytest.mark.parametrize(
    ("ages", "current", "keep_", "older", "gone"),
    [
        ((1, 2, 3, 4), 0, None, None, "23"),  # asked for by neither: all but what runs and the one before
        ((1, 2, 3, 4), 0, 3, None, "3"),
        ((1, 2, 3, 4), 0, 1, None, "23"),
        ((1, 2, 3, 4), 0, None, 2.5, "23"),
        ((1, 2, 3, 4), 0, None, 3.5, "3"),
        ((1, 2, 3, 4), 0, 1, 3.5, "3"),
        ((1, 2, 3, 4), 0, 4, 0, ""),
        ((40, 50, 60), 0, None, 30, "2"),  # however old: what runs, and the one before
        ((1, 2, 3, 4), 1, 1, None, "3"),  # rolled back: what runs, the one before that, and the newest stay
        ((1, 2, 3, 4), 1, None, 0, "03"),
        ((1, 2, 3), 2, 1, None, "1"),  # rolled back to the oldest: the newest of the others is the one before
        ((1,), 0, 1, 0, ""),
        ((), 0, 1, 0, ""),
    ],
)
def test_what_is_not_worth_its_space(
    ages: tuple[float, ...], current: int, keep_: int | None, older: float | None, gone: str
) -> None:
    """Beyond the newest N, older than an age, both where both are given; never what runs and what a rollback would go to."""
    seconds = None if older is None else older * DAY
    assert "".join(one.id for one in upkeep.surplus(a_record(*ages, current=current), keep_, seconds, NOW)) == gone


def keep_three(sandbox: Sandbox, index: Index) -> list[str]:
    """Keep 1.0, 2.0 and 3.0, one after the other; their ids, newest first."""
    for version in ("1.0", "2.0", "3.0"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    ids = [one.id for one in only_record(sandbox).generations]
    assert len(ids) == 3
    return ids


def stored(sandbox: Sandbox) -> list[str]:
    """Return what lies in the store."""
    return sorted(os.listdir(sandbox.home / "generations"))


def test_keep_and_dry_run(index: Index, sandbox: Sandbox) -> None:
    """`--dry-run` names what would go and removes nothing; then it goes, the record says so, and what is left runs."""
    ids = keep_three(sandbox, index)
    dry = sandbox.lastgood("gc", "--keep", "1", "--dry-run")
    assert (dry.status, dry.out, stored(sandbox)) == (0, f"{ids[2]}\n", sorted(ids))
    assert own_lines(dry)[0].startswith("would remove 1 generation")
    done = sandbox.lastgood("gc", "--keep", "1")
    assert (done.status, done.out, own_lines(done)[0].endswith("; kept 2")) == (0, "", True)
    assert own_lines(done)[0].startswith("removed 1 generation")
    assert stored(sandbox) == sorted(ids[:2])
    assert [one.id for one in only_record(sandbox).generations] == ids[:2]
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "3.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "2.0")


def test_older_than(index: Index, sandbox: Sandbox) -> None:
    """`--older-than` goes by when a version was kept, not by when the index was asked."""
    ids = keep_three(sandbox, index)
    record = only_record(sandbox)
    for one in record.generations:
        one.kept -= 40 * DAY
    record.asked = time.time()
    records.save(str(sandbox.home), record)
    sandbox.lastgood("gc", "--older-than", "41d")
    assert stored(sandbox) == sorted(ids)
    sandbox.lastgood("gc", "--older-than", "30d")
    assert stored(sandbox) == sorted(ids[:2])


def test_what_a_process_uses_stays(index: Index, sandbox: Sandbox) -> None:
    """A version that some process still runs stays, in the store and in its record, and goes when the process has ended."""
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    with sandbox.popen([lastgood_script(), "run", "demo-tool", "--ready", "ready", "--sleep-until", "go"]) as process:
        try:
            sandbox.wait_for((sandbox.work / "ready").exists, "the tool to run")
            ids = keep_three(sandbox, index)
            busy = sandbox.lastgood("gc", "--keep", "1")
            assert (own_lines(busy), stored(sandbox)) == (["removed 0 generations; kept 3, 1 of them in use"], sorted(ids))
        finally:
            (sandbox.work / "go").touch()
        assert process.wait(20) == 0
    sandbox.lastgood("gc", "--keep", "1")
    assert stored(sandbox) == sorted(ids[:2])


def test_what_is_held_or_rolled_back_to_stays(index: Index, sandbox: Sandbox) -> None:
    """The version that was gone back to, and is held, stays, and so does the one before it."""
    ids = keep_three(sandbox, index)
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "2.0").status == 0
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    sandbox.lastgood("gc", "--keep", "1", "--older-than", "0")
    assert stored(sandbox) == sorted(ids)
    sandbox.lastgood("gc", "--older-than", "0")
    assert stored(sandbox) == sorted(ids[1:])
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_killed_at_any_change(index: Index, sandbox: Sandbox) -> None:
    """Killed before any of its changes to the disk, gc leaves a home in which the tool runs and of which doctor says no ill."""
    keep_three(sandbox, index)
    effects = Effects(sandbox, "foreground")
    for number in range(1, 8):
        sandbox.lastgood("gc", "--keep", "1", env=effects.kill_before(number))
        expect_version(sandbox.lastgood("run", "--offline", "demo-tool", "--version"), "3.0")
        names = {one.id for one in only_record(sandbox).generations}
        assert names <= set(stored(sandbox))
    sandbox.lastgood("gc", "--keep", "1")
    assert len(only_record(sandbox).generations) == 2
    findings = json.loads(sandbox.lastgood("doctor", "--json").out)["findings"]
    assert [one["check"] for one in findings if one["verdict"] == "problem"] == []


def test_damaged_records_are_set_aside_for_a_month(index: Index, sandbox: Sandbox) -> None:
    """What was set aside goes after a month, and never the records that are used."""
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    record = only_record(sandbox)
    old = sandbox.home / "records" / f"{record.id}.json.bad-20260101T000000"
    young = sandbox.home / "records" / f"{record.id}.json.bad-20260201T000000"
    for path in (old, young):
        path.write_text("{")
    os.utime(old, (NOW - 900 * DAY, NOW - 900 * DAY))
    os.utime(records.file_of(str(sandbox.home), record.id), (1, 1))
    assert own_lines(sandbox.lastgood("gc")) == ["removed 0 generations and 1 leftover; kept 1"]
    assert (old.exists(), young.exists(), only_record(sandbox).id) == (False, True, record.id)


def test_what_nobody_names_yet(demo: Index, sandbox: Sandbox) -> None:
    """A refresh keeps a generation and then names it: gc leaves what no record names alone for a minute, as its help says."""
    del demo
    keep(sandbox)
    one = sandbox.home / "generations" / "demo-tool-2.0-00000000"
    one.mkdir()
    assert own_lines(sandbox.lastgood("gc"))[0].startswith("removed 0 generations")
    os.utime(one, (time.time() - 61, time.time() - 61))
    assert own_lines(sandbox.lastgood("gc"))[0].startswith("removed 1 generation; kept 1")
    assert not one.exists()
    assert "until it is a minute old" in sandbox.lastgood("gc", "--help").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--keep", "0"), "invalid --keep `0`: expected a whole number from 1"),
        (("--keep", "two"), "invalid --keep `two`: expected a whole number from 1"),
        (("--keep",), "`--keep` needs a value; run `lastgood gc --help`"),
        (("--older-than", "soon"), "invalid --older-than `soon`: expected seconds or a duration like `10m`"),
        (("--dryrun",), "unknown option `--dryrun`; did you mean `--dry-run`?"),
    ],
)
def test_words_that_cannot_be_used(alone: Sandbox, words: tuple[str, ...], said: str) -> None:
    """What cannot be used is told in one line, and nothing is removed."""
    result = alone.lastgood("gc", *words)
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {said}\n")


def test_homes_that_gc_does_not_touch(alone: Sandbox, tmp_path: Path) -> None:
    """An empty home is said to be empty and not made; one that others may write to is left alone."""
    empty = alone.lastgood("gc")
    assert (empty.status, own_lines(empty), alone.home.exists()) == (0, [f"nothing is kept yet in `{alone.home}`"], False)
    open_home = tmp_path / "open"
    (open_home / "generations" / "somebody-1-00000000").mkdir(parents=True)
    open_home.chmod(0o777)
    refused = alone.lastgood("gc", env={"LASTGOOD_HOME": str(open_home)})
    assert (refused.status, "can be written by others" in refused.err) == (2, True)
    assert (open_home / "generations" / "somebody-1-00000000").exists()


def old_leftovers(sandbox: Sandbox) -> tuple[Path, Path]:
    """Leave an environment that no record names, and what a removal that was killed had left."""
    store = sandbox.home / "generations"
    orphan, trash = store / "demo-tool-0.9-00000000", store / f"{generations.TRASH}1-demo-tool-0.8-00000000"
    for place in (orphan, trash):
        (place / "lib").mkdir(parents=True)
        (place / "lib" / "file").write_text("x" * 2048)
        os.utime(place, (1, 1))
    return orphan, trash


@pytest.mark.parametrize(
    "words", [("run", "demo-tool", "--version"), ("run", "--refresh", "demo-tool", "--version"), ("warm", "demo-tool")]
)
def test_a_refresh_that_finds_nothing_new_cleans_up_once_an_hour(demo: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """Quietly, in the background; not again until an hour has gone by, since a big store takes its time."""
    del demo
    keep(sandbox)
    places = old_leftovers(sandbox)

    def refresh() -> list[bool]:
        grow_old(sandbox, HOUR)
        result = sandbox.lastgood(*words)
        assert (result.status, "removed" in result.err) == (0, False), result
        sandbox.wait_quiet()
        return [place.exists() for place in places]

    assert refresh() == [True, True]
    mark = sandbox.home / "collected"
    os.utime(mark, (mark.stat().st_mtime - 2 * HOUR,) * 2)
    assert refresh() == [False, False]
    assert sandbox.lastgood("status", "--json").json()["tools"][0]["state"] == "fresh"


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
@pytest.mark.parametrize(
    ("locked", "removed", "more"), [([""], "removed 0 generations", " and 1 more"), (["lib", ""], "removed 1 generation ", "")]
)
def test_what_cannot_be_removed_is_not_told_as_removed(
    demo: Index, sandbox: Sandbox, locked: list[str], removed: str, more: str
) -> None:
    """What is still there is named with the reason, and exit status 1; what did go is counted."""
    del demo
    keep(sandbox)
    orphan, trash = old_leftovers(sandbox)
    top = trash.parent if more else trash
    for part in locked:
        (top / part).chmod(0o500)
    done, mended = [sandbox.run(as_ordinary_user([lastgood_script(), *words])) for words in (("gc",), ("doctor", "--fix"))]
    for part in reversed(locked):
        (top / part).chmod(0o700)
    stuck = f"`{trash}`{more} cannot be removed (permission denied)"
    assert (done.status, own_lines(done)[1:], orphan.exists()) == (1, [f"error: {stuck}"], bool(more)), done
    assert own_lines(done)[0].startswith(removed), done
    assert f"not mended: removed 0, freed 0 KiB; {stuck}" in mended.out, mended
    assert sandbox.lastgood("gc").status == 0
    assert [place.exists() for place in (orphan, trash)] == [False, False]


def test_what_a_request_keeps_goes_by_hand_alone(index: Index, sandbox: Sandbox) -> None:
    """As the README has it: the record without what it kept, and that without the record, are no end of it; both are."""
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    keep(sandbox, "demo-tool==1.0")
    (row,) = [one for one in sandbox.lastgood("status", "--json").json()["tools"] if one["specifier"]]
    record = sandbox.home / "records" / f"{row['record']}.json"
    kept = [sandbox.home / "generations" / one["id"] for one in row["generations"]]
    os.utime(kept[0], (1, 1))
    record.unlink()
    assert own_lines(sandbox.lastgood("gc")) == ["removed 0 generations; kept 2"]
    keep(sandbox, "demo-tool==1.0")
    assert record.exists()
    for path in kept:
        shutil.rmtree(path)
    record.unlink()
    assert own_lines(sandbox.lastgood("gc")) == ["removed 0 generations; kept 1"]
    assert [one["specifier"] for one in sandbox.lastgood("status", "--json").json()["tools"]] == [""]
    found = sandbox.lastgood("doctor", "--json").json()["findings"]
    assert {one["verdict"] for one in found} == {"ok"}, found
    keep(sandbox, "demo-tool==1.0")
