"""What leaves a call that got a bad answer quotes nothing of it, of the URL or of an id."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from target import ApiError, TargetClient, TargetError, TransportError
from tests.kit.calls import CALL, SESSION_ID, assert_discreet, client_of, eventually, everything_of, options_of
from tests.kit.loopback import Answer, serving
from tests.kit.raw_servers import raw_server, read_request
from tests.kit.ways import WAYS

TNT_ID = "tnt-of-" + "alice"
BODY = json.dumps({"status": 200, "id": {"tntId": TNT_ID}, "session": SESSION_ID}).encode()


def _head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


BAD: dict[str, bytes] = {
    "a body without a head": BODY + b"\r\n",
    "a chunk that has no length": _head("Transfer-Encoding: chunked") + BODY + b"\r\n0\r\n\r\n",
    "a header without a colon": _head(f"Content-Length: {len(BODY)}", TNT_ID) + BODY,
    "a length that is no number": _head("Content-Length: " + BODY.decode()) + BODY,
    "two lengths": _head(f"Content-Length: {len(BODY)}", "Content-Length: 3") + BODY,
    "cut short": _head(f"Content-Length: {len(BODY) + 9}") + BODY,
    "not what it is packed as": _head("Content-Encoding: gzip", f"Content-Length: {len(BODY)}") + BODY,
    "not JSON": _head(f"Content-Length: {len(BODY) + 1}") + BODY + b"}",
    "not UTF-8": _head(f"Content-Length: {len(BODY) + 1}") + b"\xff" + BODY,
    "not an object": _head(f"Content-Length: {len(BODY) + 2}") + b"[" + BODY + b"]",
    "of the wrong shape": _head(f"Content-Length: {len(BODY) + 15}") + BODY[:-1] + b',"execute":"x"}',
    "a line that has no end": _head("X: " + TNT_ID * 9999)[:-4],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_answer_is_quoted_nowhere(way: str) -> None:
    for name, answer in BAD.items():

        def say(sock: Any, answer: bytes = answer) -> None:
            read_request(sock)
            sock.sendall(answer)

        with raw_server(say) as server:
            client = WAYS[way](**options_of(server.domain, retries=0))
            try:
                with pytest.raises(TransportError) as caught:
                    client.call(CALL["request"])
            finally:
                client.close()
        assert_discreet(caught.value)
        assert TNT_ID not in everything_of(caught.value), name


def test_the_log_of_such_an_error_shows_the_chain_by_class() -> None:
    out = io.StringIO()
    logger = logging.Logger("shop")
    logger.addHandler(logging.StreamHandler(out))

    def say(sock: Any) -> None:
        read_request(sock)
        sock.sendall(BAD["a chunk that has no length"])

    with raw_server(say) as server, client_of(server.domain, retries=0) as client:
        try:
            client.get_offers(**CALL)
        except TargetError:
            logger.exception("no offers")
    assert "http.client.IncompleteRead" in out.getvalue()
    assert TNT_ID not in out.getvalue()


def test_default_attributes_tell_no_more_of_what_failed() -> None:
    defaults = {"home": {"a": 1}}
    with (
        serving(lambda _: Answer(BODY[:-1])) as server,
        client_of(server.domain, default_attributes=defaults) as client,
    ):
        provider = client.get_attributes(["home"], **CALL)
    assert provider.is_default
    assert provider.error is not None
    assert TNT_ID not in everything_of(provider.error)


def test_an_api_error_shows_its_body_only_where_it_is_asked_for() -> None:
    answer = Answer({"message": "bad", "id": {"tntId": TNT_ID}}, 400)
    with serving(lambda _: answer) as server, client_of(server.domain) as client, pytest.raises(ApiError) as caught:
        client.get_offers(**CALL)
    assert TNT_ID in caught.value.body
    assert TNT_ID not in everything_of(caught.value)


@pytest.mark.waits
def test_an_artifact_that_is_none_is_quoted_nowhere() -> None:
    told: list[Any] = []
    with (
        serving(lambda _: Answer(BODY[:-1])) as server,
        client_of(
            server.domain,
            decisioning_method="on-device",
            artifact_location=f"{server.url}/rules.json?token={TNT_ID}",
            maximum_wait_ready=100,
            events={"artifact_download_failed": told.append},
        ),
    ):
        assert eventually(lambda: told, 15)
    assert TNT_ID not in everything_of(told[0]["error"])


def test_an_interruption_tells_nothing_of_what_was_being_handled() -> None:
    class Limit(BaseException):
        pass

    class Interrupting(urllib3.PoolManager):
        def urlopen(self, *_: Any, **__: Any) -> Any:
            try:
                raise urllib3.exceptions.ProtocolError(TNT_ID)
            except urllib3.exceptions.ProtocolError:
                raise Limit("soft time limit") from None

    with (
        client_of("127.0.0.1:1", pool=Interrupting()) as client,
        pytest.raises(Limit, match="soft time limit") as caught,
    ):
        client.get_offers(**CALL)
    assert TNT_ID not in everything_of(caught.value)


def _queue(client: TargetClient) -> object:
    return client.queue_notifications(
        request={"notifications": [{"id": "n", "type": "click", "timestamp": 1, "tokens": ["\ud800" + TNT_ID]}]}
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_offers(request={"execute": {"mboxes": [{"name": "\ud800" + TNT_ID}]}}),
        lambda client: client.get_attributes(["\ud800" + TNT_ID]),
        lambda client: client.send_notifications(
            request={"notifications": [{"id": "\ud800" + TNT_ID, "type": "click", "timestamp": 1}]}
        ),
        _queue,
    ],
    ids=["offers", "attributes", "notifications", "queue"],
)
def test_what_cannot_be_sent_is_quoted_nowhere(call: Callable[[TargetClient], object]) -> None:
    with client_of("127.0.0.1:1") as client, pytest.raises(TargetError) as caught:
        call(client)
    assert TNT_ID not in everything_of(caught.value)
