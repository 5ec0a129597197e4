"""Who may send: at most so many calls at once, none past its deadline, none after the client was closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType

from target._background.forks import begin_anew_if_forked, renew_in_children
from target._background.shares import Host, Shares, did_answer
from target._http.aio import timing
from target._http.deadline import Deadline
from target._http.failures import closed_meanwhile, timed_out
from target.config import AsyncClientConfig
from target.delivery.request import Call
from target.errors import OptionsError, TargetTimeout


class Gate:
    """Bounds the calls of one client, on one event loop, by host. Who waits gets its turn in the order of coming."""

    def __init__(self, config: AsyncClientConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._shares: Shares[asyncio.Future[None]] = Shares(config.max_concurrency)
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.waits: set[asyncio.Timeout] = set()
        self.closed = False
        self._stayed_behind = False
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child, where the event loop and its sockets are the parent's: let nobody in."""
        self._stayed_behind = True

    def require_loop(self) -> None:
        """Raise OptionsError on another event loop than the gate was made on."""
        begin_anew_if_forked()
        if self._stayed_behind or asyncio.get_running_loop() is not self._loop:
            raise OptionsError(
                "This client belongs to another event loop, the one it was created on: create one on each loop, and "
                "in each process, as no loop goes through a fork"
            )

    def place(self, host: Host, deadline: Deadline) -> _Place:
        """Around a call to ``host``: waits before it while the host has all the places it may have.

        Raises:
            TargetTimeout: The deadline passed before its turn came.
            ClientClosed: The client was closed before its turn came.
        """
        return _Place(self, host, deadline)

    async def enter(self, host: Host, deadline: Deadline) -> None:
        """Take a place, and wait for it if need be. ``leave`` must follow. Raises as ``place`` does."""
        self._calls += 1
        self._idle.clear()
        try:
            if not self._shares.begin(host):
                await self._wait_for_turn(host, deadline)
        except BaseException:
            self._count_out()
            raise

    def leave(self, host: Host, answered: bool | None) -> None:
        """Give a place back. ``answered`` says whether the host did, None where that is not known."""
        self._shares.end(host, answered)
        self._let_in()
        self._count_out()

    def until(self, call: Call, deadline: Deadline) -> _Until:
        """Around the sending of ``call``, which is cancelled when its time has come.

        Raises:
            TargetTimeout: The deadline passed.
            ClientClosed: The client was closed, and did not wait any longer.
        """
        return _Until(self, deadline, lambda: timed_out(self._config.client, call))

    async def close(self, timeout_s: float) -> None:
        """Let no further call in, give those in progress ``timeout_s`` to end, and end the others."""
        self.closed = True
        try:
            with contextlib.suppress(TimeoutError):
                async with timing.timeout(timeout_s):
                    await self._idle.wait()
        finally:
            now = asyncio.get_running_loop().time()
            for wait in list(self.waits):
                if not wait.expired():
                    wait.reschedule(now)
        await self._idle.wait()

    async def _wait_for_turn(self, host: Host, deadline: Deadline) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shares.wait(host, turn)
        try:
            async with _Until(self, deadline, self._no_slot):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came in the same moment
                self._shares.end(host, None)
                self._let_in()
            else:
                self._shares.give_up(host, turn)
            raise

    def _let_in(self) -> None:
        while (found := self._shares.next()) is not None:
            host, turn = found
            if turn.cancelled():
                self._shares.end(host, None)
            else:
                turn.set_result(None)

    def _count_out(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    def _no_slot(self) -> TargetTimeout:
        most, timeout_ms = self._config.max_concurrency, self._config.client.timeout_s * 1000
        return TargetTimeout(
            f"{most} calls were in progress for all of {timeout_ms:.0f} ms: raise 'max_concurrency' or 'timeout', or "
            "fall back to default content"
        )


class _Place:
    """A call's place, from before it is sent until it is over."""

    __slots__ = ("_deadline", "_gate", "_host")

    def __init__(self, gate: Gate, host: Host, deadline: Deadline) -> None:
        self._gate, self._host, self._deadline = gate, host, deadline

    async def __aenter__(self) -> None:
        await self._gate.enter(self._host, self._deadline)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._gate.leave(self._host, did_answer(error))


class _Until:
    """Cancels what is within at the deadline, or when the gate closes for good, and says which it was."""

    __slots__ = ("_deadline", "_end", "_gate", "_too_late", "_wait")

    def __init__(self, gate: Gate, deadline: Deadline, too_late: Callable[[], TargetTimeout]) -> None:
        self._gate = gate
        self._deadline = deadline
        self._too_late = too_late
        self._wait, self._end = timing.begin_timeout(deadline.remaining_s())

    async def __aenter__(self) -> None:
        await self._wait.__aenter__()
        self._gate.waits.add(self._wait)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._gate.waits.discard(self._wait)
        self._end()
        try:
            await self._wait.__aexit__(kind, error, traceback)
        except TimeoutError:
            if self._gate.closed and self._deadline.remaining_s() > 0:
                raise closed_meanwhile() from None
            raise self._too_late() from None
