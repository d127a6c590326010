"""Promise 1, never worse than uvx: while the index answers, the same words do the same thing, whoever is asked.

Each line of the tables below is a command line. It goes to plain `uvx` and to `lastgood run`, which is asked twice: with
nothing kept, and again with what the first run kept. Exit status, stdout and what the tool says of its process (arguments,
environment, directory, version, interpreter, descriptors, limits) must be equal; the only difference allowed is where the
environment lies. Where no tool starts, what stands on stderr must be equal, too.

    KEPT      lastgood keeps what uvx built and runs it from there; the second run asks nobody
    KEPT_ASKING   kept likewise, but these words ask for news every time
    HANDED    these words are plain uvx's: lastgood steps aside and keeps nothing
    FAILING   uvx starts no tool, and says why
    OFFLINE   likewise, where lastgood has a hint to add
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shlex
import shutil
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.index import Index
from tests.support.interpreters import another_python, system_python
from tests.support.sandbox import Sandbox
from tests.support.wheels import Wheel, demo_dep, demo_scripts, demo_tool, native_executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.sandbox import Result

OWN_NUMBERS = ("pid", "ppid", "pgid", "sid")  # of the process itself: no two runs share them
SHELL_VARIABLES = ("_", "SHLVL")  # some shells count themselves; uv's scripts begin with one, which lastgood spares the tool
EARLIER = "2022-01-01T00:00:00Z"


@dataclass(frozen=True)
class Line:
    """A command line: uvx's words, then the tool's; `{names}` in words and variables stand for the places of `World`."""

    words: str
    args: str = "--dump"
    env: Mapping[str, str | None] = field(default_factory=dict)
    cwd: str = "{work}"
    status: int = 0
    needs: str = ""


def line(words: str, args: str = "--dump", *, cwd: str = "{work}", status: int = 0, needs: str = "", **env: str | None) -> Line:
    """Write a line of the tables."""
    return Line(words, args, env, cwd, status, needs)


def failing(words: str, args: str = "--dump", *, status: int = 1, cwd: str = "{work}", **env: str | None) -> Line:
    """Write a line that starts no tool."""
    return Line(words, args, env, cwd, status)


KEPT = {
    # what is asked for
    "a name": line("demo-tool"),
    "a name and a version": line("demo-tool@1.0"),
    "a name and an older spelling of a version": line("demo-tool==1.0"),
    "a name and a range": line("'demo-tool>=1,<2'"),
    "a name and a wildcard": line("'demo-tool==1.*'"),
    "a name and what is excluded": line("'demo-tool!=2.0'"),
    "a compatible release": line("demo-tool~=1.0"),
    "blanks around the target": line("' demo-tool '"),
    "blanks inside the target": line("'demo-tool >= 1, < 2'"),
    "an extra": line("'demo-tool[more]'"),
    "an extra and a version": line("'demo-tool[more]@1.0'"),
    "two extras": line("'demo-tool[more, less]'"),
    "a prerelease that is named": line("demo-tool@3.0a1"),
    "a release that was withdrawn, by its number": line("demo-yanked==2.0"),
    "a name with a withdrawn newest release": line("demo-yanked"),
    "a package with dependencies": line("dep-tool"),
    "a package in mixed case whose command is spelt so": line("Mixed_Tool"),
    "a package whose name has a dot": line("odd.tool"),
    "a package whose name is a word of uv": line("help"),
    "a package whose name begins like an interpreter": line("python-demo"),
    "a command that only a dependency provides": line("wrapper"),
    "a wheel at an address": line("{index}/files/demo_tool-1.0-py3-none-any.whl"),
    "a name at an address": line("'demo-tool @ {index}/files/demo_tool-1.0-py3-none-any.whl'"),
    "a repository": line("git+{server}/project.git", needs="git"),
    "a tag of a repository": line("git+{server}/project.git@v1", needs="git"),
    "a name in a repository": line("'source-tool @ git+{server}/project.git'", needs="git"),
    # where it comes from
    "from a package": line("--from demo-tool demo-toold"),
    "from a package, glued": line("--from=demo-tool demo-tool"),
    "from a package and a version": line("--from demo-tool@1.0 demo-tool"),
    "from a package in another spelling": line("--from Demo_Tool demo-tool"),
    "from a package with a dependency's command": line("--from meta-tool demo-tool"),
    "from a package, a program of the machine": line("--from demo-tool env", "echo {work}"),
    "from a package, a program by its path": line("--from demo-tool {work}/script", "one two"),
    "from a package, the interpreter": line("--from demo-tool python", "-c 'import demo_tool; print(demo_tool.VERSION)'"),
    "from a package, a shell script": line("--from demo-scripts demo-sh", "one 'two three'"),
    "from a package, a Python script": line("--from demo-scripts demo-py"),
    "from a package, a binary": line("--from demo-scripts demo-native", needs="cc"),
    "from an address": line("--from {index}/files/demo_tool-1.0-py3-none-any.whl demo-toold"),
    "from a repository": line("--from git+{server}/project.git source-tool", needs="git"),
    # what else goes in
    "with another package": line("--with demo-dep demo-tool"),
    "with, short": line("-w demo-dep demo-tool"),
    "with, short and glued": line("-wdemo-dep demo-tool"),
    "with, short and equal": line("-w=demo-dep demo-tool"),
    "with nothing": line("--with= demo-tool"),
    "with two packages in one word": line("--with demo-dep,plugin demo-tool"),
    "with two packages in two words": line("--with demo-dep --with plugin demo-tool"),
    "with a version of a package": line("--with demo-dep==1.0 demo-tool"),
    "with requirements": line("--with-requirements {work}/requirements.txt demo-tool"),
    "with requirements, by a relative path": line("--with-requirements ../requirements.txt demo-tool", cwd="{work}/below"),
    "within constraints": line("--constraints {work}/constraints.txt demo-tool"),
    "within constraints, short": line("-c {work}/constraints.txt demo-tool"),
    "with overrides": line("--overrides {work}/overrides.txt dep-tool"),
    # which interpreter
    "an interpreter by its path": line("-p {python} demo-tool"),
    "an interpreter by its version": line("--python {version} demo-tool"),
    "an interpreter, short and glued": line("-p{version} demo-tool"),
    "another interpreter": line("-p {other} demo-tool", needs="another Python"),
    "a release that needs another interpreter": line("-p {other} newer-tool", needs="another Python"),
    # how it is resolved
    "prereleases": line("--prerelease allow demo-tool"),
    "prereleases, by the hidden flag": line("--pre demo-tool"),
    "the lowest versions": line("--resolution lowest dep-tool"),
    "nothing newer than a day": line("--exclude-newer 2023-01-01 demo-tool"),
    "an index more": line("--index {other_index}/simple/ demo-tool"),
    "an index more, the old way": line("--extra-index-url {other_index}/simple/ demo-tool"),
    "another index": line("--default-index {other_index}/simple/ demo-tool"),
    "another index, short": line("-i {other_index}/simple/ demo-tool"),
    "another strategy for indexes": line("--index {other_index}/simple/ --index-strategy unsafe-best-match demo-tool"),
    "wheels of a directory": line("--no-index --find-links {wheels} demo-tool"),
    "wheels of a directory, short": line("--no-index -f {wheels} demo-tool"),
    "no source distributions": line("--no-build demo-tool"),
    "no configuration": line("--no-config demo-tool"),
    "another configuration": line("--config-file {work}/lowest.toml dep-tool"),
    "several options in one word": line("-qp{version} demo-tool"),
    "the end of options": line("-q -- demo-tool", "--dump -- --x"),
    "isolated from installed tools": line("--isolated demo-tool", UV_TOOL_DIR="{installed}"),
    "newest, whatever is installed": line("demo-tool>=2", UV_TOOL_DIR="{installed_other}"),
    # how it is written and reached
    "copied files": line("--link-mode copy demo-tool"),
    "symbolic links": line("--link-mode symlink plugin-tool"),
    "compiled files": line("--compile-bytecode demo-tool"),
    "no keyring": line("--keyring-provider disabled demo-tool"),
    "a host that needs no certificate": line("--allow-insecure-host 127.0.0.1 demo-tool"),
    "no interpreter from the network": line("--no-python-downloads demo-tool"),
    "not fresh": line("--no-refresh demo-tool"),
    "not offline": line("--no-offline demo-tool"),
    "offline and then not": line("--offline --no-offline demo-tool"),
    "another cache": line("--cache-dir {tmp}/cache demo-tool"),
    # what is said
    "quiet": line("-q demo-tool"),
    "quiet, twice": line("-qq demo-tool"),
    "no colour": line("--color never demo-tool"),
    "no progress": line("--no-progress demo-tool"),
    # where it runs
    "in a directory": line("--directory {work}/below demo-tool"),
    "in a directory, by a relative path": line("--directory below demo-tool"),
    "in a directory with a configuration": line("demo-tool", cwd="{work}/configured"),
    "in a directory, with the name of another in PWD": line("--directory below demo-tool", PWD="{work}"),
    "in a directory, with its name in PWD": line("demo-tool", PWD="{work}"),
    "in a directory by another name of it": line("demo-tool", cwd="{work}/link", PWD="{work}/link"),
    "in a directory, with nonsense in PWD": line("demo-tool", PWD="nonsense"),
    "of a project": line("--project {work}/configured demo-tool"),
    # what the environment says
    "an index, by a variable": line("demo-tool", UV_INDEX="{other_index}/simple/"),
    "the index, by a variable": line("demo-tool", UV_DEFAULT_INDEX="{other_index}/simple/"),
    "the index, by the old variable": line("demo-tool", UV_DEFAULT_INDEX=None, UV_INDEX_URL="{other_index}/simple/"),
    "constraints, by a variable": line("demo-tool", UV_CONSTRAINT="{work}/constraints.txt"),
    "overrides, by a variable": line("dep-tool", UV_OVERRIDE="{work}/overrides.txt"),
    "the lowest versions, by a variable": line("dep-tool", UV_RESOLUTION="lowest"),
    "prereleases, by a variable": line("demo-tool", UV_PRERELEASE="allow"),
    "a day, by a variable": line("demo-tool", UV_EXCLUDE_NEWER="2023-01-01"),
    "an interpreter, by a variable": line("demo-tool", UV_PYTHON="{version}"),
    "isolated, by a variable": line("demo-tool", UV_ISOLATED="1", UV_TOOL_DIR="{installed}"),
    "copied files, by a variable": line("demo-tool", UV_LINK_MODE="copy"),
    "a directory, by a variable": line("demo-tool", UV_WORKING_DIR="{work}/below"),
    "no configuration, by a variable": line("demo-tool", UV_NO_CONFIG="1", XDG_CONFIG_HOME="{config}"),
    "a configuration, by a variable": line("dep-tool", UV_CONFIG_FILE="{work}/lowest.toml"),
    "a configuration of the user": line("dep-tool", XDG_CONFIG_HOME="{config}"),
    "an empty variable": line("demo-tool", UV_INDEX=""),
    "a variable that uv does not know": line("demo-tool", UV_NO_SUCH_THING="1"),
    "an environment that is active": line("demo-tool", VIRTUAL_ENV="{work}/venv", PYTHONPATH="{work}/venv"),
    "UV already set": line("demo-tool", UV="{work}/uv"),
    "no home": line("demo-tool", HOME=None, UV_CACHE_DIR="{cache}", UV_TOOL_DIR="{tmp}/tools"),
    "variables in lower case, with digits and lines": line("demo-tool", lower="1", A1="2", LINES="a\nb"),
    "no environment to speak of": line("demo-tool", LANG=None, TMPDIR=None, XDG_DATA_HOME=None, XDG_STATE_HOME=None),
    # what the tool gets
    "no arguments": line("demo-tool", ""),
    "arguments that look like uvx's": line("demo-tool", "--dump --with x -p 3 --from y --offline -q"),
    "arguments that look like lastgood's": line("demo-tool", "--dump --mode strict-cache --max-age 3 --prefer-offline"),
    "arguments with a double dash first": line("demo-tool", "-- --dump"),
    "help and version, after the target": line("demo-tool", "--help -V --dump"),
    "arguments that are empty or blank": line("demo-tool", "--dump '' ' ' '\n' '\t'"),
    "arguments of another script": line("demo-tool", "--echo naïve 日本語 '$HOME' '*' \"'\""),
    "an argument with a line break before the target": line("--with 'demo-dep' demo-tool", "'a\nb' --dump"),
    "a status of the tool's own": line("demo-tool", "--dump --exit 7", status=7),
    "the status that uv itself fails with": line("demo-tool", "--dump --exit 2", status=2),
    "a status beyond the system's": line("demo-tool", "--dump --exit 300", status=44),
    "newer than is installed": line("demo-tool@2.0", UV_TOOL_DIR="{installed}"),
}
KEPT_ASKING = {
    "the latest": line("demo-tool@latest"),
    "the latest, with an extra": line("'demo-tool[more]@latest'"),
    "the latest, whatever is installed": line("demo-tool@latest", UV_TOOL_DIR="{installed}"),
    "refreshed": line("--refresh demo-tool"),
    "one package refreshed": line("--refresh-package demo-tool demo-tool"),
    "upgraded": line("-U demo-tool"),
    "one package upgraded": line("-P demo-tool demo-tool"),
    "reinstalled": line("--reinstall demo-tool"),
}
HANDED = {
    "an interpreter": line("python", "-c 'import sys; print(sys.prefix == sys.base_prefix)'"),
    "an interpreter of a version": line("python@{version}", "-c 'print(1)'"),
    "from an interpreter": line("--from python{version} python", "-c 'print(1)'"),
    "a wheel in a file": line("{wheels}/demo_tool-1.0-py3-none-any.whl"),
    "a wheel by a relative path": line("./demo_tool-1.0-py3-none-any.whl", cwd="{wheels}"),
    "a source directory": line("{project}"),
    "a source directory with a final slash": line("below/", cwd="{project}/.."),
    "this directory": line(".", cwd="{project}"),
    "a file address": line("file://{project}"),
    "a name at a file address": line("'source-tool @ file://{project}'"),
    "from a source directory": line("--from {project} source-tool"),
    "with an editable": line("--with-editable {project} demo-tool"),
    "a repository on this machine": line("git+file://{repository}", needs="git"),
    "a marker": line("'demo-tool; python_version > \"3\"'"),
    "requirements that lead on": line("--with-requirements {work}/leading.txt demo-tool"),
    "an environment file": line("--env-file {work}/env demo-tool"),
    "an environment file that is forbidden": line("--env-file {work}/env --no-env-file demo-tool"),
    "an environment file, by a variable": line("demo-tool", UV_ENV_FILE="{work}/env"),
    "no cache": line("--no-cache demo-tool"),
    "no cache, short": line("-n demo-tool"),
    "no cache, by a variable": line("demo-tool", UV_NO_CACHE="1"),
    "an installed tool": line("demo-tool", UV_TOOL_DIR="{installed}"),
    "an installed tool, by its version": line("demo-tool@1.0", UV_TOOL_DIR="{installed}"),
    "another command of an installed tool": line("--from demo-tool demo-toold", UV_TOOL_DIR="{installed}"),
    "more than is installed": line("--with demo-dep demo-tool", UV_TOOL_DIR="{installed}"),
    "this platform by name": line("--python-platform linux demo-tool"),
}
FAILING = {
    # unknown or impossible
    "a package that does not exist": failing("no-such-tool"),
    "a package that does not exist, quietly": failing("-q no-such-tool"),
    "a package that does not exist, silently": failing("-qq no-such-tool"),
    "a version that does not exist": failing("demo-tool@9.9"),
    "a range that nothing fits": failing("'demo-tool>2.0,<3'"),
    "a package with nothing on its page": failing("empty-tool"),
    "from a package that does not exist": failing("--from no-such-tool demo-tool"),
    "with a package that does not exist": failing("--with no-such-thing demo-tool"),
    "constraints that exclude each other": failing("-c {work}/constraints.txt demo-tool@2.0"),
    "nothing of that age": failing("--exclude-newer 2010-01-01 demo-tool"),
    "wheels that are not there": failing("--no-index --find-links {wheels} plugin"),
    "no index at all": failing("--no-index demo-tool"),
    "a dependency that does not exist": failing("needy-tool"),
    "a package that does not exist, upgraded": failing("-U no-such-tool"),
    "a package that does not exist, with a deprecated option": failing("--native-tls no-such-tool"),
    "a wheel that is not at its address": failing("{index}/files/no_such-1.0-py3-none-any.whl"),
    # installed, but no command
    "another spelling of the command": failing("Demo_Tool"),
    "a package without commands": failing("meta-tool"),
    "a package without commands, as a library": failing("demo-dep"),
    "a package with other commands": failing("demo-scripts"),
    "a command that nobody has": failing("--from demo-tool no-such-command"),
    "a command that is no program": failing("--from demo-tool {work}/requirements.txt", status=2),
    "a command that is a directory": failing("--from demo-tool {work}", status=2),
    "offline and fresh": failing("--offline --refresh demo-tool", status=2),
    "offline by a variable, and fresh": failing("--refresh demo-tool", status=2, UV_OFFLINE="1"),
    "offline by a variable, and one package fresh": failing("--refresh-package demo-dep demo-tool", status=2, UV_OFFLINE="on"),
    # words that uv refuses
    "an unknown option": failing("--no-such-option demo-tool", status=2),
    "an unknown letter": failing("-Z demo-tool", status=2),
    "an option that is cut short": failing("--fro demo-tool demo-tool", status=2),
    "a value that is missing": failing("--with", args="", status=2),
    "a value that is an option": failing("--with --isolated demo-tool", status=2),
    "a flag with a value": failing("--isolated=true demo-tool", status=2),
    "an option twice": failing("-p {version} -p {version} demo-tool", status=2),
    "a flag twice": failing("--isolated --isolated demo-tool", status=2),
    "from, twice": failing("--from demo-tool --from demo-tool demo-tool", status=2),
    "quiet and verbose": failing("-q -v demo-tool", status=2),
    "a value that is none of the choices": failing("--resolution nonsense demo-tool", status=2),
    "an interpreter that does not exist": failing("-p 3.99 demo-tool", status=2),
    "an interpreter that uv no longer knows": failing("-p 3.2 demo-tool", status=2),
    "a requirement that is none": failing("'demo-tool==='", status=2),
    "a target with a bare at": failing("demo-tool@", status=2),
    "an extra that is not closed": failing("'demo-tool[more'", status=2),
    "a Python script as target": failing("script.py", status=2),
    "no target": failing("--isolated", args="", status=2),
    "a double dash twice": failing("-- --", args="demo-tool", status=2),
    "an empty target": failing("''", status=2),
    "a path that leads nowhere": failing("./etc/passwd"),
    # files and variables that cannot be used
    "requirements that are not there": failing("--with-requirements {work}/none.txt demo-tool", status=2),
    "constraints that are not there": failing("-c {work}/none.txt demo-tool", status=2),
    "a directory that is not there": failing("--directory {work}/none demo-tool", status=2),
    "a project that is not there": failing("--project {work}/none demo-tool", status=2),
    "an environment file that is not there": failing("--env-file {work}/none demo-tool", status=2),
    "a configuration that is not there": failing("--config-file {work}/none.toml demo-tool", status=2),
    "a configuration that is invalid": failing("demo-tool", status=2, XDG_CONFIG_HOME="{bad_config}"),
    "a timeout that is no number": failing("demo-tool", status=2, UV_HTTP_TIMEOUT="abc"),
    "a switch that is none": failing("demo-tool", status=2, UV_OFFLINE="perhaps"),
    "another switch that is none": failing("demo-tool", status=2, UV_ISOLATED="perhaps"),
    "an index that is no address": failing("demo-tool", status=2, UV_DEFAULT_INDEX="http://["),
    "an interpreter in a variable that does not exist": failing("demo-tool", status=2, UV_PYTHON="3.99"),
    # words that want no tool
    "help, after an option": failing("--isolated --help", args="", status=0),
    "help, short": failing("-q -h", args="demo-tool", status=0),
    "the version": failing("-q --version", args="", status=0),
    "the version, short": failing("-qV", args="demo-tool", status=0),
    "a completion": failing("--generate-shell-completion fish", args="", status=0),
}
OFFLINE = {
    "offline with nothing cached": failing("--offline --cache-dir {tmp}/empty demo-tool"),
    "offline by a variable, with nothing cached": failing("demo-tool", UV_OFFLINE="1", UV_CACHE_DIR="{tmp}/empty"),
    "offline with a version that is not cached": failing("--offline demo-tool@9.9"),
}


class World:
    """One index, one user, and the files that the tables name."""

    def __init__(self, root: Path, index: Index, other: Index, server: str) -> None:
        """Publish what the tables ask for and lay out the files."""
        self.index = index
        self.other = other
        self.sandbox = Sandbox(root, index)
        self.homes = 0
        sandbox, work = self.sandbox, self.sandbox.work
        wheels, project = sandbox.root / "wheels", sandbox.root / "projects" / "below"
        publish(index, other)
        self.places: dict[str, str] = {
            "index": index.url.removesuffix("/simple/"),
            "other_index": other.url.removesuffix("/simple/"),
            "server": server,
            "work": str(work),
            "tmp": str(sandbox.tmp),
            "cache": str(sandbox.uv_cache),
            "wheels": str(wheels),
            "project": str(project),
            "repository": str(root / "served" / "project.git"),
            "config": str(sandbox.root / "config-lowest"),
            "bad_config": str(sandbox.root / "config-bad"),
            "installed": str(sandbox.root / "installed"),
            "installed_other": str(sandbox.root / "installed-other"),
            "python": str(system_python()),
            "version": version_of_python(sandbox),
            "other": str(another_python() or "none"),
        }
        lay_out_files(work, sandbox.root)
        wheels.mkdir()
        demo_tool("1.0").write(wheels)
        make_project(project)
        make_repository(project, root / "served", sandbox)
        self.install("installed", "demo-tool==1.0")
        self.install("installed_other", "plugin-tool")

    def install(self, place: str, requirement: str) -> None:
        """Install a tool as `uv tool install` does, where one line of the tables looks for it."""
        env = {"UV_TOOL_DIR": self.places[place], "UV_TOOL_BIN_DIR": self.places[place] + "-bin"}
        done = self.sandbox.run(["uv", "tool", "install", requirement], env=env)
        assert done.status == 0, done.err

    def text(self, template: str) -> str:
        """Put the places in."""
        return functools.reduce(lambda text, name: text.replace("{" + name + "}", self.places[name]), self.places, template)

    def new_home(self) -> Path:
        """Return a home for lastgood that does not exist yet."""
        self.homes += 1
        return self.sandbox.root / f"lastgood-{self.homes}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all lines: uv's cache is shared, lastgood's home is new for each."""
    root = tmp_path_factory.mktemp("differential").resolve()
    (root / "served").mkdir()
    with Index.start(root) as index, Index.start(root) as other, serve(root / "served") as server:
        made = World(root, index, other, f"http://127.0.0.1:{server.server_address[1]}")
        yield made
        made.sandbox.close()
        server.shutdown()


