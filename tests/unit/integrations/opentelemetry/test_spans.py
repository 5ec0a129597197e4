"""Spans: names, attributes, status, attempts and links, as hooks are told of calls."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from target import Attempt, CallInfo, CallOutcome
from target.integrations.opentelemetry import OpenTelemetryHook
from tests.kit.telemetry import Telemetry, attributes_of
from tests.unit.integrations.opentelemetry.told import IN_PROCESS, URL, call, outcome


def make(telemetry: Telemetry, made: CallInfo | None = None, came: CallOutcome | None = None, **options: Any) -> Any:
    hook = telemetry.hook(**options)
    made = made or call()
    added = hook.before_call(made)
    hook.after_call(made, came or outcome())
    return added


def test_a_call_to_the_server_is_a_client_span_of_http() -> None:
    telemetry = Telemetry()
    before = time.time_ns()
    assert make(telemetry) is None
    span = telemetry.span()
    assert (span.name, span.kind) == ("POST", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(attributes_of(span)) == {
        "http.request.method": "POST",
        "url.full": URL,
        "url.scheme": "https",
        "server.address": "acme.tt.omtrdc.net",
        "server.port": 443,
        "http.response.status_code": 200,
        "http.request.body.size": 214,
        "http.response.body.size": 812,
        "adobe.target.client": "acme",
        "adobe.target.method": "get_offers",
        "adobe.target.kind": "execute",
        "adobe.target.decisioning_method": "server-side",
        "adobe.target.mboxes": ("home", "cart"),
    }
    assert before <= (span.start_time or 0) <= time.time_ns()
    assert (span.end_time or 0) - (span.start_time or 0) == 38_000_000
    scope: Any = span.instrumentation_scope
    assert (scope.name, scope.schema_url) == (
        "target.integrations.opentelemetry",
        "https://opentelemetry.io/schemas/1.40.0",
    )


def test_a_call_that_is_decided_in_process_is_an_internal_span_without_http() -> None:
    telemetry = Telemetry()
    decided = call(**IN_PROCESS, property_token="ab12", views=("cart",))
    make(telemetry, decided, CallOutcome(0.3, decisioning_method="on-device"))
    span = telemetry.span()
    assert (span.name, span.kind) == ("target get_offers", SpanKind.INTERNAL)
    assert dict(attributes_of(span)) == {
        "adobe.target.client": "acme",
        "adobe.target.method": "get_offers",
        "adobe.target.kind": "execute",
        "adobe.target.decisioning_method": "on-device",
        "adobe.target.mboxes": ("home", "cart"),
        "adobe.target.views": ("cart",),
        "adobe.target.property": "ab12",
    }


def test_of_very_many_mboxes_the_first_are_named() -> None:
    telemetry = Telemetry()
    make(telemetry, call(mboxes=tuple(f"m{number}" for number in range(10_000))))
    assert attributes_of(telemetry.span())["adobe.target.mboxes"] == tuple(f"m{number}" for number in range(100))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/rest/v1/delivery", ("http", "127.0.0.1", 8080)),
        ("http://[::1]/rest/v1/delivery", ("http", "::1", 80)),
        ("https://MBOXEDGE37.tt.omtrdc.net/rest/v1/delivery", ("https", "mboxedge37.tt.omtrdc.net", 443)),
    ],
)
def test_where_it_goes_is_read_from_the_url(url: str, expected: tuple[Any, ...]) -> None:
    telemetry = Telemetry()
    make(telemetry, call(url=url))
    found = attributes_of(telemetry.span())
    assert (found["url.scheme"], found["server.address"], found["server.port"]) == expected
    assert found["url.full"] == url


FAILED = [
    ({"status": 400, "error": "ApiError", "attempts": (Attempt("a", 0, 1, 400),)}, "400"),
    ({"status": 503, "error": "ApiError", "attempts": (Attempt("a", 0, 1, 503),)}, "503"),
    # A call that gave its defaults for it did not raise; the answer was an error all the same.
    ({"status": 503, "attempts": (Attempt("a", 0, 1, 503),)}, "503"),
    (
        {"status": None, "error": "TargetTimeout", "attempts": (Attempt("a", 0, 1, error="ReadTimeoutError"),)},
        "TargetTimeout",
    ),
    (
        {
            "status": 503,
            "error": "TargetTimeout",
            "attempts": (Attempt("a", 0, 1, 503), Attempt("a", 2, 1, error="cancelled")),
        },
        "TargetTimeout",
    ),
    ({"status": 200, "error": "TransportError", "attempts": (Attempt("a", 0, 1, 200),)}, "TransportError"),
    ({"status": None, "error": "TargetUnavailable", "attempts": ()}, "TargetUnavailable"),
]


@pytest.mark.parametrize(("came", "expected"), FAILED)
def test_a_call_that_failed_has_the_status_error_and_its_type(came: dict[str, Any], expected: str) -> None:
    telemetry = Telemetry()
    make(telemetry, None, outcome(**came))
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert attributes_of(span)["error.type"] == expected
    assert attributes_of(span).get("http.response.status_code") == came["status"]


def test_attempts_are_events_with_moments_of_their_own() -> None:
    telemetry = Telemetry()
    attempts = (
        Attempt("mboxedge37.tt.omtrdc.net", 0.5, 10.0, error="ConnectionError"),
        Attempt("acme.tt.omtrdc.net:8443", 12.0, 20.0, 503, 17),
        Attempt("acme.tt.omtrdc.net", 33.0, 4.0, 200, 812),
    )
    make(telemetry, None, outcome(attempts=attempts))
    span = telemetry.span()
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span)["http.request.resend_count"] == 2
    assert [event.name for event in span.events] == ["adobe.target.attempt"] * 3
    assert [event.timestamp - (span.start_time or 0) for event in span.events] == [500_000, 12_000_000, 33_000_000]
    assert [dict(event.attributes or {}) for event in span.events] == [
        {
            "server.address": "mboxedge37.tt.omtrdc.net",
            "server.port": 443,
            "http.request.resend_count": 0,
            "http.response.body.size": 0,
            "adobe.target.attempt.duration": 0.01,
            "error.type": "ConnectionError",
        },
        {
            "server.address": "acme.tt.omtrdc.net",
            "server.port": 8443,
            "http.request.resend_count": 1,
            "http.response.body.size": 17,
            "http.response.status_code": 503,
            "adobe.target.attempt.duration": 0.02,
        },
        {
            "server.address": "acme.tt.omtrdc.net",
            "server.port": 443,
            "http.request.resend_count": 2,
            "http.response.body.size": 812,
            "http.response.status_code": 200,
            "adobe.target.attempt.duration": 0.004,
        },
    ]


def test_the_span_is_the_callers_child_and_current_until_it_ends() -> None:
    telemetry = Telemetry()
    hook, made = telemetry.hook(), call()
    with telemetry.tracer.start_as_current_span("page") as page:
        hook.before_call(made)
        inside = trace.get_current_span()
        hook.after_call(made, outcome())
        assert trace.get_current_span() is page
    span = telemetry.span()
    assert inside.get_span_context() == span.context
    assert span.parent == page.get_span_context()


@pytest.mark.parametrize(("changes", "expected"), [({}, False), (IN_PROCESS, True)])
def test_instrumentations_of_http_see_nothing_of_a_call_to_the_server(changes: dict[str, Any], expected: bool) -> None:
    hook, made = Telemetry().hook(), call(**changes)
    hook.before_call(made)
    assert is_http_instrumentation_enabled() == expected  # a lookup of a place has a span of theirs
    hook.after_call(made, outcome())
    assert is_http_instrumentation_enabled()


@pytest.mark.parametrize("method", ["background", "outbox"])
def test_what_is_sent_in_the_background_begins_a_trace_and_links_to_what_caused_it(method: str) -> None:
    telemetry = Telemetry()
    hook, causes = telemetry.hook(), [call(**IN_PROCESS), call(**IN_PROCESS)]
    for cause in causes:
        hook.before_call(cause)
        hook.after_call(cause, outcome())
    with telemetry.tracer.start_as_current_span("a thread that inherited it"):
        make_with(hook, call(method=method, causes=(*causes, call())))
    span = telemetry.span(method)
    assert span.parent is None
    assert [link.context for link in span.links] == [cause.context for cause in telemetry.spans[:2]]


def make_with(hook: OpenTelemetryHook, made: CallInfo) -> None:
    hook.before_call(made)
    hook.after_call(made, outcome())


def test_a_call_is_remembered_only_as_long_as_something_may_follow_from_it() -> None:
    hook = Telemetry().hook()
    kept = call()
    for made in [kept, *(call() for _ in range(5))]:
        make_with(hook, made)
    del made
    gc.collect()
    assert list(hook._spans._known) == [kept]
    assert not hook._spans._open


def test_the_headers_of_the_trace_are_added_only_if_asked() -> None:
    telemetry = Telemetry()
    token = context.attach(set_baggage("user", "ann"))
    try:
        assert make(telemetry) is None
        added = make(telemetry, propagate=True)
        assert make(telemetry, call(**IN_PROCESS), propagate=True) is None
    finally:
        context.detach(token)
    sent: Any = telemetry.spans[1].context
    assert added == {"headers": {"traceparent": f"00-{sent.trace_id:032x}-{sent.span_id:016x}-{sent.trace_flags:02x}"}}


def test_what_is_not_sampled_is_not_described_and_hides_the_call_all_the_same() -> None:
    telemetry = Telemetry(sampler=ALWAYS_OFF)
    hook, made = telemetry.hook(), call()
    hook.before_call(made)
    assert not is_http_instrumentation_enabled()
    hook.after_call(made, outcome())
    assert telemetry.spans == []
    assert context.get_current() == Context()


def test_a_call_that_could_not_begin_ends_without_harm() -> None:
    class Failing:
        def start_span(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("no more spans")

    telemetry = Telemetry()
    hook, made = telemetry.hook(), call()
    hook._spans._tracer = Failing()  # type: ignore[assignment]
    with pytest.raises(RuntimeError):
        hook.before_call(made)
    hook.after_call(made, outcome())
    assert context.get_current() == Context()
    assert telemetry.spans == []


def test_without_an_sdk_nothing_happens() -> None:
    hook, made = OpenTelemetryHook(), call()
    assert hook.before_call(made) is None
    hook.after_call(made, outcome())
    assert context.get_current() == Context()
