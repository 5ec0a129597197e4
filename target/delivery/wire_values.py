"""Writes single values of a request as JSON, or says what is wrong with them and where."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from enum import Enum
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from target.foreign import (
    MAX_DEPTH,
    UNREADABLE,
    dated,
    exact_number,
    exact_text,
    is_a,
    is_number,
    is_text,
    kind_of,
    milliseconds_of,
    shown,
    spelt,
    text_of_id,
)
from target_delivery_api.types import MAX_INTEGER, MAX_NUMBER, Model, load_datetime

if TYPE_CHECKING:
    import decimal

T = TypeVar("T")

_TEXT = frozenset({str})
_MOST_SHOWN = 40
_MOST_PLACE = 200


class Misfit(Exception):
    """What is not as it should be. Its place is put together on the way out, from the field inwards to the request."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.place = ""

    def within(self, step: str | int) -> Misfit:
        """The same, one level further out."""
        is_name = isinstance(step, str) and step.isidentifier() and len(step) <= _MOST_SHOWN
        self.place = (f".{step}" if is_name else f"[{shown(step)}]") + self.place
        return self

    def __str__(self) -> str:
        place = self.place if len(self.place) <= _MOST_PLACE else f"{self.place[:_MOST_PLACE]}..."
        return f"request{place} {self.problem}"


def refuse(expected: str, value: object) -> NoReturn:
    """Raise the Misfit of a value of another type than ``expected``, which is words."""
    raise Misfit(f"must be {expected}, not {kind_of(value)}")


def write_text(value: Any) -> str:
    """A string, as it is held and not as a class of its own would show it; money, days, moments and UUIDs as text."""
    text = _unwrapped(value)
    if is_text(text):
        return exact_text(text)
    if (text := spelt(text)) is None:
        refuse("a string", value)
    return text


def write_id(value: Any) -> str:
    """An id: a string, or a whole number, which becomes one, so that 4711 and "4711" are one visitor everywhere."""
    text = text_of_id(_unwrapped(value))
    if text is None:
        refuse("a string or a whole number", value)
    return text


def write_flag(value: Any) -> bool:
    """True or False."""
    value = _unwrapped(value)
    if value is not True and value is not False:
        refuse("true or false", value)
    return value


def write_integer(value: Any) -> int:
    """A whole number of 64 bits; a float may hold it."""
    whole = value if type(value) is int else _as_whole(value)
    if not -MAX_INTEGER <= whole <= MAX_INTEGER:
        raise Misfit("must be a number of at most 64 bits")
    return whole


def write_number(value: Any) -> float:
    """A number that is finite."""
    number = value if type(value) is float else _as_number(value)
    if not -MAX_NUMBER <= number <= MAX_NUMBER:  # neither is NaN
        raise Misfit("must be a finite number")
    return number


def write_time(value: Any) -> str:
    """A date-time as ISO 8601 text, UTC where it names no offset; of a date, its midnight."""
    text = _unwrapped(value)
    if is_a(text, datetime.date):
        text = f"{text.isoformat()}T00:00:00+00:00"
    if not is_text(text):
        refuse("a datetime or an ISO 8601 text", value)
    try:
        load_datetime(text, "")
    except ValueError:
        raise Misfit("must be a datetime or an ISO 8601 date-time, not another text") from None
    return exact_text(text)


def write_texts(value: Any) -> dict[str, Any]:
    """An object of texts. Numbers and flags stay what they are, since rules compare with them on device; money, days
    and ids are text."""
    items = mapping_of(value)
    if _TEXT.issuperset(map(type, items)) and _TEXT.issuperset(map(type, items.values())):
        return items  # as nearly always; this looks at all of them at once
    data = {}
    for key, item in items.items():
        if type(item) is not str:
            if item is None:
                continue
            try:
                item = _scalar(item)
            except Misfit as misfit:
                raise misfit.within(name_of(key)) from None
        data[name_of(key)] = item
    return data


def _scalar(value: Any) -> Any:
    value = _unwrapped(value)
    if is_number(value):
        return write_number(value)
    return value if type(value) is bool else write_text(value)


