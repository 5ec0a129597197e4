"""What the tests make from the document ends, though a later document may have schemas that hold themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.generation.spec import SCHEMAS
from tests.generation.strategies import wire_objects
from tests.kit.properties import examples
from tests.unit.delivery.test_wire_form_fields import fields
from tests.unit.emulator.test_emulator_validation import walk

KNOT = {"$ref": "#/components/schemas/Knot"}
LOOP = {"$ref": "#/components/schemas/Loop"}
TREE = {"$ref": "#/components/schemas/Tree"}
SELF_REFERRING: dict[str, Any] = {
    "Knot": {
        "type": "object",
        "properties": {
            "inner": KNOT,
            "all": {"allOf": [KNOT]},
            "list": {"type": "array", "items": KNOT},
            "map": {"type": "object", "additionalProperties": KNOT},
            "loop": LOOP,
            "tree": TREE,
        },
    },
    "Loop": {"type": "object", "properties": {"back": KNOT, "name": {"type": "string", "maxLength": 5}}},
    "Tree": {"type": "object", "additionalProperties": TREE},
}


@pytest.fixture(scope="module", autouse=True)
def self_referring() -> Any:
    with pytest.MonkeyPatch.context() as patched:
        for name, schema in SELF_REFERRING.items():
            patched.setitem(SCHEMAS, name, schema)
        yield


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_objects_are_made(data: st.DataObject) -> None:
    for name in SELF_REFERRING:
        assert isinstance(data.draw(wire_objects(name)), dict)


def test_fields_are_listed_down_to_what_holds_itself() -> None:
    places = {field.place for field in fields("Knot")}
    assert {"inner", "list", "loop.back", "loop.name"} <= places
    assert "inner.inner" not in places


def test_places_are_walked_down_to_what_holds_itself() -> None:
    places = {path for path, _, _ in walk(KNOT, "", lambda value: value)}
    assert {"inner", "list[0]", "loop.back", "loop.name"} <= places
    assert "inner.inner" not in places
