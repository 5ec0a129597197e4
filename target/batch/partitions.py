"""What an engine runs on each of its partitions: batches in, decided batches out, in types that every engine has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from target.batch.extra import demand

pa = demand("pyarrow", "target.batch")


def plain_schema(decider: Any) -> Any:
    """The schema of what ``decider`` gives, with text in the place of dictionaries: a pyarrow.Schema."""
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in decider.schema])


def _plain(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def decide_batches(decider: Any, batches: Iterable[Any]) -> Iterator[Any]:
    """Each batch as ``decider`` decides it, a pyarrow.RecordBatch of ``plain_schema``, one at a time."""
    schema = plain_schema(decider)
    for batch in batches:
        yield decider(batch).cast(schema)


def decide_table(decider: Any, table: Any) -> Any:
    """The same for a pyarrow.Table, which may have no rows."""
    return pa.Table.from_batches(decide_batches(decider, table.to_batches()), plain_schema(decider))
