"""`nox` alone runs what CI runs. The tools run through lastgood itself, from the environment that nox runs in."""

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"
nox.needs_version = ">=2025.2.9"


@nox.session
def lint(session: nox.Session) -> None:
    """ruff (through lastgood) and the layers."""
    session.install("-e", ".", "import-linter")
    session.run("lastgood", "run", "ruff", "check", ".", *session.posargs)
    session.run("lastgood", "run", "ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-e", ".[dev,nox,tox]")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests against the uv that comes with the environment."""
    session.install("-e", ".[dev,nox,tox]")
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
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "tests/test_docs.py", *session.posargs)
