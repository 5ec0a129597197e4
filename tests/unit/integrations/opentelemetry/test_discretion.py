"""No id of a visitor or session, nor the organization, is in anything that OpenTelemetry is told, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from target import OptionsError, Outbox, TargetError
from target.emulator import Emulator, running
from tests.kit.loopback import Answer, LoopbackServer, Received
from tests.kit.raw_servers import refusing_server
from tests.kit.telemetry import SENT, Telemetry, attributes_of, in_page, made
from tests.kit.visitors import BLOB, COOKIE, ECID

IDS = {
    "session": "Session-77c1-MARK",
    "device": "Device-a9f3-MARK.38_0",
    "third party": "Third-party-MARK",
    "customer": "Customer-MARK",
    "address": "203.0.113.77",
    "user agent": "Mozilla/5.0 (compatible; Googlebot/2.1; MARK; +http://www.google.com/bot.html)",
    "page": "page-MARK",
    "parameter": "parameter-MARK",
    "ecid": ECID,
    "audience manager": BLOB,
    "target cookie": "session#Session-77c1-MARK#9999999999|PC#Device-a9f3-MARK.38_0#9999999999",
}
#: However they are written.
SECRETS = ["MARK", "sessionId", "imsOrgId", ECID, BLOB, "203.0.113.77", "1234@AdobeOrg", "1234%40", "AMCV", "MCMID"]
OPTIONS: dict[str, Any] = {
    "target_cookie": IDS["target cookie"],
    "target_location_hint": "38",
    "visitor_cookie": COOKIE,
    "customer_ids": {"crm": {"id": IDS["customer"], "authState": 1}},
}
WHO: dict[str, Any] = {
    "id": {"tntId": IDS["device"], "thirdPartyId": IDS["third party"]},
    "context": {
        "channel": "web",
        "userAgent": IDS["user agent"],
        "address": {"url": f"https://shop.example/?u={IDS['page']}"},
        "geo": {"ipAddress": IDS["address"]},
    },
}
PARAMETERS = {"parameters": {"p": IDS["parameter"]}, "profileParameters": {"q": IDS["parameter"]}}
ASKED: dict[str, Any] = {
    **WHO,
    "execute": {"mboxes": [{"name": "home", **PARAMETERS}, {"name": "flags"}], "pageLoad": PARAMETERS},
    "prefetch": {"mboxes": [{"name": "home"}], "views": [PARAMETERS]},
}
SHOWN = {"id": "n-1", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}
TOLD: dict[str, Any] = {**WHO, "notifications": [SHOWN]}

#: Every kind of call, by what it is called; each is made on every kind of client, which may refuse it.
CALLS: dict[str, Callable[[Any], object]] = {
    "get_offers": lambda client: client.get_offers(request=ASKED, **OPTIONS),
    "server-side": lambda client: client.get_offers(request=ASKED, **OPTIONS, decisioning_method="server-side"),
    "hybrid": lambda client: client.get_offers(request=ASKED, **OPTIONS, decisioning_method="hybrid"),
    "session": lambda client: client.get_offers(request=ASKED, session_id=IDS["session"]),
    "get_attributes": lambda client: client.get_attributes(["flags"], request=WHO, **OPTIONS),
    "send_notifications": lambda client: client.send_notifications(request=TOLD, **OPTIONS),
    "queue_notifications": lambda client: client.queue_notifications(request=TOLD, **OPTIONS),
    "notify": lambda client: client.notify(client.get_offers(request=ASKED, **OPTIONS), displayed=["home"]),
    "queue": lambda client: client.queue(client.get_offers(request=ASKED, **OPTIONS), displayed=["home"]),
    "wrong": lambda client: client.get_offers(request={**ASKED, "trace": {"authorizationToken": IDS["parameter"]}}),
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as served:
        yield served


def assert_discreet(telemetry: Telemetry) -> None:
    told = telemetry.everything()
    assert [secret for secret in SECRETS if secret in told] == []


def clients_of(emulator: Emulator) -> dict[str, dict[str, Any]]:
    rules = {"cdn_base_path": emulator.url, "polling_interval": 0}
    return {
        "server-side": {},
        "on-device": {"decisioning_method": "on-device", **rules},
        "on-device, outbox": {"decisioning_method": "on-device", **rules, "outbox": Outbox.memory(flush_interval=0)},
        "overridden": {"allow_overrides": True, "overrides": {"home": {"text": IDS["parameter"]}}},
        "telling": {"outbox": Outbox.memory(flush_interval=0)},
        "offline": {"offline": True},
        "without bots": {"exclude_bots": True},
    }


#: What a client of each kind refuses.
REFUSED = {
    "server-side": {"hybrid", "queue_notifications", "queue"},
    "on-device": {"queue_notifications", "queue"},
    "on-device, outbox": set(),
    "overridden": {"hybrid", "queue_notifications", "queue"},
    "telling": {"hybrid"},
    "offline": {"hybrid", "queue_notifications", "queue"},
    "without bots": {"hybrid", "queue_notifications", "queue"},
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("sent", SENT)
def test_no_call_tells_an_id(sent: str, kind: str, emulator: Emulator) -> None:
    telemetry = Telemetry()
    refused = set()
    options = clients_of(emulator)[kind]
    with made(sent, telemetry, emulator.server_domain, hook={"propagate": True}, **options) as client:
        for name, call in CALLS.items():
            try:
                in_page(telemetry, partial(call, client))
            except OptionsError:
                refused.add(name)
        assert client.flush(5000) == 0
        telemetry.metrics()
    assert refused == REFUSED[kind]
    assert len(telemetry.spans) >= 2 * (len(CALLS) - len(refused))
    assert telemetry.events
    assert_discreet(telemetry)


@pytest.mark.parametrize("sent", SENT)
def test_no_failure_tells_an_id(sent: str, server: LoopbackServer) -> None:
    def echo(received: Received) -> Answer:
        return Answer({"message": received.target, "requestId": IDS["session"]}, 400, {"Set-Cookie": IDS["device"]})

    telemetry = Telemetry()
    server.answer = echo
    with refusing_server() as nobody:
        for domain, outbox in ((server.domain, Outbox.memory(flush_interval=0)), (nobody, None)):
            with made(sent, telemetry, domain, retries=1, outbox=outbox) as client:
                for call in CALLS.values():
                    with suppress(TargetError):
                        in_page(telemetry, partial(call, client))
                client.flush(1000)
    assert {event.get("error.type") for event in telemetry.events} == {"general"}
    assert {attributes_of(span).get("error.type") for span in telemetry.spans} == {None, "400", "TransportError"}
    assert_discreet(telemetry)
