"""urllib3 connections that keep to a deadline: urllib3's own timeout is per read, so a dripping server outlasts it."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import sys
import time
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from target._io.resolve import AddressInfo, resolve

_SOONEST_S = 0.001  # a socket timeout of 0 would mean "do not block"
_SEND_BYTES = 65536


class Deadline(urllib3.Timeout):
    """A point in time in the shape of a Timeout: however often urllib3 asks, it is told what is left."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self.ends_at = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return self.ends_at - time.monotonic()

    def clone(self) -> Deadline:
        """The same point in time: urllib3 clones a Timeout before each use of it."""
        return self

    def start_connect(self) -> float:
        """Nothing to start: this clock already runs."""
        return 0.0

    @property
    def connect_timeout(self) -> float:
        """Seconds left for connecting."""
        return max(self.remaining_s(), _SOONEST_S)

    @property
    def read_timeout(self) -> float:
        """Seconds left for reading; 0 makes urllib3 give up."""
        return max(self.remaining_s(), 0.0)


class DiedUnanswered(ConnectionResetError):
    """The connection broke before the first byte of an answer, so the request may be sent again."""


class _Reader(io.RawIOBase):
    """The receiving side of one connection; every read gets what is left of the deadline."""

    def __init__(self, raw: Any, connection: DeadlineConnection) -> None:
        self._raw = raw
        self._connection = connection
        self.finished = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.finished:
            return 0
        connection = self._connection
        connection.arm()
        try:
            count: int | None = self._raw.readinto(buffer)
        except ConnectionError as error:
            raise error if connection.answered else DiedUnanswered(*error.args) from error
        if count:
            connection.answered = True
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _Wire:
    """What http.client needs of a socket to read an answer from it."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection) -> None:
        self._sock = sock
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock.makefile("rb", buffering=0), self._connection), _SEND_BYTES)


class _Answer(http.client.HTTPResponse):
    """An answer that closes its connection when more bytes came than belong to it: the next answer would be wrong."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection, **options: Any) -> None:
        super().__init__(cast("socket.socket", _Wire(sock, connection)), **options)
        self._carrier = connection

    def _close_conn(self) -> None:
        reader = cast("io.BufferedReader | None", self.fp)
        if reader is not None and not reader.closed:
            cast("_Reader", reader.raw).finished = True
            if reader.peek(1) and not self._carrier.is_closed:
                self._carrier.close()
        super()._close_conn()  # type: ignore[misc]


class DeadlineConnection(HTTPConnection):
    """Mixed into a connection class: reads and writes end at the time that ``timeout``, when set, counts up to."""

    answered = False
    _ends_at: float | None = None

    @property
    def timeout(self) -> float | None:
        """Seconds left. Setting it starts the clock."""
        return None if self._ends_at is None else max(self._ends_at - time.monotonic(), _SOONEST_S)

    @timeout.setter
    def timeout(self, value: Any) -> None:
        self._ends_at = time.monotonic() + value if isinstance(value, int | float) else None

    def arm(self) -> None:
        """Give the socket what is left of the time. Raises TimeoutError when nothing is."""
        if self._ends_at is None:
            return
        remaining_s = self._ends_at - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError("the deadline has passed")
        self.sock.settimeout(remaining_s)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.answered = False
        if not isinstance(data, bytes):
            self.arm()
            super().send(data)
            return
        # TLS counts its timeout anew for each record, hence the pieces.
        for start in range(0, len(data), _SEND_BYTES):
            self.arm()
            super().send(data if len(data) <= _SEND_BYTES else data[start : start + _SEND_BYTES])

    def response_class(self, sock: socket.socket, **options: Any) -> _Answer:  # type: ignore[override]
        return _Answer(sock, self, **options)


class _TimelyConnect(DeadlineConnection):
    """Mixed into urllib3's own connection classes: name lookup and every address share the deadline."""

    def _new_conn(self) -> socket.socket:
        if self.timeout is None:
            return super()._new_conn()
        try:
            addresses = resolve(self._dns_host, self.port, allowed_gai_family(), self.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"No address for {self.host} in time") from error
        except OSError as error:
            raise NameResolutionError(self.host, self, cast("socket.gaierror", error)) from error
        failure: OSError | None = None
        for position, address in enumerate(addresses):
            try:
                # One address that does not answer must not eat the time of those after it.
                sock = self._connect_to(address, self.timeout / (len(addresses) - position))
            except OSError as error:
                failure = error
            else:
                sys.audit("http.client.connect", self, self.host, self.port)
                sock.settimeout(self.timeout)  # the TLS handshake, if one follows, gets what is left
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from failure
        raise NewConnectionError(self, f"Failed to establish a new connection: {failure}") from failure

    def _connect_to(self, address: AddressInfo, timeout_s: float) -> socket.socket:
        family, kind, protocol, _, where = address
        sock = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout_s)
            if self.source_address:
                sock.bind(self.source_address)
            sock.connect(where)
        except OSError:
            sock.close()
            raise
        return sock


@functools.cache
def _deadline_class(plain: type) -> type:
    """The connection class ``plain`` with deadlines. A stand-in that is no urllib3 connection stays as it is."""
    if not issubclass(plain, HTTPConnection):
        return plain
    # A class that connects its own way (SOCKS) keeps doing so.
    mixin = _TimelyConnect if plain._new_conn is HTTPConnection._new_conn else DeadlineConnection
    return type(f"Deadline{plain.__name__}", (mixin, plain), {})


def use_deadlines(pool: Any) -> None:
    """Make new connections of a urllib3 connection pool keep to their deadlines.

    Asked before every call, since test tools replace ``ConnectionCls`` of the pool's class while they record.
    """
    own = vars(pool).get("ConnectionCls")
    plain = type(pool).ConnectionCls if own is None or issubclass(own, DeadlineConnection) else own
    wanted = _deadline_class(plain)
    if pool.ConnectionCls is not wanted:
        pool.ConnectionCls = wanted
