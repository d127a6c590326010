"""lastgood's materialise command finds the environment that plain uvx runs the tool in: any form of a target, any option."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import targets
from lastgood import uv as lastgood_uv
from tests.support.index import Index
from tests.support.interpreters import another_python, version_of
from tests.support.sandbox import Sandbox
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

pytestmark = pytest.mark.contract

Pair = tuple[dict[str, str], lastgood_uv.Result]  # the tool as it sees itself under uvx, and what lastgood found

WHEEL = demo_tool("3.0", extras={"more": ("demo-dep",)})
# A build backend that needs nothing from an index: it hands out a wheel that lies beside it.
BACKEND = f"""\
import pathlib, shutil
def build_wheel(directory, config_settings=None, metadata_directory=None):
    return pathlib.Path(shutil.copy(pathlib.Path(__file__).with_name({WHEEL.filename!r}), directory)).name
build_editable = build_wheel
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "demo-tool"
version = "3.0"
"""


class World:
    """An index, a user, and the demo tool in every shape that uvx takes."""

    def __init__(self, directory: Path) -> None:
        """Make everything."""
        self.index = Index.start(directory)
        self.index.publish(demo_tool("1.0"))
        self.index.publish(demo_tool("2.0", extras={"more": ("demo-dep",)}))
        self.index.publish(demo_tool("4.0a1"))
        self.index.publish(WHEEL, upload_time="2024-06-01T00:00:00Z")
        self.index.publish(demo_dep("1.0"))
        self.index.publish(demo_dep("1.1"))
        self.index.publish(Wheel("demo-lib", "1.0", modules={"demo_lib.py": ""}))
        self.sandbox = Sandbox(directory, self.index)
        self._make_shapes(self.sandbox.work)

    def close(self) -> None:
        """End everything."""
        self.sandbox.close()
        self.index.close()

    def _make_shapes(self, work: Path) -> None:
        project = work / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text(PROJECT)
        (project / "backend.py").write_text(BACKEND)
        WHEEL.write(project)
        WHEEL.write(work)
        with tarfile.open(work / "demo_tool-3.0.tar.gz", "w:gz") as archive:
            for file in sorted(project.iterdir()):
                archive.add(file, f"demo_tool-3.0/{file.name}")
            information = tarfile.TarInfo("demo_tool-3.0/PKG-INFO")
            information.size = len(WHEEL.metadata)
            archive.addfile(information, io.BytesIO(WHEEL.metadata))
        for name, text in (("more.txt", "demo-lib\n"), ("constraints.txt", "demo-tool<2\n"), ("overrides.txt", "demo-dep==1.0\n")):
            (work / name).write_text(text)
        links = work / "links"
        links.mkdir()
        demo_tool("9.0").write(links)
        if shutil.which("git") is not None:
            for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v3"]):
                identity = ["-c", "user.name=demo", "-c", "user.email=demo@localhost"]
                subprocess.run(
                    ["git", "-C", project, *identity, *words], check=True, env={"PATH": self.sandbox.env["PATH"], "HOME": str(work)}
                )

    def filled(self, text: str) -> str:
        """Put this world's places into a target."""
        work = str(self.sandbox.work)
        files = f"http://{self.index.files_host}/files/{WHEEL.filename}"
        return text.replace("WORK", work).replace("FILE_URL", files).replace("FILE", WHEEL.filename)

    def plain(self, options: Sequence[str], words: Sequence[str]) -> dict[str, str]:
        """Run the demo tool under uvx and return its own view of itself."""
        result = self.sandbox.uvx(*options, *words, "--dump")
        assert result.status == 0, result.err
        found: dict[str, str] = result.json()
        return found

    def both_ways(self, asked: Mapping[str, tuple[list[str], str]]) -> dict[str, Pair]:
        """Ask plain uvx and lastgood for the same options and targets."""

        def pair(question: tuple[list[str], str]) -> Pair:
            options, text = question
            return self.plain(options, [text]), self.materialised(options, text)

        self.plain([], ["demo-tool"])  # so that what is asked offline is there
        with contextlib.chdir(self.sandbox.work), ThreadPoolExecutor(4) as pool:
            return dict(zip(asked, pool.map(pair, asked.values()), strict=True))

    def materialised(self, options: Sequence[str], source: str) -> lastgood_uv.Result:
        """Let lastgood find the environment of a source."""
        environment = self.sandbox.environment()
        return lastgood_uv.materialise(lastgood_uv.find(environment), options, source, environment)


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make the world once: environments are cached, and so is what uv knows about interpreters."""
    world = World(tmp_path_factory.mktemp("identity"))
    yield world
    world.close()


@pytest.fixture
def world(one_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Stand in the user's working directory."""
    monkeypatch.chdir(one_world.sandbox.work)
    return one_world


