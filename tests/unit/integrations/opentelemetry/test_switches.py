"""What OpenTelemetry is told of overrides, offline clients and bots, and of activities with names."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from target import Experience
from target.emulator import running
from tests.kit.loopback import LoopbackServer
from tests.kit.telemetry import SENT, Telemetry, in_page, made

HOME: Any = {"execute": {"mboxes": [{"name": "home"}]}}
BOT = {"context": {"channel": "web", "userAgent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}}
#: Options of a client, further parts of its call, and what the event of the mbox says.
SWITCHED: dict[str, Any] = {
    "override": ({"allow_overrides": True, "overrides": {"home": "<b>"}}, {}),
    "offline": ({"offline": True}, {}),
    "bot": ({"exclude_bots": True}, BOT),
}
every_way = pytest.mark.parametrize("sent", SENT)


@every_way
@pytest.mark.parametrize("reason", SWITCHED)
def test_what_an_option_decides_is_an_internal_span_and_a_disabled_flag(
    sent: str, reason: str, server: LoopbackServer
) -> None:
    telemetry = Telemetry()
    options, parts = SWITCHED[reason]
    with made(sent, telemetry, server.domain, **options) as client:
        page = in_page(telemetry, lambda: client.get_offers(request={**HOME, **parts}))
    span = telemetry.span()
    assert (span.name, span.kind, span.parent) == ("target get_offers", SpanKind.INTERNAL, page)
    (event,) = telemetry.events
    assert (event["feature_flag.key"], event["adobe.target.reason"]) == ("home", reason)
    assert event["feature_flag.result.reason"] == "disabled"
    assert "http.client.request.duration" not in telemetry.metrics()
    assert server.received == []


@every_way
def test_the_variant_is_the_experience_by_name_whoever_decides(sent: str) -> None:
    telemetry = Telemetry()
    with running() as emulator:
        rules: Any = {"decisioning_method": "on-device", "cdn_base_path": emulator.url, "allow_overrides": True}
        with made(sent, telemetry, emulator.server_domain, **rules) as client:
            for method in ("on-device", "server-side"):
                client.get_offers(request=HOME, decisioning_method=method)
            chosen = Experience("B: free shipping", activity="Summer sale on the home page")
            client.override("home", chosen)
            client.get_offers(request=HOME)
    by_rules, by_server, overridden = telemetry.events
    for event in (by_rules, by_server):
        assert event["adobe.target.activity.name"] == "Summer sale on the home page"
        assert event["feature_flag.result.variant"].startswith(("A: ", "B: "))
    assert [event["feature_flag.result.reason"] for event in telemetry.events] == [
        "split",
        "targeting_match",
        "disabled",
    ]
    assert overridden["feature_flag.result.variant"] == "B: free shipping"
    assert "feature_flag.version" in by_rules
    assert "feature_flag.version" not in by_server
