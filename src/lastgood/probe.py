"""Ask an address itself, once and briefly: the only importer of httpx.

For what uv reports as an answer but may be an outage: a login page instead of an index, a wheel that was cut on its way. Proxies,
certificates and netrc are those of the environment, as uv has them.
"""

import os
import ssl
import time

import httpx

from lastgood import outage
from lastgood.outage import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SECONDS = 2.0
_MOST_ADDRESSES = 4
_MOST_BYTES = 32 << 20
_PAGE_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_OF_GIT = {"service": "git-upload-pack"}
_FILES = (".whl", ".tar.gz", ".zip", ".metadata")
PORTAL = "web page instead of an index"
_NO_CONNECTION = "no connection"
_FIRST_BYTES = 1 << 18
"""As much of an answer as tells an index from a login page."""
_LONGEST_VISIT = 5.0


def ask(urls: "Iterable[str]", environ: "Mapping[str, str]") -> "Finding | None":
    """The first thing that is wrong with `urls`, as an outage; None where all of them answer as an index should."""
    with client(environ) as asking:
        for url in list(urls)[:_MOST_ADDRESSES]:
            wrong = _wrong(asking, url)
            if wrong is not None:
                return wrong
    return None


def client(environ: "Mapping[str, str]", seconds: float = _SECONDS) -> httpx.Client:
    """An HTTP client with the certificates that uv would use; redirects are followed, since uv follows them."""
    return httpx.Client(timeout=seconds, follow_redirects=True, verify=_certificates(environ), headers={"Accept": _PAGE_ACCEPT})


def _certificates(environ: "Mapping[str, str]") -> ssl.SSLContext:
    context = ssl.create_default_context()
    file, directory = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    file = file if file and os.path.isfile(file) else None
    directory = directory if directory and os.path.isdir(directory) else None
    if file or directory:
        context.load_verify_locations(file, directory)
    return context


class Visit:
    """What an index answered.

    good       whether uv can work with it      refused   whether it wants other credentials
    said       in words                         protocol, seconds   of the answer ("" and 0 where there was none)
    """

    __slots__ = ("good", "protocol", "refused", "said", "seconds")

    def __init__(self, said: str, *, good: bool = False, refused: bool = False) -> None:
        self.said = said
        self.good = good
        self.refused = refused
        self.protocol = ""
        self.seconds = 0.0


def visit(url: str, environ: "Mapping[str, str]", credentials: "tuple[str, str] | None" = None) -> Visit:
    """Ask a page of an index once, briefly, and look at how its answer begins."""
    started = time.monotonic()
    try:
        with client(environ) as asking, asking.stream("GET", url, auth=credentials or httpx.USE_CLIENT_DEFAULT) as answer:
            seconds = time.monotonic() - started
            made = _visited(url, answer, started + _LONGEST_VISIT)
            made.protocol, made.seconds = answer.http_version, seconds
            return made
    except (httpx.TransportError, httpx.StreamError) as error:
        found = _trouble(url, error)
        known = found.reason != _NO_CONNECTION
        return Visit(found.reason if known else f"{_NO_CONNECTION}: {str(error).lower() or type(error).__name__}")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Visit(f"the address cannot be asked ({str(error).lower()})")


def _visited(url: str, answer: httpx.Response, until: float) -> Visit:
    code = answer.status_code
    if code in (401, 403, 407):
        return Visit(f"HTTP {code}", refused=True)
    if code >= 500 or code in (408, 429):  # noqa: PLR2004 (RFC 9110)
        return Visit(f"HTTP {code}")
    moved = outage.host_of(str(answer.url)) != outage.host_of(url)
    if code >= 400:  # noqa: PLR2004
        return Visit(PORTAL) if moved else Visit(f"HTTP {code}", good=True)
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _FIRST_BYTES or time.monotonic() > until:
            break
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.endswith("+json"):
        return Visit("a JSON index", good=True) if body.lstrip().startswith(b"{") else Visit("an answer that is no JSON")
    return Visit("an HTML index", good=True) if _lists_files(body) else Visit(PORTAL)


def _wrong(asking: httpx.Client, url: str) -> "Finding | None":
    query = _OF_GIT if outage.is_repository(url) else None
    try:
        with asking.stream("GET", url, params=query) as answer:
            return _wrong_answer(url, answer)
    except httpx.TransportError as error:
        return _trouble(url, error)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None  # an address that httpx does not understand proves nothing


def _trouble(url: str, error: Exception) -> Finding:
    """Why nothing that can be used was answered."""
    if isinstance(error, httpx.TimeoutException):
        reason = "timed out"
    elif isinstance(error, (httpx.RemoteProtocolError, httpx.StreamError)):
        reason = "answer cut short"
    else:
        reason = outage.judge(str(error)).reason if "refused" in str(error) else _NO_CONNECTION
    return Finding(outage.OUTAGE, outage.UNREACHABLE, reason, [url])


def _wrong_answer(url: str, answer: httpx.Response) -> "Finding | None":
    code = answer.status_code
    if code >= 500 or code in (408, 429):  # noqa: PLR2004 (RFC 9110)
        return Finding(outage.OUTAGE, outage.SERVER_ERROR, f"HTTP {code}", [url])
    moved = outage.host_of(str(answer.url)) != outage.host_of(url)
    if code >= 400:  # noqa: PLR2004
        return _portal(url) if moved else None
    body = _body(answer)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if outage.is_repository(url):
        return None if _lists_refs(body) else _portal(url)
    if url.endswith(_FILES):
        return _wrong_file(url, body, kind)
    if kind == "application/vnd.pypi.simple.v1+json":
        return None if _is_json(body) else _portal(url)
    return None if _lists_files(body) else _portal(url)


def _body(answer: httpx.Response) -> bytes:
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            break
    return body


def _wrong_file(url: str, body: bytes, kind: str) -> "Finding | None":
    if kind == "text/html" or body.lstrip()[:1] == b"<":
        return _portal(url)
    if url.endswith((".whl", ".zip")) and len(body) <= _MOST_BYTES and not _is_whole_zip(body):
        return Finding(outage.OUTAGE, outage.UNREACHABLE, "answer cut short", [url])
    if url.endswith(".metadata") and not body.startswith((b"Metadata-Version", b"metadata-version")):
        return _portal(url)
    return None


def _is_whole_zip(body: bytes) -> bool:
    return body.startswith(b"PK") and b"PK\x05\x06" in body[-66000:]


def _lists_refs(body: bytes) -> bool:
    """Whether this is how a repository begins: what a server for git says, or a file of hashes and refs, empty for an empty one."""
    first = body.partition(b"\n")[0]
    return not first or first[4:].startswith(b"# service=") or (b"\trefs/" in first and first[:40].isalnum())


def _is_json(body: bytes) -> bool:
    import json

    try:
        return isinstance(json.loads(body).get("files"), list)
    except (ValueError, AttributeError):
        return False


def _lists_files(body: bytes) -> bool:
    """Whether an HTML page can be a simple index page (PEP 503): it links to files, or says what it is, or is bare."""
    text = body.decode("utf-8", "replace").lower()
    if "pypi:repository-version" in text or ".whl" in text or ".tar.gz" in text or ".zip" in text:
        return True
    return not text.strip() or not any(mark in text for mark in ("<form", "<input", "<script", "login", "sign in", "\ufffd"))


def _portal(url: str) -> Finding:
    return Finding(outage.OUTAGE, outage.NOT_AN_INDEX, PORTAL, [url])
