"""`lastgood why`: what it says is what a run does, from where it says; it starts nothing, asks nobody and changes nothing."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from lastgood import identity
from lastgood import record as records
from lastgood import scene as scenes
from tests.support.interpreters import another_python
from tests.support.kept import expect_version, grow_old, keep, only_record, own_lines, trip
from tests.support.sandbox import lastgood_script
from tests.support.wheels import demo_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

HOUR = 3600.0
BEGIN = 15
"""The column in which the indented lines say something."""
FIRST, WAIT, START = "ask the index first", "ask the index, wait at most `patience`", "start what is kept"
OWN = "this request's good generation, 1.0"
CACHE = "what uv's own cache still resolves to, else uvx's own error"


@pytest.fixture
def alone(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user whom no index is named to."""
    return sandbox_factory()


class Explained:
    """What `lastgood why` said."""

    def __init__(self, out: str) -> None:
        """Take its lines apart: the word a line begins with, and what it says."""
        self.out = out
        self.lines: list[tuple[str, str]] = []
        for line in out.splitlines():
            at = BEGIN if line.startswith("  ") else 11
            self.lines.append((line[:at].strip(), line[at:]))

    def all(self, name: str) -> list[str]:
        """Return what all lines of that name say."""
        return [said for begins, said in self.lines if begins == name]

    def __getitem__(self, name: str) -> str:
        """Return what the only line of that name says."""
        (said,) = self.all(name)
        return said

    def near(self) -> list[tuple[str, list[str]]]:
        """Return the nearest records, each with what it differs in."""
        found: list[tuple[str, list[str]]] = []
        for name, said in self.lines:
            if name == "near":
                found.append((said.removesuffix(", which differs in"), []))
            elif not name:
                found[-1][1].append(said.removeprefix("- "))
        return found


def why(sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None) -> Explained:
    """Run `lastgood why WORDS…`, which has nothing to say on standard error and always ends well."""
    result = sandbox.lastgood("why", *words, env=env)
    assert (result.status, result.err) == (0, ""), result
    return Explained(result.out)


def here(text: str) -> int:
    """Return the line of a file that is marked `# here`."""
    (number,) = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# here")]
    return number


# --- it only looks --------------------------------------------------------------------------------------------------


def test_the_words_of_run(demo: Index, sandbox: Sandbox) -> None:
    """It takes what `run` takes, starts no tool, asks no index, changes no file; what follows the tool does not count."""
    keep(sandbox)
    grow_old(sandbox, 2 * HOUR)
    (sandbox.work / "elsewhere").mkdir()
    demo.clear_requests()
    starts = sandbox.starts()

    def every_file() -> dict[str, tuple[int, int]]:
        files = [path for path in sandbox.root.rglob("*") if path != sandbox.counter]
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in files}

    before = every_file()
    plain = why(sandbox, "demo-tool").out
    for same in (("demo-tool", "--version", "--from", "x", "--refresh"), ("demo-tool", "--", "--help"), ("--", "demo-tool")):
        assert why(sandbox, *same).out == plain
    for words, source in (
        (("-q", "--directory", "elsewhere", "demo-tool"), "demo-tool"),
        (("--from", "demo-tool>=1", "demo-tool", "--offline"), "demo-tool>=1 (command `demo-tool`)"),
        (("--refresh", "--with=other", "demo-tool@latest"), "demo-tool@latest"),
        (("--prefer-offline", "--python", "3.99", "demo-tool==2"), "demo-tool==2"),
        (("--offline", "never-heard-of"), "never-heard-of"),
    ):
        assert why(sandbox, *words)["request"] == source
    assert (demo.requests(), demo.connections(), sandbox.starts(), every_file()) == ([], 0, starts, before)


