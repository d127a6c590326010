"""What an outage would run of what is kept, shared by whoever shows that of many records. Starts no tool and asks no index.

Of a record that can run nothing is asked. Of another one the lower rungs of the ladder are looked at, which takes a question to uv:
of a few of them, several at once; of the rest that is not known.
"""

import contextlib
import functools
import os

from lastgood import card as cards
from lastgood import identity, outage, policy, project, rehearsal, request, settings, surroundings, targets, together
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lastgood.project import Configuration
    from lastgood.record import Record

UNKNOWN = "unknown"
"""The rung of a record whose lower rungs nobody has looked at."""
MOST = 8
"""How many records uv is asked about: each takes some 50 ms, and a table of all that is kept is to be there at once."""
_AT_ONCE = 4

Forecast = tuple[str, str]
"""The rung, one of rehearsal's names or UNKNOWN, and the version that would run from it ("" for none, or where nobody knows)."""


def configuration(environ: "dict[str, str]") -> "Configuration | LastgoodError | None":
    """The settings of this directory, for the modes; the error where one cannot be used, None where there is no directory."""
    try:
        cwd = os.getcwd()
        return project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    except LastgoodError as error:
        return error
    except OSError:
        return None


class Wanted:
    """The settings that a run of a record would have, as a configuration says them."""

    __slots__ = ("falls_back", "max_age", "mode", "stale_max")

    def __init__(self, found: "Configuration | LastgoodError | None", record: "Record") -> None:
        def text(name: str) -> str:
            return _text(None if isinstance(found, LastgoodError) else found, record, name)

        self.mode = text("mode")
        self.max_age = settings.duration(text("max-age"), "max-age")
        self.stale_max = settings.duration(text("stale-max"), "stale-max")
        self.falls_back = outage.UNREACHABLE in settings.classes(text("fallback-on"), "fallback-on")


def _text(configuration: "Configuration | None", record: "Record", name: str) -> str:
    """A setting as a run from here has it: pins and `@latest` have defaults of their own."""
    where, text = "default", settings.BY_NAME[name].default
    if configuration is not None:
        where, text = configuration.where(name), configuration.text(name)
        entry = configuration.tools.get(record.tool)
        if entry is not None and name in entry.values and not where.startswith("LASTGOOD_"):
            where, text = entry.where, entry.values[name]
    try:
        wanted = targets.parse(f"{record.tool}{record.request.get('specifier', '')}")
    except request.Handover:
        return text  # an address: nothing of it is pinned by its words
    if wanted.latest and name == "max-age":
        return "0"
    if wanted.exact and where == "default":
        return {"mode": "prefer-cache", "max-age": identity.PINNED}.get(name, text)
    return text


def of_installed(record: "Record", environ: "dict[str, str]") -> "Forecast | None":
    """The forecast where `uv tool install` has the tool: uvx prefers that, whatever is kept; None where it has not."""
    options = [(name, value) for name, value in record.request.get("options", ())]
    package, specifier = record.request.get("package", ""), record.request.get("specifier", "")
    if any(name == "--isolated" for name, _ in options) or environ.get("UV_ISOLATED"):
        return None
    if not package or not os.path.exists(surroundings.receipt(environ, package)):
        return None
    try:
        wanted = targets.parse(f"{package}{specifier}")
    except request.Handover:
        return None  # an address, and no package of that name
    if wanted.latest or identity.is_unfit(wanted, surroundings.receipt(environ, package)):
        return None
    version = rehearsal.installed(environ, wanted, [value for name, value in options if name == "--with"])
    return (rehearsal.INSTALLED, version) if version is not None else (rehearsal.NOTHING, "")


def of_kept(home: str, record: "Record", now: float, wanted: Wanted) -> "tuple[str, str, float] | None":
    """The forecast where the record itself decides it; None where the lower rungs would have to be looked at.

    With it when the index answered for what would run; 0 where nobody knows.
    """
    if wanted.mode == "strict-latest":
        return rehearsal.NOTHING, "", 0.0
    best = record.runs(home)
    if best is None:
        return None
    if not best.commands:
        return rehearsal.NOTHING, "", 0.0  # it provides none that was asked for: plain uvx says so
    card = cards.Card()
    card.asked, card.held = record.standing_of(best)
    card.max_age, card.stale_max = wanted.max_age, wanted.stale_max
    stands_in = policy.stands_in(card, wanted.mode, now, falls_back=wanted.falls_back)
    if not stands_in and not record.asked and wanted.falls_back and record.words:
        return None  # it came from uv's cache, which a run would ask again
    return (rehearsal.KEPT, best.version, card.asked) if stands_in else (rehearsal.NOTHING, "", 0.0)


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
