"""Owns the comparison of two documents in plain form: a list of changes, each with its path and both values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from published.plain import SETS, Node, as_set, key_of
from published.reading import Document
from published.renames import moved_operations, renamed_members, renamed_schemas, with_schema_renamed

Kind = Literal["added", "removed", "renamed", "changed"]
Path = tuple[str, ...]

#: Keywords that bound a value.
LIMITS = frozenset(
    {f"{end}{what}" for end in ("min", "max") for what in ("Length", "Items", "Properties")}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "multipleOf", "uniqueItems"}
)
#: What makes a schema another one altogether; its other keywords then go with it.
_SHAPE = ("$ref", "oneOf", "anyOf", "not")


@dataclass(frozen=True)
class Change:
    """One difference: of which kind, of what, where, from what we have to what the published document says."""

    kind: Kind
    what: str
    path: Path
    before: Any = None
    after: Any = None
    required: bool = False


def compare(ours: Document, theirs: Document, *, partial: bool = False) -> list[Change]:
    """What makes `theirs` of `ours`. A partial document says nothing of the schemas and operations it does not hold."""
    schemas = dict(ours.schemas)
    operations: Node = dict(ours.operations)
    changes: list[Change] = []
    for old, new in renamed_schemas(ours, theirs).items():
        if not partial:
            changes.append(Change("renamed", "schema", ("schemas", old), old, new))
            schemas, operations = with_schema_renamed(schemas, old, new), with_schema_renamed(operations, old, new)
    changes += _named("schema", ("schemas",), schemas, theirs.schemas, _schemas_differ, partial)
    for old, new in moved_operations(operations, theirs.operations).items():
        changes.append(Change("renamed", "operation", ("operations", old), old, new))
        operations = {new if name == old else name: value for name, value in operations.items()}
    changes += _named("operation", ("operations",), operations, theirs.operations, _operations_differ, partial)
    if theirs.servers is not None:
        changes += _named("server", ("servers",), ours.servers or {}, theirs.servers, _variables_differ, partial)
    return changes


def _named(what: str, path: Path, ours: Node, theirs: Node, differ: Any, partial: bool) -> Iterator[Change]:
    if not partial:
        yield from (Change("removed", what, (*path, name), ours[name]) for name in ours if name not in theirs)
    for name, value in theirs.items():
        if name not in ours:
            yield Change("added", what, (*path, name), None, value)
        else:
            yield from differ((*path, name), ours[name], value)


def _variables_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            yield Change("changed", "server variable", (*path, name), ours.get(name), theirs.get(name))


def _operations_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    yield from _members("parameter", (*path, "parameters"), ours["parameters"], theirs["parameters"])
    yield from _named("response", (*path, "responses"), ours["responses"], theirs["responses"], _contents_differ, False)
    here = (*path, "body")
    if ("body" in ours) != ("body" in theirs):
        yield Change("added" if "body" in theirs else "removed", "body", here, ours.get("body"), theirs.get("body"))
    elif "body" in ours:
        yield from _contents_differ(here, ours["body"], theirs["body"])


def _contents_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    for kind in {**ours, **theirs}:
        one, other = ours.get(kind), theirs.get(kind)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _schemas_differ((*path, kind), one, other)
        elif one != other:
            change: Kind = "added" if one is None else "removed" if other is None else "changed"
            yield Change(change, "content", (*path, kind), one, other)


def _members(what: str, path: Path, ours: Node, theirs: Node, needs: tuple[Node, Node] = ({}, {})) -> Iterator[Change]:
    """Properties or parameters, where one may have got another name."""
    renamed = renamed_members(ours, theirs, needs)
    for name, value in ours.items():
        if name in renamed:
            yield Change("renamed", what, (*path, name), name, renamed[name])
        elif name not in theirs:
            yield Change("removed", what, (*path, name), value)
    for name, value in theirs.items():
        if name in ours:
            differ = _parameters_differ if what == "parameter" else _schemas_differ
            yield from differ((*path, name), ours[name], value)
        elif name not in renamed.values():
            required = bool(value.get("required")) if what == "parameter" else key_of(name) in needs[1]
            yield Change("added", what, (*path, name), None, value, required)


def _parameters_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    for key in {**ours, **theirs}:
        if key == "schema":
            yield from _schemas_differ((*path, key), ours[key], theirs[key])
        elif ours.get(key) != theirs.get(key):
            what = "required" if key == "required" else key
            yield Change("changed", what, (*path, key), ours.get(key), theirs.get(key))


def _schemas_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    ours, theirs = _alike(ours, theirs), _alike(theirs, ours)
    if _type(ours) != _type(theirs) or any(key_of(ours.get(key)) != key_of(theirs.get(key)) for key in _SHAPE):
        yield Change("changed", "type", path, ours, theirs)
        return
    yield from _required_differ(path, ours, theirs)
    for key in {**ours, **theirs}:
        here, before, after = (*path, key), ours.get(key), theirs.get(key)
        if key in ("required", "type") or key_of(before) == key_of(after):
            continue
        if key == "properties":
            needs = (ours.get("required", {}), theirs.get("required", {}))
            yield from _members("property", here, before or {}, after or {}, needs)
        elif isinstance(before, dict) and isinstance(after, dict) and key in ("items", "additionalProperties"):
            yield from _schemas_differ(here, before, after)
        elif key in SETS and (key == "allOf" or (before and after)):
            yield from _elements_differ(here, before or {}, after or {})
        else:
            yield Change("changed", "limit" if key in LIMITS else key, here, before, after)


def _alike(node: Node, other: Node) -> Node:
    """A reference as `allOf`, if the other is the same reference with a keyword beside it."""
    if "$ref" in node and "$ref" not in other and key_of(node) in other.get("allOf", {}):
        return {"allOf": as_set([node])}
    return node


def _type(node: Node) -> Any:
    return node.get("type", "object" if "allOf" in node else None)


def _elements_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    what = "enum value" if path[-1] == "enum" else "base"
    yield from (Change("removed", what, (*path, key), value) for key, value in ours.items() if key not in theirs)
    yield from (Change("added", what, (*path, key), None, value) for key, value in theirs.items() if key not in ours)


def _required_differ(path: Path, ours: Node, theirs: Node) -> Iterator[Change]:
    """What became required, or is no longer; a property that comes or goes says so itself."""
    needed, needs = ours.get("required", {}), theirs.get("required", {})
    had, has = ours.get("properties", {}), theirs.get("properties", {})
    for key in {**needed, **needs}:
        name = needed.get(key, needs.get(key))
        told = (name in had) != (name in has)
        if (key in needed) != (key in needs) and not told:
            yield Change("changed", "required", (*path, "required", key), key in needed, key in needs)