def publish(index: Index, other: Index) -> None:
    """Fill both indexes."""
    extras = {"more": ("demo-dep",), "less": ()}
    for version, day in (("1.0", EARLIER), ("2.0", "2024-01-01T00:00:00Z"), ("3.0a1", "2025-01-01T00:00:00Z")):
        index.publish(demo_tool(version, extra_commands=("demo-toold",), extras=extras), upload_time=day)
    other.publish(demo_tool("1.5", extra_commands=("demo-toold",)))
    for wheel in (
        demo_dep("1.0"),
        demo_dep("1.1"),
        demo_tool("1.0", name="dep-tool", requires=("demo-dep",)),
        demo_tool("1.0", name="Mixed_Tool"),
        demo_tool("1.0", name="odd.tool"),
        demo_tool("1.0", name="help"),
        demo_tool("1.0", name="python-demo"),
        demo_tool("1.0", name="demo-yanked"),
        demo_tool("1.0", name="plugin-tool"),
        demo_tool("1.0", name="provider", command="wrapper"),
        demo_tool("1.0", name="broken-tool", broken="import"),
        demo_tool("1.0", name="needy-tool", requires=("no-such-thing",)),
        demo_tool("1.0", name="newer-tool", requires_python=">=3.6"),
        demo_scripts("1.0"),
        Wheel("wrapper", "1.0", requires=("provider",), modules={"wrapper_library.py": ""}),
        Wheel("meta-tool", "1.0", requires=("demo-tool==1.0",), modules={"meta.py": ""}),
        Wheel("plugin", "1.0", modules={"plugin.py": ""}),
        Wheel("empty-tool", "1.0", modules={"empty.py": ""}),
    ):
        index.publish(wheel)
    index.unpublish("empty-tool", "1.0")
    index.publish(demo_tool("2.0", name="demo-yanked"), yanked="broken")


