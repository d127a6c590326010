"""Outage or answer: what uv's words say about a failed refresh. Pure; never looks at an exit status.

The fragments stayed the same across seven versions of uv (0.5.31 to 0.13.9) and are proven against the installed one by the
contract tests. What is neither here is an answer and reported verbatim: safe against new wordings.
"""

from lastgood import tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OUTAGE, ANSWER, SUSPECT, LOCAL = "outage", "answer", "suspect", "local"
UNREACHABLE, SERVER_ERROR, NOT_AN_INDEX = "unreachable", "server-error", "not-an-index"
AUTH, NOT_FOUND, INTEGRITY = "auth", "not-found", "integrity"
OF_HTTP = ("https://", "http://")
OF_GIT = (*OF_HTTP, "ssh://")
"""How the addresses begin that uv asks, and those that git does."""
OUTAGES = (UNREACHABLE, SERVER_ERROR, NOT_AN_INDEX)
"""The classes in which the index did not answer; in the others it did, and only `fallback-on` may let something stand in."""

BAD_CONFIGURATION = "a configuration file of uv's is invalid"

_UNREADABLE = "error: Failed to parse: "  # a configuration file, or words of the request
_LOCAL = (
    ("No space left on device", "no space left on device"),
    ("Disk quota exceeded", "the disk quota is used up"),
    ("Could not acquire lock", "uv could not lock its cache"),
    ("when waiting for lock on", "uv could not lock its cache"),
    ("Read-only file system", "the file system is read-only"),
    ("Permission denied", "permission denied"),
    ("Failed to initialize cache", "uv cannot use its cache"),
    ("Failed to read Python installation directory", "uv cannot read its directory of Pythons"),
    ("failed to create directory", "a directory could not be created"),
    (_UNREADABLE, BAD_CONFIGURATION),
    ("does not match the required version", "this is not the uv that its configuration requires"),
    ("Required uv version", "this is not the uv that its configuration requires"),
)
# The reason in words, by the most telling fragment; the order is the order of trust.
_UNREACHABLE = (
    ("dns error", "DNS lookup failed"),
    ("Connection refused", "connection refused"),
    ("invalid peer certificate", "TLS handshake failed"),
    ("tls handshake", "TLS handshake failed"),
    ("end of file before message length", "answer cut short"),
    ("Connection reset", "connection reset"),
    ("connection closed before message completed", "connection closed without an answer"),
    ("operation timed out", "timed out"),
    ("due to network timeout", "timed out"),
    ("connection timed out", "timed out"),
    ("tunnel error", "the proxy refused the connection"),
    ("Network is unreachable", "network is unreachable"),
    ("No route to host", "no route to host"),
    ("error decoding response body", "answer cut short"),
    ("Could not connect, are you offline?", "no connection"),
    ("tcp connect error", "no connection"),
    ("error sending request for url", "no connection"),
    ("Connection refused (os error", "connection refused"),
)
# What follows this line of uv's is said by git, by curl below it, or by ssh: in English, which `uv.materialise` sees to.
_GIT = "Git operation failed"
_GIT_FAILED = "git failed"  # all that uv before 0.12 says of it
_GIT_UNREACHABLE = (
    ("Could not resolve host", "DNS lookup failed"),  # curl's; ssh's goes on: "name"
    ("Could not resolve proxy", "DNS lookup failed"),
    ("Empty reply from server", "connection closed without an answer"),
    ("Connection closed by", "connection closed without an answer"),  # ssh's
    ("Operation too slow", "timed out"),  # the limit that `uv.materialise` sets
    ("Timeout was reached", "timed out"),
    ("gnutls_handshake() failed", "TLS handshake failed"),
    ("certificate verification failed", "TLS handshake failed"),  # this and the one before where curl has GnuTLS
    ("SSL certificate problem", "TLS handshake failed"),  # and these where it has OpenSSL
    ("SSL_connect", "TLS handshake failed"),
    ("TLS connect error", "TLS handshake failed"),
    ("SSL connect error", "TLS handshake failed"),
    ("transfer closed with", "answer cut short"),
    ("early EOF", "answer cut short"),
    ("unexpected disconnect", "answer cut short"),
    ("from proxy after CONNECT", "the proxy refused the connection"),
    ("CONNECT tunnel failed", "the proxy refused the connection"),
    ("Couldn't connect to server", "no connection"),
    ("Could not connect to server", "no connection"),
    ("Failed to connect to", "no connection"),
)
_GIT_STATUS = "The requested URL returned error: "
_GIT_DENIED = ("Authentication failed for", "could not read Username", "could not read Password")
_SSH_DENIED = ("Permission denied (publickey", "Permission denied (password", "Permission denied (keyboard-interactive")
_SSH_KEY = "ssh key"
_GIT_SUSPECTS = (
    ("find remote ref", "no such branch, tag or commit"),  # what git makes of a login page, too
    ("repository '", "its repository was not found"),
    ("info/refs not valid", "its repository cannot be read"),
    ("invalid server response", "its repository cannot be read"),
    ("bad line length character", "its repository cannot be read"),
    ("unable to update url base from redirection", "its repository cannot be read"),
    ("redirects followed", "its repository cannot be read"),
)
_REFS = "/info/refs"
_BY_PROXY = "tunnel error"
"""What uv says of a connection through a proxy: then it was the proxy that refused it, and nobody asked the index."""
_SUSPECTS = (
    ("there are no versions of", "its page lists no releases"),
    ("invalid package format", "a release of it cannot be read"),
    ("Failed to read from zip file", "a release of it cannot be read"),
    ("Invalid zip file structure", "a release of it cannot be read"),
    ("Failed to extract archive", "a release of it cannot be read"),
    ("Failed to unzip wheel", "a release of it cannot be read"),
    ("Bad uncompressed size", "a release of it cannot be read"),
    ("unable to locate the end of central directory", "a release of it cannot be read"),
    ("Hash mismatch for package metadata", "the metadata of a release is not what its index says"),
    ("invalid metadata", "the metadata of a release cannot be read"),  # uv before 0.13 did not check its hash
    ("Received some unexpected JSON", "its page cannot be read"),
    ("Received some unexpected HTML", "its page cannot be read"),
    ("does not satisfy Python", "no interpreter fits"),
    ("was not found in the package registry", "its page was not found"),
)
_RETRIED_CLIENT_ERRORS = ("408", "429")
# A proxy that wants a login, asked for a tunnel; asked for a page it answers 407 like a server. The second is uv 0.5's.
_LOCKED_PROXY = ("proxy authorization required", "proxy authentication required")
_PORTS = {"http": 80, "ssh": 22}
_AUTH_CODES = ("401", "403", "407")


