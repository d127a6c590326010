"""The processes of this machine that belong to a directory: its path stands in their environment or command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Process = tuple[int, str]


def processes_of(directory: Path) -> list[Process]:
    """Return pid and command line of each process that belongs to a directory; zombies and this process do not count."""
    needle = os.fsencode(directory) + b"/"
    found = _linux(needle) if sys.platform == "linux" else _elsewhere(needle)
    return [(pid, command) for pid, command in found if pid != os.getpid()]


def kill_all(directory: Path) -> None:
    """Kill the processes that belong to a directory."""
    for pid, _ in processes_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _linux(needle: bytes) -> list[Process]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            command = _contents(f"/proc/{name}/cmdline")
            belongs = needle in command or needle in _contents(f"/proc/{name}/environ")
        except OSError:  # ended meanwhile, or another user's
            continue
        if belongs:
            found.append((int(name), os.fsdecode(command.rstrip(b"\0").replace(b"\0", b" "))))
    return found


def _contents(path: str) -> bytes:
    """Return what stands in a file; every sandbox looks at every process of the machine, and a Path doubles what that costs."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _elsewhere(needle: bytes) -> list[Process]:
    """List with `ps`, which shows the environment of one's own processes with `-E` on macOS (not tried there yet)."""
    listing = subprocess.run(["ps", "-A", "-E", "-ww", "-o", "pid=,command="], capture_output=True, check=True).stdout
    lines = [line.strip() for line in listing.splitlines() if needle in line]
    return [(int(line.split()[0]), os.fsdecode(line.partition(b" ")[2])) for line in lines]
