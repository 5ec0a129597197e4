"""Owns the kinds of check that those of the schemas are made of: text, number, list, map and object.

A check takes the path of a value and the value, and yields one sentence per problem, worded as the API's bean
validation words it ("size must be between 0 and 50"). It never sees a null, which counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[str, Any], Iterator[str]]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def text(low: int = 0, high: int = INT32_MAX) -> Check:
    """A string of `low` to `high` characters."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path} must be a string"
        elif not low <= len(value) <= high:
            yield f"{path} {_size(low, high)}"

    return check


def name(high: int) -> Check:
    """A string of up to `high` characters that is more than white space."""
    sized = text(0, high)

    def check(path: str, value: Any) -> Iterator[str]:
        yield from sized(path, value)
        if isinstance(value, str) and not value.strip():
            yield f"{path} must not be blank"

    return check


def shaped(sized: Check, pattern: str, problem: str) -> Check:
    """A string that `sized` accepts and that matches `pattern` as a whole; `problem` completes "<path> must "."""
    whole = re.compile(pattern)

    def check(path: str, value: Any) -> Iterator[str]:
        yield from sized(path, value)
        if isinstance(value, str) and not whole.fullmatch(value):
            yield f"{path} must {problem}"

    return check


def one_of(*known: Any) -> Check:
    """One of the values `known`."""

    def check(path: str, value: Any) -> Iterator[str]:
        if value not in known:
            yield f"{path} must be one of {', '.join(map(str, known))}"

    return check


def integer(low: int = INT64_MIN, high: int = INT64_MAX, beyond_low: bool = False, beyond_high: bool = False) -> Check:
    """A whole number from `low` to `high`, or beyond them."""
    bounded = number(low, high, beyond_low, beyond_high)

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path} must be an integer"
        else:
            yield from bounded(path, value)

    return check


def number(
    low: float | None = None, high: float | None = None, beyond_low: bool = False, beyond_high: bool = False
) -> Check:
    """A number, from `low` and to `high` where they are given; not these themselves where it must be beyond them."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield f"{path} must be a number"
        elif low is not None and value < low:
            yield f"{path} must be greater than or equal to {low}"
        elif high is not None and value > high:
            yield f"{path} must be less than or equal to {high}"
        elif beyond_low and value == low:
            yield f"{path} must be greater than {low}"
        elif beyond_high and value == high:
            yield f"{path} must be less than {high}"

    return check


def boolean(path: str, value: Any) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield f"{path} must be true or false"


def date_time(path: str, value: Any) -> Iterator[str]:
    """A date and time in ISO 8601."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        yield f"{path} must be a date and time in ISO 8601"


def address(path: str, value: Any) -> Iterator[str]:
    """An IPv4 or IPv6 address, white space around it allowed."""
    try:
        # Without the str check an integer would pass: ip_address(1) is 0.0.0.1.
        ip_address(value.strip() if isinstance(value, str) else "")
    except ValueError:
        yield f"{path} must be an IP address"


def any_of(checks: Sequence[Check]) -> Check:
    """A value that one of the checks accepts; else what the first says of it."""

    def check(path: str, value: Any) -> Iterator[str]:
        told = [list(each(path, value)) for each in checks]
        if all(told):
            yield from told[0] if told else ()

    return check


def list_of(item: Check, high: int = INT32_MAX, low: int = 0) -> Check:
    """A list of `low` to `high` items, each checked by `item`."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        if not low <= len(value) <= high:
            yield f"{path} {_size(low, high)}"
        for position, entry in enumerate(value):
            at = f"{path}[{position}]"
            if entry is None:
                yield f"{at} must not be null"
            else:
                yield from item(at, entry)

    return check


def map_of(key: Check, item: Check, high: int = INT32_MAX, low: int = 0) -> Check:
    """An object of `low` to `high` keys that `key` accepts, with values that `item` accepts."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path} must be an object"
            return
        if not low <= len(value) <= high:
            yield f"{path} {_size(low, high)}"
        for name_, entry in value.items():
            yield from key(f"{path} name", name_)
            if entry is None:
                yield f"{path}.{name_} must not be null"
            else:
                yield from item(f"{path}.{name_}", entry)

    return check


def record(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object: `fields` checks what it knows and ignores other keys."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path or 'body'} must be an object"
            return
        prefix = f"{path}." if path else ""
        for key in required:
            if value.get(key) is None:
                yield f"{prefix}{key} must not be null"
        for key, field in fields.items():
            if value.get(key) is not None:
                yield from field(f"{prefix}{key}", value[key])

    return check


def also(*wholes: Check) -> Callable[[Check], Check]:
    """Makes of the check of an object one that has the object seen by `wholes`, too."""

    def added(own: Check) -> Check:
        def check(path: str, value: Any) -> Iterator[str]:
            yield from own(path, value)
            if isinstance(value, dict):
                for whole in wholes:
                    yield from whole(path, value)

        return check

    return added


def _size(low: int, high: int) -> str:
    return f"size must be between {low} and {high}"
