"""Reads objects of a caller's own classes: what comes out is plain, and what they raise becomes an OptionsError."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeGuard

from target.errors import OptionsError

#: What reading such an object may raise. No wider, or it would take what a signal handler raises meanwhile.
UNREADABLE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
#: Levels of dicts and lists that anything a caller gives may have.
MAX_DEPTH = 64
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_MOST_SHOWN = 40
_MOST_SHOWN_NUMBER = 10**15
_MOST_ID = 10**128  # the API's ids have at most so many digits


def kind_of(value: object) -> str:
    """The type of ``value`` in the words of a message."""
    return "None" if value is None else type(value).__name__


def shown(value: object) -> str:
    """``value`` as messages show a name or a place: the beginning of a text, a number, else its type."""
    if is_text(value):
        return repr(exact_text(value)[:_MOST_SHOWN])
    return repr(value) if type(value) is int and abs(value) < _MOST_SHOWN_NUMBER else kind_of(value)


def is_a(value: object, kinds: Any) -> bool:
    """``isinstance``, which asks the value for its class: False where that raises."""
    try:
        return isinstance(value, kinds)
    except UNREADABLE:
        return False


def attribute_of(value: object, name: str) -> Any:
    """``value.name``; None where there is none, and where asking for it raises."""
    try:
        return getattr(value, name, None)
    except UNREADABLE:
        return None


def is_function(value: object) -> TypeGuard[Callable[..., Any]]:
    """Whether it can be called, and nobody has to await what it returns. False where that cannot be told."""
    if not callable(value):
        return False
    from inspect import iscoroutinefunction  # slow to import, and few clients have a function in their options

    try:
        return not any(map(iscoroutinefunction, (value, getattr(type(value), "__call__", None))))  # noqa: B004
    except UNREADABLE:
        return False


def is_text(value: object) -> TypeGuard[str]:
    """Whether ``value`` is a string, and does not only say so as a stand-in for one does."""
    return issubclass(type(value), str)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether ``value`` is a number, likewise; True and False are none."""
    return issubclass(type(value), int | float) and type(value) is not bool


def exact_text(value: str) -> str:
    """``value`` as a plain string: one of a subclass may show something else than it holds."""
    return value if type(value) is str else str.__str__(value)


def exact_number(value: float) -> float:
    """``value`` as a plain int or float, for the same reason."""
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def text_of_id(value: object) -> str | None:
    """An id as text: programs hold ids as whole numbers and UUIDs, too. None for anything else, and for what is longer
    than any id."""
    if is_text(value):
        return exact_text(value)
    return (str(value) if abs(value) < _MOST_ID else None) if type(value) is int else spelt(value)


def spelt(value: Any) -> str | None:
    """As text what programs hold money, days, moments and ids in: a Decimal without exponent, a date, a datetime (UTC
    where it names no offset) and a UUID. None for anything else."""
    import decimal  # here, since only few values are neither text nor number

    if is_a(value, decimal.Decimal):
        return f"{value:f}" if value.is_finite() and abs(value.adjusted()) < _MOST_SHOWN else None
    if is_a(value, datetime.date):
        return str(dated(value).isoformat())
    # By its name: the module that has it makes random numbers, which nothing here may.
    kind = type(value)
    return str(value) if (kind.__module__, kind.__qualname__) == ("uuid", "UUID") else None


def dated(value: Any) -> Any:
    """A datetime with an offset: UTC where it names none. Anything else as it is."""
    if is_a(value, datetime.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=datetime.UTC)
    return value


def milliseconds_of(value: object) -> int | None:
    """A moment as whole milliseconds since 1970: a number of them, a datetime (UTC where it names no offset), or the
    midnight of a date. None for anything else."""
    try:
        if is_number(value):
            return int(exact_number(value))
        if not isinstance(value, datetime.date):
            return None
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        moment: datetime.datetime = dated(value)
        return (moment - _EPOCH) // _MILLISECOND
    except UNREADABLE:
        return None


def exact_dict(value: Any, what: str) -> dict[Any, Any]:
    """A dict of what ``value`` holds now. Raises OptionsError where it cannot be read; ``what`` begins its message."""
    try:
        return dict(value)
    except UNREADABLE as error:
        raised = type(error).__name__
    # Not in the except clause: an error raised there would carry the other one, which may quote what it read.
    raise OptionsError(f"{what} cannot be read: it raised {raised}")


def items_of(value: Any, most: int, what: str) -> list[Any]:
    """The items of ``value``, of which there may be ``most``. Raises OptionsError for more, and as ``exact_dict``."""
    try:
        items = list(islice(value, most + 1))
    except UNREADABLE as error:
        raised = type(error).__name__
    else:
        if len(items) > most:
            raise OptionsError(f"{what} must hold at most {most} items")
        return items
    raise OptionsError(f"{what} cannot be read: it raised {raised}")


def plain_copy(value: Any, what: str) -> Any:
    """A copy of dicts and lists all the way down; what else is in them stays as it is.

    Raises:
        OptionsError: It is nested more than MAX_DEPTH deep, as what holds itself is, or cannot be read.
    """
    return _copy(value, what, 0)


def copied(value: Any) -> Any:
    """The same for what ``plain_copy`` or ``json.loads`` made, which is sure to be plain."""
    kind = value.__class__
    if kind is dict:
        copy = value.copy()  # which does nearly all of it at once
        for key, item in value.items():
            if item.__class__ is dict or item.__class__ is list:
                copy[key] = copied(item)
        return copy
    if kind is list:
        return [copied(item) for item in value]
    return value


def _copy(value: Any, what: str, depth: int) -> Any:
    if not is_a(value, Mapping | list | tuple):
        return value
    if depth >= MAX_DEPTH:
        raise OptionsError(f"{what} is nested more than {MAX_DEPTH} deep, or holds itself")
    if isinstance(value, Mapping):
        return {key: _copy(item, what, depth + 1) for key, item in exact_dict(value, what).items()}
    return [_copy(item, what, depth + 1) for item in list(value)]
