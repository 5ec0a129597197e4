"""What to expect of rules: how many visitors of a frame get each experience, and how many are in two activities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from target.batch.decider import BatchDecider
from target.batch.extra import demand
from target.batch.frames import decide_batches, read_frame
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")

_COUNTS = [("visitors", pa.int64()), ("share", pa.float64())]
_FORECAST = pa.schema([("activity_id", pa.string()), ("experience_id", pa.string()), *_COUNTS])
_OVERLAP = pa.schema([("activity_id", pa.string()), ("other_activity_id", pa.string()), *_COUNTS])


def forecast(decider: BatchDecider, frame: Any) -> Any:
    """How many visitors get each experience.

    A row of the frame is a visitor, who counts once for an experience, in however many mboxes it is shown.

    Args:
        decider: What decides.
        frame: Visitors, as for ``decide_frame``.

    Returns:
        A pyarrow.Table with a row for each activity and experience that anybody gets, and the columns ``activity_id``,
        ``experience_id``, ``visitors`` and ``share``: of all visitors who could be decided for, 0 to 1.

    Raises:
        OptionsError: A column is missing, or of a type that cannot be read; ``frame`` is none.
    """
    counts: Counter[tuple[str, str | None]] = Counter()
    total = 0
    for shown, visitors in _shown(decider, frame):
        total += visitors
        for row in _count(shown, ["activity_id", "experience_id"]):
            counts[row["activity_id"], row["experience_id"]] += row["visitors"]
    rows = sorted(counts.items(), key=lambda each: (each[0][0], each[0][1] or ""))
    told = [(*ids, count, count / total) for ids, count in rows]
    return pa.Table.from_pylist([dict(zip(_FORECAST.names, row, strict=True)) for row in told], _FORECAST)


def overlap(decider: BatchDecider, frame: Any) -> Any:
    """How many visitors are in two activities at once, in different mboxes.

    Args:
        decider: What decides; of one mbox, which shows one activity, there is no overlap.
        frame: Visitors, as for ``decide_frame``.

    Returns:
        A pyarrow.Table with a row for each two activities that anybody gets both of, and the columns ``activity_id``,
        ``other_activity_id``, ``visitors`` and ``share``, as ``forecast`` has them.

    Raises:
        OptionsError: As ``forecast``.
    """
    counts: Counter[tuple[str, str]] = Counter()
    total = 0
    for shown, visitors in _shown(decider, frame):
        total += visitors
        own = _distinct(shown, ["row", "activity_id"])
        other = own.rename_columns(["row", "other_activity_id"])
        both = own.join(other, "row", join_type="inner")
        both = both.filter(pc.less(both["activity_id"], both["other_activity_id"]))
        for row in _count(both, ["activity_id", "other_activity_id"]):
            counts[row["activity_id"], row["other_activity_id"]] += row["visitors"]
    told = [(*ids, count, count / total) for ids, count in sorted(counts.items())]
    return pa.Table.from_pylist([dict(zip(_OVERLAP.names, row, strict=True)) for row in told], _OVERLAP)


def sample_sizes(expected: Any, visitors: int) -> Any:
    """How many of so many ``visitors`` are to be expected in each experience, by what ``forecast`` gave.

    Returns:
        The same table with the column ``expected``.

    Raises:
        OptionsError: It is no number of visitors, or no forecast.
    """
    if not isinstance(visitors, int) or isinstance(visitors, bool) or visitors < 0:
        raise OptionsError(f"visitors must be a number of visitors, not {visitors!r}")
    if not isinstance(expected, pa.Table) or "share" not in expected.column_names:
        raise OptionsError(f"expected must be what forecast gave, not {type(expected).__name__}")
    return expected.append_column("expected", pc.multiply(expected["share"], float(visitors)))


def _shown(decider: BatchDecider, frame: Any) -> Iterator[tuple[Any, int]]:
    """Batch by batch what is shown in which ``row`` (``activity_id``, ``experience_id``), and how many are good."""
    reader = read_frame(frame)
    decider.check(reader.schema)
    size = len(decider.mboxes)
    for decided in decide_batches(decider, reader):
        rows = pc.divide(pa.array(range(decided.num_rows), pa.int64()), size)
        columns = [rows, *(decided.column(name).cast(pa.string()) for name in ("activity_id", "experience_id"))]
        shown = pa.table(columns, names=["row", "activity_id", "experience_id"])
        bad = decided.num_rows - decided.column("error").null_count
        yield shown.filter(pc.is_valid(shown["activity_id"])), (decided.num_rows - bad) // size


def _distinct(table: Any, names: list[str]) -> Any:
    return table.select(names).group_by(names).aggregate([])


def _count(table: Any, names: list[str]) -> Any:
    """How many rows have each set of values of the columns ``names``, each counted once."""
    once = _distinct(table, ["row", *names])
    return once.group_by(names).aggregate([("row", "count")]).rename_columns([*names, "visitors"]).to_pylist()
