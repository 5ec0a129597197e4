"""The generated transport and operation over real HTTP on loopback."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from target_delivery_api import Client
from target_delivery_api.api.delivery import execute
from target_delivery_api.errors import UnreadableBody
from target_delivery_api.models import (
    Context,
    DeliveryRequest,
    DeliveryResponse,
    ExecuteRequest,
    MboxRequest,
    UnexpectedError,
)
from tests.kit.loopback import Answer, LoopbackServer

REQUEST = DeliveryRequest(
    context=Context(channel="web"), execute=ExecuteRequest(mboxes=[MboxRequest(name="hôme \ud800", index=0)])
)
WHO: dict[str, Any] = {"ims_org_id": "1234@AdobeOrg", "session_id": "s1"}


@pytest.fixture
def transport(server: LoopbackServer) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def test_a_call_there_and_back(server: LoopbackServer, transport: Client) -> None:
    answer = execute.sync_detailed(transport, body=REQUEST, **WHO, version="1.0")
    assert isinstance(answer.parsed, DeliveryResponse)
    assert answer.parsed.execute is not None
    assert [mbox.name for mbox in answer.parsed.execute.mboxes or []] == ["hôme \ud800"]
    assert (answer.status_code, json.loads(answer.content)["status"]) == (200, 200)
    assert answer.headers["content-type"] == answer.headers["Content-Type"] == "application/json"
    (received,) = server.received
    assert received.body == REQUEST.to_dict()
    assert received.query == {"imsOrgId": "1234@AdobeOrg", "sessionId": "s1", "version": "1.0"}


def test_sync_gives_the_model_alone(transport: Client) -> None:
    parsed = execute.sync(transport, body=REQUEST, **WHO)
    assert isinstance(parsed, DeliveryResponse)
    assert parsed.client == "acme"


def test_the_query_is_percent_encoded_and_leaves_out_what_is_unset(server: LoopbackServer, transport: Client) -> None:
    execute.sync(transport, body=REQUEST, ims_org_id="a b+c@Org", session_id="x&y=z#ü/%20")
    assert (
        server.received[0].target == "/rest/v1/delivery?imsOrgId=a%20b%2Bc%40Org&sessionId=x%26y%3Dz%23%C3%BC%2F%2520"
    )
    assert server.received[0].query == {"imsOrgId": "a b+c@Org", "sessionId": "x&y=z#ü/%20"}


@pytest.mark.parametrize(
    "body", [REQUEST, REQUEST.to_dict(), {"execute": REQUEST.execute, "context": {"channel": "web"}}]
)
def test_models_mappings_and_mixtures_send_the_same(server: LoopbackServer, transport: Client, body: Any) -> None:
    execute.sync(transport, body=body, **WHO)
    assert server.received[0].body == REQUEST.to_dict()


def test_bytes_are_sent_as_they_are(server: LoopbackServer, transport: Client) -> None:
    execute.sync(transport, body=b'{ "context": {} }', **WHO)
    assert server.received[0].content == b'{ "context": {} }'
    assert server.received[0].headers["Content-Type"] == "application/json"


def test_get_kwargs_are_the_arguments_of_one_request(server: LoopbackServer, transport: Client) -> None:
    kwargs = execute.get_kwargs(body=REQUEST, **WHO)
    assert kwargs == {
        "method": "POST",
        "path": "/rest/v1/delivery",
        "params": {"imsOrgId": "1234@AdobeOrg", "sessionId": "s1"},
        "json": REQUEST.to_dict(),
    }
    assert transport.request(**kwargs).status == 200


def test_headers_of_the_client_of_the_user_and_of_the_call(server: LoopbackServer) -> None:
    with Client(server.url, headers={"x-sdk": "a", "accept": "application/json;q=0.9"}) as transport:
        transport.request("POST", "/", json={"context": {}}, headers={"X-SDK": "b", "X-Request-Id": "1"})
        transport.request("POST", "/", json={"context": {}})
    first, second = (received.headers for received in server.received)
    assert first.get_all("X-SDK") == ["b"]  # type: ignore[attr-defined]
    assert first["X-Request-Id"] == "1"
    assert first.get_all("Accept") == ["application/json;q=0.9"]  # type: ignore[attr-defined]
    assert first["Accept-Encoding"] == "gzip"
    assert first["Content-Type"] == "application/json"
    assert second["X-SDK"] == "a"
    assert "X-Request-Id" not in second, "headers of one call stay with it"


def test_a_request_without_a_body_names_no_content_type(server: LoopbackServer, transport: Client) -> None:
    server.answer = lambda received: Answer({})
    assert transport.request("GET", "/_/notifications").status == 200
    assert "Content-Type" not in server.received[0].headers
    assert server.received[0].headers["Accept"] == "application/json"
    assert server.received[0].content == b""


def test_a_gzipped_answer_is_read(server: LoopbackServer, transport: Client) -> None:
    packed = gzip.compress(b'{"client": "acme"}')
    server.answer = lambda received: Answer(packed, headers={"Content-Encoding": "gzip"})
    parsed = execute.sync(transport, body=REQUEST, **WHO)
    assert isinstance(parsed, DeliveryResponse)
    assert parsed.client == "acme"


def test_a_hundred_calls_use_one_connection(server: LoopbackServer, transport: Client) -> None:
    for _ in range(100):
        execute.sync(transport, body=REQUEST, **WHO)
    assert len(server.received) == 100
    assert server.connections == 1


def test_threads_share_one_pool_and_get_their_own_answers(server: LoopbackServer, transport: Client) -> None:
    def call(number: int) -> str | None:
        parsed = execute.sync(transport, body={"requestId": f"r{number}"}, **WHO)
        assert isinstance(parsed, DeliveryResponse)
        return parsed.request_id

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(64))) == [f"r{number}" for number in range(64)]
    assert server.connections <= 8


def test_two_clients_have_two_pools(server: LoopbackServer) -> None:
    with Client(server.url) as one, Client(server.url, pool_options={"num_pools": 2, "maxsize": 1}) as two:
        assert one.pool is not two.pool
        for transport in (one, two):
            execute.sync(transport, body=REQUEST, **WHO)
    assert server.connections == 2


def test_closing_closes_the_clients_own_pool(server: LoopbackServer) -> None:
    transport = Client(server.url)
    execute.sync(transport, body=REQUEST, **WHO)
    assert isinstance(transport.pool, urllib3.PoolManager)
    assert len(transport.pool.pools) == 1
    transport.close()
    assert len(transport.pool.pools) == 0


def test_a_given_pool_is_used_and_stays_open(server: LoopbackServer) -> None:
    with urllib3.PoolManager() as pool:
        for _ in range(2):
            with Client(server.url, pool=pool) as transport:
                execute.sync(transport, body=REQUEST, **WHO)
        assert len(pool.pools) == 1
    assert server.connections == 1


def test_a_pool_of_any_kind_will_do(server: LoopbackServer) -> None:
    class Counting:
        def __init__(self) -> None:
            self.inner = urllib3.PoolManager()
            self.urls: list[str] = []

        def urlopen(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
            self.urls.append(url)
            return self.inner.urlopen(method, url, **options)

        def clear(self) -> None:
            self.inner.clear()

    pool = Counting()
    execute.sync(Client(server.url, pool=pool), body=REQUEST, **WHO)
    assert pool.urls == [f"{server.url}/rest/v1/delivery?imsOrgId=1234%40AdobeOrg&sessionId=s1"]
    pool.clear()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: LoopbackServer, status: int) -> None:
    server.answer = lambda received: Answer({}, status, {"Location": f"{server.url}/elsewhere"})
    # Not even where the user's retries would allow them.
    for retries in (False, urllib3.Retry(3, redirect=3)):
        with Client(server.url, retries=retries) as transport:
            answer = execute.sync_detailed(transport, body=REQUEST, **WHO)
        assert answer.status_code == status
    assert [received.target.partition("?")[0] for received in server.received] == ["/rest/v1/delivery"] * 2


def test_cookies_of_one_answer_are_not_sent_with_the_next_call(server: LoopbackServer, transport: Client) -> None:
    server.answer = lambda received: Answer({}, headers={"Set-Cookie": "visitor=1; Path=/"})
    for _ in range(2):
        execute.sync(transport, body=REQUEST, **WHO)
    assert "Cookie" not in server.received[1].headers


def test_nothing_is_retried_unless_asked_for(server: LoopbackServer) -> None:
    def drop(received: Any) -> Any:
        return lambda sock: None

    server.answer = drop
    with Client(server.url) as transport, pytest.raises(urllib3.exceptions.ProtocolError):
        execute.sync(transport, body=REQUEST, **WHO)
    assert len(server.received) == 1


def test_a_call_may_name_its_host_and_its_timeout(server: LoopbackServer) -> None:
    with Client("http://127.0.0.1:1", timeout=5) as transport:
        assert isinstance(execute.sync(transport, body=REQUEST, **WHO, base_url=f"{server.url}/"), DeliveryResponse)
        assert server.received[0].target.startswith("/rest/v1/delivery?")
        server.answer = lambda received: lambda sock: sock.recv(1)  # type: ignore[assignment, return-value]
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            execute.sync(transport, body=REQUEST, **WHO, base_url=server.url, timeout=0.1)


def test_a_body_may_be_streamed(server: LoopbackServer, transport: Client) -> None:
    server.answer = lambda received: Answer(b"x" * 100_000)
    answer = transport.request("POST", "/", json={}, preload_content=False)
    assert (answer.read(10), len(answer.read())) == (b"x" * 10, 99_990)
    answer.release_conn()
    transport.request("POST", "/", json={})
    assert server.connections == 1


def test_what_is_not_json_is_refused_before_anything_is_sent(server: LoopbackServer, transport: Client) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        transport.request("POST", "/", json={"total": float("nan")})
    with pytest.raises(TypeError, match="not JSON serializable"):
        transport.request("POST", "/", json={"total": object()})
    assert server.received == []
    assert server.connections == 0


def test_a_refused_connection_raises() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that nobody else listens there, and never listening itself
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(address) as transport, pytest.raises(urllib3.exceptions.NewConnectionError):
            execute.sync(transport, body=REQUEST, **WHO)


# ------------------------------------------------------------------------------------------ what an answer means


def test_an_answer_204_has_no_model(server: LoopbackServer, transport: Client) -> None:
    server.answer = lambda received: Answer(None, 204)
    answer = execute.sync_detailed(transport, body=REQUEST, **WHO)
    assert (answer.status_code, answer.content, answer.parsed) == (204, b"", None)


def test_an_error_is_an_unexpected_error(server: LoopbackServer, transport: Client) -> None:
    server.answer = lambda received: Answer({"status": 400, "message": "size must be between 0 and 50"}, 400)
    answer = execute.sync_detailed(transport, body=REQUEST, **WHO)
    assert answer.status_code == 400
    assert answer.parsed == UnexpectedError(status=400, message="size must be between 0 and 50")


@pytest.mark.parametrize(
    "content", [b"", b"<html>s3cret</html>", b"[]", b"null", b"\xff\xfe", pytest.param(b"[" * 100_000, id="too deep")]
)
def test_an_error_whose_body_is_not_the_documented_one_has_no_model(content: bytes) -> None:
    answer = execute.parse_response(503, content, {})
    assert (answer.status_code, answer.content, answer.parsed) == (503, content, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "status 200: not JSON, at character 0 of 0"),
        (b'{"status": 200, "id": {"tntId": "s3cret', "status 200: not JSON, at character 32 of 39"),
        (b"s3cret", "status 200: not JSON, at character 0 of 6"),
        (b'"s3cret\xff"', "status 200: not JSON"),
        pytest.param(b"[" * 100_000, "status 200: not JSON", id="too deep"),
        (b"null", "status 200: DeliveryResponse: expected an object, got null"),
        (b'["s3cret"]', "status 200: DeliveryResponse: expected an object, got a list"),
        (b'{"execute": "s3cret"}', "status 200: DeliveryResponse.execute: expected an object, got a string"),
    ],
)
def test_a_success_whose_body_is_not_the_documented_one_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableBody) as caught:
        execute.parse_response(200, content, {})
    assert str(caught.value) == message


def test_an_empty_object_is_an_answer() -> None:
    assert execute.parse_response(200, b"{}", {}).parsed == DeliveryResponse()
