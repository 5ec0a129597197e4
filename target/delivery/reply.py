"""What the API's answer means: a DeliveryResponse, nothing (204), or the error it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from target.delivery.request import Call
from target.errors import ApiError, TransportError
from target_delivery_api import models

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse

_MAX_MESSAGE = 500
_SECRET_KEYS = frozenset(
    {
        "authorizationToken",
        "blob",
        "id",
        "ipAddress",
        "state",
        "supplementalDataId",
        "telemetryServerToken",
        "token",
        "tokens",
    }
)
_OPEN_KEYS = frozenset({"authenticatedState", "integrationCode"})  # beside ids, and words a message may need
_LONG_SECRET = 8


class Reply(NamedTuple):
    """An answer as it came: HTTP status, its reason phrase, the unpacked body, and for how many seconds its
    Retry-After asked to be left alone."""

    status: int
    reason: str
    content: bytes
    retry_after_s: float | None = None


def parse_reply(reply: Reply, call: Call) -> DeliveryResponse | None:
    """The answer's model, or None for 204.

    Raises:
        ApiError: The status is not 2xx.
        TransportError: A success without the JSON object that it should carry.
    """
    if reply.status == 204:
        return None
    if not 200 <= reply.status < 300:
        raise _api_error(reply, call)
    try:
        data = json.loads(reply.content)
    except (ValueError, RecursionError) as error:
        what = "is not complete JSON" if reply.content else "is empty"
        raise TransportError(f"The answer ({reply.status}) {what}: check server_domain, or try again") from error
    if not isinstance(data, dict):
        raise TransportError(
            f"The answer ({reply.status}) is not a JSON object: check that server_domain serves the Delivery API"
        )
    try:
        return models.DeliveryResponse.from_dict(data)
    except (TypeError, ValueError) as error:
        raise TransportError(f"The answer is not as the Delivery API documents it: {error}") from error


def _api_error(reply: Reply, call: Call) -> ApiError:
    body = reply.content.decode(errors="replace")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    said = data.get("message") if isinstance(data, dict) else None
    message = _redact(said if isinstance(said, str) and said else reply.reason or "no reason given", call)
    return ApiError(reply.status, message, str(call.body.get("requestId")), _without_riding(body, call))


def _redact(message: str, call: Call) -> str:
    """The API may repeat what it did not like; an error message ends in logs, where no id belongs."""
    device_id_without_cluster = (call.device_id or "").partition(".")[0]
    secrets = {call.session_id, device_id_without_cluster, *_secrets(call.body), *_riding(call)} - {""}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _LONG_SECRET:
            message = message.replace(secret, "<hidden>")
        else:  # such as a notification's id "1": hidden only where it stands alone
            message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "<hidden>", message)
    printable = "".join(char if char.isprintable() else " " for char in message)
    return printable if len(printable) <= _MAX_MESSAGE else printable[:_MAX_MESSAGE] + "..."


def _without_riding(body: str, call: Call) -> str:
    """The answer's body, which may repeat what its caller sent, but not what rode along of other calls."""
    words = {form for word in _riding(call) for form in (word, json.dumps(word)[1:-1])}
    if not words:
        return body
    return re.sub("|".join(map(re.escape, sorted(words, key=len, reverse=True))), "<hidden>", body)


def _riding(call: Call) -> Iterator[str]:
    for entry in call.riding:
        for key in ("requestId", "telemetryServerToken"):
            if isinstance(word := entry.get(key), str) and word:
                yield word


def _secrets(value: Any, hide: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _OPEN_KEYS:
                yield from _secrets(item, hide or key in _SECRET_KEYS)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, hide)
    elif hide and value and isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)
