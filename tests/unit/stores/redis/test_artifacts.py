"""Rules that processes share by a Redis: one asks the CDN, all have what it brought, and nothing takes them back."""

from __future__ import annotations

import gc
import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from target._on_device import artifact_rotation
from target._on_device.artifact_keeper import ArtifactKeeper
from target._on_device.download import Downloads
from target.errors import OptionsError, TargetError
from target.events import ARTIFACT_DOWNLOAD_FAILED
from target.stores.redis import RedisArtifacts
from tests.kit.calls import eventually
from tests.kit.cdn import Cdn, Owner, artifact, configs, encoded, keeping, mbox_of, noting
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.redis_server import RedisServer, free_port
from tests.kit.threads import threads_of

Keep = Callable[..., ArtifactKeeper]
Keys = Callable[[], list[str]]


def made(name: str, moment: str) -> dict[str, Any]:
    return artifact(name, meta={"generatedAt": moment})


@pytest.fixture
def cdn(server: LoopbackServer) -> Cdn:
    return Cdn(server)


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def keys(redis_server: RedisServer, prefix: str) -> Callable[[], list[str]]:
    """Those of this test."""
    return lambda: [key for key in redis_server.all_keys() if key.startswith(prefix)]


@pytest.fixture
def keep(cdn: Cdn, redis_server: RedisServer, prefix: str) -> Iterator[Keep]:
    """Starts one more client's keeper of rules, with connections of its own."""
    with ExitStack() as stack:

        def start(url: str = redis_server.url, owner: Owner | None = None, **options: Any) -> ArtifactKeeper:
            given: dict[str, Any] = {
                "artifact_source": RedisArtifacts(url, prefix),
                "artifact_location": cdn.url,
                "polling_interval_s": 60.0,
                **options,
            }
            keeper = stack.enter_context(keeping(owner or Owner(), **given))
            keeper.wait_until_ready(5)
            return keeper

        yield start


def test_one_asks_the_cdn_and_all_have_the_rules(keep: Keep, cdn: Cdn) -> None:
    keepers = [keep() for _ in range(4)]
    assert [mbox_of(keeper) for keeper in keepers] == ["home"] * 4
    assert cdn.asked == [None]


@pytest.mark.waits
def test_a_change_is_seen_by_all_within_a_second(keep: Keep, cdn: Cdn) -> None:
    first = keep(polling_interval_s=1.0)
    others = [keep() for _ in range(3)]  # which would ask in a minute
    assert eventually(lambda: len(threads_of("target-redis-listener")) == 4)
    cdn.body, cdn.etag = artifact("checkout"), '"two"'
    assert eventually(lambda: mbox_of(first) == "checkout")
    seen_s = time.monotonic()
    assert eventually(lambda: all(mbox_of(keeper) == "checkout" for keeper in others))
    assert time.monotonic() - seen_s < 1
    assert [asked for asked in cdn.asked if asked is None] == [None]


@pytest.mark.waits
def test_the_cdn_is_asked_once_in_an_interval_by_all_together(keep: Keep, cdn: Cdn) -> None:
    started_s = time.monotonic()
    for _ in range(4):
        keep(polling_interval_s=0.5)
    assert eventually(lambda: len(cdn.asked) >= 5)
    assert time.monotonic() - started_s >= 4 * 0.5 * 0.99
    assert cdn.asked[1:] == ['"one"'] * (len(cdn.asked) - 1)


def test_who_starts_later_asks_nobody_but_the_redis(keep: Keep, cdn: Cdn) -> None:
    keep().close(5)
    cdn.status = 503
    assert mbox_of(keep()) == "home"
    assert len(cdn.asked) == 1


def test_a_start_while_the_cdn_is_away(keep: Keep, cdn: Cdn, caplog: pytest.LogCaptureFixture) -> None:
    keep(polling_interval_s=0.05).close(5)
    cdn.status = 503
    time.sleep(0.1)
    assert mbox_of(keep(polling_interval_s=0.05)) == "home"


