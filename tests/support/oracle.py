"""What uv itself understands of a command line and an environment, without a network: `uvx --show-settings`, and its completions.

    oracle = Oracle(sandbox)
    oracle.dump(["-w", "x", "demo-tool", "--arg"])           # a Dump, or None where uv refuses
    oracle.dump(words).command                               # ["demo-tool", "--arg"]
    oracle.dump(words).differs_from(other)                   # {"ToolRunSettings.isolated"}
    oracle.dump(words).decides_otherwise_than(other)         # only what decides which distributions there will be
    oracle.completions()                                     # {"--with": True, "-w": True, "--isolated": False, …}: takes a value?

Two command lines are the same request exactly if their dumps are.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.support.sandbox import Result, Sandbox

T = TypeVar("T")
A = TypeVar("A")
_CLOCK = re.compile(r"tv_n?sec: \d+")
_DESCRIPTION = re.compile(r" -d '(?:[^'\\]|\\.)*'", re.DOTALL)
_STRING = re.compile(r'^\s*"(.*)",$')
# How an environment is written, how the index is reached, how fresh, how fast, where, and what is said meanwhile: none of it
# decides which distributions an environment consists of.
HARMLESS = {
    "writing": {"link_mode", "compile_bytecode", "installer_metadata"},
    "access": {
        "keyring_provider",
        "allow_insecure_host",
        "system_certs",
        "custom_certificates",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    },
    "way": {"metadata_range_request", "python_downloads", "install_mirrors"},
    "freshness": {"refresh", "upgrade", "reinstall", "connectivity", "offline", "no_cache"},
    "time": {"read_timeout", "connect_timeout", "retries", "concurrency"},
    "place": {"cache_dir"},
    "output": {"quiet", "verbose", "color", "no_progress", "show_resolution"},
    "process": {"env_file", "no_env_file"},
}


@dataclass(frozen=True)
class Dump:
    """All settings of one run of uvx, as uv prints them; the clock is left out."""

    text: str

    @cached_property
    def fields(self) -> dict[str, str]:
        """Each setting's value by its dotted path: `GlobalSettings.network_settings.retries`."""
        found: dict[str, list[str]] = {}
        for path, line in self._lines():
            found.setdefault(path, []).append(line)
        return {path: "\n".join(lines) for path, lines in found.items()}

    @property
    def command(self) -> list[str]:
        """The target and the tool's arguments."""
        lines = self.fields["ToolRunSettings.command"].splitlines()
        return [_unescaped(match[1]) for line in lines if (match := _STRING.match(line))]

    def differs_from(self, other: Dump) -> set[str]:
        """Return the paths of the settings that are not the same."""
        return {path for path in {*self.fields, *other.fields} if self.fields.get(path) != other.fields.get(path)}

    def decides_otherwise_than(self, other: Dump) -> set[str]:
        """Return the paths of the settings that decide what is resolved and are not the same."""
        harmless = set().union(*HARMLESS.values())
        return {path for path in self.differs_from(other) if harmless.isdisjoint(path.split("."))}

    def _lines(self) -> Iterator[tuple[str, str]]:
        names: list[tuple[int, str]] = []
        for line in self.text.splitlines():
            depth = len(line) - len(line.lstrip())
            while names and names[-1][0] >= depth and not line.lstrip().startswith((")", "}", "]")):
                names.pop()
            name = re.match(r"(\w+)(?:: | \{)", line.strip())
            if name and (depth == 0 or _is_setting(line)):
                names.append((depth, name[1]))
            yield ".".join(part for _, part in names), line


class Oracle:
    """Asks the uv of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Ask for this user."""
        self._sandbox = sandbox

    def ask(self, words: Sequence[str], env: Mapping[str, str | None] | None = None) -> Result:
        """Let uv read a command line."""
        return self._sandbox.uvx("--show-settings", *words, env=env)

    def dump(self, words: Sequence[str], env: Mapping[str, str | None] | None = None) -> Dump | None:
        """Return what uv makes of a command line, None where it refuses."""
        result = self.ask(words, env)
        return Dump(_CLOCK.sub("", result.out)) if result.status == 0 and result.out.startswith("GlobalSettings") else None

    def each(self, question: Callable[[T], A], things: Iterable[T]) -> list[tuple[T, A]]:
        """Ask about many things side by side; each with its answer, in their order."""
        things = list(things)
        with ThreadPoolExecutor(4) as pool:
            return list(zip(things, pool.map(question, things), strict=True))

    def completions(self) -> dict[str, bool]:
        """Return every option that uv offers to a shell, hidden ones too, and whether it takes a value."""
        out = _DESCRIPTION.sub("", self._sandbox.uvx("--generate-shell-completion", "fish").out)
        found: dict[str, bool] = {}
        for line in out.splitlines():
            if not line.startswith("complete -c uvx "):
                continue
            takes_value = " -r" in line
            found |= {f"--{name}": takes_value for name in re.findall(r" -l (\S+)", line)}
            found |= {f"-{name}": takes_value for name in re.findall(r" -s (\S)(?= |$)", line)}
        return found


def _is_setting(line: str) -> bool:
    return re.match(r"\s*[a-z_0-9]+: ", line) is not None


def _unescaped(text: str) -> str:
    return text.replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\")
