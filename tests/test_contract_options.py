"""lastgood's table and grammar of uvx's command line are those of the uv that is installed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from lastgood import request
from lastgood.request import Handover, Words
from tests.support.oracle import Dump, Oracle

if TYPE_CHECKING:
    from tests.conftest import SandboxFactory
    from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.contract

# A value that uv takes, for each option that wants one.
VALUES = {
    "--from": "demo-tool==1",
    "--with": "demo-dep",
    "--with-editable": "./editable",
    "--with-requirements": "more.txt",
    "--constraints": "constraints.txt",
    "--build-constraints": "build.txt",
    "--overrides": "overrides.txt",
    "--python": "3.12",
    "--python-platform": "linux",
    "--torch-backend": "cpu",
    "--index": "http://127.0.0.1:1/index",
    "--default-index": "http://127.0.0.1:1/default",
    "--index-url": "http://127.0.0.1:1/url",
    "--extra-index-url": "http://127.0.0.1:1/extra",
    "--find-links": "http://127.0.0.1:1/links",
    "--index-strategy": "unsafe-best-match",
    "--resolution": "lowest",
    "--prerelease": "allow",
    "--prerelease-package": "demo-dep=allow",
    "--fork-strategy": "fewest",
    "--exclude-newer": "2024-01-01",
    "--exclude-newer-package": "demo-dep=2024-01-01",
    "--no-sources-package": "demo-dep",
    "--config-setting": "key=value",
    "--config-settings-package": "demo-dep:key=value",
    "--no-build-isolation-package": "demo-dep",
    "--no-build-package": "demo-dep",
    "--no-binary-package": "demo-dep",
    "--python-preference": "only-system",
    "--config-file": "uv.toml",
    "--preview-features": "pylock",
    "--link-mode": "copy",
    "--keyring-provider": "subprocess",
    "--allow-insecure-host": "127.0.0.1",
    "--python-fetch": "manual",
    "--refresh-package": "demo-dep",
    "--upgrade-package": "demo-dep",
    "--upgrade-group": "dev",
    "--reinstall-package": "demo-dep",
    "--directory": "elsewhere",
    "--project": "elsewhere",
    "--color": "never",
    "--cache-dir": "cache",
    "--env-file": "variables.env",
    "--generate-shell-completion": "fish",
}
# uv does something else than run a tool as soon as it meets one of these.
ENDS = {"--help", "--version", "--show-settings", "--generate-shell-completion"}
SILENT = {*ENDS, "--quiet"}  # no settings are shown
CANONICAL = {
    name: (kind, takes, repeats) for name, (canonical, kind, takes, repeats) in request.every_option().items() if name == canonical
}
SPELLINGS = {name: canonical for name, (canonical, _, _, _) in request.every_option().items()}


@pytest.fixture
def oracle(sandbox_factory: SandboxFactory) -> Oracle:
    """Ask a uv whose user has all files that the values name."""
    sandbox = sandbox_factory(None)
    for directory in ("elsewhere", "editable"):
        (sandbox.work / directory).mkdir()
    for name in ("more.txt", "constraints.txt", "build.txt", "overrides.txt", "uv.toml", "variables.env"):
        for place in (sandbox.work, sandbox.work / "elsewhere"):
            (place / name).touch()
    return Oracle(sandbox)


def read(words: list[str]) -> Words | None:
    """Return how lastgood reads a command line; None where it has a doubt and hands it over."""
    try:
        return request.parse(words)
    except Handover:
        return None


def read_even_if_handed_over(words: list[str]) -> Words:
    """Return what lastgood read, also of a command line that it understood but leaves to uvx."""
    try:
        return request.parse(words)
    except Handover as error:
        if error.words is None:
            raise
        return error.words


def dumped(oracle: Oracle, words: list[str]) -> Dump:
    """Return uv's reading of a command line that it takes."""
    dump = oracle.dump(words)
    assert dump is not None, (words, oracle.ask(words).err)
    return dump


