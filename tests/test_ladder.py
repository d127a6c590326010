"""The ladder: what stands in, in an outage, where nothing good is kept for the very request.

Rung by rung: what is kept for another request that satisfies this one, what uv's own cache still resolves to, the tool in the
environment that lastgood itself runs in, and at last uvx's own error with what lastgood knows.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import httpx
import packaging
import pytest

import lastgood
from tests.support.interpreters import another_python, system_python, version_of
from tests.support.kept import all_records, expect_version, grow_old, keep, open_hosts, others_words, own_lines, retry_now
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from tests.conftest import IndexFactory, SandboxFactory
    from tests.support.index import Index
    from tests.support.index_faults import FaultKind
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
SOURCES = Path(lastgood.__file__).parent


def demo_run(sandbox: Sandbox, *words: str, **env: str | None) -> Result:
    """Run `lastgood run WORDS… --version`."""
    return sandbox.lastgood("run", *(words or ("demo-tool",)), "--version", env=env)


def keep_and_stop(sandbox: Sandbox, index: Index, *words: str) -> None:
    """Keep what these words bring, asked for an hour ago; then the index is gone, and so is uv's cache."""
    keep(sandbox, *words)
    grow_old(sandbox, HOUR)
    lose_the_index_and_the_cache(sandbox, index)


def lose_the_index_and_the_cache(sandbox: Sandbox, index: Index) -> None:
    """Stop the index and let uv forget all that it has."""
    index.stop()
    sandbox.uv_cache = sandbox.root / "another-uv-cache"
    sandbox.env["UV_CACHE_DIR"] = str(sandbox.uv_cache)


def without_times(words: str) -> str:
    """Return uv's words without how long it took."""
    return re.sub(r"in [0-9.]+m?s", "in no time", words)


# --- another request's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("demo-tool", "demo-tool>=1"),
        ("demo-tool", "demo-tool==1.0"),
        ("demo-tool", "demo-tool@1.0"),
        ("demo-tool", "demo-tool@latest"),
        ("demo-tool==1.0", "demo-tool"),
        ("demo-tool==1.0", "Demo_Tool.x"),
        ("demo-tool", "--from demo-tool>=1,<2 demo-tool"),
        ("demo-tool", "--from demo-tool other-command"),
    ],
)
def test_a_request_that_is_satisfied_by_anothers(index: Index, sandbox: Sandbox, kept: str, asked: str) -> None:
    """The same package in another wording stands in, whatever its specifier or command, and the line says what it was kept for."""
    name = "demo-tool" if asked != "Demo_Tool.x" else "demo-tool-x"
    target = kept.replace("demo-tool", name)
    index.publish(demo_tool("1.0", name=name, command="demo-tool", extra_commands=("demo-tool-x", "Demo_Tool.x", "other-command")))
    assert sandbox.lastgood("run", "--from", target, "demo-tool", "--version").status == 0
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)
    lose_the_index_and_the_cache(sandbox, index)
    result = demo_run(sandbox, *asked.split())
    tool = asked.rsplit(maxsplit=1)[-1].partition("=")[0].partition("@")[0].partition(">")[0]
    note = f"; it was kept for `{target.removeprefix(name) or 'demo-tool'}`"
    same = target == "demo-tool" and asked == "--from demo-tool other-command"  # another command is no other request
    line = f"running `{tool}` 1.0, last checked 1h ago: `{index.host}` did not answer (connection refused){'' if same else note}"
    assert (result.status, result.out, own_lines(result)) == (0, f"{name} 1.0\n", [f"warning: {line}"]), result


@pytest.mark.parametrize(
    "words",
    ["demo-tool==2.0", "demo-tool>1", "demo-tool[more]", "--with demo-dep demo-tool", "--prerelease allow demo-tool", "other-tool"],
)
def test_a_request_that_nothing_kept_satisfies(demo: Index, sandbox: Sandbox, words: str) -> None:
    """Another version, extra, requirement, option or package is another thing: uvx's error, and nothing runs."""
    demo.publish(demo_dep("1.0"))
    keep_and_stop(sandbox, demo)
    sandbox.clear_starts()
    result = demo_run(sandbox, *words.split())
    assert (result.status, result.out, sandbox.starts()) == (2, "", 0)
    assert own_lines(result)[0].startswith(f"error: `{demo.host}` did not answer (connection refused) and no good `")


