"""`make record`: over real HTTP, the same bytes every time, nothing given away, and the committed cassettes are its."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target import TargetClient
from target.emulator import Emulator, load_offers, running
from target.options import ClientOptions
from tests.contract import record, tape
from tests.contract.recorded import ANSWERED_SECRETS, FACTS, RECORDED, SENT_SECRETS
from tests.contract.scenario import get_offers, run
from tests.kit.processes import ROOT


@pytest.fixture
def emulator(loopback: None) -> Iterator[Emulator]:
    with running(load_offers(record.OFFERS)) as emulator:
        yield emulator


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_recording_again_gives_the_committed_bytes(emulator: Emulator, tmp_path: Path) -> None:
    """Fails when client, emulator or scenarios have changed: then run `make record` and look at the difference."""
    assert record.record(record.emulator_account(emulator), tmp_path / "once") == []
    emulator.reset()
    assert record.record(record.emulator_account(emulator), tmp_path / "twice") == []
    assert contents(tmp_path / "once") == contents(tmp_path / "twice") == contents(tape.RECORDED)
    # Recorded means sent: each call arrived, and each secret that must not be found went over the wire.
    calls = sum(text.count("- request:") for text in contents(tape.RECORDED).values())
    assert len(emulator.received) == calls > len(RECORDED)
    sent = json.dumps([[dict(call.query), call.body] for call in emulator.received])
    assert [secret for secret in SENT_SECRETS if secret not in sent] == []
    offers = record.OFFERS.read_text(encoding="utf-8")
    assert [secret for secret in ANSWERED_SECRETS if secret not in offers] == []
    accepted = [entry for entry in emulator.notifications if entry["notification"]["tokens"]]
    assert len(accepted) == 3
    assert all(entry["known"] for entry in accepted)


def test_facts_are_the_same_while_recording(emulator: Emulator) -> None:
    with TargetClient.create(**record.emulator_account(emulator)) as client:
        assert {name: run(scenario, client) for name, scenario in RECORDED.items()} == FACTS


@pytest.mark.slow
def test_the_command_records_from_an_account(emulator: Emulator, tmp_path: Path) -> None:
    """As make runs it, with the variables that make hands on; an emulator stands in for the account."""
    done = subprocess.run(
        [sys.executable, "tests/contract/record.py", str(tmp_path)],
        env={
            **os.environ,
            "TARGET_CLIENT": "somebody",
            "TARGET_ORG": "6D0A7C55B2F14E1A@AdobeOrg",
            "TARGET_SERVER_DOMAIN": emulator.server_domain,
            "TARGET_SECURE": "false",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"recorded {len(RECORDED)} scenarios into {tmp_path}\n"
    assert {call.query["imsOrgId"] for call in emulator.received} == {"6D0A7C55B2F14E1A@AdobeOrg"}
    assert contents(tmp_path) == contents(tape.RECORDED)


def test_another_account_replays_with_its_own_offers(loopback: None, replaying: TargetClient, tmp_path: Path) -> None:
    """The checks within the scenarios hold for an account that has none of the offers."""
    with running({"client": "bare", "edgeHost": "mboxedge7.tt.omtrdc.net"}) as emulator:
        account: ClientOptions = {**record.emulator_account(emulator), "client": "bare"}
        assert record.record(account, tmp_path) == []
    for name, scenario in RECORDED.items():
        with tape.tape(tmp_path).use_cassette(f"{name}.yaml") as cassette:
            facts = run(scenario, replaying)
            assert cassette.all_played
        if name == "session_over_two_calls":
            assert facts == "7"


def test_what_goes_wrong_is_reported_and_not_written(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong() -> Any:
        yield get_offers(request={"execute": {"pageLoad": {}}})
        raise AssertionError("not as expected")

    def failing() -> Any:
        yield get_offers(request={"execute": {"pageLoad": {}}, "id": {"thirdPartyId": "x" * 300}})

    def leaking() -> Any:
        yield get_offers(request={"execute": {"pageLoad": {"parameters": {"visitor": "leakmarker-session"}}}})

    def fine() -> Any:
        yield get_offers(request={"execute": {"pageLoad": {}}})

    scenarios = {scenario.__name__: scenario for scenario in (wrong, failing, leaking, fine)}
    monkeypatch.setattr(record, "RECORDED", scenarios)
    (tmp_path / "failing.yaml").write_text("as it was", encoding="utf-8")
    problems = record.record(record.emulator_account(emulator), tmp_path)
    assert [problem.split(":")[0] for problem in problems] == ["wrong", "failing", "leaking"]
    assert "AssertionError not as expected at 'raise AssertionError" in problems[0]
    assert "ApiError Adobe Target answered 400" in problems[1]
    assert "secret 'leakmarker-session'" in problems[2]
    assert contents(tmp_path).keys() == {"failing.yaml", "fine.yaml"}
    assert (tmp_path / "failing.yaml").read_text(encoding="utf-8") == "as it was"


@pytest.mark.parametrize(
    ("environment", "account"),
    [
        ({}, None),
        ({"TARGET_CLIENT": "", "TARGET_ORG": ""}, None),
        (
            {"TARGET_CLIENT": "acme", "TARGET_ORG": "1@AdobeOrg"},
            {"client": "acme", "organization_id": "1@AdobeOrg", "secure": True},
        ),
        (
            {"TARGET_CLIENT": "acme", "TARGET_ORG": "1@AdobeOrg", "TARGET_SERVER_DOMAIN": "t.acme.com"},
            {
                "client": "acme",
                "organization_id": "1@AdobeOrg",
                "server_domain": "t.acme.com",
                "edge_routing": False,
                "secure": True,
            },
        ),
    ],
)
def test_the_account_in_the_environment(environment: dict[str, str], account: ClientOptions | None) -> None:
    assert record.parse_account(environment) == account


@pytest.mark.parametrize(
    "environment",
    [
        {"TARGET_CLIENT": "acme"},
        {"TARGET_ORG": "1@AdobeOrg"},
        {"TARGET_SERVER_DOMAIN": "t.acme.com"},
        {"TARGET_CLIENT": "acme", "TARGET_ORG": "1@AdobeOrg", "TARGET_SECURE": "no"},
    ],
)
def test_half_an_account_is_refused(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(environment, []) == 1
    assert "TARGET_" in capsys.readouterr().err
