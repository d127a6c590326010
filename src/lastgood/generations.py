"""Retained environments: reading what uvx built, cloning it into the store, checking that it starts, removing it.

A clone is made of hard links, so it costs milliseconds and no space; where links are impossible, of copies, file by file. It
is made in `.staging-*` and renamed into place, so a generation is whole or not there.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 3 ms before uvx starts
import errno
import fcntl
import os
import select
import stat
import time
import zlib

from lastgood import launch, paths
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MANIFEST = "lastgood.json"
CHOICES = "lastgood.choices"
SIZE = "lastgood.size"
STAGING, TRASH = ".staging-", ".trash-"
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
# Written by uv for itself: CACHEDIR.TAG would invite backup and clean-up tools to throw a generation away.
_LEFT_OUT = ("CACHEDIR.TAG", ".lock", ".gitignore", MANIFEST, CHOICES, SIZE)
_SHELL_HEADER = b"#!/bin/sh\n'''exec'"
_CHECK_SECONDS = 120.0
_MOMENT = 0.25
_POLL = 0.005
# Imports the entry point's module and looks its function up; never calls it. The alarm ends it where whoever started it was killed.
_CHECK = (
    "import sys, importlib, signal\nsignal.alarm(125)\n"
    "module, _, names = sys.argv[1].partition(':')\nfound = importlib.import_module(module)\n"
    "for name in filter(None, names.split('.')):\n    found = getattr(found, name)\n"
)


class NotRetainable(LastgoodError):  # noqa: N818 (a property of an environment)
    """The environment is none that can be cloned: not relocatable, or an installed tool's own."""


class Refused(Exception):  # noqa: N818 (what happened to a release)
    """A release was built but does not start; `args[0]` says why in one line, `own` whether the user's own smoke test found out."""

    def __init__(self, reason: str, *, own: bool = False) -> None:
        super().__init__(reason)
        self.own = own


class Environment:
    """What stands in an environment: `root`, its distributions {name: version}, where they are, its interpreter."""

    __slots__ = ("dists", "libraries", "python", "root", "uv")

    def __init__(self, root: str) -> None:
        self.root = root
        settings = _pyvenv(root)
        if settings.get("relocatable") != "true":
            raise NotRetainable(f"the environment that uvx made at `{root}` is not relocatable")
        self.python = settings.get("version_info", settings.get("version", ""))
        self.uv = settings.get("uv", "")
        self.libraries = _libraries(root)
        self.dists = _dists(self.libraries)

    @property
    def digest(self) -> str:
        """What was resolved, as text: the same closure on the same interpreter has the same digest.

        A commit and a release that was uploaded again have another one, although their version may be the same.
        """
        closure = [f"{name}=={version}" for name, version in sorted(self.dists.items())]
        return " ".join([f"python=={self.python}", *closure, f"files=={_contents(self.libraries)}"])


def installed(root: str) -> "dict[str, str]":
    """The distributions {name: version} of any environment. Raises NotRetainable where it is none, OSError."""
    return _dists(_libraries(root))


