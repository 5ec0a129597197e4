"""Keys and contexts that are none: an evaluation gives the default and an error, and neither it nor tracking raises."""

from __future__ import annotations

import decimal
import enum
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from target import TargetClient
from target.integrations.openfeature import TargetProvider
from target.integrations.openfeature._contexts import RESERVED
from tests.kit.cdn import artifact
from tests.kit.loopback import LoopbackServer
from tests.kit.odd import Lying, Nameless, Odd, OddMapping, OddNumber, OddText
from tests.unit.integrations.openfeature.pages import VISITOR, flags_of, json_offer, showing

SECRET = "secret-7c1"


class Level(enum.IntEnum):
    HIGH = 3


class Name(enum.StrEnum):
    FLAG = "home.on"
    MEMBER = "member"
    GOLD = "gold"


class Ratio(float):
    """As NumPy's float64 is one."""


def itself() -> dict[str, Any]:
    held: dict[str, Any] = {SECRET: SECRET}
    held["in"] = held
    return held


def in_itself() -> list[Any]:
    held: list[Any] = [SECRET]
    held.append(held)
    return held


#: What is in none of them that a call could hold.
NONE: dict[str, Any] = {
    "text": SECRET,
    "a number": 5,
    "a key of bytes": EvaluationContext(SECRET.encode()),  # type: ignore[arg-type]
    "a key that is a list": EvaluationContext([SECRET]),  # type: ignore[arg-type]
    "a key that raises": EvaluationContext(OddText(SECRET)),
    "no attributes": EvaluationContext(SECRET, None),  # type: ignore[arg-type]
    "a list of attributes": EvaluationContext(SECRET, [SECRET]),  # type: ignore[arg-type]
    "attributes that raise": EvaluationContext(SECRET, OddMapping()),
    "a name that is a number": EvaluationContext(SECRET, {1: SECRET}),  # type: ignore[dict-item]
    "a value that raises": EvaluationContext(SECRET, {"k": Odd()}),  # type: ignore[dict-item]
    "a value without a class": EvaluationContext(SECRET, {"k": Nameless()}),  # type: ignore[dict-item]
    "bytes": EvaluationContext(SECRET, {"k": SECRET.encode()}),
    "a set": EvaluationContext(SECRET, {"k": {SECRET}}),  # type: ignore[dict-item]
    "no number": EvaluationContext(SECRET, {"k": float("nan")}),
    "an endless number": EvaluationContext(SECRET, {"k": float("inf")}),
    "a huge number": EvaluationContext(SECRET, {"k": 10**5000}),
    "a mapping in itself": EvaluationContext(SECRET, itself()),
    "a list in itself": EvaluationContext(SECRET, {"k": in_itself()}),
    "a list that raises": EvaluationContext(SECRET, {"k": [Odd()]}),  # type: ignore[list-item]
    "too many": EvaluationContext(SECRET, {f"k{number}": number for number in range(2000)}),
    "an address that is a number": EvaluationContext(SECRET, {"page_url": 5}),
    "a place that there is not": EvaluationContext(SECRET, {"geo": {"nope": SECRET}}),
    "a session id with a line end": EvaluationContext(SECRET, {"session_id": f"{SECRET}\r\nX: y"}),
    "a cookie that is a number": EvaluationContext(SECRET, {"target_cookie": 5}),
}


@pytest.mark.parametrize("what", NONE)
def test_a_context_that_is_none(
    client: TargetClient, server: LoopbackServer, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=[json_offer({"on": True})])
    provider = TargetProvider(client)
    with caplog.at_level(logging.DEBUG):
        details = provider.resolve_boolean_details("home.on", False, NONE[what])
        provider.track("home", NONE[what])
        provider.shutdown()
    assert (details.value, details.error_code) == (False, ErrorCode.INVALID_CONTEXT)
    assert details.error_message
    assert SECRET not in details.error_message + caplog.text
    assert server.received == []


NO_KEYS: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "bytes": b"home.on",
    "a list": ["home"],
    "empty": "",
    "too long": "x" * 300,
    "too many dots": "a." * 300,
    "what raises": Odd(),
    "what has no class": Nameless(),
    "a text that raises": OddText("home.on"),
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_a_key_that_is_none(client: TargetClient, what: str) -> None:
    key = NO_KEYS[what]
    provider = TargetProvider(client)
    details = provider.resolve_boolean_details(key, True, VISITOR)
    provider.track(key, VISITOR)
    provider.shutdown()
    assert details.value is True
    assert details.error_code is not None


@pytest.mark.parametrize("key", ["home.on.", "home..on", "home.on.__class__", "home.__len__", ".home.on"])
def test_a_key_that_is_hardly_one(server: LoopbackServer, client: TargetClient, key: str) -> None:
    server.answer = showing(home=[json_offer({"on": True})])
    with flags_of(TargetProvider(client)) as flags:
        assert flags.get_boolean_value(key, False, VISITOR) is False


#: Values, and what is sent of them.
WRITTEN: dict[str, tuple[Any, str]] = {
    "a boolean": (True, "true"),
    "a number": (3, "3"),
    "a whole float": (2.0, "2"),
    "a float": (2.5, "2.5"),
    "a member of an IntEnum": (Level.HIGH, "3"),
    "a member of a StrEnum": (Name.GOLD, "gold"),
    "a float of a class of its own": (Ratio(2.5), "2.5"),
    "a number that raises": (OddNumber(4), "4"),
    "a text that raises": (OddText("odd"), "odd"),
    "a decimal": (decimal.Decimal("1.50"), "1.50"),
    "a UUID": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "a list": (["a", 1], '["a",1]'),
    "a moment": (datetime(2026, 11, 27, 10, tzinfo=UTC), "2026-11-27T10:00:00+00:00"),
}


@pytest.mark.parametrize("what", WRITTEN)
def test_a_value_of_any_class_is_sent_as_text(server: LoopbackServer, client: TargetClient, what: str) -> None:
    server.answer = showing(home=[json_offer({"on": True})])
    value, written = WRITTEN[what]
    with flags_of(TargetProvider(client)) as flags:
        assert flags.get_boolean_value(Name.FLAG, False, EvaluationContext("v", {Name.MEMBER: value})) is True
    assert server.received[0].body["prefetch"]["mboxes"][0]["parameters"] == {"member": written}


def test_what_lies_of_itself_is_read_as_it_is(server: LoopbackServer, client: TargetClient) -> None:
    with flags_of(TargetProvider(client)) as flags:
        flags.get_boolean_value("home.on", False, EvaluationContext("v", Lying({"member": "gold"})))
    assert server.received[0].body["prefetch"]["mboxes"][0]["parameters"] == {"member": "gold"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.text(max_size=8) | st.sampled_from([*RESERVED, "geo", "profile", "profile.", "profile.age"])


@pytest.fixture(scope="module")
def provider() -> Any:
    options: Any = {"client": "acme", "organization_id": "1@AdobeOrg", "decisioning_method": "on-device"}
    rules: Any = artifact()
    with TargetClient.create({**options, "artifact_payload": rules, "polling_interval": 0, "offline": True}) as client:
        yield TargetProvider(client)


@given(key=st.text(max_size=12), visitor=st.none() | st.text(), attributes=st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_nothing_raises(provider: Any, key: str, visitor: str | None, attributes: Mapping[str, Any]) -> None:
    context = EvaluationContext(visitor, attributes)
    for flag in (key, "home.from"):
        details = provider.resolve_string_details(flag, "none", context)
        assert details.value in ("none", "home")
        assert (details.error_code is None) is (details.error_message is None)
