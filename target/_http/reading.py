"""The receiving side of a urllib3 connection: reads that keep to a deadline, an answer that ends where it says, its
body within its bounds."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

from target._background.clock import monotonic_s
from target._http import failures
from target._http.beside import Superseded, receive_unless_first
from target._http.heads import ends_in_one_place, parse_head
from target._http.liveness import is_suspect
from target._http.unpacking import PIECE_BYTES, unpack

if TYPE_CHECKING:
    from target._http.deadline import Deadline
    from target._http.exchange import DeadlineConnection

_READ_BYTES = 65536


class _Reader(io.RawIOBase):
    """The receiving side of one connection; every read gets what is left of the deadline."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection) -> None:
        self._sock = sock
        self._connection = connection
        self._hold: io.RawIOBase | None = None
        self.finished = False
        if not connection.keeps_deadline:  # who else uses it may close it, and read on
            self.hold()

    def hold(self) -> None:
        """Let the socket stay open until this is closed, too: its connection may be, while there is more to read."""
        if self._hold is None:
            self._hold = self._sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0  # which is asked for once, and else an error would be made of it

    def readinto(self, buffer: Any) -> int:
        if self.finished:
            return 0
        connection = self._connection
        try:
            if connection.may_answer_elsewhere:
                count = self._receive_first(buffer)
            else:
                connection.arm(self._sock)
                count = self._sock.recv_into(buffer)
        except ConnectionError as error:
            raise error if connection.answered else http.client.RemoteDisconnected(*error.args) from error
        if count:
            connection.heard()
        return count

    def _receive_first(self, buffer: Any) -> int:
        """The first byte of an answer, and more, where it may come over another connection instead."""
        connection, deadline, sock = self._connection, self._connection.deadline, self._sock
        if deadline.first is not None:
            connection.arm(sock)
            return receive_unless_first(sock, deadline.first, buffer, deadline.remaining_s)
        patience_s = connection.patience_s
        connection.arm(sock, patience_s)
        try:
            return sock.recv_into(buffer)
        except TimeoutError:
            if deadline.try_beside is not None and is_suspect(connection.idle_s, sock):
                began_s = monotonic_s() - patience_s
                try:
                    if deadline.try_beside(sock):
                        deadline.keeping.was_slow(monotonic_s() - began_s)
                except Superseded:
                    deadline.keeping.was_dead()
                    raise
        connection.idle_s = None  # from here on it is waited for alone
        connection.arm(sock)
        return sock.recv_into(buffer)

    def close(self) -> None:
        if self._hold is not None:
            self._hold.close()
        super().close()


class _AnswerSocket:
    """What http.client needs of a socket to read an answer from it."""

    def __init__(self, sock: socket.socket, connection: DeadlineConnection) -> None:
        self._sock = sock
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._connection), _READ_BYTES)


class Answer(http.client.HTTPResponse):
    """An answer that closes its connection when more bytes came than belong to it: the next answer would be wrong."""

    _is_given_up = False

    def __init__(self, sock: socket.socket, connection: DeadlineConnection, *positional: Any, **options: Any) -> None:
        super().__init__(cast("socket.socket", _AnswerSocket(sock, connection)), *positional, **options)
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
        if self.will_close:  # http.client closes the connection now
            cast("_Reader", self.fp.raw).hold()

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


def read_body(response: urllib3.BaseHTTPResponse, most: int, deadline: Deadline) -> bytes:
    """The unpacked body. Whatever goes wrong, the connection is not used again.

    Raises:
        TransportError: It is larger than ``most``, or belongs to no final answer.
        DecodeError: It is not packed as its head says, or not to its end.
        TimeoutError: The deadline has passed.
    """
    complete = False
    try:
        if response.status < 200:
            raise failures.not_final(response.status)
        announced = getattr(response, "length_remaining", None)  # stand-ins for responses lack it
        if (announced or 0) > most:
            raise failures.too_large(most)
        if announced is not None and "Content-Encoding" not in response.headers:
            content = _read_all(response, announced)
            complete = True
            return content
        chunks: list[bytes] = []
        size = 0
        encoding = response.headers.get("Content-Encoding", "")
        for chunk in unpack(_pieces(response, most), encoding):
            size += len(chunk)
            if size > most:
                raise failures.too_large(most)
            if deadline.remaining_s() <= 0:  # unpacking takes time, too
                raise TimeoutError("the deadline has passed")
            if chunk:
                chunks.append(chunk)
        complete = True
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    finally:
        if not complete:
            response.close()
        if deadline.abort is not None:
            deadline.abort.watch(None)  # from here on the connection may serve another call
        response.release_conn()


def _read_all(response: urllib3.BaseHTTPResponse, length: int) -> bytes:
    """A body that is as long as its head says: one read gets all of it. That of urllib3 takes several times as long as
    what it reads from, and adds nothing where nothing is packed and nothing fails."""
    answer = getattr(response, "_fp", None)
    if type(response) is not urllib3.HTTPResponse or not isinstance(answer, Answer) or answer.length != length:
        return response.read()
    try:
        return answer.read()
    except BaseException:
        with response._error_catcher():  # which raises what urllib3's callers know
            raise


def _pieces(response: urllib3.BaseHTTPResponse, most: int) -> Iterator[bytes]:
    """The body as it comes. Streams that hold nothing could go on for ever, so what comes is bounded, too."""
    size = 0
    while piece := response.read(PIECE_BYTES, decode_content=False):
        size += len(piece)
        if size > 2 * most:
            raise failures.too_large(most)
        yield piece
