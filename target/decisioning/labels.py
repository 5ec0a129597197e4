"""Variables and values as people call and write them: ``geo.country`` is country, ``"0900"`` is 09:00 UTC.

Takes any JSON, and never says more than fits a table.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from target.decisioning.clauses import variable_of
from target.decisioning.coercion import NUMBERS, to_number, to_text
from target.decisioning.ranges import operation_of

MAX_LENGTH = 1000  # of anything that is said
MAX_VALUE = 60  # of one value
MORE = "…"
LOWER_CASE = "_lc"

_MAX_ITEMS = 10  # of a list or an object
_NAMES = {
    "": "everything that is known",
    "allocation": "place in the activity",
    "current_timestamp": "date",
    "current_time": "time of day",
    "current_day": "day",
    "geo.country": "country",
    "geo.region": "region",
    "geo.city": "city",
    "geo.latitude": "latitude",
    "geo.longitude": "longitude",
    "mbox": "parameters",
    "user.browserType": "browser",
    "user.browserVersion": "browser version",
    "user.platform": "operating system",
    "user.locale": "language",
}
_PARTS = {
    "url": "URL",
    "path": "path",
    "query": "query",
    "fragment": "fragment",
    "subdomain": "subdomain",
    "domain": "domain",
    "topLevelDomain": "top-level domain",
}
_PAGES = {"page": "page", "referring": "referring page"}
_PARAMETER = re.compile(r"(page|referring)\.\{parameter=([^{}]+)\}", re.DOTALL)
_WORD = re.compile(r"[\w.-]+")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CLOCK = re.compile(r"([01][0-9]|2[0-4])([0-5][0-9])")


def name_of(variable: str) -> str:
    """What the variable ``variable`` is called: ``geo.country`` is country, ``mbox.level`` is parameter level."""
    return finished(_name(variable))


def _name(variable: str) -> str:
    name = variable.removesuffix(LOWER_CASE)
    if name in _NAMES:
        return _NAMES[name]
    root, _, rest = name.partition(".")
    if root == "mbox":
        return f"parameter {_as_word(rest)}"
    if match := _PARAMETER.fullmatch(name):
        return f"{_PAGES[match[1]]} query parameter {_as_word(match[2])}"
    if root in _PAGES and rest in _PARTS:
        return f"{_PAGES[root]} {_PARTS[rest]}"
    return shortened(name, MAX_VALUE)


def describe_value(value: Any, variable: str | None = None) -> str:
    """A value that ``variable`` is compared with, or has: texts in quotes, dates and days as such. Never fails."""
    return finished(as_value(value, variable))


def describe_ranges(ranges: Sequence[tuple[float, float]]) -> str:
    """Percent ranges: ``0 to 50 %``."""
    if not ranges:
        return "no range"
    shown = " or ".join(f"{to_text(least)} to {to_text(most)}" for least, most in ranges[:_MAX_ITEMS])
    return f"{shown} %" if len(ranges) <= _MAX_ITEMS else f"{shown} {MORE} %"


def as_value(value: Any, variable: str | None = None) -> str:
    """The same before ``finished``."""
    if variable == "current_timestamp" and (moment := _moment(value)):
        return moment
    if variable == "current_day" and (day := _day(value)):
        return day
    if variable == "current_time" and isinstance(value, str) and (clock := _CLOCK.fullmatch(value)):
        return f"{clock[1]}:{clock[2]} UTC"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return json.dumps(shortened(value, MAX_VALUE), ensure_ascii=False)
    if isinstance(value, int | float):
        return to_text(value)
    if isinstance(value, Mapping) and (name := variable_of(value)) is not None:
        return _subject(value, name)
    return shortened(as_short_json(value), MAX_VALUE)


def _subject(logic: Any, name: str) -> str:
    operator, arguments = operation_of(logic)
    if operator != "substr":
        return _name(name)
    bounds = ", ".join(shortened(as_short_json(bound), MAX_VALUE) for bound in arguments[1:3])
    return f"part ({bounds}) of {_name(name)}" if bounds else _name(name)


def _as_word(name: str) -> str:
    name = shortened(name, MAX_VALUE)
    return name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _moment(value: Any) -> str | None:
    """Epoch milliseconds as a date; None for what is no such number."""
    number = to_number(value) if isinstance(value, str | int | float) else -1.0
    if not 0 <= number < 253_402_300_800_000:  # the year 10000
        return None
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=number)
    pattern = "%Y-%m-%d %H:%M:%S" if moment.second or moment.microsecond else "%Y-%m-%d %H:%M"
    return f"{moment.strftime(pattern)} UTC"


def _day(value: Any) -> str | None:
    number = to_number(value) if isinstance(value, str) or value.__class__ in NUMBERS else 0
    return _DAYS[int(number) - 1] if number in range(1, 8) else None


def as_short_json(value: Any, depth: int = 0) -> str:
    """``value`` in short: what is long or deep is only begun."""
    if isinstance(value, Mapping | list | tuple) and depth > 4:
        return MORE
    if isinstance(value, Mapping):
        members = [f"{as_short_json(str(key))}: {as_short_json(value[key], depth + 1)}" for key in _first(value)]
        return _within("{}", members)
    if isinstance(value, list | tuple):
        return _within("[]", [as_short_json(item, depth + 1) for item in _first(value)])
    text: Callable[[Any], str] = to_text if value.__class__ in NUMBERS else _dump
    return text(shortened(value, MAX_VALUE) if isinstance(value, str) else value)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda other: type(other).__name__)


def _first(items: Any) -> list[Any]:
    return list(itertools.islice(items, _MAX_ITEMS + 1))


def _within(brackets: str, items: Sequence[str]) -> str:
    shown = items if len(items) <= _MAX_ITEMS else [*items[:_MAX_ITEMS], MORE]
    return f"{brackets[0]}{', '.join(shown)}{brackets[1]}"


def finished(text: str) -> str:
    """``text`` on one line, of the length that is allowed, and without anything that a terminal would obey."""
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shortened(text, MAX_LENGTH)


def shortened(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}{MORE}"
