"""Target in OpenTelemetry: a span for each call, metrics, and an event for each evaluation of an mbox.

TargetClient.create(client="acmeclient", organization_id="1234@AdobeOrg", hooks=[OpenTelemetryHook()])
"""

from __future__ import annotations

from urllib.parse import urlsplit

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from target import Additions, CallInfo, CallOutcome, ClientInfo, Hook, NotificationInfo
from target.integrations.opentelemetry._evaluations import Evaluations
from target.integrations.opentelemetry._metrics import Metrics
from target.integrations.opentelemetry._spans import DELIVERY_PATH, Spans

__all__ = ["OpenTelemetryHook", "url_filter"]


class OpenTelemetryHook(Hook):
    """Tells OpenTelemetry of the calls of every client that has it: one will do for all of a process.

    No id of a visitor or session is in anything that it tells, nor the organization. Names, units and attributes are in
    docs/observability.md; of HTTP they are those of the stable semantic conventions.

    Args:
        tracer_provider: Whose tracer makes the spans; the global one by default. So for the next two.
        meter_provider: Whose meter counts.
        logger_provider: Whose logger is told of evaluations.
        propagate: Whether Target gets the headers of the trace, such as ``traceparent``, as the global propagator makes
            them; ``baggage``, which is the application's own, it never gets.
        evaluations: Whether there is an event ``feature_flag.evaluation`` for each mbox of a call.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        propagate: bool = False,
        evaluations: bool = True,
    ) -> None:
        self._spans = Spans(tracer_provider, propagate)
        self._metrics = Metrics(meter_provider)
        self._evaluations = Evaluations(logger_provider) if evaluations else None

    def on_start(self, client: ClientInfo) -> None:
        """What the client's status says is measured from now on."""
        self._metrics.watch(client)

    def on_close(self, client: ClientInfo) -> None:
        """Its series end."""
        self._metrics.forget(client)

    def before_call(self, call: CallInfo) -> Additions | None:
        """Its span begins, and is the current one until it ends."""
        headers = self._spans.begin(call)
        return {"headers": headers} if headers else None

    def after_call(self, call: CallInfo, outcome: CallOutcome) -> None:
        """The span ends; what the call came to is counted and told, while the span is still the current one."""
        try:
            self._metrics.count(call, outcome)
            if self._evaluations is not None:
                self._evaluations.tell(call, outcome)
        finally:
            self._spans.end(call, outcome)

    def on_notification(self, notification: NotificationInfo) -> None:
        """It is counted; what queued it is what its sending links to."""
        if notification.state == "queued" and notification.call is not None:
            self._spans.remember(notification.call)
        self._metrics.count_notification(notification)


def url_filter(url: object) -> str:
    """``url`` as it may be recorded: without the query, where it is that of a call to Target.

    For instrumentations beside clients without the hook: ``URLLib3Instrumentor().instrument(url_filter=url_filter)``,
    and ``AioHttpClientInstrumentor`` likewise. What cannot be read as a URL loses its query, too.
    """
    text = str(url)
    try:
        is_other = urlsplit(text).path.rstrip("/") != DELIVERY_PATH
    except ValueError:
        is_other = False
    return text if is_other else text.partition("?")[0].partition("#")[0]
