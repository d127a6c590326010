"""`lastgood rollback`: go back to the version that ran before, at once and without network."""

from lastgood import differences, manage, messages, paths, request, targets
from lastgood.errors import LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lastgood.record import Generation

ABOUT = """\
  The version that is left stays away until a newer release is good.
  `TOOL@VERSION` is `TOOL --to VERSION`, unless something is kept for these
  very words, as `hold` and `history` have them: then that goes back."""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", metavar="TOOL", help="The tool, as `run` takes it")
    parser.add_argument("--to", metavar="VERSION", help="The kept version to go back to")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Roll back; of several records each that can."""
    home = paths.home(environ)
    if given.to == "":
        raise UsageError("`--to` names no version", "name one that is kept, or leave it out")
    tool, to = _asked(home, given.tool, given.to or "")
    found = manage.of_tool(home, tool, environ)
    status = 0
    for record, called in zip(found, manage.called(found), strict=True):
        try:
            before, now = manage.roll_back(home, record, to, called, forward=bool(given.to))
        except LastgoodError as error:
            if len(found) == 1:
                raise
            messages.tell(error, environ)
            status = 1
        else:
            messages.say("", f"`{called}` is now {_said(before, now)}", environ)
    return status


def _asked(home: str, tool: str, to: str) -> "tuple[str, str]":
    """The tool and the version to go back to: an exact version of the tool is that. Raises UsageError for two versions.

    Where something is kept for exactly these words they name that, as for `hold`.
    """
    try:
        wanted = targets.parse(tool)
    except request.Handover:
        return tool, to  # whoever looks for its record says what is wrong
    if not wanted.exact:
        return tool, to
    version = wanted.specifier.lstrip("=").strip()
    if to not in ("", version):
        raise UsageError(f"`{tool}` and `--to {to}` name two versions")
    if manage.is_kept(home, wanted):
        return tool, to
    return wanted.command + (f"[{','.join(wanted.extras)}]" if wanted.extras else ""), version


def _said(before: "Generation", now: "Generation") -> str:
    if now.kept > before.kept:
        return f"{now.version} (was {before.version})"
    if before.version != now.version:
        return f"{now.version} (was {before.version}); {before.version} stays kept back until a newer release is good"
    moved = ", ".join(differences.moved(before.dists, now.dists))
    return f"{now.version} with {moved or 'what it had before'}; what it had stays kept back until a newer release is good"
