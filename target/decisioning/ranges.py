"""Where a number has to lie for a condition to hold: a visitor's place in the activity, the time.

A condition is not solved but read in two ways: where it surely holds whatever else is true of a visitor, and where it
may hold. What only asks for the number has the same answer to both.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from target.decisioning.coercion import is_equal, is_less, is_less_or_equal, is_true, to_number

#: Closed ranges of floats, in order, with a gap between any two.
Ranges = tuple[tuple[float, float], ...]

EVERYWHERE: Ranges = ((-math.inf, math.inf),)
NOWHERE: Ranges = ()
#: How many places there are from 0 up to 100 percent: an allocation has two decimals.
PLACES = 10_000

_MAX_DEPTH = 64
_COMPARISONS = {"<": is_less, "<=": is_less_or_equal}
_MIRRORED = {">": "<", ">=": "<="}


class Reach(NamedTuple):
    """Where a condition surely holds, and where it may hold."""

    surely: Ranges
    perhaps: Ranges

    @property
    def is_exact(self) -> bool:
        """Whether the condition asks for nothing but the number."""
        return self.surely == self.perhaps


_UNKNOWN = Reach(NOWHERE, EVERYWHERE)


def reach_of(logic: Any, variable: str, depth: int = 0) -> Reach:
    """Where the number named ``variable`` has to lie for the condition ``logic``. Takes any JSON."""
    if depth > _MAX_DEPTH:
        return _UNKNOWN
    if not isinstance(logic, Mapping):
        return _always(is_true(logic))
    operator, arguments = operation_of(logic)
    if operator in ("and", "or") and arguments:
        reaches = [reach_of(item, variable, depth + 1) for item in arguments]
        combine = intersect if operator == "and" else unite
        return Reach(combine(*(each.surely for each in reaches)), combine(*(each.perhaps for each in reaches)))
    if operator == "!" and len(arguments) == 1:
        inner = reach_of(arguments[0], variable, depth + 1)
        return Reach(invert(inner.perhaps), invert(inner.surely))
    if operator in ("==", "!=") and len(arguments) == 2:
        equal = _compare("==", arguments[0], arguments[1], variable)
        return equal if operator == "==" else Reach(invert(equal.perhaps), invert(equal.surely))
    if operator in _MIRRORED and len(arguments) == 2:
        return _compare(_MIRRORED[operator], arguments[1], arguments[0], variable)
    if operator in _COMPARISONS and len(arguments) in (2, 3):
        pairs = [_compare(operator, left, right, variable) for left, right in itertools.pairwise(arguments)]
        return Reach(intersect(*(pair.surely for pair in pairs)), intersect(*(pair.perhaps for pair in pairs)))
    return _UNKNOWN


def operation_of(logic: Any) -> tuple[str | None, list[Any]]:
    """Operator and arguments of an operation; no operator for anything else."""
    if not (logic.__class__ is dict or isinstance(logic, Mapping)) or len(logic) != 1:
        return None, []
    ((operator, arguments),) = logic.items()
    return str(operator), arguments if isinstance(arguments, list) else [arguments]


def unite(*many: Ranges) -> Ranges:
    """What is in any of them."""
    return _merge(itertools.chain.from_iterable(many))


def intersect(*many: Ranges) -> Ranges:
    """What is in all of them."""
    return functools.reduce(_both, many, EVERYWHERE)


def invert(ranges: Ranges) -> Ranges:
    """What is in none of them."""
    return _merge(_gaps(ranges))


def covers(wide: Ranges, narrow: Ranges) -> bool:
    """Whether all of ``narrow`` is in ``wide``."""
    return intersect(wide, narrow) == narrow


def in_percent(ranges: Ranges) -> Ranges:
    """The ranges of an allocation as people write them, from 0 to 100: strictly above 50 is from 50 on."""
    return tuple((round(least, 6), round(most, 6)) for least, most in intersect(ranges, ((0.0, 100.0),)))


def places_in(ranges: Ranges) -> list[tuple[int, int]]:
    """Which of the 10,000 places of an allocation are in ``ranges``: first, and first not, of each run."""
    runs = [(_first_at(least), _first_at(math.nextafter(most, math.inf))) for least, most in ranges]
    return [(start, stop) for start, stop in runs if start < stop]


def covers_places(wide: Ranges, narrow: Ranges) -> bool:
    """Whether all places of an allocation that are in ``narrow`` are in ``wide``, whatever is between two places."""
    return covers(_fill(wide), _fill(narrow))


def share_in(ranges: Ranges) -> float:
    """The share of visitors whose place is in ``ranges``, from 0 to 1."""
    return sum(stop - start for start, stop in places_in(ranges)) / PLACES


def _fill(ranges: Ranges) -> Ranges:
    """The places in ``ranges``, each with all that lies between it and the next."""
    return _merge((start / 100, math.nextafter(stop / 100, -math.inf)) for start, stop in places_in(ranges))


def _first_at(bound: float) -> int:
    """The first place that is ``bound`` or above. A place is what ``allocation`` computes: a whole number by 100."""
    if bound <= 0:
        return 0
    if bound > 100:
        return PLACES
    place = max(math.floor(bound * 100) - 1, 0)
    while place < PLACES and place / 100 < bound:
        place += 1
    return place


def _always(holds: bool) -> Reach:
    ranges = EVERYWHERE if holds else NOWHERE
    return Reach(ranges, ranges)


def _compare(operator: str, left: Any, right: Any, variable: str) -> Reach:
    """``==``, ``<`` or ``<=`` of two operands."""
    is_left, is_right = _names(left, variable), _names(right, variable)
    if any(isinstance(each, Mapping | list) and not _names(each, variable) for each in (left, right)):
        return _UNKNOWN
    if is_left and is_right:
        return _always(operator != "<")
    if not is_left and not is_right:
        return _always(is_equal(left, right) if operator == "==" else _COMPARISONS[operator](left, right))
    limit = right if is_left else left
    bound = to_number(limit)
    if math.isnan(bound) or (operator == "==" and limit is None):
        return _always(False)
    if operator == "==":
        ranges: Ranges = ((bound, bound),)
    elif is_left:
        ranges = ((-math.inf, bound if operator == "<=" else math.nextafter(bound, -math.inf)),)
    else:
        ranges = ((bound if operator == "<=" else math.nextafter(bound, math.inf), math.inf),)
    return Reach(_merge(ranges), _merge(ranges))


def _names(operand: Any, variable: str) -> bool:
    operator, arguments = operation_of(operand)
    return operator == "var" and bool(arguments) and arguments[0] == variable


def _both(left: Ranges, right: Ranges) -> Ranges:
    found = []
    at_left = at_right = 0
    while at_left < len(left) and at_right < len(right):
        (least, most), (other_least, other_most) = left[at_left], right[at_right]
        found.append((max(least, other_least), min(most, other_most)))
        if most <= other_most:
            at_left += 1
        else:
            at_right += 1
    return _merge(found)


def _merge(ranges: Iterable[tuple[float, float]]) -> Ranges:
    """In order, and those that touch as one."""
    merged: list[tuple[float, float]] = []
    for least, most in sorted(ranges):
        if least > most:
            continue
        if merged and least <= math.nextafter(merged[-1][1], math.inf):
            merged[-1] = (merged[-1][0], max(merged[-1][1], most))
        else:
            merged.append((least, most))
    return tuple(merged)


def _gaps(ranges: Ranges) -> Iterator[tuple[float, float]]:
    after = -math.inf
    for least, most in ranges:
        if least > after:
            yield after, math.nextafter(least, -math.inf)
        if most == math.inf:
            return
        after = math.nextafter(most, math.inf)
    yield after, math.inf
