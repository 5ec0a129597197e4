"""Whom a command asks: flags win over the environment, which wins over the profile; an emulator keeps everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from target.cli.account import read_account
from target.emulator import Emulator
from tests.unit.cli.conftest import Target

Profile = Callable[[bytes | str], Path]


@pytest.mark.usefixtures("target")
def test_flags_win_over_the_environment_which_wins_over_the_profile(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile("[default]\nclient = 'of-profile'\norganization_id = 'p@AdobeOrg'\ntimeout = 700\n[b]\nclient = 'of-b'\n")
    assert read_account({}) == {"client": "of-profile", "organization_id": "p@AdobeOrg", "timeout": 700}
    assert read_account({"profile": "b"}) == {"client": "of-b"}
    monkeypatch.setenv("TARGET_CLIENT", "of-environment")
    monkeypatch.setenv("TARGET_SECURE", "no")
    assert read_account({})["client"] == "of-environment"
    assert read_account({})["secure"] is False
    assert read_account({"client": "of-flag"})["client"] == "of-flag"


def test_an_account_is_asked_by_its_profile(target: Target, profile: Profile, emulator: Emulator) -> None:
    profile(
        "[default]\nclient = 'acmeclient'\norganization_id = 'a@AdobeOrg'\nsecure = false\nedge_routing = false\n"
        f"server_domain = '{emulator.server_domain}'\nproperty_token = 'of-profile'\n"
    )
    assert target("offers", "home").code == 0
    assert target("offers", "home", "--property-token", "of-flag").code == 0
    assert [each.body["property"]["token"] for each in emulator.received] == ["of-profile", "of-flag"]


def test_an_emulator_is_asked_whatever_the_profile_says(target: Target, profile: Profile, emulator: Emulator) -> None:
    profile(
        "[default]\nclient = 'of-profile'\nproxy = 'http://127.0.0.1:9'\nserver_domain = 'elsewhere.example'\n"
        "artifact_location = 'https://elsewhere.example/rules.json'\ncdn_base_path = 'https://elsewhere.example'\n"
        "decisioning_method = 'on-device'\n"
    )
    ended = target("offers", "home", "--emulator", emulator.url)
    assert (ended.code, ended.err) == (0, "")
    assert target("offers", "home", "--emulator", emulator.server_domain).code == 0  # without a scheme


@pytest.mark.parametrize(
    "url", ["home", "ftp://a:1", "http://", "http://[::1", "http://u:p@a:1", "http://a:1/x", "a:b", "http://a:99999"]
)
def test_what_is_no_url_of_an_emulator_is_told(target: Target, url: str) -> None:
    ended = target("offers", "a", "--emulator", url)
    assert ended.code == 2
    assert f"--emulator: {url!r} is no URL of an emulator" in ended.err


@pytest.mark.usefixtures("target")
def test_rules_name_the_client_that_allocates(rules: Path, profile: Profile) -> None:
    profile("[default]\nclient = 'of-profile'\nartifact_location = 'https://elsewhere.example/rules.json'\n")
    named = json.loads(rules.read_text())["meta"]["clientCode"]
    account: dict[str, Any] = {"artifact": str(rules)}
    options = read_account(account)
    assert options["client"] == named
    assert options["decisioning_method"] == "on-device"
    assert "artifact_location" not in options
    assert read_account({**account, "client": "of-flag"})["client"] == "of-flag"
    with pytest.raises(click.UsageError, match="give one of them"):
        read_account({**account, "emulator": "http://127.0.0.1:8080"})


def test_rules_that_are_none_are_told_by_their_place(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    for content, said in (
        ("[]", "must be "),
        ("{", "line 1, column 2"),
        ('{"version": "1.0.0", "rules": []}', "/rules: "),
    ):
        path.write_text(content)
        for command in (["offers", "home", "--artifact", path], ["explain", path, "home"]):
            ended = target(*command)
            assert ended.code == 1
            assert ended.err.startswith(f"target: {path}: ")
            assert said in ended.err
            assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TARGET_CLINET", "a", "Unknown environment variable 'TARGET_CLINET': did you mean 'TARGET_CLIENT'?"),
        ("TARGET_TIMEOUT", "soon", "The environment variable TARGET_TIMEOUT cannot be used: it must be a number"),
    ],
)
def test_a_wrong_variable_is_one_line(
    target: Target, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert target("offers", "home") == (1, "", f"target: {said}\n")
