"""How a client ends, and what it does while the service is away: close, circuit breaker, default attributes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from target import (
    ApiError,
    AttributeNotFound,
    ClientClosed,
    OptionsError,
    TargetClient,
    TargetTimeout,
    TargetUnavailable,
    TransportError,
)
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.threads import threads_of

CALL: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "home"}]}}}


def hang(_: Received) -> Answer:
    time.sleep(3)
    return Answer({})


def workers() -> int:
    return len(threads_of("target-"))


class TestClose:
    def test_waits_for_running_calls(self, server: LoopbackServer, make_client: MakeClient) -> None:
        def slowly(received: Received) -> Answer:
            time.sleep(0.2)
            return ok(received)

        server.answer = slowly
        client = make_client()
        seen: list[object] = []
        handle = client.get_offers(**CALL, callback=seen.append)
        time.sleep(0.05)
        client.close()
        assert handle.ready()
        assert handle.get().response.status == 200
        assert len(seen) == 1

    def test_ends_what_runs_longer_than_its_timeout(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = hang
        before = workers()
        client = make_client(timeout=10_000, async_workers=3)
        handles = [client.get_offers(**CALL, callback=print) for _ in range(3)]
        while len(server.received) < 3:
            time.sleep(0.01)
        started = time.monotonic()
        client.close(timeout=100)
        assert time.monotonic() - started < 5  # the calls alone would take 10
        for handle in handles:
            with pytest.raises(ClientClosed):
                handle.get(0)
        assert workers() == before

    def test_from_a_callback_does_not_wait_for_itself(self, make_client: MakeClient) -> None:
        client = make_client()
        closed: list[float] = []

        def close(_: object) -> None:
            started = time.monotonic()
            client.close(5000)
            closed.append(time.monotonic() - started)

        client.get_offers(**CALL, callback=close).get(5)
        assert closed[0] < 4

    def test_stops_the_timer_of_client_ready(self, make_client: MakeClient) -> None:
        seen: list[object] = []
        make_client(events={"client_ready": seen.append}).close()
        time.sleep(0.15)
        assert seen == []

    def test_wait_until_ready(self, make_client: MakeClient) -> None:
        client = make_client()
        assert client.wait_until_ready() is True
        assert client.wait_until_ready(timeout=10) is True


class TestBreaker:
    def test_fails_at_once_and_lets_one_call_try_later(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer({"message": "down"}, 500)
        client = make_client(breaker_failures=2, breaker_reset=150)
        for _ in range(2):
            with pytest.raises(ApiError):
                client.get_offers(**CALL)
        for _ in range(3):
            with pytest.raises(TargetUnavailable, match="2 times in a row"):
                client.get_offers(**CALL)
        assert len(server.received) == 2
        server.answer = ok
        time.sleep(0.16)
        assert client.get_offers(**CALL).response is not None
        assert client.get_offers(**CALL).response is not None

    def test_an_answer_that_is_no_json_counts(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(b"<html>")
        client = make_client(breaker_failures=1)
        with pytest.raises(TransportError):
            client.get_offers(**CALL)
        with pytest.raises(TargetUnavailable):
            client.get_offers(**CALL)

    def test_a_refused_request_does_not_count(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer({"message": "bad"}, 400)
        client = make_client(breaker_failures=1)
        for _ in range(3):
            with pytest.raises(ApiError):
                client.get_offers(**CALL)
        assert len(server.received) == 3

    def test_callbacks_too(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=503)
        client = make_client(breaker_failures=1, retries=0)
        errors: list[Exception] = []
        for _ in range(2):
            client.get_offers(**CALL, callback=print, err_callback=errors.append).wait(5)
        assert [type(error) for error in errors] == [ApiError, TargetUnavailable]

    def test_each_client_has_its_own(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=500)
        with pytest.raises(ApiError):
            make_client(breaker_failures=1).get_offers(**CALL)
        with pytest.raises(ApiError):
            make_client(breaker_failures=1).get_offers(**CALL)

    @pytest.mark.parametrize("options", [{"breaker_failures": -1}, {"breaker_failures": "3"}, {"breaker_reset": -1}])
    def test_options_are_checked(self, make_client: MakeClient, options: dict[str, Any]) -> None:
        with pytest.raises(OptionsError, match=next(iter(options))):
            make_client(**options)


DEFAULTS = {"home": {"color": "grey", "size": 1}, "unasked": {"x": 1}}


class TestDefaultAttributes:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (lambda _: Answer({"message": "down"}, 500), ApiError),
            (lambda _: Answer(status=503), ApiError),
            (lambda _: Answer(b""), TransportError),
            (hang, TargetTimeout),
        ],
        ids=["500", "503", "empty", "timeout"],
    )
    def test_answer_when_the_service_is_away(
        self, server: LoopbackServer, make_client: MakeClient, answer: Any, error: type[Exception]
    ) -> None:
        server.answer = answer
        client = make_client(default_attributes=DEFAULTS, timeout=300, retries=0)
        flags = client.get_attributes(["home", "other"], session_id="s1")
        assert flags.is_default
        assert isinstance(flags.error, error)
        assert flags.get_value("home", "color") == "grey"
        assert flags.as_object() == {"home": {"color": "grey", "size": 1}}
        assert flags.as_object("other") is None
        with pytest.raises(AttributeNotFound):
            flags.get_value("other", "color")
        assert flags.get_response().response is None
        assert flags.get_response().target_cookie.value.startswith("session#s1#")

    def test_answer_when_the_breaker_is_open(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=500)
        client = make_client(default_attributes=DEFAULTS, breaker_failures=1)
        errors = [client.get_attributes(["home"]).error for _ in range(2)]
        assert [type(error) for error in errors] == [ApiError, TargetUnavailable]

    def test_by_callback(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=500)
        client = make_client(default_attributes=DEFAULTS)
        assert client.get_attributes(["home"], callback=print).get(5).is_default

    def test_a_good_answer_is_no_default(self, make_client: MakeClient) -> None:
        flags = make_client(default_attributes=DEFAULTS).get_attributes(["home"])
        assert not flags.is_default
        assert flags.error is None
        assert flags.get_value("home", "part") == "execute"

    def test_what_is_wrong_with_the_request_still_raises(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer({"message": "bad"}, 400)
        client = make_client(default_attributes=DEFAULTS)
        with pytest.raises(ApiError):
            client.get_attributes(["home"])
        with pytest.raises(ApiError):
            client.get_offers(**CALL)

    def test_without_the_option_errors_are_raised(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=500)
        with pytest.raises(ApiError):
            make_client().get_attributes(["home"])

    def test_callers_cannot_change_them(self, server: LoopbackServer, make_client: MakeClient) -> None:
        server.answer = lambda _: Answer(status=500)
        given = {"home": {"color": "grey"}}
        client = make_client(default_attributes=given)
        given["home"]["color"] = "red"
        first = client.get_attributes(["home"]).as_object("home")
        assert first is not None
        first["color"] = "blue"
        assert client.get_attributes(["home"]).get_value("home", "color") == "grey"

    @pytest.mark.parametrize("wrong", [[], {"home": 1}, {1: {}}, "x"])
    def test_the_option_is_checked(self, make_client: MakeClient, wrong: Any) -> None:
        with pytest.raises(OptionsError, match="default_attributes"):
            make_client(default_attributes=wrong)


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_server_side_client_says_that_it_has_no_rules(client: TargetClient, method: Any) -> None:
    with pytest.raises(OptionsError, match=f"decisioning_method='{method}'"):
        client.get_offers(**CALL, decisioning_method=method)
    with pytest.raises(OptionsError, match="create the client"):
        client.get_attributes(["home"], decisioning_method=method)