def spelled_out(words: Words) -> list[str]:
    """Return a command line that says the same in the one canonical way."""
    options = [name if value is None else f"{name}={value}" for name, value, _ in words.options]
    return [*options, words.target, *words.args]


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_option_of_uv_is_in_the_table(oracle: Oracle) -> None:
    """What uv offers to a shell, hidden options and short forms too, has the same arity here."""
    here = {name: takes for name, (_, _, takes, _) in request.every_option().items()}
    offered = oracle.completions()
    assert len(offered) > 90
    assert {name: here.get(name) for name in offered} == offered


def test_every_spelling_in_the_table_is_uvs(oracle: Oracle) -> None:
    """Hidden aliases, which no completion shows: uv knows each, and asks for a value exactly where the table says so."""
    said = oracle.each(lambda name: oracle.ask([name]).err, request.every_option())
    wrong = {
        name: err
        for name, err in said
        if "unexpected argument" in err or ("a value is required for" in err) != request.every_option()[name][2]
    }
    assert wrong == {}


def test_spellings_of_one_option_are_one_option(oracle: Oracle) -> None:
    """Aliases and short forms give the same settings as the canonical name."""

    def differs(name: str) -> bool:
        canonical = SPELLINGS[name]
        value = [VALUES[canonical]] if CANONICAL[canonical][1] else []
        return oracle.dump([name, *value, "T"]) != dumped(oracle, [canonical, *value, "T"])

    others = [name for name, canonical in SPELLINGS.items() if name != canonical and canonical not in SILENT]
    assert [name for name, wrong in oracle.each(differs, others) if wrong] == []


def test_an_option_may_stand_twice_exactly_where_the_table_says_so(oracle: Oracle) -> None:
    """Of two `--python` uv refuses the second, of two `--with` it takes both; lastgood hands the first over and keeps the other."""

    def is_wrong(name: str) -> bool:
        kind, takes, repeats = CANONICAL[name]
        once = [f"{name}={VALUES[name]}"] if takes else [name]
        refused = "cannot be used multiple times" in oracle.ask([*once, *once, "T"]).err
        return refused == repeats or (kind != "hand" and not repeats and read([*once, *once, "T"]) is not None)

    assert [name for name, wrong in oracle.each(is_wrong, CANONICAL.keys() - ENDS) if wrong] == []


@pytest.mark.parametrize("name", ["--help", "-h", "--version", "-V"])
def test_help_and_version_win_over_the_tool(oracle: Oracle, name: str) -> None:
    """Before the target they are uvx's own, and no tool starts."""
    result = oracle.ask([name, "demo-tool"])
    assert (result.status, result.out.startswith("GlobalSettings")) == (0, False)
    assert read([name, "demo-tool"]) is None


def test_an_option_outside_of_the_resolving_class_does_not_change_what_is_resolved(oracle: Oracle) -> None:
    """What the table calls access, output, freshness and so on touches no setting that decides what an environment consists of."""
    plain = dumped(oracle, ["T"])

    def decided(name: str) -> set[str]:
        return dumped(oracle, [f"{name}={VALUES[name]}" if CANONICAL[name][1] else name, "T"]).decides_otherwise_than(plain)

    # where the values of --directory and --project lead, the same files stand: they change no setting, but where others are read
    names = CANONICAL.keys() - SILENT - {"--directory", "--project"}
    assert {name: paths for name, paths in oracle.each(decided, names) if paths and CANONICAL[name][0] != "resolve"} == {}


# --- the grammar ----------------------------------------------------------------------------------------------------

