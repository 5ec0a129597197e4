"""What nearly all real rules consist of, as closures that take no detour: comparisons with a literal, and the share.

They give what the general comparison of ``compile`` would give, only sooner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from target.decisioning.coercion import NUMBERS, is_equal, is_in, to_number
from target.decisioning.context import Scope

Value = Callable[[Scope], Any]
Test = Callable[[Scope], bool]

_ALLOCATION = {"var": "allocation"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def share_of(logic: Any) -> tuple[float, float] | None:
    """What ``logic`` says of the allocation as the least and the most it may be; None if it says anything else.

    Strictly less than a number is at most the number before it, since an allocation is a float like any other.
    """
    if not (logic.__class__ is dict or isinstance(logic, Mapping)) or len(logic) != 1:
        return None
    ((operator, arguments),) = logic.items()
    if operator not in _MIRRORED or not isinstance(arguments, list) or len(arguments) != 2:
        return None
    limit, variable = arguments
    if limit == _ALLOCATION:
        operator, limit, variable = _MIRRORED[operator], variable, limit
    if variable != _ALLOCATION or limit.__class__ not in NUMBERS or (bound := to_number(limit)) != bound:
        return None
    if operator in ("<", "<="):
        return (bound if operator == "<=" else math.nextafter(bound, math.inf)), math.inf
    return -math.inf, (bound if operator == ">=" else math.nextafter(bound, -math.inf))


def in_share(activity_id: str, least: float, most: float) -> Test:
    """Whether the visitor's place in the activity is in this share, both ends included."""
    return lambda scope: least <= scope.allocations[activity_id] <= most


def equals_text(literal: str, value: Value) -> Test:
    """``==`` of a text and a value."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        return found == literal if found.__class__ is str else is_equal(found, literal)

    return test


def holds_text(literal: str, value: Value) -> Test:
    """``in`` of a text and a value."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        return found != "" and literal in found if found.__class__ is str else is_in(literal, found)

    return test


def at_least(limit: float, value: Value) -> Test:
    """``<=`` of a number and a value: with a number on one side, both count as numbers."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        return bool(limit <= (found if found.__class__ is float else to_number(found)))

    return test


def at_most(limit: float, value: Value) -> Test:
    """``<=`` of a value and a number."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        return bool((found if found.__class__ is float else to_number(found)) <= limit)

    return test


def from_to(least: float, most: float, value: Value) -> Test:
    """``<=`` of a number, a value and a number: the value is read once."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        number = found if found.__class__ is float else to_number(found)
        return bool(least <= number <= most)

    return test


def between(compare: Callable[[Any, Any], bool], low: Value, value: Value, high: Value) -> Test:
    """``low``, ``value`` and ``high`` in that order, by ``compare``: the value is read once."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        return compare(low(scope), found) and compare(found, high(scope))

    return test
