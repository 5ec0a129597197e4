"""The rows of one batch: who each visitor is, what is wrong with which, and which sets of values occur."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

from target.batch.buckets import Buckets, without_blanks, without_suffix
from target.batch.extra import demand
from target.batch.sources import ID, Source
from target.batch.values import Values, is_text, is_valid, may_have_problems, plain, read_values

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")


class Sets(NamedTuple):
    """Sets of values that occur.

    Attributes:
        codes: For each row, which of ``sets`` it has: an Arrow array of int32 without nulls.
        sets: Each once.
    """

    codes: Any
    sets: Sequence[tuple[Any, ...]]


class Rows:
    """The rows of ``batch``, an Arrow RecordBatch.

    Args:
        batch: The rows.
        bound: Where each column stands, and what it says.
        client: The client code.
    """

    def __init__(self, batch: Any, bound: list[tuple[int, Source]], client: str) -> None:
        self.count: int = batch.num_rows
        self._columns = [plain(batch.column(position)) for position, _ in bound]
        self._sources = [source for _, source in bound]
        self._values: dict[int, Values] = {}
        self._sets: dict[tuple[tuple[int, ...], str | None], Sets] = {}
        self.buckets = Buckets(client, self._name_visitors())

    def problems(self, numbers: Sequence[int]) -> Any:
        """Why rows cannot be decided: an Arrow array of strings, null for all others. ``numbers`` are those of rows."""
        found: dict[int, str] = {}
        for number, source in enumerate(self._sources):
            if number in self._values or may_have_problems(self._columns[number], source):
                values = self._of(number)
                if values.problems:
                    bad = pc.is_in(values.codes, pa.array(list(values.problems), pa.int32()))
                    for row in pc.indices_nonzero(bad).to_pylist():
                        found.setdefault(row, f"{source} {values.problems[values.codes[row].as_py()]}")
        names = " and ".join(str(source) for source in self._sources if source.kind == ID)
        for row in pc.indices_nonzero(pc.is_null(self.buckets.visitors)).to_pylist():
            found.setdefault(row, f"it has no id: {names} {'are' if ' and ' in names else 'is'} empty")
        if not found:
            return pa.nulls(self.count, pa.string())
        told = [f"row {number}: {found[row]}" if row in found else None for row, number in enumerate(numbers)]
        return pa.array(told, pa.string())

    def sets(self, numbers: tuple[int, ...], activity_id: str | None = None) -> Sets:
        """The sets of values that the sources of these numbers have; with an activity the place in it last, -1 for
        none."""
        key = (numbers, activity_id)
        if key not in self._sets:
            columns = [(values.codes, values.values) for values in map(self._of, numbers)]
            if activity_id is not None:
                columns.append(_numbered(self.buckets.of(activity_id).fill_null(-1)))
            self._sets[key] = self._combine(columns)
        return self._sets[key]

    def _combine(self, columns: list[tuple[Any, list[Any]]]) -> Sets:
        if not columns:
            return Sets(pa.repeat(pa.scalar(0, pa.int32()), self.count), [()])
        codes, values = columns[0]
        return reduce(_joined, columns[1:], Sets(codes, [(value,) for value in values]))

    def _of(self, number: int) -> Values:
        if number not in self._values:
            self._values[number] = read_values(self._columns[number], self._sources[number])
        return self._values[number]

    def _name_visitors(self) -> Any:
        """Who decides what a row gets, as ``allocation.visitor_of`` says: an Arrow array of strings."""
        found = []
        for number, source in enumerate(self._sources):
            if source.kind == ID:
                texts = self._texts(number)
                found.append(without_suffix(texts) if source.path[-1] == "tntId" else texts)
        return pc.coalesce(*found)

    def _texts(self, number: int) -> Any:
        column = self._columns[number]
        if pa.types.is_dictionary(column.type) and is_text(column.type.value_type):
            column = plain(column.dictionary).take(column.indices)
        if pa.types.is_integer(column.type) or pa.types.is_null(column.type):
            return column.cast(pa.string())
        if is_text(column.type) and is_valid(column):
            return without_blanks(column.cast(pa.string()))
        values = self._of(number)
        return pa.array(values.values, pa.string()).take(values.codes)


def _joined(sets: Sets, column: tuple[Any, list[Any]]) -> Sets:
    """``sets`` with one value more in each."""
    codes, values = column
    size = len(values)
    wide = pc.add(pc.multiply(sets.codes.cast(pa.int64()), size), codes)
    indices, kept = _numbered(wide)
    return Sets(indices, [(*sets.sets[code // size], values[code % size]) for code in kept])


def _numbered(column: Any) -> tuple[Any, list[Any]]:
    encoded = column.dictionary_encode()
    return encoded.indices, encoded.dictionary.to_pylist()
