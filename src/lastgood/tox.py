"""The tox plugin: `requires = ["lastgood[tox]"]` is all that a project writes.

In every environment a command may call `lastgood` without `allowlist_externals`, and the variables that decide what it does
(LASTGOOD_*, UV_*, the XDG directories) pass through. An environment with `runner = lastgood` has no virtual environment: its
`tools` name what its commands may call bare.

    [testenv:lint]
    runner = lastgood
    tools = ruff>=0.17,<0.18
    commands = ruff check .

`tox run --notest` refreshes the tools and, in any environment, what its commands call by `lastgood run`; `--skip-env-install`
keeps lastgood off the network.
"""

import glob
import os
import re
import shlex
import shutil
import stat
import sys
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from tox.config.types import Command
from tox.execute.local_sub_process import LocalSubProcessExecutor
from tox.execute.request import StdinSource
from tox.plugin import impl
from tox.tox_env.errors import Fail
from tox.tox_env.installer import Installer
from tox.tox_env.runner import RunToxEnv

from lastgood import callsites, request, settings, targets
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from tox.config.sets import EnvConfigSet
    from tox.execute.api import Execute, Outcome
    from tox.session.state import State
    from tox.tox_env.api import ToxEnv
    from tox.tox_env.package import Package
    from tox.tox_env.register import ToxEnvRegister

PASSED = (
    "LASTGOOD_*",
    "UV_*",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "ALL_PROXY",
)
"""What lastgood and uv read beside what tox passes on its own: without these a tool would be another request than in a shell."""
_PASSED_WITHOUT_PYTHON = ("CONDA_DEFAULT_ENV", "CONDA_PREFIX", "PYENV_ROOT", "PYENV_VERSION")
"""What decides which Python uvx picks; an environment with a Python of its own must not see it."""
_WITHIN = re.compile(r"\s*(\[|@|[<>=!~]+)\s*|\s+(?=\])")
"""The blanks that a requirement may have within."""
_BETWEEN = re.compile(r"\s+|,(?![<>=!~]|[^\[]*\])")
"""What separates requirements: blanks, and commas that separate neither specifiers nor extras."""
_NAME = "lastgood"
_COMMANDS = ("commands_pre", "commands", "commands_post")


