"""Every scenario replays from its cassette, with the network blocked and another client than recorded it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException

from target import TargetClient
from tests.contract import tape
from tests.contract.conftest import Network
from tests.contract.handmade import HANDMADE
from tests.contract.recorded import FACTS, RECORDED
from tests.contract.scenario import Scenario, Steps, get_offers, run

LIVE_CASSETTES = sorted(path.stem for path in tape.LIVE.glob("*.yaml"))


def replay(client: TargetClient, folder: Path, name: str, scenario: Scenario) -> object:
    with tape.tape(folder).use_cassette(f"{name}.yaml") as cassette:
        facts = run(scenario, client)
        assert cassette.all_played
    return facts


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_scenario(replaying: TargetClient, name: str) -> None:
    assert replay(replaying, tape.RECORDED, name, RECORDED[name]) == FACTS[name]


@pytest.mark.parametrize("name", HANDMADE)
def test_handmade_scenario(replaying: TargetClient, name: str) -> None:
    replay(replaying, tape.HANDMADE, name, HANDMADE[name])


def test_live_cassettes(replaying: TargetClient) -> None:
    """What the account answered is its own, so the checks within the scenarios are all there is."""
    if not LIVE_CASSETTES:
        pytest.skip("no live account was recorded: make record TARGET_CLIENT=... TARGET_ORG=...")
    assert set(LIVE_CASSETTES) <= RECORDED.keys(), "delete the live cassettes of scenarios that are gone"
    for name in LIVE_CASSETTES:
        replay(replaying, tape.LIVE, name, RECORDED[name])


@pytest.mark.parametrize(
    "options",
    [
        {"server_domain": "target.example.com:8443", "edge_routing": False},
        {"server_domain": "127.0.0.1:9", "secure": False, "edge_routing": False},
        {"target_location_hint": "41"},
    ],
    ids=["custom domain", "plain loopback port", "edge cluster"],
)
def test_cassettes_replay_on_any_host(options: dict[str, Any]) -> None:
    with TargetClient.create(client="other", organization_id="other@AdobeOrg", **options) as client:
        for name in ("prefetch_then_display", "session_over_two_calls"):
            assert replay(client, tape.RECORDED, name, RECORDED[name]) == FACTS[name]


@pytest.mark.parametrize(("folder", "scenarios"), [(tape.RECORDED, RECORDED), (tape.HANDMADE, HANDMADE)])
def test_each_scenario_has_its_cassette(folder: Path, scenarios: dict[str, Scenario]) -> None:
    assert {path.name for path in folder.iterdir()} == {f"{name}.yaml" for name in scenarios}


def test_each_recorded_scenario_has_its_facts() -> None:
    assert FACTS.keys() == RECORDED.keys()


def test_a_wrong_answer_fails_its_scenario(replaying: TargetClient, tmp_path: Path) -> None:
    cassette = yaml.safe_load((tape.RECORDED / "prefetch_then_display.yaml").read_text(encoding="utf-8"))
    answer = cassette["interactions"][1]["response"]["body"]
    assert answer["string"].count('"id": "1"') == 1
    answer["string"] = answer["string"].replace('"id": "1"', '"id": "another"')
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(cassette), encoding="utf-8")
    with pytest.raises(AssertionError, match="another"):
        replay(replaying, tmp_path, "wrong", RECORDED["prefetch_then_display"])


def test_the_token_of_another_option_is_no_match(replaying: TargetClient, tmp_path: Path) -> None:
    """Placeholders keep tokens apart: a client that sends back the wrong one is found out."""
    cassette = yaml.safe_load((tape.RECORDED / "prefetch_then_display.yaml").read_text(encoding="utf-8"))
    answer = cassette["interactions"][0]["response"]["body"]
    shown = cassette["interactions"][1]["request"]["body"].split('"tokens": [')[1].split('"')[1]
    assert answer["string"].count(shown) == 1
    answer["string"] = answer["string"].replace(shown, "EVENT-TOKEN-of-another")
    (tmp_path / "swapped.yaml").write_text(yaml.safe_dump(cassette), encoding="utf-8")
    with pytest.raises(CannotOverwriteExistingCassetteException, match="EVENT-TOKEN-of-another"):
        replay(replaying, tmp_path, "swapped", RECORDED["prefetch_then_display"])


def test_a_call_that_was_not_recorded_is_refused_and_not_sent(replaying: TargetClient, network: Network) -> None:
    with (
        tape.tape(tape.HANDMADE).use_cassette("error_400.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        replaying.get_offers(request={"execute": {"mboxes": [{"name": "elsewhere"}]}})
    assert network.attempts == []


def test_a_missing_cassette_is_not_made(replaying: TargetClient, tmp_path: Path) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException):
        replay(replaying, tmp_path, "missing", RECORDED["execute_one_mbox"])
    assert list(tmp_path.iterdir()) == []


def test_a_call_without_a_cassette_fails_the_test(replaying: TargetClient, network: Network) -> None:
    def ask() -> Steps:
        return (yield get_offers(request={"execute": {"pageLoad": {}}}))

    with pytest.raises(pytest.fail.Exception, match="tried to reach"):
        run(ask, replaying)
    assert network.attempts
    network.attempts.clear()


@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_a_socket_cannot_connect(request: pytest.FixtureRequest, way: str) -> None:
    """In any test of this folder: this one asks for no fixture that blocks."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket() as caller,
        pytest.raises(pytest.fail.Exception),
    ):
        getattr(caller, way)(listening.getsockname())
    network: Network = request.getfixturevalue("network")
    assert network.attempts == ["127.0.0.1"]
    network.attempts.clear()