# Each form of a target, and the version that it must come to.
FORMS = {
    "demo-tool": "3.0",
    "demo-tool@1.0": "1.0",
    "demo-tool==1.0": "1.0",
    "demo-tool@latest": "3.0",
    "demo-tool[more]": "3.0",
    "demo-tool[more]@2.0": "2.0",
    "demo-tool[more]@latest": "3.0",
    "demo-tool>=1,<3": "2.0",
    "demo-tool~=1.0": "1.0",
    "demo-tool!=3.0": "2.0",
    "demo-tool===2.0": "2.0",
    " demo-tool ": "3.0",
    "demo-tool ; python_version >= '3'": "3.0",
    "demo-tool@4.0a1": "4.0a1",
    "FILE_URL": "3.0",
    "demo-tool @ FILE_URL": "3.0",
    "demo-tool[more] @ FILE_URL": "3.0",
    "demo-tool@FILE_URL": "3.0",
    "./FILE": "3.0",
    "WORK/FILE": "3.0",
    "./demo_tool-3.0.tar.gz": "3.0",
    "./project": "3.0",
    "project/": "3.0",
    "WORK/project": "3.0",
    "file://WORK/project": "3.0",
    "demo-tool @ file://WORK/project": "3.0",
    "git+file://WORK/project": "3.0",
    "git+file://WORK/project@v3": "3.0",
    "demo-tool @ git+file://WORK/project@v3": "3.0",
}


@pytest.fixture(scope="module")
def forms(one_world: World) -> dict[str, Pair]:
    """Run every form of a target both ways, side by side."""
    has_git = shutil.which("git") is not None
    return one_world.both_ways({form: ([], one_world.filled(form)) for form in FORMS if has_git or "git" not in form})


@pytest.mark.parametrize("form", FORMS)
def test_a_target_and_its_source_are_the_same_environment(forms: dict[str, Pair], form: str) -> None:
    """`uvx TARGET` runs in the very directory that `uvx --from TARGET` finds."""
    if form not in forms:
        pytest.skip("git is not installed")
    tool, found = forms[form]
    assert (found.status, found.prefix, tool["version"]) == (0, tool["prefix"], FORMS[form])


def test_the_case_of_a_target_names_the_executable(world: World) -> None:
    """`Demo_Tool` is the package demo-tool, and a command `Demo_Tool` that it does not provide, as uvx says."""
    plain = world.sandbox.uvx("Demo_Tool")
    assert (plain.status, "Demo_Tool" in plain.err) == (1, True)
    found = world.materialised([], "Demo_Tool")
    assert found.prefix == world.materialised([], "demo-tool").prefix
    assert targets.parse("Demo_Tool").command == "Demo_Tool"


OPTIONS = [
    ["--with", "demo-lib"],
    ["--with", "demo-lib==1.0", "--with=demo-dep"],
    ["-wdemo-lib,demo-dep"],
    ["--with-requirements", "more.txt"],
    ["--with-editable", "./project"],
    ["-c", "constraints.txt"],
    ["-b", "more.txt"],
    ["--overrides", "overrides.txt", "--with", "demo-dep"],
    ["--prerelease", "allow"],
    ["--resolution", "lowest"],
    ["--resolution=lowest-direct", "--with=demo-dep"],
    ["--exclude-newer", "2022-01-01"],
    ["--exclude-newer-package", "demo-tool=2022-01-01"],
    ["--no-index", "-f", "links"],
    ["--find-links", "links"],
    ["-Ckey=value"],
    ["--no-build"],
    ["--no-sources"],
    ["--no-config"],
    ["--isolated"],
    ["--refresh"],
    ["-U"],
    ["--reinstall"],
    ["--offline"],
    ["--no-managed-python"],
    ["--index-strategy", "unsafe-best-match"],
    ["--fork-strategy", "fewest"],
    ["--directory", "links"],
    ["--project", "project"],
]


