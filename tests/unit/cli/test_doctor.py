"""`target doctor`: every finding has advice, and makes the exit code 1."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from target.cli.doctor import _rules_url
from target.emulator import Emulator, running
from tests.unit.cli.conftest import Target


@pytest.mark.slow
def test_an_emulator_is_well(target: Target, emulator: Emulator) -> None:
    ended = target("doctor", "--emulator", emulator.url)
    assert (ended.code, ended.err) == (0, "")
    assert f"ok  delivery: {emulator.server_domain} answers in " in ended.out
    assert "ok  rules: version 1.0.0, " in ended.out
    assert "\x1b" not in ended.out


@pytest.mark.slow
def test_for_machines_it_is_json(target: Target, emulator: Emulator) -> None:
    checks = json.loads(target("doctor", "--emulator", emulator.url, "--json").out)
    assert {check["verdict"] for check in checks} <= {"ok", "note"}
    named = [check["name"] for check in checks]
    assert [name for name in named if not name.startswith("extra ")] == [
        "version",
        "name",
        "packages",
        "settings",
        "proxy",
        "delivery",
        "certificate",
        "clock",
        "rules",
    ]


@pytest.mark.slow
def test_a_host_that_is_away_is_a_finding_with_advice(target: Target) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ended = target("doctor", "--emulator", url, "--json")
    assert ended.code == 1
    found = [check for check in json.loads(ended.out) if check["verdict"] == "finding"]
    assert [check["name"] for check in found] == ["delivery", "rules"]
    assert all(check["advice"] for check in found)


@pytest.mark.slow
def test_what_else_is_named_target_is_a_finding(target: Target, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text("")
    ended = target("doctor", "--emulator", emulator.url)
    assert ended.code == 1
    assert f"finding  name: also named target: {tmp_path / 'target.py'}" in ended.out


@pytest.mark.slow
def test_without_an_account_it_checks_what_is_here(target: Target) -> None:
    ended = target("doctor")
    assert ended.code == 0
    assert "note  account: no client code is known" in ended.out
    assert "  delivery: " not in ended.out


@pytest.mark.slow
def test_what_options_come_from_is_told(
    target: Target, profile: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = profile("[default]\ntimeout = 500\n")
    monkeypatch.setenv("TARGET_SECURE", "no")
    assert f"ok  settings: TARGET_SECURE, {path}" in target("doctor").out


@pytest.mark.waits
def test_https_is_checked_by_the_certificates_of_the_flag(target: Target) -> None:
    with running(tls=True) as emulator:
        well = target("doctor", "--emulator", emulator.url, "--ca-certs", emulator.ca_file)
        unknown = target("doctor", "--emulator", emulator.url)
    assert "certificate: 127.0.0.1: valid until " in well.out
    assert "ok  rules: " in well.out
    assert unknown.code == 1


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://assets.adobetarget.com/acme/production/v1/rules.json"),
        ({"cdn_environment": "staging"}, "https://assets.staging.adobetarget.com/acme/production/v1/rules.json"),
        (
            {"environment": "Staging", "property_token": "p"},
            "https://assets.adobetarget.com/acme/staging/v1/p/rules.json",
        ),
        ({"cdn_base_path": "http://127.0.0.1:1"}, "http://127.0.0.1:1/acme/production/v1/rules.json"),
        ({"artifact_location": "https://a.example/r.json"}, "https://a.example/r.json"),
    ],
)
def test_rules_are_where_clients_find_them(options: dict[str, str], url: str) -> None:
    assert _rules_url({"client": "acme", **options}) == url


@pytest.mark.slow
def test_that_clients_are_offline_is_a_note(
    target: Target, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setenv("TARGET_OFFLINE", "1")
    ended = target("doctor", "--emulator", emulator.url)
    assert ended.code == 0
    assert "note  offline: clients with these options open no socket" in ended.out
