"""`--dry-run` and `--curl`: what would be sent, without ids to read by, or with them to paste."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest

from target.emulator import Emulator
from tests.unit.cli.conftest import Target

SECRETS = {
    "--tnt-id": "tntid-secret",
    "--third-party-id": "party-secret",
    "--ecid": "12345678901234567890123456789012345678",
    "--session-id": "session-secret",
    "--organization-id": "organization-secret@AdobeOrg",
    "--property-token": "property-secret",
}
ASKED = ["home", "--customer-id", "crm=customer-secret", *(each for pair in SECRETS.items() for each in pair)]
HIDDEN = [*SECRETS.values(), "customer-secret"]


def test_a_dry_run_shows_the_request_without_ids(target: Target, emulator: Emulator) -> None:
    ended = target("offers", *ASKED, "--param", "level=gold", "--emulator", emulator.url, "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    head, _, body = ended.out.partition("\n\n")
    request, *headers = head.splitlines()
    assert request == f"POST {emulator.url}/rest/v1/delivery?imsOrgId=orga...&sessionId=sess..."
    assert "Content-Type: application/json" in headers
    sent = json.loads(body)
    assert sent["id"]["tntId"] == "tntid-secret"[:4] + "..."
    assert sent["id"]["customerIds"][0]["id"] == "cust..."
    assert sent["execute"]["mboxes"][0]["parameters"] == {"level": "gold"}
    assert not [each for each in HIDDEN if each in ended.out]
    assert not emulator.received


def test_for_machines_it_is_json_without_ids(target: Target, emulator: Emulator) -> None:
    ended = target("offers", *ASKED, "--emulator", emulator.url, "--dry-run", "--json")
    shown = json.loads(ended.out)
    assert shown["method"] == "POST"
    assert shown["body"]["execute"]["mboxes"][0]["name"] == "home"
    assert not [each for each in HIDDEN if each in ended.out]


def test_tokens_are_no_more_shown_than_ids(target: Target, emulator: Emulator) -> None:
    told = ("notify", "--mbox", "home", "--token", "event-token-secret", "--emulator", emulator.url, "--dry-run")
    ended = target(*told)
    assert '"even..."' in ended.out
    assert "event-token-secret" not in ended.out
    assert not emulator.notifications


def test_attributes_are_dry_too(target: Target, emulator: Emulator) -> None:
    assert target("attributes", "home", "--emulator", emulator.url, "--dry-run").out.startswith("POST ")
    assert not emulator.received


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_command_of_curl_works_as_it_is_pasted(target: Target, emulator: Emulator) -> None:
    odd = 'it\'s "quoted" $HOME `id` \\ é & ;'
    ended = target("offers", *ASKED, "--param", f"odd={odd}", "--emulator", emulator.url, "--curl")
    assert ended.code == 0
    assert ended.err == "This has the ids and tokens of the call in clear: mind where you paste it.\n"
    done = subprocess.run(["sh", "-c", f"{ended.out.strip()} --silent --noproxy '*'"], capture_output=True, check=True)
    assert json.loads(done.stdout)["execute"]["mboxes"][0]["name"] == "home"
    (received,) = emulator.received
    assert received.body["execute"]["mboxes"][0]["parameters"] == {"odd": odd}
    assert received.body["id"]["tntId"] == "tntid-secret"
    assert received.query["sessionId"] == "session-secret"


def test_the_command_of_curl_is_one_line_of_a_shell(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "home", "--param", "a=1\n2", "--emulator", emulator.url, "--curl")
    words = shlex.split(ended.out)
    assert words[:3] == ["curl", "--request", "POST"]
    assert json.loads(words[-1])["execute"]["mboxes"][0]["parameters"] == {"a": "1\n2"}
    assert not emulator.received


def test_the_command_of_curl_trusts_and_goes_the_way_of_the_options(
    target: Target, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_PROXY", "http://proxy.example:3128")
    account = ["--client", "acme", "--organization-id", "1@AdobeOrg", "--ca-certs", "own ca.pem"]
    words = shlex.split(target("offers", "home", *account, "--curl").out)
    assert words[words.index("--cacert") + 1] == "own ca.pem"
    assert words[words.index("--proxy") + 1] == "http://proxy.example:3128"
    assert "--cacert" not in target("offers", "home", "--emulator", emulator.url, "--curl").out
