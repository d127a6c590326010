"""Records outlive what writes and reads them: other versions of lastgood, and people and refreshes that change them at one time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import pytest

from lastgood import record as records
from lastgood import surroundings
from tests.support.kept import all_records, expect_version, grow_old, keep, only_record, own_lines, retry_now
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Sandbox


def test_a_record_without_the_newest_fields(demo: Index, sandbox: Sandbox) -> None:
    """What an earlier lastgood wrote is read as it is: a hold stays a hold."""
    del demo
    keep(sandbox)
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    path = sandbox.home / "records" / f"{only_record(sandbox).id}.json"
    data = json.loads(path.read_text("utf-8"))
    for name in ("words", "place", "beside"):
        del data[name]
    path.write_text(json.dumps(data), "utf-8")
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    assert only_record(sandbox).held


def test_a_record_knows_the_file_that_it_was_read_from(demo: Index, sandbox: Sandbox) -> None:
    """A card that is made from what was read before somebody rolled back does not vouch for the record of after."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    before = only_record(sandbox)
    path = records.file_of(str(sandbox.home), before.id)
    assert before.stamp == surroundings.stamp(path)
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    assert before.stamp != surroundings.stamp(path)
    assert only_record(sandbox).stamp == surroundings.stamp(path)


def test_what_was_sent_back_is_not_gone_back_to(demo: Index, sandbox: Sandbox) -> None:
    """2.0 was rolled back from; from 3.0, which is bad as well, the way back is to 1.0."""
    keep(sandbox)
    for version in ("2.0", "3.0"):
        demo.publish(demo_tool(version))
        grow_old(sandbox, 3600.0)
        assert sandbox.lastgood("warm", "demo-tool").status == 0
        assert sandbox.lastgood("rollback", "demo-tool").status == 0
        sandbox.wait_quiet()
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


IN_HOOK = {
    "PRE_COMMIT": "1",
    "PYTHONPATH": os.pathsep.join(
        [os.path.dirname(os.path.dirname(records.__file__)), *(place for place in sys.path if place.endswith("site-packages"))]
    ),
}


def as_hook(sandbox: Sandbox, listed: str, *words: str) -> list[str]:
    """Make the environment of a hook that lists some requirements; the command that starts lastgood in it."""
    hook = sandbox.root / "hook"
    made = sandbox.run(["uv", "venv", "--quiet", "--clear", str(hook)])
    assert made.status == 0, made
    (hook / ".install_state_v1").write_text(f'{{"additional_dependencies": {listed}}}', "utf-8")
    code = f"import sys; from lastgood.__main__ import main; sys.exit(main({[*words]}))"
    return [str(hook / "bin" / "python"), "-c", code]


@pytest.mark.parametrize("table", ["", 'demo-tool = { with = ["demo-dep"] }', 'demo-tool = { with = ["b-dep"] }'])
def test_warm_and_a_hook_mean_the_same_record(demo: Index, sandbox: Sandbox, table: str) -> None:
    """Whatever the table adds and whatever the hook lists: what `warm` kept is what the hook's own environment asks for."""
    for wheel in (demo_dep("1.0"), demo_tool("1.0", name="b-dep"), demo_tool("1.0", name="a-dep")):
        demo.publish(wheel)
    (sandbox.work / "lastgood.toml").write_text(f"[tools]\n{table}\n", "utf-8")
    (sandbox.work / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: x/lastgood\n  rev: v1\n  hooks:\n"
        "  - {id: lastgood, args: [demo-tool], additional_dependencies: [demo-dep, a-dep, demo-tool]}\n",
        "utf-8",
    )
    assert sandbox.lastgood("warm").status == 0
    kept = {record.id for record in all_records(sandbox)}
    demo.stop()
    result = sandbox.run(as_hook(sandbox, '["demo-dep", "a-dep", "demo-tool"]', "run", "demo-tool", "--version"), env=IN_HOOK)
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 1.0\n", []), result
    assert {record.id for record in all_records(sandbox)} == kept


