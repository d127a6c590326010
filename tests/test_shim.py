"""`lastgood shim`: a program named `uvx` that is lastgood, started as people start uvx, with the real uvx somewhere behind it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.interpreters import posix_directories, system_python, uv_binary
from tests.support.kept import all_records, expect_version, grow_old, own_lines
from tests.support.privileges import NO_PERMISSIONS, as_ordinary_user, permissions_count
from tests.support.wheels import Wheel, demo_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.index import Index
    from tests.support.sandbox import Result, Sandbox

SERVER = '''
import json, os, sys

def main():
    """Answer each line of JSON-RPC with its method, its parameters and this process; end with the input."""
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        result = {"method": asked["method"], "params": asked.get("params"), "pid": os.getpid()}
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\\r\\n")
        sys.stdout.buffer.flush()
'''
ELSEWHERE = "; name another directory, as in `lastgood shim install DIR`"
ENDLESS = 30  # seconds: a shim that calls itself never ends


def put_first(sandbox: Sandbox, place: Path) -> None:
    """Let a directory come first on the user's PATH."""
    sandbox.env["PATH"] = f"{place}{os.pathsep}{sandbox.env['PATH']}"


def install(sandbox: Sandbox, place: Path) -> Path:
    """Install a shim, put it first on PATH, and return its directory."""
    put_first(sandbox, place)
    told = sandbox.lastgood("shim", "install", str(place))
    assert (told.status, told.out, own_lines(told)) == (0, "", [f"`{place}/uvx` is lastgood now"]), told
    return place


def real(sandbox: Sandbox, *words: str) -> Result:
    """Run the real uvx."""
    return sandbox.run([str(uv_binary().with_name("uvx")), *words], timeout=ENDLESS)


def outcome(result: Result) -> tuple[int, str, str]:
    """Return what a process wrote and how it ended, without the times that uv took."""
    return result.status, result.out, re.sub(r"\b\d+(\.\d+)?m?s\b", "T", result.err)


