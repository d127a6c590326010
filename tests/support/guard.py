"""Two guards that notice whoever leaves the loopback interface.

`Trap` is a proxy on loopback that lets nobody through and remembers who tried: a sandbox names it in HTTP_PROXY and its like,
and its teardown fails the test when anything was caught. `forbid_network` watches the pytest process itself.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from typing import Any

_state = {"installed": False, "forbidden": False}
_caught: list[str] = []


class Trap:
    """A proxy that answers 403 and keeps the first line of every request."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.attempts: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()

    def environment(self) -> dict[str, str]:
        """Return the variables that lead HTTP clients into the trap, loopback excepted."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        proxies = {spelling: self.url for name in names for spelling in (name, name.lower())}
        return proxies | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,::1")

    def _watch(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(2)
                first = connection.recv(4096).split(b"\r\n")[0]
                self.attempts.append(first.decode("latin-1"))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def forbid_network(*, forbidden: bool) -> None:
    """Forbid, or allow, this process to leave loopback from now on."""
    if not _state["installed"]:
        sys.addaudithook(_audit)  # cannot be removed, hence the switch
        _state["installed"] = True
    _state["forbidden"] = forbidden


def take_caught() -> list[str]:
    """Return what this process tried since the last call."""
    caught = list(_caught)
    _caught.clear()
    return caught


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _state["forbidden"] or not event.startswith("socket."):
        return
    host = _host(event, arguments)
    if host is not None and not _is_loopback(host):
        _caught.append(f"{event} {host}")
        message = f"a test must not leave loopback: {event} {host}"
        raise PermissionError(message)


def _host(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        return _text(arguments[0])
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and isinstance(arguments[1], tuple):
        return _text(arguments[1][0])
    return None


def _text(host: object) -> str | None:
    if isinstance(host, bytes):
        return host.decode("latin-1")
    return host if isinstance(host, str) else None


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost", "0.0.0.0", "::"}:  # noqa: S104  # a comparison, nothing is bound
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
