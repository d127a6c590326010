"""A program named `uvx` that is lastgood: every existing call site, cron line and MCP client entry works unchanged."""

import contextlib
import os
import shlex
import stat
import sys

from lastgood import paths, uv
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "uvx"
_ELSEWHERE = "name another directory, as in `lastgood shim install DIR`"
_LONGEST_HEADER = 127  # bytes of a `#!` line that every kernel reads
_BODY = """\
# {mark}: `uvx` by way of lastgood; `lastgood shim remove` takes it away
import sys

sys.path.append({place!r})
try:
    from lastgood.fastpath import main
except Exception as error:
    # a text, so that not every run compiles what hardly any needs
    exec('''
try:
    import site
    site.main()  # it was installed anew, in another place
    from lastgood.fastpath import main
except Exception:
    try:
        from lastgood.lastresort import become_uvx
    except Exception:
        import os, signal
        said = f"{{type(error).__name__}}: {{error}}"
        sys.stderr and print(f"lastgood: warning: internal error ({{said}}), running plain `uvx`", file=sys.stderr, flush=True)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        for uv in [os.path.join(place, "uv") for place in (*os.get_exec_path(), os.path.dirname(sys.executable))]:
            if os.path.isfile(uv) and os.access(uv, os.X_OK):
                os.execv(uv, [uv, "tool", "uvx", *sys.argv[1:]])
        sys.stderr and print("lastgood: error: `uv` was not found on PATH; remove this `uvx` or repair lastgood", file=sys.stderr)
        sys.exit(2)
    sys.exit(become_uvx(sys.argv[1:], error))
''')
sys.exit(main(sys.argv[1:]))
"""


class Shim:
    """One shim: its `path`, whether it is `installed`, whether PATH finds it `first`, and what PATH finds otherwise."""

    __slots__ = ("first", "found", "installed", "path")

    def __init__(self, path: str, environ: "Mapping[str, str]") -> None:
        self.path = path
        self.installed = uv.is_shim(path)
        self.found = uv.on_path(NAME, environ.get("PATH", ""))
        self.first = self.installed and bool(self.found) and os.path.realpath(self.found) == os.path.realpath(path)


def directory(named: str, environ: "Mapping[str, str]") -> str:
    """Where the shim goes: `named`, else `bin` in the home of lastgood, which nothing else writes to."""
    return os.path.abspath(paths.expanded(named, environ)) if named else os.path.join(paths.home(environ), "bin")


def text() -> str:
    """The program: started by the interpreter that lastgood is installed for.

    Without its `site`: 1.5 ms of the 13 of a hot run. Whatever is not hot makes up for it (`fastpath`).
    """
    place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    body = _BODY.format(mark=uv.SHIM_MARK.decode(), place=place)
    header = f"#!{sys.executable} -PS\n"  # P: what lies in the shim's directory is not lastgood's
    if len(header.encode()) <= _LONGEST_HEADER and " " not in sys.executable:
        return header + body
    # a header that the kernel would cut or split: a shell starts the interpreter, which reads the same lines as a string
    return f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} -PS \"$0\" \"$@\"\n' '''\n{body}"


def install(place: str, environ: "Mapping[str, str]") -> Shim:
    """Put the shim into `place`. Raises LastgoodError where another `uvx` stands there, or the directory cannot be written."""
    path = os.path.join(place, NAME)
    if os.path.lexists(path) and not uv.is_shim(path):
        raise LastgoodError(
            f"`{path}` is another `uvx`, which is left alone", "name another directory, which comes before it on PATH"
        )
    aside = f"{path}.{os.getpid()}.new"
    by_default = place == directory("", environ)
    try:
        if by_default:  # made with its mode, or runs would not trust it
            os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        os.makedirs(place, mode=0o700, exist_ok=True)
        with open(aside, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text())
        os.chmod(aside, stat.S_IRWXU)
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        step = (
            "name a directory, as in `lastgood shim install ~/.local/shims`, or set `LASTGOOD_HOME`" if by_default else _ELSEWHERE
        )
        raise LastgoodError(f"`{path}` cannot be written ({(error.strerror or str(error)).lower()})", step) from error
    return Shim(path, environ)


def remove(place: str) -> str:
    """Take the shim away; its path. Raises LastgoodError where there is none."""
    path = os.path.join(place, NAME)
    if not uv.is_shim(path):
        what = "is another `uvx`, which is left alone" if os.path.lexists(path) else "does not exist"
        raise LastgoodError(f"`{path}` {what}")
    try:
        os.unlink(path)
    except OSError as error:
        raise LastgoodError(f"`{path}` cannot be removed ({(error.strerror or str(error)).lower()})") from error
    return path