def test_never_across_indexes(index_factory: IndexFactory, sandbox_factory: SandboxFactory) -> None:
    """What one index offered does not stand in for what another one offers under the same name."""
    index, other = index_factory(), index_factory()
    sandbox = sandbox_factory(index)
    index.publish(demo_tool("1.0"))
    keep(sandbox)
    other.stop()
    sandbox.clear_starts()
    for words, env in (((), {"UV_DEFAULT_INDEX": other.url}), (("--default-index", other.url), {})):
        result = demo_run(sandbox, *words, "demo-tool", **env)
        assert (result.status, result.out, sandbox.starts()) == (2, "", 0)
        assert own_lines(result)[0].startswith(f"error: `{other.host}` did not answer")


def test_another_interpreter(demo: Index, sandbox: Sandbox) -> None:
    """In an outage what is kept with another Python serves, and the line says so; with the index up it is built anew."""
    other = another_python()
    if other is None:
        pytest.skip("this machine has one version of Python only")
    path = f"{sandbox.bin}:{other.parent}:{sandbox.env['PATH']}"
    keep_and_stop(sandbox, demo)
    (kept,) = all_records(sandbox)
    result = demo_run(sandbox, PATH=path)
    line = f"running `demo-tool` 1.0, last checked 1h ago: `{demo.host}` did not answer (connection refused)"
    expect_version(result, "1.0", f"warning: {line}; it was kept with Python {kept.generations[0].python}")
    demo.start_again()
    retry_now(sandbox)
    expect_version(demo_run(sandbox, PATH=path), "1.0")
    versions = {".".join(record.generations[0].python.split(".")[:2]) for record in all_records(sandbox) if record.generations}
    assert versions == {"{}.{}".format(*(version_of(python) or ())) for python in (other, system_python())}


def test_the_one_that_was_asked_for_last_is_the_best(demo: Index, sandbox: Sandbox) -> None:
    """Of several that satisfy the request the youngest stands in."""
    demo.publish(demo_tool("2.0"))
    keep(sandbox, "demo-tool==2.0", version="2.0")
    grow_old(sandbox, HOUR)
    keep(sandbox, "demo-tool==1.0")
    lose_the_index_and_the_cache(sandbox, demo)
    result = demo_run(sandbox)
    assert (result.status, result.out, "it was kept for `==1.0`" in result.err) == (0, "demo-tool 1.0\n", True), result


def test_what_is_too_old_stands_in_for_no_other_request(demo: Index, sandbox: Sandbox) -> None:
    """`stale-max` bounds what another request kept as it bounds one's own: the run, `status`, `warm --check` and `why` agree."""
    keep(sandbox)
    for path in (sandbox.home / "generations").iterdir():
        shutil.rmtree(path)
    keep(sandbox, "demo-tool>=1")
    grow_old(sandbox, HOUR)
    lose_the_index_and_the_cache(sandbox, demo)
    sandbox.clear_starts()
    for stale_max, status in (("30m", 1), ("2h", 0)):
        sandbox.env["LASTGOOD_STALE_MAX"] = stale_max
        checked = sandbox.lastgood("warm", "--check", "demo-tool")
        why = sandbox.lastgood("why", "demo-tool").out
        shown = {row["label"]: row["outage_rung"] for row in sandbox.lastgood("status", "--json").json()["tools"]}
        said = (checked.status, checked.out.split()[1], shown["demo-tool"], ", kept for another request (" in why)
        assert said == (status, *["nothing" if status else "near"] * 2, not status), stale_max
    assert (demo_run(sandbox, LASTGOOD_STALE_MAX="30m").status, sandbox.starts()) == (2, 0)
    assert (demo_run(sandbox, LASTGOOD_STALE_MAX="2h").status, sandbox.starts()) == (0, 1)


def test_the_strict_modes_do_not_climb(demo: Index, sandbox: Sandbox) -> None:
    """Who asks for the latest, or for the cache alone, of this request gets no other one's."""
    keep_and_stop(sandbox, demo)
    sandbox.clear_starts()
    for word in ("--refresh", "--offline"):
        result = demo_run(sandbox, word, "demo-tool>=1")
        assert (result.status != 0, result.out, sandbox.starts()) == (True, "", 0)


