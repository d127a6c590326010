"""`lastgood hold`: no refresh replaces what runs now. Also what it shares with `unhold`."""

import shlex

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
    undo = f"`lastgood unhold {shlex.quote(given.tool)}` lets it move again"
    for called, _, current, changed in turned(given, environ, held=True):
        messages.say("", f"`{called}` {current.version} {'is held' if changed else 'is already held'}; {undo}", environ)
    return 0


def turned(
    given: "argparse.Namespace", environ: "dict[str, str]", *, held: bool
) -> "Iterator[tuple[str, Record, Generation, bool]]":
    """Hold, or let go, each record of the tool: what it is called, how it was before, what runs, and whether that changed."""
    home = paths.home(environ)
    found = manage.of_tool(home, given.tool, environ)
    for record, called in zip(found, manage.called(found), strict=True):
        yield called, record, *manage.hold(home, record, held=held)
