"""Fixtures and rules for all tests.

    index            an Index, empty
    index_factory    index_factory(split_files=True, …) -> Index: several, or special ones; closed at the end of the test
    demo             the same Index as `index`, with demo-tool 1.0 published
    sandbox          a Sandbox whose uv asks `index`
    sandbox_factory  sandbox_factory(index=…, trap=…) -> Sandbox: several users, or a user of a special index
    online_sandbox   a Sandbox with the developer's own index settings; only for tests marked `online`
    wheel_cache      a session-wide dict-like memory for wheels that are expensive to build

Markers: `online` (needs the configured package index; skipped when it does not answer), `slow`, `contract`, and
`no_proxy_trap` (the sandbox of this test has no proxy variables), `leaves_processes` (its leftovers are killed without complaint).
A test that is not `online` fails when it, or a process of its sandbox, leaves loopback.
"""

from __future__ import annotations

import os
import signal
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.guard import forbid_network, take_caught
from tests.support.index import Index
from tests.support.interpreters import uv_binary
from tests.support.sandbox import Sandbox
from tests.support.wheels import Wheel, demo_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

MARKERS = (
    "online: runs real tools from the configured package index; skipped when that does not answer",
    "slow: takes more than a few seconds; left out of the quick run",
    "contract: proves a fact about uv that lastgood relies on",
    "no_proxy_trap: the sandbox has no proxy variables",
    "leaves_processes: processes of the sandbox that are left at the end are killed without complaint",
)
NO_ANSWER = "the configured package index does not answer"


class IndexFactory(Protocol):
    """Starts an index with the options of `Index.start`."""

    def __call__(self, **options: Any) -> Index: ...  # noqa: D102  # those of Index.start


class SandboxFactory(Protocol):
    """Makes a sandbox; each gets a name of its own."""

    def __call__(self, index: Index | None = None, *, trap: bool = True) -> Sandbox: ...  # noqa: D102


class WheelCache(dict[str, Wheel]):
    """Wheels by a name of the test's choice: `wheel_cache.get_or_build("big", lambda: demo_tool("1.0", padding=10**8))`."""

    def get_or_build(self, key: str, build: Callable[[], Wheel]) -> Wheel:
        """Return the wheel of that name; its bytes are computed once in a session."""
        if key not in self:
            self[key] = build()
        return self[key]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and hear signals."""
    _hear_signals()
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def _hear_signals() -> None:
    """Undo what a shell does to a job in the background of a script: with SIGINT ignored, none could be tested."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip `online` tests when there is nobody to ask."""
    if item.get_closest_marker("online") and not online_index_answers():
        pytest.skip(NO_ANSWER)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, without which there are no workers
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Distribute by groups where the command line says `-n` and nothing about how, or `--dist load`, which comes to the same."""
    from tests.support.distribution import Groupwise  # noqa: PLC0415  # imports pytest-xdist

    return Groupwise(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(autouse=True)
def _stay_on_loopback(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose own process leaves loopback, even if it swallowed the error."""
    take_caught()
    forbid_network(forbidden=request.node.get_closest_marker("online") is None)
    yield
    forbid_network(forbidden=False)
    assert not (caught := take_caught()), f"the test left loopback: {caught}"


@pytest.fixture
def index_factory(tmp_path: Path) -> Iterator[IndexFactory]:
    """Start as many indexes as a test needs."""
    started: list[Index] = []

    def start(**options: Any) -> Index:  # those of Index.start
        started.append(Index.start(tmp_path, **options))
        return started[-1]

    yield start
    for index in started:
        index.close()


@pytest.fixture
def index(index_factory: IndexFactory) -> Index:
    """Start an empty index."""
    return index_factory()


@pytest.fixture
def demo(index: Index) -> Index:
    """Publish demo-tool 1.0 on the index."""
    index.publish(_demo_wheel())
    return index


@pytest.fixture
def sandbox_factory(tmp_path: Path, request: pytest.FixtureRequest, index_factory: IndexFactory) -> Iterator[SandboxFactory]:
    """Make as many users as a test needs."""
    del index_factory  # named so that indexes outlive sandboxes
    made: list[Sandbox] = []
    wanted = request.node.get_closest_marker("no_proxy_trap") is None

    def make(index: Index | None = None, *, trap: bool = True) -> Sandbox:
        name = f"sandbox{len(made) + 1}" if made else "sandbox"
        made.append(Sandbox(tmp_path, index, name=name, trap=trap and wanted))
        return made[-1]

    yield make
    expected = request.node.get_closest_marker("leaves_processes") is not None
    problems = [problem for sandbox in made if (problem := _closing_problem(sandbox, leftovers_expected=expected))]
    assert not problems, "\n".join(problems)


@pytest.fixture
def sandbox(sandbox_factory: SandboxFactory, index: Index) -> Sandbox:
    """Make a user whose uv asks the index."""
    return sandbox_factory(index)


@pytest.fixture
def online_sandbox(
    sandbox_factory: SandboxFactory, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Sandbox:
    """Make a user with the developer's own index; uv's cache is shared by the session's online tests, to download once."""
    assert request.node.get_closest_marker("online"), "online_sandbox is for tests marked online"
    sandbox = sandbox_factory(None, trap=False)
    sandbox.use_ambient_index()
    sandbox.uv_cache = tmp_path_factory.getbasetemp() / "online-uv-cache"
    sandbox.env["UV_CACHE_DIR"] = str(sandbox.uv_cache)
    return sandbox


@pytest.fixture(scope="session")
def wheel_cache() -> WheelCache:
    """Remember expensive wheels for the session."""
    return WheelCache()


@cache
def online_index_answers() -> bool:
    """Ask the configured index, with the developer's own settings, for one small thing, once in a session."""
    command = [str(uv_binary()), "pip", "compile", "--quiet", "--no-cache", "--no-deps", "-"]
    patience = {"UV_HTTP_TIMEOUT": "8", "UV_HTTP_RETRIES": "0"}
    try:
        probe = subprocess.run(command, input=b"ruff\n", env=os.environ | patience, capture_output=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


@cache
def _demo_wheel() -> Wheel:
    return demo_tool("1.0")


def _closing_problem(sandbox: Sandbox, *, leftovers_expected: bool) -> str | None:
    sandbox.leftovers_expected |= leftovers_expected
    try:
        sandbox.close()
    except AssertionError as problem:
        return str(problem)
    return None
