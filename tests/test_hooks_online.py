"""Every hook of the manifest, started once with the real tool from the configured package index.

A tool is built once for all of its hooks; what was started, and what it said first, is printed as a table.
"""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lastgood import hooks
from tests.support.kept import all_records, others_words, own_lines

if TYPE_CHECKING:
    from tests.support.sandbox import Result, Sandbox

MANAGEMENT = ("lastgood-warm", "lastgood-check")  # in this order, after the others: what they say is about what is kept
MESSAGE = "message"
WORDS = {
    "conventional-pre-commit": [MESSAGE],  # its `--help` fails without a message
    "lastgood": ["ruff", "--help"],
    "lastgood-warm": [],
    "lastgood-check": [],
}
AT_ONCE = 2


@pytest.mark.online
def test_every_hook_starts(online_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """With its entry each hook starts: its tool shows its help or accepts a tiny file; lastgood says only what is kept."""
    (online_sandbox.work / MESSAGE).write_text("feat: start every hook\n", "utf-8")
    (online_sandbox.work / "lastgood.toml").write_text('[tools]\nruff = "*"\n', "utf-8")
    started = [hook for hook in hooks.HOOKS if hook.id not in MANAGEMENT]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda hook: _start(online_sandbox, hook), started))
    for identity in MANAGEMENT:
        started.append(hooks.BY_ID[identity])
        results.append(_start(online_sandbox, hooks.BY_ID[identity]))
        online_sandbox.wait_quiet()
    versions = {record.request["package"]: record.generations[0].version for record in all_records(online_sandbox)}
    rows = [(hook, result, _package(hook)) for hook, result in zip(started, results, strict=True)]
    with capsys.disabled():
        print(f"\n{len(rows)} hooks of {len(versions)} packages")  # noqa: T201  # the table is what the test is for
        for hook, result, package in rows:
            print(f"{hook.id:<26} {package:<24} {versions.get(package, '-'):<10} {result.status:>2}  {_first(result)}")  # noqa: T201
    wrong = [(hook.id, result.status, result.err) for hook, result, _ in rows if result.status or own_lines(result)]
    assert not wrong
    assert {package for _, _, package in rows} == {*versions, ""}
    assert len(rows) == len(hooks.HOOKS)
    assert results[-1].out.split()[:2] == ["ruff", "kept"], results[-1]


def _start(sandbox: Sandbox, hook: hooks.Hook) -> Result:
    words = ["run", *hook.words] if hook.words else shlex.split(hook.entry)[1:]
    return sandbox.lastgood(*words, *WORDS.get(hook.id, ["--help"]), env={"PRE_COMMIT": "1"}, timeout=170)


def _package(hook: hooks.Hook) -> str:
    if hook.id in MANAGEMENT:
        return ""
    words = hook.words or WORDS[hook.id]
    return (words[1] if words[0] == "--from" else words[0]).partition("[")[0]


def _first(result: Result) -> str:
    """The first line that the tool itself wrote."""
    lines = (result.out or others_words(result)).strip().splitlines()
    return lines[0].strip()[:60] if lines else ""
