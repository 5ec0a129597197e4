"""Telemetry of server-side calls: what rides on which request, over real HTTP."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from target import ApiError, TargetClient, TargetDeliveryResponse, TransportError
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer, LoopbackServer, Received, ok

CALL: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "home"}, {"name": "cart"}]}}}
NOTIFY: dict[str, Any] = {"request": {"notifications": [{"id": "n", "type": "click", "timestamp": 1}]}}


def entries(server: LoopbackServer) -> list[list[dict[str, Any]]]:
    return [received.body.get("telemetry", {}).get("entries", []) for received in server.received]


def test_a_call_is_told_of_by_the_next_one(server: LoopbackServer, client: TargetClient) -> None:
    first = client.get_offers(**CALL)
    client.send_notifications(**NOTIFY)
    client.get_attributes(["flag"])
    told = entries(server)
    assert [len(some) for some in told] == [0, 1, 0], "a notification carries, and makes none of its own"
    (entry,) = told[1]
    assert entry["requestId"] == first.request.request_id
    assert entry["mode"] == "edge"
    assert entry["features"] == {"decisioningMethod": "server-side", "executeMboxCount": 2}
    assert 0 < entry["execution"] < 5000
    assert isinstance(entry["timestamp"], int)


def test_the_token_of_an_answer_goes_into_its_entry(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = lambda received: Answer({**ok(received).body, "telemetryServerToken": "t1", "edgeHost": None})
    client.get_offers(**CALL)
    client.get_offers(**CALL)
    ((entry,),) = entries(server)[1:]
    assert entry["telemetryServerToken"] == "t1"
    assert entry["mode"] == "local"


def test_what_rode_on_a_call_without_an_answer_rides_again(server: LoopbackServer, client: TargetClient) -> None:
    client.get_offers(**CALL)
    server.answer = lambda _: Answer(b"<html>")
    with pytest.raises(TransportError):
        client.get_offers(**CALL)
    server.answer = ok
    client.get_offers(**CALL)
    told = entries(server)
    assert [len(some) for some in told] == [0, 1, 1, 1], "what does not say whose it is is asked for again"
    assert told[1] == told[2] == told[3]


def test_what_the_api_may_have_refused_does_not_ride_again(server: LoopbackServer, client: TargetClient) -> None:
    client.get_offers(**CALL)
    server.answer = lambda received: Answer({"message": "bad", "requestId": received.body["requestId"]}, 400)
    with pytest.raises(ApiError):
        client.get_offers(**CALL)
    server.answer = ok
    client.get_offers(**CALL)
    assert [len(some) for some in entries(server)] == [0, 1, 0]


def test_the_callers_own_entries_stay(server: LoopbackServer, client: TargetClient) -> None:
    client.get_offers(**CALL)
    own = {"requestId": "own", "timestamp": 1, "execution": 2.0}
    client.send_notifications(request={"telemetry": {"entries": [own]}})
    told = entries(server)[1]
    assert told[0] == own
    assert len(told) == 2


def test_none_is_sent_when_it_is_off(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(telemetry_enabled=False)
    for _ in range(3):
        client.get_offers(**CALL)
    client.send_notifications(**NOTIFY)
    assert all("telemetry" not in received.body for received in server.received)


def test_clients_do_not_share_it(server: LoopbackServer, make_client: MakeClient) -> None:
    make_client().get_offers(**CALL)
    make_client().get_offers(**CALL)
    assert [len(some) for some in entries(server)] == [0, 0]


# What rides along is another visitor's -----------------------------------------------------------------------------


ALICE: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "home"}]}, "requestId": "alices-order-4711"}}
OF_ALICE = ("alices-order-4711", "alices-token")


def _with_token(received: Received) -> Answer:
    return Answer({**ok(received).body, "telemetryServerToken": "alices-token"})


def _everything_of(result: TargetDeliveryResponse) -> str:
    restored = pickle.loads(pickle.dumps(result))
    texts = [repr(value) for value in (result, result.request, result.meta, restored.to_dict(), result.server_state())]
    return json.dumps(result.to_dict()) + "".join(texts)


def test_a_result_holds_nothing_of_the_calls_that_its_request_tells_of(
    server: LoopbackServer, client: TargetClient
) -> None:
    server.answer = _with_token
    client.get_offers(**ALICE, session_id="alice")
    server.answer = ok
    for result in (client.get_offers(**CALL), client.send_notifications(**NOTIFY), client.get_offers(**CALL)):
        assert not [word for word in OF_ALICE if word in _everything_of(result)]
    assert [word for word in OF_ALICE if word.encode() in server.received[1].content] == list(OF_ALICE), "it did ride"


def test_a_result_keeps_the_telemetry_that_its_own_caller_gave(server: LoopbackServer, client: TargetClient) -> None:
    client.get_offers(**ALICE)
    own = {"requestId": "own", "timestamp": 1, "execution": 2.0}
    result = client.send_notifications(request={"telemetry": {"entries": [own]}})
    assert result.to_dict()["request"]["telemetry"] == {"entries": [own]}
    assert len(entries(server)[1]) == 2


def test_an_error_shows_nothing_of_the_calls_that_its_request_tells_of(
    server: LoopbackServer, client: TargetClient
) -> None:
    server.answer = _with_token
    client.get_offers(**ALICE)
    server.answer = lambda received: Answer({"message": f"bad: {received.content.decode()}"}, 400)
    with pytest.raises(ApiError) as caught:
        client.get_offers(**CALL)
    error = caught.value
    assert "alices-order-4711" in server.received[1].content.decode()
    assert not [word for word in OF_ALICE if word in f"{error} {error!r} {error.args} {error.message} {error.body}"]


def test_nothing_rides_on_a_call_whose_trace_could_tell_of_it(server: LoopbackServer, client: TargetClient) -> None:
    client.get_offers(**ALICE)
    client.get_offers(request={**CALL["request"], "trace": {"authorizationToken": "t"}})
    client.get_offers(**CALL)
    assert [len(some) for some in entries(server)] == [0, 0, 2]
