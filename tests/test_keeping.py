"""What replaces what is kept, what stays beside it, and what becomes of it when it is lost.

A generation gives way to another resolution, never to the same one; what people chose, by a rollback or a hold, gives way to
nothing that they have sent back, also where it has to be built again.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import record as records
from tests.support.hookworld import GIT_ENVIRONMENT
from tests.support.kept import expect_version, grow_old, keep, only_record, own_lines
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.sandbox import lastgood_script
from tests.support.wheels import Wheel, demo_tool, native_executable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lastgood.record import Generation
    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
BACKEND = """\
import os, zipfile
NAME = "gitdemo-1.0-py3-none-any.whl"
INFO = {
    "METADATA": "Metadata-Version: 2.1\\nName: gitdemo\\nVersion: 1.0\\n",
    "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "entry_points.txt": "[console_scripts]\\ngitdemo = gitdemo:main\\n",
}
def build_wheel(place, config_settings=None, metadata_directory=None):
    files = {"gitdemo.py": open("gitdemo.py").read(), **{f"gitdemo-1.0.dist-info/{name}": text for name, text in INFO.items()}}
    files["gitdemo-1.0.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in [*files, "gitdemo-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(place, NAME), "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return NAME
"""
PROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "gitdemo"\nversion = "1.0"\n'
)


def saying(text: str) -> Wheel:
    """Return version 1.0 of a tool that says `text`."""
    return Wheel("says", "1.0", modules={"says.py": f"def main(): print({text!r})\n"}, entry_points={"says": "says:main"})


@contextmanager
def served(place: Path) -> Iterator[str]:
    """Serve a directory on loopback; the address of it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-cache")
            super().end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(place)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def release(index: Index, sandbox: Sandbox, *versions: str) -> None:
    """Publish these versions of the demo tool and keep each."""
    for version in versions:
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        sandbox.wait_quiet()


def ran(result: Result) -> tuple[int, str]:
    """Return status and output."""
    return result.status, result.out


def kept(sandbox: Sandbox) -> dict[str, Generation]:
    """Return what is kept of the only tool, by version."""
    return {one.version: one for one in only_record(sandbox).generations}


def place(sandbox: Sandbox, one: Generation) -> Path:
    """Return where a generation stands."""
    return sandbox.home / "generations" / one.id


# --- the same version, and yet another resolution -------------------------------------------------------------------


def test_a_new_commit_is_taken_although_its_version_is_the_same(index: Index, sandbox: Sandbox) -> None:
    """A branch moves on: what uvx would run is run, and a rollback goes back to the commit before."""
    del index
    source = sandbox.root / "www" / "repo"
    source.mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "backend.py").write_text(BACKEND)

    def git(*words: str) -> None:
        done = sandbox.run(["git", *words], cwd=source, env=GIT_ENVIRONMENT)
        assert done.status == 0, done

    def commit(text: str) -> None:
        (source / "gitdemo.py").write_text(f"def main(): print({text!r})\n")
        git("add", "--all")
        git("commit", "--quiet", "--message", text)
        git("update-server-info")

    git("init", "--quiet", "--initial-branch", "main")
    commit("one")
    with served(source.parent) as address:
        words = ("--from", f"git+{address}/repo/.git", "gitdemo")
        assert ran(sandbox.lastgood("run", *words)) == (0, "one\n")
        sandbox.wait_quiet()
        commit("two")
        grow_old(sandbox, HOUR)
        assert ran(sandbox.lastgood("run", *words)) == (0, "two\n")
        sandbox.wait_quiet()
        commit("three")
        assert ran(sandbox.lastgood("run", "--refresh", *words)) == ran(sandbox.uvx(*words)) == (0, "three\n")
        sandbox.wait_quiet()
        assert sandbox.lastgood("rollback", "gitdemo").status == 0
        assert ran(sandbox.lastgood("run", *words)) == (0, "two\n")


def test_a_release_that_was_uploaded_again_is_taken(index: Index, sandbox: Sandbox) -> None:
    """Private indexes allow it; the files are others, so it is another environment."""
    index.publish(saying("one"))
    assert ran(sandbox.lastgood("run", "says")) == (0, "one\n")
    sandbox.wait_quiet()
    index.unpublish("says", "1.0")
    index.publish(saying("two"))
    assert ran(sandbox.uvx("--refresh", "says")) == (0, "two\n")
    assert ran(sandbox.lastgood("run", "--refresh", "says")) == (0, "two\n")


