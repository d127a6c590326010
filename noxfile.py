"""`nox` alone runs what CI runs. ruff and mypy run through lastgood itself, the one that is installed beside nox.

A nox of its own has none: `make lint` makes `.venv`, and `.venv/bin/nox` has it.
"""

import os

import nox

from lastgood.nox import run

EVERYTHING = ".[dev,nox,tox]"

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"
nox.needs_version = ">=2025.2.9"


@nox.session
def lint(session: nox.Session) -> None:
    """ruff and the layers."""
    session.install("-e", ".", "import-linter")
    run(session, "ruff", "check", ".", *session.posargs)
    run(session, "ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly: mypy has an environment of its own, and finds the packages in the session's."""
    session.install("-e", EVERYTHING)
    run(session, "mypy", f"--python-executable={os.path.join(session.bin, 'python')}", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests against the uv that comes with the environment."""
    session.install("-e", EVERYTHING)
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the budgets and write BENCHMARKS.md."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks.bench", *session.posargs)


@nox.session
def hooks(session: nox.Session) -> None:
    """Write `.pre-commit-hooks.yaml` from its table; `-- --check` only compares."""
    session.install("-e", ".")
    session.run("python", "-m", "lastgood.hooks", *(session.posargs or ["--write"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Check that every command and link of the documentation works."""
    session.install("-e", EVERYTHING)
    session.run("python", "-m", "pytest", "tests/test_docs.py", "tests/test_call_sites.py", *session.posargs)