def test_on_an_empty_home(alone: Sandbox) -> None:
    """Where nothing is kept it makes no home, and says what the first run would do."""
    said = why(alone, "demo-tool")
    assert re.fullmatch(r"none \(demo-tool-[0-9a-f]{12}-[0-9a-f]{6}\)", said["record"])
    assert said["decision"].startswith(FIRST)
    assert said["uv"] == f"{alone.bin}/uvx --from=demo-tool -- …  (found: PATH)"
    assert not alone.home.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("python",), "a Python interpreter is asked for"),
        (("./tool",), "`./tool` is not the name of a package"),
        (("--no-cache", "demo-tool"), "`--no-cache` is plain uvx's"),
        (("--nonsense", "demo-tool"), "`--nonsense` is no option that lastgood knows"),
        (("--env-file", ".env", "demo-tool"), "`--env-file` is plain uvx's"),
        (("--with-editable", ".", "demo-tool"), "an editable's source is the truth"),
    ],
)
def test_what_goes_to_plain_uvx(alone: Sandbox, words: tuple[str, ...], reason: str) -> None:
    """Words that lastgood leaves to uvx are told to be that, with the reason, and nothing more is said."""
    assert why(alone, *words).lines == [("decision", f"plain uvx, untouched: {reason}")]


def test_an_installed_tool_goes_to_plain_uvx(demo: Index, sandbox: Sandbox) -> None:
    """What `uv tool install` has is told to be uvx's, with the reason."""
    del demo
    assert sandbox.run(["uv", "tool", "install", "-q", "demo-tool"], env={"UV_TOOL_BIN_DIR": str(sandbox.bin)}).status == 0
    reason = "`demo-tool` is installed with `uv tool install`, which uvx prefers"
    assert why(sandbox, "demo-tool").lines == [("decision", f"plain uvx, untouched: {reason}")]


def test_words_that_run_refuses(alone: Sandbox) -> None:
    """What `run` refuses in one line `why` refuses in the same line."""
    for words in (("--mode", "prefer-lates", "demo-tool"), ("--prefer-offline", "--refresh", "demo-tool"), ("--max-age", "x", "t")):
        result, ran = alone.lastgood("why", *words), alone.lastgood("run", *words)
        assert (result.status, result.out, result.err) == (2, "", ran.err)
        assert len(ran.err.splitlines()) == 1


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('# mode: this\n[tool.lastgood]\n# and mode = "strict-cache"\nmode = "prefer-cache"  # here\n', "mode prefer-cache"),
        ('[tool.other]\nmode = "strict-cache"\n[tool.lastgood]\n"mode" = "prefer-cache"  # here\n', "mode prefer-cache"),
        ('note = """\nmode = "strict-cache"\n"""\n[tool.lastgood]\nmode = "prefer-cache"  # here\n', "mode prefer-cache"),
        ('[tool.lastgood]\nfallback-on = [\n  # mode: later\n  "auth",\n]\nmode = "strict-cache"  # here\n', "mode strict-cache"),
        ('[tool.lastgood]\nfallback-on = [  # here\n  # "auth",\n  "not-found",\n  "auth",\n]\n', "fallback-on not-found,auth"),
        ('tool.lastgood.patience = "7s"  # here\n', "patience 7s"),
        ("[tool]\nlastgood = { stale-max = 90.5, max-age = 60 }  # here\n", "stale-max 90.5"),
    ],
)
def test_the_line_of_a_setting(alone: Sandbox, text: str, said: str) -> None:
    """A setting of a file is told with the file, the table and the line that its value begins on."""
    (alone.work / "pyproject.toml").write_text(text)
    name, value = said.split(" ")
    assert why(alone, "demo-tool")[name] == f"{value}  (`{name}` in [tool.lastgood] of pyproject.toml:{here(text)})"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('[tool.lastgood.tools]\ndemo-tool-2 = "*"\n# demo-tool: max-age\ndemo-tool = { max-age = "2h" }  # here\n', 4),
        ('[tool.lastgood.tools]\ndemo-tool.with = ["max"]\ndemo-tool.max-age = "2h"  # here\n', 2),
        ('[tool.lastgood.tools.demo-tool-2]\nmax-age = "1h"\n[tool.lastgood.tools.demo-tool]\nmax-age = "2h"  # here\n', 3),
    ],
)
def test_the_line_of_an_entry(alone: Sandbox, text: str, origin: int) -> None:
    """The entry of the tool is told with its line, and a setting in it with its own, however the table is written."""
    (alone.work / "pyproject.toml").write_text(text)
    said = why(alone, "demo-tool")
    entry = "`demo-tool` in [tool.lastgood.tools] of pyproject.toml"
    assert said["max-age"] == f"2h  (`max-age` in {entry}:{here(text)})"
    assert said["entry"] == f"{entry}:{origin}"


