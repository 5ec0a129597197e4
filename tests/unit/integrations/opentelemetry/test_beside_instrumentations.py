"""Beside the instrumentations of HTTP libraries and threads: no call has two spans, and no span of theirs an id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

from target import ApiError, Outbox
from target._http import deadline, liveness
from target.integrations.opentelemetry import url_filter
from tests.kit.built_calls import CLICK
from tests.kit.calls import CALL, SESSION_ID, eventually
from tests.kit.loopback import Answer, LoopbackServer, answering
from tests.kit.shop import HOME, Shop
from tests.kit.silence import forgetful, linux, say_nothing
from tests.kit.telemetry import SENT, Telemetry, in_page, made

every_way = pytest.mark.parametrize("sent", SENT)
OURS = "target.integrations.opentelemetry"


@pytest.fixture
def telemetry(request: pytest.FixtureRequest) -> Iterator[Telemetry]:
    """What the instrumentations tell, too; those of HTTP libraries have the options of the parameter."""
    found = Telemetry()
    options: Any = {"tracer_provider": found.tracers, "meter_provider": found.meters, **getattr(request, "param", {})}
    instrumentors: list[Any] = [URLLib3Instrumentor(), AioHttpClientInstrumentor(), ThreadingInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(**options)
    yield found
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def scopes(telemetry: Telemetry) -> list[str]:
    """Whose each span is, but for the test's own."""
    found: list[Any] = [span.instrumentation_scope for span in telemetry.spans]
    return [scope.name for scope in found if scope.name != "shop"]


@every_way
def test_without_the_hook_their_spans_have_the_session(sent: str, telemetry: Telemetry, server: LoopbackServer) -> None:
    with made(sent, None, server.domain) as client:
        in_page(telemetry, lambda: client.get_offers(**CALL))
    (scope,) = scopes(telemetry)
    assert scope.startswith("opentelemetry.instrumentation.")
    assert f"sessionId={SESSION_ID}" in telemetry.everything()


@every_way
@pytest.mark.parametrize("telemetry", [{"url_filter": url_filter}], indirect=True)
def test_without_the_hook_and_with_the_filter_they_have_none(
    sent: str, telemetry: Telemetry, server: LoopbackServer
) -> None:
    with made(sent, None, server.domain) as client:
        in_page(telemetry, lambda: client.get_offers(**CALL))
    assert len(scopes(telemetry)) == 1
    assert_discreet(telemetry)


@every_way
def test_a_call_has_one_span_whatever_becomes_of_it(sent: str, telemetry: Telemetry, server: LoopbackServer) -> None:
    server.answer = answering(*[Answer({"message": "no"}, 503)] * 4)
    with made(sent, telemetry, server.domain, retries=1) as client:
        for _ in range(2):
            with pytest.raises(ApiError):
                in_page(telemetry, lambda: client.get_offers(**CALL))
        in_page(telemetry, lambda: client.get_attributes("home", **CALL).as_object())
        in_page(telemetry, lambda: client.send_notifications(request={"notifications": [CLICK]}, session_id=SESSION_ID))
    assert scopes(telemetry) == [OURS] * 4
    assert len(server.received) == 6
    assert not [received for received in server.received if "traceparent" in received.headers]
    assert_discreet(telemetry)


def test_a_call_with_a_callback_has_one_span_and_what_the_callback_asks_elsewhere_has_theirs(
    telemetry: Telemetry, server: LoopbackServer
) -> None:
    import urllib3

    def ask_elsewhere(_: object) -> None:
        urllib3.PoolManager(retries=False).request("POST", f"{server.url}/elsewhere", json={}).data  # noqa: B018

    with made("blocking", telemetry, server.domain) as client:
        page = in_page(telemetry, lambda: client.get_offers(**CALL, callback=ask_elsewhere).wait(10))
    assert scopes(telemetry) == [OURS, "opentelemetry.instrumentation.urllib3"]
    assert [span.parent for span in telemetry.spans[:2]] == [page] * 2
    assert_discreet(telemetry)


@every_way
@pytest.mark.parametrize("outbox", [None, Outbox.memory(flush_interval=0)])
def test_what_is_sent_in_the_background_has_one_span(
    sent: str, outbox: Outbox | None, telemetry: Telemetry, shop: Shop
) -> None:
    with made(sent, telemetry, shop.server.domain, **shop.options, outbox=outbox) as client:
        for _ in range(3):
            in_page(telemetry, lambda: client.get_offers(request=HOME, session_id=SESSION_ID))
            assert client.flush(20_000) == 0
        assert eventually(lambda: len(shop.notified) == 3)
    of_calls = [span for span in telemetry.spans if span.name in ("POST", "target get_offers")]
    assert {span.instrumentation_scope.name for span in of_calls if span.instrumentation_scope} == {OURS}
    assert len(of_calls) == 3 + len(shop.delivered)
    assert [span.parent for span in of_calls if span.name == "POST"] == [None] * len(shop.delivered)
    assert_discreet(telemetry)


@linux
@every_way
def test_a_request_beside_a_silent_connection_has_no_span_of_its_own(
    sent: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "_LONGEST_PATIENCE_S", 0.1)
    monkeypatch.setattr(liveness, "SUSPECT_IDLE_S", 0.0)
    with forgetful(say_nothing) as server, made(sent, telemetry, server.domain, timeout=8000) as client:
        client.get_offers(**CALL)
        client.get_offers(**CALL)
        assert server.requests == [1, 1, 2]
    assert scopes(telemetry) == [OURS] * 2
    assert_discreet(telemetry)


@every_way
def test_the_place_of_a_visitor_is_looked_up_in_a_span_of_theirs(sent: str, telemetry: Telemetry, shop: Shop) -> None:
    shop.artifact["geoTargetingEnabled"] = True
    looked_up = {**HOME, "context": {"channel": "web", "geo": {"ipAddress": "12.21.1.40"}}}
    with made(sent, telemetry, shop.server.domain, **shop.options) as client:
        client.get_offers(request=looked_up, session_id=SESSION_ID)
    assert len(shop.lookups) == 1
    (decided,) = [span for span in telemetry.spans if span.name == "target get_offers"]
    assert [span.parent for span in telemetry.spans if "/v1/geo" in str(dict(span.attributes or {}))] == [
        decided.context
    ]
    assert_discreet(telemetry)


def assert_discreet(telemetry: Telemetry) -> None:
    told = telemetry.everything()
    for secret in (SESSION_ID, "sessionId", "imsOrgId", "1234@AdobeOrg", "1234%40AdobeOrg"):
        assert secret not in told
