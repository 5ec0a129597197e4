"""Server-sent events: what happens is told as it happens, from where a listener left off, until the server stops."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3

from target.emulator import Emulator, running
from target.emulator.events import Queue, followed
from target.emulator.journal import Event, Journal
from target.emulator.stopping import Stopping
from tests.kit.calls import eventually

WEB = {"context": {"channel": "web"}}
SHOWN = {"id": "n", "type": "display", "timestamp": 1}


@contextmanager
def listening(emulator: Emulator, **headers: str) -> Iterator[Iterator[tuple[str, str, Any]]]:
    """Events as (number, kind, data)."""
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{emulator.url}/_/events", headers=headers, preload_content=False, timeout=20)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        yield _events(answer)
        answer.close()


def _events(answer: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, str, Any]]:
    text = ""
    while piece := answer.read1():
        text += piece.decode()
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            if not block.startswith(":"):
                fields = dict(line.split(": ", 1) for line in block.split("\n"))
                yield fields["id"], fields["event"], json.loads(fields["data"])


def test_what_happens_is_told_as_it_happens(emulator: Emulator, post: Any) -> None:
    with listening(emulator) as events:
        assert eventually(lambda: bool(emulator._desk.journal._listeners))
        post(emulator, WEB | {"notifications": [SHOWN]})
        emulator.fail_next(1, 503)
        told = [next(events) for _ in range(3)]
    assert eventually(lambda: not emulator._desk.journal._listeners)
    assert [kind for _, kind, _ in told] == ["request", "notification", "faults"]
    assert told[0][2]["body"]["notifications"] == [SHOWN]
    assert told[1][2]["notification"] == SHOWN
    assert [int(number) for number, _, _ in told] == sorted(int(number) for number, _, _ in told)


def test_who_comes_back_is_told_what_was_missed(emulator: Emulator, post: Any) -> None:
    for session in ("a", "b"):
        post(emulator, WEB | {"notifications": [SHOWN]}, {"imsOrgId": "o", "sessionId": session})
    seen = emulator.received[0].number
    with listening(emulator, **{"Last-Event-ID": str(seen)}) as events:
        told = [next(events) for _ in range(3)]
    assert [(kind, data.get("sessionId")) for _, kind, data in told] == [
        ("notification", "a"),
        ("request", None),
        ("notification", "b"),
    ]


def test_a_stream_ends_when_the_server_stops(caplog: pytest.LogCaptureFixture) -> None:
    with urllib3.PoolManager() as pool:
        with running() as emulator:
            answer = pool.request("GET", f"{emulator.url}/_/events", preload_content=False, timeout=20)
            assert answer.read1().startswith(b": ")
        assert answer.read() == b""
    assert caplog.messages == []


def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target.emulator.events._MOST_WAITING", 2)

    async def follow() -> list[int | None]:
        journal = Journal()
        with followed(journal, Stopping()) as queue:
            for number in range(5):
                journal.publish("file", {"number": number})
            await asyncio.sleep(0)
            return [None if event is None else event.number for event in drained(queue)]

    assert asyncio.run(follow()) == [1, 2, None]


def drained(queue: Queue) -> list[Event | None]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_who_waits_and_hangs_up_is_waited_for_no_longer(emulator: Emulator) -> None:
    listeners = emulator._desk.journal._listeners
    with socket.create_connection((emulator.host, emulator.port)) as caller:
        caller.sendall(b"GET /_/requests?wait=1&timeout_ms=600000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert eventually(lambda: listeners)
    assert eventually(lambda: not listeners)


def test_a_number_that_is_none_is_refused(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    for headers in ({"Last-Event-ID": "abc"}, {"Last-Event-ID": "-1"}, {"Last-Event-ID": "9" * 30}):
        assert pool.request("GET", f"{emulator.url}/_/events", headers=headers).status == 400
