"""Death at an exact place: a real lastgood that is killed, with its process group, just before its n-th change to the disk.

    effects = Effects(sandbox, "behind")      # or "foreground"
    sandbox.lastgood(…, env=effects.kill_before(0))
    len(effects.seen())                       # how many changes a whole run makes
    sandbox.lastgood(…, env=effects.kill_before(7))

A `sitecustomize` module on PYTHONPATH puts an audit hook into the interpreter that runs lastgood. It sees what lastgood
opens for writing, renames, links, removes and starts, before it happens, and sends SIGKILL to the whole group when the time
has come. Nothing of lastgood is replaced.
"""

from __future__ import annotations

from typing import Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

Who = Literal["behind", "foreground"]

_HOOK = """\
import os
import sys


def install():
    wanted, log, who = int(os.environ["KILL_BEFORE"]), os.environ["KILL_LOG"], os.environ["KILL_WHO"]
    root = os.path.dirname(os.path.dirname(log)) + "/"
    main = os.getpid()
    state = {"count": 0, "within": False}
    names = ("rename", "mkdir", "link", "symlink", "remove", "rmdir", "utime", "posix_spawn", "truncate")
    changes = ["os." + name for name in names]

    def hook(event, arguments):
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or not str(arguments[0]).startswith(root):
                return
        elif event not in changes or "__pycache__" in str(arguments[0]):
            return
        if state["within"] or (os.getpid() == main) != (who == "foreground"):
            return
        state["within"] = True
        state["count"] += 1
        with open(log, "a") as file:
            file.write(f"{event} {arguments[0]!a}\\n")
        if state["count"] == wanted:
            os.killpg(0, 9)
        state["within"] = False

    sys.addaudithook(hook)


if os.environ.get("KILL_LOG") and sys.orig_argv[1:2] and os.path.basename(sys.orig_argv[1]) == "lastgood":
    install()
"""


class Effects:
    """The changes to the disk that one kind of lastgood process makes."""

    def __init__(self, sandbox: Sandbox, who: Who) -> None:
        """Write the hook into the sandbox."""
        directory: Path = sandbox.root / "effects"
        directory.mkdir(exist_ok=True)
        (directory / "sitecustomize.py").write_text(_HOOK)
        self._log = directory / "log"
        self._env = {"PYTHONPATH": str(directory), "KILL_LOG": str(self._log), "KILL_WHO": who}

    def kill_before(self, number: int) -> dict[str, str]:
        """Return the variables of a run that dies before its n-th change; 0: never."""
        self._log.write_text("")
        return {**self._env, "KILL_BEFORE": str(number)}

    def seen(self) -> list[str]:
        """Return the changes since the last `kill_before`, the last of them not made if it killed."""
        return self._log.read_text().splitlines()