class LastgoodEnv(RunToxEnv):
    """An environment whose commands are tools that lastgood runs; nothing is installed into it."""

    @staticmethod
    def id() -> str:
        """What `runner` calls it."""
        return _NAME

    def register_config(self) -> None:
        """Add `tools` to the keys of an environment."""
        super().register_config()
        self.conf.add_config(
            keys=["tools"],
            of_type=list[str],
            default=[],
            desc="the tools that commands may call bare, each with a version where one is wanted (ruff>=0.17)",
            post_process=_requirements,
        )

    @property
    def executor(self) -> "Execute":
        """Commands are processes of this machine."""
        return LocalSubProcessExecutor(self.options.is_colored)

    @property
    def installer(self) -> "Installer[ToxEnv]":
        """An installer that has nothing to do."""
        return _NoInstaller(self)

    @property
    def runs_on_platform(self) -> str:
        """The platform of this machine."""
        return sys.platform

    @property
    def tools(self) -> "dict[str, str]":
        """What a command may call: {command: what `lastgood run` gets}. Raises Fail naming file, environment and key."""
        found: dict[str, str] = {}
        for source in self.conf["tools"]:
            doubt = _doubt(source)
            if doubt:
                raise Fail(f"{self.where}: invalid `tools`: {doubt}; expected words like `ruff>=0.17`")
            command = targets.parse(source).command
            if not command:
                raise Fail(f"{self.where}: invalid `tools`: `{source}` does not say its command; expected `name @ {source}`")
            if command in found:
                raise Fail(f"{self.where}: invalid `tools`: `{command}` is named twice")
            found[command] = source
        if not found:
            raise Fail(f"{self.where}: `runner = {_NAME}` needs `tools`: name what the commands call, as in `tools = ruff`")
        return found

    @property
    def where(self) -> str:
        """The configuration file and the environment, for messages."""
        return f"{Path(self.core['config_file_path']).name}: environment `{self.conf.name}`"

    def _setup_env(self) -> None:
        super()._setup_env()
        tools = self.tools.values()
        if self.options.no_test and not _is_skipping(self):
            place: Path = self.conf["change_dir"]
            place.mkdir(parents=True, exist_ok=True)  # as tox itself does before it runs commands there
            self.execute(_warm([*tools], self.conf), StdinSource.OFF, show=True, cwd=place, run_id="warm").assert_success()

    def execute(self, cmd: "Sequence[Path | str]", *args: "Any", **options: "Any") -> "Outcome":
        """Run a command as tox does; where its first word is one of the tools, lastgood runs it."""
        return super().execute(self._in_full(list(cmd)), *args, **options)

    def _in_full(self, cmd: "list[Path | str]") -> "list[Path | str]":
        word, tools = str(cmd[0]), self.tools
        if word in tools:
            return [*callsites.program(), "run", tools[word], *cmd[1:]]
        if "/" not in word and shutil.which(word, path=self.environment_variables["PATH"]) is None:
            raise Fail(f"{self.where}: `{word}` is neither one of its `tools` nor on PATH{_advice(word, tools)}")
        return cmd

    def _default_pass_env(self) -> list[str]:
        return [*super()._default_pass_env(), *_PASSED_WITHOUT_PYTHON]

    def _default_set_env(self) -> dict[str, str]:
        named = os.environ.get("TOX_UV_PATH")
        return {"LASTGOOD_UV": named} if named and not os.environ.get("LASTGOOD_UV") else {}

    def _register_package_conf(self) -> bool:
        super()._register_package_conf()
        return False

    def _build_packages(self) -> "list[Package]":
        return []

    @property
    def _package_tox_env_type(self) -> str:
        return ""

    @property
    def _external_pkg_tox_env_type(self) -> str:
        return ""


class _NoInstaller(Installer["ToxEnv"]):
    def _register_config(self) -> None:
        """Nothing can be set."""

    def installed(self) -> list[str]:
        return []

    def install(self, arguments: object, section: str, of_type: str) -> None:
        raise AssertionError(f"nothing is installed into {self._env.conf.name}: {section} {of_type} {arguments}")


def _requirements(words: list[str]) -> list[str]:
    """Each requirement as one word: tox takes a one-line ini value apart at every comma, and nothing at blanks."""
    text = re.sub(r"\s*,[\s,]*", ",", ",".join(words))
    return [word for word in _BETWEEN.split(_WITHIN.sub(r"\1", text)) if word]


def _doubt(word: str) -> str:
    """Why a word cannot name a tool; "" where it can."""
    try:
        SpecifierSet(targets.parse(word).specifier)
    except request.Handover as refusal:
        return refusal.reason if word in refusal.reason else f"`{word}`: {refusal.reason}"
    except InvalidSpecifier:
        return f"`{word}` is no requirement"
    try:
        Version(word)
    except InvalidVersion:
        return ""
    return f"`{word}` is a version and no tool"


@impl
def tox_register_tox_env(register: "ToxEnvRegister") -> None:
    """Let `runner = lastgood` mean something."""
    register.add_run_env(LastgoodEnv)


@impl
def tox_add_env_config(env_conf: "EnvConfigSet", state: "State") -> None:
    """Pass the variables and allow `lastgood` in every environment that runs commands; let `--notest` warm what they run."""
    if "commands" in env_conf:
        _extend(env_conf, "pass_env", lambda values: list(dict.fromkeys([*values, *PASSED])))
        allowed = (_NAME, glob.escape(callsites.program()[0]))
        _extend(env_conf, "allowlist_externals", lambda values: list(dict.fromkeys([*values, *allowed])))
    options = state.conf.options
    warms = getattr(options, "no_test", False) and not getattr(options, "skip_env_install", False)
    if warms and "extra_setup_commands" in env_conf:
        _extend(env_conf, "extra_setup_commands", lambda commands: [*commands, *_warming(env_conf)])


