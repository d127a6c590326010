"""What call sites in other programs share: the words that start this very lastgood, what a command calls, and who has called."""

import os
import shlex
import sys

from lastgood import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Changes = dict[str, str | None]

_OWN = ["lastgood", "run"]
_STARTERS = (_OWN, ["uvx"], ["uv", "tool", "run"])
_SHELLS = ("sh", "bash", "dash", "zsh")
_SHELLS_OWN = frozenset("|&;<>()$`\n*?~")  # with one of these in its words a shell does more than start a command


def program() -> "list[str]":
    """The launcher that was installed beside this interpreter, else the interpreter and the module.

    Never a lastgood that happens to stand first on PATH: it may be an older one, and a tool runner's environment (uv tool, pipx)
    often has none there. `-P` keeps a `lastgood` directory of the project's from being taken for the package.
    """
    launcher = os.path.join(os.path.dirname(sys.executable), "lastgood")
    return [launcher] if os.access(launcher, os.X_OK) else [sys.executable, "-P", "-m", "lastgood"]


def caller(environ: "Mapping[str, str]") -> str:
    """Which call site in another program a process was started by, for people; "" where none left a trace."""
    if settings.is_on(environ.get("PRE_COMMIT")):
        return "the hook"
    for name, what in (("TOX_ENV_NAME", "the tox environment"), ("NOX_CURRENT_SESSION", "the nox session")):
        if environ.get(name):
            return f"{what} `{environ[name]}`"
    return ""


class Called:
    """What a command calls.

    program  what starts the tool instead of `lastgood run`, as it is written: `uvx`, `/usr/bin/uvx`, `uv tool run`; else ""
    words    what stands after that
    changes  variables that an `env` before it sets, or takes away: None
    """

    __slots__ = ("changes", "program", "words")

    def __init__(self, program: str, words: "list[str]", changes: "Changes") -> None:
        self.program = program
        self.words = words
        self.changes = changes


def called(command: "list[str]") -> "Called | None":
    """What a command line calls through lastgood or uvx; None for anything else."""
    changes, words = without_env(_without_shell(command))
    named = [*(os.path.basename(word) for word in words[:1]), *words[1:]]
    for starter in _STARTERS:
        if named[: len(starter)] == starter:
            return Called("" if starter is _OWN else " ".join(words[: len(starter)]), words[len(starter) :], changes)
    return None


def changed(environ: "Mapping[str, str]", changes: "Changes") -> "dict[str, str]":
    """An environment as `env` changes it."""
    return {name: value for name, value in {**environ, **changes}.items() if value is not None}


def _without_shell(words: "list[str]") -> "list[str]":
    """The one command of a `sh -c`; the words as they are where there is no shell, or one that does more than start a command."""
    if words[1:2] != ["-c"] or os.path.basename(words[0]) not in _SHELLS:
        return words
    script = "".join(words[2:3]).replace('"$@"', "")  # the file names of a hook
    if _SHELLS_OWN.intersection(script):
        return words
    try:
        return shlex.split(script)
    except ValueError:
        return words  # quotes that do not match: the shell says so


def without_env(words: "list[str]") -> "tuple[Changes, list[str]]":
    """What an `env` before a command line changes by `-u NAME` and `NAME=value`, and the command line without it."""
    changes: Changes = {}
    if words[:1] not in (["env"], ["/usr/bin/env"]):
        return changes, words
    at = 1
    while words[at : at + 1] == ["-u"]:
        changes.update(dict.fromkeys(words[at + 1 : at + 2]))
        at += 2
    while at < len(words) and "=" in words[at] and not words[at].startswith("-"):
        name, _, value = words[at].partition("=")
        changes[name] = value
        at += 1
    return changes, words[at:]
