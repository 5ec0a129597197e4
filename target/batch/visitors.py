"""A visitor as a row of a table, and as the request that asks what it gets.

A row has columns by name. What is not a column of a visitor is a parameter, for every mbox, view and the page load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from target.batch.errors import BatchError
from target.decisioning.allocation import visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.coercion import to_number, to_text

#: The columns of a visitor, and where in a request their values stand.
COLUMNS: dict[str, tuple[str, ...]] = {
    "tntId": ("id", "tntId"),
    "thirdPartyId": ("id", "thirdPartyId"),
    "marketingCloudVisitorId": ("id", "marketingCloudVisitorId"),
    "userAgent": ("context", "userAgent"),
    "url": ("context", "address", "url"),
    "referringUrl": ("context", "address", "referringUrl"),
    "country": ("context", "geo", "countryCode"),
    "state": ("context", "geo", "stateCode"),
    "city": ("context", "geo", "city"),
    "latitude": ("context", "geo", "latitude"),
    "longitude": ("context", "geo", "longitude"),
    "property": ("property", "token"),
}
_SPELLINGS = {
    "id": "tntId",
    "visitor": "tntId",
    "visitorId": "tntId",
    "ecid": "marketingCloudVisitorId",
    "region": "state",
    "countryCode": "country",
    "stateCode": "state",
    "propertyToken": "property",
    "propertyId": "property",
}
_PARAMETERS = ("parameters.", "mbox.")
_OBJECTS = ("id", "context", "property")  # in JSON Lines and Parquet, as in a request


class Asked(NamedTuple):
    """What a visitor asks for: mboxes, views, and whether the page load."""

    mboxes: tuple[str, ...]
    views: tuple[str, ...]
    page_load: bool


def ask_all(artifact: Artifact, *others: Artifact, only: tuple[str, ...] = ()) -> Asked:
    """All that the artifacts have rules for; with ``only``, the mboxes and views of these names.

    Raises:
        BatchError: There is none of a name.
    """
    artifacts = (artifact, *others)
    page_loads = {each.global_mbox for each in artifacts}
    mboxes = dict.fromkeys(name for each in artifacts for name in each.mboxes)
    views = dict.fromkeys(name for each in artifacts for name in each.views)
    for name in only:
        if name not in mboxes and name not in views:
            there = ", ".join([*mboxes, *views][:8]) or "none"
            raise BatchError(f"The artifact has no rules for an mbox or view {name!r}. It has: {there}")
    kept = [name for name in mboxes if not only or name in only]
    return Asked(
        mboxes=tuple(name for name in kept if name not in page_loads),
        views=tuple(name for name in views if not only or name in only),
        page_load=any(name in page_loads for name in kept),
    )


def read_row(row: Mapping[str, Any], new_id: str) -> dict[str, Any]:
    """The part of a request that one row says: ``id``, ``context``, ``property``, and ``parameters``.

    Args:
        row: Values by column; blank ones and nulls are left out.
        new_id: The device id of a visitor that has no id.

    Raises:
        BatchError: A value is of a type that its column cannot have.
    """
    request: dict[str, Any] = {"id": {}, "parameters": {}}
    for column, value in row.items():
        if value is None or value == "":
            continue
        if isinstance(value, Mapping) and (column in _OBJECTS or column == "parameters"):
            request[column] = {**request.get(column, {}), **_texts(value, column)}
            continue
        path = path_of(column)
        holder = request
        for key in path[:-1]:
            inner = holder.get(key)
            if not isinstance(inner, dict):
                inner = holder[key] = {}
            holder = inner
        holder[path[-1]] = _value(value, column)
    if visitor_of(request["id"]) is None:
        request["id"] = {**request["id"], "tntId": new_id}
    return request


def has_id(row: Mapping[str, Any]) -> bool:
    """Whether a row has a column for an id of the visitor, filled or not."""
    return any(path_of(column)[0] == "id" for column in row)


@lru_cache(maxsize=1024)
def path_of(column: str) -> tuple[str, ...]:
    """Where in a request the value of a column stands."""
    for prefix in _PARAMETERS:
        if column.startswith(prefix) and column != prefix:
            return "parameters", column.removeprefix(prefix)
    short = column.removeprefix("geo.")
    words = short.split("_")
    name = words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
    name = _SPELLINGS.get(name, name)
    return COLUMNS.get(name, ("parameters", column))


def build_body(visitor: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The request of a visitor, in wire form. It asks to prefetch, which decides alike and counts nothing."""
    part = {"parameters": visitor["parameters"]} if visitor["parameters"] else {}
    prefetch: dict[str, Any] = {
        "mboxes": [{"index": index, "name": name, **part} for index, name in enumerate(asked.mboxes)]
    }
    if asked.views:
        prefetch["views"] = [{"name": name, **part} for name in asked.views]
    if asked.page_load:
        prefetch["pageLoad"] = part
    body = {key: value for key, value in visitor.items() if key != "parameters"}
    return {**body, "prefetch": prefetch}


def id_maker(seed: int) -> Callable[[int], str]:
    """What makes a device id of a row's number: the same for the same seed."""
    return lambda number: hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=16).hexdigest()


def _texts(value: Mapping[str, Any], column: str) -> dict[str, Any]:
    if column == "context":
        return {key: item for key, item in value.items() if item is not None}
    return {key: _value(item, f"{column}.{key}") for key, item in value.items() if item is not None and item != ""}


def _value(value: Any, column: str) -> str | float:
    if not isinstance(value, str | int | float):
        raise BatchError(f"{column} is {_kind(value)}, not a plain value")
    if path_of(column)[-1] not in ("latitude", "longitude") or path_of(column)[0] == "parameters":
        return to_text(value)
    number = to_number(value)
    if number != number:
        raise BatchError(f"{column} is no number")
    return number


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else type(value).__name__
