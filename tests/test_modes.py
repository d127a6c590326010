"""The modes: what runs, who is asked and who waits, for every mode and every state of what is kept.

Every cell of the table of modes is a run against a real index that has a newer release than the one that is kept: the version
that runs and the requests that the index counts tell what happened. What follows from words, files and variables alone is proven
on the pure functions that decide it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lastgood import messages, policy, project, request, settings, targets
from lastgood.card import Card
from lastgood.errors import SettingError, UsageError
from tests.support.kept import all_records, expect_version, grow_old, keep, only_record, open_hosts, own_lines, trip
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

HOUR = 3600.0
DAY = 24 * HOUR
NOW = 1_800_000_000.0
MODES = settings.MODES


def demo_run(sandbox: Sandbox, *words: str, target: str = "demo-tool", env: Mapping[str, str | None] | None = None) -> Result:
    """Run `lastgood run WORDS… demo-tool --version`."""
    return sandbox.lastgood("run", *words, target, "--version", env=env)


def keep_and_release(sandbox: Sandbox, index: Index, *, age: float = 0.0) -> None:
    """Keep 1.0, asked for `age` seconds ago; 2.0 is published since; no request is counted yet."""
    keep(sandbox)
    grow_old(sandbox, age)
    index.publish(demo_tool("2.0"))
    index.clear_requests()


# --- the table, one cell a run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["prefer-latest", "prefer-cache", "strict-latest"])
def test_nothing_kept_and_the_index_is_asked(demo: Index, sandbox: Sandbox, mode: str) -> None:
    """With nothing good every mode but strict-cache refreshes, waits as uvx would, and says nothing of its own."""
    expect_version(demo_run(sandbox, "--mode", mode), "1.0")
    assert (len(demo.requests("page")), len(demo.requests("file"))) == (1, 1)
    assert [record.generations[0].version for record in all_records(sandbox)] == ["1.0"]


def test_nothing_kept_and_the_network_forbidden(demo: Index, sandbox: Sandbox) -> None:
    """strict-cache with nothing good ends as `uvx --offline` does, with one hint, and nobody is asked."""
    plain = sandbox.uvx("--offline", "demo-tool", "--version")
    result = demo_run(sandbox, "--offline")
    advice = "run `lastgood warm demo-tool` when the index can be reached"
    hint = f"hint: no good `demo-tool` is kept and the mode is `strict-cache`; {advice}"
    assert (result.status, result.out, own_lines(result)) == (plain.status, "", [hint])
    assert result.err == f"{plain.err}lastgood: {hint}\n"
    assert (demo.requests(), demo.connections(), sandbox.starts()) == ([], 0, 0)


@pytest.mark.parametrize("mode", ["prefer-latest", "prefer-cache", "strict-cache"])
def test_fresh_runs_at_once(demo: Index, sandbox: Sandbox, mode: str) -> None:
    """What is fresh runs, nobody is asked, nothing is said, and nothing goes on behind."""
    keep_and_release(sandbox, demo, age=9 * 60)
    expect_version(demo_run(sandbox, "--mode", mode), "1.0")
    sandbox.wait_quiet()
    assert demo.connections() == 0


@pytest.mark.parametrize("age", [0, HOUR])
def test_strict_latest_asks_whatever_the_age(demo: Index, sandbox: Sandbox, age: float) -> None:
    """strict-latest is uvx: what the index offers now runs, fresh or not."""
    keep_and_release(sandbox, demo, age=age)
    expect_version(demo_run(sandbox, "--mode=strict-latest"), "2.0")


def test_stale_and_prefer_latest_waits_for_the_index(demo: Index, sandbox: Sandbox) -> None:
    """A stale run refreshes first and runs what came of it, without a word; the next run is fresh again."""
    keep_and_release(sandbox, demo, age=11 * 60)
    expect_version(demo_run(sandbox), "2.0")
    sandbox.wait_quiet()
    demo.clear_requests()
    expect_version(demo_run(sandbox), "2.0")
    assert demo.requests() == []


def test_stale_and_prefer_cache_refreshes_behind(demo: Index, sandbox: Sandbox) -> None:
    """A stale run starts what is kept at once; the refresh goes on behind, and the next run has what it brought."""
    keep_and_release(sandbox, demo, age=HOUR)
    expect_version(demo_run(sandbox, "--prefer-offline"), "1.0")
    sandbox.wait_quiet()
    assert len(demo.requests("file")) == 1
    expect_version(demo_run(sandbox, "--prefer-offline"), "2.0")


def test_stale_and_strict_cache_asks_nobody(demo: Index, sandbox: Sandbox) -> None:
    """strict-cache runs what is kept, however old, now and behind."""
    keep_and_release(sandbox, demo, age=400 * DAY)
    expect_version(demo_run(sandbox, "--offline"), "1.0")
    sandbox.wait_quiet()
    assert demo.connections() == 0


def test_an_open_breaker_and_prefer_latest_runs_the_last_good_with_a_line(demo: Index, sandbox: Sandbox) -> None:
    """While the index is known to be down nobody asks it, and the run says so."""
    keep_and_release(sandbox, demo, age=HOUR)
    trip(sandbox, demo.host)
    result = demo_run(sandbox)
    (line,) = own_lines(result)
    assert line.startswith(f"warning: running `demo-tool` 1.0, last checked 1h ago: `{demo.host}` has been down since ")
    expect_version(result, "1.0", line)
    sandbox.wait_quiet()
    assert demo.connections() == 0


@pytest.mark.parametrize("mode", ["prefer-cache", "strict-cache"])
def test_an_open_breaker_and_a_cache_mode_runs_in_silence(demo: Index, sandbox: Sandbox, mode: str) -> None:
    """Who prefers the cache would not have waited, so there is nothing to say; nobody is asked, not even behind."""
    keep_and_release(sandbox, demo, age=HOUR)
    trip(sandbox, demo.host)
    expect_version(demo_run(sandbox, "--mode", mode), "1.0")
    sandbox.wait_quiet()
    assert demo.connections() == 0


def test_an_open_breaker_and_strict_latest_asks(demo: Index, sandbox: Sandbox) -> None:
    """strict-latest knows no breaker; an index that answers closes it."""
    keep_and_release(sandbox, demo, age=HOUR)
    trip(sandbox, demo.host)
    expect_version(demo_run(sandbox, "--refresh"), "2.0")
    assert open_hosts(sandbox) == {}


def test_a_fresh_run_does_not_look_at_the_breaker(demo: Index, sandbox: Sandbox) -> None:
    """What is fresh needs nobody, so nothing is said of a host that is down."""
    keep_and_release(sandbox, demo)
    trip(sandbox, demo.host)
    expect_version(demo_run(sandbox), "1.0")


@pytest.mark.parametrize(
    ("word", "way_out"),
    [
        ("--refresh", ": run without `--refresh`, or with `--prefer-offline`"),
        ("-U", ": run without `-U`, or with `--prefer-offline`"),
        ("-vU", ": run without `--upgrade`, or with `--prefer-offline`"),
        ("--reinstall-package=demo-tool", ": run without `--reinstall-package`, or with `--prefer-offline`"),
        ("--mode=strict-latest", " (--mode): run with `--prefer-offline`"),
    ],
)
def test_strict_latest_in_an_outage_is_uvx(demo: Index, sandbox: Sandbox, word: str, way_out: str) -> None:
    """No fallback: uvx's own words and status, no start, and what lastgood knows."""
    keep_and_release(sandbox, demo)
    demo.stop()
    plain = sandbox.uvx("--refresh", "demo-tool", "--version")
    sandbox.clear_starts()
    result = demo_run(sandbox, word)
    assert (result.status, result.out, sandbox.starts()) == (plain.status, "", 0)
    assert "Connection refused" in result.err
    assert own_lines(result) == [
        f"error: `{demo.host}` did not answer (connection refused)",
        f"hint: `demo-tool` 1.0 is kept, but the mode is `strict-latest`{way_out}",
    ]


