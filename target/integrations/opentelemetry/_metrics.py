"""What is counted of calls, and what is measured of clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from target import CallInfo, CallOutcome, ClientInfo, NotificationInfo
from target.integrations.opentelemetry._names import (
    CLIENT,
    DECISIONING_METHOD,
    ERROR_TYPE,
    METHOD,
    REASON,
    SCHEMA_URL,
    SCOPE,
    VERSION,
    error_type,
    http_attributes,
    server_of,
)

#: Boundaries that the conventions advise, in seconds; and those for calls of which some are decided in process.
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
CALL_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, *HTTP_BUCKETS)

Attributes = dict[str, Any]
#: What a client's status says: attributes and number, any times.
Read = Callable[[ClientInfo, Any], Iterable[tuple[Attributes, float]]]

#: Hosts that have series of their own: a visitor's cookie can name any of 10,000 clusters, of which Target has a few.
MOST_HOSTS = 50
OTHER_HOST = "_OTHER"
_BREAKER_STATES = ("closed", "half-open", "open")


class Hosts:
    """The hosts that have series of their own: the first ones. The others are told of as one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], None] = {}

    def named(self, attributes: Attributes) -> Attributes:
        """``attributes`` as they are told, whether they have a host or not."""
        if "server.address" not in attributes:
            return attributes
        host = attributes["server.address"], attributes["server.port"]
        if host in self._known or len(self._known) < MOST_HOSTS:
            self._known[host] = None
            return attributes
        return attributes | {"server.address": OTHER_HOST}


class Measured(NamedTuple):
    """A metric that is measured whenever metrics are collected; what several clients say of the same is put together.

    Attributes:
        name: Of the metric.
        unit: As UCUM has it.
        description: For whoever reads it.
        read: Reads it out of a status.
        together: Makes one number of several.
    """

    name: str
    unit: str
    description: str
    read: Read
    together: Callable[[Iterable[float]], float]


def _of_part(part: str, key: str, scale: float = 1) -> Read:
    """Reads a number of a part of a status, where the client has both."""

    def read(client: ClientInfo, status: Any) -> Iterator[tuple[Attributes, float]]:
        found = (status.get(part) or {}).get(key)
        if found is not None:
            yield {CLIENT: client.client}, found * scale

    return read


def _of_breaker(client: ClientInfo, status: Any) -> Iterator[tuple[Attributes, float]]:
    for url, host in status["breaker"].items():
        _, address, port = server_of(url)
        of_host = {CLIENT: client.client, "server.address": address, "server.port": port}
        for state in _BREAKER_STATES:
            yield of_host | {"adobe.target.breaker.state": state}, int(host["state"] == state)


def _senders(client: ClientInfo, status: Any) -> Iterator[tuple[Attributes, float]]:
    if (found := status.get("senders")) is not None:
        yield {CLIENT: client.client}, found


MEASURED = (
    Measured(
        "adobe.target.artifact.age",
        "s",
        "Time since the rules were fetched, or found to be still the same",
        _of_part("artifact", "age", 0.001),
        max,
    ),
    Measured(
        "adobe.target.outbox.pending",
        "{notification}",
        "Notifications that wait in the outbox",
        _of_part("outbox", "pending"),
        sum,
    ),
    Measured(
        "adobe.target.outbox.dead_letters",
        "{notification}",
        "Notifications that were given up, and that the outbox keeps",
        _of_part("outbox", "dead_letters"),
        sum,
    ),
    Measured(
        "adobe.target.background.pending",
        "{call}",
        "Calls about what was decided in process that wait or are being sent",
        _of_part("background", "pending"),
        sum,
    ),
    Measured("adobe.target.senders", "{thread}", "Threads that send in the background", _senders, sum),
    Measured(
        "adobe.target.breaker.state",
        "{host}",
        "Hosts that failed of late: 1 for the state that the breaker is in, 0 for the others",
        _of_breaker,
        max,
    ),
)