class Finding:
    """What a failure was.

    verdict   OUTAGE, ANSWER, SUSPECT (uv says answer, but an outage can look like this) or LOCAL
    kind      the failure class, as `fallback-on` names them, or "integrity", "local"
    reason    in words: `connection refused`, `HTTP 503`
    urls      what uv was asking, as it named it; without credentials
    """

    __slots__ = ("kind", "reason", "urls", "verdict")

    def __init__(self, verdict: str, kind: str, reason: str, urls: "Sequence[str]" = ()) -> None:
        self.verdict = verdict
        self.kind = kind
        self.reason = reason
        self.urls = list(urls)

    @property
    def host(self) -> str:
        """`name:port` of the first address that uv named, or ""."""
        return host_of(self.urls[0]) if self.urls else ""


def judge(words: str) -> Finding:
    """What uv's `words` (its standard error) say."""
    said = tee.plain(words.encode("utf-8", "replace"))
    text, urls = " ".join(said.split()), _asked(" ".join(_error_of(said).split()))
    if _GIT in text:
        return _git(text)
    unreadable = text.partition(_UNREADABLE + "`")[2].partition("`")[0]
    if unreadable and not unreadable.endswith(".toml"):
        return Finding(ANSWER, NOT_FOUND, "uv cannot read the request", urls)
    if _is_local(text):
        return Finding(LOCAL, "local", _is_local(text))
    if "Hash mismatch for `" in text:
        return Finding(ANSWER, INTEGRITY, "the hash of a release does not match", urls)
    for found in (_status(text, urls), _unreachable(text, urls), _suspect(text, urls, _SUSPECTS)):
        if found is not None:
            return found
    return _answer(text, urls)


