"""What engines run on a partition; the engines themselves are tested in tests/engines."""

from __future__ import annotations

import importlib
from typing import Any

import pyarrow as pa
import pytest

from target import OptionsError
from target.batch import BatchDecider
from target.batch.partitions import decide_batches, decide_table, plain_schema
from tests.engines.test_engines import OPTIONS, rules, visitors


@pytest.fixture
def decider() -> Any:
    return BatchDecider(rules(), **OPTIONS)


def test_nothing_is_a_dictionary(decider: Any) -> None:
    assert plain_schema(decider).names == decider.schema.names
    assert {str(field.type) for field in plain_schema(decider)} <= {"string", "double"}


def test_each_batch_is_decided_as_it_comes(decider: Any) -> None:
    people = visitors(300).drop_columns(["unread"])
    asked: list[int] = []

    def batches() -> Any:
        for batch in people.to_batches(max_chunksize=100):
            asked.append(batch.num_rows)
            yield batch

    decided = decide_batches(decider, batches())
    assert asked == []
    first = next(decided)
    assert asked == [100]
    assert first.schema == plain_schema(decider)
    rest = [row for batch in decided for row in batch.to_pylist()]
    whole = decider(people.combine_chunks()).to_pylist()
    ours = [*first.to_pylist(), *rest]
    assert [{**row, "error": None} for row in ours] == [{**row, "error": None} for row in whole]


def test_a_partition_may_be_empty(decider: Any) -> None:
    empty = visitors(1).drop_columns(["unread"]).slice(0, 0)
    decided = decide_table(decider, empty)
    assert (decided.num_rows, decided.schema) == (0, plain_schema(decider))
    assert decide_table(decider, pa.Table.from_batches([], empty.schema)).num_rows == 0


@pytest.mark.parametrize("engine", ["spark", "ray", "dask"])
def test_an_engine_that_is_not_there_is_named(engine: str, decider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def missing(name: str, *more: Any) -> Any:
        if name.partition(".")[0] in ("pyspark", "ray", "dask"):
            raise ImportError(name)
        return real(name, *more)

    module = importlib.import_module(f"target.batch.{engine}")
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(OptionsError, match=rf"pip install 'target-delivery\[{engine}\]'"):
        module.decide(object(), decider)
