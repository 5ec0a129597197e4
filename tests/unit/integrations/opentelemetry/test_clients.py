"""Clients with the hook: whose child a span is, what is linked to what, and what the server is sent."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.trace import SpanKind

from target import ApiError, AsyncTargetClient, Outbox, TargetUnavailable, TransportError
from tests.kit.built_calls import CLICK
from tests.kit.calls import CALL, eventually, options_of
from tests.kit.loopback import Answer, LoopbackServer, Received, answering, ok, slowly
from tests.kit.raw_servers import refusing_server
from tests.kit.shop import HOME, Shop
from tests.kit.telemetry import SENT, Telemetry, attributes_of, in_page, made

every_way = pytest.mark.parametrize("sent", SENT)


@every_way
def test_the_span_of_a_call_is_its_callers_child(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    with made(sent, telemetry, server.domain) as client:
        page = in_page(telemetry, lambda: client.get_offers(**CALL))
    span = telemetry.span()
    assert span.parent == page
    assert {key: value for key, value in attributes_of(span).items() if not key.startswith("adobe")} == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.request.body.size": len(server.received[0].content),
        "http.response.body.size": len(ok(server.received[0]).content()),
        "server.address": "127.0.0.1",
        "server.port": server.server_port,
        "url.full": f"{server.url}/rest/v1/delivery",
        "url.scheme": "http",
    }
    (attempt,) = span.events
    assert page is not None
    assert (span.start_time or 0) <= attempt.timestamp <= (span.end_time or 0)
    assert "traceparent" not in server.received[0].headers
    assert [event["feature_flag.key"] for event in telemetry.events] == ["home"]
    counted = telemetry.metrics()["adobe.target.decisions"]
    assert [(attributes["adobe.target.reason"], number) for attributes, number in counted] == [("server", 1)]


@every_way
def test_the_headers_of_the_trace_go_to_target_only_if_asked(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    with made(sent, telemetry, server.domain, hook={"propagate": True}) as client:
        in_page(telemetry, lambda: client.get_offers(**CALL))
    found: Any = telemetry.span().context
    parts = server.received[0].headers["traceparent"].split("-")
    assert parts[1:3] == [f"{found.trace_id:032x}", f"{found.span_id:016x}"]


@every_way
def test_attempts_and_errors_are_told(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    server.answer = answering(*[Answer({"message": "no"}, 503)] * 2)
    with made(sent, telemetry, server.domain, retries=1) as client, pytest.raises(ApiError):
        client.get_offers(**CALL)
    with refusing_server() as domain, made(sent, telemetry, domain, retries=0) as client, pytest.raises(TransportError):
        client.get_offers(**CALL)
    failed, refused = telemetry.spans
    assert [dict(event.attributes or {})["http.response.status_code"] for event in failed.events] == [503, 503]
    assert attributes_of(failed)["http.request.resend_count"] == 1
    assert [attributes_of(span)["error.type"] for span in (failed, refused)] == ["503", "TransportError"]
    assert [len(span.events) for span in (failed, refused)] == [2, 1]
    counted = telemetry.metrics()["http.client.request.duration"]
    assert [attributes["error.type"] for attributes, _ in counted] == ["503", "TransportError"]
    assert [event["error.type"] for event in telemetry.events] == ["general"] * 2


def test_a_callback_is_in_its_callers_span_after_that_of_the_call(server: LoopbackServer) -> None:
    telemetry = Telemetry()
    seen: list[tuple[Any, bool]] = []

    def callback(_: object) -> None:
        seen.append((trace.get_current_span().get_span_context(), is_http_instrumentation_enabled()))

    with made("blocking", telemetry, server.domain) as client:
        page = in_page(telemetry, lambda: client.get_offers(**CALL, callback=callback).wait(10))
    assert seen == [(page, True)]
    assert telemetry.span().parent == page


@every_way
@pytest.mark.parametrize("outbox", [None, Outbox.memory(flush_interval=0)])
def test_a_decision_in_process_is_a_span_and_what_follows_links_to_it(
    sent: str, outbox: Outbox | None, shop: Shop
) -> None:
    telemetry = Telemetry()
    options = {**shop.options, "outbox": outbox}
    with made(sent, telemetry, shop.server.domain, **options) as client:
        pages = [in_page(telemetry, lambda: client.get_offers(request=HOME)) for _ in range(2)]
        assert client.flush(20_000) == 0
        assert eventually(lambda: len(shop.notified) == 2)
    decided = [span for span in telemetry.spans if span.name == "target get_offers"]
    assert [(span.kind, span.parent) for span in decided] == [(SpanKind.INTERNAL, page) for page in pages]
    follow_ups = [span for span in telemetry.spans if span.name == "POST"]
    assert {span.parent for span in follow_ups} == {None}
    assert {attributes_of(span)["adobe.target.method"] for span in follow_ups} == {"outbox" if outbox else "background"}
    linked = [link.context for span in follow_ups for link in span.links]
    assert sorted(linked, key=str) == sorted((span.context for span in decided), key=str)
    assert {event["feature_flag.version"] for event in telemetry.events} == {'"one"'}
    assert {event["feature_flag.result.reason"] for event in telemetry.events} == {"targeting_match"}


@every_way
def test_what_the_outbox_sends_links_to_the_span_that_it_was_queued_in(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    with made(sent, telemetry, server.domain, outbox=Outbox.memory(flush_interval=0)) as client:
        page = in_page(telemetry, lambda: client.queue_notifications(request={"notifications": [CLICK]}))
        assert client.flush(20_000) == 0
    span = telemetry.span("outbox")
    assert span.parent is None
    assert [link.context for link in span.links] == [page]
    states = [
        (attributes["adobe.target.notification.state"], number)
        for attributes, number in telemetry.metrics()["adobe.target.notifications"]
    ]
    assert states == [("queued", 1), ("sent", 1)]


@pytest.mark.parametrize("transport", ["aiohttp", "threads"])
def test_a_call_that_is_cancelled_ends_its_span(transport: Any, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    server.answer = slowly(2)

    async def main() -> None:
        given: Any = options_of(server.domain, transport=transport, hooks=[telemetry.hook()])
        async with await AsyncTargetClient.create(given) as client:
            call = asyncio.create_task(client.get_offers(**CALL))
            await asyncio.to_thread(eventually, lambda: server.received)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert trace.get_current_span() is trace.INVALID_SPAN

    asyncio.run(main())
    span = telemetry.span()
    assert attributes_of(span)["error.type"] == "CancelledError"
    assert attributes_of(span)["adobe.target.method"] == "get_offers"


@every_way
def test_calls_at_once_are_each_the_child_of_their_caller(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    pages: list[Any] = []
    with made(sent, telemetry, server.domain) as client:

        def visit() -> None:
            for _ in range(10):
                pages.append(in_page(telemetry, lambda: client.get_offers(**CALL)))

        threads = [threading.Thread(target=visit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    parents = [span.parent.span_id for span in telemetry.spans if span.name == "POST" and span.parent]
    assert sorted(parents) == sorted(page.span_id for page in pages)
    assert len(parents) == 80


@every_way
def test_what_waits_is_measured_and_ends_with_the_client(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    own = {"adobe.target.client": "acme"}
    let_go = threading.Event()

    def hold(received: Received) -> Answer:
        let_go.wait(20)
        return ok(received)

    server.answer = hold
    with made(sent, telemetry, server.domain, outbox=Outbox.memory(flush_interval=0)) as client:
        client.queue_notifications(request={"notifications": [CLICK]})
        assert eventually(lambda: server.received)
        found = telemetry.metrics()
        assert found["adobe.target.outbox.pending"] == [(own, 1)]
        assert found["adobe.target.outbox.dead_letters"] == [(own, 0)]
        assert found["adobe.target.senders"] == [(own, 1)]
        let_go.set()
        assert client.flush(20_000) == 0
        assert telemetry.metrics()["adobe.target.outbox.pending"] == [(own, 0)]
    assert not [name for name in telemetry.metrics() if name.startswith("adobe.target.outbox")]


@every_way
def test_a_host_that_is_left_alone_is_measured(sent: str, server: LoopbackServer) -> None:
    telemetry = Telemetry()
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with made(sent, telemetry, server.domain, retries=0, breaker_failures=1) as client:
        for error in (ApiError, TargetUnavailable):
            with pytest.raises(error):
                client.get_offers(**CALL)
        states = {
            attributes["adobe.target.breaker.state"]: number
            for attributes, number in telemetry.metrics()["adobe.target.breaker.state"]
            if attributes["server.port"] == server.server_port
        }
    assert states == {"closed": 0, "half-open": 0, "open": 1}
    assert attributes_of(telemetry.spans[-1])["error.type"] == "TargetUnavailable"
    assert [point.count for _, point in telemetry.metrics()["http.client.request.duration"]] == [1]


@every_way
def test_the_age_of_the_rules_is_measured(sent: str, shop: Shop) -> None:
    telemetry = Telemetry()
    with made(sent, telemetry, shop.server.domain, **shop.options) as client:
        assert client.wait_until_ready(10_000)
        ((attributes, age_s),) = telemetry.metrics()["adobe.target.artifact.age"]
    assert attributes == {"adobe.target.client": "acme"}
    assert 0 <= age_s < 20
