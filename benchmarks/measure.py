"""Starting programs and taking their time and memory: interleaved, so that a busy moment falls on every row alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tests.support.interpreters import system_python

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIB = 1 << 20
# A small process that starts another and reports the peak of that one: what a big process forks is as big, at first, as itself.
_PEAK = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
_, status, usage = os.wait4(pid, 0)
print(status, usage.ru_maxrss)
"""


@dataclass
class Row:
    """One program to be measured: what is done before each run, outside the clock, and after it."""

    name: str
    argv: Sequence[str]
    env: dict[str, str] | Callable[[], dict[str, str]]
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, in seconds."""
        if len(self.seconds) < 4:  # quartiles need four
            return (max(self.seconds) - min(self.seconds)) / 2
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2


def interleave(rows: Sequence[Row], runs: int, *, warm_up: bool = True) -> None:
    """Measure all rows in turn, so many times."""
    for number in range(runs + warm_up):
        for row in rows:
            row.before()
            seconds = timed(row.argv, row.env() if callable(row.env) else row.env)
            row.after()
            if number >= warm_up:
                row.seconds.append(seconds)


def timed(argv: Sequence[str], env: dict[str, str]) -> float:
    """Run a program with nothing to read and nobody to hear it; return its seconds. A failure ends the benchmark."""
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], list(argv), env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"bench: {' '.join(argv)}: exit status {os.waitstatus_to_exitcode(status)}")
    return seconds


def at_once(argv: Sequence[str], env: dict[str, str], count: int) -> float:
    """Run a program so many times at once; return the seconds until the last one ended."""
    null = subprocess.DEVNULL
    began = time.perf_counter()
    processes = [subprocess.Popen(argv, env=env, stdin=null, stdout=null, stderr=null) for _ in range(count)]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        sys.exit(f"bench: {' '.join(argv)}: exit statuses {statuses}")
    return time.perf_counter() - began


def peak(argv: Sequence[str], env: dict[str, str], runs: int) -> float:
    """Return the peak resident memory of a process, in MiB: of whatever it was, before exec and after; the median of some runs."""
    found = []
    for _ in range(runs):
        command = [str(system_python()), "-I", "-S", "-c", _PEAK, *argv]
        words = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()
        if words[0] != "0":
            sys.exit(f"bench: {' '.join(argv)}: status {words[0]}")
        found.append(int(words[1]) * (1 if sys.platform == "darwin" else 1024) / MIB)
    return statistics.median(found)