def test_where_each_setting_comes_from(alone: Sandbox) -> None:
    """Default, user's file, project's file, entry, variable, flag: each wins over those before it and is named for what it is."""
    place = alone.config_home / "lastgood"
    place.mkdir()
    (place / "lastgood.toml").write_text(
        'mode = "prefer-cache"\npatience = "1s"\nmax-age = "1h"\nstale-max = "1d"\ncooldown = "1d"\n'
    )
    sub = alone.work / "sub"
    sub.mkdir()
    (sub / "lastgood.toml").write_text(
        'patience = "2s"\nmax-age = "2h"\nstale-max = "2d"\ncooldown = "2d"\n'
        '[tools]\ndemo-tool = { max-age = "3h", stale-max = "3d", cooldown = "3d" }\n'
    )
    said = why(
        alone,
        "--directory=sub",
        "--cooldown=5d",
        "demo-tool",
        env={"LASTGOOD_STALE_MAX": "4d", "LASTGOOD_COOLDOWN": "4d"},
    )
    assert {name: said[name] for name in ("mode", "patience", "max-age", "stale-max", "cooldown", "fallback-on")} == {
        "fallback-on": "unreachable,server-error,not-an-index  (default)",
        "mode": f"prefer-cache  (`mode` in {place}/lastgood.toml:1)",
        "patience": "2s  (`patience` in lastgood.toml:1)",
        "max-age": "3h  (`max-age` in `demo-tool` in [tools] of lastgood.toml:6)",
        "stale-max": "4d  (LASTGOOD_STALE_MAX)",
        "cooldown": "5d  (--cooldown)",
    }


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (("--offline",), {}, "strict-cache  (--offline)"),
        (("--refresh",), {}, "strict-latest  (--refresh)"),
        (("-U",), {}, "strict-latest  (-U)"),
        (("--force-reinstall",), {}, "strict-latest  (--force-reinstall)"),
        (("--upgrade", "--refresh", "--no-refresh"), {}, "strict-latest  (--upgrade)"),
        (("-Pother",), {}, "strict-latest  (--upgrade-package)"),
        ((), {"UV_OFFLINE": "1"}, "strict-cache  (UV_OFFLINE)"),
        (("-U",), {"UV_OFFLINE": "1"}, "strict-cache  (UV_OFFLINE)"),
        (("--no-offline",), {"UV_OFFLINE": "1", "LASTGOOD_MODE": "prefer-cache"}, "prefer-cache  (LASTGOOD_MODE)"),
        (("--prefer-offline",), {"LASTGOOD_MODE": "strict-latest"}, "prefer-cache  (--prefer-offline)"),
        (("--mode=strict-latest",), {}, "strict-latest  (--mode)"),
    ],
)
def test_the_mode_is_the_one_that_counts(alone: Sandbox, words: tuple[str, ...], env: dict[str, str], said: str) -> None:
    """Uv's own words choose the mode as lastgood's do: it is said with the option as it was given, or the variable."""
    assert why(alone, *words, "demo-tool", env=env).all("mode")[0] == said


def test_defaults_of_pins_and_of_latest(alone: Sandbox) -> None:
    """An exact pin and `@latest` have defaults of their own, and say so; what somebody set for a pin stays."""
    said = why(alone, "demo-tool==1.0")
    assert (said["mode"], said["max-age"]) == ("prefer-cache  (an exact pin)", "1d  (an exact pin)")
    said = why(alone, "demo-tool@1.0", env={"LASTGOOD_MODE": "prefer-latest", "LASTGOOD_MAX_AGE": "1h"})
    assert (said["mode"], said["max-age"]) == ("prefer-latest  (LASTGOOD_MODE)", "1h  (LASTGOOD_MAX_AGE)")
    assert why(alone, "demo-tool@latest")["max-age"] == "0  (`@latest`)"


