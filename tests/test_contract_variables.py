"""Every UV_* variable that decides what is resolved is part of what a record is kept under."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from lastgood import request
from tests.support.interpreters import another_python, uv_binary, version_of
from tests.support.oracle import Dump, Oracle

if TYPE_CHECKING:
    from tests.conftest import SandboxFactory
    from tests.support.index import Index
    from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.contract

# Variables that decide, with a value that must show: proof that a dump without a difference means something.
DECIDING = {
    "UV_BUILD_CONSTRAINT": "build.txt",
    "UV_CONFIG_FILE": "index.toml",
    "UV_CONSTRAINT": "constraints.txt",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:1/",
    "UV_EXCLUDE_NEWER": "2024-01-01",
    "UV_EXTRA_INDEX_URL": "http://127.0.0.1:1/",
    "UV_FIND_LINKS": "http://127.0.0.1:1/",
    "UV_FORK_STRATEGY": "fewest",
    "UV_GIT_LFS": "1",
    "UV_INDEX": "http://127.0.0.1:1/",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_INDEX_URL": "http://127.0.0.1:1/",
    "UV_ISOLATED": "1",
    "UV_MANAGED_PYTHON": "1",
    "UV_NO_BINARY": "1",
    "UV_NO_BINARY_PACKAGE": "x",
    "UV_NO_BUILD": "1",
    "UV_NO_BUILD_ISOLATION": "1",
    "UV_NO_BUILD_PACKAGE": "x",
    "UV_NO_CONFIG": "1",
    "UV_NO_MANAGED_PYTHON": "1",
    "UV_NO_SOURCES": "1",
    "UV_NO_SOURCES_PACKAGE": "x",
    "UV_NO_SYSTEM_CONFIG": "1",
    "UV_OVERRIDE": "overrides.txt",
    "UV_PRERELEASE": "allow",
    "UV_PREVIEW": "1",
    "UV_PREVIEW_FEATURES": "pylock",
    "UV_PYTHON": "3.12",
    "UV_PYTHON_PREFERENCE": "only-system",
    "UV_REQUIRE_BUILD_HASHES": "1",
    "UV_RESOLUTION": "lowest",
    "UV_TORCH_BACKEND": "cpu",
}
# Variables that decide without a setting to show for it: where interpreters are, which builds and kinds of them count, what the
# graphics card is taken for, and what a broken archive is forgiven.
UNSEEN = {
    "UV_PYTHON_SEARCH_PATH",
    "UV_PYTHON_INSTALL_DIR",
    "UV_PYTHON_CPYTHON_BUILD",
    "UV_PYTHON_PYPY_BUILD",
    "UV_PYTHON_GRAALPY_BUILD",
    "UV_PYTHON_PYODIDE_BUILD",
    "UV_LIBC",
    "UV_CUDA_DRIVER_VERSION",
    "UV_AMD_GPU_ARCHITECTURE",
    "UV_INSECURE_NO_ZIP_VALIDATION",
}
SECRET = {
    "UV_API_KEY",
    "UV_AUTH_TOKEN",
    "UV_GITHUB_TOKEN",
    "UV_INDEX_PRIVATE_PASSWORD",
    "UV_INDEX_PRIVATE_USERNAME",
    "UV_PUBLISH_TOKEN",
}
# Values to try where one is not known: uv refuses those of another type, and one of them is of the right one.
ANY_VALUE = ("1", "true", "x", "http://127.0.0.1:1/", "2024-01-01", "elsewhere", "constraints.txt")
FITTING = {
    **DECIDING,
    "UV_LINK_MODE": "copy",
    "UV_KEYRING_PROVIDER": "subprocess",
    "UV_PYTHON_DOWNLOADS": "manual",
    "UV_INIT_BUILD_BACKEND": "uv",
    "UV_PROJECT": "elsewhere",
    "UV_WORKING_DIR": "elsewhere",
    "UV_WORKING_DIRECTORY": "elsewhere",
    "UV_ENV_FILE": "variables.env",
}
# The machine's code holds longer names in pieces of eight bytes, of which only the first can be seen; the letter is an instruction.
PIECE = re.compile(r"UV_[A-Z_]{5}[HI]")


@pytest.fixture
def sandbox(sandbox_factory: SandboxFactory) -> Sandbox:
    """Make a user with no variable of uv's, and with the files that the values name."""
    sandbox = sandbox_factory(None)
    for name in [name for name in sandbox.env if name.startswith("UV_")]:
        del sandbox.env[name]
    for name in ("constraints.txt", "build.txt", "overrides.txt", "variables.env"):
        (sandbox.work / name).touch()
    (sandbox.work / "elsewhere").mkdir()
    (sandbox.work / "index.toml").write_text('[[index]]\nurl = "http://127.0.0.1:1/"\n')
    return sandbox


