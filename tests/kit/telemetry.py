"""What OpenTelemetry is told: the SDK with its exporters in memory, and all that they hold as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from target import TargetClient
from target.integrations.opentelemetry import OpenTelemetryHook
from tests.kit.calls import options_of
from tests.kit.either import Blocking


class Telemetry:
    """Providers of one test, which are nobody's globally, and what they were told."""

    def __init__(self, **tracing: Any) -> None:
        self._spans, self._logs, self._reader = (
            InMemorySpanExporter(),
            InMemoryLogRecordExporter(),  # type: ignore[no-untyped-call]
            InMemoryMetricReader(),
        )
        self.tracers = TracerProvider(**tracing)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader])
        self.loggers = LoggerProvider()
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.tracer = self.tracers.get_tracer("shop")

    def hook(self, **options: Any) -> OpenTelemetryHook:
        """A hook that tells these."""
        providers: Any = {
            "tracer_provider": self.tracers,
            "meter_provider": self.meters,
            "logger_provider": self.loggers,
        }
        return OpenTelemetryHook(**providers | options)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that ended, in that order."""
        return list(self._spans.get_finished_spans())

    def span(self, method: str = "get_offers") -> ReadableSpan:
        """The only one of a call by this method of a client."""
        (found,) = [span for span in self.spans if attributes_of(span).get("adobe.target.method") == method]
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The attributes of each evaluation."""
        return [dict(record.attributes or {}) for record in self.records]

    @property
    def records(self) -> list[Any]:
        """The log records of evaluations."""
        return [log.log_record for log in self._logs.get_finished_logs()]

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Of each metric the points, by attributes; that of a histogram is its data point."""
        return {
            metric.name: [(dict(point.attributes), getattr(point, "value", point)) for point in metric.data.data_points]
            for metric in self.instruments()
        }

    def instruments(self) -> Iterator[Any]:
        """What the reader has of each metric."""
        data = self._reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                yield from scope.metrics

    def everything(self) -> str:
        """All that any exporter was told, as text."""
        told = [span.to_json() for span in self.spans]
        told += [log.to_json() for log in self._logs.get_finished_logs()]
        told += [metric.to_json() for metric in self.instruments()]
        return "\n".join(told)


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


#: Each way in which a call may be sent: options of the client.
SENT: dict[str, Any] = {"blocking": {}, "aiohttp": {"transport": "aiohttp"}, "threads": {"transport": "threads"}}


@contextmanager
def made(sent: str, telemetry: Telemetry | None, domain: str, **options: Any) -> Iterator[Any]:
    """A client that sends in this way, with the hook of ``telemetry``, whose options are ``hook``."""
    hooked = {} if telemetry is None else {"hooks": [telemetry.hook(**options.pop("hook", {}))]}
    given = options_of(domain, **hooked, **SENT[sent], **options)
    client: Any = TargetClient.create(given) if sent == "blocking" else Blocking(given)
    try:
        yield client
    finally:
        client.close(5000)


def in_page(telemetry: Telemetry, call: Callable[[], object]) -> Any:
    """The context of a span that ``call`` is made in, and that keeps nothing of what it raises."""
    with telemetry.tracer.start_as_current_span("page", record_exception=False, set_status_on_exception=False) as span:
        call()
    return span.get_span_context()
