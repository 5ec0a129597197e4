"""Nothing that was queued into a Redis is lost: not when processes are killed, nor when the Redis is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from target.stores.redis import RedisOutbox
from tests.kit.flaky import Flaky
from tests.kit.loopback import serving
from tests.kit.processes import ROOT, environment
from tests.kit.redis_server import RedisServer, running
from tests.unit.stores.redis.test_nonsense import settings

PROCESSES = 4
DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec")


class Fleet:
    """Processes that queue the same notifications, each its share, and send whatever any of them queued."""

    def __init__(self, domain: str, folder: Path, total: int, pace_s: float, url: str) -> None:
        self._arguments = [domain, str(folder), str(total), str(pace_s), url]
        self._folder = folder
        self._running: dict[int, subprocess.Popen[str]] = {}
        self.said: list[str] = []

    def start(self, part: int) -> None:
        command = [sys.executable, "-m", "tests.slow.queueing", *self._arguments, str(part), str(PROCESSES)]
        self._running[part] = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def journal(self, part: int) -> list[str]:
        """What is known to be in the Redis; a last line may be half one."""
        path = self._folder / f"queued-{part}"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def kill(self, part: int) -> bool:
        """Whether it was at work when it was killed."""
        process = self._running.pop(part)
        was_alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return was_alive

    def wait_for_work(self, part: int) -> None:
        """Until it has queued something since now."""
        before, give_up_at_s = len(self.journal(part)), time.monotonic() + 30
        while len(self.journal(part)) <= before and self._running[part].poll() is None:
            assert time.monotonic() < give_up_at_s, "it queues nothing"
            time.sleep(0.01)

    def finish(self) -> None:
        for process in self._running.values():
            self.said.append(process.communicate(timeout=240)[0])
        self._running.clear()

    def end(self) -> None:
        for part in list(self._running):
            self.kill(part)


@contextmanager
def fleet(*arguments: object) -> Iterator[Fleet]:
    made = Fleet(*arguments)  # type: ignore[arg-type]
    try:
        for part in range(PROCESSES):
            made.start(part)
        yield made
    finally:
        made.end()


def check(total: int, flaky: Flaky, made: Fleet, what: str) -> None:
    """Every id arrived, under one impression id each."""
    wanted = {f"n-{number}" for number in range(total)}
    lost = wanted - set(flaky.taken)
    sys.stdout.write(
        f"{total} notifications, {what}; requests {dict(flaky.faults)}; taken {len(flaky.taken)}, "
        f"taken again {flaky.taken.total() - len(flaky.taken)}, lost {len(lost)}\n"
    )
    assert lost == set()
    assert set(flaky.taken) == wanted
    assert all(impressions == {name} for name, impressions in flaky.impressions.items())
    assert sorted(name for part in range(PROCESSES) for name in set(made.journal(part))) == sorted(wanted)
    assert all("dead 0 pending" in said for said in made.said), made.said


def assert_nothing_is_left(redis: RedisServer) -> None:
    """What was acknowledged is deleted, but for what who died had just written, or was about to delete."""
    client = redis.client()
    texts = {key.decode() for key in client.keys("*:entries")}
    (trash,) = client.keys("*:trash") or [b""]
    marks = client.zrange(trash, 0, -1) if trash else []
    lanes = {key.split("{")[1].split("}")[0] for key in texts}
    assert lanes <= {mark.decode().split(":")[0] for mark in marks}
    for mark in marks:
        client.zadd(trash, {mark: 1})  # as a minute later
    store = RedisOutbox(redis.url)(settings(account="acme 1234@AdobeOrg"))
    store.tidy()
    store.close()
    assert client.keys("*:entries") == []
    client.close()


#: The large ones take minutes: `make check-redis` runs them.
LARGE = pytest.mark.skipif("TARGET_LARGE_TESTS" not in os.environ, reason="takes minutes: make check-redis")
SIZES = [
    pytest.param(2000, 4, 0.02, id="small"),
    pytest.param(20_000, 20, 0.02, id="large", marks=[pytest.mark.timeout(300), LARGE]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("total", "kills", "pace_s"), SIZES)
def test_processes_are_killed(total: int, kills: int, pace_s: float, tmp_path: Path) -> None:
    flaky = Flaky(11, 0.3, refusal=0.08, reset=0.06, hang=0.02, half=0.06, omission=0.01)
    chance = random.Random(3)
    with running(tmp_path / "redis") as redis, serving(flaky) as server:
        with fleet(server.domain, tmp_path, total, pace_s, redis.url) as made:
            at_work = 0
            for number in range(kills):
                part = number % PROCESSES
                made.wait_for_work(part)
                time.sleep(0.3 * chance.random())
                at_work += made.kill(part)
                made.start(part)
            made.finish()
        check(total, flaky, made, f"{kills} kills of {PROCESSES} processes, {at_work} at work")
        assert at_work == kills
        assert_nothing_is_left(redis)


@pytest.mark.slow
@pytest.mark.parametrize(("total", "kills", "pace_s"), SIZES)
def test_redis_is_killed(total: int, kills: int, pace_s: float, tmp_path: Path) -> None:
    flaky = Flaky(11, 0.3, refusal=0.08, reset=0.06, hang=0.02, half=0.06, omission=0.01)
    chance = random.Random(3)
    redis = RedisServer(tmp_path / "redis", *DURABLE)
    redis.start()
    try:
        with serving(flaky) as server, fleet(server.domain, tmp_path, total, pace_s, redis.url) as made:
            queued: list[int] = []
            for number in range(kills):
                made.wait_for_work(number % PROCESSES)
                time.sleep(0.6 * chance.random())
                redis.kill()
                queued.append(sum(len(made.journal(part)) for part in range(PROCESSES)))
                time.sleep(0.2)
                redis.start()
            made.finish()
        check(total, flaky, made, f"{kills} kills of Redis at {queued} queued")
        assert queued[-1] < total
    finally:
        redis.stop()