def lay_out_files(work: Path, root: Path) -> None:
    """Write the files that the lines name."""
    texts = {
        "requirements.txt": "# a comment\ndemo-dep>=1\n",
        "leading.txt": "-r requirements.txt\n",
        "constraints.txt": "demo-tool<2\n",
        "overrides.txt": "demo-dep==1.0\n",
        "lowest.toml": 'resolution = "lowest"\n',
        "env": "FROM_FILE=yes\nLANG=overridden\n",
        "script": '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n',
        "configured/pyproject.toml": '[project]\nname = "x"\nversion = "1"\n[tool.uv]\nresolution = "lowest"\n',
        "configured/uv.toml": 'resolution = "lowest"\n',
        "below/.python-version": "3.2\n",
    }
    for name, text in texts.items():
        path = work / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    (work / "script").chmod(0o755)
    (work / "link").symlink_to("below")
    for name, text in (("config-lowest", 'resolution = "lowest"\n'), ("config-bad", "resolution =\n")):
        (root / name / "uv").mkdir(parents=True)
        (root / name / "uv" / "uv.toml").write_text(text, "utf-8")


BACKEND = """\
import shutil

WHEEL = "{wheel}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    shutil.copy(WHEEL, wheel_directory)
    return WHEEL


build_editable = build_wheel
"""


