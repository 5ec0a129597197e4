"""Conditions in words: as people would put them, and never without end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.labels import MAX_LENGTH
from target.decisioning.words import describe, describe_clause


def var(name: str) -> dict[str, Any]:
    return {"var": name}


SHARE = {"and": [{"<=": [0, var("allocation")]}, {">=": [50, var("allocation")]}]}
US = {"==": ["US", var("geo.country")]}
CANADA = {"==": [var("geo.country"), "CA"]}
CHROME = {"==": [var("user.browserType"), "chrome"]}
GOLD = {"==": ["gold", var("mbox.level_lc")]}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (True, ""),
        (False, "nobody"),
        (SHARE, ""),
        ({"!": SHARE}, ""),
        ({"and": [SHARE, US, CHROME]}, 'country is "US" and browser is "chrome"'),
        ({"and": [SHARE, {"and": [US, {"and": [CHROME]}]}]}, 'country is "US" and browser is "chrome"'),
        ({"or": [{"and": [SHARE, US]}, CHROME]}, 'country is "US" or browser is "chrome"'),
        ({"or": [SHARE, US]}, ""),
        (
            {"and": [{"or": [US, CHROME]}, GOLD]},
            '(country is "US" or browser is "chrome") and parameter level is "gold" (ignoring case)',
        ),
        ({"or": [US, CANADA]}, 'country is one of "US" or "CA"'),
        ({"!": {"or": [US, CANADA]}}, 'country is none of "US" or "CA"'),
        ({"!": {"and": [US, CHROME]}}, 'country is not "US" or browser is not "chrome"'),
        ({"!": {"!": US}}, 'country is "US"'),
        ({"and": [US, False]}, "nobody"),
        ({"in": [var("geo.city"), ["BERN", "THUN"]]}, 'city is one of "BERN" or "THUN"'),
        ({"!=": [var("mbox.visits"), 1]}, "parameter visits is not 1"),
        ({"==": ["x", var("mbox.a b")]}, 'parameter "a b" is "x"'),
        ({"==": ["Gold", var("mbox.level_lc")]}, 'parameter level is "Gold" (in lower case)'),
        ({"in": ["sale", var("page.url_lc")]}, 'page URL contains "sale" (ignoring case)'),
        (
            {"or": [{"in": ["a", var("page.url")]}, {"in": ["b", var("page.url")]}]},
            'page URL contains any of "a" or "b"',
        ),
        ({"==": ["https://a", {"substr": [var("page.url"), 0, 9]}]}, 'page URL starts with "https://a"'),
        ({"!=": [{"substr": [var("page.path_lc"), -4]}, ".pdf"]}, 'page path does not end with ".pdf" (ignoring case)'),
        ({"==": ["ab", {"substr": [var("page.path"), 3, 2]}]}, 'part (3, 2) of page path is "ab"'),
        ({"==": ["x", var("page.{parameter=campaign}")]}, 'page query parameter campaign is "x"'),
        ({"==": ["news.org", var("referring.domain")]}, 'referring page domain is "news.org"'),
        ({">=": [var("mbox.total"), 100]}, "parameter total is at least 100"),
        ({"<": [14, var("user.browserVersion")]}, "browser version is above 14"),
        ({"!": {"<": [14, var("user.browserVersion")]}}, "browser version is not above 14"),
        ({"<": [1, var("mbox.total"), 9]}, "parameter total is between 1 and 9"),
        (
            {"<=": [1613034000000, var("current_timestamp"), 1613239200000]},
            "date is from 2021-02-11 09:00 to 2021-02-13 18:00 UTC",
        ),
        ({"<": [var("current_timestamp"), 1613034000500]}, "date is before 2021-02-11 09:00:00 UTC"),
        ({"!": {">=": [var("current_time"), "1730"]}}, "time of day is before 17:30 UTC"),
        (
            {"or": [{"==": [var("current_day"), "6"]}, {"==": [var("current_day"), 7]}]},
            "day is one of Saturday or Sunday",
        ),
        ({"==": [None, var("mbox.level")]}, "parameter level is not given"),
        ({"!": var("mbox.level")}, "parameter level is not set"),
        ({"==": [var("page.domain"), var("referring.domain")]}, "page domain is referring page domain"),
        ({"==": [1, 2]}, "1 is 2"),
        ({"or": [US, CANADA, {"==": ["MX", var("geo.country")]}]}, 'country is one of "US", "CA" or "MX"'),
        ({"or": [{"in": [var("geo.city"), ["A"]]}, {"==": ["B", var("geo.city")]}]}, 'city is one of "A" or "B"'),
        (
            {"or": [{"==": ["a", var("page.url")]}, {"in": ["b", var("page.url")]}]},
            'page URL is "a" or page URL contains "b"',
        ),
        (
            {"and": [CHROME, {"and": [US, {"<=": [1, var("mbox.n"), 9]}]}]},
            'browser is "chrome" and country is "US" and parameter n is from 1 to 9',
        ),
        (
            {"or": [{"==": [None, var("mbox.a")]}, {"==": ["x", var("mbox.a")]}]},
            'parameter a is not given or parameter a is "x"',
        ),
        (
            {"or": [{"!=": ["x", var("mbox.a")]}, {"!=": ["y", var("mbox.a")]}]},
            'parameter a is not "x" or parameter a is not "y"',
        ),
        ({"!=": [None, var("mbox.level")]}, "parameter level is given"),
        (var("mbox.level"), "parameter level is set"),
        ({"in": [var("geo.city"), []]}, "city is one of nothing"),
        ({"in": [var("mbox.n"), list(range(10))]}, "parameter n is one of 0, 1, 2, 3, 4, 5, 6, 7, 8 or 9"),
        ({"in": [var("mbox.n"), list(range(11))]}, "parameter n is one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 or 1 more"),
        ({"==": ["x", var("profile.visits")]}, 'profile.visits is "x"'),
        ({"regex": ["a", var("page.url")]}, '{"regex": ["a", {"var": "page.url"}]}'),
        ({"!": {"regex": []}}, 'not {"regex": []}'),
        ({"and": []}, '{"and": []}'),
        ({"==": ["\x1b[2J\u202e\ud800", var("mbox.a")]}, 'parameter a is "\\u001b[2J\\u202e\\ud800"'),
    ],
)
def test_words(condition: Any, words: str) -> None:
    assert describe(condition) == words


def test_many_values_and_many_clauses_are_only_begun() -> None:
    values = {"or": [{"==": [str(number), var("mbox.id")]} for number in range(1000)]}
    assert describe(values).endswith('"8", "9" or 990 more')
    clauses = {"and": [{"==": [str(number), var(f"mbox.p{number}")]} for number in range(1000)]}
    assert len(describe(clauses)) == MAX_LENGTH
    assert describe(clauses).endswith("…")


def test_deep_nesting_has_an_end() -> None:
    condition: Any = US
    for _ in range(10_000):
        condition = {"!": condition}
    assert describe(condition) == "…"
    shallow: Any = US
    for _ in range(32):
        shallow = {"!": shallow}
    assert describe(shallow) == 'country is "US"'
    assert describe({"!": shallow}) == "…"
    condition = 1
    for _ in range(10_000):
        condition = {"substr": [condition]}
    assert describe({"==": [condition, "x"]}).endswith('…}]}]} is "x"')


def test_one_clause_may_be_the_share() -> None:
    assert describe_clause({">=": [50, var("allocation")]}) == "place in the activity is at most 50"
    assert describe_clause(True) == "everybody"
    assert describe_clause(False) == "nobody"


NAMES = st.sampled_from(
    [
        "mbox.a",
        "mbox.b_lc",
        "allocation",
        "page.url",
        "current_timestamp",
        "current_day",
        "current_time",
        "geo.city",
        "no",
    ]
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80))
LOGIC = st.recursive(
    st.one_of(PLAIN, NAMES.map(lambda name: {"var": name}), NAMES.map(lambda name: {"var": [name]})),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["and", "or", "!", "==", "!=", "<", "<=", ">", ">=", "in", "substr", "var", "odd"]),
            st.one_of(inner, st.lists(inner, max_size=4)),
            max_size=2,
        ),
    ),
    max_leaves=20,
)


@given(logic=LOGIC)
def test_any_json_has_short_words(logic: Any) -> None:
    for words in (describe(logic), describe_clause(logic)):
        assert len(words) <= MAX_LENGTH
        assert words.isprintable()