def _is_local(text: str) -> str:
    """Which trouble of this machine it is; "" where it is none."""
    return next((reason for fragment, reason in _LOCAL if fragment in text), "")


def _git(text: str) -> Finding:
    """What the words say where it was git that failed."""
    before, _, error = text.partition(_GIT)
    urls = _repositories(error) or _repositories(before.rpartition("Updating ")[2])
    code = _after(error, _GIT_STATUS)
    refused = code or _after(error, "Received HTTP code ") or _after(error, "CONNECT tunnel failed, response ")
    if refused in _AUTH_CODES or any(fragment in error for fragment in _GIT_DENIED):
        return Finding(ANSWER, AUTH, f"HTTP {refused or 401}", urls)
    if any(fragment in error for fragment in _SSH_DENIED):  # before what is local: a refused key is no file that cannot be read
        return Finding(ANSWER, AUTH, _SSH_KEY, urls)
    if _is_local(error):
        return Finding(LOCAL, "local", _is_local(error))
    if code.startswith("5") or code in _RETRIED_CLIENT_ERRORS:
        return Finding(OUTAGE, SERVER_ERROR, f"HTTP {code}", urls)
    if code:
        return Finding(ANSWER, NOT_FOUND, f"HTTP {code}", urls)
    found = _unreachable(error, urls, (*_UNREACHABLE, *_GIT_UNREACHABLE))
    if found is None and any(map(is_repository, urls)):  # ssh has no page that could be asked
        untold = None if error.strip() else Finding(SUSPECT, NOT_FOUND, _GIT_FAILED, urls)
        found = untold or _suspect(error, urls, _GIT_SUSPECTS)
    return found or Finding(ANSWER, NOT_FOUND, _GIT_FAILED, urls)


def _repositories(error: str) -> "list[str]":
    """The first repository that git's words name: by the page that git asks it first, where that is an http address."""
    return [url if url.startswith("ssh:") else url.rstrip("/") + _REFS for url in addresses(error, OF_GIT)[:1]]


def is_repository(url: str) -> bool:
    """Whether `url` is the page by which git begins, and no index page or file."""
    return url.endswith(_REFS)


def _asked(error: str) -> "list[str]":
    """The addresses in uv's `error`; such as only name a requirement (`tool @ git+https://…`) where there are no others."""
    text = error
    for scheme in OF_HTTP:
        text = text.replace("git+" + scheme, "").replace("@ " + scheme, "")
    return addresses(text) or addresses(error)


def is_unknown(words: str, package: str) -> bool:
    """Whether uv says that no index has a package of this (normalised) name."""
    text = " ".join(tee.plain(words.encode("utf-8", "replace")).split())
    return f" {package} was not found in the package registry" in text


def _status(text: str, urls: "list[str]") -> "Finding | None":
    code = _after(text, "HTTP status server error (")
    if code:
        return Finding(OUTAGE, SERVER_ERROR, f"HTTP {code}", urls)
    code = _after(text, "HTTP status client error (")
    if code in _RETRIED_CLIENT_ERRORS:
        return Finding(OUTAGE, SERVER_ERROR, f"HTTP {code}", urls)
    if code in _AUTH_CODES:
        return Finding(ANSWER, AUTH, f"HTTP {code}", urls)
    if code and _moved(text, urls):
        return Finding(SUSPECT, NOT_FOUND, f"HTTP {code} from another host", urls)
    if code:
        return Finding(ANSWER, NOT_FOUND, f"HTTP {code}", urls)
    if any(words in text for words in _LOCKED_PROXY):
        return Finding(ANSWER, AUTH, "HTTP 407", urls)
    for hint, number in (("lack of valid authentication credentials (", ""), ("returned a 403 Forbidden error", "403")):
        if hint in text:
            return Finding(ANSWER, AUTH, f"HTTP {number or _after(text, hint) or 401}", urls)
    return None


def is_refusal(reason: str) -> bool:
    """Whether a reason in words is that credentials were refused."""
    return reason == _SSH_KEY or reason.removeprefix("HTTP ") in _AUTH_CODES


