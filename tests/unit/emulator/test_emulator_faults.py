"""What goes wrong on purpose is wrong on the wire: resets, bytes that drip, halves; and it ends after N calls."""

from __future__ import annotations

import errno
import http.client
import json
import select
import socket
import ssl
import time
from typing import Any

import pytest
import time_machine
import urllib3
from freezegun import freeze_time

from target.emulator import Emulator, create_app, running
from target.emulator.faults import FailingShare, Faults, parse_failure

BODY = json.dumps({"context": {"channel": "web"}, "execute": {"mboxes": [{"name": "home"}]}}).encode()
PATH = "/rest/v1/delivery?imsOrgId=o&sessionId=s"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(BODY)}\r\n\r\n"


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def either(request: pytest.FixtureRequest) -> Any:
    with running(tls=request.param) as emulator:
        yield emulator


@pytest.fixture
def faulty(either: Emulator) -> Emulator:
    either.reset()
    return either


def connect(emulator: Emulator) -> socket.socket:
    raw = socket.create_connection((emulator.host, emulator.port), 10)
    if emulator.ca_file is None:
        return raw
    return ssl.create_default_context(cafile=emulator.ca_file).wrap_socket(raw, server_hostname=emulator.host)


def ask(emulator: Emulator) -> http.client.HTTPResponse:
    with connect(emulator) as caller:
        caller.sendall(HEAD.encode() + BODY)
        answer = http.client.HTTPResponse(caller)
        answer.begin()
        answer.read()
        return answer


def test_a_status_for_the_next_n_calls(faulty: Emulator) -> None:
    faulty.fail_next(2, 503)
    faulty.fail_next(1, "429")
    assert [ask(faulty).status for _ in range(5)] == [503, 503, 429, 200, 200]
    assert [received.fault for received in faulty.received] == ["503", "503", "429", None, None]


