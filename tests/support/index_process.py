"""The processes of test indexes, as the tests hold them: each has two pipes, and is a fork of one `index_template` a test process.

process = IndexProcess()
process.ask({"do": "heal"})          # a line of JSON, and the line that comes back
process.end()
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.index_template import LONGEST

ROOT = Path(__file__).parents[2]


class IndexProcess:
    """One index process: its control channel, and whether it is there."""

    def __init__(self) -> None:
        """Start it."""
        self._lock = threading.Lock()
        self._gone = False
        reads, gives = os.pipe()
        hears, says = os.pipe()
        try:
            self.pid = int(_template().ask("start", reads, says))
        finally:
            os.close(reads)
            os.close(says)
        self._to, self._from = open(gives, "wb"), open(hears, "rb")  # noqa: SIM115  # descriptors; `end` closes them

    @property
    def running(self) -> bool:
        """Whether it can still be talked to: its end of the pipe is open for as long as it runs."""
        with self._lock:
            if self._gone:
                return False
            poll = select.poll()
            poll.register(self._from, 0)  # a hang-up is told whatever is asked for
            return not poll.poll(0)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:  # JSON
        """Send a message and return the answer."""
        line = b""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._to.write(json.dumps(message).encode() + b"\n")
            self._to.flush()
            line = self._from.readline()
        answer: dict[str, Any] = json.loads(line or b'{"error": "the index process has ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def end(self) -> None:
        """End it, and its ports and connections, before this returns."""
        with contextlib.suppress(BrokenPipeError):  # what an index that was killed has not read
            self._to.close()
        with self._lock:
            self._from.close()
            if not self._gone:  # else the number may be another's
                self._gone = True
                _template().ask(f"end {self.pid}")


class _Template:
    """The process that the others are forked from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        # -S and -E: the server needs the standard library only, and starts twice as fast without site-packages
        command = [sys.executable, "-E", "-S", "-m", "tests.support.index_template"]
        with theirs:
            self._process = subprocess.Popen(  # our own module
                command,
                cwd=ROOT,
                env={"LANG": "C.UTF-8"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at the terminal is for pytest, whose teardown still needs the indexes
            )

    def ask(self, question: str, *descriptors: int) -> str:
        """Ask something, handing descriptors over, and return the answer."""
        with self._lock:
            socket.send_fds(self._control, [question.encode()], descriptors)
            answer = self._control.recv(LONGEST).decode()
        if not answer:
            message = "the process that indexes are forked from has ended"
            raise RuntimeError(message)
        return answer

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.wait()


@cache
def _template() -> _Template:
    """Return the one of this process, started when the first index is."""
    template = _Template()
    atexit.register(template.close)
    return template
