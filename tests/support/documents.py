"""The parts of README.md and CONTRIBUTING.md that follow from the program, and the means to write them there.

    python -m tests.support.documents         # write every part anew, the recording of an outage day included
    parts(text)                               # {"settings": "| key | …"}: what stands between the marks
    TABLES["settings"]()                      # what should stand there

A part stands between `<!-- from the program: NAME -->` and `<!-- end: NAME -->`. The tables are compared word by word with the
program; the recording is played again, and compared but for times.
"""

from __future__ import annotations

import ast
import re
import tempfile
import time
import tomllib
from pathlib import Path

from lastgood import behind, messages, outage, policy, refresh, settings, stale, targets
from lastgood.card import Card
from lastgood.cli import app
from tests.support.index import Index
from tests.support.kept import grow_old
from tests.support.sandbox import Sandbox
from tests.support.wheels import Wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
PACKAGE = ROOT / "src" / "lastgood"
NEUTRAL = "index.example"
_PART = re.compile(r"<!-- from the program: (?P<name>[\w-]+) -->\n(?P<text>.*?)<!-- end: (?P=name) -->", re.DOTALL)
_HOUR = 3600.0

# What a step of `policy` means to people; where nothing may stand in, the words say so.
_STEPS = {
    policy.RUN: "run what is kept",
    policy.RUN_OPEN: "run what is kept, and say so",
    policy.WAIT: "ask, wait at most `patience`, run the best there is; the refresh goes on behind",
    policy.BEHIND: "run what is kept, ask behind it",
    policy.REFRESH: "ask and wait, as uvx does",
    policy.OFFLINE: "`uvx --offline`: uv's own cache, else the tool beside lastgood, or its own error",
}
_NO_FALLBACK = "ask and wait; nothing stands in"
_ALIASES = {
    "prefer-latest": "the default",
    "prefer-cache": "`--prefer-offline`, `--prefer-cache`; an exact pin such as `ruff==0.17.5`",
    "strict-latest": "`--refresh`, `-U`, `--reinstall` and their kind",
    "strict-cache": "`--offline`, `UV_OFFLINE`",
}
_CLASS_NOTES = {
    "unreachable": "",
    "server-error": "HTTP 5xx, 408 or 429, from the index page, the metadata or the files host",
    "not-an-index": "a login page, or anything else that is no simple index, where an index should be (captive portal)",
    "auth": "HTTP 401, 403, 407: the credentials were refused (a 401 is tried once more before it counts)",
    "not-found": "no such package, no such version, nothing that fits the request",
    "integrity": "a hash that does not match, a package that cannot be built",
    "local": "a full disk, a file that cannot be read, a `uv.toml` that is invalid: nobody's outage",
}


# --- the parts ------------------------------------------------------------------------------------------------------


def parts(text: str) -> dict[str, str]:
    """Return what stands between the marks, by name."""
    return {found["name"]: found["text"] for found in _PART.finditer(text)}


def replaced(text: str, new: dict[str, str]) -> str:
    """Return the text with its parts replaced; a part that is not in `new` stays."""

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- from the program: {name} -->\n{new.get(name, found['text'])}<!-- end: {name} -->"

    return _PART.sub(part, text)


def settings_table() -> str:
    """Return every setting with its key, its variable, its flag and its default."""
    rows = [("key", "variable", "flag of `run`", "default", "what it is")]
    rows += [
        (code(one.key), code(one.env), code(one.flag), code(one.default.replace(",", ", ")), one.help) for one in settings.SETTINGS
    ]
    return table(rows)


def modes_table() -> str:
    """Return what each mode does with nothing kept, fresh, stale, and stale while the index is known to be down."""
    rows: list[Sequence[str]] = [("mode", "asked for by", "nothing kept", "fresh", "stale", "stale, index known to be down")]
    for mode in settings.MODES:
        states = ((None, policy.CLOSED), (0.0, policy.CLOSED), (_HOUR, policy.CLOSED), (_HOUR, policy.OPEN))
        cells = [_step(mode, age, breaker) for age, breaker in states]
        rows.append((code(mode), _ALIASES[mode], *cells))
    return table(rows)


def classes_table() -> str:
    """Return the classes of failures, what belongs to each, and whether the last known good stands in by default."""
    rows: list[Sequence[str]] = [("class", "what", "by default")]
    reasons = list(dict.fromkeys(reason for _, reason in outage._UNREACHABLE))  # noqa: SLF001  # the words of the one table
    for name in (*settings.CLASSES, outage.INTEGRITY, outage.LOCAL):
        if name == outage.LOCAL:
            default = "the last known good, in the prefer modes"
        elif name in settings.DEFAULT_FALLBACK:
            default = "the last known good"
        elif name in settings.CLASSES:
            default = "uvx's own words, unless `fallback-on` names it"
        else:
            default = "uvx's own words, always"
        rows.append((code(name), _CLASS_NOTES[name] or ", ".join(reasons), default))
    return table(rows)


def commands_table() -> str:
    """Return every command and what it is for."""
    return table([("command", "what it does"), *((code("lastgood " + verb), text) for verb, text in app.VERBS.items())])


