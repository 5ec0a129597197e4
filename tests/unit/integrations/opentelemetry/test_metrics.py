"""Metrics: what is counted of calls and notifications, and what is measured of clients."""

from __future__ import annotations

import gc
from itertools import count
from typing import Any
from weakref import ref

import pytest
from opentelemetry import metrics as api

from target import ClientInfo, ClientStatus, NotificationInfo, PartDecision
from target.integrations.opentelemetry import OpenTelemetryHook
from tests.kit.telemetry import Telemetry
from tests.unit.integrations.opentelemetry.told import IN_PROCESS, SPLIT, call, outcome, status

AGE: dict[str, Any] = {"artifact": {"version": "1.0.0", "source_version": None, "age": 2500}}


def client_info(name: str = "acme", **changes: Any) -> ClientInfo:
    return ClientInfo(name, "on-device", lambda: status(**changes))


def test_every_call_is_timed_and_those_to_the_server_by_http_too() -> None:
    telemetry = Telemetry()
    hook = telemetry.hook()
    hook.after_call(call(), outcome())
    hook.after_call(call(), outcome(milliseconds=1500, status=503, error="ApiError"))
    hook.after_call(call(), outcome(milliseconds=0.1, status=None, error="TargetUnavailable", attempts=()))
    hook.after_call(call(**IN_PROCESS), outcome(milliseconds=0.2, status=None, decisioning_method="on-device"))
    found = telemetry.metrics()
    http = {"http.request.method": "POST", "url.scheme": "https", "server.address": "acme.tt.omtrdc.net"}
    assert [(attributes, point.sum, point.count) for attributes, point in found["http.client.request.duration"]] == [
        (http | {"server.port": 443, "http.response.status_code": 200}, 0.038, 1),
        (http | {"server.port": 443, "http.response.status_code": 503, "error.type": "503"}, 1.5, 1),
    ]
    boundaries = found["http.client.request.duration"][0][1].explicit_bounds
    assert boundaries == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    ours = {"adobe.target.client": "acme", "adobe.target.method": "get_offers"}
    assert [(attributes, point.sum) for attributes, point in found["adobe.target.call.duration"]] == [
        (ours | {"adobe.target.decisioning_method": "server-side"}, 0.038),
        (ours | {"adobe.target.decisioning_method": "server-side", "error.type": "503"}, 1.5),
        (ours | {"adobe.target.decisioning_method": "server-side", "error.type": "TargetUnavailable"}, 0.0001),
        (ours | {"adobe.target.decisioning_method": "on-device"}, 0.0002),
    ]
    assert found["adobe.target.call.duration"][3][1].bucket_counts[1] == 1  # of 0.1 to 0.25 ms


def test_hosts_that_visitors_make_up_have_no_series_of_their_own() -> None:
    telemetry = Telemetry()
    hook = telemetry.hook()
    for number in [*range(300), *range(30)]:
        hook.after_call(call(url=f"https://mboxedge{number}.tt.omtrdc.net/rest/v1/delivery"), outcome())
    counts = {
        attributes["server.address"]: point.count
        for attributes, point in telemetry.metrics()["http.client.request.duration"]
    }
    left_alone = {"state": "open", "failures": 5, "tried_in": 900}
    info = client_info(breaker={f"https://mboxedge{number}.tt.omtrdc.net": left_alone for number in (7, 400, 401)})
    hook.on_start(info)
    told = [
        (attributes["server.address"], number)
        for attributes, number in telemetry.metrics()["adobe.target.breaker.state"]
        if attributes["adobe.target.breaker.state"] == "open"
    ]
    assert told == [("mboxedge7.tt.omtrdc.net", 1), ("_OTHER", 1)]
    assert len(counts) == 51
    assert (counts["mboxedge7.tt.omtrdc.net"], counts["mboxedge49.tt.omtrdc.net"], counts["_OTHER"]) == (2, 1, 250)


def test_decisions_are_counted_by_method_and_reason() -> None:
    telemetry = Telemetry()
    hook = telemetry.hook()
    nothing = PartDecision("mbox", "cart", "execute", "default")
    for _ in range(2):
        hook.after_call(call(**IN_PROCESS), outcome(decisions=(SPLIT, SPLIT, nothing), decisioning_method="on-device"))
    hook.after_call(call(), outcome(decisions=(PartDecision("view", "cart", "execute", "server"),)))
    counted = {
        (attributes["adobe.target.decisioning_method"], attributes["adobe.target.reason"]): number
        for attributes, number in telemetry.metrics()["adobe.target.decisions"]
    }
    assert counted == {("on-device", "split"): 4, ("on-device", "default"): 2, ("server-side", "server"): 1}


