"""Where the state lives, and whether it may be trusted. Names only: no file is written here.

cards/<name>               launch cards, derived from the records
records/<id>.json          the records; <id>.lock is the lease of a refresh, <id>.write is held while the file is changed
generations/<id>/          retained environments; .staging-* while one is made, .trash-* while one is removed
hosts/<host>               breaker state of one host and port
notices/<id>               a line that the next run has still to say
events.jsonl               history
collected                  empty; its time is that of the last collection after a refresh
"""

import os
import stat

from lastgood.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("cards", "records", "generations", "hosts", "notices")
COLLECTED = "collected"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_OTHERS_MAY_WRITE = 0o022
_LONGEST_NAME = 200
_REMEDY = "set `LASTGOOD_HOME` to a directory"


def user_home(environ: "Mapping[str, str]") -> str:
    """The user's home directory: where HOME is not set, or empty, the one that the machine knows."""
    named = environ.get("HOME")
    if named:
        return named
    import pwd  # whoever has a HOME need not wait for it

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return os.path.expanduser("~")  # nobody knows this user


def default_home(environ: "Mapping[str, str]") -> str:
    """The user data directory (XDG Base Directory specification; macOS: Application Support), never a cache directory."""
    if os.sys.platform == "darwin":  # type: ignore[attr-defined]
        return os.path.join(user_home(environ), "Library", "Application Support", "lastgood")
    data = environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):  # the specification: a relative path is invalid and ignored
        data = os.path.join(user_home(environ), ".local", "share")
    return os.path.join(data, "lastgood")


def home(environ: "Mapping[str, str]") -> str:
    """LASTGOOD_HOME, made absolute, or the default."""
    named = environ.get("LASTGOOD_HOME")
    return os.path.abspath(expanded(named, environ)) if named else default_home(environ)


def expanded(path: str, environ: "Mapping[str, str]") -> str:
    """A path as a shell would read it: `~` is the home directory, `~name` somebody else's."""
    if path == "~" or path.startswith("~/"):
        return user_home(environ) + path[1:]  # where HOME is empty, `expanduser` would make it `/`
    return os.path.expanduser(path)


def nowhere() -> bool:
    """Whether the working directory is gone."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def trusted(path: str) -> bool:
    """Whether `path` is a home to run from: it names what gets executed.

    False when there is none yet. Raises StateError where it is a file, someone else's, or writable by others.
    """
    if "\n" in path:  # a card has a line for every file
        raise StateError(f"`{path}` cannot be the home of lastgood: its name has a line break", _REMEDY)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise StateError(f"`{path}` cannot be the home of lastgood: a part of the path is a file", _REMEDY, fatal=True) from error
    except OSError as error:
        raise StateError(f"`{path}` cannot be the home of lastgood: {(error.strerror or '').lower()}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"`{path}` cannot be the home of lastgood: it is a file", _REMEDY, fatal=True)
    if found.st_uid != os.geteuid():
        raise StateError(f"`{path}` belongs to user {found.st_uid}, not to you: it names what gets executed")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise StateError(f"`{path}` can be written by others: it names what gets executed", f"chmod go-w {path}")
    return True


def plain(name: str) -> bool:
    """Whether `name` is one file name made of harmless characters: state must not lead outside the home."""
    return 0 < len(name) < _LONGEST_NAME and name[0] != "." and all(c in _SAFE for c in name)


def slug(text: str) -> str:
    """A harmless file name that still tells `text` to a person; not unique by itself."""
    kept = "".join(c if c in _SAFE else "-" for c in text.lower()).strip("-._")
    return kept[:60] or "tool"