def test_latest_wins_over_a_file_and_is_on_no_line_of_it(alone: Sandbox) -> None:
    """`@latest` sets the age aside that a file says: the line of that file is not where the value comes from."""
    (alone.work / "lastgood.toml").write_text('max-age = "1h"\n')
    assert why(alone, "demo-tool@latest")["max-age"] == "0  (`@latest`)"


def test_what_the_table_adds_is_marked(alone: Sandbox) -> None:
    """Options that come from the entry or from `cooldown` are told from those on the command line, and uv gets all of them."""
    (alone.work / "lastgood.toml").write_text("""\
cooldown = "2026-01-01"
[tools]
demo-tool = { version = ">=1", with = ["beside"], python = "3.12", extras = ["more"] }
""")
    said = why(alone, "--with", "own", "demo-tool", env={"UV_PRERELEASE": "allow"})
    assert said["request"] == "demo-tool[more]>=1"
    assert said.all("option") == [
        "--exclude-newer=2026-01-01  (`cooldown`)",
        "--python=3.12  (the entry)",
        "--with=own",
        "--with=beside  (the entry)",
    ]
    assert said.all("variable") == ["UV_PRERELEASE=allow"]
    call = "--with=own --with=beside --python=3.12 --exclude-newer=2026-01-01 '--from=demo-tool[more]>=1' -- …"
    assert said["uv"] == f"{alone.bin}/uvx {call}  (found: PATH)"


# --- credentials ----------------------------------------------------------------------------------------------------

URL = "https://somebody:hunter2@index.example/simple/"


@pytest.mark.parametrize(
    "words",
    [
        ("--index", URL, "--default-index=" + URL, "demo-tool"),
        ("--with", f"beside @ {URL}beside-1.0-py3-none-any.whl?token=hunter2", "demo-tool"),
        ("--from", f"git+{URL}tool.git", "demo-tool"),
        (f"demo-tool @ {URL}demo_tool-1.0-py3-none-any.whl",),
        (f"{URL}demo_tool-1.0-py3-none-any.whl;sys_platform=='linux'",),
    ],
)
def test_no_credential_is_printed(alone: Sandbox, words: Sequence[str]) -> None:
    """Whether in an option, in the target, in a variable or in words that go to plain uvx: who asks sees no secret."""
    said = why(alone, *words, env={"UV_INDEX": f"own={URL}", "UV_INDEX_OWN_PASSWORD": "hunter2", "UV_DEFAULT_INDEX": URL})
    assert "hunter2" not in said.out
    assert "somebody" not in said.out
    assert said["decision"]


# --- records --------------------------------------------------------------------------------------------------------


def test_the_record_that_is_found(demo: Index, sandbox: Sandbox) -> None:
    """It is named, with what it keeps, when the index last answered, what it refuses and why, and the card that fits the words."""
    keep(sandbox)
    grow_old(sandbox, 2.5 * HOUR)
    demo.publish(demo_tool("2.0", broken="import"))
    sandbox.lastgood("warm", "demo-tool")
    record = only_record(sandbox)
    (kept,) = record.generations
    said = why(sandbox, "demo-tool")
    assert re.fullmatch(rf"{record.id}: 1\.0, index last answered \d+s ago", said["record"])
    assert said["refused"] == "2.0: ImportError: this release of the demo tool is broken"
    assert said["kept"] == f"1.0 on Python {kept.python}, generation {kept.id}"
    assert said["card"] == "found, nothing it depends on has changed"
    assert said.near() == []
    grow_old(sandbox, 2.5 * HOUR)
    assert why(sandbox, "demo-tool")["record"] == f"{record.id}: 1.0, index last answered 2h ago"
    assert why(sandbox, "--max-age=1h", "demo-tool")["card"] == "there is no launch card for these words"