@pytest.fixture
def oracle(sandbox: Sandbox) -> Oracle:
    """Ask the uv of that user, whose two configuration files both show."""
    (sandbox.config_home / "uv").mkdir()
    (sandbox.config_home / "uv" / "uv.toml").write_text('resolution = "highest"\n')
    (sandbox.root / "system-config" / "uv" / "uv.toml").write_text('prerelease = "if-necessary"\n')
    return Oracle(sandbox)


def with_variable(oracle: Oracle, name: str) -> Dump | None:
    """Return the settings with a variable set to a value that uv takes; None where it takes none that we know."""
    values = (FITTING[name],) if name in FITTING else ANY_VALUE
    return next((dump for value in values if (dump := oracle.dump(["T"], {name: value})) is not None), None)


def plain(oracle: Oracle) -> Dump:
    """Return the settings without any variable of uv's."""
    dump = oracle.dump(["T"])
    assert dump is not None
    return dump


@cache
def names_in_the_binary() -> frozenset[str]:
    """Return what looks like a variable in uv's binary, cut where a known name ends: the linker glues strings together."""
    found = set()
    for match in re.finditer(rb"UV_(?:(?!UV_)[A-Z0-9_])+", uv_binary().read_bytes()):
        text = match.group().decode()
        known = [name for name in known_names() if text.startswith(name) and not text[len(name) :].startswith("_")]
        if not PIECE.fullmatch(text) or text in known:
            found.add(max(known, key=len, default=text))
    return frozenset(found)


@cache
def known_names() -> frozenset[str]:
    """Return every name that a table of lastgood's or of this file says something about."""
    return frozenset({*DECIDING, *UNSEEN, *SECRET, *request._OTHER_VARIABLES})  # noqa: SLF001  # the table is what is tested


def in_the_key(name: str, value: str = "1") -> bool:
    """Whether a variable is part of what a record is kept under."""
    return bool(request.variables({name: value}))


def test_what_decides_is_in_the_key(oracle: Oracle) -> None:
    """No variable of the binary, known or new, changes what is resolved behind lastgood's back."""
    names = names_in_the_binary()
    assert len(names) > 100
    settings = plain(oracle)

    def decided(name: str) -> set[str]:
        dump = with_variable(oracle, name)
        return dump.decides_otherwise_than(settings) if dump is not None else set()

    seen = oracle.each(decided, sorted({*names, *known_names()}))
    assert {name: paths for name, paths in seen if paths and not in_the_key(name)} == {}


@pytest.mark.parametrize("name", sorted(DECIDING))
def test_what_is_in_the_key_decides(oracle: Oracle, name: str) -> None:
    """Each variable that is known to decide does, for the uv that is installed, and splits records."""
    dump = oracle.dump(["T"], {name: DECIDING[name]})
    assert dump is not None
    assert dump.decides_otherwise_than(plain(oracle))
    assert in_the_key(name, DECIDING[name])


@pytest.mark.parametrize("name", sorted(UNSEEN))
def test_what_decides_unseen_is_in_the_key(name: str) -> None:
    """Interpreters and graphics cards that a variable points to split records."""
    assert in_the_key(name)


def test_a_search_path_chooses_the_interpreter(demo: Index, sandbox: Sandbox) -> None:
    """UV_PYTHON_SEARCH_PATH replaces PATH, though no setting shows it."""
    other = another_python()
    if other is None:
        pytest.skip("only one minor version of Python is installed")
    variables = {"UV_DEFAULT_INDEX": demo.url, "UV_PYTHON_SEARCH_PATH": str(other.parent), "UV_PYTHON_DOWNLOADS": "never"}
    dump = sandbox.uvx("demo-tool", "--dump", env=variables)
    assert dump.status == 0, dump.err
    assert dump.json()["python"].startswith("{}.{}.".format(*(version_of(other) or ())))


@pytest.mark.parametrize("name", sorted(DECIDING))
def test_an_empty_variable_that_uv_refuses_finds_no_record(oracle: Oracle, name: str) -> None:
    """A variable that is set to nothing stops most uvx, so it must not find what was kept without it."""
    if oracle.dump(["T"], {name: ""}) is None:
        assert in_the_key(name, "")


@pytest.mark.parametrize("name", sorted(SECRET))
def test_a_secret_is_in_no_key(name: str) -> None:
    """Credentials come and go with every job of a CI, and may be written nowhere."""
    assert not in_the_key(name, "secret")


def test_variables_of_the_environments_looks_change_only_those(oracle: Oracle) -> None:
    """How files are written is read from variables, too, and does not split records."""
    for name in request.WRITE_VARIABLES:
        dump = with_variable(oracle, name)
        assert dump is not None
        assert dump.differs_from(plain(oracle)), name
        assert dump.decides_otherwise_than(plain(oracle)) == set(), name
        assert not in_the_key(name)
