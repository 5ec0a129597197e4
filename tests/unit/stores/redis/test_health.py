"""What is found of a Redis before it is relied on."""

from __future__ import annotations

from pathlib import Path

from target.protocols import StoreSettings
from target.stores.redis import RedisOutbox, look_at
from target.testing._store_bench import entry
from tests.kit.redis_server import RedisServer, running
from tests.unit.stores.redis.test_nonsense import settings

ACCOUNT = "acme 1234@AdobeOrg"


def test_what_it_is_like_and_what_waits(redis_server: RedisServer) -> None:
    made: StoreSettings = settings(account=ACCOUNT)
    RedisOutbox(redis_server.url)(made).add([entry("a"), entry("b")], 0.0)
    found = look_at(redis_server.url, account=ACCOUNT)
    assert (found.why_not, found.pending, found.dead) == (None, 2, 0)
    assert (found.eviction, found.keeps) == ("noeviction", False)
    assert found.version is not None
    assert found.took_ms > 0
    assert look_at(redis_server.url, account="other x").pending == 0
    assert look_at(redis_server.url).pending is None


def test_who_may_not_ask_is_told_the_rest(tmp_path: Path) -> None:
    rights = "~target:* &target:* -@all +@connection +time"
    with running(tmp_path, "--user", "shop", "on", ">secret", *rights.split()) as server:
        found = look_at(server.url.replace("//", "//shop:secret@"))
    assert (found.why_not, found.version, found.eviction, found.keeps) == (None, None, None, None)


def test_it_writes_nothing(redis_server: RedisServer) -> None:
    look_at(redis_server.url, account=ACCOUNT)
    assert redis_server.all_keys() == []


def test_what_is_not_ours_is_named(redis_server: RedisServer) -> None:
    made: StoreSettings = settings(account=ACCOUNT)
    store = RedisOutbox(redis_server.url)(made)
    store.add([entry("a")], 0.0)
    client = redis_server.client()
    client.hset(store.root, "v", "9")
    client.close()
    assert store.root in str(look_at(redis_server.url, account=ACCOUNT).why_not)