def test_a_reset_is_a_reset_of_the_connection_and_counts_nothing(
    faulty: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.fail_next(1, "reset")
    with connect(faulty) as caller:
        caller.sendall(HEAD.encode() + BODY)
        poll = select.poll()
        poll.register(caller.fileno(), 0)  # an end in order would be no error
        assert [event & select.POLLERR for _, event in poll.poll(10_000)] == [select.POLLERR]
        assert caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
    (received,) = faulty.received
    assert (received.status, received.fault) == (None, "reset")
    assert caplog.messages == []
    assert ask(faulty).status == 200


def test_half_an_answer_is_cut_within_its_content_length(faulty: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    whole = ask(faulty).headers["Content-Length"]
    faulty.fail_next(1, "half")
    with connect(faulty) as caller:
        caller.sendall(HEAD.encode() + BODY)
        answer = http.client.HTTPResponse(caller)
        answer.begin()
        assert (answer.status, answer.headers["Content-Length"]) == (200, whole)
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
    assert len(cut.value.partial) == int(whole) // 2
    assert faulty.received[-1].status == 200  # it was served, and got lost on the way
    assert caplog.messages == []


def test_a_dripping_answer_comes_a_byte_at_a_time_and_ends_with_the_caller(
    faulty: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target.emulator.faults.DRIP_MS", 30)
    faulty.fail_next(1, "drip")
    started = time.monotonic()
    with connect(faulty) as caller:
        caller.sendall(HEAD.encode() + BODY)
        answer = http.client.HTTPResponse(caller)
        answer.begin()
        pieces = [answer.read1(1000) for _ in range(4)]
    assert [len(piece) for piece in pieces] == [1, 1, 1, 1]
    assert time.monotonic() - started >= 3 * 0.03


def test_latency_comes_before_the_answer(faulty: Emulator) -> None:
    faulty.fail_next(1, latency_ms=150)
    started = time.monotonic()
    assert ask(faulty).status == 200
    assert time.monotonic() - started >= 0.15
    assert faulty.received[0].fault == "latency"


def test_who_waits_when_it_stops_is_answered_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with running() as emulator:
        emulator.fail_next(1, "503", latency_ms=60_000)
        caller = connect(emulator)
        caller.sendall(HEAD.encode() + BODY)
        emulator.wait_for_requests(1)
    with caller:
        assert caller.recv(12) == b"HTTP/1.1 503"
    assert caplog.messages == []


def test_without_the_servers_own_connections_a_reset_is_an_error_of_the_application() -> None:
    from starlette.testclient import TestClient

    app = create_app()
    app.state.desk.faults.fail_next(1, "reset")
    with pytest.raises(ConnectionResetError, match="only the emulator's own server"):
        TestClient(app).post(PATH, content=BODY)


def test_what_waits_can_be_seen_and_cleared() -> None:
    faults = Faults()
    faults.fail_next(2, "drip", latency_ms=5, of="rules")
    faults.fail_next(1, 500)
    assert faults.take("geo") is None
    assert faults.take("rules") is not None
    assert faults.waiting() == [
        {"n": 1, "fault": "drip", "latency_ms": 5, "of": "rules"},
        {"n": 1, "fault": "500", "latency_ms": 0, "of": "delivery"},
    ]
    faults.clear("rules")
    assert [fault["of"] for fault in faults.waiting()] == ["delivery"]
    faults.clear()
    assert faults.waiting() == []


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"n": 0, "fault": "503"}, "n is how many calls"),
        ({"n": True, "fault": "503"}, "n is how many calls"),
        ({"n": "2", "fault": "503"}, "n is how many calls"),
        ({"fault": "200"}, "fault is a status from 300 to 599, or one of reset, drip, half"),
        ({"fault": "5033"}, "fault is a status"),
        ({"fault": "slow"}, "fault is a status"),
        ({}, "say what goes wrong"),
        ({"latency_ms": -1}, "latency_ms is milliseconds from 0"),
        ({"latency_ms": float("nan")}, "latency_ms is milliseconds from 0"),
        ({"latency_ms": "5"}, "latency_ms is a number"),
        ({"fault": "503", "of": "cdn"}, "of is one of delivery, rules, geo"),
    ],
)
def test_what_cannot_go_wrong_is_explained(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Faults().fail_next(**asked)


@pytest.mark.parametrize(
    ("value", "failure"),
    [
        ("0.2:503", FailingShare(0.2, 503)),
        ("1:400", FailingShare(1, 400)),
        (".5:429", FailingShare(0.5, 429)),
        ("1.0:599", FailingShare(1, 599)),
    ],
)
def test_fail_is_a_rate_and_a_status(value: str, failure: FailingShare) -> None:
    assert parse_failure(value) == failure


@pytest.mark.parametrize(
    "value", ["", "503", "0.2", "2:503", "1.1:503", "-1:503", "0.2:200", "0.2:600", "nan:503", "0.2:503:1"]
)
def test_another_fail_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"is not RATE:STATUS; write .*: 0\.2:503"):
        create_app(fail=value)


def test_urllib3_meets_them_as_the_errors_of_a_bad_network(faulty: Emulator) -> None:
    for fault, error in (("reset", urllib3.exceptions.ProtocolError), ("half", urllib3.exceptions.ProtocolError)):
        faulty.fail_next(1, fault)
        with urllib3.PoolManager(ca_certs=faulty.ca_file) as pool, pytest.raises(error):
            pool.request("POST", f"{faulty.url}{PATH}", body=BODY, retries=False)


@pytest.mark.parametrize("stop", [freeze_time("2026-03-01"), time_machine.travel("2026-03-01T00:00Z", tick=False)])
def test_a_test_that_stops_the_date_stops_no_timer_and_sets_that_of_decisions(stop: Any) -> None:
    with stop, running() as emulator:
        emulator.fail_next(1, 503, latency_ms=50)
        assert ask(emulator).status == 503
        assert emulator.received[0].at == emulator.stage.now_s() * 1000 == 1772323200000
        with pytest.raises(TimeoutError):
            emulator.wait_for_notifications(1, timeout_ms=20)
