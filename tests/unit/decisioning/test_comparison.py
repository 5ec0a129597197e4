"""The closures of common comparisons: held against the general comparison, whose shortcut they are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from target.decisioning.coercion import is_equal, is_in, is_less_or_equal
from target.decisioning.comparison import at_least, at_most, equals_text, from_to, holds_text, in_share, share_of

NOWHERE: Any = None
VALUES = ["", "a", "abc", "A", "1", " 1 ", "1.5", 0, 1, 1.0, 1.5, -0.0, math.nan, math.inf, None, True, False]
VALUES += [[], [1], ["a"], ["a", "b"], ("abc",), {}, [None]]
ALLOCATION = {"var": "allocation"}
BELOW, ABOVE = -math.inf, math.inf


def always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


@pytest.mark.parametrize(
    ("make", "literals", "general"),
    [
        (equals_text, ["", "a", "1", "1.5"], lambda literal, value: is_equal(value, literal)),
        (holds_text, ["", "a", "b", "1"], is_in),
        (at_least, [0.0, 1.0, 1.5, -1.0], is_less_or_equal),
        (at_most, [0.0, 1.0, 1.5, -1.0], lambda limit, value: is_less_or_equal(value, limit)),
    ],
)
def test_a_shortcut_says_what_the_general_comparison_says(
    make: Callable[[Any, Any], Any], literals: list[Any], general: Callable[[Any, Any], bool]
) -> None:
    for literal, value in itertools.product(literals, VALUES):
        assert make(literal, always(value))(NOWHERE) is general(literal, value), (literal, value)


@pytest.mark.parametrize(("least", "most"), [(0.0, 1.0), (1.0, 1.0), (1.5, 1.0), (-1.0, 1.5)])
def test_a_range_of_numbers_is_two_comparisons(least: float, most: float) -> None:
    for value in VALUES:
        both = is_less_or_equal(least, value) and is_less_or_equal(value, most)
        assert from_to(least, most, always(value))(NOWHERE) is both, value


@pytest.mark.parametrize(
    ("logic", "share"),
    [
        ({"<=": [10, ALLOCATION]}, (10.0, ABOVE)),
        ({"<": [10, ALLOCATION]}, (math.nextafter(10, ABOVE), ABOVE)),
        ({">=": [10, ALLOCATION]}, (BELOW, 10.0)),
        ({">": [10.5, ALLOCATION]}, (BELOW, math.nextafter(10.5, BELOW))),
        ({"<=": [ALLOCATION, 10]}, (BELOW, 10.0)),
        ({"<": [ALLOCATION, 10]}, (BELOW, math.nextafter(10, BELOW))),
        ({">=": [ALLOCATION, 10]}, (10.0, ABOVE)),
        ({">": [ALLOCATION, 10]}, (math.nextafter(10, ABOVE), ABOVE)),
        ({"==": [ALLOCATION, 10]}, None),
        ({"<": [ALLOCATION, "10"]}, None),
        ({"<": [ALLOCATION, True]}, None),
        ({"<": [ALLOCATION, math.nan]}, None),
        ({"<": [ALLOCATION, ALLOCATION]}, None),
        ({"<": [0, ALLOCATION, 10]}, None),
        ({"<": [ALLOCATION]}, None),
        ({"<": ALLOCATION}, None),
        ({"<": [{"var": "mbox.allocation"}, 10]}, None),
        ({"<": [ALLOCATION, 10], ">": [ALLOCATION, 5]}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("<", None),
    ],
)
def test_which_conditions_are_a_share(logic: Any, share: tuple[float, float] | None) -> None:
    assert share_of(logic) == share


@pytest.mark.parametrize(
    ("place", "expected"), [(9.99, False), (10.0, True), (15.0, True), (20.0, True), (20.01, False)]
)
def test_both_ends_of_a_share_are_in_it(place: float, expected: bool) -> None:
    scope: Any = SimpleNamespace(allocations={"7": place})
    assert in_share("7", 10.0, 20.0)(scope) is expected
