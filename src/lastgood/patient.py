"""What `doctor` looks at, read once, and what a check says of it. Nothing is judged here."""

import json
import os

from lastgood import paths, uv
from lastgood import record as records
from lastgood.errors import Damage, NoUvError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lastgood.record import Record

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Finding:
    """What one check found.

    name     of the check               verdict   OK, WARNING or PROBLEM
    words    what was found             step      what would help, "" where nothing is to be done
    mend     does it, and says what it did; None where that is not safe. `mended` is what was done, or `refused` why it was not
    """

    __slots__ = ("mend", "mended", "name", "refused", "step", "verdict", "words")

    def __init__(self, name: str, verdict: str, words: str, step: str = "", mend: "Callable[[], str] | None" = None) -> None:
        self.name = name
        self.verdict = verdict
        self.words = words
        self.step = step
        self.mend = mend
        self.mended = ""
        self.refused = ""

    @property
    def left(self) -> bool:
        """Whether this is a problem still."""
        return self.verdict == PROBLEM and not self.mended

    def data(self) -> "dict[str, Any]":
        """The finding as `--json` has it."""
        found = {"check": self.name, "verdict": self.verdict, "words": self.words, "step": self.step}
        return {**found, "mendable": self.mend is not None, "mended": self.mended, "refused": self.refused}


class Patient:
    """What the checks look at: the environment, the home and what its records say, read once.

    standing   whether there is a home that may be trusted      trouble   why it may not be
    records    those that keep something
    damaged, unreadable   [(id, reason)] and `newer` [(id, format)] of those that cannot be read
    lost       the ids of those that generations name and that are not there
    """

    __slots__ = (
        "cwd",
        "damaged",
        "deep",
        "environ",
        "home",
        "lost",
        "newer",
        "records",
        "standing",
        "trouble",
        "unreadable",
        "uv",
        "without_uv",
    )

    def __init__(self, environ: "dict[str, str]", *, deep: bool = False) -> None:
        self.environ = environ
        self.deep = deep
        self.home = paths.home(environ)
        self.cwd = os.getcwd()
        self.trouble: StateError | None = None
        self.uv: uv.Uv | None = None
        self.without_uv: NoUvError | None = None
        try:
            self.standing = paths.trusted(self.home)
        except StateError as error:
            self.standing, self.trouble = False, error
        try:
            self.uv = uv.find(environ)
        except NoUvError as error:
            self.without_uv = error
        self.read()

    def read(self) -> None:
        """Read every record, again where something was mended."""
        self.records: list[Record] = []
        self.damaged: list[tuple[str, str]] = []
        self.newer: list[tuple[str, int]] = []
        self.unreadable: list[tuple[str, str]] = []
        known = records.identities(self.home) if self.standing else []
        self.lost = sorted(records.owners(self.home).difference(known)) if self.standing else []
        for name in known:
            try:
                found = records.load(self.home, name)
            except Damage as error:
                self.damaged.append((name, _in_words(error)))
            except records.NewerFormat as error:
                self.newer.append((name, error.args[0]))
            except OSError as error:
                self.unreadable.append((name, (error.strerror or str(error)).lower()))
            else:
                self.records += [found] if found is not None and found.generations else []


def _in_words(error: Damage) -> str:
    """What is wrong with a record, for people: not as Python says it."""
    cause = error.__cause__
    if cause is None or isinstance(cause, UnicodeDecodeError):
        return str(error)
    if isinstance(cause, json.JSONDecodeError):
        return f"no JSON from line {cause.lineno}, column {cause.colno} on"
    if isinstance(cause, KeyError):
        return f"it has no `{cause.args[0]}`"
    return "it is nested too deeply" if isinstance(cause, RecursionError) else "a field of it is not what it should be"


def names_in(place: str) -> "list[str]":
    """The names of what lies in a directory, sorted; none where it cannot be read."""
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []
