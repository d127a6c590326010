"""What call sites in other programs (nox, tox, hooks) share: the words that start this very lastgood, and what a command calls."""

import os
import sys

_OWN = ["lastgood", "run"]
_STARTERS = (_OWN, ["uvx"], ["uv", "tool", "run"])


def program() -> "list[str]":
    """The launcher that was installed beside this interpreter, else the interpreter and the module.

    Never a lastgood that happens to stand first on PATH: it may be an older one, and a tool runner's environment (uv tool, pipx)
    often has none there. `-P` keeps a `lastgood` directory of the project's from being taken for the package.
    """
    launcher = os.path.join(os.path.dirname(sys.executable), "lastgood")
    return [launcher] if os.access(launcher, os.X_OK) else [sys.executable, "-P", "-m", "lastgood"]


def called(command: "list[str]") -> "tuple[str, list[str]] | None":
    """The program that is `uvx` and not `lastgood run` ("" where it is that), and the words after it; None for anything else."""
    words = _without_env(command)
    named = [*(os.path.basename(word) for word in words[:1]), *words[1:]]
    for starter in _STARTERS:
        if named[: len(starter)] == starter:
            return "" if starter is _OWN else " ".join(words[: len(starter)]), words[len(starter) :]
    return None


def _without_env(words: "list[str]") -> "list[str]":
    """A command line without an `env` before it, whose `-u NAME` and `NAME=value` change nothing about what is called."""
    if words[:1] not in (["env"], ["/usr/bin/env"]):
        return words
    at = 1
    while at < len(words) and (words[at] == "-u" or "=" in words[at]):
        at += 2 if words[at] == "-u" else 1
    return words[at:]
