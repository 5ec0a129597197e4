"""Every way to a Redis: URLs, users, TLS, Sentinels; what is said where one cannot be used, and what never is."""

from __future__ import annotations

import pickle
import sys
import time
import uuid
from pathlib import Path

import pytest
import trustme

from target import OptionsError, Outbox
from target.protocols import StoreBroken
from target.stores.redis import RedisOutbox
from target.testing._store_bench import always, entry, names
from tests.kit.processes import run_script
from tests.kit.redis_server import COMMAND, RedisServer, free_port, running
from tests.unit.stores.redis.test_nonsense import settings

PASSWORD = "pass-word-7c1"


def use(url: str) -> list[str]:
    """What was added through ``url``, and claimed."""
    store = RedisOutbox(url)(settings())
    try:
        store.add([entry("a", uuid.uuid4().hex)], 0.0)
        claim = store.claim(always)
        assert claim is not None
        return names(claim.entries)
    finally:
        store.close()


WRONG_URLS = [
    "",
    "127.0.0.1:6379",
    "http://127.0.0.1:6379",
    "redis://127.0.0.1:0",
    "redis://127.0.0.1:65536",
    "redis://127.0.0.1:port",
    "redis://127.0.0.1/first",
    "redis://a:6379,b:6379/0",
    "redis://user@name:x@127.0.0.1",
    "redis://127.0.0.1/0#part",
    "redis://127.0.0.1/0?socket_timeout=soon",
    "redis+sentinel://127.0.0.1",
    "redis+sentinel://127.0.0.1/",
    "redis+sentinel://127.0.0.1/service/first",
    "redis+cluster://a,b",
    "redis://127.0.0.1\n/0",
    b"redis://127.0.0.1",
    None,
    5,
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_what_is_no_url_is_refused_where_it_is_written(url: object) -> None:
    with pytest.raises(OptionsError, match="'url'"):
        Outbox.redis(url)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", "a b", "{x}", "x}", "ü", "a\n", "x" * 101, None, 5])
def test_what_is_no_prefix_is_refused(prefix: object) -> None:
    with pytest.raises(OptionsError, match="'prefix'"):
        Outbox.redis("redis://127.0.0.1", prefix=prefix)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{PASSWORD}@10.0.0.1", "redis://10.0.0.1:6379"),
        (f"rediss://user:{PASSWORD}@[::1]:7000/3?ssl_cert_reqs=none", "rediss://::1:7000/3"),
        (f"unix://user:{PASSWORD}@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        (f"redis+sentinel://:{PASSWORD}@a,b:7/shop/2", "redis+sentinel://a:26379,b:7/shop/2"),
        (f"rediss+cluster://user:{PASSWORD}@10.0.0.1", "rediss+cluster://10.0.0.1:6379"),
    ],
)
def test_a_description_shows_no_password_and_can_be_copied(url: str, shown: str) -> None:
    outbox = Outbox.redis(url, lease=5000)
    assert PASSWORD not in repr(outbox)
    assert shown in repr(outbox)
    assert pickle.loads(pickle.dumps(outbox)) == outbox
    assert hash(outbox) == hash(Outbox.redis(url, lease=5000))
    assert outbox != Outbox.redis(url, lease=5000, prefix="other")
    assert PASSWORD not in RedisOutbox(url)(settings()).name


def test_without_the_package_the_extra_is_named() -> None:
    said = run_script(
        """
        import sys
        sys.modules["redis"] = None
        from target import OptionsError, Outbox
        try:
            Outbox.redis("redis://127.0.0.1")
        except OptionsError as error:
            print(error)
        """
    )
    assert "target-delivery[redis]" in said


def test_the_package_is_loaded_for_nobody_else() -> None:
    said = run_script(
        """
        import sys, target
        target.Outbox.memory(), target.Outbox.sqlite("x")
        print(any(name.partition(".")[0] == "redis" for name in sys.modules))
        """
    )
    assert said.strip() == "False"