TAKEN = [
    ["T"],
    ["T", "--with", "x", "-p", "3"],
    ["T", "--", "--x"],
    ["-v", "T"],
    ["-v", "--", "T", "--x"],
    ["--", "T"],
    ["--", "T", "--", "x"],
    ["--with", "x", "T"],
    ["--with=x", "T"],
    ["--with=", "T"],
    ["--with", "", "T"],
    ["-w", "x", "T"],
    ["-wx", "T"],
    ["-w=x", "T"],
    ["-p3.12", "T"],
    ["-p=3.12", "T"],
    ["-p", "3.12", "T"],
    ["-Cke=y", "T"],
    ["-C", "key=value", "T"],
    ["-vwX", "T"],
    ["-vvwX", "T"],
    ["-v", "-v", "T"],
    ["-vU", "--verbose", "T"],
    ["-vvv", "T"],
    ["-Up3.12", "T"],
    ["-UPx", "T"],
    ["--with=a=b", "T"],
    ["--with", "a,b", "--with", "c", "T"],
    ["--index-url", "http://127.0.0.1:1/a?b=c#d", "T"],
    ["--offline", "--no-offline", "T"],
    ["--no-offline", "--offline", "T"],
    ["--refresh", "--no-refresh", "T"],
    ["--no-build", "--build", "T"],
    ["--isolated", "--from", "T==1", "U"],
    ["--from=T==1", "--", "U", "-x"],
    ["--from", "git+https://127.0.0.1:1/x", "U"],
    ["--color", "never", "T@1.0", "-"],
    ["T[extra]>=1,<2", "a b", "", "-"],
    ["-b", "build.txt", "-c", "constraints.txt", "T"],
    ["-fhttp://127.0.0.1:1/links", "-ihttp://127.0.0.1:1/", "T"],
]
REFUSED = [
    ["--with"],
    ["-w"],
    ["-qw"],
    ["--with", "-x", "T"],
    ["--with", "--isolated", "T"],
    ["--isolated=true", "T"],
    ["--fro", "x", "T"],
    ["--iso", "T"],
    ["-p", "3.11", "-p", "3.12", "T"],
    ["--python=3.11", "-p3.12", "T"],
    ["--isolated", "--isolated", "T"],
    ["-nn", "T"],
    ["-qv", "T"],
    ["-q", "-v", "T"],
    ["-z", "T"],
    ["-qz", "T"],
    ["--no-such", "T"],
    ["-x=1", "T"],
    ["--=x", "T"],
]


@pytest.mark.parametrize("words", TAKEN, ids=" ".join)
def test_the_same_words_mean_the_same(oracle: Oracle, words: list[str]) -> None:
    """Target, arguments and options are what uv takes them for, however they are glued, clustered or cut off by `--`."""
    here, there = read(words), dumped(oracle, words)
    assert here is not None
    assert [here.target, *here.args] == there.command
    assert dumped(oracle, spelled_out(here)) == there


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_uv_refuses_is_handed_over(oracle: Oracle, words: list[str]) -> None:
    """uv itself says what is wrong with a command line."""
    result = oracle.ask(words)
    assert (result.status, result.out) == (2, "")
    assert read(words) is None


@pytest.mark.parametrize("name", [name for name, (_, _, takes, _) in request.every_option().items() if takes])
def test_a_value_that_is_empty(oracle: Oracle, name: str) -> None:
    """`--directory=` is refused by uv, `--with=` names nothing; glued or as a word of its own, lastgood takes what uv takes."""
    forms = [[f"{name}=", "T"], [name, "", "T"]]
    refused = [oracle.dump(words) is None for words in forms]
    if CANONICAL[SPELLINGS[name]][0] == "hand" or SPELLINGS[name] in ("--from", "--with-editable"):
        # uv reads these only when it starts, and these lastgood never keeps
        refused = [True, True]
    assert [read(words) is None for words in forms] == refused


