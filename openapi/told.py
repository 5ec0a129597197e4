"""Owns what the generator is told of the spec: what its models cannot show is left out, and circles are marked."""

from __future__ import annotations

import copy
from typing import Any

#: The formats that models know; any other text is a text, any other number a number.
_FORMATS = frozenset({"date-time", "int32", "int64", "float", "double"})
_REFERENCE = "#/components/schemas/"


def told(spec: Any) -> Any:
    """The spec for the generator."""
    document = _simple(copy.deepcopy(spec))
    for path in document.get("paths", {}).values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"].pop("enum", None)  # a model of its own for a text that is sent as it is
    _mark_answers(document)
    _mark_circles(document.get("components", {}).get("schemas", {}))
    return document


def _simple(node: Any) -> Any:
    """A schema without what every model allows anyway (null), and without formats and enums that no model knows."""
    if isinstance(node, list):
        return [_simple(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _simple(value) for key, value in node.items() if not _is_beyond_models(key, value)}
    if isinstance(kept.get("format"), str) and kept["format"] not in _FORMATS:
        del kept["format"]
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [value for value in kept["enum"] if value is not None]
        if not all(isinstance(value, str) for value in kept["enum"]):
            del kept["enum"]
    if kept.get("type") == "array":
        kept.setdefault("items", {})
    return kept


def _is_beyond_models(key: Any, value: Any) -> bool:
    """Whether a keyword says what every model allows anyway, or of a property what that says itself."""
    return (key == "nullable" and isinstance(value, bool)) or (
        key == "discriminator" and isinstance(value, dict) and "propertyName" in value
    )


def _mark_answers(document: dict[str, Any]) -> None:
    """What answers are made of is also made without copies."""
    schemas = document.get("components", {}).get("schemas", {})
    operations = [operation for path in document.get("paths", {}).values() for operation in path.values()]
    first = {name for operation in operations for name in _references(operation.get("responses"))}
    for name in (first | {name for each in first for name in _reached(each, schemas)}) & schemas.keys():
        schemas[name]["x-answered"] = True


def _mark_circles(schemas: dict[str, Any]) -> None:
    """A model that leads back to itself must not need the others while it is being made."""
    for name, schema in schemas.items():
        if name in _reached(name, schemas):
            schema["x-circular"] = True


def _reached(name: str, schemas: dict[str, Any]) -> set[str]:
    """The schemas that one refers to, and those that these do, all the way down."""
    found: set[str] = set()
    waiting = [*_references(schemas.get(name))]
    while waiting:
        if (other := waiting.pop()) not in found:
            found.add(other)
            waiting += _references(schemas.get(other))
    return found


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {name for item in node for name in _references(item)}
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].removeprefix(_REFERENCE)} if isinstance(node.get("$ref"), str) else set()
    return own | {name for value in node.values() for name in _references(value)}