def test_what_the_warming_hook_lists_is_its_own(demo: Index, sandbox: Sandbox) -> None:
    """`lastgood-warm` may have additional dependencies: a hook that lists none runs without them, and so is warmed."""
    demo.publish(demo_dep("1.0"))
    (sandbox.work / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: x/lastgood\n  rev: v1\n  hooks:\n"
        "  - {id: lastgood, args: [demo-tool]}\n"
        "  - {id: lastgood-warm, additional_dependencies: [demo-dep]}\n",
        "utf-8",
    )
    warmed = sandbox.run(as_hook(sandbox, '["demo-dep"]', "warm"), env=IN_HOOK)
    assert warmed.status == 0, warmed
    assert [record.request["options"] for record in all_records(sandbox)] == [[]]
    checked = sandbox.run(as_hook(sandbox, '["demo-dep"]', "warm", "--check"), env=IN_HOOK)
    assert (checked.status, checked.out.split()[:2]) == (0, ["demo-tool", "kept"]), checked


def test_a_credential_in_a_target_is_not_told(sandbox: Sandbox) -> None:
    """Neither where it cannot be kept nor where it cannot be fetched."""
    for words in (["git+http://user:s3cret@127.0.0.1:9/x.git"], ["x @ http://user:s3cret@127.0.0.1:9/x-1.0-py3-none-any.whl", "y"]):
        result = sandbox.lastgood("warm", *words)
        assert result.status == 1
        assert "s3cret" not in "".join(own_lines(result)), result


def test_nohup_holds_for_the_workers(demo: Index, sandbox: Sandbox) -> None:
    """What is told to ignore a hangup goes on, with all that it started."""
    demo.publish(demo_tool("1.0", name="other-tool"))
    demo.fault("hang-before-headers", on="page")
    process = sandbox.popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", lastgood_script(), "warm", "demo-tool", "other-tool"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    demo.wait_for_requests(2, "page")
    os.killpg(process.pid, signal.SIGHUP)
    demo.heal()
    said = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, said.splitlines()[-1]) == (0, "lastgood: kept `demo-tool` 1.0, `other-tool` 1.0"), said


def test_nothing_that_cannot_run_is_gone_back_to(demo: Index, sandbox: Sandbox) -> None:
    """Where the interpreter of the version before is gone, `rollback` says so and changes nothing."""
    keep(sandbox)
    (old,) = (sandbox.home / "generations").iterdir()
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    (old / "bin" / "python").unlink()
    (old / "bin" / "python").symlink_to("/nowhere/python")
    result = sandbox.lastgood("rollback", "demo-tool")
    assert (result.status, own_lines(result)) == (1, ["error: nothing older than `demo-tool` 2.0 is kept"])
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "2.0")


