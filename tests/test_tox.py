"""The tox plugin under the real tox, with and without tox-uv, in each of the files that tox reads.

tox finds the plugin as it does for a user: by the entry point of the lastgood that is installed beside it. Every test runs tox in a
sandbox against a real index; outages are that index, switched off: refusing, or accepting and silent.
"""

from __future__ import annotations

import json
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.kept import all_records, grow_old, keep, only_record, own_lines
from tests.support.wheels import demo_dep, demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

pytest.importorskip("tox")

ABOUT_A_PACKAGE = (
    "`demo` is neither one of its `tools` nor on PATH; if `demo-tool` provides it, name `demo` in `tools` "
    'and write `demo = { from = "demo-tool" }` into [tool.lastgood.tools]'
)
HOUR = 3600.0
OUTAGES = {"refused": "did not answer (connection refused)", "silent": "no answer from"}
WITHOUT_UV = {"TOX_DISABLED_EXTERNAL_PLUGINS": "tox-uv"}
INI = """\
[tox]
requires = lastgood[tox]
env_list = lint

[testenv:lint]
runner = lastgood
tools = demo-tool
pass_env = DEMO_STARTS
commands = demo-tool --version {posargs}
"""
TOML = """\
requires = ["lastgood[tox]"]
env_list = ["lint"]

[env.lint]
runner = "lastgood"
tools = ["demo-tool"]
pass_env = ["DEMO_STARTS"]
commands = [["demo-tool", "--version", { replace = "posargs", extend = true }]]
"""
PYPROJECT = TOML.replace("requires", "[tool.tox]\nrequires", 1).replace("[env.lint]", "[tool.tox.env.lint]")


def tox(sandbox: Sandbox, *words: str, **options: Any) -> Result:
    """Run the tox beside this interpreter."""
    return sandbox.run([Path(sysconfig.get_path("scripts"), "tox").as_posix(), *words], **options)


def write(sandbox: Sandbox, text: str, name: str = "tox.ini") -> None:
    """Write the project's configuration."""
    (sandbox.work / name).write_text(text)


def ini(sandbox: Sandbox, body: str) -> None:
    """Write a tox.ini with the environment `lint`, whose keys are the lines of `body`."""
    write(sandbox, f"[tox]\nrequires = lastgood[tox]\n[testenv:lint]\npass_env = DEMO_STARTS\n{body}\n")


def tools_output(result: Result) -> list[str]:
    """What the commands wrote, without the lines of tox."""
    own = ("lint: ", "py: ", "  lint: ", "  py: ", "  congratulations", "  evaluation", "lastgood: ", "Installed ")
    return [line for line in result.out.splitlines() if not line.startswith(own)]


def interrupt_index(index: Index, how: str) -> None:
    """Switch the index off."""
    if how == "refused":
        index.stop()
    else:
        index.fault("hang-before-headers")


# --- an environment whose runner is lastgood ------------------------------------------------------------------------


@pytest.mark.parametrize("disabled", [None, "tox-uv"])
@pytest.mark.parametrize(("name", "text"), [("tox.ini", INI), ("tox.toml", TOML), ("pyproject.toml", PYPROJECT)])
def test_tools_are_called_bare(demo: Index, sandbox: Sandbox, name: str, text: str, disabled: str | None) -> None:
    """`requires` is satisfied by the lastgood beside tox; the tool runs with its words; there is no virtual environment."""
    if disabled is None and find_spec("tox_uv") is None:
        pytest.skip("tox-uv is not installed")
    write(sandbox, text, name)
    result = tox(sandbox, "run", "--", "--echo", "a b", env={"TOX_DISABLED_EXTERNAL_PLUGINS": disabled})
    assert (result.status, tools_output(result), sandbox.starts()) == (0, ["demo-tool 1.0", "a b"], 1), result
    assert len(demo.requests("page")) == 1
    made = {path.name for path in (sandbox.work / ".tox" / "lint").iterdir()}
    assert made <= {".tox-info.json", "log", "tmp"}
    assert not {".venv", ".tox/.tox", ".tox/.pkg"} & {str(path.relative_to(sandbox.work)) for path in sandbox.work.rglob("*")}


