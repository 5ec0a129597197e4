"""What a call sends: the body in wire form, its defaults, and that nothing of the caller's is changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from target import (
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    OptionsError,
    PrefetchRequest,
    RequestDetails,
)
from target.config import parse_request_options
from target.delivery.request import add_to_call, build_notifications_call, write_body
from target.delivery.telemetry import add_telemetry
from tests.kit.built_calls import (
    CLICK,
    FAR_HOST,
    PAGE_LOAD,
    UTC_OFFSET_MINUTES,
    config,
    expires,
    full_request,
    notify,
    offers,
    runtime,
)
from tests.kit.calls import ACCOUNT

VIEWS = {"prefetch": {"views": [{}]}}
SERVER_SIDE_ANALYTICS = {"analytics": {"logging": "server_side"}}


def test_the_least_that_is_sent() -> None:
    assert offers({"execute": {"mboxes": [{"name": "home"}]}}).body == {
        "requestId": "id-1",
        "impressionId": "id-2",
        "context": {"channel": "web", "timeOffsetInMinutes": UTC_OFFSET_MINUTES},
        "experienceCloud": SERVER_SIDE_ANALYTICS,
        "execute": {"mboxes": [{"name": "home", "index": 0}]},
    }


def test_the_documented_sample_needs_neither_context_nor_index() -> None:
    prefetch = PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")])
    body = offers(DeliveryRequest(prefetch=prefetch)).body
    assert body["prefetch"] == {"mboxes": [{"name": "home", "index": 0}, {"name": "product1", "index": 1}]}
    assert body["context"]["channel"] == "web"


def test_what_the_caller_set_wins() -> None:
    client = {"environment_id": 12345, "property_token": "token_abc"}
    body = offers(full_request(), client=client, target_cookie=f"PC#cookie.21_0#{expires()}").body
    assert body["requestId"] == "own"
    assert body["environmentId"] == 7
    assert body["id"]["tntId"] == "own.5_0"
    assert body["property"] == {"token": "token_xyz"}
    assert body["context"] == {"channel": "mobile", "geo": {"zip": "94105"}, "timeOffsetInMinutes": -480}
    analytics = {"supplementalDataId": "2C9C1AA0B5A3D8F1-0123456789ABCDEF", "logging": "client_side"}
    assert body["experienceCloud"] == {"analytics": analytics}


def test_trace_preview_and_qa_mode_pass_through() -> None:
    body = offers(full_request()).body
    assert body["trace"] == {"authorizationToken": "token", "usage": {"x": 1}}
    assert body["preview"] == {"token": "p"}
    assert body["qaMode"] == {"token": "q"}
    assert offers({**PAGE_LOAD, "trace": {}}).body["trace"] == {}


@pytest.mark.parametrize("request_id", [None, ""], ids=repr)
def test_without_a_request_id_body_and_header_share_one(request_id: str | None) -> None:
    call = offers({**PAGE_LOAD, "requestId": request_id})
    assert call.body["requestId"] == call.trace_id == "id-1"


@pytest.mark.parametrize(
    ("environment_id", "own", "sent"), [(None, None, None), (12345, None, 12345), (12345, 0, 0), (0, None, 0)]
)
def test_environment_id(environment_id: int | None, own: int | None, sent: int | None) -> None:
    body = offers({**PAGE_LOAD, "environmentId": own}, client={"environment_id": environment_id}).body
    assert body.get("environmentId") == sent


@pytest.mark.parametrize(
    ("context", "sent"),
    [
        pytest.param(None, {"channel": "web", "timeOffsetInMinutes": 120}, id="missing"),
        pytest.param({}, {"channel": "web", "timeOffsetInMinutes": 120}, id="empty"),
        pytest.param({"channel": "mobile"}, {"channel": "mobile", "timeOffsetInMinutes": 120}, id="mobile"),
        pytest.param({"channel": "tv"}, {"channel": "web", "timeOffsetInMinutes": 120}, id="unknown-channel"),
        pytest.param({"timeOffsetInMinutes": 0}, {"channel": "web", "timeOffsetInMinutes": 0}, id="own-offset"),
        pytest.param(
            {"userAgent": "x", "beacon": True},
            {"userAgent": "x", "beacon": True, "channel": "web", "timeOffsetInMinutes": 120},
            id="rest-is-kept",
        ),
    ],
)
def test_context(context: dict[str, Any] | None, sent: dict[str, Any]) -> None:
    assert offers({**PAGE_LOAD, "context": context}).body["context"] == sent


@pytest.mark.parametrize(
    ("experience_cloud", "sent"),
    [
        pytest.param(None, SERVER_SIDE_ANALYTICS, id="missing"),
        pytest.param({"analytics": None}, SERVER_SIDE_ANALYTICS, id="null"),
        pytest.param({"analytics": {"logging": "client_side"}}, {"analytics": {"logging": "client_side"}}, id="own"),
        pytest.param(
            {"analytics": {"trackingServer": "a", "trackingServerSecure": "b"}},
            {"analytics": {"trackingServer": "a", "trackingServerSecure": "b", "logging": "server_side"}},
            id="tracking-servers",
        ),
        pytest.param(
            {"audienceManager": {"locationHint": 9, "blob": "b"}},
            {"audienceManager": {"locationHint": 9, "blob": "b"}, **SERVER_SIDE_ANALYTICS},
            id="audience-manager-is-kept",
        ),
    ],
)
def test_experience_cloud(experience_cloud: dict[str, Any] | None, sent: dict[str, Any]) -> None:
    assert offers({**PAGE_LOAD, "experienceCloud": experience_cloud}).body["experienceCloud"] == sent


@pytest.mark.parametrize(
    ("own", "configured", "sent"),
    [
        (None, "token_abc", {"token": "token_abc"}),
        ({"token": "token_xyz"}, "token_abc", {"token": "token_xyz"}),
        ({"token": "token_abc"}, "token_abc", {"token": "token_abc"}),
        ({"token": None}, "token_abc", {"token": "token_abc"}),
        ({}, "token_abc", {"token": "token_abc"}),
        ({"token": ""}, "token_abc", {"token": "token_abc"}),
        ({"token": " "}, None, None),
        ({"token": ""}, None, None),
        ({"token": "token_xyz"}, None, {"token": "token_xyz"}),
        ({"token": "token_xyz"}, "", {"token": "token_xyz"}),
        (None, "", None),
        (None, None, None),
    ],
    ids=str,
)
def test_property_token(
    own: dict[str, Any] | None, configured: str | None, sent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "target"):
        body = offers({**PAGE_LOAD, "property": own}, client={"property_token": configured}).body
    assert body.get("property") == sent
    differs = bool(configured and own and own.get("token") not in (None, "", configured))
    assert [record.levelname for record in caplog.records] == (["DEBUG"] if differs else [])
    assert "token_" not in caplog.text


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        pytest.param({"execute": {"pageLoad": {}}}, {"execute": {"pageLoad": {}}}, id="empty-page-load-is-kept"),
        pytest.param({"prefetch": {"views": [{}]}}, {"prefetch": {"views": [{}]}}, id="one-empty-view-is-kept"),
        pytest.param(
            {"execute": {"pageLoad": {}, "mboxes": []}}, {"execute": {"pageLoad": {}}}, id="empty-mboxes-left-out"
        ),
        pytest.param(
            {"prefetch": {"pageLoad": {}, "mboxes": [], "views": []}}, {"prefetch": {"pageLoad": {}}}, id="empty-views"
        ),
        pytest.param({"execute": None, "prefetch": {"pageLoad": {}}}, {"prefetch": {"pageLoad": {}}}, id="null-part"),
        pytest.param({"context": {"channel": "web"}}, {}, id="neither"),
        *(
            pytest.param(
                {"execute": {"pageLoad": {}}, "prefetch": empty}, {"execute": {"pageLoad": {}}}, id=f"prefetch-{empty}"
            )
            for empty in ({}, {"mboxes": []}, {"views": [], "pageLoad": None})
        ),
        *(
            pytest.param(
                {"execute": empty, "prefetch": {"views": [{}]}}, {"prefetch": {"views": [{}]}}, id=f"execute-{empty}"
            )
            for empty in ({}, {"mboxes": []}, {"pageLoad": None})
        ),
        pytest.param(
            DeliveryRequest(execute=ExecuteRequest(page_load=RequestDetails()), prefetch=PrefetchRequest()),
            {"execute": {"pageLoad": {}}},
            id="empty-prefetch-model",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"parameters": {"a": "b"}}, "future": 1}},
            {"execute": {"pageLoad": {"parameters": {"a": "b"}}, "future": 1}},
            id="unknown-keys-are-kept",
        ),
    ],
)
def test_parts(request_: dict[str, Any], sent: dict[str, Any]) -> None:
    body = offers(request_).body
    assert {name: body[name] for name in ("execute", "prefetch") if name in body} == sent


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        *(
            pytest.param({"execute": part}, "Either pageLoad or mboxes is required in execute", id=f"execute-{part}")
            for part in ({}, {"mboxes": []}, {"mboxes": None}, {"pageLoad": None}, {"views": [{}]})
        ),
        *(
            pytest.param(
                {"prefetch": part}, "Either views, pageLoad or mboxes is required in prefetch", id=f"prefetch-{part}"
            )
            for part in ({}, {"mboxes": []}, {"views": []}, {"views": [], "mboxes": [], "pageLoad": None})
        ),
        pytest.param({"execute": {}, "prefetch": {}}, "Either pageLoad or mboxes is required in execute", id="both"),
        pytest.param(
            {"execute": {"pageLoad": {}}, "prefetch": {"mboxes": [{"name": ""}]}},
            "Either views, pageLoad or mboxes is required in prefetch",
            id="mistake-beside-a-valid-part",
        ),
        pytest.param(
            DeliveryRequest(execute=ExecuteRequest()),
            "Either pageLoad or mboxes is required in execute",
            id="empty-execute-model",
        ),
        pytest.param(
            DeliveryRequest(prefetch=PrefetchRequest(mboxes=[], views=[])),
            "Either views, pageLoad or mboxes is required in prefetch",
            id="empty-prefetch-model",
        ),
    ],
)
def test_a_part_that_asks_for_nothing_is_refused(request_: Any, says: str) -> None:
    with pytest.raises(OptionsError, match="^" + re.escape(says)):
        offers(request_)


@pytest.mark.parametrize("build", [offers, notify])
def test_a_key_that_is_not_known_is_told_of(build: Any, caplog: pytest.LogCaptureFixture) -> None:
    build({**PAGE_LOAD, "notifications": [CLICK], "exectue": {}})
    (line,) = caplog.messages
    assert line.startswith("request.exectue is not known to the Delivery API")


def test_notifications_go_to_the_cluster_that_is_remembered() -> None:
    request = parse_request_options({"request": {"notifications": [CLICK]}})
    call = build_notifications_call(config(), request, runtime(), "38")
    assert call.base_url == f"https://{FAR_HOST}"


@pytest.mark.parametrize("own", [{}, {"telemetry": {"entries": [{"requestId": "own"}]}}])
def test_entries_of_other_calls_are_sent_along(own: dict[str, Any]) -> None:
    call = offers({**PAGE_LOAD, **own})
    entries = [{"requestId": "riding"}]
    sent = add_to_call(call, entries)
    assert json.loads(sent.content) == add_telemetry(call.body, entries)
    assert sent.content.count(b'"telemetry"') == 1
    assert (sent.body, sent.riding) == (call.body, ({"requestId": "riding"},))


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_an_mbox_that_is_not_sent_is_told_of_by_its_place(part: str, caplog: pytest.LogCaptureFixture) -> None:
    offers({part: {"mboxes": [{"name": "a"}, {}]}})
    assert caplog.messages == [f"Mbox validation failed for: request.{part}.mboxes[1]: it has no name; it is not sent"]


def test_a_cookie_that_is_a_header_is_read_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    call = offers(PAGE_LOAD, target_cookie=f"mbox=session#s1#{expires()}")
    assert call.session_id == "s1"
    (line,) = caplog.messages
    assert line.startswith("The target_cookie of a call is a header")


def test_a_visitor_of_the_visitor_cookie_is_sent_with_ids_of_this_call() -> None:
    call = offers(PAGE_LOAD, visitor_cookie="MCMID|07327024324407615852294135870030620007")
    assert call.body["id"] == {"marketingCloudVisitorId": "07327024324407615852294135870030620007"}
    assert call.visitor is not None
    assert call.visitor.organization_id == ACCOUNT["organization_id"]
    first, second = (offers(PAGE_LOAD, consumer_id="top").body["experienceCloud"] for _ in range(2))
    assert first == second  # the runtime of these calls counts its ids
    assert first["analytics"]["supplementalDataId"]


def test_a_time_of_a_notification_that_is_in_seconds_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    seconds = {**CLICK, "timestamp": CLICK["timestamp"] // 1000}
    assert notify({"notifications": [seconds]}).body["notifications"][0]["timestamp"] == seconds["timestamp"]
    (line,) = caplog.messages
    assert line.startswith("The timestamp of notifications[0] lies before 1973")


def test_the_device_id_of_a_request_names_the_cluster(caplog: pytest.LogCaptureFixture) -> None:
    call = offers({**PAGE_LOAD, "id": {"tntId": "device.38_0"}})
    assert (call.cluster, call.names_cluster, call.base_url) == ("38", True, f"https://{FAR_HOST}")
    assert (call.device_id, call.trace_id, call.session_id) == ("device.38_0", "id-1", "id-3")
    assert json.loads(call.content) == call.body
    assert offers(PAGE_LOAD, session_id="own").session_id == "own"
    call = offers({**PAGE_LOAD, "id": {"tntId": "device.x_0"}})
    assert (call.cluster, call.names_cluster) == (None, False)
    assert caplog.messages == ["The device id of a call names no edge cluster of 1 to 4 digits; its suffix is ignored"]


def test_what_json_cannot_hold_is_refused_in_words() -> None:
    with pytest.raises(OptionsError, match=r"^The request cannot be written as JSON: Object of type set is not JSON"):
        write_body({"context": {1}})
