"""What is done when nobody waits: byte-compiling a new generation, removing what nothing names and nothing runs."""

import contextlib
import json
import os
import time

from lastgood import generations, locks, paths
from lastgood import record as records
from lastgood.errors import Damage

_MONTH = 30 * 86400.0
_YOUNG = 60.0
"""Seconds for which a generation or a staging directory that nobody names is left alone: it may be about to be named."""
_ABANDONED = 3600.0
"""The same for a staging directory on a file system without locks, where its age is all that tells."""


def after_refresh(home: str, identity: str, seconds: float = 5.0) -> None:
    """Byte-compile the generation called `identity`, then clean up for at most `seconds`."""
    if identity:
        place = f"{home}/generations/{identity}"
        generations.compile_all(place)
        with contextlib.suppress(OSError):  # gone already: there is nothing to measure
            generations.measure(place)
    collect(home, seconds=seconds)


class Collected:
    """What a collection removed: `generations` and the bytes `freed`; `kept` in the store, of which `running` are in use."""

    __slots__ = ("freed", "generations", "kept", "names", "running")

    def __init__(self) -> None:
        self.generations = 0
        self.freed = 0
        self.kept = 0
        self.running = 0
        self.names: list[str] = []


def collect(home: str, *, seconds: float = 3600.0, dry_run: bool = False, young: float = _YOUNG) -> Collected:
    """Remove generations that no record names and no process uses, leftovers of refreshes that died, and cards of old.

    Never the current, previous or held one: a record names those. A record that cannot be read keeps all that is its own.
    """
    done = Collected()
    until = time.monotonic() + seconds
    if not dry_run:
        _sweep(home, young)
    try:
        names = sorted(os.listdir(home + "/generations"))
    except OSError:
        return done
    for name in names:
        if time.monotonic() > until:
            break
        place = f"{home}/generations/{name}"
        if name.startswith((generations.STAGING, generations.TRASH)):
            if not dry_run and (name.startswith(generations.TRASH) or _is_leftover(place, young)):
                done.freed += generations.remove(place)
        elif _is_named(home, name, place, young):
            done.kept += 1
        else:
            _take_away(home, name, done, dry_run=dry_run)
    return done


def _sweep(home: str, young: float) -> None:
    """Remove files that were to be renamed into place when whoever wrote them died, and cards that nobody needed for a month."""
    for part in paths.PARTS:
        try:
            names = os.listdir(f"{home}/{part}")
        except OSError:
            continue
        for name in names:
            longest = young if name.endswith(records.ASIDE) else _MONTH if part == "cards" else None
            if longest is not None and _age(f"{home}/{part}/{name}") > longest:
                _unlink(f"{home}/{part}/{name}")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # gone already, or a home that cannot be written


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
            done.generations += 1
            done.names.append(name)
            if dry_run:
                return
            os.rename(place, trash)
    except locks.Busy:
        done.kept += 1
        done.running += 1
        return
    except (locks.LockTrouble, OSError):
        return  # gone already, or a file system that does not lock: better kept than lost
    done.freed += generations.remove(trash)