def make_project(project: Path) -> None:
    """Make a source tree with a build backend of its own, so that building it needs no index."""
    wheel = demo_tool("1.0", name="source-tool")
    project.mkdir(parents=True)
    wheel.write(project)
    (project / "backend.py").write_text(BACKEND.replace("{wheel}", wheel.filename), "utf-8")
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (project / "pyproject.toml").write_text(f'[project]\nname = "source-tool"\nversion = "1.0"\n{build}', "utf-8")


def make_repository(project: Path, served: Path, sandbox: Sandbox) -> None:
    """Put the source tree into a bare repository that a plain file server can serve."""
    if missing("git"):
        return
    clone = served.parent / "clone"
    shutil.copytree(project, clone)
    author = ["-c", "user.name=demo", "-c", "user.email=demo@localhost"]
    git = ["git", *author, "-C", str(clone)]
    bare = str(served / "project.git")
    for command in (
        [*git, "init", "--quiet", "--initial-branch=main"],
        [*git, "add", "."],
        [*git, "commit", "--quiet", "--message=first"],
        [*git, "tag", "v1"],
        ["git", "clone", "--quiet", "--bare", str(clone), bare],
        ["git", "-C", bare, "update-server-info"],
    ):
        done = sandbox.run(command)
        assert done.status == 0, done.err


