"""`lastgood.nox` under the real nox: what a session gets, what nox's switches mean, and what is said where.

Every test writes a noxfile and runs nox in a sandbox against a real index. Where an outage matters, that index is switched off:
once so that it refuses, once so that it accepts and stays silent.
"""

from __future__ import annotations

import json
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.documents import ROOT
from tests.support.kept import all_records, grow_old, keep, only_record
from tests.support.wheels import demo_dep, demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

pytest.importorskip("nox")

HOUR = 3600.0
PATIENCE = {"LASTGOOD_PATIENCE": "0.3"}
OUTAGES = {"refused": "did not answer (connection refused)", "silent": "no answer from"}
HEADER = """\
import nox
from nox.command import CommandFailed
from lastgood.nox import run, tool_session

nox.options.default_venv_backend = "none"
"""


def noxfile(sandbox: Sandbox, body: str) -> None:
    """Write the noxfile: `body` after the imports; sessions have no virtual environment unless they say so."""
    (sandbox.work / "noxfile.py").write_text(f"{HEADER}\n{body}")


def session_file(sandbox: Sandbox, line: str) -> None:
    """Write a noxfile with one session, `only`, that says what `line` comes to."""
    noxfile(sandbox, f'@nox.session\ndef only(session):\n    session.log(f"returned {{{line}!r}}")\n')


def nox(sandbox: Sandbox, *words: str, **options: Any) -> Result:
    """Run the nox beside this interpreter."""
    return sandbox.run([Path(sysconfig.get_path("scripts"), "nox").as_posix(), *words], **options)


def logged(result: Result) -> list[str]:
    """What was said through nox's log, line by line: not the commands that nox started, nor what it says of its sessions."""
    lines = [line.removeprefix("nox > ") for line in result.err.splitlines() if line.startswith("nox > ")]
    own = ("Running session", "Session ", "Ran ", "* ")
    return [line for line in lines if "/lastgood run " not in line and not line.startswith(own)]


def interrupt_index(index: Index, how: str) -> None:
    """Switch the index off."""
    if how == "refused":
        index.stop()
    else:
        index.fault("hang-before-headers")


# --- what a session gets --------------------------------------------------------------------------------------------


def test_a_tool_runs_with_the_words_of_the_session(demo: Index, sandbox: Sandbox) -> None:
    """The arguments reach the tool as they are, its output is nox's, True is returned, and nothing is kept from the index."""
    session_file(sandbox, "run(session, 'demo-tool', '--echo', 'a b', *session.posargs)")
    result = nox(sandbox, "--", "--version", "-x")
    assert (result.status, logged(result), sandbox.starts(), len(demo.requests("page"))) == (0, ["returned True"], 1, 1)
    assert result.out.endswith("a b\n--version\n-x\n")


def test_session_runs_own_keywords_mean_the_same(demo: Index, sandbox: Sandbox) -> None:
    """`env`, `success_codes`, `log`, `stdout`, `stderr` and `external` do what they do in `Session.run`."""
    del demo
    keep(sandbox)
    noxfile(
        sandbox,
        """
@nox.session
def only(session):
    run(session, "demo-tool", "--exit", "3", success_codes=[0, 3], external=True)
    with open("out.txt", "w") as out, open("err.txt", "w") as err:
        run(session, "demo-tool", "--version", "--stderr", "oops", stdout=out, stderr=err, log=False)
    text = run(session, "demo-tool", "--dump", env={"COLOUR": "green", "HOME": None}, silent=True)
    import json
    seen = json.loads(text)
    session.log("%s %s", seen["env"]["COLOUR"], "HOME" in seen["env"])
    session.log("%s", [name for name in seen["env"] if name.startswith("LASTGOOD_INTERNAL")])
    session.log("%s", sorted(seen["fds"]))
""",
    )
    descriptors = sorted(sandbox.lastgood("run", "demo-tool", "--dump").json()["fds"])
    sandbox.clear_starts()
    result = nox(sandbox)
    assert (result.status, result.out, logged(result)) == (0, "", ["green False", "[]", str(descriptors)]), result
    assert (sandbox.work / "out.txt").read_text() == "demo-tool 1.0\n"
    assert (sandbox.work / "err.txt").read_text() == "oops\n"
    assert (result.err.count("/lastgood run "), sandbox.starts()) == (2, 3)


