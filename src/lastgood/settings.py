"""Every setting of lastgood, declared once, and the only place that reads the process environment.

The parser of `run`, the configuration reader, `why`, the help text and the documentation all derive from `SETTINGS`. On the hot
path: no imports beyond `os`, nothing is parsed here unless a caller asks for it.
"""

import os

from lastgood.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("prefer-latest", "prefer-cache", "strict-latest", "strict-cache")
CLASSES = ("unreachable", "server-error", "not-an-index", "auth", "not-found")
_DATE = len("2026-11-21")
DEFAULT_FALLBACK = ("unreachable", "server-error", "not-an-index")

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TRUE = ("1", "true", "yes", "on", "y", "t")
_FALSE = ("", "0", "false", "no", "off", "n", "f")


class Setting:
    """One setting: its key in a configuration file, its variable, its flag, its default and what it is for."""

    __slots__ = ("default", "env", "flag", "help", "key", "kind")

    def __init__(self, key: str, kind: str, default: str, text: str, *, flag: bool = True, file: bool = True) -> None:
        self.key = key if file else ""
        self.kind = kind
        self.default = default
        self.help = text
        self.env = "LASTGOOD_" + key.upper().replace("-", "_")
        self.flag = "--" + key if flag else ""

    @property
    def name(self) -> str:
        """The bare name, also of a setting that no file may hold."""
        return self.env[len("LASTGOOD_") :].lower().replace("_", "-")

    def check(self, text: str, where: str) -> None:
        """Raise SettingError naming `where` the text came from, where no value of this kind is written so."""
        if self.kind == "mode":
            mode(text, where)
        elif self.kind == "duration":
            duration(text, where)
        elif self.kind == "classes":
            classes(text, where)
        elif self.kind == "switch":
            switch(text, where)
        elif self.kind == "duration or date":
            check_cooldown(text, where)


SETTINGS = (
    Setting("mode", "mode", "prefer-latest", "what decides between the index and the last known good"),
    Setting("max-age", "duration", "10m", "how long an answer of the index counts as fresh"),
    Setting("patience", "duration", "3s", "how long a run waits for the index while something good is kept"),
    Setting("stale-max", "duration", "inf", "how old a last known good may be and still stand in"),
    Setting("fallback-on", "classes", ",".join(DEFAULT_FALLBACK), "which failures of the index the last known good stands in for"),
    Setting("cooldown", "duration or date", "", "ignore releases younger than this (passed to uv as `--exclude-newer`)"),
    Setting("home", "path", "", "where records and retained environments live", flag=False, file=False),
    Setting("uv", "path", "", "the uv to use", flag=False, file=False),
    Setting("quiet", "switch", "", "drop warnings and hints; errors stay", flag=False, file=False),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
FLAGS = {setting.flag: setting for setting in SETTINGS if setting.flag}
# What a project file may not decide alone is not in the file; these variables change what a run does, so a card depends on them.
CARD_VARIABLES = tuple(s.env for s in SETTINGS if s.name not in ("home", "quiet"))
TRACE = "LASTGOOD_INTERNAL__TRACE"
NOTICES = "LASTGOOD_INTERNAL__NOTICES"
OFFLINE = "LASTGOOD_INTERNAL__OFFLINE"
"""Set where a call site forbids the network: no word of a command line and no other variable chooses another mode then."""


def environment() -> "dict[str, str]":
    """A copy of this process's environment (undecodable bytes as surrogates)."""
    return dict(os.environ)


def is_on(value: "str | None") -> bool:
    """Whether the text of a switch such as UV_OFFLINE means on; uv's own boolean words, case aside."""
    return value is not None and value.lower() not in _FALSE


def is_boolean(value: str) -> bool:
    """Whether uv would take `value` for a switch at all; what it would refuse, it should see."""
    return value.lower() in _TRUE or value.lower() in _FALSE


def quiet(environ: "Mapping[str, str]") -> bool:
    """Whether LASTGOOD_QUIET asks for silence; what is no word of a switch does not."""
    return environ.get("LASTGOOD_QUIET", "").lower() in _TRUE


def duration(text: str, where: str) -> float:
    """Seconds in `text`: `90`, `2.5`, `10m`, `1h`, `7d`, `2w` or `inf`.

    Raises SettingError naming `where` the text came from.
    """
    word = text.strip().lower()
    if word in ("inf", "unlimited"):
        return float("inf")
    unit = _UNITS.get(word[-1:], 1.0)
    digits = word[:-1] if word[-1:] in _UNITS else word
    if not digits.replace(".", "", 1).isdecimal() or not digits.isascii():
        raise SettingError(f"invalid {where} `{text}`: expected seconds or a duration like `10m`")
    return float(digits) * unit


def switch(text: str, where: str) -> bool:
    """Whether a switch of lastgood's own is on. Raises SettingError naming `where` the text came from."""
    if not is_boolean(text):
        raise SettingError(f"invalid {where} `{text}`: expected a switch like `1` or `0`")
    return is_on(text)


def number(text: str, where: str) -> int:
    """The whole number from 1 in `text`. Raises SettingError naming `where` the text came from."""
    word = text.strip()
    if not word.isdecimal() or not word.isascii() or int(word) < 1:
        raise SettingError(f"invalid {where} `{text}`: expected a whole number from 1")
    return int(word)


def check_cooldown(text: str, where: str) -> None:
    """Raise SettingError where `text` is nothing that uv's `exclude-newer` takes: `7d`, `1 week`, `P7D`, a date or a time."""
    word = text.strip().lower()
    digits = word.lstrip("0123456789")
    is_span = digits != word and digits.strip()[:1] in tuple("smhdw")
    is_date = len(word) >= _DATE and word[4:5] == word[7:8] == "-" and (word[:4] + word[5:7] + word[8:10]).isdigit()
    if text and not (is_span or is_date or word.startswith("p")):
        raise SettingError(f"invalid {where} `{text}`: expected a duration like `7d`, or a date")


def mode(text: str, where: str) -> str:
    """The mode that `text` names. Raises SettingError with the nearest word."""
    if text in MODES:
        return text
    hint = suggestion(text, MODES)
    raise SettingError(f"invalid {where} `{text}`: expected {alternatives(MODES)}{hint}")


def classes(text: str, where: str) -> "tuple[str, ...]":
    """The failure classes in a comma-separated `text`. Raises SettingError."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in words:
        if word not in CLASSES:
            raise SettingError(f"invalid {where} `{word}`: expected {alternatives(CLASSES)}{suggestion(word, CLASSES)}")
    return words


def alternatives(words: "tuple[str, ...]") -> str:
    """`a`, `b` or `c`."""
    marked = [f"`{word}`" for word in words]
    return marked[0] if len(marked) == 1 else ", ".join(marked[:-1]) + " or " + marked[-1]


def suggestion(word: str, known: "tuple[str, ...]") -> str:
    """`; did you mean X?`, or nothing where no known word is near."""
    import difflib  # a mistyped word ends the run, so its cost never meets the hot path

    near = difflib.get_close_matches(word.replace("_", "-").lower(), known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""
