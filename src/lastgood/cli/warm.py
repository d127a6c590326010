"""`lastgood warm`: refresh now, or behind a checkout; or say whether everything here would run with no network."""

import argparse
import contextlib
import functools
import os
import shlex
import sys
import time

from lastgood import (
    behind,
    differences,
    generations,
    manage,
    messages,
    mistakes,
    outage,
    paths,
    refresh,
    rehearsal,
    request,
    settings,
    shim,
    stopping,
    together,
    upkeep,
    uses,
    uv,
)
from lastgood import record as records
from lastgood.cli import forecast, lines
from lastgood.errors import Damage, LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lastgood.cli.render import Bars
    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.refresh import Outcome
    from lastgood.rehearsal import Rung
    from lastgood.uses import Use

ABOUT = """\
  Without TOOL, everything that the tools table and the hooks of this
  repository use. Exit status 1 where a tool has nothing good after it."""
_OPTIONS = (
    ("--from", None, "The package that TOOL comes from, as `run` takes it"),
    ("--with", "-w", "A package that is wanted beside TOOL; may stand more than once"),
    ("--python", "-p", "The Python that TOOL runs on"),
)
_AT_ONCE = 4
_GOOD = ("new", "unchanged")
_FAILING = (rehearsal.NOTHING, forecast.UNKNOWN)


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument(
        "tool", nargs="*", metavar="TOOL", help="What to refresh, as `run` takes it: `ruff`, `ruff@0.17.5`, `mypy>=2`"
    )
    for name, short, text in _OPTIONS:
        names = [short, name] if short else [name]
        parser.add_argument(*names, dest=name, action="append", default=[], metavar=name.lstrip("-").upper(), help=text)
    parser.add_argument("--words", action="append", default=[], help=argparse.SUPPRESS)  # of the tox plugin: what it will run
    parser.add_argument("--all", action="store_true", help="Everything that is recorded on this machine")
    parser.add_argument("--behind", action="store_true", help="Return at once and refresh in the background what is not fresh")
    parser.add_argument("--check", action="store_true", help="Refresh nothing: say whether each tool would run with no network")
    parser.add_argument(
        "-j", "--jobs", metavar="N", default=str(_AT_ONCE), help=f"How many to refresh at once [default: {_AT_ONCE}]"
    )


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Refresh each tool; 1 where one has nothing good now."""
    if given.behind and given.check:
        raise UsageError("`--behind` cannot be used with `--check`")
    besides = [*given.tool, *(name for name, _, _ in _OPTIONS if vars(given)[name])]
    if given.all and besides:
        raise UsageError(f"`--all` cannot be used with `{besides[0]}`", "it refreshes everything that is recorded")
    jobs = settings.number(given.jobs, "--jobs")
    if given.behind:
        return _behind(given, environ)
    wanted = _wanted(given, environ)
    if given.check:
        return _check(given, wanted, environ)
    if not wanted and given.all:
        messages.say("", "nothing is kept yet", environ)
        return 0
    if not wanted:
        raise UsageError("no tool is named, and neither [tool.lastgood.tools] nor a hook names one", "run `lastgood warm TOOL`")
    uv.find(environ)  # without it nothing can be refreshed, and that is one mistake, not one a tool
    return _warm(uses.once(wanted), jobs, environ)


def _wanted(given: "argparse.Namespace", environ: "dict[str, str]") -> "list[Use]":
    if given.all:
        home = paths.home(environ)
        return uses.everywhere(home) if paths.trusted(home) else []
    if given.tool or given.words:
        for tool in given.tool:
            _check_name(tool)
        return [*uses.named(given.tool, _options(given)), *uses.of_runs(given.words)]
    return uses.here(environ)


def _check_name(tool: str) -> None:
    """Raise UsageError where `tool` can be nobody's name: a sign, or a path that leads up to nothing. Any other path is uvx's."""
    is_path = "/" in tool or "\\" in tool or tool in (".", "..")
    if not is_path or mistakes.leads_nowhere(tool):
        manage.check_name(tool)


def _options(given: "argparse.Namespace") -> "list[str]":
    """The options for all tools that are named, as `run` takes them."""
    return [f"{name}={value}" for name, _, _ in _OPTIONS for value in vars(given)[name]]


# --- refreshing -----------------------------------------------------------------------------------------------------


def _behind(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Refresh in the background. Nothing here may fail a checkout, so what goes wrong is for `run` to say."""
    with contextlib.suppress(LastgoodError):
        manage.open_home(paths.home(environ))
        behind.start(lambda _: _freshen(given, environ))
    return 0


