"""Real wheels, built by hand: no network, no build backend, the same bytes every time.

    wheel = Wheel("greeter", "1.0", modules={"greeter.py": "def main(): print('hello')"}, entry_points={"greet": "greeter:main"})
    wheel.write(directory)                    # or index.publish(wheel)

The demo tools start with `demo_program.py`; read its docstring for the options (`--dump`, `--exit N`, `--cat` and so on):

    demo_tool("1.0")                                             # command demo-tool
    demo_tool("2.0", broken="import")                            # installs, but its module raises ImportError
    demo_tool("2.0", broken="behaviour")                         # starts, counts the start, exits 70 on everything
    demo_tool("2.0", broken="hang")                              # its import never ends
    demo_tool("1.0", requires=("demo-dep>=1",))                  # imports demo_dep; publish demo_dep("1.0"), too
    demo_dep("1.1", broken=True)                                 # the release of a dependency that breaks the tool's import
    demo_tool("1.0", name="other-tool", command="other", extra_commands=("otherd",))
    demo_tool("1.0", extras={"more": ("demo-dep",)}, requires_python=">=3.13", padding=5_000_000)
    demo_scripts("1.0")                                          # demo-sh (a sh script), demo-py (#!python), demo-native

Nothing here talks to an index or to uv.
"""

from __future__ import annotations

import base64
import hashlib
import io
import random
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Broken = Literal["import", "behaviour", "hang"]

_HERE = Path(__file__).parent
_LONG_AGO = (2020, 1, 1, 0, 0, 0)
_PRELUDES: dict[Broken | None, str] = {
    None: "",
    "behaviour": "",
    "import": 'raise ImportError("this release of the demo tool is broken")',
    "hang": "import time\nwhile True:\n    time.sleep(1)",
}
_WHEEL = "Wheel-Version: 1.0\nGenerator: lastgood-tests\nRoot-Is-Purelib: true\nTag: {}\n"
_SH_SCRIPT = """\
#!/bin/sh
# a tool that is a shell script: no Python in its process
[ -n "$DEMO_STARTS" ] && echo "demo-sh {version} pid=$$" >> "$DEMO_STARTS"
echo "demo-sh {version}"
for word in "$@"; do echo "$word"; done
"""
_PY_SCRIPT = """\
#!python
import sys
from demo_scripts.cli import main
sys.exit(main())
"""


def normalise(name: str) -> str:
    """Return a project's name as the simple API spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, eq=False)
class Wheel:
    """A wheel to be: what it is called, what it needs, what is in it.

    `modules` and `data` map paths to contents: modules go into site-packages; `scripts` go into `.data/scripts` (begin one with
    `#!python` and the installer puts the interpreter there). `entry_points` maps a command to "module:function".
    """

    name: str
    version: str
    requires: Sequence[str] = ()
    requires_python: str | None = None
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    modules: Mapping[str, str | bytes] = field(default_factory=dict)
    entry_points: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str | bytes] = field(default_factory=dict)
    tag: str = "py3-none-any"

    @property
    def project(self) -> str:
        """The normalised name."""
        return normalise(self.name)

    @property
    def stem(self) -> str:
        """Name and version as file names spell them: `demo_tool-1.0`."""
        return f"{self.project.replace('-', '_')}-{self.version}"

    @property
    def filename(self) -> str:
        """The file name that an index offers."""
        return f"{self.stem}-{self.tag}.whl"

    @cached_property
    def metadata(self) -> bytes:
        """The METADATA file."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        for extra, requirements in sorted(self.extras.items()):
            lines.append(f"Provides-Extra: {extra}")
            lines += [f"Requires-Dist: {requirement} ; extra == '{extra}'" for requirement in requirements]
        return _bytes("\n".join(lines) + "\n")

    @cached_property
    def contents(self) -> bytes:
        """The wheel file itself."""
        members = self._members()
        record = f"{self.stem}.dist-info/RECORD"
        rows = [f"{path},sha256={_record_hash(content)},{len(content)}" for path, content in members.items()]
        members[record] = _bytes("\n".join([*rows, f"{record},,"]) + "\n")
        executable = {f"{self.stem}.data/scripts/{name}" for name in self.scripts}
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for path, content in members.items():
                entry = zipfile.ZipInfo(path, date_time=_LONG_AGO)
                entry.external_attr = (0o100755 if path in executable else 0o100644) << 16
                archive.writestr(entry, content)
        return target.getvalue()

    @cached_property
    def sha256(self) -> str:
        """The hash that an index states."""
        return hashlib.sha256(self.contents).hexdigest()

    def write(self, directory: Path) -> Path:
        """Write the wheel into a directory (for `--find-links`, or to be named as a path)."""
        path = directory / self.filename
        path.write_bytes(self.contents)
        return path

    def _members(self) -> dict[str, bytes]:
        info = f"{self.stem}.dist-info"
        members = {path: _bytes(content) for path, content in sorted(self.modules.items())}
        members |= {f"{self.stem}.data/scripts/{name}": _bytes(content) for name, content in sorted(self.scripts.items())}
        members[f"{info}/METADATA"] = self.metadata
        members[f"{info}/WHEEL"] = _bytes(_WHEEL.format(self.tag))
        if self.entry_points:
            commands = "".join(f"{command} = {target}\n" for command, target in sorted(self.entry_points.items()))
            members[f"{info}/entry_points.txt"] = _bytes("[console_scripts]\n" + commands)
        return members


