"""queue_notifications and client.outbox: the outbox as a client's owner meets it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from target import ClientClosed, OptionsError, Outbox, OutboxFull, TargetClient
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer, LoopbackServer, ok


def notifications(*ids: str) -> dict[str, Any]:
    items = [{"id": name, "type": "display", "timestamp": 1570320000000, "tokens": ["t"]} for name in ids]
    return {"request": {"notifications": items}, "session_id": "s1"}


def received_ids(server: LoopbackServer) -> list[str]:
    return [item["id"] for received in server.received for item in received.body["notifications"]]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_queued_notifications_are_sent_together_and_acknowledged(
    server: LoopbackServer, make_client: MakeClient, tmp_path: Path, kind: str
) -> None:
    outbox = (
        Outbox.memory(flush_interval=50) if kind == "memory" else Outbox.sqlite(tmp_path / "o.db", flush_interval=50)
    )
    events: list[dict[str, Any]] = []
    client = make_client(outbox=outbox, events={"notification_acknowledged": events.append})
    assert client.queue_notifications(notifications("n1")) == ["n1"]
    assert client.queue_notifications(**notifications("n2", "n3")) == ["n2", "n3"]
    assert client.outbox is not None
    assert client.outbox.flush(5000)
    assert client.outbox.pending == 0
    assert received_ids(server) == ["n1", "n2", "n3"]
    assert client.outbox.counters["acknowledged"] == 3
    assert [event["type"] for event in events] == ["notification_acknowledged"] * 3
    assert server.received[0].session_id == "s1"
    assert all(item["impressionId"] for item in server.received[0].body["notifications"])


def test_close_sends_what_is_pending(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(outbox=Outbox.memory(flush_interval=60_000))
    client.queue_notifications(notifications("n1", "n2"))
    assert server.received == []
    client.close()
    assert received_ids(server) == ["n1", "n2"]
    with pytest.raises(ClientClosed):
        client.queue_notifications(notifications("n3"))


def test_close_keeps_to_its_time(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = lambda _: Answer(status=503)
    client = make_client(outbox=Outbox.memory())
    client.queue_notifications(notifications("n1"))
    started = time.monotonic()
    client.close(timeout=300)
    assert time.monotonic() - started < 5


def test_what_a_file_holds_is_sent_by_the_next_client(
    server: LoopbackServer, make_client: MakeClient, tmp_path: Path
) -> None:
    outbox = Outbox.sqlite(tmp_path / "o.db", flush_interval=20)
    server.answer = lambda _: Answer(status=503)
    first = make_client(outbox=outbox, retries=0)
    first.queue_notifications(notifications("n1"))
    first.close(timeout=200)
    server.answer = ok
    server.received.clear()
    second = make_client(outbox=outbox)
    assert second.outbox is not None
    assert second.outbox.flush(10_000)
    assert set(received_ids(server)) == {"n1"}


def test_a_refused_one_is_a_dead_letter_and_told(server: LoopbackServer, make_client: MakeClient) -> None:
    def refuse_bad(received: Any) -> Answer:
        bad = any(item["id"] == "bad" for item in received.body["notifications"])
        return Answer({"status": 400, "message": "bad"}, 400) if bad else ok(received)

    server.answer = refuse_bad
    events: list[dict[str, Any]] = []
    client = make_client(outbox=Outbox.memory(flush_interval=20), events={"notification_dead": events.append})
    client.queue_notifications(notifications("a", "bad", "c"))
    assert client.outbox is not None
    assert client.outbox.flush(5000)
    assert [(letter.notification["id"], letter.reason, letter.status) for letter in client.outbox.dead_letters] == [
        ("bad", "refused", 400)
    ]
    assert len(events) == 1
    server.answer = ok
    assert client.outbox.retry_dead_letters() == 1
    assert client.outbox.flush(5000)
    assert client.outbox.dead_letters == []


def test_a_full_outbox_refuses(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(outbox=Outbox.memory(max_pending=2, flush_interval=60_000))
    client.queue_notifications(notifications("n1", "n2"))
    with pytest.raises(OutboxFull):
        client.queue_notifications(notifications("n3"))


def test_without_an_outbox_it_says_how_to_set_one(client: TargetClient) -> None:
    assert client.outbox is None
    with pytest.raises(OptionsError, match=r"Outbox\.memory\(\)"):
        client.queue_notifications(notifications("n1"))


def test_mistakes_raise_at_once(make_client: MakeClient) -> None:
    client = make_client(outbox=Outbox.memory())
    with pytest.raises(OptionsError, match="callback"):
        client.queue_notifications({**notifications("n1"), "callback": print})
    with pytest.raises(OptionsError, match="Notifications list is required"):
        client.queue_notifications(request={"context": {"channel": "web"}})
    with pytest.raises(OptionsError, match="outbox"):
        make_client(outbox="memory")
