"""Decides frames of any library that speaks Arrow, and gives back the same kind of frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from target.batch.decider import BatchDecider
from target.batch.extra import demand
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")


def decide_frame(frame: Any, artifact: Any, **options: Any) -> Any:
    """Decide the rows of ``frame``.

    Args:
        frame: A pyarrow Table, RecordBatch or RecordBatchReader, a DataFrame of polars or pandas, a relation of DuckDB,
            or anything else that has ``__arrow_c_stream__``.
        artifact: The rules, as for a BatchDecider.
        options: The options of a BatchDecider.

    Returns:
        The columns of ``BatchDecider.schema``, for each row the mboxes in the order given: the same kind of frame for
        those that are named above (of a reader another reader, which decides as it is read), else a pyarrow.Table.
        In frames of polars and DuckDB columns are text, in those of pandas all but visitor and content are categories.

    Raises:
        OptionsError: An option is none that it can be; a column is missing, or of a type that cannot be read; ``frame``
            is none.
        ArtifactError: The rules are none.
    """
    decider = BatchDecider(artifact, **options)
    reader, finish = _open(frame)
    decider.check(reader.schema)
    return finish(pa.RecordBatchReader.from_batches(decider.schema, decide_batches(decider, reader)))


def read_frame(frame: Any) -> Any:
    """The rows of ``frame``, which is as for ``decide_frame``: a pyarrow.RecordBatchReader. Raises OptionsError."""
    return _open(frame)[0]


def decide_batches(decider: BatchDecider, batches: Any, first_row: int = 1) -> Iterator[Any]:
    """What ``decider`` makes of ``batches``, which are cut where they are large."""
    for batch in batches:
        for start in range(0, batch.num_rows, decider.rows_at_once):
            piece = batch.slice(start, decider.rows_at_once)
            yield decider(piece, first_row=first_row)
            first_row += piece.num_rows


def _open(frame: Any) -> tuple[Any, Callable[[Any], Any]]:
    """What reads ``frame``, and what makes the same kind of frame of the answers."""
    if isinstance(frame, pa.RecordBatchReader):
        return frame, _as_is
    if isinstance(frame, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(frame.schema, [frame]), _as_batch
    library, name = type(frame).__module__.partition(".")[0], type(frame).__name__
    if library == "pandas" and name == "DataFrame":
        return pa.Table.from_pandas(frame, preserve_index=False).to_reader(), _as_pandas
    if library in ("duckdb", "_duckdb") and name == "DuckDBPyRelation":
        return _of_duckdb(frame), _as_duckdb
    if not hasattr(frame, "__arrow_c_stream__"):
        hint = " (call collect() first)" if name == "LazyFrame" else ""
        raise OptionsError(f"frame must be one that has __arrow_c_stream__, which {name} has not{hint}")
    reader = pa.RecordBatchReader.from_stream(frame)
    return reader, _as_polars if library == "polars" else _as_table


def _of_duckdb(relation: Any) -> Any:
    if hasattr(relation, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(relation)
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    return read()


def _as_is(reader: Any) -> Any:
    return reader


def _as_table(reader: Any) -> Any:
    return reader.read_all()


def _as_batch(reader: Any) -> Any:
    table = reader.read_all().unify_dictionaries().combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)


def _as_polars(reader: Any) -> Any:
    import polars  # whose frame it was

    return polars.from_arrow(_plain(reader.read_all()))


def _as_pandas(reader: Any) -> Any:
    table = reader.read_all()
    names = [name for name in table.schema.names if name not in ("visitor", "content")]
    plain = table.cast(pa.schema([_plain_field(each, keep=each.name in names) for each in table.schema]))
    return plain.unify_dictionaries().to_pandas()


def _as_duckdb(reader: Any) -> Any:
    import duckdb  # whose relation it was

    return duckdb.from_arrow(_plain(reader.read_all()))


def _plain(table: Any) -> Any:
    return table.cast(pa.schema([_plain_field(each) for each in table.schema]))


def _plain_field(field: Any, *, keep: bool = False) -> Any:
    return field.with_type(pa.string()) if pa.types.is_dictionary(field.type) and not keep else field
