"""What a request may hold: every field of every model, as models and as dicts, held to the API's own document."""

from __future__ import annotations

import copy
import datetime
import enum
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest.mock import Mock
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target import (
    Address,
    ChannelType,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    Geo,
    MboxRequest,
    Notification,
    OptionsError,
    Order,
    PageLoadResponse,
    QAMode,
    RequestDetails,
    Screen,
    VisitorId,
)
from target.delivery.wire_form import write_request
from target_delivery_api import models
from tests.generation.spec import SCHEMAS, properties, target
from tests.generation.strategies import attribute_names, is_model

LEFT_OUT_LATER = {"notifications[0].id", "notifications[0].type", "notifications[0].timestamp"}


class Field(NamedTuple):
    """One field that a request may hold: its place in a message, and the steps there (model, wire key, is a list)."""

    place: str
    steps: tuple[tuple[str, str, bool], ...]
    kind: str


def fields(name: str = "DeliveryRequest", steps: tuple[tuple[str, str, bool], ...] = ()) -> Iterator[Field]:
    """Every field of a request, all the way down, as the API's document has them."""
    for key, schema in properties(name).items():
        reference, resolved = target(schema)
        is_list = resolved.get("type") == "array"
        inner, item = target(resolved["items"]) if is_list else (reference, resolved)
        here = (*steps, (name, key, is_list))
        place = ".".join(f"{key}[0]" if listed else key for _, key, listed in steps)
        place = f"{place}.{key}" if place else key
        kind = "model" if inner and is_model(inner) else str(item.get("format") or item.get("type"))
        yield Field(place, here, f"list of {kind}" if is_list else kind)
        if inner and is_model(inner):
            yield from fields(inner, here)


FIELDS = list(fields())


def as_dict(field: Field, value: Any) -> dict[str, Any]:
    """A request in wire form with ``value`` in ``field``."""
    made = value
    for position, (_, key, is_list) in enumerate(reversed(field.steps)):
        made = {key: [made] if is_list and position else made}
    return dict(made)


def as_model(field: Field, value: Any) -> Any:
    """The same as models."""
    made = value
    for position, (name, key, is_list) in enumerate(reversed(field.steps)):
        attributes = attribute_names(name)
        required = {attributes[needed]: None for needed in SCHEMAS[name].get("required", [])}
        made = getattr(models, name)(**{**required, attributes[key]: [made] if is_list and position else made})
    return made


class Odd:
    """No JSON, and no pleasure to handle."""

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no items")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equal")

    __hash__ = object.__hash__


