"""The process of a test index: what `index_template` forks for an `index.Index`, and nothing else.

Control channel: a line of JSON on stdin, a line of JSON back on stdout. The first line is the configuration, its answer names
the ports. When stdin ends the process ends, so it cannot outlive the tests, however they died.

The main thread runs the control channel and accepts connections, so whatever a command changes is in force before its answer is
written. Each connection has a daemon thread. A listener's port belongs to it from start to end: a second socket, bound but never
listening, keeps it while the first one is closed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.support import index_catalog as catalogue
from tests.support.index_catalog import Catalog, PublishedFile, Resource, classify
from tests.support.index_faults import Fault
from tests.support.index_http import HttpRequest, Response, read_request, respond

if TYPE_CHECKING:
    from collections.abc import Callable

Role = Literal["index", "files", "portal"]
LOOPBACK = "127.0.0.1"
OTHER_NAME = "localhost"  # the same machine by another name: another host to every HTTP client
RESHAPED: dict[str, Callable[[Resource], Resource]] = {
    "garbage": catalogue.garbage,
    "alter": catalogue.alter,
    "cut": catalogue.cut,
}
BROKEN_TLS = (OSError, ValueError)  # a socket closed under an SSL object raises either


def main() -> None:
    """Serve until stdin ends."""
    commands = CommandLines()
    configuration = commands.wait()
    if configuration is None:
        return
    server = Server(configuration)
    answer({"ports": server.ports()})
    while True:
        sources: list[int | Listener] = [0, *server.listening()]
        ready, _, _ = select.select(sources, [], [])
        for source in ready:
            if isinstance(source, Listener):
                server.accept(source)
        if 0 in ready and not commands.carry_out(server):
            os._exit(0)  # daemon threads may be parked in a socket: do not wait for them


def answer(message: dict[str, Any]) -> None:
    """Write one line back to the tests."""
    block = json.dumps(message).encode() + b"\n"
    while block:
        block = block[os.write(1, block) :]


class CommandLines:
    """The lines of JSON that come in on stdin."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._buffer = b""

    def wait(self) -> dict[str, Any] | None:
        """Return the next message, None at the end."""
        while b"\n" not in self._buffer:
            block = os.read(0, 1 << 20)
            if not block:
                return None
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def carry_out(self, server: Server) -> bool:
        """Do what one message says and answer; False at the end of stdin."""
        message = self.wait()
        if message is None:
            return False
        try:
            answer({"result": getattr(server, "do_" + message.pop("do"))(**message)})
        except Exception:  # noqa: BLE001  # the tests get to see it as their own failure
            answer({"error": traceback.format_exc()})
        return True


class Listener:
    """A port of ours: open or refusing, never anyone else's."""

    def __init__(self, role: Role) -> None:
        """Reserve a free port and listen on it."""
        self.role = role
        self._guard = self._bound(0)
        self.port: int = self._guard.getsockname()[1]
        self.socket: socket.socket | None = None
        self.open()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return -1 if self.socket is None else self.socket.fileno()

    def open(self) -> None:
        """Accept connections from now on."""
        if self.socket is None:
            self.socket = self._bound(self.port)
            self.socket.settimeout(0)
            self.socket.listen(128)

    def close(self) -> None:
        """Refuse connections from now on; the port stays ours."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    @staticmethod
    def _bound(port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((LOOPBACK, port))
        return bound


class Connections:
    """The open connections, so that they can be dropped from the main thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._roles: dict[socket.socket, Role] = {}
        self._struck: set[socket.socket] = set()
        self.accepted = 0

    def add(self, connection: socket.socket, role: Role) -> None:
        """Remember a new connection."""
        with self._lock:
            self.accepted += 1
            self._roles[connection] = role

    def replace(self, old: socket.socket, new: socket.socket) -> None:
        """Remember a connection under its TLS socket."""
        with self._lock:
            self._roles[new] = self._roles.pop(old)

    def strike(self, connection: socket.socket) -> None:
        """Remember that a fault holds this connection."""
        with self._lock:
            self._struck.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._roles.pop(connection, None)
            self._struck.discard(connection)

    def drop(self, roles: set[Role]) -> None:
        """End all connections of some listeners."""
        with self._lock:
            self._end([connection for connection, role in self._roles.items() if role in roles])

    def drop_struck(self) -> None:
        """End the connections that a fault holds."""
        with self._lock:
            self._end(list(self._struck))

    @staticmethod
    def _end(connections: list[socket.socket]) -> None:
        for connection in connections:
            with contextlib.suppress(*BROKEN_TLS):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that is parked in recv


