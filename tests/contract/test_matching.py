"""A request matches when method, path, query and JSON body are those recorded; ids, times, host and headers aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException

from tests.contract.tape import HANDMADE, tape

CASSETTE = "notifications_acknowledged.yaml"
BODY: dict[str, Any] = {
    "requestId": "r",
    "impressionId": "i",
    "id": {"tntId": "0f1e2d3c.35_0"},
    "context": {"channel": "web", "timeOffsetInMinutes": 120},
    "experienceCloud": {"analytics": {"logging": "server_side"}},
    "notifications": [
        {
            "id": "shown",
            "impressionId": "i1",
            "type": "display",
            "timestamp": 1_621_530_726_000,
            "mbox": {"name": "home", "state": "STATE-home"},
            "tokens": ["EVENT-TOKEN-home-1", "EVENT-TOKEN-home-2"],
        },
        {
            "id": "late",
            "impressionId": "i2",
            "type": "display",
            "timestamp": 1_621_530_727_000,
            "mbox": {"name": "product1", "state": "STATE-product1"},
            "tokens": ["EVENT-TOKEN-product1"],
        },
    ],
}
URL = "https://somebody.tt.omtrdc.net/rest/v1/delivery?imsOrgId=a%40AdobeOrg&sessionId=s1"
Body = dict[str, Any]


def send(
    body: Body | bytes = BODY,
    url: str = URL,
    method: str = "POST",
    folder: Path = HANDMADE,
    headers: dict[str, str] | None = None,
) -> int:
    """The status that the cassette answers with."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with tape(folder).use_cassette(CASSETTE), urllib3.PoolManager(retries=False) as pool:
        return pool.request(method, url, body=content, headers=headers).status


def changed(change: Callable[[Body], object]) -> Body:
    body: Body = json.loads(json.dumps(BODY))
    change(body)
    assert body != BODY
    return body


def reverse_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reverse_keys(value[key]) for key in reversed(value)}
    return [reverse_keys(item) for item in value] if isinstance(value, list) else value


def test_the_recorded_request_matches() -> None:
    assert send() == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(reverse_keys(BODY)).encode(), id="order of keys"),
        pytest.param(json.dumps(BODY, indent=7).encode(), id="white space"),
        pytest.param(json.dumps(BODY, separators=(",", ":")).encode(), id="no white space"),
        pytest.param(changed(lambda body: body.update(requestId="r2", impressionId="i9")), id="request id"),
        pytest.param(changed(lambda body: body["id"].update(tntId="another.35_0")), id="device"),
        pytest.param(changed(lambda body: body["context"].update(timeOffsetInMinutes=-480)), id="time zone"),
        pytest.param(changed(lambda body: body["notifications"][0].update(timestamp=1)), id="time"),
        pytest.param(changed(lambda body: body["notifications"][1].update(impressionId="new")), id="impression"),
    ],
)
def test_another_body_that_means_the_same_matches(body: Body | bytes) -> None:
    assert send(body) == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/rest/v1/delivery?imsOrgId=a%40AdobeOrg&sessionId=s1",
        "https://mboxedge21.tt.omtrdc.net/rest/v1/delivery?imsOrgId=a%40AdobeOrg&sessionId=s1",
        "https://somebody.tt.omtrdc.net/rest/v1/delivery?sessionId=s2&imsOrgId=b%40AdobeOrg",
    ],
    ids=["host, port and scheme", "edge host", "ids and order of the query"],
)
def test_another_url_that_means_the_same_matches(url: str) -> None:
    assert send(url=url) == 200


def test_headers_do_not_matter() -> None:
    assert send(headers={"X-Request-Id": "7", "Cookie": "mbox=1", "Content-Type": "application/json"}) == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body["notifications"][0]["mbox"].update(name="house"), id="value"),
        pytest.param(lambda body: body["notifications"][0]["mbox"].update(state="STATE-product1"), id="state"),
        pytest.param(lambda body: body["notifications"][0]["tokens"].reverse(), id="order of a list"),
        pytest.param(lambda body: body["notifications"].pop(), id="shorter list"),
        pytest.param(lambda body: body["notifications"][0].update(id="other"), id="id of a notification"),
        pytest.param(lambda body: body["id"].update(tntId="0f1e2d3c.36_0"), id="edge node of the device"),
        pytest.param(lambda body: body["context"].update(beacon=False), id="added field"),
        pytest.param(lambda body: body["context"].pop("channel"), id="missing field"),
        pytest.param(lambda body: body.pop("requestId"), id="missing id"),
        pytest.param(lambda body: body.update(id=None), id="null"),
    ],
)
def test_a_changed_body_does_not_match(change: Callable[[Body], object]) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException, match="differ in raw_body"):
        send(changed(change))


@pytest.mark.parametrize(("recorded", "sent"), [("1", "true"), ("0", "false"), ("1", '"1"')])
def test_values_of_another_type_do_not_match(tmp_path: Path, recorded: str, sent: str) -> None:
    """In Python 1 == True, in JSON it is not."""
    body = json.dumps(BODY).replace('"channel": "web"', '"channel": "web", "beacon": %s')
    cassette = yaml.safe_load((HANDMADE / CASSETTE).read_text(encoding="utf-8"))
    cassette["interactions"][0]["request"]["body"] = body % recorded
    (tmp_path / CASSETTE).write_text(yaml.safe_dump(cassette), encoding="utf-8")
    assert send((body % recorded).encode(), folder=tmp_path) == 200
    with pytest.raises(CannotOverwriteExistingCassetteException, match="differ in raw_body"):
        send((body % sent).encode(), folder=tmp_path)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"no JSON"])
def test_another_kind_of_body_does_not_match(body: bytes) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException, match="differ in raw_body"):
        send(body)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (URL.replace("/v1/", "/v2/"), "path"),
        (URL.replace("delivery?", "delivery/?"), "path"),
        (URL + "&version=2", "query"),
        (URL.replace("&sessionId=s1", ""), "query"),
        (URL.replace("imsOrgId", "client"), "query"),
    ],
)
def test_a_changed_url_does_not_match(url: str, what: str) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException, match=f"differ in {what}"):
        send(url=url)


def test_another_method_does_not_match() -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException, match="differ in method"):
        send(method="PUT")


def test_an_answer_plays_once() -> None:
    with tape(HANDMADE).use_cassette(CASSETTE), urllib3.PoolManager(retries=False) as pool:
        assert pool.request("POST", URL, body=json.dumps(BODY)).status == 200
        with pytest.raises(CannotOverwriteExistingCassetteException):
            pool.request("POST", URL, body=json.dumps(BODY))
