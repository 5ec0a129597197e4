"""docs/observability.md tells the truth of OpenTelemetry: the code runs, each table names all there is, and no more."""

from __future__ import annotations

import json
import re
from typing import Any

from target import Attempt, CallOutcome, ClientInfo, NotificationInfo, PartDecision
from target.integrations.opentelemetry._evaluations import REASONS
from tests.docs.blocks import DOCUMENTED_DOMAIN
from tests.docs.test_observability_page import blocks, section
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import run_script
from tests.kit.telemetry import Telemetry
from tests.unit.integrations.opentelemetry.told import IN_PROCESS, SPLIT, call, outcome, status

PART = section("OpenTelemetry")
NUMBERS: Any = {
    "artifact": {"age": 1},
    "outbox": {"pending": 1, "dead_letters": 1},
    "senders": 1,
    "breaker": {"https://a.example": {"state": "open", "failures": 5, "tried_in": 900}},
}
CLIENT = ClientInfo("acme", "hybrid", lambda: status(**NUMBERS))


def told() -> Telemetry:
    """Of everything that there is."""
    telemetry = Telemetry()
    hook = telemetry.hook()
    failed = (Attempt("a.example", 0, 1, error="TransportError"), Attempt("a.example", 2, 1, 503, 3))
    ended: list[tuple[dict[str, Any], CallOutcome]] = [
        ({"property_token": "ab12", "views": ("cart",)}, outcome(attempts=failed, status=503, error="ApiError")),
        (IN_PROCESS, outcome(decisions=(SPLIT,), rules_version="1")),
        (IN_PROCESS, CallOutcome(1.0, decisions=(PartDecision("mbox", "home", "execute", "server"),))),
    ]
    for changes, came in ended:
        made = call(**changes)
        hook.before_call(made)
        hook.after_call(made, came)
    hook.on_notification(NotificationInfo("acme", "click", "home", None, "dead", "ApiError"))
    hook.on_start(CLIENT)
    return telemetry


def rows(heading: str, columns: int = 2) -> list[list[str]]:
    """The rows of the tables under a heading."""
    text = PART.split(f"### {heading}\n")[1].split("\n### ")[0]
    found = [re.split(r" \| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    return [row for row in found if len(row) == columns]


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def test_the_block_runs_and_its_span_is_a_child_of_the_page(server: LoopbackServer) -> None:
    code = blocks("OpenTelemetry")[0].replace(DOCUMENTED_DOMAIN, server.domain)
    spans = [json.loads(text) for text in re.findall(r"^\{\n.*?^\}", run_script(code), re.DOTALL | re.MULTILINE)]
    asked, page = spans
    assert [asked["name"], page["name"]] == ["POST", "page"]
    assert asked["parent_id"] == page["context"]["span_id"]
    assert asked["attributes"]["url.full"] == f"{server.url}/rest/v1/delivery"


def test_the_table_of_spans_names_every_attribute() -> None:
    documented = {name for row in rows("Spans", 3) for name in names(row[0])}
    assert documented == {name for span in told().spans for name in span.attributes or {}}


def test_the_attributes_of_attempts_are_named() -> None:
    paragraph = PART.split("Each attempt is an event ")[1].split("\n\n")[0]
    (name, *attributes) = names(paragraph)
    events = [event for span in told().spans for event in span.events]
    assert {event.name for event in events} == {name}
    assert set(attributes) == {name for event in events for name in event.attributes or {}}


def test_the_tables_of_evaluations_name_every_attribute_and_reason() -> None:
    documented = {name for row in rows("Evaluations") for name in names(row[0])} - set(REASONS)
    assert documented == {name for event in told().events for name in event}
    reasons = {ours: names(row[1])[0] for row in rows("Evaluations") for ours in names(row[0]) if ours in REASONS}
    assert reasons == REASONS


def test_the_table_of_metrics_is_that_of_the_meter() -> None:
    kinds = {"Histogram": "histogram", "Sum": "counter", "Gauge": "gauge"}
    telemetry = told()
    documented = {row[0].strip("`"): [row[1], row[2].strip("`"), row[3]] for row in rows("Metrics", 5)}
    assert documented == {
        metric.name: [kinds[type(metric.data).__name__], metric.unit, metric.description]
        for metric in telemetry.instruments()
    }


def test_what_metrics_have_for_attributes_is_named() -> None:
    plain = {
        "client": "adobe.target.client",
        "method": "adobe.target.method",
        "decisioning method": "adobe.target.decisioning_method",
    }
    http = {"http.request.method", "url.scheme", "server.address", "server.port", "http.response.status_code"}
    measured = told().metrics()
    for row in rows("Metrics", 5):
        documented = set(names(row[4])) | {plain[name] for name in row[4].split(", ") if name in plain}
        documented |= http if "those of HTTP" in row[4] else set()
        assert {name for attributes, _ in measured[row[0].strip("`")] for name in attributes} == documented