@dataclass
class Log:
    """The requests, in the order of their arrival."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def note(self, role: Role, request: HttpRequest) -> dict[str, Any]:
        """Note a request; its status and fault are filled in later."""
        path_class, project = classify(request.path)
        entry: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "path_class": path_class if role != "portal" else "other",
            "project": project,
            "host": role,
            "status": None,
            "fault": None,
            "time": time.time(),
            "headers": request.headers,
        }
        with self.lock:
            self.entries.append(entry)
        return entry


class Server:
    """The index: listeners, catalogue, faults, log. Methods `do_*` are the commands."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        """Open the ports."""
        self.listeners = {role: Listener(role) for role in self._roles(configuration)}
        self.tls = configuration["tls"]
        self.contexts = {kind: _tls_context(path) for kind, path in (self.tls or {}).items()}
        self.auth = configuration["auth"]
        self.api = configuration["api"]
        self.max_age: int | None = configuration["max_age"]
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.stopped = False
        self.connections = Connections()
        self.log = Log()
        files = self.listeners.get("files", self.listeners["index"])
        self.catalog = Catalog(f"{'https' if self.tls else 'http'}://{LOOPBACK}:{files.port}/files/")

    @staticmethod
    def _roles(configuration: dict[str, Any]) -> list[Role]:
        return ["index", "files", "portal"] if configuration["split_files"] else ["index", "portal"]

    def ports(self) -> dict[str, int]:
        """Return the port of each listener."""
        return {role: listener.port for role, listener in self.listeners.items()}

    def listening(self) -> list[Listener]:
        """Return the listeners that are open."""
        return [listener for listener in self.listeners.values() if listener.socket is not None]

    def accept(self, listener: Listener) -> None:
        """Take a connection and give it a thread."""
        if listener.socket is None:
            return
        try:
            connection, _ = listener.socket.accept()
        except OSError:
            return
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(connection, listener.role)
        threading.Thread(target=Session(self, listener.role).run, args=(connection,), daemon=True).start()

    def context(self, role: Role) -> ssl.SSLContext | None:
        """Return how to greet a new connection; None is plain HTTP."""
        if not self.contexts or role == "portal":
            return None
        with self.lock:
            bad = any(fault.kind == "bad-certificate" and self._hits(fault, role) for fault in self.faults)
        return self.contexts["bad" if bad else "good"]

    def pick(self, entry: dict[str, Any]) -> Fault | None:
        """Return the fault that strikes a request."""
        with self.lock:
            for fault in self.faults:
                if fault.strikes(entry["path_class"], entry["project"]):
                    entry["fault"] = fault.kind
                    return fault
        return None

    def do_publish(self, **file: Any) -> None:  # JSON
        """Offer a file."""
        with self.lock:
            self.catalog.publish(PublishedFile(**file))

    def do_publish_repository(self, name: str, path: str) -> None:
        """Serve a bare repository's files, as any web server could."""
        with self.lock:
            self.catalog.repositories[name] = Path(path)

    def do_yank(self, project: str, version: str, reason: str) -> None:
        """Mark a version as yanked."""
        with self.lock:
            self.catalog.yank(project, version, reason)

    def do_unpublish(self, project: str, version: str) -> None:
        """Withdraw a version."""
        with self.lock:
            self.catalog.unpublish(project, version)

    def do_cache(self, max_age: int | None) -> None:
        """Set the lifetime that answers state."""
        self.max_age = max_age

    def do_fault(self, **fault: Any) -> None:  # JSON
        """Set a fault, on top of those there are."""
        added = Fault(**fault)
        with self.lock:
            self.faults.append(added)
        self._open_or_close()
        if added.kind == "bad-certificate":
            self.connections.drop({role for role in self.listeners if self._hits(added, role)})

    def do_heal(self) -> None:
        """Take all faults back and let go of what they held."""
        with self.lock:
            self.faults.clear()
        self._open_or_close()
        self.connections.drop_struck()

    def do_stop(self) -> None:
        """Refuse everything, as if no process were there."""
        self.stopped = True
        self._open_or_close()

    def do_start(self) -> None:
        """End what `stop` began."""
        self.stopped = False
        self._open_or_close()

    def do_requests(self) -> list[dict[str, Any]]:
        """Return the log."""
        with self.log.lock:
            return [dict(entry) for entry in self.log.entries]

    def do_clear_requests(self) -> None:
        """Empty the log."""
        with self.log.lock:
            self.log.entries.clear()
            self.connections.accepted = 0

    def do_connections(self) -> int:
        """Return how many connections were accepted."""
        return self.connections.accepted

    def _open_or_close(self) -> None:
        closed: set[Role] = set()
        for role, listener in self.listeners.items():
            if self.stopped or any(fault.kind == "refuse" and self._hits(fault, role) for fault in self.faults):
                listener.close()
                closed.add(role)
            else:
                listener.open()
        self.connections.drop(closed)

    def _hits(self, fault: Fault, role: Role) -> bool:
        """Return whether a fault of connections, not of requests, concerns a listener."""
        if role == "portal":
            return False
        if "files" not in self.listeners or fault.on == "all":
            return True
        return (fault.on == "page") == (role == "index")


