"""AsyncTargetProvider: flags on an event loop, by no thread, and nothing that is to be told is lost at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from target import AsyncTargetClient, Outbox
from target.integrations.openfeature import AsyncTargetProvider
from tests.kit.calls import eventually, options_of
from tests.kit.loopback import LoopbackServer, Received
from tests.kit.shop import Shop
from tests.kit.threads import threads_of
from tests.unit.integrations.openfeature.pages import VISITOR, asked, flags_of, json_offer, notified, showing

HOME = [json_offer({"a": 1, "b": "two"})]


def run(server: LoopbackServer, work: Callable[[AsyncTargetClient], Awaitable[Any]], **options: Any) -> Any:
    """What ``work`` comes to, on an event loop with a client of ``server``."""

    async def main() -> Any:
        async with await AsyncTargetClient.create(**options_of(server.domain, **options)) as client:
            return await work(client)

    return asyncio.run(main())


def test_flags_are_awaited_without_a_thread(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> None:
        provider = AsyncTargetProvider(client)
        with flags_of(provider) as flags:
            assert await flags.get_integer_value_async("home.a", 0, VISITOR) == 1
            assert await flags.get_string_value_async("home.b", "", VISITOR) == "two"
            assert await flags.get_object_value_async("home", {}, VISITOR) == {"a": 1, "b": "two"}
            assert await flags.get_float_value_async("home.a", 0.0, VISITOR) == 1.0
            wrong = await flags.get_boolean_details_async("home.b", True, VISITOR)
            assert (wrong.value, wrong.error_code) == (True, ErrorCode.TYPE_MISMATCH)
            await provider.flush()
            assert threads_of("target") == []

    run(server, work, transport="aiohttp")
    assert len(notified(server.received)) == 4


def test_a_slow_server_keeps_no_loop(server: LoopbackServer) -> None:
    def late(received: Received) -> Any:
        time.sleep(0.3)
        return showing(home=HOME)(received)

    server.answer = late

    async def work(client: AsyncTargetClient) -> int:
        with flags_of(AsyncTargetProvider(client)) as flags:
            waiting = asyncio.create_task(flags.get_integer_value_async("home.a", 0, VISITOR))
            ticks = 0
            while not waiting.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert waiting.result() == 1
        return ticks

    assert run(server, work) > 15


def test_a_page_of_tasks_is_one_call_and_each_mbox_is_told_once(server: LoopbackServer) -> None:
    names = [f"m{number}" for number in range(10)]
    server.answer = showing(**dict.fromkeys(names, HOME))

    async def work(client: AsyncTargetClient) -> None:
        provider = AsyncTargetProvider(client)
        with flags_of(provider) as flags:
            api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
            api.set_transaction_context(EvaluationContext("v", {"page": "p"}))
            for _ in range(2):
                values = await asyncio.gather(*(flags.get_integer_value_async(f"{name}.a", 0) for name in names))
                assert values == [1] * 10
            details = await flags.get_integer_details_async("m0.a", 0)
            assert details.reason is Reason.CACHED
            await provider.flush()

    run(server, work)
    assert len(asked(server.received)) == 1, "although nobody named the mboxes"
    assert sorted(each["mbox"]["name"] for each in notified(server.received)) == names


def test_what_is_to_be_told_goes_through_the_outbox(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> Any:
        provider = AsyncTargetProvider(client)
        await provider.resolve_integer_details_async("home.a", 0, VISITOR)
        await provider.flush()
        return client.status().outbox["queued"]

    assert run(server, work, outbox=Outbox.memory()) == 1
    assert len(notified(server.received)) == 1


def test_a_shutdown_on_another_thread_waits_for_what_is_to_be_told(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> int:
        provider = AsyncTargetProvider(client)
        await provider.resolve_integer_details_async("home.a", 0, VISITOR)
        await asyncio.to_thread(provider.shutdown)
        return len(notified(server.received))

    assert run(server, work) == 1


def test_a_shutdown_on_the_loop_hands_it_over(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> bool:
        provider = AsyncTargetProvider(client)
        await provider.resolve_integer_details_async("home.a", 0, VISITOR)
        provider.shutdown()
        return await asyncio.to_thread(eventually, lambda: notified(server.received))

    assert run(server, work)


def test_a_loop_that_ends_leaves_nothing_that_complains(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> None:
        provider = AsyncTargetProvider(client)
        await provider.resolve_integer_details_async("home.a", 0, VISITOR)
        provider.track("home", VISITOR)

    run(server, work)


def test_what_is_not_awaited_says_so(server: LoopbackServer) -> None:
    async def work(client: AsyncTargetClient) -> None:
        details = AsyncTargetProvider(client).resolve_boolean_details("home", True, VISITOR)
        assert (details.value, details.error_code) == (True, ErrorCode.GENERAL)
        assert "get_boolean_value_async" in (details.error_message or "")

    run(server, work)


def test_another_loop_is_an_error_and_no_fault_of_the_context(server: LoopbackServer) -> None:
    server.answer = showing(home=HOME)

    async def work(client: AsyncTargetClient) -> None:
        provider = AsyncTargetProvider(client)
        await provider.resolve_integer_details_async("home.a", 0, VISITOR)
        other = provider.resolve_integer_details_async("home.a", 7, VISITOR)
        details = await asyncio.to_thread(asyncio.run, other)
        assert (details.value, details.error_code) == (7, ErrorCode.GENERAL)
        assert "event loop" in (details.error_message or "")

    run(server, work)


@pytest.mark.parametrize("domain", ["a", None])
def test_rules_are_decided_on_the_loop(shop: Shop, domain: str | None) -> None:
    async def work(client: AsyncTargetClient) -> None:
        provider = AsyncTargetProvider(client)
        with flags_of(provider, domain) as flags:
            details = await flags.get_string_details_async("home.from", "", VISITOR)
            assert (details.value, details.reason) == ("home", Reason.TARGETING_MATCH)
            await provider.flush()

    run(shop.server, work, **shop.options)
    assert len(shop.notified) == 1
