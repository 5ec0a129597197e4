"""Evaluation contexts: what of one becomes which part of a call, and that no value of one breaks anything."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, InvalidContextError, TargetingKeyMissingError

from target import TargetClient
from target.integrations.openfeature import ProviderOptions, TargetProvider
from target.integrations.openfeature._contexts import RESERVED, Asking, read_context
from target.integrations.openfeature._settings import parse_settings
from tests.kit.calls import MakeClient
from tests.kit.loopback import LoopbackServer
from tests.unit.integrations.openfeature.pages import json_offer, showing


def read(context: Any, **options: Any) -> Asking:
    return read_context(context, parse_settings(options))


def sent(server: LoopbackServer) -> dict[str, Any]:
    return server.received[-1].body


VALUES = {name: "1.5" if "tude" in name else f"of {name}" for name in RESERVED} | {"session_id": "session-9"}


@pytest.mark.parametrize("name", [name for name, place in RESERVED.items() if place[0] != "option"])
def test_reserved_names_go_where_the_table_says(server: LoopbackServer, client: TargetClient, name: str) -> None:
    value: Any = 1.5 if "tude" in name else VALUES[name]
    provider = TargetProvider(client, mboxes=["home"])
    assert provider.resolve_object_details("home", {}, EvaluationContext("v", {name: value})).error_code is None
    found = sent(server)
    for step in RESERVED[name]:
        found = found[step]
    assert found == value
    assert "parameters" not in sent(server)["prefetch"]["mboxes"][0]


def test_session_and_cookie_are_those_of_the_call(server: LoopbackServer, client: TargetClient) -> None:
    provider = TargetProvider(client)
    provider.resolve_string_details("home", "", EvaluationContext("v", {"session_id": "session-9"}))
    assert server.received[-1].session_id == "session-9"
    cookie = "session#of-the-cookie#9999999999|PC#device-1.38_0#9999999999"
    provider.resolve_string_details("home", "", EvaluationContext(None, {"target_cookie": cookie, "session_id": "x"}))
    assert server.received[-1].session_id == "of-the-cookie"
    assert sent(server)["id"] == {"tntId": "device-1.38_0"}


class Level(enum.Enum):
    GOLD = "gold"


def test_attributes_are_parameters_in_text(server: LoopbackServer, client: TargetClient) -> None:
    attributes: dict[str, Any] = {
        "text": "a",
        "yes": True,
        "no": False,
        "whole": 3,
        "float": 2.5,
        "even": 4.0,
        "list": ["a", 1, None],
        "none": None,
        "money": Decimal("19.90"),
        "at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "day": datetime.date(2026, 1, 2),
        "id": uuid.UUID(int=5),
        "level": Level.GOLD,
        "user": {"plan": "pro", "deep": {"er": 1}},
        "profile.age": 33,
        "profile": {"city": "Bern"},
    }
    details = TargetProvider(client).resolve_string_details("home", "", EvaluationContext("v", attributes))
    assert details.error_code is not ErrorCode.INVALID_CONTEXT
    mbox = sent(server)["prefetch"]["mboxes"][0]
    assert mbox["parameters"] == {
        "text": "a",
        "yes": "true",
        "no": "false",
        "whole": "3",
        "float": "2.5",
        "even": "4",
        "list": '["a",1,null]',
        "money": "19.90",
        "at": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "id": str(uuid.UUID(int=5)),
        "level": "gold",
        "user.plan": "pro",
        "user.deep.er": "1",
    }
    assert mbox["profileParameters"] == {"age": "33", "city": "Bern"}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, {"thirdPartyId": "k"}),
        ({"targeting_key": "thirdPartyId"}, {"thirdPartyId": "k"}),
        ({"targeting_key": "tntId"}, {"tntId": "k"}),
        ({"targeting_key": "ECID"}, {"marketingCloudVisitorId": "k"}),
        (
            {"targeting_key": "customerId", "integration_code": "crm"},
            {"customerIds": [{"id": "k", "integrationCode": "crm", "authenticatedState": "unknown"}]},
        ),
        ({"targeting_key": lambda context: {"tntId": f"{context.targeting_key}.1"}}, {"tntId": "k.1"}),
        ({"targeting_key": lambda context: {"thirdPartyId": context.attributes["crm"]}}, {"thirdPartyId": "c"}),
        ({"targeting_key": lambda context: None}, None),
    ],
)
def test_what_the_targeting_key_is(
    server: LoopbackServer, client: TargetClient, options: ProviderOptions, ids: Any
) -> None:
    TargetProvider(client, **options).resolve_string_details("home", "", EvaluationContext("k", {"crm": "c"}))
    assert sent(server).get("id") == ids


def test_without_a_targeting_key_each_call_is_of_a_visitor_of_its_own(
    server: LoopbackServer, client: TargetClient
) -> None:
    provider = TargetProvider(client)
    for context in (None, EvaluationContext(), EvaluationContext("")):
        provider.resolve_string_details("home", "", context)
    assert [item.body.get("id") for item in server.received] == [None] * 3
    assert len({item.session_id for item in server.received}) == 3


def test_a_targeting_key_may_be_required() -> None:
    with pytest.raises(TargetingKeyMissingError):
        read(EvaluationContext(attributes={"a": 1}), requires_targeting_key=True)
    assert read(EvaluationContext("k"), requires_targeting_key=True).is_somebody


class Raising(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise OSError("visitor-secret")

    def __iter__(self) -> Iterator[str]:
        raise OSError("visitor-secret")

    def __len__(self) -> int:
        raise OSError("visitor-secret")


class Odd:
    def __str__(self) -> str:
        raise KeyError("visitor-secret")

    __repr__ = __str__


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels else {}


ITSELF: dict[str, Any] = {}
ITSELF["again"] = ITSELF
LIST: list[Any] = []
LIST.append(LIST)
HOSTILE: list[Any] = [
    Raising(),
    {"a": Raising()},
    {"a": Odd()},
    {"a": [Odd()]},
    {"a": object()},
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": 10**400},
    {"a": b"bytes"},
    {1: "a"},
    {None: "a"},
    {"a": nested(50)},
    ITSELF,
    {"a": LIST},
    {"page_url": 3},
    {"user_agent": ["a"]},
    {"ip": object()},
    {"session_id": "visitor-secret?/{}"},
    {"session_id": "x" * 1000},
    {"target_cookie": 5},
    {"geo.planet": "mars"},
    {"geo.latitude": "north"},
    {"property": 5},
    {f"a{number}": 1 for number in range(2000)},
    None,
    5,
]


@pytest.mark.parametrize("attributes", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_value_breaks_an_evaluation_or_is_quoted(
    server: LoopbackServer, client: TargetClient, attributes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=[json_offer({"a": 1})])
    context = EvaluationContext("visitor-secret", attributes)
    details = TargetProvider(client).resolve_integer_details("home.a", 7, context)
    assert (details.value, details.error_code) == (7, ErrorCode.INVALID_CONTEXT)
    assert "secret" not in repr(details)
    assert "secret" not in caplog.text
    assert server.received == []


KEYS = [5, "\ud800", "x" * 10_000, "\x00", b"bytes", object(), ["a"], {"a": 1}, Odd(), True, 1.5]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
@pytest.mark.parametrize("kind", ["thirdPartyId", "tntId", "ECID", "customerId"])
def test_no_hostile_targeting_key_breaks_an_evaluation(
    server: LoopbackServer, client: TargetClient, key: Any, kind: Any
) -> None:
    server.answer = showing(home=[json_offer({"a": 1})])
    options: ProviderOptions = {"targeting_key": kind, "integration_code": "crm" if kind == "customerId" else None}
    details = TargetProvider(client, **options).resolve_integer_details("home.a", 7, EvaluationContext(key))
    assert (details.value, details.error_code) in ((1, None), (7, ErrorCode.INVALID_CONTEXT), (7, ErrorCode.GENERAL))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*RESERVED, "a", "profile.b", "geo", "profile", "user"]) | st.text(), json_like))
def test_whatever_a_context_holds_is_read_or_invalid(attributes: dict[str, Any]) -> None:
    try:
        asking = read(EvaluationContext("k", attributes))
    except InvalidContextError:
        return
    assert asking.request["id"] == {"thirdPartyId": "k"}
    hash(asking.mark)


NONE: Any = {"x": None}
GOLD: Any = {"x": Level.GOLD}
SAME: list[tuple[Any, Any]] = [
    (EvaluationContext("a", {"x": 1, "y": 2}), EvaluationContext("a", {"y": 2, "x": 1})),
    (EvaluationContext("a", {"x": {"y": 1}}), EvaluationContext("a", {"x.y": 1})),
    (EvaluationContext("", NONE), EvaluationContext(None, {})),
    (EvaluationContext("a", {"x": True}), EvaluationContext("a", {"x": "true"})),
]
OTHERS = [
    (EvaluationContext("a"), EvaluationContext("b")),
    (EvaluationContext("a"), EvaluationContext(None)),
    (EvaluationContext("a", {"x": 1}), EvaluationContext("a", {"x": True})),
    (EvaluationContext("a", {"geo.latitude": 1}), EvaluationContext("a", {"geo.latitude": True})),
    (EvaluationContext("a", {"x": 1}), EvaluationContext("a", {"profile.x": 1})),
    (EvaluationContext("a", {"session_id": "s"}), EvaluationContext("a", {"session_id": "t"})),
    (EvaluationContext("a", {"property": "s"}), EvaluationContext("a", {})),
]


def test_contexts_that_ask_the_same_have_one_mark_and_no_others() -> None:
    for one, other in SAME:
        assert read(one).mark == read(other).mark
    for one, other in OTHERS:
        assert read(one).mark != read(other).mark
    assert read(EvaluationContext("a", GOLD)).mark is None, "nobody can tell whether it stays the same"


def test_what_the_function_raises_is_an_error_of_the_context(make_client: MakeClient) -> None:
    def fail(context: EvaluationContext) -> Any:
        raise LookupError(context.targeting_key)

    details = TargetProvider(make_client(), targeting_key=fail).resolve_boolean_details(
        "home", True, EvaluationContext("visitor-secret")
    )
    assert (details.value, details.error_code) == (True, ErrorCode.INVALID_CONTEXT)
    assert "secret" not in (details.error_message or "")
