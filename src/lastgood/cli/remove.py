"""`lastgood remove`: take a tool out of the tools table."""

import os

from lastgood import editing, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = "  What is kept of the tool stays; `lastgood gc` never removes what runs now."


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", nargs="+", metavar="TOOL", help="The tool, as the table calls it")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Take each tool out."""
    cwd = os.getcwd()
    for name, done in zip(dict.fromkeys(given.tool), editing.remove(given.tool, cwd), strict=True):
        messages.say("", f"removed `{name}` from `{os.path.relpath(done.path, cwd)}`", environ)
    return 0
