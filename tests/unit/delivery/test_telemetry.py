"""Telemetry entries as they are sent, and the buffer they wait in."""

from __future__ import annotations

import copy
import json
import os
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target._background.forks import renew_in_children
from target.delivery.request import add_to_call, write_body
from target.delivery.telemetry import (
    EDGE,
    LOCAL,
    MOST_ENTRIES,
    Measured,
    TelemetryBuffer,
    add_telemetry,
    as_entry,
    build_download_entry,
    build_request_times,
    count_asked,
    measure_answer,
    mode_of,
)
from target_delivery_api.models import TelemetryEntry
from tests.kit.built_calls import PAGE_LOAD, offers
from tests.kit.properties import examples

NOW_S = 1585098300.9876


def test_the_entry_of_a_download() -> None:
    request = build_request_times(first_byte_ms=1.23456, download_ms=2, response_bytes=345)
    entry = build_download_entry(NOW_S, 12.3456, 4.5678, request)
    assert entry == {
        "requestId": "ArtifactDownload",
        "timestamp": 1585098300987,
        "execution": 12.35,
        "parsing": 4.57,
        "request": {"timeToFirstByte": 1.23, "download": 2, "responseSize": 345},
    }
    assert TelemetryEntry.from_dict(entry).to_dict() == entry


def test_the_entry_of_a_call() -> None:
    body = {"requestId": "r1", "prefetch": {"mboxes": [{"name": "home"}]}}
    decided = Measured("r1", NOW_S, 0.1234, 0.0, LOCAL, "on-device", count_asked(body)).to_entry()
    assert decided == {
        "requestId": "r1",
        "timestamp": 1585098300987,
        "execution": 0.12,
        "parsing": 0.0,
        "mode": "local",
        "features": {"decisioningMethod": "on-device", "prefetchMboxCount": 1},
    }
    assert TelemetryEntry.from_dict(decided).to_dict() == decided


def test_the_entry_of_a_call_that_the_server_answered() -> None:
    body = {"requestId": "r1", "execute": {"pageLoad": {}}}
    entry = measure_answer(body, "mboxedge38.tt.omtrdc.net", "tok", NOW_S, 0.01234).to_entry()
    assert entry == {
        "requestId": "r1",
        "timestamp": 1585098300987,
        "execution": 12.34,
        "mode": "edge",
        "features": {"decisioningMethod": "server-side", "executePageLoad": True},
        "telemetryServerToken": "tok",
    }
    assert TelemetryEntry.from_dict(entry).to_dict() == entry
    said_nothing = measure_answer(body, None, None, NOW_S, 0.9).to_entry()
    assert (said_nothing["mode"], said_nothing["execution"]) == ("local", 900)
    assert "telemetryServerToken" not in said_nothing


@pytest.mark.parametrize("body", [{}, {"requestId": None}])
def test_an_entry_needs_no_request_id(body: dict[str, Any]) -> None:
    assert measure_answer(body, None, None, NOW_S, 1).to_entry()["requestId"] == ""


COUNTS = st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 60))
TIMES = st.floats(0, 1e7)


@settings(max_examples=examples(2000))
@given(
    st.builds(
        Measured,
        st.text(max_size=20),
        st.floats(0, 4e9),
        TIMES,
        st.one_of(st.none(), TIMES),
        st.sampled_from((EDGE, LOCAL)),
        st.sampled_from(("on-device", "server-side")),
        st.tuples(COUNTS, COUNTS),
        st.one_of(st.none(), st.text(max_size=20), st.sampled_from((7, {"a": [1]}, True, 0, [])), st.characters()),
    )
)
def test_what_is_written_of_an_entry_is_the_entry(measured: Measured) -> None:
    body = add_to_call(offers(), [measured]).content
    assert body == offers().content[:-1] + b',"telemetry":' + write_body({"entries": [measured.to_entry()]}) + b"}"


def test_the_mode_follows_the_edge_host() -> None:
    assert (mode_of("mboxedge38.tt.omtrdc.net"), mode_of(None), mode_of("")) == (EDGE, LOCAL, LOCAL)


