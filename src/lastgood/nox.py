"""nox sessions whose tools run through the last known good.

    import nox
    from lastgood.nox import run, tool_session

    lint = tool_session("lint", "ruff", "check", ".")

    @nox.session(venv_backend="none")
    def types(session: nox.Session) -> None:
        run(session, "mypy", *(session.posargs or ["src"]), version="2.4.*", with_=["types-requests"])

What `[tool.lastgood]` says of a tool counts here as everywhere. nox's own switches keep their meaning: `--no-install` and `-R`
never use the network, `--install-only` refreshes instead of running, `--error-on-external-run` has nothing to complain of.
Nothing here remembers anything, so that sessions may run side by side (`-j`).
"""

import contextlib
import os
import subprocess
import tempfile
from typing import TypedDict, overload

import nox
from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet

from lastgood import callsites, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO, Any, Literal, Unpack

__all__ = ["RunOptions", "run", "tool_session"]

_VERSION_SIGNS = frozenset("@=<>~! ;")
_WARM_OPTIONS = ("env", "include_outer_env", "log", "interrupt_timeout", "terminate_timeout")


class RunOptions(TypedDict, total=False):
    """The keywords of `Session.run` that mean here what they mean there; `external` is accepted and changes nothing."""

    env: "Mapping[str, str | None] | None"
    include_outer_env: bool
    success_codes: "Iterable[int] | None"
    log: bool
    external: "Literal['error', True, False] | None"
    stdout: "int | IO[str] | None"
    stderr: "int | IO[str] | None"
    interrupt_timeout: float | None
    terminate_timeout: float | None


@overload
def run(
    session: nox.Session,
    tool: str,
    *args: "str | os.PathLike[str]",
    silent: "Literal[False]" = ...,
    version: str | None = ...,
    with_: "str | Iterable[str]" = ...,
    python: str | None = ...,
    from_: str | None = ...,
    mode: str | None = ...,
    **options: "Unpack[RunOptions]",
) -> bool | None: ...


@overload
def run(
    session: nox.Session,
    tool: str,
    *args: "str | os.PathLike[str]",
    silent: "Literal[True]",
    version: str | None = ...,
    with_: "str | Iterable[str]" = ...,
    python: str | None = ...,
    from_: str | None = ...,
    mode: str | None = ...,
    **options: "Unpack[RunOptions]",
) -> str | None: ...


@overload
def run(
    session: nox.Session,
    tool: str,
    *args: "str | os.PathLike[str]",
    silent: bool,
    version: str | None = ...,
    with_: "str | Iterable[str]" = ...,
    python: str | None = ...,
    from_: str | None = ...,
    mode: str | None = ...,
    **options: "Unpack[RunOptions]",
) -> str | bool | None: ...


def run(
    session: nox.Session,
    tool: str = "",
    *args: "str | os.PathLike[str]",
    silent: bool = False,
    version: str | None = None,
    with_: "str | Iterable[str]" = (),
    python: str | None = None,
    from_: str | None = None,
    mode: str | None = None,
    **options: "Unpack[RunOptions]",
) -> str | bool | None:
    """Run `tool` in a session; what `Session.run` returns, and CommandFailed where it would raise that.

    version   "0.17.5", "2.4.*", ">=0.17,<0.18" or "latest": of `from_` where that is given, else of the tool; always text
    with_     packages that are wanted beside the tool
    python    the Python that the tool runs on (the session's own has no say in it)
    from_     the package that provides the tool, where the names differ
    mode      "prefer-latest", "prefer-cache", "strict-latest" or "strict-cache"

    Under `--install-only` the tool is refreshed and None returned; under `--no-install` the network is never used, whatever `mode`
    says. Where the output does not go where nox's goes (`silent`, `stdout`, `stderr`), it is the tool's alone: what lastgood has
    to say goes to nox's log.
    """
    source = _versioned(session, tool, from_ or tool, version)
    words = [f"--from={source}"] if from_ else []
    words += [f"--with={name}" for name in ([with_] if isinstance(with_, str) else with_)]
    words += [f"--python={python}"] if python else []
    target = tool if from_ else source
    env = {**_uv_as_outside(session, outer=options.get("include_outer_env", True)), **(options.get("env") or {})}
    options["env"] = env
    config = session._runner.global_config  # noqa: SLF001 (nox has no public word for its switches)
    if config.install_only:
        _warm(session, [*words, target], options, forbidden=config.no_install)
        return None
    if config.no_install:
        words.append("--offline")
    elif mode:
        words.append(f"--mode={mode}")
    options["external"] = True
    command = [*callsites.program(), "run", *words, target, *args]
    if not silent and options.get("stdout") is None and options.get("stderr", subprocess.STDOUT) is subprocess.STDOUT:
        return session.run(*command, silent=False, **options)
    with _notices_logged(session) as path:
        options["env"] = {**env, settings.NOTICES: path}
        return session.run(*command, silent=silent, **options)


