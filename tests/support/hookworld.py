"""Real hook runners, and this repository as a repository of hooks, without any network.

    suite = HookSuite(directory)              # or the fixture `suite` of test_precommit.py, one a session
    project = suite.project(sandbox, [{"id": "lastgood", "args": ["demo-tool"]}])
    project.prepare("prek")                   # builds the hooks' environments; nobody is asked for packages
    result = project.commit()                 # git commit, with whatever `project.install(…)` put into .git/hooks

The hooks' environments are built from wheels that are made of what is installed beside the tests: lastgood's dependencies and its
build backend. `additional_dependencies` come from the wheels that `suite.offer` adds. The environments are kept for the session.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.support.sandbox import Result, Sandbox
    from tests.support.wheels import Wheel

Runner = Literal["pre-commit", "prek"]
RUNNERS: tuple[Runner, ...] = ("pre-commit", "prek")
ROOT = Path(__file__).parents[2]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "src", "scripts")
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")


class HookSuite:
    """This repository at a commit, the wheels that its environment is made of, and the stores of the runners."""

    def __init__(self, directory: Path) -> None:
        """Commit the working tree and pack the wheels."""
        self.directory = directory
        self.repository = directory / "lastgood"
        self.wheels = directory / "wheels"
        self.wheels.mkdir()
        (directory / "config" / "uv").mkdir(parents=True)
        (directory / "config" / "uv" / "uv.toml").write_text(f'no-index = true\nfind-links = ["{self.wheels}"]\n', "utf-8")
        _copy_shipped(self.repository)
        git(self.repository, "init", "--quiet")
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", "as it is")
        self.revision = git(self.repository, "rev-parse", "HEAD").strip()
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        for found in _closure([*settings["project"]["dependencies"], *settings["build-system"]["requires"]]):
            _repack(found, self.wheels)

    def offer(self, wheel: Wheel) -> None:
        """Make a package available as an additional dependency."""
        wheel.write(self.wheels)

    def environment(self) -> dict[str, str]:
        """Return the variables that lead the runners to their stores, and git to no configuration but ours."""
        return {
            "PRE_COMMIT_HOME": str(self.directory / "pre-commit"),
            "PREK_HOME": str(self.directory / "prek"),
            "PRE_COMMIT_COLOR": "never",
            **GIT_ENVIRONMENT,
        }

    def project(
        self, sandbox: Sandbox, hooks: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]] = (), *, name: str = "project"
    ) -> Project:
        """Return a new project of the user that has one file and uses these hooks of the suite, and `others` as they are."""
        mine = {"repo": str(self.repository), "rev": self.revision, "hooks": list(hooks)}
        config = {"default_language_version": {"python": PYTHON}, "repos": [mine, *others]}
        sandbox.env |= self.environment()
        place = sandbox.work / name
        place.mkdir()
        git(place, "init", "--quiet", "--initial-branch", "main")
        (place / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), "utf-8")
        (place / "a.py").write_text("a = 1\n", "utf-8")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "--message", "first")
        return Project(self, sandbox, place)

    def programs(self, name: str, having: str = "lastgood") -> list[Path]:
        """Return the programs of that name in the environments of hooks that have another one, too."""
        found = sorted(self.directory.glob(f"pre-commit/**/bin/{name}")) + sorted(self.directory.glob(f"prek/**/bin/{name}"))
        return [path for path in found if path.with_name(having).exists()]


class Project:
    """A user's repository with hooks."""

    def __init__(self, suite: HookSuite, sandbox: Sandbox, place: Path) -> None:
        """Take over a repository; use `HookSuite.project`."""
        self.suite = suite
        self.sandbox = sandbox
        self.place = place

    def clone(self) -> Project:
        """Return a fresh clone of what is committed."""
        place = self.place.with_name("clone")
        git(self.place, "clone", "--quiet", str(self.place), str(place))
        return Project(self.suite, self.sandbox, place)

    def prepare(self, runner: Runner) -> None:
        """Build the environments of the hooks, from the suite's wheels alone."""
        edits: dict[str, str | None] = {
            "PATH": os.pathsep.join([self.sandbox.env["PATH"], str(Path(sys.executable).resolve().parent)]),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.suite.wheels),
            "PIP_NO_COMPILE": "1",  # as fast as it gets: the tests read a tenth of what is installed
            "VIRTUALENV_OVERRIDE_APP_DATA": str(self.suite.directory / "virtualenv"),
            "XDG_CONFIG_HOME": str(self.suite.directory / "config"),  # prek takes the variables of some settings away from uv
            "UV_CACHE_DIR": str(self.suite.directory / "uv-cache"),
            "UV_DEFAULT_INDEX": None,
        }
        result = self.run(runner, "install-hooks" if runner == "pre-commit" else "prepare-hooks", env=edits, timeout=120)
        assert result.status == 0, result

    def install(self, runner: Runner, *stages: str) -> None:
        """Let git call the runner at these stages."""
        result = self.run(runner, "install", *(word for stage in stages for word in ("--hook-type", stage)))
        assert result.status == 0, result

    def run(self, runner: Runner, *words: str, **options: Any) -> Result:  # those of Sandbox.run
        """Run `pre-commit WORDS…` or `prek WORDS…` in the project."""
        return self.sandbox.run([program(runner), *words], cwd=self.place, **options)

    def hook(self, runner: Runner, name: str, *words: str, **options: Any) -> Result:  # as above
        """Run one hook on all files."""
        return self.run(runner, "run", name, "--all-files", *words, **options)

    def commit(self, **options: Any) -> Result:  # as above
        """Change every file and commit it, as a person does."""
        for path in self.place.glob("*.py"):
            path.write_text(path.read_text("utf-8") + "b = 2\n", "utf-8")
        return self.git("commit", "--all", "--message", "change", **options)

    def git(self, *words: str, **options: Any) -> Result:  # as above
        """Run `git WORDS…` as the user of the sandbox, hooks included."""
        return self.sandbox.run(["git", *words], cwd=self.place, **options)


GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A User",
    "GIT_AUTHOR_EMAIL": "user@example.invalid",
    "GIT_COMMITTER_NAME": "A User",
    "GIT_COMMITTER_EMAIL": "user@example.invalid",
}


def program(name: str) -> str:
    """Return a program of the environment that runs the tests."""
    return str(Path(sysconfig.get_path("scripts"), name))


def git(place: Path, *words: str) -> str:
    """Run git without hooks of anybody and return what it printed."""
    place.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), **GIT_ENVIRONMENT}
    done = subprocess.run(["git", *words], cwd=place, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _copy_shipped(target: Path) -> None:
    target.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)


def _closure(requirements: Iterable[str]) -> list[Distribution]:
    """Return the installed distributions that these requirements need, with all that those need."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        extras = {"", *wanted.extras}
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if name not in found:
            found[name] = distribution(wanted.name)
            for needed in map(Requirement, found[name].requires or []):
                if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                    needed.marker = None
                    waiting.append(needed)
    return list(found.values())


def _repack(installed: Distribution, target: Path) -> None:
    """Write the wheel that would install what is installed."""
    files = installed.files or []
    stem = next(file.parts[0] for file in files if file.parts[0].endswith(".dist-info")).removesuffix(".dist-info")
    tag = re.findall(r"^Tag: (.+)$", installed.read_text("WHEEL") or "", re.MULTILINE)[-1]
    commands = {point.name for point in installed.entry_points}
    rows = []
    with zipfile.ZipFile(target / f"{stem}-{tag}.whl", "w") as archive:
        for file in files:
            if file.suffix == ".pyc" or file.name in _LEFT_OUT or (file.parts[0] == ".." and file.name in commands):
                continue
            inside = str(file)
            if file.parts[0] == "..":
                if file.parts[-2] != "bin":
                    continue
                inside = f"{stem}.data/scripts/{file.name}"
            contents = Path(str(installed.locate_file(file))).read_bytes()
            entry = zipfile.ZipInfo(inside, date_time=(2020, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if inside.startswith(f"{stem}.data/") else 0o100644) << 16
            archive.writestr(entry, contents)
            digest = base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).decode().rstrip("=")
            rows.append(f"{inside},sha256={digest},{len(contents)}")
        archive.writestr(f"{stem}.dist-info/RECORD", "\n".join([*rows, f"{stem}.dist-info/RECORD,,"]) + "\n")
