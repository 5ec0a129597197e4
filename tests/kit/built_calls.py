"""Calls built with a fixed clock and counted ids, so that their bodies are the same in every run."""

from __future__ import annotations

import itertools
from typing import Any

from target.config import ClientConfig, Runtime, parse_client_options, parse_request_options
from target.delivery.request import Call, build_notifications_call, build_offers_call

NOW_S = 1570320000.0  # 2019-10-06T00:00Z
UTC_OFFSET_MINUTES = 120
PAGE_LOAD: dict[str, Any] = {"execute": {"pageLoad": {}}}
FAR_COOKIE = "PC#device.38_0#9999999999"  # of a visitor of cluster 38
FAR_HOST = "mboxedge38.tt.omtrdc.net"
CLICK: dict[str, Any] = {"id": "n1", "type": "click", "timestamp": 1570320000000}


def runtime(now_s: float = NOW_S) -> Runtime:
    ids = itertools.count(1)
    return Runtime(lambda: now_s, lambda: f"id-{next(ids)}", lambda: UTC_OFFSET_MINUTES)


def config(**options: Any) -> ClientConfig:
    return parse_client_options({"client": "acme", "organization_id": "1234@AdobeOrg", **options})


def offers(
    request: Any = PAGE_LOAD,
    *,
    client: dict[str, Any] | None = None,
    remembered: str | None = None,
    added: tuple[str, ...] = (),
    **options: Any,
) -> Call:
    """The call of get_offers; ``client`` holds options of the client, ``added`` the mboxes of get_attributes."""
    parsed = parse_request_options({"request": request, **options})
    return build_offers_call(config(**(client or {})), parsed, runtime(), remembered, added)


def notify(request: Any, *, client: dict[str, Any] | None = None, **options: Any) -> Call:
    parsed = parse_request_options({"request": request, **options})
    return build_notifications_call(config(**(client or {})), parsed, runtime(), None)


def expires(after_s: int = 3600) -> int:
    """An expiry for a cookie entry that is still valid at NOW_S."""
    return int(NOW_S) + after_s
