"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_for(predicate: Callable[[], T], what: str, timeout: float = 20) -> T:
    """Ask again and again until the answer is true, and return it; fail, naming what was awaited, when it takes too long."""
    deadline = time.monotonic() + timeout
    while True:
        found = predicate()
        if found:
            return found
        if time.monotonic() > deadline:
            message = f"waited {timeout} s in vain for {what} (last answer: {found!r})"
            raise AssertionError(message)
        time.sleep(0.01)