def test_the_same_built_anew_is_the_same(demo: Index, sandbox: Sandbox) -> None:
    """Without uv's cache the same release is fetched again, and nothing new is kept of it."""
    keep(sandbox)
    before = only_record(sandbox).current
    shutil.rmtree(sandbox.uv_cache)
    demo.clear_requests()
    result = sandbox.lastgood("warm", "demo-tool")
    assert (result.status, own_lines(result), only_record(sandbox).current) == (0, ["unchanged: `demo-tool` 1.0"], before)
    assert len(demo.requests("file")) == 1


# --- what cannot run is built again ---------------------------------------------------------------------------------


def lose_program(sandbox: Sandbox, one: Generation) -> None:
    """Remove the program of a generation."""
    (place(sandbox, one) / "bin" / "demo-tool").unlink()


def lose_configuration(sandbox: Sandbox, one: Generation) -> None:
    """Remove what tells Python where the tool's modules are."""
    (place(sandbox, one) / "pyvenv.cfg").unlink()


def lose_all(sandbox: Sandbox, one: Generation) -> None:
    """Remove a generation."""
    shutil.rmtree(place(sandbox, one))


def upgrade_interpreter(sandbox: Sandbox, one: Generation) -> None:
    """Let the interpreter be another file than the one it was kept with, of the same version, as after a security update."""
    home, record = str(sandbox.home), only_record(sandbox)
    for kept_one in record.generations:
        kept_one.base = (kept_one.base[0] - 1, kept_one.base[1] - 1)
        records.write_manifest(f"{home}/generations/{kept_one.id}", record, kept_one)
    records.save(home, record)
    assert only_record(sandbox).generation(one.id) is not None


