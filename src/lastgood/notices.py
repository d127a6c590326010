"""The lines of a run that need more than words: an open breaker's, and one that an earlier refresh left. On the hot path."""

import os
import time

from lastgood import breaker, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.scene import Scene


def note_fallback(scene: "Scene", card: "Card", now: float) -> None:
    """Enter into the history that something stood in. One short line, made by hand: the hot path has no json."""
    version = card.version.replace("\\", "").replace('"', "")
    line = f'{{"at": {now:.3f}, "event": "fallback", "record": "{card.record}", "version": "{version}"}}\n'
    try:
        descriptor = os.open(scene.home + "/events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return  # a home that cannot be written has no history


def say_open(scene: "Scene", card: "Card", down: breaker.Breaker, now: float) -> None:
    """The notice of a run while a breaker is open."""
    line = messages.fallback_open(card.tool, card.version, now - card.asked, breaker.shown(down.host), down.since, down.until, now)
    messages.say("warning", line, scene.loud)
    note_fallback(scene, card, now)


def say_stands_in(scene: "Scene", card: "Card", reason: str) -> None:
    """The notice of a run in which something stands in: `reason` is a whole clause."""
    now = time.time()
    messages.say("warning", messages.fallback(card.tool, card.version, now - card.asked, reason), scene.loud)
    note_fallback(scene, card, now)


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
