"""Owns following the journal from an event loop: server-sent events, and waiting for what is to come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias, TypeVar

from target.emulator.entries import shown
from target.emulator.journal import Event, Journal
from target.emulator.stopping import Stopping, hung_up

try:
    from starlette.requests import Request
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

# An idle stream says something now and then, so that nothing on the way takes it for dead.
_IDLE_S = 15.0
# Who reads so slowly that this much waits is cut off, and comes back with the number of what it saw last.
_MOST_WAITING = 10_000

#: What came; None: it is over.
Queue: TypeAlias = "asyncio.Queue[Event | None]"
_T = TypeVar("_T")


@contextmanager
def followed(journal: Journal, stopping: Stopping, request: Request | None = None) -> Iterator[Queue]:
    """What comes from now on, until the block is left, the server stops, or the client of `request` hangs up."""
    queue: Queue = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(event: Event | None) -> None:
        waiting = queue.qsize()
        if waiting <= _MOST_WAITING:
            queue.put_nowait(event if waiting < _MOST_WAITING else None)

    def tell(event: Event) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody listens any longer
            loop.call_soon_threadsafe(put, event)

    ends: list[Callable[[], object]] = [journal.listen(tell), stopping.listen(lambda: put(None))]
    if request is not None:
        gone = asyncio.ensure_future(hung_up(request))
        gone.add_done_callback(lambda _: put(None))
        ends.append(gone.cancel)
    try:
        yield queue
    finally:
        for end in ends:
            end()


async def stream(
    journal: Journal, stopping: Stopping, request: Request, since: int | None = None
) -> AsyncIterator[str]:
    """The journal as server-sent events: first what is kept after the number `since`, then what comes."""
    with followed(journal, stopping, request) as queue:
        last = 0
        yield ": what the emulator receives, as it comes\n\n"
        for event in [] if since is None else kept_after(journal, since):
            last = event.number
            yield _written(event)
        while True:
            try:
                event_or_end = await asyncio.wait_for(queue.get(), _IDLE_S)
            except TimeoutError:
                yield ": nothing new\n\n"
                continue
            if event_or_end is None:
                return
            if event_or_end.number > last:
                yield _written(event_or_end)


async def wait_for(
    find: Callable[[], list[_T]], n: int, timeout_s: float, journal: Journal, stopping: Stopping, request: Request
) -> list[_T]:
    """What `find` finds once it is `n`, or fewer where the time has passed, the client has gone or the server stops."""
    with followed(journal, stopping, request) as queue, suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while len(find()) < n and await queue.get() is not None:
                pass
    return find()


def kept_after(journal: Journal, since: int) -> list[Event]:
    """What is kept of what came after the number ``since``, in order."""
    kept = [Event("request", one.number, shown(one)) for one in (*journal.received, *journal.fetched)]
    kept += [Event("notification", entry["number"], entry) for entry in journal.notifications]
    return sorted((event for event in kept if event.number > since), key=lambda event: event.number)


def _written(event: Event) -> str:
    return f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
