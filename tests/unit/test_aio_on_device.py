"""AsyncTargetClient decides in process as TargetClient does, and its event loop never waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from target import ArtifactNotReady, AsyncTargetClient
from target._on_device import artifact_rotation
from tests.kit.calls import ACCOUNT, options_of
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer
from tests.kit.shop import HOME, PREFETCH, Shop, shown


def use(shop: Shop, work: Callable[[AsyncTargetClient], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        given = options_of(shop.server.domain, **{**shop.options, **options})
        async with await AsyncTargetClient.create(given) as client:
            return await work(client)

    return asyncio.run(main())


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_a_call_is_decided_without_the_server(shop: Shop, transport: str) -> None:
    async def work(client: AsyncTargetClient) -> Any:
        assert await client.wait_until_ready()
        return await client.get_offers(request=PREFETCH), await client.get_attributes(["home"])

    result, flags = use(shop, work, transport=transport)
    assert shown(result) == [{"from": "home"}]
    assert result.meta.decisioning_method == "on-device"
    assert flags.get_value("home", "from") == "home"
    assert len(shop.downloads) == 1


def test_what_was_shown_is_told_before_the_client_closes(shop: Shop) -> None:
    use(shop, lambda client: client.get_offers(request=HOME, session_id="s1"))
    assert [each["mbox"]["name"] for each in shop.notified] == ["home"]
    assert shop.delivered[0].session_id == "s1"


def test_hybrid_asks_the_server_for_what_the_rules_do_not_hold(shop: Shop) -> None:
    request = {"execute": {"mboxes": [{"name": "elsewhere"}]}}
    result = use(shop, lambda client: client.get_offers(request=request), decisioning_method="hybrid")
    assert result.meta.decisioning_method == "server-side"
    assert len(shop.delivered) == 1


def test_without_rules_a_call_says_so_and_the_loop_went_on_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.01, 0.01))
    shop.cdn = lambda _: Answer(status=500)

    async def work(client: AsyncTargetClient) -> None:
        with pytest.raises(ArtifactNotReady):
            await client.get_offers(request=HOME)

    async def main() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        options = {**ACCOUNT, **shop.options, "maximum_wait_ready": 500}
        async with await AsyncTargetClient.create(options) as client:
            await work(client)
        ticking.cancel()
        return ticks

    assert asyncio.run(main()) >= 5


def test_a_slow_lookup_of_a_place_does_not_hold_the_loop(shop: Shop) -> None:
    shop.artifact = artifact(geoTargetingEnabled=True)
    shop.geo = lambda _: time.sleep(0.3) or Answer({"x-geo-city": "BERN"})
    located = {**PREFETCH, "context": {"channel": "web", "geo": {"ipAddress": "203.0.113.7"}}}

    async def work(client: AsyncTargetClient) -> float:
        slow = asyncio.create_task(client.get_offers(request=located))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await client.get_offers(request=PREFETCH)
        took_s = time.monotonic() - started
        assert not slow.done()
        await slow
        return took_s

    assert use(shop, work) < 5
    assert shop.lookups == ["203.0.113.7"]


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_many_rules_that_nobody_has_needed_yet_are_not_read_on_the_loop(
    shop: Shop, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    odd = {"condition": {"unheard_of": "x" * 200}}
    shop.artifact = artifact(rules={"mboxes": {"many": [odd] * 200, "few": [odd]}, "views": {}})

    async def work(client: AsyncTargetClient) -> None:
        for name in ("few", "many"):
            await client.get_offers(request={"execute": {"mboxes": [{"name": name}]}})

    use(shop, work, decisioning_method=method)
    told = [(record.getMessage(), record.threadName) for record in caplog.records if "rule 0" in record.getMessage()]
    assert [thread == threading.main_thread().name for _, thread in told] == [True, False], told
