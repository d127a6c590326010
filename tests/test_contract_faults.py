"""What lastgood makes of the words of the uv that is installed: outage, answer, suspect or local trouble."""

from __future__ import annotations

import fcntl
import shutil
from typing import TYPE_CHECKING

import pytest

from lastgood import outage, probe
from lastgood import uv as lastgood_uv
from tests.support.fault_matrix import CASES, Case, Matrix
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lastgood.outage import Finding
    from tests.support.index import Index
    from tests.support.index_faults import FaultKind, Where
    from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.contract

SUSPECTS = [case for case in CASES if case.expected[0] == outage.SUSPECT]
# What an honest index says, too: nobody can tell these from an outage by asking again, so uv's answer stands.
HONEST = {"404-page", "404-git", "alter-metadata", "cut-metadata"}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """Keep indexes and user for a second look."""
    with Matrix(tmp_path_factory.mktemp("faults")) as matrix:
        yield matrix


@pytest.fixture(scope="module")
def said(matrix: Matrix) -> dict[str, str]:
    """Provoke every failure once, side by side."""
    return matrix.provoke(case for case in CASES if all(map(shutil.which, case.programs)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_failure_is_what_it_is_called(said: dict[str, str], case: Case) -> None:
    """Every failure of page, metadata and file has its verdict, its class and its reason."""
    if case.name not in said:
        pytest.skip(f"not installed: {' or '.join(case.programs)}")
    found = outage.judge(said[case.name])
    assert (found.verdict, found.kind, found.reason) == case.expected, said[case.name]


@pytest.fixture(scope="module")
def looked_again(matrix: Matrix, said: dict[str, str]) -> dict[str, tuple[Finding, Finding | None]]:
    """Look at every suspect a second time, as a refresh does: with uv's log, then at the addresses in it."""
    suspects = [case for case in SUSPECTS if case.name in said]
    words = matrix.provoke(suspects, "--refresh", "-v", as_is=True)
    found = {}
    for case in suspects:
        judged = outage.judge(words[case.name])
        urls = judged.urls if case.where == "git" else outage.suspects(words[case.name])  # git names its address at once
        found[case.name] = (judged, probe.ask(urls, matrix.environment(case)))
    return found


@pytest.mark.parametrize("case", SUSPECTS, ids=lambda case: case.name)
def test_a_second_look_settles_a_suspect(looked_again: dict[str, tuple[Finding, Finding | None]], case: Case) -> None:
    """uv's log does not change the verdict and names the address that is wrong; only an honest index has nothing wrong."""
    if case.name not in looked_again:
        pytest.skip(f"not installed: {' or '.join(case.programs)}")
    again, asked = looked_again[case.name]
    assert (again.verdict, again.kind, again.reason) == case.expected
    if case.name in HONEST:
        assert asked is None
    else:
        assert asked is not None
        assert asked.verdict == outage.OUTAGE


def test_the_log_names_the_host_of_a_body_that_stops(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where uv's error has no address, its log leads to the files' host first: the breaker is per host."""
    cases = [
        case for case in CASES if case.where in {"file", "ranges"} and case.fault in {"hang-after-headers", "trickle", "truncate"}
    ]
    with Matrix(tmp_path_factory.mktemp("bodies")) as matrix:
        words = matrix.provoke(cases, "-v")
    hosts = {name: outage.host_of(outage.suspects(said)[0]) for name, said in words.items()}
    assert hosts == {case.name: "127.0.0.1:8002" for case in cases}


@pytest.mark.parametrize(("fault", "on"), [("cut", "file"), ("login", "file"), ("login", "page"), ("login", "metadata")])
def test_a_second_look_finds_the_one_bad_address_among_many(index: Index, sandbox: Sandbox, fault: FaultKind, on: Where) -> None:
    """A tool with many dependencies: what is wrong with the last of them is found as well."""
    names = [f"part-{letter}" for letter in "abcdefgh"]
    for name in names:
        index.publish(Wheel(name, "1.0", modules={f"{name.replace('-', '_')}.py": ""}))
    index.publish(demo_tool("1.0", requires=names))
    index.fault(fault, on=on, project=names[-1])
    environment = sandbox.environment()
    result = lastgood_uv.materialise(lastgood_uv.find(environment), ["--refresh", "-v"], "demo-tool", environment)
    assert outage.judge(result.errors.text).verdict == outage.SUSPECT
    asked = probe.ask(outage.suspects(result.errors.text), environment)
    assert asked is not None
    assert "part" in asked.urls[0]


def test_a_poisoned_page_of_a_dependency_is_asked_for_again(index: Index, sandbox: Sandbox) -> None:
    """uv remembers a login page in place of a dependency's for its max-age; when the portal is gone, so is its effect."""
    index.publish(demo_dep("1.0"))
    index.publish(demo_tool("1.0", requires=("demo-dep",)))
    run = ["run", "--mode=prefer-latest", "--max-age=0s", "demo-tool", "--version"]
    assert sandbox.lastgood(*run).out == "demo-tool 1.0\n"
    index.publish(demo_tool("1.1", requires=("demo-dep",)))
    index.fault("login", on="page", project="demo-dep", max_age=3600)
    during = sandbox.lastgood(*run)
    assert (during.status, during.out) == (0, "demo-tool 1.0\n")
    index.heal()
    shutil.rmtree(sandbox.home / "hosts")
    after = sandbox.lastgood(*run)
    assert (after.status, after.out) == (0, "demo-tool 1.1\n"), after.err


def judged(sandbox: Sandbox, source: str, *options: str, **variables: str) -> tuple[str, str, str]:
    """Materialise something that fails, and return what lastgood makes of it."""
    environment = sandbox.environment(variables)
    result = lastgood_uv.materialise(lastgood_uv.find(environment), options, source, environment)
    assert not result.prefix
    found = outage.judge(result.errors.text)
    return found.verdict, found.kind, found.reason


@pytest.mark.parametrize("source", ["demo-tool==9", "demo-tool>1", "demo-tool[more]==0.1", "demo-tool<1"])
def test_no_such_version_is_an_answer(demo: Index, sandbox: Sandbox, source: str) -> None:
    """An index that lists other versions has answered."""
    assert judged(sandbox, source) == ("answer", "not-found", "no release fits the request")
    assert demo.requests("page")


def test_conflicting_requirements_are_an_answer(demo: Index, sandbox: Sandbox) -> None:
    """What cannot be had together is nobody's outage."""
    demo.publish(demo_tool("1.0", name="other-tool", requires=("demo-tool==2",)))
    assert judged(sandbox, "other-tool") == ("answer", "not-found", "no release fits the request")


def test_a_python_that_is_not_there_is_suspect(index: Index, sandbox: Sandbox) -> None:
    """uv swallows a failed download of the Python that a release needs, and calls the release unsatisfiable."""
    index.publish(demo_tool("1.0", requires_python=">=3.99"))
    assert judged(sandbox, "demo-tool") == ("suspect", "not-found", "no interpreter fits")


def test_a_mirror_of_pythons_that_refuses_is_an_outage(demo: Index, sandbox: Sandbox) -> None:
    """The downloads of interpreters are judged like those of packages."""
    demo.stop()
    variables = {
        "UV_PYTHON_DOWNLOADS": "automatic",
        "UV_PYTHON_INSTALL_MIRROR": f"http://{demo.host}",
        "UV_PYTHON_INSTALL_DIR": str(sandbox.root / "pythons"),
    }
    assert judged(sandbox, "demo-tool", "--managed-python", "--python=3.13", **variables) == (
        "outage",
        "unreachable",
        "connection refused",
    )


def test_nothing_cached_is_an_answer_offline(demo: Index, sandbox: Sandbox) -> None:
    """With `--offline` nobody was asked, so nobody failed."""
    assert judged(sandbox, "demo-tool", "--offline") == ("answer", "not-found", "no release fits the request")
    assert demo.requests() == []


def test_a_build_that_fails_is_an_answer(sandbox: Sandbox) -> None:
    """A source distribution whose build ends in an error was delivered whole."""
    project = sandbox.work / "broken"
    project.mkdir()
    (project / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    (project / "backend.py").write_text('raise SystemExit("this backend is broken")\n')
    assert judged(sandbox, str(project)) == ("answer", "integrity", "a package could not be built")


@pytest.mark.parametrize("options", [["--no-such-option"], ["--python-platform=nowhere"], ["--index-url"], ["--resolution=x"]])
def test_a_wrong_command_line_is_an_answer(sandbox: Sandbox, options: list[str]) -> None:
    """uv's refusal to understand is its last word."""
    assert judged(sandbox, "demo-tool", *options) == ("answer", "not-found", "uv refused the request")


def test_a_broken_configuration_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """A user's uv.toml that does not parse is nobody's outage."""
    file = sandbox.config_home / "uv" / "uv.toml"
    file.parent.mkdir()
    file.write_text("no-index = [\n")
    assert judged(sandbox, "demo-tool") == ("local", "local", "a configuration file of uv's is invalid")
    file.write_text("no-such-key = 1\n")
    assert judged(sandbox, "demo-tool") == ("local", "local", "a configuration file of uv's is invalid")
    assert demo.requests() == []


def test_a_configuration_for_another_uv_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """`required-version` stops every uvx; it says nothing about the index."""
    file = sandbox.config_home / "uv" / "uv.toml"
    file.parent.mkdir()
    file.write_text('required-version = "==0.0.1"\n')
    assert judged(sandbox, "demo-tool") == ("local", "local", "this is not the uv that its configuration requires")
    assert demo.requests() == []


def test_a_cache_that_cannot_be_used_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """A cache directory that is a file."""
    sandbox.uv_cache.write_text("")
    assert judged(sandbox, "demo-tool")[:2] == ("local", "local")
    assert demo.requests() == []


def test_a_tool_directory_that_cannot_be_made_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """uvx makes the directory of installed tools even where it installs none."""
    sandbox.tool_dir.write_text("")
    assert judged(sandbox, "demo-tool")[:2] == ("local", "local")
    assert demo.requests() == []


def test_a_directory_of_pythons_that_cannot_be_read_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """uv looks for its own interpreters before it asks an index."""
    (sandbox.root / "pythons").write_text("")
    assert judged(sandbox, "demo-tool", UV_PYTHON_INSTALL_DIR=str(sandbox.root / "pythons"))[:2] == ("local", "local")
    assert demo.requests() == []


def test_a_locked_cache_is_a_local_trouble(demo: Index, sandbox: Sandbox) -> None:
    """`uv cache clean` in another terminal keeps uvx waiting, then stops it."""
    sandbox.uvx("demo-tool")
    with (sandbox.uv_cache / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert judged(sandbox, "demo-tool", UV_LOCK_TIMEOUT="1") == ("local", "local", "uv could not lock its cache")
    assert demo.requests()
