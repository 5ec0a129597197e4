"""Forecasts: who gets what, who gets two things at once, and what that makes of so many visitors."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest

from target import OptionsError
from target.batch import BatchDecider, forecast, overlap, sample_sizes
from tests.kit.explained import var
from tests.kit.rules import build_artifact, build_rule

HERO = [
    build_rule({"<": [var("allocation"), 30]}, 1, meta={"experience.id": 0}),
    build_rule({"<=": [30, var("allocation")]}, 1, meta={"experience.id": 1}),
]
GOLD = build_rule({"==": ["gold", var("mbox.level")]}, 2, meta={})
ARTIFACT = build_artifact(
    rules={"mboxes": {"hero": HERO, "quiet": [GOLD], "more": HERO}, "views": {}}, localMboxes=None
)
COUNT = 999
TABLE = pa.table(
    {
        "id": [f"v{number}" for number in range(COUNT)] + [None],
        "level": ["gold", "red", None] * (COUNT // 3) + ["gold"],
    }
)


@pytest.fixture
def decider(monkeypatch: pytest.MonkeyPatch) -> BatchDecider:
    monkeypatch.setattr(BatchDecider, "rows_at_once", 100)
    return BatchDecider(
        ARTIFACT,
        mboxes=["hero", "quiet", "more"],
        client="acme",
        id_columns={"tnt_id": "id"},
        parameters={"level": "level"},
    )


def shown(decider: BatchDecider) -> list[set[tuple[str, str | None]]]:
    """By row what is shown, counted by hand."""
    rows = decider(TABLE).to_pylist()
    return [
        {(row["activity_id"], row["experience_id"]) for row in rows[start : start + 3] if row["activity_id"]}
        for start in range(0, len(rows), 3)
    ]


def test_a_visitor_counts_once_for_an_experience(decider: BatchDecider) -> None:
    told = forecast(decider, TABLE)
    assert isinstance(told, pa.Table)
    assert told.column_names == ["activity_id", "experience_id", "visitors", "share"]
    counts = Counter(each for row in shown(decider) for each in row)
    assert {(row["activity_id"], row["experience_id"]): row["visitors"] for row in told.to_pylist()} == counts
    assert [(row["activity_id"], row["experience_id"]) for row in told.to_pylist()] == [
        ("1", "0"),
        ("1", "1"),
        ("2", None),
    ]
    assert all(row["share"] == row["visitors"] / COUNT for row in told.to_pylist())
    assert told["visitors"].to_pylist()[2] == COUNT // 3


def test_overlap(decider: BatchDecider) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for row in shown(decider):
        counts.update(combinations(sorted({activity for activity, _ in row}), 2))
    (told,) = overlap(decider, TABLE).to_pylist()
    assert told == {"activity_id": "1", "other_activity_id": "2", "visitors": counts["1", "2"], "share": 333 / COUNT}


def test_sample_sizes(decider: BatchDecider) -> None:
    told = sample_sizes(forecast(decider, TABLE), 10_000).to_pylist()
    assert [row["expected"] for row in told] == [row["share"] * 10_000 for row in told]
    assert sum(row["expected"] for row in told[:2]) == pytest.approx(10_000)
    wrongs: tuple[Any, ...] = (-1, 1.5, True)
    for wrong in wrongs:
        with pytest.raises(OptionsError, match="visitors must be a number"):
            sample_sizes(forecast(decider, TABLE), wrong)
    with pytest.raises(OptionsError, match="must be what forecast gave"):
        sample_sizes(TABLE, 5)


def test_nobody(decider: BatchDecider) -> None:
    for frame in (TABLE.slice(0, 0), TABLE.slice(COUNT)):
        assert forecast(decider, frame).num_rows == overlap(decider, frame).num_rows == 0
    with pytest.raises(OptionsError, match="has no column 'id'"):
        forecast(decider, TABLE.drop_columns("id"))


def test_frames_of_any_kind(decider: BatchDecider) -> None:
    polars: Any = pytest.importorskip("polars")
    assert forecast(decider, polars.from_arrow(TABLE)) == forecast(decider, TABLE)