class Session:
    """One connection, from greeting to end."""

    def __init__(self, server: Server, role: Role) -> None:
        """Remember whose connection it is."""
        self.server = server
        self.role = role

    def run(self, connection: socket.socket) -> None:
        """Answer requests until one side has enough."""
        buffer = bytearray()
        try:
            connection = self._greet(connection)
            while self._serve(connection, buffer):
                pass
        except BROKEN_TLS:
            pass
        finally:
            self.server.connections.forget(connection)
            connection.close()

    def _greet(self, connection: socket.socket) -> socket.socket:
        context = self.server.context(self.role)
        if context is None:
            return connection
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.server.connections.replace(connection, secured)
        try:
            secured.do_handshake()
        except BROKEN_TLS:
            self.server.connections.forget(secured)
            secured.close()
            raise
        return secured

    def _serve(self, connection: socket.socket, buffer: bytearray) -> bool:
        request = read_request(connection, buffer)
        if request is None:
            return False
        entry = self.server.log.note(self.role, request)
        fault = None if self.role == "portal" else self.server.pick(entry)
        response = self._response(request, fault)
        if request.headers.get("connection", "").lower() == "close":
            response.headers["Connection"] = "close"
        if fault is not None and fault.kind in WIRE:
            self.server.connections.strike(connection)
            WIRE[fault.kind](connection, response, fault, entry)
            return False
        entry["status"] = response.status
        connection.sendall(response.head() + (b"" if request.method == "HEAD" else response.body))
        return "Connection" not in response.headers

    def _response(self, request: HttpRequest, fault: Fault | None) -> Response:
        if self.role == "portal":
            return _login(None) if request.path == "/login" else Response(404, b"nothing here\n", {"Content-Type": "text/plain"})
        if fault is not None and fault.kind in ANSWERS:
            return ANSWERS[fault.kind](fault, self.server)
        if self.role == "index" and not self._allowed(request):
            return _refusal(401)
        return self._content(request, fault)

    def _allowed(self, request: HttpRequest) -> bool:
        if self.server.auth is None:
            return True
        expected = base64.b64encode(":".join(self.server.auth).encode()).decode()
        return request.headers.get("authorization") == f"Basic {expected}"

    def _content(self, request: HttpRequest, fault: Fault | None) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(405, headers={"Allow": "GET, HEAD"})
        path_class, project = classify(request.path)
        if path_class == "page" and request.path != f"/simple/{project}/":
            return Response(301, headers={"Location": f"/simple/{project}/"})
        page_format = request.page_format() if self.server.api == "both" else self.server.api
        with self.server.lock:
            resource = self.server.catalog.find(request.path, page_format)
        if resource is None:
            return Response(404, b"not found\n", {"Content-Type": "text/plain"})
        if fault is not None and fault.kind in RESHAPED:
            resource = RESHAPED[fault.kind](resource)
        return respond(request, resource, self.server.max_age)


