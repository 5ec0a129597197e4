"""What fails, hangs or forks beside a client does it no harm."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry._logs import NoOpLogger, NoOpLoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import NoOpCounter, NoOpMeter, NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider

from target import Outbox
from tests.kit.calls import CALL, client_of, options_of
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import run_script
from tests.kit.shop import HOME, Shop
from tests.kit.telemetry import SENT, Telemetry, made

every_way = pytest.mark.parametrize("sent", SENT)


class Raising(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise RuntimeError("no exporter today")


class Blocking(SpanExporter):
    """Does not return before it is let go."""

    def __init__(self) -> None:
        self.go, self.came = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.came.set()
        self.go.wait(20)
        return SpanExportResult.SUCCESS


@every_way
def test_an_exporter_that_raises_harms_no_call(sent: str, shop: Shop) -> None:
    telemetry = Telemetry()
    telemetry.tracers.add_span_processor(SimpleSpanProcessor(Raising()))
    options = {**shop.options, "outbox": Outbox.memory(flush_interval=0)}
    with made(sent, telemetry, shop.server.domain, **options) as client:
        for method in ("on-device", "server-side"):
            assert client.get_offers(request=HOME, decisioning_method=method).content("home", None) is not None
        assert client.flush(20_000) == 0
    assert len(telemetry.spans) >= 3
    assert context.get_current() == Context()


@every_way
def test_a_batch_that_is_exported_without_end_holds_up_no_call(sent: str, server: LoopbackServer) -> None:
    telemetry, exporter = Telemetry(), Blocking()
    telemetry.tracers.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=10))
    started = time.monotonic()
    with made(sent, telemetry, server.domain) as client:
        for _ in range(5):
            client.get_offers(**CALL)
            assert exporter.came.wait(5)
    took = time.monotonic() - started
    exporter.go.set()
    telemetry.tracers.shutdown()
    assert took < 5


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("Session-77c1 and all that")


class _Tracers(NoOpTracerProvider):
    def get_tracer(self, *positional: Any, **keywords: Any) -> Any:
        tracer: Any = NoOpTracer()
        tracer.start_span = fail
        return tracer


class _Meters(NoOpMeterProvider):
    def get_meter(self, *positional: Any, **keywords: Any) -> Any:
        counter: Any = NoOpCounter("c")
        counter.add = fail
        meter: Any = NoOpMeter("m")
        meter.create_counter = lambda *_, **__: counter
        return meter


class _Loggers(NoOpLoggerProvider):
    def get_logger(self, *positional: Any, **keywords: Any) -> Any:
        logger: Any = NoOpLogger("l")
        logger.emit, logger.enabled = fail, lambda **_: True
        return logger


PROVIDERS = {"tracer_provider": _Tracers(), "meter_provider": _Meters(), "logger_provider": _Loggers()}


@every_way
@pytest.mark.parametrize("failing", PROVIDERS)
def test_a_provider_that_raises_harms_no_call_and_is_told_of_once(
    sent: str, failing: str, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry()
    hook = {failing: PROVIDERS[failing]}
    with caplog.at_level(logging.INFO), made(sent, telemetry, shop.server.domain, hook=hook, **shop.options) as client:
        for _ in range(3):
            assert client.get_offers(request=HOME).content("home", None) is not None
            assert context.get_current() == Context()
        assert client.flush(20_000) == 0
    told = [record.getMessage() for record in caplog.records if "OpenTelemetryHook" in record.getMessage()]
    assert 1 <= len(told) == len(set(told)) <= 2  # each place once
    assert "Session-77c1" not in caplog.text
    assert len([span for span in telemetry.spans if span.name == "target get_offers"]) == 3 * (
        failing != "tracer_provider"
    )


FORKED = """
import json, os, sys
from target import Outbox, TargetClient
from tests.kit.telemetry import Telemetry

options, asked = json.loads(sys.argv[1]), {"execute": {"mboxes": [{"name": "home"}]}}
telemetry = Telemetry()
client = TargetClient.create(**options, outbox=Outbox.memory(flush_interval=0), hooks=[telemetry.hook()])


def visit():
    before = len(telemetry.spans)
    with telemetry.tracer.start_as_current_span("page"):
        client.get_offers(request=asked)
    left = client.flush(20_000)
    spans = telemetry.spans[before:]
    metrics = telemetry.metrics()
    return [left, sorted(span.name for span in spans), len([link for span in spans for link in span.links]),
            "adobe.target.artifact.age" in metrics]


visit()
reading, writing = os.pipe()
child = os.fork()
if not child:
    os.write(writing, json.dumps(visit()).encode())
    client.close()
    os._exit("adobe.target.artifact.age" in telemetry.metrics())
_, status = os.waitpid(child, 0)
print(json.dumps([json.loads(os.read(reading, 10_000)), visit(), status]))
client.close()
"""


def test_a_client_that_is_forked_is_told_of_in_both_processes(shop: Shop) -> None:
    options = options_of(shop.server.domain, **shop.options)
    visited = [0, ["POST", "page", "target get_offers"], 1, True]
    assert json.loads(run_script(FORKED, json.dumps(options))) == [visited, visited, 0]
    assert len(shop.notified) == 3


def test_a_client_that_is_forgotten_is_told_of_no_more(server: LoopbackServer) -> None:
    telemetry = Telemetry()
    clients = [client_of(server.domain, hooks=[telemetry.hook()])]
    clients[0].get_offers(**CALL)
    assert "adobe.target.senders" in telemetry.metrics()
    clients.clear()
    gc.collect()
    assert "adobe.target.senders" not in telemetry.metrics()


ALONE = """
import sys

sys.modules["opentelemetry.sdk"] = sys.modules["opentelemetry.instrumentation"] = None
from opentelemetry import context
from target import Outbox, TargetClient
from target.integrations.opentelemetry import OpenTelemetryHook, _spans

seen = []


class Watch:
    def before_call(self, call):
        seen.append(context.get_value(_spans._SUPPRESS_HTTP))


hooks = [OpenTelemetryHook(), Watch()]
options = {"client": "acme", "organization_id": "1234@AdobeOrg", "secure": False, "server_domain": sys.argv[1]}
with TargetClient.create(**options, edge_routing=False, hooks=hooks) as client:
    client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
key = _spans._SUPPRESS_HTTP
print(seen, context.get_value(key), key == context._SUPPRESS_HTTP_INSTRUMENTATION_KEY)
"""


def test_the_api_alone_is_enough(server: LoopbackServer) -> None:
    assert run_script(ALONE, server.domain).strip() == "[True] None True"
    assert len(server.received) == 1


LATER = """
import json, sys
from opentelemetry import _logs, metrics, trace
from target import TargetClient
from target.integrations.opentelemetry import OpenTelemetryHook

client = TargetClient.create(**json.loads(sys.argv[1]), hooks=[OpenTelemetryHook()])
asked = {"execute": {"mboxes": [{"name": "home"}]}}
client.get_offers(request=asked)

from tests.kit.telemetry import Telemetry

telemetry = Telemetry()
trace.set_tracer_provider(telemetry.tracers)
metrics.set_meter_provider(telemetry.meters)
_logs.set_logger_provider(telemetry.loggers)
client.get_offers(request=asked)
measured = telemetry.metrics()
print(len(telemetry.spans), len(telemetry.events), measured["adobe.target.decisions"][0][1])
print("adobe.target.senders" in measured)
client.close()
"""


def test_the_global_providers_may_be_set_after_the_hook_was_made(server: LoopbackServer) -> None:
    assert run_script(LATER, json.dumps(options_of(server.domain))).split() == ["1", "1", "1", "True"]
