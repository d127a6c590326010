"""`lastgood gc`: remove what nothing names and nothing runs."""

from lastgood import messages, paths, settings, upkeep
from lastgood.cli import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lastgood.upkeep import Collected

ABOUT = """\
  Without options: environments that no record names, and what refreshes left
  that died. `--keep` and `--older-than` also remove environments that a record
  could go back to; where both are given, both must hold. What runs now, what is
  held, the one before it and what a process uses always stay. What no record
  names stays until it is a minute old: a refresh may be about to name it.

  Exit status 1 where something cannot be removed."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("--keep", metavar="N", help="Of each request, keep the newest N, and at least what runs and the one before")
    parser.add_argument("--older-than", metavar="AGE", help="Remove what was kept longer ago than this, for example `30d`")
    parser.add_argument("--dry-run", action="store_true", help="Only say what would be removed")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Collect."""
    keep = settings.number(given.keep, "--keep") if given.keep is not None else None
    age = settings.duration(given.older_than, "--older-than") if given.older_than is not None else None
    home = paths.home(environ)
    if not paths.trusted(home):
        messages.say("", f"nothing is kept yet in `{home}`", environ)
        return 0
    done = upkeep.collect(home, dry_run=given.dry_run, keep=keep, older_than=age)
    if not given.dry_run:
        upkeep.make_up(home)
    for name in done.names if given.dry_run else []:
        lines.say(name)
    messages.say("", _summary(done, "would remove" if given.dry_run else "removed"), environ)
    if done.stuck:
        messages.say("error", done.said_stuck(), environ)
    return 1 if done.stuck else 0


def _summary(done: "Collected", verb: str) -> str:
    what = messages.count(done.generations, "generation")
    if done.leftovers:
        what += f" and {messages.count(done.leftovers, 'leftover')}"
    size = f" ({messages.size(done.freed)})" if done.freed else ""
    running = f", {done.running} of them in use" if done.running else ""
    return f"{verb} {what}{size}; kept {done.kept}{running}"
