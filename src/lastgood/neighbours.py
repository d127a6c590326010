"""Checks of what surrounds lastgood: settings, indexes and hosts, installed tools, the launcher, the hooks of this repository."""

import contextlib
import os
import shlex
import sys
import time

from lastgood import (
    breaker,
    callsites,
    generations,
    hookfile,
    identity,
    messages,
    outage,
    probe,
    project,
    rehearsal,
    request,
    settings,
    surroundings,
    targets,
    uv,
)
from lastgood.errors import SettingError
from lastgood.patient import OK, PROBLEM, WARNING, Finding, Patient, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lastgood.callsites import Called
    from lastgood.record import Record

_MOST_INDEXES = 16
_AFTER_SITE = "site"
"""The module whose import ends when every `.pth` file has been read."""
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_INDEX_OPTIONS = ("--default-index", "--index-url", "--index", "--extra-index-url")
_DEFAULT = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "--default-index", "--index-url")
"""Those of both that name what is asked in the place of uv's default index; the others name what is asked beside it."""
_UNKNOWN_NAME = ("name or service not known", "name resolution", "nodename nor servname", "no address associated with hostname")
"""What systems say of a name that leads nowhere, or that nobody can be asked about."""


# --- configuration, indexes, hosts ----------------------------------------------------------------------------------


def look_at_settings(patient: Patient) -> "Iterator[Finding]":
    """Whether the settings and the tools table that count here can be used."""
    try:
        found = _configuration(patient)
    except SettingError as error:
        yield Finding(
            "settings", PROBLEM, error.message, error.hint or "mend it there; until then every command ends with that line"
        )
        return
    named = ", ".join(
        f"`{os.path.relpath(path, patient.cwd)}`" if path.startswith(patient.cwd) else f"`{path}`" for path in found.spoke
    )
    tools = f"; {messages.count(len(found.tools), 'tool')} in the table" if found.tools else ""
    yield Finding("settings", OK, f"from {named}{tools}" if named else "defaults: no file says anything")


def _configuration(patient: Patient) -> "project.Configuration":
    user_file = surroundings.user_config(patient.environ)
    return project.load(surroundings.configs(patient.cwd), user_file, patient.environ, {}, base=patient.cwd)


def look_at_indexes(patient: Patient) -> "Iterator[Finding]":
    """What every index answers that settings, uv's files or records name; uv's own default one where they leave that to uv."""
    found = indexes(patient)
    if settings.is_on(patient.environ.get("UV_OFFLINE")):
        yield Finding("index", OK, f"{len(found)} not asked: `UV_OFFLINE` is set")
        return
    if not found:
        yield Finding("index", OK, "none is named, and uv does not say which one it asks by default")
        return
    from concurrent.futures import ThreadPoolExecutor  # asked together: together they take as long as the slowest

    package = next((str(record.request["package"]) for record in patient.records if _is_plain(record)), "")
    with ThreadPoolExecutor(len(found)) as pool:
        answers = pool.map(lambda one: _visit(one, package, patient.environ), found)
        for one, answer in zip(found, answers, strict=True):
            alone = package if len(found) == 1 and one.default else ""
            yield _about_index(one, answer, alone, listed=not package, runs=bool(patient.records))


class Index:
    """An index that something names: its `url`, with credentials where they are known, `where` it is named, and a login for it.

    `default` is whether it takes the place of uv's default index: another one is asked first, and may not have everything.
    """

    __slots__ = ("credentials", "default", "url", "where")

    def __init__(self, url: str, where: str, credentials: "tuple[str, str] | None" = None, *, default: bool = False) -> None:
        self.url = url
        self.where = where
        self.credentials = credentials
        self.default = default


def indexes(patient: Patient) -> "list[Index]":
    """Every index that the environment, uv's files and the records name, once; uv's default where none of them takes its place."""
    environ = patient.environ
    found = [_named(word, name, environ) for name in _INDEX_VARIABLES for word in request.values_of(name, environ)]
    files = surroundings.uv_files(request.Words(), environ)
    found += [Index(url, "uv's configuration", default=default) for url, default in project.uv_indexes(files)]
    if patient.uv is not None and not any(one.default for one in found):
        found.append(Index(request.as_one(uv.default_index(patient.uv, environ)), "uv's default", default=True))
    for record in patient.records:
        pairs = [*record.request.get("options", []), *record.request.get("variables", [])]
        named = [(name, value) for name, value in pairs if name in (*_INDEX_OPTIONS, *_INDEX_VARIABLES)]
        words = [(word, name in _DEFAULT) for name, value in named for word in str(value).split()]
        found += [
            Index(
                word.rpartition("=")[2] if "://" in word.rpartition("=")[2] else word,
                f"the record of `{record.tool}`",
                default=default,
            )
            for word, default in words
        ]
    once: dict[str, Index] = {}
    for one in found:
        if one.url.startswith(("http://", "https://")):
            once.setdefault(request.without_credentials(one.url).rstrip("/"), one)
    return list(once.values())[:_MOST_INDEXES]


