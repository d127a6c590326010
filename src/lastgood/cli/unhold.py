"""`lastgood unhold`: the next refresh may move on, also to what was rolled back from."""

from lastgood import messages
from lastgood.cli import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = """\
  Ends a hold and forgets what was rolled back from; the next refresh takes the
  newest release that is good."""
arguments = hold.arguments


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Let go."""
    for called, record, current, changed in hold.turned(given, environ, held=False):
        sent_back = [one["version"] for one in record.refused if one["by"] == "rollback" and one["version"]]
        which = "which was" if len(sent_back) == 1 else "which were"
        also = f", also by {' and '.join(sent_back)}, {which} rolled back from" if sent_back else ""
        already = "" if changed else "is not held; it "
        messages.say("", f"`{called}` {current.version} {already}may be replaced by the next refresh{also}", environ)
    return 0
