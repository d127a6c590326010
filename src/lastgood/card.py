"""The launch card: the few lines that `run` needs on the hot path. Pure: text to Card and back.

A card starts with `lastgood card 1` and ends with `end`, so that a cut file is seen; in between stand one field a line, and a
`stamp` line for every file that the card depends on. Unknown fields are ignored. It is derived from the record and may be
deleted at any time.
"""

from lastgood.errors import Damage

HEADER = "lastgood card 1"
ABSENT = -1

_TEXTS = (
    "key",
    "tool",
    "version",
    "record",
    "generation",
    "command",
    "launch",
    "file",
    "uv",
    "source",
    "spec",
    "extra",
    "mode",
    "hosts",
    "fallback_on",
)
_NUMBERS = ("asked", "max_age", "patience", "stale_max")
_WHOLES = ("lean", "lenient", "file_size", "base_size", "base_mtime", "nofile", "held", "notice")
_LAUNCHES = ("python", "exec", "search")


class Card:
    """What a run needs to start a tool.

    key         what the card was written for; compared whole
    tool        the tool as the user calls it; `version` the version that is kept
    record      the id of the record it was written from; `generation` the id of the retained environment
    command     argv[0] of the tool
    launch      "python": a Python script of the environment; "exec": any other file of it; "search": a command on PATH
    file        the file to start, relative to the generation ("" with "search"); `file_size` its size in bytes
    base_size, base_mtime   size in bytes and mtime in ns of the interpreter that the generation's bin/python leads to
    uv          what uvx puts into UV ("" for nothing); `nofile` 1 where uv raises the soft limit of open files
    source      the environment of uv's that the generation was cloned from
    spec        what uvx is asked for (the value of --from), `extra` the options that the table adds, separated by tabs
    lean        1 where `spec` and `extra` could be written down, so that a stale run may ask without reading the configuration
    lenient     1 where `patience` is the default
    asked       when the index last answered (seconds since the epoch)
    mode, max_age, patience, stale_max   the settings as resolved, in seconds
    fallback_on the classes of failure that it may stand in for, separated by blanks
    hosts       hosts whose breaker concerns this request, separated by blanks
    held        1 where no refresh may replace the generation; `notice` 1 where a line waits to be said
    stamps      (path, size or ABSENT, mtime in ns) of every file that decided any of this
    """

    __slots__ = (*_TEXTS, *_NUMBERS, *_WHOLES, "stamps")

    key: str
    tool: str
    version: str
    record: str
    generation: str
    command: str
    launch: str
    file: str
    uv: str
    source: str
    spec: str
    extra: str
    mode: str
    hosts: str
    fallback_on: str
    asked: float
    max_age: float
    patience: float
    stale_max: float
    lean: int
    lenient: int
    file_size: int
    base_size: int
    base_mtime: int
    nofile: int
    held: int
    notice: int

    def __init__(self) -> None:
        for name in _TEXTS:
            setattr(self, name, "")
        for name in (*_NUMBERS, *_WHOLES):
            setattr(self, name, 0)
        self.stamps: list[tuple[str, int, int]] = []


def write(card: Card) -> str:
    """The text of a card."""
    lines = [HEADER]
    lines += [f"{name} {getattr(card, name)}" for name in (*_TEXTS, *_NUMBERS, *_WHOLES)]
    lines += [f"stamp {size} {mtime} {path}" for path, size, mtime in card.stamps]
    lines.append("end\n")
    return "\n".join(lines)


def read(text: str) -> Card:
    """The card in `text`. Raises Damage where it is cut, foreign, or cannot be true."""
    lines = text.split("\n")
    if lines[0] != HEADER or lines[-2:] != ["end", ""]:
        raise Damage("not a whole card")
    card = Card()
    try:
        for line in lines[1:-2]:
            name, _, value = line.partition(" ")
            if name == "stamp":
                size, mtime, path = value.split(" ", 2)
                card.stamps.append((path, int(size), int(mtime)))
            elif name in _TEXTS:
                setattr(card, name, value)
            elif name in _NUMBERS:
                setattr(card, name, float(value))
            elif name in _WHOLES:
                setattr(card, name, int(value))
    except ValueError as error:
        raise Damage(f"a field of the card is no number: {error}") from error
    if not (card.key and card.record and card.mode) or card.launch not in _LAUNCHES:
        raise Damage("a field of the card is missing")
    if ".." in card.file or card.file.startswith("/") or "/" in card.generation or not card.generation:
        raise Damage("the card leads out of the store")
    return card
