"""Answers that are small on the wire and huge in memory, whatever way a call is made."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from target import ApiError, AsyncTargetClient, TargetTimeout, TransportError
from tests.faults.cells import PROBE
from tests.kit.calls import options_of
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.processes import ROOT
from tests.kit.ways import WAYS

PACKED = {"Content-Encoding": "gzip"}


def option_list(option: bytes, count: int) -> bytes:
    return b'{"execute":{"mboxes":[{"name":"home","options":[' + option * count + b"{}]}]}}"


HOSTILE = {
    "empty lists": b'{"x":[' + b"[]," * 3_000_000 + b"0]}",
    "empty options": option_list(b"{},", 3_000_000),
    "options": option_list(b'{"type":"html"},', 700_000),
    "texts": b'{"x":[' + b'"ab",' * 2_000_000 + b"0]}",
    "mboxes": b'{"execute":{"mboxes":[' + b'{"name":"a"},' * 120_000 + b"{}]}}",
    "metrics": b'{"prefetch":{"views":[{"metrics":[' + b'{"type":"click"},' * 110_000 + b"{}]}]}}",
    "notifications": b'{"notifications":[' + b'{"id":"1"},' * 120_000 + b"{}]}",
    "levels": b'{"x":' + b"[" * 101 + b"]" * 101 + b"}",
    "levels of an offer": option_list(b'{"content":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"},", 1),
    "levels without end": b'{"x":' + b"[" * 1_000_000,
    "digits": b'{"x":' + b"9" * 1_000_000 + b"}",
    "not a number": b'{"x":NaN}',
}


def call(way: str, server: LoopbackServer, timeout: float = 5000, **options: Any) -> Any:
    client = WAYS[way](**options_of(server.domain), timeout=timeout, **options)
    try:
        return client.call(PROBE)
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_what_no_honest_answer_holds_is_refused(way: str) -> None:
    with serving() as server:
        client = WAYS[way](**options_of(server.domain), timeout=5000)
        try:
            for kind, body in HOSTILE.items():
                answer = Answer(gzip.compress(body, 1), headers=PACKED)
                server.answer = lambda _, answer=answer: answer  # type: ignore[misc]
                with pytest.raises(TransportError) as caught:
                    client.call(PROBE)
                assert caught.value.__context__ is None, kind
        finally:
            client.close()


@pytest.mark.parametrize("way", WAYS)
def test_the_beginning_of_a_long_message_is_told(way: str) -> None:
    body = b'{"message":"' + b"abc " * 3_000_000 + b'"}'
    with (
        serving(lambda _: Answer(gzip.compress(body, 1), 400, PACKED)) as server,
        pytest.raises(ApiError) as caught,
    ):
        call(way, server)
    assert caught.value.message == ("abc " * 125) + "..."
    assert caught.value.body == body[:65_536].decode()


@pytest.mark.parametrize("way", WAYS)
def test_an_error_of_many_values_has_no_message(way: str) -> None:
    body = b'{"message":"abc","x":[' + b"{}," * 2_000_000 + b"{}]}"
    with (
        serving(lambda _: Answer(gzip.compress(body, 1), 503, PACKED)) as server,
        pytest.raises(ApiError) as caught,
    ):
        call(way, server, retries=0)
    assert (caught.value.status, caught.value.message) == (503, "Service Unavailable")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_deadline_holds_while_a_large_answer_is_read(way: str) -> None:
    """The number of its values is allowed here, and reading them all takes seconds."""
    body = b'{"x":[' + b'{"a":[0]},' * 2_000_000 + b"0]}"
    packed = gzip.compress(body, 1)
    with serving(lambda _: Answer(packed, headers=PACKED)) as server:
        started = time.monotonic()
        with pytest.raises(TargetTimeout):
            call(way, server, timeout=400, max_response_values=10**9)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("way", WAYS)
def test_a_large_honest_answer_is_read(way: str) -> None:
    products = [{"id": 12345, "name": "Product 123", "price": 12.5}] * 2000
    offers = [{"content": products}, {"content": "<p>a, {b} [c]</p>" * 6000}]
    body = json.dumps({"execute": {"mboxes": [{"name": f"m{n}", "options": offers} for n in range(20)]}}).encode()
    with serving(lambda _: Answer(body)) as server:
        result = call(way, server, timeout=20_000)
    assert result.response.execute.mboxes[19].options[0].content == products


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_the_loop_goes_on_while_a_large_answer_is_read(transport: Any) -> None:
    """Objects are read where others can run between them; the loop waits for a part of the time only."""
    packed = gzip.compress(b'{"x":[' + b'{"a":"0123456789"},' * 200_000 + b"0]}", 1)

    async def main(domain: str) -> tuple[int, float]:
        client = await AsyncTargetClient.create(
            **options_of(domain), timeout=20_000, max_response_values=10**9, transport=transport
        )
        async with client:
            turns = 0

            async def beat() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0.005)
                    turns += 1

            beating = asyncio.create_task(beat())
            started = time.monotonic()
            await client.get_offers(request=PROBE)
            beating.cancel()
            return turns, time.monotonic() - started

    with serving(lambda _: Answer(packed, headers=PACKED)) as server:
        turns, took_s = asyncio.run(main(server.domain))
    assert turns >= 5 + took_s * 5


MEASURE = """
import asyncio, gzip, resource, sys
from target import AsyncTargetClient, TargetClient, TargetError
from tests.kit.loopback import Answer, serving
from tests.kit.calls import options_of
kind, way = sys.argv[1:]
from tests.faults.test_large_answers import PACKED, PROBE, option_list
SIZE = 20 * 2**20
if kind == "products":
    piece = b'{"id":12345,"name":"Product 123","price":1.5},'
    packed = gzip.compress(b'{"x":[' + piece * (SIZE // len(piece)) + b"0]}", 1)
else:
    piece = b"{}," if kind == "objects" else b'{"type":"html"},'
    packed = gzip.compress(option_list(piece, SIZE // len(piece)), 1)
async def on_loop(domain):
    async with await AsyncTargetClient.create(**options_of(domain), timeout=20_000, transport=way) as client:
        await client.get_offers(request=PROBE)
with serving(lambda _: Answer(packed, headers=PACKED)) as server:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        if way == "sync":
            with TargetClient.create(**options_of(server.domain), timeout=20_000) as client:
                client.get_offers(request=PROBE)
        else:
            asyncio.run(on_loop(server.domain))
        assert kind == "products"
    except TargetError:
        assert kind != "products"
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / SIZE)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
@pytest.mark.parametrize("way", ["sync", "threads", "aiohttp"])
@pytest.mark.parametrize("kind", ["objects", "options", "products"])
def test_memory_stays_within_a_small_multiple_of_the_size(kind: str, way: str) -> None:
    command = [sys.executable, "-c", MEASURE, kind, way]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert float(run.stdout) < 15
