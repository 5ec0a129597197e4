"""A body is read as urllib3 reads it: the same bytes, the same errors, the same ends of connections."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from target._background.clock import monotonic_s
from target._http import reading
from target._http.connect import use_deadlines
from target._http.deadline import Deadline

BODIES = st.binary(max_size=200) | st.sampled_from((b"", b"x" * 70_000))
HEADS = st.sampled_from(
    (b"", b"Connection: close\r\n", b"Content-Encoding: identity\r\n", b"Content-Encoding: gzip\r\n", b"X: y\r\n")
)
ENDS = st.sampled_from(("late", "close", "reset"))


class _Here(urllib3.HTTPConnectionPool):
    """A pool whose connections lead to ``peer``."""

    def __init__(self) -> None:
        super().__init__("acme.example")
        use_deadlines(self)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        listener = socket.create_server(("127.0.0.1", 0))
        connection.sock = socket.create_connection(listener.getsockname())
        self.peer, _ = listener.accept()
        listener.close()
        return connection


def outcome(answer: bytes, end: str, as_urllib3: bool) -> tuple[Any, ...]:
    """What comes of reading ``answer``, which stops somewhere: closed, reset, or until the deadline passes."""
    pool = _Here()
    deadline = Deadline(30.0)

    def say() -> None:
        pool.peer.recv(65536)
        pool.peer.sendall(answer)
        if end == "reset":
            pool.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end != "late":
            pool.peer.close()

    made: Any = pool._get_conn()
    pool._put_conn(made)
    speaker = threading.Thread(target=say)
    speaker.start()
    read = (lambda response, _: response.read()) if as_urllib3 else reading._read_all
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_read_all", read)
        try:
            response: Any = pool.urlopen(
                "POST", "/", body=b"{}", timeout=deadline, retries=False, preload_content=False, assert_same_host=False
            )
            if end == "late":
                made._ends_at = monotonic_s()
            found: Any = reading.read_body(response, 100_000, deadline)
            told = [response.isclosed(), response.connection is None]
        except Exception as error:
            found = [(type(link), str(link).partition("(")[0]) for link in chain(error)]
            told = []
    speaker.join()
    is_closed = made.is_closed
    pool.peer.close()
    made.close()
    return found, told, is_closed


def chain(error: BaseException) -> list[BaseException]:
    """``error`` and what led to it."""
    links = [error]
    while (cause := links[-1].__cause__) is not None and cause not in links:
        links.append(cause)
    return links


@given(body=BODIES, head=HEADS, end=ENDS, cut=st.integers(0, 100))
def test_whatever_comes_is_read_as_urllib3_reads_it(body: bytes, head: bytes, end: str, cut: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    answer = answer[: max(len(answer) - cut, 0)]
    if end == "late" and not 0 < cut <= len(body):
        end = "close"  # of a whole body it depends on the moment whether it has come
    assert outcome(answer, end, as_urllib3=False) == outcome(answer, end, as_urllib3=True)


def test_a_response_that_is_not_urllib3s_own_is_read_by_itself() -> None:
    class Other(urllib3.HTTPResponse):
        def read(self, *_: Any, **__: Any) -> bytes:
            return b"its own"

    assert reading._read_all(Other(b"x", preload_content=False), 1) == b"its own"
    assert reading._read_all(urllib3.HTTPResponse(b"", preload_content=False), 0) in (b"", None)
