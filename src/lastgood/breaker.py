"""The circuit breaker: the memory, shared by all processes, that a host is down. One small file per host and port.

closed (no file) → open (an outage; next try after 30 s, doubling to 5 min) → half-open (that time has come; one process tries
under the host's probe lock, the others go on as if it were open) → closed or open again. Read on the hot path.
"""

import os
import zlib

from lastgood import paths
from lastgood.settings import DEFAULT_FALLBACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = "lastgood breaker 1"
FIRST_WAIT = 30.0
LONGEST_WAIT = 300.0
_WHOLE = 60  # characters: a slug has no more


class Breaker:
    """One host's breaker: `since` and `until` in seconds since the epoch, `wait` in seconds, `reason` in words.

    `kind` is the class of the failure, as `fallback-on` names it.
    """

    __slots__ = ("host", "kind", "reason", "since", "until", "wait")

    def __init__(self, host: str, since: float, until: float, wait: float, reason: str, kind: str = DEFAULT_FALLBACK[0]) -> None:
        self.host = host
        self.since = since
        self.until = until
        self.wait = wait
        self.reason = reason
        self.kind = kind

    def is_open(self, now: float) -> bool:
        """Whether nobody should try yet. An `until` further off than any wait comes from a clock that was set back."""
        return now < self.until <= now + LONGEST_WAIT


def file_of(home: str, host: str) -> str:
    """The file of `host` (`name:port`); a name that is too long to stand whole is told from its like by a checksum."""
    name = paths.slug(host)
    return f"{home}/hosts/{name}" + (f"-{zlib.crc32(host.encode('utf-8', 'replace')):08x}" if len(host) > _WHOLE else "")


def probe_lock(home: str, host: str) -> str:
    """The lock file of the one process that tries a host whose breaker is half-open."""
    return file_of(home, host) + ".lock"


def read(home: str, host: str) -> "Breaker | None":
    """The breaker of `host`, or None while it is closed; what cannot be read, or cannot be true, counts as closed."""
    return _read(file_of(home, host))


def known(home: str) -> "list[Breaker]":
    """The breakers of all hosts that were down when last asked."""
    try:
        names = sorted(os.listdir(home + "/hosts"))
    except OSError:
        return []
    return [found for found in (_read(f"{home}/hosts/{name}") for name in names) if found is not None]


def _read(path: str) -> "Breaker | None":
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(4096).split("\n")
    except OSError:
        return None
    fields = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    if lines[0] != HEADER:
        return None
    try:
        since, until, wait = float(fields["since"]), float(fields["until"]), float(fields["wait"])
        found = Breaker(fields["host"], since, until, wait, fields.get("reason", ""), fields.get("kind", DEFAULT_FALLBACK[0]))
    except (KeyError, ValueError):
        return None
    return found if 0 < wait <= LONGEST_WAIT and since <= until else None  # false for what is no number, too


def first_open(home: str, hosts: "Iterable[str]", now: float, kinds: "Iterable[str]" = DEFAULT_FALLBACK) -> "Breaker | None":
    """The first of `hosts` that nobody should ask yet, where something may stand in for that class of failure."""
    for host in hosts:
        found = read(home, host)
        if found is not None and found.is_open(now) and found.kind in kinds:
            return found
    return None


def shown(host: str) -> str:
    """A host as people read it: the usual ports left out; "" for the breaker of a request whose index is not known by name."""
    name, colon, port = host.rpartition(":")
    if not colon:
        return ""
    return name if port in ("80", "443", "22") else host


def first_known(home: str, hosts: "Iterable[str]", kinds: "Iterable[str]" = DEFAULT_FALLBACK) -> "Breaker | None":
    """The first of `hosts` that was down when last asked, whether it may be asked again or not; `kinds` as for `first_open`."""
    return next((found for found in (read(home, host) for host in hosts) if found is not None and found.kind in kinds), None)


def trip(
    home: str, host: str, reason: str, now: float, kind: str = DEFAULT_FALLBACK[0], *, began: "float | None" = None
) -> Breaker:
    """Open the breaker of `host`. One that is open already stays as it is: eight failures at once are one outage.

    `began` is when this try did: what has been opened since then was opened for the same silence, and the wait is not doubled.
    """
    before = read(home, host)
    if before is not None and before.is_open(now):
        return before
    wait = FIRST_WAIT
    if before is not None:
        same = began is not None and before.until - before.wait >= began
        wait = before.wait if same else min(before.wait * 2, LONGEST_WAIT)
    since = before.since if before is not None and before.since <= now else now
    after = Breaker(host, since, now + wait, wait, reason.replace("\n", " "), kind)
    try:
        _write(home, after)
    except OSError:
        return after  # a home that cannot be written has no memory; the run goes on without it
    return after


def _write(home: str, breaker: Breaker) -> None:
    path = file_of(home, breaker.host)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    text = (
        f"{HEADER}\nhost {breaker.host}\nsince {breaker.since:.3f}\nuntil {breaker.until:.3f}\nwait {breaker.wait:g}\n"
        f"kind {breaker.kind}\nreason {breaker.reason}\n"
    )
    aside = f"{path}.{os.getpid()}.new"
    try:
        with open(aside, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.replace(aside, path)
    except OSError:
        if os.path.lexists(aside):
            os.unlink(aside)  # on a full disk an empty file would be left
        raise


def close(home: str, hosts: "Iterable[str]") -> "list[Breaker]":
    """Close the breakers of `hosts`; those that were not closed."""
    ended = []
    for host in hosts:
        before = read(home, host)
        try:
            os.unlink(file_of(home, host))
        except OSError:
            continue  # closed already
        if before is not None:
            ended.append(before)
    return ended