@pytest.mark.parametrize("silent", [False, True])
def test_a_failing_tool_fails_once_with_its_own_status(demo: Index, sandbox: Sandbox, *, silent: bool) -> None:
    """CommandFailed is raised as nox raises it: the status is the tool's, its output is shown, nothing runs twice."""
    del demo
    keep(sandbox)
    sandbox.clear_starts()
    noxfile(
        sandbox,
        f"""
@nox.session
def caught(session):
    try:
        run(session, "demo-tool", "--stderr", "E501", "--exit", "3", silent={silent})
    except CommandFailed as failure:
        session.log("caught %s", failure.reason)
        raise
""",
    )
    result = nox(sandbox)
    assert (result.status, sandbox.starts()) == (1, 1)
    assert "failed with exit code 3" in result.err
    assert "caught Returned code 3" in logged(result)
    assert "E501" in (result.err if silent else result.out)


@pytest.mark.parametrize(
    ("backend", "env"), [("none", {}), ("uv", {}), ("uv", {"UV_PYTHON": "3"}), ("virtualenv", {"UV_PYTHON": "3"})]
)
def test_it_works_inside_and_outside_a_virtual_environment(
    demo: Index, sandbox: Sandbox, backend: str, env: dict[str, str]
) -> None:
    """The tool sees the session's environment; the request is the shell's, so one record serves both, and nothing is external."""
    sandbox.env |= env
    keep(sandbox)
    demo.clear_requests()
    noxfile(
        sandbox,
        f"""
@nox.session(venv_backend="{backend}")
def only(session):
    import json
    seen = json.loads(run(session, "demo-tool", "--dump", silent=True))["env"]
    session.log("%s", seen.get("VIRTUAL_ENV", "").endswith("/.nox/only"))
""",
    )
    result = nox(sandbox, "--error-on-external-run")
    assert (result.status, logged(result)[-1]) == (0, str(backend != "none")), result
    assert "Warning" not in result.err
    assert only_record(sandbox).tool == "demo-tool"
    assert demo.requests() == []


def test_the_keywords_for_uvx(index: Index, sandbox: Sandbox) -> None:
    """`version`, `from_`, `with_` and `python` choose as the options of uvx do; the table still says the rest."""
    for version in ("1.0", "1.1", "2.0"):
        index.publish(demo_tool(version))
        index.publish(demo_tool(version, name="other-dist", command="other"))
    index.publish(demo_dep("1.0"))
    (sandbox.work / "pyproject.toml").write_text('[tool.lastgood.tools]\ndemo-tool = "<2"\n')
    calls = [
        "'demo-tool', '--version'",
        "'demo-tool', '--version', version='2.0'",
        "'demo-tool', '--version', version='v2.0'",
        "'demo-tool', '--version', version=' ~=1.0, !=1.1 '",
        "'demo-tool', '--version', version='latest'",
        "'demo-tool', '--version', version='==1.*,<1.1', with_='demo-dep'",
        "'other', '--version', from_='other-dist', version='1.*', with_=['demo-dep'], python='3'",
    ]
    body = "\n".join(f"    session.log(run(session, {call}, silent=True).strip())" for call in calls)
    noxfile(sandbox, f"@nox.session\ndef only(session):\n{body}\n")
    result = nox(sandbox)
    said = [line for line in logged(result) if line.startswith(("demo-tool ", "other"))]
    versions = ["1.1", "2.0", "2.0", "1.0", "2.0", "1.0"]
    assert (result.status, said) == (0, [f"demo-tool {one}" for one in versions] + ["other-dist 1.1"]), result
    with_dependency = [record for record in all_records(sandbox) if ["--with", "demo-dep"] in _lists(record.request["options"])]
    assert len(with_dependency) == 2


def _lists(pairs: Any) -> list[list[str]]:
    return [list(pair) for pair in pairs]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("run(session, '')", 'lastgood: `` names no tool; expected `run(session, "ruff", "check", …)`'),
        ("run(session)", 'lastgood: `` names no tool; expected `run(session, "ruff", "check", …)`'),
        ("tool_session('lint')(session)", 'lastgood: `` names no tool; expected `run(session, "ruff", "check", …)`'),
        ("run(session, ['ruff'])", "lastgood: `['ruff']` names no tool; expected"),
        ("run(session, '--with=x', 'ruff')", "lastgood: `--with=x` names no tool; expected"),
        ("run(session, 'ruff@1.0', version='2')", "lastgood: `ruff@1.0` says where it comes from or in which version;"),
        ("run(session, 'ruff', mode='latest')", "lastgood: error: invalid --mode `latest`: expected"),
        ("run(session, 'py', version='test')", "lastgood: invalid `version='test'` of `py`: expected text: a version ("),
        ("run(session, 'other', version=0.17, from_='py')", "lastgood: invalid `version=0.17` of `py`: expected"),
        ("run(session, 'py', version=False)", "lastgood: invalid `version=False` of `py`: expected"),
        ("run(session, 'py', version='=1.0')", "lastgood: invalid `version='=1.0'` of `py`: expected"),
        ("run(session, 'py', version='1.0,<2')", "lastgood: invalid `version='1.0,<2'` of `py`: expected"),
        ("run(session, 'py', version='>=1,x')", "lastgood: invalid `version='>=1,x'` of `py`: expected"),
        ("run(session, 'py', version='@1.0')", "lastgood: invalid `version='@1.0'` of `py`: expected"),
    ],
)
def test_what_cannot_be_meant_ends_the_session_in_one_line(sandbox: Sandbox, call: str, line: str) -> None:
    """A wrong call names the word and what was expected; no traceback."""
    session_file(sandbox, call)
    result = nox(sandbox)
    assert (result.status, "Traceback" in result.err) == (1, False)
    assert line in result.out + result.err