def state(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file was touched; to read it is no touch."""
    found = path.lstat()
    return found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def no_real_uvx(sandbox: Sandbox, *places: Path) -> None:
    """Make PATH these directories and a real Python's: none of the programs that the sandbox offers."""
    path = dict.fromkeys([*places, system_python().parent, *posix_directories()])
    sandbox.env["PATH"] = os.pathsep.join(map(str, path))


def a_uv_alone(place: Path) -> Path:
    """Put a uv without its uvx into a new directory and return that."""
    place.mkdir()
    try:
        (place / "uv").hardlink_to(uv_binary())
    except OSError:
        shutil.copy2(uv_binary(), place / "uv")
    return place


@pytest.fixture
def shim(demo: Index, sandbox: Sandbox) -> Path:
    """Install a shim that comes first on PATH; the index offers demo-tool 1.0."""
    del demo
    return install(sandbox, sandbox.root / "shim")


# --- install, status, remove ----------------------------------------------------------------------------------------


def test_first_on_path_says_one_line(sandbox: Sandbox) -> None:
    """Where the shim comes first on PATH there is nothing to add; nothing but the program is left in the directory."""
    place = install(sandbox, sandbox.root / "shim")
    assert [path.name for path in place.iterdir()] == ["uvx"]
    assert os.access(place / "uvx", os.X_OK)


@pytest.mark.parametrize("name", ["shim", "with blanks in it", 'it\'s $HOME `x` "q"'])
def test_what_to_add_to_path_is_a_line_for_the_shell(sandbox: Sandbox, name: str) -> None:
    """Not first on PATH, the hint says what PATH finds instead, and its `export` makes PATH find the shim."""
    place = sandbox.root / name
    told = sandbox.lastgood("shim", "install", str(place))
    assert (told.status, told.out) == (0, "")
    news, hint = own_lines(told)
    assert news == f"`{place}/uvx` is lastgood now"
    found, marked, export = hint.partition("; put the shim first: ")
    assert (found, bool(marked)) == (f"hint: PATH finds `{sandbox.bin}/uvx`", True)
    assert sandbox.run(["sh", "-euc", f"{export}\ncommand -v uvx"]).out == f"{place}/uvx\n"


def test_no_uvx_on_path_is_said(sandbox: Sandbox) -> None:
    """A PATH without any uvx is called that."""
    no_real_uvx(sandbox)
    _, hint = own_lines(sandbox.lastgood("shim", "install", str(sandbox.root / "shim")))
    assert hint.startswith("hint: PATH finds no `uvx`; put the shim first: ")


def test_the_default_directory_is_in_the_home(demo: Index, sandbox: Sandbox) -> None:
    """Without DIR it is `bin` of the home; a home that is made for it, with a lax umask too, is one that runs are kept in."""
    del demo
    script = f'umask 002; "{sysconfig.get_path("scripts")}/lastgood" shim install'
    assert sandbox.run(["sh", "-c", script]).status == 0
    put_first(sandbox, sandbox.home / "bin")
    assert sandbox.home.stat().st_mode & 0o777 == 0o700
    expect_version(sandbox.uvx("demo-tool", "--version"), "1.0")
    assert len(all_records(sandbox)) == 1


def test_installing_again_replaces_it(shim: Path, sandbox: Sandbox) -> None:
    """A shim in the way is replaced, one that is a symbolic link to another shim as well, and the other stays."""
    assert sandbox.lastgood("shim", "install", str(shim)).status == 0
    other = sandbox.root / "other"
    other.mkdir()
    (other / "uvx").symlink_to(shim / "uvx")
    assert sandbox.lastgood("shim", "install", str(other)).status == 0
    assert [(path / "uvx").is_symlink() for path in (shim, other)] == [False, False]


@pytest.mark.parametrize("kind", ["program", "link", "dangling link", "directory"])
def test_another_uvx_is_left_alone(sandbox: Sandbox, kind: str) -> None:
    """Whatever is named uvx and is no shim stays as it is, for `install` and for `remove`, and one line says so."""
    place = sandbox.root / "theirs"
    place.mkdir()
    theirs = place / "uvx"
    if kind == "program":
        theirs.write_text("#!/bin/sh\necho theirs\n", "utf-8")
    elif kind == "directory":
        theirs.mkdir()
    else:
        theirs.symlink_to(sandbox.bin / "uvx" if kind == "link" else sandbox.root / "nowhere")
    before = state(theirs)
    for action, advice in (("install", "; name another directory, which comes before it on PATH"), ("remove", "")):
        told = sandbox.lastgood("shim", action, str(place))
        assert (told.status, told.out) == (2, "")
        assert own_lines(told) == [f"error: `{theirs}` is another `uvx`, which is left alone{advice}"]
    assert (state(theirs), [path.name for path in place.iterdir()]) == (before, ["uvx"])


def test_a_directory_that_is_a_file_is_one_line(sandbox: Sandbox) -> None:
    """A DIR that cannot be one is said in one line, and nothing is left there."""
    (sandbox.root / "file").write_text("theirs")
    told = sandbox.lastgood("shim", "install", str(sandbox.root / "file"))
    assert (told.status, own_lines(told)) == (
        2,
        [f"error: `{sandbox.root}/file/uvx` cannot be written (file exists){ELSEWHERE}"],
    )
    assert (sandbox.root / "file").read_text() == "theirs"


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_an_unwritable_directory_is_one_line(sandbox: Sandbox) -> None:
    """A DIR that cannot be written is said in one line; a shim that is there stays."""
    place = install(sandbox, sandbox.root / "shim")
    script = f"{sysconfig.get_path('scripts')}/lastgood"
    place.chmod(0o555)
    told = {action: sandbox.run(as_ordinary_user([script, "shim", action, str(place)])) for action in ("install", "remove")}
    place.chmod(0o755)
    assert {action: (one.status, own_lines(one)) for action, one in told.items()} == {
        "install": (
            2,
            [f"error: `{place}/uvx` cannot be written (permission denied){ELSEWHERE}"],
        ),
        "remove": (2, [f"error: `{place}/uvx` cannot be removed (permission denied)"]),
    }
    assert [path.name for path in place.iterdir()] == ["uvx"]


@pytest.mark.skipif(not permissions_count(), reason=NO_PERMISSIONS)
def test_an_unwritable_home_is_one_line_that_says_what_to_do(sandbox: Sandbox) -> None:
    """Where the directory is lastgood's own choice, another one can be named."""
    sandbox.home.mkdir(mode=0o500)
    told = sandbox.run(as_ordinary_user([f"{sysconfig.get_path('scripts')}/lastgood", "shim", "install"]))
    step = "name a directory, as in `lastgood shim install ~/.local/shims`, or set `LASTGOOD_HOME`"
    line = f"error: `{sandbox.home}/bin/uvx` cannot be written (permission denied); {step}"
    assert (told.status, told.out, own_lines(told), list(sandbox.home.iterdir())) == (2, "", [line], [])


def test_a_full_disk_leaves_no_half(sandbox: Sandbox) -> None:
    """A write that fails midway leaves neither a shim nor a piece of one."""
    place = sandbox.root / "shim"
    script = f'ulimit -f 0; trap "" XFSZ; exec "{sysconfig.get_path("scripts")}/lastgood" shim install "{place}"'
    told = sandbox.run(["sh", "-c", script])
    assert (told.status, own_lines(told)) == (
        2,
        [f"error: `{place}/uvx` cannot be written (file too large){ELSEWHERE}"],
    )
    assert list(place.iterdir()) == []


def test_status(sandbox: Sandbox) -> None:
    """Status says whether it is there, what PATH finds, and what is behind; its status is 0 only where the shim is what runs."""
    place = sandbox.root / "shim"

    def told() -> tuple[int, list[str]]:
        result = sandbox.lastgood("shim", "status", str(place))
        assert result.err == ""
        return result.status, result.out.splitlines()

    behind = f"behind  {sandbox.bin}/uvx (found: PATH)"
    assert told() == (1, [f"shim    {place}/uvx: not installed", f"PATH    finds {sandbox.bin}/uvx", behind])
    sandbox.lastgood("shim", "install", str(place))
    assert told() == (1, [f"shim    {place}/uvx: installed", f"PATH    finds {sandbox.bin}/uvx", behind])
    put_first(sandbox, place)
    assert told() == (0, [f"shim    {place}/uvx: installed", "PATH    finds the shim", behind])
    sandbox.env["LASTGOOD_UV"] = str(sandbox.root / "nowhere")
    status, lines = told()
    assert (status, lines[2]) == (1, f"behind  `LASTGOOD_UV` is `{sandbox.root}/nowhere`, which is no program")


def test_status_finds_the_shim_by_itself(sandbox: Sandbox) -> None:
    """Without a directory, status is about the shim that PATH finds, wherever it was put; else about the usual place."""
    usual = sandbox.home / "bin" / "uvx"
    assert sandbox.lastgood("shim", "status").out.splitlines()[0] == f"shim    {usual}: not installed"
    place = install(sandbox, sandbox.root / "shim")
    told = sandbox.lastgood("shim", "status")
    assert (told.status, told.out.splitlines()[:2]) == (0, [f"shim    {place}/uvx: installed", "PATH    finds the shim"])


def test_status_does_not_take_the_real_uvx_for_a_shim(sandbox: Sandbox) -> None:
    """Asked about the directory of the real uvx, which PATH finds, status says that this is no shim."""
    told = sandbox.lastgood("shim", "status", str(sandbox.bin))
    assert (told.status, told.out.splitlines()[:2]) == (
        1,
        [f"shim    {sandbox.bin}/uvx: not installed", f"PATH    finds {sandbox.bin}/uvx"],
    )


def test_removal_restores(shim: Path, sandbox: Sandbox) -> None:
    """After `remove` the words reach the real uvx again, lastgood keeps nothing of them, and nothing of the shim is left."""
    told = sandbox.lastgood("shim", "remove", str(shim))
    assert (told.status, told.out, own_lines(told)) == (0, "", [f"removed `{shim}/uvx`"])
    assert list(shim.iterdir()) == []
    expect_version(sandbox.uvx("demo-tool", "--version"), "1.0")
    assert not sandbox.home.exists()
    again = sandbox.lastgood("shim", "remove", str(shim))
    assert (again.status, own_lines(again)) == (2, [f"error: `{shim}/uvx` does not exist"])


# --- exactly as the real uvx ----------------------------------------------------------------------------------------


def differences(sandbox: Sandbox, lines: Sequence[Sequence[str]]) -> dict[str, object]:
    """Return what the shim and the real uvx do differently, by command line; the real one goes first."""

    def compare(words: Sequence[str]) -> tuple[object, object]:
        expected = outcome(real(sandbox, *words))
        return outcome(sandbox.uvx(*words, timeout=ENDLESS)), expected

    with ThreadPoolExecutor(4) as pool:
        pairs = zip(lines, pool.map(compare, lines), strict=True)
        return {" ".join(words): pair for words, pair in pairs if pair[0] != pair[1]}


def test_words_without_a_tool(shim: Path, sandbox: Sandbox) -> None:
    """Version, help, no words at all, completions, and words that uvx refuses: all is uvx's own."""
    del shim
    real(sandbox, "demo-tool")
    words = [[], ["--version"], ["-V"], ["--help"], ["-h"], ["--frobnicate"], ["--frobnicate", "demo-tool"], ["--from"], ["--with"]]
    words += [["--generate-shell-completion", "fish"], ["--python", "3.99"], ["-q"]]
    words += [["--version", "demo-tool"], ["demo-tool", "--help"], ["--directory", "nowhere", "demo-tool"], [""], ["--"]]
    assert differences(sandbox, words) == {}
    assert not [record for record in all_records(sandbox) if record.tool != "demo-tool"]


def test_words_that_the_index_refuses(shim: Path, sandbox: Sandbox) -> None:
    """`help` and `run` are names of packages to uvx; what the index does not have is refused in uvx's words."""
    del shim
    words = [
        ["help"],
        ["run", "demo-tool"],
        ["no-such-tool"],
        ["-q", "no-such-tool"],
        ["demo-tool@9"],
        ["--with", "nothing", "demo-tool"],
    ]
    assert differences(sandbox, words) == {}
    assert sandbox.starts() == 0


def test_local_targets_and_python(shim: Path, sandbox: Sandbox) -> None:
    """Paths and interpreters are uvx's own business, there or not."""
    del shim
    wheel = demo_tool("3.0", name="local-tool").write(sandbox.work).name
    words = [["./nowhere"], ["."], [f"./{wheel}", "--version"], ["--from", f"./{wheel}", "local-tool", "--echo", "a b", ""]]
    words += [["python", "-c", "import sys; print(sys.argv)", "x"], ["--no-cache", "demo-tool", "--version"], ["/nowhere/tool"]]
    real(sandbox, "--from", f"./{wheel}", "local-tool")  # says that it installs
    assert differences(sandbox, words) == {}


def test_the_tool_gets_what_uvx_gives_it(shim: Path, sandbox: Sandbox) -> None:
    """Arguments, status and output of a tool that is kept are those of the same words without the shim."""
    del shim
    expect_version(sandbox.uvx("demo-tool", "--version"), "1.0")
    real(sandbox, "demo-tool")
    words = [["demo-tool", "--echo", "a b", "", "--", "--version"], ["demo-tool", "--stderr", "said", "--exit", "9"], ["demo-tool"]]
    words += [["demo-tool@1.0", "--version"], ["--from", "demo-tool", "demo-tool", "--version"], ["--", "demo-tool", "--version"]]
    assert differences(sandbox, words) == {}


# --- what is behind it ----------------------------------------------------------------------------------------------


def expect_no_loop(sandbox: Sandbox) -> None:
    """What is handed through reaches the real uvx, and a tool runs and is kept."""
    assert differences(sandbox, [["--version"], [], ["--help"], ["./nowhere"]]) == {}
    expect_version(sandbox.uvx("demo-tool", "--version", timeout=ENDLESS), "1.0")
    assert len(all_records(sandbox)) == 1


def test_two_shims(shim: Path, sandbox: Sandbox) -> None:
    """Two shims on PATH do not call each other."""
    install(sandbox, sandbox.root / "second shim")
    put_first(sandbox, shim.parent / "second shim")
    expect_no_loop(sandbox)


def test_two_shims_and_no_other_uvx(shim: Path, sandbox: Sandbox) -> None:
    """With nothing but shims on PATH the uv that is installed with lastgood is used."""
    no_real_uvx(sandbox, install(sandbox, sandbox.root / "second"), shim)
    assert "(found: the environment of lastgood)" in sandbox.lastgood("shim", "status", str(shim)).out
    expect_no_loop(sandbox)


@pytest.mark.parametrize("links_first", [True, False])
def test_a_symbolic_link_to_the_shim(shim: Path, sandbox: Sandbox, *, links_first: bool) -> None:
    """A link to a shim is a shim, before it on PATH or after it."""
    links = sandbox.root / "links"
    links.mkdir()
    (links / "uvx").symlink_to(shim / "uvx")
    (links / "uv").symlink_to(uv_binary())
    no_real_uvx(sandbox, *([links, shim] if links_first else [shim, links]))
    expect_no_loop(sandbox)


def test_a_shim_beside_the_real_uv(demo: Index, sandbox: Sandbox) -> None:
    """A shim in the directory of a uv that has no other uvx: that uv is asked as its own uvx asks it."""
    del demo
    place = a_uv_alone(sandbox.root / "uv-alone")
    assert sandbox.lastgood("shim", "install", str(place)).status == 0
    no_real_uvx(sandbox, place)
    assert f"behind  {place}/uv tool uvx (found: PATH)\n" in sandbox.lastgood("shim", "status", str(place)).out
    expect_no_loop(sandbox)


def test_a_uvx_and_no_uv_on_path(shim: Path, sandbox: Sandbox) -> None:
    """With a uvx but no uv on PATH, that uvx is the one behind the shim."""
    (sandbox.bin / "uv").unlink()
    assert f"behind  {sandbox.bin}/uvx (found: PATH)\n" in sandbox.lastgood("shim", "status", str(shim)).out
    expect_no_loop(sandbox)


def test_a_relative_path(shim: Path, sandbox: Sandbox) -> None:
    """The shim may be found by a relative entry of PATH, and started by its path."""
    sandbox.env["PATH"] = sandbox.env["PATH"].replace(str(shim), "../shim")
    told = sandbox.run(["sh", "-c", "uvx demo-tool --version && ../shim/uvx demo-tool --version"])
    assert (told.status, told.out) == (0, "demo-tool 1.0\n" * 2)


def test_lastgood_uv_may_not_name_the_shim(shim: Path, sandbox: Sandbox) -> None:
    """A `LASTGOOD_UV` that is the shim would be a loop: one line says so, whatever is run."""
    sandbox.env["LASTGOOD_UV"] = str(shim / "uvx")
    line = f"error: `LASTGOOD_UV` is `{shim}/uvx`, which is lastgood itself; set it to the path of uv, or unset it"
    for words in (["--version"], ["demo-tool"]):
        told = sandbox.uvx(*words, timeout=ENDLESS)
        assert (told.status, told.out, own_lines(told)) == (2, "", [line])


def test_an_interpreter_with_a_blank_in_its_path(demo: Index, sandbox: Sandbox) -> None:
    """The kernel splits a header at blanks, and cuts a long one: the shim starts, and is known for one, all the same."""
    del demo
    places = [sandbox.root / "with a blank", sandbox.root / ("long " * 40) / ("longer " * 30) / ("longest " * 30)]
    for place in places:
        place.mkdir(parents=True)
        (place / "venv").symlink_to(sys.prefix)
        target = place / "shim"
        told = sandbox.run([str(place / "venv" / "bin" / "python"), "-m", "lastgood", "shim", "install", str(target)])
        assert told.status == 0, told
        assert "venv" in (target / "uvx").read_text("utf-8")
    no_real_uvx(sandbox, *(place / "shim" for place in places))
    expect_no_loop(sandbox)


def test_modules_beside_the_shim_are_not_its_own(shim: Path, sandbox: Sandbox) -> None:
    """Python files that lie in the shim's directory are not imported in place of those that lastgood needs."""
    for name in ("lastgood", "fcntl", "zlib", "subprocess"):
        (shim / f"{name}.py").write_text("raise SystemExit('taken for the real one')\n", "utf-8")
    expect_no_loop(sandbox)


def test_a_hot_run_does_without_site(shim: Path, demo: Index, sandbox: Sandbox) -> None:
    """What Python prepares for programs that import from everywhere costs a hot run 1.5 ms; what is not hot has it."""
    assert sandbox.uvx("demo-tool", "--version").out == "demo-tool 1.0\n"
    sandbox.wait_quiet()
    header = (shim / "uvx").read_text("utf-8").splitlines()[0]
    assert header.endswith(" -PS")

    def imported(*words: str) -> set[str]:
        told = sandbox.run([sys.executable, "-PS", "-X", "importtime", str(shim / "uvx"), *words])
        assert told.out == "demo-tool 1.0\n"
        return {line.rpartition("|")[2].strip() for line in told.err.splitlines() if line.startswith("import time:")}

    assert not imported("demo-tool", "--version") & {"site", "lastgood.run"}
    assert {"site", "lastgood.run"} <= imported("--refresh", "demo-tool", "--version")
    assert len(demo.requests("file")) == 1


def test_a_lastgood_that_was_installed_anew(shim: Path, demo: Index, sandbox: Sandbox) -> None:
    """The shim finds it wherever its interpreter does, although it was put elsewhere after the shim was made."""
    del demo
    program = shim / "uvx"
    text = program.read_text("utf-8")
    place = str(Path(__file__).parents[1] / "src")
    assert place in text
    program.write_text(text.replace(place, str(sandbox.root / "gone")), "utf-8")
    assert (sandbox.uvx("demo-tool", "--version").out, sandbox.uvx("demo-tool", "--version").err) == ("demo-tool 1.0\n", "")


@pytest.mark.parametrize("broken", ["half", "gone"])
def test_without_lastgood_it_is_plain_uvx(shim: Path, sandbox: Sandbox, broken: str) -> None:
    """A shim whose lastgood was removed, or only half upgraded, becomes plain uvx with the same words, and says so in one line."""
    package = sandbox.root / "site" / "lastgood"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", "utf-8")
    if broken == "half":
        shutil.copy(Path(__file__).parents[1] / "src" / "lastgood" / "lastresort.py", package)
    sandbox.env["PYTHONPATH"] = str(package.parent)
    for words in (["--version"], ["demo-tool", "--echo", "a b"], ["demo-tool", "--exit", "7"]):
        told = sandbox.uvx(*words, timeout=ENDLESS)
        (line,) = own_lines(told)
        assert re.fullmatch(r"warning: internal error \(\w+: .*\), running plain `uvx`", line)
        expected = real(sandbox, *words)
        assert (told.status, told.out) == (expected.status, expected.out)
    assert sandbox.starts() == 4  # each of the two once by the shim, once by the real one
    assert not sandbox.home.exists()
    assert "lastgood" in (shim / "uvx").read_text("utf-8")


# --- a day with the shim --------------------------------------------------------------------------------------------


def test_an_outage(shim: Path, demo: Index, sandbox: Sandbox) -> None:
    """A line that calls uvx runs what is kept while the index is down, where the real uvx fails, and says so in one line."""
    del shim
    expect_version(sandbox.uvx("demo-tool", "--version"), "1.0")
    sandbox.wait_quiet()
    sandbox.run(["uv", "cache", "clean"])
    grow_old(sandbox, 3600)
    demo.fault("refuse")
    assert real(sandbox, "demo-tool", "--version").status != 0
    told = sandbox.run(["sh", "-c", "uvx demo-tool --version"])
    (line,) = own_lines(told)
    assert line.startswith("warning: running `demo-tool` 1.0, last checked 1h ago: ")
    assert (told.status, told.out, len(told.err.splitlines())) == (0, "demo-tool 1.0\n", 1)


@pytest.fixture
def server(index: Index, sandbox: Sandbox) -> Sandbox:
    """Make a user with a shim and a stdio server that was run once."""
    modules: dict[str, str | bytes] = {"demo_mcp.py": SERVER}
    index.publish(Wheel("demo-mcp", "1.0", modules=modules, entry_points={"demo-mcp": "demo_mcp:main"}))
    install(sandbox, sandbox.root / "shim")
    assert sandbox.uvx("demo-mcp").status == 0
    sandbox.wait_quiet()
    return sandbox


def converse(sandbox: Sandbox) -> bytes:
    """Start the server as an MCP client does, ask and hear by turns, and return what it said on standard error."""
    with sandbox.popen(["uvx", "demo-mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, method in enumerate(["initialize", "tools/list", "tools/call"]):
            params = {"text": "häß\u2028lich", "number": number}
            asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            process.stdin.write(json.dumps(asked, ensure_ascii=False).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line.endswith(b"}\r\n")
            expected = {"method": method, "params": params, "pid": process.pid}
            assert json.loads(line) == {"jsonrpc": "2.0", "id": number, "result": expected}
        rest, said = process.communicate(timeout=ENDLESS)  # closes its standard input
        assert (process.returncode, rest) == (0, b"")
        return said


def test_a_stdio_server_has_its_pipes_to_itself(server: Sandbox, index: Index) -> None:
    """The server is the process that was started, hears and says its own bytes only, and its start asks nobody."""
    index.clear_requests()
    assert converse(server) == b""
    assert index.connections() == 0


def test_a_stdio_server_with_the_index_off(server: Sandbox, index: Index) -> None:
    """With the index off a warm server starts as ever; when it is stale, one line on standard error is all that differs."""
    index.stop()
    assert converse(server) == b""
    grow_old(server, 3600)
    said = converse(server)
    assert said.startswith(b"lastgood: warning: running `demo-mcp` 1.0, last checked 1h ago: ")
    assert said.count(b"\n") == 1
    server.wait_quiet()


def test_any_bytes_pass(shim: Path, demo: Index, sandbox: Sandbox) -> None:
    """Standard input and output are the tool's, byte by byte, also while the index is off."""
    del shim
    expect_version(sandbox.uvx("demo-tool", "--version"), "1.0")
    demo.stop()
    sent = bytes(range(256)) * 1000
    told = sandbox.uvx("demo-tool", "--cat", input=sent)
    assert (told.status, told.stdout, told.stderr) == (0, sent, b"")
