"""Who may send: at most so many calls at once, none past its deadline, none after the client was closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from target._io.deadline import Deadline
from target._io.failures import closed_meanwhile, timed_out
from target.config import AsyncClientConfig
from target.delivery.request import Call
from target.errors import TargetError, TargetTimeout


class Gate:
    """Bounds the calls of one client, on one event loop. Those that wait get their turn in the order they came."""

    def __init__(self, config: AsyncClientConfig) -> None:
        self._config = config
        self._slots = asyncio.Semaphore(config.max_concurrency)
        self._waits: set[asyncio.Timeout] = set()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed = False

    @asynccontextmanager
    async def slot(self, deadline: Deadline) -> AsyncIterator[None]:
        """Around one call, which waits here while ``max_concurrency`` others are in progress.

        Raises:
            TargetTimeout: The deadline passed before its turn came.
            ClientClosed: The client was closed before its turn came.
        """
        self._calls += 1
        self._idle.clear()
        try:
            if self._slots.locked():
                async with self._until(deadline, self._no_slot()):
                    await self._slots.acquire()
            else:
                await self._slots.acquire()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    @asynccontextmanager
    async def sending(self, call: Call, deadline: Deadline) -> AsyncIterator[None]:
        """Around the sending of ``call``, which is cancelled when its time has come.

        Raises:
            TargetTimeout: The deadline passed.
            ClientClosed: The client was closed, and did not wait any longer.
        """
        async with self._until(deadline, timed_out(self._config.client, call)):
            yield

    async def close(self, timeout_s: float) -> None:
        """Let no further call in, give those in progress ``timeout_s`` to end, and end the others."""
        self.closed = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass
        finally:
            now = asyncio.get_running_loop().time()
            for wait in list(self._waits):
                if not wait.expired():
                    wait.reschedule(now)
        if self._calls:
            await self._idle.wait()

    @asynccontextmanager
    async def _until(self, deadline: Deadline, too_late: TargetTimeout) -> AsyncIterator[None]:
        wait = asyncio.timeout(max(deadline.remaining_s(), 0))
        try:
            async with wait:
                self._waits.add(wait)
                yield
        except TimeoutError as error:
            if isinstance(error, TargetError) or not wait.expired():
                raise
            if self.closed and deadline.remaining_s() > 0:
                raise closed_meanwhile() from None
            raise too_late from None
        finally:
            self._waits.discard(wait)

    def _no_slot(self) -> TargetTimeout:
        most, timeout_ms = self._config.max_concurrency, self._config.client.timeout_s * 1000
        return TargetTimeout(
            f"{most} calls were in progress for all of {timeout_ms:.0f} ms: raise 'max_concurrency' or 'timeout', or "
            "fall back to default content"
        )
