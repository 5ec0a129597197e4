"""Queued notifications as data: how they are packed, batched, made a call again, and settled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target.delivery.outgoing import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    MOST_PER_BATCH,
    Entry,
    Lane,
    Outcome,
    backoff_s,
    build_call,
    cut_batch,
    expire,
    is_service_failure,
    pack,
    settle,
)
from target.errors import OptionsError
from tests.unit._io.outboxes import START_S, entry, names
from tests.unit.calls import CLICK, NOW_S, UTC_OFFSET_MINUTES, notify, runtime

NOW = START_S + 10
LANE = Lane(START_S)


def batch(count: int, **fields: Any) -> tuple[Entry, ...]:
    return tuple(entry(f"n{number}", seq=number, **fields) for number in range(1, count + 1))


def host(cluster: str | None) -> str:
    return f"http://edge{cluster}.example"


# --- packing and unpacking


def test_what_is_packed_comes_out_as_it_would_have_been_sent() -> None:
    request = {
        "notifications": [CLICK, {**CLICK, "id": "n2", "impressionId": "kept"}],
        "context": {"channel": "mobile", "address": {"url": "https://example.com/ä"}},
        "property": {"token": "prop"},
        "environmentId": 7,
        "experienceCloud": {"analytics": {"logging": "client_side"}},
    }
    call = notify(request, session_id="s-1", target_cookie="PC#device.38_0#9999999999")
    entries = pack(call, runtime())
    assert [item.session_id for item in entries] == ["s-1", "s-1"]
    assert {item.queued_at for item in entries} == {int(NOW_S * 1000)}
    rebuilt = build_call(entries, LANE, runtime(), host)
    changed = {"requestId", "impressionId"}
    assert {key: value for key, value in rebuilt.body.items() if key not in changed} == {
        key: value for key, value in call.body.items() if key not in changed
    }
    assert json.loads(rebuilt.content) == rebuilt.body
    assert rebuilt.body["requestId"] == rebuilt.trace_id
    assert [item["impressionId"] for item in rebuilt.body["notifications"]][1] == "kept"
    assert (rebuilt.session_id, rebuilt.device_id, rebuilt.cluster) == ("s-1", "device.38_0", "38")
    assert rebuilt.base_url == "http://edge38.example"


def test_every_rebuilt_call_has_request_ids_of_its_own_and_the_same_impression_ids() -> None:
    entries = pack(notify({"notifications": [CLICK]}), runtime())
    shared = runtime()
    first, second = (build_call(entries, LANE, shared, host) for _ in range(2))
    assert first.body["requestId"] != second.body["requestId"]
    assert first.body["impressionId"] != second.body["impressionId"]
    assert first.body["notifications"] == second.body["notifications"]
    assert first.body["notifications"][0]["impressionId"]


def test_two_calls_of_one_visitor_share_an_envelope() -> None:
    one, other = (pack(notify({"notifications": [CLICK]}, session_id="s"), runtime())[0] for _ in range(2))
    assert one.envelope == other.envelope


@pytest.mark.parametrize(
    "request_",
    [
        {"context": {"address": {"url": "https://example.com/other"}}},
        {"property": {"token": "other"}},
        {"environmentId": 8},
        {"id": {"tntId": "other"}},
    ],
)
def test_what_says_something_else_about_the_visitor_does_not(request_: dict[str, Any]) -> None:
    one = pack(notify({"notifications": [CLICK]}, session_id="s"), runtime())[0]
    other = pack(notify({"notifications": [CLICK], **request_}, session_id="s"), runtime())[0]
    assert one.envelope != other.envelope


def test_the_order_of_keys_makes_no_other_envelope() -> None:
    contexts = [{"userAgent": "a", "channel": "web"}, {"channel": "web", "userAgent": "a"}]
    one, other = (pack(notify({"notifications": [CLICK], "context": item}), runtime())[0] for item in contexts)
    assert one.envelope == other.envelope


def test_the_servers_own_time_offset_is_filled_in_when_sent_and_a_callers_is_kept() -> None:
    filled = pack(notify({"notifications": [CLICK]}), runtime())
    assert "timeOffsetInMinutes" not in filled[0].envelope
    assert build_call(filled, LANE, runtime(), host).body["context"]["timeOffsetInMinutes"] == UTC_OFFSET_MINUTES
    own = pack(notify({"notifications": [CLICK], "context": {"timeOffsetInMinutes": -480}}), runtime())
    assert build_call(own, LANE, runtime(), host).body["context"]["timeOffsetInMinutes"] == -480


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_offers_cannot_be_queued(part: str) -> None:
    call = notify({"notifications": [CLICK], part: {"mboxes": [{"name": "home"}]}})
    with pytest.raises(OptionsError, match="get_offers"):
        pack(call, runtime())


def test_telemetry_alone_cannot_be_queued() -> None:
    call = notify({"telemetry": {"entries": [{"requestId": "r", "timestamp": 1}]}})
    with pytest.raises(OptionsError, match="Notifications list is required"):
        pack(call, runtime())


def test_telemetry_rides_along_once() -> None:
    told = {"requestId": "r", "timestamp": 1}
    entries = pack(notify({"notifications": [CLICK], "telemetry": {"entries": [told]}}), runtime())
    assert json.loads(build_call(entries, LANE, runtime(), host).content)["telemetry"] == {"entries": [told]}
    for later in (Lane(0, failures=1), Lane(0, suspects=1)):
        assert b"telemetry" not in build_call(entries, later, runtime(), host).content
    missed = [item._replace(misses=1) for item in entries]
    assert b"telemetry" not in build_call(missed, LANE, runtime(), host).content


# --- cutting


def test_a_batch_is_at_most_fifty() -> None:
    assert len(cut_batch(batch(MOST_PER_BATCH + 5), LANE)) == MOST_PER_BATCH == 50


def test_a_batch_ends_where_the_envelope_changes() -> None:
    entries = [*batch(2), entry("n3", envelope="other"), entry("n4")]
    assert names(cut_batch(entries, LANE)) == ["n1", "n2"]


def test_a_batch_holds_no_id_twice_since_the_answer_could_mean_either() -> None:
    assert names(cut_batch([entry("a"), entry("b"), entry("a"), entry("c")], LANE)) == ["a", "b"]


@pytest.mark.parametrize(("suspects", "size"), [(50, 25), (25, 12), (3, 1), (2, 1), (1, 1)])
def test_suspects_are_halved(suspects: int, size: int) -> None:
    assert len(cut_batch(batch(50), Lane(0, suspects=suspects))) == size


# --- settling


@pytest.mark.parametrize("count", [1, 3, 50])
def test_204_acknowledges_all(count: int) -> None:
    sent = batch(count)
    assert settle(sent, Lane(START_S, failures=4), Outcome(204), NOW, 0.5) == (Lane(NOW), sent, (), ())


def test_an_answer_acknowledges_what_it_lists() -> None:
    sent = batch(3)
    settled = settle(sent, LANE, Outcome(200, frozenset({"n1", "n3", "stranger"})), NOW, 1.0)
    assert names(settled.acknowledged) == ["n1", "n3"]
    assert names(settled.missed) == ["n2"]
    assert settled.dead == ()
    assert settled.lane.due_s > NOW
    assert settled.lane.failures == 0


def test_what_is_not_listed_is_sent_again_three_times() -> None:
    (item,) = batch(1)
    sends = 0
    while True:
        sends += 1
        settled = settle([item], LANE, Outcome(200), NOW, 0.5)
        if settled.dead:
            break
        assert settled.missed == (item,)
        item = item._replace(misses=item.misses + 1)
    assert sends == 1 + 3
    assert settled.dead == ((item, "unacknowledged", 200),)
    assert settled.missed == ()


@pytest.mark.parametrize("status", [400, 413])
def test_a_voided_batch_is_split_at_once(status: int) -> None:
    settled = settle(batch(8), LANE, Outcome(status), NOW, 1.0)
    assert settled == (Lane(NOW, suspects=8, status=status), (), (), ())


@pytest.mark.parametrize("status", [400, 413])
def test_what_is_refused_alone_is_dead(status: int) -> None:
    (item,) = batch(1)
    settled = settle([item], Lane(START_S, suspects=1), Outcome(status), NOW, 1.0)
    assert settled.dead == ((item, "refused", status),)
    assert settled.lane.suspects == 0


def test_what_is_refused_with_telemetry_is_tried_without() -> None:
    (item,) = batch(1, telemetry="[]")
    first = settle([item], LANE, Outcome(400), NOW, 1.0)
    assert first.dead == ()
    assert names(entry.entry for entry in settle([item], first.lane, Outcome(400), NOW, 1.0).dead) == ["n1"]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 50])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_halving_finds_the_bad_one_and_saves_the_others(count: int, place: str) -> None:
    bad = {"first": 1, "middle": count // 2 + 1, "last": count}[place]
    waiting, lane = list(batch(count)), LANE
    dead: list[str] = []
    saved: list[str] = []
    requests = 0
    while waiting:
        requests += 1
        sent = cut_batch(waiting, lane)
        voided = f"n{bad}" in names(sent)
        outcome = Outcome(400) if voided else Outcome(200, frozenset(names(sent)))
        settled = settle(sent, lane, outcome, NOW, 1.0)
        assert settled.lane.due_s == NOW
        dead += names(death.entry for death in settled.dead)
        saved += names(settled.acknowledged)
        gone = {item.seq for item in settled.acknowledged} | {death.entry.seq for death in settled.dead}
        waiting, lane = [item for item in waiting if item.seq not in gone], settled.lane
    assert dead == [f"n{bad}"]
    assert saved == [f"n{number}" for number in range(1, count + 1) if number != bad]
    assert requests <= 16


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 418, 420, 429, 500, 502, 503, 504, None])
def test_all_else_is_sent_again_later(status: int | None) -> None:
    settled = settle(batch(2), Lane(START_S, failures=2, suspects=1, status=500), Outcome(status), NOW, 1.0)
    assert settled == (Lane(NOW + 4 * FIRST_DELAY_S, 3, 1, status or 500), (), (), ())


def test_a_call_that_the_clients_end_cut_off_is_no_failure() -> None:
    assert settle(batch(2), LANE, Outcome(None, interrupted=True), NOW, 1.0) == (Lane(NOW), (), (), ())


@pytest.mark.parametrize(
    ("outcome", "at_fault"),
    [
        (Outcome(200), False),
        (Outcome(204), False),
        (Outcome(400), False),
        (Outcome(413), False),
        (Outcome(420), False),
        (Outcome(429), True),
        (Outcome(403), True),
        (Outcome(503), True),
        (Outcome(None), True),
        (Outcome(None, interrupted=True), False),
    ],
)
def test_whose_fault_it_is(outcome: Outcome, at_fault: bool) -> None:
    assert is_service_failure(outcome) is at_fault


def test_old_entries_are_dead_with_the_last_status() -> None:
    old, young = entry("old", since_s=NOW - 60), entry("young", since_s=NOW - 59)
    assert expire([young], LANE, NOW, 60) is None
    settled = expire([old, young], Lane(START_S, 5, 2, 503), NOW, 60)
    assert settled is not None
    assert settled == (Lane(START_S, 5, 1, 503), (), (), ((old, "expired", 503),))


def test_backoff_grows_and_is_bounded_and_spread() -> None:
    longest = [backoff_s(failures, 1.0) for failures in range(1, 2000)]
    assert longest[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert longest == sorted(longest)
    assert longest[-1] == LONGEST_DELAY_S
    assert backoff_s(9, 0.0) == 0.0
    assert backoff_s(3, 0.5) == backoff_s(3, 1.0) / 2
