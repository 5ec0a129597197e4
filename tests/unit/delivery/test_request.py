"""What a call sends: the body in wire form, its defaults, and that nothing of the caller's is changed."""

from __future__ import annotations

import copy
import json
import re
import types
from collections import OrderedDict
from typing import Any
from unittest.mock import sentinel

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    OptionsError,
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
from tests.kit.built_calls import CLICK, PAGE_LOAD, UTC_OFFSET_MINUTES, expires, notify, offers

VIEWS = {"prefetch": {"views": [{}]}}
SERVER_SIDE_ANALYTICS = {"analytics": {"logging": "server_side"}}


def full_request() -> DeliveryRequest:
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
        trace=Trace(authorization_token="token", usage={"x": 1}),
        preview=Preview(token="p"),
        qa_mode=QAMode(token="q"),
    )


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


@pytest.mark.parametrize(
    "request_",
    [None, {}, "home", 5, [], ["a"], (), True, b"{}", sentinel.another, MboxRequest(name="a"), ExecuteRequest()],
    ids=repr,
)
def test_a_request_of_another_kind_is_refused(request_: Any) -> None:
    for build in (offers, notify):
        with pytest.raises(OptionsError, match=r"^Request object of type DeliveryRequest is required: pass"):
            build(request_)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        pytest.param({"execute": 5}, r"^request\.execute must be an object \(ExecuteRequest\), not int$", id="execute"),
        pytest.param({"execute": {"mboxes": {}}}, r"^request\.execute\.mboxes must be a list, not dict$", id="mboxes"),
        pytest.param({"execute": {"mboxes": ["a"]}}, r"^request\.execute\.mboxes\[0\] must be an object", id="mbox"),
        pytest.param({**PAGE_LOAD, "id": "SECRET"}, r"^request\.id must be an object \(VisitorId\), not str$", id="id"),
        pytest.param({**PAGE_LOAD, "context": []}, r"^request\.context must be an object", id="context"),
        pytest.param({**PAGE_LOAD, "x": {1, 2}}, r"^request\.x must be JSON, not set$", id="set"),
        pytest.param({**PAGE_LOAD, "x": b"SECRET"}, r"^request\.x must be JSON, not bytes$", id="bytes"),
        pytest.param({**PAGE_LOAD, "x": float("nan")}, r"^request\.x must be a finite number$", id="nan"),
        pytest.param({**PAGE_LOAD, "x": float("-inf")}, r"^request\.x must be a finite number$", id="infinity"),
        pytest.param({**PAGE_LOAD, "x": {(1, 2): 3}}, r"^request\.x must have strings for keys", id="tuple-key"),
        pytest.param({**PAGE_LOAD, "x": 10**5000}, r"^request\.x must be a finite number$", id="huge-number"),
        pytest.param(
            {"execute": {"mboxes": [{"name": "a", "order": {"time": "SECRET"}}]}},
            r"ISO 8601 date-time",
            id="order-time",
        ),
        pytest.param(DeliveryRequest(execute="home"), r"^request\.execute must be an object", id="model-part"),  # type: ignore[arg-type]
        pytest.param(
            DeliveryRequest(execute=ExecuteRequest(mboxes="home")),  # type: ignore[arg-type]
            r"^request\.execute\.mboxes must be a list, not str$",
            id="model-mboxes",
        ),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused_without_showing_it(request_: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says) as caught:
        offers(request_)
    assert "SECRET" not in str(caught.value)


def test_a_request_that_holds_itself_is_refused() -> None:
    request: dict[str, Any] = {**PAGE_LOAD}
    request["x"] = request
    with pytest.raises(OptionsError, match="is nested more than 64 deep, or holds itself"):
        offers(request)


def test_a_request_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(OptionsError, match="is nested more than 64 deep, or holds itself"):
        offers({**PAGE_LOAD, "x": deep})


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(OrderedDict(PAGE_LOAD), id="ordered-dict"),
        pytest.param(types.MappingProxyType(PAGE_LOAD), id="read-only-mapping"),
        pytest.param({"execute": ExecuteRequest(page_load=RequestDetails())}, id="dict-of-models"),
        pytest.param(DeliveryRequest(execute={"pageLoad": {}}), id="model-of-dicts"),  # type: ignore[arg-type]
        pytest.param(DeliveryRequest.from_dict(PAGE_LOAD), id="from-dict"),
    ],
)
def test_forms_of_a_request(request_: Any) -> None:
    assert offers(request_).body == offers(PAGE_LOAD).body


