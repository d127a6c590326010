"""`lastgood shim`: a `uvx` that is lastgood."""

import os
import shlex

from lastgood import messages, shim, uv
from lastgood.cli import lines
from lastgood.errors import NoUvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ABOUT = """\
  install   put a program named `uvx` that is lastgood into DIR
  status    say whether it is there, whether PATH finds it, and what stands
            behind it
  remove    take it away"""


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("action", choices=("install", "status", "remove"), metavar="ACTION", help="`install`, `status` or `remove`")
    parser.add_argument(
        "dir", nargs="?", default="", metavar="DIR", help="Where the shim lives (default: `bin` in the home of lastgood)"
    )


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Install, look or remove."""
    place = shim.directory(given.dir, environ)
    if given.action == "install":
        made = shim.install(place, environ)
        messages.say("", f"`{made.path}` is lastgood now", environ)
        _say_path(made, environ)
        return 0
    if given.action == "remove":
        messages.say("", f"removed `{shim.remove(place)}`", environ)
        return 0
    known = shim.Shim(os.path.join(place, shim.NAME), environ)
    if not given.dir and not known.installed and uv.is_shim(known.found):
        known = shim.Shim(known.found, environ)  # it was put elsewhere, and that is the one that counts
    return _status(known, environ)


def _say_path(made: shim.Shim, environ: "dict[str, str]") -> None:
    if made.first:
        return
    found = f"PATH finds `{made.found}`" if made.found else "PATH finds no `uvx`"
    line = f'{found}; put the shim first: export PATH={shlex.quote(os.path.dirname(made.path))}:"$PATH"'
    messages.say("hint", line, environ)


def _status(known: shim.Shim, environ: "dict[str, str]") -> int:
    lines.say(f"shim    {known.path}: {'installed' if known.installed else 'not installed'}")
    lines.say(f"PATH    {'finds the shim' if known.first else f'finds {known.found}' if known.found else 'finds no uvx'}")
    try:
        behind = uv.find(environ)
        lines.say(f"behind  {' '.join(behind.uvx)} (found: {behind.found})")
    except NoUvError as error:
        lines.say(f"behind  {error.message}")
        return 1
    return 0 if known.installed and known.first else 1
