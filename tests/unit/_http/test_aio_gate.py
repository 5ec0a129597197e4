"""A call that is cancelled at its deadline, or by others meanwhile, ends as one within asyncio.timeout does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import ClientClosed, TargetTimeout
from target._background.shares import Host
from target._http.aio.gate import Gate
from target._http.deadline import Deadline
from target.config import parse_async_client_options

FAR_S = 60.0
HOST = Host("https://acme.example")
CALL: Any = None  # whose error would name its host
# What the body does when it is cancelled, each time: it goes on, ends by that, or by something else.
BODIES = st.lists(st.sampled_from(["swallow", "raise", "fail"]), min_size=1, max_size=3)
# What strikes before the task runs on; None lets it.
EVENTS = st.lists(st.sampled_from(["ring", "cancel", None]), max_size=6)


def make_gate(max_concurrency: int = 10) -> Gate:
    options = {"client": "acme", "organization_id": "1@AdobeOrg", "max_concurrency": max_concurrency}
    return Gate(parse_async_client_options(options))


async def outcome(within: Any, ring: Callable[[], object], body: list[str], events: list[str | None]) -> Any:
    """How a task ends that does ``body`` in ``within``, and how many requests to cancel it are left then."""
    begun = asyncio.Event()
    left: list[int] = []

    async def act() -> None:
        begun.set()
        for step in body:
            try:
                await asyncio.sleep(FAR_S)
            except asyncio.CancelledError:
                if step == "raise":
                    raise
                if step == "fail":
                    raise ValueError from None

    async def run() -> str:
        task = asyncio.current_task()
        assert task is not None
        try:
            if isinstance(within, AbstractAsyncContextManager):
                async with within:
                    await act()
            else:
                with within:
                    await act()
        finally:
            left.append(task.cancelling())
        return "ended"

    task = asyncio.create_task(run())
    await begun.wait()
    for event in (*events, None):
        if event == "ring":
            ring()
        elif event == "cancel":
            task.cancel()
        else:
            for _ in range(3):
                await asyncio.sleep(0)
    while not task.done():  # goes on swallowing
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
    (result,) = await asyncio.gather(task, return_exceptions=True)
    return result, left


@given(BODIES, EVENTS)
def test_it_ends_as_within_asyncio_timeout(body: list[str], events: list[str | None]) -> None:
    async def main() -> None:
        timeout = asyncio.timeout(FAR_S)

        def expire() -> None:
            if timeout._state.value == "active" and not timeout.expired():  # type: ignore[attr-defined]
                timeout._on_timeout()  # type: ignore[attr-defined]  # at once, as a gate that closes does

        expected, cancelling = await outcome(timeout, expire, body, events)
        gate, deadline = make_gate(), Deadline(FAR_S)
        until = gate.until(CALL, deadline)
        ended, left = await outcome(until, until.ring, body, events)
        assert left == cancelling
        assert isinstance(ended, TargetTimeout) == isinstance(expected, TimeoutError)
        if not isinstance(expected, TimeoutError):
            assert type(ended) is type(expected)
        else:
            assert isinstance(ended, TargetTimeout)
            assert ended.__suppress_context__
            assert isinstance(ended.__context__, TimeoutError)
            assert isinstance(ended.__context__.__cause__, asyncio.CancelledError)
        assert not gate.waits
        assert not gate.alarms._due

    asyncio.run(main())


def test_outside_of_a_task_there_is_nothing_to_cancel() -> None:
    async def main() -> None:
        until, loop = make_gate().until(CALL, Deadline(FAR_S)), asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()

        def enter() -> None:
            with pytest.raises(RuntimeError) as caught:
                until.__enter__()
            told.set_result(str(caught.value))

        loop.call_soon(enter)
        assert "inside a task" in await told

    asyncio.run(main())


def test_who_waits_for_a_place_hears_of_the_deadline_and_of_the_end() -> None:
    async def main() -> None:
        gate = make_gate(1)
        assert gate.enter(HOST)
        assert not gate.enter(HOST)
        with pytest.raises(TargetTimeout, match="1 calls were in progress"):
            await gate.wait_for_turn(HOST, Deadline(0.01))
        waiting = asyncio.create_task(gate.wait_for_turn(HOST, Deadline(FAR_S)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(gate.close(0.0))
        with pytest.raises(ClientClosed):
            await waiting
        gate.leave(HOST, answered=True)
        await closing

    asyncio.run(main())


def test_who_waits_for_a_place_has_the_next() -> None:
    async def main() -> None:
        gate = make_gate(1)
        assert gate.enter(HOST)
        waiting = asyncio.create_task(gate.wait_for_turn(HOST, Deadline(FAR_S)))
        await asyncio.sleep(0)
        gate.leave(HOST, answered=True)
        await waiting
        assert not gate.enter(HOST)
        gate.leave(HOST, answered=True)
        assert gate.enter(HOST)

    asyncio.run(main())