# --- the words for the modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["--refresh", "-U", "--upgrade", "--reinstall", "--refresh-package=demo-tool", "-P demo-tool", "--reinstall-package demo-tool"],
)
def test_uvs_words_for_news_mean_strict_latest(demo: Index, sandbox: Sandbox, words: str) -> None:
    """What asks uvx for news asks the index, though what is kept is fresh, and has no fallback."""
    keep_and_release(sandbox, demo)
    result = demo_run(sandbox, *words.split())
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 2.0\n", [])
    demo.stop()
    sandbox.clear_starts()
    assert (demo_run(sandbox, *words.split()).status != 0, sandbox.starts()) == (True, 0)


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ("--prefer-offline", {}),
        ("--prefer-cache", {}),
        ("--mode prefer-cache", {}),
        ("--mode=prefer-cache", {}),
        ("", {"LASTGOOD_MODE": "prefer-cache"}),
    ],
)
def test_the_words_for_prefer_cache(demo: Index, sandbox: Sandbox, words: str, env: dict[str, str]) -> None:
    """A stale run does not wait for an index that hangs, and says nothing."""
    keep_and_release(sandbox, demo, age=HOUR)
    demo.fault("hang-before-headers")
    expect_version(demo_run(sandbox, *words.split(), env=env), "1.0")
    demo.wait_for_requests(1, "page")


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ("--offline", {}),
        ("--mode strict-cache", {}),
        ("", {"LASTGOOD_MODE": "strict-cache"}),
        ("", {"UV_OFFLINE": "1"}),
        ("", {"UV_OFFLINE": "true"}),
        ("--no-offline --offline", {}),
    ],
)
def test_the_words_for_strict_cache(demo: Index, sandbox: Sandbox, words: str, env: dict[str, str]) -> None:
    """What is stale runs, and nobody is asked, now or behind."""
    keep_and_release(sandbox, demo, age=HOUR)
    expect_version(demo_run(sandbox, *words.split(), env=env), "1.0")
    sandbox.wait_quiet()
    assert demo.connections() == 0


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ("--offline --no-offline", {}),
        ("--no-offline", {"UV_OFFLINE": "1"}),
        ("", {"UV_OFFLINE": "0"}),
        ("--refresh --no-refresh", {}),
    ],
)
def test_the_last_of_a_pair_of_uvs_words_wins(demo: Index, sandbox: Sandbox, words: str, env: dict[str, str]) -> None:
    """A word that is taken back chooses no mode: the stale run asks, and in an outage the last good stands in."""
    keep_and_release(sandbox, demo, age=HOUR)
    expect_version(demo_run(sandbox, *words.split(), env=env), "2.0")
    grow_old(sandbox, HOUR)
    demo.stop()
    result = demo_run(sandbox, *words.split(), env=env)
    line = f"warning: running `demo-tool` 2.0, last checked 1h ago: `{demo.host}` did not answer (connection refused)"
    expect_version(result, "2.0", line)


