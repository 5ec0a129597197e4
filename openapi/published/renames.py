"""Owns when something is surely the same under another name; anything less is said as removed and added."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from published.plain import Node, as_set, key_of

if TYPE_CHECKING:
    from published.reading import Document

#: What many properties have in common; it tells none from another.
_COMMON = frozenset({"type", "format", "nullable", "required", "schema", "deprecated", "style", "explode"})


def renamed_members(ours: Node, theirs: Node, needs: tuple[Node, Node]) -> dict[str, str]:
    """Old name to new of properties or parameters that are the same to the last keyword, and no others are like them.

    Where the keywords are telling (a limit, an enum, a reference), that nothing else beside them has the same, or that
    the place in the order is the same, makes it sure. A mere type needs the same place and a similar name.
    """
    gone = [name for name in ours if name not in theirs]
    come = [name for name in theirs if name not in ours]

    def form(name: str, where: Node, required: Node) -> str:
        return key_of([where[name], key_of(name) in required])

    renamed = {}
    for old in gone:
        wanted = form(old, ours, needs[0])
        like = [new for new in come if form(new, theirs, needs[1]) == wanted]
        if len(like) != 1 or [name for name in gone if form(name, ours, needs[0]) == wanted] != [old]:
            continue
        (new,) = like
        alone = all(
            len([name for name in where if key_of(where[name]) == key_of(ours[old])]) == 1 for where in (ours, theirs)
        )
        same_place = _neighbours(ours, old) == _neighbours(theirs, new)
        similar = _similarity(old, new) >= 0.6
        if (same_place and similar) or (_is_telling(ours[old]) and (alone or same_place)):
            renamed[old] = new
    return renamed


def _similarity(old: str, new: str) -> float:
    """How much alike two names are, of parameters without the place they are in."""
    one, other = (name.rpartition(" ")[2].lower() for name in (old, new))
    return SequenceMatcher(None, one, other).ratio()


def _neighbours(members: Node, name: str) -> tuple[str | None, str | None]:
    names = [None, *members, None]
    at = names.index(name)
    return names[at - 1], names[at + 1]


def _is_telling(node: Node) -> bool:
    inner = [part for part in (node.get("items"), node.get("schema")) if isinstance(part, dict)]
    return any(key not in _COMMON and key != "items" for key in node) or any(_is_telling(part) for part in inner)


def renamed_schemas(ours: Document, theirs: Document) -> dict[str, str]:
    """Old name to new of schemas that say the same and stand in the same places."""
    schemas, operations = dict(ours.schemas), dict(ours.operations)
    renamed: dict[str, str] = {}
    while True:
        gone = [name for name in schemas if name not in theirs.schemas]
        come = [name for name in theirs.schemas if name not in schemas]
        pairs = [(old, new) for old in gone for new in come if _is_same(old, new, schemas, operations, theirs)]
        sure = [
            (old, new)
            for old, new in pairs
            if [pair for pair in pairs if pair[0] == old or pair[1] == new] == [(old, new)]
        ]
        if not sure:
            return renamed
        for old, new in sure:
            renamed[old] = new
            schemas = with_schema_renamed(schemas, old, new)
            operations = with_schema_renamed(operations, old, new)


def moved_operations(ours: Node, theirs: Node) -> dict[str, str]:
    """Old name to new of an operation that has got another path and nothing else, if there is one only."""
    gone = [name for name in ours if name not in theirs]
    come = [name for name in theirs if name not in ours]
    if len(gone) == len(come) == 1 and key_of(ours[gone[0]]) == key_of(theirs[come[0]]):
        return {gone[0]: come[0]}
    return {}


def _is_same(old: str, new: str, schemas: Node, operations: Node, theirs: Document) -> bool:
    if key_of(_renamed(schemas[old], old, new)) != key_of(theirs.schemas[new]):
        return False
    used = _uses(with_schema_renamed({**schemas, **operations}, old, new), new)
    if used != _uses({**theirs.schemas, **theirs.operations}, new):
        return False
    return bool(used) or len(schemas[old].get("properties", {})) > 1


def _uses(node: Any, name: str, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Where in a tree a schema is referred to."""
    if not isinstance(node, dict):
        return set()
    if node.get("$ref") == name:
        return {path}
    return {use for key, value in node.items() for use in _uses(value, name, (*path, str(key)))}


def with_schema_renamed(tree: Node, old: str, new: str) -> Node:
    """The tree with a schema under its new name, wherever it stands or is referred to."""
    return {new if name == old else name: _renamed(value, old, new) for name, value in tree.items()}


def _renamed(node: Any, old: str, new: str) -> Any:
    if not isinstance(node, dict):
        return node
    if node.get("$ref") == old:
        return {**node, "$ref": new}
    changed = {key: _renamed(value, old, new) for key, value in node.items()}
    return {key: as_set(value.values()) if _is_set_of_schemas(key, value) else value for key, value in changed.items()}


def _is_set_of_schemas(key: str, value: Any) -> bool:
    return key in ("allOf", "oneOf", "anyOf") and isinstance(value, dict)
