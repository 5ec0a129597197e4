"""How JavaScript compares values of different types: rules are written for it, so ``"37.70" < 37.75`` must hold.

And how it cuts texts, which it counts in UTF-16 units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

NUMBERS = frozenset({int, float})

# What JavaScript strips from both ends of a text before it reads a number; Python's own set differs.
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff".replace(
    "\u2000-\u200a", "".join(map(chr, range(0x2000, 0x200B)))
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_INFINITY = {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}
# Beyond it a float, the only number of JavaScript, no longer holds every whole number.
_MAX_SAFE = 2**53


def is_true(value: Any) -> bool:
    """Whether JSON Logic takes ``value`` for true: as JavaScript, but an empty list is false and ``{}`` is true."""
    if isinstance(value, float):
        return value != 0 and value == value
    return bool(value) or isinstance(value, Mapping)


def to_number(value: Any) -> float:
    """``value`` as a number; NaN where it is none. Null and blank text count as 0."""
    kind = value.__class__
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int or kind is bool:
        return _to_float(value)
    if kind is str:
        return _number_of_text(value)
    if value is None:
        return 0.0
    return _number_of_text(to_text(value))


def to_text(value: Any) -> str:
    """``value`` as JavaScript writes it: ``1.0`` is ``"1"``, null is ``"null"``, a list is its items with commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return _text_of_number(value)
    if isinstance(value, list | tuple):
        return ",".join("" if item is None else to_text(item) for item in value)
    return "[object Object]"


def is_equal(left: Any, right: Any) -> bool:
    """JavaScript's ``==``."""
    if left is None or right is None:
        return left is right
    left_kind, right_kind = left.__class__, right.__class__
    if left_kind is right_kind:
        return left is right if left_kind in (dict, list, tuple) else bool(left == right)
    if _is_object(left) and _is_object(right):
        return False
    if left_kind is str and _is_object(right):
        return bool(left == to_text(right))
    if right_kind is str and _is_object(left):
        return bool(right == to_text(left))
    return to_number(left) == to_number(right)


def is_same(left: Any, right: Any) -> bool:
    """JavaScript's ``===``."""
    if left.__class__ in NUMBERS and right.__class__ in NUMBERS:
        return bool(left == right)
    return left.__class__ is right.__class__ and is_equal(left, right)


def is_less(left: Any, right: Any) -> bool:
    """JavaScript's ``<``: two texts by their UTF-16 units, everything else as numbers."""
    left, right = _primitive(left), _primitive(right)
    if left.__class__ is str and right.__class__ is str:
        return _order(left) < _order(right)
    return to_number(left) < to_number(right)


def is_less_or_equal(left: Any, right: Any) -> bool:
    """JavaScript's ``<=``."""
    left, right = _primitive(left), _primitive(right)
    if left.__class__ is str and right.__class__ is str:
        return _order(left) <= _order(right)
    return to_number(left) <= to_number(right)


def is_in(needle: Any, haystack: Any) -> bool:
    """JSON Logic's ``in``: part of a text, or one of a list; false in anything else."""
    if haystack.__class__ is str:
        return bool(haystack) and to_text(needle) in haystack
    if isinstance(haystack, list | tuple):
        return any(is_same(needle, item) for item in haystack)
    return False


def cut_text(value: Any, start: Any = 0, *length: Any) -> str:
    """JSON Logic's ``substr``: JavaScript's, but for a ``length`` below 0, which leaves so many units off the end.

    A ``start`` below 0 counts from the end. Without a ``length`` the cut goes to the end; one that is null is 0.
    """
    text = to_text(value)
    plain = text.isascii()
    units = text if plain else text.encode("utf-16-le", "surrogatepass")
    width = 1 if plain else 2
    size = len(units) // width
    first = to_integer(start)
    begin = int(max(size + first, 0.0) if first < 0 else min(first, size))
    end = size
    if length:
        wanted = length[0]
        if is_less(wanted, 0):
            # What is not a number is joined on as text, which gives none.
            left = size - begin
            kept = left + to_number(wanted) if wanted.__class__ in NUMBERS else math.nan
        else:
            kept = to_number(wanted)
        end = begin + int(min(max(to_integer(kept), 0.0), size))
    cut = units[begin * width : end * width]
    return cut if isinstance(cut, str) else cut.decode("utf-16-le", "surrogatepass")


def to_integer(value: Any) -> float:
    """``value`` as a number without its fraction, as a float; 0 where it is none. May be infinite."""
    number = to_number(value)
    if number != number:
        return 0.0
    return number if math.isinf(number) else float(math.trunc(number))


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _primitive(value: Any) -> Any:
    return to_text(value) if _is_object(value) else value


def _order(text: str) -> bytes:
    # As bytes, big end first, UTF-16 units order like numbers; code points order differently above the surrogates.
    return text.encode("utf-16-be", "surrogatepass")


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _number_of_text(text: str) -> float:
    text = text.strip(_SPACE)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _RADIX.fullmatch(text):
        return _to_float(int(text, 0))
    return _INFINITY.get(text, math.nan)


def _text_of_number(value: float) -> str:
    if isinstance(value, int) and abs(value) <= _MAX_SAFE:
        return str(value)
    number = _to_float(value)
    if number != number:
        return "NaN"
    if number < 0:
        return f"-{_text_of_number(-number)}"
    if number == 0:
        return "0"
    if math.isinf(number):
        return "Infinity"
    # Both languages write the shortest digits that read back as the same number; they place the point differently.
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    return _place_point((whole + fraction).rstrip("0"), len(whole) + int(exponent or 0))


def _place_point(digits: str, point: int) -> str:
    """``digits`` with the decimal point after the first ``point`` of them, in the form JavaScript picks."""
    if not -6 < point <= 21:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{fraction}e{point - 1:+}"
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits.ljust(point, "0")
    return f"{digits[:point]}.{digits[point:]}"