@pytest.mark.parametrize(("words", "env"), [("--no-cache", {}), ("-n", {}), ("", {"UV_NO_CACHE": "1"})])
def test_no_cache_is_plain_uvx(demo: Index, sandbox: Sandbox, words: str, env: dict[str, str]) -> None:
    """What is kept is neither run nor renewed, and nothing is kept anew."""
    keep_and_release(sandbox, demo)
    before = [record.asked for record in all_records(sandbox)]
    result = demo_run(sandbox, *words.split(), env=env)
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 2.0\n", [])
    assert [record.asked for record in all_records(sandbox)] == before
    expect_version(demo_run(sandbox), "1.0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--prefer-offline --mode strict-latest", "`--mode` cannot be used with `--prefer-offline`: both choose the mode"),
        ("--mode prefer-cache --mode prefer-cache", "`--mode` cannot be used with `--mode`: both choose the mode"),
        ("--prefer-offline --prefer-offline", "`--prefer-offline` cannot be used with `--prefer-offline`: both choose the mode"),
        ("--prefer-cache --offline", "`--prefer-cache` cannot be used with `--offline`: both choose the mode"),
        ("--refresh --mode=prefer-latest", "`--mode` cannot be used with `--refresh`: both choose the mode"),
        ("-U --prefer-offline", "`--prefer-offline` cannot be used with `--upgrade`: both choose the mode"),
        (
            "--mode strict-latests",
            "invalid --mode `strict-latests`: expected " + settings.alternatives(MODES) + "; did you mean `strict-latest`?",
        ),
    ],
)
def test_two_mode_words_are_a_usage_error(demo: Index, sandbox: Sandbox, words: str, said: str) -> None:
    """One line, exit status 2; nobody is asked, nothing starts and nothing is written."""
    result = demo_run(sandbox, *words.split())
    assert (result.status, result.out, result.err) == (2, "", f"lastgood: error: {said}\n")
    assert (demo.connections(), sandbox.starts(), sandbox.home.exists()) == (0, 0, False)


def test_a_mode_word_wins_over_the_variable_of_the_other_kind(demo: Index, sandbox: Sandbox) -> None:
    """UV_OFFLINE is uv's own word and forbids the network, whatever LASTGOOD_MODE says; `--refresh` wins over LASTGOOD_MODE."""
    keep_and_release(sandbox, demo, age=HOUR)
    expect_version(demo_run(sandbox, env={"UV_OFFLINE": "1", "LASTGOOD_MODE": "strict-latest"}), "1.0")
    assert demo.connections() == 0
    expect_version(demo_run(sandbox, "--refresh", env={"LASTGOOD_MODE": "strict-cache"}), "2.0")


