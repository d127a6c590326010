"""`lastgood hold`: no refresh replaces what runs now. Also what it shares with `unhold`."""

from lastgood import manage, messages, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lastgood.record import Generation, Record

ABOUT = """\
  Until `lastgood unhold TOOL`. Runs ask nobody meanwhile; refreshes by
  `lastgood warm` say what they would take."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Hold."""
    for record, current, changed in turned(given, environ, held=True):
        how = "is held" if changed else "is already held"
        messages.say("", f"`{record.tool}` {current.version} {how}; `lastgood unhold {given.tool}` lets it move again", environ)
    return 0


def turned(given: "argparse.Namespace", environ: "dict[str, str]", *, held: bool) -> "Iterator[tuple[Record, Generation, bool]]":
    """Hold, or let go: each record of the tool as it was before, what runs, and whether that was not so already."""
    home = paths.home(environ)
    for record in manage.of_tool(home, given.tool, environ):
        yield record, *manage.hold(home, record, held=held)
