"""The faults that the test index can have, and the rule by which a request is struck.

Shared by the client (`index.py`) and the process (`index_server.py`); knows nothing about sockets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

PathClass = Literal["page", "metadata", "file", "git", "other"]
Where = Literal["all", "page", "metadata", "file", "git"]
FaultKind = Literal[
    "refuse",  # the listening socket is closed: connection refused
    "hang-before-headers",  # the request is read and never answered
    "hang-after-headers",  # status and headers, then silence
    "trickle",  # headers, then a byte of the body now and then; all the rest once the file called `gate` is there
    "hang-up",  # the connection is closed without an answer
    "reset",  # the connection is reset (RST) instead of an answer
    "truncate",  # Content-Length promises all, half is sent, the connection closes
    "login",  # 200 and a login page: a captive portal
    "redirect-login",  # redirect to a login page on another host and port: 200
    "redirect-404",  # redirect to another host and port where there is nothing: 404
    "garbage",  # 200, the expected content type, bytes that mean nothing
    "alter",  # a valid file that is not the one whose hash the page states
    "cut",  # the first half of the file, with a Content-Length that says so
    "bad-certificate",  # TLS: a certificate that no client trusts
    "status",  # an HTTP status; `Index.fault(503)` sets it
]
KINDS = frozenset(get_args(FaultKind))
CONNECTION_KINDS = frozenset({"refuse", "bad-certificate"})  # in force before there is a request


@dataclass
class Fault:
    """One fault: what happens, to which requests, how often."""

    kind: FaultKind
    on: Where = "all"
    project: str | None = None
    every: int = 1
    times: int | None = None
    status: int = 503
    retry_after: int | None = None
    max_age: int | None = None
    interval: float = 0.25
    gate: str = ""
    seen: int = 0
    struck: int = 0

    def covers(self, path_class: PathClass, project: str | None) -> bool:
        """Return whether a request of this class and project is meant."""
        return self.on in {"all", path_class} and self.project in {None, project}

    def strikes(self, path_class: PathClass, project: str | None) -> bool:
        """Count a request and return whether the fault strikes it."""
        if self.kind in CONNECTION_KINDS or not self.covers(path_class, project):
            return False
        self.seen += 1
        if self.seen % self.every or (self.times is not None and self.struck >= self.times):
            return False
        self.struck += 1
        return True

    def as_message(self) -> dict[str, Any]:
        """Return the fault as the control channel carries it."""
        return asdict(self)
