"""Turns, ratios and verdicts of the benchmarks."""

from __future__ import annotations

import threading
import time

import pytest

from benchmarks.measure import compare, in_sequence, in_threads, on_processor, take_turns
from benchmarks.report import Row


def test_compares_what_was_measured_side_by_side() -> None:
    # The machine was ten times slower in the last pair; the ratio within it still counts.
    result = compare([2.0, 2.2, 30.0], [1.0, 1.0, 10.0])
    assert (result.ratio, result.first_s, result.second_s) == (2.2, 2.2, 1.0)
    assert (result.low, result.high) == pytest.approx((2.1, 2.6))


def test_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def way(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def block(calls: int) -> float:
            order.append(name)
            return seconds * calls

        return block

    assert take_turns([way("a", 1.0), way("b", 2.0)], 2, 10) == [[1.0, 1.0], [2.0, 2.0]]
    assert order == ["a", "b", "b", "a"]


@pytest.mark.parametrize("make", [in_sequence, on_processor, lambda call: in_threads(call, 4)])
def test_a_block_makes_the_calls_it_is_asked_for(make) -> None:  # type: ignore[no-untyped-def]
    made: list[int] = []
    assert make(lambda: made.append(threading.get_ident()))(20) > 0
    assert len(made) == 20


def test_waiting_takes_no_time_of_the_processor() -> None:
    assert on_processor(lambda: time.sleep(0.05))(2) < 0.05


def test_a_failing_call_fails_its_block() -> None:
    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        in_threads(fail, 2)(4)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", 1.25, at_most=1.25), "ok"),
        (Row("a", 1.2501, at_most=1.25), "miss"),
        (Row("a", 0.95, at_least=0.95), "ok"),
        (Row("a", 0.949, at_least=0.95), "miss"),
        (Row("a", 0.0, "", at_most=0), "ok"),
        (Row("a", 0.2, "", at_most=0), "miss"),
        (Row("a", 99.0), None),
    ],
)
def test_a_target_is_met_or_missed(row: Row, verdict: str | None) -> None:
    assert row.missed is (verdict == "miss")
    assert (verdict or "x") == str(row).split()[-1]
