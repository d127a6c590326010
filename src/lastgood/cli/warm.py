"""`lastgood warm`: refresh now, run nothing."""

import os
import sys

from lastgood import manage, messages, paths, project, request, surroundings
from lastgood.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = "  Without TOOL, everything in the tools table of this project."


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument(
        "tool", nargs="*", metavar="TOOL", help="What to refresh, as `run` takes it: `ruff`, `ruff@0.17.5`, `mypy>=2`"
    )


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Refresh each tool; 1 where one has nothing good now."""
    tools = given.tool or sorted(tools_here(environ))
    if not tools:
        raise UsageError("no tool is named and [tool.lastgood.tools] names none", "run `lastgood warm TOOL`")
    manage.open_home(paths.home(environ))
    kept: list[str] = []
    unchanged: list[str] = []
    failed = 0
    for tool in tools:
        try:
            name, outcome, record = manage.warm([tool], environ, shown=os.isatty(2))
        except request.Handover as refusal:
            messages.say("error", f"`{tool}` cannot be kept: {refusal.reason}", environ)
            failed += 1
            continue
        current = record.generation() if record is not None else None
        said = f"`{name}` {current.version}" if current is not None else f"`{name}`"
        if outcome.kind == "new":
            kept.append(said)
        elif outcome.kind == "unchanged":
            unchanged.append(said)
        else:
            messages.write_all(2, outcome.words)
            still = f"; {said} stays" if current is not None else f"; no good `{name}` is kept"
            messages.say("warning" if current else "error", f"`{tool}` was not refreshed ({outcome.reason}){still}", environ)
            failed += current is None
    parts = [f"kept {', '.join(kept)}"] if kept else []
    parts += [f"unchanged: {', '.join(unchanged)}"] if unchanged else []
    if parts:
        messages.say("", "; ".join(parts), environ)
    sys.stderr.flush()
    return 1 if failed else 0


def tools_here(environ: "dict[str, str]") -> "list[str]":
    """The tools that the table of this directory names."""
    cwd = os.getcwd()
    found = project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    return list(found.tools)