# --- pins and @latest -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["demo-tool==1.0", "demo-tool@1.0"])
def test_an_exact_pin_is_fresh_for_a_day_and_never_waited_for(index: Index, sandbox: Sandbox, target: str) -> None:
    """Only its dependencies can move: within a day nobody is asked, after it the refresh goes on behind."""
    index.publish(demo_tool("1.0", requires=("demo-dep>=1",)))
    index.publish(demo_dep("1.0"))
    keep(sandbox, target)
    grow_old(sandbox, 23 * HOUR)
    index.clear_requests()
    expect_version(demo_run(sandbox, target=target), "1.0")
    sandbox.wait_quiet()
    assert index.connections() == 0
    grow_old(sandbox, 2 * HOUR)
    index.publish(demo_dep("1.1"))
    expect_version(demo_run(sandbox, target=target), "1.0")
    sandbox.wait_quiet()
    (record,) = all_records(sandbox)
    assert [generation.dists["demo-dep"] for generation in record.generations] == ["1.1", "1.0"]


def test_an_exact_pin_obeys_the_mode_that_is_set(demo: Index, sandbox: Sandbox) -> None:
    """`max-age` and `mode` that someone set win over the defaults of a pin."""
    keep(sandbox, "demo-tool==1.0")
    grow_old(sandbox, HOUR)
    demo.stop()
    target = "demo-tool==1.0"
    expect_version(demo_run(sandbox, "--mode", "prefer-latest", target=target), "1.0")  # a day counts as fresh, also in this mode
    line = f"warning: running `demo-tool` 1.0, last checked 1h ago: `{demo.host}` did not answer (connection refused)"
    expect_version(demo_run(sandbox, "--mode=prefer-latest", "--max-age=10m", target=target), "1.0", line)


@pytest.mark.parametrize("target", ["demo-tool==1.*", "demo-tool>=1,<3", "demo-tool~=1.0"])
def test_a_range_is_no_pin(demo: Index, sandbox: Sandbox, target: str) -> None:
    """A specifier that the tool's own version can move in is asked for after ten minutes, and waited for."""
    keep(sandbox, target)
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("1.5"))
    expect_version(demo_run(sandbox, target=target), "1.5")


UNKEPT = ("home", "shared home", "--no-cache", "--env-file=/dev/null", "--env-file .env", "UV_ENV_FILE")
HOWS = [(unkept, how) for unkept in UNKEPT for how in ("variable", "flag", "file", "entry", "user's file")]


@pytest.mark.parametrize(("unkept", "how"), HOWS)
def test_strict_cache_asks_nobody_where_plain_uvx_runs(demo: Index, sandbox: Sandbox, how: str, unkept: str) -> None:
    """What becomes plain uvx becomes `uvx --offline`: with nothing in its cache that is its error, and no request."""
    env: dict[str, str | None] = {"LASTGOOD_MODE": "strict-cache"} if how == "variable" else {}
    words = ["--mode=strict-cache"] if how == "flag" else []
    if how == "file":
        (sandbox.work / "lastgood.toml").write_text('mode = "strict-cache"\n')
    elif how == "entry":
        (sandbox.work / "lastgood.toml").write_text('mode = "prefer-cache"\n[tools]\ndemo-tool = {mode = "strict-cache"}\n')
    elif how == "user's file":
        (sandbox.config_home / "lastgood").mkdir()
        (sandbox.config_home / "lastgood" / "lastgood.toml").write_text('mode = "strict-cache"\n')
    if unkept == "home":
        env["LASTGOOD_HOME"] = "/proc/none"
    elif unkept == "shared home":
        sandbox.home.mkdir()
        sandbox.home.chmod(0o777)
    elif unkept == "UV_ENV_FILE":
        env[unkept] = "/dev/null"
    else:
        (sandbox.work / ".env").touch()
        words += unkept.split()
    for last in ("--version", "--offline"):  # a word of the tool's own
        result = sandbox.lastgood("run", *words, "demo-tool", last, env=env)
        assert (result.status, result.out, demo.requests(), sandbox.starts()) == (1, "", [], 0), result


