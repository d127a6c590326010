"""A real package index on loopback, in a process of its own, that can be told to fail in every way we know of.

    with Index.start(tmp_path) as index:
        index.publish(demo_tool("1.0"))
        ...                                    # UV_DEFAULT_INDEX=index.url
        index.fault(503, on="page")            # from now on; in force when the call returns
        index.fault("hang-before-headers", on="file", project="demo-tool")
        index.fault("reset", every=3)          # every third request
        index.fault(429, retry_after=1, times=2)
        index.fault("login", max_age=3600)     # a captive portal that lets itself be cached
        index.heal()                           # all faults end, held connections are dropped
        index.stop(); index.start_again()      # nobody listens; the port stays ours
        assert [request.path_class for request in index.requests()] == ["page", "metadata", "file"]

Kinds of faults and what they do: `index_faults.FaultKind`; an HTTP status is given as a number. Faults add up: the first one set
that covers a request strikes. "refuse" and "bad-certificate" (needs `tls=True`) act on connections, before there is a request:
they know `on`, but no `project`, `every` or `times`, and `on="file"`/`"metadata"` means the files host, which needs
`split_files=True`. Redirects lead to `portal_host`, by the name `localhost`. What `publish_repository` serves is of the class
"git"; its project is the name of the repository.

By default answers carry an ETag and no Cache-Control; `max_age=600` (or `set_max_age`) adds it to every page, metadata and file.
`api="html"` or `api="json"` serves one form of the simple API only. `publish(wheel, core_metadata=False)` makes clients read
metadata out of the wheel by range requests. The process ends when its pipe does: it cannot outlive pytest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.support.certificates import Certificates, make_certificates
from tests.support.index_faults import CONNECTION_KINDS, KINDS, Fault, FaultKind, PathClass, Where
from tests.support.index_process import IndexProcess
from tests.support.waiting import wait_for
from tests.support.wheels import Wheel, normalise

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Request:
    """A request that reached the index.

    `status` is what was sent, None if nothing was; `fault` the fault that struck it; `host` which listener it came to.
    """

    method: str
    path: str
    path_class: PathClass
    project: str | None
    host: Literal["index", "files", "portal"]
    status: int | None
    fault: FaultKind | None
    time: float
    headers: dict[str, str]


class Index:
    """The tests' end of the index process."""

    def __init__(self, process: IndexProcess, directory: Path, certificates: Certificates | None) -> None:
        """Take over a started process; use `Index.start`."""
        self._process = process
        self._directory = directory
        self._certificates = certificates
        self._ports: dict[str, int] = {}
        self._auth: tuple[str, str] | None = None

    @classmethod
    def start(  # each is one way in which indexes differ
        cls,
        tmp_path: Path,
        *,
        split_files: bool = False,
        tls: bool = False,
        max_age: int | None = None,
        auth: tuple[str, str] | None = None,
        api: Literal["both", "html", "json"] = "both",
    ) -> Self:
        """Start an index that keeps its files in a new directory below `tmp_path`."""
        directory = _new_directory(tmp_path)
        certificates = make_certificates(directory) if tls else None
        index = cls(IndexProcess(), directory, certificates)
        index._auth = auth
        paths = {"good": str(certificates.good), "bad": str(certificates.bad)} if certificates else None
        configuration = {"split_files": split_files, "tls": paths, "max_age": max_age, "auth": auth, "api": api}
        index._ports = index._process.ask(configuration)["ports"]
        return index

    def __enter__(self) -> Self:
        """Use the index for a block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process and every connection with it."""
        self._process.end()

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._certificates else "http"

    @property
    def host(self) -> str:
        """Host and port of the index pages."""
        return f"127.0.0.1:{self._ports['index']}"

    @property
    def files_host(self) -> str:
        """Host and port of wheels and metadata; the same as `host` unless split."""
        return f"127.0.0.1:{self._ports.get('files', self._ports['index'])}"

    @property
    def portal_host(self) -> str:
        """Host and port that redirects lead to."""
        return f"localhost:{self._ports['portal']}"

    @property
    def url(self) -> str:
        """The URL of the simple API, without credentials."""
        return f"{self.scheme}://{self.host}/simple/"

    @property
    def url_with_credentials(self) -> str:
        """The URL of the simple API with the credentials that it demands."""
        user, password = self._auth or ("", "")
        return f"{self.scheme}://{user}:{password}@{self.host}/simple/"

    @property
    def authority(self) -> Path | None:
        """The certificate to trust (SSL_CERT_FILE), with `tls=True`."""
        return self._certificates.authority if self._certificates else None

    @property
    def running(self) -> bool:
        """Whether the process can still be talked to."""
        return self._process.running

    @property
    def pid(self) -> int:
        """The process of the index."""
        return self._process.pid

    def publish(
        self,
        wheel: Wheel,
        *,
        core_metadata: bool = True,
        upload_time: str = "2020-01-01T00:00:00Z",
        yanked: str | None = None,
    ) -> Wheel:
        """Offer a wheel from now on (a file of the same name is replaced) and return it."""
        path = wheel.write(self._directory)
        self._do(
            "publish",
            project=wheel.project,
            version=wheel.version,
            filename=wheel.filename,
            path=str(path),
            sha256=wheel.sha256,
            size=len(wheel.contents),
            metadata=wheel.metadata.decode() if core_metadata else None,
            requires_python=wheel.requires_python,
            upload_time=upload_time,
            yanked=yanked,
        )
        return wheel

    def publish_repository(self, name: str, path: Path) -> str:
        """Serve a bare repository (`repository.make`) from now on, and return the address that uv takes."""
        self._do("publish_repository", name=normalise(name), path=str(path))
        return f"git+{self.scheme}://{self.host}/git/{name}.git"

    def yank(self, name: str, version: str, reason: str = "broken") -> None:
        """Mark a version as yanked."""
        self._do("yank", project=normalise(name), version=version, reason=reason)

    def unpublish(self, name: str, version: str) -> None:
        """Withdraw a version; a project without versions still has an (empty) page."""
        self._do("unpublish", project=normalise(name), version=version)

    def set_max_age(self, seconds: int | None) -> None:
        """State this lifetime in all answers from now on; None states none."""
        self._do("cache", max_age=seconds)

    def fault(  # what, where, how often, and the details of three kinds
        self,
        kind: FaultKind | int,
        *,
        on: Where = "all",
        project: str | None = None,
        every: int = 1,
        times: int | None = None,
        retry_after: int | None = None,
        max_age: int | None = None,
        interval: float = 0.25,
        gate: Path | None = None,
    ) -> None:
        """Break something. It is in force when this returns, until `heal` or until it has struck `times` times.

        `retry_after` goes with a status, `max_age` with "login", `interval` (seconds between bytes) and
        `gate` (a file: once it is there, all the rest comes at once) with "trickle".
        """
        fault = Fault(
            "status" if isinstance(kind, int) else kind,
            on=on,
            project=normalise(project) if project else None,
            every=every,
            times=times,
            status=kind if isinstance(kind, int) else 503,
            retry_after=retry_after,
            max_age=max_age,
            interval=interval,
            gate=str(gate or ""),
        )
        self._check(fault)
        self._do("fault", **fault.as_message())

    def heal(self) -> None:
        """Take back all faults and drop the connections that they hold; `stop` stays in force."""
        self._do("heal")

    def stop(self) -> None:
        """Close all ports: connection refused, also for connections that are open. The ports stay ours."""
        self._do("stop")

    def start_again(self) -> None:
        """Listen again, on the same ports."""
        self._do("start")

    def requests(self, path_class: PathClass | None = None, project: str | None = None) -> list[Request]:
        """Return the requests so far, oldest first; only those of a class or of a project, if one is given."""
        found = [Request(**entry) for entry in self._do("requests")]
        return [
            request
            for request in found
            if path_class in {None, request.path_class} and (project is None or normalise(project) == request.project)
        ]

    def clear_requests(self) -> None:
        """Forget the requests and connections so far."""
        self._do("clear_requests")

    def connections(self) -> int:
        """Return how many connections were accepted since `clear_requests`, those without a request included."""
        count: int = self._do("connections")
        return count

    def wait_for_requests(self, count: int = 1, path_class: PathClass | None = None, timeout: float = 20) -> list[Request]:
        """Wait until that many requests have arrived (answered or held) and return them."""
        return wait_for(
            lambda: found if len(found := self.requests(path_class)) >= count else [],
            f"{count} request(s) of class {path_class or 'any'}",
            timeout,
        )

    def _check(self, fault: Fault) -> None:
        if fault.kind not in KINDS:
            message = f"unknown fault {fault.kind!r}, expected a status or one of {sorted(KINDS)}"
            raise ValueError(message)
        if fault.kind not in CONNECTION_KINDS:
            return
        if fault.project or fault.every != 1 or fault.times is not None:
            message = f"{fault.kind!r} acts on connections: it knows no project, every or times"
            raise ValueError(message)
        if fault.on in {"file", "metadata"} and "files" not in self._ports:
            message = f"{fault.kind!r} on {fault.on!r} needs an index with split_files=True"
            raise ValueError(message)
        if fault.kind == "bad-certificate" and not self._certificates:
            message = "'bad-certificate' needs an index with tls=True"
            raise ValueError(message)

    def _do(self, command: str, **arguments: Any) -> Any:  # JSON
        return self._process.ask({"do": command, **arguments})["result"]


def _new_directory(parent: Path) -> Path:
    number = 1
    while True:
        directory = parent / f"index-{number}"
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return directory