def test_forward_again(demo: Index, sandbox: Sandbox) -> None:
    """`rollback --to` a newer one that is kept takes back that it was sent back; to what runs already it says so."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    assert own_lines(sandbox.lastgood("rollback", "demo-tool", "--to", "1.0"))[0].startswith(
        "error: `demo-tool` 1.0 is what runs now"
    )
    assert own_lines(sandbox.lastgood("rollback", "demo-tool", "--to", "2.0")) == ["`demo-tool` is now 2.0 (was 1.0)"]
    assert only_record(sandbox).refused == []


def test_an_option_that_was_mistyped(demo: Index, sandbox: Sandbox) -> None:
    """uvx says that it knows no such option, and lastgood that it has one like it."""
    del demo
    plain = sandbox.uvx("--patince", "3s", "demo-tool")
    result = sandbox.lastgood("run", "--patince", "3s", "demo-tool")
    hint = "hint: `--patince` is no option that lastgood knows; did you mean `--patience`?"
    assert (result.status, own_lines(result)) == (plain.status, [hint])
    assert "--patience" in sandbox.lastgood("why", "--patince", "3s", "demo-tool").out


@pytest.mark.parametrize("verb", ["rollback", "hold", "unhold"])
def test_a_record_that_another_process_is_changing(demo: Index, sandbox: Sandbox, verb: str) -> None:
    """What cannot be done at the moment, though nothing is wrong with the words, ends with 1 and changes nothing."""
    keep_versions(demo, sandbox, "2.0")
    before = records.text_of(only_record(sandbox))
    with records.exclusive(str(sandbox.home), only_record(sandbox).id):
        result = sandbox.lastgood(verb, "demo-tool")
    assert (result.status, own_lines(result)) == (1, ["error: another process is changing the record of `demo-tool`; try again"])
    assert records.text_of(only_record(sandbox)) == before


# --- rebuilt after damage -------------------------------------------------------------------------------------------


def keep_versions(demo: Index, sandbox: Sandbox, *versions: str) -> None:
    """Keep one version after the other, 1.0 first."""
    keep(sandbox)
    for version in versions:
        demo.publish(demo_tool(version))
        grow_old(sandbox, 3600.0)
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    sandbox.wait_quiet()


def add_one_that_no_record_names(sandbox: Sandbox) -> None:
    """Leave the newest environment twice, as a refresh does that is killed before it writes the record."""
    newest = sandbox.home / "generations" / only_record(sandbox).generations[0].id
    shutil.copytree(newest, newest.with_name("demo-tool-3.0-00000000"), symlinks=True)


def lose_record(sandbox: Sandbox) -> None:
    """Damage the record of a home that has one, and lose its card."""
    with open(records.file_of(str(sandbox.home), only_record(sandbox).id), "r+b") as file:
        file.truncate(100)
    for card in (sandbox.home / "cards").iterdir():
        card.unlink()


def test_a_rebuilt_record_keeps_back_what_was_rolled_back_from(demo: Index, sandbox: Sandbox) -> None:
    """What was sent back does not run after damage, nor after the next refresh: the one that was gone back to does."""
    keep_versions(demo, sandbox, "2.0", "3.0")
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "1.0").status == 0
    before = only_record(sandbox)
    add_one_that_no_record_names(sandbox)
    lose_record(sandbox)
    assert sandbox.lastgood("run", "--offline", "demo-tool", "--version").out == "demo-tool 1.0\n"
    lose_record(sandbox)
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    after = only_record(sandbox)
    assert (after.current, after.refused, after.hosts) == (before.current, before.refused, before.hosts)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")
    demo.publish(demo_tool("4.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "4.0")


def test_a_rebuilt_record_is_held_as_it_was(demo: Index, sandbox: Sandbox) -> None:
    """A hold outlives the record's file; so does its end."""
    keep_versions(demo, sandbox, "2.0")
    for verb in ("hold", "unhold"):
        assert sandbox.lastgood(verb, "demo-tool").status == 0
        lose_record(sandbox)
        assert mend(sandbox) == 0
        assert only_record(sandbox).held == (verb == "hold")


def current_version(sandbox: Sandbox) -> str:
    """Return the version that a home's one record runs."""
    current = only_record(sandbox).generation()
    assert current is not None
    return current.version


def mend(sandbox: Sandbox) -> int:
    """Let doctor rebuild what is damaged."""
    return sandbox.lastgood("doctor", "--fix").status


def test_forward_again_outlives_the_record(demo: Index, sandbox: Sandbox) -> None:
    """Who went back and forward again runs the newer one after damage, too."""
    keep_versions(demo, sandbox, "2.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "2.0").status == 0
    lose_record(sandbox)
    assert mend(sandbox) == 0
    assert (only_record(sandbox).refused, current_version(sandbox)) == ([], "2.0")


def test_what_was_sent_back_comes_last_where_the_current_one_is_lost(demo: Index, sandbox: Sandbox) -> None:
    """With the current environment lost as well, one runs that nobody sent back; what was sent back where nothing else is left."""
    keep_versions(demo, sandbox, "2.0", "3.0")
    assert sandbox.lastgood("rollback", "demo-tool").status == 0
    for left in ("1.0", "3.0"):
        current = only_record(sandbox).current
        lose_record(sandbox)
        shutil.rmtree(sandbox.home / "generations" / current)
        assert mend(sandbox) == 0
        assert current_version(sandbox) == left


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"is": "lastgood choices", "format": 99}', "\0" * 300, None])
def test_a_home_that_says_nothing_of_choices(demo: Index, sandbox: Sandbox, damage: str | None) -> None:
    """Where what was chosen is damaged, of a newer format, or was written by no lastgood yet, the newest that is kept runs."""
    keep_versions(demo, sandbox, "2.0")
    for path in (sandbox.home / "generations").glob("*/lastgood.choices"):
        path.unlink() if damage is None else path.write_text(damage)
    lose_record(sandbox)
    assert mend(sandbox) == 0
    assert current_version(sandbox) == "2.0"


