"""Become the tool: `exec`, never a child, as the process that uvx would have made.

What CPython leaves behind in a process that it execs is undone here (UVX facts, sections 4 and D): ignored SIGPIPE and SIGXFSZ,
a coerced LC_CTYPE (PEP 538), closed standard descriptors. Nothing here decides anything.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 4 ms
import os
import sys

from lastgood.errors import LaunchFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lastgood.card import Card

_OPEN_FILES = 1048576  # what uv raises the soft limit to (uv-unix, resource_limits)
_GUARD = 64  # the lock's descriptor stands above those that scripts hand over by number
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


def open_standard_descriptors() -> None:
    """Open descriptors 0 to 2 on /dev/null where they are closed; else the next file opened would become one of them."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 (the standard library's signature)


def die_interrupted() -> None:
    """End by SIGINT itself."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    os.kill(os.getpid(), _signal.SIGINT)


def tool(home: str, card: "Card", args: "list[str]", environ: "dict[str, str]") -> "NoReturn":
    """Become the tool of `card`. Raises LaunchFailed where its generation is gone, being removed, or has lost its interpreter."""
    place = root_of(home, card)
    programs = place + "/bin"
    _stands(place, card)
    guard(place)
    environ = dict(environ)
    environ["PATH"] = f"{programs}:{environ['PATH']}" if "PATH" in environ else programs
    if card.uv:
        environ["UV"] = card.uv
    if card.nofile:
        _raise_open_files()
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


def _stands(place: str, card: "Card") -> None:
    if card.launch == "python":
        _same_interpreter(place + "/bin/python", card)
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
    fcntl.fcntl(descriptor, fcntl.F_DUPFD, _GUARD)
    os.close(descriptor)


def _same_interpreter(path: str, card: "Card") -> None:
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


def _raise_open_files() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return  # the kernel allows less than it says: uv goes on with the old limit, too


def as_found(environ: "dict[str, str]") -> "dict[str, str]":
    """`environ` without the LC_CTYPE that this interpreter set for itself in a C locale (PEP 538)."""
    if environ.get("LC_CTYPE") not in _COERCED or environ.get("LC_ALL"):
        return environ
    try:
        with open("/proc/self/environ", "rb") as file:
            inherited = file.read().split(b"\0")
    except OSError:
        return environ
    if any(entry.startswith(b"LC_CTYPE=") for entry in inherited):
        return environ
    return {name: value for name, value in environ.items() if name != "LC_CTYPE"}


def become(path: str, argv: "list[str]", environ: "dict[str, str]") -> "NoReturn":
    """Replace this process. Raises LaunchFailed where the kernel refuses; nothing has run then."""
    sys.stdout.flush() if sys.stdout else None
    pipe, size = _signal.getsignal(_signal.SIGPIPE), _signal.getsignal(_signal.SIGXFSZ)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    try:
        os.execve(path, argv, as_found(environ))
    except (OSError, ValueError) as error:
        _signal.signal(_signal.SIGPIPE, pipe)
        _signal.signal(_signal.SIGXFSZ, size)
        raise LaunchFailed(f"`{path}` cannot be started: {getattr(error, 'strerror', error)}") from error