def _moved(text: str, urls: "list[str]") -> bool:
    """Whether the answer came from another host than the one asked: a portal's redirect."""
    return len({host_of(url) for url in urls}) > 1 and "for url (" in text


def _unreachable(text: str, urls: "list[str]", table: "Sequence[tuple[str, str]]" = _UNREACHABLE) -> "Finding | None":
    for fragment, reason in table:
        if fragment.lower() in text.lower():
            by_proxy = fragment.startswith("Connection refused") and _BY_PROXY in text
            return Finding(OUTAGE, UNREACHABLE, dict(_UNREACHABLE)[_BY_PROXY] if by_proxy else reason, urls)
    return None


def _suspect(text: str, urls: "list[str]", table: "Sequence[tuple[str, str]]") -> "Finding | None":
    for fragment, reason in table:
        if fragment in text:
            return Finding(SUSPECT, NOT_FOUND, reason, urls)
    return None


def _answer(text: str, urls: "list[str]") -> Finding:
    if "No solution found" in text:
        return Finding(ANSWER, NOT_FOUND, "no release fits the request", urls)
    if "Failed to build" in text or "build backend" in text:
        return Finding(ANSWER, INTEGRITY, "a package could not be built", urls)
    return Finding(ANSWER, NOT_FOUND, "uv refused the request", urls)


def _after(text: str, mark: str) -> str:
    at = text.find(mark)
    return text[at + len(mark) : at + len(mark) + 3] if at >= 0 else ""


def addresses(text: str, schemes: "Sequence[str]" = OF_HTTP) -> "list[str]":
    """Every address of these `schemes` in `text`, in order, once; without credentials, query or fragment."""
    found: list[str] = []
    for scheme in schemes:
        at = text.find(scheme)
        while at >= 0:
            start = _after_userinfo(text, at + len(scheme))
            end = _until(" \t\r\n`'\"()<>,;?#", text, start)
            rest = text[start:end].rstrip(".:")
            if rest and not rest.startswith("/") and scheme + rest not in found:
                found.append(scheme + rest)
            at = text.find(scheme, end)
    return sorted(found, key=lambda url: text.find(url.split("://", 1)[1]))


def _after_userinfo(text: str, start: int) -> int:
    """Where the host of an address starts: a user's name and password may hold signs that end an address anywhere else."""
    return max(start, text.rfind("@", start, _until(' \t\r\n"/?#', text, start)) + 1)


def _until(signs: str, text: str, at: int) -> int:
    while at < len(text) and text[at] not in signs:
        at += 1
    return at


def suspects(text: str) -> "list[str]":
    """Every http address in uv's log (-v), those of the package first that its error is about, and of those the last first.

    A tool with many dependencies has many addresses, and uv asks for many at once: the last one need not be the one that failed.
    """
    error = _error_of(text).lower().replace("_", "-")
    latest_first = sorted(addresses(text), key=text.rfind, reverse=True)
    return sorted(latest_first, key=lambda url: _first_mention(_project_of(url), error))


def _error_of(text: str) -> str:
    """The error in uv's words, which stands last; what comes before is progress, warnings and log."""
    return text[max(text.rfind("\nerror:"), text.rfind("×"), 0) :]


def _project_of(url: str) -> str:
    last = url.rstrip("/").rpartition("/")[2].lower()
    return (last.partition("-")[0] if last.endswith((".whl", ".gz", ".zip", ".metadata")) else last).replace("_", "-")


def _first_mention(name: str, error: str) -> int:
    """Where `error` first names a package; beyond its end where it does not."""
    at = error.find(name)
    while at >= 0:
        before, after = error[at - 1 : at], error[at + len(name) : at + len(name) + 1]
        if before in ("", " ", "`", "/") and not (after.isalnum() or after == "-"):
            return at
        at = error.find(name, at + 1)
    return len(error)


def host_of(url: str) -> str:
    """`name:port` of an address."""
    scheme, _, rest = url.partition("://")
    authority = rest.split("/", 1)[0].rpartition("@")[2].lower()
    if not authority:
        return ""
    has_port = ":" in authority.rpartition("]")[2]
    return authority if has_port else f"{authority}:{_PORTS.get(scheme, 443)}"
