"""`target doctor --redis`: what is wrong with a Redis that workers share is found before they need it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from target import Outbox
from target.emulator import Emulator
from tests.kit.calls import client_of
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.outboxes import notification
from tests.kit.redis_server import free_port, needs_redis, running
from tests.unit.cli.conftest import Target

SECRET = "pass-word-7c1"


def checks_of(target: Target, url: str, *arguments: str) -> dict[str, dict[str, Any]]:
    ended = target("doctor", "--redis", url, "--json", *arguments)
    assert SECRET not in ended.out + ended.err
    return {check["name"]: check for check in json.loads(ended.out)}


@needs_redis
def test_one_that_is_well(target: Target, tmp_path: Path) -> None:
    with running(tmp_path, "--appendonly", "yes") as redis:
        checks = checks_of(target, redis.url)
    assert checks["redis"]["verdict"] == "ok"
    assert f"127.0.0.1:{redis.port}/0, version " in checks["redis"]["found"]
    assert "eviction" not in checks
    assert "persistence" not in checks


@needs_redis
def test_one_that_loses_what_waits(target: Target, tmp_path: Path) -> None:
    with running(tmp_path, "--maxmemory-policy", "allkeys-lru") as redis:
        ended = target("doctor", "--redis", redis.url)
    assert ended.code == 1
    assert "finding  eviction: maxmemory-policy allkeys-lru" in ended.out
    assert "note  persistence: " in ended.out


@needs_redis
def test_what_waits_is_counted(target: Target, tmp_path: Path, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 400)
    with running(tmp_path) as redis:
        outbox = Outbox.redis(redis.url, prefix="shop", flush_interval=0)
        with client_of(
            server.domain, outbox=outbox, organization_id="emulator@AdobeOrg", client="acmeclient"
        ) as client:
            client.queue_notifications(request={"notifications": [notification("a")]}, session_id="s")
            client.flush(timeout=5000)
            client.queue_notifications(request={"notifications": [notification("b")]}, session_id="later")
            client.flush(timeout=5000)
            dead = len(client.outbox.dead_letters)
        said = checks_of(target, redis.url, "--redis-prefix", "shop", "--emulator", "http://127.0.0.1:9")["outbox"]
    assert dead == 2
    assert (said["verdict"], said["found"]) == ("note", "0 notifications wait, 2 were given up")


def test_one_that_is_away_is_a_finding(target: Target) -> None:
    checks = checks_of(target, f"redis://user:{SECRET}@127.0.0.1:{free_port()}")
    assert checks["redis"]["verdict"] == "finding"
    assert "cannot be reached" in checks["redis"]["found"]
    assert checks["redis"]["advice"]


def test_what_is_no_url_is_said_in_a_line(target: Target, emulator: Emulator) -> None:
    ended = target("doctor", "--redis", f"http://user:{SECRET}@127.0.0.1")
    assert ended.code == 2 or ended.code == 1
    assert "must be a URL such as redis://" in ended.err
    assert SECRET not in ended.err
