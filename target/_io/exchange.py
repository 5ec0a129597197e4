"""urllib3 connections that keep to a deadline, and are used again only while they are clean."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import Any, cast

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HeaderParsingError, NewConnectionError
from urllib3.util.response import assert_header_parsing

from target._io.abort import Abort
from target._io.clock import monotonic_s
from target._io.deadline import SOONEST_S, Exchange
from target._io.heads import ends_in_one_place, parse_head, write_headers

_READ_BYTES = 65536
_TLS_RECORD_BYTES = 16384
# urllib3 is given these two, which it would add itself, for all the headers that are written in one piece.
_IN_LINES = {"Accept-Encoding": "", "User-Agent": ""}


class DiedUnanswered(ConnectionResetError):
    """The connection broke before the first byte of an answer, so the request may be sent again."""


class NotNew(ConnectionResetError):
    """The connection was used before, and the exchange wants one that was not: its pool is to be asked again."""


class _Reader(io.RawIOBase):
    """The receiving side of one connection; every read gets what is left of the deadline."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection) -> None:
        self._sock = sock
        self._hold = sock.makefile("rb", buffering=0)  # the socket stays open until this is closed, too
        self._connection = connection
        self.finished = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.finished:
            return 0
        connection = self._connection
        connection.arm(self._sock)
        try:
            count = self._sock.recv_into(buffer)
        except ConnectionError as error:
            raise error if connection.answered else DiedUnanswered(*error.args) from error
        if count:
            connection.answered = True
        return count

    def close(self) -> None:
        if not self.closed:
            self._hold.close()
            super().close()


class _Wire:
    """What http.client needs of a socket to read an answer from it."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection) -> None:
        self._sock = sock
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._connection), _READ_BYTES)


class _Answer(http.client.HTTPResponse):
    """An answer that closes its connection when more bytes came than belong to it: the next answer would be wrong."""

    _is_given_up = False

    def __init__(self, sock: socket.socket, connection: DeadlineConnection, *positional: Any, **options: Any) -> None:
        super().__init__(cast("socket.socket", _Wire(sock, connection)), *positional, **options)
        self._carrier = connection

    def begin(self) -> None:
        try:
            if self.headers is not None or self.debuglevel or not self._begin_plain():
                super().begin()
                if self._carrier.keeps_deadline:
                    assert_header_parsing(self.msg)
                    if not ends_in_one_place(self.msg):
                        raise http.client.HTTPException("no telling where the body ends")
        except http.client.RemoteDisconnected as error:
            if self._carrier.answered:
                raise http.client.BadStatusLine("nothing but interim answers") from error
            raise
        except HeaderParsingError:  # urllib3 would go on, with a warning that shows the URL, session id included
            raise http.client.HTTPException("headers that cannot be read") from None

    def _read_status(self) -> tuple[str, int, str]:
        """The status of the answer itself: http.client takes any interim one but 100 for it."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not (self._carrier.keeps_deadline and 101 < status < 200):
                return version, status, reason
            http.client.parse_headers(self.fp)

    def _begin_plain(self) -> bool:
        """Take status and headers from what has arrived, where they are plain; else leave all to http.client."""
        reader = self.fp
        parsed = parse_head(reader.peek(1))
        if parsed is None:
            return False
        head, size = parsed
        reader.read(size)
        self.version, self.chunk_left = 11, None
        self.code, self.status, self.reason = head.status, head.status, head.reason
        self.chunked, self.length, self.will_close = head.chunked, head.length, head.will_close
        self.headers = self.msg = head.headers
        return True

    def close(self) -> None:
        self._is_given_up = True  # whoever has read all of it has closed it by that
        super().close()

    def _close_conn(self) -> None:
        self._carrier.disarm()
        reader = cast("io.BufferedReader | None", self.fp)
        if reader is None:
            return  # a call that was ended has closed all of it
        left_over = b""
        if not reader.closed:
            cast("_Reader", reader.raw).finished = True
            left_over = reader.peek(1)
        super()._close_conn()  # type: ignore[misc]
        # While a proxy's tunnel is being made, TLS finds out for itself whether what follows is right.
        if not self._carrier.connecting:
            if left_over:
                self._carrier.close()
            self._carrier.is_in_use = self._is_given_up


