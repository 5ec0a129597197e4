"""JSON Logic as slowly and plainly as it can be put: what compiled rules are held against.

Follows the published operations one by one, with ECMAScript's own steps for ``==`` and ``<``. Shares nothing with the
engine, and looks everything up in plain data.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from decimal import Decimal
from typing import Any

PLACES = {"geo.country", "geo.region", "geo.city"}

# As JavaScript has it: white space of Python without the separators of ASCII and the next line, and with a BOM.
WHITE_SPACE = "".join(
    char for char in map(chr, range(0x10000)) if char.isspace() and char not in "\x1c\x1d\x1e\x1f\x85"
)
WHITE_SPACE += "\ufeff"


def evaluate(logic: Any, data: dict[str, Any], others: dict[str, Any] | None = None) -> Any:
    """What ``logic`` gives; ``others`` are the second readings of variables that have two, by their names."""
    return _evaluate(logic, data, others or {}, None, False)


def _evaluate(logic: Any, data: dict[str, Any], others: dict[str, Any], second: bool | None, places: bool) -> Any:
    if not isinstance(logic, dict):
        return as_place(logic) if places else logic
    ((operator, arguments),) = logic.items()
    if not isinstance(arguments, list):
        arguments = [arguments]
    if operator == "var":
        name = arguments[0]
        found = others[name] if second and name in others else look_up(arguments, data)
        return as_place(found) if places else found
    if operator in ("==", "!=", "in"):
        names = {name for argument in arguments for name in passed_on(argument)}
        places = bool(names & PLACES)
        if second is None and names & set(others):
            both = [compare(operator, arguments, data, others, reading, places) for reading in (False, True)]
            return all(both) if operator == "!=" else any(both)
        return compare(operator, arguments, data, others, second, places)
    if operator not in ("and", "or", "substr"):
        places = False
    values = [_evaluate(argument, data, others, second, places) for argument in arguments]
    if operator == "and":
        return next((value for value in values if not truthy(value)), values[-1])
    if operator == "or":
        return next((value for value in values if truthy(value)), values[-1])
    if operator == "!":
        return not truthy(values[0])
    if operator == "substr":
        return cut(*values)
    tests = {
        "<": below,
        ">": lambda a, b: below(b, a),
        "<=": lambda a, b: below(a, b) or as_ordered_equal(a, b),
        ">=": lambda a, b: below(b, a) or as_ordered_equal(a, b),
    }
    return all(tests[operator](a, b) for a, b in itertools.pairwise(values))  # type: ignore[no-untyped-call]


def compare(
    operator: str, arguments: list[Any], data: dict[str, Any], others: dict[str, Any], second: bool | None, places: bool
) -> bool:
    left, right = (_evaluate(argument, data, others, second, places) for argument in arguments)
    if operator == "in":
        return contains(left, right)
    return loosely_equal(left, right) is (operator == "==")


def passed_on(logic: Any) -> set[str]:
    """The variables whose values, or parts of them, ``logic`` may give."""
    if not isinstance(logic, dict):
        return set()
    ((operator, arguments),) = logic.items()
    if not isinstance(arguments, list):
        arguments = [arguments]
    if operator == "var":
        return {arguments[0]}
    if operator not in ("and", "or", "substr"):
        return set()
    return {name for argument in arguments for name in passed_on(argument)}


def as_place(value: Any) -> Any:
    if isinstance(value, list):
        return [as_place(item) for item in value]
    if not isinstance(value, str):
        return value
    letters = [char for char in unicodedata.normalize("NFKD", value) if not unicodedata.combining(char)]
    return "".join(char for char in "".join(letters).upper() if not char.isspace())


def cut(source: Any, start: Any = 0, *length: Any) -> str:
    """String.prototype.substr step by step, over a list of UTF-16 units."""
    found = units(text(source))
    begin = whole(start)
    if begin < 0:
        begin = max(len(found) + begin, 0)
    rest = found[int(min(begin, len(found))) :]
    if not length:
        return from_units(rest)
    if is_number(length[0]) and length[0] < 0:
        wanted = whole(len(rest) + length[0])
    elif below(length[0], 0):
        wanted = whole(str(len(rest)) + text(length[0]))
    else:
        wanted = whole(length[0])
    return from_units(rest[: int(min(max(wanted, 0), len(rest)))])


def whole(value: Any) -> float:
    found = number(value)
    if math.isnan(found):
        return 0
    return found if math.isinf(found) else math.trunc(found)


def from_units(found: list[int]) -> str:
    return b"".join(unit.to_bytes(2, "little") for unit in found).decode("utf-16-le", "surrogatepass")


def look_up(arguments: list[Any], data: Any) -> Any:
    default = arguments[1] if len(arguments) > 1 else None
    if arguments[0] == "":
        return data
    for key in arguments[0].split("."):
        if not isinstance(data, dict) or data.get(key) is None:
            return default
        data = data[key]
    return data


def truthy(value: Any) -> bool:
    if value is None or value is False or value == "" or value == []:
        return False
    return not (is_number(value) and (value == 0 or math.isnan(value)))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def primitive(value: Any) -> Any:
    if isinstance(value, list):
        return ",".join("" if item is None else text(item) for item in value)
    return "[object Object]" if isinstance(value, dict) else value


def text(value: Any) -> str:
    value = primitive(value)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f")  # the shortest digits that read back as the same number
    raise AssertionError("the tests make no number that would need an exponent")


def number(value: Any) -> float:
    value = primitive(value)
    if value is None:
        return 0.0
    if not isinstance(value, str):
        return float(value)
    value = value.strip(WHITE_SPACE)
    if value == "":
        return 0.0
    if re.fullmatch(r"[+-]?Infinity", value):
        return float(value)
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", value):
        return float(int(value, 16))
    decimal = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value)
    return float(value) if decimal else math.nan


def loosely_equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is None and b is None
    if isinstance(a, bool):
        return b is a if isinstance(b, bool) else loosely_equal(float(a), b)
    if isinstance(b, bool):
        return loosely_equal(a, float(b))
    if isinstance(a, list | dict) and isinstance(b, list | dict):
        return a is b
    a, b = primitive(a), primitive(b)
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    return number(a) == number(b)


def below(a: Any, b: Any) -> bool:
    a, b = primitive(a), primitive(b)
    if isinstance(a, str) and isinstance(b, str):
        return units(a) < units(b)
    return number(a) < number(b)


def as_ordered_equal(a: Any, b: Any) -> bool:
    a, b = primitive(a), primitive(b)
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    return number(a) == number(b)


def units(value: str) -> list[int]:
    found = []
    for char in value:
        code = ord(char)
        found += [code] if code < 0x10000 else [0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF)]
    return found


def contains(needle: Any, haystack: Any) -> bool:
    if isinstance(haystack, str):
        return haystack != "" and text(needle) in haystack
    if isinstance(haystack, list):
        return any(
            (is_number(needle) and is_number(item) and needle == item)
            or (type(needle) is type(item) and not isinstance(item, list | dict) and needle == item)
            for item in haystack
        )
    return False
