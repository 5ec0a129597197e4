"""The real clock, time zone and ids."""

from __future__ import annotations

import itertools
import os
import random
import time
import uuid

import pytest

from target import Outbox, TargetError
from target._background import runtime as runtime_module
from target._background.runtime import chance, system_runtime
from target.config import Runtime
from tests.kit.calls import CALL, client_of, timed
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.outboxes import notification
from tests.kit.threads import computing


def test_time_and_ids_are_the_systems() -> None:
    runtime = system_runtime()
    assert abs(runtime.now_s() - time.time()) < 1
    ids = [runtime.new_id() for _ in range(1000)]
    for count in range(40):
        drawn = runtime.new_ids(count)
        assert len(drawn) == count
        ids += drawn
    assert len(set(ids)) == len(ids) == 1780
    parsed = [uuid.UUID(text) for text in ids]
    assert [str(each) for each in parsed] == ids
    assert {(each.version, each.variant) for each in parsed} == {(4, uuid.RFC_4122)}
    for digit in range(32):  # every other one is as good as random
        assert len({each.hex[digit] for each in parsed}) == {12: 1, 16: 4}.get(digit, 16)


def refuse(count: int, flags: int) -> bytes:
    raise OSError(f"{count} bytes, {flags}: not permitted")


@pytest.mark.parametrize("at_once", [None, refuse])
def test_a_system_that_gives_nothing_at_once_is_asked_in_the_usual_way(
    at_once: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "_draw_at_once", at_once)
    ids = [each for count in (1, 2, 40) for each in system_runtime().new_ids(count)]
    assert len(set(ids)) == 43
    assert [str(uuid.UUID(text)) for text in ids] == ids


@pytest.mark.skipif(not hasattr(os, "getrandom"), reason="the system gives random bytes to those who wait alone")
def test_who_needs_ids_lets_no_thread_that_computes_go_first() -> None:
    new_ids = system_runtime().new_ids
    with computing(0.2):
        took_s = timed(lambda: [new_ids(2) for _ in range(2000)])
    assert took_s < 2.0  # else that again and again; once or twice it goes first as any thread does


def test_ids_of_a_runtime_that_draws_one_at_a_time() -> None:
    numbers = itertools.count(1)
    runtime = Runtime(lambda: 0.0, lambda: f"id-{next(numbers)}", lambda: 0)
    assert (runtime.new_ids(2), runtime.new_id(), runtime.new_ids(0)) == (["id-1", "id-2"], "id-3", [])


@pytest.mark.parametrize(("zone", "minutes"), [("UTC0", 0), ("IST-5:30", 330), ("NST3:30", -210), ("<-09>9", -540)])
def test_the_offset_is_that_of_the_local_clock(zone: str, minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert system_runtime().utc_offset_minutes() == minutes
    finally:
        monkeypatch.undo()
        time.tzset()


def test_chance_is_never_the_same() -> None:
    drawn = {chance() for _ in range(1000)}
    assert len(drawn) == 1000
    assert 0 <= min(drawn) < 0.1 < 0.9 < max(drawn) < 1


@pytest.mark.waits
def test_the_programs_own_random_numbers_stay_what_its_seed_makes_them(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(status=503)
    random.seed(7)
    before = random.getstate()
    with client_of(server.domain, retries=2, outbox=Outbox.memory(flush_interval=10)) as client:
        with pytest.raises(TargetError):
            client.get_offers(**CALL)
        client.queue_notifications(request={"notifications": [notification("a")]})
        client.flush(timeout=300)
    assert len(server.received) > 3
    assert random.getstate() == before