# --- which record is meant ------------------------------------------------------------------------------------------

SEE = "run `lastgood status demo-tool` to see all of it"


def keep_three(sandbox: Sandbox, index: Index) -> None:
    """Keep 1.0, 1.1 and 1.2 of the demo tool, the last of them current."""
    for version in ("1.0", "1.1", "1.2"):
        index.publish(demo_tool(version))
        assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert only_record(sandbox).generations[0].version == "1.2"


@pytest.mark.parametrize("words", [("demo-tool@1.0",), ("demo-tool==1.0",), ("Demo_Tool@1.0", "--to", "1.0")], ids=" ".join)
def test_a_version_of_the_tool_is_the_one_to_go_back_to(index: Index, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """`rollback TOOL@VERSION` means `--to VERSION`, also where both say the same."""
    keep_three(sandbox, index)
    (line,) = own_lines(sandbox.lastgood("rollback", *words))
    assert line.startswith("`demo-tool` is now 1.0 (was 1.2)")
    expect_version(sandbox.lastgood("run", "demo-tool", "--version"), "1.0")


def keep_dependencies(sandbox: Sandbox, index: Index, *tools: str) -> None:
    """Keep demo-tool 1.0 twice for each of these words: with demo-dep 1.0, and now with 2.0."""
    index.publish(demo_tool("1.0", requires=("demo-dep",)))
    for version in ("1.0", "2.0"):
        index.publish(demo_dep(version))
        assert sandbox.lastgood("warm", *tools).status == 0
    sandbox.wait_quiet()


def dependencies(sandbox: Sandbox) -> dict[str, tuple[str, int]]:
    """Return which demo-dep each record runs with, and how much it keeps away."""
    found = {one.request["specifier"]: (one.generation(), len(one.refused)) for one in all_records(sandbox)}
    return {
        specifier: (current.dists["demo-dep"], refused) for specifier, (current, refused) in found.items() if current is not None
    }


def test_words_with_a_version_go_back_in_their_own_record(index: Index, sandbox: Sandbox) -> None:
    """Where something is kept for exactly these words, they mean that, as for `hold`; what was sent back stays away."""
    keep_dependencies(sandbox, index, "demo-tool", "demo-tool==1.0")
    for words in ("demo-tool==1.0", "demo-tool@1.0"):
        sandbox.lastgood("rollback", words)
        assert dependencies(sandbox) == {"": ("2.0", 0), "==1.0": ("1.0", 1)}, words
    result = sandbox.lastgood("rollback", "demo-tool@1.0")
    assert (result.status, own_lines(result)) == (1, ["error: nothing older than `demo-tool` 1.0 is kept; what is: `--to 1.0`"])
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "1.0").status == 0
    assert dependencies(sandbox) == {"": ("1.0", 1), "==1.0": ("1.0", 1)}


def test_a_version_of_the_tool_never_leads_to_what_was_sent_back(index: Index, sandbox: Sandbox) -> None:
    """Where only a dependency moved, `TOOL@VERSION` goes back once and then no further; `--to` goes forward, since it says so."""
    keep_dependencies(sandbox, index, "demo-tool")
    assert sandbox.lastgood("rollback", "demo-tool@1.0").status == 0
    assert dependencies(sandbox) == {"": ("1.0", 1)}
    result = sandbox.lastgood("rollback", "demo-tool@1.0")
    assert (result.status, own_lines(result)) == (1, ["error: `demo-tool` 1.0 is what runs now; what is: `--to 1.0`"])
    assert dependencies(sandbox) == {"": ("1.0", 1)}
    assert sandbox.lastgood("rollback", "demo-tool", "--to", "1.0").status == 0
    assert dependencies(sandbox) == {"": ("2.0", 0)}


