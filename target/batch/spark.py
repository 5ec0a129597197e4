"""Decides a DataFrame of Spark, by its executors."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from target.batch.extra import demand
from target.batch.partitions import decide_batches, plain_schema


def decide(df: Any, decider: Any) -> Any:
    """What each row of a DataFrame gets, as a DataFrame: lazy, partition by partition, by ``mapInArrow``.

    Executors need this package with the extra ``batch``, and PyArrow as Spark asks for. The rules are broadcast once,
    and compiled once in each Python process of an executor; Spark Connect, which has no broadcast, sends them with the
    plan.

    Args:
        df: A pyspark.sql.DataFrame with the columns that ``decider`` reads.
        decider: A BatchDecider.

    Returns:
        A DataFrame with the columns of ``decider.schema``, all dictionaries as text.

    Raises:
        OptionsError: A column is missing, or of a type that cannot be read; nothing has run then.
    """
    types = demand("pyspark.sql.pandas.types", "target.batch.spark", "spark")
    columns = decider.check(types.to_arrow_schema(df.schema))
    schema = types.from_arrow_schema(plain_schema(decider))
    return df.select(*columns).mapInArrow(_decide_with(_share(df, decider)), schema)


def _share(df: Any, decider: Any) -> Callable[[], Any]:
    """What gives the decider on an executor."""
    try:
        shared = df.sparkSession.sparkContext.broadcast(decider)
    except (AttributeError, NotImplementedError):  # of Spark Connect
        return functools.partial(_load, pickle.dumps(decider))
    return lambda: shared.value


@functools.lru_cache(maxsize=4)
def _load(pickled: bytes) -> Any:
    """The decider, made once in a process, though each task brings its bytes along; a few, where jobs take turns."""
    return pickle.loads(pickled)


def _decide_with(read: Callable[[], Any]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    return lambda batches: decide_batches(read(), batches)
