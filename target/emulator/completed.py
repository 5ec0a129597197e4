"""Owns what a request is decided by besides what it says: an id, a place, an index for each mbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from target.decisioning.geo import geo_of
from target.emulator.answers import Wire, numbered

#: Finds the place of an IP address, under the keys of ``context.geo``; empty where it is not known.
FindPlace = Callable[[str], Mapping[str, Any]]

_ID_FIELDS = ("marketingCloudVisitorId", "tntId", "thirdPartyId")


def complete(body: Wire, tnt_id: str, address: str | None, find_place: FindPlace) -> Wire:
    """``body``, a valid request, with what else is known.

    Args:
        body: The request.
        tnt_id: Of its visitor, who gets it as an id where there is none. Who has another one keeps to that: shares of
            visitors hang on it, on a device, too.
        address: The visitor's IP address, which says where the visitor is if the request says nothing of that.
        find_place: Where an address is.
    """
    ids = {**(body.get("id") or {})}
    if not any(ids.get(key) for key in _ID_FIELDS):
        ids["tntId"] = tnt_id
    geo = geo_of(body)
    looked_up = geo.get("ipAddress") or (None if geo else address)
    if looked_up and not set(geo) - {"ipAddress"}:
        body = {**body, "context": {**body["context"], "geo": {**geo, **find_place(looked_up)}}}
    sections = {
        mode: {**body[mode], "mboxes": numbered(body[mode]["mboxes"])}
        for mode in ("execute", "prefetch")
        if body.get(mode) is not None and body[mode].get("mboxes") is not None
    }
    present = {key: value for key, value in body.items() if value is not None}
    return {**present, **sections, "id": ids}
