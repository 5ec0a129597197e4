"""Decides a DataFrame of Dask, by its workers."""

from __future__ import annotations

from typing import Any

from target.batch.extra import demand
from target.batch.partitions import decide_table, plain_schema

pa = demand("pyarrow", "target.batch.dask", "dask")


def decide(ddf: Any, decider: Any) -> Any:
    """What each row of a DataFrame gets, as a DataFrame: lazy, partition by partition, by ``map_partitions``.

    The rules are one node of the graph, and compiled once by each worker process. Workers need this package with the
    extra ``batch``.

    Args:
        ddf: A dask.dataframe.DataFrame with the columns that ``decider`` reads.
        decider: A BatchDecider.

    Returns:
        A DataFrame with the columns of ``decider.schema``, all of Arrow's types. Rows are numbered anew in each
        partition, since there are as many for each of ``ddf`` as there are mboxes.

    Raises:
        OptionsError: A column is missing, or of a type that cannot be read; nothing has run then.
    """
    demand("dask.dataframe", "target.batch.dask", "dask")
    columns = decider.check(_read(ddf._meta).schema)
    shared = demand("dask", "target.batch.dask", "dask").delayed(decider, pure=True)
    meta = _write(plain_schema(decider).empty_table())
    return ddf[columns].map_partitions(_decide, shared, meta=meta)


def _decide(frame: Any, decider: Any) -> Any:
    return _write(decide_table(decider, _read(frame)))


def _read(frame: Any) -> Any:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _write(table: Any) -> Any:
    return table.to_pandas(types_mapper=demand("pandas", "target.batch.dask", "dask").ArrowDtype)
