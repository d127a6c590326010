"""What the benchmark measures in: lastgood as a user installs it, real wheels on loopback, a user who has nothing else on PATH.

Nothing is measured here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import cached_property
from pathlib import Path

from tests.support.index import Index
from tests.support.interpreters import system_python, uv_binary
from tests.support.sandbox import Sandbox
from tests.support.wheels import demo_scripts, normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
TOOLS = ("ruff", "black")
MAX_AGE = 600  # what the public index allows


@dataclass(frozen=True, eq=False)
class RealWheel:
    """A wheel that somebody else built, with what the index has to know of it."""

    path: Path

    @property
    def filename(self) -> str:
        """The file name that an index offers."""
        return self.path.name

    @cached_property
    def contents(self) -> bytes:
        """The wheel itself."""
        return self.path.read_bytes()

    @cached_property
    def sha256(self) -> str:
        """The hash that an index states."""
        return hashlib.sha256(self.contents).hexdigest()

    @cached_property
    def metadata(self) -> bytes:
        """The METADATA file."""
        with zipfile.ZipFile(self.path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
            return archive.read(name)

    @property
    def project(self) -> str:
        """The normalised name."""
        return normalise(self.filename.split("-")[0])

    @property
    def version(self) -> str:
        """The version."""
        return self.filename.split("-")[1]

    @property
    def requires_python(self) -> str | None:
        """The interpreters it is for."""
        return BytesHeaderParser().parsebytes(self.metadata).get("Requires-Python")

    def write(self, directory: Path) -> Path:
        """Put the wheel into a directory."""
        return Path(shutil.copy(self.path, directory))


def run(argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a program of the preparation and return what it printed; a failure ends the benchmark, with its words."""
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)  # our own words
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, argv))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def install(place: Path) -> Path:
    """Build the wheel of this tree and install it as a user does, byte-compiled; return the console script."""
    uv = uv_binary()
    run([uv, "build", "--quiet", "--wheel", "--out-dir", place / "wheel", ROOT])
    (wheel,) = (place / "wheel").glob("*.whl")
    run([uv, "venv", "--quiet", "--python", system_python(), place / "venv"])
    run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", place / "venv" / "bin" / "python", wheel])
    return place / "venv" / "bin" / "lastgood"


def fetch(place: Path) -> Path:
    """Download the wheels of the tools and all they need from the configured index, for the interpreter that uvx will pick."""
    place.mkdir(parents=True, exist_ok=True)
    if not list(place.glob("*.whl")):
        settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
        if index:
            settings["PIP_INDEX_URL"] = index
        words = ["--only-binary", ":all:", "--quiet", "--dest", str(place), *TOOLS]
        run([uv_binary(), "tool", "run", "--python", system_python(), "pip", "download", *words], env=os.environ | settings)
    return place


class World:
    """One user with an index of their own; uv caches and homes can be had anew for every run."""

    def __init__(self, place: Path, wheels: Path, lastgood: Path, *, max_age: int | None, distance: float = 0) -> None:
        """Start the index, so many milliseconds away, and publish everything."""
        place.mkdir(parents=True)
        self.index = Index.start(place, max_age=max_age)
        for path in sorted(wheels.glob("*.whl")):
            self.index.publish(RealWheel(path))  # type: ignore[arg-type]  # all that an index asks of a wheel
        self.index.publish(demo_scripts("1.0"))
        self.sandbox = Sandbox(place, self.index, trap=False)
        self.sandbox.env.pop("DEMO_STARTS")
        self.lastgood = str(lastgood)
        self._places = 0
        self._relay = self._put_away(distance) if distance else None

    def _put_away(self, distance: float) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "benchmarks.relay", self.index.host, str(distance)]
        relay = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # our own
        assert relay.stdout is not None
        self.sandbox.env["UV_DEFAULT_INDEX"] = f"http://127.0.0.1:{int(relay.stdout.readline())}/simple/"
        return relay

    def uvx(self, *words: str) -> list[str]:
        """Return the command line of `uvx`."""
        return [str(self.sandbox.bin / "uvx"), *words]

    def run(self, *words: str) -> list[str]:
        """Return the command line of `lastgood run`."""
        return [self.lastgood, "run", *words]

    @cached_property
    def shim(self) -> str:
        """The path of a `uvx` that is lastgood."""
        place = self.sandbox.root / "shim"
        run([self.lastgood, "shim", "install", place], env=self.env())
        return str(place / "uvx")

    def env(self, **changes: str) -> dict[str, str]:
        """Return the environment of the user, with changes."""
        return self.sandbox.env | changes

    def new_place(self) -> dict[str, str]:
        """Return variables that name a home and a uv cache that do not exist yet."""
        self._places += 1
        place = self.sandbox.root / f"place-{self._places}"
        return {"LASTGOOD_HOME": str(place / "home"), "UV_CACHE_DIR": str(place / "uv-cache")}

    def prepare(self, argv: list[str], env: Mapping[str, str] | None = None) -> str:
        """Run something that is not measured, to its end and to the end of what it leaves behind."""
        printed = run(argv, env=dict(env or self.sandbox.env))
        self.sandbox.wait_quiet(120)
        return printed

    def program(self, tool: str) -> str:
        """Return the tool's own program in the environment that uvx made."""
        prefix = self.prepare(self.uvx("--from", tool, "python", "-c", "import sys; print(sys.prefix)"))
        return f"{prefix}/bin/{tool}"

    def close(self) -> None:
        """End the index."""
        self.sandbox.close()
        if self._relay is not None:
            self._relay.communicate()
        self.index.close()