@pytest.fixture(scope="module")
def optioned(one_world: World) -> dict[str, Pair]:
    """Run the tool with every set of options both ways, side by side."""
    return one_world.both_ways({" ".join(options): (options, "demo-tool") for options in OPTIONS})


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_options_mean_the_same_to_both(optioned: dict[str, Pair], options: list[str]) -> None:
    """Whatever an option does to the environment, it does to lastgood's command, too."""
    tool, found = optioned[" ".join(options)]
    assert (found.status, found.prefix) == (0, tool["prefix"])


@pytest.mark.parametrize(
    "options", [["--link-mode=copy"], ["--link-mode=symlink"], ["--compile-bytecode"], ["--no-installer-metadata"]], ids=" ".join
)
def test_how_an_environment_is_written_does_not_choose_another(world: World, options: list[str]) -> None:
    """The options that records are not split by lead to the environment that stands there already."""
    plain = world.materialised([], "demo-tool")
    assert world.materialised(options, "demo-tool").prefix == plain.prefix


def test_another_python_is_another_environment(world: World) -> None:
    """`-p`, `--python=` and UV_PYTHON choose the interpreter for both."""
    other = another_python()
    if other is None:
        pytest.skip("only one minor version of Python is installed")
    tool = world.plain(["-p", str(other)], ["demo-tool"])
    assert tool["python"].startswith("{}.{}.".format(*(version_of(other) or ())))
    assert world.materialised([f"--python={other}"], "demo-tool").prefix == tool["prefix"]
    assert world.materialised([], "demo-tool").prefix != tool["prefix"]


def test_a_relative_age_is_taken(world: World) -> None:
    """`--exclude-newer` knows days, so a cool-down is an option of uvx's."""
    found = world.materialised(["--exclude-newer", "1 day"], "demo-tool")
    assert (found.status, world.plain(["--exclude-newer", "P1D"], ["demo-tool"])["prefix"]) == (0, found.prefix)


def test_a_cool_down_in_one_word_is_taken(world: World) -> None:
    """The short form that people write, `1d`."""
    assert world.materialised(["--exclude-newer=1d"], "demo-tool").status == 0


def test_without_a_cache_the_environment_is_gone_with_the_call(world: World) -> None:
    """`--no-cache` is plain uvx's: its environment ends with the tool, and none is like another."""
    tools = [world.plain(["--no-cache"], ["demo-tool"]) for _ in range(2)]
    assert tools[0]["prefix"] != tools[1]["prefix"]
    assert not Path(tools[0]["prefix"]).exists()


def test_the_environment_stands_while_it_is_used(world: World) -> None:
    """What is done with an environment is done before uv lets go of it, even of one that it is about to remove."""
    seen: list[bool] = []
    environment = world.sandbox.environment()
    found = lastgood_uv.materialise(
        lastgood_uv.find(environment),
        ["--no-cache"],
        "demo-tool",
        environment,
        use=lambda result: seen.append(Path(result.prefix, "bin", "demo-tool").exists()),
    )
    assert (seen, Path(found.prefix).exists()) == ([True], False)


def test_nothing_is_read_from_the_project_that_one_stands_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """uvx ignores the pyproject.toml, uv.toml and .python-version of a working directory."""
    project = world.sandbox.work / "configured"
    project.mkdir()
    (project / "uv.toml").write_text('resolution = "lowest"\n')
    (project / "pyproject.toml").write_text('[tool.uv]\nresolution = "lowest"\n')
    (project / ".python-version").write_text("3.99\n")
    plain = world.materialised([], "demo-tool").prefix
    monkeypatch.chdir(project)
    assert world.materialised([], "demo-tool").prefix == plain
    tool = world.sandbox.uvx("demo-tool", "--dump", cwd=project).json()
    assert tool["prefix"] == plain


def test_the_users_configuration_is_read(world: World) -> None:
    """The user's uv.toml decides, and `--no-config` shuts it out."""
    file = world.sandbox.config_home / "uv" / "uv.toml"
    file.parent.mkdir()
    file.write_text('resolution = "lowest"\n')
    try:
        assert world.plain([], ["demo-tool"])["version"] == "1.0"
        assert world.plain(["--no-config"], ["demo-tool"])["version"] == "3.0"
    finally:
        file.unlink()
