"""What a run finds around itself without reading a file: configuration files, the interpreter, the files that uv will read.

Only names and stamps; contents are read elsewhere, off the hot path.
"""

import os

from lastgood import card, paths, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lastgood.request import Words

CONFIG_NAMES = ("lastgood.toml", "pyproject.toml")
_INTERPRETERS = ("python3", "python")


def stamp(path: str) -> "tuple[str, int, int]":
    """(path, size, mtime in ns) of a file, or (path, ABSENT, 0)."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return (path, card.ABSENT, 0)
    return (path, found.st_size, found.st_mtime_ns)


def unchanged(stamps: "list[tuple[str, int, int]]") -> bool:
    """Whether every file still is what its stamp says."""
    return all(stamp(known[0]) == known for known in stamps)


def configs(cwd: str) -> "list[str]":
    """Every lastgood.toml and pyproject.toml from `cwd` upwards, nearest first; a lastgood.toml ends the search.

    A file without [tool.lastgood] does not hide one further up, so all of them decide.
    """
    found = []
    place = cwd
    while True:
        for name in CONFIG_NAMES:
            path = place + "/" + name if place != "/" else "/" + name
            if not os.path.isfile(path):
                continue  # a directory, too, and a pipe that nobody may ever write to: uvx would not read them
            found.append(path)
            if name == CONFIG_NAMES[0]:
                return found
        parent = os.path.dirname(place)
        if parent == place:
            return found
        place = parent


def user_config(environ: "Mapping[str, str]") -> str:
    """The user-wide lastgood.toml, whether it exists or not."""
    return os.path.join(_config_home(environ), "lastgood", "lastgood.toml")


def _config_home(environ: "Mapping[str, str]") -> str:
    named = environ.get("XDG_CONFIG_HOME", "")
    return named if named.startswith("/") else os.path.join(paths.user_home(environ), ".config")


def interpreter(words: "Words", environ: "Mapping[str, str]", cwd: str) -> str:
    """What tells which interpreter uvx would pick when none is asked for; "" where one is.

    The first python on UV_PYTHON_SEARCH_PATH or PATH that is in no virtual environment; for a version manager's shim also the
    version it is told to use, since that depends on the directory.
    """
    if words.value("--python") or environ.get("UV_PYTHON"):
        return ""
    if environ.get("CONDA_DEFAULT_ENV") in ("base", "root") and environ.get("CONDA_PREFIX"):
        return environ["CONDA_PREFIX"]
    search = environ.get("UV_PYTHON_SEARCH_PATH") or environ.get("PATH", "")
    for place in search.split(":"):
        for name in _INTERPRETERS:
            path = f"{place}/{name}"
            if place and os.access(path, os.X_OK) and not os.path.lexists(f"{place}/../pyvenv.cfg"):
                if os.path.basename(place) == "shims":
                    return path + _pyenv(environ, place, cwd)
                return os.path.realpath(path)
    return "none"


def _pyenv(environ: "Mapping[str, str]", place: str, cwd: str) -> str:
    if environ.get("PYENV_VERSION"):
        return "@" + environ["PYENV_VERSION"]
    while cwd != "/":
        path = cwd + "/.python-version"
        if os.path.lexists(path):
            return f"@{path}@{stamp(path)[2]}"
        cwd = os.path.dirname(cwd)
    version = os.path.join(os.path.dirname(place), "version")
    return f"@{stamp(version)[2]}"


def uv_files(words: "Words", environ: "Mapping[str, str]") -> "list[str]":
    """The configuration files that `uvx` reads, in the order of their weight, whether they exist or not.

    User and system uv.toml unless --config-file replaces them or --no-config forbids them; the global pin in any case.
    Never a project's own: uvx ignores those.
    """
    pin = os.path.join(_config_home(environ), "uv", ".python-version")
    named = words.value("--config-file") or environ.get("UV_CONFIG_FILE")
    if named:
        return [os.path.abspath(named), pin]
    if (
        words.value("--no-config")
        or any(n == "--no-config" for n, _, _ in words.options)
        or settings.is_on(environ.get("UV_NO_CONFIG"))
    ):
        return [pin]
    user = os.path.join(_config_home(environ), "uv", "uv.toml")
    if settings.is_on(environ.get("UV_NO_SYSTEM_CONFIG")):
        return [user, pin]
    system = [f"{place}/uv/uv.toml" for place in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if place]
    return [user, *system, "/etc/uv/uv.toml", pin]


def receipt(environ: "Mapping[str, str]", package: str) -> str:
    """The receipt of `package` where `uv tool install` keeps it; uvx prefers an installed tool."""
    named = environ.get("UV_TOOL_DIR")
    if named:
        return os.path.join(os.path.abspath(named), package, "uv-receipt.toml")
    data = environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):
        data = os.path.join(paths.user_home(environ), ".local", "share")
    return os.path.join(data, "uv", "tools", package, "uv-receipt.toml")