@pytest.mark.parametrize("words", ["--refresh", "--refresh-package=demo-tool", "-U", "--no-offline", "--mode=prefer-cache"])
@pytest.mark.parametrize("how", ["variable", "file"])
def test_a_word_wins_over_strict_cache_where_plain_uvx_runs(demo: Index, sandbox: Sandbox, words: str, how: str) -> None:
    """One that asks for news, or chooses another mode, as for what is kept: `uvx --offline --refresh` would be refused."""
    env: dict[str, str | None] = {"LASTGOOD_MODE": "strict-cache"} if how == "variable" else {}
    if how == "file":
        (sandbox.work / "lastgood.toml").write_text('mode = "strict-cache"\n')
    result = demo_run(sandbox, words, "--no-cache", env=env)
    assert (result.status, result.out, bool(demo.requests("page"))) == (0, "demo-tool 1.0\n", True), result
    wheel = f"./{demo_tool('1.0').write(sandbox.work).name}"
    result = demo_run(sandbox, words, target=wheel, env=env)
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 1.0\n", []), result


@pytest.mark.parametrize(
    "words", ["--offline", "--env-file=/dev/null --offline", "--env-file /dev/null --offline", "--no-cache --offline"]
)
def test_offline_is_said_once_where_plain_uvx_runs(demo: Index, sandbox: Sandbox, words: str) -> None:
    """Uvx takes it once: beside `strict-cache` it stays as it is."""
    wheel = f"./{demo_tool('1.0').write(sandbox.work).name}"
    result = demo_run(sandbox, *words.split(), target=wheel, env={"LASTGOOD_MODE": "strict-cache"})
    assert (result.status, result.out, demo.requests()) == (0, "demo-tool 1.0\n", []), result


def test_an_option_of_lastgoods_own_after_one_of_plain_uvx(demo: Index, sandbox: Sandbox) -> None:
    """It does not reach uvx, also where the other one's value is a word of its own."""
    del demo
    (sandbox.work / ".env").touch()
    result = demo_run(sandbox, "--env-file", ".env", "--prefer-offline")
    assert (result.status, result.out, own_lines(result)) == (0, "demo-tool 1.0\n", []), result


@pytest.mark.parametrize("words", ["demo-tool", "demo-tool@1.0", "--from demo-tool demo-tool", "--from=demo-tool other-name"])
def test_the_mode_of_an_entry_wins_where_plain_uvx_runs(index: Index, sandbox: Sandbox, words: str) -> None:
    """Over the mode of the file, either way, however the tool is named."""
    index.publish(demo_tool("1.0", extra_commands=("other-name",)))
    table = sandbox.work / "lastgood.toml"
    asking = ["run", "--no-cache", *words.split(), "--version"]
    table.write_text('mode = "strict-cache"\n[tools]\ndemo-tool = {mode = "prefer-latest"}\n')
    result = sandbox.lastgood(*asking)
    assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result
    index.clear_requests()
    table.write_text('mode = "prefer-latest"\n[tools]\ndemo-tool = {mode = "strict-cache"}\n')
    assert (sandbox.lastgood(*asking).status, index.requests()) == (1, [])


def test_strict_cache_is_that_of_the_directory_that_plain_uvx_changes_to(demo: Index, sandbox: Sandbox) -> None:
    """`--directory` counts as for what is kept; a file that cannot be read is in nobody's way."""
    below = sandbox.work / "below"
    below.mkdir()
    table = below / "lastgood.toml"
    table.write_text('mode = "strict-cache"\n')
    words = ["--no-cache", "--directory", "below"]
    assert (demo_run(sandbox, *words).status, demo.requests()) == (1, [])
    expect_version(demo_run(sandbox, "--no-cache"), "1.0")
    for broken in ('mode = "strict-cash"\n', "mode = \n", 'mod = "strict-cache"\n'):
        table.write_text(broken)
        expect_version(demo_run(sandbox, *words), "1.0")


def test_strict_cache_runs_what_is_installed(demo: Index, sandbox: Sandbox) -> None:
    """What `uv tool install` has needs no index: plain uvx runs it, with nobody asked."""
    (sandbox.work / "lastgood.toml").write_text('mode = "strict-cache"\n')
    assert sandbox.run(["uv", "tool", "install", "demo-tool"]).status == 0
    demo.clear_requests()
    result = demo_run(sandbox)
    assert (result.status, result.out, own_lines(result), demo.requests()) == (0, "demo-tool 1.0\n", [], []), result


def with_a_bug(module: str) -> list[str]:
    """Return a `lastgood run` that fails where it first needs a module."""
    code = (
        "import sys\n"
        "class Bug:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyError('x')\n"
        "sys.meta_path.insert(0, Bug())\n"
        "from lastgood.__main__ import launch\n"
        "launch()\n"
    )
    return [sys.executable, "-c", code, "run"]


