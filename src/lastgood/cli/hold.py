"""`lastgood hold`: no refresh replaces what runs now."""

from lastgood import manage, messages, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = """\
  Until `lastgood unhold TOOL`. Runs ask nobody meanwhile; refreshes by
  `lastgood warm` say what they would take."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Hold."""
    home = paths.home(environ)
    for record in manage.of_tool(home, given.tool, environ):
        current = manage.hold(home, record, held=True)
        messages.say("", f"`{record.tool}` {current.version} is held; `lastgood unhold {given.tool}` lets it move again", environ)
    return 0