DAMAGES = (lose_program, lose_configuration, lose_all, upgrade_interpreter)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("words", [("warm", "demo-tool"), ("warm",), ("warm", "--behind")], ids=" ".join)
def test_warm_builds_again_what_cannot_run(
    demo: Index, sandbox: Sandbox, damage: Callable[[Sandbox, Generation], None], words: tuple[str, ...]
) -> None:
    """Although the index has nothing new; afterwards it runs with neither index nor uv's cache."""
    keep(sandbox)
    (sandbox.work / "lastgood.toml").write_text('[tools]\ndemo-tool = "*"\n', "utf-8")
    assert sandbox.lastgood("warm").status == 0
    (one,) = kept(sandbox).values()
    damage(sandbox, one)
    result = sandbox.lastgood(*words)
    sandbox.wait_quiet()
    said = [] if "--behind" in words else ["kept `demo-tool` 1.0"]
    assert (result.status, own_lines(result)) == (0, said), result
    demo.stop()
    shutil.rmtree(sandbox.uv_cache)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("words", [("run", "demo-tool", "--version"), ("warm", "demo-tool")], ids=" ".join)
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_people_chose_is_built_again(
    index: Index,
    sandbox: Sandbox,
    damage: Callable[[Sandbox, Generation], None],
    words: tuple[str, ...],
    held: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """A rollback and a hold outlast the loss of what they are about: that version comes back, and nothing that was sent back."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    if held:
        assert sandbox.lastgood("hold", "demo-tool").status == 0
    damage(sandbox, kept(sandbox)["1.0"])
    shutil.rmtree(sandbox.uv_cache)
    result = sandbox.lastgood(*words)
    assert result.status == 0, result
    assert words[0] == "warm" or result.out == "demo-tool 1.0\n", result
    sandbox.wait_quiet()
    for _ in range(2):
        expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
        grow_old(sandbox, HOUR)
    sandbox.wait_quiet()
    record = only_record(sandbox)
    assert (record.held, [one["version"] for one in record.refused]) == (held, ["2.0"])
    index.publish(demo_tool("3.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0" if held else "3.0")


def test_what_stands_in_while_what_people_chose_is_lost(index: Index, sandbox: Sandbox) -> None:
    """In an outage what nobody sent back comes first; it is not taken for what was chosen, which is built again afterwards."""
    release(index, sandbox, "1.0", "2.0", "3.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    lose_all(sandbox, kept(sandbox)["2.0"])
    shutil.rmtree(sandbox.uv_cache)
    index.stop()
    for _ in range(2):
        result = sandbox.lastgood("run", "demo-tool", "--version")
        assert (ran(result), "running `demo-tool` 1.0, " in result.err) == ((0, "demo-tool 1.0\n"), True), result
        assert "the kept `demo-tool` 2.0 was removed from disk; building it again" in result.err
        sandbox.wait_quiet()
    index.start_again()
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


@pytest.mark.parametrize("up", [False, True])
def test_what_is_away_for_a_while_is_not_forgotten(index: Index, sandbox: Sandbox, *, up: bool) -> None:
    """A run that can neither start what is kept nor build it again writes no loss down: once it is back it runs."""
    release(index, sandbox, "1.0")
    there = place(sandbox, kept(sandbox)["1.0"])
    away = there.rename(sandbox.root / "away")
    shutil.rmtree(sandbox.uv_cache)
    index.fault(404 if up else "refuse")
    assert sandbox.lastgood("run", "demo-tool", "--version").status != 0
    sandbox.wait_quiet()
    (row,) = sandbox.lastgood("status", "--json").json()["tools"]
    assert (row["state"], list(kept(sandbox))) == ("missing", ["1.0"])
    away.rename(there)
    os.utime(there, (1, 1))
    assert sandbox.lastgood("gc").status == 0
    result = sandbox.lastgood("run", "--offline", "demo-tool", "--version")
    expect_version(result, "1.0")


def test_warm_all_brings_back_what_is_lost(index: Index, sandbox: Sandbox) -> None:
    """Although a run in an outage has met the loss."""
    release(index, sandbox, "1.0")
    shutil.rmtree(place(sandbox, kept(sandbox)["1.0"]))
    shutil.rmtree(sandbox.uv_cache)
    index.stop()
    assert sandbox.lastgood("run", "demo-tool", "--version").status != 0
    index.start_again()
    result = sandbox.lastgood("warm", "--all")
    assert (result.status, own_lines(result)) == (0, ["kept `demo-tool` 1.0"]), result


def test_a_choice_that_is_gone_for_good_gives_way(index: Index, sandbox: Sandbox) -> None:
    """What was gone back to is lost and withdrawn: what stands in is said once to take its place, and is fresh then."""
    release(index, sandbox, "1.0", "2.0", "3.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    lose_all(sandbox, kept(sandbox)["2.0"])
    index.unpublish("demo-tool", "2.0")
    shutil.rmtree(sandbox.uv_cache)
    result = sandbox.lastgood("run", "demo-tool", "--version")
    told = "warning: `demo-tool` 2.0, which was chosen, is lost and the index has it no more: 1.0 runs"
    expect_version(result, "1.0", GONE + "building it again", told)
    index.stop()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert [one["version"] for one in only_record(sandbox).refused] == ["3.0"]


GONE = "warning: the kept `demo-tool` 2.0 was removed from disk; "


def hold_and_lose(index: Index, sandbox: Sandbox) -> None:
    """Keep 1.0 and 2.0, hold 2.0, and lose it."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")
    shutil.rmtree(place(sandbox, kept(sandbox)["2.0"]))


def test_doctor_lets_nothing_take_the_place_of_what_is_held(index: Index, sandbox: Sandbox) -> None:
    """A card that names what is lost goes away; the next run builds that again and says so."""
    hold_and_lose(index, sandbox)
    sandbox.lastgood("doctor", "--fix")
    result = sandbox.lastgood("run", "demo-tool", "--version")
    expect_version(result, "2.0", *([GONE + "building it again"] if "warning" in result.err else []))
    assert (only_record(sandbox).held, sorted(kept(sandbox))) == (True, ["1.0", "2.0"])


