"""The file of profiles: what it may hold, and what is said of anything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.cli.inputs import profile_path, read_profile
from target.cli.known import CLIENT_OPTIONS
from tests.unit.cli.conftest import Target

Profile = Callable[[bytes | str], Path]

#: Files of profiles that cannot be used: what is said of each, after its name.
HOSTILE: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"[default\n", "not TOML ("),
    "binary": (b"\x00\xff\xfe\x80", "byte 1: not UTF-8"),
    "too deep": (b"[default]\na = " + b"[" * 100_000, "nested too deeply"),
    "a key twice": (b"[default]\nclient = 'a'\nclient = 'b'\n", "not TOML ("),
    "a key that is misspelt": (b"[default]\nclinet = 'a'\n", "[default] clinet: is no option; did you mean 'client'?"),
    "a key like no other": (b"[default]\nzzzz = 1\n", "[default] zzzz: is no option; docs/options.md has them"),
    "outside of a profile": (b"client = 'a'\n", "client: stands outside of a profile; write [default] above it"),
    "text for a number": (b"[default]\ntimeout = '500'\n", "[default] timeout: Option 'timeout' must be "),
    "a date for text": (b"[default]\nclient = 2026-11-26\n", "[default] client: Option 'client' must be "),
    "a list for a flag": (b"[default]\nsecure = []\n", "[default] secure: Option 'secure' must be "),
    "a URL for a host": (b"[default]\nserver_domain = 'http://a'\n", "[default] server_domain: Option 'server_domain'"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_holds_no_profile_is_one_line(target: Target, profile: Profile, case: str) -> None:
    content, said = HOSTILE[case]
    path = profile(content)
    ended = target("offers", "home")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"target: {path}: {said}")
    assert ended.err.count("\n") == 1


def test_profiles_are_found_by_name(target: Target, profile: Profile) -> None:
    assert "there is no such file, and so no profile 'b'" in target("offers", "home", "--profile", "b").err
    path = profile("[default]\n[a]\n")
    assert target("offers", "home", "--profile", "b").err == (
        f"target: {path}: has no profile [b]; there are: default, a\n"
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(target: Target, profile: Profile) -> None:
    profile("[default]\n").chmod(0)
    assert "cannot be read (Permission denied)" in target("offers", "home").err


def test_without_a_home_there_is_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where nobody has this user id
    assert read_profile(None, CLIENT_OPTIONS) == {}


def test_profiles_are_where_others_keep_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    if os.name != "nt":
        assert profile_path() == tmp_path / ".config/target/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "x"))
    assert profile_path() == tmp_path / "x/target/config.toml"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_it_holds_it_is_options_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "hostile" / "target"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CONFIG_HOME", str(folder.parent))
        try:
            options, said = read_profile(None, CLIENT_OPTIONS), ""
        except click.ClickException as problem:
            options, said = {}, problem.message
    assert options.keys() <= CLIENT_OPTIONS.keys()
    assert not said or said.startswith(f"{folder / 'config.toml'}: ")
