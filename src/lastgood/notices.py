"""The lines of a run that need more than words: an open breaker's, an earlier refresh's, one for many processes.

On the hot path.
"""

import os
import stat
import time
import zlib

from lastgood import breaker, messages, paths, settings
from lastgood.errors import SettingError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lastgood.card import Card
    from lastgood.errors import LastgoodError
    from lastgood.scene import Scene


_TOLD = ".told-"
_MISTAKE = "mistake"  # the mark for errors is not that for warnings: whoever was warned has not been told of an error
_SAID = ".said"
_HIGH = 64  # as for the lock of a generation: above the descriptors that scripts hand over by number
_TRIES = 100
_FULL = 1 << 16
"""Characters in a command line that is filled up: a runner cuts the files of a hook into several at twice as many."""
_MORE, _LAST = b"+", b"-"
"""In the mark of a hook: whether what its last process was given leaves some for another one, after it."""
_QUICK = 0.03  # seconds
_joined: "list[int]" = []
"""The descriptor that holds the mark of this process's hook."""
_spoke: "list[bool]" = []
"""Whether this process speaks for its hook, once that is decided."""
_unkept: "list[bool]" = []
"""Whether the home is known to be none that marks can be left in."""
_OTHERS = 0o077
_LONGEST_HOOK = 600.0  # seconds after which the number of a process may mean another one


def warn(scene: "Scene", line: str) -> None:
    """Say a warning; under a hook runner only where no other process of the same hook has said one."""
    if speaks(scene):
        messages.say("warning", line, scene.loud)


def tell(error: "LastgoodError", argv: "list[str]", environ: "Mapping[str, str]") -> None:
    """Say an error; one about the words or the settings once between the processes of a hook, which all meet it.

    Of what they were given only the words before the first file count: the first file may be what was taken for the tool.
    """
    is_common = isinstance(error, (UsageError, SettingError)) and settings.is_on(environ.get("PRE_COMMIT"))
    if not is_common or _is_first_to_tell(argv, environ):
        messages.tell(error, environ)


def _is_first_to_tell(argv: "list[str]", environ: "Mapping[str, str]") -> bool:
    try:
        place = _place(paths.home(environ), environ)
    except OSError:
        return True  # the working directory is gone, and the home is named from there
    path = _mark_in(place, _before_files([_MISTAKE, *argv], 1))
    _hold(path, argv, 0.0)  # a hook that fails after another with the same words must not do so in silence
    if _is_first_to_speak(path + _SAID):
        _forget_old_marks(place)
        return True
    _touch(path + _SAID)  # for those that were started after the first one was over, but before this one is
    return False


def _touch(said: str) -> None:
    try:
        os.utime(said)
    except OSError:
        return  # another process has begun anew


def speaks(scene: "Scene") -> bool:
    """Whether this process is to say anything: under a hook runner one of those of a hook, else every one.

    A runner starts many processes of one hook within milliseconds, and shows what all of them said as one text.
    """
    if not settings.is_on(scene.environ.get("PRE_COMMIT")):
        return True
    if not _spoke:
        join(scene)
        _spoke.append(_is_first_to_speak(_mark(scene) + _SAID))
        if _spoke[0]:
            _forget_old_marks(_place(scene.home, scene.environ))
    return _spoke[0]


def join(scene: "Scene") -> None:
    """Belong to the processes of one hook from now until the tool ends: they hold its mark together.

    Who finds that nobody holds it is the first of another hook, perhaps with the same words, and may speak again: what a hook
    said that passed is never shown. To be called before a long wait, or the others would find the mark free.
    """
    if _joined or not settings.is_on(scene.environ.get("PRE_COMMIT")):
        return
    _hold(_mark(scene), scene.words.plain)


def _hold(path: str, words: "list[str]", quick: float = _QUICK) -> None:
    """Share the mark at `path` with the other processes of a hook until this one, or the tool that it becomes, ends."""
    import fcntl

    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        mark = fcntl.fcntl(opened, fcntl.F_DUPFD, _HIGH)  # the tool inherits it
        os.close(opened)
        os.utime(mark)  # marks that nobody needs any more are forgotten
    except OSError:
        return  # there is no home yet, or it cannot be written
    _joined.append(mark)
    more = _MORE if sum(map(len, words)) > _FULL else _LAST
    for _ in range(_TRIES):
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.pread(mark, 1, 0) != _MORE:
                _begin_anew(path + _SAID, quick)
            os.pwrite(mark, more, 0)
            fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # the hook has others; they share the mark, or one of them is about to
        except OSError:
            return  # a file system without locks: one mark for all hooks of these words
        else:
            return
        try:
            fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.001)
        else:
            return