@pytest.mark.parametrize(
    ("name", "text", "versions"),
    [
        ("tox.ini", "tools = demo-tool<2,>=1.1, other>1,<1.2", ["1.2", "1.1"]),
        ("tox.ini", "tools =\n  demo-tool == 1.*, !=1.2\n  other", ["1.1", "2.0"]),
        ("tox.ini", "tools = demo-tool, other", ["1.0", "2.0"]),
        ("tox.ini", "tools = demo-tool other", ["1.0", "2.0"]),
        ("tox.ini", "tools = demo-tool >= 1.1, < 2 other~=1.0 , != 1.2", ["1.2", "1.1"]),
        ("tox.ini", "tools = demo-tool[ x , y ] >= 1.1, < 1.2 other[x] == 1.*", ["1.1", "1.2"]),
        ("tox.ini", "tools =\n  demo-tool >= 1,\n    < 1.1\n  other @ 1.2", ["1.0", "1.2"]),
        ("tox.ini", "tools = demo-tool@latest,other==1.0,", ["2.0", "1.0"]),
        ("tox.toml", 'tools = ["demo-tool>=1,<1.2", "other==1.2"]', ["1.1", "1.2"]),
        ("tox.toml", 'tools = ["demo-tool >= 1, < 1.2 other == 1.2"]', ["1.1", "1.2"]),
    ],
)
def test_versions_of_tools(index: Index, sandbox: Sandbox, name: str, text: str, versions: list[str]) -> None:
    """A specifier in `tools` decides, commas and blanks as in a requirement, blanks between two as well; else the table does."""
    for version in ("1.0", "1.1", "1.2", "2.0"):
        for tool in ("demo-tool", "other"):
            index.publish(demo_tool(version, name=tool, command=tool, extras={"x": [], "y": []}))
    write(sandbox, '[tool.lastgood.tools]\ndemo-tool = "==1.0"\n', "pyproject.toml")
    if name == "tox.ini":
        ini(sandbox, f"runner = lastgood\n{text}\ncommands_pre = demo-tool --version\ncommands = other --version")
    else:
        commands = 'commands_pre = [["demo-tool", "--version"]]\ncommands = [["other", "--version"]]'
        write(sandbox, f'[env.lint]\nrunner = "lastgood"\n{text}\n{commands}\n', name)
    result = tox(sandbox, "run", "-e", "lint")
    assert (result.status, tools_output(result)) == (0, [f"demo-tool {versions[0]}", f"other {versions[1]}"]), result


def test_a_failing_tool_fails_the_environment_once_with_its_own_status(demo: Index, sandbox: Sandbox) -> None:
    """The status is the tool's own, what follows is not run, and tox's marks (`-`, `!`) keep their meaning."""
    del demo
    ini(
        sandbox,
        """runner = lastgood
tools = demo-tool
commands =
    - demo-tool --exit 4
    ! demo-tool --exit 5
    demo-tool --stderr E501 --exit 7
    demo-tool --version""",
    )
    result = tox(sandbox, "run", "-e", "lint")
    assert (result.status, sandbox.starts(), "E501\n" in result.err) == (7, 3, True), result
    assert "lint: FAIL code 7" in result.out


def test_other_ways_to_run_an_environment(demo: Index, sandbox: Sandbox) -> None:
    """`tox exec`, `tox run-parallel`, `tox list` and `tox config` know it."""
    keep(sandbox)
    demo.clear_requests()
    sandbox.clear_starts()
    write(sandbox, INI.replace("lint\n", "lint, format\n", 1) + INI[INI.index("[testenv") :].replace("lint", "format"))
    result = tox(sandbox, "exec", "-e", "lint", "--", "demo-tool", "--echo", "x")
    assert (result.status, tools_output(result)) == (0, ["x"])
    result = tox(sandbox, "run-parallel", "--parallel-no-spinner")
    assert (result.status, sandbox.starts(), demo.requests()) == (0, 3, []), result
    assert "lint " in tox(sandbox, "list").out
    shown = tox(sandbox, "config", "-e", "lint", "-k", "tools", "pass_env", "allowlist_externals").out
    assert {"  demo-tool", "  LASTGOOD_*", "  UV_*", "  XDG_DATA_HOME", "  lastgood"} <= {f"  {word}" for word in shown.split()}