def test_the_sessions_of_this_repository(demo: Index, sandbox: Sandbox) -> None:
    """Its noxfile keeps a tool for a session with `--install-only`, and runs it on what the session has installed."""
    for name in ("mypy", "ruff"):
        demo.publish(demo_tool("1.0", name=name, command=name))
    (sandbox.work / "noxfile.py").write_text((ROOT / "noxfile.py").read_text("utf-8"), "utf-8")
    listing = nox(sandbox, "--list")
    assert {line.split()[1] for line in listing.out.splitlines() if line.startswith(("* ", "- "))} >= {"lint", "types", "docs"}
    venv.create(sandbox.work / ".nox" / "types", symlinks=True)  # with `-R` nothing is installed into it
    assert sandbox.lastgood("warm", "mypy").status == 0
    result = nox(sandbox, "-R", "-s", "types", "--", "--dump")
    python = str(sandbox.work / ".nox" / "types" / "bin" / "python")
    assert (result.status, json.loads(result.out)["argv"]) == (0, [f"--python-executable={python}", "--dump"]), result


# --- nox's switches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["--no-install", "-R"])
def test_no_install_never_uses_the_network(demo: Index, sandbox: Sandbox, switch: str) -> None:
    """With nothing kept the session fails with a hint; what is kept runs, however old, whatever `mode` says; nobody is asked."""
    session_file(sandbox, "run(session, 'demo-tool', '--version', mode='strict-latest')")
    result = nox(sandbox, switch)
    assert (result.status, sandbox.starts(), demo.connections()) == (1, 0, 0)
    assert "no good `demo-tool` is kept and the mode is `strict-cache`" in result.out
    keep(sandbox)
    grow_old(sandbox, 1000 * HOUR)
    demo.publish(demo_tool("2.0"))
    demo.clear_requests()
    before = demo.connections()
    result = nox(sandbox, switch)
    assert (result.status, result.out, logged(result)) == (0, "demo-tool 1.0\n", ["returned True"])
    sandbox.wait_quiet()
    assert demo.connections() == before


def test_install_only_warms_what_a_run_would_use(demo: Index, sandbox: Sandbox) -> None:
    """`--install-only` keeps the very request of each call and starts nothing; afterwards the session runs without an index."""
    demo.publish(demo_dep("1.0"))
    demo.publish(demo_tool("1.0", name="other-dist", command="other"))
    noxfile(
        sandbox,
        """
@nox.session
def only(session):
    first = run(session, "demo-tool", "--version", mode="prefer-cache", silent=True)
    second = run(session, "other", "--version", from_="other-dist", version="1.*", with_="demo-dep", python="3")
    session.log("returned %r %r", first, second)
""",
    )
    result = nox(sandbox, "--install-only", "--no-install")
    assert (result.status, demo.connections(), logged(result)[-1]) == (0, 0, "returned None None")
    result = nox(sandbox, "--install-only")
    assert (result.status, sandbox.starts(), logged(result)[-1]) == (0, 0, "returned None None"), result
    assert len(all_records(sandbox)) == 2
    demo.stop()
    result = nox(sandbox, "-R")
    assert (result.status, result.out, logged(result)[-1]) == (0, "other-dist 1.0\n", r"returned 'demo-tool 1.0\n' True"), result


def test_install_only_fails_where_nothing_can_be_kept(demo: Index, sandbox: Sandbox) -> None:
    """A tool that cannot be had fails `--install-only` as a failed install does."""
    demo.stop()
    session_file(sandbox, "run(session, 'demo-tool')")
    result = nox(sandbox, "--install-only")
    assert (result.status, sandbox.starts()) == (1, 0)
    assert "no good `demo-tool` is kept" in result.out


