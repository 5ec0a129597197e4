"""What users give vcrpy, ``target_vcr_config``: records without ids, and plays back whatever ids the next run has."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.request import Request

from target import AsyncTargetClient, OptionsError, TargetClient, TransportError
from target.emulator import running
from target.testing import target_vcr_config
from tests.contract.conftest import Network
from tests.contract.leaks import find_leaks

OFFERS: Any = {"mboxes": {"home": [{"type": "html", "content": "<h1>Sale</h1>"}]}}
CLIENT, ORGANIZATION = "acmesecret", "53A16ACB5CC1D3760A495C99@AdobeOrg"
Visit = Callable[[dict[str, Any]], str]


def visit(options: dict[str, Any], mbox: str = "home") -> str:
    """Two calls of one visitor, as a service's code makes them."""
    with TargetClient.create(options) as client:
        shown = client.get_offers(request=asking(mbox), target_cookie=f"PC#{'c1f5' * 8}.38_0#9999999999")
        told = client.notify(shown, displayed=[mbox])
        assert told.response is not None
        return str(shown.content(mbox))


def visit_on_a_loop(transport: str) -> Visit:
    async def main(options: dict[str, Any]) -> str:
        async with await AsyncTargetClient.create({**options, "transport": transport}) as client:
            shown = await client.get_offers(request=asking("home"))
            await client.notify(shown, displayed=["home"])
            return str(shown.content("home"))

    return lambda options: asyncio.run(main(options))


def asking(mbox: str) -> Any:
    return {
        "prefetch": {"mboxes": [{"name": mbox, "parameters": {"sku": "a"}}]},
        "property": {"token": "0dcb9ad1-8c3b-4f61-8c0d-2f5e7a9b0d13"},
        "id": {"thirdPartyId": "user-4711", "marketingCloudVisitorId": "07327024324407615852294135870030620007"},
        "context": {"channel": "web", "geo": {"ipAddress": "198.51.100.23"}},
    }


WAYS = {"urllib3": visit, "threads": visit_on_a_loop("threads"), "aiohttp": visit_on_a_loop("aiohttp")}
ACCOUNT: Any = {"client": CLIENT, "organization_id": ORGANIZATION}
ANOTHER: Any = {"client": "somebody", "organization_id": "0123456789ABCDEF01234567@AdobeOrg"}


@pytest.fixture
def recorded(tmp_path: Path, loopback: None, network: Network) -> Callable[[Visit], Path]:
    """Records a visit against a server, which has ended before anything is played back."""

    def record(work: Visit) -> Path:
        path = tmp_path / "visit.yaml"
        with running(OFFERS) as emulator, vcr.VCR(**target_vcr_config()).use_cassette(str(path)):
            own = {**ACCOUNT, "server_domain": emulator.server_domain, "secure": False, "edge_routing": False}
            assert work(own) == "<h1>Sale</h1>"
        network.allowed.clear()
        return path

    return record


def replay(path: Path, work: Visit, options: Any = None) -> str:
    with vcr.VCR(**target_vcr_config(), record_mode="none").use_cassette(str(path)) as cassette:
        answer = work(options or ANOTHER)
        assert cassette.all_played
    return answer


@pytest.mark.parametrize("way", WAYS)
def test_a_recording_gives_nothing_away_and_plays_back(recorded: Callable[[Visit], Path], way: str) -> None:
    path = recorded(WAYS[way])
    text = path.read_text(encoding="utf-8")
    assert find_leaks(text, [CLIENT, "53A16ACB5CC1D3760A495C99", "user-4711", "c1f5c1f5", "127.0.0.1"]) == []
    assert len(yaml.safe_load(text)["interactions"]) == 2
    for _ in range(2):
        assert replay(path, WAYS[way]) == "<h1>Sale</h1>"


def test_another_request_is_not_found(recorded: Callable[[Visit], Path]) -> None:
    path = recorded(visit)
    with pytest.raises((TransportError, CannotOverwriteExistingCassetteException)):
        replay(path, lambda options: visit(options, "basket"))


