"""The command-line interface of everything but `run`: which verbs there are, their help, and how an error ends.

One module a verb; each has SUMMARY, `arguments(parser)` and `main(given, environ)`, and is imported only when it is called.
"""

import argparse
import importlib
import os
import sys

from lastgood import messages, settings
from lastgood.cli import helptext
from lastgood.errors import LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

VERBS = {
    "run": "Run a tool through the last known good",
    "warm": "Refresh tools now, without running them",
    "status": "Show what is kept, how old it is, and which hosts are down",
    "why": "Explain what `run` would do with the same words, and start nothing",
    "history": "Tell what happened to a tool",
    "report": "Write a page of what ran and what stood in",
    "rollback": "Go back to the version that ran before",
    "hold": "Let no refresh replace what runs now",
    "unhold": "Let the next refresh move on",
    "gc": "Remove what nothing names and nothing runs",
    "shim": "Put a `uvx` that is lastgood on PATH, or take it away",
    "mk": "Write a makefile with one variable per tool, and print its name",
}

_RAW = ("why",)
"""Verbs that take the same words as `run`: argparse must not touch them."""


class Parser(argparse.ArgumentParser):
    """argparse with lastgood's words: one line, what is wrong, what to do."""

    def error(self, message: str) -> "NoReturn":
        """Raise UsageError instead of printing a usage."""
        raise UsageError(_lower(message), f"run `{self.prog} --help`")


def _lower(message: str) -> str:
    for before, after in (("the following arguments are required: ", "missing "), ("unrecognized arguments: ", "unknown words ")):
        if message.startswith(before):
            return after + "`" + message.removeprefix(before) + "`"
    return message[:1].lower() + message[1:]


def main(words: "list[str]") -> int:
    """Run one command; the exit status."""
    environ = settings.environment()
    try:
        status = _main(words, environ)
        sys.stdout.flush()
    except LastgoodError as error:
        messages.tell(error, environ)
        return error.status
    except BrokenPipeError:
        # whoever read has seen enough (`| head`); nothing may be flushed into the closed pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    return status


def _main(words: "list[str]", environ: "dict[str, str]") -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        return helptext.show(words[1:] if words else [], VERBS, status=0 if words else 2)
    if words[0] in ("-V", "--version"):
        from lastgood import __version__

        sys.stdout.write(f"lastgood {__version__}\n")
        return 0
    verb = words[0]
    if verb not in VERBS:
        what = "option" if verb.startswith("-") else "command"
        hint = settings.suggestion(verb, tuple(VERBS))
        raise UsageError(f"unknown {what} `{verb}`{hint}", "run `lastgood --help`; to run a tool: `lastgood run TOOL`")
    if verb == "run" or any(word in ("-h", "--help") for word in words[1:2]):
        return helptext.show([verb], VERBS, status=2 if words == ["run"] else 0)
    module = importlib.import_module(f"lastgood.cli.{verb}")
    parser = Parser(prog=f"lastgood {verb}", add_help=False, allow_abbrev=False)
    if verb in _RAW:
        return int(module.main(argparse.Namespace(words=words[1:]), environ))
    module.arguments(parser)
    return int(module.main(parser.parse_args(words[1:]), environ))
