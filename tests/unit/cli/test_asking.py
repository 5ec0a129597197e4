"""`target offers` and `target attributes`: whom they ask, and what they print."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from target.emulator import Emulator
from tests.unit.cli.conftest import Target

FLAGS = "feature-flag-a"


def place_nothing(*_: Any) -> Any:
    raise AssertionError("a socket was opened")


def test_offers_are_printed_for_people_and_as_json(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "home", "--emulator", emulator.url, "--tnt-id", "anna")
    assert ended.code == 0
    name, content, by = ended.out.splitlines()
    assert name == "home"
    assert content.startswith("  <h1>Summer sale: ")
    assert by.startswith("  (Summer sale on the home page, ")
    told = json.loads(target("offers", "home", "--emulator", emulator.url, "--tnt-id", "anna", "--json").out)
    option = told["response"]["execute"]["mboxes"][0]["options"][0]
    assert f"  {option['content']}" == content
    assert [each.body["id"]["tntId"] for each in emulator.received] == ["anna", "anna"]


def test_an_mbox_that_nothing_fills_is_default_content(target: Target, emulator: Emulator) -> None:
    assert target("offers", "nobody-fills-it", "--emulator", emulator.url).out == "nobody-fills-it\n  default content\n"


def test_views_and_the_page_load_are_printed_too(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "--views", "--page-load", "--emulator", emulator.url)
    assert ended.code == 0
    assert "page load\n" in ended.out
    assert "view " in ended.out
    (received,) = emulator.received
    assert received.body["prefetch"] == {"views": [{}]}
    assert received.body["execute"] == {"pageLoad": {}}


def test_attributes_are_values(target: Target, emulator: Emulator) -> None:
    told = json.loads(target("attributes", FLAGS, "--emulator", emulator.url, "--json").out)
    assert told[FLAGS].keys() == {"paymentExperience", "showFeatureX"}
    shown = target("attributes", FLAGS, "--emulator", emulator.url).out.splitlines()
    assert shown[0] == FLAGS
    assert {line.split(" = ")[0] for line in shown[1:]} == {"  paymentExperience", "  showFeatureX"}


def test_flags_go_with_the_mboxes_of_attributes(target: Target, emulator: Emulator) -> None:
    target("attributes", FLAGS, "--emulator", emulator.url, "--param", "level=gold", "--url", "https://shop.example/")
    (received,) = emulator.received
    assert received.body["execute"]["mboxes"][0]["parameters"] == {"level": "gold"}
    assert received.body["context"]["address"] == {"url": "https://shop.example/"}


@pytest.mark.parametrize("command", ["offers", "attributes", "explain"])
def test_rules_in_a_file_open_no_socket(
    target: Target, rules: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", place_nothing)
    monkeypatch.setattr(socket, "getaddrinfo", place_nothing)
    monkeypatch.setattr(socket.socket, "connect", place_nothing)
    first = [command, rules, FLAGS] if command == "explain" else [command, FLAGS, "--artifact", rules]
    ended = target(*first, "--geo", "ip=203.0.113.7", "--tnt-id", "anna")
    assert ended.code == 0
    assert FLAGS in ended.out


def test_decisions_in_process_fetch_the_emulators_rules_and_tell_of_them(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "home", "--emulator", emulator.url, "--decisioning-method", "on-device", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["meta"]["decisioning_method"] == "on-device"
    assert [each["notification"]["mbox"]["name"] for each in emulator.notifications] == ["home"]


def test_what_is_asked_is_needed(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "--emulator", emulator.url)
    assert ended.code == 2
    assert "Say what to ask for: an MBOX, --view" in ended.err
    assert not emulator.received


def test_what_controls_a_terminal_is_shown_and_not_obeyed(target: Target, emulator: Emulator) -> None:
    emulator.use_offers({"mboxes": {"evil": [{"type": "html", "content": "a\x1b]0;mine\x07b"}]}})
    try:
        assert "a\\x1b]0;mine\\x07b" in target("offers", "evil", "--emulator", emulator.url).out
    finally:
        emulator.reset()


def test_errors_of_the_api_are_one_line(target: Target, emulator: Emulator) -> None:
    emulator.fail_next(9, "503")
    ended = target("offers", "home", "--emulator", emulator.url)
    assert (ended.code, ended.out) == (1, "")
    assert "503" in ended.err
    assert ended.err.count("\n") == 1


def test_names_that_only_the_server_decides_are_shown_and_not_obeyed(target: Target, rules: Path) -> None:
    ended = target("offers", "a\x1b[31m", "--artifact", rules)
    assert ended.out.splitlines()[-1] == "Only the server can decide all of: a\\x1b[31m"


def test_where_nobody_was_asked_it_says_why(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CLIENT": "acme", "ORGANIZATION_ID": "1@AdobeOrg", "OFFLINE": "1", "EXCLUDE_BOTS": "1"}.items():
        monkeypatch.setenv(f"TARGET_{name}", value)
    offline = target("offers", "home")
    assert (offline.code, offline.out) == (0, "home\n  default content\nNobody was asked: the option offline is set\n")
    bot = target("offers", "home", "--user-agent", "kube-probe/1.27")
    assert bot.out.endswith("Nobody was asked: the option exclude_bots is set, and this is a bot's user agent\n")
