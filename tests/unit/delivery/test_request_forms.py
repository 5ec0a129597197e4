"""A request in every form it may have: dicts, models, any JSON; what of it is refused."""

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
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    OptionsError,
    RequestDetails,
)
from tests.kit.built_calls import CLICK, PAGE_LOAD, expires, full_request, notify, offers


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
    request["execute"]["mboxes"][0]["parameters"]["k"] = "later"
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


def test_a_mapping_that_cannot_be_read_is_told() -> None:
    class Odd(dict[str, Any]):
        def keys(self) -> Any:
            raise ZeroDivisionError

        __iter__ = keys

    with pytest.raises(OptionsError) as caught:
        offers(Odd(execute={}))
    assert str(caught.value) == "The request cannot be read: it raised ZeroDivisionError"


def test_a_call_without_a_request_says_what_to_pass() -> None:
    with pytest.raises(OptionsError) as caught:
        offers({})
    assert str(caught.value) == (
        "Request object of type DeliveryRequest is required: pass the option 'request', as a "
        "DeliveryRequest or as a dict in wire form"
    )


def test_what_is_sent_otherwise_than_it_was_given_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "target")
    given = {**PAGE_LOAD, "context": {"channel": "tv"}, "property": {"token": "own"}}
    call = offers(given, client={"property_token": "another"})
    assert (call.body["context"]["channel"], call.body["property"]["token"]) == ("web", "own")
    assert caplog.messages == [
        "context.channel is neither mobile nor web; the call is sent as web",
        "The property token in the request differs from the client's; the request's is used",
    ]
