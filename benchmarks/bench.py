"""`python -m benchmarks.bench`: measure lastgood against uvx and against the budgets of the design, and write BENCHMARKS.md.

Real wheels of ruff and black on an index on loopback; lastgood installed from its wheel; every comparison interleaved in one
run. The absolute numbers belong to the machine, the ratios to lastgood. `--quick` takes few runs of everything,
`--rows hot,cold` some groups only.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hooks import entries, suites
from benchmarks.measure import Row, at_once, interleave, peak, timed
from benchmarks.world import MAX_AGE, TOOLS, World, fetch, install, run
from tests.support.aging import HOUR, let_pass
from tests.support.interpreters import system_python, uv_binary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
MANY = 32
DISTANCE = 20  # milliseconds of a round trip: a content delivery network nearby
PATIENCE = 3.0
STALE = {"LASTGOOD_MAX_AGE": "0"}
VERSION = "--version"


@dataclass
class Budget:
    """A promise in numbers: what was measured against what is allowed."""

    what: str
    allowed: str
    measured: str
    kept: bool


@dataclass
class Report:
    """All that was measured: tables of rows by title, and the budgets."""

    tables: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)

    def table(self, title: str, rows: list[Row]) -> None:
        """Keep rows of seconds."""
        self.facts(title, [(row.name, f"{milliseconds(row.median)} ± {milliseconds(row.spread)}") for row in rows])

    def facts(self, title: str, rows: list[tuple[str, str]]) -> None:
        """Keep rows of anything and show them at once."""
        self.tables.append((title, rows))
        sys.stdout.write(f"\n{title}\n" + "".join(f"  {name:<58} {value:>22}\n" for name, value in rows))
        sys.stdout.flush()

    def at_most(self, what: str, measured: float, allowed: float, unit: str = "x") -> None:
        """Compare with an upper limit."""
        self.budgets.append(Budget(what, f"at most {allowed:g}{unit}", f"{measured:.2f}{unit}", measured <= allowed))

    def at_least(self, what: str, measured: float, allowed: float) -> None:
        """Compare with a lower limit."""
        self.budgets.append(Budget(what, f"at least {allowed:g}x", f"{measured:.2f}x", measured >= allowed))

    def equal(self, what: str, measured: object, allowed: object) -> None:
        """Compare counts."""
        self.budgets.append(Budget(what, str(allowed), str(measured), measured == allowed))


@dataclass
class Bench:
    """The worlds to measure in and how often.

    The index of `best` allows caching; that of `strict` must be asked each time; that of `away` too, and is some milliseconds away.
    """

    best: World
    strict: World
    away: World
    runs: int
    slow_runs: int
    report: Report


# --- groups of rows -------------------------------------------------------------------------------------------------


def hot(bench: Bench) -> None:
    """Measure what is run again and again."""
    for tool, limit in zip(TOOLS, (0.70, 0.97), strict=True):
        for world in (bench.best, bench.strict, bench.away):
            world.prepare(world.uvx(tool, VERSION))
        bench.best.prepare(bench.best.run(tool, VERSION))
        env = bench.best.env()
        python = str(Path(bench.best.lastgood).with_name("python"))
        rows = [
            Row("lastgood run", bench.best.run(tool, VERSION), env),
            Row("the shim", [bench.best.shim, tool, VERSION], env),
            Row("uvx at its best", bench.best.uvx(tool, VERSION), env),
            Row("uvx that must revalidate", bench.strict.uvx(tool, VERSION), bench.strict.env()),
            Row(f"uvx that must revalidate, index {DISTANCE} ms away", bench.away.uvx(tool, VERSION), bench.away.env()),
            Row("uvx --offline", bench.best.uvx("--offline", tool, VERSION), env),
            Row("the tool itself", [bench.best.program(tool), VERSION], env),
            Row("python -c pass", [python, "-c", "pass"], env),
        ]
        interleave(rows, bench.runs)
        bench.report.table(f"hot: {tool} {VERSION}", rows)
        ours, shim, best, strict, away, _, itself, nothing = (row.median for row in rows)
        bench.report.at_most(f"hot run over `python -c pass` and the tool, {tool}", ours / (nothing + itself), 1.25)
        bench.report.at_most(f"hot run against `uvx` at its best, {tool}", ours / best, limit)
        bench.report.at_most(f"hot run through the shim, against `uvx` at its best, {tool}", shim / best, limit)
        if tool == TOOLS[0]:
            bench.report.at_least(f"hot run against `uvx` that must revalidate, {tool}, index on loopback", strict / ours, 5)
            bench.report.at_least(f"hot run against `uvx` that must revalidate, {tool}, index {DISTANCE} ms away", away / ours, 5)
            bench.report.at_least(f"the same through the shim, index {DISTANCE} ms away", away / shim, 5)


def memory(bench: Bench) -> None:
    """Measure the peak of the process that becomes a tiny tool: what is seen is lastgood itself."""
    world = bench.best
    words = ("--from", "demo-scripts", "demo-sh")
    for argv in (world.run(*words), world.uvx(*words)):
        world.prepare(argv)
    ours, theirs = (peak(argv, world.env(), min(bench.runs, 9)) for argv in (world.run(*words), world.uvx(*words)))
    bench.report.facts("peak memory, with a tiny tool", [("lastgood run", f"{ours:.1f} MiB"), ("uvx", f"{theirs:.1f} MiB")])
    bench.report.at_most("peak memory of the hot path", ours, 16, " MiB")


def records(bench: Bench) -> None:
    """Measure hot runs in homes that keep ever more."""
    world = bench.best
    rows = []
    for count in (1, 100, 10_000):
        home = world.sandbox.root / f"home-{count}"
        env = world.env(LASTGOOD_HOME=str(home))
        world.prepare(world.run(TOOLS[0], VERSION), env)
        multiply(home, count)
        rows.append(Row(f"{count:,} records", world.run(TOOLS[0], VERSION), env))
    interleave(rows, bench.runs)
    bench.report.table(f"records in the home: {TOOLS[0]} {VERSION}", rows)
    bench.report.at_most("cost with 10,000 records, against 1", rows[2].median / rows[0].median, 1.05)


def multiply(home: Path, count: int) -> None:
    """Copy the one record and its card until there are so many."""
    for part, ending in (("records", ".json"), ("cards", "")):
        (original,) = (path for path in (home / part).iterdir() if path.name.endswith(ending) and not path.name.endswith(".lock"))
        text = original.read_bytes()
        for number in range(count - 1):
            (home / part / f"other-{number:012x}-{number % 1_000_003:06x}{ending}").write_bytes(text)


def cold(bench: Bench) -> None:
    """Measure first runs on an empty machine: no home, no uv cache."""
    world = bench.strict
    for tool, limit in zip(TOOLS, (1.15, 1.25), strict=True):
        rows = [
            Row(name, argv, lambda: world.env(**world.new_place()), after=lambda: tidy(world))
            for name, argv in (("lastgood run", world.run(tool, VERSION)), ("uvx", world.uvx(tool, VERSION)))
        ]
        interleave(rows, bench.slow_runs)
        bench.report.table(f"first run on an empty machine: {tool} {VERSION}", rows)
        bench.report.at_most(f"first run on an empty machine, against `uvx`, {tool}", rows[0].median / rows[1].median, limit)


def tidy(world: World) -> None:
    """Wait for what goes on behind and remove what a cold run made."""
    world.sandbox.wait_quiet(120)
    for place in world.sandbox.root.glob("place-*"):
        shutil.rmtree(place, ignore_errors=True)


def stale(bench: Bench) -> None:
    """Measure runs that ask a healthy index and find nothing new."""
    for world, where in ((bench.strict, "on loopback"), (bench.away, f"{DISTANCE} ms away")):
        stale_in(world, where, bench)


def stale_in(world: World, where: str, bench: Bench) -> None:
    """Measure them with one index."""
    tool = TOOLS[0]
    # a home of its own: what one of two requests writes down makes the other look at its record anew
    behind = world.env(**STALE, LASTGOOD_HOME=str(world.sandbox.root / "home-behind"))
    for argv, env in (
        (world.uvx(tool, VERSION), world.env()),
        (world.run(tool, VERSION), world.env(**STALE)),
        (world.run("--prefer-offline", tool, VERSION), behind),
    ):
        world.prepare(argv, env)
    quiet: Callable[[], None] = lambda: world.sandbox.wait_quiet(60)  # noqa: E731
    rows = [
        Row("lastgood run, stale", world.run(tool, VERSION), world.env(**STALE), after=quiet),
        Row("lastgood run, stale, prefer-cache", world.run("--prefer-offline", tool, VERSION), behind, after=quiet),
        Row("uvx that must revalidate", world.uvx(tool, VERSION), world.env()),
    ]
    interleave(rows, bench.runs)
    bench.report.table(f"stale, with a healthy index {where}: {tool} {VERSION}", rows)
    bench.report.at_most(f"stale run with a healthy index {where}, against `uvx`", rows[0].median / rows[2].median, 1.6)


def outage(bench: Bench) -> None:
    """Measure the first run of an outage, and the second, with an index that refuses and with one that is silent.

    The second alternates with a run for which the same answer is fresh: after a pause everything takes a few milliseconds longer.
    """
    world, tool = bench.strict, TOOLS[0]
    world.prepare(world.run(tool, VERSION))
    rows: list[Row] = []
    for kind, allowed in (("refuse", PATIENCE + 0.3), ("hang-before-headers", PATIENCE + 0.3)):
        first = Row(f"{kind}: first run", world.run(tool, VERSION), world.env())
        second = Row(f"{kind}: second run", world.run(tool, VERSION), world.env())
        fresh = world.env(LASTGOOD_MAX_AGE="7d")
        hot = Row(f"{kind}: hot run meanwhile", world.run(tool, VERSION), fresh)
        for _ in range(max(2, bench.slow_runs // 2)):
            make_stale(world)
            world.index.fault(kind)  # type: ignore[arg-type]  # the two above
            first.seconds.append(timed(first.argv, world.env()))
            timed(hot.argv, fresh)  # its card is older than the record
            for _ in range(5):
                second.seconds.append(timed(second.argv, world.env()))
                hot.seconds.append(timed(hot.argv, fresh))
            world.index.heal()
            world.sandbox.wait_quiet(300)
        rows += [first, second, hot]
        bench.report.at_most(f"first run in an outage, {kind}", first.median, allowed, " s")
    bench.report.table(f"outage: {tool} {VERSION}", rows)
    for second, hot in zip(rows[1::3], rows[2::3], strict=True):
        bench.report.at_most(f"{second.name} in an outage, against a hot run", second.median / hot.median, 1.15)


def make_stale(world: World) -> None:
    """Let an hour pass, and forget outages."""
    let_pass(world.sandbox.home, HOUR)
    for breaker in (world.sandbox.home / "hosts").iterdir():
        breaker.unlink()


def many(bench: Bench) -> None:
    """Measure 32 processes at once on a tool that nobody has."""
    world, tool = bench.strict, TOOLS[0]
    facts = []
    for name, argv in (("lastgood run", world.run(tool, VERSION)), ("uvx", world.uvx(tool, VERSION))):
        world.index.clear_requests()
        seconds = at_once(argv, world.env(**world.new_place()), MANY)
        pages, files = (len(world.index.requests(kind)) for kind in ("page", "file"))
        facts.append((name, f"{milliseconds(seconds)}, {pages} pages, {files} files"))
        if name == "lastgood run":
            bench.report.equal(f"{MANY} processes at once on a cold tool: resolutions, downloads", f"{pages}, {files}", "1, 1")
        tidy(world)
    bench.report.facts(f"{MANY} at once, cold: {tool}", facts)


def hooks(bench: Bench) -> None:
    """Measure `pre-commit run`: three hooks through lastgood and without it, and one with `uvx` as its entry."""
    place = bench.best.sandbox.root / "hooks"
    through, own = suites(place / "three", bench.runs // 2 + 1)
    bench.report.table("pre-commit run: ruff, mypy and codespell", [through, own])
    bench.report.at_most("`pre-commit run` of three hooks, against environments of their own", through.median / own.median, 1.15)
    bin_of_lastgood = Path(bench.best.run()[0]).parent
    path = f"{bench.best.env()['PATH']}:{bin_of_lastgood}"
    lastgood, uvx = entries(place / "one", bench.runs, bench.best.env(PATH=path))
    bench.report.table("pre-commit run: one hook", [lastgood, uvx])
    bench.report.at_most("`pre-commit run` of one hook, against `uvx` as its entry", lastgood.median / uvx.median, 1.0)


GROUPS: dict[str, Callable[[Bench], None]] = {
    "hot": hot,
    "memory": memory,
    "records": records,
    "cold": cold,
    "stale": stale,
    "outage": outage,
    "many": many,
    "hooks": hooks,
}


# --- the report -----------------------------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    """Show a time."""
    return f"{seconds * 1000:.1f} ms"


def machine(runs: int) -> list[str]:
    """Say what the numbers depend on; nothing that tells one machine from another."""
    uv = run([uv_binary(), "--version"]).split(" (")[0]
    python = run([system_python(), "-c", "import platform; print(platform.python_version())"])
    return [
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f} at the start",
        f"Python {python}, {uv}",
        f"medians of {runs} interleaved runs ± half the distance between the quartiles, {time.strftime('%Y-%m-%d')}",
    ]


def as_markdown(report: Report, about: list[str], groups: list[str]) -> str:
    """Return BENCHMARKS.md."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; see `benchmarks/bench.py` for what each row is. " + "; ".join(about) + ".",
        "",
    ]
    if set(groups) != set(GROUPS):
        lines += [f"Only these groups were measured: {', '.join(groups)}.", ""]
    lines += ["| budget | allowed | measured | |", "|---|---|---|---|"]
    lines += [f"| {one.what} | {one.allowed} | {one.measured} | {verdict(one)} |" for one in report.budgets]
    for title, rows in report.tables:
        lines += [
            "",
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
        ]
    return "\n".join(lines) + "\n"


