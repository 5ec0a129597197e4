"""`target explain`: what it says is what the client says, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from target.emulator import Emulator
from tests.unit.cli.conftest import Target


def test_it_explains_a_request_of_a_file(target: Target, rules: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"id": {"tntId": "anna"}, "execute": {"mboxes": [{"name": "home"}]}}))
    ended = target("explain", rules, "--request", request)
    assert (ended.code, ended.err) == (0, "")
    assert "mbox home (execute): shown by the visitor's share" in ended.out
    told = json.loads(target("explain", rules, "--request", request, "--json").out)
    (part,) = told["parts"]
    assert part["reason"] == "split"
    assert [rule["verdict"] for rule in part["rules"]].count("won") == 1


def test_flags_make_a_request_too(target: Target, rules: Path) -> None:
    by_id = {
        target("explain", rules, "home", "--tnt-id", name, "--json").out.count("won") for name in ("anna", "ben", "cem")
    }
    assert by_id == {1}
    ended = target("explain", rules, "--views", "--page-load", "--param", "a=b")
    assert ended.code == 0
    assert "page load" in ended.out


def test_rules_come_from_an_address_too(target: Target, served: Emulator, rules: Path) -> None:
    url = f"{served.url}/acmeclient/production/v1/rules.json"
    ended = target("explain", url, "home", "--tnt-id", "anna")
    assert ended == target("explain", rules, "home", "--tnt-id", "anna")
    assert ended.code == 0


def test_what_to_explain_is_needed(target: Target, rules: Path) -> None:
    ended = target("explain", rules)
    assert ended.code == 2
    assert "Say what to explain: --request FILE, an MBOX, --view, --views or --page-load." in ended.err
    missing = target("explain", "nowhere.json", "home")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "target: nowhere.json: No such file or directory\n"