def test_a_start_while_the_redis_is_away(
    keep: Keep, cdn: Cdn, owner: Owner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.02))
    keeper = keep(f"redis://:secret-7c1@127.0.0.1:{free_port()}", owner)
    assert mbox_of(keeper) == "home"
    assert eventually(lambda: ARTIFACT_DOWNLOAD_FAILED in owner.names())
    (error,) = owner.errors()
    assert isinstance(error, TargetError)
    assert "cannot be read: it cannot be reached" in str(error)
    assert "asks the CDN itself" in caplog.text
    assert "secret-7c1" not in caplog.text + str(owner.told) + repr(error)
    assert len(cdn.asked) == 1


def test_a_start_while_both_are_away_takes_the_cache(keep: Keep, cdn: Cdn, tmp_path: Path) -> None:
    cache = tmp_path / "rules.cache"
    keep(artifact_cache=cache).close(5)
    assert eventually(cache.exists)
    cdn.status = 503
    keeper = keep(f"redis://127.0.0.1:{free_port()}", artifact_cache=cache)
    assert mbox_of(keeper) == "home"


@pytest.mark.waits
def test_a_redis_that_went_away_leaves_rules_in_use_and_is_heard_again(
    keep: Keep, cdn: Cdn, owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.02))
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        keeper = keep(redis.url, owner, polling_interval_s=0.2)
        redis.kill()
        assert eventually(lambda: ARTIFACT_DOWNLOAD_FAILED in owner.names())
        asked = len(cdn.asked)
        time.sleep(0.5)
        assert len(cdn.asked) == asked, "who has rules leaves the CDN alone: it could not know what others do"
        assert mbox_of(keeper) == "home"
        cdn.body, cdn.etag = artifact("checkout"), '"two"'
        redis.start()
        assert eventually(lambda: mbox_of(keeper) == "checkout")
    finally:
        redis.stop()


@pytest.mark.waits
@pytest.mark.parametrize(
    "bad",
    [b"no JSON", b"[]", encoded(artifact("checkout", version="9.0.0")), encoded(artifact("checkout"))[:-9]],
    ids=["no JSON", "a list", "another version", "half"],
)
def test_what_is_no_artifact_is_shared_with_nobody(bad: bytes, keep: Keep, cdn: Cdn, redis_server: RedisServer) -> None:
    keeper = keep(polling_interval_s=0.1)
    cdn.answers = [Answer(bad, headers={"ETag": '"bad"'})] * 3
    assert eventually(lambda: not cdn.answers)
    assert mbox_of(keeper) == mbox_of(keep()) == "home"


@pytest.mark.waits
def test_rules_that_are_older_are_not_taken(keep: Keep, cdn: Cdn) -> None:
    cdn.body = made("new", "2026-03-02T10:00:00.000Z")
    first = keep(polling_interval_s=0.1)
    second = keep()
    cdn.body, cdn.etag = made("old", "2026-03-01T10:00:00.000Z"), '"zero"'  # of another edge of the CDN
    asked = len(cdn.asked)
    assert eventually(lambda: len(cdn.asked) > asked + 2)
    assert [mbox_of(keeper) for keeper in (first, second, keep())] == ["new"] * 3
    cdn.body, cdn.etag = made("newer", "2026-03-03T10:00:00.000Z"), '"three"'
    assert eventually(lambda: mbox_of(second) == "newer")


