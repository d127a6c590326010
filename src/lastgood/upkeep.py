"""What is done when nobody waits: byte-compiling a new generation, removing what nothing names and nothing runs."""

import json
import os
import time

from lastgood import generations, locks
from lastgood import record as records
from lastgood.errors import Damage

_YOUNG = 60.0
"""Seconds for which a generation or a staging directory that nobody names is left alone: it may be about to be named."""


def after_refresh(home: str, identity: str, seconds: float = 5.0) -> None:
    """Byte-compile the generation called `identity`, then clean up for at most `seconds`."""
    if identity:
        generations.compile_all(f"{home}/generations/{identity}")
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
    """Remove generations that no record names and no process uses, and leftovers of refreshes that died.

    Never the current, previous or held one: a record names those. A record that cannot be read keeps all that is its own.
    """
    done = Collected()
    until = time.monotonic() + seconds
    try:
        names = sorted(os.listdir(home + "/generations"))
    except OSError:
        return done
    for name in names:
        if time.monotonic() > until:
            break
        place = f"{home}/generations/{name}"
        if name.startswith((generations.STAGING, generations.TRASH)):
            if _is_leftover(name, place, young) and not dry_run:
                done.freed += generations.remove(place)
        elif _is_named(home, name, place, young):
            done.kept += 1
        else:
            _take_away(home, name, done, dry_run=dry_run)
    return done


def _is_leftover(name: str, place: str, young: float) -> bool:
    """Whether the process that a staging directory names is gone; a directory in the trash always is a leftover."""
    if name.startswith(generations.TRASH):
        return True
    process = name[len(generations.STAGING) :].partition("-")[0]
    if not process.isdecimal() or not os.path.exists("/proc/self"):
        return _age(place) > max(young, 3600.0)
    return not os.path.exists(f"/proc/{process}")


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
