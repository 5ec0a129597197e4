"""Owns how changes are said: a line of text, an object of JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from published.compare import LIMITS, Change
from published.plain import Node, as_lists, key_of

_AS_KEY = ("enum value", "base", "required")


def line(change: Change) -> str:
    """A change as a sentence without a full stop."""
    at, before, after = where(change), change.before, change.after
    if change.kind == "renamed":
        return f"renamed {change.what} {at} -> {after}"
    if change.what in ("enum value", "base"):
        return f"{change.kind} {change.what} {_value(before if change.kind == 'removed' else after)} of {at}"
    if change.what == "required" and change.kind == "changed":
        return f"changed {at}: {'required' if after else 'no longer required'}"
    if change.kind == "changed" and change.what == "type":
        return f"changed type of {at}: {said(before)} -> {said(after)}"
    if change.kind == "changed":
        keyword = change.path[-1]
        return f"changed {at}: {keyword} {_value(before)} -> {_value(after)}"
    node = before if change.kind == "removed" else after
    details = ", ".join(filter(None, [said(_schema(node)), "required" if change.required else ""]))
    return f"{change.kind} {change.what} {at}" + (f" ({details})" if details else "")


def as_json(change: Change) -> Node:
    """A change as an object: `kind`, `what`, `where`, the `keyword` that changed, `before`, `after`, the `text`."""
    told: Node = {"kind": change.kind, "what": change.what, "where": where(change), "text": line(change)}
    if change.kind == "changed" and change.what not in ("type", "required"):
        told["keyword"] = change.path[-1]
    if change.kind == "added":
        told["required"] = change.required
    return told | {"before": as_lists(change.before), "after": as_lists(change.after)}


def where(change: Change) -> str:
    """The place of a change, such as Geo.zip, Notification.tokens[] or POST /rest/v1/delivery query version."""
    path = change.path
    if change.what in _AS_KEY and path[0] == "schemas":
        at = place(path[:-2])
        return f"{at}.{change_name(path[-1])}" if change.what == "required" else at
    if change.kind == "changed" and change.what != "type":
        return place(path[:-1])
    return place(path)


def change_name(key: str) -> str:
    """The name in the key of a required property."""
    return key.strip('"')


def place(path: tuple[str, ...]) -> str:
    """A path as people write it."""
    if not path or path[0] == "servers":
        return f"server {path[1]}" if len(path) > 1 else "servers"
    text, rest = path[1], list(path[2:])
    while rest:
        step = rest.pop(0)
        if step in ("properties", "patternProperties") and rest:
            text += f".{rest.pop(0)}"
        elif step in ("parameters", "responses") and rest:
            text += f" {'response ' if step == 'responses' else ''}{rest.pop(0)}"
        elif step == "schema":
            pass
        else:
            text += {"items": "[]", "additionalProperties": "{}", "body": " body"}.get(step, f" {step}")
    return text


def said(node: Any) -> str:
    """A schema in a few words, such as "string, maxLength 12" or "array of Geo"."""
    if not isinstance(node, dict):
        return "" if node is None else _value(node)
    if "$ref" in node:
        return str(node["$ref"])
    parts = [_kind(node)]
    parts += [f"{key} {_value(node[key])}" for key in node if key in LIMITS or key in ("default", "enum")]
    parts += [key for key in ("nullable", "deprecated") if node.get(key)]
    return ", ".join(filter(None, parts))


def _kind(node: Node) -> str:
    for key in ("oneOf", "anyOf"):
        if key in node:
            return f"{'one' if key == 'oneOf' else 'any'} of ({' | '.join(said(part) for part in node[key].values())})"
    if "allOf" in node:
        bases = " and ".join(said(part) for part in node["allOf"].values())
        own = ", ".join(node.get("properties", {}))
        return f"{bases} with {own}" if own else bases
    if node.get("type") == "array":
        return f"array of {said(node.get('items', {})) or 'anything'}"
    values = node.get("additionalProperties")
    if isinstance(values, dict):
        return f"map of {said(values)}"
    if node.get("type") == "object" and node.get("properties"):
        return f"object of {', '.join(node['properties'])}"
    kinds = node.get("type", "anything")
    return " ".join(filter(None, [" or ".join(kinds) if isinstance(kinds, list) else kinds, node.get("format")]))


def _schema(node: Any) -> Any:
    """What to say of a parameter, a response or a schema."""
    if not isinstance(node, dict) or "parameters" in node:
        return None
    if "schema" in node:
        return node["schema"]
    contents: Iterable[Any] = [value for key, value in node.items() if "/" in key]
    return next(iter(contents), None if "responses" in node or not node else node)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value and all(key_of(part) == key for key, part in value.items()):
        return ", ".join(said(part) if isinstance(part, dict) else _value(part) for part in value.values())
    return said(value) if isinstance(value, dict) else key_of(value)
