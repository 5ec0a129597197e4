"""The two ways to make the measured call: through the SDK, and as a bare POST on a pooled urllib3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import urllib3

from benchmarks.delivery import ORGANIZATION_ID, TARGET_COOKIE, build_request
from target import TargetClient
from target.options import ClientOptions

Call = Callable[[], object]

_HEADERS = {"Content-Type": "application/json"}


def our_call(server_url: str, ca_certs: str | None, more: dict[str, Any] | None = None) -> Call:
    """``get_offers`` on one client, which has ``more`` options: models in, models out."""
    client = _client(server_url, ca_certs, more)
    request = build_request()

    def call() -> object:
        offers = client.get_offers(request=request, target_cookie=TARGET_COOKIE)
        assert offers.response is not None
        assert offers.response.execute is not None
        assert offers.response.execute.mboxes is not None
        return offers.response.execute.mboxes[0].options

    return call


def our_whole_call(server_url: str, ca_certs: str | None) -> Call:
    """The same, and then everything that the answer says is read, and the cookie."""
    client = _client(server_url, ca_certs, None)
    request = build_request()

    def call() -> object:
        offers = client.get_offers(request=request, target_cookie=TARGET_COOKIE)
        return _read_models(offers.response), offers.target_cookie

    return call


def our_attributes_call(server_url: str, ca_certs: str | None) -> Call:
    """``get_attributes`` of the same request, and one value of it."""
    client = _client(server_url, ca_certs, None)
    request = build_request()

    def call() -> object:
        attributes = client.get_attributes(["home-banner"], request=request, target_cookie=TARGET_COOKIE)
        value = attributes.get_value("home-banner", "title")
        assert value
        return value

    return call


def _client(server_url: str, ca_certs: str | None, more: dict[str, Any] | None) -> TargetClient:
    scheme, _, domain = server_url.partition("://")
    options: ClientOptions = {
        "client": "acme",
        "organization_id": ORGANIZATION_ID,
        "server_domain": domain,
        "secure": scheme == "https",
        "edge_routing": False,  # the visitor's cookie names a cluster, and every call must stay on this machine
        "ca_certs": ca_certs,
        "timeout": 20_000,
        "telemetry_enabled": False,  # each call would tell of the one before, and no two bodies be the same
    }
    return TargetClient.create(cast("ClientOptions", {**options, **(more or {})}))


def _read_models(response: Any) -> list[object]:
    return [
        (option.type, option.content, option.response_tokens, option.event_token, metric.event_token, mbox.analytics)
        for part in (response.execute, response.prefetch)
        for mbox in part.mboxes
        for metric in mbox.metrics
        for option in mbox.options
    ]


def _read_data(answer: Any) -> list[object]:
    return [
        (
            option["type"],
            option["content"],
            option["responseTokens"],
            option.get("eventToken"),
            metric["eventToken"],
            mbox["analytics"],
        )
        for part in (answer["execute"], answer["prefetch"])
        for mbox in part["mboxes"]
        for metric in mbox["metrics"]
        for option in mbox["options"]
    ]


def bare_call(url: str, ca_certs: str | None, payload: Mapping[str, Any]) -> Call:
    """What remains without an SDK: JSON out, one POST on a kept connection, JSON in, everything read."""
    pool = urllib3.PoolManager(maxsize=32, ca_certs=ca_certs)

    def call() -> object:
        body = json.dumps(payload, separators=(",", ":"))
        response = pool.request("POST", url, body=body, headers=_HEADERS)
        return _read_data(json.loads(response.data))

    return call
