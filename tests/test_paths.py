"""Where the state lives by default, and which of it is believed."""

from __future__ import annotations

import os
import pwd
import sys

import platformdirs
import pytest

from lastgood import paths


@pytest.mark.parametrize("data", [None, "/somewhere/data", "relative/data"])
def test_the_default_home_is_the_users_data_directory(monkeypatch: pytest.MonkeyPatch, data: str | None) -> None:
    """The few lines of the hot path say what platformdirs says, also where XDG_DATA_HOME is set or invalid (a relative path)."""
    monkeypatch.setenv("HOME", "/home/someone")
    environ = {"HOME": "/home/someone"}
    if data is None:
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_DATA_HOME", data)
        environ["XDG_DATA_HOME"] = data
    if data == "relative/data":
        # the XDG Base Directory specification: "all paths must be absolute"; an invalid one is ignored
        assert paths.default_home(environ) == paths.default_home({"HOME": "/home/someone"})
    elif sys.platform == "darwin":
        assert paths.default_home(environ) == "/home/someone/Library/Application Support/lastgood"
    else:
        assert paths.default_home(environ) == platformdirs.user_data_dir("lastgood", appauthor=False)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "/home/someone"}])
def test_a_home_that_begins_with_a_tilde(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """It lies in the user's home directory, also where HOME is empty, which is not the root of the machine."""
    monkeypatch.setenv("HOME", environ.get("HOME", ""))
    beneath = environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    assert paths.home({**environ, "LASTGOOD_HOME": "~/kept"}) == f"{beneath}/kept"
    assert paths.home({**environ, "LASTGOOD_HOME": "~"}) == beneath
    assert paths.home({**environ, "LASTGOOD_HOME": "~root/kept"}) == f"{pwd.getpwnam('root').pw_dir}/kept"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_a_home_the_machine_knows_one(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """Where HOME is not set, or is empty, the password database says where the user's data directory is."""
    monkeypatch.setenv("HOME", "")
    assert paths.user_home(environ) == pwd.getpwuid(os.getuid()).pw_dir
    assert paths.default_home(environ).startswith(pwd.getpwuid(os.getuid()).pw_dir + "/")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a b", "a\n", "x" * 200])
def test_a_name_that_leads_elsewhere_is_no_name_of_the_store(name: str) -> None:
    """State names what gets executed: its names cannot leave the home."""
    assert not paths.plain(name)
