"""aiohttp's connections as this package needs them: kept only while they are clean, closed at once, names looked up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from urllib3.util.connection import allowed_gai_family

from target._background.clock import monotonic_s
from target._http.aio.timing import Alarms
from target._http.beside import Superseded
from target._http.heads import LONGEST_HEAD, parse_framing
from target._http.liveness import has_come, is_suspect, keep_alive, poll_of
from target._http.resolve import addresses_of, look_up

_NEXT_ADDRESS_S = 0.25
_LAST_CHUNK = b"0\r\n\r\n"


class Sending:
    """One attempt on its way.

    On a kept connection, which may be dead, the first byte is waited for so many seconds before ``try_beside`` is
    called. That is done in two halves: a loop may be busy for all of one, with a thousand calls begun at once, and then
    it has the other to write this one and to read what has come.

    Args:
        alarms: Of the loop.
        anew: Whether only a new connection will do.
        patience_s: Those seconds; None: for as long as there is time.
    """

    __slots__ = ("_alarms", "_idle_s", "_is_half_over", "_tick", "anew", "connection", "patience_s")

    def __init__(self, alarms: Alarms, anew: bool, patience_s: float | None = None) -> None:
        self._alarms, self.anew, self.patience_s = alarms, anew, patience_s
        self.connection: Connection | None = None  # it was sent on
        self._tick: int | None = None  # when to look whether something has come
        self._is_half_over = False

    def is_sent_on(self, connection: Connection, idle_s: float | None) -> None:
        """It is about to be written to ``connection``, which was idle for so long; None: which is new."""
        self.connection, self._idle_s = connection, idle_s
        if idle_s is not None:
            self._wait()

    def heard(self) -> None:
        """Something came, or nothing will."""
        if self._tick is not None:
            self._alarms.call_off(self._tick, self)
            self._tick = None

    def ring(self) -> None:
        """Nothing came."""
        if self._tick is None or self.connection is None or self.connection.transport is None:
            return
        self._tick = None
        if not self._is_half_over or self.connection.has_come():
            self._is_half_over = True
            self._wait()
        elif is_suspect(self._idle_s, self.connection.transport.get_extra_info("socket")):
            self.try_beside()

    def try_beside(self) -> None:
        """Attempt the same over a new connection, while this one may still be answered."""

    def _wait(self) -> None:
        if self.patience_s is not None:
            self._tick = self._alarms.set(monotonic_s() + self.patience_s / 2, self)


#: What the running task sends.
sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


class Opened:
    """The connections of one client."""

    def __init__(self) -> None:
        self.made = 0
        self.now: dict[Connection, None] = {}

    def counts(self) -> dict[str, int]:
        """How many are ``idle``, and were ``made``. Any thread may ask."""
        return {"idle": sum(connection.is_idle for connection in self.now.copy()), "made": self.made}


class Connection(ResponseHandler):
    """One connection, closed as soon as a byte comes that is no part of the answer to the request just sent.

    aiohttp would take such bytes for the next answer, which is another visitor's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, opened: Opened) -> None:
        super().__init__(loop)
        self._opened = opened

    took_kept = False
    _heard_at_s: float | None = None
    _now: Sending | None = None  # until something comes
    _answered = False
    _between = True  # answers
    _head: bytes | None = None  # what has come of it; None once it is whole, or aiohttp's alone to read
    _body_left: int | None = None  # in bytes, where the head says how many there are
    _chunked = False
    _last = b""
    _is_last = False  # answer: aiohttp's own force_close() is missing from 3.11.0 to 3.11.7

    @property
    def should_close(self) -> bool:
        """Whether the connection ends with the answer that is being read; aiohttp asks this before it keeps one."""
        return self._is_last or super().should_close

    def set_response_params(self, **options: Any) -> None:
        """Expect an answer: aiohttp calls this before it sends a request."""
        self._answered, self._between = False, False
        self._head, self._body_left, self._chunked, self._last = b"", None, False, b""
        now = self._now = sending.get()
        if now is not None:
            heard_at_s = self._heard_at_s
            self.took_kept = heard_at_s is not None
            now.is_sent_on(self, None if heard_at_s is None else monotonic_s() - heard_at_s)
        super().set_response_params(**options)

    @property
    def is_idle(self) -> bool:
        """Whether it has answered, and nothing is sent on it."""
        return self._between and self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and let the system see to it that it does not end unnoticed."""
        super().connection_made(transport)
        self._opened.made += 1
        self._opened.now[self] = None
        sock = transport.get_extra_info("socket")
        keep_alive(sock)
        self._sock, self._poll = sock, poll_of(sock)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End. Before 3.14 aiohttp leaves an error to a writer that waits for room, which may have been cancelled."""
        self._opened.now.pop(self, None)
        self._end_silence()
        waiter = getattr(self, "_drain_waiter", None)
        super().connection_lost(exc)
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()  # so that nobody is told that it was not asked for

    def data_received(self, data: bytes) -> None:
        """Take what belongs to the answer."""
        if not data:  # aiohttp calls itself, to go on with what it has
            super().data_received(data)
            return
        if self._between:
            self.close()
            return
        self._answered = True
        self._heard_at_s = monotonic_s()
        self._end_silence()
        super().data_received(self._cut(data))
        if self._chunked:
            self._look_for_end(data)

    def is_connected(self) -> bool:
        """Whether a request may be sent here. What came unasked, and the busy loop has not read, would answer it."""
        now = sending.get()
        if (now is not None and now.anew) or not super().is_connected() or self.transport is None:
            return False
        return not self.has_come()

    def has_come(self) -> bool:
        """Whether there is something to be read that was not."""
        return has_come(self._sock, self._poll)

    def set_exception(self, exc: Any, *cause: Any) -> None:
        """Fail the request just sent."""
        if not self._answered and isinstance(exc, OSError | aiohttp.ServerDisconnectedError):
            exc = aiohttp.ClientConnectionResetError()  # which says that the request may be sent again
        super().set_exception(exc, *cause)

    def supersede(self, answer: Any) -> None:
        """Let the request just sent end with Superseded, unless its answer has begun."""
        if not self._answered and not self._between:
            self.set_exception(Superseded(answer))

    def discard(self) -> None:
        """Close after an answer that was no good; where another request has begun here meanwhile, after that."""
        if self._between:
            self.close()
        else:
            self._is_last = True

    def close(self) -> None:
        """Close at once: TLS would first wait for the other side to say goodbye."""
        if self.transport is not None:
            self.transport.abort()
        super().close()

    def _end_silence(self) -> None:
        if self._now is not None:
            self._now.heard()
            self._now = None

    def _look_for_end(self, data: bytes) -> None:
        """Of the chunks: aiohttp finds it."""
        self._last = (self._last + data)[-len(_LAST_CHUNK) :]
        if self._payload is not None and self._payload.is_eof():
            self._between = True
            if self._last != _LAST_CHUNK:
                self.close()

    def _cut(self, data: bytes) -> bytes:
        """``data`` without what follows the answer, where its head says how long it is."""
        if self._head is not None:
            before = len(self._head)
            self._head += data
            parsed = parse_framing(self._head)
            if parsed is None:
                if b"\r\n\r\n" in self._head or len(self._head) > LONGEST_HEAD:
                    self._head = None
                    self._is_last = True  # an unusual head: who knows where aiohttp sees the answer's end
                return data
            (chunked, length, size), self._head = parsed, None
            if length is None:
                self._chunked = chunked
                return data
            ends = size - before + length
        elif self._body_left is not None:
            ends = self._body_left
        else:
            return data
        self._body_left = max(ends - len(data), 0)
        self._between = len(data) >= ends
        if len(data) > ends:
            self._is_last = True
        return data[:ends]


