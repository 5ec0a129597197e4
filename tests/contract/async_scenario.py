"""Owns how a scenario is made with a client for asyncio; what a scenario is stays where it is for every client."""

from __future__ import annotations

from typing import Any

from target import AsyncTargetClient, TargetError
from tests.contract.scenario import Scenario


async def run(scenario: Scenario, client: AsyncTargetClient) -> Any:
    """Make the scenario's calls with `client`; returns its facts, raises what it does not expect."""
    steps = scenario()
    try:
        call = next(steps)
        while True:
            try:
                result = await getattr(client, call.method)(*call.arguments, **call.options)
            except TargetError as error:
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as end:
        return end.value