def verdict(budget: Budget) -> str:
    """Say whether a budget was kept."""
    return "pass" if budget.kept else "**miss**"


def show(budgets: list[Budget]) -> None:
    """Print the budgets."""
    sys.stdout.write("\nbudgets\n")
    for one in budgets:
        sys.stdout.write(f"  {one.what:<78} {one.allowed:>16} {one.measured:>10}  {'pass' if one.kept else 'MISS'}\n")


def main() -> int:
    """Measure what the words ask for; 1 where a budget was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs: whether it works, not how fast it is")
    parser.add_argument(
        "--rows", default=",".join(GROUPS), help="groups to measure, separated by commas (default: all of %(default)s)"
    )
    parser.add_argument("--runs", type=int, help="how often each row is measured (default: 41, with --quick 5)")
    parser.add_argument("--wheels", type=Path, help="where the wheels of the tools are kept between two benchmarks")
    parser.add_argument("--output", type=Path, default=ROOT / "BENCHMARKS.md", help="the file to write")
    words = parser.parse_args()
    groups = words.rows.split(",")
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"unknown group `{min(unknown)}`: expected some of {', '.join(GROUPS)}")
    runs = words.runs or (5 if words.quick else 41)
    about = machine(runs)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="lastgood-bench-") as directory:
        place = Path(directory)
        lastgood = install(place / "install")
        wheels = fetch(words.wheels or place / "wheels")
        best = World(place / "best", wheels, lastgood, max_age=MAX_AGE)
        strict = World(place / "strict", wheels, lastgood, max_age=None)
        os.chdir(best.sandbox.work)
        away = World(place / "away", wheels, lastgood, max_age=None, distance=DISTANCE)
        bench = Bench(best, strict, away, runs, max(3, runs // 4), report)
        try:
            for group in groups:
                GROUPS[group](bench)
        finally:
            for world in (best, strict, away):
                world.close()
            os.chdir(ROOT)
    show(report.budgets)
    words.output.write_text(as_markdown(report, about, groups), "utf-8")
    return 0 if all(one.kept for one in report.budgets) else 1


if __name__ == "__main__":
    sys.exit(main())
