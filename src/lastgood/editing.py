"""Editing the tools table of a project: the only importer of tomlkit. Comments, order and everything else stay as they are.

What was written is read again before it takes the file's place: a change that would say more or less than was asked for is
refused. Nothing is decided here about what a tool means; `project` reads, this writes.
"""

import contextlib
import copy
import difflib
import os
import stat
import time

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lastgood import locks, paths, project, request, settings, surroundings, targets
from lastgood.errors import LastgoodError, NotNow, SettingError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from tomlkit import TOMLDocument

    Value = str | list[str]
    Entry = str | dict[str, Value]
    Entries = dict[str, Entry | None]

_TRIES = 5
_PATIENCE = 5.0
_MOMENT = 0.01
"""Seconds to wait for whoever else edits in a directory, and between two looks."""
_ANY = "*"


class Wanted:
    """What a tool's entry is to say: its `name`, and the keys that were given (version, from, extras, with, python)."""

    __slots__ = ("keys", "name")

    def __init__(self, name: str, keys: "dict[str, Value]") -> None:
        self.name = name
        self.keys = keys


class Edited:
    """What an edit came to: the `path` of the file, and what the entry said `before` and says `after` (None: there is none)."""

    __slots__ = ("after", "before", "path")

    def __init__(self, path: str, before: "Entry | None", after: "Entry | None") -> None:
        self.path = path
        self.before = before
        self.after = after


# --- what is asked for ----------------------------------------------------------------------------------------------


def wanted(text: str, *, package: str = "", also: "tuple[str, ...]" = (), python: str = "") -> Wanted:
    """The entry that `TOOL[SPEC]` and the options ask for. Raises UsageError."""
    found = _target(text, "TOOL")
    if found.kind != "registry":
        shown = request.without_credentials(text)
        raise UsageError(f"`{shown}` does not name the tool", f"run `lastgood add TOOL --from {shown}`")
    name = found.command
    if not paths.plain(name.lower()):
        raise UsageError(f"`{name}` is no name of a tool")
    keys: dict[str, Value] = {"version": ""}  # first, as people write it
    version, extras = found.specifier, found.extras
    if package:
        source = _target(package, "--from")
        if source.specifier and version:
            raise UsageError(f"`{text}` and `--from {package}` both name a version")
        if extras:
            raise UsageError(f"the extras of `{text}` belong to `--from`")
        version = version or source.specifier
        keys["from"] = package if source.kind == "direct" else source.command + _bracketed(source.extras)
    elif extras:
        keys["extras"] = list(extras)
    if version:
        keys["version"] = _specifier(version, text)
    else:
        del keys["version"]
    if also:
        keys["with"] = [_requirement(word) for word in also]
    if python:
        keys["python"] = python
    return Wanted(name, keys)


def _target(text: str, where: str) -> "targets.Target":
    try:
        found = targets.parse(text.strip())
    except request.Handover as refusal:
        raise UsageError(f"invalid `{where}` `{text}`: {refusal.reason}") from refusal
    if found.latest:
        raise UsageError(
            f"`{text}` names no version that a table can hold", f"leave `@latest` out: `{found.command}` takes what is new"
        )
    return found


def _bracketed(extras: "tuple[str, ...]") -> str:
    return f"[{','.join(extras)}]" if extras else ""


