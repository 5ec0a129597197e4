"""What is told of events: clicks with the token of what was shown, else that an mbox was seen; orders."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from target import AsyncTargetClient, Outbox, TargetClient
from target.emulator import running
from target.integrations.openfeature import AsyncTargetProvider, TargetProvider
from target.integrations.openfeature._tracking import read_event
from tests.kit.calls import MakeClient, eventually
from tests.kit.loopback import Answer, LoopbackServer
from tests.unit.integrations.openfeature.pages import VISITOR, asked, flags_of, json_offer, notified, page, showing

HOME = [json_offer({"new": True})]
Track = Callable[..., None]


def told(server: LoopbackServer, count: int = 1) -> list[dict[str, Any]]:
    assert eventually(lambda: len(notified(server.received)) >= count)
    return notified(server.received)


def test_a_click_is_of_what_the_page_shows(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=HOME)
    with flags_of(TargetProvider(client)) as flags, page():
        flags.get_boolean_value("home.new", False, VISITOR)
        told(server)
        flags.track("home.new", VISITOR, TrackingEventDetails(49.5, {"currency": "EUR", "order_id": "o-1"}))
        shown, clicked = told(server, 2)
    assert (shown["type"], shown["tokens"]) == ("display", ["shown"])
    assert (clicked["type"], clicked["tokens"], clicked["mbox"]["name"]) == ("click", ["clicked"], "home")
    assert clicked["order"] == {"id": "o-1", "total": 49.5}
    assert clicked["parameters"] == {"currency": "EUR"}
    assert len(asked(server.received)) == 1
    assert {item.session_id for item in server.received} == {server.received[0].session_id}


def test_a_later_request_asks_for_what_was_shown(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=HOME)
    with flags_of(TargetProvider(client)) as flags:
        flags.track("home", VISITOR)
        (clicked,) = told(server)
    assert (clicked["type"], clicked["tokens"]) == ("click", ["clicked"])
    assert [list(item.body.keys() & {"prefetch", "execute"}) for item in server.received] == [["prefetch"], []]
    assert server.received[-1].body["id"]["thirdPartyId"] == "visitor-1"


def test_an_event_that_is_of_no_offer_is_a_conversion_by_its_mbox(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing()
    with flags_of(TargetProvider(client)) as flags:
        flags.track("checkout", VISITOR, TrackingEventDetails(20, {"purchased_product_ids": ["sku-1"]}))
        (seen,) = told(server)
    assert (seen["type"], seen["mbox"]["name"]) == ("display", "checkout")
    assert "tokens" not in seen
    assert seen["order"]["total"] == 20
    assert seen["order"]["purchasedProductIds"] == ["sku-1"]
    assert seen["order"]["id"]


def test_fields_say_which_mbox_and_what_kind(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=HOME)
    with flags_of(TargetProvider(client)) as flags, page():
        flags.track("bought", VISITOR, TrackingEventDetails(attributes={"mbox": "home", "type": "display"}))
        (seen,) = told(server)
    assert (seen["type"], seen["tokens"], seen["mbox"]["name"]) == ("display", ["shown"], "home")
    assert "order" not in seen


def test_an_event_outlives_a_service_that_is_away(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = lambda _: Answer({}, 503)
    client = make_client(outbox=Outbox.memory(flush_interval=1), retries=0, timeout=500)
    with flags_of(TargetProvider(client)) as flags:
        flags.track("checkout", VISITOR, TrackingEventDetails(20))
        assert eventually(lambda: client.status().outbox["queued"] == 1)
        server.answer = showing()
        assert eventually(lambda: client.outbox.pending == 0)
    assert notified(server.received)[-1]["order"]["total"] == 20


def test_through_the_outbox_where_there_is_one(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = showing(home=HOME)
    client = make_client(outbox=Outbox.memory(flush_interval=1))
    with flags_of(TargetProvider(client)) as flags, page():
        flags.get_boolean_value("home.new", False, VISITOR)
        flags.track("home", VISITOR)
        assert eventually(lambda: client.status().outbox["acknowledged"] == 2)
    assert [each["type"] for each in notified(server.received)] in (["display", "click"], ["click", "display"])


ODD: Any = object()
WRONG: list[tuple[Any, Any]] = [
    ("", None),
    (" ", None),
    ("home", TrackingEventDetails(attributes={"mbox": 3})),
    ("home", TrackingEventDetails(attributes={"type": "seen"})),
    ("home", TrackingEventDetails(attributes={"a": ODD})),
    ("home", TrackingEventDetails(float("nan"))),
    (None, None),
    ("home", object()),
]


@pytest.mark.parametrize(("name", "details"), WRONG)
def test_what_cannot_be_tracked_is_logged_and_raises_nothing(
    server: LoopbackServer, client: TargetClient, name: Any, details: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=HOME)
    provider = TargetProvider(client)
    with caplog.at_level(logging.WARNING, "target.openfeature"):
        provider.track(name, VISITOR, details)
        provider.shutdown()
    assert caplog.records
    assert "visitor-1" not in caplog.text
    assert notified(server.received) == []


@given(st.text(max_size=300), st.one_of(st.none(), st.floats(), st.integers()), st.dictionaries(st.text(), st.text()))
def test_reading_an_event_raises_what_track_expects(name: str, value: Any, fields: dict[str, Any]) -> None:
    try:
        event = read_event(name, TrackingEventDetails(value, fields))
    except ValueError:
        return
    assert event.key == fields.get("mbox", name)


def test_an_async_provider_tracks_on_the_loop_and_beside_it() -> None:
    with running() as emulator:

        async def run() -> None:
            options = {"client": "acmeclient", "organization_id": "1@AdobeOrg", "secure": False}
            async with await AsyncTargetClient.create(**options, server_domain=emulator.server_domain) as client:
                provider = AsyncTargetProvider(client)
                with flags_of(provider) as flags:
                    assert await flags.get_boolean_value_async("feature-flag-a.showFeatureX", False, VISITOR)
                    flags.track("feature-flag-a", VISITOR, TrackingEventDetails(5))
                    await asyncio.to_thread(flags.track, "feature-flag-a", VISITOR)
                    await asyncio.sleep(0.05)
                    await provider.flush()

        asyncio.run(run())
        told = emulator.wait_for_notifications(3)
        assert sorted(each["notification"]["type"] for each in told) == ["click", "click", "display"]
        assert all(each["known"] for each in told)
        assert emulator.counts()[1].experiences[0].impressions == 1


def test_tracking_delays_nobody(server: LoopbackServer, client: TargetClient) -> None:
    def slow(received: Any) -> Any:
        time.sleep(0.3)
        return showing(home=HOME)(received)

    server.answer = slow
    provider = TargetProvider(client)
    started = time.monotonic()
    for number in range(8):
        provider.track("home", EvaluationContext(f"visitor-{number}"))
    assert time.monotonic() - started < 0.25
    assert eventually(lambda: len(notified(server.received)) == 8)
