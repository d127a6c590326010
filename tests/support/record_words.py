"""Record the words of several versions of uv for every failure: `python -m tests.support.record_words [VERSION…]`.

Each version is installed from the configured package index into a temporary directory and runs into every case of
`fault_matrix`; what it says is written to `tests/fixtures/words/<version>/<case>.txt`. The texts are committed, so that
`outage.judge` is proven for versions that are installed nowhere. Not part of any test: run it when a version or a case is added,
and read the difference.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.fault_matrix import CASES, MADE, Matrix
from tests.support.interpreters import uv_binary

VERSIONS = ("0.5.31", "0.7.22", "0.9.0", "0.11.20", "0.12.5", "0.13.9")
WORDS = Path(__file__).parents[1] / "fixtures" / "words"


def main(versions: list[str]) -> None:
    """Record anew what the versions say."""
    for version in versions:
        with tempfile.TemporaryDirectory() as directory:
            record(version, Path(directory))


def record(version: str, directory: Path) -> None:
    """Replace the recorded words of one version."""
    with Matrix(directory, install(version, directory / "installed")) as matrix:
        words = matrix.provoke(CASES)
    target = WORDS / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, said in words.items():
        if said != MADE:  # old versions do not notice every fault
            (target / f"{name}.txt").write_text(said, "utf-8")


def install(version: str, target: Path) -> Path:
    """Install one version of uv and return its binary."""
    subprocess.run([uv_binary(), "pip", "install", "--quiet", "--target", target, f"uv=={version}"], check=True)
    return target / "bin" / "uv"


if __name__ == "__main__":
    main(sys.argv[1:] or list(VERSIONS))
