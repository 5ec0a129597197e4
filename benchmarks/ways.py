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
    client = TargetClient.create(cast("ClientOptions", {**options, **(more or {})}))
    request = build_request()

    def call() -> object:
        offers = client.get_offers(request=request, target_cookie=TARGET_COOKIE)
        assert offers.response is not None
        assert offers.response.execute is not None
        assert offers.response.execute.mboxes is not None
        return offers.response.execute.mboxes[0].options

    return call


def bare_call(url: str, ca_certs: str | None, payload: Mapping[str, Any]) -> Call:
    """What remains without an SDK: JSON out, one POST on a kept connection, JSON in."""
    pool = urllib3.PoolManager(maxsize=32, ca_certs=ca_certs)

    def call() -> object:
        body = json.dumps(payload, separators=(",", ":"))
        response = pool.request("POST", url, body=body, headers=_HEADERS)
        return json.loads(response.data)["execute"]["mboxes"][0]["options"]

    return call
