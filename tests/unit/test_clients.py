"""What both clients do besides calls: flushing, and telling what is pending or was lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from target import (
    AsyncTargetClient,
    BackgroundFull,
    ClientClosed,
    OptionsError,
    Outbox,
    OutboxFull,
    TargetClient,
)
from tests.kit.calls import eventually, options_of, timed
from tests.kit.either import Make
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.shop import HOME, PREFETCH, Shop

CLICK: dict[str, Any] = {
    "notifications": [{"id": "n1", "type": "click", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["c"]}]
}
ASKED: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}]}}
Act = Callable[[TargetClient], Any]


def on_device(shop: Shop, **more: Any) -> dict[str, Any]:
    return options_of(shop.server.domain, **{**shop.options, **more})


def slow(received: Received) -> Answer:
    time.sleep(0.15)
    return ok(received)


def test_flush_waits_until_what_was_shown_has_been_taken(shop: Shop, make: Make) -> None:
    shop.delivery = slow
    client = make(on_device(shop))
    for _ in range(3):
        client.get_offers(request=HOME)
    assert client.flush(timeout=20_000) == 0
    assert len(shop.notified) == 3
    assert client.status()["background"] == {"pending": 0, "sent": 3, "failed": 0, "dropped": 0}
    assert client.flush() == 0


def test_flush_tells_how_much_is_left_when_its_time_is_over(shop: Shop, make: Make) -> None:
    go_on = threading.Event()

    def stuck(received: Received) -> Answer:
        go_on.wait(20)
        return ok(received)

    shop.delivery = stuck
    client = make(on_device(shop, timeout=20_000))
    for _ in range(3):
        client.get_offers(request=HOME)
    left: list[int] = []
    assert 0.1 <= timed(lambda: left.append(client.flush(timeout=100))) < 5
    assert left == [3]
    assert client.status()["background"]["pending"] == 3
    go_on.set()
    assert client.flush(timeout=20_000) == 0


def test_flush_counts_what_it_saw_given_up(shop: Shop, make: Make) -> None:
    go_on = threading.Event()

    def refuse(_: Received) -> Answer:
        go_on.wait(20)
        return Answer({"message": "down"}, 503)

    shop.delivery = refuse
    client = make(on_device(shop, timeout=20_000, retries=0))
    for each in range(3):
        client.get_offers(request=HOME, session_id=f"s{each}")
    assert client.flush(timeout=0) == 3
    threading.Timer(0.2, go_on.set).start()
    assert client.flush(timeout=20_000) == 3
    assert client.status()["background"] == {"pending": 0, "sent": 0, "failed": 3, "dropped": 0}
    assert client.flush(timeout=20_000) == 0


def test_flush_sends_telemetry_at_once(shop: Shop, make: Make) -> None:
    client = make(on_device(shop, telemetry_enabled=True))
    client.get_offers(request=PREFETCH)
    assert client.flush(timeout=20_000) == 0
    assert [len(entries) for entries in shop.entries] == [2]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_flush_sends_what_the_outbox_holds(kind: str, server: LoopbackServer, make: Make, tmp_path: Path) -> None:
    more = {"flush_interval": 60_000}
    outbox = Outbox.memory(**more) if kind == "memory" else Outbox.sqlite(tmp_path / "box.db", **more)  # type: ignore[arg-type]
    client = make(options_of(server.domain, outbox=outbox))
    client.queue_notifications(request=CLICK)
    assert client.flush(timeout=20_000) == 0
    assert [received.body["notifications"][0]["id"] for received in server.received] == ["n1"]
    assert client.status()["outbox"]["acknowledged"] == 1


def test_flush_counts_what_stays_in_the_outbox(server: LoopbackServer, make: Make) -> None:
    server.answer = lambda _: Answer({"message": "down"}, 503)
    client = make(options_of(server.domain, outbox=Outbox.memory(flush_interval=0), retries=0))
    client.queue_notifications(
        request={"notifications": [*CLICK["notifications"], {**CLICK["notifications"][0], "id": "n2"}]}
    )
    assert client.flush(timeout=200) == 2
    server.answer = ok
    assert client.flush(timeout=20_000) == 0


def test_flush_of_a_client_with_nothing_beside_its_calls_is_immediate(server: LoopbackServer, make: Make) -> None:
    client = make(options_of(server.domain))
    client.get_offers(request=ASKED)
    assert timed(lambda: client.flush(timeout=20_000)) < 5
    assert client.flush() == 0
    assert client.status()["background"] == {"pending": 0, "sent": 0, "failed": 0, "dropped": 0}


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), None, True])
def test_what_is_no_duration_is_refused(timeout: Any, server: LoopbackServer, make: Make) -> None:
    with pytest.raises(OptionsError, match="timeout"):
        make(options_of(server.domain)).flush(timeout=timeout)


def test_a_closed_client_does_not_flush(server: LoopbackServer) -> None:
    client = TargetClient.create(options_of(server.domain))
    client.close()
    with pytest.raises(ClientClosed):
        client.flush()
    assert client.status()["callbacks"] == 0


def test_flush_waits_for_calls_with_a_callback_and_for_what_they_leave_to_send(shop: Shop) -> None:
    called: list[Any] = []
    shop.delivery = slow
    with TargetClient.create(on_device(shop, async_workers=1)) as client:
        for _ in range(3):
            client.get_offers(request=HOME, callback=lambda result: (time.sleep(0.05), called.append(result)))
        assert client.status()["callbacks"] > 0
        assert client.flush(timeout=20_000) == 0
        assert len(called) == len(shop.notified) == 3


def test_flush_counts_calls_with_a_callback_that_go_on(server: LoopbackServer) -> None:
    go_on = threading.Event()
    with TargetClient.create(options_of(server.domain)) as client:
        client.get_offers(request=ASKED, callback=lambda _: go_on.wait(20))
        assert client.flush(timeout=50) == 1
        assert client.status()["callbacks"] == 1
        go_on.set()
        assert client.flush(timeout=20_000) == 0


def test_a_callback_may_flush(server: LoopbackServer) -> None:
    left: list[int] = []
    with TargetClient.create(options_of(server.domain)) as client:
        handle = client.get_offers(request=ASKED, callback=lambda _: left.append(client.flush(timeout=20_000)))
        handle.wait(10)
        assert left == [0]


# What is lost is told


def test_what_is_dropped_for_want_of_room_is_counted_and_told(shop: Shop, make: Make) -> None:
    go_on = threading.Event()

    def stuck(received: Received) -> Answer:
        go_on.wait(20)
        return ok(received)

    shop.delivery = stuck
    told: list[Any] = []
    events = {"send_notification_failed": told.append}
    client = make(on_device(shop, background_queue=5, background_concurrency=1, events=events, timeout=20_000))
    for _ in range(20):
        client.get_offers(request=HOME)
    assert eventually(lambda: client.status()["background"]["dropped"] >= 14, 20)
    assert eventually(lambda: len(told) >= 14, 20)
    assert {type(event["error"]) for event in told} == {BackgroundFull}
    assert all(event["request"]["notifications"][0]["type"] == "display" for event in told)
    go_on.set()
    assert client.flush(timeout=20_000) == 0
    status = client.status()["background"]
    assert status["sent"] + status["dropped"] == 20
    assert status["dropped"] == len(told)


# With an outbox


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_what_was_shown_goes_through_the_outbox(kind: str, shop: Shop, make: Make, tmp_path: Path) -> None:
    acknowledged: list[Any] = []
    outbox = Outbox.memory() if kind == "memory" else Outbox.sqlite(tmp_path / "box.db")
    client = make(on_device(shop, outbox=outbox, events={"notification_acknowledged": acknowledged.append}))
    result = client.get_offers(request=HOME, session_id="s1", target_cookie="PC#v1.38_0#9999999999")
    assert result.response.status == 200
    assert client.flush(timeout=20_000) == 0
    (sent,) = shop.delivered
    (notification,) = sent.body["notifications"]
    assert (sent.session_id, sent.body["id"]) == ("s1", {"tntId": "v1.38_0"})
    assert (notification["type"], notification["tokens"]) == ("display", ["t"])
    assert "impressionId" in notification
    assert [event["id"] for event in acknowledged] == [notification["id"]]
    assert client.status()["outbox"]["acknowledged"] == 1


def test_an_outage_loses_nothing_that_was_shown(shop: Shop, make: Make) -> None:
    shop.delivery = lambda _: Answer({"message": "down"}, 503)
    told: list[Any] = []
    events = {"send_notification_failed": told.append}
    client = make(on_device(shop, outbox=Outbox.memory(flush_interval=0), retries=0, events=events))
    for _ in range(30):
        client.get_offers(request=HOME)
    assert client.flush(timeout=300) == 30
    shop.delivery = ok
    before = len(shop.delivered)
    assert client.flush(timeout=20_000) == 0
    taken = {each["id"] for item in shop.delivered[before:] for each in item.body["notifications"]}
    assert len(taken) == 30
    assert told == []


def test_the_next_process_sends_what_was_shown_before_a_restart(shop: Shop, tmp_path: Path) -> None:
    shop.delivery = lambda _: Answer({"message": "down"}, 503)
    outbox = Outbox.sqlite(tmp_path / "box.db", flush_interval=0)
    with TargetClient.create(on_device(shop, outbox=outbox, retries=0)) as client:
        client.get_offers(request=HOME, session_id="s1")
        client.close(timeout=100)
    shop.delivery = ok
    before = len(shop.delivered)
    with TargetClient.create(options_of(shop.server.domain, outbox=outbox)) as client:
        assert client.flush(timeout=20_000) == 0
    assert [item.session_id for item in shop.delivered[before:]] == ["s1"]


def test_a_full_outbox_fails_no_decision_and_is_told(shop: Shop, make: Make) -> None:
    told: list[Any] = []
    outbox = Outbox.memory(max_pending=1, flush_interval=60_000)
    client = make(on_device(shop, outbox=outbox, events={"send_notification_failed": told.append}))
    for _ in range(3):
        assert client.get_offers(request=HOME).response.status == 200
    assert eventually(lambda: len(told) == 2)
    assert {type(event["error"]) for event in told} == {OutboxFull}
    assert client.status()["background"]["dropped"] == 2


def test_a_file_that_is_slow_keeps_no_event_loop(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> tuple[float, Any]:
        outbox = Outbox.sqlite(tmp_path / "box.db")
        async with await AsyncTargetClient.create(on_device(shop, outbox=outbox)) as client:
            store, release = client.outbox._store.queue, threading.Event()
            monkeypatch.setattr(client.outbox._store, "queue", lambda *given: (release.wait(20), store(*given))[1])
            task = asyncio.create_task(client.get_offers(request=HOME))
            started_s = time.monotonic()
            await asyncio.sleep(0.05)
            took_s = time.monotonic() - started_s
            release.set()
            return took_s, await task

    took_s, result = asyncio.run(scenario())
    assert took_s < 5  # or the loop had waited for the file
    assert result.response.status == 200


def test_what_could_not_be_sent_is_in_status(shop: Shop, make: Make) -> None:
    client = make(on_device(shop, server_domain="127.0.0.1:9", retries=0))
    client.get_offers(request=HOME)
    assert client.flush(timeout=20_000) in (0, 1)  # 0: it was given up before
    assert client.flush(timeout=20_000) == 0
    assert client.status()["background"] == {"pending": 0, "sent": 0, "failed": 1, "dropped": 0}


def test_who_watches_rules_is_told_beside_the_handlers(shop: Shop, make: Make) -> None:
    told: list[Any] = []
    client = make(on_device(shop))
    end = client.watch_artifact(told.append)
    assert eventually(lambda: [info.state for info in told] == ["new"])
    end()
    end()
    for wrong in (None, "a", 3):
        with pytest.raises(OptionsError, match="watcher must be a function"):
            client.watch_artifact(wrong)