def _pyvenv(root: str) -> "dict[str, str]":
    try:
        with open(root + "/pyvenv.cfg", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise NotRetainable(f"the environment at `{root}` has no pyvenv.cfg") from error
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def _libraries(root: str) -> str:
    lib = root + "/lib"
    for name in sorted(os.listdir(lib)) if os.path.isdir(lib) else []:
        if os.path.isdir(f"{lib}/{name}/site-packages"):
            return f"{lib}/{name}/site-packages"
    raise NotRetainable(f"the environment at `{root}` has no site-packages")


def _dists(libraries: str) -> "dict[str, str]":
    found = {}
    for name in os.listdir(libraries):
        if name.endswith(".dist-info"):
            project, _, version = name[: -len(".dist-info")].partition("-")
            found[project.lower().replace("_", "-").replace(".", "-")] = version
    return found


def _contents(libraries: str) -> str:
    """A checksum of what the distributions say they have installed: each file with its hash (the RECORD of PEP 376).

    Without what uv notes for itself, which differs between two builds of the same.
    """
    total = 0
    for name in sorted(os.listdir(libraries)):
        if not name.endswith(".dist-info"):
            continue
        try:
            with open(f"{libraries}/{name}/RECORD", "rb") as file:
                lines = sorted(line for line in file.read().splitlines() if b"/uv_cache.json," not in line)
        except FileNotFoundError:
            lines = []  # its version has to do
        total = zlib.crc32(b"\n".join([name.encode("utf-8", "surrogateescape"), *lines]), total)
    return f"{total:08x}"


def direct_name(environment: Environment) -> str:
    """The package that was installed from a URL; "" where there is none."""
    for name in sorted(os.listdir(environment.libraries)):
        if name.endswith(".dist-info") and os.path.exists(f"{environment.libraries}/{name}/direct_url.json"):
            return name.partition("-")[0].lower().replace("_", "-").replace(".", "-")
    return ""


# --- the command ----------------------------------------------------------------------------------------------------


class Command:
    """How a command of an environment is started: `launch` and `file` as a card has them, and the module behind it."""

    __slots__ = ("entry", "file", "launch")

    def __init__(self, how: str, file: str, entry: str = "") -> None:
        self.launch = how
        self.file = file
        self.entry = entry


def command(root: str, name: str, *, searched: bool) -> "Command | None":
    """How the environment at `root` starts `name`; None where it does not provide it. With `searched` (`--from`), PATH does."""
    if "/" in name:
        return Command("search", "") if searched else None
    path = f"{root}/bin/{name}"
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return Command("search", "") if searched else None
    if not stat.S_ISREG(mode) or not mode & 0o111:
        return None
    with open(path, "rb") as file:
        head = file.read(len(_SHELL_HEADER))
    how = "python" if head == _SHELL_HEADER else "exec"
    return Command(how, "bin/" + name, _entry(root, name) if how == "python" else "")


def _entry(root: str, name: str) -> str:
    """`module:function` of the console or GUI script `name`; "" where it is a plain script."""
    libraries = _libraries(root)
    for directory in sorted(os.listdir(libraries)):
        if not directory.endswith(".dist-info"):
            continue
        try:
            with open(f"{libraries}/{directory}/entry_points.txt", encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        section = ""
        for line in lines:
            if line.startswith("["):
                section = line.strip(" []")
            key, _, value = line.partition("=")
            if section in ("console_scripts", "gui_scripts") and key.strip() == name:
                return value.partition("[")[0].strip()
    return ""


# --- retaining ------------------------------------------------------------------------------------------------------


def stage(home: str, environment: Environment, slug: str) -> str:
    """Clone an environment into a new staging directory of the store; its path. Raises OSError, and then leaves nothing."""
    place = f"{home}/generations/{STAGING}{os.getpid()}-{os.urandom(4).hex()}-{slug}"
    try:
        os.mkdir(place, 0o700)
        _occupy(place)
        _fill(environment.root, place, environment.root + "/")
    except BaseException:
        remove(place)
        raise
    return place


def _occupy(place: str) -> None:
    """Lock a staging directory until this process ends or becomes the tool: `gc` removes one that nobody holds."""
    try:
        fcntl.flock(os.open(place, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return  # a file system without locks: there its age protects it


def _clone(source: str, place: str, root: str) -> None:
    os.mkdir(place, 0o700)
    _fill(source, place, root)


def _fill(source: str, place: str, root: str) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in _LEFT_OUT and source + "/" == root:  # deeper, a file of that name is a package's own
                continue
            target = f"{place}/{entry.name}"
            if entry.is_symlink():
                _clone_symlink(entry.path, target, root)
            elif entry.is_dir(follow_symlinks=False):
                _clone(entry.path, target, root)
            else:
                _link(entry.path, target)


def _clone_symlink(source: str, target: str, root: str) -> None:
    """Copy a link as a link where it stays inside or is the interpreter; else take what it leads to.

    With `--link-mode symlink` every file is a link into uv's cache, which `uv cache clean` leaves dangling.
    """
    leads = os.readlink(source)
    inside = not leads.startswith("/") or leads.startswith(root)
    if inside or source.startswith((f"{root}bin/python", f"{root}bin/pypy")):
        os.symlink(leads, target)
    elif os.path.isdir(source):
        _clone(os.path.realpath(source), target, root)
    else:
        _link(os.path.realpath(source), target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        import shutil  # rare: another file system, or a cache that someone else owns

        shutil.copy2(source, target)


def keep(home: str, staged: str, name: str) -> str:
    """Rename a staged environment into its place; the generation's id."""
    while True:
        identity = f"{name}-{os.urandom(4).hex()}"
        try:
            os.rename(staged, f"{home}/generations/{identity}")
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue
        return identity


def exists(home: str, identity: str) -> bool:
    """Whether a generation stands in the store."""
    return paths.plain(identity) and os.path.isdir(f"{home}/generations/{identity}/bin")


def measure(root: str) -> None:
    """Leave the size of a generation beside it, so that nobody has to walk it again. Raises OSError."""
    total = 0
    for place, _, names in os.walk(root):
        # what was chosen is written again and again, while the size stays as it was measured
        total += sum(os.lstat(os.path.join(place, name)).st_size for name in names if name != CHOICES)
    with open(f"{root}/{SIZE}", "w", encoding="ascii") as file:
        file.write(f"{total}\n")


def size(home: str, identity: str) -> int:
    """The bytes of a generation's files, shared with uv's cache or not; 0 while nobody has measured it."""
    try:
        with open(f"{home}/generations/{identity}/{SIZE}", encoding="ascii") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return 0


def interpreter_stamp(root: str) -> "tuple[int, int]":
    """(size, mtime in ns) of the interpreter that the environment's bin/python leads to. Raises OSError where it is gone."""
    found = os.stat(root + "/bin/python")
    return found.st_size, found.st_mtime_ns


def remove(place: str) -> int:
    """Remove a tree; the bytes of its files that nothing else links to. What cannot be removed is left."""
    freed = 0
    try:
        with os.scandir(place) as entries:
            found = list(entries)
    except OSError:
        return 0
    for entry in found:
        try:
            if entry.is_dir(follow_symlinks=False):
                freed += remove(entry.path)
                continue
            status = entry.stat(follow_symlinks=False)
            os.unlink(entry.path)
            freed += status.st_size if status.st_nlink == 1 else 0
        except OSError:
            continue
    try:
        os.rmdir(place)
    except OSError:
        return freed
    return freed


# --- checking -------------------------------------------------------------------------------------------------------


def check(
    root: str,
    found: Command,
    extra: "Sequence[str]",
    environ: "Mapping[str, str]",
    beat: "Callable[[], None] | None" = None,
) -> None:
    """Raise Refused unless what is at `root` starts: its entry point imports, and the user's own `extra` command succeeds."""
    if found.entry:
        _expect_success(root, [root + "/bin/python", "-I", "-c", _CHECK, found.entry], environ, beat)
    elif found.launch == "python":
        _expect_success(root, [root + "/bin/python", "-I", "-c", ""], environ, beat)
    if extra:
        variables = {**environ, "PATH": f"{root}/bin:{environ.get('PATH', '')}"}
        program = f"{root}/bin/{extra[0]}"
        try:
            _expect_success(root, [program if os.access(program, os.X_OK) else extra[0], *extra[1:]], variables, beat)
        except Refused as error:
            raise Refused(f"its `check` failed: {error}", own=True) from error


def _expect_success(root: str, argv: "list[str]", environ: "Mapping[str, str]", beat: "Callable[[], None] | None") -> None:
    """Raise Refused with the program's last words, in which files are named as in the environment: `root` is a passing place."""
    status, said = run_quietly(argv, environ, _CHECK_SECONDS, beat)
    if status == 0:
        return
    lines = [line.strip() for line in said.replace(root + "/", "").splitlines() if line.strip()]
    reason = lines[-1][:300] if lines else f"exit status {status}"
    raise Refused(f"no end within {_CHECK_SECONDS:g}s" if status is None else reason)


def run_quietly(
    argv: "list[str]", environ: "Mapping[str, str]", seconds: float, beat: "Callable[[], None] | None" = None
) -> "tuple[int | None, str]":
    """Run a program in a session of its own, with no input: its exit status (None where it was stopped) and its last words.

    `beat` is called about once a second while it runs.
    """
    reads, writes = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writes, 1),
        (os.POSIX_SPAWN_DUP2, writes, 2),
    ]
    try:
        pid = os.posix_spawnp(
            argv[0],
            argv,
            launch.as_found(dict(environ)),
            file_actions=actions,
            setsid=True,
            setsigdef=[_signal.SIGPIPE, _signal.SIGXFSZ],
        )
    except OSError as error:
        os.close(reads)
        return 127, f"{argv[0]}: {error.strerror}"
    finally:
        os.close(writes)
    try:
        return _listen(pid, reads, time.monotonic() + seconds, beat)
    finally:
        os.close(reads)


def _listen(pid: int, reads: int, until: float, beat: "Callable[[], None] | None") -> "tuple[int | None, str]":
    """Read what a program says until it ends, not until its pipe does: what it left running may hold that open for ever."""
    said, open_end, ended = b"", True, 0
    try:
        while not ended and time.monotonic() < until:
            if beat is not None:
                beat()
            if open_end and select.select([reads], [], [], _MOMENT)[0]:
                data = os.read(reads, 65536)
                said, open_end = (said + data)[-65536:], bool(data)
            elif not open_end:
                time.sleep(_POLL)  # it closed its output; only its end is to be waited for
            if not open_end or not select.select([reads], [], [], 0)[0]:
                ended, status = os.waitpid(pid, os.WNOHANG)
    finally:
        if not ended:
            _end(pid)
    return (os.waitstatus_to_exitcode(status) if ended else None), said.decode("utf-8", "replace")


def _end(pid: int) -> None:
    """End a program and all that it started in its session."""
    try:
        os.killpg(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return  # it was waited for, and a signal arrived before that was written down


def compile_all(root: str) -> None:
    """Byte-compile a generation once, so that no run pays for it, not even where PYTHONDONTWRITEBYTECODE is set."""
    libraries = _libraries(root)
    argv = [root + "/bin/python", "-I", "-m", "compileall", "-q", "-j", "1", libraries]
    run_quietly(argv, {"PATH": os.defpath}, 300.0)
