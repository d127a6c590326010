"""A piece of work as a process of its own session, behind the tool that this process becomes.

Forked, not started anew: what is imported already need not be imported again. Twice, so that no zombie is left to the tool.
It has no terminal and none of the caller's descriptors (a hook runner waits for the end of its pipe), and it ends by itself.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 3 ms before uvx starts
import os
import select
import time

from lastgood import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lastgood.locks import Claim

LONGEST = 600
"""Seconds after which whatever goes on behind is ended, and what it started with it."""
DIED = "died"
FETCHING = "fetching"
BUILT = "built"
ANNOUNCED = (FETCHING, BUILT)
"""What is announced before the outcome: the index has answered, and uvx fetches; uvx has built something new, to be checked."""
_HOUR = 3600.0  # select refuses to wait for an infinite patience
_GAP = "\x1f"


class Told:
    """What the work behind told: the kind of its outcome and the words for people."""

    __slots__ = ("host", "kind", "reason", "version")

    def __init__(self, kind: str, reason: str = "", host: str = "", version: str = "") -> None:
        self.kind = kind
        self.reason = reason
        self.host = host
        self.version = version


class Speaker:
    """The work's side: tells once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, told: Told) -> bool:
        """Say it; whether anyone still listens."""
        if self._descriptor < 0:
            return False
        heard = self._write(told)
        os.close(self._descriptor)
        self._descriptor = -1
        return heard

    def announce(self, told: Told) -> None:
        """Say how far it has come, before it tells."""
        if self._descriptor >= 0:
            self._write(told)

    def _write(self, told: Told) -> bool:
        line = _GAP.join((told.kind, told.reason, told.host, told.version)).replace("\n", " ").encode("utf-8", "replace")
        try:
            os.write(self._descriptor, line[:4095] + b"\n")
        except BrokenPipeError:
            return False  # the tool runs already
        return True


class Listener:
    """The caller's side."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> "Told | None":
        """What was told within `seconds`; None where nothing was; kind DIED where the work ended without a word.

        One of ANNOUNCED where it has come so far, but not to an end.
        """
        until = time.monotonic() + seconds
        announced: Told | None = None
        while True:
            left = until - time.monotonic()
            if not select.select([self._descriptor], [], [], max(0.0, min(left, _HOUR)))[0]:
                if left <= _HOUR:
                    return announced
                continue
            lines = os.read(self._descriptor, 65536).decode("utf-8", "replace").split("\n")
            heard = [Told(*words) for words in (line.split(_GAP) for line in lines) if len(words) == 4]  # noqa: PLR2004 (Told's)
            if not heard or heard[-1].kind not in ANNOUNCED:
                return heard[-1] if heard else Told(DIED)
            announced = heard[-1]


def start(work: "Callable[[Speaker], None]", claims: "Sequence[Claim]" = ()) -> Listener:
    """Do `work` behind. Locks that are handed over as `claims` go to it, and end with it, however it ends."""
    reads, writes = os.pipe()
    first = os.fork()
    if first == 0:
        _detach(work, writes, claims)
    os.close(writes)
    for claim in claims:
        claim.leave()
    os.waitpid(first, 0)
    return Listener(reads)


def _detach(work: "Callable[[Speaker], None]", writes: int, claims: "Sequence[Claim]") -> None:
    status = 1
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        _bound()
        _forget_descriptors({writes, *(claim.descriptor for claim in claims)})
        work(Speaker(writes))
        status = 0
    except BaseException as error:  # noqa: BLE001 (nothing may return into the caller's code from here)
        trace(error)
    finally:
        os._exit(status)


def _bound() -> None:
    """End this process and all it started after LONGEST seconds."""
    _signal.signal(_signal.SIGALRM, lambda *_: os.killpg(0, _signal.SIGKILL))
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.alarm(LONGEST)


def _forget_descriptors(kept: "set[int]") -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, max(low, os.sysconf("SC_OPEN_MAX")))


def trace(error: BaseException) -> None:
    """Write down what went wrong in a process that has nobody to tell, where LASTGOOD_INTERNAL__TRACE names a file for it."""
    path = settings.environment().get(settings.TRACE, "")
    if path.startswith("/"):
        import traceback

        with open(path, "a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