def serve(directory: Path) -> http.server.ThreadingHTTPServer:
    """Serve a directory on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class calls them
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def version_of_python(sandbox: Sandbox) -> str:
    """Return the version of the interpreter that uvx picks by itself, as `3.12`."""
    return sandbox.run([str(system_python()), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).out.strip()


def missing(need: str) -> str:
    """Return why a line cannot be tried on this machine, "" where it can."""
    lacking = {
        "": False,
        "git": shutil.which("git") is None,
        "cc": native_executable() is None,
        "another Python": another_python() is None,
    }
    return f"this machine has no {need}" if lacking[need] else ""


def differences(found: Result, expected: Result, world: World) -> dict[str, tuple[object, object]]:
    """Return what lastgood's run and uvx's differ in, by name: empty where they do the same."""
    mine, theirs = look(found, world), look(expected, world)
    return {name: (mine.get(name), theirs.get(name)) for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)}


def look(result: Result, world: World) -> dict[str, object]:
    """Return status and stdout (what the tool says of its process, if it does, one by one) without what no two runs share.

    The place of the environment is written as `<environment>`.
    """
    text = place_of_environments(world).sub("<environment>", result.out)
    if text.startswith('{"argv"'):
        seen: dict[str, Any] = json.loads(text)
        environment = {f"env {name}": value for name, value in seen.pop("env").items() if name not in SHELL_VARIABLES}
        seen["exec_env"] = sorted(entry for entry in seen["exec_env"] or [] if not entry.startswith(("_=", "SHLVL=")))
        return {"status": result.status, **{name: seen[name] for name in seen if name not in OWN_NUMBERS}, **environment}
    return {"status": result.status, "stdout": sorted(text.splitlines()) if text.startswith("argv ") else text}


def place_of_environments(world: World) -> re.Pattern[str]:
    """Match where uv and lastgood keep environments."""
    root = re.escape(str(world.sandbox.root))
    parts = (r"uv-cache/archive-v0/[^/\"\s:]+", r"tmp/cache/archive-v0/[^/\"\s:]+", r"tmp/[^/]+/archive-v0/[^/\"\s:]+")
    return re.compile(rf"{root}/(?:{'|'.join(parts)}|lastgood-\d+/generations/[^/\"\s:]+)")


def complaint(result: Result, world: World) -> list[str]:
    """Return what stands on stderr, without durations and without the news that the environment was built: that is so only once."""
    said = re.sub(r"\b\d+(\.\d+)?(ms|s)\b", "<time>", place_of_environments(world).sub("<environment>", result.err))
    return [one for one in said.splitlines() if not one.startswith(("Installed ", "Downloading ", " Downloaded "))]


class Trial:
    """One line, run in both ways."""

    def __init__(self, world: World, line: Line) -> None:
        """Take a new home for lastgood; uvx sees the same variables, that one included."""
        if reason := missing(line.needs):
            pytest.skip(reason)
        self.world = world
        self.home = world.new_home()
        words = [world.text(word) for word in shlex.split(line.words)]
        self.argv = [*words, *(world.text(word) for word in shlex.split(line.args))]
        given = {name: None if value is None else world.text(value) for name, value in line.env.items()}
        env = {**given, "LASTGOOD_HOME": str(self.home)}
        self.options: dict[str, Any] = {"env": env, "cwd": world.sandbox.work / world.text(line.cwd)}

    def uvx(self) -> Result:
        """Run the line through plain uvx."""
        return self.world.sandbox.uvx(*self.argv, **self.options)

    def lastgood(self) -> Result:
        """Run the line through lastgood."""
        return self.world.sandbox.lastgood("run", *self.argv, **self.options)

    def kept(self) -> list[Path]:
        """Return what lastgood keeps."""
        return sorted(self.home.glob("generations/*"))


@pytest.mark.parametrize("line", KEPT.values(), ids=KEPT)
def test_a_tool_that_is_kept_runs_as_under_uvx(world: World, line: Line) -> None:
    """With nothing kept, and again from what is kept, when neither uv nor the index is asked any more."""
    trial = Trial(world, line)
    expected = trial.uvx()
    assert expected.status == line.status, expected.err
    first = trial.lastgood()
    assert differences(first, expected, world) == {}, first.err
    assert len(trial.kept()) == 1, first.err
    world.index.clear_requests()
    second = trial.lastgood()
    assert differences(second, expected, world) == {}, second.err
    assert world.index.requests() == []
    assert "lastgood" not in first.err + second.err


@pytest.mark.parametrize("line", KEPT_ASKING.values(), ids=KEPT_ASKING)
def test_a_tool_that_is_asked_for_anew_runs_as_under_uvx(world: World, line: Line) -> None:
    """Every time the index is asked, and every time it is what uvx would have run."""
    trial = Trial(world, line)
    expected = trial.uvx()
    for _ in range(2):
        world.index.clear_requests()
        found = trial.lastgood()
        assert differences(found, expected, world) == {}, found.err
        assert world.index.requests() != []
        assert complaint(found, world) == complaint(expected, world)
        assert trial.kept() != []


@pytest.mark.parametrize("line", HANDED.values(), ids=HANDED)
def test_what_lastgood_does_not_keep_is_plain_uvx(world: World, line: Line) -> None:
    """It becomes uvx with the same words: nothing is kept and nothing is added to what uvx says."""
    trial = Trial(world, line)
    expected, found = trial.uvx(), trial.lastgood()
    assert differences(found, expected, world) == {}, found.err
    assert expected.status == 0
    assert trial.kept() == []
    assert "lastgood" not in found.err


@pytest.mark.parametrize("line", FAILING.values(), ids=FAILING)
def test_where_uvx_starts_no_tool_lastgood_says_the_same(world: World, line: Line) -> None:
    """The same status and the same words on both streams, the first time and the second, and no tool starts."""
    trial = Trial(world, line)
    world.sandbox.clear_starts()
    expected = trial.uvx()
    assert expected.status == line.status, expected.err
    for _ in range(2):
        found = trial.lastgood()
        assert differences(found, expected, world) == {}
        assert complaint(found, world) == complaint(expected, world)
    assert world.sandbox.starts() == 0


def assert_refused_as_by_uvx(world: World, trial: Trial) -> None:
    """The words are a usage error to uvx: its status, its complaint, and nothing starts."""
    world.sandbox.clear_starts()
    expected, found = trial.uvx(), trial.lastgood()
    assert expected.status == 2
    assert differences(found, expected, world) == {}
    assert complaint(found, world) == complaint(expected, world)
    assert world.sandbox.starts() == 0


@pytest.mark.parametrize(
    "option",
    [
        "--color purple",
        "--link-mode nosuch",
        "--keyring-provider nosuch",
        "--directory=",
        "--directory ''",
        "--project=",
        "--project ''",
        "--cache-dir=",
    ],
)
def test_a_value_that_uv_refuses_is_refused_although_the_tool_is_kept(world: World, option: str) -> None:
    """What decides nothing about the environment is still uv's to accept: nothing starts where uvx would not start it."""
    trial = Trial(world, line(f"{option} demo-tool"))
    assert world.sandbox.lastgood("run", "demo-tool", "--version", **trial.options).status == 0
    assert_refused_as_by_uvx(world, trial)