def test_a_stand_in_is_not_waited_for_longer_than_patience(demo: Index, sandbox: Sandbox) -> None:
    """Where something can stand in, an index that hangs is asked briefly, and while it is known to be down not at all."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    demo.clear_requests()
    demo.fault("hang-before-headers")
    aged = "warning: running `demo-tool` 1.0, last checked 1h ago"
    note = f"`{demo.host}` did not answer (timed out); it was kept for `demo-tool`"
    expect_version(demo_run(sandbox, "demo-tool>=1", LASTGOOD_PATIENCE="1.9"), "1.0", f"{aged}: {note}")
    assert len(demo.requests()) == 1
    demo.heal()
    demo.fault(500)  # whoever asks from now on is not held
    demo.clear_requests()
    expect_version(demo_run(sandbox, "demo-tool>=1"), "1.0", f"{aged}: {note}")
    assert demo.requests() == []
    demo.heal()
    retry_now(sandbox)
    expect_version(demo_run(sandbox, "demo-tool>=1"), "1.0")
    assert len(all_records(sandbox)) == 2  # from now on it has its own


# --- uv's own cache -------------------------------------------------------------------------------------------------


def test_what_uvs_cache_still_resolves_to(demo: Index, sandbox: Sandbox) -> None:
    """A tool that plain uvx ran before runs from uv's cache, once, with a line, and is kept from then on."""
    sandbox.uvx("demo-tool")
    sandbox.clear_starts()
    demo.stop()
    expect_version(
        demo_run(sandbox),
        "1.0",
        f"warning: running `demo-tool` 1.0 from uv's cache: `{demo.host}` did not answer (connection refused)",
    )
    sandbox.wait_quiet()
    sandbox.uv_cache.rename(sandbox.root / "lost")
    result = demo_run(sandbox)
    assert (result.status, result.out, sandbox.starts()) == (0, "demo-tool 1.0\n", 2)
    (line,) = own_lines(result)
    assert line.startswith("warning: running `demo-tool` 1.0, last checked at an unknown time: ")


def test_what_another_request_kept_comes_before_uvs_cache(demo: Index, sandbox: Sandbox) -> None:
    """What was checked and kept is better than what happens to be cached."""
    keep(sandbox)
    demo.publish(demo_tool("2.0"))
    sandbox.uvx("demo-tool==2.0")
    demo.stop()
    assert demo_run(sandbox, "demo-tool>=1").out == "demo-tool 1.0\n"


def test_uvs_cache_is_not_asked_about_an_answer(demo: Index, sandbox: Sandbox) -> None:
    """The index answers that there is no such thing: what uv has in its cache is not run."""
    sandbox.uvx("demo-tool")
    sandbox.clear_starts()
    demo.fault(404)
    plain = sandbox.uvx("demo-tool", "--version")
    result = demo_run(sandbox)
    assert (result.status, result.err, sandbox.starts()) == (plain.status, plain.err, 0)


# --- lastgood's own environment -------------------------------------------------------------------------------------


def install_beside(sandbox: Sandbox, *requirements: str) -> str:
    """Install lastgood, from this tree, and tools into an environment of their own, as a hook runner does; return its lastgood.

    What lastgood depends on is lent by the environment that runs the tests: the demo index does not have it.
    """
    index = sandbox.index
    assert index is not None
    modules = {
        f"lastgood/{path.relative_to(SOURCES)}": path.read_bytes()
        for path in SOURCES.rglob("*")
        if path.suffix in {".py", ".typed"}
    }
    script = (SOURCES.parents[1] / "scripts" / "lastgood").read_bytes()
    index.publish(Wheel("lastgood", "0.1.0", modules=modules, scripts={"lastgood": script}))
    place = sandbox.root / "beside"
    apart = {"UV_CACHE_DIR": str(sandbox.root / "apart")}
    made = sandbox.run(["uv", "venv", "--python", sys.executable, str(place)], env=apart)
    command = ["uv", "pip", "install", "--no-deps", "--python", str(place / "bin" / "python"), "lastgood", *requirements]
    installed = sandbox.run(command, env=apart)
    assert (made.status, installed.status) == (0, 0), (made, installed)
    (libraries,) = place.glob("lib/*/site-packages")
    lent = {str(Path(module.__file__ or "").parents[1]) for module in (filelock, httpx, packaging)}
    (libraries / "lent.pth").write_text("\n".join(lent) + "\n")
    return str(place / "bin" / "lastgood")


