"""Evaluations at the same time, and within each other: none waits for itself, and each visitor gets its own."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from target import AsyncTargetClient, TargetClient
from target.integrations.openfeature import AsyncTargetProvider, TargetProvider
from tests.kit.calls import MakeClient, eventually, options_of
from tests.kit.loopback import Answer, LoopbackServer, Received
from tests.unit.integrations.openfeature.pages import VISITOR, asked, flags_of, json_offer, page, showing

SHOWING = showing(home=[json_offer({"on": True})], other=[json_offer({"on": True})])


def late(received: Received) -> Answer:
    time.sleep(0.2)
    return SHOWING(received)


def own_name(received: Received) -> Answer:
    """Each visitor is shown its own id."""
    visitor = received.body["id"].get("thirdPartyId", "nobody")
    return showing(home=[json_offer({"name": visitor})])(received)


def test_to_evaluate_at_once_while_another_flag_is_awaited_does_not_stop_the_loop(
    server: LoopbackServer, client: TargetClient
) -> None:
    server.answer = SHOWING

    async def both(flags: OpenFeatureClient) -> list[bool]:
        awaited = asyncio.ensure_future(flags.get_boolean_value_async("home.on", False, VISITOR))
        await asyncio.sleep(0)  # it has begun to ask
        await asyncio.sleep(0)
        return [flags.get_boolean_value("other.on", False, VISITOR), await awaited]

    with flags_of(TargetProvider(client)) as flags, page():
        assert asyncio.run(both(flags)) == [True, True]


class Evaluating:
    """A hook of the client that evaluates a flag before each call."""

    def __init__(self) -> None:
        self.flags: OpenFeatureClient | None = None
        self.found: list[Any] = []

    def before_call(self, call: object) -> None:
        if self.flags is not None:
            self.found.append(self.flags.get_boolean_details("home.on", False, VISITOR).error_code)


class EvaluatingAsync(Evaluating):
    async def before_call(self, call: object) -> None:  # type: ignore[override]
        if self.flags is not None:
            details = await self.flags.get_boolean_details_async("home.on", False, VISITOR)
            self.found.append(details.error_code)


@pytest.mark.parametrize("in_page", [True, False])
@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_hook_of_the_client_that_evaluates_a_flag_does_not_wait_for_itself(
    server: LoopbackServer, make_client: MakeClient, is_awaited: bool, in_page: bool
) -> None:
    server.answer = SHOWING
    hook = Evaluating()
    with flags_of(TargetProvider(make_client(hooks=[hook]), exposure="execute", mboxes=["home"])) as flags:
        api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
        api.set_transaction_context(EvaluationContext("visitor") if in_page else EvaluationContext())
        hook.flags = flags
        if is_awaited:
            assert asyncio.run(flags.get_boolean_value_async("home.on", False, VISITOR)) is True
        else:
            assert flags.get_boolean_value("home.on", False, VISITOR) is True
        assert hook.found == [ErrorCode.GENERAL]
    assert asked(server.received) == [["home"]]


@pytest.mark.parametrize("in_page", [True, False])
def test_so_does_one_that_awaits(server: LoopbackServer, in_page: bool) -> None:
    server.answer = SHOWING
    hook = EvaluatingAsync()

    async def main() -> None:
        client = await AsyncTargetClient.create(options_of(server.domain, hooks=[hook]))
        with flags_of(AsyncTargetProvider(client, exposure="execute", mboxes=["home"])) as flags:
            api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
            api.set_transaction_context(EvaluationContext("visitor") if in_page else EvaluationContext())
            hook.flags = flags
            assert await flags.get_boolean_value_async("home.on", False, VISITOR) is True
            hook.flags = None
        await client.aclose()

    asyncio.run(main())
    assert hook.found == [ErrorCode.GENERAL]


def test_what_a_hook_begins_may_evaluate_flags_later(server: LoopbackServer) -> None:
    """Though its context is a copy of the call's."""
    server.answer = SHOWING
    begun: list[asyncio.Task[bool]] = []

    async def main() -> None:
        class Beginning:
            async def before_call(self, call: object) -> None:
                if not begun:
                    begun.append(asyncio.ensure_future(later()))

        async def later() -> bool:
            await called.wait()
            return await flags.get_boolean_value_async("home.on", False, VISITOR)

        called = asyncio.Event()
        client = await AsyncTargetClient.create(options_of(server.domain, hooks=[Beginning()]))
        with flags_of(AsyncTargetProvider(client)) as flags:
            assert await flags.get_boolean_value_async("home.on", False, VISITOR) is True
            called.set()
            assert await begun[0] is True
        await client.aclose()

    asyncio.run(main())