def _exact_decimal(value: Any) -> decimal.Decimal | None:
    """A Decimal whose digits can be counted: as a float, one of 64 bits would lose its last ones."""
    import decimal

    is_one = is_a(value, decimal.Decimal) and value.is_finite() and abs(value.adjusted()) < _MOST_SHOWN
    return value if is_one else None


def _as_whole(value: Any) -> int:
    number: Any = _exact_decimal(value)
    if number is None:
        number = write_number(value)
    if number != (whole := int(number)):
        refuse("a whole number", value)
    return whole


def _as_number(value: Any) -> float:
    value = _unwrapped(value)
    return exact_number(value if is_number(value) else _as_float(value))


def _as_float(value: Any) -> float:
    import decimal

    if not is_a(value, decimal.Decimal):
        refuse("a number", value)
    try:
        return float(value)
    except ValueError:  # of a NaN that signals
        raise Misfit("must be a finite number") from None


def write_free_map(value: Any) -> dict[str, Any]:
    """An object of any JSON."""
    return _free_items(mapping_of(value), 0)


def write_free(value: Any, depth: int = 0) -> Any:
    """Any JSON, new all the way down."""
    value = read_by(methodcaller("to_dict"), value) if is_a(value, Model) else _unwrapped(value)
    if value is None or type(value) is bool:
        return value
    if is_text(value):
        return exact_text(value)
    if is_number(value):
        return write_number(value)
    if not is_a(value, Mapping | list | tuple):
        return _write_loose(value)
    if depth >= MAX_DEPTH:
        raise Misfit(f"is nested more than {MAX_DEPTH} deep, or holds itself")
    if is_a(value, Mapping):
        return _free_items(mapping_of(value), depth + 1)
    return [_free_at(index, item, depth + 1) for index, item in enumerate(read_by(list, value))]


def _write_loose(value: Any) -> Any:
    """Money as a number, days and UUIDs as text."""
    import decimal

    if is_a(value, decimal.Decimal):
        return write_number(value)
    if (text := spelt(value)) is None:
        refuse("JSON", value)
    return text


def write_moment(value: Any) -> Any:
    """A moment that is wanted in milliseconds since 1970: of a datetime or a date those, anything else as it is."""
    moment = milliseconds_of(value) if is_a(value, datetime.date) else None
    return write_free(value) if moment is None else moment


def write_own_id(value: Any) -> Any:
    """An id that has to be text: a UUID, a date or a Decimal is that, anything else stays as it is."""
    text = spelt(value)
    return write_free(value) if text is None else text


def _free_items(items: dict[Any, Any], depth: int) -> dict[str, Any]:
    return {name_of(key): _free_at(name_of(key), item, depth) for key, item in items.items()}


def _free_at(step: str | int, value: Any, depth: int) -> Any:
    if type(value) is str:
        return value
    try:
        return write_free(value, depth)
    except Misfit as misfit:
        raise misfit.within(step) from None


def _unwrapped(value: Any) -> Any:
    """An enum's value, and a time as the text that it is in JSON."""
    if is_a(value, Enum):
        return value._value_
    return dated(value).isoformat() if is_a(value, datetime.datetime) else value


def mapping_of(value: Any, expected: str = "an object") -> dict[Any, Any]:
    """A copy of a mapping (no model is one), which somebody may change while it is read."""
    if type(value) is dict:
        return value.copy()
    if not is_a(value, Mapping):
        refuse(expected, value)
    return read_by(dict, value)


def read_by(read: Callable[[Any], T], value: Any) -> T:
    """``read(value)``; what that raises becomes a Misfit."""
    try:
        return read(value)
    except UNREADABLE as error:
        raise unreadable(error) from None


def unreadable(error: Exception) -> Misfit:
    """The Misfit of a value that raises ``error`` when it is read."""
    return Misfit(f"cannot be read: it raised {type(error).__name__}")


def name_of(key: Any) -> str:
    """A key of an object as a plain string."""
    if type(key) is str:
        return key
    if not is_text(key):
        raise Misfit(f"must have strings for keys, not {kind_of(key)}")
    return exact_text(key)
