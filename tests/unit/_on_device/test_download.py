"""A file from a CDN: in time, of bounded size, through proxies, verified; over real sockets."""

from __future__ import annotations

import gzip
import os
import threading
import time
import traceback
from typing import Any

import pytest
import urllib3

from target._http.abort import Abort
from target._http.deadline import Deadline
from target._on_device.download import Download, Downloads
from target.errors import ClientClosed, TargetError, TargetTimeout, TransportError
from tests.kit.calls import eventually, timed
from tests.kit.cdn import configs
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.raw_servers import Behaviour, drip, flood, hang, raw_server, reset, say, unaccepting_server
from tests.kit.tls import Authority

QUERY = "?signature=secret"


def downloads(**options: Any) -> Downloads:
    return Downloads(configs(**options)[1])


def get(url: str, timeout_s: float = 5, **options: Any) -> Download:
    source = downloads(**options)
    try:
        return source.get(url + QUERY, {"If-None-Match": '"one"'}, Deadline(timeout_s))
    finally:
        source.close()


def expect(error: type[TargetError], url: str, match: str, **options: Any) -> None:
    with pytest.raises(error, match=match) as caught:
        get(url, **options)
    assert type(caught.value) is error
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_an_answer_of_any_status_comes_back(server: LoopbackServer) -> None:
    for status in (200, 302, 304, 403, 500):
        server.answer = lambda _, status=status: Answer(b"x" if status != 304 else b"", status, {"ETag": '"two"'})  # type: ignore[misc]
        found = get(f"{server.url}/rules.json")
        assert found.status == status
        assert found.content == (b"x" if status != 304 else b"")
        assert found.headers["etag"] == '"two"'
        assert found.first_byte_ms > 0
        assert found.body_ms >= 0
    assert len(server.received) == 5  # no redirect was followed
    assert server.received[0].target == f"/rules.json{QUERY}"
    assert server.received[0].headers["If-None-Match"] == '"one"'


def test_connections_are_kept(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({})
    source = downloads()
    for _ in range(3):
        source.get(server.url + "/", {}, Deadline(5))
    assert server.connections == 1
    source.close()


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (hang, TargetTimeout),
        (drip(b"X: 1\r\n", b"HTTP/1.1 200 OK\r\n"), TargetTimeout),
        (drip(b" ", CUT), TargetTimeout),
        (say(CUT, hang), TargetTimeout),
        (say(CUT + b"half"), TransportError),
        (say(b""), TransportError),
        (say(b"rubbish\r\n\r\n"), TransportError),
        (reset, TransportError),
        (say(CUT + b"half", reset), TransportError),
    ],
)
def test_a_server_that_misbehaves_ends_in_an_error_and_in_time(behave: Behaviour, error: type[TargetError]) -> None:
    with raw_server(behave) as server:
        expects = (
            "in time" if error is TargetTimeout else "could not be read|cannot be reached"
        )  # a reset may come early
        assert timed(lambda: expect(error, f"http://{server.domain}/r.json", expects, timeout_s=0.3)) < 5


def test_a_flood_is_cut_off() -> None:
    with raw_server(flood(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        expect(TransportError, f"http://{server.domain}/", "larger than max_response_bytes", max_response_bytes=10_000)


def test_gzip_is_unpacked_up_to_the_limit_and_not_when_broken(server: LoopbackServer) -> None:
    packed = gzip.compress(b"a" * 1000)
    server.answer = lambda _: Answer(packed, headers={"Content-Encoding": "gzip"})
    assert get(f"{server.url}/").content == b"a" * 1000
    expect(TransportError, f"{server.url}/", "max_response_bytes", max_response_bytes=999)
    server.answer = lambda _: Answer(packed[:10] + b"\0" * 20, headers={"Content-Encoding": "gzip"})
    expect(TransportError, f"{server.url}/", "could not be read")


def test_nobody_there() -> None:
    expect(TransportError, "http://127.0.0.1:1/r.json", r"http://127\.0\.0\.1:1/r\.json cannot be reached")
    expect(TransportError, "http://nowhere.invalid/r.json", "could not be read|cannot be reached")
    with unaccepting_server() as port:
        expect(TargetTimeout, f"http://127.0.0.1:{port}/", "in time", timeout_s=0.2)


def test_certificates_are_verified_whatever_secure_says(authority: Authority) -> None:
    with serving(lambda _: Answer({}), tls=authority.server_context()) as server:
        url = f"{server.url}/"
        assert get(url, ca_certs=authority.ca_certs).status == 200
        expect(TransportError, url, "TLS with .* failed")
        insecure = Downloads(configs(ca_certs=authority.ca_certs)[1]._replace(secure=False))
        assert insecure.get(url, {}, Deadline(5)).status == 200
        untrusting = Downloads(configs()[1]._replace(secure=False))
        with pytest.raises(TransportError, match="TLS"):
            untrusting.get(url, {}, Deadline(5))
    with serving(lambda _: Answer({}), tls=authority.server_context("other.example")) as server:
        expect(TransportError, f"{server.url}/", "TLS with .* failed", ca_certs=authority.ca_certs)


def test_a_proxy_is_used() -> None:
    with serving(lambda _: Answer({})) as proxy:
        assert get("http://cdn.example/r.json", proxy=proxy.url).status == 200
        assert proxy.received[0].target == f"http://cdn.example/r.json{QUERY}"


def test_a_pool_of_the_caller_is_used_and_left_open(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({})
    with urllib3.PoolManager(headers={"X-Unused": "1"}) as pool:
        get(f"{server.url}/rules.json", pool=pool)
        get(f"{server.url}/rules.json", pool=pool)
        assert server.connections == 1
    with serving(lambda _: Answer({})) as proxy, urllib3.ProxyManager(proxy.url) as manager:
        get("http://cdn.example/r.json", pool=manager)
        assert proxy.received[0].target.startswith("http://cdn.example/r.json")


def test_a_download_can_be_ended_from_another_thread() -> None:
    with raw_server(hang) as server:
        abort = Abort()
        errors: list[BaseException] = []

        def download() -> None:
            try:
                downloads().get(f"http://{server.domain}/", {}, Deadline(10, abort))
            except TargetError as error:
                errors.append(error)

        thread = threading.Thread(target=download)
        thread.start()
        assert eventually(lambda: server.connections)
        time.sleep(0.05)
        abort()
        thread.join(1)
        assert len(errors) == 1
        with pytest.raises(ClientClosed):
            downloads().get(f"http://{server.domain}/", {}, Deadline(10, abort))


def test_a_child_process_makes_its_own_connections_whatever_locks_were_held(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({})
    source = downloads()
    assert source.get(f"{server.url}/", {}, Deadline(5)).status == 200
    with source._pools._lock:  # type: ignore[attr-defined]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if source.get(f"{server.url}/", {}, Deadline(5)).status == 200 else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert source.get(f"{server.url}/", {}, Deadline(5)).status == 200
    assert server.connections == 2
    source.close()
