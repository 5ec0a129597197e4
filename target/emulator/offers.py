"""Owns the offers file: its format, and the check that says where and how a file breaks it.

The file is one JSON object; every key is optional:

    {
      "client": "acme",                             the client code the answers name
      "edgeHost": "mboxedge38.tt.omtrdc.net",       the host the answers send the next call to; by default none
      "properties": ["<token>"],                    with it, a request that names none of them gets no content
      "mboxes":   {"home": PLACEMENT},              by mbox name
      "views":    {"cart": PLACEMENT},              by view name; here PLACEMENT may hold a "key" as well
      "pageLoad": PLACEMENT
    }

PLACEMENT is a list of options, or {"options": [...], "metrics": [...]}:

    option   {"type": "html", "content": "<b>hi</b>", "responseTokens": {"activity.name": "Summer"}}
             type is html, json, redirect, dynamic or actions. Without type and content it is default content:
             a prefetch answers its event token alone, an execute leaves it out.
    metric   {"type": "click", "selector": "#buy"}; the selector is optional
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from target.reading import pointer_to

#: Names no edge cluster: SDKs would send the next call of a visitor to it.
DEFAULT_EDGE_HOST = "localhost"
DEFAULT_CLIENT = "emulator"

_OPTION_TYPES = ("html", "json", "redirect", "dynamic", "actions")
_METRIC_TYPES = ("click", "display")


class OffersError(ValueError):
    """The offers file cannot be read or breaks the format; the message says file, place and what to do."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What one mbox, view or page load answers: options and metrics in wire form."""

    options: tuple[dict[str, Any], ...] = ()
    metrics: tuple[dict[str, Any], ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """A checked offers file."""

    client: str = DEFAULT_CLIENT
    edge_host: str = DEFAULT_EDGE_HOST
    properties: tuple[str, ...] | None = None
    mboxes: Mapping[str, Placement] = field(default_factory=dict)
    views: Mapping[str, Placement] = field(default_factory=dict)
    page_load: Placement | None = None

    def in_cluster(self, cluster: str) -> Offers:
        """The same, with answers that send the next call to this edge cluster."""
        return replace(self, edge_host=f"mboxedge{cluster}.tt.omtrdc.net")


def load_offers(path: str | Path) -> Offers:
    """Read and check the offers file at `path`; raises OffersError."""
    try:
        text = Path(path).read_bytes()
    except OSError as cause:
        raise OffersError(f"{path}: cannot be read ({cause.strerror}); name an existing offers file") from cause
    return parse_offers_text(text, str(path))


def parse_offers_text(text: bytes, source: str = "offers") -> Offers:
    """Check the text of an offers file; `source` names it in errors. Raises OffersError."""
    try:
        data = json.loads(text.decode(), object_pairs_hook=_no_repeats, parse_constant=_no_number)
    except json.JSONDecodeError as cause:
        raise OffersError(
            f"{source}: line {cause.lineno}, column {cause.colno}: not JSON ({cause.msg}); correct it there"
        ) from cause
    except (ValueError, RecursionError) as cause:
        raise OffersError(f"{source}: {cause}; the file must be one JSON object in UTF-8") from cause
    return parse_offers(data, source)


def parse_offers(data: Any, source: str = "offers") -> Offers:
    """Check `data`, an offers file already decoded; `source` names it in errors. Raises OffersError."""
    root = _keys(data, source, "", ("client", "edgeHost", "properties", "mboxes", "views", "pageLoad"))
    properties = root.get("properties")
    page_load = root.get("pageLoad")
    return Offers(
        client=_text(root.get("client", DEFAULT_CLIENT), source, "/client"),
        edge_host=_text(root.get("edgeHost", DEFAULT_EDGE_HOST), source, "/edgeHost"),
        properties=None if properties is None else _properties(properties, source),
        mboxes=_placements(root.get("mboxes", {}), source, "/mboxes", keyed=False),
        views=_placements(root.get("views", {}), source, "/views", keyed=True),
        page_load=None if page_load is None else _placement(page_load, source, "/pageLoad", keyed=False),
    )


def _properties(value: Any, source: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        _fail(source, "/properties", "must be a list of property tokens")
    return tuple(_text(token, source, f"/properties/{number}") for number, token in enumerate(value))


def _placements(value: Any, source: str, path: str, *, keyed: bool) -> dict[str, Placement]:
    if not isinstance(value, dict):
        _fail(source, path, "must be an object: a name and its options each")
    return {name: _placement(entry, source, path + pointer_to(name), keyed=keyed) for name, entry in value.items()}


def _placement(value: Any, source: str, path: str, *, keyed: bool) -> Placement:
    if isinstance(value, list):
        return Placement(options=tuple(_option(item, source, at) for item, at in _items(value, source, path)))
    entry = _keys(value, source, path, ("options", "metrics", "key") if keyed else ("options", "metrics"))
    key = entry.get("key")
    options, metrics = (_items(entry.get(name, []), source, path + pointer_to(name)) for name in ("options", "metrics"))
    return Placement(
        options=tuple(_option(item, source, at) for item, at in options),
        metrics=tuple(_metric(item, source, at) for item, at in metrics),
        key=None if key is None else _text(key, source, f"{path}/key"),
    )


def _items(items: Any, source: str, path: str) -> list[tuple[Any, str]]:
    if not isinstance(items, list):
        _fail(source, path, "must be a list")
    return [(item, f"{path}/{number}") for number, item in enumerate(items)]


def _option(value: Any, source: str, path: str) -> dict[str, Any]:
    option = _keys(value, source, path, ("type", "content", "responseTokens"))
    if ("type" in option) != ("content" in option):
        _fail(source, path, "give type and content together, or neither for default content")
    if "type" in option:
        _one_of(option["type"], _OPTION_TYPES, source, f"{path}/type")
        _check_content(option["type"], option["content"], source, f"{path}/content")
    if not isinstance(option.get("responseTokens", {}), dict):
        _fail(source, f"{path}/responseTokens", "must be an object of token names and values")
    return option


def _check_content(kind: str, content: Any, source: str, path: str) -> None:
    if kind in ("html", "redirect") and not isinstance(content, str):
        _fail(source, path, f"must be a string, as the type is {kind}")
    if kind == "actions" and not (isinstance(content, list) and all(isinstance(action, dict) for action in content)):
        _fail(source, path, "must be a list of actions (objects), as the type is actions")
    if not isinstance(content, (str, dict, list)):
        _fail(source, path, "must be a string, an object or a list")


def _metric(value: Any, source: str, path: str) -> dict[str, Any]:
    metric = _keys(value, source, path, ("type", "selector"))
    _one_of(metric.get("type"), _METRIC_TYPES, source, f"{path}/type")
    if "selector" in metric:
        _text(metric["selector"], source, f"{path}/selector")
    return metric


def _keys(value: Any, source: str, path: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        _fail(source, path, f"must be an object with {', '.join(known)}")
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}"
            _fail(source, path + pointer_to(key), f"is no key of the format; {hint}")
    return value


def _one_of(value: Any, known: tuple[str, ...], source: str, path: str) -> None:
    if value not in known:
        near = get_close_matches(str(value), known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        _fail(source, path, f"must be one of {', '.join(known)}{hint}")


def _text(value: Any, source: str, path: str) -> str:
    if not isinstance(value, str) or not value:
        _fail(source, path, "must be a string that is not empty")
    return value


def _fail(source: str, path: str, problem: str) -> NoReturn:
    place = f"{path}: " if path else ""
    raise OffersError(f"{source}: {place}{problem}")


def _no_number(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of two equal keys: an mbox given twice would lose offers without a word.
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"the key {key!r} is given twice in one object")
        seen[key] = value
    return seen
