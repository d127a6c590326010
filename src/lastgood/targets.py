"""What a target names: the word after the options, or the value of `--from`.

Pure: no files, no clock, no environment. The grammar is that of uv 0.13. Not on the hot path, where a target is a word like others.
"""

from lastgood.request import Handover, NotAName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIFIERS = ("===", "==", ">=", "<=", "!=", "~=", ">", "<")
_OF_PATHS = ("/", "\\")
_PYTHONS = ("cpython", "pythonw", "python", "pypy", "graalpy", "pyodide")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Target:
    """What a target names: `name`, `extras`, `specifier` (as PEP 440 text), and how it moves.

    kind       "registry" or "direct" (a git or http URL)
    exact      whether the tool's own version cannot move
    latest     whether `@latest` was asked for
    command    the executable that uvx would start for it without `--from` ("" where only the package tells)
    """

    __slots__ = ("command", "exact", "extras", "kind", "latest", "name", "specifier", "text", "url")

    def __init__(self, text: str, kind: str, name: str) -> None:
        self.text = text
        self.kind = kind
        self.name = normalise(name)
        self.command = name
        self.extras: tuple[str, ...] = ()
        self.specifier = ""
        self.url = ""
        self.exact = False
        self.latest = False


def normalise(name: str) -> str:
    """The normalised name of a package (PEP 503)."""
    out = name.lower().replace("_", "-").replace(".", "-")
    while "--" in out:
        out = out.replace("--", "-")
    return out


def parse(text: str) -> Target:
    """What a target (or the value of --from) names. Raises Handover for Python requests, local paths and any doubt."""
    if _asks_for_python(text):
        raise Handover("a Python interpreter is asked for")
    if text.startswith(("git+http://", "git+https://", "git+ssh://", "git+git://", "http://", "https://")):
        return _direct(text, "")
    end = 0
    while end < len(text) and text[end] in _NAME:
        end += 1
    name, rest = text[:end], text[end:]
    odd = not name or not name[0].isalnum() or not name[-1].isalnum() or name.endswith((".py", ".pyw"))
    if odd or rest.startswith(_OF_PATHS):
        raise NotAName(f"`{text}` is not the name of a package")
    found = Target(text, "registry", name)
    rest = _extras(found, rest.strip())
    if rest.startswith("@"):
        return _at(found, rest[1:].strip())
    if rest and not rest.startswith(_SPECIFIERS):
        raise Handover(f"`{text}` is no requirement that lastgood knows")
    if ";" in rest:
        raise Handover("a marker decides whether anything is installed")
    found.specifier = rest
    found.exact = rest.startswith("==") and "*" not in rest and "," not in rest
    return found


def _asks_for_python(text: str) -> bool:
    """Whether uv takes `text` for an interpreter: `python3.12`, `pypy@3.10`, but not `python-lsp-server`."""
    low = text.lower()
    for name in _PYTHONS:
        if low.startswith(name):
            rest = low[len(name) :]
            return not rest or rest[0] in "0123456789@<>=!~" or (rest[0] == "-" and rest[1:2].isdigit())
    return False


def _extras(found: Target, rest: str) -> str:
    if not rest.startswith("["):
        return rest
    inside, closed, after = rest[1:].partition("]")
    if not closed or not all(c in _NAME or c in ", " for c in inside):
        raise Handover(f"`{found.text}` is no requirement that lastgood knows")
    found.extras = tuple(sorted({normalise(word.strip()) for word in inside.split(",") if word.strip()}))
    return after.strip()


def _at(found: Target, rest: str) -> Target:
    if rest == "latest":
        found.latest = True
        return found
    if "://" in rest:
        return _direct(found.text, found.command, found.extras)
    if rest[:1].isdigit() and all(c in _NAME or c in "+!" for c in rest):
        found.specifier = "==" + rest
        found.exact = True
        return found
    raise Handover(f"`{found.text}` may be a path")


def _direct(text: str, name: str, extras: "tuple[str, ...]" = ()) -> Target:
    url = text.split("@", 1)[1].strip() if name else text
    if not url.startswith(("git+http://", "git+https://", "git+ssh://", "git+git://", "http://", "https://")) or ";" in url:
        raise Handover(f"`{text}` is no address that lastgood knows")
    found = Target(text, "direct", name)
    found.command = ""
    found.extras = extras
    found.url = url
    return found


def plugins(listed: "Iterable[str]", package: str) -> "list[str]":
    """What is wanted beside `package` of the requirements that a hook lists: neither lastgood nor the tool itself, nor a path."""
    found = []
    for line in listed:
        try:
            wanted = parse(line.partition(";")[0].strip())  # a marker is for uv to look at
        except Handover:
            continue
        if wanted.name not in ("lastgood", package) and (wanted.name or wanted.url):
            found.append(line.strip())
    return found
