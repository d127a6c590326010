"""The program inside every demo tool; `wheels.demo_tool` packs this file, verbatim, as `<package>/program.py`.

It runs on Python 3.9 and newer with the standard library alone. The package's `__init__` says which tool it is: `NAME`,
`VERSION` and `BEHAVIOUR`. Options are carried out in the order in which they are given, the last one decides the status:

    --version                 print "<name> <version>"
    --dump                    print one line of JSON: what the process looks like from inside
    --echo WORD...            print the remaining words, one to a line
    --cat                     copy stdin to stdout, in blocks
    --write N                 write N bytes to stdout
    --stderr TEXT             write TEXT and a newline to stderr
    --format FILE             append a line to FILE: run twice, it shows twice
    --ready FILE              create FILE
    --sleep-until FILE        wait until FILE exists (two minutes at most, then exit 75)
    --on-signal SIG STATUS    from now on, exit with STATUS when SIG arrives
    --kill SIG                end this process with SIG, its disposition set to default first
    --exit N                  exit with N

Other words are accepted and ignored, as `demo-tool check src` would be. With no words at all it prints "<name> <version> ran".
Before anything else it appends one line to the file that `DEMO_STARTS` names: that is how a second start is seen.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # importing typing costs every start 7 ms, and there are thousands in a run of all tests
if TYPE_CHECKING:
    from collections.abc import Callable

    Words = list[str]

BLOCK = 64 * 1024


def main() -> int:
    """Count the start, then do what the words say."""
    count_start()
    package = sys.modules[__name__.rpartition(".")[0]]
    if package.BEHAVIOUR == "behaviour":
        sys.stderr.write(f"{package.NAME} {package.VERSION}: this release is broken\n")
        return 70
    words = sys.argv[1:]
    if not words:
        say(f"{package.NAME} {package.VERSION} ran")
    while words:
        action = ACTIONS.get(words.pop(0))
        if action is not None:
            action(words)
    sys.stdout.flush()
    return 0


def count_start() -> None:
    """Append one line to the counter file, in a single write so that parallel starts do not mix."""
    counter = os.environ.get("DEMO_STARTS")
    if not counter:
        return
    package = sys.modules[__name__.rpartition(".")[0]]
    line = f"{package.NAME} {package.VERSION} pid={os.getpid()} {sys.argv[1:]!a}\n"
    descriptor = os.open(counter, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def say(text: str) -> None:
    """Print one line, whatever the bytes of the arguments were."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text) + b"\n")
    sys.stdout.buffer.flush()


def show_version(_words: Words) -> None:
    """`--version`: the name and the version."""
    package = sys.modules[__name__.rpartition(".")[0]]
    say(f"{package.NAME} {package.VERSION}")


def dump(_words: Words) -> None:
    """`--dump`: everything about this process that uvx and lastgood must agree on, as one line of JSON."""
    import json  # noqa: PLC0415  # no other option needs it, and a tool should start fast

    say(json.dumps(look_inside(), sort_keys=True))


def look_inside() -> dict[str, object]:
    """Describe this process.

    `signals` has been altered by Python itself at start (SIGPIPE, SIGXFSZ ignored, SIGINT handled): the native tool shows the
    inherited ones. `exec_env` is what execve got, where the platform can tell: Python may have added LC_CTYPE to `env`.
    """
    import resource  # noqa: PLC0415  # as above
    import signal  # noqa: PLC0415

    package = sys.modules[__name__.rpartition(".")[0]]
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "name": package.NAME,
        "version": package.VERSION,
        "argv0": sys.argv[0],
        "argv": sys.argv[1:],
        "orig_argv": getattr(sys, "orig_argv", None),
        "env": dict(os.environ),
        "exec_env": exec_environment(),
        "cwd": os.getcwd(),  # pathlib costs as much as the rest together
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "executable": sys.executable,
        "python": ".".join(map(str, sys.version_info[:3])),
        "fds": open_descriptors(),
        "isatty": {str(fd): is_terminal(fd) for fd in range(3)},
        "signals": signal_dispositions(),
        "blocked": sorted(signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "nofile": list(resource.getrlimit(resource.RLIMIT_NOFILE)),
        "umask": umask,
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "pgid": os.getpgrp(),
        "sid": os.getsid(0),
    }


