"""No cassette gives away an id, a token, a cookie or a time; and what looks for them does find them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from vcr.request import Request

from target.testing._masking import PATTERNS, mask
from target.testing._scrubbing import (
    HOST,
    KEPT_REQUEST_HEADERS,
    KEPT_RESPONSE_HEADERS,
    REQUEST_RULES,
    RESPONSE_RULES,
    scrub,
    scrub_request,
    scrub_response,
)
from tests.contract.leaks import find_leaks
from tests.contract.recorded import SECRETS
from tests.contract.tape import CASSETTES

PATHS = sorted(CASSETTES.glob("*/*.yaml"))
CLEAN = PATHS[0].read_text(encoding="utf-8")

# One or more of each kind, invented.
LEAKS = {
    "organization": ["53A16ACB5CC1D3760A495C99@AdobeOrg", "53A16ACB5CC1D3760A495C99%40AdobeOrg"],
    "client host": ["https://acme.tt.omtrdc.net/rest", "acme-eu.tt.omtrdc.net"],
    "UUID": ["9a3c1f04-7d52-4e0b-8c61-2f5e7a9b0d13", "9A3C1F04-7D52-4E0B-8C61-2F5E7A9B0D13"],
    "supplemental data id": ["7D4AA246399685C8-2449DDF8D2207BF2"],
    "device id": ["c1f5aa0e9d6b4b0f8e2d7c3a5b9e1f04", "c1f5aa0e9d6b4b0f8e2d7c3a5b9e1f04.28_0"],
    "visitor id": ["07327024324407615852294135870030620007"],
    "token": ["t0FZ3Hk/" * 10 + "5A==", "abcdefgh_-" * 8],
    "epoch time": ["1621530726000", "1621530726", "session#s#1893456000"],
    "IPv4 address": ["198.51.100.23", "10.0.0.1"],
    "IPv6 address": ["2001:db8::8a2e:370:7334", "fe80:0:0:0:204:61ff:fe9d:f156"],
    "HTTP date": ["Sun, 22 Nov 2026 02:50:46 GMT"],
    "cookie": ["set-cookie:", "Set-Cookie: mbox=x", "PC#a-device.28_0#1893456000"],
}
# What must not be taken for any of them.
HARMLESS = [
    "DEVICE.38_0",
    "EVENT-TOKEN-6adc2cdd",
    "mboxedge38.tt.omtrdc.net",
    "0.0.0.0",
    "0000000000000000-0000000000000000",
    "331289:2:0|2,331290:0:0|2",
    "2000-01-01T00:00:00Z",
    "12:30:45",
    "a::before",
    "0.1.0",
    "https://www.example.com/sale?page=2",
    "session#s#",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_cassette_leaks(path: Any) -> None:
    assert find_leaks(path.read_text(encoding="utf-8"), SECRETS) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_cassette_holds_what_scrubbing_would_take_out(path: Any) -> None:
    """Also what a grep cannot see: a value that is wrong for its key, or is written with escapes."""
    for interaction in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        request, response = interaction["request"], interaction["response"]
        assert request["uri"] == scrub_request(Request(**request)).uri
        assert request["uri"].startswith(f"{HOST}/")
        assert {name.lower() for name in request["headers"]} <= KEPT_REQUEST_HEADERS
        assert {name.lower() for name in response["headers"]} <= KEPT_RESPONSE_HEADERS
        for text, rules in ((request["body"], REQUEST_RULES), (response["body"]["string"], RESPONSE_RULES)):
            if text:
                assert scrub(json.loads(text), rules, SECRETS) == json.loads(text)


@pytest.mark.parametrize(("kind", "leak"), [(kind, leak) for kind, leaks in LEAKS.items() for leak in leaks])
def test_a_planted_leak_is_found(kind: str, leak: str) -> None:
    assert find_leaks(CLEAN) == []
    for planted in (f'"key": "{leak}"', f"({leak})", leak):
        found = find_leaks(f"{CLEAN}\n{planted}\n")
        assert any(line.startswith(f"{kind} ") for line in found), found
    assert find_leaks(mask(f'"key": "{leak}"')) == []


def test_every_pattern_has_a_planted_leak() -> None:
    assert LEAKS.keys() == PATTERNS.keys()


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_leak_stays(text: str) -> None:
    assert find_leaks(f'"{text}"') == []
    assert mask(text) == text


@pytest.mark.parametrize("secret", SECRETS)
def test_a_planted_secret_is_found_and_masked(secret: str) -> None:
    for planted in (secret, secret.upper(), quote(secret, safe=""), f"x{secret}x"):
        text = f"{CLEAN}\nmessage: not {planted}, please\n"
        assert any(line.startswith("secret ") for line in find_leaks(text, SECRETS))
        assert find_leaks(mask(text, SECRETS), SECRETS) == []


def test_a_request_keeps_its_structure_and_nothing_else() -> None:
    headers = {"X-Request-Id": "r", "Cookie": "mbox=1", "User-Agent": "me", "Content-Type": "application/json"}
    body = {
        "requestId": "r",
        "id": {
            "tntId": "abc.28_0",
            "thirdPartyId": "t",
            "marketingCloudVisitorId": "1",
            "customerIds": [{"id": "c", "integrationCode": "crm"}],
        },
        "property": {"token": "p"},
        "preview": {"token": "p"},
        "qaMode": {"token": "q", "listedActivitiesOnly": True},
        "trace": {"authorizationToken": "a"},
        "context": {"geo": {"ipAddress": "2001:db8::1", "city": "Bern"}, "timeOffsetInMinutes": -60},
        "experienceCloud": {
            "audienceManager": {"blob": "b", "locationHint": 9},
            "analytics": {"supplementalDataId": "s"},
        },
        "execute": {"pageLoad": {"order": {"id": "o", "total": 9.5, "time": "2024-05-01T10:00:00Z"}}},
        "notifications": [{"id": "1", "timestamp": 5, "tokens": ["x", "y"], "view": {"state": "z", "name": "v"}}],
        "telemetry": {"entries": [{"requestId": "r", "timestamp": 7, "telemetryServerToken": "t", "execution": 1.5}]},
        "prefetch": None,
    }
    url = "https://acme.tt.omtrdc.net:443/rest/v1/delivery?sessionId=s&version=&imsOrgId=o%40AdobeOrg&client=acme"
    request = scrub_request(Request("POST", url, json.dumps(body), headers))
    assert request.uri == f"{HOST}/rest/v1/delivery?client=CLIENT&imsOrgId=ORGANIZATION&sessionId=SESSION&version="
    assert dict(request.headers) == {"content-type": "application/json"}
    scrubbed = json.loads(request.body)
    tokens = scrubbed["notifications"][0].pop("tokens")
    state = scrubbed["notifications"][0]["view"].pop("state")
    assert scrubbed == {
        "requestId": "REQUEST",
        "id": {
            "tntId": "DEVICE.28_0",
            "thirdPartyId": "THIRD-PARTY",
            "marketingCloudVisitorId": "VISITOR",
            "customerIds": [{"id": "CUSTOMER", "integrationCode": "crm"}],
        },
        "property": {"token": "TOKEN"},
        "preview": {"token": "TOKEN"},
        "qaMode": {"token": "TOKEN", "listedActivitiesOnly": True},
        "trace": {"authorizationToken": "TOKEN"},
        "context": {"geo": {"ipAddress": "0.0.0.0", "city": "Bern"}, "timeOffsetInMinutes": 0},
        "experienceCloud": {
            "audienceManager": {"blob": "BLOB", "locationHint": 9},
            "analytics": {"supplementalDataId": "0000000000000000-0000000000000000"},
        },
        "execute": {"pageLoad": {"order": {"id": "ORDER", "total": 9.5, "time": "2000-01-01T00:00:00Z"}}},
        "notifications": [{"id": "1", "timestamp": 0, "view": {"name": "v"}}],
        "prefetch": None,
    }
    assert len({*tokens, state}) == 3
    assert all(token.startswith("EVENT-TOKEN-") for token in tokens)
    assert state.startswith("STATE-")
    # What is scrubbed stays as it is when it comes back.
    again = scrub_request(Request("POST", request.uri, request.body, dict(request.headers)))
    assert (again.uri, again.body) == (request.uri, request.body)


def test_an_answer_keeps_its_structure_and_nothing_else() -> None:
    option = {
        "type": "json",
        "content": {"token": "kept", "ip": "198.51.100.23", "note": "for Acme"},
        "eventToken": "secret",
        "responseTokens": {"activity.name": "Sale", "profile.tntId": "abc", "geo.city": "Bern", "mine": 1},
    }
    body = {
        "status": 200,
        "client": "acme",
        "edgeHost": "mboxedge38.tt.omtrdc.net",
        "id": {"tntId": "abc.28_0"},
        "execute": {"mboxes": [{"index": 0, "options": [option], "trace": {"profile": {"visitorId": "abc"}}}]},
        "seen": 1_621_530_726_000,
    }
    headers = {"Set-Cookie": ["a=b"], "Date": ["today"], "X-Request-Id": ["r"], "Content-Type": ["application/json"]}
    response = scrub_response(
        {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": json.dumps(body).encode()}},
        ["acme"],
    )
    assert response["headers"] == {"content-type": ["application/json"]}
    assert response["status"] == {"code": 200, "message": "OK"}
    scrubbed = json.loads(response["body"]["string"])
    scrubbed["execute"]["mboxes"][0]["options"][0].pop("eventToken")
    assert scrubbed == {
        "status": 200,
        "client": "CLIENT",
        "edgeHost": "mboxedge38.tt.omtrdc.net",
        "id": {"tntId": "DEVICE.28_0"},
        "execute": {
            "mboxes": [
                {
                    "index": 0,
                    "options": [
                        {
                            "type": "json",
                            "content": {"token": "kept", "ip": "0.0.0.0", "note": "for SECRET"},
                            "responseTokens": {
                                "activity.name": "Sale",
                                "profile.tntId": "SCRUBBED",
                                "geo.city": "SCRUBBED",
                                "mine": "SCRUBBED",
                            },
                        }
                    ],
                    "trace": {"trace": "SCRUBBED"},
                }
            ]
        },
        "seen": 0,
    }


def test_an_answer_that_is_no_json_is_masked() -> None:
    page = b"<html>acme, 198.51.100.23: see 9a3c1f04-7d52-4e0b-8c61-2f5e7a9b0d13</html>"
    response = scrub_response({"status": {}, "headers": {}, "body": {"string": page}}, ["acme"])
    assert response["body"]["string"] == b"<html>SECRET, 0.0.0.0: see UUID</html>"
