"""Owns what goes wrong because somebody asked for it: for which of the next calls, and how that is on the wire."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import MutableMapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from target.emulator.stopping import Stopping

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

OF = ("delivery", "rules", "geo")
KINDS = ("reset", "drip", "half")
#: Where `serve` and `running` say which connection a request came on.
CONNECTION = "target.emulator.connection"
#: Between one byte of an answer and the next.
DRIP_MS = 100
MOST_CALLS = 1_000_000
MOST_LATENCY_MS = 3_600_000
RETRY_AFTER_S = 1
_END_S = 10  # for the other side to see that a connection has ended


@dataclass(slots=True)
class Fault:
    """What happens to the next `n` calls of a kind.

    `fault` is a status ("503"), "reset" (the connection is broken off instead of an answer), "drip" (the answer comes
    byte by byte), "half" (half of it comes, then the connection ends), or None: only `latency_ms` passes first.
    """

    n: int
    fault: str | None
    latency_ms: float
    of: str

    @property
    def status(self) -> int | None:
        """The status to answer with, where the fault is one."""
        return int(self.fault) if self.fault is not None and self.fault.isdigit() else None

    @property
    def stops_early(self) -> bool:
        """Whether nothing of the call is done: what is slow, drips or breaks off halfway was still counted."""
        return self.status is not None or self.fault == "reset"

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return "latency" if self.fault is None else self.fault


@dataclass(frozen=True, slots=True)
class FailingShare:
    """A share of calls, 0 to 1, that is answered with an error status."""

    rate: float
    status: int


def parse_failure(value: str) -> FailingShare:
    """Read RATE:STATUS, as in 0.2:503; raises ValueError with what to write instead."""
    found = re.fullmatch(r"(0|1|[01]?\.\d+):([45]\d\d)", value)
    if not found or float(found[1]) > 1:
        raise ValueError(f"{value!r} is not RATE:STATUS; write a rate from 0 to 1 and a status of 4xx or 5xx: 0.2:503")
    return FailingShare(float(found[1]), int(found[2]))


class Faults:
    """The faults that are still to come, in the order they were asked for. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Fault] = []

    def fail_next(
        self, n: int = 1, fault: str | int | None = None, *, latency_ms: float = 0, of: str = "delivery"
    ) -> Fault:
        """Let the next `n` calls fail, after those that were asked for before.

        Args:
            n: How many calls.
            fault: A status from 300 to 599, "reset", "drip" or "half"; None for latency alone.
            latency_ms: How long each takes, before anything of an answer.
            of: Which calls: "delivery", "rules" (the artifact) or "geo".

        Raises:
            ValueError: One of them cannot be; the message says what can.
        """
        text = None if fault is None else str(fault)
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_CALLS:
            raise ValueError(f"n is how many calls: a whole number from 1 to {MOST_CALLS}, not {n!r}")
        if text is not None and text not in KINDS and not re.fullmatch(r"[345]\d\d", text):
            raise ValueError(f"fault is a status from 300 to 599, or one of {', '.join(KINDS)}, not {fault!r}")
        if isinstance(latency_ms, bool) or not isinstance(latency_ms, int | float):
            raise ValueError(f"latency_ms is a number of milliseconds, not {latency_ms!r}")
        if not 0 <= latency_ms <= MOST_LATENCY_MS:
            raise ValueError(f"latency_ms is milliseconds from 0 to {MOST_LATENCY_MS}, not {latency_ms!r}")
        if of not in OF:
            raise ValueError(f"of is one of {', '.join(OF)}, not {of!r}")
        if text is None and not latency_ms:
            raise ValueError(f"say what goes wrong: fault (a status, {', '.join(KINDS)}), latency_ms, or both")
        asked = Fault(n, text, float(latency_ms), of)
        with self._lock:
            self._waiting.append(asked)
        return asked

    def take(self, of: str) -> Fault | None:
        """What is to happen to a call that came just now; it counts as one of the next."""
        with self._lock:
            found = next((fault for fault in self._waiting if fault.of == of), None)
            if found is None:
                return None
            found.n -= 1
            if not found.n:
                self._waiting.remove(found)
            return Fault(1, found.fault, found.latency_ms, of)

    def clear(self, of: str | None = None) -> None:
        """Let nothing more fail, or nothing of one kind of call."""
        with self._lock:
            self._waiting = [fault for fault in self._waiting if of is not None and fault.of != of]

    def waiting(self) -> list[dict[str, Any]]:
        """The faults to come, in order: {"n": calls left, "fault", "latency_ms", "of"}."""
        with self._lock:
            return [
                {"n": one.n, "fault": one.fault, "latency_ms": one.latency_ms, "of": one.of} for one in self._waiting
            ]


async def suffer(request: Request, response: Response, fault: Fault | None, stopping: Stopping) -> Response:
    """The answer to send instead of `response`, once the latency of `fault` has passed."""
    if fault is None:
        return response
    await stopping.sleep(request, fault.latency_ms / 1000)
    if fault.fault == "reset":
        return _Reset(stopping)
    if fault.fault == "half":
        return _Half(response, stopping)
    if fault.fault == "drip":
        return _Drip(response, stopping)
    return response


class _Reset(Response):
    """No answer: the connection is reset (TCP RST)."""

    def __init__(self, stopping: Stopping) -> None:
        super().__init__()
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        connection = _connection(scope)
        underlying = connection.get_extra_info("socket")
        if underlying is not None:
            # Closed while told not to linger, a socket says RST instead of FIN.
            underlying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.abort()
        await self._stopping.sleep(Request(scope, receive), _END_S)


class _Half(Response):
    """The head of an answer and half of its body; then the connection ends, in order."""

    def __init__(self, whole: Response, stopping: Stopping) -> None:
        super().__init__()
        self._whole, self._stopping = whole, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = _connection(scope)
        body = bytes(self._whole.body)
        await send(_head(self._whole, max(len(body), 2)))
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        connection.close()
        await self._stopping.sleep(Request(scope, receive), _END_S)


class _Drip(Response):
    """An answer that comes one byte at a time."""

    def __init__(self, whole: Response, stopping: Stopping) -> None:
        super().__init__()
        self._whole, self._stopping = whole, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._whole.body)
        await send(_head(self._whole, len(body)))
        request = Request(scope, receive)
        for place in range(len(body)):
            await self._stopping.sleep(request, DRIP_MS / 1000)
            await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _head(response: Response, length: int) -> MutableMapping[str, Any]:
    headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
    headers.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _connection(scope: Scope) -> asyncio.Transport:
    connection = scope.get("extensions", {}).get(CONNECTION)
    if not isinstance(connection, asyncio.Transport):
        raise ConnectionResetError("this fault breaks a connection, which only the emulator's own server lets it do")
    return connection
