"""Owns what makes a request invalid: the limits of its schemas, what the API asks beyond them, and its 400 message."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from target.emulator.checks import Check, address, also, name, shaped, text
from target.emulator.schemas import Checks, fields_of


def parse_body(raw: bytes) -> Any:
    """The JSON value in `raw`; raises ValueError for anything that is not JSON in UTF-8, NaN and 1e999 included."""
    try:
        return json.loads(raw.decode(), parse_constant=_finite, parse_float=_finite)
    except RecursionError as cause:
        raise ValueError("nested too deeply") from cause


def find_problem(query: Mapping[str, str], body: Any) -> str | None:
    """The API's message for the first rule that query or body breaks, None for a valid request."""
    problem = next(_problems(query, body), None)
    return None if problem is None else f"Invalid request: {problem}"


def _problems(query: Mapping[str, str], body: Any) -> Iterator[str]:
    # The documented curl calls name the client instead of the organization.
    if not (query.get("imsOrgId") or query.get("client")):
        yield "imsOrgId must not be null"
    session = query.get("sessionId")
    if session is None:
        yield "sessionId must not be null"
    else:
        yield from _SESSION_ID("sessionId", session)
    yield from _DELIVERY_REQUEST("", body)


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(f"{literal} is no JSON number")
    return value


def _parameter_name(path: str, value: Any) -> Iterator[str]:
    yield from _SHORT_NAME(path, value)
    if value.startswith("profile."):
        yield f"{path} must not start with profile."
    if value in ("orderId", "orderTotal", "productPurchasedIds"):
        yield f"{path} must not be {value}, which is reserved; use order"


def _purchased_ids(path: str, value: Any) -> Iterator[str]:
    ids = value.get("purchasedProductIds")
    # The API cuts each id at 50 characters and refuses more than 250 in all.
    if isinstance(ids, list) and sum(min(len(entry), 50) for entry in ids if isinstance(entry, str)) > 250:
        yield f"{path}.purchasedProductIds size must be between 0 and 250"


def _mbox_or_view(path: str, value: Any) -> Iterator[str]:
    if value.get("mbox") is not None and value.get("view") is not None:
        yield f"{path} must not have both mbox and view"


def _only_known_fields(path: str, value: Any) -> Iterator[str]:
    for key in value:
        if key not in fields_of("Notification") and key != "$_type":
            yield f"{path}.{key} is not a known field"


_SESSION_ID = shaped(text(1, 128), r"((?![?/{}])[!-~])*", "be printable ASCII without space ? / { }")
_SHORT_NAME = name(128)
_MBOX_NAME = shaped(name(250), r"(?s:.*)(?<!-clicked)", "not end with -clicked")


def _instead(check: Check) -> Callable[[Check], Check]:
    return lambda _: check


def _shaped(pattern: str, problem: str) -> Callable[[Check], Check]:
    return lambda own: shaped(own, pattern, problem)


def _at_most_50(own: Check) -> Check:
    def check(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, list) and len(value) > 50:
            yield f"{path} size must be between 0 and 50"
        yield from own(path, value)

    return check


# What the API asks for beyond its document: from its pages, or because the document is wrong there.
_RULES: dict[str, Callable[[Check], Check]] = {
    "ExecuteRequest.mboxes": _at_most_50,
    "PrefetchRequest.mboxes": _at_most_50,
    "MboxRequest.name": _instead(_MBOX_NAME),
    "NotificationMbox.name": _instead(_MBOX_NAME),
    "Notification": also(_mbox_or_view, _only_known_fields),
    "Order": also(_purchased_ids),
    "Parameters names": _instead(_parameter_name),
    "Parameters values": _instead(text(high=5000)),
    "Geo.ipAddress": _instead(address),
    "VisitorId.tntId": _shaped(r"[^.]*(\.\d+_\d+)?", "have no dot but the one before its cluster"),
    "AnalyticsRequest.supplementalDataId": _shaped(
        r"[0-9A-Fa-f]{16}-[0-9A-Fa-f]{16}", "be two times 16 hexadecimal digits with a dash"
    ),
}
_REQUIRED = {"DeliveryRequest": ("context",), "MboxRequest": ("name",)}
_DELIVERY_REQUEST = Checks(_RULES, _REQUIRED).of("DeliveryRequest")
