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

_TEXTS = ("event", "tool", "record", "version", "before", "reason", "host")
"""The fields of an event that are text, where they are there."""


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
    """All events, oldest first; lines that are none are left out."""
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
            except (ValueError, RecursionError):
                continue
            if _is_event(event):
                events.append(event)
    return events


def _is_event(found: object) -> bool:
    """Whether each field of a line that is known here is what `note` writes: whoever tells it relies on that."""
    if not isinstance(found, dict) or "event" not in found or not _is_time(found.get("at")):
        return False
    changes = found.get("changes", [])
    texts = [*(found.get(name, "") for name in _TEXTS), *(changes if isinstance(changes, list) else [None])]
    return all(map(_is_text, texts)) and isinstance(found.get("down", True), bool) and _is_time(found.get("since", 0))


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False  # JSON can name what is no character, which nobody can write
    return True


def _is_time(at: object) -> bool:
    return isinstance(at, (int, float)) and not isinstance(at, bool) and 0 <= at < _LAST
