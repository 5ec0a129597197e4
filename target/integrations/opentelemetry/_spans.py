"""A span for each call."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextvars import Token
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider

from target import Attempt, CallInfo, CallOutcome
from target.integrations.opentelemetry._names import (
    CLIENT,
    DECISIONING_METHOD,
    ERROR_TYPE,
    METHOD,
    SCHEMA_URL,
    SCOPE,
    VERSION,
    error_type,
    http_attributes,
    server_of,
)

DELIVERY_PATH = "/rest/v1/delivery"
_MOST_NAMES = 100  # of mboxes in an attribute; get_attributes takes 10,000
#: Methods of calls that are nobody's: their spans begin a trace.
_BACKGROUND = frozenset({"background", "outbox"})
# What instrumentations of HTTP libraries look for; its name has no other home than this one.
_SUPPRESS_HTTP = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")


class _Open(NamedTuple):
    span: Span
    token: Token[Context]
    began_ns: int


class Spans:
    """The spans of calls, from their begin to their end.

    Args:
        tracer_provider: Whose tracer makes them; None: the global one.
        propagates: Whether Target gets the headers of the trace.
    """

    def __init__(self, tracer_provider: TracerProvider | None, propagates: bool) -> None:
        self._tracer = trace.get_tracer(SCOPE, VERSION, tracer_provider, SCHEMA_URL)
        self._propagates = propagates
        self._open: dict[CallInfo, _Open] = {}
        # As long as something may follow from the call, which then links to it.
        self._known: WeakKeyDictionary[CallInfo, SpanContext] = WeakKeyDictionary()

    def begin(self, call: CallInfo) -> dict[str, str]:
        """Begin the span of ``call``, in whose context it is made: the headers to send."""
        began_ns = time.time_ns()
        parent = Context() if call.method in _BACKGROUND else context.get_current()
        span = self._tracer.start_span(
            "POST" if call.url is not None else f"target {call.method}",
            parent,
            SpanKind.INTERNAL if call.url is None else SpanKind.CLIENT,
            _attributes(call),
            self._links(call.causes),
            began_ns,
        )
        inside = trace.set_span_in_context(span, parent)
        if call.url is not None:  # the span of an instrumentation would tell the same once more, and of whose session
            inside = context.set_value(_SUPPRESS_HTTP, True, inside)
        headers: dict[str, str] = {}
        if self._propagates and call.url is not None:
            propagate.inject(headers, inside)
        self._known[call] = span.get_span_context()
        self._open[call] = _Open(span, context.attach(inside), began_ns)
        return {name: value for name, value in headers.items() if name.lower() != "baggage"}

    def end(self, call: CallInfo, outcome: CallOutcome) -> None:
        """End the span of ``call``."""
        found = self._open.pop(call, None)
        if found is None:  # it could not begin
            return
        context.detach(found.token)
        try:
            if found.span.is_recording():
                _describe(found, call, outcome)
        finally:
            found.span.end(found.began_ns + _ns(outcome.milliseconds))

    def remember(self, call: CallInfo) -> None:
        """Let what follows from ``call``, which sends nothing itself, link to the span that it is made in."""
        if call not in self._known:
            self._known[call] = trace.get_current_span().get_span_context()

    def _links(self, causes: Iterable[CallInfo]) -> list[Link]:
        known = [self._known.get(cause) for cause in causes]
        return [Link(found) for found in known if found is not None and found.is_valid]


def _attributes(call: CallInfo) -> dict[str, Any]:
    attributes = http_attributes(call)
    if call.url is not None:
        attributes["url.full"] = call.url
    attributes |= {
        CLIENT: call.client,
        METHOD: call.method,
        DECISIONING_METHOD: call.decisioning_method,
        "adobe.target.kind": call.kind,
    }
    for name, value in (("mboxes", call.mboxes), ("views", call.views), ("property", call.property_token)):
        if value:
            attributes[f"adobe.target.{name}"] = value if name == "property" else value[:_MOST_NAMES]
    return attributes


def _describe(found: _Open, call: CallInfo, outcome: CallOutcome) -> None:
    span = found.span
    if call.url is not None:
        sizes = {"request": outcome.request_bytes, "response": outcome.response_bytes}
        span.set_attributes({f"http.{which}.body.size": size for which, size in sizes.items() if size})
        if outcome.status is not None:
            span.set_attribute("http.response.status_code", outcome.status)
        if len(outcome.attempts) > 1:
            span.set_attribute("http.request.resend_count", len(outcome.attempts) - 1)
        scheme = server_of(call.url)[0]
        for number, attempt in enumerate(outcome.attempts):
            at_ns = found.began_ns + _ns(attempt.after_ms)
            span.add_event("adobe.target.attempt", _of_attempt(attempt, number, scheme), at_ns)
    failed_with = error_type(outcome)
    if failed_with is not None:
        span.set_attribute(ERROR_TYPE, failed_with)
        span.set_status(Status(StatusCode.ERROR))


def _of_attempt(attempt: Attempt, number: int, scheme: str) -> dict[str, Any]:
    _, host, port = server_of(f"{scheme}://{attempt.host}")
    attributes: dict[str, Any] = {
        "server.address": host,
        "server.port": port,
        "http.request.resend_count": number,
        "http.response.body.size": attempt.response_bytes,
        "adobe.target.attempt.duration": attempt.milliseconds / 1000,
    }
    if attempt.status is not None:
        attributes["http.response.status_code"] = attempt.status
    if attempt.error is not None:
        attributes[ERROR_TYPE] = attempt.error
    return attributes


def _ns(milliseconds: float) -> int:
    return int(milliseconds * 1_000_000)
