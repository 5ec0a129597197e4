"""Owns the one form in which two schemas are compared: without prose, and one way to write each thing.

A plain schema is a dict. Its lists whose order says nothing (`required`, `enum`, `allOf`, `oneOf`, `anyOf`) are dicts
from the JSON of an element to the element, so that every difference has a path of keys. A reference is a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

Node = dict[str, Any]

#: Words for people and tools, which change nothing on the wire.
PROSE = frozenset(
    {
        *("description", "summary", "title", "example", "examples", "externalDocs", "xml"),
        *("$comment", "$schema", "$id", "$anchor", "$defs", "definitions"),
    }
)
#: Lists that are compared as sets.
SETS = ("required", "enum", "allOf", "oneOf", "anyOf")
#: Keywords whose values are schemas: by name, in a list, one.
BY_NAME, IN_LIST, SINGLE = ("properties", "patternProperties"), ("allOf", "oneOf", "anyOf"), ("items", "not")
#: What a schema means anyway when it does not say so.
DEFAULTS: Node = {
    **dict.fromkeys(("nullable", "deprecated", "readOnly", "writeOnly", "uniqueItems"), False),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), False),
    **dict.fromkeys(("minLength", "minItems", "minProperties"), 0),
    **{key: {} for key in ("properties", "patternProperties", *SETS)},
}
SCHEMA_WORDS = frozenset({"type", "properties", "allOf", "oneOf", "anyOf", "enum", "$ref", "items"}) | {
    "additionalProperties"
}


def key_of(element: Any) -> str:
    """The JSON of an element, the same for equal elements."""
    return json.dumps(element, sort_keys=True, ensure_ascii=False)


def as_set(elements: Iterable[Any]) -> Node:
    """The elements by their JSON, in the order given."""
    return {key_of(element): element for element in elements}


def as_lists(node: Any) -> Any:
    """A node with its sets as lists again."""
    if not isinstance(node, dict):
        return node
    if node and all(key_of(value) == key for key, value in node.items()):
        return [as_lists(value) for value in node.values()]
    return {key: as_lists(value) for key, value in node.items()}


def plain(schema: Any) -> Node:
    """The plain form of a schema whose references are names. Raises ValueError for what is no schema."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        raise ValueError(f"a schema is a mapping, not {schema!r:.60}")
    if "$ref" in schema:
        others = {key: value for key, value in schema.items() if key != "$ref"}
        return {"$ref": schema["$ref"]} if not _own(others) else plain({"allOf": [{"$ref": schema["$ref"]}], **others})
    return _tidied(_merged(_own(schema)))


def _own(schema: Node) -> Node:
    """The keywords that count, each value in plain form."""
    kept: Node = {}
    for key, value in schema.items():
        if key in PROSE or str(key).startswith("x-"):
            continue
        if key in BY_NAME and isinstance(value, dict):
            kept[key] = {str(name): plain(part) for name, part in value.items()}
        elif key in IN_LIST:
            kept[key] = [plain(part) for part in _listed(key, value)]
        elif key in SINGLE or (key == "additionalProperties" and isinstance(value, dict)):
            kept[key] = plain(value)
        elif key in ("required", "enum"):
            kept[key] = as_set(scalar(item) for item in _listed(key, value))
        else:
            kept[key] = scalar(value)
    if kept.get("additionalProperties") == {}:
        kept["additionalProperties"] = True
    return _of_3_0(kept)


def _listed(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{key} is a list, not {value!r:.60}")
    return value


def scalar(value: Any) -> Any:
    """A number without a useless point, a date as its text."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, date) else value


def _of_3_0(schema: Node) -> Node:
    """What OpenAPI 3.1 writes in its own way, as 3.0 does."""
    if "const" in schema:
        schema["enum"] = as_set([schema.pop("const")])
    if isinstance(types := schema.get("type"), list):
        if "null" in types:
            schema["nullable"] = True
        rest = sorted(str(name) for name in types if name != "null")
        schema["type"] = rest[0] if len(rest) == 1 else rest
    for low, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(low), (int, float)) and not isinstance(schema[low], bool):
            schema[bound], schema[low] = schema[low], True
    if schema.get("nullable") and "enum" in schema:
        schema["enum"].pop("null", None)
    return schema


def _merged(schema: Node) -> Node:
    """`allOf` with its parts that are written in place taken into the schema; only references stay."""
    for key in ("oneOf", "anyOf"):
        parts = [part for part in schema.get(key, []) if part.get("type") != "null"]
        if len(parts) < len(schema.get(key, [])):
            schema["nullable"] = True
        if len(parts) == 1:
            del schema[key]
            schema.setdefault("allOf", []).append(parts[0])
        elif parts:
            schema[key] = as_set(parts)
    references: list[Node] = []
    for part in schema.pop("allOf", []):
        references += part.get("allOf", {}).values()
        rest = {key: value for key, value in part.items() if key != "allOf"}
        if "$ref" in rest or any(key in schema and schema[key] != rest[key] for key in rest if not _joins(key)):
            references.append(rest)
            continue
        for key, value in rest.items():
            schema[key] = {**schema.get(key, {}), **value} if _joins(key) else value
    if references:
        schema["allOf"] = as_set(references)
    return schema


def _joins(key: str) -> bool:
    return key in ("properties", "required")


def _tidied(schema: Node) -> Node:
    if "type" not in schema and not schema.get("allOf"):
        if schema.get("properties") or isinstance(schema.get("additionalProperties"), dict):
            schema["type"] = "object"
        elif "items" in schema:
            schema["type"] = "array"
        elif "enum" in schema and all(isinstance(value, str) for value in schema["enum"].values()):
            schema["type"] = "string"
    if schema.get("allOf") and schema.get("type") == "object":
        del schema["type"]
    kept = {key: value for key, value in schema.items() if key not in DEFAULTS or value != DEFAULTS[key]}
    if kept.keys() == {"allOf"} and len(kept["allOf"]) == 1:
        return dict(next(iter(kept["allOf"].values())))
    return kept


def count_properties(node: Node) -> int:
    """How many properties a plain schema has of its own."""
    return len(node.get("properties", {}))