def _freshen(given: "argparse.Namespace", environ: "dict[str, str]") -> None:
    for use in uses.once(_wanted(given, environ)):
        with contextlib.suppress(LastgoodError, uses.Useless, request.Handover, records.NewerFormat, OSError):
            uses.identify(use, environ)
            with contextlib.chdir(use.place):
                manage.freshen(use.words, use.environment(environ), use.beside)


class _Work:
    """The refresh of one record, and the uses that come to it; `tool` is what people are told, `fields` is what is asked for.

    home     where it is kept
    entry    the entry of the tools table that counts, for people; "" where there is none
    result   {kind, reason, version, words, new, waiting, missing} once it has ended; kind "useless" where nothing can be kept of it

    In `result`, `version` is what is good now ("" for nothing), `words` are uv's own, `new` is the id of a generation that is new,
    or was left untidy when it was, `waiting` the version that a hold keeps away, and `missing` what some of its uses call in vain.
    """

    __slots__ = ("entry", "fields", "home", "id", "result", "tool", "uses")

    def __init__(self, use: "Use", tool: str, home: str, identity: str) -> None:
        self.uses = [use]
        self.tool = tool
        self.home = home
        self.fields: dict[str, Any] = {}
        self.entry = ""
        self.id = identity
        self.result: dict[str, Any] = {}

    @property
    def failed(self) -> bool:
        return self.result["kind"] not in _GOOD

    @property
    def said(self) -> str:
        version, waiting = self.result["version"], self.result["waiting"]
        held = f" (held; {waiting} is there)" if waiting not in ("", version) else ""
        return f"`{self.tool}` {version}{held}" if version else f"`{self.tool}`"


def _warm(wanted: "list[Use]", at_once: int, environ: "dict[str, str]") -> int:
    works = _works(wanted, environ)
    due = [work for work in works if not work.result]
    if len(due) == 1:
        due[0].result = _refresh(due[0], environ, shown=os.isatty(2) and not settings.quiet(environ))
    elif due:
        _refresh_all(due, at_once, environ)
    _tidy(due)
    return _tell(works, environ)


def _tidy(works: "list[_Work]") -> None:
    """Have what is kept byte-compiled and measured in the background."""
    for home in dict.fromkeys(work.home for work in works):
        upkeep.tidy_behind(home, [work.result["new"] for work in works if work.result["new"] and work.home == home])


def _works(wanted: "list[Use]", environ: "dict[str, str]") -> "list[_Work]":
    """What there is to do, one piece a record: two uses of one record would wait for each other, and ask twice."""
    works: list[_Work] = []
    of: dict[tuple[str, str], _Work] = {}
    for use in wanted:
        home = paths.home(use.environment(environ))
        try:
            made = uses.identify(use, environ)
        except uses.Useless as refusal:
            if use.runs or isinstance(refusal, uses.Unneeded):
                messages.say("", f"{use.where} is left to plain `uvx`: {refusal}", environ)
                continue
            work = _Work(use, _label_of(use), home, "")
            work.fields = use.kept.request if use.kept is not None else {}
            work.result = _useless(use, str(refusal))
            works.append(work)
            continue
        if (home, made.id) in of:
            of[home, made.id].uses.append(use)
        else:
            work = _Work(use, _label(made.tool, made.fields), home, made.id)
            work.fields = made.fields
            work.entry = made.configuration.entry.where if made.configuration.entry is not None else ""
            of[home, made.id] = work
            works.append(work)
    for work, told in zip(works, differences.told_apart([one.tool for one in works], [one.fields for one in works]), strict=True):
        work.tool = told
    return works


def _label(tool: str, fields: "dict[str, Any]") -> str:
    """What a request is called: its tool with extras and options; a version is added where nothing else tells it apart."""
    return differences.label(tool, {**fields, "specifier": ""})


def _label_of(use: "Use", tool: str = "") -> str:
    """What a use is called whose request is not known here."""
    if use.kept is None:
        return tool or use.where.replace("`", "")
    return differences.label(use.kept.tool, {"extras": use.kept.request.get("extras", ())})


def _useless(use: "Use", why: str) -> "dict[str, Any]":
    current = use.kept.generation() if use.kept is not None else None
    version = current.version if current is not None else ""
    return {**_trouble(why, version), "kind": "useless"}


