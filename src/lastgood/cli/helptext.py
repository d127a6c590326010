"""Help in the manner of uv: what it is, usage, commands or options with the variable behind each. Derived from the tables."""

import argparse
import importlib
import sys

from lastgood import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_RUN = """\
{summary}

Usage: lastgood run [OPTIONS] TOOL[@VERSION] [ARGS]...

  Everything after the tool goes to the tool. All options of `uvx` may stand before it and mean what they mean there; see
  `uvx --help`. Some of them choose the mode: `--offline` is strict-cache, `--refresh` is strict-latest.

Options:
{options}

Modes:
  prefer-latest   ask the index when the last answer is older than max-age, wait for it at most patience, and run the
                  last known good when it does not answer (the default)
  prefer-cache    run the last known good at once and refresh behind it
  strict-latest   ask the index, always, and fail where it fails
  strict-cache    never ask the index

Environment variables:
{variables}
"""


def show(words: "list[str]", verbs: "Mapping[str, str]", status: int) -> int:
    """Print the help of a verb, or of all; `status` is what to end with."""
    text = _verb(words[0], verbs[words[0]]) if words and words[0] in verbs else _all(verbs)
    (sys.stderr if status else sys.stdout).write(text)
    return status


def _all(verbs: "Mapping[str, str]") -> str:
    from lastgood import __doc__ as purpose

    listed = _columns([(name, text) for name, text in verbs.items()])
    purpose = (purpose or "").partition("lastgood: ")[2]
    return (
        f"{purpose[:1].upper()}{purpose[1:]}\n\nUsage: lastgood <COMMAND>\n\nCommands:\n{listed}\n\nOptions:\n"
        f"{_columns([('-h, --help', 'Show this help'), ('-V, --version', 'Show the version')])}\n\n"
        "Use `lastgood help <COMMAND>` for more on one command.\n"
    )


def _verb(verb: str, summary: str) -> str:
    if verb == "run":
        return _RUN.format(summary=summary, options=_columns(_run_options()), variables=_columns(_variables()))
    module = importlib.import_module(f"lastgood.cli.{verb}")
    parser = argparse.ArgumentParser(prog=f"lastgood {verb}", add_help=False)
    module.arguments(parser)
    usage = parser.format_usage().partition(": ")[2].strip()
    rows = [(_names(action), action.help or "") for action in parser._actions]  # noqa: SLF001 (argparse has no public list)
    positional = [row for row in rows if not row[0].startswith("-")]
    optional = [*[row for row in rows if row[0].startswith("-")], ("-h, --help", "Show this help")]
    parts = [f"{summary}\n\nUsage: {usage}\n"]
    about = getattr(module, "ABOUT", "")
    if about:
        parts.append(f"\n{about}\n")
    if positional:
        parts.append(f"\nArguments:\n{_columns(positional)}\n")
    parts.append(f"\nOptions:\n{_columns(optional)}\n")
    return "".join(parts)


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest).upper()
    names = ", ".join(action.option_strings)
    return f"{names} <{str(action.metavar or action.dest).upper()}>" if action.nargs is None else names


def _run_options() -> "list[tuple[str, str]]":
    rows = [
        (
            f"{setting.flag} <{setting.kind.upper()}>",
            f"{setting.help[:1].upper()}{setting.help[1:]}{_default(setting)} [env: {setting.env}=]",
        )
        for setting in settings.SETTINGS
        if setting.flag
    ]
    rows.insert(1, ("--prefer-offline", "The same as `--mode prefer-cache`"))
    rows.append(("-h, --help", "Show this help"))
    return rows


def _default(setting: settings.Setting) -> str:
    return f" [default: {setting.default}]" if setting.default else ""


def _variables() -> "list[tuple[str, str]]":
    return [(setting.env, f"{setting.help[:1].upper()}{setting.help[1:]}") for setting in settings.SETTINGS if not setting.flag]


def _columns(rows: "list[tuple[str, str]]") -> str:
    import textwrap

    width = min(max(len(name) for name, _ in rows), 30) + 4
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, 100 - width) or [""]
        lines.append(f"  {name}".ljust(width) + wrapped[0])
        lines += [" " * width + more for more in wrapped[1:]]
    return "\n".join(line.rstrip() for line in lines)