@pytest.mark.parametrize("module", ["lastgood.breaker", "lastgood.stale", "lastgood.behind"])
def test_what_is_kept_runs_after_a_bug(demo: Index, sandbox: Sandbox, module: str) -> None:
    """In an outage plain uvx would run nothing: what is kept does, once; not where the mode lets nothing stand in."""
    for words, runs in ([], True), (["--stale-max", "60"], False), (["--mode", "strict-latest"], False):
        keep(sandbox, *words, "demo-tool")
        grow_old(sandbox, 3600)
        demo.stop()
        sandbox.clear_starts()
        result = sandbox.run([*with_a_bug(module), *words, "demo-tool", "--version"])
        assert (result.status == 0, sandbox.starts()) == (runs, int(runs)), result
        if runs:
            line = "warning: internal error (KeyError: 'x'), running `demo-tool` 1.0, which is kept"
            expect_version(result, "1.0", f"{line}; set `LASTGOOD_INTERNAL__TRACE=1` for details")
        demo.start_again()


@pytest.mark.parametrize("how", ["variable", "flag"])
def test_strict_cache_asks_nobody_after_a_bug(demo: Index, sandbox: Sandbox, how: str) -> None:
    """Plain uvx takes over with `--offline`; a word of uvx's own still wins."""
    env: dict[str, str | None] = {"LASTGOOD_MODE": "strict-cache"} if how == "variable" else {}
    flag = ["--mode=strict-cache"] if how == "flag" else []
    words = with_a_bug("lastgood.identity")
    result = sandbox.run([*words, *flag, "demo-tool", "--offline"], env=env)
    assert (result.status, result.out, demo.requests()) == (1, "", []), result
    assert own_lines(result)[0].startswith("warning: internal error (KeyError: 'x'), running plain `uvx`"), result
    result = sandbox.run([*words, "--refresh", "demo-tool", "--version"], env=env)
    assert (result.status, result.out) == (0, "demo-tool 1.0\n"), result


@pytest.mark.parametrize("age", [[], ["--max-age", "0"], ["--mode", "prefer-cache", "--max-age", "0"]], ids=" ".join)
@pytest.mark.parametrize("command", ["no-such-command", "./demo-tool", "demo-tool/"])
def test_a_command_that_is_not_there_is_uvxs_however_often_it_is_asked_for(
    demo: Index, sandbox: Sandbox, age: list[str], command: str
) -> None:
    """What is kept does not provide it: uvx's own words and status, after one more look at the index, and the record stays."""
    keep(sandbox, "--from", "demo-tool@latest", "demo-tool")
    words = ["--from", "demo-tool@latest" if not age else "demo-tool", command]
    demo.clear_requests()
    plain = sandbox.uvx(*words)
    asked = len(demo.requests("page"))
    before = only_record(sandbox).generations[0].id
    for _ in range(2):
        demo.clear_requests()
        result = sandbox.lastgood("run", *age, *words)
        sandbox.wait_quiet()
        assert (result.status, result.out, result.err) == (plain.status, plain.out, plain.err)
        assert len(demo.requests("page")) <= 2 * asked  # lastgood, and plain uvx, which says what is wrong
    assert {one.id for record in all_records(sandbox) for one in record.generations} >= {before}
    assert not list((sandbox.home / "records").glob("*.bad-*"))
    demo.stop()
    result = sandbox.lastgood("run", *age, *words)
    assert (result.status, "running `" in result.err) == (sandbox.uvx(*words).status, False), result


@pytest.mark.parametrize("target", ["says", "says@latest"])
def test_a_script_without_a_header_is_a_shells(index: Index, sandbox: Sandbox, target: str) -> None:
    """As under uvx, which starts it as execvp does; from what is kept, and in an outage."""
    index.publish(Wheel("says", "1.0", scripts={"says": 'printf "%s|" said "$@"\n'}))
    assert sandbox.uvx(target, "a b", "").out == "said|a b||"
    for _ in range(2):
        result = sandbox.lastgood("run", target, "a b", "")
        assert (result.status, result.out, own_lines(result)) == (0, "said|a b||", []), result
        sandbox.wait_quiet()
    index.stop()
    grow_old(sandbox, HOUR)
    result = sandbox.lastgood("run", target, "a b", "")
    assert (result.status, result.out, len(own_lines(result))) == (0, "said|a b||", 1), result


