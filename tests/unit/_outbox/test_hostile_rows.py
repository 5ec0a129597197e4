"""A file whose rows somebody else wrote: no host of their choice, no crash, nothing lost in silence."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target._outbox.schema import open_file
from target.outbox import Outbox
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.outboxes import LOGGER, Wired, entry, ids_of, notification, wired
from tests.kit.properties import examples

ACCOUNT = "acme 1234@AdobeOrg"
GOOD = json.dumps(notification("good"))
ENVELOPE = '{"body":{}}'


def insert(path: Path, table: str, times: int = 1, **values: Any) -> bool:
    """Whether the table took the row, over a connection of nobody's."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        marks = ", ".join("?" * len(values))
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        try:
            connection.execute("BEGIN")
            for _ in range(times):
                connection.execute(statement, list(values.values()))
            connection.execute("COMMIT")
        except sqlite3.Error:  # such as NULL where none may be
            return False
        return True


def entry_row(**values: Any) -> dict[str, Any]:
    return {
        "account": ACCOUNT,
        "session_id": "s",
        "envelope": ENVELOPE,
        "notification": GOOD,
        "queued_at": 5,
        "since_s": 1.0,
        "steady_s": 1.0,
        **values,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_file(str(tmp_path / "outbox.db"), LOGGER).close()
    return tmp_path / "outbox.db"


def dead_of(made: Wired) -> list[dict[str, Any]]:
    return [payload for name, payload in made.events if name == "notification_dead"]


@pytest.mark.parametrize(
    "row",
    [
        {"cluster": "x@{evil}/"},
        {"cluster": "{evil}"},
        {"cluster": b"38"},
        {"envelope": '{"body":{},"cluster":"x@{evil}/","base_url":"http://{evil}"}'},
        {"envelope": '{"body":{"url":"http://{evil}/","id":{"tntId":"d.x@{evil}/_0"}},"session_id":"../x"}'},
        {"session_id": "s&imsOrgId=evil"},
    ],
)
def test_no_row_picks_a_host_a_path_or_a_query(row: dict[str, Any], path: Path, server: LoopbackServer) -> None:
    with serving() as evil:
        values = {
            name: value.replace("{evil}", evil.domain) if isinstance(value, str) else value
            for name, value in row.items()
        }
        assert insert(path, "entry", **entry_row(**values))
        # The test's own server stands for Target's host, with or without edge routing.
        for routing in (False, True):
            with wired(Outbox.sqlite(path, flush_interval=10), server.domain, edge_routing=routing) as made:
                assert made.handle.flush(5000)
        assert evil.received == []
    (received,) = server.received
    assert received.target.partition("?")[0] == "/rest/v1/delivery"
    assert received.query == {"imsOrgId": "1234@AdobeOrg", "sessionId": values.get("session_id", "s")}


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"envelope": "no json"}, "good"),
        ({"envelope": b"\xff\xfe"}, "good"),
        ({"envelope": '{"body":{"execute":{"pageLoad":{}}}}'}, "good"),
        ({"envelope": '{"body":' + '{"a":' * 50_000 + "1" + "}" * 50_001}, "good"),
        ({"notification": "no json"}, ""),
        ({"notification": '{"id":"odd","type":"buy"}'}, "odd"),
        ({"notification": b"\x00\x01"}, ""),
        ({"notification": 7}, ""),
        ({"session_id": "with/slash"}, "good"),
        ({"session_id": b"s"}, "good"),
        ({"notification": '{"id":"' + "x" * 5_000_000 + '"}'}, ""),
    ],
)
def test_a_poison_row_is_set_aside_and_told_and_holds_up_no_other(
    row: dict[str, Any], known: str, path: Path, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = (json.dumps(notification(name)) for name in ("before", "after"))
    assert insert(path, "entry", **entry_row(notification=before))
    assert insert(path, "entry", **entry_row(**row))
    assert insert(path, "entry", **entry_row(notification=after))
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as made:
        assert made.handle.flush(5000)
        assert made.handle.pending == 0
        assert ids_of(server) == ["before", "after"]
        (letter,) = made.handle.dead_letters
        assert (letter.reason, letter.status, letter.queued_at) == ("unreadable", None, 5)
        assert letter.notification.get("id", "") == known
        (told,) = dead_of(made)
        assert (told["reason"], told["id"]) == ("unreadable", known)
        assert made.handle.counters["dead"] == 1
        assert made.handle.retry_dead_letters() == 0  # it would come back
    assert "unreadable" in caplog.text


def test_a_session_of_nothing_but_poison_is_emptied(path: Path, server: LoopbackServer) -> None:
    assert insert(path, "entry", 120, **entry_row(notification="poison"))
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as made:
        assert made.handle.flush(5000)
        assert (made.handle.pending, len(made.handle.dead_letters)) == (0, 120)
        assert made.handle.counters["dead"] == 120
    assert server.received == []


@pytest.mark.parametrize(
    "lane",
    [
        {"due_s": "never"},
        {"due_s": b"x"},
        {"due_s": 9e99},
        {"due_s": float("inf")},
        {"due_s": float("-inf")},
        {"lease_end_s": "never"},
        {"lease_end_s": 9e99, "token": "theirs"},
        {"failures": -(2**62), "suspects": 2**62, "status": "x", "message": b"\xff"},
        {"failures": "x", "suspects": b"x", "status": -1, "message": 5, "token": 7},
    ],
)
def test_a_session_that_would_never_be_due_is_sent(lane: dict[str, Any], path: Path, server: LoopbackServer) -> None:
    assert insert(path, "lane", **{"account": ACCOUNT, "session_id": "s", "due_s": 0.0, **lane})
    assert insert(path, "entry", **entry_row())
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as made:
        assert made.handle.flush(5000)
        assert made.told("notification_acknowledged") == ["good"]


def test_an_entry_that_comes_without_a_session_later_is_sent(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as made:
        assert made.handle.flush(5000)
        assert insert(path, "entry", **entry_row())
        assert made.handle.flush(5000)
        assert ids_of(server) == ["good"]


_values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=12),
    st.binary(max_size=12),
    st.sampled_from(
        [GOOD, ENVELOPE, "38", "s", ACCOUNT, "[]", '{"body":{"context":[]}}', '{"body":{"id":{"tntId":1}}}']
    ),
)
_entries = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        [
            "seq",
            "misses",
            "session_id",
            "cluster",
            "envelope",
            "notification",
            "telemetry",
            "queued_at",
            "since_s",
            "steady_s",
        ],
        _values,
    ),
)
_lanes = st.fixed_dictionaries(
    {"session_id": _values, "due_s": _values},
    optional=dict.fromkeys(["cluster", "failures", "suspects", "status", "message", "token", "lease_end_s"], _values),
)
_deads = st.fixed_dictionaries(
    {"reason": _values},
    optional=dict.fromkeys(
        ["status", "message", "session_id", "cluster", "envelope", "notification", "queued_at"], _values
    ),
)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_entries, max_size=4), st.lists(_lanes, max_size=3), st.lists(_deads, max_size=2))
def test_whatever_the_rows_hold_each_is_sent_or_set_aside(
    tmp_path_factory: pytest.TempPathFactory,
    server: LoopbackServer,
    entries: list[dict[str, Any]],
    lanes: list[dict[str, Any]],
    deads: list[dict[str, Any]],
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "outbox.db"
    open_file(str(path), LOGGER).close()
    stored = sum(insert(path, "entry", **entry_row(**fields)) for fields in entries)
    for fields in lanes:
        insert(path, "lane", **{"account": ACCOUNT, **fields})
    dead = sum(insert(path, "dead", **{**entry_row(), **fields}) for fields in deads)
    server.received.clear()
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as made:
        assert made.handle.flush(10_000)
        assert made.handle.pending == 0
        counters = made.handle.counters
        assert counters["acknowledged"] + counters["dead"] == stored
        assert len(made.handle.dead_letters) == dead + counters["dead"]
        assert len(dead_of(made)) == counters["dead"]
        made.handle.retry_dead_letters()
        assert made.handle.flush(10_000)
        assert made.handle.pending == 0
    assert all(received.target.startswith("/rest/v1/delivery?") for received in server.received)


def test_a_sound_row_is_what_these_tests_think_it_is(path: Path, server: LoopbackServer) -> None:
    made = entry("good", session_id="s")
    assert json.loads(made.envelope) == json.loads(ENVELOPE)
    assert insert(path, "entry", **entry_row())
    with wired(Outbox.sqlite(path, flush_interval=10), server.domain) as wired_:
        assert wired_.handle.flush(5000)
    assert ids_of(server) == ["good"]
