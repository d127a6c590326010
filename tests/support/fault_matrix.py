"""Every way in which an index, a proxy or a resolver fails uv, and the words that uv has for it.

    with Matrix(directory) as matrix:                 # or Matrix(directory, uv=Path("…/uv")) for another uv than the tests' own
        words = matrix.provoke(CASES)                 # {"503-page": "error: Request failed after 3 retries…", …}

Each case has a project of its own, so that cases can be provoked side by side; what acts on connections has an index of its own.
The words are those of lastgood's own materialise command, with the addresses of this run replaced by fixed ones. `Case.expected`
says what lastgood makes of them: it is the specification that the contract tests hold `outage.judge` to, for the installed uv and,
with recorded words, for older ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lastgood import uv as lastgood_uv
from tests.support import repository
from tests.support.index import Index
from tests.support.sandbox import Sandbox
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from tests.support.index_faults import FaultKind
    from tests.support.index_faults import Where as Struck

Expected = tuple[str, str, str]
Where = Literal["page", "metadata", "file", "ranges", "git", "ssh"]
World = Literal["split", "refused", "files-refused", "untrusted", "files-untrusted", "no-name", "full", "no-proxy", "locked-proxy"]

REFUSED: Expected = ("outage", "unreachable", "connection refused")
TIMED_OUT: Expected = ("outage", "unreachable", "timed out")
UNTRUSTED: Expected = ("outage", "unreachable", "TLS handshake failed")
RESET: Expected = ("outage", "unreachable", "connection reset")
CUT_SHORT: Expected = ("outage", "unreachable", "answer cut short")
NO_LOOKUP: Expected = ("outage", "unreachable", "DNS lookup failed")
NO_TUNNEL: Expected = ("outage", "unreachable", "the proxy refused the connection")
UNREADABLE: Expected = ("suspect", "not-found", "a release of it cannot be read")
NO_RELEASES: Expected = ("suspect", "not-found", "its page lists no releases")
NO_PAGE: Expected = ("suspect", "not-found", "its page was not found")
BAD_PAGE: Expected = ("suspect", "not-found", "its page cannot be read")
BAD_METADATA: Expected = ("suspect", "not-found", "the metadata of a release is not what its index says")
ELSEWHERE: Expected = ("suspect", "not-found", "HTTP 404 from another host")
HUNG_UP: Expected = ("outage", "unreachable", "connection closed without an answer")
NO_CONNECTION: Expected = ("outage", "unreachable", "no connection")
NO_REPOSITORY: Expected = ("suspect", "not-found", "its repository was not found")
BAD_REPOSITORY: Expected = ("suspect", "not-found", "its repository cannot be read")
BAD_HASH: Expected = ("answer", "integrity", "the hash of a release does not match")
LOCKED_PROXY: Expected = ("answer", "auth", "HTTP 407")


# Where a fault strikes a case: the wheel, where none of these is named.
_STRIKES: dict[Where, Struck] = {"page": "page", "metadata": "metadata", "git": "git"}
MADE = "uv made the environment\n"


@dataclass(frozen=True)
class Case:
    """One failure: what strikes which requests, and what lastgood makes of it (verdict, kind, reason)."""

    name: str
    expected: Expected
    fault: FaultKind | int | None = None
    where: Where = "page"
    world: World = "split"

    @property
    def project(self) -> str:
        """The project that this case is about; no other case touches it."""
        return f"case-{self.name}"

    @property
    def programs(self) -> tuple[str, ...]:
        """What has to be installed for it."""
        return {"git": ("git",), "ssh": ("git", "ssh")}.get(self.where, ())

    @property
    def hangs(self) -> bool:
        """Whether it takes uv's patience to end it."""
        return self.fault in {"hang-before-headers", "hang-after-headers", "trickle"} or self.world == "full"


def _server_error(code: int) -> Expected:
    return ("outage", "server-error", f"HTTP {code}")


def _denied(code: int) -> Expected:
    return ("answer", "auth", f"HTTP {code}")


def _absent(code: int) -> Expected:
    return ("answer", "not-found", f"HTTP {code}")