def exec_environment() -> list[str] | None:
    """Return the environment as execve got it, "NAME=value" by "NAME=value"; None where there is no /proc."""
    try:
        with open("/proc/self/environ", "rb") as environ:  # pathlib costs as much as the rest together
            return [os.fsdecode(entry) for entry in environ.read().split(b"\0") if entry]
    except OSError:
        return None


def open_descriptors() -> dict[str, str]:
    """Return each open descriptor below 64 and what it is."""
    import stat  # noqa: PLC0415

    kinds = {stat.S_IFIFO: "pipe", stat.S_IFCHR: "device", stat.S_IFREG: "file", stat.S_IFSOCK: "socket", stat.S_IFDIR: "directory"}
    found = {}
    for descriptor in range(64):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        found[str(descriptor)] = kinds.get(stat.S_IFMT(mode), "other")
    return found


def is_terminal(descriptor: int) -> bool | None:
    """Return whether a descriptor is a terminal, None if it is closed."""
    try:
        os.fstat(descriptor)
    except OSError:
        return None
    return os.isatty(descriptor)


def signal_dispositions() -> dict[str, str]:
    """Return what each signal does in this process: default, ignored or handled."""
    import signal  # noqa: PLC0415

    words = {signal.SIG_DFL: "default", signal.SIG_IGN: "ignored"}
    return {number.name: words.get(signal.getsignal(number), "handled") for number in signal.Signals}  # type: ignore[call-overload]


def echo(words: Words) -> None:
    """`--echo WORD...`: the remaining words, one to a line."""
    while words:
        say(words.pop(0))


def cat(_words: Words) -> None:
    """`--cat`: stdin to stdout, in blocks."""
    while True:
        block = os.read(0, BLOCK)
        if not block:
            return
        write_all(block)


def write(words: Words) -> None:
    """`--write N`: N bytes to stdout."""
    left = int(words.pop(0))
    while left:
        size = min(left, BLOCK)
        write_all(b"x" * size)
        left -= size


def write_all(block: bytes) -> None:
    """Write a block to stdout, past Python's buffer."""
    while block:
        block = block[os.write(1, block) :]


def complain(words: Words) -> None:
    """`--stderr TEXT`: a line on stderr."""
    sys.stdout.flush()
    os.write(2, os.fsencode(words.pop(0)) + b"\n")


def format_file(words: Words) -> None:
    """`--format FILE`: a change that shows how often it was made."""
    with open(words.pop(0), "a", encoding="utf-8") as target:  # pathlib costs as much as the rest together
        target.write("formatted\n")


def ready(words: Words) -> None:
    """`--ready FILE`: say that the tool has come this far."""
    with open(words.pop(0), "w", encoding="utf-8") as flag:  # as above
        flag.write(f"{os.getpid()}\n")


def sleep_until(words: Words) -> None:
    """`--sleep-until FILE`: wait for a file, but never for ever: a forgotten tool must not outlive its test."""
    awaited = words.pop(0)
    deadline = time.monotonic() + 120
    while not os.path.exists(awaited):  # as above
        if time.monotonic() > deadline:
            sys.exit(75)
        time.sleep(0.01)


def on_signal(words: Words) -> None:
    """`--on-signal SIG STATUS`: exit with a status when a signal arrives."""
    import signal  # noqa: PLC0415

    number, status = signal_number(words.pop(0)), int(words.pop(0))
    signal.signal(number, lambda _number, _frame: sys.exit(status))


def kill(words: Words) -> None:
    """`--kill SIG`: die of a signal."""
    import signal  # noqa: PLC0415

    number = signal_number(words.pop(0))
    sys.stdout.flush()
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def signal_number(word: str) -> int:
    """Return the number of a signal given as TERM, SIGTERM or 15."""
    import signal  # noqa: PLC0415

    if word.isdigit():
        return int(word)
    return signal.Signals["SIG" + word.upper().replace("SIG", "", 1)].value


def leave(words: Words) -> None:
    """`--exit N`: leave with a status."""
    sys.stdout.flush()
    sys.exit(int(words.pop(0)))


ACTIONS: dict[str, Callable[[Words], None]] = {
    "--version": show_version,
    "--dump": dump,
    "--echo": echo,
    "--cat": cat,
    "--write": write,
    "--stderr": complain,
    "--format": format_file,
    "--ready": ready,
    "--sleep-until": sleep_until,
    "--on-signal": on_signal,
    "--kill": kill,
    "--exit": leave,
}