@pytest.mark.parametrize("option", ["--refresh", "--no-refresh --refresh", "--refresh-package demo-dep"])
def test_news_without_a_network_are_refused_although_the_tool_is_kept(world: World, option: str) -> None:
    """UV_OFFLINE and `--refresh` exclude each other to uv: its words, its status, and nothing starts."""
    trial = Trial(world, line(f"{option} demo-tool", UV_OFFLINE="1"))
    assert world.sandbox.lastgood("run", "demo-tool", "--version", env={"LASTGOOD_HOME": str(trial.home)}).status == 0
    assert_refused_as_by_uvx(world, trial)


@pytest.mark.parametrize(
    "option",
    [
        "-U",
        "--reinstall",
        "-P demo-dep",
        "--upgrade-group dev",
        "--reinstall-package demo-dep",
        "--refresh --no-refresh",
        "--refresh-package demo-dep --no-refresh",
        "--refresh --no-offline",
    ],
)
def test_what_uv_takes_without_a_network_runs(world: World, option: str) -> None:
    """Of the words that ask for news uv refuses only the one that it would have to ask somebody for."""
    trial = Trial(world, line(f"{option} demo-tool", UV_OFFLINE="1"))
    assert world.sandbox.lastgood("run", "demo-tool", "--version", env={"LASTGOOD_HOME": str(trial.home)}).status == 0
    expected, found = trial.uvx(), trial.lastgood()
    assert expected.status == 0
    assert differences(found, expected, world) == {}


