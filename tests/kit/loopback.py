"""A Delivery API stand-in for tests: real HTTP on 127.0.0.1, answers chosen by a function, everything recorded."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Received:
    """One request as it arrived. ``target`` is the request line's: a path, or a whole URL when sent to a proxy."""

    target: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.content)

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def session_id(self) -> str:
        return self.query["sessionId"]


@dataclass(frozen=True)
class Answer:
    """What to send back: JSON for a dict, bytes as they are."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()


#: Gets the request, returns the answer; or, for faults, a function that writes to the socket itself.
Responder = Callable[[Received], Answer | Callable[[socket.socket], None]]


def ok(received: Received) -> Answer:
    """A plain success: every mbox echoed with one JSON offer, every notification acknowledged."""
    body = received.body
    answer: dict[str, Any] = {"status": 200, "requestId": body.get("requestId"), "client": "acme"}
    answer["id"] = body.get("id") or {"tntId": "device"}
    answer["edgeHost"] = "mboxedge38.tt.omtrdc.net"
    for part in ("execute", "prefetch"):
        if part in body:
            mboxes = body[part].get("mboxes", [])
            options = [{"type": "json", "content": {"part": part}}]
            answer[part] = {"mboxes": [{"index": m["index"], "name": m["name"], "options": options} for m in mboxes]}
    if "notifications" in body:
        answer["notifications"] = [{"id": item["id"]} for item in body["notifications"]]
    return Answer(answer)


def answering(*answers: Any) -> Callable[[Received], Any]:
    """These answers in turn, then success."""
    left = list(answers)
    return lambda received: left.pop(0) if left else ok(received)


def slowly(seconds: float) -> Callable[[Received], Answer]:
    """Success, after a while."""

    def answer(received: Received) -> Answer:
        time.sleep(seconds)
        return ok(received)

    return answer


class LoopbackServer(ThreadingHTTPServer):
    """Counts connections, keeps what it received; ``answer`` may be replaced at any time."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer: Responder = ok, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.tls = tls
        self.received: list[Received] = []
        self.connections = 0

    @property
    def domain(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.domain}"

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        self.connections += 1
        return sock, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet per answer, so that Nagle's algorithm does not add 40 ms
    server: LoopbackServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        received = Received(self.path, self.headers, content)  # type: ignore[arg-type]
        self.server.received.append(received)
        answer = self.server.answer(received)
        if not isinstance(answer, Answer):
            self.wfile.flush()
            answer(self.connection)
            self.close_connection = True
            return
        body = answer.content()
        self.send_response(answer.status)
        names = {name.lower() for name in answer.headers}
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "content-length" not in names and answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        if "content-type" not in names:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving(answer: Responder = ok, tls: ssl.SSLContext | None = None) -> Iterator[LoopbackServer]:
    """A running LoopbackServer, stopped at the end."""
    server = LoopbackServer(answer, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
