"""Ids are text and blank fields are none, before anything decides by them or is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target import (
    Address,
    ChannelType,
    Context,
    CustomerId,
    DeliveryRequest,
    ExecuteRequest,
    Geo,
    MboxRequest,
    OptionsError,
    Order,
    VisitorId,
)
from target.delivery.wire_form import tidy_request
from tests.generation.spec import SCHEMAS
from tests.kit.built_calls import CLICK, PAGE_LOAD, notify, offers

HOME = {"execute": {"mboxes": [{"name": "home"}]}}


@pytest.mark.parametrize("name", ["tntId", "thirdPartyId", "marketingCloudVisitorId"])
def test_ids_that_are_numbers_are_text(name: str) -> None:
    assert offers({**HOME, "id": {name: 4711}}).body["id"] == {name: "4711"}
    assert notify({"notifications": [CLICK], "id": {name: 0}}).body["id"] == {name: "0"}


def test_ids_that_are_numbers_in_models_are_text() -> None:
    ids = VisitorId(
        tnt_id=1,  # type: ignore[arg-type]
        third_party_id=2,  # type: ignore[arg-type]
        marketing_cloud_visitor_id=3,  # type: ignore[arg-type]
        customer_ids=[
            CustomerId(id=4, integration_code="crm", authenticated_state="unknown"),  # type: ignore[arg-type]
        ],
    )
    call = offers(DeliveryRequest(id=ids, execute=ExecuteRequest(mboxes=[MboxRequest(name="a")])))
    assert call.body["id"] == {
        "tntId": "1",
        "thirdPartyId": "2",
        "marketingCloudVisitorId": "3",
        "customerIds": [{"id": "4", "integrationCode": "crm", "authenticatedState": "unknown"}],
    }
    assert call.device_id == "1"


@pytest.mark.parametrize("blank", ["", " ", None])
def test_blank_ids_are_none(blank: str | None) -> None:
    ids = dict.fromkeys(["tntId", "thirdPartyId", "marketingCloudVisitorId"], blank)
    assert "id" not in offers({**HOME, "id": ids}).body


def test_the_same_customer_id_as_number_and_as_text_is_sent_once() -> None:
    own = [{"id": 4711, "integrationCode": "crm", "authenticatedState": "authenticated"}]
    call = offers({**HOME, "id": {"customerIds": own}}, customer_ids={"crm": {"id": "4711"}, "shop": 5})
    assert [(entry["integrationCode"], entry["id"]) for entry in call.body["id"]["customerIds"]] == [
        ("crm", "4711"),
        ("shop", "5"),
    ]
    assert own[0]["id"] == 4711


def test_a_session_id_that_is_a_number_is_text() -> None:
    assert offers(PAGE_LOAD, session_id=4711).session_id == "4711"


@pytest.mark.parametrize("value", [True, False, 4711.0, float("nan"), [], ["4711"], {}, {"id": 1}, b"4711", 10**200])
@pytest.mark.parametrize("name", ["tntId", "thirdPartyId", "marketingCloudVisitorId"])
def test_ids_of_another_type_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=rf"request\.id\.{name} must be a string or a whole number"):
        offers({**HOME, "id": {name: value}})


def test_customer_ids_of_another_type_are_refused_by_name() -> None:
    for value in (True, 1.5, []):
        entry = {"id": value, "integrationCode": "crm", "authenticatedState": "unknown"}
        with pytest.raises(OptionsError, match=r"request\.id\.customerIds\[0\]\.id must be a string"):
            offers({**HOME, "id": {"customerIds": [entry]}})


def optional_fields_that_may_not_be_blank() -> set[tuple[str, str]]:
    """What the API's document says: a minimal length, a pattern, a format, or no text at all."""
    return {
        (name, field)
        for name, schema in SCHEMAS.items()
        for field, what in (schema.get("properties") or {}).items()
        if field not in schema.get("required", ())
        and (what.get("minLength") or what.get("pattern") or what.get("format") == "date-time")
    }


# Where each stands in a request.
PLACES: dict[tuple[str, str], Any] = {
    ("Geo", "ipAddress"): lambda blank: {"context": {"channel": "web", "geo": {"ipAddress": blank, "city": "BERN"}}},
    ("Geo", "countryCode"): lambda blank: {"context": {"channel": "web", "geo": {"countryCode": blank}}},
    ("Geo", "stateCode"): lambda blank: {"context": {"channel": "web", "geo": {"stateCode": blank}}},
    ("AudienceManager", "blob"): lambda blank: {"experienceCloud": {"audienceManager": {"blob": blank}}},
    ("AnalyticsRequest", "supplementalDataId"): lambda blank: {
        "experienceCloud": {"analytics": {"supplementalDataId": blank}}
    },
    ("Order", "time"): lambda blank: {"execute": {"mboxes": [{"name": "home", "order": {"id": "1", "time": blank}}]}},
}


