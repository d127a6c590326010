"""The screens of docs/commands.md, taken in a real terminal (tmux) of 80 and of 200 columns, and the means to write them there.

    python -m tests.support.screens           # play the story below, and write every screen anew

A screen stands in a fenced block after `<!-- screen: NAME -->`. The story has a home of its own, a loopback index and releases
with well-known names; address and home are shown as others of the same length, so that columns stay where they are.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from tests.support.index import Index
from tests.support.kept import grow_old
from tests.support.sandbox import lastgood_script
from tests.support.waiting import wait_for
from tests.support.wheels import Wheel, demo_tool

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "commands.md"
HOME = Path("/tmp/adax")  # noqa: S108 (as long as what it is shown as)
SHOWN_HOME = "/home/ada"
NARROW, WIDE = 80, 200
_SCREEN = re.compile(r"(<!-- screen: (?P<name>[\w-]+) -->\n+```console\n)(?P<text>.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
_HOUR = 3600.0
_TABLE = """\
[tool.lastgood]
max-age = "1h"

[tool.lastgood.tools]
# the formatter decides how every diff looks
black = ">=26,<27"
mypy = "*"
ruff = ">=0.17,<0.18"
"""


def screens(text: str) -> dict[str, str]:
    """Return what the screens of a document show, by name."""
    return {found["name"]: found["text"] for found in _SCREEN.finditer(text)}


class Terminal:
    """A user at a terminal, with a home and a project of their own."""

    def __init__(self, index: Index) -> None:
        """Make the home."""
        self.index = index
        self.taken: dict[str, str] = {}
        shutil.rmtree(HOME, ignore_errors=True)
        self.project = HOME / "project"
        programs = HOME / ".local" / "bin"
        for place in (self.project, programs):
            place.mkdir(parents=True)
        for name in ("uv", "uvx"):
            (programs / name).symlink_to(Path(sys.executable).with_name(name))
        (programs / "lastgood").symlink_to(lastgood_script())
        (self.project / "pyproject.toml").write_text(_TABLE, "utf-8")
        self.env = {
            "HOME": str(HOME),
            "PATH": f"{programs}:/usr/bin:/bin",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "TMPDIR": "/tmp",  # noqa: S108
            "UV_DEFAULT_INDEX": index.url,
            "UV_PYTHON": "/usr/bin/python3",
        }
        self.home = HOME / ".local" / "share" / "lastgood"

    def take(self, name: str, *commands: str, width: int = NARROW, seen: str = "") -> None:
        """Type commands, and keep the screen when they have ended; with `seen`, as soon as that is on it."""
        lines = [f"printf '%s\\n' {shlex.quote('$ ' + command)}; {command}" for command in commands]
        inner = "; ".join([f"cd {self.project}", *lines, "touch ../ended", "exec cat"])
        variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in self.env.items())
        ended = HOME / "ended"
        ended.unlink(missing_ok=True)
        command = f"exec env -i TERM=$TERM {variables} sh -c {shlex.quote(inner)}"
        _tmux(name, "new-session", "-d", "-x", str(width), "-y", "80", command)
        wait_for(lambda: seen in _tmux(name, "capture-pane", "-p") if seen else ended.exists(), f"the screen {name}")
        text = _tmux(name, "capture-pane", "-p").rstrip() + "\n"
        if seen:
            self.index.heal()
            wait_for(ended.exists, f"the end of {name}")
        _tmux(name, "kill-server")
        self.taken[name] = self._neutral(text)

    def type(self, command: str) -> None:
        """Type a command whose screen nobody needs."""
        subprocess.run(["sh", "-c", command], cwd=self.project, env=self.env, capture_output=True, check=False)
        self.rest()

    def rest(self) -> None:
        """Wait until nothing goes on behind."""
        wait_for(lambda: not _processes_of(HOME), "rest")

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.rest()
        grow_old(SimpleNamespace(home=self.home), seconds)  # type: ignore[arg-type]  # a home is all that it needs
        events = self.home / "events.jsonl"
        told = [json.loads(line) for line in events.read_text("utf-8").splitlines()]
        lines = [json.dumps({**event, "at": event["at"] - seconds}) + "\n" for event in told]
        events.write_text("".join(lines), "utf-8")

    def _neutral(self, text: str) -> str:
        text = text.replace(str(HOME), SHOWN_HOME)
        host = re.escape(self.index.host)
        text = re.sub(host + r"(?=  )", "index.example".ljust(len(self.index.host)), text)
        return "".join(line.rstrip() + "\n" for line in re.sub(host, "index.example", text).splitlines())


def _tmux(name: str, *words: str) -> str:
    """Let a tmux of its own, which reads no configuration, do something: one that is just ending takes no new session."""
    argv = ["tmux", "-L", f"lastgood-{name}", "-f", os.devnull, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _processes_of(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                variables = (entry / "environ").read_bytes()
            except OSError:
                continue  # another user's, or gone
            if f"HOME={home}\0".encode() in variables:
                found.append(entry.name)
    return found


def release(name: str, version: str, requires: dict[str, str] | None = None, *, broken: bool = False) -> list[Wheel]:
    """Return a release of a tool and of what it requires, pinned."""
    needed = requires or {}
    tool = demo_tool(
        version, name=name, requires=[f"{one}=={at}" for one, at in needed.items()], broken="import" if broken else None
    )
    return [tool, *(demo_tool(at, name=one) for one, at in needed.items())]


def play(user: Terminal) -> None:
    """Go through a day with every command."""
    publish = user.index.publish

    def day(*releases: list[Wheel]) -> None:
        for wheels in releases:
            for wheel in wheels:
                publish(wheel)

    day(release("ruff", "0.17.5"), release("black", "26.9.0", {"click": "8.1.8"}), release("mypy", "2.4.1"))
    user.index.fault("hang-before-headers", on="page", project="black")
    user.take("warm-progress", "lastgood warm", seen="2 of 3")
    user.rest()
    shutil.rmtree(user.home)
    user.take("warm", "lastgood warm")
    user.rest()
    user.take("warm-plain", "lastgood warm 2>&1 | cat")
    user.take("warm-check", "lastgood warm --check")
    user.later(26 * _HOUR)
    day(release("black", "26.10.1", {"click": "8.2.0"}), release("ruff", "0.17.6", broken=True))
    user.type("lastgood run black --version")
    user.later(2 * _HOUR)
    user.take("refused", "lastgood run ruff --version")
    user.later(0.5 * _HOUR)
    user.take("rollback", "lastgood rollback black", "lastgood run black --version")
    user.take("history", "lastgood history black")
    user.take("hold", "lastgood hold mypy")
    user.take("status-fresh", "lastgood status")
    user.index.stop()
    user.later(2 * _HOUR)
    user.take("outage", "lastgood run ruff --version")
    user.take("status", "lastgood status")
    user.take("status-wide", "lastgood status", width=WIDE)
    user.take("status-json", "lastgood status mypy --json")
    user.take("status-markdown", "lastgood status --markdown | cat", width=WIDE)
    user.take("why", "lastgood why ruff check src")
    user.take("why-near", "UV_EXCLUDE_NEWER=2026-11-01 lastgood why --with click 'ruff<0.17.6'")
    user.take("doctor", "lastgood doctor")
    user.take("doctor-wide", "lastgood doctor", width=WIDE)
    user.index.start_again()
    user.later(8 * _HOUR)
    user.take("unhold", "lastgood unhold mypy")
    day(release("black", "26.11.0", {"click": "8.2.1"}))
    user.take("warm-all", "lastgood warm --all")
    user.later(2 * _HOUR)
    user.take("history-later", "lastgood history black")
    user.take("gc", "lastgood gc --dry-run", "lastgood gc --keep 1")
    user.take("report", "lastgood report report.html")
    user.take("edit", "lastgood add 'codespell>=2.4'", "lastgood remove mypy", "tail -n 5 pyproject.toml")
    user.take("shim", "lastgood shim install ~/.shims", "lastgood shim status ~/.shims", "lastgood shim remove ~/.shims")
    user.take("mk", 'cat "$(lastgood mk)"')
    user.take("mistyped", "lastgood statsu", "lastgood status --jsno", "lastgood run --mode prefer-lates ruff")
    user.take("help", "lastgood --help")
    user.take("help-warm", "lastgood warm --help")


def write() -> list[str]:
    """Write the screens into the document; the names that have no place in it."""
    place = HOME.with_name("adax-index")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with Index.start(place) as index:
        user = Terminal(index)
        play(user)
        user.rest()
    for left in (HOME, place):
        shutil.rmtree(left)
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(_SCREEN.sub(lambda found: found[1] + user.taken.pop(found["name"]), text), "utf-8")
    return sorted(user.taken)


if __name__ == "__main__":
    without_place = write()
    if without_place:
        sys.exit(f"{DOCUMENT.relative_to(ROOT)} has no place for {', '.join(without_place)}")