def test_unknown_fields_are_sent() -> None:
    own = {**PAGE_LOAD, "future": {"a": [1, None, {"b": "ü"}]}}
    assert offers(own).body["future"] == own["future"]
    assert offers(DeliveryRequest.from_dict(own)).body["future"] == own["future"]


def test_the_content_is_the_body() -> None:
    call = offers({**PAGE_LOAD, "future": "ü\ud800"})
    assert json.loads(call.content) == call.body
    assert "organizationId" not in call.body


def test_the_callers_model_is_not_changed() -> None:
    request = full_request()
    before = copy.deepcopy(request)
    client = {"environment_id": 1, "property_token": "t"}
    for build in (offers, notify):
        try:
            build(request, client=client, target_cookie=f"PC#x.1_0#{expires()}", customer_ids={"shop": "1"})
        except OptionsError:
            assert build is notify  # it holds no notification
    assert request == before
    assert request.to_dict() == before.to_dict()


def test_the_callers_dict_is_not_changed() -> None:
    request = {**full_request().to_dict(), "notifications": [dict(CLICK), {"id": "bad"}], "impressionId": None}
    request["prefetch"]["mboxes"] = [{"name": "m"}, {"name": ""}]
    before = copy.deepcopy(request)
    offers(request, target_cookie=f"PC#x.1_0#{expires()}", customer_ids={"shop": "1"}, added=("n",))
    notify(request, target_cookie=f"PC#x.1_0#{expires()}", customer_ids={"shop": "1"})
    assert request == before


def test_a_call_shares_nothing_with_the_callers_dict() -> None:
    request = {"execute": {"mboxes": [{"name": "a", "parameters": {"k": "v"}}]}, "future": {"x": []}}
    call = offers(request)
    request["execute"]["mboxes"][0]["parameters"]["k"] = "later"  # type: ignore[index]
    request["future"]["x"].append("later")
    assert call.body["execute"]["mboxes"][0]["parameters"] == {"k": "v"}
    assert call.body["future"] == {"x": []}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
MBOXES = st.lists(JSON | st.fixed_dictionaries({}, optional={"name": JSON, "index": JSON, "order": JSON}), max_size=3)
PART = JSON | st.fixed_dictionaries({}, optional={"mboxes": JSON | MBOXES, "pageLoad": JSON, "views": JSON})
NOTIFICATIONS = JSON | st.lists(
    JSON | st.fixed_dictionaries({}, optional={"id": JSON, "type": JSON | st.just("click"), "timestamp": JSON})
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON | st.fixed_dictionaries({}, optional={"tntId": JSON, "customerIds": JSON}),
        "execute": PART,
        "prefetch": PART,
        "notifications": NOTIFICATIONS,
        **dict.fromkeys(["context", "experienceCloud", "property", "requestId", "impressionId", "telemetry"], JSON),
        **dict.fromkeys(["trace", "qaMode", "preview", "environmentId", "other"], JSON),
    },
)


@given(REQUESTS | st.dictionaries(st.text(), JSON))
def test_any_json_is_sent_as_json_or_refused(request: dict[str, Any]) -> None:
    before = copy.deepcopy(request)
    for build in (offers, notify):
        try:
            call = build(request, customer_ids={"crm": "1"}, client={"property_token": "t"})
        except OptionsError:
            continue
        assert json.loads(call.content) == call.body
        assert DeliveryRequest.from_dict(call.body).to_dict()["requestId"]
        assert re.fullmatch(r"https://(acme|mboxedge[0-9]{1,4})\.tt\.omtrdc\.net", call.base_url, re.ASCII)
        assert call.device_id is None or isinstance(call.device_id, str)
    assert repr(request) == repr(before)  # NaN equals nothing, itself included