def _refresh(work: _Work, environ: "dict[str, str]", *, shown: bool) -> "dict[str, Any]":
    """Refresh a record as its first use asks for it, and write the cards of the others. Raises LastgoodError."""
    first, *others = work.uses
    try:
        with contextlib.chdir(first.place):
            made, outcome, record = manage.warm(first.words, first.environment(environ), first.beside, shown=shown)
    except records.NewerFormat as newer:
        return _trouble(f"its record was written by a newer lastgood: format {newer.args[0]}, this one reads {records.FORMAT}")
    current = record.runs(work.home) if record is not None else None
    found = [(first, made)]
    for use in others if outcome.good else ():
        with contextlib.chdir(use.place):
            found.append((use, manage.write_card(use.words, use.environment(environ), use.beside)))
    # an entry of the table may be called like a package, for hooks that name the command
    by_hook = any(use.hook for use in work.uses)
    asked = [made for use, made in found if use.hook or made.searched or not by_hook]
    refused = outcome.kind == "refused" or (outcome.good and bool(outcome.reason))  # now, or by an earlier refresh
    reason = f"{outcome.version} does not start: {outcome.reason}" if refused else outcome.reason
    if outcome.good and not refused and current is None:  # the index has nothing else, and nobody wants to go back to it
        refused, reason = True, f"{outcome.version} was sent back"
    missing = _missing(f"{work.home}/generations/{current.id}", asked, environ) if outcome.good and current is not None else []
    new = current.id if current is not None and _is_untidy(work.home, current, outcome) else ""
    if len(missing) == len(asked):
        named = " and ".join(f"`{name}`" for name in dict.fromkeys(missing))
        return {**_trouble(f"{made.target.name or 'what was built'} {outcome.version} provides no {named}"), "new": new}
    return {
        "kind": "refused" if refused else outcome.kind,
        "reason": reason,
        "version": current.version if current is not None else "",
        "missing": [f"{made.target.name} {outcome.version} provides no `{name}`" for name in dict.fromkeys(missing)],
        "new": new,
        "waiting": outcome.version if record is not None and record.held and current is not None else "",
        "words": outcome.words.decode("utf-8", "replace"),
    }


def _missing(place: str, asked: "list[Request]", environ: "dict[str, str]") -> "list[str]":
    """The commands of requests that the environment at `place` does not provide."""
    return [made.command for made in asked if made.command and refresh.provided(place, made, environ) is None]


def _is_untidy(home: str, current: "Generation", outcome: "Outcome") -> bool:
    """Whether what runs is new, or whoever kept it was ended before it was measured."""
    return outcome.kind == "new" or (outcome.good and not generations.size(home, current.id))


def _refresh_all(works: "list[_Work]", at_once: int, environ: "dict[str, str]") -> None:
    manage.open_home(paths.home(environ))
    pieces = [functools.partial(_quietly, work, environ) for work in works]
    with stopping.Unwinding(), _telling(works, environ):
        if os.isatty(2) and environ.get("TERM") != "dumb" and not settings.quiet(environ):
            from lastgood.cli import render  # rich: not for a log, and not for a checkout that nobody watches

            with render.Bars("warming", len(works)) as bars:
                together.each(pieces, at_once, _OnTerminal(works, environ, bars))
        else:
            together.each(pieces, at_once, _InLines(works, environ))


@contextlib.contextmanager
def _telling(works: "list[_Work]", environ: "dict[str, str]") -> "Iterator[None]":
    """Say what has come of it so far where it is interrupted, and tidy it up: a refusal is said once, nobody else would say it."""
    try:
        yield
    except BaseException:
        ended = [work for work in works if work.result]
        _tell(ended, environ)
        _tidy(ended)
        raise


class _Results(together.Watcher):
    """Keeps what each refresh came to."""

    def __init__(self, works: "list[_Work]", environ: "dict[str, str]") -> None:
        self.works = works
        self.environ = environ

    def ended(self, index: int, result: "Any") -> None:
        work = self.works[index]
        work.result = result or _trouble("the refresh ended without a word", _version_kept(work))


class _OnTerminal(_Results):
    """Bars that are gone when all is said."""

    def __init__(self, works: "list[_Work]", environ: "dict[str, str]", bars: "Bars") -> None:
        super().__init__(works, environ)
        self._bars = bars

    def started(self, index: int) -> None:
        self._bars.begin(index, self.works[index].tool)

    def ended(self, index: int, result: "Any") -> None:
        super().ended(index, result)
        self._bars.end(index)

    def tick(self) -> None:
        self._bars.draw()


class _InLines(_Results):
    """A line for each tool as it ends, for a log that somebody follows."""

    def __init__(self, works: "list[_Work]", environ: "dict[str, str]") -> None:
        super().__init__(works, environ)
        self._ended = 0

    def ended(self, index: int, result: "Any") -> None:
        super().ended(index, result)
        self._ended += 1
        messages.say("", f"{_state(self.works[index])} ({self._ended} of {len(self.works)})", self.environ)