def test_two_versions_to_go_back_to(demo: Index, sandbox: Sandbox) -> None:
    """Two different ones are a mistake of the words, and nothing changes."""
    del demo
    keep(sandbox)
    result = sandbox.lastgood("rollback", "demo-tool@1.0", "--to", "1.1")
    assert (result.status, own_lines(result)) == (2, ["error: `demo-tool@1.0` and `--to 1.1` name two versions"])


def test_versions_that_what_runs_does_not_fit(index: Index, sandbox: Sandbox) -> None:
    """Nothing is decided of what was not meant: one line says what runs and what was asked for, with words that a shell takes."""
    keep_three(sandbox, index)
    before = only_record(sandbox).held
    for verb in ("hold", "unhold", "history"):
        for words in ("demo-tool>=5", "demo-tool==1.1", "demo-tool@latest", "demo-tool[extra]"):
            result = sandbox.lastgood(verb, words)
            said = f"what is kept of `demo-tool` runs 1.2, which is not `{words}`; {SEE}"
            assert (result.status, result.out, own_lines(result)) == (1, "", [f"error: {said}"])
    assert sandbox.lastgood("rollback", "demo-tool>=5").status == 1
    assert only_record(sandbox).held == before
    fits = sandbox.lastgood("hold", "demo-tool>=1.2")
    assert own_lines(fits) == ["`demo-tool` 1.2 is held; `lastgood unhold 'demo-tool>=1.2'` lets it move again"]
    assert own_lines(sandbox.lastgood("unhold", "DEMO.tool<2")) == ["`demo-tool` 1.2 may be replaced by the next refresh"]


def test_the_record_of_the_request_comes_first(demo: Index, sandbox: Sandbox, tmp_path: Path) -> None:
    """Versions select the record of that very request, also one that is kept elsewhere; only without one those that fit."""
    (tmp_path / "uv.toml").write_text("")
    keep(sandbox, "--config-file", str(tmp_path / "uv.toml"), "demo-tool>=1,<2")
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    assert sandbox.lastgood("hold", "demo-tool <2, >=1").status == 0
    assert {record.request["specifier"]: record.held for record in all_records(sandbox)} == {">=1,<2": True, "": False}
    assert sandbox.lastgood("hold", "demo-tool==2.0").status == 0
    assert {record.request["specifier"]: record.held for record in all_records(sandbox)} == {">=1,<2": True, "": True}


