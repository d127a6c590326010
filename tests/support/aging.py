"""Time that passes for what is kept: records and cards say that the index was asked that much longer ago."""

from __future__ import annotations

from lastgood import card as cards
from lastgood import record as records
from lastgood import surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

HOUR, DAY, YEAR = 3600.0, 86400.0, 31557600.0


def let_pass(home: Path, seconds: float) -> None:
    """Move the stamps of every record and card into the past, or, negative, into the future: a clock that was set back.

    Cards stay valid: they are for the hot path, which reads no record.
    """
    for identity in records.identities(str(home)):
        record = records.load(str(home), identity)
        assert record is not None
        record.asked -= seconds
        records.save(str(home), record)
    for path in (home / "cards").iterdir():
        card = cards.read(path.read_text("utf-8", "surrogateescape"))
        card.asked -= seconds
        card.stamps = [surroundings.stamp(name) if name.startswith(str(home)) else (name, *rest) for name, *rest in card.stamps]  # type: ignore[misc]
        path.write_text(cards.write(card), "utf-8", "surrogateescape")