@pytest.mark.parametrize(
    ("words", "then"), [("--offline", "running 1.0"), ("--prefer-cache", "running 1.0 while it is built again")]
)
def test_what_runs_in_the_place_of_what_is_lost_is_named(index: Index, sandbox: Sandbox, words: str, then: str) -> None:
    """Where nobody waits for what is lost to be built again, the line says what runs instead."""
    hold_and_lose(index, sandbox)
    expect_version(sandbox.lastgood("run", words, "demo-tool", "--version"), "1.0", GONE + then)
    sandbox.wait_quiet()
    expect_version(
        sandbox.lastgood("run", "demo-tool", "--version"), "2.0", *([] if "cache" in words else [GONE + "building it again"])
    )


def test_what_is_promised_of_what_stands_in_for_what_is_held(index: Index, sandbox: Sandbox) -> None:
    """`warm --check` and a run judge alike: of what is lost only the version is held, and what stands in is of unknown age."""
    hold_and_lose(index, sandbox)
    index.stop()
    shutil.rmtree(sandbox.uv_cache)
    sandbox.env["LASTGOOD_STALE_MAX"] = "30d"
    checked = sandbox.lastgood("warm", "--check", "demo-tool")
    result = sandbox.lastgood("run", "demo-tool", "--version")
    assert (result.status != 0, checked.status) == (True, 1), (result, checked)
    assert "1.0 is kept, but it is older than `stale-max`" in checked.out
    (row,) = sandbox.lastgood("status", "--json").json()["tools"]
    assert row["outage_runs"] == "", row
    unknown = "nobody knows how old it is, and `stale-max` is set: set that to `inf`, or run with `--offline`"
    down, hint = f"error: `{index.host}` did not answer (connection refused)", f"hint: `demo-tool` 1.0 is kept, but {unknown}"
    assert own_lines(result) == [GONE + "building it again", down, hint]
    newest = sandbox.lastgood("run", "--mode=strict-latest", "demo-tool", "--version")
    advice = "the mode is `strict-latest` (--mode): run with `--prefer-offline`"
    assert own_lines(newest)[-1] == f"hint: `demo-tool` 1.0 is kept, but {advice}"
    for words in ("--stale-max=inf", "--offline"):
        assert sandbox.lastgood("run", words, "demo-tool", "--version").out == "demo-tool 1.0\n"


def test_the_age_of_what_was_built_again_outlasts_its_record(index: Index, sandbox: Sandbox) -> None:
    """What was gone back to, lost, built again and then rebuilt from its manifest is still older than what was sent back."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    shutil.rmtree(place(sandbox, kept(sandbox)["1.0"]))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    (path,) = (sandbox.home / "records").glob("*.json")
    before = only_record(sandbox)
    path.unlink()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    after = only_record(sandbox)
    assert [one.version for one in after.generations] == [one.version for one in before.generations] == ["2.0", "1.0"]
    assert bool(after.rolled_back()) is True


def test_what_goes_on_behind_a_checkout_builds_again_what_is_held(index: Index, sandbox: Sandbox) -> None:
    """Although an older version that still runs stands in for it."""
    (sandbox.work / "lastgood.toml").write_text("[tools]\ndemo-tool = '*'\n")
    hold_and_lose(index, sandbox)
    assert sandbox.lastgood("warm", "--behind").status == 0
    sandbox.wait_quiet()
    index.stop()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


@pytest.mark.parametrize("warms", [False, True])
def test_a_hold_that_cannot_be_kept_is_told(index: Index, sandbox: Sandbox, *, warms: bool) -> None:
    """Another version takes the place of one that is lost and was withdrawn; one line says so, once, to whoever runs it."""
    release(index, sandbox, "1.0")
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    lose_all(sandbox, kept(sandbox)["1.0"])
    index.publish(demo_tool("2.0"))
    index.unpublish("demo-tool", "1.0")
    shutil.rmtree(sandbox.uv_cache)
    if warms:
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    result = sandbox.lastgood("run", "demo-tool", "--version")
    assert ran(result) == (0, "demo-tool 2.0\n"), result
    lost = "warning: `demo-tool` 1.0, which was chosen, is lost and the index has it no more: 2.0 runs and is held"
    assert own_lines(result)[-1] == lost, result
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_nothing_is_left_but_what_was_sent_back(index: Index, sandbox: Sandbox) -> None:
    """`warm` does not call that good: it says why nothing is kept, and fails."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    for one in kept(sandbox).values():
        lose_all(sandbox, one)
    index.unpublish("demo-tool", "1.0")
    shutil.rmtree(sandbox.uv_cache)
    result = sandbox.lastgood("run", "demo-tool", "--version")
    assert ran(result) == (0, "demo-tool 2.0\n"), result  # as uvx would
    warmed = sandbox.lastgood("warm", "demo-tool")
    said = "error: `demo-tool` was not refreshed (2.0 was sent back); no good `demo-tool` is kept"
    assert (warmed.status, own_lines(warmed)) == (1, [said]), warmed


