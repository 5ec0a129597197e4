"""Sends calls of an event loop through urllib3, on threads of the client's own."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from target._io.abort import Abort
from target._io.deadline import Deadline
from target._io.transport import Transport
from target._io.workers import Workers
from target.config import ClientConfig
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import ClientClosed

_END_S = 1.0  # for threads that were told to end; they wait for nothing any more


class ThreadTransport:
    """The blocking transport on at most ``max_concurrency`` daemon threads; the loop's default executor has no part."""

    def __init__(self, config: ClientConfig, max_concurrency: int) -> None:
        self._transport = Transport(config)
        self._workers = Workers(max_concurrency, config.logger)
        self._loop = asyncio.get_running_loop()
        self._busy: set[asyncio.Future[None]] = set()

    async def send(self, call: Call, deadline: Deadline) -> Reply:
        """The answer; see AsyncTransport."""
        abort = deadline.abort = Abort()
        outcome: asyncio.Future[Reply] = self._loop.create_future()
        ended: asyncio.Future[None] = self._loop.create_future()
        self._busy.add(ended)
        ended.add_done_callback(self._busy.discard)

        def settle(reply: Reply | None, error: Exception | None) -> None:
            ended.set_result(None)
            if outcome.done():
                return  # whoever waited for it was cancelled
            if error is not None:
                outcome.set_exception(error)
            elif reply is not None:
                outcome.set_result(reply)

        def hand_over(reply: Reply | None, error: Exception | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
                self._loop.call_soon_threadsafe(settle, reply, error)

        def work() -> Reply:
            if abort.called:
                raise ClientClosed("The call was given up")
            return self._transport.send(call, deadline)

        try:
            self._workers.submit(work, lambda reply: hand_over(reply, None), partial(hand_over, None))
        except BaseException:
            ended.cancel()
            raise
        try:
            return await outcome
        except asyncio.CancelledError:
            abort()
            raise

    async def close(self) -> None:
        """Close the connections and end the threads."""
        self._transport.close()
        self._workers.close()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=_END_S)
