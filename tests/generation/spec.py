"""The spec as the tests of this folder read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tests.kit.processes import ROOT

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it
SPEC: dict[str, Any] = yaml.load((ROOT / "openapi" / "delivery-api.yaml").read_text(encoding="utf-8"), _LOADER)
SCHEMAS: dict[str, Any] = SPEC["components"]["schemas"]

#: Words for people, which neither the published structure nor a comparison knows.
PROSE = {"description", "summary", "title", "example"}


def plain(node: Any) -> Any:
    """A schema without its prose, its references by name, and `allOf: [one reference]` as that reference."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"].rpartition("/")[2]}
    kept = {}
    for key, value in node.items():
        if key == "properties":
            kept[key] = {name: plain(schema) for name, schema in value.items()}
        elif key not in PROSE:
            kept[key] = plain(value)
    if kept.keys() == {"allOf"} and len(kept["allOf"]) == 1:
        return kept["allOf"][0]
    return kept


def properties(name: str) -> dict[str, Any]:
    """Every property of a component schema, inherited ones included."""
    return dict(_properties(SCHEMAS[name]))


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    for part in schema.get("allOf", []):
        yield from _properties(SCHEMAS[part["$ref"].rpartition("/")[2]] if "$ref" in part else part)
    yield from schema.get("properties", {}).items()


def own_properties() -> Iterator[tuple[str, str, Any]]:
    """Schema name, property name and schema of every property where it is written."""
    for name, schema in SCHEMAS.items():
        for part in [schema, *schema.get("allOf", [])]:
            for key, value in part.get("properties", {}).items():
                yield name, key, value


def target(schema: Any) -> tuple[str | None, Any]:
    """The component a property refers to, by name and schema; no name for a schema written in place."""
    reference = plain(schema).get("$ref")
    return (reference, SCHEMAS[reference]) if reference else (None, schema)


def answered() -> set[str]:
    """Every schema that an answer is made of."""
    reached: set[str] = set()
    new = _named([each["responses"] for path in SPEC["paths"].values() for each in path.values()])
    while new:
        reached |= new
        new = _named([SCHEMAS[name] for name in new]) - reached
    return {name for name in reached if properties(name)}


def _named(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_named, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
    return own.union(*map(_named, node.values()))
