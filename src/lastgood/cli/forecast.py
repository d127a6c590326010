"""What an outage would run of what is kept, shared by whoever shows that of many records. Starts no tool and asks no index.

Of a record that can run nothing is asked. Of another one the lower rungs of the ladder are looked at, which takes a question to uv:
of a few of them, several at once; of the rest that is not known.
"""

import contextlib
import functools
import math

from lastgood import policy, rehearsal, together
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lastgood.record import Record

UNKNOWN = "unknown"
"""The rung of a record whose lower rungs nobody has looked at."""
MOST = 8
"""How many records uv is asked about: each takes some 50 ms, and a table of all that is kept is to be there at once."""
_AT_ONCE = 4

Forecast = tuple[str, str]
"""The rung, one of rehearsal's names or UNKNOWN, and the version that would run from it ("" for none, or where nobody knows)."""


def of_kept(home: str, record: "Record", now: float, mode: str, stale_max: float) -> "Forecast | None":
    """The forecast where the record itself decides it; None where the lower rungs would have to be looked at."""
    if mode == "strict-latest":
        return rehearsal.NOTHING, ""
    best = record.runs(home)
    if best is None:
        return None
    # of what is gone back to nobody knows when the index answered for it
    age = now - record.asked if record.asked and best.id == record.current else math.inf
    stands_in = mode == "strict-cache" or record.held or policy.may_stand_in(age, stale_max)
    return (rehearsal.KEPT, best.version) if stands_in else (rehearsal.NOTHING, "")


def of_lower(kept: "Sequence[Record]", environ: "dict[str, str]") -> "list[Forecast]":
    """The forecasts of records that cannot run themselves."""
    asked = kept[:MOST]
    answers = _Answers(len(asked))
    together.each([functools.partial(_ask, record, environ) for record in asked], _AT_ONCE, answers)
    return [*answers.found, *[(UNKNOWN, "")] * (len(kept) - len(asked))]


class _Answers(together.Watcher):
    """Keeps what each question came to."""

    def __init__(self, count: int) -> None:
        self.found: list[Forecast] = [(UNKNOWN, "")] * count

    def ended(self, index: int, result: "Any") -> None:
        if result is not None:
            self.found[index] = (result[0], result[1])


def _ask(record: "Record", environ: "dict[str, str]") -> Forecast:
    """The rung from which the record's own words would run now, from where they were last used."""
    if not record.words:
        return UNKNOWN, ""
    try:
        with contextlib.chdir(record.place):
            rung = rehearsal.rung(record.words, environ, record.beside)
    except (LastgoodError, OSError):
        return UNKNOWN, ""  # a directory that is gone, a setting that is wrong: nobody can say what would run there
    return rung.name, rung.version