@pytest.mark.parametrize("words", [["-q"], ["-qq"], ["-q", "--quiet"], ["-qwX"], ["-Uqq"], ["-qp3.12"]], ids=" ".join)
def test_quiet_clusters_like_any_flag(oracle: Oracle, words: list[str]) -> None:
    """Where `-q` stands uv prints no settings; it takes the same clusters, and lastgood counts the same options."""
    result = oracle.ask([*words, "T"])
    assert (result.status, result.out, result.err) == (0, "", "")
    here = read([*words, "T"])
    assert here is not None
    # a cluster's letters, and never a value's
    louder = ["--verbose" if word == "--quiet" else word.replace("q", "v") for word in words]
    assert dumped(oracle, [word.replace("--quiet", "--verbose") for word in spelled_out(here)]) == dumped(oracle, [*louder, "T"])


@pytest.mark.parametrize("fresh", ["--refresh", "--refresh-package=x"])
def test_news_cannot_be_had_offline(sandbox: Sandbox, fresh: str) -> None:
    """uv refuses to refresh without a network, so lastgood need not find a meaning for it."""
    result = sandbox.uvx("--offline", fresh, "T")
    assert (result.status, "cannot be used with" in result.err) == (2, True)
    assert read(["--offline", fresh, "T"]) is None


def test_a_second_separator_is_the_target(oracle: Oracle) -> None:
    """Only one `--` is eaten."""
    assert dumped(oracle, ["--", "--", "T"]).command == ["--", "T"]
    here = read_even_if_handed_over(["--", "--", "T"])
    assert [here.target, *here.args] == ["--", "T"]


def test_a_lone_dash_is_the_target(oracle: Oracle) -> None:
    """`-` is no option."""
    assert dumped(oracle, ["-U", "-", "T"]).command == ["-", "T"]
    here = read_even_if_handed_over(["-U", "-", "T"])
    assert [here.target, *here.args] == ["-", "T"]


def test_a_lone_dash_is_a_value(oracle: Oracle) -> None:
    """`--constraints -` reads standard input: uv takes the dash for a value, and so does lastgood."""
    there = dumped(oracle, ["--with", "-", "T"])
    here = read(["--with", "-", "T"])
    assert here is not None
    assert (here.values("--with"), there.command) == (["-"], ["T"])


def test_random_command_lines_are_read_alike(oracle: Oracle) -> None:
    """Any mix of options, spellings, glued values and clusters that lastgood accepts says the same to uv, word for word."""
    dice = random.Random(20261121)  # noqa: S311  # the same lines each time
    lines = [line for line in (random_words(dice) for _ in range(120)) if read(line) is not None]

    def is_wrong(words: list[str]) -> bool:
        here, there = request.parse(words), oracle.dump(words)
        if there is None:
            # two options that only uv knows to exclude each other: it will say so, since nothing can have been kept for them
            return "cannot be used with" not in oracle.ask(words).err
        return [here.target, *here.args] != there.command or oracle.dump(spelled_out(here)) != there

    assert len(lines) > 60
    assert [words for words, wrong in oracle.each(is_wrong, lines) if wrong] == []


def random_words(dice: random.Random) -> list[str]:
    """Return a command line: up to six options in any spelling, perhaps `--`, a target, and arguments that look like options."""
    words: list[str] = []
    for _ in range(dice.randrange(7)):
        name = dice.choice([name for name, canonical in SPELLINGS.items() if canonical not in SILENT])
        value = VALUES[SPELLINGS[name]] if CANONICAL[SPELLINGS[name]][1] else None
        cluster = "".join(dice.choices("vUv", k=dice.randrange(3))) if len(name) == 2 else ""
        start = f"-{cluster}{name[1:]}" if cluster else name
        if value is None:
            words.append(start)
        elif len(name) == 2:
            words += dice.choice([[start, value], [start + value], [f"{start}={value}"]])
        else:
            words += dice.choice([[name, value], [f"{name}={value}"]])
    words += dice.choice([[], [], ["--"]])
    words.append(dice.choice(["T", "demo-tool@1.0", "demo_tool[more]>=1", "T==1.*"]))
    return words + dice.choices(["x", "--with", "-q", "--", "--version", "", "a b", "-", "--isolated=1"], k=dice.randrange(4))
