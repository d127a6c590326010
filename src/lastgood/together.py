"""Several pieces of work at once, each in a process of its own: a refresh changes directory and owns the signals of its process.

What a piece of work returns comes back as JSON. When this process ends early, so do they.
"""

import os
import select
import signal
import sys

from lastgood import behind, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_SIGNALS = (*stopping.NUMBERS, signal.SIGINT)
_TICK = 0.1  # seconds between two looks of whoever shows that something moves


class Watcher:
    """Whoever follows the work: told as a piece begins and ends, and ten times a second meanwhile. This one shows nothing."""

    def started(self, index: int) -> None:
        """The piece at `index` begins."""

    def ended(self, index: int, result: "Any") -> None:
        """The piece at `index` returned `result`; None where it ended without a word."""

    def tick(self) -> None:
        """A little time has passed."""


class _Worker:
    """A process that works, and what it has said so far."""

    __slots__ = ("index", "pid", "reads", "said")

    def __init__(self, index: int, work: "Callable[[], Any]") -> None:
        self.index = index
        self.said = b""
        self.reads, writes = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()  # what waits in a buffer would be written twice
        self.pid = os.fork()
        if self.pid == 0:
            _work(work, writes)
        os.close(writes)

    def fileno(self) -> int:
        """Where it is heard."""
        return self.reads

    def listen(self) -> bool:
        """Read on; whether it has ended."""
        block = os.read(self.reads, 1 << 16)
        self.said += block
        return not block

    def result(self) -> "Any":
        """What it returned; None where it ended without a word."""
        import json

        self.wait()
        return json.loads(self.said) if self.said.endswith(b"\n") else None

    def stop(self) -> None:
        """Have it take down what it started."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for its end, so that no zombie is left."""
        os.close(self.reads)
        os.waitpid(self.pid, 0)


def each(works: "Sequence[Callable[[], Any]]", at_once: int, watcher: Watcher) -> None:
    """Do all of `works`, at most `at_once` at a time. However this ends, none of them is left behind."""
    waiting = list(enumerate(works))
    working: list[_Worker] = []
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                worker = _begin(*waiting.pop(0), working)
                watcher.started(worker.index)
            for worker in select.select(working, [], [], _TICK)[0]:
                if worker.listen():
                    working.remove(worker)
                    watcher.ended(worker.index, worker.result())
            watcher.tick()
    except BaseException:
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        stopping.ignore()
        for worker in working:
            worker.stop()
        for worker in working:
            worker.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
        raise


def _begin(index: int, work: "Callable[[], Any]", working: list[_Worker]) -> _Worker:
    """Start a worker. No signal may arrive in it before it has its own ways of ending, nor here before it is known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        worker = _Worker(index, work)
        working.append(worker)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return worker


def _work(work: "Callable[[], Any]", writes: int) -> None:
    """Be the worker: do the work, say what it came to, and end without returning into the caller's code."""
    import json

    status = 1
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup means the workers, too
                signal.signal(number, signal.SIG_DFL)  # the caller's own ways of ending are not a worker's
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        with stopping.Unwinding(signal.SIGINT):
            line = json.dumps(work()).encode() + b"\n"
        while line:
            line = line[os.write(writes, line) :]
        status = 0
    except Exception as error:  # noqa: BLE001 (nothing may return into the caller's code from here: it hears that nothing was said)
        behind.trace(error)
    finally:
        os._exit(status)