def test_the_tool_beside_lastgood(demo: Index, sandbox: Sandbox) -> None:
    """With an empty home, an empty cache and no network the tool of lastgood's own environment runs, with its words and status."""
    program = install_beside(sandbox, "demo-tool")
    demo.stop()
    result = sandbox.run([program, "run", "demo-tool", "--version", "--stderr", "own words", "--exit", "3"])
    assert (result.status, result.out, others_words(result), sandbox.starts()) == (3, "demo-tool 1.0\n", "own words\n", 1)
    line = f"warning: running `demo-tool` 1.0 from the environment of lastgood: `{demo.host}` did not answer (connection refused)"
    assert own_lines(result) == [line]
    connections = demo.connections()
    again = sandbox.run([program, "run", "demo-tool", "--version"])
    assert (again.status, again.out, len(own_lines(again)), demo.connections()) == (0, "demo-tool 1.0\n", 1, connections)


def test_the_tool_beside_lastgood_is_the_last_resort(demo: Index, sandbox: Sandbox) -> None:
    """The index comes first, then what is kept or cached; and its version has to be one that the request allows."""
    program = install_beside(sandbox, "demo-tool==1.0")
    demo.publish(demo_tool("2.0"))
    expect_version(sandbox.run([program, "run", "demo-tool", "--version"]), "2.0")
    sandbox.wait_quiet()
    demo.stop()
    grow_old(sandbox, HOUR)
    result = sandbox.run([program, "run", "demo-tool", "--version"])
    assert (result.status, result.out) == (0, "demo-tool 2.0\n")
    lose_the_index_and_the_cache(sandbox, demo)
    sandbox.env["LASTGOOD_HOME"] = str(sandbox.root / "another-home")
    sandbox.clear_starts()
    for target in ("demo-tool==2.0", "demo-tool>=1.5", "demo-tool@3"):
        result = sandbox.run([program, "run", target, "--version"])
        assert (result.status, result.out, sandbox.starts()) == (2, "", 0)


@pytest.mark.parametrize("how", ["UV_OFFLINE", "--offline", "mode"])
def test_the_tool_beside_lastgood_where_the_network_is_forbidden(demo: Index, sandbox: Sandbox, how: str) -> None:
    """strict-cache asks nobody, and nobody need be asked for it: it runs where nothing is kept and uv's cache has nothing."""
    program = install_beside(sandbox, "demo-tool==1.0")
    connections = demo.connections()
    environment = {"UV_OFFLINE": {"UV_OFFLINE": "1"}, "mode": {"LASTGOOD_MODE": "strict-cache"}}.get(how, {})
    words = ["--offline"] if how == "--offline" else []
    checked = sandbox.run([program, "warm", "--check", "demo-tool"], env={**environment, "UV_OFFLINE": "1"})
    assert (checked.status, "1.0 is in the environment of lastgood" in checked.out) == (0, True), checked
    why = sandbox.run([program, "why", *words, "demo-tool"], env=environment)
    assert "in an outage what uv's own cache still resolves to, else 1.0 in lastgood's own environment" in why.out, why
    tool = ["demo-tool", "--version", "--stderr", "own words", "--exit", "3"]
    result = sandbox.run([program, "run", *words, *tool], env=environment)
    assert (result.status, result.out, others_words(result), sandbox.starts()) == (3, "demo-tool 1.0\n", "own words\n", 1), result
    reason = "nothing else is kept, and the mode is `strict-cache`"
    assert own_lines(result) == [f"warning: running `demo-tool` 1.0 from the environment of lastgood: {reason}"]
    assert demo.connections() == connections
    result = sandbox.run([program, "run", *words, "demo-tool>1", "--version"], env=environment)
    assert (result.status != 0, result.out, sandbox.starts()) == (True, "", 1), result
    assert own_lines(result)[0].startswith("hint: no good `demo-tool` is kept and the mode is `strict-cache`")