def test_a_signal_handler_evaluates_flags_in_the_middle_of_an_evaluation(
    server: LoopbackServer, client: TargetClient
) -> None:
    answers: list[bool] = []

    def interrupt(received: Received) -> Answer:
        if not answers and "prefetch" in received.body:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            eventually(lambda: answers, 5)
        return SHOWING(received)

    server.answer = interrupt
    with flags_of(TargetProvider(client)) as flags, page():
        before = signal.signal(
            signal.SIGUSR1, lambda *_: answers.append(flags.get_boolean_value("other.on", False, VISITOR))
        )
        try:
            assert flags.get_boolean_value("home.on", False, VISITOR) is True
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert answers == [False]  # the default: it is within the call, as a hook is


def test_visitors_at_once_get_each_its_own(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = own_name
    with flags_of(TargetProvider(make_client())) as flags, page(), ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> bool:
            name = f"visitor-{number % 20}"
            return flags.get_string_value("home.name", "", EvaluationContext(name)) == name

        assert all(pool.map(ask, range(200)))


def test_awaiting_visitors_at_once_get_each_its_own(server: LoopbackServer) -> None:
    server.answer = own_name

    async def main() -> list[str]:
        client = await AsyncTargetClient.create(options_of(server.domain))
        with flags_of(AsyncTargetProvider(client)) as flags, page():
            names = [f"visitor-{number % 20}" for number in range(100)]
            asking = [flags.get_string_value_async("home.name", "", EvaluationContext(name)) for name in names]
            assert await asyncio.gather(*asking) == names
        await client.aclose()
        return names

    asyncio.run(main())
    assert len(asked(server.received)) == 20  # one transaction: one call a visitor


async def awaiting(kind: str, domain: str) -> tuple[Any, Any]:
    """A client of this kind, and its provider."""
    if kind == "async":
        client = await AsyncTargetClient.create(options_of(domain))
        return client, AsyncTargetProvider(client)
    blocking = TargetClient.create(options_of(domain))
    return blocking, TargetProvider(blocking)


async def close(client: Any) -> None:
    await client.aclose() if isinstance(client, AsyncTargetClient) else client.close()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_whoever_is_cancelled_takes_nothing_from_the_others(server: LoopbackServer, kind: str) -> None:
    server.answer = late

    async def main() -> None:
        client, provider = await awaiting(kind, server.domain)
        with flags_of(provider) as flags, page():
            tasks = [asyncio.ensure_future(flags.get_boolean_value_async("home.on", False, VISITOR)) for _ in range(6)]
            await asyncio.sleep(0.05)
            for task in tasks[:3]:  # the first of which asks
                task.cancel()
            got = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each) for each in got] == [asyncio.CancelledError] * 3 + [bool] * 3
            assert got[3:] == [True] * 3
        await close(client)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_time_limit_around_an_evaluation_is_one(server: LoopbackServer, kind: str) -> None:
    """openfeature-sdk makes an UnboundLocalError of a cancellation that comes through it."""
    server.answer = late

    async def main() -> None:
        client, provider = await awaiting(kind, server.domain)
        with flags_of(provider) as flags:

            async def limited() -> None:
                async with asyncio.timeout(0.05):
                    await flags.get_boolean_value_async("home.on", False, VISITOR)
                    await asyncio.sleep(5)  # what is awaited next tells of it

            with pytest.raises(TimeoutError):
                await limited()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(flags.get_boolean_value_async("home.on", False, VISITOR), 0.05)
            with anyio.move_on_after(0.05) as scope:
                await flags.get_boolean_value_async("home.on", False, VISITOR)
                await anyio.sleep(5)
            assert scope.cancelled_caught
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            assert await flags.get_boolean_value_async("home.on", False, VISITOR) is True
        await close(client)

    asyncio.run(main())
