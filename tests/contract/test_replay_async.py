"""The cassettes of the synchronous client replay through both transports of AsyncTargetClient."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from vcr.errors import CannotOverwriteExistingCassetteException

from target import AsyncTargetClient
from tests.contract import tape
from tests.contract.async_scenario import run
from tests.contract.conftest import Network
from tests.contract.handmade import HANDMADE
from tests.contract.recorded import FACTS, RECORDED
from tests.contract.scenario import Scenario, Steps, get_offers

transports = pytest.mark.parametrize("transport", ["threads", "aiohttp"])


def replay(transport: str, folder: Path, name: str, scenario: Scenario, **options: Any) -> object:
    given: dict[str, Any] = {"client": "somebody", "organization_id": "0123456789ABCDEF@AdobeOrg", **options}

    async def main() -> object:
        client = await AsyncTargetClient.create({**given, "transport": transport})
        async with client:
            with tape.tape(folder).use_cassette(f"{name}.yaml") as cassette:
                facts = await run(scenario, client)
                assert cassette.all_played
        return facts

    return asyncio.run(main())


@transports
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_scenario(name: str, transport: str) -> None:
    assert replay(transport, tape.RECORDED, name, RECORDED[name]) == FACTS[name]


@transports
@pytest.mark.parametrize("name", HANDMADE)
def test_handmade_scenario(name: str, transport: str) -> None:
    replay(transport, tape.HANDMADE, name, HANDMADE[name])


@transports
def test_on_any_host(transport: str) -> None:
    for options in ({"server_domain": "target.example.com:8443"}, {"server_domain": "127.0.0.1:9", "secure": False}):
        name = "prefetch_then_display"
        assert replay(transport, tape.RECORDED, name, RECORDED[name], edge_routing=False, **options) == FACTS[name]


@transports
def test_a_call_that_was_not_recorded_is_refused_and_not_sent(transport: str, network: Network) -> None:
    def ask() -> Steps:
        return (yield get_offers(request={"execute": {"mboxes": [{"name": "elsewhere"}]}}))

    with pytest.raises(CannotOverwriteExistingCassetteException):
        replay(transport, tape.HANDMADE, "error_400", ask)
    assert network.attempts == []