def test_latest_is_asked_for_every_time_and_falls_back(demo: Index, sandbox: Sandbox) -> None:
    """`@latest` is never fresh; in an outage the last good stands in, with a line."""
    keep(sandbox, "demo-tool@latest")
    demo.publish(demo_tool("2.0"))
    expect_version(demo_run(sandbox, target="demo-tool@latest"), "2.0")
    grow_old(sandbox, 2 * HOUR)
    demo.stop()
    line = f"warning: running `demo-tool` 2.0, last checked 2h ago: `{demo.host}` did not answer (connection refused)"
    expect_version(demo_run(sandbox, target="demo-tool@latest"), "2.0", line)


# --- where a setting comes from -------------------------------------------------------------------------------------


def test_each_place_of_a_setting_wins_over_the_weaker_ones(tmp_path: Path) -> None:
    """Default < user file < project file < the tool's entry in the table < environment < flag; each says where it comes from."""
    user, directory = tmp_path / "user.toml", tmp_path / "project"
    directory.mkdir()
    config = directory / "pyproject.toml"
    environ: dict[str, str] = {}
    flags: dict[str, str] = {}

    def found() -> tuple[float, str]:
        loaded = project.load([str(config)], str(user), environ, flags, "demo-tool", str(directory))
        return loaded.seconds("max-age"), loaded.where("max-age")

    assert found() == (600.0, "default")
    user.write_text('max-age = "1m"\n')
    assert found() == (60.0, f"`max-age` in {user}")
    config.write_text("[tool.lastgood]\nmax-age = 120\n")
    assert found() == (120.0, "`max-age` in [tool.lastgood] of pyproject.toml")
    tools = '[tool.lastgood.tools]\ndemo-tool = { max-age = "3m" }\nother = { max-age = "9m" }\n'
    config.write_text(f"[tool.lastgood]\nmax-age = 120\n{tools}")
    assert found() == (180.0, "`max-age` in `demo-tool` in [tool.lastgood.tools] of pyproject.toml")
    environ["LASTGOOD_MAX_AGE"] = "4m"
    assert found() == (240.0, "LASTGOOD_MAX_AGE")
    flags["max-age"] = "5m"
    assert found() == (300.0, "--max-age")


def test_each_place_of_the_mode_decides_a_run(demo: Index, sandbox: Sandbox) -> None:
    """The same order, seen at the index: the places forbid and demand the network in turn, the strongest that speaks decides."""
    keep(sandbox)
    user = sandbox.config_home / "lastgood" / "lastgood.toml"
    user.parent.mkdir()
    config = sandbox.work / "pyproject.toml"
    environ: dict[str, str | None] = {}

    def asked(*words: str) -> bool:
        demo.clear_requests()
        expect_version(demo_run(sandbox, *words, env=environ), "1.0")
        return demo.connections() > 0

    assert not asked()
    user.write_text('mode = "strict-latest"\n')
    assert asked()
    config.write_text('[tool.lastgood]\nmode = "strict-cache"\n')
    assert not asked()
    config.write_text('[tool.lastgood]\nmode = "strict-cache"\n[tool.lastgood.tools]\ndemo-tool = { mode = "strict-latest" }\n')
    assert asked()
    environ["LASTGOOD_MODE"] = "strict-cache"
    assert not asked()
    assert asked("--mode=strict-latest")


def test_stale_max_bounds_what_may_stand_in(demo: Index, sandbox: Sandbox) -> None:
    """What is older than `stale-max` does not stand in: the run ends as uvx does, and says how to get at what is kept."""
    keep(sandbox)
    grow_old(sandbox, 8 * DAY)
    demo.stop()
    result = demo_run(sandbox, "--stale-max", "7d")
    assert (result.status != 0, result.out) == (True, "")
    hint = "hint: `demo-tool` 1.0 is kept, but it is older than `stale-max`: raise it, or run with `--offline`"
    assert own_lines(result) == [f"error: `{demo.host}` did not answer (connection refused)", hint]
    expect_version(demo_run(sandbox, "--stale-max", "7d", "--offline"), "1.0")
    expect_version(
        demo_run(sandbox, "--stale-max", "inf"),
        "1.0",
        *own_lines(demo_run(sandbox, "--stale-max", "9d")),
    )


# --- the pure functions ---------------------------------------------------------------------------------------------


def card(age: float, *, max_age: float = 600.0, stale_max: float = float("inf"), held: int = 0) -> Card:
    """Return a card that was asked for `age` seconds before NOW."""
    made = Card()
    made.asked, made.max_age, made.stale_max, made.held = NOW - age, max_age, stale_max, held
    return made


