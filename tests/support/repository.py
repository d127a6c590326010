"""Repositories of demo tools, for uv to fetch with the real git: a tool that prints a word, built by a backend that needs nothing.

    place = make(tmp_path / "demo", "one")            # a bare repository that any web server can serve
    index.publish_repository("gitdemo", place)        # its address for uvx: git+http://…/git/gitdemo.git
    commit(place, "two")                              # its branch moves on

The command and the distribution are called `gitdemo`, its version is 1.0 whatever the commit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support.hookworld import GIT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BACKEND = """\
import os, zipfile
NAME = "gitdemo-1.0-py3-none-any.whl"
INFO = {{
    "METADATA": "Metadata-Version: 2.1\\nName: gitdemo\\nVersion: 1.0\\n{requires}",
    "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "entry_points.txt": "[console_scripts]\\ngitdemo = gitdemo:main\\n",
}}
def build_wheel(place, config_settings=None, metadata_directory=None):
    files = {{f"gitdemo-1.0.dist-info/{{name}}": text for name, text in INFO.items()}}
    files["gitdemo.py"] = open("gitdemo.py").read()
    files["gitdemo-1.0.dist-info/RECORD"] = "".join(f"{{name}},,\\n" for name in [*files, "gitdemo-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(place, NAME), "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return NAME
"""
PROJECT = """\
[build-system]
requires = [{needs}]
build-backend = "backend"
backend-path = ["."]
[project]
name = "gitdemo"
version = "1.0"
{more}"""
DYNAMIC = 'dynamic = ["dependencies"]\n'  # else uv need not build it to know what it requires


def make(place: Path, text: str = "one", *, requires: Sequence[str] = (), needs: Sequence[str] = ()) -> Path:
    """Make a bare repository at `place` whose tool prints `text`; it `requires` at run time, and `needs` to be built."""
    source = _source_of(place)
    source.mkdir(parents=True)
    listed = "".join(f"Requires-Dist: {name}\\n" for name in requires)
    (source / "backend.py").write_text(BACKEND.format(requires=listed))
    (source / "pyproject.toml").write_text(
        PROJECT.format(needs=", ".join(f'"{name}"' for name in needs), more=DYNAMIC if requires else "")
    )
    git(source, "init", "--quiet", "--initial-branch", "main")
    return commit(place, text)


def commit(place: Path, text: str) -> Path:
    """Let the tool of a repository print another `text`, in a commit of its own."""
    source = _source_of(place)
    (source / "gitdemo.py").write_text(f"def main(): print({text!r})\n")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", text)
    shutil.rmtree(place, ignore_errors=True)
    git(source, "clone", "--quiet", "--bare", ".", str(place))
    git(place, "update-server-info")
    return place


def git(place: Path, *words: str) -> None:
    """Run git in `place`, with nobody's configuration."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), **GIT_ENVIRONMENT}
    subprocess.run(["git", *words], cwd=place, env=environment, check=True, capture_output=True)


def _source_of(place: Path) -> Path:
    return place.with_name(f"{place.name}-source")
