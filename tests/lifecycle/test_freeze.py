"""A process that is stopped and woken, as serverless platforms do: it goes on sending, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.calls import eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.processes import ROOT, environment

DECISIONS = 5
pytestmark = pytest.mark.timeout(40)
FROZEN_S = 1.6  # longer than the deadline of a call
SCRIPT = """
import asyncio, json, sys
from target import AsyncTargetClient, Outbox, TargetClient
domain, rules, kind, file = sys.argv[1:]
options = dict(
    client="acme", organization_id="1@AdobeOrg", server_domain=domain, secure=False, edge_routing=False, timeout=1000,
    decisioning_method="on-device", artifact_payload=json.loads(rules), polling_interval=0, breaker_failures=2,
)
if kind == "outbox":
    options["outbox"] = Outbox.sqlite(file, flush_interval=0, lease=1500)
asked = {"execute": {"mboxes": [{"name": "home"}]}}

def say(*words):
    print(*words, flush=True)

def blocking():
    client = TargetClient.create(options)
    for number in range(5):
        client.get_offers(request=asked, session_id=f"s{number}")
    say("decided")
    sys.stdin.readline()
    say(client.flush(timeout=20_000), json.dumps(client.status()["background"]))

async def on_a_loop():
    client = await AsyncTargetClient.create(options)
    for number in range(5):
        await client.get_offers(request=asked, session_id=f"s{number}")
    say("decided")
    sys.stdin.readline()
    say(await client.flush(timeout=20_000), json.dumps(client.status()["background"]))
    await client.aclose()

asyncio.run(on_a_loop()) if kind == "asyncio" else blocking()
"""


@pytest.fixture
def function(server: LoopbackServer, tmp_path: Path) -> Iterator[Any]:
    """Starts processes that decide, and are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, server.domain, json.dumps(artifact()), kind, str(tmp_path / "box.db")]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment(), **pipes))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline().strip() == "decided"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def freeze(process: subprocess.Popen[str], frozen: threading.Event, seconds: float = FROZEN_S) -> None:
    """``frozen`` is set while the process does not run."""
    os.kill(process.pid, signal.SIGSTOP)
    frozen.set()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)


def flushed(process: subprocess.Popen[str]) -> tuple[int, dict[str, int]]:
    """What flush said, and status, once the process was told to."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    left, status = process.stdout.readline().split(" ", 1)
    return int(left), json.loads(status)


@pytest.mark.parametrize(
    ("kind", "meanwhile"),
    [
        (kind, meanwhile)
        for kind in ("threads", "asyncio", "outbox")
        for meanwhile in ("nothing comes", "answers come", "connections close")
    ],
)
def test_what_was_under_way_is_sent_when_the_process_is_woken(
    kind: str, meanwhile: str, server: LoopbackServer, function: Any
) -> None:
    frozen, thawed, begun, good = threading.Event(), threading.Event(), threading.Semaphore(0), []

    def answer(received: Received) -> Any:
        if thawed.is_set() or meanwhile == "answers come":
            good.append(received)
            if not thawed.is_set():
                begun.release()
                frozen.wait(20)
            return ok(received)
        begun.release()
        if meanwhile == "nothing comes":
            return lambda _: thawed.wait(20)
        frozen.wait(20)
        return lambda _: None

    server.answer = answer
    process = function(kind)
    assert begun.acquire(timeout=10)
    freeze(process, frozen)
    thawed.set()
    left, status = flushed(process)
    assert (left, status["failed"], status["dropped"]) == (0, 0, 0)
    assert {received.session_id for received in good} == {f"s{number}" for number in range(DECISIONS)}


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_a_process_woken_again_and_again_goes_on_sending(kind: str, server: LoopbackServer, function: Any) -> None:
    def slow(received: Received) -> Answer:
        time.sleep(0.1)
        return ok(received)

    server.answer = slow
    process = function(kind)
    for _ in range(5):
        freeze(process, threading.Event(), 0.1)
    assert flushed(process) == (0, {"pending": 0, "sent": DECISIONS, "failed": 0, "dropped": 0})
    assert {received.session_id for received in server.received} == {f"s{number}" for number in range(DECISIONS)}


def test_what_a_killed_process_had_shown_is_sent_by_the_next(server: LoopbackServer, function: Any) -> None:
    """A discarded instance: with an outbox in a file nothing of it is lost."""
    server.answer = lambda _: Answer({"message": "down"}, 503)
    process = function("outbox")
    os.kill(process.pid, signal.SIGSTOP)
    process.kill()
    good: list[Received] = []

    def answer(received: Received) -> Answer:
        good.append(received)
        return ok(received)

    server.answer = answer
    assert flushed(function("outbox"))[0] == 0
    wanted = 2 * DECISIONS  # the second process decided, too
    assert eventually(lambda: sum(len(each.body["notifications"]) for each in good) >= wanted)
    assert len({item["id"] for each in good for item in each.body["notifications"]}) == wanted
