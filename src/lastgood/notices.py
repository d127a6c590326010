"""The lines of a run that need more than words: an open breaker's, and one that an earlier refresh left. On the hot path."""

import os

from lastgood import breaker, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.scene import Scene


def say_open(scene: "Scene", card: "Card", down: breaker.Breaker, now: float) -> None:
    """The notice of a run while a breaker is open."""
    line = messages.fallback_open(card.tool, card.version, now - card.asked, breaker.shown(down.host), down.since, down.until, now)
    messages.say("warning", line, scene.loud)


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
