"""Owns the scenarios whose cassettes are written by hand: the documented answers, and what no server sends yet."""

from __future__ import annotations

import pytest

from target import (
    ApiError,
    ChannelType,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    MetricType,
    Notification,
    NotificationMbox,
    OptionType,
    PrefetchRequest,
    RequestDetails,
    ViewRequest,
)
from tests.contract.scenario import Scenario, Steps, get_offers, send_notifications

# A visitor's cookie that is good until 2100.
COOKIE = "session#a-session#4102444800|PC#DEVICE.35_0#4102444800"


def prefetch_two_mboxes() -> Steps:
    prefetch = PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")])
    result = yield get_offers(request=DeliveryRequest(prefetch=prefetch), session_id="a-session")
    home, product = result.response.prefetch.mboxes
    assert (home.index, home.name, home.state) == (0, "home", "STATE-home")
    assert [(option.type, option.content, option.event_token) for option in home.options] == [
        (OptionType.HTML, "<p>Welcome back</p>", "EVENT-TOKEN-home-1"),
        (OptionType.HTML, "<p>Gifts inside</p>", "EVENT-TOKEN-home-2"),
    ]
    # Default content: nothing to show, and still to be reported as shown.
    assert [(option.type, option.content, option.event_token) for option in product.options] == [
        (None, None, "EVENT-TOKEN-product1")
    ]
    assert result.target_cookie.value.startswith("session#a-session#")
    assert "|PC#DEVICE.35_0#" in result.target_cookie.value
    assert result.target_location_hint_cookie.value == "35"
    assert result.response_tokens is result.analytics_details is result.trace is None


def notifications_acknowledged() -> Steps:
    def shown(notification: str, mbox: str, tokens: list[str]) -> Notification:
        return Notification(
            id=notification,
            type=MetricType.DISPLAY,
            timestamp=1_621_530_726_000,
            mbox=NotificationMbox(name=mbox, state=f"STATE-{mbox}"),
            tokens=tokens,
        )

    notifications = [
        shown("shown", "home", ["EVENT-TOKEN-home-1", "EVENT-TOKEN-home-2"]),
        shown("late", "product1", ["EVENT-TOKEN-product1"]),
    ]
    result = yield send_notifications(request=DeliveryRequest(notifications=notifications), target_cookie=COOKIE)
    taken = {item.id for item in result.response.notifications}
    assert [item.id for item in notifications if item.id not in taken] == ["late"]
    assert result.response.execute is result.response.prefetch is None


def execute_json_offers() -> Steps:
    mbox = MboxRequest(name="search", parameters={"page": "2"})
    result = yield get_offers(request=DeliveryRequest(execute=ExecuteRequest(mboxes=[mbox])))
    (answered,) = result.response.execute.mboxes
    assert {option.type for option in answered.options} == {OptionType.JSON}
    assert [option.content for option in answered.options] == [
        {"ranking": "new", "perPage": 24, "weights": {"price": 0.5}},
        [{"facet": "size"}, "colour", 3],
        {"token": "the offer's own", "state": None, "sponsored": False},
    ]


def error_400() -> Steps:
    with pytest.raises(ApiError) as caught:
        yield get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
    error = caught.value
    assert (error.status, error.message) == (400, "Invalid request: Invalid imsOrg -  ORGANIZATION")
    assert error.request_id
    assert '"status": 400' in error.body
    assert "Mend the request" in str(error)


def no_content_204() -> Steps:
    request = DeliveryRequest(
        context=Context(channel=ChannelType.MOBILE, beacon=True), execute=ExecuteRequest(page_load=RequestDetails())
    )
    result = yield get_offers(request=request, target_cookie=COOKIE)
    assert result.response is None
    # The visitor stays the same one, although the answer names nobody.
    assert result.target_cookie.value.startswith("session#a-session#")
    assert "|PC#DEVICE.35_0#" in result.target_cookie.value
    assert result.target_location_hint_cookie.value == "35"


def unknown_values() -> Steps:
    prefetch = PrefetchRequest(views=[ViewRequest()], mboxes=[MboxRequest(name="home")])
    result = yield get_offers(request=DeliveryRequest(prefetch=prefetch))
    response = result.response
    (mbox,) = response.prefetch.mboxes
    (option,) = mbox.options
    (metric,) = mbox.metrics
    assert (option.type, metric.type) == ("video", "swipe")
    assert option.type not in list(OptionType)
    assert metric.type not in list(MetricType)
    assert response.id.customer_ids[0].authenticated_state == "expired"
    assert option.additional_properties == {"subtitles": ["en", "fr"]}
    # Nothing is lost on the way through the models.
    wire = response.to_dict()
    assert wire["region"] == {"name": "moon", "hops": [1, 2]}
    assert wire["id"]["householdId"] == "shared"
    assert wire["prefetch"]["slots"] == []
    assert wire["prefetch"]["views"] == [{"name": "cart", "state": "STATE-cart", "options": [], "layer": 2}]
    assert wire["prefetch"]["mboxes"] == [
        {
            "index": 0,
            "name": "home",
            "state": "STATE-home",
            "quality": 0.75,
            "options": [
                {
                    "type": "video",
                    "content": {"source": "clip.webm", "seconds": 12},
                    "eventToken": "EVENT-TOKEN-home",
                    "subtitles": ["en", "fr"],
                }
            ],
            "metrics": [{"type": "swipe", "eventToken": "EVENT-TOKEN-swipe", "direction": "left"}],
        }
    ]


def null_fields() -> Steps:
    execute = ExecuteRequest(
        page_load=RequestDetails(), mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")]
    )
    result = yield get_offers(request=DeliveryRequest(execute=execute), session_id="a-session")
    response = result.response
    assert response.status == 200
    assert response.id is response.edge_host is response.notifications is response.execute.page_load is None
    home, product = response.execute.mboxes
    assert home.options is home.metrics is home.analytics is home.trace is product.name is None
    assert [option.to_dict() for option in product.options] == [{}]
    assert response.prefetch.mboxes is response.prefetch.views is None
    # Without a device id in the answer, the cookie keeps the session alone.
    assert result.target_cookie.value.startswith("session#a-session#")
    assert "|" not in result.target_cookie.value
    assert result.target_location_hint_cookie is result.response_tokens is None


HANDMADE: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        prefetch_two_mboxes,
        notifications_acknowledged,
        execute_json_offers,
        error_400,
        no_content_204,
        unknown_values,
        null_fields,
    )
}