def test_the_environment_of_a_tool(demo: Index, sandbox: Sandbox) -> None:
    """A tool gets what tox sets and passes, no virtual environment, and the request is the shell's: one record serves both."""
    keep(sandbox)
    demo.clear_requests()
    ini(
        sandbox,
        """runner = lastgood
tools = demo-tool
set_env = COLOUR = green
change_dir = deep
commands = demo-tool --dump""",
    )
    result = tox(sandbox, "run", "-e", "lint", env={"SECRET": "1"})
    (line,) = tools_output(result)
    seen = json.loads(line)
    env = seen["env"]
    assert (env["COLOUR"], env["TOX_ENV_NAME"], env["LASTGOOD_HOME"]) == ("green", "lint", str(sandbox.home))
    assert not {"VIRTUAL_ENV", "SECRET", "LASTGOOD_MODE"} & set(env)
    assert seen["cwd"] == str(sandbox.work / "deep")
    assert (only_record(sandbox).tool, demo.requests()) == ("demo-tool", [])


def test_one_uv_for_both(demo: Index, sandbox: Sandbox) -> None:
    """TOX_UV_PATH, which tells tox-uv which uv to use, tells lastgood, too, where LASTGOOD_UV does not."""
    del demo
    ini(sandbox, "runner = lastgood\ntools = demo-tool\ncommands = demo-tool --version")
    elsewhere = sandbox.root / "elsewhere"
    elsewhere.mkdir()
    for program in ("uv", "uvx"):
        (sandbox.bin / program).rename(elsewhere / program)
    broken = {"TOX_UV_PATH": str(elsewhere / "uv"), "LASTGOOD_UV": str(sandbox.root / "none")}
    result = tox(sandbox, "run", "-e", "lint", env={**broken, **WITHOUT_UV})
    assert (result.status, "`LASTGOOD_UV` is" in result.err) == (2, True), result
    result = tox(sandbox, "run", "-e", "lint", env={**broken, **WITHOUT_UV, "LASTGOOD_UV": None})
    assert (result.status, tools_output(result)) == (0, ["demo-tool 1.0"]), result


# --- an environment with a Python of its own ------------------------------------------------------------------------


@pytest.mark.parametrize("disabled", [None, "tox-uv"])
def test_lastgood_is_allowed_everywhere(demo: Index, sandbox: Sandbox, disabled: str | None) -> None:
    """In a virtual environment a command calls `lastgood`, unlisted and not on PATH; one record serves all."""
    if disabled is None and find_spec("tox_uv") is None:
        pytest.skip("tox-uv is not installed")
    keep(sandbox)
    demo.clear_requests()
    write(sandbox, "[testenv]\nskip_install = true\npass_env = SECRET\ncommands = lastgood run demo-tool --dump\n")
    assert shutil.which("lastgood", path=sandbox.env["PATH"]) is None
    result = tox(sandbox, "run", "-e", "py", env={"SECRET": "1", "TOX_DISABLED_EXTERNAL_PLUGINS": disabled})
    (line,) = tools_output(result)
    env = json.loads(line)["env"]
    assert (result.status, env["VIRTUAL_ENV"], env["SECRET"]) == (0, str(sandbox.work / ".tox" / "py"), "1"), result
    assert (only_record(sandbox).tool, demo.requests()) == ("demo-tool", [])


# --- warming, and keeping off the network ---------------------------------------------------------------------------


