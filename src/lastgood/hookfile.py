"""Which tools the hooks of a repository call, read from its `.pre-commit-config.yaml` (or `prek.toml`). Nothing is decided here.

Counted are the hooks of this suite, and every other hook whose entry is `lastgood run …`, `uvx …` or `uv tool run …`. A
repository of hooks is this suite when it is called `lastgood`, when a hook is used from it that only this suite has, or when it
is a local directory whose manifest has the hook `lastgood`. A mirror elsewhere, under another name and without such a hook,
cannot be told from the tools' own hooks.
"""

import os
import shlex

from lastgood import callsites, hooks, project, request, targets
from lastgood.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lastgood.callsites import Called

_READ = ((".pre-commit-config.yaml",), ("prek.toml", ".pre-commit-config.yaml", ".pre-commit-config.yml"))
"""What pre-commit reads and what prek reads, each the first that is there."""
_NO_REPOSITORIES = ("local", "meta", "builtin")
"""What stands for an address where hooks come from no repository."""
_FETCHERS = (
    ("uvx",),
    ("uv", "tool", "run"),
    ("uv", "run"),
    ("pipx", "run"),
    ("npx",),
    ("bunx",),
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("docker", "run"),
    ("docker", "pull"),
)
"""How an entry starts that fetches what it runs: at best it asks an index whether there is news."""


class Call:
    """A tool that a hook calls.

    words    as after `lastgood run`, arguments included; none where the hook names no tool
    beside   what the hook's environment has besides lastgood: its `additional_dependencies`
    where    names file and hook
    program  what it starts instead of `lastgood run`, as it is written: `uvx`, `/usr/bin/uvx`, `uv tool run`; else ""
    changes  variables that its entry sets for the tool, or takes away: None
    own_uvx  whether the environment of the hook, which comes first on PATH, has a `uvx` of its own
    """

    __slots__ = ("beside", "changes", "own_uvx", "program", "where", "words")

    def __init__(self, called: "Called", beside: "list[str]", where: str, *, own_uvx: bool) -> None:
        self.words = called.words
        self.program = called.program
        self.changes = called.changes
        self.beside = beside
        self.where = where
        self.own_uvx = own_uvx


def find(place: str) -> "list[str]":
    """The configurations of the repository that `place` lies in: two where each runner reads one of its own, else one or none."""
    while True:
        found = list(dict.fromkeys(path for names in _READ if (path := _first(place, names))))
        parent = os.path.dirname(place)
        if found or parent == place or os.path.lexists(os.path.join(place, ".git")):
            return found
        place = parent


def _first(place: str, names: "tuple[str, ...]") -> str:
    return next((path for name in names if os.path.isfile(path := os.path.join(place, name))), "")


def calls(path: str) -> "list[Call]":
    """The calls of all hooks of a configuration, in its order. Raises SettingError where it cannot be read."""
    found = []
    for hook, entry, args, own_uvx in _commands(path):
        started = _started(entry, args)
        if started is not None:
            beside = [] if started.program else _listed(hook)  # uvx knows nothing of them
            found.append(Call(started, beside, _where(hook, path), own_uvx=own_uvx))
    return found


def fetching(path: str) -> "list[tuple[str, str, Called]]":
    """(where, program, that as it is written and what it is given) of every hook that may fetch what it runs while it runs.

    Nothing is written of a `uvx` that the hook's own environment has. Raises SettingError where it cannot be read.
    """
    found = []
    for hook, entry, args, own_uvx in _commands(path):
        program, call = _fetcher(entry, args)
        if program:
            call.program = "" if own_uvx and call.program == "uvx" else call.program
            found.append((_where(hook, path), program, call))
    return found


