"""The values of one column: each that differs is read once, as a client reads it in a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from target.batch.extra import demand
from target.batch.sources import ID, MOMENT, NUMBER, PARAMETER, TEXT, Source
from target.delivery.wire_values import Misfit, write_id, write_number, write_text, write_texts
from target_delivery_api.types import MAX_NUMBER

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")

_US_PER_S = 1_000_000


class Values(NamedTuple):
    """A column as numbers of values.

    Attributes:
        codes: For each row, which of ``values`` it has: an Arrow array of int32 without nulls.
        values: Those that occur, each once; None for one that is not set, or that cannot be used.
        problems: By code, what is wrong with a value.
    """

    codes: Any
    values: list[Any]
    problems: dict[int, str]


def read_values(column: Any, source: Source) -> Values:
    """The values of ``column``, an Arrow array, as those of ``source``."""
    indices, items = _items_of(column)
    read = _READERS[source.kind]
    values: list[Any] = []
    problems: dict[int, str] = {}
    for code, item in enumerate(items):
        value = None
        try:
            if isinstance(item, Exception):
                raise _unreadable(item)
            value = read(item)
        except Misfit as misfit:
            problems[code] = misfit.problem
        values.append(value)
    return Values(indices, values, problems)


def may_have_problems(column: Any, source: Source) -> bool:
    """Whether any value of ``column`` may be one that a client refuses; told without looking at each."""
    column = plain(column)
    kind = column.type
    if source.kind == MOMENT:
        return True
    if pa.types.is_dictionary(kind):
        return may_have_problems(column.dictionary, source)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return False
    if pa.types.is_floating(kind):
        return not pc.all(pc.less(pc.abs(column), float(MAX_NUMBER)), min_count=0).as_py()  # NaN is not
    return not (is_text(kind) and is_valid(column))


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_valid(column: Any) -> bool:
    """Whether a column of text is UTF-8, as Arrow wants it but does not check."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def plain(column: Any) -> Any:
    """``column`` in a type that all of Arrow's functions know: no runs, views, half floats or parts of microseconds."""
    kind = column.type
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_string_view(kind):
        return pa.array(column.to_pylist(), pa.string()) if is_valid(column) else column
    return column


def _items_of(column: Any) -> tuple[Any, list[Any]]:
    """Which value each row has, and the values; an exception in the place of one that cannot be read."""
    column = plain(column)
    if pa.types.is_dictionary(column.type):
        words, indices = column.dictionary, column.indices
        if len(words) > 2 * len(indices) + 64:  # of a small piece of a large column
            return _items_of(words.take(indices))
        items = _list(plain(words))
    else:
        try:
            encoded = column.dictionary_encode()
        except pa.ArrowNotImplementedError:
            return _encode(_list(column))
        indices, items = encoded.indices, _list(encoded.dictionary)
    indices = indices.cast(pa.int32())
    if indices.null_count:
        indices = indices.fill_null(len(items))
        items.append(None)
    return indices, items


def _encode(items: list[Any]) -> tuple[Any, list[Any]]:
    numbers: dict[Any, int] = {}
    kept: list[Any] = []
    codes = []
    for item in items:
        key = id(item) if isinstance(item, Exception) else item
        number = numbers.setdefault(key, len(kept))
        if number == len(kept):
            kept.append(item)
        codes.append(number)
    return pa.array(codes, pa.int32()), kept


def _list(words: Any) -> list[Any]:
    try:
        found: list[Any] = words.to_pylist()
    except Exception:  # noqa: BLE001 - each by itself, then, to see which it was
        return [_item(words, number) for number in range(len(words))]
    return found


def _item(words: Any, number: int) -> Any:
    try:
        return words[number].as_py()
    except Exception as error:  # noqa: BLE001 - dates beyond Python's, zones that are not known, bytes that are no text
        return error


def _unreadable(error: Exception) -> Misfit:
    if isinstance(error, UnicodeDecodeError):
        return Misfit("must be text in UTF-8")
    return Misfit(f"cannot be read: it raised {type(error).__name__}")


def _parameter(value: Any) -> Any:
    return value if value is None or type(value) is str else write_texts({"": value})[""]


def _text(value: Any) -> str | None:
    return None if value is None or not value.strip() else write_text(value)


def _id(value: Any) -> str | None:
    text = None if value is None else write_id(value)
    return text if text and text.strip() else None


def _number(value: Any) -> float | None:
    return None if value is None else write_number(value)


def _moment(value: Any) -> float:
    if value is None:
        raise Misfit("is empty: it says when to decide")
    cast = pa.scalar(value).cast(pa.timestamp("us", "UTC" if getattr(value, "tzinfo", None) else None))
    return float(cast.value / _US_PER_S)


_READERS: dict[str, Callable[[Any], Any]] = {
    ID: _id,
    PARAMETER: _parameter,
    TEXT: _text,
    NUMBER: _number,
    MOMENT: _moment,
}