def test_notest_warms_and_starts_nothing(demo: Index, sandbox: Sandbox) -> None:
    """`--notest` keeps the very request of each tool; afterwards the environment runs without an index."""
    demo.publish(demo_tool("1.5", name="other", command="other"))
    ini(sandbox, "runner = lastgood\ntools = demo-tool>=1,<2, other\ncommands =\n  demo-tool --version\n  other --version")
    result = tox(sandbox, "run", "-e", "lint", "--notest")
    assert (result.status, sandbox.starts(), len(all_records(sandbox))) == (0, 0, 2), result
    assert own_lines(result)[-1] == "kept `demo-tool` 1.0, `other` 1.5"
    demo.stop()
    result = tox(sandbox, "run", "-e", "lint")
    assert (result.status, tools_output(result), own_lines(result)) == (0, ["demo-tool 1.0", "other 1.5"], []), result


ORDINARY = """\
[testenv:lint]
skip_install = true
allowlist_externals = env
pass_env = DEMO_STARTS
change_dir = deep
commands_pre = lastgood run --with demo-dep demo-tool<2 --version
commands =
  - lastgood run third --version
  ! env -u NOTHING lastgood run --from other other --exit 1
  {envpython} -c "print('own')"
commands_post = {lastgood} run 'other==1.5' --version
"""


@pytest.mark.parametrize("disabled", [None, "tox-uv"])
def test_notest_warms_what_an_ordinary_environment_runs_through_lastgood(
    demo: Index, sandbox: Sandbox, disabled: str | None
) -> None:
    """All that commands, those before and those after call by `lastgood run` is kept, each for its own words; none is started."""
    if disabled is None and find_spec("tox_uv") is None:
        pytest.skip("tox-uv is not installed")
    for name in ("other", "third"):
        demo.publish(demo_tool("1.5", name=name, command=name))
    demo.publish(demo_dep("1.0"))
    lastgood = sysconfig.get_path("scripts") + "/lastgood"
    write(sandbox, ORDINARY.replace("{lastgood}", lastgood))
    result = tox(sandbox, "run", "-e", "lint", "--notest", env={"TOX_DISABLED_EXTERNAL_PLUGINS": disabled})
    assert (result.status, sandbox.starts(), len(all_records(sandbox))) == (0, 0, 4), result
    kept = "kept `demo-tool --with=demo-dep` 1.0, `third` 1.5, `other` 1.5, `other ==1.5` 1.5"
    assert own_lines(result)[-1] == kept, result
    assert "own" not in result.out.splitlines()
    demo.stop()
    result = tox(sandbox, "run", "-e", "lint", env={"TOX_DISABLED_EXTERNAL_PLUGINS": disabled})
    lines = ["demo-tool 1.0", "third 1.5", "own", "other 1.5"]
    assert (result.status, tools_output(result), own_lines(result)) == (0, lines, []), result


def test_notest_warms_with_the_variables_of_a_command(demo: Index, sandbox: Sandbox) -> None:
    """What an `env` before it sets or takes away makes it another request: that one is kept, and runs without an index."""
    commands = "env -u UV_EXCLUDE_NEWER UV_PRERELEASE=allow lastgood run demo-tool --version"
    ini(sandbox, f"skip_install = true\nallowlist_externals = env\ncommands = {commands}")
    env = {"UV_EXCLUDE_NEWER": "2001-01-01"}  # when there was no tool
    result = tox(sandbox, "run", "-e", "lint", "--notest", env=env)
    assert (result.status, sandbox.starts()) == (0, 0), result
    demo.stop()
    result = tox(sandbox, "run", "-e", "lint", env=env)
    assert (result.status, tools_output(result), own_lines(result)) == (0, ["demo-tool 1.0"], []), result


