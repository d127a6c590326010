"""`pre-commit run` through lastgood: against hooks with environments of their own, and against `uvx` as the entry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Row, interleave
from benchmarks.world import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
FILES = 12
# The hooks of three popular tools, as their own repositories declare them.
_OWN = """\
repos:
  - repo: local
    hooks:
      - {id: ruff-check, name: ruff, entry: ruff check --force-exclude, language: python, types: [python],
         require_serial: true, additional_dependencies: [ruff]}
      - {id: mypy, name: mypy, entry: mypy, args: [--ignore-missing-imports, --scripts-are-modules], language: python,
         types: [python], require_serial: true, additional_dependencies: [mypy]}
      - {id: codespell, name: codespell, entry: codespell, language: python, types: [text], additional_dependencies: [codespell]}
"""
_THROUGH = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks: [{{id: ruff-check}}, {{id: mypy}}, {{id: codespell}}]
"""
_ONE = """\
repos:
  - repo: local
    hooks:
      - {{id: one, name: one, entry: {entry} check --no-cache, language: system, types: [python], require_serial: true}}
"""


def project(place: Path, configuration: str) -> Path:
    """Make a repository of a dozen small modules with a configuration of hooks."""
    place.mkdir(parents=True)
    for number in range(FILES):
        (place / f"module_{number}.py").write_text(f'"""Module {number}."""\n\nNUMBER: int = {number}\n', "utf-8")
    (place / ".pre-commit-config.yaml").write_text(configuration, "utf-8")
    run(["git", "init", "--quiet", place])
    run(["git", "-C", place, "add", "."])
    return place


def this_tree(place: Path) -> tuple[Path, str]:
    """Clone this tree as a hook repository; its path and its commit."""
    run(["git", "clone", "--quiet", ROOT, place])
    return place, run(["git", "-C", place, "rev-parse", "HEAD"])


def suites(place: Path, runs: int) -> list[Row]:
    """Measure ruff, mypy and codespell: through lastgood, and from environments of their own. Needs the configured index."""
    repository, revision = this_tree(place / "lastgood")
    env = {**os.environ, "LASTGOOD_HOME": str(place / "home"), "PRE_COMMIT_HOME": str(place / "environments")}
    through = project(place / "through", _THROUGH.format(repository=repository, revision=revision))
    own = project(place / "own", _OWN)
    rows = [_row("hooks through lastgood", through, env), _row("hooks with environments of their own", own, env)]
    interleave(rows, runs)
    return rows


def entries(place: Path, runs: int, env: Mapping[str, str]) -> list[Row]:
    """Measure one hook whose entry is `lastgood run ruff`, and the same with `uvx ruff`."""
    variables = {**env, "PRE_COMMIT_HOME": str(place / "environments"), "GIT_CONFIG_NOSYSTEM": "1"}
    through = project(place / "through", _ONE.format(entry="lastgood run ruff"))
    plain = project(place / "plain", _ONE.format(entry="uvx ruff"))
    rows = [_row("one hook: lastgood run ruff", through, variables), _row("one hook: uvx ruff", plain, variables)]
    interleave(rows, runs)
    return rows


def _row(name: str, place: Path, env: Mapping[str, str]) -> Row:
    """`pre-commit run` over all files; the environments of the hooks are made before."""
    words = [sys.executable, "-m", "pre_commit"]
    subprocess.run([*words, "install-hooks"], cwd=place, env=dict(env), capture_output=True, check=True)
    script = f'cd "{place}" && exec "{sys.executable}" -m pre_commit run --all-files'
    return Row(name, ["/bin/sh", "-c", script], dict(env))