class Nameless:
    """Raises when it is asked for its class."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class OddMapping(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no value")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        raise RuntimeError("no length")


HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)
NO_JSON: dict[str, Any] = {
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "set": {1},
    "generator": (item for item in "x"),
    "class": dict,
    "complex": 1j,
    "nan": float("nan"),
    "infinite": float("-inf"),
    "huge": 10**5000,
    "decimal-nan": Decimal("sNaN"),
    "lock": threading.Lock(),
    "odd": Odd(),
    "odd-mapping": OddMapping(),
    "stand-in": Mock(spec=str),
    "nameless": Nameless(),
    "tuple-keys": {(1,): 2},
    "number-keys": {1: 2},
    "holds-itself": HOLDS_ITSELF,
    "list-of-bytes": [b"x"],
    "map-of-sets": {"a": {1}},
}
ANOTHER_MODEL = {"model-of-another-class": PageLoadResponse()}
TEXTS = {"text": "x"}
NUMBERS = {"number": 5, "fraction": 1.5, "beyond-64-bits": 2**64}
FLAGS = {"flag": True}
LISTS = {"list": ["x"], "lists": [[["x"]]], "models": [Screen(width=1)]}
OBJECTS = {"object": {"a": "b"}, "object-of-lists": {"a": ["b"]}}
WRONG: dict[str, dict[str, Any]] = {
    "string": FLAGS | LISTS | OBJECTS | {"fraction": 1.5},
    "date-time": TEXTS | NUMBERS | FLAGS | LISTS | OBJECTS,
    "integer": TEXTS | FLAGS | LISTS | OBJECTS | {"fraction": 1.5, "beyond-64-bits": 2**64},
    "number": TEXTS | FLAGS | LISTS | OBJECTS,
    "boolean": TEXTS | NUMBERS | LISTS | OBJECTS,
    "object": TEXTS | NUMBERS | FLAGS | LISTS | {"object-of-lists": {"a": ["b"]}},
    "model": TEXTS | NUMBERS | FLAGS | LISTS,
    "list of string": TEXTS | NUMBERS | FLAGS | OBJECTS | {"lists": [["x"]], "flags": [True]},
    "list of integer": TEXTS | NUMBERS | FLAGS | OBJECTS | {"texts": ["5"], "fractions": [1.5]},
    "list of model": TEXTS | NUMBERS | FLAGS | OBJECTS | {"texts": ["5"], "lists": [[{}]], "models": [Screen(width=1)]},
}
ALIASES = {"int32": "integer", "int64": "integer", "float": "number", "double": "number", "ipv4": "string"}


def kind_of(field: Field) -> str:
    listed, _, kind = field.kind.rpartition(" of ")
    kind = ALIASES.get(kind, kind)
    return f"{listed} of {kind}" if listed else kind


@pytest.mark.parametrize("form", [as_dict, as_model], ids=["dict", "model"])
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.place)
def test_every_wrong_type_in_every_field_is_refused_by_its_place(field: Field, form: Any) -> None:
    wrong = NO_JSON if field.place in LEFT_OUT_LATER else NO_JSON | ANOTHER_MODEL | WRONG[kind_of(field)]
    place = f"request.{field.place}"
    for name, value in wrong.items():
        with pytest.raises(OptionsError) as caught:
            pytest.fail(f"{name} is taken as {write_request(form(field, value))}")
        said = str(caught.value)
        assert said.startswith(place), (name, said)
        assert said[len(place) :][:1] in (" ", "[", "."), (name, said)
        assert caught.value.__context__ is None


def test_the_document_is_walked_through() -> None:
    assert len(FIELDS) > 200
    assert {kind_of(field) for field in FIELDS} == set(WRONG)


TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


class Tier(enum.Enum):
    GOLD = "gold"


class Disguised(str):
    def __str__(self) -> str:
        return "evil"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param({"environmentId": 7.0}, {"environmentId": 7}, id="whole-float"),
        pytest.param({"id": {"tntId": 4711}}, {"id": {"tntId": "4711"}}, id="number-as-id"),
        pytest.param({"id": {"tntId": Disguised("t")}}, {"id": {"tntId": "t"}}, id="text-of-a-subclass"),
        pytest.param({"context": {"channel": "hologram"}}, {"context": {"channel": "hologram"}}, id="new-enum-value"),
        pytest.param({"context": {"channel": ChannelType.WEB}}, {"context": {"channel": "web"}}, id="enum"),
        pytest.param({"preview": {"token": Tier.GOLD}}, {"preview": {"token": "gold"}}, id="enum-of-the-callers"),
        pytest.param(
            {"future": {"a": [1, None, {"b": Tier.GOLD}]}}, {"future": {"a": [1, None, {"b": "gold"}]}}, id="new"
        ),
        pytest.param(
            {"execute": {"pageLoad": {"order": {"id": UUID(int=5), "total": Decimal("19.99")}}}},
            {"execute": {"pageLoad": {"order": {"id": "00000000-0000-0000-0000-000000000005", "total": 19.99}}}},
            id="money-and-uuid",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"parameters": {"a": Decimal("1E+2"), "b": TIME.date(), "c": UUID(int=5)}}}},
            {
                "execute": {
                    "pageLoad": {
                        "parameters": {"a": "100", "b": "2026-01-02", "c": "00000000-0000-0000-0000-000000000005"}
                    }
                }
            },
            id="money-day-and-uuid-as-parameters",
        ),
        pytest.param({"context": None, "id": {"tntId": None}}, {"id": {}}, id="null-is-unset"),
        pytest.param({"future": [None, {"a": None}]}, {"future": [None, {"a": None}]}, id="null-in-what-is-not-known"),
        pytest.param(
            {"execute": {"mboxes": (None, {"name": "a"})}},
            {"execute": {"mboxes": [{"name": "a"}]}},
            id="null-in-a-list",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"parameters": {"a": 1, "b": True, "c": None, "d": Tier.GOLD, "e": TIME}}}},
            {"execute": {"pageLoad": {"parameters": {"a": 1, "b": True, "d": "gold", "e": TIME.isoformat()}}}},
            id="parameters",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"order": {"time": TIME, "total": 5, "purchasedProductIds": [1, "b"]}}}},
            {
                "execute": {
                    "pageLoad": {"order": {"time": TIME.isoformat(), "total": 5, "purchasedProductIds": ["1", "b"]}}
                }
            },
            id="order",
        ),
        pytest.param(
            {"execute": ExecuteRequest(page_load={})}, {"execute": {"pageLoad": {}}}, id="dict-in-model-in-dict"
        ),  # type: ignore[arg-type]
        pytest.param(OrderedDict(execute=MappingProxyType({})), {"execute": {}}, id="other-mappings"),
        pytest.param(
            DeliveryRequest(
                execute=ExecuteRequest(
                    mboxes=[MboxRequest(name="a", additional_properties={"x": Geo(zip="1"), "index": 3})]
                )
            ),
            {"execute": {"mboxes": [{"x": {"zip": "1"}, "index": 3, "name": "a"}]}},
            id="additional-properties",
        ),
    ],
)
def test_what_is_meant_is_written(given: Any, written: Any) -> None:
    assert repr(write_request(given)) == repr(written)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=4)
    | st.decimals()
    | st.datetimes()
    | st.just(Tier.GOLD)
    | st.builds(Disguised, st.text())
    | st.builds(Screen, width=st.integers() | st.text())
    | st.builds(Odd),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
        | st.tuples(inner)
        | st.frozensets(st.integers())
        | st.builds(RequestDetails, parameters=inner, order=inner)
        | st.builds(MboxRequest, name=inner, additional_properties=inner)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(FIELDS), ANYTHING), max_size=3), is_model=st.booleans())
def test_anything_is_refused_or_written_as_json_that_reads_back_the_same(
    steps: list[tuple[Field, Any]], is_model: bool
) -> None:
    for field, value in steps:
        said = ""
        try:
            written = write_request((as_model if is_model else as_dict)(field, value))
        except OptionsError as error:
            said = str(error)
        if said:
            assert said.startswith("request.")
            continue
        assert json.loads(json.dumps(written, allow_nan=False)) == written
        if not field.place.endswith("time"):  # whose text may come back in another form
            assert write_request(DeliveryRequest.from_dict(written)) == written


def test_a_known_key_among_additional_properties_is_held_to_its_type() -> None:
    request = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(additional_properties={"name": [5]})]))
    with pytest.raises(OptionsError, match=r"^request\.execute\.mboxes\[0\]\.name must be a string, not list$"):
        write_request(request)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        pytest.param(
            DeliveryRequest(execute=ExecuteRequest(page_load=MboxRequest(name="a"))),  # type: ignore[arg-type]
            r"request\.execute\.pageLoad must be an object \(RequestDetails\), not MboxRequest",
            id="a-sibling",
        ),
        pytest.param(
            {"context": {"address": Screen(width=1)}}, r"request\.context\.address .*not Screen", id="in-a-dict"
        ),
        pytest.param({"execute": {"mboxes": [Address(url="a")]}}, r"mboxes\[0\] .*not Address", id="in-a-list"),
        pytest.param(
            {"id": {"customerIds": VisitorId()}}, r"customerIds must be a list, not VisitorId", id="for-a-list"
        ),
    ],
)
def test_a_model_of_another_class_is_refused(request_: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        write_request(request_)


def test_a_class_of_ones_own_is_the_model_that_it_descends_from() -> None:
    class Page(RequestDetails):
        __slots__ = ()

    assert write_request({"execute": {"pageLoad": Page(parameters={"a": "b"})}}) == {
        "execute": {"pageLoad": {"parameters": {"a": "b"}}}
    }


def nested(levels: int) -> Any:
    deep: Any = "x"
    for level in range(levels):
        deep = {"a": deep} if level % 2 else [deep]
    return deep


@pytest.mark.parametrize("place", ["future", "execute"])
def test_64_levels_are_written_and_more_are_refused(place: str) -> None:
    def request(levels: int) -> Any:
        deep = {"future": nested(levels)}
        return deep if place == "future" else {"execute": {"mboxes": [deep]}}

    assert write_request(request(64)) == request(64)
    for levels in (65, 100_000):
        with pytest.raises(OptionsError, match=r"is nested more than 64 deep, or holds itself$") as caught:
            write_request(request(levels))
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", ["NaN", "sNaN", "-Infinity", "1E+999999999", "1E-999999999"])
def test_a_decimal_that_no_shop_has_is_refused(number: str) -> None:
    with pytest.raises(
        OptionsError, match=r"^request\.execute\.pageLoad\.parameters\.a must be a string, not Decimal$"
    ):
        write_request({"execute": {"pageLoad": {"parameters": {"a": Decimal(number)}}}})


@pytest.mark.parametrize("key", ["a\nb", "x" * 1000, "ü ö", ""], ids=["line-break", "long", "space", "empty"])
def test_a_message_stays_on_its_line(key: str) -> None:
    with pytest.raises(OptionsError) as caught:
        write_request({"execute": {"mboxes": [{"parameters": {key: []}}]}})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_model_whose_field_was_deleted_is_refused() -> None:
    request = DeliveryRequest()
    del request.execute
    with pytest.raises(OptionsError, match="cannot be read: it raised AttributeError"):
        write_request(request)


def test_what_is_written_shares_nothing_with_what_was_given() -> None:
    given: dict[str, Any] = {
        "id": VisitorId(customer_ids=[{"id": "1", "integrationCode": "a"}]),  # type: ignore[list-item]
        "qaMode": QAMode(evaluate_as_true_audience_ids=[1]),
        "execute": {"pageLoad": {"parameters": {"a": "b"}}},
        "notifications": [Notification(id="n", type="display", timestamp=1, order=Order(purchased_product_ids=["a"]))],
        "context": Context(channel="web"),
        "future": {"list": [{"a": 1}]},
    }
    written = write_request(given)
    before = copy.deepcopy(written)
    given["id"].customer_ids[0]["id"] = "changed"
    given["qaMode"].evaluate_as_true_audience_ids.append(2)
    given["execute"]["pageLoad"]["parameters"]["a"] = "changed"
    given["notifications"][0].order.purchased_product_ids.append("changed")
    given["future"]["list"][0]["a"] = "changed"
    assert written == before


def test_a_dict_that_another_thread_changes_is_read_as_it_was_at_one_moment() -> None:
    parameters: dict[str, str] = {}
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            parameters.update({str(number): "x" for number in range(50)})
            parameters.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            write_request({"execute": {"pageLoad": {"parameters": parameters}}, "future": parameters})
    finally:
        ended.set()
        thread.join()
