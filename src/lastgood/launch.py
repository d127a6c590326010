"""Become the tool: `exec`, never a child, as the process that uvx would have made.

What CPython leaves behind in a process that it execs is undone here (UVX facts, sections 4 and D): ignored SIGPIPE and SIGXFSZ,
a coerced LC_CTYPE (PEP 538), closed standard descriptors. Nothing here decides anything.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 4 ms
import errno
import os
import sys

from lastgood import settings
from lastgood.errors import LaunchFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lastgood.card import Card

_OPEN_FILES = 1048576  # what uv raises the soft limit to (uv-unix, resource_limits)
_RAISED_SINCE = (0, 12)
_GUARDS = (64, 10, 3)  # the lock's descriptor stands above those that scripts hand over by number, where the limit allows it
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
_set_aside: "list[int]" = []
"""The tool's own standard error, while this process says its words elsewhere."""
_ignored: "list[int]" = []
"""The signals that the tool is to ignore, as this process did before it waited for children of its own."""


def open_standard_descriptors() -> None:
    """Open descriptors 0 to 2 on /dev/null where they are closed; else the next file opened would become one of them."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 (the standard library's signature)


def wait_for_children() -> None:
    """Let this process hear how its children end where whoever started it ignores SIGCHLD; the tool ignores it again."""
    if _signal.getsignal(_signal.SIGCHLD) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _ignored.append(_signal.SIGCHLD)


def set_aside_standard_error(environ: "dict[str, str]") -> None:
    """Let all that is said before the tool starts go to the file that LASTGOOD_INTERNAL__NOTICES names, and forget the variable.

    Whoever takes the tool's output from one pipe (nox with `silent=True`) would find notices and uv's progress in it. The tool
    gets the descriptor that was set aside; where the file cannot be written, nothing changes.
    """
    path = environ.pop(settings.NOTICES, "")
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        _set_aside.append(os.dup(2))
        os.dup2(descriptor, 2)
        os.close(descriptor)
    except OSError:
        return  # mixed with the tool's output is better than unsaid


def die_interrupted() -> None:
    """End by SIGINT itself."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    os.kill(os.getpid(), _signal.SIGINT)


def tool(home: str, card: "Card", args: "list[str]", environ: "dict[str, str]") -> "NoReturn":
    """Become the tool of `card`. Raises LaunchFailed where its generation is gone, being removed, or has lost its interpreter."""
    place = root_of(home, card)
    programs = place + "/bin"
    _stands(place, card)
    if card.nofile:
        _raise_open_files()
    guard(place)
    environ = dict(environ)
    environ["PATH"] = f"{programs}:{environ['PATH']}" if "PATH" in environ else programs
    if card.uv:
        environ["UV"] = card.uv
    if card.launch == "search":
        become(_search(card.command, environ["PATH"]), [card.command, *args], environ)
    path = f"{place}/{card.file}"
    if card.launch == "python":
        environ["PWD"] = _directory(environ.get("PWD", ""))
        become(programs + "/python", [programs + "/python", path, *args], environ)
    become(path, [card.command, *args], environ)


def _directory(known: str) -> str:
    """The working directory as the shell header that is left out would export it: a PWD that is right stays as it is."""
    try:
        if known.startswith("/") and os.path.samestat(os.stat(known), os.stat(".")):
            return known
    except OSError:
        pass  # it names nothing
    return os.getcwd()


def root_of(home: str, card: "Card") -> str:
    """The directory of a card's generation, as the tool's own shell header would resolve it."""
    return os.path.join(os.path.realpath(home), "generations", card.generation)


def intact(home: str, card: "Card") -> None:
    """Raise LaunchFailed where the generation of `card` could not start its tool."""
    _stands(root_of(home, card), card)


def provides(card: "Card", environ: "dict[str, str]", home: str) -> bool:
    """Whether there is a program to start: uvx looks for a `--from` tool's command on PATH as well."""
    return card.launch != "search" or finds(card.command, f"{root_of(home, card)}/bin:{environ.get('PATH', '')}")


def finds(command: str, path: str) -> bool:
    """Whether execvp would find a program called `command`."""
    try:
        return os.access(_search(command, path), os.X_OK)
    except LaunchFailed:
        return False


def _stands(place: str, card: "Card") -> None:
    if card.launch == "python":
        _same_interpreter(place, card)
    if card.launch != "search":
        _same_file(f"{place}/{card.file}", card)