def tool_session(
    name: str,
    tool: str = "",
    *args: "str | os.PathLike[str]",
    version: str | None = None,
    with_: "str | Iterable[str]" = (),
    python: str | None = None,
    from_: str | None = None,
    mode: str | None = None,
    **session_options: "Any",
) -> "Callable[..., Any]":
    """A session that is one tool: named, made and entered into nox's list in one line.

    What stands after `--` on nox's command line follows `args`. The keywords of `run` that choose the tool mean the same here; all
    others are those of `nox.session`. There is no virtual environment unless `venv_backend` asks for one.
    """
    packages = with_ if isinstance(with_, str) else tuple(with_)

    def only(session: nox.Session) -> None:
        run(session, tool, *args, *session.posargs, version=version, with_=packages, python=python, from_=from_, mode=mode)

    only.__doc__ = f"Run `{' '.join([tool, *(os.fspath(arg) for arg in args)])}` through lastgood."
    session_options.setdefault("venv_backend", "none")
    made: Callable[..., Any] = nox.session(name=name, **session_options)(only)
    return made


def _versioned(session: nox.Session, tool: str, package: str, version: str | None) -> str:
    """`package` in that version, as uvx reads it. Ends the session, in one line, where nothing can be meant."""
    if not isinstance(tool, str) or not tool.strip() or tool.startswith("-"):
        session.error(f'lastgood: `{tool}` names no tool; expected `run(session, "ruff", "check", …)`')
    if version is None:
        return package
    if not _VERSION_SIGNS.isdisjoint(package):
        session.error(f"lastgood: `{package}` says where it comes from or in which version; `version={version}` cannot be added")
    try:
        return package + _specifier(version)
    except (InvalidSpecifier, TypeError):
        expected = 'text: a version (`"0.17.5"`, `"2.4.*"`), a specifier (`">=0.17,<0.18"`) or `"latest"`'
        session.error(f"lastgood: invalid `version={version!r}` of `{package}`: expected {expected}")


def _specifier(version: object) -> str:
    """What stands behind a package for that version of it. Raises TypeError and InvalidSpecifier where it is none."""
    if not isinstance(version, str):
        raise TypeError
    text = version.strip()
    if text == "latest":
        return "@latest"
    if text[:1].isalnum():
        return str(Specifier(f"=={text}"))
    SpecifierSet(text)
    return text


def _uv_as_outside(session: nox.Session, *, outer: bool) -> "dict[str, str | None]":
    """UV_PYTHON as it was outside nox, which points it at the session's environment or removes it; a session's own value stays.

    A tool does not live in the session's environment, and the request must be the one that a shell makes, or nothing that was
    kept there stands in here.
    """
    environment = session.virtualenv
    if environment.env.get("UV_PYTHON") not in (None, getattr(environment, "location", None)):
        return {}
    return {"UV_PYTHON": os.environ.get("UV_PYTHON") if outer else None}


def _warm(session: nox.Session, words: "list[str]", options: RunOptions, *, forbidden: bool) -> None:
    """What `--install-only` makes of a run: keep the tool, so that a later run needs no network."""
    if forbidden:
        session.log(f"Skipping {words[-1]}, as --install-only and --no-install are set.")
        return
    kept: Any = {name: value for name, value in options.items() if name in _WARM_OPTIONS}
    session.run_install(*callsites.program(), "warm", *words, external=True, **kept)


@contextlib.contextmanager
def _notices_logged(session: nox.Session) -> "Iterator[str]":
    """A file for all that is said before the tool starts; at the end it goes to nox's log, whether or not the run failed."""
    with tempfile.NamedTemporaryFile(prefix="lastgood-") as file:
        try:
            yield file.name
        finally:
            for line in file.read().decode("utf-8", "replace").splitlines():
                say = session.warn if line.startswith("lastgood: ") else session.log
                say(line)
