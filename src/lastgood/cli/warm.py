"""`lastgood warm`: refresh now, or behind a checkout; or say whether everything here would run with no network."""

import contextlib
import os
import sys

from lastgood import behind, hookfile, manage, messages, paths, project, rehearsal, request, surroundings
from lastgood import record as records
from lastgood.errors import LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lastgood.rehearsal import Rung

ABOUT = "  Without TOOL, everything that the tools table and the hooks of this repository use."
_OPTIONS = (
    ("--from", None, "The package that TOOL comes from, as `run` takes it"),
    ("--with", "-w", "A package that is wanted beside TOOL; may stand more than once"),
    ("--python", "-p", "The Python that TOOL runs on"),
)


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument(
        "tool", nargs="*", metavar="TOOL", help="What to refresh, as `run` takes it: `ruff`, `ruff@0.17.5`, `mypy>=2`"
    )
    for name, short, text in _OPTIONS:
        names = [short, name] if short else [name]
        parser.add_argument(*names, dest=name, action="append", default=[], metavar=name.lstrip("-").upper(), help=text)
    parser.add_argument("--behind", action="store_true", help="Return at once and refresh in the background what is not fresh")
    parser.add_argument("--check", action="store_true", help="Refresh nothing: say whether each tool would run with no network")


class _Use:
    """One way in which this place uses a tool: the words after `lastgood run`, where they are used, and what says so.

    beside   the additional dependencies of a hook; `hook` tells a hook from the tools table and the command line
    """

    __slots__ = ("beside", "hook", "place", "where", "words")

    def __init__(self, words: "list[str]", place: str, where: str, beside: "list[str] | None" = None) -> None:
        self.words = words
        self.place = place
        self.where = where
        self.hook = beside is not None
        self.beside = beside or []


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Refresh each tool; 1 where one has nothing good now."""
    if given.behind and given.check:
        raise UsageError("`--behind` cannot be used with `--check`")
    if given.behind:
        return _behind(given, environ)
    uses = _uses(given, environ)
    if given.check:
        return _check(uses, environ)
    if not uses:
        raise UsageError("no tool is named, and neither [tool.lastgood.tools] nor a hook names one", "run `lastgood warm TOOL`")
    return _warm(uses, environ)


# --- what is used here ----------------------------------------------------------------------------------------------


def _uses(given: "argparse.Namespace", environ: "dict[str, str]") -> "list[_Use]":
    """What is named, or all that is used here: by hooks first, since the table may call a tool by its package's name."""
    cwd = os.getcwd()
    options = [f"{name}={value}" for name, _, _ in _OPTIONS for value in vars(given)[name]]
    if given.tool:
        return [_Use([*options, tool], cwd, f"`{tool}`") for tool in given.tool]
    path = hookfile.find(cwd)
    calls = hookfile.calls(path) if path else []
    found = [_Use(call.words, os.path.dirname(path), call.where, call.beside) for call in calls]
    return found + [_Use([tool], cwd, f"`{tool}`") for tool in sorted(tools_here(environ))]


def tools_here(environ: "dict[str, str]") -> "list[str]":
    """The tools that the table of this directory names."""
    cwd = os.getcwd()
    found = project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    return list(found.tools)


def _once(uses: "list[_Use]") -> "list[_Use]":
    """Those of `uses` that may lead to environments of their own: a tool's arguments change nothing."""
    found: dict[tuple[str, ...], _Use] = {}
    for use in uses:
        found.setdefault((use.place, *_without_arguments(use.words)), use)
    return list(found.values())


def _without_arguments(words: "list[str]") -> "list[str]":
    try:
        parsed = request.parse(words)
    except (request.Handover, UsageError):
        return words
    return words[: len(words) - len(parsed.args)]


# --- refreshing -----------------------------------------------------------------------------------------------------