def _advice(word: str, tools: "Iterable[str]") -> str:
    """What to do about a command that no tool is called by; a package's name often goes on where its command's ends."""
    package = next((name for name in tools if name.startswith(word + "-")), "")
    if package:
        entry = f'{word} = {{ from = "{package}" }}'
        return f"; if `{package}` provides it, name `{word}` in `tools` and write `{entry}` into [tool.lastgood.tools]"
    if near := settings.suggestion(word, tuple(tools)):
        return near
    entry = f'{word} = {{ from = "PACKAGE" }}'
    return f"; add it to `tools`, and where its package has another name write `{entry}` into [tool.lastgood.tools]"


def _extend(env_conf: "EnvConfigSet", key: str, change: "Callable[[list[Any]], list[Any]]") -> None:
    """Change what a key comes to, whatever the project says of it, when it is read."""
    definition = env_conf._defined[key]  # noqa: SLF001 (a loader can replace a value, but not add to it)
    before = definition.post_process  # type: ignore[attr-defined]  # of a ConfigDynamicDefinition, which these keys have
    definition.post_process = lambda values: change(before(values) if before else values)  # type: ignore[attr-defined]


def _warming(env_conf: "EnvConfigSet") -> "list[Command]":
    """The command that keeps what the others call by `lastgood run`; none where they do not."""
    return [Command(_warm([], env_conf))] if _runs(env_conf) else []


def _warm(tools: "list[str]", env_conf: "EnvConfigSet") -> "list[str]":
    """Keep the tools, and what the commands of an environment call by `lastgood run`, each for its own words."""
    return [*callsites.program(), "warm", *tools, *(f"--words={shlex.join(line)}" for line in _runs(env_conf))]


def _runs(env_conf: "EnvConfigSet") -> "list[list[str]]":
    """The words of every `lastgood run` among the commands, but for what becomes plain uvx, of which nothing is kept.

    Where an `env` before it changes a variable, the whole command.
    """
    found = []
    for command in (one for key in _COMMANDS for one in env_conf[key]):
        call = callsites.called(command.args)
        if call is not None and not call.program and _is_kept(call.words):
            found.append(command.args if call.changes else call.words)
    return found


def _is_kept(words: "list[str]") -> bool:
    try:
        given = request.parse(words)
        targets.parse(given.value("--from") or given.target)
    except request.Handover:
        return False
    except LastgoodError:
        return True  # `warm` says what is wrong with it
    return True


@impl
def tox_before_run_commands(tox_env: "ToxEnv") -> None:
    """Let commands, and what they start, find `lastgood`; put the network out of its reach where tox is to install nothing."""
    variables = {settings.BY_NAME["mode"].env: "strict-cache", settings.OFFLINE: "1"} if _is_skipping(tox_env) else {}
    path = tox_env.environment_variables["PATH"]
    if shutil.which(_NAME, path=path) is None:  # tox from `uv tool` or pipx: what came with it is not on PATH
        variables["PATH"] = f"{path}{os.pathsep}{_directory_of_its_own(tox_env)}"
    tox_env.conf["set_env"].update(variables)


def _directory_of_its_own(tox_env: "ToxEnv") -> Path:
    """A directory with nothing in it but `lastgood`: the one where it is installed holds tox and all that tox needs."""
    directory: Path = tox_env.conf["env_tmp_dir"] / f".{_NAME}"
    directory.mkdir(parents=True, exist_ok=True)
    launcher = directory / _NAME
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(callsites.program())} "$@"\n', "utf-8")
    launcher.chmod(stat.S_IRWXU)
    return directory


def _is_skipping(tox_env: "ToxEnv") -> bool:
    """Whether tox was told `--skip-env-install`, which not each of its commands knows."""
    return bool(getattr(tox_env.options, "skip_env_install", False))