# --- which stay -----------------------------------------------------------------------------------------------------


def test_what_was_gone_back_to_stays_beside_the_next_release(index: Index, sandbox: Sandbox) -> None:
    """Of what is kept, those that were sent back are the first to go; `rollback` then returns to the good one."""
    release(index, sandbox, "1.0", "2.0", "3.0")
    for _ in range(2):
        assert sandbox.lastgood("rollback", "demo-tool").status == 0
    release(index, sandbox, "4.0")
    assert list(kept(sandbox)) == ["4.0", "3.0", "1.0"]
    assert sandbox.lastgood("gc", "--keep", "1").status == 0
    assert list(kept(sandbox)) == ["4.0", "1.0"]
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


def test_a_release_that_was_withdrawn_can_be_gone_back_to(index: Index, sandbox: Sandbox) -> None:
    """The index goes back to 1.0, which is built anew; what ran before it is 2.0, whatever the numbers say."""
    release(index, sandbox, "1.0", "2.0")
    index.unpublish("demo-tool", "2.0")
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    result = sandbox.lastgood("rollback", "demo-tool")
    assert (result.status, "is now 2.0 (was 1.0)" in result.err) == (0, True), result
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_a_version_that_was_sent_back_is_named_as_that(index: Index, sandbox: Sandbox) -> None:
    """`rollback TOOL@VERSION` does not go forward to it, and says what does; an empty `--to` is no version."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    result = sandbox.lastgood("rollback", "demo-tool@2.0")
    assert (result.status, own_lines(result)) == (1, ["error: `demo-tool` 2.0 was sent back; `--to 2.0` goes to it all the same"])
    result = sandbox.lastgood("rollback", "demo-tool", "--to", "")
    said = "error: `--to` names no version; name one that is kept, or leave it out"
    assert (result.status, own_lines(result)) == (2, [said]), result
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "2.0").status == 0


def test_many_refusals_do_not_push_out_what_was_sent_back(index: Index, sandbox: Sandbox) -> None:
    """Ten releases that do not start, each refused and then yanked: what somebody went back from stays away."""
    release(index, sandbox, "1.0", "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    for number in range(1, 12):
        index.publish(demo_tool(f"2.{number}", broken="import"))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        index.yank("demo-tool", f"2.{number}")
    refused = only_record(sandbox).refused
    assert [one["version"] for one in refused] == ["2.0", *(f"2.{number}" for number in range(2, 12))]
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


# --- one judge of what can run --------------------------------------------------------------------------------------


def test_a_native_program_needs_no_interpreter(index: Index, sandbox: Sandbox) -> None:
    """`doctor` and `rollback` know it as `run` does."""
    executable = native_executable()
    if executable is None:
        pytest.skip("there is no C compiler")
    for version in ("1.0", "2.0"):
        index.publish(Wheel("native-tool", version, scripts={"native-tool": executable}))
        assert sandbox.lastgood("warm", "native-tool").status == 0
        sandbox.wait_quiet()
    for one in only_record(sandbox).generations:
        interpreter = place(sandbox, one) / "bin" / "python"
        interpreter.unlink()
        interpreter.symlink_to("/bin/sh")
    examined = sandbox.lastgood("doctor", timeout=60)
    assert "cannot run" not in examined.out, examined
    result = sandbox.lastgood("rollback", "native-tool")
    assert (result.status, "is now 1.0" in result.err) == (0, True), result


def cut_program(sandbox: Sandbox, one: Generation) -> None:
    """Empty the program."""
    program = place(sandbox, one) / "bin" / "demo-tool"
    program.unlink()
    program.touch(mode=0o755)


@pytest.mark.parametrize("damage", [lose_configuration, cut_program, lose_program])
def test_nobody_goes_back_to_what_cannot_run(index: Index, sandbox: Sandbox, damage: Callable[[Sandbox, Generation], None]) -> None:
    """`rollback` says that there is nothing, and `doctor` why; what runs goes on."""
    release(index, sandbox, "1.0", "2.0")
    damage(sandbox, kept(sandbox)["1.0"])
    result = sandbox.lastgood("rollback", "demo-tool")
    assert (result.status, own_lines(result)) == (1, ["error: nothing older than `demo-tool` 2.0 is kept"]), result
    assert "`demo-tool` 1.0, kept from before, cannot run: " in sandbox.lastgood("doctor", timeout=60).out
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


# --- damaged records ------------------------------------------------------------------------------------------------


def spoil(sandbox: Sandbox) -> Path:
    """Damage the only record; its file."""
    path = Path(records.file_of(str(sandbox.home), only_record(sandbox).id))
    path.write_text("{", "utf-8")
    return path


def test_a_rebuilt_record_knows_how_it_was_asked_for(demo: Index, sandbox: Sandbox) -> None:
    """`warm --all` can ask again, and its `--check` has no complaint."""
    keep(sandbox)
    spoil(sandbox)
    assert ran(sandbox.lastgood("run", "demo-tool", "--version")) == (0, "demo-tool 1.0\n")
    checked = sandbox.lastgood("warm", "--all", "--check")
    assert (checked.status, "1.0 is kept" in checked.out) == (0, True), checked
    result = sandbox.lastgood("warm", "--all")
    assert (result.status, own_lines(result)) == (0, ["unchanged: `demo-tool` 1.0"]), result
    assert len(demo.requests("file")) == 1


def test_a_rollback_that_is_refused_leaves_a_record_behind(index: Index, sandbox: Sandbox) -> None:
    """A damaged record is mended first, also where there is nothing to go back to: the tool is known as before."""
    release(index, sandbox, "1.0")
    for words in (["rollback", "demo-tool", "--to", "9"], ["rollback", "demo-tool"], ["unhold", "demo-tool"]):
        spoil(sandbox)
        sandbox.lastgood(*words)
        assert (only_record(sandbox).tool, list(kept(sandbox))) == ("demo-tool", ["1.0"])


@pytest.mark.parametrize(
    "words", [("warm", "--check", "demo-tool"), ("warm", "--all", "--check"), ("why", "demo-tool"), ("status",)]
)
def test_who_only_looks_leaves_a_damaged_record_where_it_is(demo: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """What would be made of it is told, and it stays until somebody runs, warms or mends."""
    del demo
    keep(sandbox)
    spoilt = spoil(sandbox)
    before = sorted(os.listdir(spoilt.parent))
    result = sandbox.lastgood(*words)
    assert (result.status, "1.0" in result.out) == (0, True), result
    assert (sorted(os.listdir(spoilt.parent)), spoilt.read_text("utf-8")) == (before, "{")


def test_a_damaged_record_is_set_aside_by_a_refresh(demo: Index, sandbox: Sandbox) -> None:
    """What is written in its place is whole, and the damaged file is there for whoever wants to know."""
    del demo
    keep(sandbox)
    spoilt = spoil(sandbox)
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    (aside,) = spoilt.parent.glob(f"*{records.BAD}*")
    assert aside.read_text("utf-8") == "{"
    assert only_record(sandbox).tool == "demo-tool"


def test_a_record_that_was_just_mended_is_not_set_aside(demo: Index, sandbox: Sandbox) -> None:
    """Between a look at the damaged file and its repair another process writes a good one: that stays."""
    del demo
    keep(sandbox)
    home, identity = str(sandbox.home), only_record(sandbox).id
    good = Path(records.file_of(home, identity)).read_text("utf-8")
    spoilt = spoil(sandbox)
    found = records.look(home, identity, records.slug_of(identity))
    assert found is not None
    assert found.stamp is None
    spoilt.write_text(good, "utf-8")
    with records.exclusive(home, identity):
        mended, aside = records.repair(home, identity, records.slug_of(identity))
    assert mended is not None
    assert (mended.current, aside, spoilt.read_text("utf-8")) == (found.current, "", good)


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_a_damaged_record_that_cannot_be_moved_is_not_called_mended(demo: Index, sandbox: Sandbox) -> None:
    """A directory that cannot be written: `doctor --fix` says so."""
    del demo
    keep(sandbox)
    spoilt = spoil(sandbox)
    spoilt.parent.chmod(0o500)
    try:
        result = sandbox.run(as_ordinary_user([lastgood_script(), "doctor", "--fix"]), timeout=60)
    finally:
        spoilt.parent.chmod(0o700)
    assert (result.status, "nothing: another process" in result.out, "not mended" in result.out) == (1, False, True), result


@pytest.mark.parametrize(
    "change",
    [
        {"asked": 10**400},
        {"format": float("inf")},
        {"last": {"at": "x"}},
        {"last": {"status": "x"}},
        {"last": {"words": 5}},
        {"request": {"options": 5}},
        {"request": {"variables": [5]}},
        {"request": {"extras": 5}},
        {"request": {"package": 5}},
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_damaged(demo: Index, sandbox: Sandbox, change: dict[str, object]) -> None:
    """Whatever the shape, every command says something useful and the tool runs."""
    del demo
    keep(sandbox)
    path = Path(records.file_of(str(sandbox.home), only_record(sandbox).id))
    data = json.loads(path.read_text("utf-8"))
    for words in (["status"], ["doctor"], ["why", "demo-tool"], ["history", "demo-tool"], ["run", "demo-tool", "--version"]):
        path.write_text(json.dumps({**data, **change}), "utf-8")
        result = sandbox.lastgood(*words, timeout=60)
        assert ("Traceback" in result.err, "internal error" in result.err) == (False, False), result
        assert "demo-tool" in result.out, result


@pytest.mark.parametrize("name", ["tool", "request", "generation", "record"])
def test_a_manifest_of_another_shape_is_no_manifest(demo: Index, sandbox: Sandbox, name: str) -> None:
    """Where the record is gone as well, the tool is asked for anew."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    manifest = sandbox.home / "generations" / record.current / "lastgood.json"
    data = json.loads(manifest.read_text("utf-8"))
    del data[name]
    manifest.write_text(json.dumps(data), "utf-8")
    Path(records.file_of(str(sandbox.home), record.id)).unlink()
    for words in (["status"], ["why", "demo-tool"], ["doctor"], ["warm", "demo-tool"]):
        result = sandbox.lastgood(*words, timeout=60)
        assert ("Traceback" in result.err, "internal error" in result.err) == (False, False), result
    assert ran(sandbox.lastgood("run", "demo-tool", "--version")) == (0, "demo-tool 1.0\n")


