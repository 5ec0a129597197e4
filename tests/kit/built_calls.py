"""Calls built with a fixed clock and counted ids, so that their bodies are the same in every run."""

from __future__ import annotations

import itertools
from typing import Any

from target import (
    AnalyticsRequest,
    ChannelType,
    Context,
    CustomerId,
    DeliveryRequest,
    ExecuteRequest,
    ExperienceCloud,
    Geo,
    LoggingType,
    MboxRequest,
    Order,
    PrefetchRequest,
    Preview,
    Property,
    QAMode,
    RequestDetails,
    Trace,
    ViewRequest,
    VisitorId,
)
from target.config import ClientConfig, Runtime, parse_client_options, parse_request_options
from target.delivery.request import Call, build_notifications_call, build_offers_call
from tests.kit.calls import ACCOUNT

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
    return parse_client_options({**ACCOUNT, **options})


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


def full_request() -> DeliveryRequest:
    """A request in which the caller says all that a call would add."""
    return DeliveryRequest(
        request_id="own",
        environment_id=7,
        id=VisitorId(
            tnt_id="own.5_0",
            customer_ids=[CustomerId(id="c", integration_code="crm", authenticated_state="unknown")],
        ),
        property=Property(token="token_xyz"),
        context=Context(channel=ChannelType.MOBILE, geo=Geo(zip="94105"), time_offset_in_minutes=-480),
        experience_cloud=ExperienceCloud(
            analytics=AnalyticsRequest(
                supplemental_data_id="2C9C1AA0B5A3D8F1-0123456789ABCDEF", logging=LoggingType.CLIENT_SIDE
            )
        ),
        execute=ExecuteRequest(mboxes=[MboxRequest(name="a", parameters={"k": "v"}, order=Order(id="o"))]),
        prefetch=PrefetchRequest(views=[ViewRequest()], page_load=RequestDetails()),
        trace=Trace(authorization_token="token", usage={"x": 1}),  # type: ignore[dict-item]
        preview=Preview(token="p"),
        qa_mode=QAMode(token="q"),
    )
