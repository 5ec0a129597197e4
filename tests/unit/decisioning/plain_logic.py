"""JSON Logic as slowly and plainly as it can be put: what compiled rules are held against.

Follows the published operations one by one, with ECMAScript's own steps for ``==`` and ``<``. Shares nothing with the
engine, and looks everything up in plain data.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Any


def evaluate(logic: Any, data: dict[str, Any]) -> Any:
    if not isinstance(logic, dict):
        return logic
    ((operator, arguments),) = logic.items()
    if not isinstance(arguments, list):
        arguments = [arguments]
    if operator == "var":
        return look_up(arguments, data)
    values = [evaluate(argument, data) for argument in arguments]
    if operator == "and":
        return next((value for value in values if not truthy(value)), values[-1])
    if operator == "or":
        return next((value for value in values if truthy(value)), values[-1])
    if operator == "!":
        return not truthy(values[0])
    if operator == "==":
        return loosely_equal(values[0], values[1])
    if operator == "!=":
        return not loosely_equal(values[0], values[1])
    if operator == "in":
        return contains(values[0], values[1])
    tests = {
        "<": below,
        ">": lambda a, b: below(b, a),
        "<=": lambda a, b: below(a, b) or as_ordered_equal(a, b),
        ">=": lambda a, b: below(b, a) or as_ordered_equal(a, b),
    }
    return all(tests[operator](a, b) for a, b in itertools.pairwise(values))


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
        return format(value, f".{max(0, 17 - math.floor(math.log10(abs(value))) - 1)}f").rstrip("0")
    raise AssertionError("the tests make no number that would need an exponent")


def number(value: Any) -> float:
    value = primitive(value)
    if value is None:
        return 0.0
    if not isinstance(value, str):
        return float(value)
    value = value.strip()
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
