"""Where a number has to lie for a condition: held against the engine, which tries each place."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.compile import compile_condition
from target.decisioning.ranges import (
    EVERYWHERE,
    NOWHERE,
    covers,
    in_percent,
    intersect,
    invert,
    places_in,
    reach_of,
    share_in,
    unite,
)
from target.decisioning.variables import Undecidable
from tests.kit.rules import build_scope

ALLOCATION = {"var": "allocation"}
FIRST_HALF = {"and": [{"<=": [0, ALLOCATION]}, {">=": [50, ALLOCATION]}]}
SECOND_HALF = {"and": [{"<": [50, ALLOCATION]}, {">=": [100, ALLOCATION]}]}
CHROME = {"==": [{"var": "user.browserType"}, "chrome"]}


@pytest.mark.parametrize(
    ("logic", "runs", "shown"),
    [
        (FIRST_HALF, [(0, 5001)], ((0, 50),)),
        (SECOND_HALF, [(5001, 10_000)], ((50, 100),)),
        ({"or": [FIRST_HALF, SECOND_HALF]}, [(0, 10_000)], ((0, 100),)),
        ({"and": [CHROME, FIRST_HALF]}, [(0, 5001)], ((0, 50),)),
        ({"<=": [1.1, ALLOCATION, 1.1]}, [(110, 111)], ((1.1, 1.1),)),
        ({"<": [10, ALLOCATION, 20]}, [(1001, 2000)], ((10, 20),)),
        ({"!": {"<": [ALLOCATION, 30]}}, [(3000, 10_000)], ((30, 100),)),
        ({"<": [ALLOCATION, "12.5"]}, [(0, 1250)], ((0, 12.5),)),
        (
            {"or": [{"<": [ALLOCATION, 10]}, {">=": [ALLOCATION, 90]}]},
            [(0, 1000), (9000, 10_000)],
            ((0, 10), (90, 100)),
        ),
        ({"and": [{">": [ALLOCATION, 50]}, {"<": [ALLOCATION, 50]}]}, [], ()),
        ({"==": [{"var": ["allocation"]}, 7]}, [(700, 701)], ((7, 7),)),
        ({"!=": [ALLOCATION, 0]}, [(1, 10_000)], ((0, 100),)),
        ({">": [ALLOCATION, "many"]}, [], ()),
        (False, [], ()),
        (True, [(0, 10_000)], ((0, 100),)),
    ],
)
def test_a_condition_reaches_these_places(logic: Any, runs: list[Any], shown: Any) -> None:
    perhaps = reach_of(logic, "allocation").perhaps
    assert (places_in(perhaps), in_percent(perhaps)) == (runs, shown)


@pytest.mark.parametrize(
    ("logic", "holds"),
    [
        ({"==": [1, 1]}, True),
        ({"==": [1, 2]}, False),
        ({"==": ["1", 1]}, True),
        ({"!=": [1, 2]}, True),
        ({"<": ["a", "b"]}, True),
        ({"<": ["b", "a"]}, False),
        ({"<=": [2, 2]}, True),
        ({"<=": [1, 2, 3]}, True),
        ({"<=": [1, 2, 1]}, False),
        ({">": [2, 1]}, True),
        ({"==": [ALLOCATION, ALLOCATION]}, True),
        ({"<=": [ALLOCATION, ALLOCATION]}, True),
        ({"<": [ALLOCATION, ALLOCATION]}, False),
        ({"==": [None, ALLOCATION]}, False),
        ({"==": [ALLOCATION, None]}, False),
        ({"<=": [ALLOCATION, None]}, None),
        ({"!": [False]}, True),
        ({"!": True}, False),
    ],
)
def test_what_is_the_same_at_every_place(logic: Any, holds: bool | None) -> None:
    expected = {True: EVERYWHERE, False: NOWHERE, None: ((-math.inf, 0.0),)}[holds]
    assert reach_of(logic, "allocation") == (expected, expected)


@pytest.mark.parametrize(
    "logic",
    [
        {"and": []},
        {"or": []},
        {"!": [True, True]},
        {"==": [1, 2, 3]},
        {"<": [1]},
        {">": [1, 2, 3]},
        {"==": [[50], ALLOCATION]},
        {"<": [ALLOCATION, {"var": "mbox.a"}]},
        {"in": [50, ALLOCATION]},
        {"var": "allocation"},
        {"<": [ALLOCATION, 1], ">": [ALLOCATION, 2]},
        {},
    ],
)
def test_what_is_not_understood_may_hold_anywhere(logic: Any) -> None:
    assert reach_of(logic, "allocation") == (NOWHERE, EVERYWHERE)


def test_what_asks_for_more_than_the_number_is_never_sure() -> None:
    assert reach_of(FIRST_HALF, "allocation").is_exact
    assert reach_of(CHROME, "allocation") == (NOWHERE, EVERYWHERE)
    assert reach_of({"and": [CHROME, FIRST_HALF]}, "allocation").surely == NOWHERE
    assert reach_of({"or": [CHROME, FIRST_HALF]}, "allocation") == (
        reach_of(FIRST_HALF, "allocation").surely,
        EVERYWHERE,
    )
    assert reach_of({"!": {"and": [CHROME, FIRST_HALF]}}, "allocation").perhaps == EVERYWHERE


def test_dates_are_ranges_like_any_other() -> None:
    window = {"<=": [1_613_034_000_000, {"var": "current_timestamp"}, 1_613_239_200_000]}
    assert reach_of({"and": [CHROME, window]}, "current_timestamp").perhaps == ((1_613_034_000_000, 1_613_239_200_000),)
    assert reach_of(window, "allocation").perhaps == EVERYWHERE


def test_shares_add_up_to_one() -> None:
    halves = [share_in(reach_of(logic, "allocation").surely) for logic in (FIRST_HALF, SECOND_HALF)]
    assert halves == [0.5001, 0.4999]


def test_deep_and_long_conditions_end() -> None:
    logic: Any = True
    for _ in range(5000):
        logic = {"!": logic}
    assert reach_of(logic, "allocation") == (NOWHERE, EVERYWHERE)
    many = [{"<": [at / 100, ALLOCATION, (at + 1) / 100]} for at in range(2_000)]
    both = {"and": [{"or": many}, {"or": many}]}
    assert share_in(reach_of(both, "allocation").perhaps) == 0.0


bounds = st.one_of(
    st.integers(-5, 105),
    st.floats(-1, 101),
    st.decimals(0, 100, places=2).map(float),
    st.sampled_from(["10", "x", None]),
)
atoms = st.one_of(
    st.booleans(),
    st.builds(
        lambda name, left: {name: [left, ALLOCATION]}, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), bounds
    ),
    st.builds(lambda name, right: {name: [ALLOCATION, right]}, st.sampled_from(["<", "<=", ">", ">="]), bounds),
    st.builds(lambda name, low, high: {name: [low, ALLOCATION, high]}, st.sampled_from(["<", "<="]), bounds, bounds),
    st.just({"<": [{"var": "current_time"}, "1200"]}),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(
            lambda name, items: {name: items}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)
        ),
        st.builds(lambda item: {"!": [item]}, inner),
    ),
    max_leaves=6,
)


@given(logic=conditions, at=st.lists(st.integers(0, 9999), min_size=1, max_size=20))
def test_the_engine_never_disagrees(logic: Any, at: list[int]) -> None:
    reach = reach_of(logic, "allocation")
    assert covers(reach.perhaps, reach.surely)
    try:
        test = compile_condition(logic, "7").test
    except Undecidable:
        return
    surely, perhaps = (_members(places_in(each)) for each in reach)
    for place in at:
        scope = build_scope()
        scope.allocations["7"] = place / 100
        holds = test(scope)
        assert holds or place not in surely, (logic, place)
        assert not holds or place in perhaps, (logic, place)


ends = st.floats(allow_nan=False)
ranges = st.lists(st.tuples(ends, ends), max_size=5).map(lambda pairs: unite(tuple(pairs)))


@given(left=ranges, right=ranges, at=st.floats(allow_nan=False))
def test_ranges_are_sets(left: Any, right: Any, at: float) -> None:
    def holds(members: Any) -> bool:
        return any(least <= at <= most for least, most in members)

    assert holds(unite(left, right)) == (holds(left) or holds(right))
    assert holds(intersect(left, right)) == (holds(left) and holds(right))
    assert holds(invert(left)) != holds(left)
    assert invert(invert(left)) == left
    assert covers(left, intersect(left, right))
    assert covers(unite(left, right), right)


def test_no_bound_is_beyond_an_end() -> None:
    assert places_in(((-math.inf, -1.0), (99.995, math.inf))) == []
    assert places_in(((99.99, 99.99),)) == [(9999, 10_000)]


def _members(runs: list[tuple[int, int]]) -> set[int]:
    return {place for start, stop in runs for place in range(start, stop)}
