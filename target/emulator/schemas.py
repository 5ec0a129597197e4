"""Owns turning the schemas of the API, which `make generate` writes from its document, into checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from target.emulator.checks import (
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    Check,
    any_of,
    boolean,
    date_time,
    integer,
    list_of,
    map_of,
    number,
    one_of,
    record,
    shaped,
    text,
)
from target_delivery_api.schemas import SCHEMAS

Schema: TypeAlias = Mapping[str, Any]
#: By schema, or schema and property: a check that stands in for the one of the schema, which it is given.
Rules: TypeAlias = Mapping[str, Callable[[Check], Check]]

_ANYTHING = any_of(())


def fields_of(name: str) -> list[str]:
    """Every property of a schema, inherited ones included."""
    return list(_properties(SCHEMAS[name]))


class Checks:
    """The checks of the schemas, each made when it is first needed: a schema may lead back to itself."""

    def __init__(self, rules: Rules, required: Mapping[str, tuple[str, ...]]) -> None:
        self._rules, self._required = rules, required
        self._made: dict[str, Check] = {}

    def of(self, name: str) -> Check:
        """The check of a schema by its name."""

        def check(path: str, value: Any) -> Iterator[str]:
            if name not in self._made:
                self._made[name] = self._with_rule(name, self._check(SCHEMAS[name], name))
            yield from self._made[name](path, value)

        return check

    def _with_rule(self, key: str, check: Check) -> Check:
        return self._rules[key](check) if key in self._rules else check

    def _check(self, schema: Schema, name: str) -> Check:
        if "$ref" in schema:
            return self.of(schema["$ref"])
        for alternatives in ("oneOf", "anyOf"):
            if alternatives in schema:
                return any_of([self._check(part, name) for part in schema[alternatives]])
        if "allOf" in schema or "properties" in schema:
            return self._record(schema, name)
        kinds = schema.get("type", ())
        if isinstance(kinds, list):
            return any_of([self._check({**schema, "type": kind}, name) for kind in kinds])
        return self._plain(schema, name, kinds)

    def _plain(self, schema: Schema, name: str, kind: Any) -> Check:
        if "enum" in schema:
            return one_of(*schema["enum"])
        if kind == "string":
            sized = text(schema.get("minLength", 0), schema.get("maxLength", INT32_MAX))
            return date_time if schema.get("format") == "date-time" else _patterned(sized, schema.get("pattern"))
        if kind in ("integer", "number"):
            return _number(schema)
        if kind == "boolean":
            return boolean
        if kind == "array":
            items = self._check(schema.get("items", {}), f"{name}[]")
            return list_of(items, schema.get("maxItems", INT32_MAX), schema.get("minItems", 0))
        if kind == "object":
            values = schema.get("additionalProperties")
            check = self._check(values, f"{name}{{}}") if isinstance(values, Mapping) else _ANYTHING
            bounds = (schema.get("maxProperties", INT32_MAX), schema.get("minProperties", 0))
            names = self._with_rule(f"{name} names", text())
            return map_of(names, self._with_rule(f"{name} values", check), *bounds)
        return _ANYTHING

    def _record(self, schema: Schema, name: str) -> Check:
        fields = {
            key: self._with_rule(f"{owner or name}.{key}", self._check(part, f"{owner or name}.{key}"))
            for key, (owner, part) in _properties(schema).items()
        }
        return record(fields, (*_required(schema), *self._required.get(name, ())))


def _properties(schema: Schema, owner: str = "") -> dict[str, tuple[str, Schema]]:
    """Each property with the name of the schema that it comes from, "" for this one."""
    found: dict[str, tuple[str, Schema]] = {}
    for part in schema.get("allOf", ()):
        found |= _properties(SCHEMAS[part["$ref"]], part["$ref"]) if "$ref" in part else _properties(part, owner)
    return found | {key: (owner, value) for key, value in schema.get("properties", {}).items()}


def _required(schema: Schema) -> list[str]:
    inherited = [_required(SCHEMAS[part["$ref"]] if "$ref" in part else part) for part in schema.get("allOf", ())]
    return [*(name for names in inherited for name in names), *schema.get("required", ())]


def _number(schema: Schema) -> Check:
    whole = schema["type"] == "integer"
    least, most = (INT32_MIN, INT32_MAX) if schema.get("format") == "int32" else (INT64_MIN, INT64_MAX)
    low = schema.get("minimum", least if whole else None)
    high = schema.get("maximum", most if whole else None)
    excluded = (schema.get("exclusiveMinimum", False), schema.get("exclusiveMaximum", False))
    return integer(low, high, *excluded) if whole else number(low, high, *excluded)


def _patterned(sized: Check, pattern: str | None) -> Check:
    if pattern is None:
        return sized
    try:
        re.compile(pattern)
    except re.error:
        return sized  # a pattern of JavaScript's that Python does not know
    return shaped(sized, rf"(?s:.*?)(?:{pattern})(?s:.*)", f"match {pattern}")