def test_after_the_clock_was_set_back(demo: Index, sandbox: Sandbox) -> None:
    """An answer from the future is of unknown age, and no number is below nought."""
    del demo
    keep(sandbox)
    grow_old(sandbox, -2 * HOUR)
    said = why(sandbox, "demo-tool")
    assert said["decision"].startswith(WAIT)
    assert "-" not in said["record"].partition(": ")[2]


def damage(sandbox: Sandbox) -> None:
    """Cut the only record."""
    path = sandbox.home / "records" / f"{only_record(sandbox).id}.json"
    path.write_text('{"is": "lastgood record", "format": 1')


def lose(sandbox: Sandbox) -> None:
    """Remove the only record; what it kept still stands."""
    (sandbox.home / "records" / f"{only_record(sandbox).id}.json").unlink()


def test_a_damaged_record_stays_where_it_is(demo: Index, sandbox: Sandbox) -> None:
    """It is said to be damaged, and that the next run rebuilds it; looking sets nothing aside."""
    del demo
    keep(sandbox)
    name = only_record(sandbox).id
    damage(sandbox)
    assert re.fullmatch(rf"{name}: damaged \(.+\); the next run rebuilds it", why(sandbox, "demo-tool")["record"])
    assert [path.name for path in (sandbox.home / "records").glob("*.json*")] == [f"{name}.json"]


@pytest.mark.parametrize("harm", [damage, lose])
def test_a_record_that_the_next_run_rebuilds(demo: Index, sandbox: Sandbox, harm: Callable[[Sandbox], None]) -> None:
    """Damaged or gone, a record is made anew from what is kept: the run starts that, also in an outage, and `why` says so."""
    keep(sandbox)
    harm(sandbox)
    said = why(sandbox, "demo-tool")
    demo.stop()
    assert sandbox.lastgood("run", "demo-tool", "--version").out == "demo-tool 1.0\n"
    assert (said["decision"], said["in an outage"]) == (START, OWN)


def test_a_record_of_a_newer_format(demo: Index, sandbox: Sandbox) -> None:
    """It is left to the newer lastgood, and the decision is what `run` does with it: plain uvx."""
    del demo
    keep(sandbox)
    record = only_record(sandbox)
    path = sandbox.home / "records" / f"{record.id}.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    said = why(sandbox, "demo-tool")
    assert said["record"] == f"{record.id}: written by a newer lastgood (format 7); `run` uses plain uvx"
    assert "running plain `uvx`" in sandbox.lastgood("run", "demo-tool").err
    assert said["decision"].startswith("plain uvx")


# --- what is near ---------------------------------------------------------------------------------------------------


def test_in_what_a_near_record_differs(demo: Index, sandbox: Sandbox) -> None:
    """Version, extra, option, variable, configuration of uv, interpreter: what is here and what is there, and only that."""
    del demo
    keep(sandbox, "--with", "demo-tool", "demo-tool>=1", version="1.0")
    kept = only_record(sandbox).id
    same = ("--with", "demo-tool")

    def differs(*words: str, env: Mapping[str, str | None] | None = None) -> list[str]:
        said = why(sandbox, *words, env=env)
        ((near, phrases),) = said.near()
        assert near == f"1.0 of {kept}"
        return phrases

    assert differs(*same, "demo-tool<3") == ["version: there >=1, here <3"]
    assert differs(*same, "demo-tool") == ["version: there >=1, here any"]
    assert differs(*same, "demo-tool[more]>=1") == ["extra: more only here"]
    assert differs("demo-tool>=1") == ["option: --with=demo-tool only there"]
    assert differs(*same, "--prerelease=allow", "demo-tool>=1") == ["option: --prerelease=allow only here"]
    assert differs(*same, "demo-tool>=1", env={"UV_PRERELEASE": "allow"}) == ["variable: UV_PRERELEASE there not set, here allow"]
    url = sandbox.env["UV_DEFAULT_INDEX"]
    other = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple/"}
    assert differs(*same, "demo-tool>=1", env=other) == [f"variable: UV_DEFAULT_INDEX there {url}, here http://127.0.0.1:9/simple/"]
    python = str(another_python())
    interpreter = f"interpreter: there {only_record(sandbox).request['interpreter']}, here as asked for"
    assert differs(*same, f"--python={python}", "demo-tool>=1") == [interpreter, f"option: --python={python} only here"]
    system = sandbox.root / "system-config" / "uv" / "uv.toml"
    system.write_text('prerelease = "allow"\n')
    assert differs(*same, "demo-tool>=1") == ["file: uv.toml reads otherwise"]
    system.unlink()
    assert differs(*same, "demo-tool>=1") == ["file: uv.toml only there"]