def _quietly(work: _Work, environ: "dict[str, str]") -> "dict[str, Any]":
    """As `_refresh`, among others: what goes wrong with one tool is told with the others' results."""
    try:
        return _refresh(work, environ, shown=False)
    except LastgoodError as error:
        return _trouble(error.message, _version_kept(work))


def _trouble(reason: str, version: str = "") -> "dict[str, Any]":
    return {"kind": "local", "reason": reason, "version": version, "words": "", "new": "", "waiting": ""}


def _version_kept(work: _Work) -> str:
    """What is good now, whatever became of the refresh; "" for nothing."""
    try:
        record = records.load(work.home, work.id)
    except (Damage, records.NewerFormat, OSError):
        return ""
    current = record.runs(work.home) if record is not None else None
    return current.version if current is not None else ""


def _state(work: _Work) -> str:
    """What became of a tool, in one line."""
    if not work.failed:
        how = "kept" if work.result["kind"] == "new" else "unchanged"
        return f"{how} {work.said}"
    return f"not refreshed: {work.said} ({work.result['reason']})"


def _tell(works: "list[_Work]", environ: "dict[str, str]") -> int:
    """Say what is good now, what is unchanged, and what failed and why; 1 where a tool has nothing good."""
    kept = [work.said for work in works if work.result["kind"] == "new"]
    unchanged = [work.said for work in works if work.result["kind"] == "unchanged"]
    parts = [f"kept {', '.join(kept)}"] if kept else []
    parts += [f"unchanged: {', '.join(unchanged)}"] if unchanged else []
    if parts:
        messages.say("", "; ".join(parts), environ)
    failed = [work for work in works if work.failed]
    told: set[str] = set()
    for work in failed:
        again = work.result["kind"] == "outage" and work.result["reason"] in told  # uv's five lines, for each of 20 tools
        told.add(work.result["reason"])
        if not again and not (work.result["version"] and settings.quiet(environ)):  # words to a warning which is not said
            messages.write_all(2, work.result["words"].encode())
        messages.say("warning" if work.result["version"] else "error", _why(work), environ)
    missing = [said for work in works for said in work.result.get("missing", ())]
    for said in missing:
        messages.say("error", said, environ)
    return 1 if missing or any(not work.result["version"] for work in failed) else 0


def _why(work: _Work) -> str:
    where, reason = work.uses[0].where, work.result["reason"]
    if work.result["kind"] == "useless" and not work.result["version"]:
        return f"{where} cannot be kept: {reason}"
    specifier = work.fields.get("specifier") or ""
    package = work.fields.get("package", "")
    told = specifier in work.tool or (specifier == package and specifier in where)  # an address without a name is its package
    wanted = work.tool if told else differences.with_specifier(work.tool, specifier)
    still = f"{work.said} stays" if work.result["version"] else f"no good `{wanted}` is kept"
    if package and outage.is_unknown(work.result["words"], package):
        reason = f"no index that was asked has a package `{package}`: check {work.entry or 'the name'}"
    return f"{where} was not refreshed ({reason}); {still}"


# --- asking ---------------------------------------------------------------------------------------------------------


def _check(given: "argparse.Namespace", wanted: "list[Use]", environ: "dict[str, str]") -> int:
    """Say from which rung each tool would run; 1 where one would not."""
    found = _rungs(wanted, environ)
    if not found:
        here = "nothing is used here: neither [tool.lastgood.tools] nor a hook names a tool"
        messages.say("", "nothing is kept yet" if given.all else here, environ)
    names = _names(found)
    width = max(map(len, names), default=0)
    for name, (_, rung) in zip(names, found, strict=True):
        lines.say(f"{name.ljust(width)}  {rung.name.ljust(len(rehearsal.CACHE))}  {rung.said}")
    sys.stdout.flush()
    failing = [(name, use, rung) for name, (use, rung) in zip(names, found, strict=True) if rung.name in _FAILING]
    plain = [(use, rung) for _, use, rung in failing if not _is_ours(use, environ)]
    ours = [(name, rung) for name, use, rung in failing if (use, rung) not in plain]
    for warmable, rungs, said in (
        (True, _FAILING, f"would not run with no network; run `{_command(given)}` while the index is up"),
        (False, (rehearsal.NOTHING,), "would not run with no network"),
        (False, (forecast.UNKNOWN,), "may not run with no network, which nobody can say from here"),
    ):
        named = ", ".join(dict.fromkeys(f"`{name}`" for name, rung in ours if rung.warmable == warmable and rung.name in rungs))
        if named:
            messages.say("error", f"{named} {said}", environ)
    told = [(use.where, f"would start `{use.program}` itself, which needs the network; {_step(use, rung)}") for use, rung in plain]
    for said in dict.fromkeys(said for _, said in told):
        named = ", ".join(dict.fromkeys(where for where, one in told if one == said))
        messages.say("error", f"{named} {said}", environ)
    return 1 if failing else 0


