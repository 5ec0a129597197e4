"""Any schema that a later document of the API may hold becomes a check."""

from __future__ import annotations

from typing import Any

import pytest

from target.emulator import schemas
from target.emulator.checks import also
from target.emulator.schemas import Checks, fields_of


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the check of a schema says of a value in its field `it`."""

    def said(schema: dict[str, Any], value: Any, **others: Any) -> list[str]:
        monkeypatch.setattr(schemas, "SCHEMAS", {"Case": {"type": "object", "properties": {"it": schema}}, **others})
        return list(Checks({}, {}).of("Case")("", {"it": value}))

    return said


@pytest.mark.parametrize(
    ("schema", "good", "bad", "problem"),
    [
        ({"type": "string", "minLength": 2}, "ab", "a", f"it size must be between 2 and {2**31 - 1}"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc", "aBc", "it must match ^[a-z]+$"),
        ({"type": "string", "pattern": "b"}, "abc", "ac", "it must match b"),
        ({"type": "string", "pattern": r"(?<name>x)\p{L}"}, "anything", 5, "it must be a string"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1, "it must be greater than 1"),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": True}, 0.9, 1.0, "it must be less than 1"),
        ({"type": "integer", "enum": [1, 2]}, 2, 3, "it must be one of 1, 2"),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, ["a"], [], "it size must be between 1"),
        ({"type": "object", "minProperties": 1}, {"a": 1}, {}, "it size must be between 1"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": "b"}, "it.a must be an int"),
        ({"oneOf": [{"type": "string"}, {"type": "boolean"}]}, True, 1, "it must be a string"),
        ({"type": ["boolean", "string"]}, "a", 1, "it must be true or false"),
        ({"type": "object", "required": ["a"], "properties": {"a": {}}}, {"a": 1}, {}, "it.a must not be null"),
    ],
)
def test_a_limit_is_held(schema: dict[str, Any], good: Any, bad: Any, problem: str, problems: Any) -> None:
    assert problems(schema, good) == []
    assert [found[: len(problem)] for found in problems(schema, bad)] == [problem]


def test_what_a_schema_does_not_say_is_allowed(problems: Any) -> None:
    assert problems({}, [{"any": 1}]) == []
    assert problems({"type": "array"}, [1, "a", {}]) == []


def test_a_schema_may_lead_back_to_itself(problems: Any) -> None:
    tree = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "parts": {"type": "array", "items": {"$ref": "Tree"}}},
    }
    assert problems({"$ref": "Tree"}, {"parts": [{"parts": [{"size": 1}]}]}, Tree=tree) == []
    assert problems({"$ref": "Tree"}, {"parts": [{"parts": [{"size": "1"}]}]}, Tree=tree) == [
        "it.parts[0].parts[0].size must be an integer"
    ]


def test_fields_and_what_is_required_are_inherited(problems: Any) -> None:
    base = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "maxLength": 1}}}
    own = {"allOf": [{"$ref": "Base"}], "required": ["b"], "properties": {"b": {"type": "boolean"}}}
    assert problems({"$ref": "Own"}, {}, Base=base, Own=own) == ["it.a must not be null", "it.b must not be null"]
    assert problems({"$ref": "Own"}, {"a": "xx", "b": True}, Base=base, Own=own) == [
        "it.a size must be between 0 and 1"
    ]


def test_a_rule_stands_in_for_the_check_of_a_schema_or_a_property() -> None:
    def never(path: str, value: Any) -> Any:
        yield f"{path} is never right"

    checks = Checks({"Geo": also(never), "Geo.city": lambda own: never}, {"Geo": ("zip",)})
    assert list(checks.of("Geo")("geo", {"city": "Bern"})) == [
        "geo.zip must not be null",
        "geo.city is never right",
        "geo is never right",
    ]


def test_fields_of_a_schema_are_all_those_it_takes() -> None:
    assert {"id", "tokens", "parameters", "order"} <= set(fields_of("Notification"))
