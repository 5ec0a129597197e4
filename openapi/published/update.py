"""Owns writing changes into delivery-api.yaml. What the published document no longer has is kept unless it shall go."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from published import places
from published.compare import Change
from published.plain import key_of
from published.prose import MARKER, adjusted, folded, wanted
from published.spec_file import REFERENCE, delete, in_line, insert, rename, styled
from published.update_operations import WRITERS

#: What callers know by name: it stays until somebody says that it may go.
NAMES = frozenset({"schema", "property", "parameter", "enum value", "base", "operation", "response", "body", "server"})


def apply(document: CommentedMap, changes: list[Change], *, remove: bool) -> list[Change]:
    """Write the changes; returns those whose old names were kept."""
    kept = []
    for change in changes:
        keep = change.kind in ("removed", "renamed") and change.what in NAMES and not remove
        if keep:
            kept.append(change)
        _WRITERS.get(change.what, _keyword)(document, change, keep)
    return kept


def _schema(document: Any, change: Change, keep: bool) -> None:
    schemas, name = places.schemas(document), change.path[1]
    if change.kind == "added":
        insert(schemas, name, styled(change.after, wanted(name, change.after)))
    elif change.kind == "renamed":
        if keep:
            insert(schemas, change.after, copy.deepcopy(schemas[name]), after=name)
        else:
            rename(schemas, name, change.after)
        _refer(document, REFERENCE + name, DoubleQuotedScalarString(REFERENCE + change.after))
    elif not keep:
        delete(schemas, name)


def _refer(node: Any, old: str, new: str) -> None:
    """Let every reference to the old name be one to the new."""
    if isinstance(node, dict):
        if node.get("$ref") == old:
            node["$ref"] = new
        for value in node.values():
            _refer(value, old, new)
    elif isinstance(node, list):
        for value in node:
            _refer(value, old, new)


def _property(document: Any, change: Change, keep: bool) -> None:
    node, name = places.schema(document, change.path[:-2]), change.path[-1]
    holder = places.with_properties(node)
    properties = holder.setdefault("properties", CommentedMap())
    if change.kind == "added":
        insert(properties, name, styled(change.after, wanted(name, change.after)))
        _require(node, name, change.required)
    elif change.kind == "renamed":
        required = _is_required(node, name)
        if keep:
            insert(properties, change.after, copy.deepcopy(properties[name]), after=name)
        else:
            rename(properties, name, change.after)
        _require(node, name, False)
        _require(node, change.after, required)
    else:
        # The API cannot ask for what it no longer knows, so one that is kept is not required.
        _require(node, name, False)
        if not keep:
            delete(properties, name)
            if not properties:
                del holder["properties"]


def _is_required(node: Any, name: str) -> bool:
    return any(name in part.get("required", ()) for part in places.parts(node))


def _require(node: Any, name: str, needed: bool) -> None:
    """Name a property among those required, or no longer."""
    if needed and not _is_required(node, name):
        holder = places.with_keyword(node, "required")
        if "required" not in holder:
            names = list(holder)
            insert(holder, "required", in_line([]), after="type" if "type" in names else "description")
        holder["required"].append(name)
    elif not needed:
        for part in places.parts(node):
            if name in part.get("required", ()):
                part["required"].remove(name)
                if not part["required"]:
                    delete(part, "required")


def _required(document: Any, change: Change, keep: bool) -> None:
    if change.path[0] == "operations" and change.path[2] == "parameters" and len(change.path) == 5:
        places.parameter(document, change.path)["required"] = change.after
    else:
        _require(places.schema(document, change.path[:-2]), change.path[-1].strip('"'), bool(change.after))


def _enum_value(document: Any, change: Change, keep: bool) -> None:
    values = places.with_keyword(places.schema(document, change.path[:-2]), "enum")["enum"]
    if change.kind == "added":
        values.append(styled(change.after))
    elif not keep:
        values.remove(change.before)


def _base(document: Any, change: Change, keep: bool) -> None:
    node = places.schema(document, change.path[:-2])
    if change.kind == "added":
        if "allOf" not in node:
            own = CommentedMap((key, node.pop(key)) for key in list(node) if key in ("type", "properties"))
            node["allOf"] = CommentedSeq([own] if own.get("properties") else [])
        node["allOf"].insert(len([part for part in node["allOf"] if "$ref" in part]), styled(change.after))
    elif not keep:
        parts = node["allOf"]
        parts.remove(next(part for part in parts if key_of(_named(part)) == change.path[-1]))


def _named(part: Any) -> Any:
    return {"$ref": str(part["$ref"]).removeprefix(REFERENCE)} if "$ref" in part else part


def _type(document: Any, change: Change, keep: bool) -> None:
    """Another type altogether: the description stays, and those of properties that stay."""
    node, after = places.schema(document, change.path), change.after
    text = node.get("description")
    known = {name: held for part in places.parts(node) for name, held in part.get("properties", {}).items()}
    written = styled(after, None if text is None else _adjusted(text, change.before, after))
    for part in places.parts(written):
        for name in part.get("properties", {}):
            if name in known and (known[name].get("description") or "").count(MARKER) == 0:
                part["properties"][name]["description"] = known[name].get("description")
    for key in list(node):
        if key != "description":
            delete(node, key)
    for key, value in written.items():
        node[key] = value


def _adjusted(text: Any, before: Any, after: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return text
    changed = adjusted(str(text), before, after)
    return text if changed == str(text) else folded(changed)


def _keyword(document: Any, change: Change, keep: bool) -> None:
    node, keyword = places.schema(document, change.path[:-1]), change.path[-1]
    holder = places.with_keyword(node, keyword)
    if "$ref" in holder:
        holder["allOf"] = in_line([in_line({"$ref": holder.pop("$ref")})])
    if change.after is None:
        delete(holder, keyword)
    elif keyword == "enum":
        holder[keyword] = in_line([styled(value) for value in change.after.values()])
    else:
        holder[keyword] = styled(change.after)
    if "description" in node:
        node["description"] = _adjusted(node["description"], {keyword: change.before}, {keyword: change.after})


_WRITERS: dict[str, Callable[[Any, Change, bool], None]] = {
    **WRITERS,
    "schema": _schema,
    "property": _property,
    "required": _required,
    "enum value": _enum_value,
    "base": _base,
    "type": _type,
}
