"""The real clock, time zone and ids."""

from __future__ import annotations

import time
import uuid

import pytest

from target._background.runtime import system_runtime


def test_time_and_ids_are_the_systems() -> None:
    runtime = system_runtime()
    assert abs(runtime.now_s() - time.time()) < 1
    ids = {runtime.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {uuid.UUID(value).version for value in ids} == {4}


@pytest.mark.parametrize(("zone", "minutes"), [("UTC0", 0), ("IST-5:30", 330), ("NST3:30", -210), ("<-09>9", -540)])
def test_the_offset_is_that_of_the_local_clock(zone: str, minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert system_runtime().utc_offset_minutes() == minutes
    finally:
        monkeypatch.undo()
        time.tzset()
