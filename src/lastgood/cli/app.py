"""The command-line interface of everything but `run`: which verbs there are, their help, and how an error ends.

One module a verb; each has `arguments(parser)` and `main(given, environ)`, perhaps an ABOUT for its help, and is imported only
when it is called.
"""

import argparse
import codecs
import contextlib
import importlib
import io
import os
import sys

from lastgood import behind, launch, messages, paths, settings
from lastgood.cli import helptext
from lastgood.errors import LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from _typeshed import ReadableBuffer

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
    "doctor": "Look for what is wrong, and say what would help",
    "add": "Enter a tool into the tools table of this project",
    "remove": "Take a tool out of the tools table of this project",
    "completion": "Print the completion of a shell",
    "shim": "Put a `uvx` that is lastgood on PATH, or take it away",
    "mk": "Write a makefile with one variable per tool, and print its name",
}

_LETTERS = {"█": "#", "▒": "=", "·": ".", "→": ">", "…": "~", "━": "-", "╸": "-", "╺": "-"}
_REQUIRED = "the following arguments are required"
"""How argparse begins what it says of words that are missing."""
_RAW = ("why",)
"""Verbs that take the same words as `run`: argparse must not touch them."""
_WITHOUT_HOME = ("doctor", "add", "remove", "completion", "mk")
"""Verbs that work, or say best themselves, where the home is a file, or someone else's."""


class Parser(argparse.ArgumentParser):
    """argparse with lastgood's words: one line, what is wrong, what was probably meant, what to do."""

    def read(self, words: "list[str]") -> argparse.Namespace:
        """What the words say. Raises UsageError."""
        try:
            given, rest = self.parse_known_args(words)
        except _Missing:
            self._refuse_unknown(words)  # a mistyped option is the mistake to name: it may have been a cry for help
            raise
        self._refuse_unknown(rest)
        if rest:
            self.error(f"unexpected word `{rest[0]}`")
        return given

    def _refuse_unknown(self, words: "list[str]") -> None:
        known = tuple(name for name in self._option_string_actions if name.startswith("--"))
        for word in words:
            name = word.partition("=")[0]
            if name.startswith("-") and name not in ("-", "--", *self._option_string_actions):
                raise mistyped(f"unknown option `{name}`", name, (*known, "--help"), f"run `{self.prog} --help`")

    def error(self, message: str) -> "NoReturn":
        """Raise UsageError instead of printing a usage."""
        kind = _Missing if message.startswith(_REQUIRED) else UsageError
        raise kind(_reworded(message), f"run `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """As argparse's, which lists what is known but does not say what is nearest."""
        if action.choices is not None and value not in action.choices:
            known = tuple(str(choice) for choice in action.choices)
            what = f"`{action.metavar or action.dest}` `{value}`: expected {settings.alternatives(known)}"
            raise mistyped(f"invalid {what}", str(value), known, f"run `{self.prog} --help`")


class _Missing(UsageError):  # noqa: N818 (it says what was found)
    """A word that has to be there is not."""


def _reworded(message: str) -> str:
    before, mark, after = message.partition(": ")
    if before == _REQUIRED:
        return f"missing `{after}`"
    if mark and before.startswith("argument "):
        name = before.removeprefix("argument ")
        return f"`{name}` needs a value" if after.startswith("expected ") else f"`{name}`: {after}"
    return message[:1].lower() + message[1:]


def main(words: "list[str]") -> int:
    """Run one command; the exit status."""
    environ = settings.environment()
    _open_standard_streams()
    launch.wait_for_children()
    codecs.register_error("lastgood", _plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lastgood")  # a terminal that knows no bars and arrows would end the command
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
    except OSError as error:  # a full disk, above all
        behind.trace(error)
        if paths.nowhere():
            messages.say("error", "the working directory is gone; change to one that is there", environ)
            return 1
        named = f"`{os.fsdecode(error.filename)}`: " if isinstance(error.filename, (str, bytes)) else ""
        what = "standard output cannot be written" if _output_fails() else "cannot go on"
        messages.say("error", f"{what} ({named}{(error.strerror or str(error)).lower()})", environ)
        return 1
    except Exception as error:  # noqa: BLE001 (a bug of lastgood's is told like anything else that goes wrong)
        if environ.get(settings.TRACE):
            import traceback

            traceback.print_exception(error)
        messages.say("error", messages.own_bug(error, then=""), environ)
        return 1
    return status


def _open_standard_streams() -> None:
    """Where a caller has closed a stream, what is said there goes nowhere, and no file that is opened becomes that stream."""
    launch.open_standard_descriptors()
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 (until the end)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        raw = io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(raw, encoding=sys.stdout.encoding, line_buffering=sys.stdout.line_buffering)


class _Output(io.FileIO):
    """Standard output that remembers that it takes nothing: much at once is written at once, and nothing waits to be flushed."""

    fails = False

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            _Output.fails = True
            raise


def _output_fails() -> bool:
    """Whether standard output takes nothing. What waits is thrown away, or the interpreter would try again at its end."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if _Output.fails:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _Output.fails


def _plain_letters(error: UnicodeError) -> "tuple[str | bytes, int]":
    """What stands for letters that an encoding lacks, one for one, so that columns stay where they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00]), error.start + 1  # a byte of a file name that is no text
    return _LETTERS.get(letter, "?"), error.start + 1


def _main(words: "list[str]", environ: "dict[str, str]") -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        if words[1:] and words[1] not in VERBS:
            raise unknown(words[1])
        return helptext.show(words[1:], VERBS, status=0 if words else 2)
    if words[0] in ("-V", "--version"):
        from lastgood import __version__

        sys.stdout.write(f"lastgood {__version__}\n")
        return 0
    verb = words[0]
    if verb not in VERBS:
        raise unknown(verb)
    if words in (["run"], ["run", "--"]):
        raise UsageError("no tool is named", "run `lastgood run TOOL`, or `lastgood run --help`")
    if verb == "run" or any(word in ("-h", "--help") for word in (words[1:2] if verb in _RAW else words[1:])):
        return helptext.show([verb], VERBS, status=0)
    if verb not in _WITHOUT_HOME and "--behind" not in words:  # nothing behind a checkout may fail it
        paths.trusted(paths.home(environ))
    module = importlib.import_module(f"lastgood.cli.{verb}")
    parser = Parser(prog=f"lastgood {verb}", add_help=False, allow_abbrev=False)
    if verb in _RAW:
        return int(module.main(argparse.Namespace(words=words[1:]), environ))
    module.arguments(parser)
    return int(module.main(parser.read(words[1:]), environ))


def unknown(word: str) -> UsageError:
    """What to say to a first word that is no command."""
    if word.startswith("-"):
        return mistyped(f"unknown option `{word}`", word, ("--help", "--version"), "run `lastgood --help`")
    hint = "run `lastgood --help`; to run a tool: `lastgood run TOOL`"
    return mistyped(f"unknown command `{word}`", word, tuple(VERBS), hint)


def mistyped(message: str, word: str, known: "tuple[str, ...]", otherwise: str) -> UsageError:
    """The error for a word that is not known: with the nearest one that is, else with where to look."""
    near = settings.suggestion(word, known)
    return UsageError(message + near, "" if near else otherwise)
