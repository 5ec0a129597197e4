"""The API's words about a request without the ids that are in it: an error message ends in logs, where none belongs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from target.delivery.request import Call
from target.delivery.telemetry import as_entry

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
_LONGEST_SECRET = 1000  # of a longer one the beginning is looked for
_LOOKED_AT = _MAX_MESSAGE + 3 * _LONGEST_SECRET
_HIDDEN = "<hidden>"


def redact(message: str, call: Call) -> str:
    """The beginning of ``message``, in one printable line, with every id of ``call`` taken out.

    Takes no longer for a longer message: what stands so far behind that it is not shown is not looked at.
    """
    shown = message[:_LOOKED_AT]
    is_cut = len(message) > len(shown)
    if is_cut:
        # The beginning of an id whose end was cut off would not be found.
        hidden, ends_there = _hide(shown, call)
        shown = hidden if ends_there else hidden[:-_LONGEST_SECRET]
    else:
        shown, is_cut = _hide(shown, call)
    printable = "".join(char if char.isprintable() else " " for char in shown)
    return printable if len(printable) <= _MAX_MESSAGE and not is_cut else printable[:_MAX_MESSAGE] + "..."


def _hide(text: str, call: Call) -> tuple[str, bool]:
    """``text`` without the ids of ``call``, and whether it ends where one began that was too long to know its end."""
    device_id_without_cluster = (call.device_id or "").partition(".")[0]
    secrets = {call.session_id, device_id_without_cluster, *_secrets(call.body), *_riding(call)} - {""}
    ends_there = False
    for secret in sorted(secrets, key=len, reverse=True):
        known = secret[:_LONGEST_SECRET]
        if known not in text:
            continue
        if len(known) < len(secret):
            text, ends_there = text[: text.index(known)] + _HIDDEN, True
        elif len(secret) >= _LONG_SECRET:
            text = text.replace(secret, _HIDDEN)
        else:  # such as a notification's id "1": hidden only where it stands alone
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
    return text, ends_there


def hide_riding(body: str, is_cut: bool, call: Call) -> str:
    """An answer's body, which may repeat what its caller sent, without what rode along of other calls.

    Args:
        body: The text.
        is_cut: Whether the text went on.
        call: What it answers.
    """
    words = sorted({form for word in _riding(call) for form in (word, json.dumps(word)[1:-1])}, key=len, reverse=True)
    for word in words:
        body = body.replace(word, _HIDDEN)
    # The beginning of a word whose end was cut off would not be found.
    return body[: -len(words[0])] if words and is_cut else body


def _riding(call: Call) -> Iterator[str]:
    for entry in map(as_entry, call.riding):
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
