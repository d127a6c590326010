"""What lastgood makes of uv's words is the same for every version of uv whose words were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lastgood import outage
from tests.support.fault_matrix import CASES, Case
from tests.support.record_words import VERSIONS, WORDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.contract

# No uv before 0.13 compared a download with the hash that its index states: it runs what it got, and there are no words.
UNNOTICED = {"alter-metadata", "alter-file", "alter-ranges"}
UNCHECKED_VERSIONS = {"0.5.31", "0.7.22", "0.9.0", "0.11.20", "0.12.5"}
# No uv before 0.12 passes on what git said: its repository has to be asked.
UNTOLD_VERSIONS = {"0.5.31", "0.7.22", "0.9.0", "0.11.20"}
UNTOLD = {"git": ("suspect", "not-found"), "ssh": ("answer", "not-found")}


def recorded(case: Case) -> list[Path]:
    """Return the recorded words of each version for one failure."""
    return [path for version in VERSIONS if (path := WORDS / version / f"{case.name}.txt").exists()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_version_is_judged_alike(case: Case) -> None:
    """The verdict and the class follow from the failure, not from how a version puts it."""
    judged = {path.parent.name: outage.judge(path.read_text("utf-8")) for path in recorded(case)}
    untold = UNTOLD.get(case.where, case.expected[:2])
    expected = {version: untold if version in UNTOLD_VERSIONS else case.expected[:2] for version in judged}
    wrong = {version: found.reason for version, found in judged.items() if (found.verdict, found.kind) != expected[version]}
    assert wrong == {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_version_is_recorded(case: Case) -> None:
    """No version is left out, except where it does not notice the failure at all."""
    missing = set(VERSIONS) - {path.parent.name for path in recorded(case)}
    assert missing == (UNCHECKED_VERSIONS if case.name in UNNOTICED else set())


@pytest.mark.parametrize("version", VERSIONS)
def test_another_host_is_never_blamed(version: str) -> None:
    """The breaker is per host: an outage of the files' host is not laid at the index's door, nor the other way round."""
    outages = [case for case in CASES if case.world == "split" and case.expected[0] == "outage"]
    blamed = {case.name: outage.judge((WORDS / version / f"{case.name}.txt").read_text("utf-8")).host for case in outages}
    wrong = {
        case.name: host
        for case in outages
        if (host := blamed[case.name]) != _failing_host(case) and not (host == "" and _ends_within(case))
    }
    assert wrong == {}


def _failing_host(case: Case) -> str:
    return "127.0.0.1:8001" if case.where in {"page", "git"} else "127.0.0.1:8002"


def _ends_within(case: Case) -> bool:
    """Whether a file's contents stop coming: uv then names the release but no address."""
    return case.where in {"file", "ranges"} and case.fault in {"hang-after-headers", "trickle", "truncate"}


def test_nothing_is_recorded_that_no_case_explains() -> None:
    """A text whose case is gone is removed with it."""
    names = {case.name for case in CASES}
    assert {path.name for path in WORDS.iterdir()} == set(VERSIONS)
    assert {path.stem for path in WORDS.glob("*/*.txt")} <= names