# What strikes, and what becomes of it: the project's page, the metadata beside the wheel, the wheel itself, and the wheel read by
# range requests, where the index has no metadata beside it.
_STRUCK: dict[FaultKind | int, tuple[Expected | None, ...]] = {
    "hang-before-headers": (TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT),
    "hang-after-headers": (TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT),
    "trickle": (TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT),
    "reset": (RESET, RESET, RESET, RESET),
    "truncate": (CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT),
    "login": (NO_RELEASES, BAD_METADATA, UNREADABLE, UNREADABLE),
    "redirect-login": (NO_RELEASES, BAD_METADATA, UNREADABLE, UNREADABLE),
    "redirect-404": (NO_PAGE, ELSEWHERE, ELSEWHERE, ELSEWHERE),
    "garbage": (BAD_PAGE, BAD_METADATA, UNREADABLE, UNREADABLE),
    "cut": (BAD_PAGE, BAD_METADATA, UNREADABLE, UNREADABLE),
    "alter": (None, BAD_METADATA, BAD_HASH, BAD_HASH),
    **{code: (_server_error(code),) * 4 for code in (500, 502, 503, 504, 408, 429)},
    **{code: (_denied(code),) * 4 for code in (401, 403, 407)},
    404: (NO_PAGE, _absent(404), _absent(404), _absent(404)),
    410: (_absent(410),) * 4,
}
_WHERES: tuple[Where, ...] = ("page", "metadata", "file", "ranges")
# The same for a repository, which git asks for.
_GIT_STRUCK: dict[FaultKind | int, Expected] = {
    "hang-before-headers": TIMED_OUT,
    "hang-up": HUNG_UP,
    "reset": RESET,
    "truncate": CUT_SHORT,
    "login": BAD_REPOSITORY,
    "redirect-login": BAD_REPOSITORY,
    "redirect-404": NO_REPOSITORY,
    "garbage": BAD_REPOSITORY,
    **{code: _server_error(code) for code in (503, 429)},
    **{code: _denied(code) for code in (401, 403)},
    404: NO_REPOSITORY,
    410: _absent(410),
}
GIT_CASES = [
    *(Case(f"{kind}-git", expected, kind, "git") for kind, expected in _GIT_STRUCK.items()),
    Case("refused-git", NO_CONNECTION, where="git", world="refused"),
    Case("untrusted-git", UNTRUSTED, where="git", world="untrusted"),
    Case("no-name-git", NO_LOOKUP, where="git", world="no-name"),
    Case("no-proxy-git", NO_CONNECTION, where="git", world="no-proxy"),
    Case("locked-proxy-git", LOCKED_PROXY, where="git", world="locked-proxy"),
    Case("refused-ssh", REFUSED, where="ssh", world="refused"),
    Case("no-name-ssh", NO_LOOKUP, where="ssh", world="no-name"),
]
CASES = [
    *(
        Case(f"{kind}-{where}", expected, kind, where)
        for kind, results in _STRUCK.items()
        for where, expected in zip(_WHERES, results, strict=True)
        if expected is not None  # there is no page that is valid and another
    ),
    Case("refused", REFUSED, world="refused"),
    Case("files-refused", REFUSED, world="files-refused"),
    Case("untrusted", UNTRUSTED, world="untrusted"),
    Case("files-untrusted", UNTRUSTED, world="files-untrusted"),
    Case("no-name", NO_LOOKUP, world="no-name"),
    Case("full", TIMED_OUT, world="full"),
    Case("no-proxy", NO_TUNNEL, world="no-proxy"),
    Case("locked-proxy", LOCKED_PROXY, world="locked-proxy"),
    *GIT_CASES,
]


