"""Words that name no tool, each told in one line: a file of a hook's, a path that leads nowhere, a package that no index has."""

import os
import sys

from lastgood import outage, request, settings, uv
from lastgood.errors import LastgoodError, SettingError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lastgood.identity import Request
    from lastgood.request import Words

_MEANT = (("./", "../", "/", "~"), (".whl", ".tar.gz", ".zip"))  # how a file begins, or ends, that was meant to be run
_PROJECT = ("pyproject.toml", "setup.py")  # one of them makes a directory a Python project to uv
_MORE = ("[", "#", ";", "${")  # what uv reads in a path besides the path: extras, a fragment, a marker, a variable


def refuse_file(words: "Words", environ: "Mapping[str, str]") -> None:
    """Raise UsageError where a hook runner put a file where the tool belongs: with empty `args`, file names follow at once.

    uvx would look the file up on the index, and install and run whatever is called like it. Not where a hook names the tool: a
    repository may have a file of that name. The shim leaves even that to uvx, which it has to be like.
    """
    if not settings.is_on(environ.get("PRE_COMMIT")) or words.value("--from") is not None:
        return
    begins, ends = _MEANT
    if not os.path.isfile(words.target) or words.target.startswith(begins) or words.target.endswith(ends):
        return
    if not uv.is_shim(sys.argv[0]) and not _is_hooks(words.plain):
        remedy = "put the tool first in the hook's `args`, or say `--from PACKAGE` before it if a tool is called like that file"
        raise UsageError(f"the hook names no tool: `{words.target}` is a file", remedy)


def _is_hooks(plain: "list[str]") -> bool:
    """Whether words begin like those of one of lastgood's own hooks, or of a hook that is configured here."""
    from lastgood import hooks

    found = [*(hook.words for hook in hooks.HOOKS), *_configured()]
    return any(words and plain[: len(words)] == words for words in map(_plain, found))


def _configured() -> "list[list[str]]":
    """The words of the hooks that are configured here."""
    from lastgood import hookfile

    try:
        return [call.words for path in hookfile.find(os.getcwd()) for call in hookfile.calls(path)]
    except (SettingError, OSError):
        return []  # the hook runner says what is wrong with it


def _plain(argv: "list[str]") -> "list[str]":
    """The words of a hook without lastgood's own options; none where they name no tool."""
    try:
        words = request.parse(argv)
    except request.Handover as refusal:
        if refusal.words is None:
            return []
        words = refusal.words
    except LastgoodError:
        return []  # the hook says so itself
    return words.plain if words.target else []


def refuse_nowhere(refusal: "request.Handover") -> None:
    """Raise UsageError where what should be a package leads up and away by `..`, as no name does, and nothing is there to run.

    Any other path is uvx's, there or not, and so is every one of the shim's, which has to be like uvx.
    """
    if not isinstance(refusal, request.NotAName) or refusal.words is None:
        return
    given = refusal.words.value("--from")
    source = refusal.words.target if given is None else given
    if leads_nowhere(source) and not uv.is_shim(sys.argv[0]):
        raise UsageError(
            f"`{source}` is no name of a package, and no Python project is there", "name a package, or a path to a project"
        )


def leads_nowhere(source: str) -> bool:
    """Whether `source` leads up by `..` to where neither a project nor a file is; no path that only uv can read does."""
    path = source.strip()
    if any(sign in path for sign in _MORE) or ".." not in path.replace("\\", "/").split("/"):
        return False
    return not _is_there(path) and not _is_there(os.path.normpath(path))  # uv takes `..` by the text, and follows no link


def _is_there(path: str) -> bool:
    if os.path.isdir(path):
        return any(os.path.lexists(os.path.join(path, name)) for name in _PROJECT)
    return os.path.lexists(path)


def unknown_package(made: "Request", said: str, environ: "Mapping[str, str]") -> str:
    """Who names a package that no index has, by what uv `said`, and what to do; "" where it is another failure.

    Nothing for a person who has just typed the name: uv's own words have it, but not the file or the hook where it stands.
    """
    from lastgood import callsites  # `shlex`: 5 ms that a stale run need not wait for

    entry, name = made.configuration.entry, made.target.name
    where = entry.where if entry is not None else callsites.caller(environ)
    if not where or not outage.is_unknown(said, name):
        return ""
    source = '`from_="PACKAGE"`' if environ.get("NOX_CURRENT_SESSION") else "`--from PACKAGE`"
    other = "" if made.searched else f", or say {source} where another package provides it"
    return f"no index that was asked has a package `{name}`, which {where} names; check the name{other}"
