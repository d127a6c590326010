"""What the test index offers, and how the simple API says it: pure, no sockets.

A `Resource` is what stands at a path: bytes and their type. The faults that alter content live here, too: they turn one
resource into another.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.support.wheels import normalise

if TYPE_CHECKING:
    from tests.support.index_faults import PathClass

Format = Literal["html", "json"]
HTML = "text/html"
JSON = "application/vnd.pypi.simple.v1+json"
TEXT = "text/plain"
BINARY = "application/octet-stream"
LOGIN_PAGE = b"""<!DOCTYPE html>
<html><head><title>Welcome to the network</title></head>
<body><h1>Please log in</h1><form action="/login" method="post"><input name="user"><input name="password" type="password"></form>
<a href="/terms">Terms of use</a></body></html>
"""


@dataclass(frozen=True)
class Resource:
    """What a path answers with."""

    path_class: PathClass
    project: str | None
    body: bytes
    content_type: str
    varies: bool = False

    @property
    def etag(self) -> str:
        """The validator of this content."""
        return f'"{hashlib.sha256(self.body + self.content_type.encode()).hexdigest()[:32]}"'


@dataclass
class PublishedFile:
    """A file that the index offers."""

    project: str
    version: str
    filename: str
    path: str
    sha256: str
    size: int
    metadata: str | None
    requires_python: str | None = None
    upload_time: str | None = None
    yanked: str | None = None


@dataclass
class Catalog:
    """All that is published, by project."""

    files_base: str = ""
    projects: dict[str, dict[str, PublishedFile]] = field(default_factory=dict)
    repositories: dict[str, Path] = field(default_factory=dict)

    def publish(self, file: PublishedFile) -> None:
        """Offer a file; one of the same name is replaced."""
        self.projects.setdefault(file.project, {})[file.filename] = file

    def unpublish(self, project: str, version: str) -> None:
        """Withdraw a version; the project stays, perhaps empty."""
        files = self.projects.get(project, {})
        for name in [name for name, file in files.items() if file.version == version]:
            del files[name]

    def yank(self, project: str, version: str, reason: str) -> None:
        """Mark a version as yanked."""
        for file in self.projects.get(project, {}).values():
            if file.version == version:
                file.yanked = reason

    def find(self, path: str, page_format: Format) -> Resource | None:
        """Return what stands at a path, None for a 404."""
        _, _, rest = path.partition("/simple/")
        if path.startswith("/simple/"):
            return self._page(rest.strip("/"), page_format)
        if path.startswith("/files/"):
            return self._file(path.removeprefix("/files/"))
        if path.startswith("/git/"):
            return self._of_repository(path.removeprefix("/git/"))
        return None

    def _page(self, project: str, page_format: Format) -> Resource | None:
        files = self.projects.get(project)
        if files is None:
            return None
        listed = list(files.values())
        if page_format == "json":
            return Resource("page", project, _json_page(project, listed, self.files_base), JSON, varies=True)
        return Resource("page", project, _html_page(project, listed, self.files_base), HTML, varies=True)

    def _file(self, filename: str) -> Resource | None:
        wanted = filename.removesuffix(".metadata")
        for project, files in self.projects.items():
            file = files.get(wanted)
            if file is not None and wanted == filename:
                return Resource("file", project, Path(file.path).read_bytes(), BINARY)
            if file is not None and file.metadata is not None:
                return Resource("metadata", project, file.metadata.encode(), BINARY)
        return None

    def _of_repository(self, path: str) -> Resource | None:
        name, _, inside = path.partition(".git/")
        place = self.repositories.get(normalise(name))
        if place is None or not (place / inside).is_file():
            return None
        return Resource("git", normalise(name), (place / inside).read_bytes(), BINARY if inside.startswith("objects/") else TEXT)


def classify(path: str) -> tuple[PathClass, str | None]:
    """Return the class of a path and the project it belongs to, whether it exists or not."""
    if path.startswith("/simple/"):
        return "page", normalise(path.removeprefix("/simple/").strip("/"))
    if path.startswith("/files/"):
        filename = path.removeprefix("/files/")
        return ("metadata" if filename.endswith(".metadata") else "file"), normalise(filename.partition("-")[0])
    if path.startswith("/git/"):
        return "git", normalise(path.removeprefix("/git/").partition(".git/")[0])
    return "other", None


def _html_page(project: str, files: list[PublishedFile], base: str) -> bytes:
    anchors = "\n".join(_anchor(file, base) for file in files)
    return f"<!DOCTYPE html>\n<html><head><title>{project}</title></head><body>\n{anchors}\n</body></html>\n".encode()


def _anchor(file: PublishedFile, base: str) -> str:
    attributes = {"href": f"{base}{file.filename}#sha256={file.sha256}"}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.metadata is not None:
        attributes["data-core-metadata"] = attributes["data-dist-info-metadata"] = f"sha256={_metadata_hash(file.metadata)}"
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    words = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {words}>{file.filename}</a><br>"


def _json_page(project: str, files: list[PublishedFile], base: str) -> bytes:
    versions = sorted({file.version for file in files})
    entries = [_entry(file, base) for file in files]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": entries}).encode()


def _entry(file: PublishedFile, base: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"{base}{file.filename}",
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "yanked": False if file.yanked is None else (file.yanked or True),
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.metadata is not None:
        entry["core-metadata"] = entry["dist-info-metadata"] = {"sha256": _metadata_hash(file.metadata)}
    if file.upload_time is not None:
        entry["upload-time"] = file.upload_time
    return entry


def _metadata_hash(metadata: str) -> str:
    return hashlib.sha256(metadata.encode()).hexdigest()


def garbage(resource: Resource) -> Resource:
    """Return bytes that mean nothing, under the type that was expected."""
    return replace(resource, body=bytes(range(256)) * 4)


def cut(resource: Resource) -> Resource:
    """Return the first half, as if that were all."""
    return replace(resource, body=resource.body[: len(resource.body) // 2])


def alter(resource: Resource) -> Resource:
    """Return other content that is valid in itself: a wheel with other time stamps, a text with one more line."""
    if resource.path_class == "file":
        return replace(resource, body=_restamped(resource.body))
    return replace(resource, body=resource.body + b"\n")


def _restamped(wheel: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            content = source.read(entry)
            entry.date_time = (2021, 2, 3, 4, 5, 6)
            archive.writestr(entry, content)
    return target.getvalue()