class DeadlineConnection(HTTPConnection):
    """Mixed into a connection class: with a Deadline as timeout, connecting, sending and reading end when it does.

    With any other timeout it behaves as the class it is mixed into, since a pool may have other users than this
    package.
    """

    answered = False
    connecting = False
    #: From before the first byte of a request until the last one of its answer.
    is_in_use = False
    #: Whether an answer came that was another request's.
    is_spoilt = False
    #: Whose answer is waited for, where somebody will say whether it is right.
    exchange: Exchange | None = None
    _was_used = False
    _seconds: float | None = None
    _ends_at: float | None = None
    _abort: Abort | None = None
    _held: list[bytes] | None = None
    _lines: bytes | None = None

    @property
    def keeps_deadline(self) -> bool:
        """Whether the call in progress is one of this package's."""
        return self._ends_at is not None

    @property
    def timeout(self) -> float | None:
        """Seconds left."""
        return self._seconds if self._ends_at is None else max(self._ends_at - monotonic_s(), SOONEST_S)

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        self._seconds = value
        self._ends_at = getattr(value, "ends_at", None)
        self._abort = getattr(value, "abort", None)
        self.exchange = getattr(value, "exchange", None)

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again."""
        return not (self.is_in_use or self.is_spoilt) and super().is_connected

    def arm(self, sock: socket.socket) -> None:
        """Give the socket what is left of the time. Raises TimeoutError when nothing is."""
        if self._ends_at is None:
            return
        remaining_s = self._ends_at - monotonic_s()
        if remaining_s <= 0:
            raise TimeoutError("the deadline has passed")
        sock.settimeout(remaining_s)
        if self._abort is not None and not self.connecting:
            self._abort.watch_socket(sock)

    def disarm(self) -> None:
        """The answer is complete: what ends this call from now on must not end the connection's next one."""
        if self._abort is not None and not self.connecting:
            self._abort.watch(None)
            if self._abort.called:
                self.close()

    def connect(self) -> None:
        self.connecting, self.is_in_use, self.is_spoilt, self._was_used = True, False, False, False
        try:
            super().connect()
        except (ConnectionError, ssl.SSLEOFError) as error:
            if self._ends_at is None:
                raise
            raise NewConnectionError(self, "The connection broke before it could be used") from error
        finally:
            self.connecting = False

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        """Send headers and body as one: as two packets they may wait for each other (Nagle's algorithm, at proxies)."""
        if self._ends_at is None:
            self._was_used = True
            super().request(method, url, body, headers, **options)
            return
        if self.exchange is not None:
            is_kept = self._was_used and self.sock is not None
            if is_kept and self.exchange.anew:  # of a pool that keeps its connections in its own way
                raise NotNew("a new connection was asked for")
            self.exchange.is_carried_by(self, is_kept)
        self.is_in_use = self._was_used = True
        held = self._held = []
        self._lines = write_headers(headers)
        try:
            super().request(method, url, body, headers if self._lines is None else _IN_LINES, **options)
        finally:
            self._held = self._lines = None
        self.send(b"".join(held))

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header; one that stands for all those already written adds them in one piece."""
        if self._lines is None or header not in _IN_LINES:
            super().putheader(header, *values)
        elif header == "User-Agent":
            self._output(self._lines)  # type: ignore[attr-defined]

    def send(self, data: Any) -> None:
        if self._ends_at is None or not isinstance(data, bytes):
            super().send(data)
            return
        if self._held is not None:
            self._held.append(data)
            return
        if self.sock is None:
            self.connect()
        self.answered = False
        try:
            # TLS counts its timeout anew for each record, hence the pieces.
            for start in range(0, len(data), _TLS_RECORD_BYTES):
                self.arm(self.sock)
                super().send(data if len(data) <= _TLS_RECORD_BYTES else data[start : start + _TLS_RECORD_BYTES])
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise BrokenPipeError(*error.args) from error  # what the same end of a connection is without TLS

    def response_class(self, sock: socket.socket, *positional: Any, **options: Any) -> _Answer:  # type: ignore[override]
        return _Answer(sock, self, *positional, **options)

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> Any:
        """TLS within TLS reads from the proxy in a loop of its own, so each of those reads must be bounded, too."""
        outer = super()._connect_tls_proxy(hostname, sock)  # type: ignore[misc]
        receive = outer.recv

        def recv(size: int) -> bytes:
            self.arm(outer)
            return cast("bytes", receive(size))

        outer.recv = recv
        return outer
