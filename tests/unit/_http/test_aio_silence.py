"""A kept connection counts as silent once the loop has had the time to listen to it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from target._http.aio.connection import Sending
from target._http.aio.timing import Alarms

PATIENCE_S = 0.06
LONG_S = 5.0  # idle: something on the way may have forgotten the connection
TURN_S = 0.02


class Silent:
    """A connection that is open, and whether something has come on it that nobody has read."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.something = False

    def has_come(self) -> bool:
        return self.something

    def get_extra_info(self, _: str) -> object:
        return None


class Attempt(Sending):
    def __init__(self, alarms: Alarms, patience_s: float | None) -> None:
        super().__init__(alarms, False, patience_s)
        self.begun = 0

    def try_beside(self) -> None:
        self.begun += 1


async def sent(idle_s: float | None = LONG_S, patience_s: float | None = PATIENCE_S) -> tuple[Attempt, Any]:
    attempt, connection = Attempt(Alarms(), patience_s), Silent()
    attempt.is_sent_on(connection, idle_s)  # type: ignore[arg-type]
    return attempt, connection


def test_silence_for_all_of_its_patience_begins_another_attempt_once() -> None:
    async def main() -> None:
        attempt, _ = await sent()
        await asyncio.sleep(PATIENCE_S / 2)
        assert attempt.begun == 0
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 1

    asyncio.run(main())


@pytest.mark.parametrize(("idle_s", "patience_s"), [(None, PATIENCE_S), (0.1, PATIENCE_S), (LONG_S, None)])
def test_a_connection_that_cannot_be_dead_or_a_call_that_goes_out_once_begins_none(
    idle_s: float | None, patience_s: float | None
) -> None:
    async def main() -> None:
        attempt, _ = await sent(idle_s, patience_s)
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 0

    asyncio.run(main())


@pytest.mark.parametrize("after_s", [0.0, PATIENCE_S * 0.8])
def test_what_is_heard_ends_the_wait(after_s: float) -> None:
    async def main() -> None:
        attempt, _ = await sent()
        await asyncio.sleep(after_s)
        attempt.heard()
        attempt.ring()  # which was on its way
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 0

    asyncio.run(main())


def test_a_loop_that_was_busy_for_all_of_it_listens_before_it_gives_up() -> None:
    async def main() -> None:
        attempt, _ = await sent()
        time.sleep(PATIENCE_S * 2)  # a thousand other calls are begun
        await asyncio.sleep(TURN_S / 2)
        assert attempt.begun == 0
        attempt.heard()  # the answer was there
        await asyncio.sleep(PATIENCE_S * 2)
        assert attempt.begun == 0

    asyncio.run(main())


def test_what_has_come_and_was_not_read_is_no_silence() -> None:
    async def main() -> None:
        attempt, connection = await sent()
        connection.something = True
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 0
        connection.something = False  # it was nothing that counts
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 1

    asyncio.run(main())


def test_a_connection_that_is_closed_is_not_silent() -> None:
    async def main() -> None:
        attempt, connection = await sent()
        connection.transport = None
        await asyncio.sleep(PATIENCE_S * 3)
        assert attempt.begun == 0

    asyncio.run(main())
