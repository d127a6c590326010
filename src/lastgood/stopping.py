"""Being told to end while others work for this process: what it started is taken down before it goes.

A uv that waits for a silent index, or a check that never ends, would otherwise outlive whoever killed the run.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 3 ms before uvx starts
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

NUMBERS = (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
"""The signals that mean: end."""


class _Told(BaseException):
    """A signal arrived; `args[0]` is its number. No `except Exception` may keep it from unwinding."""


class Unwinding:
    """A block that SIGTERM, SIGHUP and SIGQUIT unwind, so that its `finally` clauses run, before they end the process as ever.

    `more` are further signals that do. One that is ignored or handled already is left alone, and so are all of them outside the
    main thread. Once one has arrived no other interrupts what is taken down.
    """

    def __init__(self, *more: int) -> None:
        self._numbers = (*NUMBERS, *more)

    def __enter__(self) -> "Self":
        self._changed: list[int] = []
        for number in self._numbers:
            if _signal.getsignal(number) != _signal.SIG_DFL:
                continue
            try:
                _signal.signal(number, _unwind)
            except ValueError:
                break  # not the main thread: nox and other callers may bring their own
            self._changed.append(number)
        return self

    def __exit__(self, _kind: object, error: "BaseException | None", _trace: object) -> None:
        for number in self._changed:
            _signal.signal(number, _signal.SIG_DFL)
        if isinstance(error, _Told):
            os.kill(os.getpid(), error.args[0])


def ignore() -> None:
    """Let nothing interrupt what follows: a second Ctrl-C, or a signal to a whole group, comes while things are taken down."""
    for number in (*NUMBERS, _signal.SIGINT):
        _signal.signal(number, _nothing)  # with SIG_IGN one that has just arrived makes Python print a traceback


def _nothing(_number: int, _frame: "FrameType | None") -> None:
    """Go on."""


def _unwind(number: int, _frame: "FrameType | None") -> None:
    ignore()
    raise _Told(number)
