"""Consent: without it nothing that a visit sends or sets says who the visitor is, whoever would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from target import Outbox, Site, TargetClient, Visit
from tests.kit.calls import REQUEST, client_of
from tests.kit.loopback import Answer, ok, serving
from tests.kit.pages import PREFETCHED, SHOWABLE, a_new_device_each_time, web_request


@pytest.fixture
def server() -> Iterator[Any]:
    with serving(a_new_device_each_time) as server:
        yield server


@pytest.fixture
def client(server: Any) -> Iterator[TargetClient]:
    with client_of(server.domain) as client:
        yield client


def test_without_consent_nothing_tells_who_it_is(client: TargetClient, server: Any) -> None:
    asked = {**REQUEST, "id": {"thirdPartyId": "me"}, "experienceCloud": {"audienceManager": {"blob": "b"}}}
    cookies = {"mbox": "session#old#9999999999|PC#device.38_0#9999999999", "mboxEdgeCluster": "38"}
    site = Site(client, consent=lambda source: source == "yes", experience_cloud=True)
    visit = Visit(site, lambda: web_request(cookies), "no")
    result = visit.get_offers(request=asked, customer_ids={"crm": "7"})
    visit.get_offers(request=asked)
    assert visit.response_headers() == []
    bodies = [received.body for received in server.received]
    assert [body.get("id") for body in bodies] == [None, None]
    assert all("geo" not in body["context"] and "audienceManager" not in body["experienceCloud"] for body in bodies)
    assert {received.session_id for received in server.received} == {visit.session_id} != {"old"}
    assert "device" not in result.target_cookie.value
    assert Visit(site, web_request, "yes").consents


def test_consent_that_raises_is_none(client: TargetClient, caplog: pytest.LogCaptureFixture) -> None:
    visit = Visit(Site(client, consent=lambda source: source.nothing), web_request)
    assert not visit.consents
    assert "consent raised AttributeError" in caplog.text


def test_without_consent_what_is_told_names_nobody(server: Any) -> None:
    with serving(lambda _: Answer({**SHOWABLE.body, "id": {"tntId": "device.38_0"}})) as server:
        with client_of(server.domain) as client:
            visit = Visit(Site(client, consent=lambda _: False), web_request)
            assert visit.notify(visit.get_offers(request=PREFETCHED), displayed=["home"])
        assert all("device" not in received.content.decode() for received in server.received)
        assert len({received.session_id for received in server.received}) == 1


def test_without_consent_nothing_names_the_visitor_whoever_would_and_whatever_it_is_told_of(server: Any) -> None:
    naming: Any = {
        "customer_ids": {"crm": "me-1"},
        "visitor_cookie": "1|MCMID|07327024324407615852294135870030620007",
        "target_cookie": "session#me-2#9999999999|PC#me-3.38_0#9999999999",
        "request": {"id": {"thirdPartyId": "me-4"}, "experienceCloud": {"audienceManager": {"blob": "me-5"}}},
    }
    answer = Answer({**SHOWABLE.body, "id": {"tntId": "me-6.38_0"}})
    with serving(lambda received: answer if "prefetch" in received.body else ok(received)) as server:
        with client_of(server.domain, outbox=Outbox.memory()) as client:
            known = Visit(Site(client), web_request)
            earlier = known.get_offers(request={**PREFETCHED, "id": {"thirdPartyId": "me-7"}})
            visit = Visit(Site(client, consent=lambda _: False), web_request)
            own = visit.get_offers(**{**naming, "request": {**PREFETCHED, **naming["request"]}})
            for result in (own, earlier):
                assert visit.notify(result, displayed=["home"], **naming)
                assert visit.queue(result, displayed=["home"], **naming)
            assert client.flush(5000) == 0
        sent = server.received[1:]
        assert len(sent) == 5
        assert [
            received.content for received in sent if b"me-" in received.content or b"07327" in received.content
        ] == []
        assert {received.session_id for received in sent} == {visit.session_id}


@pytest.mark.parametrize("says", [None, 1, "yes", object()])
def test_what_is_neither_true_nor_false_is_no_consent_and_told_once(
    says: Any, client: TargetClient, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(client, consent=lambda _: says)
    assert not any(Visit(site, web_request).consents for _ in range(3))
    assert caplog.text.count("consent") == 1
