"""Every field of every model that a request may hold, held to the API's own document."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target import (
    DeliveryRequest,
    MboxRequest,
    OptionsError,
    PageLoadResponse,
    RequestDetails,
    Screen,
)
from target.delivery.wire_form import write_request
from target_delivery_api import models
from tests.generation.spec import SCHEMAS, properties, target
from tests.generation.strategies import attribute_names, is_model
from tests.kit.odd import Disguised, Nameless, Odd, OddLength, OddMapping, Tier

LEFT_OUT_LATER = {"notifications[0].id", "notifications[0].type", "notifications[0].timestamp"}


class Field(NamedTuple):
    """One field that a request may hold: its place in a message, and the steps there (model, wire key, is a list)."""

    place: str
    steps: tuple[tuple[str, str, bool], ...]
    kind: str


def fields(name: str = "DeliveryRequest", steps: tuple[tuple[str, str, bool], ...] = ()) -> Iterator[Field]:
    """Every field of a request, all the way down, as the API's document has them; of what holds itself, one level."""
    for key, schema in properties(name).items():
        reference, resolved = target(schema)
        is_list = resolved.get("type") == "array"
        inner, item = target(resolved["items"]) if is_list else (reference, resolved)
        here = (*steps, (name, key, is_list))
        place = ".".join(f"{key}[0]" if listed else key for _, key, listed in steps)
        place = f"{place}.{key}" if place else key
        kind = "model" if inner and is_model(inner) else str(item.get("format") or item.get("type"))
        yield Field(place, here, f"list of {kind}" if is_list else kind)
        if inner and is_model(inner) and inner not in {above for above, _, _ in here}:
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
    "odd-length": OddLength(),
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


@settings(suppress_health_check=[HealthCheck.too_slow])
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
