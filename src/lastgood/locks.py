"""The locks of the state: one lock file a record, taken with flock.

Two ways to the same lock. `hold` waits with a timeout and is filelock's. `claim` does not wait: it is one flock call, because
importing filelock takes 37 ms here, longer than uvx takes to revalidate a tool, and a stale run that nobody else refreshes
has no one to wait for. Both lock the same file with the same call, so they exclude each other (a test proves it).
"""

import errno
import fcntl
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_MOMENT = 0.005
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


class Busy(Exception):  # noqa: N818 (a state, not a failure)
    """Another process holds the lock."""


class LockTrouble(Exception):  # noqa: N818 (the lock is in trouble, not lastgood)
    """This file system does not lock (ENOLCK, errno 524 on network mounts) or the file cannot be made.

    `step` is what would help, "" where nothing is known to.
    """

    step = ""


class NotWritable(LockTrouble):
    """The home, or the part of it that has the lock, cannot be written."""

    step = "make it writable, or set `LASTGOOD_HOME` to a directory that you can write to"


class Claim:
    """A lock that is held; it ends with `release`, with the `with` block, or with the last process that inherited it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Unlock for every process that shares this claim."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.leave()

    def leave(self) -> None:
        """Forget the claim in this process only: a child that was forked with it still holds it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def claim(path: str) -> Claim:
    """Take the lock now. Raises Busy where another process has it, LockTrouble where it cannot be had at all."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _trouble(path, error) from error
    found = _flock(descriptor, path)
    forget_answer(path)
    beat(path)
    return found


def _trouble(path: str, error: OSError) -> LockTrouble:
    """Why the file of a lock cannot be opened: it lies in a part of the home, and people know the home."""
    part = os.path.dirname(path)
    locked = [place for place in (os.path.dirname(part), part) if os.path.isdir(place) and not os.access(place, os.W_OK | os.X_OK)]
    if locked:
        return NotWritable(f"`{locked[0]}` is not writable")
    return LockTrouble(f"`{path}` cannot be locked: {error.strerror or error}")


def _flock(descriptor: int, path: str) -> Claim:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _BUSY:
            raise Busy(path) from error
        raise LockTrouble(f"`{path}` cannot be locked: {error.strerror}") from error
    return Claim(descriptor)


def brief(path: str, seconds: float) -> Claim:
    """Take a lock that nobody holds for more than moments. Raises Busy after `seconds`, LockTrouble as `claim` does."""
    until = time.monotonic() + seconds
    while True:
        try:
            return claim(path)
        except Busy:
            if time.monotonic() > until:
                raise
            time.sleep(_MOMENT)


class hold:  # noqa: N801 (used as a verb: `with hold(path, timeout)`)
    """Wait for the lock for at most `timeout` seconds (-1: for ever). Raises Busy, or LockTrouble as `claim` does."""

    def __init__(self, path: str, timeout: float) -> None:
        import filelock  # 37 ms: only those who wait pay for it

        # preserve_lock_file: a lock file that is removed on release lets two processes lock two inodes of one name
        self._lock = filelock.FileLock(path, timeout=timeout, mode=0o600, preserve_lock_file=True)
        self._timeout = filelock.Timeout
        self._path = path

    def __enter__(self) -> "Self":
        try:
            self._lock.acquire(poll_interval=0.02)
            forget_answer(self._path)
            beat(self._path)
        except self._timeout as error:
            raise Busy(self._path) from error
        except OSError as error:
            raise _trouble(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def is_held(path: str) -> bool:
    """Whether some process holds the lock right now."""
    try:
        claim(path).release()
    except Busy:
        return True
    except LockTrouble:
        return False
    return False


def beat(path: str) -> None:
    """Show those who wait for the lock that its holder is alive: a stopped process has an old lock file."""
    try:
        os.utime(path)
    except OSError:
        return  # the home went read-only meanwhile: those who wait give up, which is right


def last_beat(path: str) -> float:
    """When the holder of the lock last showed that it is alive (seconds since the epoch); 0 where nobody did."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def note_answer(path: str, kind: str) -> None:
    """Show those who wait for the lock how far its holder has come: what takes long from here on is nobody's outage."""
    try:
        with open(path, "r+", encoding="ascii") as file:
            file.write(f"{time.time():.3f} {kind}\n")
            file.truncate()  # or the end of a longer note would be read as part of this one
    except OSError:
        return  # as for `beat`; a full disk, too, is nothing that a note may end a refresh for


def forget_answer(path: str) -> None:
    """Take away what the holder before had noted: this one has not been answered yet."""
    try:
        if os.stat(path).st_size:
            os.truncate(path, 0)
    except OSError:
        return  # as for `beat`


def answer(path: str) -> "tuple[float, str]":
    """When the holder of the lock was answered (seconds since the epoch), and what it is at; (0, "") where it was not yet."""
    try:
        with open(path, encoding="ascii") as file:
            at, _, kind = file.readline(64).partition(" ")  # the rest is of a note that is being replaced
        return float(at or 0.0), kind.strip()
    except (OSError, ValueError):
        return 0.0, ""


def claim_unused(directory: str) -> Claim:
    """Claim a generation that no process runs from. Raises Busy while one holds the shared lock, LockTrouble where it is gone."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LockTrouble(f"`{directory}` cannot be opened: {error.strerror}") from error
    return _flock(descriptor, directory)