def test_every_field_that_may_not_be_blank_is_known_here() -> None:
    assert optional_fields_that_may_not_be_blank() - {("ABTOrder", "time")} == set(PLACES)


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_field_that_may_not_be_blank_is_left_out(place: tuple[str, str], blank: str) -> None:
    _, field = place
    call = offers({**HOME, **PLACES[place](blank)})
    assert f'"{field}"'.encode() not in call.content


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        ({"context": {"channel": "web", "geo": dict.fromkeys(["city", "zip", "stateCode"], "")}}, {"channel": "web"}),
        (
            {"context": {"channel": "web", "geo": {"latitude": "", "countryCode": "CH"}}},
            {"channel": "web", "geo": {"countryCode": "CH"}},
        ),
        ({"context": {"channel": "", "userAgent": "", "address": {"url": "", "referringUrl": ""}}}, {"channel": "web"}),
        (
            {"context": {"channel": "web", "address": {"url": "/", "referringUrl": ""}, "screen": {"orientation": ""}}},
            {"channel": "web", "address": {"url": "/"}},
        ),
        (
            {"context": {"channel": "web", "clientHints": {"mobile": False, "model": ""}}},
            {"channel": "web", "clientHints": {"mobile": False}},
        ),
        ({"context": {"channel": "web", "geo": {}}}, {"channel": "web", "geo": {}}),
    ],
)
def test_blank_fields_of_the_context(extra: dict[str, Any], left: dict[str, Any]) -> None:
    context = offers({**HOME, **extra}).body["context"]
    context.pop("timeOffsetInMinutes")
    assert context == left


def test_blank_fields_of_models() -> None:
    request = DeliveryRequest(
        context=Context(
            channel=ChannelType.WEB, geo=Geo(city="", country_code=""), address=Address(url="/", referring_url="")
        ),
        execute=ExecuteRequest(mboxes=[MboxRequest(name="a", order=Order(id="", total=1.0))]),
    )
    body = offers(request).body
    assert "geo" not in body["context"]
    assert body["context"]["address"] == {"url": "/"}
    assert body["execute"]["mboxes"][0]["order"] == {"total": 1.0}
    assert request.context is not None
    assert request.context.geo is not None
    assert request.context.geo.city == ""


def test_blank_details_of_every_part() -> None:
    blank = {"order": {"id": ""}, "product": {"id": "1", "categoryId": ""}, "address": {"url": ""}}
    left = {"product": {"id": "1"}}
    body: dict[str, Any] = {
        "execute": {"pageLoad": {**blank}, "mboxes": [{"name": "a", **blank}]},
        "prefetch": {"views": [{"name": "v", **blank}], "pageLoad": {**blank}, "mboxes": [{"name": "b", **blank}]},
        "notifications": [{**CLICK, **blank}],
    }
    body = json.loads(json.dumps(body))
    tidy_request(body)
    assert body == {
        "execute": {"pageLoad": left, "mboxes": [{"name": "a", **left}]},
        "prefetch": {"views": [{"name": "v", **left}], "pageLoad": left, "mboxes": [{"name": "b", **left}]},
        "notifications": [{**CLICK, **left}],
    }


def test_blanks_that_say_something_are_kept() -> None:
    part = {"parameters": {"colour": ""}, "profileParameters": {"age": " "}}
    request = {
        "execute": {"mboxes": [{"name": "a", **part}], "pageLoad": part},
        "prefetch": {"views": [{"name": ""}, {"name": "v", "key": ""}]},
    }
    body = offers(request).body
    assert body["execute"]["mboxes"][0]["parameters"] == {"colour": ""}
    assert body["execute"]["pageLoad"] == part
    assert body["prefetch"]["views"] == [{"name": ""}, {"name": "v", "key": ""}]


@pytest.mark.parametrize("value", [5, "x", [], [None, 5, ["x"]], {"mboxes": 5, "views": [5]}, {"pageLoad": []}])
def test_what_has_another_shape_is_left_to_the_checks_that_follow(value: Any) -> None:
    body = dict.fromkeys(("id", "context", "execute", "prefetch", "notifications", "property"), value)
    tidy_request(body)
    assert body == dict.fromkeys(body, value)


def test_blank_details_after_something_of_another_shape_are_left_out() -> None:
    body: dict[str, Any] = {"notifications": [5, {**CLICK, "order": {"id": ""}}]}
    tidy_request(body)
    assert body == {"notifications": [5, CLICK]}