class Matrix:
    """The indexes, the proxy and the user of all cases; nothing is started before it is needed."""

    def __init__(self, directory: Path, uv: Path | None = None) -> None:
        """Keep everything below `directory`."""
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._indexes: dict[World, Index] = {}
        self._sources: dict[str, str] = {}
        self._repository: Path | None = None
        self._sandbox = Sandbox(directory, None)
        self._stack.callback(self._sandbox.close)
        if uv is not None:
            for program in ("uv", "uvx"):
                (self._sandbox.bin / program).unlink()
                (self._sandbox.bin / program).symlink_to(uv.with_name(program))

    def __enter__(self) -> Self:
        """Use the matrix for a block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End what was started."""
        self._stack.close()

    def provoke(self, cases: Iterable[Case], *options: str, as_is: bool = False) -> dict[str, str]:
        """Let uv run into each case and return its words by the case's name; `as_is` with the addresses of this run."""
        prepared = [(case, self._prepare(case)) for case in cases]
        self._sandbox.run(["uv", "python", "find"])  # or those that come first would all ask the same interpreter who it is
        # a thread for each that waits for uv's patience to end: nobody waits for them
        with ThreadPoolExecutor(8) as working, ThreadPoolExecutor(len(CASES)) as waiting:
            said = {
                case.name: (waiting if case.hangs else working).submit(self._words, case, variables, options)
                for case, variables in prepared
            }
        return {name: words.result() if as_is else self._with_fixed_addresses(words.result()) for name, words in said.items()}

    def _prepare(self, case: Case) -> dict[str, str]:
        """Publish the project of a case, break what is to be broken, and return the variables that lead uv there."""
        if case.programs:
            return self._prepare_git(case)
        if case.world == "no-name":
            # a name that the resolver refuses by itself: nobody is asked; past the proxies, which would do the asking
            return {"UV_DEFAULT_INDEX": "http://no-such-host..invalid/simple/", "NO_PROXY": "*", "no_proxy": "*"}
        if case.world == "full":
            return {"UV_DEFAULT_INDEX": f"http://127.0.0.1:{self._full_host()}/simple/"}
        index = self._index(case.world)
        index.publish(demo_tool("1.0", name=case.project), core_metadata=case.where != "ranges")
        return self._struck(case, index)

    def _prepare_git(self, case: Case) -> dict[str, str]:
        """The same for a repository: a git that nothing answers from needs none that is there."""
        if case.where == "ssh" or case.world == "no-name":
            host = "no-such-host..invalid" if case.world == "no-name" else self._index(case.world).host
            self._sources[case.name] = f"git+{'ssh://git@' if case.where == 'ssh' else 'http://'}{host}/gitdemo.git"
            return {"NO_PROXY": "*", "no_proxy": "*"}
        if self._repository is None:
            self._repository = repository.make(self._directory / "repository")
        self._sources[case.name] = self._index(case.world).publish_repository(case.project, self._repository)
        return self._struck(case, self._index(case.world))

    def _struck(self, case: Case, index: Index) -> dict[str, str]:
        if case.fault is not None:
            on: Struck = _STRIKES.get(case.where) or "file"
            index.fault(case.fault, on=on, project=case.project, interval=60)
        found = {"UV_DEFAULT_INDEX": index.url}
        if index.authority is not None:
            found["SSL_CERT_FILE"] = str(index.authority)
        if case.world in {"no-proxy", "locked-proxy"}:
            proxy = self._index("refused").host if case.world == "no-proxy" else f"127.0.0.1:{self._locked_proxy()}"
            found |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), f"http://{proxy}")
            found |= dict.fromkeys(("NO_PROXY", "no_proxy"), "")
        return found

    def _index(self, world: World) -> Index:
        if world not in self._indexes:
            tls = world in {"untrusted", "files-untrusted", "no-proxy", "locked-proxy"}
            index = Index.start(self._directory, split_files=True, tls=tls)
            self._stack.callback(index.close)
            self._indexes[world] = index
            if world == "refused":
                index.stop()
            if world == "files-refused":
                index.fault("refuse", on="file")
            if world == "untrusted":
                index.fault("bad-certificate", on="page")
            if world == "files-untrusted":
                index.fault("bad-certificate", on="file")
        return self._indexes[world]

    def _full_host(self) -> int:
        """A port whose queue of connections is full, so that the kernel drops what comes: a host behind a silent firewall."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self._stack.callback(listener.close)
        port: int = listener.getsockname()[1]
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)  # noqa: FBT003  # as socket calls it
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
            self._stack.callback(waiting.close)
        return port

    def _locked_proxy(self) -> int:
        """The port of a proxy that demands a login."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._stack.callback(listener.close)
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes accept
        threading.Thread(target=_demand_login, args=(listener,), daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    def environment(self, case: Case) -> dict[str, str]:
        """Return the variables of the user who runs into a case."""
        return self._sandbox.environment(self._prepare(case))

    def _words(self, case: Case, variables: dict[str, str], options: Sequence[str]) -> str:
        # every uv before 0.13.2 has another name for what makes its retries instant
        edits: dict[str, str | None] = {**variables, "UV_TEST_NO_HTTP_RETRY_DELAY": "1"}
        if case.hangs:
            edits |= {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_CONNECT_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"}
            edits |= {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "1"}
        environment = self._sandbox.environment(edits)
        source = self._sources.get(case.name, case.project)
        result = lastgood_uv.materialise(lastgood_uv.find(environment), ["--no-config", *options], source, environment)
        if result.prefix:
            return MADE
        return result.errors.text

    def _with_fixed_addresses(self, words: str) -> str:
        """Replace ports, directories and durations: the same words for the same failure, on any machine, at any time."""
        for index in self._indexes.values():
            for host, fixed in (
                (index.host, "127.0.0.1:8001"),
                (index.files_host, "127.0.0.1:8002"),
                (index.portal_host, "localhost:8003"),
            ):
                words = words.replace(host, fixed)
        words = words.replace(os.path.realpath(self._directory), "/directory")
        words = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:8009", words)
        words = re.sub(r"\bport \d{5} after \d+ ms", "port 8001 after 0 ms", words)
        words = re.sub(r"\bport \d{5}:", "port 8001:", words)
        words = re.sub(r"`/[\w/.-]+/git ", "`/bin/git ", words)
        words = re.sub(r"/db/[0-9a-f]{16}", "/db/0123456789abcdef", words)
        return re.sub(r"\bin \d+(\.\d+)?m?s\b", "in 1.0s", words)


def _demand_login(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            connection.recv(65536)
            head = (
                b"HTTP/1.1 407 Proxy Authentication Required",
                b"Proxy-Authenticate: Basic",
                b"Content-Length: 0",
                b"Connection: close",
            )
            connection.sendall(b"\r\n".join([*head, b"", b""]))
