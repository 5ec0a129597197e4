"""Alarms ring in time, share timers of the loop, and leave none behind."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target._background.clock import monotonic_s
from target._http.aio.timing import Alarms

TICK_S = 1 / 256
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor")


class Bell:
    def __init__(self) -> None:
        self.rang_at_s: list[float] = []
        self.seen: Any = None

    def ring(self) -> None:
        self.rang_at_s.append(monotonic_s())
        self.seen = VISITOR.get(None)


class Broken:
    def ring(self) -> None:
        raise ValueError("broken")


def timers() -> int:
    """How many of the running loop wait."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not timer.cancelled() for timer in scheduled)


@given(st.lists(st.tuples(st.floats(-0.01, 0.03), st.booleans()), max_size=20))
def test_each_rings_once_not_before_its_time_and_soon_after_unless_it_is_called_off(
    wanted: list[tuple[float, bool]],
) -> None:
    async def main() -> None:
        alarms, now_s = Alarms(), monotonic_s()
        bells = [(Bell(), now_s + after_s, called_off) for after_s, called_off in wanted]
        ticks = [alarms.set(at_s, bell) for bell, at_s, _ in bells]
        for (bell, _, called_off), tick in zip(bells, ticks, strict=True):
            if called_off:
                alarms.call_off(tick, bell)
                alarms.call_off(tick, bell)  # harmless
        assert timers() == len({tick for tick, (_, off) in zip(ticks, wanted, strict=True) if not off})
        await asyncio.sleep(0.03 + 2 * TICK_S)
        for bell, at_s, called_off in bells:
            assert len(bell.rang_at_s) == (not called_off)
            assert all(at_s - 0.001 <= rang_s for rang_s in bell.rang_at_s)
        assert timers() == 0

    asyncio.run(main())


def test_a_thousand_at_once_need_few_timers_and_leave_none() -> None:
    async def main() -> None:
        alarms, at_s, bells = Alarms(), monotonic_s() + 60, [Bell() for _ in range(1000)]
        ticks = [alarms.set(at_s + number * 1e-5, bell) for number, bell in enumerate(bells)]
        assert timers() <= 4
        for tick, bell in zip(ticks, bells, strict=True):
            alarms.call_off(tick, bell)
        assert timers() == 0

    asyncio.run(main())


def test_one_that_breaks_keeps_none_from_ringing() -> None:
    async def main() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        alarms, at_s, bell = Alarms(), monotonic_s(), Bell()
        for alarm in (Broken(), bell):
            alarms.set(at_s, alarm)
        await asyncio.sleep(4 * TICK_S)
        assert len(bell.rang_at_s) == len(told) == 1

    asyncio.run(main())


def test_what_they_share_knows_nothing_of_who_set_it() -> None:
    async def main() -> None:
        VISITOR.set("ada")
        alarms, bell = Alarms(), Bell()
        alarms.set(monotonic_s(), bell)
        await asyncio.sleep(4 * TICK_S)
        assert bell.rang_at_s
        assert bell.seen is None

    asyncio.run(main())


def test_they_ring_where_the_clock_of_the_loop_stands_still() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        alarms, bell = Alarms(), Bell()
        stopped_s = loop.time() - 3600
        loop.time = lambda: stopped_s
        try:
            off = Bell()
            alarms.call_off(alarms.set(monotonic_s() + 10 * TICK_S, off), off)
            alarms.set(monotonic_s() + 5 * TICK_S, bell)
            ends_s = time.monotonic() + 10
            while not bell.rang_at_s and time.monotonic() < ends_s:
                await asyncio.sleep(0)
        finally:
            del loop.time
        assert bell.rang_at_s
        assert not off.rang_at_s

    asyncio.run(main())