def test_what_others_keep_is_not_read(demo: Index, sandbox: Sandbox) -> None:
    """A decision about a tool opens no record of another one, however many there are: here it would wait for ever."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool").status == 0
    others = [sandbox.home / "records" / f"{name}-0123456789ab-012345.json" for name in ("other-tool", "demo")]
    for path in others:
        os.mkfifo(path)
    asked = ["hold demo-tool", "unhold demo-tool", "history demo-tool", "rollback demo-tool", "rollback demo-tool --to 2.0"]
    asked += ["rollback demo-tool@1.0", "completion --versions demo-tool"]
    statuses = {words: sandbox.lastgood(*words.split(), timeout=20).status for words in asked}
    assert statuses == dict.fromkeys(asked, 0)
    for path in others:
        path.unlink()
    assert only_record(sandbox).generation().version == "1.0"  # type: ignore[union-attr]


def test_a_record_with_nothing_but_a_refusal_hides_no_other(demo: Index, sandbox: Sandbox) -> None:
    """Where the request of here has no good release, a decision is about what is kept of the tool, as if it had no record."""
    keep(sandbox, "demo-tool<2")
    demo.publish(demo_tool("2.0", broken="import"))
    assert sandbox.lastgood("warm", "demo-tool").status == 1
    assert own_lines(sandbox.lastgood("hold", "demo-tool")) == [
        "`demo-tool` 1.0 is held; `lastgood unhold demo-tool` lets it move again"
    ]
    assert sandbox.lastgood("history", "demo-tool").out.startswith("demo-tool  any version  now nothing\n")


def test_status_and_history_find_the_same(demo: Index, sandbox: Sandbox) -> None:
    """`status` takes what `history`, `hold` and `rollback` take: normalised names, and versions as they select records."""
    keep(sandbox, "demo-tool>=1")
    for words in ("demo-tool", "Demo_Tool", "DEMO.TOOL>=1", "demo-tool<3", "demo-tool@1.0"):
        assert "demo-tool >=1  1.0 " in sandbox.lastgood("status", words).out, words
        assert sandbox.lastgood("history", words).out.startswith("demo-tool  >=1  now 1.0\n"), words
    demo.publish(demo_tool("2.0"))
    nothing = (
        "what is kept of `demo-tool` runs 1.0, which is not `demo-tool>=2`; run `lastgood status demo-tool` to see all of it\n"
    )
    result = sandbox.lastgood("status", "demo-tool>=2")
    assert (result.status, result.out, result.err) == (0, nothing, "")
    assert sandbox.lastgood("status", "--json", "demo-tool>=2").json()["tools"] == []


def keep_for_three(sandbox: Sandbox, index: Index) -> None:
    """Keep 1.0 of the demo tool for three requests from here, and 2.0 for one of them; none of them is a bare one."""
    index.publish(demo_tool("1.0"))
    for words in (("demo-tool>=1",), ("demo-tool<3",), ("--prerelease=allow", "demo-tool<3")):
        assert sandbox.lastgood("warm", *words[-1:]).status == 0
        keep(sandbox, *words)
    index.publish(demo_tool("2.0"))
    assert sandbox.lastgood("warm", "demo-tool>=1").status == 0


def test_several_records_are_told_apart(index: Index, sandbox: Sandbox) -> None:
    """Where a name means several records each line names its own, as `status` does."""
    keep_for_three(sandbox, index)
    labels = ("demo-tool <3 --prerelease=allow", "demo-tool <3", "demo-tool >=1")
    versions = dict(zip(labels, ("1.0", "1.0", "2.0"), strict=True))
    undo = "`lastgood unhold demo-tool` lets it move again"
    assert set(own_lines(sandbox.lastgood("hold", "demo-tool"))) == {f"`{one}` {versions[one]} is held; {undo}" for one in labels}
    shown = sandbox.lastgood("status").out
    assert all(f"{label}  " in shown for label in labels), shown
    unheld = own_lines(sandbox.lastgood("unhold", "demo-tool"))
    assert set(unheld) == {f"`{one}` {versions[one]} may be replaced by the next refresh" for one in labels}


def test_those_that_can_go_back_do(index: Index, sandbox: Sandbox) -> None:
    """Of several records those that cannot go back are said, each with its label; the others go back; the status is 1."""
    keep_for_three(sandbox, index)
    result = sandbox.lastgood("rollback", "demo-tool")
    stays = "2.0 stays kept back until a newer release is good"
    assert (result.status, set(own_lines(result))) == (
        1,
        {
            f"`demo-tool >=1` is now 1.0 (was 2.0); {stays}",
            "error: nothing older than `demo-tool <3` 1.0 is kept",
            "error: nothing older than `demo-tool <3 --prerelease=allow` 1.0 is kept",
        },
    )
    assert {record.generation().version for record in all_records(sandbox)} == {"1.0"}  # type: ignore[union-attr]


def test_a_record_that_a_newer_lastgood_wrote(demo: Index, sandbox: Sandbox) -> None:
    """Whoever looks or decides says that it is there and cannot be read, not that nothing is kept."""
    del demo
    keep(sandbox)
    path = sandbox.home / "records" / f"{only_record(sandbox).id}.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    what = "the record of `demo-tool` was written by a newer lastgood (format 7, this one reads 1); runs use plain `uvx`"
    for verb in ("history", "hold", "unhold", "rollback"):
        for words in ("demo-tool", "demo-tool>=1"):
            result = sandbox.lastgood(verb, words)
            assert (result.status, result.out, own_lines(result)) == (1, "", [f"error: {what}; update lastgood"])
    assert sandbox.lastgood("status", "demo-tool").out == f"{what}; update lastgood\n"
    assert sandbox.lastgood("status").out.splitlines()[1:] == [what]


# --- one package, several commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["run", "warm"])
def test_a_record_is_called_by_the_command_that_works(index: Index, sandbox: Sandbox, verb: str) -> None:
    """After a mistyped command the one that works names the record, also where it was first used while the index was down."""
    index.publish(demo_tool("1.0", name="other-tool", command="other"))
    assert "other" in sandbox.lastgood(verb, "other-tool").err
    sandbox.wait_quiet()
    grow_old(sandbox, 3600)
    index.stop()
    right = ("--from", "other-tool", "other", "--version")
    assert sandbox.lastgood("run", *right).out == "other-tool 1.0\n"
    sandbox.wait_quiet()
    for words in ((), ("other",), ("other-tool",)):
        (row,) = sandbox.lastgood("status", "--json", *words).json()["tools"]
        assert (row["tool"], row["outage_rung"], row["outage_runs"]) == ("other", "kept", "1.0"), row
    assert only_record(sandbox).words == ["--from=other-tool", "other"]
    index.start_again()
    retry_now(sandbox)
    index.publish(demo_tool("1.1", name="other-tool", command="other"))
    assert sandbox.lastgood("warm", "--all").status == 0
    for name in ("other", "other-tool"):
        assert sandbox.lastgood("history", name).out.startswith("other  any version  now 1.1\n")
    back = sandbox.lastgood("rollback", "other")
    assert (back.status, own_lines(back)[0].split(";")[0]) == (0, "`other` is now 1.0 (was 1.1)"), back
    assert sandbox.lastgood("run", *right).out == "other-tool 1.0\n"


def test_a_mistyped_command_renames_nothing(index: Index, sandbox: Sandbox) -> None:
    """What works stays what a record is called, and what `warm --all` asks for, whatever is mistyped after it."""
    index.publish(demo_tool("1.0", name="other-tool", command="other"))
    keep_other(sandbox, "other")
    grow_old(sandbox, 3600)
    assert "Use `uvx --from other-tool other` instead" in sandbox.lastgood("run", "other-tool").err
    sandbox.wait_quiet()
    found = only_record(sandbox)
    assert (found.tool, found.words) == ("other", ["--from=other-tool", "other"])
    assert sandbox.lastgood("status", "--json").json()["tools"][0]["outage_rung"] == "kept"


@pytest.mark.parametrize("broken", ["import", None])
def test_a_mistyped_command_lets_nothing_unchecked_in(index: Index, sandbox: Sandbox, broken: Literal["import"] | None) -> None:
    """A new release that a mistyped command brings along is checked for the command that works."""
    index.publish(demo_tool("1.0", name="other-tool", command="other"))
    keep_other(sandbox, "other")
    grow_old(sandbox, 3600)
    index.publish(demo_tool("1.1", name="other-tool", command="other", broken=broken))
    sandbox.lastgood("warm", "other-tool")
    runs = "1.0" if broken else "1.1"
    (row,) = sandbox.lastgood("status", "--json", "other").json()["tools"]
    assert (row["version"], row["outage_rung"], row["outage_runs"]) == (runs, "kept", runs)
    assert [one["version"] for one in row["refused"]] == (["1.1"] if broken else [])


def test_a_record_is_found_by_each_of_its_commands(index: Index, sandbox: Sandbox) -> None:
    """Of two commands that both work the last one used names the record; either finds it."""
    index.publish(demo_tool("1.0", name="other-tool", command="one", extra_commands=("two",)))
    keep_other(sandbox, "one")
    grow_old(sandbox, 3600)
    keep_other(sandbox, "two")
    assert only_record(sandbox).tool == "two"
    for name in ("one", "two", "other-tool"):
        assert [row["tool"] for row in sandbox.lastgood("status", "--json", name).json()["tools"]] == ["two"]
        assert sandbox.lastgood("hold", name).status == sandbox.lastgood("unhold", name).status == 0
    assert sandbox.lastgood("history", "three").status == 1


def keep_other(sandbox: Sandbox, command: str) -> None:
    """Run a command of `other-tool` once."""
    result = sandbox.lastgood("run", "--from", "other-tool", command, "--version")
    assert (result.status, result.out, own_lines(result)) == (0, "other-tool 1.0\n", []), result
    sandbox.wait_quiet()