def _mark(scene: "Scene") -> str:
    return _mark_in(_place(scene.home, scene.environ), _before_files(scene.words.plain, scene.words.cut + 1))


def _mark_in(place: str, words: "list[str]") -> str:
    shared = zlib.crc32("\0".join(words).encode("utf-8", "surrogateescape"))
    return f"{place}/{_TOLD}{os.getppid()}-{shared:08x}"


def join_without_home(scene: "Scene") -> None:
    """As `join`, where the home cannot be made or used: the mark is left elsewhere from now on."""
    _unkept.append(True)
    join(scene)


def _place(home: str, environ: "Mapping[str, str]") -> str:
    """Where a hook leaves its mark: in the home, or, where that cannot be written, in a directory of the user's for passing things.

    A mark says nothing but that something was said; a directory that others can write to is not believed.
    """
    place = home + "/notices"
    if _can_be_written(place) if os.path.isdir(place) else not _unkept:
        return place
    passing = environ.get("XDG_RUNTIME_DIR") or environ.get("TMPDIR") or "/tmp"  # noqa: S108 (its owner is looked at)
    other = f"{passing}/lastgood-{os.geteuid()}"
    try:
        _make(other)
        found = os.lstat(other)
    except OSError:
        return place  # nobody can make it: each process speaks for itself
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS
    return other if mine else place


def _make(place: str) -> None:
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        return  # another process of the hook was first


def _can_be_written(place: str) -> bool:
    """Whether a directory can; for root, `access` knows nothing of a file system that is mounted read-only."""
    try:
        return os.access(place, os.W_OK) and not os.statvfs(place).f_flag & os.ST_RDONLY
    except OSError:
        return False


def _begin_anew(said: str, quick: float) -> None:
    """Forget that a hook of these words has spoken, unless it is this one: its other processes may have been quick."""
    try:
        if os.stat(said).st_mtime < min(_began(), time.time() - quick):
            os.unlink(said)
    except FileNotFoundError:
        return


def _began() -> float:
    """When this process was started (seconds since the epoch); now, where the system does not tell.

    What ends in a mistake may be over before the last process of its hook has come this far, but not before that was started.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19]) + 1  # rounded down; the name before may hold anything
    except OSError:
        return time.time()
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def _is_first_to_speak(said: str) -> bool:
    try:
        os.close(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return _is_old(said)
    except OSError:
        return True  # it can leave no word for the others
    return True


def _is_old(path: str) -> bool:
    """Whether a mark is of another hook's time, or forgotten at this moment."""
    try:
        return time.time() - os.stat(path).st_mtime > _LONGEST_HOOK
    except OSError:
        return True


def _before_files(words: "list[str]", end: int) -> "list[str]":
    """What the processes of one hook share: the words up to the first file, the first `end` of them whatever they name."""
    while end < len(words) and not os.path.lexists(words[end]):
        end += 1
    return words[:end]


def _forget_old_marks(place: str) -> None:
    try:
        names = os.listdir(place)
    except OSError:
        return  # there is no home, or no way into it
    for name in names:
        path = f"{place}/{name}"
        try:
            if name.startswith(_TOLD) and time.time() - os.stat(path).st_mtime > _LONGEST_HOOK:
                os.unlink(path)
        except OSError:
            continue  # another process forgot it


def note_fallback(home: str, record: str, version: str, now: float, *, down: bool = True) -> None:
    """Enter into the history that something stood in. One short line, made by hand: the hot path has no json."""
    version = version.replace("\\", "").replace('"', "")
    more = "" if down else ', "down": false'
    line = f'{{"at": {now:.3f}, "event": "fallback", "record": "{record}", "version": "{version}"{more}}}\n'
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
    clause = messages.been_down(breaker.shown(down.host), down.since, down.reason)
    warn(scene, messages.fallback_open(card.tool, card.version, now - card.asked, clause, down.until, now))
    note_fallback(scene.home, card.record, card.version, now)


def say_stands_in(scene: "Scene", card: "Card", reason: str) -> None:
    """The notice of a run in which something stands in: `reason` is a whole clause."""
    now = time.time()
    warn(scene, messages.fallback(card.tool, card.version, now - card.asked, reason))
    # a release that is still being checked, or a full disk, is no outage
    down = breaker.first_known(scene.home, card.hosts.split(), card.fallback_on.split()) is not None
    note_fallback(scene.home, card.record, card.version, now, down=down)


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
