"""`lastgood history`: what happened to a tool, as a timeline."""

from lastgood import history, manage, messages, paths
from lastgood.cli import lines, timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = """\
  Generations with what changed between them, refusals, rollbacks, holds,
  fallbacks, and the outages of its hosts."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")
    parser.add_argument("--json", action="store_true", help="Print one JSON object a line")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Tell it."""
    home = paths.home(environ)
    events = history.read(home)
    found = manage.of_tool(home, given.tool, environ, refused=True)
    for record, wanted in zip(found, timeline.asked_for(found), strict=True):
        mine = timeline.of(record, events)
        if given.json:
            for event in mine:
                lines.data(event, sort_keys=True)
            continue
        current = record.generation()
        lines.say(f"{record.tool}  {wanted}  now {current.version if current else 'nothing'}")
        for event in timeline.grouped(mine):
            lines.say(f"  {messages.stamp(float(event['at']))}  {timeline.told(event)}")
            for change in event.get("changes", []):
                lines.say(f"  {'':16}    {change}")
    return 0
