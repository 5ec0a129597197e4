"""Values of columns are read as a client reads them in a request."""

from __future__ import annotations

import datetime
import decimal
import struct
import uuid
from typing import Any

import pyarrow as pa
import pytest

from target.batch.sources import ID, NUMBER, PARAMETER, TEXT, Source, bind
from target.batch.values import may_have_problems, read_values

LEVEL = Source("level", ("parameters", "level"), PARAMETER)
DAY = datetime.date(2024, 2, 29)
NOON = datetime.datetime(2024, 2, 29, 12, 0, 0, 5)


def half_floats(*numbers: float) -> Any:
    """A column of them, which older versions of pyarrow make only of NumPy's."""
    packed = struct.pack(f"<{len(numbers)}e", *numbers)
    return pa.Array.from_buffers(pa.float16(), len(numbers), [None, pa.py_buffer(packed)])


def read(column: Any, source: Source = LEVEL) -> list[Any]:
    """What each row has: a value, or what is wrong with it."""
    bind([source], None, pa.schema([(source.column, column.type)]))
    found = read_values(column, source)
    assert found.codes.null_count == 0
    assert found.codes.type == pa.int32()
    assert bool(found.problems) <= may_have_problems(column, source)
    return [found.problems.get(code, found.values[code]) for code in found.codes.to_pylist()]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array(["a", None, "a", ""]), ["a", None, "a", ""]),
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.DictionaryArray.from_arrays([0, None, 1], pa.array(["a", "b"], pa.string_view())), ["a", None, "b"]),
        (pa.DictionaryArray.from_arrays([0, 1, None], pa.array([None, "b"])), [None, "b", None]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), ["a", "a", "b"]),
        (pa.array([1, None, 1], pa.uint8()), [1, None, 1]),
        (pa.array([1.5, None]), [1.5, None]),
        (half_floats(0.5), [0.5]),
        (pa.array([True, None, False]), [True, None, False]),
        (pa.array([None, None]), [None, None]),
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([DAY, None]), ["2024-02-29", None]),
        (pa.array([NOON]), ["2024-02-29T12:00:00.000005+00:00"]),
        (pa.array([NOON], pa.timestamp("ns", "+02:00")), ["2024-02-29T14:00:00.000005+02:00"]),
        (pa.array([1], pa.timestamp("ns")), ["1970-01-01T00:00:00+00:00"]),
        (pa.array([float("nan"), float("-inf")]), ["must be a finite number"] * 2),
        (half_floats(float("nan")), ["must be a finite number"]),
        (pa.array([1.1e308]), ["must be a finite number"]),
    ],
)
def test_parameters(column: Any, values: list[Any]) -> None:
    assert read(column) == values
    assert read(pa.concat_arrays([column, column]).slice(len(column))) == values
    assert [type(value) for value in read(column)] == [type(value) for value in values]


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this pyarrow has no type for UUIDs")
def test_uuids() -> None:
    some = uuid.UUID(int=7)
    column = pa.array([some.bytes, None, some.bytes], pa.binary(16)).cast(pa.uuid())
    assert read(column) == [str(some), None, str(some)]
    assert read(column, Source("id", ("id", "tntId"), ID)) == [str(some), None, str(some)]


def test_a_small_piece_of_a_large_dictionary() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([999, 3, None]), pa.array([f"w{number}" for number in range(1000)]))
    found = read_values(words, LEVEL)
    assert len(found.values) < 10
    assert [found.values[code] for code in found.codes.to_pylist()] == ["w999", "w3", None]


def test_ids_texts_and_numbers() -> None:
    tnt_id = Source("id", ("id", "tntId"), ID)
    assert read(pa.array([4711, None, 4711]), tnt_id) == ["4711", None, "4711"]
    assert read(pa.array(["a", " ", "", None]), tnt_id) == ["a", None, None, None]
    assert read(pa.array([decimal.Decimal("12")]), tnt_id) == ["12"]
    city = Source("city", ("context", "geo", "city"), TEXT)
    assert read(pa.array(["Bern", " ", None]), city) == ["Bern", None, None]
    latitude = Source("lat", ("context", "geo", "latitude"), NUMBER)
    assert read(pa.array([46.9, None, float("nan")]), latitude) == [46.9, None, "must be a finite number"]
    assert read(pa.array([decimal.Decimal("46.9")]), latitude) == [46.9]
