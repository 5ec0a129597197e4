"""Nothing is left of a call, a callback or a client, be it thread, descriptor or memory; and a leak would show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.kit.loopback import LoopbackServer, serving
from tests.kit.processes import ROOT, environment

pytestmark = [
    pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks into /proc"),
    pytest.mark.timeout(240),
]


class Bounds(NamedTuple):
    """How much may be left of each call or client: bytes, and blocks of memory, which each object takes at least one
    of. What grows by 100 bytes now and then is no leak."""

    bytes: float
    blocks: float


OF_CALLS = Bounds(16, 0.5)  # the smallest object there is takes 16, and 8 in what keeps it
OF_CLIENTS = Bounds(200, 3)  # a client that is kept takes thousands, in hundreds; what it leaves varies by tens
OF_FEW_CLIENTS = Bounds(300, 6)

CASES = [
    pytest.param("calls", 400, OF_CALLS, id="400 calls"),
    pytest.param("calls", 10_000, OF_CALLS, id="10,000 calls"),
    pytest.param("callbacks", 200, OF_CALLS, id="200 callbacks"),
    pytest.param("callbacks", 1000, OF_CALLS, id="1,000 callbacks"),
    pytest.param("async_calls/aiohttp", 200, OF_CALLS, id="200 calls on aiohttp"),
    pytest.param("async_calls/aiohttp", 10_000, OF_CALLS, id="10,000 calls on aiohttp"),
    pytest.param("async_calls/threads", 200, OF_CALLS, id="200 calls on threads"),
    pytest.param("async_calls/threads", 10_000, OF_CALLS, id="10,000 calls on threads"),
    pytest.param("clients", 20, OF_FEW_CLIENTS, id="20 clients"),
    pytest.param("clients", 200, OF_CLIENTS, id="200 clients"),
    pytest.param("async_clients/aiohttp", 20, OF_FEW_CLIENTS, id="20 clients on aiohttp"),
    pytest.param("async_clients/aiohttp", 200, OF_CLIENTS, id="200 clients on aiohttp"),
    pytest.param("async_clients/threads", 20, OF_FEW_CLIENTS, id="20 clients on threads"),
    pytest.param("async_clients/threads", 200, OF_CLIENTS, id="200 clients on threads"),
]

PLANTED = [
    pytest.param("calls", 400, OF_CALLS, "object", {"bytes", "blocks"}, id="an object per call"),
    pytest.param("callbacks", 40, OF_CALLS, "descriptor", {"descriptors"}, id="a descriptor per callback"),
    pytest.param("callbacks", 40, OF_CALLS, "thread", {"threads"}, id="a thread per callback"),
    pytest.param("calls", 10_000, OF_CALLS, "object", {"bytes", "blocks"}, id="an object in 10,000 calls"),
    pytest.param("callbacks", 1000, OF_CALLS, "object", {"bytes", "blocks"}, id="an object per callback"),
    pytest.param("clients", 200, OF_CLIENTS, "kilobyte", {"bytes"}, id="a kilobyte per client"),
    pytest.param("async_clients/aiohttp", 200, OF_CLIENTS, "kilobyte", {"bytes"}, id="a kilobyte per aiohttp client"),
    pytest.param("async_clients/threads", 200, OF_CLIENTS, "kilobyte", {"bytes"}, id="a kilobyte per threads client"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[LoopbackServer]:
    """One server for all; it keeps what it received, in this process."""
    with serving() as running:
        yield running


def leaks(kind: str, count: int, bounds: Bounds, planted: str, domain: str) -> dict[str, int]:
    """What grew beyond its bounds."""
    grown = json.loads(
        subprocess.run(
            [sys.executable, "-m", "tests.lifecycle.leaks", kind, domain, str(count), planted],
            cwd=ROOT,
            env=environment(),
            check=True,
            stdout=subprocess.PIPE,
            timeout=200,
        ).stdout
    )
    sys.stdout.write(f"{kind} x {count}, planted {planted}: {grown}\n")
    most = {"threads": 0, "descriptors": 0, "bytes": count * bounds.bytes, "blocks": count * bounds.blocks}
    return {name: more for name, more in grown.items() if more > most[name]}


@pytest.mark.waits
@pytest.mark.parametrize(("kind", "count", "bounds"), CASES)
def test_nothing_is_left(kind: str, count: int, bounds: Bounds, service: LoopbackServer) -> None:
    assert leaks(kind, count, bounds, "nothing", service.domain) == {}


@pytest.mark.parametrize(("kind", "count", "bounds", "plant", "seen"), PLANTED)
def test_a_leak_shows(
    kind: str, count: int, bounds: Bounds, plant: str, seen: set[str], service: LoopbackServer
) -> None:
    assert set(leaks(kind, count, bounds, plant, service.domain)) >= seen
