"""`lastgood rollback`: go back to the version that ran before, at once and without network."""

from lastgood import manage, messages, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = "  The version that is left stays away until a newer release is good."


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")
    parser.add_argument("--to", default="", metavar="VERSION", help="The kept version to go back to")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Roll back."""
    home = paths.home(environ)
    for record in manage.of_tool(home, given.tool, environ):
        before, now = manage.roll_back(home, record, given.to)
        stays = f"{before.version} stays kept back until a newer release is good"
        line = f"`{record.tool}` is now {now.version} (was {before.version}); {stays}"
        messages.say("", line, environ)
    return 0
