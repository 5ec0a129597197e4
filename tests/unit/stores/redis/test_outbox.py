"""An outbox in Redis, through both clients: sent, shared, and whatever becomes of the Redis survived."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from target import AsyncTargetClient, Outbox, TargetClient
from tests.kit.calls import eventually, options_of, timed
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.outboxes import ids_of, notification
from tests.kit.redis_server import RedisServer

SECRET = "session-of-a-visitor"


def own(redis_server: RedisServer, **options: Any) -> Outbox:
    return Outbox.redis(redis_server.url, **{"flush_interval": 20, **options})


def client_of(server: LoopbackServer, outbox: Outbox, **options: Any) -> TargetClient:
    return TargetClient.create(**options_of(server.domain, outbox=outbox, **options))


def queue(client: TargetClient, *names: str, session_id: str = SECRET) -> None:
    request = {"notifications": [notification(name) for name in names]}
    client.queue_notifications(request=request, session_id=session_id)


def test_what_is_queued_is_sent_and_leaves_nothing_behind(server: LoopbackServer, redis_server: RedisServer) -> None:
    with client_of(server, own(redis_server)) as client:
        queue(client, "a", "b")
        queue(client, "c", session_id="another")
        assert client.flush(timeout=5000) == 0
        assert sorted(ids_of(server)) == ["a", "b", "c"]
        assert client.outbox.counters["acknowledged"] == 3
    assert len(redis_server.all_keys()) == 1, "the account's own, which knows the last number that was given"


def test_an_order_within_a_session_is_kept(server: LoopbackServer, redis_server: RedisServer) -> None:
    names = [f"n{number}" for number in range(120)]
    with client_of(server, own(redis_server)) as first, client_of(server, own(redis_server)) as second:
        for number, name in enumerate(names):
            queue((first, second)[number % 2], name)
        assert first.flush(timeout=10_000) == 0
    assert ids_of(server) == names


def test_names_of_keys_tell_no_id_and_carry_one_hash_tag_for_each_session(
    server: LoopbackServer, redis_server: RedisServer
) -> None:
    with client_of(server, own(redis_server, flush_interval=60_000, prefix="shop")) as client:
        queue(client, "order-7", "order-8")
        queue(client, "order-9", session_id="another-session")
        keys = redis_server.all_keys()
        client.close(timeout=0)
    assert all(re.fullmatch(r"shop:\{[0-9a-f]{32}\}:[a-z:+\-0-9]+", key) for key in keys), keys
    texts = [key for key in keys if key.endswith(":entries")]
    assert len({key.split("}")[0] for key in texts}) == len(texts) == 2
    assert len({key.split("}")[0] for key in keys}) == 3, "the sessions, and the account"
    told = " ".join(keys)
    digest = hashlib.sha256(SECRET.encode()).hexdigest()[:16]
    for secret in (SECRET, "another-session", "order-", "acme", "AdobeOrg", digest):
        assert secret not in told


def test_another_process_sends_what_this_one_left(server: LoopbackServer, redis_server: RedisServer) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with client_of(server, own(redis_server), retries=0) as client:
        queue(client, "a")
        assert eventually(lambda: server.received)
        client.close(timeout=0)
    server.answer = ok
    server.received.clear()
    with client_of(server, own(redis_server)):
        assert eventually(lambda: ids_of(server) == ["a"])


def test_prefix_and_database_keep_outboxes_apart(server: LoopbackServer, redis_server: RedisServer) -> None:
    with client_of(server, own(redis_server, flush_interval=60_000)) as client:
        queue(client, "a")
        others = [own(redis_server, prefix="other"), Outbox.redis(redis_server.url[:-1] + "1")]
        for outbox in others:
            with client_of(server, outbox) as other:
                assert other.outbox.pending == 0
        with client_of(server, own(redis_server)) as same:
            assert same.outbox.pending == 1


def test_dead_letters_are_told_and_tried_once_more(server: LoopbackServer, redis_server: RedisServer) -> None:
    server.answer = lambda _: Answer({"message": "no such mbox"}, 400)
    with client_of(server, own(redis_server)) as client:
        queue(client, "a")
        assert eventually(lambda: client.outbox.dead_letters)
        (letter,) = client.outbox.dead_letters
        assert (letter.notification["id"], letter.reason, letter.status) == ("a", "refused", 400)
        server.answer = ok
        assert client.outbox.retry_dead_letters() == 1
        assert client.flush(timeout=5000) == 0
        assert client.outbox.dead_letters == []
        assert ids_of(server)[-1] == "a"


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_an_event_loop_queues_and_sends(transport: str, server: LoopbackServer, redis_server: RedisServer) -> None:
    async def main() -> None:
        options = options_of(server.domain, outbox=own(redis_server), transport=transport)
        async with await AsyncTargetClient.create(options) as client:
            await asyncio.gather(
                *(
                    client.queue_notifications(request={"notifications": [notification(f"n{number}")]}, session_id="s")
                    for number in range(5)
                )
            )
            assert await client.flush(timeout=5000) == 0

    asyncio.run(main())
    assert sorted(ids_of(server)) == [f"n{number}" for number in range(5)]


@pytest.mark.waits
def test_memory_takes_over_while_it_is_away(
    server: LoopbackServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = RedisServer(tmp_path)
    try:
        with client_of(server, own(mine, flush_interval=60_000)) as client:
            queue(client, "before it was there")
            assert "cannot be used (it cannot be reached" in caplog.text
            assert client.outbox.volatile == 1
            mine.start()
            assert eventually(lambda: client.outbox.volatile == 0), "carried over"
            assert "can be used again" in caplog.text
            queue(client, "while it was there")
            assert client.outbox.pending == 2
            mine.kill()
            queue(client, "after its crash")
            assert client.outbox.volatile == 1
            client.outbox.flush(timeout=500)
            assert "after its crash" in ids_of(server)
    finally:
        mine.stop()
    assert SECRET not in caplog.text


@pytest.mark.waits
def test_one_that_hangs_keeps_nobody(server: LoopbackServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = RedisServer(tmp_path)
    mine.start()
    try:
        with client_of(server, own(mine, flush_interval=60_000)) as client:
            queue(client, "a")
            mine.freeze()
            assert timed(lambda: queue(client, "b")) < 1.5
            assert timed(lambda: queue(client, "c")) < 1.5
            assert client.outbox.volatile == 2
            assert "locked or slow" in caplog.text
            mine.thaw()
            assert eventually(lambda: client.outbox.volatile == 0)
            assert client.flush(timeout=10_000) == 0
        assert sorted(set(ids_of(server))) == ["a", "b", "c"]
    finally:
        mine.stop()
