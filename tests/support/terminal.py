r"""A pseudo-terminal with a process in front of it, as a person at a keyboard has it.

with sandbox.terminal(["lastgood", "run", "demo-tool", "--cat"]) as terminal:
    terminal.type(b"hello\r")
    terminal.read_until(b"hello")
    terminal.type(b"\x03")            # Ctrl-C: the kernel signals the foreground process group
    status = terminal.wait()
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self


class Terminal:
    """A terminal of its own session, its foreground process, and all that was shown."""

    def __init__(self, argv: Sequence[str | bytes], *, env: Mapping[str, str], cwd: Path, size: tuple[int, int]) -> None:
        """Start the process with the terminal as stdin, stdout, stderr and controlling terminal."""
        self.seen = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        # login_tty makes the session, so that Ctrl-C works; Popen itself has no word for it
        self.process = subprocess.Popen(argv, env=env, cwd=cwd, preexec_fn=lambda: os.login_tty(slave))  # noqa: PLW1509
        os.close(slave)

    def __enter__(self) -> Self:
        """Use the terminal for a block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the terminal; whoever is still at it is killed."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def read_until(self, awaited: bytes, timeout: float = 20) -> bytes:
        """Read until something has been shown, and return all that was."""
        deadline = time.monotonic() + timeout
        while awaited not in self.seen:
            if not self._read(deadline - time.monotonic()):
                message = f"the terminal never showed {awaited!r}, only {self.seen!r}"
                raise AssertionError(message)
        return self.seen

    def wait(self, timeout: float = 60) -> int:
        """Read until the process has ended and the terminal is silent; return its status as subprocess gives it."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                message = f"still at the terminal after {timeout} s, shown so far: {self.seen!r}"
                raise AssertionError(message)
            self._read(0.02)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, timeout: float) -> bool:
        if timeout < 0 or not select.select([self._master], [], [], timeout)[0]:
            return False
        try:
            block = os.read(self._master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux: nobody holds the other end any more
                raise
            return False
        self.seen += block
        return bool(block)
