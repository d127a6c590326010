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
_STARTING = threading.Lock()


class IndexProcess:
    """One index process: its control channel, and whether it is there."""

    def __init__(self) -> None:
        """Start it."""
        self._lock = threading.Lock()
        self._gone = False
        self._template = _running_template()
        reads, gives = os.pipe()
        hears, says = os.pipe()
        self._to, self._from = open(gives, "wb"), open(hears, "rb")  # noqa: SIM115  # descriptors; `end` closes them
        try:
            self.pid = int(self._template.ask("start", reads, says))
        except BaseException:
            self._to.close()
            self._from.close()
            raise
        finally:
            os.close(reads)
            os.close(says)

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
                self._template.end(self.pid)


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
        answer = ""
        with self._lock:
            try:
                socket.send_fds(self._control, [question.encode()], descriptors)
                answer = self._control.recv(LONGEST).decode()
            except OSError as error:
                raise _EndedError from error
            finally:
                if not answer:
                    self.close()  # an answer that is still to come would be taken for that of the next question
        if not answer:
            raise _EndedError
        return answer

    def end(self, pid: int) -> None:
        """End an index process; one whose template is gone ends with its own pipe, after this has returned."""
        with contextlib.suppress(_EndedError):
            self.ask(f"end {pid}")

    @property
    def ended(self) -> bool:
        """Whether it can fork no more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it, though a fork of this process may hold its socket open, and it may be stopped."""
        self._control.close()
        self._process.kill()
        self._process.wait()


class _EndedError(RuntimeError):
    def __init__(self) -> None:
        super().__init__("the process that indexes are forked from has ended")


def _running_template() -> _Template:
    """Return the one of this process, a new one where it has ended."""
    with _STARTING:
        if _template().ended:
            _template.cache_clear()
        return _template()


@cache
def _template() -> _Template:
    """Start it, when the first index is."""
    template = _Template()
    atexit.register(template.close)
    return template
