"""Owns what makes a request invalid: a table of the API's limits, and its 400 message for the first one broken."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from target.emulator.rules import (
    INT32_MAX,
    INT32_MIN,
    Check,
    address,
    boolean,
    date_time,
    integer,
    list_of,
    map_of,
    name,
    number,
    one_of,
    record,
    shaped,
    text,
)


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
        if key not in _NOTIFICATION_FIELDS and key != "$_type":
            yield f"{path}.{key} is not a known field"


_SESSION_ID = shaped(text(1, 128), r"((?![?/{}])[!-~])*", "be printable ASCII without space ? / { }")
_SHORT_NAME = name(128)
_MBOX_NAME = shaped(name(250), r"(?s:.*)(?<!-clicked)", "not end with -clicked")
_ADDRESS = record({"url": text(high=4096), "referringUrl": text(high=4096)})
_PARAMETERS = map_of(_parameter_name, text(high=5000), high=50)
_ORDER = record(
    {
        "id": text(high=250),
        "total": number(0),
        "purchasedProductIds": list_of(text()),
        "time": date_time,
        "experienceLocalId": integer(0, INT32_MAX),
        "duplicate": boolean,
        "outlier": boolean,
    },
    (),
    _purchased_ids,
)
_DETAILS: dict[str, Check] = {
    "address": _ADDRESS,
    "parameters": _PARAMETERS,
    "profileParameters": _PARAMETERS,
    "order": _ORDER,
    "product": record({"id": text(high=128), "categoryId": text(high=128)}),
}
# The API's document requires an index; the documented samples send none and are served.
_MBOXES = list_of(record(_DETAILS | {"index": integer(INT32_MIN, INT32_MAX), "name": _MBOX_NAME}, ("name",)), high=50)
_VIEW_NAMES: dict[str, Check] = {"name": text(high=128), "key": text(high=512)}
_NOTIFICATION_FIELDS: dict[str, Check] = _DETAILS | {
    "id": text(high=200),
    "impressionId": text(high=128),
    "type": one_of("click", "display"),
    "timestamp": integer(),
    "tokens": list_of(text()),
    "mbox": record({"name": _MBOX_NAME, "state": text()}),
    "view": record(_VIEW_NAMES | {"state": text()}),
    "pageLoad": record({"state": text()}),
}
_CUSTOMER_ID = record(
    {
        "id": text(high=128),
        "integrationCode": text(high=50),
        "authenticatedState": one_of("unknown", "authenticated", "logged_out"),
    },
    ("id", "integrationCode", "authenticatedState"),
)
_VISITOR_ID = record(
    {
        "tntId": shaped(text(high=128), r"[^.]*(\.\d+_\d+)?", "have no dot but the one before its cluster"),
        "thirdPartyId": text(high=256),
        "marketingCloudVisitorId": text(high=128),
        "customerIds": list_of(_CUSTOMER_ID, high=50),
    }
)
_SIZE: dict[str, Check] = {"width": number(), "height": number()}
_CONTEXT = record(
    {
        "channel": one_of("mobile", "web"),
        "mobilePlatform": record(
            {
                "deviceName": text(),
                "deviceType": one_of("phone", "tablet"),
                "platformType": one_of("android", "ios"),
                "version": text(high=128),
            },
            ("deviceType", "platformType"),
        ),
        "application": record({"id": text(high=250), "name": text(high=250), "version": text(high=128)}),
        "screen": record(
            _SIZE | {"colorDepth": number(), "pixelRatio": number(), "orientation": one_of("portrait", "landscape")}
        ),
        "window": record(_SIZE),
        "browser": record({"host": text(), "language": text(), "webGLRenderer": text()}),
        "address": _ADDRESS,
        "geo": record(
            {
                "ipAddress": address,
                "latitude": number(),
                "longitude": number(),
                "countryCode": text(2, 2),
                "stateCode": text(1, 3),
                "city": text(high=50),
                "zip": text(high=12),
            }
        ),
        "timeOffsetInMinutes": number(),
        "userAgent": text(),
        "clientHints": record(
            {"mobile": boolean}
            | dict.fromkeys(
                (
                    "model",
                    "platform",
                    "platformVersion",
                    "browserUAWithMajorVersion",
                    "browserUAWithFullVersion",
                    "architecture",
                    "bitness",
                ),
                text(),
            )
        ),
        "beacon": boolean,
    },
    ("channel",),
)
_EXPERIENCE_CLOUD = record(
    {
        "audienceManager": record({"locationHint": integer(1), "blob": text(1, 1024)}),
        "analytics": record(
            {
                "supplementalDataId": shaped(
                    text(33, 33), r"[0-9A-Fa-f]{16}-[0-9A-Fa-f]{16}", "be two times 16 hexadecimal digits with a dash"
                ),
                "logging": one_of("server_side", "client_side"),
                "trackingServer": text(),
                "trackingServerSecure": text(),
            }
        ),
    }
)
_TELEMETRY_ENTRY = record(
    {
        "requestId": text(),
        "timestamp": integer(),
        "mode": one_of("edge", "local"),
        "execution": number(),
        "parsing": number(),
        "features": record(
            {
                "decisioningMethod": one_of("server-side", "on-device", "hybrid"),
                "executeMboxCount": integer(),
                "executePageLoad": boolean,
                "prefetchMboxCount": integer(),
                "prefetchPageLoad": boolean,
                "prefetchViewCount": integer(),
            }
        ),
        "request": record(
            {
                "dns": number(),
                "tls": number(),
                "timeToFirstByte": number(),
                "download": number(),
                "responseSize": integer(),
            }
        ),
        "telemetryServerToken": text(),
    }
)
_QA_MODE = record(
    {
        "token": text(),
        "listedActivitiesOnly": boolean,
        "evaluateAsTrueAudienceIds": list_of(integer()),
        "evaluateAsFalseAudienceIds": list_of(integer()),
        "previewIndexes": list_of(record({"activityIndex": integer(1), "experienceIndex": integer(1)})),
    }
)
_DELIVERY_REQUEST = record(
    {
        "requestId": text(high=128),
        "impressionId": text(high=128),
        "id": _VISITOR_ID,
        "environmentId": integer(),
        "property": record({"token": text()}, ("token",)),
        "trace": record({"authorizationToken": text(), "usage": map_of(text(), text())}, ("authorizationToken",)),
        "context": _CONTEXT,
        "experienceCloud": _EXPERIENCE_CLOUD,
        "execute": record({"pageLoad": record(_DETAILS), "mboxes": _MBOXES}),
        "prefetch": record(
            {"views": list_of(record(_DETAILS | _VIEW_NAMES)), "pageLoad": record(_DETAILS), "mboxes": _MBOXES}
        ),
        "notifications": list_of(
            record(_NOTIFICATION_FIELDS, ("id", "type", "timestamp"), _mbox_or_view, _only_known_fields)
        ),
        "telemetry": record({"entries": list_of(_TELEMETRY_ENTRY)}),
        "qaMode": _QA_MODE,
        "preview": record({"token": text()}),
    },
    ("context",),
)