def _login(max_age: int | None) -> Response:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if max_age is not None:
        headers["Cache-Control"] = f"max-age={max_age}"
    return Response(200, catalogue.LOGIN_PAGE, headers)


def _refusal(status: int) -> Response:
    headers = {"Content-Type": "text/plain"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="test index"'
    if status == 407:
        headers["Proxy-Authenticate"] = 'Basic realm="test proxy"'
    return Response(status, f"status {status}\n".encode(), headers)


def _status(fault: Fault, _server: Server) -> Response:
    response = _refusal(fault.status)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _redirect(path: str) -> Callable[[Fault, Server], Response]:
    def redirect(_fault: Fault, server: Server) -> Response:
        return Response(302, headers={"Location": f"http://{OTHER_NAME}:{server.listeners['portal'].port}{path}"})

    return redirect


ANSWERS: dict[str, Callable[[Fault, Server], Response]] = {
    "status": _status,
    "login": lambda fault, _server: _login(fault.max_age),
    "redirect-login": _redirect("/login"),
    "redirect-404": _redirect("/gone"),
}


def _hang_before(connection: socket.socket, _response: Response, _fault: Fault, _entry: dict[str, Any]) -> None:
    _park(connection)


def _hang_after(connection: socket.socket, response: Response, _fault: Fault, entry: dict[str, Any]) -> None:
    entry["status"] = response.status
    connection.sendall(response.head())
    _park(connection)


def _trickle(connection: socket.socket, response: Response, fault: Fault, entry: dict[str, Any]) -> None:
    entry["status"] = response.status
    connection.sendall(_last_head(response))
    body = _body(response, entry)
    for sent, byte in enumerate(body):
        if fault.gate and os.path.exists(fault.gate):
            connection.sendall(body[sent:])
            return
        connection.sendall(bytes([byte]))
        if select.select([connection], [], [], fault.interval)[0]:
            return  # the client has gone, or `heal` has ended the connection


def _hang_up(_connection: socket.socket, _response: Response, _fault: Fault, _entry: dict[str, Any]) -> None:
    return


def _reset(connection: socket.socket, _response: Response, _fault: Fault, _entry: dict[str, Any]) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _truncate(connection: socket.socket, response: Response, _fault: Fault, entry: dict[str, Any]) -> None:
    entry["status"] = response.status
    connection.sendall(_last_head(response) + _body(response, entry)[: len(response.body) // 2])


def _last_head(response: Response) -> bytes:
    """Return the headers of an answer that ends the connection: a client that is not told asks again on it, and is reset."""
    response.headers["Connection"] = "close"
    return response.head()


def _body(response: Response, entry: dict[str, Any]) -> bytes:
    """Return what follows the headers: nothing after HEAD, or the client takes it for the beginning of the next answer."""
    return b"" if entry["method"] == "HEAD" else response.body


def _park(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


WIRE: dict[str, Callable[[socket.socket, Response, Fault, dict[str, Any]], None]] = {
    "hang-before-headers": _hang_before,
    "hang-after-headers": _hang_after,
    "trickle": _trickle,
    "hang-up": _hang_up,
    "reset": _reset,
    "truncate": _truncate,
}


def _tls_context(path: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
