"""The real hook runners, pre-commit and prek, with this repository as their repository of hooks.

The tools come from an index on loopback that is then switched off: refused (nobody listens) and silent (it takes the question and
never answers) alike. The environments of the hooks are built without any network and kept for the session.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Literal

import pytest
import yaml

from lastgood import hookfile, hooks
from tests.support.hookworld import GIT_ENVIRONMENT, ROOT, RUNNERS, HookSuite, Runner, git, program
from tests.support.kept import all_records, expect_version, grow_old, only_record, own_lines
from tests.support.wheels import demo_dep, demo_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

Outage = Literal["refused", "silent"]
HOUR = 3600.0
ASKED = 2  # a silent index is asked once by all that wait, and once more, with uv's own patience, behind the tool
DEMO = {"id": "lastgood", "args": ["demo-tool"], "types": ["python"]}


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> HookSuite:
    """Commit the working tree once; the environments of its hooks are built when they are first needed."""
    suite = HookSuite(tmp_path_factory.mktemp("suite"))
    suite.offer(demo_tool("1.0"))
    return suite


def switch_off(index: Index, outage: Outage) -> None:
    """Let the index be down, one way or the other."""
    if outage == "refused":
        index.stop()
    else:
        index.fault("hang-before-headers")
    index.clear_requests()


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_manifest_is_valid(sandbox: Sandbox, runner: Runner) -> None:
    """The runner's own check of manifests has nothing to say."""
    result = sandbox.run([program(runner), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")])
    assert result.status == 0, result


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["prek.toml", ".pre-commit-config.yaml"], [".pre-commit-config.yaml", "prek.toml"]),
        ([".pre-commit-config.yml", ".pre-commit-config.yaml"], [".pre-commit-config.yaml"]),
        (["prek.toml", ".pre-commit-config.yml"], ["prek.toml"]),
        ([".pre-commit-config.yml"], [".pre-commit-config.yml"]),
    ],
)
def test_which_configurations_count(sandbox: Sandbox, written: list[str], read: list[str]) -> None:
    """Those that one of the runners reads: pre-commit the YAML, prek the first of its own, `.yaml` and `.yml`."""
    sandbox.env |= GIT_ENVIRONMENT
    git(sandbox.work, "init", "--quiet")
    for name in written:
        hook = {"id": "a", "name": "a", "language": "system", "entry": f"echo read {name}", "always_run": True, "verbose": True}
        listed = ", ".join(f"{key} = {json.dumps(value)}" for key, value in hook.items())
        toml = f'[[repos]]\nrepo = "local"\nhooks = [{{{listed}}}]\n'
        text = toml if name.endswith(".toml") else yaml.safe_dump({"repos": [{"repo": "local", "hooks": [hook]}]})
        (sandbox.work / name).write_text(text, "utf-8")
    git(sandbox.work, "add", "--all")
    told = [sandbox.run([program(runner), "run", "--all-files"]).out for runner in RUNNERS]
    assert sorted({name for text in told for name in re.findall(r"\bread (\S+)", text)}) == read
    assert hookfile.find(str(sandbox.work)) == [str(sandbox.work / name) for name in read]


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_readmes_stages_are_all_that_the_hooks_need(sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """The line of the README lets git call a runner at every stage of `lastgood-warm` and `lastgood-check`, and at a commit."""
    (line,) = re.findall(r"^\$ (pre-commit install .*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    project = suite.project(sandbox, [{"id": "lastgood-warm"}, {"id": "lastgood-check"}])
    result = project.run(runner, *line.split()[1:])
    assert result.status == 0, result
    stages = {stage for name in ("lastgood-warm", "lastgood-check") for stage in hooks.BY_ID[name].stages} - {"manual"}
    installed = {path.name for path in (project.place / ".git" / "hooks").iterdir() if path.suffix == ""}
    assert installed == {"pre-commit", *stages}


@pytest.mark.parametrize("outage", ["refused", "silent"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_commit_in_a_fresh_clone_that_was_warmed(
    demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner, outage: Outage
) -> None:
    """Checking out a branch warms the tools behind it; an hour later the index is gone and a commit passes, each hook run once."""
    demo.publish(demo_tool("1.0", name="codespell"))
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    project = suite.project(sandbox, [{"id": "codespell"}, DEMO, {"id": "lastgood-warm"}])
    project.prepare(runner)
    clone = project.clone()
    clone.install(runner, "pre-commit", "post-checkout")
    switched = clone.git("switch", "--create", "topic")
    assert switched.status == 0, switched
    sandbox.wait_quiet()
    assert sorted(record.tool for record in all_records(sandbox)) == ["codespell", "demo-tool"]
    assert sandbox.starts() == 0
    grow_old(sandbox, HOUR)
    switch_off(demo, outage)
    committed = clone.commit()
    assert committed.status == 0, committed
    assert clone.git("log", "--format=%s").out == "change\nfirst\n"
    assert sorted(line.split()[0] for line in sandbox.start_lines()) == ["codespell", "demo-tool"]
    assert len(demo.requests("page")) <= ASKED


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_failing_lint_fails_once(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """The status and the words of a tool that finds something are the hook's, once; nothing is committed and nothing runs again."""
    del demo
    hook = {**DEMO, "args": ["demo-tool", "--stderr", "a.py:1: this is wrong", "--exit", "3"]}
    project = suite.project(sandbox, [hook])
    project.prepare(runner)
    project.install(runner, "pre-commit")
    committed = project.commit()
    said = committed.out + committed.err
    assert (committed.status, said.count("exit code: 3"), said.count("this is wrong")) == (1, 1, 1), committed
    assert (sandbox.starts(), project.git("log", "--format=%s").out) == (1, "first\n")
    assert "lastgood:" not in said


@pytest.mark.parametrize("outage", ["refused", "silent"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_hook_with_its_tool_beside_it(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner, outage: Outage) -> None:
    """A tool among the `additional_dependencies` runs with no network and an empty home: once, and the notice says from where."""
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    project = suite.project(sandbox, [{**DEMO, "additional_dependencies": ["demo-tool==1.0"], "verbose": True}])
    project.prepare(runner)
    switch_off(demo, outage)
    project.install(runner, "pre-commit")
    committed = project.commit()
    assert committed.status == 0, committed
    said = committed.out + committed.err
    assert said.count("running `demo-tool` 1.0 from the environment of lastgood") == 1, committed
    assert (sandbox.starts(), len(demo.requests("page"))) == (1, 1 if outage == "silent" else 0)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_hook_with_its_tool_beside_it_and_uv_told_to_stay_offline(
    demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner
) -> None:
    """A service that sets UV_OFFLINE has its tool all the same: nobody is asked, and `lastgood-check` knew it."""
    demo_hook = {**DEMO, "additional_dependencies": ["demo-tool==1.0"], "verbose": True}
    project = suite.project(sandbox, [demo_hook, {"id": "lastgood-check"}])
    project.prepare(runner)
    connections = demo.connections()
    offline = {"UV_OFFLINE": "1"}
    checked = project.hook(runner, "lastgood-check", "--hook-stage", "manual", env=offline)
    assert checked.status == 0, checked
    result = project.hook(runner, "lastgood", env=offline)
    said = result.out + result.err
    assert (result.status, said.count("running `demo-tool` 1.0 from the environment of lastgood: ")) == (0, 1), result
    assert (sandbox.starts(), demo.connections()) == (1, connections)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_check_sees_the_uvx_that_hooks_start(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """A `uvx` in the environment of `lastgood-check` is not the one that a local hook starts: that is the user's first one."""
    local = {"id": "own", "name": "own", "language": "system", "entry": "uvx demo-tool", "types": ["python"], "verbose": True}
    project = suite.project(sandbox, [{"id": "lastgood-check"}], [{"repo": "local", "hooks": [local]}])
    project.prepare(runner)
    assert sandbox.lastgood("warm", cwd=project.place).status == 0
    assert sandbox.lastgood("shim", "install", str(sandbox.root / "shim")).status == 0
    demo.stop()
    plain = project.hook(runner, "lastgood-check", "--hook-stage", "manual")
    assert (plain.status, "`own` of .pre-commit-config.yaml would start `uvx` itself" in plain.out + plain.err) == (1, True), plain
    sandbox.env["PATH"] = f"{sandbox.root}/shim:{sandbox.env['PATH']}"
    shimmed = project.hook(runner, "lastgood-check", "--hook-stage", "manual")
    assert (shimmed.status, project.hook(runner, "own").status, sandbox.starts()) == (0, 0, 1), shimmed


@pytest.mark.parametrize("runner", RUNNERS)
def test_plugins_reach_the_tool(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """What a user lists in `additional_dependencies`, as upstream's hook wants it, is beside the tool, in an outage as well."""
    suite.offer(demo_dep("1.0"))
    demo.publish(demo_dep("1.0"))
    project = suite.project(sandbox, [{**DEMO, "additional_dependencies": ["demo-dep==1.0", "demo-tool"], "verbose": True}])
    project.prepare(runner)
    assert sandbox.lastgood("warm", cwd=project.place).status == 0
    demo.stop()
    result = project.hook(runner, "lastgood")
    assert (result.status, sandbox.starts()) == (0, 1), result
    assert "warning" not in result.out + result.err
    kept = only_record(sandbox).generation()
    assert kept is not None
    assert kept.dists == {"demo-tool": "1.0", "demo-dep": "1.0"}


def test_eight_processes_with_their_tool_beside_them(demo: Index, sandbox: Sandbox, suite: HookSuite) -> None:
    """With an empty home and a silent index, eight processes of one hook ask once between them; all run, one speaks."""
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    project = suite.project(sandbox, [{**DEMO, "additional_dependencies": ["demo-tool==1.0"]}])
    project.prepare("pre-commit")
    found = [path for path in suite.programs("lastgood", having="demo-tool") if "pre-commit" in path.parts]
    (lastgood,) = [path for path in found if not list(path.parents[1].glob("lib/*/site-packages/demo_dep-*"))]  # another test's
    switch_off(demo, "silent")
    said = run_eight(sandbox, lastgood, project.place)
    assert (sandbox.starts(), len(demo.requests("page"))) == (8, 1)
    assert "".join(said).count("warning: running `demo-tool` 1.0 from the environment of lastgood: ") == 1, said
    assert "".join(said).count("warning:") == 1, said


def test_the_environment_of_a_hook_changes_nothing(demo: Index, sandbox: Sandbox, suite: HookSuite) -> None:
    """Hooks of both runners and a person ask for the same thing: one record, one question, the user's own Python and uv."""
    project = suite.project(sandbox, [{**DEMO, "args": ["demo-tool", "--dump"], "verbose": True}])
    seen = []
    for runner in RUNNERS:
        project.prepare(runner)
        result = project.hook(runner, "lastgood")
        assert result.status == 0, result
        seen.append(result.out)
    expect_version(sandbox.lastgood("run", "demo-tool", "--version", cwd=project.place), "1.0")
    by_hand = sandbox.lastgood("run", "demo-tool", "--dump", cwd=project.place).json()
    assert len(demo.requests("page")) == 1
    assert only_record(sandbox).tool == "demo-tool"
    for text in seen:
        assert f'"UV": "{by_hand["env"]["UV"]}"' in text
        assert f'"base_prefix": "{by_hand["base_prefix"]}"' in text
        assert f'"executable": "{by_hand["executable"]}"' in text
        assert '"isatty": {"0": false, "1": false, "2": false}' in text


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_type_checker_does_not_see_the_environment_of_the_hook(
    demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner
) -> None:
    """`ty` looks for imports in VIRTUAL_ENV: in its hook there is none, so that it finds the project's own environment."""
    demo.publish(demo_tool("1.0", name="ty"))
    project = suite.project(sandbox, [{"id": "ty", "args": ["--dump"], "verbose": True}])
    project.prepare(runner)
    result = project.hook(runner, "ty")
    assert (result.status, '"argv": ["check", "--dump"]' in result.out, "VIRTUAL_ENV" in result.out) == (0, True, False), result


@pytest.mark.parametrize("runner", RUNNERS)
def test_parallel_processes_of_one_hook_say_one_thing(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """A hook whose files are shared out among processes waits once in an outage, and its output holds one notice."""
    sandbox.env["LASTGOOD_PATIENCE"] = "1"
    project = suite.project(sandbox, [{**DEMO, "verbose": True}])
    for number in range(60):
        (project.place / f"b{number}.py").write_text("b = 1\n", "utf-8")
    project.git("add", "--all")
    project.prepare(runner)
    assert project.hook(runner, "lastgood").status == 0
    sandbox.wait_quiet()
    grow_old(sandbox, HOUR)
    switch_off(demo, "silent")
    result = project.hook(runner, "lastgood")
    assert result.status == 0, result
    assert result.out.count("lastgood: warning: running `demo-tool` 1.0") == 1, result
    assert 1 <= len(demo.requests("page")) <= ASKED


@pytest.mark.parametrize("runner", RUNNERS)
def test_would_everything_run(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """`lastgood-check` fails while a tool of the repository is not kept, and names it; after `lastgood warm` it passes."""
    demo.publish(demo_tool("1.0", name="codespell"))
    project = suite.project(sandbox, [{"id": "codespell"}, DEMO, {"id": "lastgood-check", "verbose": True}])
    (project.place / "lastgood.toml").write_text('[tools]\n"codespell" = ">=1"\n', "utf-8")
    project.prepare(runner)
    before = project.hook(runner, "lastgood-check", "--hook-stage", "manual")
    assert before.status == 1, before
    assert "`codespell`, `demo-tool` would not run with no network; run `lastgood warm`" in before.out
    warmed = sandbox.lastgood("warm", cwd=project.place)
    assert (warmed.status, own_lines(warmed)[-1]) == (0, "kept `codespell` 1.0, `demo-tool` 1.0"), warmed
    switch_off(demo, "refused")
    after = project.hook(runner, "lastgood-check", "--hook-stage", "manual")
    assert after.status == 0, after
    for tool in ("codespell", "demo-tool"):
        assert any(line.split()[:3] == [tool, "kept", "1.0"] for line in after.out.splitlines()), after


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_hooks_of_this_repository(index: Index, sandbox: Sandbox, runner: Runner) -> None:
    """In a clone whose `.venv` is made, and with nothing but git on PATH, each of its own hooks runs its tool and passes."""
    index.publish(demo_tool("1.0", name="ruff", command="ruff"))
    sandbox.env |= GIT_ENVIRONMENT
    for name in (".pre-commit-config.yaml", ".gitignore", "pyproject.toml"):
        shutil.copy(ROOT / name, sandbox.work)
    (sandbox.work / "a.py").write_text("A = 1\n", "utf-8")
    git(sandbox.work, "init", "--quiet")
    git(sandbox.work, "add", "--all")
    (sandbox.work / ".venv" / "bin").mkdir(parents=True)
    for name in ("lastgood", runner):
        (sandbox.work / ".venv" / "bin" / name).symlink_to(program(name))
    for name in ("uv", "uvx"):
        (sandbox.bin / name).unlink()
    result = sandbox.run([f".venv/bin/{runner}", "run", "--all-files"])
    assert (result.status, len(re.findall(r"\.Passed$", result.out, re.MULTILINE))) == (0, 2), result
    started = [line.partition("[")[2] for line in sandbox.start_lines()]
    assert started == [f"'{verb}', '--force-exclude', 'a.py']" for verb in ("check", "format")]


def run_eight(sandbox: Sandbox, lastgood: Path, place: Path) -> list[str]:
    """Start eight processes as a hook runner does, within milliseconds; return what each said, stdout and stderr together."""
    environment = {"PRE_COMMIT": "1", "VIRTUAL_ENV": str(lastgood.parents[1])}
    for number in range(8):
        (place / f"file{number}.py").touch()
    pipe = subprocess.PIPE
    running = [
        sandbox.popen(
            [str(lastgood), "run", "demo-tool", "--version", f"file{number}.py"],
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.STDOUT,
        )
        for number in range(8)
    ]
    said = [process.communicate(timeout=60)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0] * 8, said
    assert all("demo-tool 1.0\n" in text for text in said), said
    return said


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_generic_hook_that_names_no_tool(demo: Index, sandbox: Sandbox, suite: HookSuite, runner: Runner) -> None:
    """With empty `args` the runner's file names come first: the hook fails and says why; nothing is installed, nothing started."""
    project = suite.project(sandbox, [{"id": "lastgood", "args": []}])
    project.prepare(runner)
    (project.place / "demo-tool").touch()
    project.git("add", "demo-tool")
    result = project.run(runner, "run", "--files", "demo-tool")
    assert result.status == 1, result
    assert "lastgood: error: the hook names no tool: `demo-tool` is a file; put the tool first in the hook's `args`" in result.out
    assert (demo.requests("page"), sandbox.starts()) == ([], 0)