def lines_table() -> str:
    """Return the lines that a run may say, as the program words them."""
    tool, version, age = "ruff", "0.17.5", 3 * _HOUR
    now = time.time()
    today = time.localtime(now)
    down = messages.been_down(NEUTRAL, time.mktime((*today[:3], 14, 2, 0, 0, 0, -1)), "connection refused")

    def stands_in(reason: str) -> str:
        return messages.fallback(tool, version, age, messages.no_answer(NEUTRAL, reason))

    rows = [
        ("the index does not answer", "warning", stands_in("connection refused")),
        ("it answers with an error", "warning", stands_in("HTTP 503")),
        ("a captive portal answers", "warning", stands_in("web page instead of an index")),
        ("it is slower than `patience`", "warning", messages.fallback_slow(tool, version, age, NEUTRAL, 3.0)),
        (
            "a new release takes longer than that to fetch",
            "warning",
            messages.fallback(tool, version, age, stale.clause(behind.Told(behind.FETCHING))),
        ),
        ("it is known to be down", "warning", messages.fallback_open(tool, version, age, down, now + 40, now)),
        (
            "a release installs but does not start",
            "warning",
            refresh.refused_line("black", "26.2.0", "ImportError: cannot import name 'Parser'", "26.1.0"),
        ),
        ("the index refuses the credentials", "hint", messages.auth(tool, version, NEUTRAL, "HTTP 401")),
        ("lastgood itself has a bug", "warning", messages.own_bug(KeyError("exe"))),
    ]
    return "".join(f"- {when}:\n\n  ```text\n  lastgood: {level}: {line}\n  ```\n\n" for when, level, line in rows)


def layers_table() -> str:
    """Return every module from the top layer to the bottom one, with the first sentence of its docstring."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    ordered = [[name.strip().removeprefix("lastgood.") for name in layer.split("|")] for layer in layers]
    named = {name for layer in ordered for name in layer}
    others = sorted({path.stem for path in PACKAGE.glob("*.py")} - named - {"__init__"})
    rows: list[Sequence[str]] = [("layer", "module", "what it is")]
    for number, layer in enumerate([*ordered, others], 1):
        rows += [(str(number) if number <= len(ordered) else "any", code(_file(name)), _purpose(name)) for name in sorted(layer)]
    return table(rows)


def _file(name: str) -> str:
    return f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"


def _purpose(name: str) -> str:
    path = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
    if not path.exists():
        return "(is not there)"
    paragraph = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.) ", paragraph)[0].rstrip(".")


TABLES = {
    "layers": layers_table,
    "settings": settings_table,
    "modes": modes_table,
    "classes": classes_table,
    "commands": commands_table,
    "lines": lines_table,
}


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is its head."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (head, ["---"] * len(head), *body))


def code(text: str) -> str:
    """Return the text as Markdown code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def _step(mode: str, age: float | None, breaker: str) -> str:
    card = None
    if age is not None:
        card = Card()
        card.asked, card.max_age = _HOUR - age, settings.duration(settings.BY_NAME["max-age"].default, "max-age")
        card.stale_max = settings.duration(settings.BY_NAME["stale-max"].default, "stale-max")
    step = policy.decide(card, mode, _HOUR, breaker)
    return _NO_FALLBACK if step == policy.REFRESH and mode.startswith("strict") else _STEPS[step]


# --- the recording --------------------------------------------------------------------------------------------------


def record(sandbox: Sandbox, index: Index) -> str:
    """Play an outage day and return it as a console block. The index answers, refuses, and answers again.

    The tool is a stand-in with the name of ruff and its one line, so that no test needs the real one; everything else is real.
    Hours pass by making what is kept older.
    """
    index.publish(stand_in("ruff", "0.17.5", "All checks passed!"))
    run = ("lastgood", "run", "ruff", "check", "src")
    lines: list[str] = []

    def play(note: str, *commands: Sequence[str]) -> None:
        lines.append(f"# {note}")
        for words in commands:
            result = sandbox.lastgood(*words[1:]) if words[0] == "lastgood" else sandbox.run(words)
            lines.append("$ " + " ".join(words))
            lines.extend(neutral(result.err + result.out, sandbox, index).splitlines())
            sandbox.wait_quiet()

    play("in the morning the index answers", run)
    grow_old(sandbox, 3 * _HOUR)
    index.fault("refuse")
    play("three hours later it refuses connections", ("uvx", "ruff", "check", "src"), run)
    play("nobody asks it again for a while; and uv's cache is not needed", ("uv", "cache", "clean", "--quiet"), run)
    index.heal()
    play("in the evening it answers again", ("lastgood", "warm", "ruff"), run)
    return "```console\n" + "\n".join(lines) + "\n```\n"


def stand_in(name: str, version: str, line: str) -> Wheel:
    """Return a tool that says one line."""
    package = targets.normalise(name).replace("-", "_")
    modules: dict[str, str | bytes] = {f"{package}/__init__.py": "", f"{package}/cli.py": f"def main():\n    print({line!r})\n"}
    return Wheel(name, version, modules=modules, entry_points={name: f"{package}.cli:main"})


def neutral(text: str, sandbox: Sandbox, index: Index) -> str:
    """Return the text with the names of this machine replaced by those of an example."""
    text = text.replace(f"http://{index.host}", f"https://{NEUTRAL}").replace(index.host, NEUTRAL)
    return text.replace(str(sandbox.home), "~/.local/share/lastgood")


def timeless(text: str) -> str:
    """Return the text without the times that differ from day to day."""
    text = re.sub(r"\b\d{4}-\d\d-\d\d (?=\d\d:\d\d)", "", text)
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", re.sub(r"\b\d+(\.\d+)?(ms|s)\b", "T", text))


def main() -> None:
    """Write every part into the documents."""
    with tempfile.TemporaryDirectory() as directory, Index.start(Path(directory)) as index:
        sandbox = Sandbox(Path(directory), index)
        del sandbox.env["UV_INTERNAL__TEST_NO_HTTP_RETRY_DELAY"]  # uvx's wait is part of the story
        new = {"recording": record(sandbox, index)}
        sandbox.close()
    new |= {name: write() for name, write in TABLES.items()}
    for path in (README, CONTRIBUTING):
        path.write_text(replaced(path.read_text("utf-8"), new), "utf-8")


if __name__ == "__main__":
    main()
