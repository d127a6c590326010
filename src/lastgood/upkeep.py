"""What is done when nobody waits: byte-compiling a new generation, removing what nothing names and nothing runs."""

import contextlib
import errno
import json
import os
import time

from lastgood import behind, generations, locks, paths
from lastgood import record as records
from lastgood.errors import Damage, LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lastgood.record import Generation, Record

_MONTH = 30 * 86400.0
_YOUNG = 60.0
"""Seconds for which a generation or a staging directory that nobody names is left alone: it may be about to be named."""
_SELDOM = 3600.0
"""Seconds between two collections after refreshes that brought nothing new."""
_ABANDONED = 3600.0
"""The same for a staging directory on a file system without locks, where its age is all that tells."""


def after_refresh(home: str, new: "Iterable[str]" = (), seconds: float = 5.0) -> None:
    """Byte-compile the generations that a refresh made `new`, then clean up for at most `seconds`.

    Where nothing is new that is done once in an hour: most refreshes find nothing to remove, and a big store takes seconds.
    """
    made = list(new)
    if not made and not _is_due(home):
        return
    for identity in made:
        _tidy(home, identity)
    with contextlib.suppress(OSError):  # a home that cannot be written keeps what it has
        _note_collection(home)
        collect(home, seconds=seconds)


def _is_due(home: str) -> bool:
    try:
        return abs(time.time() - os.stat(f"{home}/{paths.COLLECTED}").st_mtime) > _SELDOM  # a clock may have been set back
    except OSError:
        return True


def _note_collection(home: str) -> None:
    mark = f"{home}/{paths.COLLECTED}"
    os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    os.utime(mark)


def _tidy(home: str, identity: str) -> None:
    place = f"{home}/generations/{identity}"
    generations.compile_all(place)
    with contextlib.suppress(OSError):  # gone already: there is nothing to measure
        generations.measure(place)


def tidy_behind(home: str, new: "Iterable[str]" = ()) -> None:
    """Do that in the background: what was refreshed in the foreground can be used meanwhile."""
    made = list(new)
    if made or _is_due(home):
        behind.start(lambda _: after_refresh(home, made))


def make_up(home: str) -> None:
    """Byte-compile and measure what was kept by somebody who was ended before that could be done. Raises nothing for its files."""
    try:
        names = sorted(os.listdir(home + "/generations"))
    except OSError:
        return
    for name in names:
        if not name.startswith(".") and generations.exists(home, name) and not generations.size(home, name):
            _tidy(home, name)


class Collected:
    """What a collection removed, or would remove.

    generations   how many, and their `names`     leftovers   how many files and directories of refreshes that died
    freed         bytes that nothing else used    kept        generations in the store, of which `running` are in use
    stuck         {path: reason} of what could not be removed
    """

    __slots__ = ("freed", "generations", "kept", "leftovers", "names", "running", "stuck")

    def __init__(self) -> None:
        self.generations = 0
        self.leftovers = 0
        self.freed = 0
        self.kept = 0
        self.running = 0
        self.names: list[str] = []
        self.stuck: dict[str, str] = {}

    def said_stuck(self) -> str:
        """What could not be removed, and why; "" where all could be."""
        more = f" and {len(self.stuck) - 1} more" if len(self.stuck) > 1 else ""
        return next((f"`{path}`{more} cannot be removed ({reason})" for path, reason in self.stuck.items()), "")


def collect(
    home: str,
    *,
    seconds: float = 3600.0,
    dry_run: bool = False,
    young: float = _YOUNG,
    keep: "int | None" = None,
    older_than: "float | None" = None,
) -> Collected:
    """Remove generations that no record names and no process uses, leftovers of refreshes that died, and cards of old.

    With `keep` (how many of each record) or `older_than` (seconds) also generations that a record names by now, as `surplus`
    says. Never the current, previous or held one. A record that cannot be read keeps all that is its own.
    """
    done = Collected()
    until = time.monotonic() + seconds
    if keep is not None or older_than is not None:
        _trim(home, keep, older_than, done, dry_run=dry_run)
    _sweep(home, young, done, dry_run=dry_run)
    try:
        names = sorted(os.listdir(home + "/generations"))
    except OSError:
        return done
    for name in names:
        if time.monotonic() > until:
            break
        place = f"{home}/generations/{name}"
        if name in done.names or place in done.stuck:
            continue  # counted already: by a dry run, or as what could not be removed
        if name.startswith((generations.STAGING, generations.TRASH)):
            if name.startswith(generations.TRASH) or _is_leftover(place, young):
                done.leftovers += _removed(place, done, dry_run=dry_run)
        elif _is_named(home, name, place, young):
            done.kept += 1
        else:
            _take_away(home, name, done, dry_run=dry_run)
    return done


def surplus(record: "Record", keep: "int | None", older_than: "float | None", now: float) -> "list[Generation]":
    """The generations of a record that are not worth their space; newest first.

    Beyond the newest `keep` and kept for longer than `older_than` seconds, each where it is given. Never the current one, nor the
    one before it, which a rollback would go to.
    """
    older = [one for one in record.generations if one.id != record.current]
    current = record.generation()
    before = [one for one in older if current is None or one.kept <= current.kept] or older
    before.sort(key=record.sent_back)
    never = {record.current, *(one.id for one in before[:1])}
    return [
        one
        for index, one in enumerate(record.generations)
        if one.id not in never and (keep is None or index >= keep) and (older_than is None or now - one.kept > older_than)
    ]


