"""Owns finding in delivery-api.yaml, as it is written, what a path of the plain form names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from published.plain import BY_NAME

Path = tuple[str, ...]


def schemas(document: Any) -> Any:
    """The schemas by name."""
    return document["components"]["schemas"]


def operation(document: Any, path: Path) -> Any:
    """The operation at ("operations", "POST /path", ...)."""
    method, _, url = path[1].partition(" ")
    return document["paths"][url][method.lower()]


def parameter(document: Any, path: Path) -> Any:
    """The parameter at (..., "parameters", "query name", ...)."""
    place, _, name = path[3].partition(" ")
    found = (each for each in operation(document, path)["parameters"] if (each["in"], each["name"]) == (place, name))
    return next(found)


def holder(document: Any, path: Path) -> tuple[Any, Path]:
    """What holds the content at (..., "body", TYPE, ...) or (..., "responses", STATUS, TYPE, ...), and the rest."""
    if path[2] == "body":
        return operation(document, path)["requestBody"], path[3:]
    responses = operation(document, path)["responses"]
    return next(responses[status] for status in responses if str(status) == path[3]), path[4:]


def schema(document: Any, path: Path) -> Any:
    """The schema at a path."""
    if path[0] == "schemas":
        node, steps = schemas(document)[path[1]], path[2:]
    elif path[2] == "parameters":
        node, steps = parameter(document, path)["schema"], path[5:]
    else:
        held, rest = holder(document, path)
        node, steps = held["content"][rest[0]]["schema"], rest[1:]
    while steps:
        if steps[0] in BY_NAME:
            name = steps[1]
            node = next(part[steps[0]][name] for part in parts(node) if name in part.get(steps[0], ()))
            steps = steps[2:]
        else:
            node = next(part[steps[0]] for part in parts(node) if steps[0] in part)
            steps = steps[1:]
    return node


def parts(node: Any) -> Iterator[Any]:
    """A schema and the parts of its `allOf` that are written in place."""
    yield node
    for part in node.get("allOf", ()):
        if "$ref" not in part:
            yield from parts(part)


def with_keyword(node: Any, keyword: str) -> Any:
    """The part of a schema that has a keyword, else the schema."""
    return next((part for part in parts(node) if keyword in part), node)


def with_properties(node: Any) -> Any:
    """The part of a schema whose properties are its own."""
    return next((part for part in parts(node) if "properties" in part), [*parts(node)][-1])