@pytest.mark.parametrize("line", OFFLINE.values(), ids=OFFLINE)
def test_a_miss_without_network_is_told_in_uvs_words_and_a_hint_follows(world: World, line: Line) -> None:
    """The same status and the same words; then one line of lastgood's that says what would help."""
    trial = Trial(world, line)
    expected, found = trial.uvx(), trial.lastgood()
    assert expected.status == line.status
    assert differences(found, expected, world) == {}
    *uv, hint = complaint(found, world)
    assert uv == complaint(expected, world)
    assert hint.startswith("lastgood: hint: ")


def test_a_first_release_that_cannot_start_fails_as_under_uvx(world: World) -> None:
    """It is not kept and fails in its own words with its own status; one line before them says that it did not pass the check."""
    trial = Trial(world, line("broken-tool@1.0"))
    expected = trial.uvx()
    assert expected.status == 1
    first, second = trial.lastgood(), trial.lastgood()
    assert (differences(first, expected, world), differences(second, expected, world)) == ({}, {})
    warning, *rest = complaint(first, world)
    assert warning.startswith("lastgood: warning: `broken-tool` 1.0 was built but does not start (ImportError: ")
    assert rest == complaint(expected, world)
    assert [one for one in complaint(second, world) if not one.startswith("lastgood: warning: ")] == rest
    assert trial.kept() == []
