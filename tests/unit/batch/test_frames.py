"""Frames of other libraries: the same kind comes back, with the answers of BatchDecider."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from target import OptionsError
from target.batch import BatchDecider, decide_frame
from target.batch.frames import decide_batches
from tests.kit.explained import var
from tests.kit.rules import NOW_S, build_artifact, build_rule

ARTIFACT = build_artifact(
    build_rule({"==": ["gold", var("mbox.level")]}, 1), build_rule({"<": [var("allocation"), 50]}, 2)
)
OPTIONS: dict[str, Any] = {
    "mboxes": ["quiet", "hero"],
    "client": "acme",
    "id_columns": {"tnt_id": "id"},
    "parameters": "p_",
    "at": NOW_S,
}
COLUMNS: dict[str, Any] = {
    "id": [f"v{number}" for number in range(50)] + [None],
    "p_level": ["gold", "red", None] * 17,
    "p_total": [1.5, None, 3.5] * 17,
}
TABLE = pa.table(COLUMNS)
WANTED = BatchDecider(ARTIFACT, **OPTIONS)(TABLE).to_pylist()


def decide(frame: Any) -> Any:
    return decide_frame(frame, ARTIFACT, **OPTIONS)


def test_of_pyarrow() -> None:
    for frame in (TABLE, pa.concat_tables([TABLE.slice(0, 7), TABLE.slice(7)]), TABLE.slice(0, 0)):
        decided = decide(frame)
        assert isinstance(decided, pa.Table)
        assert decided.to_pylist() == WANTED[: frame.num_rows * 2]
    batch = decide(TABLE.to_batches()[0])
    assert isinstance(batch, pa.RecordBatch)
    assert batch.to_pylist() == WANTED
    assert decide(TABLE.slice(0, 0).combine_chunks().to_reader().schema.empty_table()).num_rows == 0


def test_a_reader_is_read_as_it_is_asked() -> None:
    given = []

    def batches() -> Any:
        for start in range(0, 51, 10):
            given.append(start)
            yield from TABLE.slice(start, 10).to_batches()

    reader = decide(pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    assert isinstance(reader, pa.RecordBatchReader)
    first = reader.read_next_batch()
    assert first.num_rows == 20
    assert len(given) <= 2
    rest = reader.read_all().to_pylist()
    assert [*first.to_pylist(), *rest] == WANTED


def test_whatever_else_speaks_arrow_becomes_a_table() -> None:
    class Frame:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return TABLE.__arrow_c_stream__(requested_schema)

    decided = decide(Frame())
    assert isinstance(decided, pa.Table)
    assert decided.to_pylist() == WANTED


def test_large_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchDecider, "rows_at_once", 7)
    pieces = list(decide_batches(BatchDecider(ARTIFACT, **OPTIONS), TABLE.to_batches()))
    assert [piece.num_rows for piece in pieces] == [14] * 7 + [4]
    assert pa.Table.from_batches(pieces).to_pylist() == WANTED
    assert decide(TABLE).to_pylist() == WANTED


def test_of_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(COLUMNS).with_columns(polars.col("p_level").cast(polars.Categorical))
    decided = decide(polars.concat([frame.slice(0, 9), frame.slice(9)], rechunk=False))
    assert isinstance(decided, polars.DataFrame)
    assert decided.to_dicts() == WANTED
    assert decided.schema["visitor"] == polars.String
    with pytest.raises(OptionsError, match=r"which LazyFrame has not \(call collect\(\) first\)"):
        decide(frame.lazy())


def test_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS, index=[f"row {number}" for number in range(51)])
    frame["p_level"] = frame["p_level"].astype("category")
    decided = decide(frame)
    assert isinstance(decided, pandas.DataFrame)
    rows = decided.astype(object).where(decided.notna(), None).to_dict("records")
    assert rows == WANTED
    assert str(decided["status"].dtype) == "category"
    assert str(decided["visitor"].dtype) != "category"


def test_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    decided = decide(duckdb.from_arrow(TABLE))
    assert isinstance(decided, duckdb.DuckDBPyRelation)
    assert decided.columns == list(WANTED[0])
    assert [dict(zip(decided.columns, row, strict=True)) for row in decided.fetchall()] == WANTED


@pytest.mark.parametrize("wrong", [None, 7, {"id": ["a"]}, [TABLE]])
def test_what_is_no_frame(wrong: Any) -> None:
    with pytest.raises(OptionsError, match="must be one that has __arrow_c_stream__"):
        decide(wrong)


def test_a_mistake_is_told_before_anything_is_read() -> None:
    def batches() -> Any:
        raise AssertionError("it was read")
        yield

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(OptionsError, match="has no column 'other'"):
        decide_frame(reader, ARTIFACT, **{**OPTIONS, "id_columns": {"tnt_id": "other"}})