def demo_tool(  # one keyword for each way in which a release can differ
    version: str,
    *,
    name: str = "demo-tool",
    command: str | None = None,
    extra_commands: Sequence[str] = (),
    requires: Sequence[str] = (),
    requires_python: str | None = None,
    extras: Mapping[str, Sequence[str]] | None = None,
    broken: Broken | None = None,
    prelude: str = "",
    padding: int = 0,
) -> Wheel:
    """Return a release of a demo tool.

    `prelude` is code that its module runs while it is imported; `padding` makes the wheel that many bytes bigger.
    A tool that requires `demo-dep` imports it.
    """
    package = normalise(name).replace("-", "_")
    needs_dep = any(normalise(entry).startswith("demo-dep") for entry in requires)
    imports = "from demo_dep import answer as _answer\n" if needs_dep else ""
    cli = f"{imports}{prelude}\n{_PRELUDES[broken]}\nfrom {package}.program import main\n"
    modules: dict[str, str | bytes] = {
        f"{package}/__init__.py": f"NAME = {name!r}\nVERSION = {version!r}\nBEHAVIOUR = {broken!r}\n",
        f"{package}/__main__.py": f"import sys\nfrom {package}.cli import main\nsys.exit(main())\n",
        f"{package}/cli.py": cli,
        f"{package}/program.py": _program(),
    }
    if padding:
        modules[f"{package}/padding.bin"] = random.Random(f"{name} {version}").randbytes(padding)  # noqa: S311  # no secret
    commands = (command or name, *extra_commands)
    return Wheel(
        name,
        version,
        requires=tuple(requires),
        requires_python=requires_python,
        extras=extras or {},
        modules=modules,
        entry_points=dict.fromkeys(commands, f"{package}.cli:main"),
    )


def demo_dep(version: str, *, broken: bool = False) -> Wheel:
    """Return a release of the library that demo tools may need; a broken one lacks the name that they import."""
    body = "" if broken else "answer = 42\n"
    return Wheel("demo-dep", version, modules={"demo_dep/__init__.py": f"VERSION = {version!r}\n{body}"})


def demo_scripts(version: str) -> Wheel:
    """Return a tool without entry points: `demo-sh`, `demo-py` and, where a C compiler exists, `demo-native`."""
    tool = demo_tool(version, name="demo-scripts")
    scripts: dict[str, str | bytes] = {"demo-sh": _SH_SCRIPT.replace("{version}", version), "demo-py": _PY_SCRIPT}
    native = native_executable()
    if native is not None:
        scripts["demo-native"] = native
    return Wheel("demo-scripts", version, modules=tool.modules, scripts=scripts)


@cache
def native_executable() -> bytes | None:
    """Compile `demo_native.c` once; None without a C compiler (tests that need it skip)."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory, "demo-native")
        subprocess.run([compiler, "-O1", "-o", target, _HERE / "demo_native.c"], check=True)  # our own source
        return target.read_bytes()


@cache
def _program() -> str:
    return (_HERE / "demo_program.py").read_text("utf-8")


def _record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