def copy_record(sandbox: Sandbox, package: str, specifier: str, extras: Sequence[str] = ()) -> str:
    """Keep the first record's generation for another request, too; the id of its record."""
    home = str(sandbox.home)
    first = records.load(home, records.identities(home)[0])
    assert first is not None
    number = len(records.identities(home))
    first.id = f"{package}-{'f' * 11}{number}-000000"
    first.request |= {"package": package, "specifier": specifier, "extras": list(extras)}
    records.save(home, first)
    return first.id


def test_the_three_nearest_those_that_differ_least_first(demo: Index, sandbox: Sandbox) -> None:
    """Of many records of a package three are named, and the one that differs in one thing before those that differ in more."""
    del demo
    keep(sandbox)
    far = copy_record(sandbox, "demo-tool", "<7", ["a", "b", "c"])
    middle = copy_record(sandbox, "demo-tool", "<8", ["a"])
    nearer = copy_record(sandbox, "demo-tool", "<9")
    first = next(name for name in records.identities(str(sandbox.home)) if name not in (far, middle, nearer))
    found = why(sandbox, "demo-tool>=1").near()
    assert [(name.removeprefix("1.0 of "), len(phrases)) for name, phrases in found] == [(first, 1), (nearer, 1), (middle, 2)]
    mine = why(sandbox, "demo-tool").near()
    assert [name.removeprefix("1.0 of ") for name, _ in mine] == [nearer, middle, far]


def test_another_package_is_not_near(demo: Index, sandbox: Sandbox) -> None:
    """A package whose name begins with this one's is another package: nobody is served by its records."""
    del demo
    keep(sandbox)
    copy_record(sandbox, "demo-tool-extra", "")
    assert why(sandbox, "demo-tool").near() == []


# --- the decision ---------------------------------------------------------------------------------------------------


def test_the_decision(demo: Index, sandbox: Sandbox) -> None:
    """What a run would do, and what an outage would run, for each state of what is kept and each mode."""
    keep(sandbox)

    def expect(decision: str, outage: str, *words: str) -> Explained:
        said = why(sandbox, *words, "demo-tool")
        assert (said["decision"].startswith(decision), said["in an outage"]) == (True, outage), said.out
        return said

    none, old = "uvx's own error: the mode allows no fallback", "uvx's own error: 1.0 is older than `stale-max` allows"
    assert expect(START, OWN)["decision"] == START
    expect(FIRST, none, "--mode=strict-latest")
    expect(START, OWN, "--offline")
    grow_old(sandbox, 2 * HOUR)
    expect(WAIT, OWN)
    expect(START + " and ask the index behind it", OWN, "--prefer-offline")
    expect(START, OWN, "--max-age=3h")
    expect(FIRST, old, "--stale-max=1h")
    expect(START, OWN, "--stale-max=1h", "--offline")
    assert expect(FIRST, none, "--refresh").all("mode") == ["strict-latest  (--refresh)"]
    trip(sandbox, demo.host)
    said = expect(START + " and say that the index is down", OWN)
    assert re.fullmatch(rf"{demo.host} is down since \d\d:\d\d \(connection refused\)", said["breaker"])
    assert sandbox.lastgood("hold", "demo-tool").status == 0
    assert expect(START, OWN, "--stale-max=1h")["decision"] == START
    shutil.rmtree(sandbox.home / "generations" / only_record(sandbox).current)
    assert expect(FIRST, CACHE).all("kept") == []
    expect("look only into uv's own cache", CACHE, "--offline")


