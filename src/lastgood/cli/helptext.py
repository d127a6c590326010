"""Help in the manner of uv: what it is, usage, commands and options in groups, the variables behind them; from the tables."""

import argparse
import importlib
import sys

from lastgood import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GROUPS = (
    ("Run tools", ("run", "warm", "shim", "mk")),
    ("Look", ("status", "why", "history", "report", "doctor")),
    ("Decide", ("rollback", "hold", "unhold", "gc")),
    ("Set up", ("add", "remove", "completion")),
)
"""The commands as `lastgood --help` groups them; one that stands in no group comes last."""
_OPTIONS = "Options"
_RUN = """\
{summary}

Usage: lastgood run [OPTIONS] TOOL[@VERSION] [ARGS]...

  Everything after the tool goes to the tool. All options of `uvx` may stand
  before it and mean what they mean there; see `uvx --help`. Some of them choose
  the mode: `--offline` is strict-cache, `--refresh` is strict-latest.

Options:
{options}

Modes:
  prefer-latest   ask the index when the last answer is older than max-age, wait
                  for it at most patience, and run the last known good when it
                  does not answer (the default)
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

    purpose = (purpose or "").partition("lastgood: ")[2]
    parts = [f"{purpose[:1].upper()}{purpose[1:]}\n\nUsage: lastgood <COMMAND>\n"]
    width = max(len(name) for name in verbs)
    for title, names in grouped(verbs):
        parts.append(f"\n{title}:\n{_columns([(name, verbs[name]) for name in names], width)}\n")
    options = [("-h, --help", "Show this help"), ("-V, --version", "Show the version")]
    parts.append(f"\n{_OPTIONS}:\n{_columns(options, width)}\n")
    parts.append(f"\nEnvironment variables:\n{_columns(_variables())}\n")
    parts.append("\nUse `lastgood help <COMMAND>` for more on one command.\n")
    return "".join(parts)


def grouped(verbs: "Iterable[str]") -> "list[tuple[str, list[str]]]":
    """The verbs in their groups, none left out."""
    known = {name for _, names in GROUPS for name in names}
    found = [(title, [name for name in names if name in verbs]) for title, names in GROUPS]
    found.append(("Other commands", [name for name in verbs if name not in known]))
    return [(title, names) for title, names in found if names]


def _verb(verb: str, summary: str) -> str:
    if verb == "run":
        return _RUN.format(summary=summary, options=_columns(_run_options()), variables=_columns(_variables()))
    module = importlib.import_module(f"lastgood.cli.{verb}")
    parser = argparse.ArgumentParser(prog=f"lastgood {verb}", add_help=False)
    module.arguments(parser)
    usage = parser.format_usage().partition(": ")[2].strip()
    parts = [f"{summary}\n\nUsage: {usage}\n"]
    about = getattr(module, "ABOUT", "")
    if about:
        parts.append(f"\n{about}\n")
    sections = _sections(parser)
    width = max(len(row[0]) for rows in sections.values() for row in rows)
    parts += [f"\n{title}:\n{_columns(rows, width)}\n" for title, rows in sections.items()]
    parts.append(f"\nEnvironment variables:\n{_columns(_variables(), width)}\n")
    return "".join(parts)


def _sections(parser: argparse.ArgumentParser) -> "dict[str, list[tuple[str, str]]]":
    """What a parser takes, as rows of help under titles: arguments, the groups that the verb made, options."""
    titles = {"positional arguments": "Arguments", "options": _OPTIONS}
    found: dict[str, list[tuple[str, str]]] = {}
    for group in parser._action_groups:  # noqa: SLF001 (argparse has no public list)
        shown = [action for action in group._group_actions if action.help != argparse.SUPPRESS]  # noqa: SLF001
        if shown:
            title = titles.get(group.title or "", group.title or _OPTIONS)
            found[title] = [(_names(action), _with_variable(action)) for action in shown]
    found[_OPTIONS] = [*found.pop(_OPTIONS, []), ("-h, --help", "Show this help")]
    return found


def _with_variable(action: argparse.Action) -> str:
    """The help of an option, and the variable that means the same where there is one."""
    setting = next((settings.FLAGS[name] for name in action.option_strings if name in settings.FLAGS), None)
    return (action.help or "") + (f" [env: {setting.env}=]" if setting is not None else "")


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
    rows[1:1] = [(name, "The same as `--mode prefer-cache`") for name in ("--prefer-cache", "--prefer-offline")]
    rows.append(("-h, --help", "Show this help"))
    return rows


def _default(setting: settings.Setting) -> str:
    return f" [default: {setting.default}]" if setting.default else ""


def _variables() -> "list[tuple[str, str]]":
    rows = [(setting.env, f"{setting.help[:1].upper()}{setting.help[1:]}") for setting in settings.SETTINGS if not setting.flag]
    return [*rows, ("NO_COLOR", "No colours; FORCE_COLOR: colours, terminal or not")]


def _columns(rows: "list[tuple[str, str]]", longest: int = 0) -> str:
    import shutil
    import textwrap

    across = max(60, min(100, shutil.get_terminal_size().columns))
    width = min(max(longest, *(len(name) for name, _ in rows)), 30) + 4
    lines = []
    for name, text in rows:
        whole = text.replace("[env: ", "[env:\u00a0")  # what people copy stays on one line
        wrapped = textwrap.wrap(whole, across - width, break_on_hyphens=False) or [""]
        lines.append(f"  {name}".ljust(width) + wrapped[0])
        lines += [" " * width + more for more in wrapped[1:]]
    return "\n".join(line.rstrip().replace("\u00a0", " ") for line in lines)