@pytest.mark.parametrize("outage", ["refused", "silent"])
def test_the_tool_beside_lastgood_where_nothing_can_be_kept(demo: Index, sandbox: Sandbox, outage: str) -> None:
    """It needs no home either: one line says all. While the index answers uvx runs what it has, as without a tool beside it."""
    program = install_beside(sandbox, "demo-tool==1.0")
    demo.publish(demo_tool("2.0"))
    env = {"LASTGOOD_HOME": "/proc/none/lastgood", "LASTGOOD_PATIENCE": "1"}
    result = sandbox.run([program, "run", "demo-tool", "--version"], env=env)
    expect_version(result, "2.0", *own_lines(result))
    (line,) = own_lines(result)
    trouble = "`/proc/none/lastgood` is not writable (no such file or directory)"
    assert line == f"warning: {trouble}; running through `uvx` without keeping `demo-tool`"
    demo.stop() if outage == "refused" else demo.fault("hang-before-headers")
    env["UV_CACHE_DIR"] = str(sandbox.root / "another-uv-cache")
    reason = "did not answer (connection refused)" if outage == "refused" else "did not answer (timed out)"
    result = sandbox.run([program, "run", "demo-tool", "--version", "--exit", "3"], env=env)
    assert (result.status, result.out, sandbox.starts()) == (3, "demo-tool 1.0\n", 2), result
    instead = f"warning: running `demo-tool` 1.0 from the environment of lastgood: `{demo.host}` {reason}"
    assert own_lines(result) == [f"{instead}; {trouble}"]