def test_what_lets_a_held_one_move_again(demo: Index, sandbox: Sandbox) -> None:
    """The words that are named let go this very record, as a shell takes them."""
    del demo
    keep(sandbox)
    keep(sandbox, "demo-tool>=1")
    assert sandbox.lastgood("hold", "demo-tool>=1").status == 0
    assert why(sandbox, "demo-tool").all("held") == []
    undo = "lastgood unhold 'demo-tool>=1'"
    assert why(sandbox, "demo-tool>=1")["held"] == f"no refresh replaces it; `{undo}` lets the next one"
    assert sandbox.run(["/bin/sh", "-c", undo.replace("lastgood", lastgood_script(), 1)]).status == 0
    assert why(sandbox, "demo-tool>=1").all("held") == []


def test_what_why_says_of_an_outage_is_what_happens(demo: Index, sandbox: Sandbox) -> None:
    """Each rung that `why` names is the one that a run starts from when the index has gone: one's own, a near one, uv's, none."""
    keep(sandbox)
    grow_old(sandbox, HOUR)
    kept = only_record(sandbox).id
    demo.stop()
    for words, said, warning in (
        (("demo-tool",), OWN, "running `demo-tool` 1.0, last checked 1h ago: "),
        (("demo-tool>=1",), f"1.0, kept for another request ({kept})", "running `demo-tool` 1.0, last checked 1h ago: "),
        (("--prerelease=allow", "demo-tool"), CACHE, "running `demo-tool` 1.0 from uv's cache: "),
    ):
        assert why(sandbox, *words)["in an outage"] == said
        result = sandbox.lastgood("run", *words, "--version")
        (line,) = own_lines(result)
        assert line.startswith(f"warning: {warning}")
        expect_version(result, "1.0", line)
        sandbox.wait_quiet()
    sandbox.clear_starts()
    for words in (("--refresh", "demo-tool"), ("--stale-max=1m", "demo-tool"), ("demo-tool>=2",)):
        assert "uvx's own error" in why(sandbox, *words)["in an outage"]
        assert sandbox.lastgood("run", *words, "--version").status != 0
    assert sandbox.starts() == 0


def test_nothing_kept_a_near_record_and_an_open_breaker(demo: Index, sandbox: Sandbox) -> None:
    """A run then asks nobody and starts the near one at once; so the decision is not to ask first."""
    keep(sandbox)
    trip(sandbox, demo.host)
    said = why(sandbox, "demo-tool>=1")
    demo.clear_requests()
    assert sandbox.lastgood("run", "demo-tool>=1", "--version").out == "demo-tool 1.0\n"
    assert demo.connections() == 0
    assert not said["decision"].startswith(FIRST)


def test_where_no_uv_is_found(alone: Sandbox) -> None:
    """Without a uv the rest is still explained, and the line about uv says what is missing."""
    said = why(alone, "demo-tool", env={"LASTGOOD_UV": "/nowhere/uv"})
    assert said["uv"] == "`LASTGOOD_UV` is `/nowhere/uv`, which is no program"
    assert said["decision"].startswith(FIRST)


def test_its_own_help(alone: Sandbox) -> None:
    """`why --help` is about `why`; behind a tool it is the tool's."""
    assert "Explain what `run` would do" in alone.run([lastgood_script(), "why", "--help"]).out
    assert why(alone, "demo-tool", "--help")["request"] == "demo-tool"


def test_what_is_identified_again_is_the_same(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story that is told twice (another process refreshed meanwhile) keeps what the tools table adds."""
    table = 'cooldown = "7d"\n[tools]\ndemo-tool = { version = "<2", with = ["demo-dep"], python = "3" }\n'
    (sandbox.work / "lastgood.toml").write_text(table)
    monkeypatch.chdir(sandbox.work)
    scene = scenes.look(["demo-tool", "word"], dict(sandbox.env))
    once, again = identity.identify(scene), identity.identify(scene)
    assert once.extra == ["--with=demo-dep", "--python=3", "--exclude-newer=7d"]
    assert [getattr(again, name) for name in ("id", "source", "extra", "options", "plain")] == [
        getattr(once, name) for name in ("id", "source", "extra", "options", "plain")
    ]
