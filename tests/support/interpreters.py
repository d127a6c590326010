"""The Python interpreters of this machine: found by looking, never named by a path.

system_python()                # a real interpreter that no virtual environment and no version-manager shim hides
interpreters()                 # {"3.11": Path(…), "3.12": Path(…)}: one of each minor version
another_python()               # one of another minor version than `system_python()`, or None: skip
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from uv import find_uv_bin

OLDEST = (3, 9)  # the demo tools need it


@cache
def uv_binary() -> Path:
    """Return the uv of the environment that runs the tests."""
    return Path(find_uv_bin()).resolve()


@cache
def posix_directories() -> tuple[Path, ...]:
    """Return where POSIX says that `sh`, `dirname` and their like are."""
    entries = (os.confstr("CS_PATH") or os.defpath).split(":")
    return tuple(dict.fromkeys(Path(entry).resolve() for entry in entries if entry))


@cache
def system_python() -> Path:
    """Return a `python3` whose directory may stand on a user's PATH.

    The operating system's own if it has one that is new enough, else the one that the tests' environment was made from.
    """
    standard = os.pathsep.join(map(str, posix_directories()))
    candidates = [shutil.which("python3", path=standard), str(Path(sys.base_prefix, "bin", "python3"))]
    for candidate in candidates:
        if candidate and version_of(Path(candidate)) is not None:
            return Path(candidate)
    message = f"no usable python3 in {candidates}"
    raise RuntimeError(message)


@cache
def interpreters() -> dict[str, Path]:
    """Return one real interpreter of each minor version, the system's own first."""
    found: dict[str, Path] = {}
    for candidate in [system_python(), *_candidates()]:
        version = version_of(candidate)
        if version is not None:
            found.setdefault("{}.{}".format(*version), candidate)
    return found


def another_python() -> Path | None:
    """Return an interpreter of another minor version than `system_python()`."""
    version = version_of(system_python())
    others = [path for path in interpreters().values() if version_of(path) != version]
    return others[0] if others else None


@cache
def version_of(python: Path) -> tuple[int, int] | None:
    """Return the version of a real interpreter; None for shims, virtual environments and what is too old."""
    if not _is_real(python):
        return None
    code = "import sys; print(*sys.version_info[:2], sys.prefix == sys.base_prefix)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=20)  # found above
    words = done.stdout.split()
    if done.returncode or words[2:] != ["True"]:
        return None
    version = (int(words[0]), int(words[1]))
    return version if version >= OLDEST else None


def _is_real(python: Path) -> bool:
    try:
        with python.open("rb") as executable:
            return executable.read(2) != b"#!"  # a version manager's shim is a script
    except OSError:
        return False


def _candidates() -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    managed = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share", "uv", "python")
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    directories += [*sorted(pyenv.glob("*/bin")), *sorted(managed.glob("*/bin")), Path(sys.base_prefix, "bin")]
    return [path for directory in directories for path in sorted(directory.glob("python3.*")) if _PYTHON.fullmatch(path.name)]


_PYTHON = re.compile(r"python3\.\d+")
