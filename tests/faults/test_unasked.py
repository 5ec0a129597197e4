"""What a server sends unasked while the client's process is busy with something else is nobody's answer."""

from __future__ import annotations

import asyncio
import time

import pytest

from target import AsyncTargetClient
from tests.faults.cells import PROBE, options_of
from tests.faults.process import FaultServer
from tests.kit.calls import CALL


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_an_event_loop_that_was_busy(server: FaultServer, transport: str) -> None:
    async def work() -> str | None:
        with server.port("the same, later") as port:
            options = {**options_of(server, port, secure=False), "transport": transport}
            async with await AsyncTargetClient.create(**options) as client:
                await client.get_offers(**{**CALL, "request": PROBE})
                port.turn(None)
                time.sleep(0.1)  # the loop does nothing else meanwhile
                return (await client.get_offers(**{**CALL, "request": PROBE})).response.client

    assert asyncio.run(work()) == "acme"
