"""Which tools the hooks of a repository call, read from its `.pre-commit-config.yaml` (or `prek.toml`). Nothing is decided here.

Counted are the hooks of this suite, under whatever address its repository is used, and every other hook whose entry is
`lastgood run …`, `uvx …` or `uv tool run …`.
"""

import os
import shlex

from lastgood import hooks, project
from lastgood.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMES = (".pre-commit-config.yaml", ".pre-commit-config.yml", "prek.toml")
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
_STARTERS = (["lastgood", "run"], ["uvx"], ["uv", "tool", "run"])


class Call:
    """A tool that a hook calls.

    words    as after `lastgood run`, arguments included; none where the hook names no tool
    beside   what the hook's environment has besides lastgood: its `additional_dependencies`
    where    names file and hook
    """

    __slots__ = ("beside", "where", "words")

    def __init__(self, words: "list[str]", beside: "list[str]", where: str) -> None:
        self.words = words
        self.beside = beside
        self.where = where


def find(place: str) -> str:
    """The configuration of the repository that `place` lies in; "" where there is none."""
    while True:
        for name in NAMES:
            if os.path.isfile(os.path.join(place, name)):
                return os.path.join(place, name)
        parent = os.path.dirname(place)
        if parent == place or os.path.lexists(os.path.join(place, ".git")):
            return ""
        place = parent


def calls(path: str) -> "list[Call]":
    """The calls of all hooks of a configuration, in its order. Raises SettingError where it cannot be read."""
    found = []
    data = project.read_table(path) if path.endswith(".toml") else _yaml(path)
    for repository in _dicts(data, "repos"):
        for hook in _dicts(repository, "hooks"):
            entry, args = _command(str(repository.get("repo", "")), hook)
            words = _after_starter(entry, args)
            if words is not None:
                where = f"`{hook.get('id')}` of {os.path.basename(path)}"
                found.append(Call(words, _texts(hook.get("additional_dependencies")), where))
    return found


def fetching(path: str) -> "list[tuple[str, str]]":
    """(where, program) of every hook that may fetch what it runs while it runs. Raises SettingError where it cannot be read."""
    found = []
    data = project.read_table(path) if path.endswith(".toml") else _yaml(path)
    for repository in _dicts(data, "repos"):
        for hook in _dicts(repository, "hooks"):
            program = _fetcher(_command(str(repository.get("repo", "")), hook)[0])
            if program:
                found.append((f"`{hook.get('id')}` of {os.path.basename(path)}", program))
    return found


def _fetcher(entry: str) -> str:
    """The program that an entry fetches with, as it is called; "" where it starts none, also within `sh -c`."""
    try:
        words = shlex.split(entry)
        if words[1:2] == ["-c"] and os.path.basename(words[0]) in ("sh", "bash"):
            words = shlex.split(" ".join(words[2:3]))
    except ValueError:
        return ""  # quotes that do not match: the hook runner says so
    words[:1] = [os.path.basename(word) for word in words[:1]]
    return next((" ".join(starter) for starter in _FETCHERS if tuple(words[: len(starter)]) == starter), "")


def _yaml(path: str) -> "dict[str, Any]":
    import yaml  # slow, and only those who ask about hooks need it

    name = os.path.basename(path)
    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"`{name}` cannot be read: {(getattr(error, 'strerror', '') or str(error)).lower()}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise SettingError(f"{name}{place}: invalid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise SettingError(f"{name}: invalid YAML: {str(error).splitlines()[0]}") from error
    return data if isinstance(data, dict) else {}


def _dicts(data: "dict[str, Any]", key: str) -> "list[dict[str, Any]]":
    found = data.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _texts(value: object) -> "list[str]":
    return [str(one) for one in value] if isinstance(value, list) else []


def _command(repository: str, hook: "dict[str, Any]") -> "tuple[str, list[str]]":
    """Entry and arguments of a hook: what the configuration says wins over the manifest."""
    name = repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
    known = hooks.BY_ID.get(str(hook.get("id"))) if name == "lastgood" else None
    entry = hook.get("entry") or (known.entry if known is not None else "")
    args = _texts(hook.get("args")) if "args" in hook else list(known.args if known is not None else ())
    return str(entry), args


def _after_starter(entry: str, args: "list[str]") -> "list[str] | None":
    """The words that follow `lastgood run` or `uvx`; None where the entry starts something else."""
    try:
        words = [*shlex.split(entry), *args]
    except ValueError:
        return None  # quotes that do not match: the hook runner says so
    words = _without_env(words)
    words[:1] = [os.path.basename(word) for word in words[:1]]
    return next((words[len(starter) :] for starter in _STARTERS if words[: len(starter)] == starter), None)


def _without_env(words: "list[str]") -> "list[str]":
    """A command line without an `env` before it, whose `-u NAME` and `NAME=value` change nothing about what is called."""
    if words[:1] not in (["env"], ["/usr/bin/env"]):
        return words
    at = 1
    while at < len(words) and (words[at] == "-u" or "=" in words[at]):
        at += 2 if words[at] == "-u" else 1
    return words[at:]