def _commands(path: str) -> "Iterator[tuple[dict[str, Any], str, list[str], bool]]":
    """(hook, entry, arguments, whether it has a `uvx` of its own) of all hooks of a configuration.

    What the configuration says wins over the manifest of this suite.
    """
    data = project.read_table(path) if path.endswith(".toml") else _yaml(path)
    for repository in _dicts(data.get("repos") if isinstance(data, dict) else None):
        known = hooks.BY_ID if _is_suite(repository, os.path.dirname(path)) else {}
        for hook in _dicts(repository.get("hooks")):
            own = known.get(str(hook.get("id")))
            entry = hook.get("entry") or (own.entry if own is not None else "")
            args = _texts(hook.get("args")) if "args" in hook else list(own.args if own is not None else ())
            yield hook, str(entry), args, _has_uvx(hook, of_suite=own is not None)


def _has_uvx(hook: "dict[str, Any]", *, of_suite: bool) -> bool:
    """Whether a runner puts a `uvx` first on PATH: a Python hook has one beside uv, which comes with lastgood, too."""
    if hook.get("language", "python") != "python":
        return False
    return of_suite or any(_name(line) in ("uv", "lastgood") for line in _listed(hook))


def _name(requirement: str) -> str:
    try:
        return targets.parse(requirement.partition(";")[0].strip()).name
    except request.Handover:
        return ""  # a path, or an option of pip's


def _listed(hook: "dict[str, Any]") -> "list[str]":
    return _texts(hook.get("additional_dependencies"))


def _where(hook: "dict[str, Any]", path: str) -> str:
    return f"`{hook.get('id')}` of {os.path.basename(path)}"


def _is_suite(repository: "dict[str, Any]", place: str) -> bool:
    """Whether the hooks of a repository are this suite's; `place` is where a relative address begins."""
    address = str(repository.get("repo", "")).rstrip("/")
    if address in _NO_REPOSITORIES:
        return False
    name = address.replace(":", "/").rpartition("/")[2].removesuffix(".git")
    used = {str(hook.get("id")) for hook in _dicts(repository.get("hooks"))}
    if name == "lastgood" or not used.isdisjoint(hooks.OWN):
        return True
    manifest = os.path.join(place, address.removeprefix("file://"), hooks.MANIFEST)
    try:
        return os.path.isfile(manifest) and any(hook.get("id") == "lastgood" for hook in _dicts(_yaml(manifest)))
    except SettingError:
        return False  # a manifest that cannot be read: the hook runner says so


def _fetcher(entry: str, args: "list[str]") -> "tuple[str, Called]":
    """What a hook fetches with, as it is called and as it is written: `uvx`, `/usr/bin/uvx`; "" where it starts no such program."""
    try:
        changes, words, alone = callsites.started([*shlex.split(entry), *args])
    except ValueError:
        changes, words, alone = {}, [], True  # quotes that do not match: the hook runner says so
    named = (*(os.path.basename(word) for word in words[:1]), *words[1:])
    starter = next((one for one in _FETCHERS if named[: len(one)] == one), ())
    given = words[len(starter) :] if alone else []  # or they are a shell's
    return " ".join(starter), callsites.Called(" ".join(words[: len(starter)]), given, changes)


def _yaml(path: str) -> "Any":
    import yaml  # slow, and only those who ask about hooks need it

    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            text = file.read()
        data = yaml.safe_load(text.decode())
    except OSError as error:
        raise SettingError(f"`{name}` cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        line, column = text.count(b"\n", 0, error.start) + 1, error.start - text.rfind(b"\n", 0, error.start)
        raise SettingError(f"{name}:{line}:{column}: invalid YAML: it is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise SettingError(f"{name}{place}: invalid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise SettingError(f"{name}: invalid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise SettingError(f"{name}: invalid YAML: too many brackets within brackets") from error
    except ValueError as error:  # a day that no calendar has
        raise SettingError(f"{name}: invalid YAML: {error}") from error
    except (LookupError, AttributeError) as error:
        raise SettingError(f"{name}: invalid YAML: a value is not what its tag says") from error
    return data


def _dicts(value: object) -> "list[dict[str, Any]]":
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> "list[str]":
    return [str(one) for one in value] if isinstance(value, list) else []


def _started(entry: str, args: "list[str]") -> "Called | None":
    try:
        return callsites.called([*shlex.split(entry), *args])
    except ValueError:
        return None  # quotes that do not match: the hook runner says so
