"""Calls with callbacks: the same answers and errors, on another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from target import (
    ApiError,
    AsyncResult,
    AttributesProvider,
    ClientClosed,
    DeliveryRequest,
    OptionsError,
    TargetClient,
    TargetTimeout,
)
from tests.kit.built_calls import CLICK
from tests.kit.calls import REQUEST
from tests.kit.loopback import Answer, LoopbackServer, Received, answering, ok

METHODS: dict[str, Callable[..., Any]] = {
    "get_offers": lambda client, **options: client.get_offers(request=REQUEST, **options),
    "get_attributes": lambda client, **options: client.get_attributes(["home"], **options),
    "send_notifications": lambda client, **options: client.send_notifications(
        request={"notifications": [CLICK]}, **options
    ),
}


def comparable(value: Any) -> Any:
    result = value.get_response() if isinstance(value, AttributesProvider) else value
    return type(value), {key: item for key, item in result.to_dict()["response"].items() if key != "requestId"}


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
class TestCallbacks:
    def test_callback_and_get_receive_what_the_synchronous_call_returns(
        self, method: Callable[..., Any], client: TargetClient
    ) -> None:
        received: list[Any] = []
        handle = method(client, callback=received.append, err_callback=None)
        assert isinstance(handle, AsyncResult)
        value = handle.get(5)
        assert handle.ready()
        assert handle.successful()
        assert received == [value]
        assert comparable(value) == comparable(method(client))

    def test_an_error_goes_to_err_callback_and_get(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer({"status": 400, "message": "bad"}, 400)
        values: list[Any] = []
        errors: list[Any] = []
        handle = method(client, callback=values.append, err_callback=errors.append)
        with pytest.raises(ApiError) as caught:
            handle.get(5)
        assert errors == [caught.value]
        assert errors[0].status == 400
        assert values == []
        assert not handle.successful()

    def test_a_204_reaches_the_callback(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer(status=204)
        received: list[Any] = []
        value = method(client, callback=received.append).get(5)
        assert received == [value]

    def test_invalid_options_raise_at_once(self, method: Callable[..., Any], client: TargetClient) -> None:
        received: list[Any] = []
        with pytest.raises(OptionsError):
            method(client, callback=received.append, session_id="a b")
        assert received == []

    def test_a_callback_that_raises_is_logged_and_loses_nothing(
        self, method: Callable[..., Any], client: TargetClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(value: Any) -> None:
            raise ValueError("boom")

        handle = method(client, callback=fail)
        assert handle.get(5) is not None
        assert handle.successful()
        assert "boom" in caplog.text

    def test_get_past_its_timeout(
        self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer
    ) -> None:
        release = threading.Event()

        def slow(received: Received) -> Answer:
            release.wait(5)
            return ok(received)

        server.answer = slow
        handle = method(client, callback=lambda value: None)
        with pytest.raises(TargetTimeout):
            handle.get(0.02)
        assert not handle.ready()
        release.set()
        assert handle.get(5) is not None

    def test_after_close(self, method: Callable[..., Any], client: TargetClient, server: LoopbackServer) -> None:
        client.close()
        client.close()
        for options in ({}, {"callback": lambda value: None}):
            with pytest.raises(ClientClosed, match=r"make a new one with TargetClient\.create"):
                method(client, **options)
        assert server.received == []


def test_a_request_changed_after_an_asynchronous_call_is_not_what_is_sent(
    client: TargetClient, server: LoopbackServer
) -> None:
    request = DeliveryRequest.from_dict(REQUEST)
    assert request.execute is not None
    assert request.execute.mboxes is not None
    handle = client.get_offers(request=request, callback=lambda value: None)
    request.execute.mboxes[0].name = "later"
    handle.get(5)
    assert server.received[0].body["execute"]["mboxes"][0]["name"] == "home"


def test_an_error_that_nobody_would_hear_of_is_logged_once_for_each_kind(
    client: TargetClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    for status in (400, 400, 413):
        server.answer = answering(Answer({"message": "no Session-77c1"}, status))
        handle = client.get_offers(request=REQUEST, session_id="Session-77c1", callback=print)
        handle.wait(10)
    with pytest.raises(ApiError):
        handle.get()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert ["answered 400" in caplog.messages[0], "answered 413" in caplog.messages[1]] == [True, True]
    assert "Session-77c1" not in caplog.text
    server.answer = ok
    client.get_offers(request=REQUEST, callback=lambda _: 1 / 0).wait(10)
    server.answer = lambda _: Answer({"message": "no"}, 420)
    client.get_offers(request=REQUEST, callback=print, err_callback=lambda _: None).wait(10)
    assert [message.startswith("A callback raised") for message in caplog.messages] == [False, False, True]
