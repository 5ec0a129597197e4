from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from target.decisioning.experiences import Standing
from target.emulator import tally as module
from target.emulator.tally import Tally
from target.emulator.visitors import Visitor

A, B = Standing("1", "0"), Standing("1", "1")


def numbers(tally: Tally, standing: Standing) -> tuple[int, int, int, int]:
    return tuple(c[standing] for c in (tally.visitors, tally.impressions, tally.conversions, tally.converted))  # type: ignore[return-value]


def test_visitors_count_once_and_impressions_as_often_as_shown() -> None:
    tally, one, other = Tally(), Visitor("a"), Visitor("b")
    assert all(
        [tally.show(one, A, "i1"), tally.show(one, A, "i2"), tally.show(other, A, None), tally.show(one, B, "i1")]
    )
    assert numbers(tally, A) == (2, 3, 0, 0)
    assert numbers(tally, B) == (1, 1, 0, 0)


def test_what_is_sent_again_counts_no_second_time() -> None:
    tally, visitor = Tally(), Visitor("a")
    assert [tally.show(visitor, A, "i1") for _ in range(3)] == [True, False, False]
    assert [tally.convert(visitor, A, "i1", "t") for _ in range(2)] == [True, False]
    assert tally.convert(visitor, A, "i1", "another token")
    assert numbers(tally, A) == (1, 1, 2, 1)


@pytest.mark.parametrize("clicked_first", [True, False])
def test_who_clicks_counts_once_whichever_is_told_first(clicked_first: bool) -> None:
    tally, visitor = Tally(), Visitor("a")
    told: list[Callable[[], bool]] = [
        lambda: tally.convert(visitor, A, "c1", "t"),
        lambda: tally.show(visitor, A, "i1"),
    ]
    for tell in told if clicked_first else reversed(told):
        assert tell()
    tally.convert(visitor, A, "c2", "t")
    assert numbers(tally, A) == (1, 1, 2, 1)


def test_a_click_of_somebody_who_has_seen_nothing_converts_nobody() -> None:
    tally = Tally()
    tally.convert(Visitor("a"), A, "c1", "t")
    assert numbers(tally, A) == (0, 0, 1, 0)


def test_counts_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, visitor = Tally(), Visitor("a")
    tally.show(visitor, A, "i1")
    tally.convert(visitor, B, "c1", "t")
    kept = json.loads(json.dumps(tally.to_dict()))
    restored = Tally()
    restored.restore(kept)
    assert restored.to_dict() == kept
    assert not restored.show(visitor, A, "i1")
    restored.clear()
    assert restored.to_dict() == Tally().to_dict()


@pytest.mark.parametrize(
    "data", [{}, {"experiences": [[1]], "told": []}, {"experiences": [["1", "0", 1, 1, 1]], "told": []}]
)
def test_anything_else_is_refused_and_changes_nothing(data: Any) -> None:
    tally = Tally()
    tally.show(Visitor("a"), A, "i1")
    before = tally.to_dict()
    with pytest.raises((KeyError, TypeError, ValueError)):
        tally.restore(data)
    assert tally.to_dict() == before


def test_a_long_run_forgets_the_oldest_impressions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IMPRESSIONS", 2)
    tally, visitor = Tally(), Visitor("a")
    for impression in ("i1", "i2", "i3"):
        tally.show(visitor, A, impression)
    assert not tally.show(visitor, A, "i3")
    assert tally.show(visitor, A, "i1")
