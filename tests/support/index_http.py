"""As much of HTTP/1.1 as the test index needs: requests off a socket, responses as bytes. No faults, no files.

Written by hand because a server that must send half an answer, or a byte at a time, or a reset, has to own its socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from tests.support.index_catalog import Format, Resource

MOST_HEADERS = 64 * 1024
REASONS = {
    200: "OK",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]

    def page_format(self) -> Format:
        """Return which form of the simple API the client prefers."""
        return "json" if "application/vnd.pypi.simple.v1+json" in self.headers.get("accept", "") else "html"


@dataclass
class Response:
    """An answer: status, headers, body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """Return status line and headers."""
        length = {} if self.status == 304 else {"Content-Length": str(len(self.body))}  # not modified
        lines = [f"{name}: {value}" for name, value in {**length, **self.headers}.items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}", *lines, "", ""]).encode()


def read_request(connection: socket.socket, buffer: bytearray) -> HttpRequest | None:
    """Read one request; None when the client has gone or talks nonsense. `buffer` keeps what came with it."""
    while b"\r\n\r\n" not in buffer:
        block = connection.recv(65536)
        if not block or len(buffer) > MOST_HEADERS:
            return None
        buffer += block
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    buffer[:] = rest
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:  # method, target, version
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return HttpRequest(words[0], words[1].partition("?")[0], headers)


def respond(request: HttpRequest, resource: Resource, max_age: int | None) -> Response:
    """Answer a request for something that exists: whole, in part, or not modified."""
    headers = {"Content-Type": resource.content_type, "ETag": resource.etag, "Accept-Ranges": "bytes"}
    if resource.varies:
        headers["Vary"] = "Accept"
    if max_age is not None:
        headers["Cache-Control"] = f"max-age={max_age}, public"
    if request.headers.get("if-none-match") == resource.etag:
        return Response(304, headers=headers)
    wanted = request.headers.get("range")
    if wanted is None or request.method == "HEAD":
        return Response(200, resource.body, headers)
    return _partial(wanted, resource.body, headers)


def _partial(wanted: str, body: bytes, headers: dict[str, str]) -> Response:
    total = len(body)
    span = _span(wanted, total)
    if span is None:
        return Response(416, headers={**headers, "Content-Range": f"bytes */{total}"})
    first, last = span
    return Response(206, body[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{total}"})


def _span(wanted: str, total: int) -> tuple[int, int] | None:
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    try:
        span = (max(total - int(last), 0), total - 1) if not first else (int(first), min(int(last or total - 1), total - 1))
    except ValueError:
        return None
    return span if span[0] <= span[1] else None
