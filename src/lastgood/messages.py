"""Every line that lastgood says of itself on standard error, and how a line looks.

The grammar: lower case, back-ticks round names, no full stop; fact, then reason, then next step. Colours never carry the meaning:
warnings yellow, errors red, hints cyan, and NO_COLOR > FORCE_COLOR > whether standard error is a terminal.
"""

import os
import time

from lastgood import request, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lastgood.errors import LastgoodError

_COLOURS = {"error": "\033[1;31m", "warning": "\033[1;33m", "hint": "\033[1;36m"}
_TWO_MINUTES = 120
_DECADES = 1e9
_STEPS = ((86400.0, "days", " day"), (3600.0, "h", ""), (60.0, "m", ""))


def say(level: str, text: str, environ: "Mapping[str, str]") -> None:
    """Write one line to standard error: level "error", "warning", "hint", or "" for plain news."""
    if level != "error" and settings.quiet(environ):
        return
    label = f"{level}:" if level else ""
    if label and _coloured(environ):
        label = f"{_COLOURS[level]}{level}\033[0m:"
    line = f"lastgood: {label} {shown(text)}\n" if label else f"lastgood: {shown(text)}\n"
    write_all(2, line.encode())


def shown(text: str) -> str:
    """The text as anyone may see it: names and values are other people's.

    No credentials, and what would end the line, paint the terminal or is no text is made visible.
    """
    text = request.without_credentials(text)
    if text.isprintable():
        return text
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")  # without PYTHONUTF8, C knows only ASCII
    return "".join(
        c if c.isprintable() else f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else ascii(c)[1:-1] for c in text
    )


def tell(error: "LastgoodError", environ: "Mapping[str, str]") -> None:
    """Say an error and what would help, in one line."""
    say("error", f"{error.message}; {error.hint}" if error.hint else error.message, environ)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a reader that has gone away must not stop the tool."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return  # standard error is closed or full: there is no one to tell


def _coloured(environ: "Mapping[str, str]") -> bool:
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE"):
        return True
    return os.isatty(2) and environ.get("TERM") != "dumb"


def ago(seconds: float) -> str:
    """A duration in one unit: `40s`, `12m`, `3h`, `31 days`."""
    for length, unit, one in _STEPS:
        if seconds >= length:
            count = int(seconds // length)
            if unit == "days":
                return f"{count}{one}" if count == 1 else f"{count} days"
            return f"{count}{unit}"
    return f"{int(seconds)}s"


def size(count: int) -> str:
    """Bytes in one unit: `12 KiB`, `3.4 MiB`, `1.2 GiB`."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{(count + 1023) // 1024} KiB"


def count(number: int, what: str) -> str:
    """`1 generation`, `3 generations`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def tools(names: "Sequence[str]") -> str:
    """How many tools are named: `2 tools`; `3 requests of 2 tools` where one is named for several requests."""
    different = count(len(set(names)), "tool")
    return different if len(set(names)) == len(names) else f"{count(len(names), 'request')} of {different}"


def clock(when: float) -> str:
    """A time of day, with the date where it is not today's."""
    then, now = time.localtime(when), time.localtime()
    if then[:3] == now[:3]:
        return f"{then[3]:02d}:{then[4]:02d}"
    return f"{then[0]}-{then[1]:02d}-{then[2]:02d} {then[3]:02d}:{then[4]:02d}"


def stamp(when: float) -> str:
    """A point in time, to the minute, in local time: `2026-11-21 14:02`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def running(tool: str, version: str, age: float) -> str:
    """What stands in: ``running `ruff` 0.14.2, last checked 3h ago``."""
    named = f"`{tool}` {version}" if version else f"`{tool}`"
    return f"running {named}, last checked {when(age)}"


def when(age: float) -> str:
    """How long ago the index last answered; the age counts from the epoch where nobody knows."""
    return f"{ago(age)} ago" if 0 <= age < _DECADES else "at an unknown time"


def fallback_open(tool: str, version: str, age: float, down: str, until: float, now: float) -> str:
    """The notice of a run while a breaker is open: `down` is the clause of `been_down`."""
    return f"{running(tool, version, age)}: {down}; next try in {ago(max(0.0, until - now))}"


def been_down(host: str, since: float, reason: str) -> str:
    """What is remembered of a host, whether it said nothing or nothing good, as a clause."""
    return f"{_who(host)} has been down since {clock(since)} ({reason})"


def fallback_slow(tool: str, version: str, age: float, host: str, patience: float) -> str:
    """The notice of a run that lost its patience."""
    waited = f"no answer from {_who(host)} within {_seconds(patience)}"
    return f"{running(tool, version, age)}: {waited}; still refreshing in the background"


def no_answer(host: str, reason: str) -> str:
    r"""Why an index is as good as down, as a clause: ``\`index.example\` did not answer (timed out)``."""
    if reason.startswith("web page instead"):
        return f"{_who(host)} answered with a web page, not an index (captive portal?)"
    if reason.startswith("HTTP "):
        return f"{_who(host)} answered with an error ({reason})"
    return f"{_who(host)} did not answer ({reason})"


def answered(host: str, reason: str) -> str:
    r"""The same for an answer that something may stand in for: ``\`index.example\` answered: no release fits the request``."""
    return no_answer(host, reason) if reason.startswith("HTTP ") else f"{_who(host)} answered: {reason}"


def auth(tool: str, version: str, host: str, reason: str) -> str:
    """The hint after refused credentials."""
    what = f"{_who(host)} refused the credentials ({reason.removeprefix('HTTP ')}), which is an answer; `{tool}` {version} is kept"
    listed = ", ".join(f'"{word}"' for word in (*settings.DEFAULT_FALLBACK, "auth"))
    return f"{what}: set `fallback-on = [{listed}]` in [tool.lastgood], or run with `--prefer-offline`"


def _who(host: str) -> str:
    return f"`{host}`" if host else "the index"


def _seconds(value: float) -> str:
    return f"{value:g}s" if value < _TWO_MINUTES else ago(value)


def fallback(tool: str, version: str, age: float, reason: str) -> str:
    """The notice of a run in which something stands in: `reason` is a whole clause."""
    return f"{running(tool, version, age)}: {reason}"


def own_bug(error: BaseException, then: str = ", running plain `uvx`") -> str:
    """An internal error, told without a traceback, and what happens then."""
    said = f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
    return f"internal error ({said}){then}; set `LASTGOOD_INTERNAL__TRACE=1` for details"
