"""urllib3 connections that keep to a deadline, and are used again only while they are clean."""

from __future__ import annotations

import math
import socket
import ssl
import traceback
from http.client import RemoteDisconnected
from typing import Any, cast

from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from target._background.clock import monotonic_s
from target._http.abort import Abort
from target._http.deadline import SOONEST_S, Deadline, Exchange
from target._http.heads import write_headers
from target._http.liveness import SUSPECT_IDLE_S
from target._http.reading import Answer

_TLS_RECORD_BYTES = 16384
_NEAR_S = 0.001
#: What says at once how much of a request was taken, and how it says that none was.
_PLAIN = frozenset({socket.socket, ssl.SSLSocket})
_LATER = (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError)
# urllib3 is given these, which it would add itself, for the headers that are written in one piece: all of them, once it
# is known what is written for the host.
_IN_LINES = {"Accept-Encoding": "", "User-Agent": ""}
_ALL_IN_LINES = {"Host": "", "Content-Length": "", **_IN_LINES}


class NotNew(ConnectionResetError):
    """The connection was used before, and the exchange wants one that was not: its pool is to be asked again."""


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
    #: For how long an answer is waited for alone that has not begun, and may come over another connection instead.
    patience_s = math.inf
    _was_used = False
    deadline: Deadline  # where _ends_at is not None
    idle_s: float | None = None  # for how long it was, when this call took it up; None when the call made it
    _heard_at_s: float | None = None  # anything at last, unless a call is in progress
    _seconds: float | None = None
    _ends_at: float | None = None
    _abort: Abort | None = None
    _held: list[bytes] | None = None
    _lines: bytes | None = None
    _host: bytes | None = None  # the line that names it, where the request says but a path; b"" where there is none

    @property
    def keeps_deadline(self) -> bool:
        """Whether the call in progress is one of this package's."""
        return self._ends_at is not None

    @property
    def timeout(self) -> float | None:
        """Seconds left, or for which the first byte of an answer is waited for alone; 0 for a request about to be sent,
        since what fits into the system's buffer needs no waiting."""
        if self._ends_at is None:
            return self._seconds
        if self._held is not None:
            return 0.0
        return max(min(self._ends_at - monotonic_s(), self.patience_s), SOONEST_S)

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        deadline = getattr(value, "deadline", None)
        if deadline is not None and deadline is self.exchange:  # urllib3 says it again before each step
            return
        self._seconds = value
        self.exchange = deadline if isinstance(deadline, Exchange) else None
        if deadline is None:
            self._ends_at = self._abort = None
            return
        self.deadline, self._ends_at, self._abort = deadline, deadline.ends_at, deadline.abort
        if self._heard_at_s is not None and self.sock is not None:  # this call takes it up
            self.idle_s, self._heard_at_s = monotonic_s() - self._heard_at_s, None
            if self.idle_s >= deadline.keeping.max_idle_s:
                self.close()

    @property
    def is_stale(self) -> bool:
        """Whether it is idle, and has been for too long to be used again."""
        heard_at_s = self._heard_at_s  # once: the thread that looks may not be the one that takes it up meanwhile
        return heard_at_s is not None and monotonic_s() - heard_at_s >= self.deadline.keeping.max_idle_s

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again."""
        return not (self.is_in_use or self.is_spoilt) and super().is_connected

    @property
    def may_answer_elsewhere(self) -> bool:
        """Whether the answer has not begun, and may come over another connection instead."""
        if self.answered or self._ends_at is None or self.connecting:
            return False
        deadline = self.deadline
        return deadline.first is not None or (self.idle_s is not None and deadline.try_beside is not None)

    def arm(self, sock: socket.socket, most_s: float = math.inf) -> None:
        """Give the socket what is left of the time, or ``most_s`` of it. Raises TimeoutError when nothing is."""
        if self._ends_at is None:
            return
        remaining_s = self._ends_at - monotonic_s()
        if remaining_s <= 0:
            raise TimeoutError("the deadline has passed")
        wanted_s = min(remaining_s, most_s)
        given_s = sock.gettimeout() if hasattr(sock, "gettimeout") else None  # pyOpenSSL's cannot say
        if not given_s or abs(given_s - wanted_s) > _NEAR_S:  # else urllib3 has just given it that
            sock.settimeout(wanted_s)
        if self._abort is not None and not self.connecting:
            self._abort.watch_socket(sock)

    def heard(self) -> None:
        """Something came."""
        self.answered = True
        self._heard_at_s = None if self.connecting else monotonic_s()

    def disarm(self) -> None:
        """The answer is complete: what ends this call from now on must not end the connection's next one."""
        if self._abort is not None and not self.connecting:
            self._abort.watch(None)
            if self._abort.called:
                self.close()

    def connect(self) -> None:
        self.connecting, self.is_spoilt, self._was_used = True, False, False
        try:
            super().connect()
        except OSError as error:
            _close_half_made(error)
            if self._ends_at is None or not isinstance(error, ConnectionError | ssl.SSLEOFError):
                raise
            raise NewConnectionError(self, "The connection broke before it could be used") from error
        finally:
            self.connecting = False
            self.idle_s = self._heard_at_s = None

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        """Send headers and body as one: as two packets they may wait for each other (Nagle's algorithm, at proxies)."""
        if self._ends_at is None:
            self._was_used = True
            super().request(method, url, body, headers, **options)
            return
        is_kept = self._was_used and self.sock is not None
        if is_kept and self.deadline.anew:  # of a pool that keeps its connections in its own way
            raise NotNew("a new connection was asked for")
        self.deadline.took_kept = is_kept
        if self.exchange is not None:
            self.exchange.is_carried_by(self, is_kept)
        self.is_in_use = True
        held = self._held = []
        given = self._write_lines(url, body, headers, options.get("chunked", False))
        try:
            super().request(method, url, body, given, **options)
        finally:
            self._held = self._lines = None
        if given is _IN_LINES and self._host is None and url.startswith("/"):
            self._host = _host_line(held[0])
        self.send(b"".join(held))  # which connects, if need be
        self._was_used = True

    def _write_lines(self, url: str, body: Any, headers: Any, chunked: bool) -> Any:
        """Write the headers, as many of them as can be in one piece: what to give urllib3 in their place."""
        lines = self._lines = write_headers(headers)
        if lines is None:
            return headers
        # To a proxy goes a whole URL, and the host is the one in that.
        if not self._host or chunked or body.__class__ is not bytes or not url.startswith("/"):
            return _IN_LINES
        self._lines = b"%b\r\nContent-Length: %d\r\n%b" % (self._host, len(body), lines)
        return _ALL_IN_LINES

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header; one that stands for all those already written adds them in one piece."""
        if self._lines is None or header not in _ALL_IN_LINES or values != ("",):
            super().putheader(header, *values)
        elif header == "User-Agent":
            self._output(self._lines)  # type: ignore[attr-defined]

    def getresponse(self) -> Any:
        deadline = self.deadline if self.may_answer_elsewhere else None
        if deadline is not None and deadline.first is None:
            self.patience_s = deadline.keeping.patience_s(deadline.remaining_s())
        try:
            return super().getresponse()  # which gives the socket its timeout
        finally:
            self.patience_s = math.inf

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
            if len(data) <= _TLS_RECORD_BYTES:
                data = self._send_at_once(data)
                if data:
                    self.arm(self.sock)
                    super().send(data)
            else:
                self._send_pieces(data)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise BrokenPipeError(*error.args) from error  # what the same end of a connection is without TLS

    def _send_at_once(self, data: bytes) -> bytes:
        """Send what the system takes without waiting, where urllib3 has told the socket so; what is left of it."""
        sock = self.sock
        if sock.__class__ not in _PLAIN or sock.gettimeout() != 0.0:
            return data
        try:
            return data[sock.send(data) :]
        except _LATER:
            return data  # the same once more, as TLS wants it

    def _send_pieces(self, data: bytes) -> None:
        """Send what may fill the system's buffer. TLS counts its timeout anew for each record, hence the pieces."""
        is_suspect = self.deadline.try_beside is not None and (self.idle_s or 0.0) >= SUSPECT_IDLE_S
        if type(self.sock) is socket.socket and not is_suspect:  # which counts its timeout once for all
            self.arm(self.sock)
            super().send(data)
            return
        for start in range(0, len(data), _TLS_RECORD_BYTES):
            self.arm(self.sock)
            if is_suspect:
                patience_s = self.deadline.keeping.patience_s(self.deadline.remaining_s())
                self.sock.settimeout(max(patience_s, SOONEST_S))
            try:
                super().send(data[start : start + _TLS_RECORD_BYTES])
            except TimeoutError as error:
                if is_suspect and self.deadline.remaining_s() > 0:
                    raise RemoteDisconnected("a kept connection took nothing") from error
                raise

    def response_class(self, sock: socket.socket, *positional: Any, **options: Any) -> Answer:  # type: ignore[override]
        return Answer(sock, self, *positional, **options)

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> Any:
        """TLS within TLS reads from the proxy in a loop of its own, so each of those reads must be bounded, too."""
        outer = super()._connect_tls_proxy(hostname, sock)  # type: ignore[misc]
        receive = outer.recv

        def recv(size: int) -> bytes:
            self.arm(outer)
            return cast("bytes", receive(size))

        outer.recv = recv
        return outer


def _close_half_made(error: OSError) -> None:
    """Close the TLS socket that nobody holds but the frames of ``error``.

    Where the server has gone before TLS begins, ssl.SSLContext.wrap_socket() takes the plain socket over, raises and
    leaves its own open: a file descriptor lost until the garbage collector comes by.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        half_made = frame.f_locals.get("self")
        if isinstance(half_made, ssl.SSLSocket):
            half_made.close()


def _host_line(head: bytes) -> bytes:
    """The line after that of the request, where it names the host."""
    line = head.split(b"\r\n", 2)[1]
    return line if line.startswith(b"Host: ") else b""