def _specifier(text: str, where: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        parts = list(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise UsageError(f"`{text}` in `{where}` is no version specifier like `>=1.2,<2`") from error
    if not all(part.version for part in parts):  # packaging takes a bare `===`, which no version is
        raise UsageError(f"`{text}` in `{where}` is no version specifier like `>=1.2,<2`")
    return text.replace(" ", "")


def _requirement(text: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"invalid `--with` `{text}`: expected a requirement like `types-requests>=2`") from error
    return text.strip()


# --- the two edits --------------------------------------------------------------------------------------------------


def add(what: Wanted, cwd: str) -> Edited:
    """Enter or change a tool in the table that counts in `cwd`; what is not named stays. Raises LastgoodError."""

    def change(_: str, before: "Entry | None") -> "Entry | None":
        return _merged(before, what.keys)

    return _edit(nearest(cwd), [what.name], change, cwd)[0]


def remove(names: "Iterable[str]", cwd: str) -> "list[Edited]":
    """Take tools out of the table that counts in `cwd`. Raises LastgoodError, with all left in, where one is not there."""
    path = nearest(cwd)

    def change(name: str, before: "Entry | None") -> None:
        if before is None:
            raise _missing(name, path, cwd)

    return _edit(path, list(dict.fromkeys(names)), change, cwd)


def _missing(name: str, path: str, cwd: str) -> LastgoodError:
    known = tuple(_tools(project.read_table(path, cwd), path, _shown(path, cwd)))
    return LastgoodError(f"`{name}` is not in the tools table of `{_shown(path, cwd)}`{settings.suggestion(name, known)}")


def nearest(cwd: str) -> str:
    """The file to edit: the one that `run` reads the table from, else the nearest that may hold one. Raises LastgoodError."""
    found = [path for path in surroundings.configs(cwd) if not project.left_by_anyone(path)]
    for path in found:
        section = project.read_table(path, cwd).get("tool")
        if not _in_project_file(path) or (isinstance(section, dict) and "lastgood" in section):
            return path
    if not found:
        raise LastgoodError("there is no `pyproject.toml` or `lastgood.toml` here or above", "an empty `lastgood.toml` will do")
    return found[0]


def _merged(before: "Entry | None", keys: "dict[str, Value]") -> "Entry":
    if before is None:
        before = {}
    table = before if isinstance(before, dict) else {} if before in ("", _ANY) else {"version": before}
    after = {**table, **keys}
    if set(after) <= {"version"} and not (isinstance(before, dict) and before):
        return str(after.get("version", _ANY))
    return after


def _edit(path: str, names: "list[str]", change: "Callable[[str, Entry | None], Entry | None]", cwd: str) -> "list[Edited]":
    """Change the entries of some tools, all at once or none."""
    named, path = path, os.path.realpath(path)  # a link stays a link; its own name says where in it the table stands
    shown = _shown(path, cwd)
    with _alone(os.path.dirname(path), shown):
        for _ in range(_TRIES):
            stamp = surroundings.stamp(path)
            data = project.read_table(path, cwd)
            known = _tools(data, named, shown)
            before: Entries = {name: known.get(name) for name in names}
            after = {name: change(name, entry) for name, entry in before.items()}
            expected = _expected(data, named, after)
            if not any(after[name] is None and not _is_good(named, name, before[name]) for name in names):
                project.check(expected, named, cwd)  # but to take a wrong one out is the cure, whatever else is wrong
            done = [Edited(path, before[name], after[name]) for name in names]
            if after == before:
                return done
            try:
                with open(path, encoding="utf-8", newline="") as file:
                    text = file.read()
                if _replace(path, _rewritten(text, data, named, after), expected, stamp):
                    return done
            except OSError as error:
                raise LastgoodError(f"`{shown}` cannot be written ({(error.strerror or str(error)).lower()})") from error
    raise NotNow(f"`{shown}` keeps changing while it is edited", "try again")


def _is_good(path: str, name: str, entry: "Entry | None") -> bool:
    try:
        project.check(_expected({}, path, {name: entry}), path)
    except SettingError:
        return False
    return True


@contextlib.contextmanager
def _alone(place: str, shown: str) -> "Iterator[None]":
    """One edit at a time in a directory: another lastgood waits. An editor does not, so the file is looked at again at the end.

    Raises NotNow where another process does not let go of the directory, which may be the one that waits for this one.
    """
    until = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(locks.claim_unused(place))
            except locks.LockTrouble:
                pass  # a file system that does not lock, or a directory that may not be listed
            except locks.Busy as error:
                if time.monotonic() < until:
                    time.sleep(_MOMENT)
                    continue
                raise NotNow(f"the directory of `{shown}` is locked by another process", "try again when it has ended") from error
            break
        yield


def _shown(path: str, cwd: str) -> str:
    return os.path.relpath(path, cwd)


def _in_project_file(path: str) -> bool:
    return os.path.basename(path) == "pyproject.toml"


def _place(path: str) -> "tuple[str, ...]":
    return ("tool", "lastgood", "tools") if _in_project_file(path) else ("tools",)


def _tools(data: "Mapping[str, Any]", path: str, shown: str) -> "dict[str, Entry]":
    """The tools table in the data of a file. Raises SettingError where what stands there is none."""
    found: Any = data
    for key in _place(path):
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise SettingError(f"{shown}: `{key}` is no table")
    return dict(found)


# --- text -----------------------------------------------------------------------------------------------------------


def _expected(data: "Mapping[str, Any]", path: str, after: "Entries") -> "dict[str, Any]":
    """The data of the file once it is edited."""
    whole = copy.deepcopy(dict(data))
    table = whole
    for key in _place(path):
        table = table.setdefault(key, {})
    for name, entry in after.items():
        if entry is None:
            del table[name]
        else:
            table[name] = entry
    return whole


def _rewritten(text: str, data: "Mapping[str, Any]", path: str, after: "Entries") -> "list[str]":
    """The text of the file with some entries changed: the ways to write it, the nicest first."""
    ways = []
    with contextlib.suppress(TOMLKitError, KeyError, TypeError, ValueError, AttributeError):  # it fails on some order of tables
        inside = text
        for name, entry in after.items():
            inside = _inside(tomlkit.parse(inside), path, name, entry)
        ways.append(inside)
    new = {name: entry for name, entry in after.items() if entry is not None}
    if new and not _tools(data, path, path):
        ways.append(_appended(text, path, new))
    return [_with_line_ends(one, text) for one in ways]


def _inside(document: "TOMLDocument", path: str, name: str, after: "Entry | None") -> str:
    table: Any = document
    *above, last = _place(path)
    for key in above:
        table = table[key]
    if last not in table:
        table[last] = new = tomlkit.table()
        new[name] = _item(after)
        new.add(tomlkit.nl())  # another table may follow
        return _one_end(tomlkit.dumps(document))
    table = table[last]
    if after is None:
        table.remove(name)
    elif isinstance(after, dict) and isinstance(table.get(name), dict):
        for key, value in after.items():
            if table[name].get(key) != value:
                table[name][key] = value
    else:
        table[name] = _item(after)
    return tomlkit.dumps(document)


def _one_end(text: str) -> str:
    return text.rstrip("\r\n") + "\n"


def _appended(text: str, path: str, new: "dict[str, Entry]") -> str:
    table = tomlkit.table()
    for name, entry in new.items():
        table[name] = _item(entry)
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}[{'.'.join(_place(path))}]\n{table.as_string().strip()}\n"


def _item(value: "Entry | None") -> "Any":
    if not isinstance(value, dict):
        return value
    inline = tomlkit.inline_table()
    inline.update(value)
    return inline


def _with_line_ends(text: str, like: str) -> str:
    """The text with the line ends of the file that it was made from: a line keeps its own, a new one ends as the one before it."""
    if "\r\n" not in like:
        return text
    old, new = ([line.removesuffix("\r") for line in whole.split("\n")] for whole in (like, text))
    ends = ["\r\n" if line.endswith("\r") else "\n" for line in like.split("\n")]
    ends[-1] = ends[-2]  # it has none: it is the rest after the last one
    made: list[str] = []
    for _, start, stop, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        own = ends[start:stop][: last - first]  # of lines that stay or are changed; none of those that are put in
        before = ends[max(0, start + len(own) - 1)]
        made += own + [before] * (last - first - len(own))
    return "".join(line + end for line, end in zip(new, [*made[:-1], ""], strict=True))


# --- the file -------------------------------------------------------------------------------------------------------


def _replace(path: str, ways: "list[str]", expected: "dict[str, Any]", stamp: "tuple[str, int, int]") -> bool:
    """Put the first text that says what is expected in the place of the file, whole or not at all.

    False where someone else changed it meanwhile. Raises OSError, and LastgoodError where no text says what is expected.
    """
    aside = f"{path}.{os.getpid()}.new"
    before = os.stat(path)
    try:
        for text in ways:
            _write(aside, text, before)
            with contextlib.suppress(SettingError):
                if project.read_table(aside) != expected:
                    continue
                if surroundings.stamp(path) != stamp:
                    return False
                os.replace(aside, path)
                return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
    raise LastgoodError(f"`{path}` cannot be edited without changing more than the tools table", "edit it by hand")


def _write(path: str, text: str, like: os.stat_result) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fsync(file.fileno())
