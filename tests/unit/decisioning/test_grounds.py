"""On what grounds conditions hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from target.decisioning.compile import compile_condition
from target.decisioning.explanation import ExplainedClause
from target.decisioning.grounds import explain_condition
from target.decisioning.variables import Undecidable
from tests.kit.explained import var
from tests.kit.properties import examples
from tests.kit.rules import FIREFOX, build_scope
from tests.unit.decisioning.test_compile import LOGIC

SHARE = {"<=": [0, var("allocation"), 50]}
GOLD = {"==": ["gold", var("mbox.level")]}


def words(condition: Any, **parameters: Any) -> list[tuple[str, bool | None]]:
    clauses = explain_condition(condition, "1", build_scope(parameters=parameters)).clauses
    return [(clause.words, clause.holds) for clause in clauses]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, []),
        (SHARE, []),
        ({"!": SHARE}, []),
        (False, [("nobody", False)]),
        ({"!": True}, [("nobody", False)]),
        ({"and": [SHARE, {"and": [GOLD, {"!": {"!": GOLD}}]}]}, [('parameter level is "gold"', True)] * 2),
        ({"!": {"or": [SHARE, GOLD]}}, [('parameter level is not "gold"', False)]),
        ({"or": [GOLD, {"==": ["x", var("mbox.level")]}]}, [('parameter level is one of "gold" or "x"', True)]),
        ({"odd": []}, [('{"odd": []}', None)]),
        ({"or": []}, [('{"or": []}', None)]),
        ({"!": {"and": []}}, [('not {"and": []}', None)]),
    ],
)
def test_clauses(condition: Any, expected: Any) -> None:
    assert words(condition, level="gold") == expected


def test_a_share_inside_an_alternative_is_a_clause() -> None:
    (clause,) = explain_condition({"or": [{"and": [SHARE, GOLD]}, {"odd": []}]}, "1", build_scope()).clauses
    inner, odd = clause.parts
    assert [(part.words, part.holds) for part in inner.parts] == [
        ("place in the activity is in 0 to 50 %", False),
        ('parameter level is "gold"', False),
    ]
    assert inner.parts[0].seen == {"allocation": 76.07}
    assert (odd.holds, odd.why) == (None, "the operator 'odd' is not known")
    assert (clause.holds, clause.why) == (None, "the operator 'odd' is not known")


def test_a_share_that_is_a_clause_says_all_of_it() -> None:
    (clause,) = explain_condition({"or": [SHARE, {"!": SHARE}, GOLD, {"odd": []}]}, "1", build_scope()).clauses
    assert clause.words == "any of these"
    assert (clause.joint, clause.seen, clause.wanted) == ("or", {}, ())
    assert clause.parts[:2] == (
        ExplainedClause(
            words="place in the activity is in 0 to 50 %", holds=False, seen={"allocation": 76.07}, wanted=((0, 50),)
        ),
        ExplainedClause(
            words="place in the activity is in 50 to 100 %", holds=True, seen={"allocation": 76.07}, wanted=((50, 100),)
        ),
    )


def test_shares_that_stand_together_are_one() -> None:
    both = {"or": [SHARE, {">": [var("allocation"), 90]}]}
    (clause,) = explain_condition({"or": [both, GOLD]}, "1", build_scope()).clauses
    assert [part.words for part in clause.parts] == [
        "place in the activity is in 0 to 50 or 90 to 100 %",
        'parameter level is "gold"',
    ]


def test_a_share_that_cannot_be_decided_says_why() -> None:
    odd_share = {"<=": [0, var("allocation"), 50, 60]}
    (clause,) = explain_condition({"or": [odd_share, {"odd": []}]}, "1", build_scope()).clauses
    assert (clause.parts[0].holds, clause.parts[0].why) == (None, "<= does not take 4 arguments")


def test_a_share_that_nobody_has_is_a_share() -> None:
    grounds = explain_condition({"or": [{"and": [False, SHARE]}]}, "1", build_scope())
    assert (grounds.clauses, grounds.ranges, grounds.fits_audience) == ((), (), True)


def test_what_is_denied_of_several_is_said_of_each() -> None:
    one = {"==": [1, var("mbox.a")]}
    (clause,) = explain_condition({"!": {"and": [GOLD, one, {"and": [{"!": one}]}]}}, "1", build_scope()).clauses
    assert (clause.joint, clause.holds) == ("or", True)
    assert [(part.words, part.holds) for part in clause.parts] == [
        ('parameter level is not "gold"', True),
        ("parameter a is not 1", True),
        ("parameter a is 1", False),
    ]
    (clause,) = explain_condition(
        {"or": [{"!": {"or": [GOLD, one]}}, {"==": [2, var("mbox.b")]}]}, "1", build_scope()
    ).clauses
    inner = clause.parts[0]
    assert (inner.joint, [part.words for part in inner.parts]) == (
        "and",
        ['parameter level is not "gold"', "parameter a is not 1"],
    )


def test_every_variable_that_is_known_is_seen() -> None:
    scope = build_scope(parameters={"a": "x", "b": "y"})
    condition = {"==": [{"substr": [var("mbox.a"), var("mbox.b"), var("mbox.a")]}, var("profile.c")]}
    (clause,) = explain_condition(condition, "1", scope).clauses
    assert clause.seen == {"mbox.a": "x", "mbox.b": "y"}
    (clause,) = explain_condition({"==": [{"var": ""}, var("mbox.a")]}, "1", scope).clauses
    assert clause.seen == {"mbox.a": "x"}


def test_what_is_wanted_is_plain() -> None:
    (clause,) = explain_condition({"in": [var("mbox.a"), ["x", None, 5]]}, "1", build_scope()).clauses
    assert clause.wanted == ("x", None, 5)
    (clause,) = explain_condition({"==": [var("mbox.a"), var("mbox.b")]}, "1", build_scope()).clauses
    assert clause.wanted == ('{"var": "mbox.b"}',)


def test_alternatives_in_alternatives_are_one() -> None:
    condition = {"or": [GOLD, {"or": [{"==": [1, var("mbox.a")]}, {"!": {"and": [var("mbox.b"), var("mbox.c")]}}]}]}
    (clause,) = explain_condition(condition, "1", build_scope()).clauses
    assert [part.words for part in clause.parts] == [
        'parameter level is "gold"',
        "parameter a is 1",
        "parameter b is not set",
        "parameter c is not set",
    ]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        (SHARE, True),
        ({"and": [SHARE, GOLD]}, False),
        ({"!": {"or": [SHARE, {"!": GOLD}]}}, False),
        ({"or": [{"and": [SHARE, GOLD]}, {"and": [{"!": SHARE}, {"!": GOLD}]}]}, True),
        ({"or": [{"and": [SHARE, {"!": GOLD}]}, GOLD]}, True),
        ({"!": {"or": [{"!": SHARE}, GOLD]}}, True),
        ({"and": []}, None),
        ({"!": [SHARE, GOLD]}, None),
        ({"and": [SHARE, {"odd": []}]}, None),
    ],
)
def test_whether_the_audience_fits(condition: Any, fits: bool | None) -> None:
    assert explain_condition(condition, "1", build_scope()).fits_audience is fits


def test_the_device_is_seen_where_it_is_asked_for() -> None:
    scope = build_scope(
        {"userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) Version/16.0 Safari/604.1"}
    )
    (clause,) = explain_condition({"==": ["iphone", var("user.browserType")]}, "1", scope).clauses
    assert (clause.holds, clause.seen["device"]) == (True, "iphone")
    (clause,) = explain_condition({"==": ["safari", var("user.browserType")]}, "1", scope).clauses
    assert set(clause.seen) == {"user.browserType"}


def test_many_variables_are_only_begun() -> None:
    condition = {"==": [{"substr": [var("mbox.a"), *(var(f"mbox.p{number}") for number in range(100))]}, "x"]}
    (clause,) = explain_condition(condition, "1", build_scope()).clauses
    assert len(clause.seen) == 50


@given(logic=LOGIC)
@settings(max_examples=examples(300))
def test_all_clauses_hold_where_the_condition_does(logic: Any) -> None:
    scope = build_scope({"userAgent": FIREFOX}, parameters={"a": "1", "b": "é"})
    grounds = explain_condition(logic, "1", scope)
    try:
        holds = compile_condition(logic, "1").test(scope)
    except Undecidable:
        return
    assert (grounds.place is not None) is ("allocation" in repr(logic))
    if holds:
        assert all(clause.holds for clause in grounds.clauses)
        assert grounds.fits_audience
