"""Root as an ordinary user, and file systems of a test's own.

    sandbox.run(as_ordinary_user(["lastgood", "run", "demo-tool"]))       # file permissions mean something, even for root
    with Mounts(sandbox, "mount -t tmpfs -o size=4m none home") as there:
        sandbox.run(there.enter(["lastgood", "run", "demo-tool"]))        # sees the mount; nobody else does

Containers run their tests as root, for whom `chmod 0` means nothing. Dropping the two capabilities that make it so gives the
kernel's answers that everyone else gets, and keeps the user, so that files belong to the right one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from tests.support.sandbox import Sandbox

_DROPPED = "--bounding-set=-dac_override,-dac_read_search,-fowner"
NO_MOUNTS = "only root may mount, and this kernel or container must allow it (unshare -m)"
NO_PERMISSIONS = "root passes by file permissions here and setpriv is not there to prevent it"


def as_ordinary_user(argv: Sequence[str]) -> list[str]:
    """Return `argv`, run without root's right to pass by file permissions; as it is for everyone else."""
    return [*(["setpriv", _DROPPED] if os.geteuid() == 0 else []), *argv]


@cache
def permissions_count() -> bool:
    """Return whether `as_ordinary_user` keeps its promise on this machine."""
    if os.geteuid() != 0:
        return True
    return shutil.which("setpriv") is not None and subprocess.run(["setpriv", _DROPPED, "true"], check=False).returncode == 0


@cache
def mounts_allowed() -> bool:
    """Return whether this user may make a mount namespace."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


class Mounts:
    """A mount namespace with mounts of a test's own; it ends with the block, and the mounts with it."""

    def __init__(self, sandbox: Sandbox, script: str) -> None:
        """Run a shell script in a new mount namespace (in the sandbox's working directory) and keep the namespace."""
        holder = ["unshare", "-m", "sh", "-ec", f"{script}\necho ready\nread _ || :"]
        self._holder = sandbox.popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return `argv`, run among the mounts."""
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--wd", "--", *argv]

    def __enter__(self) -> Self:
        """Use the mounts for a block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Let the namespace go."""
        self._holder.communicate()