def test_sessions_side_by_side(demo: Index, sandbox: Sandbox) -> None:
    """Under `-j` each session has its own tool process, and together they ask the index once."""
    body = "\n".join(f'{name} = tool_session("{name}", "demo-tool", "--echo", "{name}")' for name in ("one", "two", "three"))
    noxfile(sandbox, body)
    result = nox(sandbox, "-j", "3")
    assert (result.status, sandbox.starts(), len(demo.requests("page"))) == (0, 3, 1), result
    assert all(f"{name}\n" in result.out for name in ("one", "two", "three"))


def test_a_tool_that_no_index_has(demo: Index, sandbox: Sandbox) -> None:
    """One line says which session names it, before uvx's own words."""
    del demo
    session_file(sandbox, "run(session, 'no-such-tool')")
    result = nox(sandbox)
    unknown = "no index that was asked has a package `no-such-tool`"
    remedy = 'check the name, or say `from_="PACKAGE"` where another package provides it'
    said = f"lastgood: hint: {unknown}, which the nox session `only` names; {remedy}"
    assert (result.status, (result.out + result.err).count(said)) == (1, 1), result


# --- a session that is one tool -------------------------------------------------------------------------------------


def test_a_tool_session_in_one_line(demo: Index, sandbox: Sandbox) -> None:
    """It is listed with what it runs, takes nox's own keywords, and gives its tool what stands after `--`."""
    demo.publish(demo_tool("2.0"))
    noxfile(
        sandbox,
        """
lint = tool_session("lint", "demo-tool", "--version", "--echo", ".", version="<2", tags=["style"])
fail = tool_session("fail", "demo-tool", "--exit", "7", default=False)
""",
    )
    listing = nox(sandbox, "--list")
    assert " -> Run `demo-tool --version --echo .` through lastgood.\n- fail -> Run " in listing.out
    result = nox(sandbox, "-t", "style", "--", "--fix")
    assert (result.status, result.out.endswith("demo-tool 1.0\n.\n--fix\n")) == (0, True), result
    result = nox(sandbox, "-s", "fail")
    assert (result.status, "failed with exit code 7" in result.err, sandbox.starts()) == (1, True, 2)


# --- an outage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", OUTAGES)
def test_a_fallback_is_said_and_stays_out_of_the_text(demo: Index, sandbox: Sandbox, how: str) -> None:
    """With the index off what is kept runs: `silent=True` and `stdout=` get the tool's words alone, and nox's log tells."""
    keep(sandbox)
    noxfile(
        sandbox,
        """
@nox.session
def text(session):
    session.log("returned %r", run(session, "demo-tool", "--version", "--stderr", "mine", silent=True))

@nox.session
def file(session):
    with open("out.txt", "w") as out:
        run(session, "demo-tool", "--version", stdout=out)

@nox.session
def shown(session):
    run(session, "demo-tool", "--version")
""",
    )
    grow_old(sandbox, HOUR)
    interrupt_index(demo, how)
    result = nox(sandbox, env=PATIENCE)
    lines = logged(result)
    assert result.status == 0, result
    assert lines[0].startswith("lastgood: warning: running `demo-tool` 1.0, last checked 1h ago: ")
    assert OUTAGES[how] in lines[0]
    assert sorted(lines[1][len("returned ") :].strip("'").split("\\n")) == ["", "demo-tool 1.0", "mine"]
    assert lines[2].startswith("lastgood: warning: running `demo-tool` 1.0, last checked 1h ago: ")
    assert len(lines) == 3
    assert (sandbox.work / "out.txt").read_text() == "demo-tool 1.0\n"
    assert (result.out.count("lastgood: warning: running"), result.out.endswith("demo-tool 1.0\n")) == (1, True)
    assert sandbox.starts() == 4


def test_what_uv_says_on_a_first_run_stays_out_of_the_text(demo: Index, sandbox: Sandbox) -> None:
    """Progress of uv's goes to nox's log, not into what `silent=True` returns."""
    del demo
    session_file(sandbox, "run(session, 'demo-tool', '--version', silent=True)")
    result = nox(sandbox)
    said = logged(result)
    assert (result.status, said[-1]) == (0, r"returned 'demo-tool 1.0\n'"), result
    assert any(line.startswith("Installed 1 package") for line in said)


@pytest.mark.parametrize("how", OUTAGES)
def test_with_nothing_kept_the_session_fails_and_says_why(demo: Index, sandbox: Sandbox, how: str) -> None:
    """Nothing good is kept and the index is off: no start, CommandFailed, and the reason in the log although the run is silent."""
    interrupt_index(demo, how)
    session_file(sandbox, "run(session, 'demo-tool', '--version', silent=True)")
    result = nox(sandbox, env={"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"})
    assert (result.status, sandbox.starts()) == (1, 0)
    assert any("and no good `demo-tool` is kept for this request" in line for line in logged(result)), result
