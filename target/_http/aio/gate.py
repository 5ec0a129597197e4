"""Who may send: at most so many calls at once, none past its deadline, none after the client was closed."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import CancelledError
from types import TracebackType
from typing import Any

from target._background.forks import begin_anew_if_forked, renew_in_children
from target._background.shares import Host, Shares
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
        self.alarms = timing.Alarms()
        self.waits: set[_Until] = set()
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

    def enter(self, host: Host) -> bool:
        """Take a place, where ``host`` may have one now: ``leave`` must follow. Else ``wait_for_turn``."""
        if not self._shares.begin(host):
            return False
        self._count_in()
        return True

    async def wait_for_turn(self, host: Host, deadline: Deadline) -> None:
        """Wait for a place. ``leave`` must follow.

        Raises:
            TargetTimeout: The deadline passed before its turn came.
            ClientClosed: The client was closed before its turn came.
        """
        self._count_in()
        try:
            await self._turn(host, deadline)
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
        return _Until(self, deadline, call)

    def too_late(self, call: Call | None) -> TargetTimeout:
        """The error where the time of ``call`` is over, or, with None, that of one that never had its turn."""
        if call is not None:
            return timed_out(self._config.client, call)
        most, timeout_ms = self._config.max_concurrency, self._config.client.timeout_s * 1000
        return TargetTimeout(
            f"{most} calls were in progress for all of {timeout_ms:.0f} ms: raise 'max_concurrency' or 'timeout', or "
            "fall back to default content"
        )

    async def close(self, timeout_s: float) -> None:
        """Let no further call in, give those in progress ``timeout_s`` to end, and end the others."""
        self.closed = True
        try:
            with contextlib.suppress(TimeoutError):
                async with timing.timeout(timeout_s):
                    await self._idle.wait()
        finally:
            for wait in list(self.waits):
                wait.ring()
        await self._idle.wait()

    async def _turn(self, host: Host, deadline: Deadline) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shares.wait(host, turn)
        try:
            with _Until(self, deadline, None):
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

    def _count_in(self) -> None:
        self._calls += 1
        self._idle.clear()

    def _count_out(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()


class _Until:
    """Cancels what is within at the deadline, or when the gate closes for good, and says which it was.

    What ``asyncio.timeout`` does, in one object, on a timer that it shares with others.
    """

    __slots__ = ("_call", "_cancelling", "_deadline", "_gate", "_is_over", "_task", "_tick")

    def __init__(self, gate: Gate, deadline: Deadline, call: Call | None) -> None:
        self._gate, self._deadline, self._call = gate, deadline, call
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A call has to be awaited inside a task")
        self._task: asyncio.Task[Any] | None = task
        self._cancelling = task.cancelling()
        self._tick = self._gate.alarms.set(self._deadline.ends_at, self)
        self._gate.waits.add(self)

    def ring(self) -> None:
        """Its time is over."""
        if self._task is not None and not self._is_over:
            self._is_over = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._gate.waits.discard(self)
        self._gate.alarms.call_off(self._tick, self)
        task, self._task = self._task, None
        # Cancelled by somebody else meanwhile, it stays that.
        if task is None or not self._is_over or task.uncancel() > self._cancelling or kind is not CancelledError:
            return
        try:
            raise TimeoutError from error
        except TimeoutError:
            if self._gate.closed and self._deadline.remaining_s() > 0:
                raise closed_meanwhile() from None
            raise self._gate.too_late(self._call) from None
