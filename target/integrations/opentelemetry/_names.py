"""Whose spans, metrics and events these are, and attributes that several of them have."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import target
from target import CallInfo, CallOutcome

SCOPE = "target.integrations.opentelemetry"
VERSION = target.__version__
#: HTTP's names are stable; those of evaluations are a candidate for release in this version.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.40.0"

CLIENT = "adobe.target.client"
METHOD = "adobe.target.method"
DECISIONING_METHOD = "adobe.target.decisioning_method"
REASON = "adobe.target.reason"
ERROR_TYPE = "error.type"

_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=1024)
def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)


def http_attributes(call: CallInfo) -> dict[str, Any]:
    """What a span and a metric say of where the call goes; nothing of one that is decided in process."""
    if call.url is None:
        return {}
    scheme, host, port = server_of(call.url)
    return {"http.request.method": "POST", "server.address": host, "server.port": port, "url.scheme": scheme}


def error_type(outcome: CallOutcome) -> str | None:
    """What the call failed with: the status of its answer, or the name of an error; None where it did not fail."""
    answered = outcome.attempts[-1].status is not None if outcome.attempts else outcome.status is not None
    if answered and outcome.status is not None and outcome.status >= 400:
        return str(outcome.status)
    return outcome.error
