"""How much is sent in the background after decisions in process: at a steady rate, to a server some way off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.fast_server import serving
from benchmarks.memory import resident_bytes
from benchmarks.on_device_engine import build_artifact, build_rules
from target import AsyncTargetClient, TargetClient
from target.clients import Client

AWAY_S = 0.03
RATE = 1000  # decisions a second
CLIENTS = ("threads", "asyncio")
_CLOSE_MS = 120_000
_ASKED = {"execute": {"mboxes": [{"name": "hero-0", "index": 1}]}}
_ANSWER = json.dumps({"status": 200, "notifications": [{"id": "any"}]}).encode()


class Sustained(NamedTuple):
    """What came of one run.

    Attributes:
        decided: How many decisions were made; each shows one mbox.
        taken: How many requests the server had answered when the client was closed.
        behind: How many calls waited or were in flight when the last decision was made.
        grown_bytes: By how much the process grew from a third of the run to its end.
        took_s: How long the run took.
    """

    decided: int
    taken: int
    behind: int
    grown_bytes: int
    took_s: float


class _Run:
    """The pace of a run, open loop: whoever is late does not make the next decision later."""

    def __init__(self, seconds: float, rate: int) -> None:
        self._seconds = seconds
        self._rate = rate
        self.decided = self.behind = self.grown_bytes = 0
        self.took_s = 0.0

    def waits_s(self, client: Client) -> Iterator[float]:
        """How long to wait before each decision."""
        started, total, held = time.perf_counter(), round(self._seconds * self._rate), 0
        for number in range(total):
            if number == total // 3:
                held = resident_bytes()
            yield max(0.0, started + number / self._rate - time.perf_counter())
        self.took_s = time.perf_counter() - started
        self.decided, self.behind = total, client.status()["background"]["pending"]
        self.grown_bytes = resident_bytes() - held


def sustain(client: str, seconds: float, rate: int = RATE, **more: Any) -> Sustained:
    """Decide ``rate`` times a second for so many seconds, by one of ``CLIENTS``, with ``more`` options."""
    run = _Run(seconds, rate)
    with serving(_ANSWER, latency_s=AWAY_S) as server:
        options: dict[str, Any] = {
            "client": "acme",
            "organization_id": "1@AdobeOrg",
            "server_domain": server.domain,
            "secure": False,
            "edge_routing": False,
            "decisioning_method": "on-device",
            "artifact_payload": build_artifact(build_rules(10, "hero-{}".format, with_audience=False)),
            "polling_interval": 0,
            **more,
        }
        if client == "asyncio":
            asyncio.run(_decide_async(options, run))
        else:
            _decide(options, run)
        return Sustained(run.decided, server.counts().requests, run.behind, run.grown_bytes, run.took_s)


def _decide(options: Any, run: _Run) -> None:
    client = TargetClient.create(options)
    for wait_s in run.waits_s(client):
        time.sleep(wait_s)
        client.get_offers(request=_ASKED)
    client.close(timeout=_CLOSE_MS)


async def _decide_async(options: Any, run: _Run) -> None:
    client = await AsyncTargetClient.create(options)
    for wait_s in run.waits_s(client):
        await asyncio.sleep(wait_s)
        await client.get_offers(request=_ASKED)
    await client.aclose(timeout=_CLOSE_MS)
