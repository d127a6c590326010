"""In which ways tools are used: what the words of a command line, a tools table, hooks or the records themselves name.

Nothing is refreshed here. A use is words and a place; uses that come to the same record belong together.
"""

import contextlib
import os
import shlex

from lastgood import callsites, differences, hookfile, identity, manage, project, request, surroundings
from lastgood import scene as scenes
from lastgood.errors import LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lastgood.callsites import Changes
    from lastgood.identity import Request
    from lastgood.record import Record


class Use:
    """One way in which a tool is used: the words after `lastgood run`, where they are used, and what says so.

    beside   the additional dependencies of a hook; `hook` tells a hook from the tools table and the command line
    kept     the record that this use was read from; None for the others
    program  what a hook starts instead of `lastgood run`: `uvx`, which may be lastgood or not; else ""
    own_uvx  whether the environment of the hook has a `uvx` of its own
    changes  the variables that the call site sets for the tool, or takes away: None
    runs     whether it is what another program runs, plain uvx or not, rather than what somebody wants to be kept
    """

    __slots__ = ("beside", "changes", "hook", "kept", "own_uvx", "place", "program", "runs", "where", "words")

    def __init__(self, words: "list[str]", place: str, where: str, beside: "list[str] | None" = None) -> None:
        self.words = words
        self.place = place
        self.where = where
        self.hook = beside is not None
        self.beside = beside or []
        self.kept: Record | None = None
        self.program = ""
        self.own_uvx = False
        self.changes: Changes = {}
        self.runs = False

    def environment(self, environ: "Mapping[str, str]") -> "dict[str, str]":
        """The environment that the tool is used in."""
        return callsites.changed(environ, self.changes)


class Useless(Exception):  # noqa: N818 (what was found)
    """Nothing can be kept for a use, or not from here; `args[0]` says why."""


class Unneeded(Useless):
    """Nothing has to be kept for a use: it needs no network."""


class Elsewhere(Useless):
    """Where a record is used its words or settings are others than those that are known here: what it keeps runs there."""


def named(tools: "Sequence[str]", options: "Sequence[str]") -> "list[Use]":
    """The uses that a command line names: each tool, with the options for all of them."""
    return [Use([*options, tool], os.getcwd(), f"`{request.public_word(tool)}`") for tool in tools]


def of_runs(lines: "Sequence[str]") -> "list[Use]":
    """The uses that call sites name: each line is a command that calls `lastgood run`, or what stands after that.

    Raises UsageError.
    """
    return [_of_run(line) for line in lines]


def _of_run(line: str) -> Use:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"invalid --words `{request.without_credentials(line)}`: {str(error).lower()}") from error
    call = callsites.called(words)
    if call is not None and not call.program:
        words = call.words
    use = Use(words, os.getcwd(), f"`lastgood run {shlex.join(map(request.public_word, words))}`")
    use.changes = call.changes if call is not None else {}
    use.runs = True
    return use


def here(environ: "dict[str, str]") -> "list[Use]":
    """All that is used here: by hooks first, since the table may call a tool by its package's name. Raises SettingError."""
    cwd = os.getcwd()
    found = []
    for path in hookfile.find(cwd):
        found += [_of_hook(call, os.path.dirname(path)) for call in hookfile.calls(path)]
    return found + [Use([tool], cwd, f"`{tool}`") for tool in sorted(tools_here(environ))]


def _of_hook(call: "hookfile.Call", place: str) -> Use:
    use = Use(call.words, place, call.where, call.beside)
    use.program, use.own_uvx, use.changes = call.program, call.own_uvx, call.changes
    return use


def tools_here(environ: "dict[str, str]") -> "list[str]":
    """The tools that the table of this directory names. Raises SettingError."""
    cwd = os.getcwd()
    found = project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    return list(found.tools)


def everywhere(home: str) -> "list[Use]":
    """What is recorded on this machine, each record as it was last refreshed."""
    return [of(record) for record in manage.all_records(home, refused=True)]


def of(record: "Record") -> Use:
    """The use of a record as it was last refreshed."""
    use = Use(record.words, record.place, f"`{record.tool}`")
    use.kept, use.beside = record, record.beside
    return use


def once(uses: "Iterable[Use]") -> "list[Use]":
    """Those of `uses` that may lead to environments of their own: a tool's arguments change nothing, what starts it may."""
    found: dict[tuple[str, ...], Use] = {}
    for use in uses:
        started = (use.program, str(use.own_uvx), repr(sorted(use.changes.items())))
        same = (use.place, *started, *use.beside, *_without_arguments(use.words))
        found.setdefault((use.kept.id, *same) if use.kept is not None else same, use)
    return list(found.values())


def _without_arguments(words: "list[str]") -> "list[str]":
    try:
        parsed = request.parse(words)
    except (request.Handover, UsageError):
        return words
    return words[: len(words) - len(parsed.args)]


def identify(use: Use, environ: "dict[str, str]") -> "Request":
    """The request of a use. Raises Useless, and where it is none of the records' also LastgoodError: a mistake to be told."""
    if use.kept is not None:
        return _identify_again(use, use.kept, environ)
    try:
        with contextlib.chdir(use.place):
            return identity.identify(scenes.look(use.words, use.environment(environ), use.beside))
    except identity.Installed as refusal:
        raise Unneeded(refusal.reason) from refusal
    except request.Handover as refusal:
        raise Useless(request.without_credentials(refusal.reason)) from refusal
    except LastgoodError as error:
        raise _of(use, error) from error


def _of(use: Use, error: LastgoodError) -> LastgoodError:
    """The error, with the hook whose words are wrong."""
    return type(error)(f"{use.where}: {error.message}", error.hint) if use.hook else error


def _identify_again(use: Use, record: "Record", environ: "dict[str, str]") -> "Request":
    """The request of a record, where words, place and environment still come to it."""
    if not use.words:
        hidden = "a credential stands in its words, which are never written down; refresh it where it is used"
        raise Elsewhere(hidden if use.place else "the words that led to it are not known until it runs again")
    try:
        with contextlib.chdir(use.place):
            made = identity.identify(scenes.look(use.words, environ, use.beside))
    except identity.Installed as refusal:
        raise Unneeded(refusal.reason) from refusal
    except (request.Handover, LastgoodError) as refusal:
        raise Useless(request.without_credentials(str(refusal))) from refusal
    except OSError as error:
        raise Useless(f"the directory that it was used in cannot be entered ({(error.strerror or str(error)).lower()})") from error
    if made.id != record.id:
        differs = "; ".join(differences.between(made.fields, record.request)) or "uv's configuration"
        raise Elsewhere(f"other settings hold now ({differs})")
    return made