@pytest.mark.parametrize("how", ["requirements", "installed"])
def test_notest_leaves_to_plain_uvx_what_a_run_does(demo: Index, sandbox: Sandbox, how: str) -> None:
    """What runs well although nothing is kept of it does not fail `--notest`."""
    demo.publish(demo_dep("1.0"))
    (sandbox.work / "a.txt").write_text("-r b.txt\n", "utf-8")
    (sandbox.work / "b.txt").write_text("demo-dep\n", "utf-8")
    bin_ = {"UV_TOOL_BIN_DIR": str(sandbox.root / "tool-bin")}
    assert how == "requirements" or sandbox.run(["uv", "tool", "install", "--quiet", "demo-tool"], env=bin_).status == 0
    words = "--with-requirements {tox_root}/a.txt " if how == "requirements" else ""
    ini(sandbox, f"skip_install = true\ncommands = lastgood run {words}demo-tool --version")
    result = tox(sandbox, "run", "-e", "lint", "--notest")
    assert (result.status, sandbox.starts(), len(own_lines(result))) == (0, 0, 1), result
    assert " is left to plain `uvx`: " in own_lines(result)[0]
    result = tox(sandbox, "run", "-e", "lint")
    assert (result.status, tools_output(result)) == (0, ["demo-tool 1.0"]), result


def test_notest_warms_what_an_environment_of_tools_runs_through_lastgood(demo: Index, sandbox: Sandbox) -> None:
    """Beside its `tools`, what its commands call by `lastgood run`."""
    demo.publish(demo_tool("1.5", name="other", command="other"))
    ini(sandbox, "runner = lastgood\ntools = demo-tool\ncommands =\n  demo-tool --version\n  lastgood run other --version")
    result = tox(sandbox, "run", "-e", "lint", "--notest")
    assert (result.status, sandbox.starts()) == (0, 0), result
    assert own_lines(result)[-1] == "kept `demo-tool` 1.0, `other` 1.5"


def test_notest_warms_nothing_where_nothing_is_run_through_lastgood(demo: Index, sandbox: Sandbox) -> None:
    """What lastgood hands to plain uvx, and commands of other programs, are left alone; nobody is asked for them."""
    commands = ("lastgood run ./local", "lastgood run --version", "lastgood why demo-tool", "lastgood status")
    ini(sandbox, "\n  ".join(["skip_install = true\ncommands =", *commands]))
    result = tox(sandbox, "run", "-e", "lint", "--notest", env=WITHOUT_UV)
    assert (result.status, own_lines(result), demo.requests(), sandbox.home.exists()) == (0, [], [], False), result


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--mode=x demo-tool", "invalid --mode `x`: expected "),
        ("--max-age=x demo-tool", "invalid --max-age `x`: expected "),
        ("--patience", "a value is required for `--patience`"),
    ],
)
def test_notest_names_a_wrong_word_of_a_command(demo: Index, sandbox: Sandbox, words: str, said: str) -> None:
    """In one line of lastgood's own, and not in a traceback of tox's."""
    ini(sandbox, f"skip_install = true\ncommands = lastgood run {words}")
    result = tox(sandbox, "run", "-e", "lint", "--notest")
    assert (result.status != 0, "Traceback" in result.out, demo.requests()) == (True, False, []), result
    assert said in result.err, result


@pytest.mark.parametrize("words", ["run", "run --notest --skip-env-install", "config"])
def test_only_notest_warms_an_ordinary_environment(demo: Index, sandbox: Sandbox, words: str) -> None:
    """A run asks for what it comes to, and no earlier; with `--skip-env-install` and in other commands nobody is asked."""
    ini(sandbox, "skip_install = true\ncommands =\n  python -c 'raise SystemExit(3)'\n  lastgood run demo-tool")
    result = tox(sandbox, *words.split(), "-e", "lint", env=WITHOUT_UV)
    assert (result.status, demo.requests()) == (3 if words == "run" else 0, []), result
    assert "lastgood warm" not in result.out


@pytest.mark.parametrize("text", [INI, "[testenv:lint]\nskip_install = true\ncommands = lastgood run demo-tool --version\n"])
def test_notest_fails_where_nothing_can_be_kept(demo: Index, sandbox: Sandbox, text: str) -> None:
    """A tool that cannot be had fails `--notest` as a failed install does."""
    demo.stop()
    write(sandbox, text)
    result = tox(sandbox, "run", "-e", "lint", "--notest", env=WITHOUT_UV)
    assert (result.status, sandbox.starts()) == (1, 0)
    assert "no good `demo-tool` is kept" in result.err