@pytest.mark.parametrize("mode", ["prefer-latest", "strict-cache", "--offline"])
@pytest.mark.parametrize("unwritable", ["HOME", "HOME below a file", "UV_CACHE_DIR", "UV_TOOL_DIR", "LASTGOOD_HOME"])
@pytest.mark.parametrize("network", [True, False])
def test_the_tool_beside_lastgood_where_uv_cannot_work(
    demo: Index,
    sandbox: Sandbox,
    unwritable: str,
    mode: str,
    network: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """A home that is read-only as a whole, as in many containers: uvx cannot run anything then, with the index up or down."""
    program = install_beside(sandbox, "demo-tool==1.0")
    if not network:
        demo.stop()
    demo.clear_requests()
    name = unwritable.partition(" ")[0]
    env: dict[str, str | None] = {name: "/dev/null" if "file" in unwritable else "/proc/none", "LASTGOOD_PATIENCE": "1"}
    if name == "HOME":
        env |= dict.fromkeys(("LASTGOOD_HOME", "UV_CACHE_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))
    words = ["--offline"] if mode == "--offline" else [f"--mode={mode}"]
    result = sandbox.run([program, "run", *words, "demo-tool", "--version", "--exit", "3"], env=env)
    assert (result.status, result.out, sandbox.starts()) == (3, "demo-tool 1.0\n", 1), result
    through_uvx = network and unwritable == "LASTGOOD_HOME" and mode == "prefer-latest"
    (line,) = own_lines(result)
    assert ("from the environment of lastgood" in line) is not through_uvx, line
    assert mode == "prefer-latest" or demo.requests() == []


@pytest.mark.parametrize("kept", [False, True])
def test_the_tool_beside_lastgood_without_any_uv(demo: Index, sandbox: Sandbox, kept: bool) -> None:  # noqa: FBT001  # a column
    """Nothing can be asked: it runs with a new home and with one that has other tools; one line says what is missing."""
    program = install_beside(sandbox, "demo-tool==1.0")
    if kept:
        demo.publish(demo_tool("1.0", name="other-tool"))
        assert sandbox.lastgood("run", "other-tool", "--version").out == "other-tool 1.0\n"
    sandbox.clear_starts()
    for name in ("uv", "uvx"):
        (sandbox.bin / name).unlink()
    result = sandbox.run([program, "run", "demo-tool", "--version"])
    assert (result.status, result.out, sandbox.starts()) == (0, "demo-tool 1.0\n", 1), result
    missing = "`uv` was not found on PATH; install uv or set `LASTGOOD_UV` to its path"
    assert own_lines(result) == [f"warning: running `demo-tool` 1.0 from the environment of lastgood: {missing}"]
    assert sandbox.home.exists() is kept
    for words in (["--refresh", "demo-tool"], ["demo-tool>1"], ["third-tool"]):
        result = sandbox.run([program, "run", *words, "--version"])
        assert (result.status, own_lines(result), sandbox.starts()) == (2, [f"error: {missing}"], 1)


def test_a_command_beside_lastgood_of_another_package_is_not_the_tool(demo: Index, sandbox: Sandbox) -> None:
    """A program of the right name that another distribution brought does not stand in."""
    demo.publish(demo_tool("5.0", name="other-tool", command="demo-tool"))
    program = install_beside(sandbox, "other-tool")
    demo.stop()
    result = sandbox.run([program, "run", "demo-tool", "--version"])
    assert (result.status, result.out, sandbox.starts()) == (2, "", 0)


def test_what_came_from_uvs_cache_runs_again_where_ages_are_bounded(demo: Index, sandbox: Sandbox) -> None:
    """Its age is not known: uv's cache, which has nothing older, may serve as it did before; and `status` knows it."""
    assert sandbox.uvx("demo-tool", "--version").status == 0
    demo.stop()
    for _ in range(3):
        result = demo_run(sandbox, LASTGOOD_STALE_MAX="7d")
        assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result
        assert "running `demo-tool` 1.0 from uv's cache: " in result.err
        sandbox.wait_quiet()
    (row,) = sandbox.lastgood("status", "--json", env={"LASTGOOD_STALE_MAX": "7d"}).json()["tools"]
    assert (row["outage_rung"], row["outage_runs"]) == ("uv's cache", "1.0"), row
    assert row["bytes"] > 0
    checked = sandbox.lastgood("warm", "--check", "demo-tool", env={"LASTGOOD_STALE_MAX": "7d"})
    assert (checked.status, "uv's cache" in checked.out) == (0, True), checked


# --- nothing at all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"), [("refuse", "did not answer (connection refused)"), ("503", "answered with an error (HTTP 503)")]
)
def test_nothing_at_all_stands_in(demo: Index, sandbox: Sandbox, fault: str, reason: str) -> None:
    """The words and exit status of uvx, then why, and what would help; with the index back the same words just work."""
    demo.fault(503) if fault == "503" else demo.stop()
    plain = sandbox.uvx("demo-tool", "--version")
    for _ in range(2):
        result = demo_run(sandbox)
        assert (result.status, result.out, sandbox.starts()) == (plain.status, "", 0)
        assert without_times(others_words(result)) == without_times(plain.err)
        assert own_lines(result) == [
            f"error: `{demo.host}` {reason} and no good `demo-tool` is kept for this request",
            "hint: run `lastgood warm demo-tool` while the index is up, or `lastgood status` to see what is kept",
        ]
    assert list(open_hosts(sandbox)) == [demo.host]
    demo.heal()
    demo.start_again()
    expect_version(demo_run(sandbox), "1.0")
    assert open_hosts(sandbox) == {}


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (["--with", "demo-dep", "demo-tool"], True),
        (["--with", "demo-dep>1", "demo-tool"], False),
        (["--with", "other-dep", "demo-tool"], False),
        (["demo-tool[more]"], True),
        (["demo-tool[most]"], False),
        (["--python", f"{sys.version_info[0]}.{sys.version_info[1]}", "demo-tool"], True),
        (["--python", "3.8", "demo-tool"], False),
        (["--default-index", "http://127.0.0.1:1/simple", "demo-tool"], False),
    ],
)
def test_only_an_environment_that_is_what_was_asked_for(demo: Index, sandbox: Sandbox, words: list[str], *, runs: bool) -> None:
    """Where something wanted beside the tool, an extra, the Python or the index is another one, uvx's own error it is."""
    tool = replace(demo_tool("1.0"), extras={"more": ["demo-dep"], "most": ["other-dep"]})
    for wheel in (tool, demo_dep("1.0")):
        demo.publish(wheel)
    program = install_beside(sandbox, "demo-tool", "demo-dep")
    demo.stop()
    result = sandbox.run([program, "run", *words, "--version"])
    assert (result.status == 0, result.out == "demo-tool 1.0\n") == (runs, runs), result


@pytest.mark.parametrize("fault", ["refuse", "login", "redirect-login", "garbage"])
def test_the_lower_rungs_stand_in_behind_a_portal_too(demo: Index, sandbox: Sandbox, fault: FaultKind) -> None:
    """What looks like an answer is looked at where something could stand in for it, also where it was kept for another request."""
    keep(sandbox)
    shutil.rmtree(sandbox.uv_cache)
    demo.fault(fault)
    result = sandbox.lastgood("run", "demo-tool>=1.0", "--version")
    (line,) = own_lines(result)
    assert (result.status, result.out, "it was kept for `demo-tool`" in line) == (0, "demo-tool 1.0\n", True), result
