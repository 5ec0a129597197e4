"""A Redis that holds what is not ours, or answers what is none: an error that names the key, and nothing is deleted."""

from __future__ import annotations

import json
import logging
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from target import TargetError
from target.protocols import Entry, Moment, StoreBroken, StoreSettings
from target.stores.redis import RedisOutbox
from target.testing._store_bench import always, entry
from tests.kit.redis_server import RedisServer

SESSION = "session-1"


def settings(**fields: Any) -> StoreSettings:
    made = StoreSettings(
        "acme 1234@AdobeOrg",
        100,
        "raise",
        30.0,
        4000.0,
        lambda: Moment(time.time(), time.monotonic()),
        logging.getLogger("target"),
    )
    return made._replace(**fields)


def content_of(redis_server: RedisServer) -> dict[str, bytes]:
    client = redis_server.client()
    try:
        return {key: client.dump(key) for key in redis_server.all_keys()}
    finally:
        client.close()


def named(redis_server: RedisServer, end: str) -> str:
    (key,) = (key for key in redis_server.all_keys() if key.endswith(end))
    return key


USES: dict[str, Callable[[Any], Any]] = {
    "add": lambda store: store.add([entry("b")], 0.0),
    "claim": lambda store: store.claim(always),
    "next_due_s": lambda store: store.next_due_s(always),
    "hurry": lambda store: store.hurry(),
    "mark": lambda store: store.mark(),
    "passed": lambda store: store.passed(1),
    "counts": lambda store: store.counts(),
    "dead_letters": lambda store: store.dead_letters(),
    "revive": lambda store: store.revive(),
    "tidy": lambda store: store.tidy(),
}


@pytest.mark.parametrize("end", [":outbox", ":order", ":trash", ":dead", ":letters", ":clusters", ":leases", ":misses"])
def test_a_key_of_another_type_is_named_whatever_is_asked(end: str, redis_server: RedisServer) -> None:
    store = RedisOutbox(redis_server.url)(settings())
    store.add([entry("a")], 0.0)
    root = named(redis_server, ":outbox")
    key = root if end == ":outbox" else root + end
    client = redis_server.client()
    client.delete(key)
    client.set(key, "another program's")
    before = content_of(redis_server)
    for name, use in USES.items():
        store = RedisOutbox(redis_server.url)(settings())
        with pytest.raises(TargetError, match="nothing was changed") as caught:
            use(store)
        assert key in str(caught.value), name
        assert isinstance(caught.value, StoreBroken), "which is what a client expects of a store"
    assert content_of(redis_server) == before
    client.close()


def test_the_layout_of_another_version_is_left_alone(redis_server: RedisServer) -> None:
    store = RedisOutbox(redis_server.url)(settings())
    store.add([entry("a")], 0.0)
    root = named(redis_server, ":outbox")
    client = redis_server.client()
    client.hset(root, "v", "2")
    before = content_of(redis_server)
    for use in USES.values():
        with pytest.raises(TargetError, match=root.replace("{", r"\{").replace("}", r"\}")):
            use(RedisOutbox(redis_server.url)(settings()))
    assert content_of(redis_server) == before
    client.hset(root, "v", "1")
    assert store.claim(always) is not None, "and goes on when it is ours again"
    client.close()


TEXTS: dict[str, bytes] = {
    "another version": json.dumps({"v": 2, "session": SESSION}).encode(),
    "no JSON": b"\xff\xfe{",
    "no object": b"[1]",
    "no version": b"{}",
    "fields that lack": b'{"v": 1}',
    "numbers for text": b'{"v":1,"since":"x","session":1}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("what", TEXTS)
def test_an_entry_that_is_not_ours_is_named_and_kept(what: str, redis_server: RedisServer) -> None:
    store = RedisOutbox(redis_server.url)(settings())
    store.add([entry("a", "other")], 0.0)
    store.add([entry("b", SESSION)], 1.0)
    client = redis_server.client()
    for key in redis_server.all_keys():
        for field in client.hkeys(key) if key.endswith(":entries") else ():
            if json.loads(client.hget(key, field))["session"] == "other":
                client.hset(key, field, TEXTS[what])
                mine = key
    with pytest.raises(TargetError) as caught:
        store.claim(always)
    assert mine in str(caught.value)
    assert client.exists(mine), "nothing is deleted"
    assert store.counts().pending == 2
    claim = store.claim(always)
    assert claim is not None, "other sessions go on"
    assert claim.session_id == SESSION
    client.close()


def test_a_letter_that_is_not_ours_is_named_and_kept(redis_server: RedisServer) -> None:
    store = RedisOutbox(redis_server.url)(settings())
    store.add([entry("a")], 0.0)
    root = named(redis_server, ":outbox")
    client = redis_server.client()
    client.zadd(f"{root}:dead", {"x:y:-": 1})
    client.hset(f"{root}:letters", "x:y:-", "nonsense")
    for use in (store.dead_letters, store.revive):
        with pytest.raises(TargetError) as caught:
            use()
        assert f"{root}:letters" in str(caught.value)
    assert store.counts().dead == 1
    client.close()


def test_text_that_redis_lost_makes_an_entry_that_cannot_be_read(redis_server: RedisServer) -> None:
    store = RedisOutbox(redis_server.url)(settings())
    store.add([entry("a"), entry("b")], 0.0)
    client = redis_server.client()
    client.delete(named(redis_server, ":entries"))
    claim = store.claim(always)
    assert claim is not None
    assert [item.notification for item in claim.entries] == ["", ""]
    assert all(isinstance(item, Entry) for item in claim.entries)
    client.close()


class _Says(socketserver.BaseRequestHandler):
    """Agrees to whatever opens a connection, tells the time, and says the same to all else."""

    said = b""

    def handle(self) -> None:
        while asked := self.request.recv(65536):
            for command in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", asked):
                opens = {b"CLIENT": b"+OK\r\n", b"SELECT": b"+OK\r\n", b"TIME": b"*2\r\n$1\r\n9\r\n$1\r\n9\r\n"}
                self.request.sendall(opens.get(command, self.said))


@contextmanager
def saying(what: bytes) -> Iterator[str]:
    kind = type("Says", (_Says,), {"said": what})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}?protocol=2&socket_timeout=0.5"
        finally:
            server.shutdown()


ANSWERS = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "OK": b"+OK\r\n",
    "a number": b":7\r\n",
    "an empty list": b"*0\r\n",
    "nothing": b"$-1\r\n",
    "text": b"$5\r\nhello\r\n",
    "a list of lists": b"*2\r\n*1\r\n:1\r\n*0\r\n",
    "text that is none": b"*4\r\n$5\r\nclaim\r\n$2\r\n\xff\xff\r\n$1\r\nx\r\n:1\r\n",
    "an error with ids": b"-ERR unknown command, with args beginning with: 'session-1'\r\n",
}


def error_of(use: Callable[[Any], Any], store: Any) -> TargetError | None:
    try:
        use(store)
    except TargetError as error:
        return error
    return None


@pytest.mark.parametrize("what", ANSWERS)
def test_what_answers_nonsense_is_a_target_error_that_shows_no_id(what: str) -> None:
    with saying(ANSWERS[what]) as url:
        for name, use in USES.items():
            store = RedisOutbox(url)(settings())
            error = error_of(use, store)
            assert error is not None or name != "add", "nothing was stored"
            assert SESSION not in f"{error} {error and error.__context__!r}", name
            assert error is None or error.__cause__ is None, name