def _named(word: str, variable: str, environ: "dict[str, str]") -> Index:
    """An index as a variable has it: an address, or `name=address` with a login in variables of its own."""
    name, equals, url = word.partition("=")
    if not equals or "://" in name:
        return Index(word, f"`{variable}`", default=variable in _DEFAULT)
    prefix = "UV_INDEX_" + "".join(c if c.isalnum() else "_" for c in name).upper()
    user, password = environ.get(prefix + "_USERNAME", ""), environ.get(prefix + "_PASSWORD", "")
    login = (user, password) if user or password else None
    return Index(url, f"`{variable}`", login, default=variable in _DEFAULT)


def _visit(one: Index, package: str, environ: "dict[str, str]") -> probe.Visit:
    """Ask for a page that a run would ask for, too; without anything kept, for the list of all projects."""
    return probe.visit(one.url.rstrip("/") + "/" + (f"{package}/" if package else ""), environ, one.credentials)


def _about_index(one: Index, answer: probe.Visit, package: str, *, listed: bool, runs: bool) -> Finding:
    """What to say of an answer; `package` is what was asked for where no other index could have it, else "": a 404 is an answer.

    `listed` is whether the list of all projects was asked for, `runs` whether anything is kept.
    """
    shown = request.without_credentials(one.url.partition("?")[0])
    taken = f", {answer.protocol} in {answer.seconds * 1000:.0f} ms" if answer.protocol else ""
    words = f"`{shown}` ({one.where}): {_said(answer)}{taken}"
    if answer.good and answer.said == "HTTP 404" and package:
        return Finding("index", WARNING, f"{words}: it has no `{package}`, which is kept", "is the address right?")
    if answer.good and answer.said == "HTTP 404" and listed:
        return Finding("index", WARNING, f"{words}: it has no list of projects", "is the address right?")
    if answer.good:
        return Finding("index", OK, words)
    if answer.refused:
        return Finding(
            "index", WARNING, f"{words}: it wants other credentials than doctor knows", "uv may know them, from a keyring"
        )
    if one.where.startswith("the record"):
        return Finding("index", WARNING, words, "nothing, if it is not used any more")
    if not runs:
        return Finding("index", PROBLEM, words, "nothing is kept that could run meanwhile: look at the address, and at the network")
    return Finding("index", PROBLEM, words, "what is kept runs meanwhile; `lastgood warm --check` says what that is")


def _said(answer: probe.Visit) -> str:
    """What an index answered, where it did not in the words of every other message."""
    if answer.good or answer.refused or answer.protocol:
        return answer.said
    if any(words in answer.said for words in _UNKNOWN_NAME):
        return "DNS lookup failed"
    found = outage.judge(answer.said)
    return found.reason if found.verdict == outage.OUTAGE else answer.said


def look_at_hosts(patient: Patient) -> "Iterator[Finding]":
    """Which hosts nobody asks at the moment, because they were down when last asked."""
    now = time.time()
    names = names_in(patient.home + "/hosts") if patient.standing else []
    known = [breaker.read(patient.home, name) for name in names if not name.endswith(".lock")]
    silent = [down for down in known if down is not None]
    for down in silent:
        again = f"next try in {messages.ago(down.until - now)}" if down.is_open(now) else "the next run tries again"
        words = messages.been_down(breaker.shown(down.host), down.since, down.reason)
        yield Finding("hosts", WARNING, f"{words}; {again}", "`lastgood warm` asks at once")
    if not silent:
        yield Finding("hosts", OK, "none is known to be down")


# --- what surrounds lastgood ----------------------------------------------------------------------------------------


def look_at_installed(patient: Patient) -> "Iterator[Finding]":
    """Which tools `uv tool install` has: uvx, and so lastgood, runs those instead."""
    names = {str(record.request.get("package", "")): record.tool for record in patient.records if _is_plain(record)}
    with contextlib.suppress(SettingError):
        for tool, entry in _configuration(patient).tools.items():
            names[targets.parse(entry.package).name if entry.package else targets.normalise(tool)] = tool
    shadowed = [name for name in sorted(names) if name and _is_preferred(patient, name)]
    for package in shadowed:
        words = f"`{names[package]}` is installed with `uv tool install`, and uvx runs that one: nothing newer is kept of it"
        yield Finding("installed", WARNING, words, f"`uv tool uninstall {package}` lets lastgood keep it")
    if not shadowed:
        yield Finding("installed", OK, "no tool used here is shadowed by `uv tool install`")


def _is_preferred(patient: Patient, package: str) -> bool:
    """Whether uvx would run what is installed of a package, as far as its version tells."""
    receipt = surroundings.receipt(patient.environ, package)
    mine = [one for one in patient.records if one.request.get("package") == package and _is_plain(one)]
    asked = [targets.parse(f"{package}{one.request.get('specifier', '')}") for one in mine]
    unfit = [identity.is_unfit(target, receipt) for target in asked]
    return os.path.exists(receipt) and not (unfit and all(unfit))