def _trim(home: str, keep: "int | None", older_than: "float | None", done: Collected, *, dry_run: bool) -> None:
    for identity in records.identities(home):
        try:
            found = records.load(home, identity)
            if found is None or not surplus(found, keep, older_than, time.time()):
                continue
            with locks.claim(records.lock_of(home, identity)), records.exclusive(home, identity):
                record = records.load(home, identity)
                if record is not None:
                    for one in surplus(record, keep, older_than, time.time()):
                        _drop(home, record, one.id, done, dry_run=dry_run)
        except (Damage, records.NewerFormat, OSError, locks.Busy, locks.LockTrouble, LastgoodError):
            continue  # a refresh is under way, or nobody can say what it keeps: the next collection looks again


def _drop(home: str, record: "Record", name: str, done: Collected, *, dry_run: bool) -> None:
    """Take a generation out of its record, then out of the store, unless a tool runs from it."""
    try:
        locks.claim_unused(f"{home}/generations/{name}").release()
    except locks.Busy:
        done.running += 1
        return
    except locks.LockTrouble:
        return  # gone already, which its record may say as long as it likes; or a file system that does not lock
    if not dry_run:
        record.generations = [one for one in record.generations if one.id != name]
        records.save(home, record)
    _take_away(home, name, done, dry_run=dry_run)


def _sweep(home: str, young: float, done: Collected, *, dry_run: bool) -> None:
    """Remove files that were to be renamed into place when whoever wrote them died, and cards that nobody needed for a month.

    Also damaged records that were set aside a month ago.
    """
    for part in paths.PARTS:
        try:
            names = os.listdir(f"{home}/{part}")
        except OSError:
            continue
        for name in names:
            longest = young if name.endswith(records.ASIDE) else _MONTH if part == "cards" or records.BAD in name else None
            path = f"{home}/{part}/{name}"
            if longest is None or _age(path) <= longest:
                continue
            try:
                if not dry_run:
                    os.unlink(path)
            except FileNotFoundError:
                continue  # gone already
            except OSError as error:
                done.stuck[path] = _reason(error)
                continue
            done.leftovers += 1


def _removed(place: str, done: Collected, *, dry_run: bool) -> bool:
    """Remove a tree; whether it is gone, or would be."""
    if dry_run:
        done.freed += _own_size(place)
        return True
    done.freed += generations.remove(place)
    wrong = _obstacle(place)
    if wrong is not None:
        done.stuck[place] = _reason(wrong)
    return not os.path.lexists(place)


def _obstacle(place: str) -> "OSError | None":
    """Why a tree is not gone that was removed; None where it is, and where another process is at it."""
    wrong: list[OSError] = []
    for directory, _, names in os.walk(place, topdown=False, onerror=wrong.append):
        for path in (*(f"{directory}/{name}" for name in names), directory):
            try:
                (os.rmdir if path == directory else os.unlink)(path)
            except OSError as error:
                wrong.append(error)
    return next((error for error in wrong if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)), None)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _is_leftover(place: str, young: float) -> bool:
    """Whether nobody fills a staging directory any more: its lock is free.

    Not whether the process that made it exists: it may live in another container, or be a zombie that nobody waits for.
    """
    if _age(place) <= young:
        return False  # made, but perhaps not locked yet
    try:
        locks.claim_unused(place).release()
    except locks.Busy:
        return False
    except locks.LockTrouble:
        return _age(place) > max(young, _ABANDONED)
    return True


def _own_size(place: str) -> int:
    """The bytes that removing a tree would free: of files that nothing else links to."""
    total = 0
    for directory, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):  # gone meanwhile
                found = os.lstat(f"{directory}/{name}")
                total += found.st_size if found.st_nlink == 1 else 0
    return total


def _age(place: str) -> float:
    try:
        return time.time() - os.stat(place).st_mtime
    except OSError:
        return 0.0


def _is_named(home: str, name: str, place: str, young: float) -> bool:
    try:
        with open(f"{place}/{generations.MANIFEST}", encoding="utf-8") as file:
            owner = json.load(file)["record"]
    except (OSError, ValueError, KeyError, TypeError):
        return _age(place) <= young
    try:
        record = records.load(home, owner)
    except (Damage, records.NewerFormat, OSError):
        return True
    if record is None:
        return True  # a lost record is rebuilt from this very generation
    return any(one.id == name for one in record.generations) or _age(place) <= young


def _take_away(home: str, name: str, done: Collected, *, dry_run: bool) -> None:
    """Remove one generation unless a tool runs from it. Renamed under the lock, so that no run finds half a generation."""
    place = f"{home}/generations/{name}"
    trash = f"{home}/generations/{generations.TRASH}{os.getpid()}-{name}"
    try:
        with locks.claim_unused(place):
            if not dry_run:
                os.rename(place, trash)
    except locks.Busy:
        done.kept += 1
        done.running += 1
        return
    except (locks.LockTrouble, FileNotFoundError):
        return  # gone already, or a file system that does not lock: better kept than lost
    except OSError as error:
        done.stuck[place] = _reason(error)
        return
    if _removed(place if dry_run else trash, done, dry_run=dry_run):
        done.generations += 1
        done.names.append(name)
