"""What a page rendered on the server hands to the browser: state for at.js, script-safe JSON, Analytics hits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from target.errors import OptionsError
from target.foreign import exact_text, is_text
from target_delivery_api.types import dump

_REPORT_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]{0,254}")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
# What at.js needs to go on from; anything else (trace and QA tokens, notifications) has no business in a page.
_REQUEST_KEYS = ("requestId", "impressionId", "id", "context", "experienceCloud", "property", "execute", "prefetch")
_RESPONSE_KEYS = ("status", "requestId", "id", "client", "edgeHost", "execute", "prefetch")
_PAGE_PARTS = ("pageLoad", "views")
_SCRIPT_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_CODE_VERSION = "target-delivery-python"


def script_json(value: Any) -> str:
    """``value`` as JSON that cannot end, or open anything in, the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"))  # ASCII, so U+2028 and U+2029 are escaped
    for character, escaped in _SCRIPT_UNSAFE.items():
        text = text.replace(character, escaped)
    return text


def build_server_state(request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """``{request, response}`` as at.js takes it over as ``serverState``: page load and views, without mboxes.

    A new structure; traces, and whatever else only the server should know, are left out.
    """
    return {
        "request": _page_parts(request, _REQUEST_KEYS),
        "response": _page_parts(response, _RESPONSE_KEYS),
    }


def build_analytics_hits(
    payloads: Iterable[dict[str, Any]], visitor_id: str | None, report_suite: str, tracking_server: str
) -> list[str]:
    """URLs of the Analytics hits for these payloads (``pe``, ``tnta``), with the Experience Cloud id where known.

    A payload that lacks either has none: Analytics would count a hit without ``pe`` as a page view.

    Raises:
        OptionsError: ``report_suite`` or ``tracking_server`` cannot be part of a URL.
    """
    suite = exact_text(report_suite) if is_text(report_suite) else ""
    if not _REPORT_SUITE.fullmatch(suite):
        raise OptionsError("report_suite must be the id of a report suite: letters, digits, and . _ - ,")
    server = exact_text(tracking_server) if is_text(tracking_server) else ""
    if len(server) > 253 or not _HOST.fullmatch(server):
        raise OptionsError("tracking_server must be a host such as example.sc.omtrdc.net, without scheme and path")
    base_url = f"https://{server}/b/ss/{suite}/0/{_CODE_VERSION}"
    hits = []
    for payload in payloads:
        if payload.get("pe") and payload.get("tnta"):
            query = {"pe": payload["pe"], "tnta": payload["tnta"], **({"mid": visitor_id} if visitor_id else {})}
            hits.append(f"{base_url}?{urlencode(query, errors='replace')}")
    return hits


def _page_parts(message: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    kept = {key: dump(message[key]) for key in keys if key in message}
    for name in ("execute", "prefetch"):
        part = kept.pop(name, None) or {}
        if parts := {key: _without_trace(part[key]) for key in _PAGE_PARTS if key in part}:
            kept[name] = parts
    return kept


def _without_trace(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_trace(item) for item in part]
    return {key: value for key, value in part.items() if key != "trace"} if isinstance(part, dict) else part