@pytest.mark.parametrize("environment", ["lint", "py"])
def test_skip_env_install_never_uses_the_network(demo: Index, sandbox: Sandbox, environment: str) -> None:
    """With nothing kept the command fails with a hint; what is kept runs, however old; nobody is asked. So with `--notest`."""
    write(
        sandbox, f"{INI}\n[testenv:py]\nskip_install = true\npass_env = DEMO_STARTS\ncommands = lastgood run demo-tool --version\n"
    )
    words = ("run", "-e", environment, "--skip-env-install")
    result = tox(sandbox, *words)
    assert (result.status != 0, sandbox.starts(), demo.connections()) == (True, 0, 0), result
    assert "no good `demo-tool` is kept and the mode is `strict-cache`" in result.err
    assert (tox(sandbox, *words, "--notest").status, demo.connections()) == (0, 0)
    keep(sandbox)
    grow_old(sandbox, 1000 * HOUR)
    demo.publish(demo_tool("2.0"))
    before = demo.connections()
    result = tox(sandbox, *words)
    assert (result.status, tools_output(result), own_lines(result)) == (0, ["demo-tool 1.0"], []), result
    sandbox.wait_quiet()
    assert demo.connections() == before


@pytest.mark.parametrize(
    "words",
    [
        "--mode=prefer-latest demo-tool --version",
        "--mode strict-latest --from demo-tool demo-tool --version",
        "--prefer-offline demo-tool --version",
        "--refresh demo-tool --version",
        "-U --no-offline demo-tool --version",
    ],
)
@pytest.mark.parametrize(
    "start", ["lastgood run {}", "env LASTGOOD_MODE=strict-latest lastgood run {}", "sh -c 'true; lastgood run {}'"]
)
def test_skip_env_install_decides_over_a_mode_in_the_command(demo: Index, sandbox: Sandbox, start: str, words: str) -> None:
    """What a command says of the mode is for other runs: what is kept runs, however old, and nobody is asked."""
    ini(sandbox, f"skip_install = true\nallowlist_externals = env, sh\ncommands = {start.format(words)}")
    keep(sandbox)
    keep(sandbox, "--from", "demo-tool", "demo-tool")
    grow_old(sandbox, HOUR)
    demo.publish(demo_tool("2.0"))
    before = demo.connections()
    result = tox(sandbox, "run", "-e", "lint", "--skip-env-install")
    assert (result.status, tools_output(result)) == (0, ["demo-tool 1.0"]), result
    sandbox.wait_quiet()
    assert demo.connections() == before


def test_skip_env_install_leaves_the_words_of_the_tool_alone(demo: Index, sandbox: Sandbox) -> None:
    """`--refresh` behind the tool's name is the tool's; a wrong mode is still named."""
    del demo
    keep(sandbox)
    ini(sandbox, "skip_install = true\ncommands = lastgood run --refresh demo-tool --echo --refresh --mode=x")
    result = tox(sandbox, "run", "-e", "lint", "--skip-env-install")
    assert "--refresh --mode=x" in " ".join(tools_output(result)), result
    ini(sandbox, "skip_install = true\ncommands = lastgood run --mode=x demo-tool")
    result = tox(sandbox, "run", "-e", "lint", "--skip-env-install")
    assert "invalid --mode `x`" in result.err, result


