"""`lastgood doctor`: what is wrong, and what would help."""

import sys
from collections import Counter

from lastgood import doctor, paths
from lastgood.cli import lines
from lastgood.patient import OK, PROBLEM, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from lastgood.patient import Finding

SCHEMA = 1
ABOUT = """\
  Looks at uv, the home, its disk and records, every kept environment, the
  launch cards, the indexes that settings and records name, what shadows
  lastgood, and what the hooks of this repository fetch. Changes nothing
  without `--fix`.

  Exit status 1 where a problem is left; a warning is none."""
_MOST = 10
"""How many findings of one check are shown; `--json` has all."""
_NAME = 12
_STYLES = {OK: "green", WARNING: "yellow", PROBLEM: "bold red"}


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("--fix", action="store_true", help="Mend what is safe to mend: cards, records, environments, leftovers")
    parser.add_argument("--deep", action="store_true", help="Compare every kept file with what its package says it is")
    parser.add_argument("--json", action="store_true", help=f"Print JSON, schema {SCHEMA}")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Examine; 1 where a problem is left."""
    found = doctor.examine(environ, deep=given.deep, fix=given.fix)
    if given.json:
        findings = list(found)
        data = {"schema": SCHEMA, "home": paths.home(environ), "findings": [one.data() for one in findings]}
        lines.data(data, indent=2)
    else:
        findings = list(_shown(found))
        _sum_up(findings)
    return 1 if any(one.left for one in findings) else 0


def _shown(found: "Iterable[Finding]") -> "Iterator[Finding]":
    """Show each finding as soon as it is there, but of one check no more than a screen holds."""
    count: Counter[tuple[str, str]] = Counter()
    for one in found:
        if not any(name == one.name for name, _ in count):
            _say_rest(count)
            count.clear()
        count[one.name, one.verdict] += 1
        if count[one.name, one.verdict] <= _MOST:
            _show(one)
        yield one
    _say_rest(count)


def _say_rest(count: "Counter[tuple[str, str]]") -> None:
    for (name, verdict), number in count.items():
        if number > _MOST:
            _line(verdict, name, f"and {number - _MOST} more; `lastgood doctor --json` has them all")


def _show(one: "Finding") -> None:
    _line(one.verdict, one.name, one.words)
    if one.mended:
        _line("", "", f"mended: {one.mended}")
    if one.refused:
        _line("", "", f"not mended: {one.refused}")
    if one.step and not one.mended:
        _line("", "", f"→ {one.step}")
    sys.stdout.flush()


def _line(verdict: str, name: str, words: str) -> None:
    from lastgood.cli import render

    render.row((verdict, name, words), (len(PROBLEM), _NAME), _STYLES.get(verdict, ""))


def _sum_up(findings: "list[Finding]") -> None:
    problems = sum(one.left for one in findings)
    warnings = sum(one.verdict == WARNING and not one.mended for one in findings)
    mended = sum(bool(one.mended) for one in findings)
    said = [
        f"{number} {what}{'' if number == 1 else 's'}" for number, what in ((problems, "problem"), (warnings, "warning")) if number
    ]
    said += [f"{mended} mended"] if mended else []
    lines.say()
    lines.say(", ".join(said) or "nothing is wrong")
