"""When lastgood itself is broken: become uvx with what is left, the standard library. Imports nothing of lastgood.

A half-upgraded install or a bug must not keep a tool from starting.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 4 ms
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def become_uvx(argv: "list[str]", error: BaseException, origin: str = "") -> int:
    """Become uvx in the directory `origin`, saying why; the exit status where there is no uv to become."""
    said = f"{type(error).__name__}: {error}".replace("\n", " ")
    _say(f"warning: internal error ({said}), running plain `uvx`")
    try:
        if origin:
            os.chdir(origin)
        for uv in _candidates():
            if os.path.isfile(uv) and os.access(uv, os.X_OK):
                _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
                _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
                os.execv(uv, [uv, "tool", "uvx", *argv])  # what uvx itself does
    except OSError as trouble:
        _say(f"error: `uv` cannot be started: {trouble.strerror}")
        return 2
    _say("error: `uv` was not found on PATH; install uv or set `LASTGOOD_UV` to its path")
    return 2


def _candidates() -> "Iterator[str]":
    named = os.environ.get("LASTGOOD_UV")
    if named:
        yield os.path.join(named, "uv") if os.path.isdir(named) else named
        return
    yield from (os.path.join(place, "uv") for place in os.environ.get("PATH", "").split(":") if place)
    yield os.path.join(os.path.dirname(sys.executable), "uv")


def _say(text: str) -> None:
    try:
        os.write(2, f"lastgood: {text}\n".encode("utf-8", "replace"))
    except OSError:
        return  # standard error is closed: there is no one to tell