def test_notifications_are_counted_by_what_became_of_them() -> None:
    telemetry = Telemetry()
    hook = telemetry.hook()
    told: list[Any] = [("display", "queued", None), ("display", "sent", None), ("click", "dead", "ApiError")]
    for kind, state, error in told * 2:
        hook.on_notification(NotificationInfo("acme", kind, "home", None, state, error))
    assert [
        (attributes["adobe.target.notification.type"], attributes["adobe.target.notification.state"], number)
        for attributes, number in telemetry.metrics()["adobe.target.notifications"]
    ] == [("display", "queued", 2), ("display", "sent", 2), ("click", "dead", 2)]


def test_the_status_of_clients_is_measured_until_they_are_closed_or_forgotten() -> None:
    telemetry = Telemetry()
    hook = telemetry.hook()
    breaker = {"https://edge37.example:8443": {"state": "open", "failures": 5, "tried_in": 900}}
    outbox = {"queued": 9, "pending": 3, "dead": 7, "dead_letters": 2}
    closed = client_info(**AGE, outbox=outbox, breaker=breaker, senders=4)
    statuses: list[ClientStatus | None] = [status(**AGE)]
    forgotten = ClientInfo("other", "hybrid", lambda: statuses[0])
    hook.on_start(closed)
    hook.on_start(forgotten)
    acme, other = {"adobe.target.client": "acme"}, {"adobe.target.client": "other"}
    host = acme | {"server.address": "edge37.example", "server.port": 8443}
    assert telemetry.metrics() == {
        "adobe.target.artifact.age": [(acme, 2.5), (other, 2.5)],
        "adobe.target.outbox.pending": [(acme, 3)],
        "adobe.target.outbox.dead_letters": [(acme, 2)],
        "adobe.target.background.pending": [(acme, 0), (other, 0)],
        "adobe.target.senders": [(acme, 4)],
        "adobe.target.breaker.state": [
            (host | {"adobe.target.breaker.state": state}, number)
            for state, number in (("closed", 0), ("half-open", 0), ("open", 1))
        ],
    }
    hook.on_close(closed)
    assert telemetry.metrics() == {
        "adobe.target.artifact.age": [(other, 2.5)],
        "adobe.target.background.pending": [(other, 0)],
    }
    statuses[0] = None
    assert telemetry.metrics() == {}
    kept = ref(forgotten)
    del forgotten
    gc.collect()
    assert kept() is None


def test_clients_of_one_client_code_are_told_of_as_one() -> None:
    telemetry = Telemetry()
    numbers = count(1)
    hooks = [telemetry.hook() for _ in range(3)]  # whoever has a hook of its own for each client
    clients = []
    for hook in hooks:
        clients.append(client_info(artifact={"age": 1000 * next(numbers)}, outbox={"pending": 5, "dead_letters": 0}))
        hook.on_start(clients[-1])
    found = telemetry.metrics()
    assert [number for _, number in found["adobe.target.artifact.age"]] == [3.0]
    assert [number for _, number in found["adobe.target.outbox.pending"]] == [15]
    for hook, info in zip(hooks, clients, strict=True):
        hook.on_close(info)


def test_a_provider_is_told_of_the_clients_of_its_hooks_alone() -> None:
    ones, others = Telemetry(), Telemetry()
    info = client_info(**AGE)
    hook = ones.hook()
    hook.on_start(info)
    others.hook()
    assert "adobe.target.artifact.age" in ones.metrics()
    assert others.metrics() == {}
    hook.on_close(info)


def test_the_global_provider_may_be_set_later(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry()
    early, info = OpenTelemetryHook(), client_info(**AGE)
    early.on_start(info)
    monkeypatch.setattr(api, "get_meter_provider", lambda: telemetry.meters)
    OpenTelemetryHook(meter_provider=telemetry.meters)
    assert [number for _, number in telemetry.metrics()["adobe.target.artifact.age"]] == [2.5]
    early.on_close(info)
