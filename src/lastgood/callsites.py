"""What the faces in other programs (nox, tox) share: the words that start this very lastgood, whatever PATH says."""

import os
import sys


def program() -> "list[str]":
    """The launcher that was installed beside this interpreter, else the interpreter and the module.

    Never a lastgood that happens to stand first on PATH: it may be an older one, and a tool runner's environment (uv tool, pipx)
    often has none there. `-P` keeps a `lastgood` directory of the project's from being taken for the package.
    """
    launcher = os.path.join(os.path.dirname(sys.executable), "lastgood")
    return [launcher] if os.access(launcher, os.X_OK) else [sys.executable, "-P", "-m", "lastgood"]