def test_users_and_passwords(tmp_path: Path) -> None:
    """With the rights that docs/redis.md names, and no more."""
    acl = "~target:* &target:* -@all +@connection +time +eval +evalsha +type +exists +zadd +zrem +zscore +zrange"
    acl += " +zrangebyscore +zcard +hset +hsetnx +hget +hmget +hdel +hincrby +del +sadd +srem +smembers +client"
    acl += " +script|load"
    with running(tmp_path, "--user", "shop", "on", f">{PASSWORD}", *acl.split(), "--requirepass", "root") as server:
        where = f"127.0.0.1:{server.port}/0"
        assert use(f"redis://shop:{PASSWORD}@{where}") == ["a"]
        assert use(f"redis://:root@{where}") == ["a"]
        for url in (f"redis://shop:wrong{PASSWORD}@{where}", f"redis://{where}"):
            with pytest.raises(StoreBroken, match="wrong, or missing") as caught:
                use(url)
            assert PASSWORD not in repr(caught.value)
        store = RedisOutbox(f"redis://shop:{PASSWORD}@{where}", "other")(settings())
        with pytest.raises(StoreBroken, match="ACL"):
            store.add([entry("a")], 0.0)
        store.close()


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    pem = str(tmp_path / "server.pem")
    options = ("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", str(tmp_path / "ca.pem"))
    with running(tmp_path, *options, "--tls-auth-clients", "no", tls=True) as server:
        assert use(f"{server.url}?ssl_ca_certs={tmp_path / 'ca.pem'}") == ["a"]
        with pytest.raises(StoreBroken, match="cannot be reached"):
            use(server.url)  # which trusts whom this machine trusts


def test_a_socket_of_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with running(tmp_path, "--unixsocket", str(path)):
        assert use(f"unix://{path}?db=1") == ["a"]


def test_nobody_there_is_said_in_words() -> None:
    started_s = time.monotonic()
    with pytest.raises(StoreBroken, match="cannot be reached") as caught:
        use(f"redis://127.0.0.1:{free_port()}")
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert time.monotonic() - started_s < 3


def test_a_full_one_and_a_replica_say_so(tmp_path: Path) -> None:
    with running(tmp_path / "full", "--maxmemory", "1") as server, pytest.raises(StoreBroken, match="maxmemory"):
        use(server.url)
    replica_of = ("--replicaof", "127.0.0.1", str(free_port()))
    with running(tmp_path / "replica", *replica_of) as server, pytest.raises(StoreBroken, match="replica"):
        use(server.url)


@pytest.mark.slow
def test_sentinels_name_the_master_and_the_next_one(tmp_path: Path) -> None:
    """One master, one replica, one Sentinel; the master dies, and the replica takes over with all that was there."""
    with (
        running(tmp_path / "master") as master,
        running(tmp_path / "replica", "--replicaof", "127.0.0.1", str(master.port)) as replica,
    ):
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"sentinel monitor shop 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 2000\n"
        )
        guard = RedisServer(tmp_path / "guard", str(config), "--sentinel")
        guard.start_as(str(COMMAND), str(config), "--sentinel", "--port", str(guard.port), "--bind", "127.0.0.1")
        try:
            url = f"redis+sentinel://127.0.0.1:{guard.port}/shop/0"
            store = RedisOutbox(url)(settings())
            store.add([entry("a")], 0.0)
            copy = replica.client()
            give_up_at_s = time.monotonic() + 20
            while not copy.keys("*order") or guard.client().sentinel_master("shop")["num-slaves"] < 1:
                assert time.monotonic() < give_up_at_s, "the replica takes nothing over"
                time.sleep(0.1)
            copy.close()
            master.kill()
            while True:
                try:
                    store.add([entry("b")], 0.0)
                    break
                except StoreBroken as error:
                    sys.stdout.write(f"{error}\n")
                    assert time.monotonic() < give_up_at_s + 20, "nobody takes over"
                    time.sleep(0.2)
            claim = store.claim(always)
            assert claim is not None
            assert names(claim.entries) == ["a", "b"]
            store.close()
        finally:
            guard.stop()