def test_a_redis_that_was_set_back_takes_no_rules_back(
    keep: Keep, keys: Keys, cdn: Cdn, redis_server: RedisServer, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a failover to a replica that lagged behind."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.02))
    keep()
    (key,) = keys()
    client = redis_server.client()
    before = client.dump(key)
    cdn.body, cdn.etag = artifact("checkout"), '"two"'
    client.hset(key, "checked", 0)
    keeper = keep(owner=owner)
    assert eventually(lambda: mbox_of(keeper) == "checkout")
    client.restore(key, 0, before, replace=True)
    client.publish(f"{key}:changed", "x")
    assert eventually(owner.errors)
    assert "older than those in use" in str(owner.errors()[0])
    assert mbox_of(keeper) == "checkout"
    client.hset(key, "checked", 0)
    client.publish(f"{key}:changed", "x")
    assert eventually(lambda: client.hget(key, "sha") != before)
    assert mbox_of(keep()) == "checkout"
    client.close()


NONSENSE: dict[str, Callable[[Any, str], Any]] = {
    "another type": lambda client, key: (client.delete(key), client.set(key, "x")),
    "another version": lambda client, key: client.hset(key, "v", "2"),
    "no version": lambda client, key: (client.delete(key), client.hset(key, "other", "x")),
    "other content": lambda client, key: client.hset(key, "content", encoded(artifact("forged"))),
    "no content": lambda client, key: client.hdel(key, "content"),
    "an odd serial": lambda client, key: client.hset(key, "serial", "x"),
    "a lease of another type": lambda client, key: client.hset(f"{key}:lease", "x", "y"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_an_event_that_names_the_key_and_stays_there(
    what: str, keep: Keep, keys: Keys, owner: Owner, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.02))
    keep().close(5)
    (key,) = keys()
    client = redis_server.client()
    NONSENSE[what](client, key)
    before = {name: client.dump(name) for name in keys()}
    keeper = keep(owner=owner)
    assert mbox_of(keeper) == "home", "by the CDN itself"
    client.publish(f"{key}:changed", "x")
    if what not in ("other content", "no content", "an odd serial"):  # which is the end of it for who starts anew
        assert eventually(owner.errors)
        assert key in str(owner.errors()[0])
        assert isinstance(owner.errors()[0], TargetError)
    assert {name: client.dump(name) for name in keys()} == before
    client.close()


def test_keys_carry_one_hash_tag_for_each_client_code(keep: Keep, keys: Keys, prefix: str) -> None:
    keep()
    keep(client="shop-2")
    assert {key.split("}")[0] for key in keys()} == {f"{prefix}:{{acme", f"{prefix}:{{shop-2"}


def test_properties_and_environments_are_kept_apart(keep: Keep, keys: Keys, cdn: Cdn) -> None:
    keep()
    keep(artifact_location=f"{cdn.url}?property=2")
    assert len(cdn.asked) == len(keys()) == 2


def test_private_rules_are_asked_for_with_the_clients_own_headers(keep: Keep, cdn: Cdn) -> None:
    keep(artifact_headers={"Authorization": "Bearer x"})
    assert cdn.server.received[0].headers["Authorization"] == "Bearer x"


@pytest.mark.waits
def test_a_process_that_dies_while_it_asks_is_replaced(
    keep: Keep, keys: Keys, cdn: Cdn, redis_server: RedisServer
) -> None:
    client = redis_server.client()
    keeper = keep()
    (key,) = keys()
    client.set(f"{key}:lease", "of the dead", px=1500)
    client.hset(key, "checked", 0)
    cdn.body, cdn.etag = artifact("checkout"), '"two"'
    assert mbox_of(keep(polling_interval_s=0.1)) == "home"
    assert eventually(lambda: mbox_of(keeper) == "checkout")
    client.close()


def test_all_ends_with_the_client(keep: Keep) -> None:
    keeper = keep()
    assert eventually(lambda: threads_of("target-redis-listener"))
    keeper.close(5)
    assert eventually(lambda: not threads_of("target-redis-listener"))


def test_one_that_is_forgotten_ends_what_listens(cdn: Cdn, redis_server: RedisServer) -> None:
    config, client_config = configs(artifact_source=RedisArtifacts(redis_server.url), artifact_location=cdn.url)
    keeper = ArtifactKeeper(config, client_config, Downloads(client_config), Owner().emit)
    keeper.start()
    assert keeper.wait_until_ready(5)
    assert eventually(lambda: threads_of("target-redis-listener"))
    del keeper
    gc.collect()
    assert eventually(lambda: not threads_of("target-redis-listener"))


@pytest.mark.waits
def test_failures_of_the_cdn_are_counted_for_all_together(keep: Keep, cdn: Cdn) -> None:
    cdn.status = 503
    moments = noting(cdn)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keep(), range(4)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(gaps) >= 2
    assert all(gap >= least for gap, least in zip(gaps, (0.49, 1.49, 0.99, 1.99), strict=False)), gaps


@pytest.mark.parametrize("url", ["http://127.0.0.1", "", None])
def test_a_wrong_url_is_refused(url: Any) -> None:
    with pytest.raises(OptionsError, match="'url'"):
        RedisArtifacts(url)
