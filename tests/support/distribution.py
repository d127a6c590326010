"""Which worker runs a test under `pytest -n 2`: any worker any test, but what shares something expensive runs in one.

A group of tests is listed here because a fixture of its module provokes or builds a world for all of them: in two workers it would
be made twice. Nothing but time depends on it. A `--dist` on the command line is obeyed instead, except `load`: `-n`
alone comes to the same.

pytest-xdist has a mark for this, `xdist_group`; with pytest 9.2 it is ignored (pytest-xdist 1386).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Groups by the beginning of their tests' ids.
TOGETHER = {
    "tests/test_contract_faults.py::test_a_failure_is_what_it_is_called": "every failure, provoked",
    "tests/test_contract_faults.py::test_a_second_look_settles_a_suspect": "every failure, provoked",
    "tests/test_contract_identity.py": "the tool in every shape",
}


class Groupwise(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives the groups away first, the biggest before the others, then test by test."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of what is given to a worker as a whole."""
        return next((group for beginning, group in TOGETHER.items() if nodeid.startswith(beginning)), nodeid)
