"""What of a request and an answer goes into a cassette: ids, cookies, tokens and times become placeholders.

The same functions run when a cassette is recorded, when it is loaded and when a request is looked up in it, and they
leave placeholders as they are. So a replayed answer hands out placeholders that match when they are sent back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from target.testing._masking import mask

if TYPE_CHECKING:
    from vcr.request import Request

Rule = Callable[[Any], Any]

HOST = "https://delivery.invalid"
# Lists of what stays: a header that nobody thought of cannot carry an id into a cassette.
KEPT_REQUEST_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "x-exc-sdk"})
KEPT_RESPONSE_HEADERS = frozenset({"content-type"})
KEPT_RESPONSE_TOKENS = ("activity.", "experience.", "option.", "offer.")
_EPOCH_MS = range(1_500_000_000_000, 2_000_000_000_000)


def scrub_request(request: Request, secrets: Collection[str] = ()) -> Request:
    """The request without ids: host, headers, query and JSON body in one canonical form."""
    parts = urlsplit(request.uri)
    query = [
        (key, str(_scrub_field("", key, value, None, secrets)))
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    request.uri = f"{HOST}{parts.path}" + (f"?{urlencode(sorted(query))}" if query else "")
    request.headers = {
        key.lower(): value for key, value in sorted(request.headers.items()) if key.lower() in KEPT_REQUEST_HEADERS
    }
    request.body = _scrub_body(request.body, REQUEST_RULES, secrets)
    return request


def scrub_response(response: dict[str, Any], secrets: Collection[str] = ()) -> dict[str, Any]:
    """The answer without ids; `secrets` are texts to take out wherever they stand, such as the client code."""
    body = _scrub_body(response["body"]["string"], RESPONSE_RULES, secrets)
    headers = {name.lower(): values for name, values in response["headers"].items()}
    return {
        "status": response["status"],
        "headers": {name: headers[name] for name in sorted(headers) if name in KEPT_RESPONSE_HEADERS},
        "body": {"string": body or b""},
    }


def scrub(value: Any, rules: Mapping[str, Rule], secrets: Collection[str] = (), key: str = "") -> Any:
    """A JSON value with placeholders by the rules for its keys, and by pattern wherever else an id may stand."""
    if isinstance(value, dict):
        return {name: _scrub_field(key, name, item, rules, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [scrub(item, rules, secrets, key) for item in value]
    if isinstance(value, str):
        return mask(value, secrets)
    return 0 if type(value) is int and value in _EPOCH_MS else value


def _scrub_field(
    parent: str, key: str, value: Any, rules: Mapping[str, Rule] | None = None, secrets: Collection[str] = ()
) -> Any:
    rules = QUERY_RULES if rules is None else rules
    rule = rules.get(f"{parent}.{key}") or rules.get(key)
    if rule is not None and value is not None:
        return scrub(rule(value), {}, secrets)
    # What an offer holds is the marketer's own: its keys mean nothing here.
    return scrub(value, {} if key == "content" else rules, secrets, key)


def _scrub_body(body: Any, rules: Mapping[str, Rule], secrets: Collection[str] = ()) -> bytes | None:
    if not body:
        return None
    text = body.decode() if isinstance(body, bytes) else body
    try:
        value = json.loads(text)
    except ValueError:
        return mask(text, secrets).encode()
    if rules is REQUEST_RULES and isinstance(value, dict):
        value.pop("telemetry", None)  # durations, of earlier calls at that: no two runs send the same
    return json.dumps(scrub(value, rules, secrets), indent=2, sort_keys=rules is REQUEST_RULES).encode()


def _always(placeholder: Any) -> Rule:
    return lambda _: placeholder


def _device_id(value: Any) -> str:
    # The suffix names the edge node, not the visitor, and the next call is routed by it.
    suffix = re.search(r"\.\d+_\d+$", str(value))
    return f"DEVICE{suffix[0] if suffix else ''}"


def _kept_apart(name: str) -> Rule:
    """Different values get different placeholders, so that sending back the wrong token still fails to match."""
    kept = re.compile(rf"{name}-[\w-]{{1,24}}")

    def placeholder(value: Any) -> Any:
        if isinstance(value, list):
            return [placeholder(item) for item in value]
        if value is None or kept.fullmatch(str(value)):
            return value
        return f"{name}-{hashlib.sha256(str(value).encode()).hexdigest()[:8]}"

    return placeholder


def _only_of_the_activity(tokens: Any) -> Any:
    # What is known about the visitor comes under profile., geo., user. and names of the account's own choice.
    if not isinstance(tokens, dict):
        return "SCRUBBED"
    return {key: value if key.startswith(KEPT_RESPONSE_TOKENS) else "SCRUBBED" for key, value in tokens.items()}


QUERY_RULES: dict[str, Rule] = {
    "sessionId": _always("SESSION"),
    "imsOrgId": _always("ORGANIZATION"),
    "client": _always("CLIENT"),
}
# By key at any depth, or by parent and key where the key alone says too little.
REQUEST_RULES: dict[str, Rule] = {
    **QUERY_RULES,
    "requestId": _always("REQUEST"),
    "impressionId": _always("IMPRESSION"),
    "tntId": _device_id,
    "thirdPartyId": _always("THIRD-PARTY"),
    "marketingCloudVisitorId": _always("VISITOR"),
    "customerIds.id": _always("CUSTOMER"),
    "order.id": _always("ORDER"),
    "order.time": _always("2000-01-01T00:00:00Z"),
    "supplementalDataId": _always("0000000000000000-0000000000000000"),
    "audienceManager.blob": _always("BLOB"),
    "ipAddress": _always("0.0.0.0"),
    "timestamp": _always(0),
    "timeOffsetInMinutes": _always(0),
    "token": _always("TOKEN"),  # of property, preview and qaMode
    "authorizationToken": _always("TOKEN"),
    "telemetryServerToken": _always("TOKEN"),
    "eventToken": _kept_apart("EVENT-TOKEN"),
    "tokens": _kept_apart("EVENT-TOKEN"),
    "state": _kept_apart("STATE"),
}
RESPONSE_RULES: dict[str, Rule] = {
    **REQUEST_RULES,
    "responseTokens": _only_of_the_activity,
    "trace": _always({"trace": "SCRUBBED"}),  # free-form, and full of ids
}
