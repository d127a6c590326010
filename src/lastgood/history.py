"""The history: one JSON line an event in events.jsonl, bounded. Telling it is no one's condition: a failure is not an error."""

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1 << 20
_LAST = 253402200000.0
"""A day before the year 10000, wherever one is: of a later time no calendar knows the date."""


def note(home: str, event: str, **fields: "Any") -> None:
    """Append one event. A line is written with one call, so processes do not mix theirs."""
    path = home + "/events.jsonl"
    line = json.dumps({"at": round(time.time(), 3), "event": event, **fields}, sort_keys=True) + "\n"
    try:
        if os.path.exists(path) and os.path.getsize(path) > _MOST:
            os.replace(path, path + ".old")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return  # a full disk: the run matters, its history does not


def read(home: str) -> "list[dict[str, Any]]":
    """All events, oldest first; lines that cannot be read are left out."""
    events = []
    for name in ("events.jsonl.old", "events.jsonl"):
        try:
            with open(f"{home}/{name}", encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event and _is_time(event.get("at")):
                events.append(event)
    return events


def _is_time(at: object) -> bool:
    return isinstance(at, (int, float)) and 0 <= at < _LAST