def test_what_each_transport_records_the_others_play_back(recorded: Callable[[Visit], Path]) -> None:
    path = recorded(WAYS["aiohttp"])
    assert replay(path, WAYS["threads"]) == "<h1>Sale</h1>"


def test_secrets_are_taken_out_everywhere() -> None:
    config = target_vcr_config(secrets=["Acme Secret", "acme"])
    body = b'{"context":{},"execute":{"mboxes":[{"name":"acme-home"}]}}'
    request = config["before_record_request"](Request("POST", "https://x/rest/v1/delivery?a=acme", body, {}))
    answer = {"status": 200, "requestId": "r", "execute": {"mboxes": [{"name": "acme-home", "note": "Acme Secret"}]}}
    response = config["before_record_response"](response_of(answer))
    for text in (request.uri, request.body.decode(), response["body"]["string"].decode()):
        assert "acme" not in text.lower()
    for wrong in ("acme", [""], [3]):
        with pytest.raises(OptionsError, match="secrets must be a list"):
            target_vcr_config(secrets=wrong)  # type: ignore[arg-type]


def response_of(body: Any, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return {"status": {"code": 200, "message": "OK"}, "headers": named, "body": {"string": json.dumps(body).encode()}}


def test_other_requests_are_left_alone(tmp_path: Path, loopback: None) -> None:
    config = target_vcr_config()
    request = Request("POST", "https://shop.example/orders?sessionId=1", b'{"requestId":"r"}', {"Cookie": "a=1"})
    seen = config["before_record_request"](request)
    assert (seen.uri, seen.body, seen.headers) == (request.uri, b'{"requestId":"r"}', {"Cookie": "a=1"})
    answer = response_of({"id": "c1f5aa0e9d6b4b0f8e2d7c3a5b9e1f04"}, Set_Cookie="a=1")
    assert config["before_record_response"](answer) == answer
    with running(OFFERS) as server, vcr.VCR(**config).use_cassette(str(tmp_path / "other.yaml")) as cassette:
        connection = http.client.HTTPConnection(server.server_domain)
        connection.request("GET", "/_/notifications", headers={"Cookie": "own=1"})
        connection.getresponse().read()
        connection.close()
        assert cassette.requests[0].headers["Cookie"] == "own=1"


def test_rules_and_places_are_recorded_without_the_account() -> None:
    config = target_vcr_config(secrets=["acme"])
    uri = "https://assets.adobetarget.com/acme/production/v1/0dcb9ad1-8c3b-4f61-8c0d-2f5e7a9b0d13/rules.json"
    request = config["before_record_request"](Request("GET", uri, None, {"Authorization": "Bearer x", "Accept": "*/*"}))
    assert request.uri.endswith("/CLIENT/production/v1/TOKEN/rules.json")
    assert "authorization" not in {name.lower() for name in request.headers}
    rules = {"version": "1.0.0", "meta": {"clientCode": "acme"}, "rules": {"mboxes": {"home": [1_700_000_000_000]}}}
    said = config["before_record_response"](response_of(rules, ETag='"1"', Set_Cookie="a"))
    assert json.loads(said["body"]["string"]) == {**rules, "meta": {"clientCode": "CLIENT"}}
    assert sorted(said["headers"]) == ["etag"]
    asked = Request("GET", "https://assets.adobetarget.com/v1/geo", None, {"x-forwarded-for": "198.51.100.23"})
    assert "198.51" not in str(config["before_record_request"](asked).headers)
    place = config["before_record_response"](response_of({}, X_GEO_CITY="x", X_GEO_IP_ADDRESS="198.51.100.23"))
    assert place["headers"] == {"x-geo-city": ["x"], "x-geo-ip-address": ["0.0.0.0"]}


def test_scrubbing_twice_changes_nothing() -> None:
    config = target_vcr_config()
    body = json.dumps({**asking("home"), "requestId": "r"}).encode()
    once = config["before_record_request"](Request("POST", "https://x/rest/v1/delivery?sessionId=1", body, {}))
    kept = (once.uri, once.body)
    again = config["before_record_request"](once)
    assert (again.uri, again.body) == kept
