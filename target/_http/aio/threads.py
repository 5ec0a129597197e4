"""Runs what blocks on threads of the client's own while a task awaits it, and sends calls through urllib3 that way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from target._background.forks import begin_anew_if_forked, renew_in_children
from target._background.shares import HOME, Host
from target._background.workers import Workers
from target._http.abort import Abort
from target._http.aio import timing
from target._http.deadline import Deadline
from target._http.routes import Routes
from target._http.transport import Transport
from target.config import ClientConfig
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import ClientClosed
from target.loggers import Log

T = TypeVar("T")

_END_S = 1.0  # for work that was told to end; it waits for nothing any more


class Threads:
    """Daemon threads for one event loop, whose default executor has no part in it: at most ``size`` for one host."""

    def __init__(self, size: int, logger: Log) -> None:
        self._workers = Workers(size, logger)
        self._loop = asyncio.get_running_loop()
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child, and at first: nothing runs."""
        self._running: set[asyncio.Future[None]] = set()

    async def run(self, work: Callable[[], T], abort: Abort | None = None, host: Host | None = HOME) -> T:
        """What ``work`` returns. When the caller is cancelled, ``abort`` is called, and ``work`` ends by itself.

        What waits for another ``host`` has threads of its own. None: who calls bounds how much is run at once.
        """
        outcome: asyncio.Future[T] = self._loop.create_future()
        ended: asyncio.Future[None] = self._loop.create_future()

        def settle(set_outcome: Callable[[Any], None], value: Any) -> None:
            ended.set_result(None)
            if not outcome.done():  # or whoever waited for it was cancelled
                set_outcome(value)

        def hand_over(set_outcome: Callable[[Any], None], value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                self._loop.call_soon_threadsafe(settle, set_outcome, value)

        def begin() -> T:
            if abort is not None and abort.called:
                raise ClientClosed("The call was given up")
            return work()

        tell, tell_error = partial(hand_over, outcome.set_result), partial(hand_over, outcome.set_exception)
        self._workers.submit(begin, tell, tell_error, host)
        self._running.add(ended)
        ended.add_done_callback(self._running.discard)
        try:
            return await outcome
        except asyncio.CancelledError:
            begin_anew_if_forked()
            if abort is not None and ended in self._running:  # in a child, the socket is the parent's, too
                abort()
            raise

    async def run_within(self, work: Callable[[], T], deadline: Deadline, host: Host | None = HOME) -> T:
        """What ``work`` returns. When the caller is cancelled, the deadline's abort is called, which ends ``work``."""
        abort = deadline.abort = Abort()
        return await self.run(work, abort, host)

    async def close(self) -> None:
        """End the threads."""
        self._workers.close()
        if self._running:
            with contextlib.suppress(TimeoutError):
                async with timing.timeout(_END_S):
                    await asyncio.wait(set(self._running))
        self._workers.join(0 if self._running else _END_S)


class ThreadTransport:
    """The blocking transport on threads."""

    kind = "urllib3 on threads"

    def __init__(self, config: ClientConfig, max_concurrency: int, routes: Routes) -> None:
        self._transport = Transport(config, routes)
        self._threads = Threads(max_concurrency, config.logger)

    async def send(self, call: Call, deadline: Deadline) -> Reply:
        """The answer; see AsyncTransport."""
        # The gate has let it in, and gives each host its share.
        return await self._threads.run_within(lambda: self._transport.send(call, deadline), deadline, host=None)

    def connections(self) -> dict[str, int] | None:
        """How many there are; see AsyncTransport."""
        return self._transport.connections()

    async def close(self) -> None:
        """Close the connections and end the threads."""
        self._transport.close()
        await self._threads.close()
