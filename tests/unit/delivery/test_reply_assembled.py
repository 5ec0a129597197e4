"""The result of a call: what of the answer goes where, and the cookies to set."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target import AnalyticsResponse, DeliveryResponse, TargetDeliveryResponse, Visitor
from target.delivery.reply import assemble
from target.delivery.request import Call
from tests.kit.built_calls import NOW_S, PAGE_LOAD, expires, offers


def result_of(answer: dict[str, Any] | None, call: Call | None = None) -> TargetDeliveryResponse:
    response = None if answer is None else DeliveryResponse.from_dict(answer)
    return assemble(call or offers(), response, NOW_S)


def part(label: str, **more: Any) -> dict[str, Any]:
    options = [{"responseTokens": {"from": f"{label}.{index}"}} for index in (0, 1)]
    analytics = {"payload": {"pe": label, "tnta": "1"}}
    return {"options": options, "analytics": analytics, "trace": {"from": label}, **more}


FULL = {
    "prefetch": {
        "mboxes": [part("prefetch.mboxes.0", name="a"), part("prefetch.mboxes.1", name="b")],
        "views": [part("prefetch.views.0", name="v")],
        "pageLoad": part("prefetch.pageLoad"),
    },
    "execute": {"mboxes": [part("execute.mboxes.0", name="c")], "pageLoad": part("execute.pageLoad")},
}
ORDER = ["execute.pageLoad", "execute.mboxes.0", "prefetch.pageLoad", "prefetch.views.0"]
ORDER += ["prefetch.mboxes.0", "prefetch.mboxes.1"]


def test_lists_are_flat_and_in_the_documented_order() -> None:
    result = result_of(FULL)
    assert result.trace == [{"from": label} for label in ORDER]
    assert result.response_tokens == [{"from": f"{label}.{index}"} for label in ORDER for index in (0, 1)]
    assert result.analytics_details is not None
    assert all(isinstance(item, AnalyticsResponse) for item in result.analytics_details)
    assert [item.to_dict()["payload"]["pe"] for item in result.analytics_details] == ORDER


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="empty"),
        pytest.param({"execute": {}, "prefetch": {}}, id="empty-parts"),
        pytest.param({"execute": {"mboxes": [], "pageLoad": {}}, "prefetch": {"views": [{}]}}, id="empty-items"),
        pytest.param({"execute": {"mboxes": [{"options": [{}, {"responseTokens": None}]}]}}, id="empty-options"),
        pytest.param({"execute": None, "prefetch": {"mboxes": None, "views": None}}, id="nulls"),
        pytest.param(None, id="204"),
    ],
)
def test_lists_with_nothing_in_them_are_none(answer: dict[str, Any] | None) -> None:
    result = result_of(answer)
    assert (result.analytics_details, result.trace, result.response_tokens) == (None, None, None)
    assert (result.response is None) is (answer is None)


@pytest.mark.parametrize(
    ("sent", "answered", "value"),
    [
        pytest.param(None, "tntId", "session#s#1570321860|PC#tntId#1633564800", id="answered"),
        pytest.param("old.21_0", "new.38_0", "session#s#1570321860|PC#new.38_0#1633564800", id="answered-beats-sent"),
        pytest.param("old.21_0", None, "session#s#1570321860|PC#old.21_0#1633564800", id="sent-is-kept"),
        pytest.param("old.21_0", "", "session#s#1570321860|PC#old.21_0#1633564800", id="empty-counts-as-none"),
        pytest.param("old.21_0", 5, "session#s#1570321860|PC#old.21_0#1633564800", id="number-counts-as-none"),
        pytest.param(None, None, "session#s#1570321860", id="neither"),
    ],
)
@pytest.mark.parametrize("source", ["cookie", "request"])
def test_target_cookie(sent: str | None, answered: Any, value: str, source: str) -> None:
    if source == "cookie":
        call = offers(session_id="s", target_cookie=sent and f"PC#{sent}#{expires()}")
    else:
        call = offers({**PAGE_LOAD, "id": {"tntId": sent}}, session_id="s")
    result = result_of({"id": {"tntId": answered}}, call)
    max_age = 63244800 if "PC" in value else 1860
    assert result.target_cookie is not None
    assert dict(result.target_cookie) == {"name": "mbox", "value": value, "max_age": max_age}


def test_a_204_keeps_session_and_device() -> None:
    call = offers(target_cookie=f"session#s#{expires()}|PC#dev.21_0#{expires()}")
    cookie = result_of(None, call).target_cookie
    assert cookie is not None
    assert cookie.value == "session#s#1570321860|PC#dev.21_0#1633564800"


@pytest.mark.parametrize(
    ("hint", "edge_host", "value"),
    [
        pytest.param(None, "mboxedge28.tt.omtrdc.net", "28", id="answered"),
        pytest.param("21", "mboxedge28.tt.omtrdc.net", "21", id="named-by-the-call"),
        pytest.param("21", None, "21", id="named-and-not-answered"),
        pytest.param(None, "mboxedge28.omtrdc.net", None, id="host-of-three-labels"),
        pytest.param(None, "mboxedge28x.tt.omtrdc.net", None, id="host-without-a-cluster"),
        pytest.param(None, None, None, id="neither"),
        pytest.param(None, 28, None, id="number"),
    ],
)
def test_location_hint_cookie(hint: str | None, edge_host: Any, value: str | None) -> None:
    cookie = result_of({"edgeHost": edge_host}, offers(target_location_hint=hint)).target_location_hint_cookie
    expected = None if value is None else {"name": "mboxEdgeCluster", "value": value, "max_age": 1860}
    assert (None if cookie is None else dict(cookie)) == expected


def test_both_cookies_come_of_a_cookie_that_holds_a_cluster() -> None:
    result = result_of({}, offers(target_cookie="PC#1.5_9#9596233214|b#2#1296233214"))
    assert result.target_cookie is not None
    assert "PC#1.5_9#" in result.target_cookie.value
    assert "|b#" not in result.target_cookie.value
    assert result.target_location_hint_cookie is not None
    assert result.target_location_hint_cookie.value == "5"


def test_keys_and_meta() -> None:
    result = result_of({"status": 200})
    assert list(result) == [
        "request",
        "response",
        "target_cookie",
        "target_location_hint_cookie",
        "analytics_details",
        "trace",
        "response_tokens",
        "meta",
        "visitor_state",
    ]
    assert result.meta.to_dict() == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}
    assert result.visitor_state is None


def test_the_state_of_a_visitor_is_that_of_the_call() -> None:
    visitor = Visitor("1234@AdobeOrg")
    result = result_of({}, offers(visitor=visitor))
    assert result.visitor_state == visitor.state() != {}


def test_the_request_is_the_one_that_was_sent() -> None:
    call = offers()
    assert result_of({}, call).request.to_dict() == call.body


def test_all_of_it_is_json() -> None:
    plain = result_of(FULL).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["response"] == FULL
