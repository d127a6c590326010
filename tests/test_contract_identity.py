"""lastgood's materialise command finds the environment that plain uvx runs the tool in: for every form of a target, with any option."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lastgood import request
from lastgood import uv as lastgood_uv
from tests.support.index import Index
from tests.support.interpreters import another_python, version_of
from tests.support.sandbox import Sandbox
from tests.support.wheels import Wheel, demo_dep, demo_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.contract

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
                subprocess.run(["git", "-C", project, *identity, *words], check=True, env={"PATH": self.sandbox.env["PATH"], "HOME": str(work)})

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

    def materialised(self, options: Sequence[str], source: str) -> lastgood_uv.Result:
        """Let lastgood find the environment of a source."""
        here = Path.cwd()
        environment = self.sandbox.environment()
        return _within(self.sandbox.work, here, lambda: lastgood_uv.materialise(lastgood_uv.find(environment), options, source, environment))
