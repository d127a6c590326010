"""The only place that starts uv: finding it, materialising an environment, and handing a command line over to plain uvx."""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 3 ms before uvx starts
import fcntl
import os
import select
import sys
import time

from lastgood import launch, tee
from lastgood.errors import NoUvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn

SHIM_MARK = b"lastgood shim"
_HEADER = 8192  # bytes in which the mark stands, however long the path of the interpreter before it is
_RESULT = 9  # dash knows only single digits
_HIGH = 10
# The child that reports where it runs and keeps uv's cache lock until its standard input ends. A shell instead of the
# environment's Python saves 10 ms of every refresh, and works in an environment whose interpreter does not.
_REPORT = f'{{ printf "%s\\n%s\\n" "${{PATH%%:*}}" "$UV"; ulimit -n; echo .; }} >&{_RESULT}; exec {_RESULT}>&-; read -r _; :'
_QUIET_VARIABLES = {"UV_NO_WRAP": "1", "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
_TIMEOUT_VARIABLES = ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT")
_LOW_SPEED_VARIABLES = ("GIT_HTTP_LOW_SPEED_LIMIT", "GIT_HTTP_LOW_SPEED_TIME")  # the one says what the other means
# uv's git speaks the user's language, and what it says is judged. It chooses catalogues of messages and nothing else: how files
# are read in a build stays as it was, and the tool is started with the user's own.
_LANGUAGE = {"LANGUAGE": "C"}


class Uv:
    """A uv that was found: its `path`, the words that start its `uvx`, and where it was found."""

    __slots__ = ("found", "path", "uvx")

    def __init__(self, path: str, uvx: "list[str]", found: str) -> None:
        self.path = path
        self.uvx = uvx
        self.found = found


def find(environ: "Mapping[str, str]") -> Uv:
    """The uv to use: LASTGOOD_UV, else one on PATH, else the one installed beside lastgood.

    Raises NoUvError, naming what LASTGOOD_UV says where that is wrong.
    """
    named = environ.get("LASTGOOD_UV")
    if named:
        path = on_path("uv" if os.path.isdir(named) else named, named if os.path.isdir(named) else environ.get("PATH", ""))
        if not path:
            raise NoUvError(f"`LASTGOOD_UV` is `{named}`, which is no program", "set it to the path of uv, or unset it")
        if is_shim(path):
            raise NoUvError(f"`LASTGOOD_UV` is `{named}`, which is lastgood itself", "set it to the path of uv, or unset it")
        return _with_uvx(path, "LASTGOOD_UV")
    search = _users_path(environ)
    path = on_path("uv", search)
    if path:
        return _with_uvx(path, "PATH")
    for uvx in _all_on_path("uvx", search):
        if not is_shim(uvx):
            return Uv(uvx, [uvx], "PATH")
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    if _is_program(beside):
        return _with_uvx(beside, "the environment of lastgood")
    raise NoUvError("`uv` was not found on PATH; install uv or set `LASTGOOD_UV` to its path")


def _users_path(environ: "Mapping[str, str]") -> str:
    """PATH as it is outside lastgood's own hooks: a hook runner puts the hook's environment first, where a uv is, too."""
    search = environ.get("PATH", "")
    if not environ.get("PRE_COMMIT"):
        return search
    own = os.path.dirname(sys.executable)
    return ":".join(place for place in search.split(":") if place != own)


def default_index(found: Uv, environ: "Mapping[str, str]") -> str:
    """The index that uv asks where no option names one, with credentials where its settings have some; "" where it does not say.

    Nobody is asked. From a directory whose own settings say nothing, as for `uvx`, which reads those of no project.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lastgood-") as place:
        with open(f"{place}/uv.toml", "w", encoding="ascii"):
            pass  # or uv would look for settings further up
        words = ["pip", "compile", "--directory", place, "--offline", "--no-cache", "--quiet", "--no-header"]
        name, _, url = ask(found, [*words, "--emit-index-url", "-"], environ).partition(" ")
    return url.strip() if name == "--index-url" else ""


def on_path(name: str, path: str) -> str:
    """The first program called `name` on `path`, or `name` itself where it has a slash; absolute, "" where there is none."""
    if "/" in name:
        named = os.path.expanduser(name)
        return os.path.abspath(named) if _is_program(named) else ""
    return next(_all_on_path(name, path), "")


def _all_on_path(name: str, path: str) -> "Iterator[str]":
    for place in path.split(":"):
        candidate = os.path.join(place, name)
        if place and _is_program(candidate):
            yield os.path.abspath(candidate)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _with_uvx(path: str, found: str) -> Uv:
    """Uv with the `uvx` beside it, or `uv tool uvx`, which is what uvx itself starts, where there is none or it is lastgood."""
    for place in (os.path.dirname(path), os.path.dirname(os.path.realpath(path))):
        uvx = os.path.join(place, "uvx")
        if _is_program(uvx) and not is_shim(uvx):
            return Uv(path, [uvx], found)
    return Uv(path, [path, "tool", "uvx"], found)  # `tool run` knows no `--version`, and its help calls itself so


def ask(found: Uv, words: "Sequence[str]", environ: "Mapping[str, str]", seconds: float = 10.0) -> str:
    """The first line that `uv WORDS` prints; "" where it fails, or does not end within `seconds`."""
    import subprocess  # 12 ms, and only those who ask what is wrong need it

    try:
        done = subprocess.run(
            [found.path, *words], env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines[0].strip() if lines and done.returncode == 0 else ""


def is_uv(found: Uv, environ: "Mapping[str, str]") -> bool:
    """Whether what was found is uv, which tells its version whatever else is wrong."""
    return ask(found, ["--version"], environ).startswith("uv")


def another_program(found: Uv) -> NoUvError:
    """The error of what was found and is no uv."""
    return NoUvError(f"`{found.path}` ({found.found}) is no uv: it ended without starting anything")


def is_shim(path: str) -> bool:
    """Whether the program at `path` is lastgood in the guise of uvx."""
    try:
        with open(path, "rb") as file:
            return SHIM_MARK in file.read(_HEADER)
    except OSError:
        return False


def starts_shim(program: str, environ: "Mapping[str, str]") -> bool:
    """Whether the user who starts `program`, by name or by path, gets lastgood in the guise of uvx."""
    found = on_path(program, _users_path(environ))
    return bool(found) and is_shim(found)


def hand_over(plain: "Sequence[str]", environ: "dict[str, str]") -> "NoReturn":
    """Become plain uvx with the same words. Raises NoUvError or LaunchFailed."""
    found = find(environ)
    if environ.get("LASTGOOD_UV") and not is_uv(found, environ):
        raise another_program(found)  # what does nothing and succeeds would look like a tool that ran
    launch.become(found.uvx[0], [*found.uvx, *plain], environ, waits=True)


class Result:
    """What a materialise run came to.

    status      uv's exit status (128 + n for a signal), or None where it was stopped for taking too long
    errors      what uv said
    prefix      the environment, "" where none was made
    uv          the value of UV that the tool would see
    open_files  the soft limit of open files that the tool would see
    """

    __slots__ = ("errors", "open_files", "prefix", "seconds", "status", "uv")

    def __init__(self, errors: tee.Tee) -> None:
        self.status: int | None = 0
        self.errors = errors
        self.prefix = ""
        self.uv = ""
        self.open_files = 0
        self.seconds = 0.0


def materialise(
    found: Uv,
    options: "Sequence[str]",
    source: str,
    environ: "Mapping[str, str]",
    *,
    shown: bool = False,
    timeouts: "Mapping[str, str] | None" = None,
    deadline: float = 3600.0,
    meanwhile: "Callable[[], None] | None" = None,
    use: "Callable[[Result], None] | None" = None,
    beat: "Callable[[tee.Tee], None] | None" = None,
) -> Result:
    """Let uvx resolve and build the environment of `source` and report where it is. Never starts the tool.

    `meanwhile` is called once uv works; `use` is called with the result while the child still runs, which keeps uv's cache
    lock: what it does to the environment cannot meet `uv cache clean`. With `shown`, uv's progress goes to standard error as
    under uvx. `timeouts` are set only where the user set none. `deadline` in seconds. `beat` is called with what
    uv has said so far, about once a second and whenever it says more.
    """
    argv = [*found.uvx, *options, "--from=" + source, "--", "/bin/sh", "-c", _REPORT]
    variables = {**environ, **_LANGUAGE}
    if not shown:
        variables.update(_QUIET_VARIABLES)
    if timeouts:
        given = any(name in environ for name in _TIMEOUT_VARIABLES)
        mine = {name: value for name, value in timeouts.items() if name not in environ}
        if given:
            mine.pop("UV_HTTP_TIMEOUT", None)
        if any(name in environ for name in _LOW_SPEED_VARIABLES):
            mine = {name: value for name, value in mine.items() if name not in _LOW_SPEED_VARIABLES}
        variables.update(mine)
    child = _Child(argv, launch.as_found(variables), shown=shown)
    try:
        if meanwhile is not None:
            meanwhile()
        return child.follow(time.monotonic() + deadline, use, beat)
    finally:
        child.end()


class _Child:
    """One uvx with three pipes: its report, its standard input that ends it, and its standard error."""

    def __init__(self, argv: "list[str]", environ: "dict[str, str]", *, shown: bool) -> None:
        self.errors = tee.Tee(shown=shown)
        self._started = time.monotonic()
        reads, gives = _pipe()
        waits, self._stop = _pipe()
        watched, says = _terminal() if shown and os.isatty(2) else _pipe()
        null = _high(os.open(os.devnull, os.O_WRONLY))
        actions = [
            (os.POSIX_SPAWN_DUP2, waits, 0),
            (os.POSIX_SPAWN_DUP2, null, 1),
            (os.POSIX_SPAWN_DUP2, says, 2),
            (os.POSIX_SPAWN_DUP2, gives, _RESULT),
        ]
        try:
            self.pid = os.posix_spawn(argv[0], argv, environ, file_actions=actions, setsigdef=[_signal.SIGPIPE, _signal.SIGXFSZ])
        finally:
            for descriptor in (gives, waits, says, null):
                os.close(descriptor)
        self._report, self._said = reads, watched

    def follow(self, until: float, use: "Callable[[Result], None] | None", beat: "Callable[[tee.Tee], None] | None") -> Result:
        result = Result(self.errors)
        report = b""
        open_ends = [self._report, self._said]
        while self._report in open_ends and not report.endswith(b"\n.\n"):
            ready = select.select(open_ends, [], [], 1.0)[0]
            if not ready and time.monotonic() >= until:
                result.status = None
                self._kill()
                break
            for end in ready:
                data = _read(end)
                if not data:
                    open_ends.remove(end)
                elif end == self._report:
                    report += data
                else:
                    self.errors.feed(data)
            if beat is not None and not report:
                beat(self.errors)
        if report.endswith(b"\n.\n"):
            self._understand(report.decode("utf-8", "surrogateescape"), result)
            if use is not None:
                use(result)
        self._close_stop()
        self._drain(open_ends)
        status = self._reap()
        result.status = status if result.status is not None else None
        result.seconds = time.monotonic() - self._started
        return result

    def _understand(self, report: str, result: Result) -> None:
        programs, result.uv, limit = report.split("\n")[:3]
        result.prefix = os.path.dirname(programs)
        result.open_files = int(limit) if limit.isdecimal() else sys.maxsize

    def _drain(self, open_ends: "list[int]") -> None:
        """Read the rest of what uv says, until it ends or says nothing for a moment after its own end."""
        while self._said in open_ends:
            data = _read(self._said) if select.select([self._said], [], [], 5.0)[0] else b""
            if not data:
                break
            self.errors.feed(data)
        self.errors.finish()

    def _reap(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _kill(self) -> None:
        if self.pid:
            os.kill(self.pid, _signal.SIGKILL)

    def _close_stop(self) -> None:
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        self._close_stop()
        if self.pid:
            try:
                self._kill()
                self._reap()
            except (ProcessLookupError, ChildProcessError):
                self.pid = 0  # it was reaped, and a signal arrived before that was written down
        os.close(self._report)
        os.close(self._said)


def _high(descriptor: int) -> int:
    """Move a descriptor above those that the child is given by number."""
    moved = int(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH))
    os.close(descriptor)
    return moved


def _pipe() -> "tuple[int, int]":
    reads, writes = os.pipe()
    return _high(reads), _high(writes)


def _terminal() -> "tuple[int, int]":
    """A pseudo-terminal of the size of the user's, in raw mode: uv's bytes arrive as it wrote them."""
    import contextlib
    import pty
    import termios
    import tty

    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with contextlib.suppress(OSError):  # a terminal that does not tell its size: uv assumes one
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(2, termios.TIOCGWINSZ, b"\0" * 8))
    return _high(ours), _high(theirs)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""  # EIO: the other side of the pseudo-terminal is closed