#: Who is watched, and for which providers as given: None is the global one, whichever that becomes. One table for all
#: hooks, since a meter takes the callbacks of the first alone. Changed in single steps: a lock could be held at a fork.
_WATCHED: WeakKeyDictionary[ClientInfo, set[MeterProvider | None]] = WeakKeyDictionary()


class Metrics:
    """The metrics of one provider. ``meter_provider``: whose meter counts; None: the global one."""

    def __init__(self, meter_provider: MeterProvider | None) -> None:
        self._provider = meter_provider
        self._hosts = Hosts()
        meter = metrics.get_meter(SCOPE, VERSION, meter_provider, SCHEMA_URL)
        self._http = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=HTTP_BUCKETS,
        )
        self._calls = meter.create_histogram(
            "adobe.target.call.duration",
            "s",
            "Duration of calls, those that are decided in process included",
            explicit_bucket_boundaries_advisory=CALL_BUCKETS,
        )
        self._decisions = meter.create_counter(
            "adobe.target.decisions", "{decision}", "Mboxes, views and page loads that were decided"
        )
        self._notifications = meter.create_counter(
            "adobe.target.notifications", "{notification}", "Notifications that were queued, sent or given up"
        )
        for measured in MEASURED:
            _create(meter, meter_provider, measured, self._hosts)

    def watch(self, client: ClientInfo) -> None:
        """Measure what the client's status says."""
        _WATCHED.setdefault(client, set()).add(self._provider)

    def forget(self, client: ClientInfo) -> None:
        """Measure it no more."""
        _WATCHED.get(client, set()).discard(self._provider)

    def count(self, call: CallInfo, outcome: CallOutcome) -> None:
        """Count a call that ended, and what was decided in it."""
        seconds = outcome.milliseconds / 1000
        failed_with = error_type(outcome)
        error = {} if failed_with is None else {ERROR_TYPE: failed_with}
        if call.url is not None and outcome.attempts:
            status = {} if outcome.status is None else {"http.response.status_code": outcome.status}
            self._http.record(seconds, self._hosts.named(http_attributes(call)) | status | error)
        shared: Attributes = {CLIENT: call.client, METHOD: call.method, DECISIONING_METHOD: outcome.decisioning_method}
        self._calls.record(seconds, shared | error)
        for reason, number in Counter(decision.reason for decision in outcome.decisions).items():
            self._decisions.add(number, shared | {REASON: reason})

    def count_notification(self, notification: NotificationInfo) -> None:
        """Count what became of a notification."""
        attributes = {
            CLIENT: notification.client,
            "adobe.target.notification.type": notification.type,
            "adobe.target.notification.state": notification.state,
        }
        if notification.error is not None:
            attributes[ERROR_TYPE] = notification.error
        self._notifications.add(1, attributes)


def _create(meter: Meter, provider: MeterProvider | None, measured: Measured, hosts: Hosts) -> None:
    def observe(_: CallbackOptions) -> list[Observation]:
        by_attributes: dict[tuple[tuple[str, Any], ...], list[float]] = {}
        for client, status in _watched_by(provider):
            for attributes, number in measured.read(client, status):
                by_attributes.setdefault(tuple(hosts.named(attributes).items()), []).append(number)
        return [
            Observation(measured.together(numbers), dict(attributes)) for attributes, numbers in by_attributes.items()
        ]

    meter.create_observable_gauge(measured.name, [observe], measured.unit, measured.description)


def _watched_by(provider: MeterProvider | None) -> Iterator[tuple[ClientInfo, Any]]:
    wanted = _resolved(provider)
    for known in _WATCHED.keyrefs():
        client = known()
        if client is not None and wanted in map(_resolved, _WATCHED.get(client, set()).copy()):
            status = client.status()
            if status is not None:  # else the client was forgotten
                yield client, status


def _resolved(provider: MeterProvider | None) -> MeterProvider:
    return metrics.get_meter_provider() if provider is None else provider
