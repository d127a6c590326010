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
        sent_back = [one["version"] for one in record.refused if one["by"] == "rollback" and one["version"]]
        current = manage.hold(home, record, held=False)
        also = f", also by {' and '.join(sent_back)}, which was rolled back from" if sent_back else ""
        messages.say("", f"`{record.tool}` {current.version} may be replaced by the next refresh{also}", environ)
    return 0