def _behind(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Refresh in the background. Nothing here may fail a checkout, so what goes wrong is for `run` to say."""
    with contextlib.suppress(LastgoodError):
        manage.open_home(paths.home(environ))
        behind.start(lambda _: _freshen(given, environ))
    return 0


def _freshen(given: "argparse.Namespace", environ: "dict[str, str]") -> None:
    for use in _once(_uses(given, environ)):
        with contextlib.suppress(LastgoodError, request.Handover, records.NewerFormat, OSError), contextlib.chdir(use.place):
            manage.freshen(use.words, environ)


def _warm(uses: "list[_Use]", environ: "dict[str, str]") -> int:
    kept: list[str] = []
    unchanged: list[str] = []
    failed = 0
    for use in _once(uses):
        try:
            with contextlib.chdir(use.place):
                name, outcome, record = manage.warm(use.words, environ, shown=os.isatty(2))
        except request.Handover as refusal:
            messages.say("error", f"{use.where} cannot be kept: {refusal.reason}", environ)
            failed += 1
            continue
        current = record.generation() if record is not None else None
        said = f"`{name}` {current.version}" if current is not None else f"`{name}`"
        if outcome.kind == "new":
            kept.append(said)
        elif outcome.kind == "unchanged":
            unchanged.append(said)
        else:
            messages.write_all(2, outcome.words)
            still = f"; {said} stays" if current is not None else f"; no good `{name}` is kept"
            messages.say("warning" if current else "error", f"{use.where} was not refreshed ({outcome.reason}){still}", environ)
            failed += current is None
    parts = [f"kept {', '.join(kept)}"] if kept else []
    parts += [f"unchanged: {', '.join(unchanged)}"] if unchanged else []
    if parts:
        messages.say("", "; ".join(parts), environ)
    sys.stderr.flush()
    return 1 if failed else 0


# --- asking ---------------------------------------------------------------------------------------------------------


def _check(uses: "list[_Use]", environ: "dict[str, str]") -> int:
    """Say from which rung each tool would run; 1 where one would not."""
    found = _rungs(uses, environ)
    names = [rung.tool or use.where.replace("`", "") for use, rung in found]
    width = max(map(len, names), default=0)
    for name, (_, rung) in zip(names, found, strict=True):
        sys.stdout.write(f"{name.ljust(width)}  {rung.name.ljust(len(rehearsal.CACHE))}  {rung.said}\n")
    sys.stdout.flush()
    for use, rung in found:
        _warn_of_neighbours(use, rung, environ)
    missing = [name for name, (_, rung) in zip(names, found, strict=True) if rung.name == rehearsal.NOTHING]
    if missing:
        named = ", ".join(f"`{tool}`" for tool in dict.fromkeys(missing))
        messages.say("error", f"{named} would not run with no network; run `lastgood warm` while the index is up", environ)
    return 1 if missing else 0


def _rungs(uses: "list[_Use]", environ: "dict[str, str]") -> "list[tuple[_Use, Rung]]":
    found: list[tuple[_Use, Rung]] = []
    seen: set[tuple[str, str]] = set()
    for use in _once(uses):
        with contextlib.chdir(use.place):
            rung = rehearsal.rung(use.words, environ, use.beside, own=not use.hook)
        named_by_hook = not use.hook and any(record == rung.record for record, _ in seen if record)
        if named_by_hook or (rung.record and (rung.record, rung.tool) in seen):
            continue
        seen.add((rung.record, rung.tool))
        found.append((use, rung))
    return found


def _warn_of_neighbours(use: _Use, rung: "Rung", environ: "dict[str, str]") -> None:
    """Plugins that a user lists where upstream's hooks want them do not reach a tool that has an environment of its own."""
    others = [line for line in use.beside if rehearsal.package_of(line) not in ("", "lastgood", rung.package)]
    if others and rung.package and rung.name != rehearsal.OWN:
        named = ", ".join(f"`{line}`" for line in others)
        line = f"{use.where} installs {named} beside lastgood, not beside `{rung.tool}`: name what it needs in `with` of its entry"
        messages.say("hint", f"{line} in [tool.lastgood.tools]", environ)