def guard(place: str) -> None:
    """Take a shared lock on a generation that lasts as long as the process that this one becomes: `gc` leaves it alone.

    Raises LaunchFailed where the generation is gone or being removed. A file system without locks does not stop a run.
    """
    import fcntl

    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LaunchFailed(f"the kept environment is gone: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LaunchFailed("the kept environment is being removed") from error
    except OSError:
        return  # ENOLCK or no support: network file systems; gc has other rules there
    if os.fstat(descriptor).st_ino != os.stat(place).st_ino:
        raise LaunchFailed("the kept environment was replaced")
    for least in _GUARDS:
        try:
            fcntl.fcntl(descriptor, fcntl.F_DUPFD, least)
            break
        except OSError:
            continue  # fewer files may be open than that; with no room at all the tool runs unguarded
    os.close(descriptor)


def _same_interpreter(place: str, card: "Card") -> None:
    path = place + "/bin/python"
    try:
        os.stat(place + "/pyvenv.cfg")  # without it Python starts, and looks for the tool's modules elsewhere
    except OSError as error:
        raise LaunchFailed("the kept environment has lost its `pyvenv.cfg`") from error
    try:
        found = os.stat(path)
    except OSError as error:
        raise LaunchFailed(f"the interpreter of the kept environment is gone ({_target(path)})") from error
    if (found.st_size, found.st_mtime_ns) != (card.base_size, card.base_mtime):
        raise LaunchFailed(f"the interpreter of the kept environment has changed ({_target(path)})")


def _same_file(path: str, card: "Card") -> None:
    """Refuse a program that was cut or emptied: the kernel would start a shell on it, or Python an empty script."""
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise LaunchFailed("the kept program is gone") from error
    if size != card.file_size:
        raise LaunchFailed("the kept program is not what it was")


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return path


def _search(command: str, path: str) -> str:
    """The file that execvp would start. Raises LaunchFailed where there is none."""
    if "/" in command:
        return command
    for place in path.split(":"):
        candidate = f"{place or '.'}/{command}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise LaunchFailed(f"`{command}` is neither in the environment nor on PATH")


def raises_open_files(seen: int, version: str) -> bool:
    """Whether a uv raises the soft limit of open files for its tools: `seen` is what one of them saw, `version` is uv's.

    Where the limit is as high as it goes already, nothing can be seen, and the version tells.
    """
    soft, _, wanted = _open_files()
    if soft < wanted:
        return seen > soft
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= _RAISED_SINCE


def _open_files() -> "tuple[int, int, int]":
    """The soft and the hard limit of open files, and what uv makes of the soft one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft, hard, wanted


def _raise_open_files() -> None:
    if os.sysconf("SC_OPEN_MAX") >= _OPEN_FILES:  # the soft limit; `resource` is a shared library to load
        return
    import resource

    soft, hard, wanted = _open_files()
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return  # the kernel allows less than it says: uv goes on with the old limit, too


def as_found(environ: "dict[str, str]") -> "dict[str, str]":
    """`environ` without the LC_CTYPE that this interpreter set for itself in a C locale (PEP 538): as it was, or not at all."""
    if environ.get("LC_CTYPE") not in _COERCED or environ.get("LC_ALL"):
        return environ
    try:
        with open("/proc/self/environ", "rb") as file:
            inherited = file.read().split(b"\0")
    except OSError:
        return environ
    others = {name: value for name, value in environ.items() if name != "LC_CTYPE"}
    given = next((entry for entry in inherited if entry.startswith(b"LC_CTYPE=")), None)
    return others if given is None else {**others, "LC_CTYPE": os.fsdecode(given.partition(b"=")[2])}


def _execute(path: str, argv: "list[str]", environ: "dict[str, str]") -> "NoReturn":
    """Exec; a script without a header is a shell's, as for execvp, with which uvx starts its tools."""
    try:
        os.execve(path, argv, environ)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    os.execve("/bin/sh", ["/bin/sh", path, *argv[1:]], environ)


def become(path: str, argv: "list[str]", environ: "dict[str, str]", *, waits: bool = False) -> "NoReturn":
    """Replace this process. Raises LaunchFailed where the kernel refuses; nothing has run then.

    What `waits` for children of its own, as uvx does, would fail where SIGCHLD is ignored.
    """
    sys.stdout.flush() if sys.stdout else None
    pipe, size = _signal.getsignal(_signal.SIGPIPE), _signal.getsignal(_signal.SIGXFSZ)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    for number in () if waits else _ignored:
        _signal.signal(number, _signal.SIG_IGN)
    for descriptor in _set_aside:
        os.dup2(descriptor, 2)
    try:
        _execute(path, argv, as_found(environ))
    except (OSError, ValueError) as error:
        _signal.signal(_signal.SIGPIPE, pipe)
        _signal.signal(_signal.SIGXFSZ, size)
        for number in _ignored:
            _signal.signal(number, _signal.SIG_DFL)
        raise LaunchFailed(f"`{path}` cannot be started: {getattr(error, 'strerror', error)}") from error
