"""Real tools from the configured index: the same as under uvx, then an outage, then `uv cache clean`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.online, pytest.mark.no_proxy_trap]


@pytest.fixture
def dead_proxy() -> Iterator[dict[str, str]]:
    """An environment in which no index can be reached: its proxy is a port of ours that nobody listens on."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        yield dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), address)


@pytest.mark.parametrize("tool", ["ruff", "black", "mypy"])
def test_a_real_tool_runs_as_under_uvx_and_through_an_outage(
    online_sandbox: Sandbox, dead_proxy: dict[str, str | None], tool: str
) -> None:
    """The same version and words as uvx; with the index gone the last good runs and one line says so; without uv's cache, too."""
    expected = online_sandbox.uvx(tool, "--version")
    first = online_sandbox.lastgood("run", tool, "--version")
    assert (first.status, first.out) == (expected.status, expected.out)
    again = online_sandbox.lastgood("run", "--max-age", "0", tool, "--version", env=dead_proxy)
    assert (again.status, again.out) == (0, expected.out)
    (line,) = again.err.splitlines()
    assert line.startswith(f"lastgood: warning: running `{tool}` ")
    assert "did not answer (" in line
    offline = online_sandbox.lastgood(
        "run", tool, "--version", env={**dead_proxy, "UV_CACHE_DIR": str(online_sandbox.root / "none")}
    )
    assert (offline.status, offline.out) == (0, expected.out)


def test_a_real_linter_keeps_its_status_and_words_in_an_outage(online_sandbox: Sandbox, dead_proxy: dict[str, str | None]) -> None:
    """What ruff finds is found with the index up and down: the same status, the same output."""
    (online_sandbox.work / "bad.py").write_text("import os\n", "utf-8")
    up = online_sandbox.lastgood("run", "ruff", "check", "--no-cache", "--output-format", "concise", "bad.py")
    down = online_sandbox.lastgood(
        "run", "--max-age", "0", "ruff", "check", "--no-cache", "--output-format", "concise", "bad.py", env=dead_proxy
    )
    assert up.status == 1
    assert "F401" in up.out
    assert (down.status, down.out) == (up.status, up.out)
