"""The lines of a run that need more than words: an open breaker's, an earlier refresh's, one for many processes.

On the hot path.
"""

import os
import time
import zlib

from lastgood import breaker, messages, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.scene import Scene


_TOLD = ".told-"
_HIGH = 64  # as for the lock of a generation: above the descriptors that scripts hand over by number
_first: "list[bool]" = []
"""Whether this process speaks for its hook, once that is decided."""
_LONGEST_HOOK = 600.0  # seconds after which the number of a process may mean another one


def warn(scene: "Scene", line: str) -> None:
    """Say a warning; under a hook runner only where no other process of the same hook has said one."""
    if speaks(scene):
        messages.say("warning", line, scene.loud)


def speaks(scene: "Scene") -> bool:
    """Whether this process is to say anything: under a hook runner one of those of a hook, else every one.

    A runner starts many processes of one hook within milliseconds, and shows what all of them said as one text.
    """
    if not settings.is_on(scene.environ.get("PRE_COMMIT")):
        return True
    if not _first:
        mark = f"{_TOLD}{os.getppid()}-{zlib.crc32(_hook(scene).encode('utf-8', 'surrogateescape')):08x}"
        _first.append(_is_first(f"{scene.home}/notices/{mark}"))
        if _first[0]:
            _forget_old_marks(scene.home + "/notices")
    return _first[0]


def _is_first(path: str) -> bool:
    """Whether no process of the same hook is at it, or this one cannot tell. All of them hold the mark until their tools end.

    The next hook of the same words speaks again: the runner hides what a hook said that passed.
    """
    import fcntl

    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        mark = fcntl.fcntl(opened, fcntl.F_DUPFD, _HIGH)  # the tool inherits it
        os.close(opened)
    except OSError:
        return True
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        first = not _has_just_spoken(mark)
    except BlockingIOError:
        first = False
    except OSError:  # a file system without locks
        first = not _has_just_spoken(mark)
    if first:
        os.pwrite(mark, b"%-16d" % os.getpid(), 0)
    try:
        fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return first  # another one decides at this very moment, and sees who has just spoken
    return first


def _has_just_spoken(mark: int) -> bool:
    """Whether the process that wrote its number into the mark lives, and did it just now: a later one may have the same number."""
    speaker = os.pread(mark, 16, 0).strip()
    if not speaker.isdigit():
        return False
    try:
        os.kill(int(speaker), 0)
    except OSError:
        return False
    return time.time() - os.fstat(mark).st_mtime < 1.0


def _hook(scene: "Scene") -> str:
    """What the processes of one hook share: the words up to the first file."""
    words = scene.words.plain
    end = scene.words.cut + 1
    while end < len(words) and not os.path.lexists(words[end]):
        end += 1
    return "\0".join(words[:end])


def _forget_old_marks(place: str) -> None:
    for name in os.listdir(place):
        path = f"{place}/{name}"
        try:
            if name.startswith(_TOLD) and time.time() - os.stat(path).st_mtime > _LONGEST_HOOK:
                os.unlink(path)
        except OSError:
            continue  # another process forgot it


def note_fallback(home: str, record: str, version: str, now: float) -> None:
    """Enter into the history that something stood in. One short line, made by hand: the hot path has no json."""
    version = version.replace("\\", "").replace('"', "")
    line = f'{{"at": {now:.3f}, "event": "fallback", "record": "{record}", "version": "{version}"}}\n'
    try:
        descriptor = os.open(home + "/events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return  # a home that cannot be written has no history


def say_open(scene: "Scene", card: "Card", down: breaker.Breaker, now: float) -> None:
    """The notice of a run while a breaker is open."""
    line = messages.fallback_open(card.tool, card.version, now - card.asked, breaker.shown(down.host), down.since, down.until, now)
    warn(scene, line)
    note_fallback(scene.home, card.record, card.version, now)


def say_stands_in(scene: "Scene", card: "Card", reason: str) -> None:
    """The notice of a run in which something stands in: `reason` is a whole clause."""
    now = time.time()
    warn(scene, messages.fallback(card.tool, card.version, now - card.asked, reason))
    note_fallback(scene.home, card.record, card.version, now)


def say_waiting(scene: "Scene", card: "Card") -> None:
    """Say the line that an earlier refresh left for the next run; whoever takes the file first says it."""
    path = f"{scene.home}/notices/{card.record}"
    mine = f"{path}.{os.getpid()}"
    try:
        os.rename(path, mine)
        with open(mine, encoding="utf-8", errors="replace") as file:
            text = file.read(4096)
        os.unlink(mine)
    except OSError:
        return  # said already, or the home is read-only
    for line in text.splitlines():
        messages.say("warning", line, scene.loud)