class Connector(aiohttp.TCPConnector):
    """Connections to any host, as many as are asked for: the client counts its calls itself."""

    def __init__(self, timeout_s: float, max_idle_s: float, opened: Opened) -> None:
        super().__init__(
            limit=0,
            keepalive_timeout=max_idle_s,
            use_dns_cache=False,
            resolver=_Resolver(),
            # An address that does not answer must not eat the time of those after it.
            happy_eyeballs_delay=min(_NEXT_ADDRESS_S, timeout_s / 4),
        )
        self._factory = cast("partial[ResponseHandler]", partial(Connection, asyncio.get_running_loop(), opened))

    def __del__(self, *_: object) -> None:
        """Say nothing, not even when it was not closed: the user never made one, and its sockets end with it."""


class _Resolver(AbstractResolver):
    """Lookups on threads that nobody waits for at exit; aiohttp's own take those of the loop's default executor."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        lookup = look_up(host, port, family or allowed_gai_family())
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                loop.call_soon_threadsafe(done.set)

        lookup.add_done_callback(tell)
        await done.wait()
        return [
            ResolveResult(hostname=host, host=str(where[0]), port=port, family=kind, proto=protocol, flags=0)
            for kind, _, protocol, _, where in addresses_of(lookup, host)
        ]

    async def close(self) -> None:
        """Nothing is kept."""