FRESH, STALE = card(599.0), card(601.0)
STEPS = {
    #                 nothing           fresh            stale           stale and open
    "prefer-latest": (policy.REFRESH, policy.RUN, policy.WAIT, policy.RUN_OPEN),
    "prefer-cache": (policy.REFRESH, policy.RUN, policy.BEHIND, policy.RUN),
    "strict-latest": (policy.REFRESH, policy.REFRESH, policy.REFRESH, policy.REFRESH),
    "strict-cache": (policy.OFFLINE, policy.RUN, policy.RUN, policy.RUN),
}


@pytest.mark.parametrize("mode", MODES)
def test_the_table_of_modes(mode: str) -> None:
    """Each cell of the table, decided by one pure function."""
    states = [(None, policy.CLOSED), (FRESH, policy.CLOSED), (STALE, policy.CLOSED), (STALE, policy.OPEN)]
    assert tuple(policy.decide(kept, mode, NOW, breaker) for kept, breaker in states) == STEPS[mode]
    assert policy.decide(None, mode, NOW, policy.OPEN) == STEPS[mode][0]
    assert policy.decide(FRESH, mode, NOW, policy.OPEN) == STEPS[mode][1]


@pytest.mark.parametrize(
    ("kept", "step"),
    [
        (card(0.0), policy.RUN),
        (card(600.0), policy.RUN),
        (card(600.5), policy.WAIT),
        (card(-1.0), policy.WAIT),
        (card(-DAY), policy.WAIT),
        (card(0.1, max_age=0.0), policy.WAIT),
        (card(100 * 365 * DAY, max_age=float("inf")), policy.RUN),
        (card(8 * DAY, stale_max=7 * DAY), policy.REFRESH),
        (card(7 * DAY, stale_max=7 * DAY), policy.WAIT),
        (card(8 * DAY, stale_max=7 * DAY, held=1), policy.RUN),
    ],
)
def test_the_edges_of_fresh_and_stale(kept: Card, step: str) -> None:
    """The limit itself is fresh; a clock that was set back makes nothing fresh; what is held runs; what is too old does not."""
    assert policy.decide(kept, "prefer-latest", NOW, policy.CLOSED) == step


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("2.5", 2.5),
        ("10s", 10.0),
        ("10m", 600.0),
        ("1.5h", 5400.0),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        (" 3S ", 3.0),
        ("inf", float("inf")),
        ("unlimited", float("inf")),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Seconds, or a number with a unit, or for ever."""
    assert settings.duration(text, "here") == seconds


MALFORMED = ["", " ", "x", "10x", "-1", "+1", "1e3", ".", "1..5", "m", "10 m", "1h30m", "nan", "infinity", "\u0661"]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_durations(text: str) -> None:
    """What is no duration is refused in one line that names the place, the value and what was expected."""
    with pytest.raises(SettingError) as caught:
        settings.duration(text, "LASTGOOD_MAX_AGE")
    assert caught.value.message == f"invalid LASTGOOD_MAX_AGE `{text}`: expected seconds or a duration like `10m`"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s ago"),
        (59.9, "59s ago"),
        (60, "1m ago"),
        (3599, "59m ago"),
        (3 * HOUR, "3h ago"),
        (DAY, "1 day ago"),
        (31 * DAY, "31 days ago"),
        (-5, "at an unknown time"),
        (NOW, "at an unknown time"),
    ],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    """One unit, rounded down; a time in the future, or since the epoch, is unknown."""
    assert messages.when(seconds) == words


@pytest.mark.parametrize(
    ("text", "exact", "latest"),
    [
        ("demo-tool", False, False),
        ("demo-tool@1.0", True, False),
        ("demo-tool==1.0", True, False),
        ("demo-tool===1.0", True, False),
        ("demo-tool[more]==1.0", True, False),
        ("demo-tool==1.*", False, False),
        ("demo-tool==1.0,!=1.1", False, False),
        ("demo-tool>=1", False, False),
        ("demo-tool@latest", False, True),
    ],
)
def test_which_targets_are_exact_pins(text: str, exact: bool, latest: bool) -> None:  # noqa: FBT001  # columns of the table
    """A version that cannot move is a pin, a range is none, and `@latest` is its opposite."""
    found = targets.parse(text)
    assert (found.exact, found.latest) == (exact, latest)


def test_a_mode_word_without_its_value() -> None:
    """An option of lastgood's own that lacks its value, or has one too many, is a usage error of lastgood's own."""
    for words, said in (
        (["--mode"], "a value is required for `--mode`"),
        (["--prefer-offline=1", "x"], "`--prefer-offline` takes no value"),
    ):
        with pytest.raises(UsageError) as caught:
            request.parse(words)
        assert caught.value.message == said