@pytest.mark.parametrize(
    ("body", "features"),
    [
        ({}, {}),
        ({"notifications": [{}]}, {}),
        ({"execute": {"pageLoad": {}}}, {"executePageLoad": True}),
        ({"execute": {"pageLoad": None, "mboxes": []}}, {}),
        ({"execute": {"mboxes": [{}, {}], "views": [{}]}}, {"executeMboxCount": 2}),
        (
            {"prefetch": {"pageLoad": {"parameters": {}}, "mboxes": [{}], "views": [{}, {}]}},
            {"prefetchPageLoad": True, "prefetchMboxCount": 1, "prefetchViewCount": 2},
        ),
        ({"execute": [], "prefetch": {"mboxes": "x", "views": {}}}, {}),
    ],
)
def test_features_count_what_was_asked(body: dict[str, Any], features: dict[str, Any]) -> None:
    measured = Measured("r", NOW_S, 1, 1, LOCAL, "on-device", count_asked(body))
    assert measured.to_entry()["features"] == {"decisioningMethod": "on-device", **features}


def test_entries_are_added_behind_the_callers_own_without_changing_anything() -> None:
    body = {"context": {}, "telemetry": {"entries": [{"requestId": "own"}], "more": 1}}
    before = copy.deepcopy(body)
    assert add_telemetry(body, [{"requestId": "ours"}]) == {
        "context": {},
        "telemetry": {"entries": [{"requestId": "own"}, {"requestId": "ours"}], "more": 1},
    }
    assert body == before
    assert add_telemetry({"context": {}}, []) == {"context": {}}
    for odd in (None, [], {"entries": None}, {"entries": 7}):
        assert add_telemetry({"telemetry": odd}, [{"requestId": "ours"}])["telemetry"]["entries"] == [
            {"requestId": "ours"}
        ]


def test_entries_are_added_to_what_is_sent_behind_a_callers_own_or_at_the_end() -> None:
    ours = [{"requestId": "ours"}, {"requestId": "and-mine"}]
    own = {"entries": [{"requestId": "own"}]}
    for request, sent in ((PAGE_LOAD, ours), ({**PAGE_LOAD, "telemetry": own}, own["entries"] + ours)):
        call = offers(request)
        added = add_to_call(call, ours)
        assert json.loads(added.content) == {**call.body, "telemetry": {"entries": sent}}
        assert added == call._replace(written=[added.content], riding=tuple(ours))


def ids(buffer: TelemetryBuffer) -> list[Any]:
    return [as_entry(entry)["requestId"] for entry in buffer.take_all()]


def filled(count: int, most: int = MOST_ENTRIES) -> TelemetryBuffer:
    buffer = TelemetryBuffer(most)
    for number in range(count):
        buffer.add({"requestId": number})
    return buffer


def test_a_thousand_wait_and_the_oldest_go_first() -> None:
    buffer = filled(1500)
    assert len(buffer) == 1000
    assert ids(buffer) == list(range(500, 1500))
    assert len(buffer) == 0
    assert buffer.take_all() == []


def test_what_was_not_sent_waits_again_before_what_came_since() -> None:
    buffer = filled(3, most=5)
    taken = buffer.take_all()
    for number in (10, 11, 12):
        buffer.add({"requestId": number})
    buffer.put_back(taken)
    assert ids(buffer) == [1, 2, 10, 11, 12]
    full = filled(5, most=5)
    full.put_back(taken)
    assert ids(full) == [0, 1, 2, 3, 4]


def test_nothing_is_lost_or_taken_twice_between_threads() -> None:
    buffer = TelemetryBuffer(100_000)
    taken: list[Any] = []
    is_done = threading.Event()

    def take() -> None:
        while not is_done.is_set():
            taken.extend(ids(buffer))

    def fill(start: int) -> None:
        for number in range(start, start + 2000):
            buffer.add({"requestId": number})

    taker = threading.Thread(target=take)
    fillers = [threading.Thread(target=fill, args=(start,)) for start in range(0, 8000, 2000)]
    for thread in (taker, *fillers):
        thread.start()
    for thread in fillers:
        thread.join()
    is_done.set()
    taker.join()
    taken.extend(ids(buffer))
    assert sorted(taken) == list(range(8000))


def test_a_child_process_begins_with_none() -> None:
    buffer = filled(3)
    renew_in_children(buffer)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            empty = len(buffer) == 0 and buffer.take_all() == []
            buffer.add({"requestId": "child"})
            code = 0 if empty and ids(buffer) == ["child"] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ids(buffer) == [0, 1, 2]