def test_a_newer_record_of_a_name_that_goes_on_is_not_this_ones(demo: Index, sandbox: Sandbox) -> None:
    """`demo` is not `demo-tool`, of which a newer lastgood has written a record."""
    del demo
    keep(sandbox)
    path = Path(records.file_of(str(sandbox.home), only_record(sandbox).id))
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "format": 99}), "utf-8")
    for words in (["history", "demo"], ["status", "demo"], ["hold", "demo"]):
        assert "newer lastgood" not in sandbox.lastgood(*words).err
    assert "newer lastgood" in sandbox.lastgood("history", "demo-tool").err


# --- links ----------------------------------------------------------------------------------------------------------


def test_links_into_uvs_cache_are_not_kept_as_links(index: Index, sandbox: Sandbox) -> None:
    """With `UV_LINK_MODE=symlink` every file is one; a module whose path looks like an interpreter's is a file, too."""
    modules = {
        "says/__init__.py": "def main():\n    import says.bin.python_helper as helper\n    print(helper.TEXT)\n",
        "says/bin/__init__.py": "",
        "says/bin/python_helper.py": "TEXT = 'helped'\n",
    }
    index.publish(Wheel("says", "1.0", modules=modules, entry_points={"says": "says:main"}))
    sandbox.env["UV_LINK_MODE"] = "symlink"
    assert ran(sandbox.lastgood("run", "says")) == (0, "helped\n")
    sandbox.wait_quiet()
    shutil.rmtree(sandbox.uv_cache)
    index.stop()
    assert ran(sandbox.lastgood("run", "says")) == (0, "helped\n")
