"""`lastgood unhold`: the next refresh may move on, also to what was rolled back from."""

from lastgood import manage, messages, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = """\
  Ends a hold and forgets what was rolled back from; the next refresh takes the
  newest release that is good."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Let go."""
    home = paths.home(environ)
    for record in manage.of_tool(home, given.tool, environ):
        current = manage.hold(home, record, held=False)
        messages.say("", f"`{record.tool}` {current.version} may be replaced by the next refresh", environ)
    return 0