def look_at_launcher(patient: Patient) -> "Iterator[Finding]":
    """What the launcher in use loads before lastgood itself: some installers write one that costs every run 6 ms."""
    path = _launcher(patient.environ)
    if not path:
        yield Finding("launcher", OK, "none on PATH: started as a module")
        return
    argv = _interpreter(path)
    if not argv:
        yield Finding("launcher", OK, f"`{path}` is no Python script, and cannot be looked into")
        return
    loaded = _loaded([argv[0], *argv[1:], "-X", "importtime", path, "--version"], patient.environ)
    if not any(name == "lastgood" for name, _ in loaded):
        yield Finding("launcher", WARNING, f"`{path}` does not start", "install lastgood anew")
        return
    names = [name for name, _ in loaded]
    before = loaded[: names.index("lastgood")]
    cost = sum(microseconds for _, microseconds in before) / 1000
    words = f"`{path}`: {cost:.1f} ms of imports before the first line of lastgood"
    if not any(name == "re" for name, _ in before):
        yield Finding("launcher", OK, words)
        return
    later = names[names.index(_AFTER_SITE) :] if _AFTER_SITE in names else names
    whose = "it" if "re" in later[: later.index("lastgood")] else "a `.pth` file of its environment"
    words = f"`{path}` is slow to start: {whose} loads `re` (about 6 ms per run; {cost:.1f} ms of imports in all)"
    yield Finding("launcher", WARNING, words, "reinstall with `uv tool install lastgood`")


def _launcher(environ: "dict[str, str]") -> str:
    """The script that this process was started by, else the one that PATH finds."""
    mine = os.path.abspath(sys.argv[0])
    if os.path.basename(mine) == "lastgood" and os.path.isfile(mine):
        return mine
    return uv.on_path("lastgood", environ.get("PATH", ""))


def _interpreter(path: str) -> "list[str]":
    """What a script's header starts it with, where that is Python; also the two-line header of a shell."""
    try:
        with open(path, "rb") as file:
            lines = file.read(4096).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return []
    words = lines[0].removeprefix("#!").split() if lines[0].startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = words[1:]
    if words == ["/bin/sh"] and len(lines) > 1 and lines[1].startswith("'''exec' "):
        words = shlex.split(lines[1].removeprefix("'''exec' "))[:1]
    return words if words and "python" in os.path.basename(words[0]) else []


def _loaded(argv: "list[str]", environ: "dict[str, str]") -> "list[tuple[str, int]]":
    """(module, microseconds) in the order in which a Python program's imports ended; nothing where it fails."""
    status, said = generations.run_quietly(argv, environ, 10.0)
    found = []
    for line in said.splitlines() if status == 0 else []:
        fields = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and len(fields) == 3 and fields[0].strip().isdecimal():  # noqa: PLR2004 (own, all, name)
            found.append((fields[2].strip(), int(fields[0])))
    return found


def look_at_hooks(patient: Patient) -> "Iterator[Finding]":
    """Which pre-commit hooks of this repository ask an index whenever they run."""
    for path in hookfile.find(patient.cwd):
        yield from _look_at_hooks_in(path, patient.environ)


def _look_at_hooks_in(path: str, environ: "dict[str, str]") -> "Iterator[Finding]":
    try:
        found = hookfile.fetching(path)
    except SettingError as error:
        yield Finding("hooks", PROBLEM, error.message, error.hint or "mend it there; its hooks are not looked at until then")
        return
    with contextlib.chdir(os.path.dirname(path)):  # a hook runs there, and may name its program from there
        found = [one for one in found if one[1] != "uvx" or not one[2].program or not uv.starts_shim(one[2].program, environ)]
        steps = [_instead(program, call, environ) for _, program, call in found]
    for (where, program, call), step in zip(found, steps, strict=True):
        yield Finding("hooks", WARNING, f"{where} starts `{call.program or program}`, which fetches at run time", step)
    if not found:
        yield Finding("hooks", OK, f"none of `{os.path.basename(path)}` starts a program that fetches at run time")


def _instead(program: str, call: "Called", environ: "dict[str, str]") -> str:
    """What would let a hook run with no network."""
    if program not in ("uvx", "uv tool run"):
        return "use a hook that needs no network"
    refusal = rehearsal.refused(call.words, callsites.changed(environ, call.changes)) if call.words else None
    known = None if isinstance(refusal, identity.Installed) else refusal
    return rehearsal.to_be_kept("start its entry with `lastgood run`", known)


def _is_plain(record: "Record") -> bool:
    package = record.request.get("package", "")
    return bool(package) and "://" not in package and "://" not in str(record.request.get("specifier", ""))
