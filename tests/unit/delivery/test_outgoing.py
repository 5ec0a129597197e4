"""Queued notifications as data: how they are batched, and settled by what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from target.delivery.outgoing import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    Outcome,
    asked_pause_s,
    backoff_s,
    carries_telemetry,
    cut_batch,
    expire,
    is_service_failure,
    settle,
)
from target.delivery.retry import LONGEST_PAUSE_S
from target.protocols import MOST_PER_BATCH, Entry, LaneState, Moment
from tests.kit.outboxes import START_S, entry, names

NOW_S = START_S + 10
NOW = Moment(NOW_S, NOW_S)
AGE_S = 86_400
LANE = LaneState(START_S)


def batch(count: int, **fields: Any) -> tuple[Entry, ...]:
    return tuple(entry(f"n{number}", seq=number, **fields) for number in range(1, count + 1))


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
    assert len(cut_batch(batch(50), LaneState(0, suspects=suspects))) == size


# --- settling


@pytest.mark.parametrize("count", [1, 3, 50])
def test_204_acknowledges_all(count: int) -> None:
    sent = batch(count)
    assert settle(sent, LaneState(START_S, failures=4), Outcome(204), NOW, 0.5, AGE_S) == (
        LaneState(NOW_S),
        sent,
        (),
        (),
    )


def test_an_answer_acknowledges_what_it_lists() -> None:
    sent = batch(3)
    settled = settle(sent, LANE, Outcome(200, frozenset({"n1", "n3", "stranger"})), NOW, 1.0, AGE_S)
    assert names(settled.acknowledged) == ["n1", "n3"]
    assert names(settled.missed) == ["n2"]
    assert settled.dead == ()
    assert settled.state.due_s > NOW_S
    assert settled.state.failures == 0


def test_what_is_not_listed_is_sent_again_three_times() -> None:
    (item,) = batch(1)
    sends = 0
    while True:
        sends += 1
        settled = settle([item], LANE, Outcome(200), NOW, 0.5, AGE_S)
        if settled.dead:
            break
        assert settled.missed == (item,)
        item = item._replace(misses=item.misses + 1)
    assert sends == 1 + 3
    assert settled.dead == ((item, "unacknowledged", 200, None),)
    assert settled.missed == ()


@pytest.mark.parametrize("status", [400, 413])
def test_a_voided_batch_is_split_at_once(status: int) -> None:
    settled = settle(batch(8), LANE, Outcome(status), NOW, 1.0, AGE_S)
    assert settled == (LaneState(NOW_S, suspects=8, status=status), (), (), ())


@pytest.mark.parametrize("status", [400, 413])
def test_what_is_refused_alone_is_dead(status: int) -> None:
    (item,) = batch(1)
    settled = settle([item], LaneState(START_S, suspects=1), Outcome(status, message="no"), NOW, 1.0, AGE_S)
    assert settled.dead == ((item, "refused", status, "no"),)
    assert settled.state.suspects == 0


def test_what_is_refused_with_telemetry_is_tried_without() -> None:
    (item,) = batch(1, telemetry="[]")
    first = settle([item], LANE, Outcome(400), NOW, 1.0, AGE_S)
    assert (first.dead, first.state) == ((), LaneState(NOW_S, suspects=1, status=400))
    assert names(entry.entry for entry in settle([item], first.state, Outcome(400), NOW, 1.0, AGE_S).dead) == ["n1"]


@pytest.mark.parametrize(
    ("lane", "misses", "telemetry", "expected"),
    [
        (LANE, (0,), "[]", True),
        (LANE, (1,), "[]", False),
        (LANE, (1, 0), "[]", True),
        (LANE, (0,), None, False),
        (LaneState(START_S, failures=1), (0,), "[]", False),
        (LaneState(START_S, suspects=1), (0,), "[]", False),
    ],
)
def test_telemetry_is_sent_once(
    lane: LaneState, misses: tuple[int, ...], telemetry: str | None, expected: bool
) -> None:
    sent = [entry("n", telemetry=telemetry, misses=missed) for missed in misses]
    assert carries_telemetry(sent, lane) is expected


def test_what_voids_its_request_is_told_in_the_apis_words() -> None:
    settled = settle(batch(2), LANE, Outcome(400, message="no such token"), NOW, 1.0, AGE_S)
    assert settled.state == LaneState(NOW_S, suspects=2, status=400, message="no such token")


def test_suspects_that_are_left_are_those_that_were_not_settled() -> None:
    sent = [entry("a", seq=1, misses=3), entry("b", seq=2)]
    settled = settle(sent, LaneState(START_S, suspects=5), Outcome(200, frozenset({"b"})), NOW, 1.0, AGE_S)
    assert (names(settled.acknowledged), names(death.entry for death in settled.dead)) == (["b"], ["a"])
    assert settled.state == LaneState(NOW_S, suspects=3)
    (item,) = batch(1)
    alone = settle([item], LaneState(START_S, suspects=4), Outcome(400), NOW, 1.0, AGE_S)
    assert (alone.state.suspects, len(alone.dead)) == (3, 1)


@pytest.mark.parametrize(("misses", "doublings"), [(0, 2), (1, 3), (2, 4)])
def test_what_is_not_listed_is_given_seconds(misses: int, doublings: int) -> None:
    settled = settle([entry("n", misses=misses)], LANE, Outcome(200), NOW, 1.0, AGE_S)
    assert settled.state.due_s == NOW_S + FIRST_DELAY_S * 2**doublings


@pytest.mark.parametrize("status", [199, 300])
def test_an_answer_that_is_no_success_acknowledges_nothing(status: int) -> None:
    settled = settle(batch(1), LANE, Outcome(status, frozenset({"n1"})), NOW, 1.0, AGE_S)
    assert (settled.acknowledged, settled.state.status) == ((), status)


@pytest.mark.parametrize(
    ("asked_s", "pause_s"), [(None, 0.0), (0.0, 0.0), (-5.0, 0.0), (0.5, 0.5), (7.0, 7.0), (3e9, LONGEST_PAUSE_S)]
)
def test_how_long_a_host_is_left_alone(asked_s: float | None, pause_s: float) -> None:
    assert asked_pause_s(Outcome(503, retry_after_s=asked_s)) == pause_s


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
        settled = settle(sent, lane, outcome, NOW, 1.0, AGE_S)
        assert settled.state.due_s == NOW_S
        dead += names(death.entry for death in settled.dead)
        saved += names(settled.acknowledged)
        gone = {item.seq for item in settled.acknowledged} | {death.entry.seq for death in settled.dead}
        waiting, lane = [item for item in waiting if item.seq not in gone], settled.state
    assert dead == [f"n{bad}"]
    assert saved == [f"n{number}" for number in range(1, count + 1) if number != bad]
    assert requests <= 16


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 418, 420, 429, 500, 502, 503, 504, None])
def test_all_else_is_sent_again_later(status: int | None) -> None:
    settled = settle(batch(2), LaneState(START_S, failures=2, suspects=1, status=500), Outcome(status), NOW, 1.0, AGE_S)
    assert settled == (LaneState(NOW_S + 4 * FIRST_DELAY_S, 3, 1, status or 500), (), (), ())


def test_a_call_that_the_clients_end_cut_off_is_no_failure() -> None:
    assert settle(batch(2), LANE, Outcome(None, interrupted=True), NOW, 1.0, AGE_S) == (LaneState(NOW_S), (), (), ())


@pytest.mark.parametrize(
    ("outcome", "at_fault"),
    [
        (Outcome(200), False),
        (Outcome(204), False),
        (Outcome(299), False),
        (Outcome(300), True),
        (Outcome(400), False),
        (Outcome(413), False),
        (Outcome(420), False),
        (Outcome(429), True),
        (Outcome(403), True),
        (Outcome(503), True),
        (Outcome(None), True),
        (Outcome(None, interrupted=True), False),
        (Outcome(None, unsendable=True), False),
    ],
)
def test_whose_fault_it_is(outcome: Outcome, at_fault: bool) -> None:
    assert is_service_failure(outcome) is at_fault


def test_old_entries_are_dead_with_the_last_status() -> None:
    old, young = entry("old", since_s=NOW_S - 60), entry("young", since_s=NOW_S - 59)
    assert expire([young], LANE, NOW, 60) is None
    settled = expire([old, young], LaneState(START_S, 5, 2, 503, "busy"), NOW, 60)
    assert settled is not None
    assert settled == (LaneState(START_S, 5, 1, 503, "busy"), (), (), ((old, "expired", 503, "busy"),))
    alone = expire([old], LaneState(START_S, suspects=0), NOW, 60)
    assert alone is not None
    assert alone.state.suspects == 0


def test_backoff_grows_and_is_bounded_and_spread() -> None:
    longest = [backoff_s(failures, 1.0) for failures in range(1, 2000)]
    assert longest[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert longest == sorted(longest)
    assert longest[-1] == LONGEST_DELAY_S
    assert backoff_s(9, 0.0) == 0.0
    assert backoff_s(3, 0.5) == backoff_s(3, 1.0) / 2


# --- what is too old, what was said, and for how long it asked to wait


def test_what_is_too_old_is_given_up_once_it_was_tried_and_no_sooner() -> None:
    old, young = entry("old", since_s=NOW_S - 60), entry("young", since_s=NOW_S - 59)
    for fine in (Outcome(204), Outcome(None, interrupted=True)):
        assert settle([old, young], LANE, fine, NOW, 1.0, 60).dead == ()
    settled = settle([old, young], LANE, Outcome(503, message="busy"), NOW, 1.0, 60)
    assert settled.dead == ((old, "expired", 503, "busy"),)
    assert settled.state.failures == 1


def test_a_lane_remembers_what_the_api_said_last() -> None:
    first = settle(batch(1), LANE, Outcome(503, message="busy"), NOW, 1.0, AGE_S).state
    silent = settle(batch(1), first, Outcome(None, message="refused the connection"), NOW, 1.0, AGE_S).state
    assert (silent.status, silent.message, silent.failures) == (503, "busy", 2)
    assert settle(batch(1), LANE, Outcome(None, message="no answer"), NOW, 1.0, AGE_S).state.message == "no answer"
    again = settle(batch(1), silent, Outcome(500, message="broken"), NOW, 1.0, AGE_S).state
    assert (again.status, again.message) == (500, "broken")


@pytest.mark.parametrize(
    ("asked_s", "waits_s"),
    [
        (7.0, 7.0),
        (0.1, FIRST_DELAY_S),
        (0.0, FIRST_DELAY_S),
        (-5.0, FIRST_DELAY_S),
        (None, FIRST_DELAY_S),
        (3e9, LONGEST_PAUSE_S),
        (float("inf"), LONGEST_PAUSE_S),
    ],
)
@pytest.mark.parametrize("status", [420, 429, 503])
def test_retry_after_is_waited_for_within_reason(status: int, asked_s: float | None, waits_s: float) -> None:
    settled = settle(batch(1), LANE, Outcome(status, retry_after_s=asked_s), NOW, 1.0, AGE_S)
    assert settled.state.due_s == NOW_S + waits_s


def test_what_cannot_be_written_is_found_by_halves_and_set_aside() -> None:
    settled = settle(batch(4), LANE, Outcome(None, unsendable=True), NOW, 1.0, AGE_S)
    assert settled == (LaneState(NOW_S, suspects=4), (), (), ())
    (item,) = batch(1)
    settled = settle([item], settled.state._replace(suspects=1), Outcome(None, unsendable=True), NOW, 1.0, AGE_S)  # type: ignore[attr-defined]
    assert settled.dead == ((item, "unreadable", None, None),)
