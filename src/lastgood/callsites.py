"""What call sites in other programs share: the words that start this very lastgood, what a command calls, and who has called."""

import os
import re
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
_SINGLE, _DOUBLE = re.compile(r"'[^']*'"), re.compile(r'"(?:[^"\\]|\\.)*"')
_ARGUMENTS = '"$@"'
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
    """What a command line calls through lastgood or uvx; None for anything else, and where it does more than that.

    None also where a shell takes the tool itself from what it is given, and is given nothing yet.
    """
    changes, words, alone = started(command)
    named = [*(os.path.basename(word) for word in words[:1]), *words[1:]]
    for starter in _STARTERS if alone else ():
        if named[: len(starter)] == starter:
            if len(words) == len(starter) and any(_ARGUMENTS in word for word in command):
                return None
            return Called("" if starter is _OWN else " ".join(words[: len(starter)]), words[len(starter) :], changes)
    return None


def started(command: "list[str]") -> "tuple[Changes, list[str], bool]":
    """What stands before a command in `env`s and shells changes for it, the command itself, and whether nothing else happens.

    Of a script with several commands it is the first.
    """
    changes: Changes = {}
    words, alone = command, True
    while True:
        mine, words, known = _without_env(words)
        changes.update(mine)
        alone = alone and known
        script, given = _script(words)
        if script is None:
            return changes, words, alone
        alone = alone and not _SHELLS_OWN.intersection(_unquoted(script.replace(_ARGUMENTS, "")))
        try:
            words = shlex.split(script.replace(_ARGUMENTS, shlex.join(given)))
        except ValueError:
            return changes, words, False  # quotes that do not match: the shell says so
        mine, words = _without_assignments(words)
        changes.update(mine)
        words = words[1:] if words[:1] == ["exec"] else words


def _unquoted(script: str) -> str:
    """A script without what quotes keep from the shell: all in single ones, and in double ones all but what it replaces there."""
    script = _SINGLE.sub("", script)
    return _DOUBLE.sub(lambda found: "".join(c for c in found.group() if c in "$`"), script)


def changed(environ: "Mapping[str, str]", changes: "Changes") -> "dict[str, str]":
    """An environment as `env` changes it."""
    return {name: value for name, value in {**environ, **changes}.items() if value is not None}


def _without_env(words: "list[str]") -> "tuple[Changes, list[str], bool]":
    """What an `env` before a command changes by `-u NAME` and `NAME=value`, the command without it, and whether that is all."""
    changes: Changes = {}
    if not words or os.path.basename(words[0]) != "env":
        return changes, words, True
    at, known = 1, True
    while at < len(words) and words[at].startswith("-"):
        word, at = words[at], at + 1
        if word == "--":
            break
        if word in ("-u", "--unset"):
            changes.update(dict.fromkeys(words[at : at + 1]))
            at += 1
        elif word.startswith(("-u", "--unset=")):
            changes[word.removeprefix("--unset=").removeprefix("-u")] = None
        else:
            known = False  # `-i`: the command gets nothing of what is around here; or an option that does more
    mine, words = _without_assignments(words[at:])
    return changes | mine, words, known


def _without_assignments(words: "list[str]") -> "tuple[Changes, list[str]]":
    at = 0
    while at < len(words) and "=" in words[at] and not words[at].startswith("-"):
        at += 1
    return {name: value for name, _, value in (word.partition("=") for word in words[:at])}, words[at:]


def _script(words: "list[str]") -> "tuple[str | None, list[str]]":
    """What follows the `-c` of a shell, also as one of several letters, and what the script is given; None where there is none."""
    if not words or os.path.basename(words[0]) not in _SHELLS:
        return None, []
    at = 1
    while at < len(words) and words[at].startswith("-") and not words[at].startswith("--"):
        if "c" in words[at]:
            return "".join(words[at + 1 : at + 2]), words[at + 3 :]  # before those its `$0`; a runner adds the names of files
        at += 2 if words[at].endswith("o") else 1  # `-o pipefail`
    return None, []