def _step(use: "Use", rung: "Rung") -> str:
    """What would let a hook that starts another `uvx` start lastgood."""
    shims = use.program == shim.NAME and not use.own_uvx
    step = "run `lastgood shim install`, or begin its entry" if shims else "begin its entry"
    return rehearsal.to_be_kept(f"{step} with `lastgood run`", rung.refusal)


def _names(found: "list[tuple[Use, Rung]]") -> "list[str]":
    """What each use is called: a hook's by its tool alone, the others as `warm` calls them."""
    others = [(use, rung) for use, rung in found if not use.hook]
    labels = [_label(rung.tool, rung.fields) if rung.fields else _label_of(use, rung.tool) for use, rung in others]
    asked = [use.kept.request if use.kept is not None else rung.fields for use, rung in others]
    told = iter(differences.told_apart(labels, asked))
    return [_label_of(use, rung.tool) if use.hook else next(told) for use, rung in found]


def _command(given: "argparse.Namespace") -> str:
    """What would refresh all that was asked about, as a shell takes it."""
    words = [*(["--all"] if given.all else []), *_options(given), *(f"--words={line}" for line in given.words), *given.tool]
    return shlex.join(["lastgood", "warm", *map(request.public_word, words)])


def _is_ours(use: "Use", environ: "dict[str, str]") -> bool:
    """Whether lastgood is what starts: always, but for a hook with another `uvx` in its entry."""
    if not use.program:
        return True
    if use.own_uvx and "/" not in use.program:
        return False
    with contextlib.chdir(use.place):
        return uv.starts_shim(use.program, use.environment(environ))


def _rungs(wanted: "list[Use]", environ: "dict[str, str]") -> "list[tuple[Use, Rung]]":
    found: list[tuple[Use, Rung]] = []
    seen: set[tuple[str, str, str]] = set()
    of_hooks: set[tuple[str, str]] = set()
    for use in uses.once(wanted):
        rung = _rung(use, environ)
        home = paths.home(use.environment(environ))
        named_by_hook = not use.hook and (home, rung.record) in of_hooks
        if rung.record and (named_by_hook or (home, rung.record, rung.tool) in seen):
            continue
        seen.add((home, rung.record, rung.tool))
        of_hooks |= {(home, rung.record)} if use.hook else set()
        found.append((use, rung))
    return found


def _rung(use: "Use", environ: "dict[str, str]") -> "Rung":
    if use.kept is not None:
        try:
            uses.identify(use, environ)
        except uses.Useless as refusal:
            return _rung_of_kept(use.kept, refusal, environ)
    with contextlib.chdir(use.place):
        found = rehearsal.rung(use.words, use.environment(environ), use.beside, own=not use.hook)
    if not found.record or _is_ours(use, environ):  # nothing is ever kept of it: plain uvx runs, whoever is asked
        return found
    link = "and" if found.name == rehearsal.NOTHING else "though"
    return rehearsal.Rung(found.tool, rehearsal.NOTHING, f"`{use.program}` is not lastgood here, {link} {found.said}")


def _rung_of_kept(record: "Record", refusal: uses.Useless, environ: "dict[str, str]") -> "Rung":
    """The rung of a record that its words do not lead to from here. It may be used where they do: then it decides by itself."""
    installed = forecast.of_installed(record, environ) if isinstance(refusal, uses.Unneeded) else None
    if installed is not None and installed[0] == rehearsal.INSTALLED:
        return rehearsal.Rung(record.tool, rehearsal.INSTALLED, f"{installed[1]} {rehearsal.INSTALLED_SAID}", version=installed[1])
    name, said = rehearsal.NOTHING, f"it is kept, but {refusal}"
    if isinstance(refusal, uses.Elsewhere):
        now, wanted = time.time(), forecast.Wanted(forecast.configuration(environ), record)
        name, version, asked = forecast.of_kept(paths.home(environ), record, now, wanted) or (forecast.UNKNOWN, "", 0.0)
        if name == rehearsal.KEPT:
            said = f"{version} is kept, last checked {messages.when(now - asked)}, though {refusal}"
    found = rehearsal.Rung(record.tool, name, said)
    found.warmable = False
    return found