# --- an outage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", OUTAGES)
def test_in_an_outage_the_last_good_runs_and_says_so(demo: Index, sandbox: Sandbox, how: str) -> None:
    """With the index off what is kept runs, with one line on stderr; the tool's status is still the tool's."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    sandbox.clear_starts()
    ini(sandbox, "runner = lastgood\ntools = demo-tool\ncommands = demo-tool --version --exit 3")
    interrupt_index(demo, how)
    result = tox(sandbox, "run", "-e", "lint", env={"LASTGOOD_PATIENCE": "0.3"})
    (line,) = own_lines(result)
    assert (result.status, tools_output(result), sandbox.starts()) == (3, ["demo-tool 1.0"], 1), result
    assert line.startswith("warning: running `demo-tool` 1.0, last checked 1h ago: ")
    assert OUTAGES[how] in line


@pytest.mark.parametrize("how", OUTAGES)
def test_with_nothing_kept_the_environment_fails_and_says_why(demo: Index, sandbox: Sandbox, how: str) -> None:
    """Nothing good is kept and the index is off: no start, and the reason."""
    write(sandbox, INI)
    interrupt_index(demo, how)
    result = tox(sandbox, "run", env={"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"})
    assert (result.status != 0, sandbox.starts()) == (True, 0)
    assert any("and no good `demo-tool` is kept for this request" in line for line in own_lines(result)), result


def test_a_tool_that_no_index_has(demo: Index, sandbox: Sandbox) -> None:
    """One line says which environment names it, whether it is run or warmed."""
    del demo
    ini(sandbox, "runner = lastgood\ntools = no-such-tool\ncommands = no-such-tool")
    unknown = "no index that was asked has a package `no-such-tool`"
    result = tox(sandbox, "run", "-e", "lint")
    said = f"lastgood: hint: {unknown}, which the tox environment `lint` names; check the name"
    assert (result.status, (result.out + result.err).count(said)) == (1, 1), result
    warmed = tox(sandbox, "run", "-e", "lint", "--notest")
    assert (warmed.status, f"({unknown}: check the name); no good `no-such-tool` is kept" in warmed.out + warmed.err) == (1, True)


# --- what cannot be meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("commands = demo-tool", "`runner = lastgood` needs `tools`: name what the commands call, as in `tools = ruff`"),
        ("tools =\ncommands = demo-tool", "`runner = lastgood` needs `tools`: name what the commands call, as in `tools = ruff`"),
        ("tools = ./local", "invalid `tools`: `./local` is not the name of a package; expected words like `ruff>=0.17`"),
        ("tools = ruff, ruff<1", "invalid `tools`: `ruff` is named twice"),
        ("tools = --with x ruff", "invalid `tools`: `--with` is not the name of a package; expected words like `ruff>=0.17`"),
        ("tools = ruff 0.17", "invalid `tools`: `0.17` is a version and no tool; expected words like `ruff>=0.17`"),
        ("tools = mypy ruff>=", "invalid `tools`: `ruff>=` is no requirement; expected words like `ruff>=0.17`"),
        ("tools = ruff >= 0.17 <", "invalid `tools`: `ruff>=0.17<` is no requirement; expected words like `ruff>=0.17`"),
        ("tools = ruff[x mypy", "invalid `tools`: `ruff[x` is no requirement that lastgood knows; expected words like"),
        (
            "tools = git+https://h/r",
            "invalid `tools`: `git+https://h/r` does not say its command; expected `name @ git+https://h/r`",
        ),
        (
            "tools = demo-tool\ncommands = demotool",
            "`demotool` is neither one of its `tools` nor on PATH; did you mean `demo-tool`?",
        ),
        (
            "tools = demo-tool\ncommands = demo",
            ABOUT_A_PACKAGE,
        ),
        ("tools = demo-tool\ncommands = xyz", "`xyz` is neither one of its `tools` nor on PATH; add it to `tools`"),
    ],
)
def test_what_cannot_be_meant_is_one_line(sandbox: Sandbox, body: str, line: str) -> None:
    """The line names the file, the environment and the key or the word; nothing is started, nothing is kept."""
    ini(sandbox, f"runner = lastgood\n{body}")
    result = tox(sandbox, "run", "-e", "lint")
    assert (result.status, sandbox.home.exists()) == (1, False)
    assert f"lint: failed with tox.ini: environment `lint`: {line}" in result.out, result
    assert "Traceback" not in result.out + result.err
    assert tox(sandbox, "config", "-e", "lint", "-k", "tools").status == 0
