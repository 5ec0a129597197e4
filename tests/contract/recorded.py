"""Owns the scenarios that are recorded and replayed: what a client does, and what any account must answer to it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from target import (
    Address,
    AnalyticsRequest,
    ApiError,
    AuthenticatedState,
    ChannelType,
    Context,
    CustomerId,
    DeliveryRequest,
    ExecuteRequest,
    ExperienceCloud,
    Geo,
    LoggingType,
    MboxRequest,
    MetricType,
    Notification,
    NotificationMbox,
    NotificationView,
    PrefetchRequest,
    Preview,
    Property,
    QAMode,
    QAModePreviewIndex,
    RequestDetails,
    Trace,
    ViewRequest,
    VisitorId,
)
from tests.contract.scenario import Scenario, Steps, get_attributes, get_offers, send_notifications

# Texts that occur nowhere else. Each goes over the wire, and none may be found in a cassette.
CLIENT = "leakmarker-client"
ORGANIZATION = "leakmarker-organization@AdobeOrg"
SESSION = "leakmarker-session"
DEVICE = "leakmarker-device"
THIRD_PARTY = "leakmarker-third-party"
VISITOR = "50481632714839207715938264510937462819"
CUSTOMER = "leakmarker-customer"
REQUEST = "leakmarker-request"
IMPRESSION = "leakmarker-impression"
PROPERTY_TOKEN = "leakmarker-property-token"
PREVIEW_TOKEN = "leakmarker-preview-token"
QA_TOKEN = "leakmarker-qa-token"
TRACE_TOKEN = "leakmarker-trace-token"
SUPPLEMENTAL_DATA = "3A1F92B07C5D4E68-1B2C3D4E5F607182"
IP_ADDRESS = "203.0.113.77"
SENT_SECRETS = (
    ORGANIZATION,
    SESSION,
    DEVICE,
    THIRD_PARTY,
    VISITOR,
    CUSTOMER,
    REQUEST,
    IMPRESSION,
    PROPERTY_TOKEN,
    PREVIEW_TOKEN,
    QA_TOKEN,
    TRACE_TOKEN,
    SUPPLEMENTAL_DATA,
    IP_ADDRESS,
)
ANSWERED_SECRETS = (CLIENT, "leakmarker-city", "leakmarker-level")
SECRETS = SENT_SECRETS + ANSWERED_SECRETS


def execute_one_mbox() -> Steps:
    result = yield get_offers(request=_execute("home"), session_id=SESSION)
    mbox = _only(result.response.execute.mboxes)
    assert (mbox.name, mbox.index, result.response.status) == ("home", 0, 200)
    assert result.response.id.tnt_id
    assert result.target_cookie.value.startswith(f"session#{SESSION}#")
    assert f"|PC#{result.response.id.tnt_id}#" in result.target_cookie.value
    return _contents(mbox)


def prefetch_then_display() -> Steps:
    prefetch = PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")])
    prefetched = yield get_offers(request=DeliveryRequest(prefetch=prefetch))
    mboxes = prefetched.response.prefetch.mboxes
    assert {mbox.name for mbox in mboxes} == {"home", "product1"}
    shown = next(mbox for mbox in mboxes if mbox.name == "product1")
    display = _notification(
        "1",
        MetricType.DISPLAY,
        [option.event_token for option in shown.options or ()],
        mbox=NotificationMbox(name=shown.name, state=shown.state),
    )
    sent = yield send_notifications(
        request=DeliveryRequest(notifications=[display]), target_cookie=prefetched.target_cookie.value
    )
    assert [item.id for item in sent.response.notifications] == ["1"]
    assert _session(sent) == _session(prefetched)
    return {"offers": {mbox.name: _contents(mbox) for mbox in mboxes}, "shown tokens": len(display.tokens or ())}


def prefetch_then_click() -> Steps:
    prefetched = yield get_offers(request=DeliveryRequest(prefetch=PrefetchRequest(mboxes=[MboxRequest(name="home")])))
    mbox = _only(prefetched.response.prefetch.mboxes)
    clicks = [metric for metric in mbox.metrics or () if metric.type == MetricType.CLICK]
    click = _notification(
        "2", MetricType.CLICK, [metric.event_token for metric in clicks], mbox=NotificationMbox(name=mbox.name)
    )
    sent = yield send_notifications(
        request=DeliveryRequest(notifications=[click]), target_cookie=prefetched.target_cookie.value
    )
    assert [item.id for item in sent.response.notifications] == ["2"]
    return [metric.selector for metric in clicks]


def views() -> Steps:
    prefetched = yield get_offers(request=DeliveryRequest(prefetch=PrefetchRequest(views=[ViewRequest()])))
    found = prefetched.response.prefetch.views or []
    assert all(view.name for view in found)
    if found:
        tokens = [option.event_token for option in found[0].options or ()]
        shown = NotificationView(name=found[0].name, key=found[0].key, state=found[0].state)
        sent = yield send_notifications(
            request=DeliveryRequest(notifications=[_notification("3", MetricType.DISPLAY, tokens, view=shown)]),
            target_cookie=prefetched.target_cookie.value,
        )
        assert [item.id for item in sent.response.notifications] == ["3"]
    return {view.name: {"key": view.key, "contents": _contents(view)} for view in found}


def page_load() -> Steps:
    address = Address(url="https://www.example.com/shop", referring_url="https://www.example.com/")
    request = DeliveryRequest(
        context=Context(channel=ChannelType.WEB, address=address, user_agent="Mozilla/5.0 (a scenario)"),
        execute=ExecuteRequest(page_load=RequestDetails(address=address, parameters={"category": "boots"})),
    )
    result = yield get_offers(request=request)
    assert result.response.execute.mboxes is None
    return _contents(result.response.execute.page_load) if result.response.execute.page_load else None


def attributes() -> Steps:
    provider = yield get_attributes(["flags"], session_id=SESSION)
    assert [mbox.name for mbox in provider.get_response().response.execute.mboxes] == ["flags"]
    return provider.as_object("flags")


def session_over_two_calls() -> Steps:
    first = yield get_offers(request=_execute("home"), session_id=SESSION)
    hint = first.target_location_hint_cookie
    second = yield get_offers(
        request=_execute("product1"),
        target_cookie=first.target_cookie.value,
        target_location_hint=None if hint is None else hint.value,
    )
    assert _session(first) == _session(second) == SESSION
    assert second.request.id.tnt_id == first.response.id.tnt_id
    assert second.response.id.tnt_id == first.response.id.tnt_id
    return None if hint is None else second.target_location_hint_cookie.value


def response_tokens() -> Steps:
    result = yield get_offers(request=_execute("home", "product1"))
    # What is known about the visitor is scrubbed, so only the activity's part is a fact.
    return [
        {key: value for key, value in tokens.items() if key.startswith("activity.")}
        for tokens in result.response_tokens or ()
    ]


def analytics_client_side() -> Steps:
    request = _execute("home")
    request.experience_cloud = ExperienceCloud(analytics=AnalyticsRequest(logging=LoggingType.CLIENT_SIDE))
    result = yield get_offers(request=request)
    return [details.to_dict() for details in result.analytics_details or ()]


def beacon() -> Steps:
    notification = _notification("4", MetricType.DISPLAY, [], mbox=NotificationMbox(name="home"))
    context = Context(channel=ChannelType.WEB, beacon=True)
    result = yield send_notifications(
        request=DeliveryRequest(context=context, notifications=[notification]), session_id=SESSION
    )
    assert result.response is None
    assert _session(result) == SESSION


def refused() -> Steps:
    request = _execute("home")
    request.context = Context(channel=ChannelType.WEB, geo=Geo(country_code="USA"))  # the API takes two letters
    with pytest.raises(ApiError) as caught:
        yield get_offers(request=request)
    assert caught.value.status == 400
    assert caught.value.message
    return caught.value.message


def visitor_with_every_id() -> Steps:
    request = _execute("home")
    request.request_id = REQUEST
    request.impression_id = IMPRESSION
    request.id = VisitorId(
        tnt_id=f"{DEVICE}.38_7",
        third_party_id=THIRD_PARTY,
        marketing_cloud_visitor_id=VISITOR,
        customer_ids=[
            CustomerId(id=CUSTOMER, integration_code="crm", authenticated_state=AuthenticatedState.AUTHENTICATED)
        ],
    )
    request.context = Context(channel=ChannelType.WEB, geo=Geo(ip_address=IP_ADDRESS), time_offset_in_minutes=330)
    request.experience_cloud = ExperienceCloud(
        analytics=AnalyticsRequest(
            logging=LoggingType.SERVER_SIDE,
            supplemental_data_id=SUPPLEMENTAL_DATA,
            tracking_server="metrics.example.com",
        )
    )
    request.property = Property(token=PROPERTY_TOKEN)
    result = yield get_offers(request=request)
    return {"cluster": result.response.id.tnt_id.partition(".")[2]}


def marketer_at_work() -> Steps:
    request = _execute("home")
    request.trace = Trace(authorization_token=TRACE_TOKEN)
    request.preview = Preview(token=PREVIEW_TOKEN)
    request.qa_mode = QAMode(
        token=QA_TOKEN,
        listed_activities_only=True,
        preview_indexes=[QAModePreviewIndex(activity_index=1, experience_index=2)],
    )
    result = yield get_offers(request=request)
    return {"traces": len(result.trace or ())}


RECORDED: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        execute_one_mbox,
        prefetch_then_display,
        prefetch_then_click,
        views,
        page_load,
        attributes,
        session_over_two_calls,
        response_tokens,
        analytics_client_side,
        beacon,
        refused,
        visitor_with_every_id,
        marketer_at_work,
    )
}

# The facts each scenario finds with the offers of offers.json.
FACTS: dict[str, Any] = {
    "execute_one_mbox": ["<h1>Boots, <em>half price</em> – été</h1>"],  # noqa: RUF001 - the dash is in the offer
    "prefetch_then_display": {
        "offers": {
            "home": ["<h1>Boots, <em>half price</em> – été</h1>"],  # noqa: RUF001
            "product1": ["<p>Goes well with laces</p>"],
        },
        "shown tokens": 1,
    },
    "prefetch_then_click": ["#buy"],
    "views": {
        "cart": {
            "key": "cart-key",
            "contents": [[{"type": "setHtml", "selector": "h1", "content": "Your cart"}]],
        },
        "checkout": {"key": None, "contents": ["<p>Free shipping</p>"]},
    },
    "page_load": ["https://www.example.com/sale"],
    "attributes": {"checkout": "new", "steps": 3, "labels": ["a", "b"]},
    "session_over_two_calls": "38",
    "response_tokens": [{"activity.id": "331289", "activity.name": "Summer sale"}],
    "analytics_client_side": [{"payload": {"pe": "tnt", "tnta": "331289:2:0|2"}}],
    "beacon": None,
    "refused": "Invalid request: context.geo.countryCode size must be between 2 and 2",
    "visitor_with_every_id": {"cluster": "38_7"},
    "marketer_at_work": {"traces": 1},
}


def _execute(*names: str) -> DeliveryRequest:
    return DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name=name) for name in names]))


def _notification(name: str, kind: MetricType, tokens: list[Any], **where: Any) -> Notification:
    # Now, as a real one: a recording that keeps it would differ from the next.
    return Notification(id=name, type=kind, timestamp=time.time_ns() // 1_000_000, tokens=tokens, **where)


def _contents(part: Any) -> list[Any]:
    return [option.content for option in part.options or ()]


def _session(result: Any) -> str:
    return str(result.target_cookie.value.split("#")[1])


def _only(items: list[Any]) -> Any:
    assert len(items) == 1
    return items[0]
